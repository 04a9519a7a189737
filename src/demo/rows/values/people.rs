//! Persons and places: names, numbers, addresses, ways to reach somebody.
//! Always holds: no number was ever a real one (`names.rs`); 555-01xx and example.org are set aside for
//! fiction.

use rand::{Rng, RngExt};

use super::at::Topic;
use super::{At, Rule, Rules};
use crate::demo::names;
use Rule::{Numbered, OneOf, Words};

pub const RULES: Rules = &[
    ("first_name", Words(first_name)),
    ("middle_name", Words(middle_name)),
    ("last_name", Words(last_name)),
    ("full_name", Words(name)),
    ("specialist.full_name", Words(doctor)),
    ("performed_by", Words(other)),
    ("relationship", OneOf(&RELATIONS)),
    (
        "relative",
        OneOf(&[
            "Mother",
            "Father",
            "Sibling",
            "Maternal grandmother",
            "Paternal grandfather",
        ]),
    ),
    ("witness_name", Words(other)),
    ("witness_contact", Words(phone)),
    ("signer_name", Words(other)),
    ("signature", Numbered(signature)),
    ("guardian", Words(guardian)),
    ("principal", Words(other)),
    ("provider_name", Words(doctor)),
    ("prescriber_name", Words(doctor)),
    ("prescriber", Words(doctor)),
    ("recipient_name", Words(recipient)),
    ("recipient_address", Words(address)),
    ("message_delivery.recipient_address", Numbered(email)),
    ("recipient", Numbered(reached)),
    ("ssn", Numbered(ssn)),
    ("student_number", Numbered(student_number)),
    ("medical_record_number", Numbered(record_number)),
    ("mrn", Numbered(record_number)),
    ("medicaid_id", Numbered(medicaid)),
    ("member_id", Numbered(member)),
    ("group_number", Words(group)),
    ("*npi", Numbered(npi)),
    ("grade", OneOf(&GRADES)),
    ("affected_grades", OneOf(&GRADES)),
    ("gender", OneOf(&["FEMALE", "MALE", "OTHER"])),
    ("*email", Numbered(email)),
    ("email*", Numbered(email)),
    ("*phone*", Words(phone)),
    ("*fax*", Words(phone)),
    ("line1", Words(street)),
    ("line2", Words(flat)),
    ("*address", Words(address)),
    ("address*", Words(address)),
    ("street*", Words(street)),
    ("city", Words(city)),
    ("county", OneOf(&["Lane", "Marion", "Benton", "Linn"])),
    ("state", Words(state)),
    ("state_code", Words(state)),
    ("zip*", Words(zip)),
    ("postal*", Words(zip)),
    ("country", OneOf(&["US"])),
    ("language", OneOf(&["en", "es", "vi", "zh"])),
    ("location", Words(place_in_school)),
    ("*_location", Words(place_in_school)),
    ("location_*", Words(place_in_school)),
];

const RELATIONS: [&str; 7] = [
    "MOTHER",
    "FATHER",
    "GRANDPARENT",
    "AUNT",
    "UNCLE",
    "FOSTER PARENT",
    "LEGAL GUARDIAN",
];
const GRADES: [&str; 13] = [
    "K", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
];
const STREETS: [&str; 16] = [
    "Maple Street",
    "Oak Avenue",
    "2nd Street",
    "River Road",
    "Elm Court",
    "Cedar Lane",
    "Washington Boulevard",
    "Hilltop Drive",
    "Station Road",
    "Lakeview Terrace",
    "Mill Lane",
    "Orchard Way",
    "Church Street",
    "Park Place",
    "Sunset Drive",
    "Old County Road",
];
/// City, state and the first three digits of its postal codes.
const CITIES: [(&str, &str, u32); 12] = [
    ("Springfield", "OR", 974),
    ("Fairview", "OR", 970),
    ("Riverton", "UT", 840),
    ("Greenville", "SC", 296),
    ("Bristol", "CT", 60),
    ("Clinton", "IA", 527),
    ("Franklin", "TN", 370),
    ("Georgetown", "TX", 786),
    ("Madison", "WI", 537),
    ("Salem", "OR", 973),
    ("Ashland", "KY", 411),
    ("Milton", "VT", 54),
];

fn first_name(at: &At) -> String {
    let mut dice = at.by(Topic::Person);
    name_of(&mut dice, &names::FIRST, " ")
}

/// One of a list, or two of it: a few names alone would say who has which.
fn name_of(dice: &mut impl Rng, list: &[&str], between: &str) -> String {
    let first = list[dice.random_range(0..list.len())];
    let second = list[dice.random_range(0..list.len())];
    if dice.random_range(0..100) < 40 && first != second {
        format!("{first}{between}{second}")
    } else {
        first.to_owned()
    }
}

fn middle_name(at: &At) -> String {
    (*at.one(&names::FIRST)).to_owned()
}

fn last_name(at: &At) -> String {
    let mut dice = at.by(Topic::Person);
    let _: [u64; 4] = dice.random();
    name_of(&mut dice, &names::LAST, "-")
}

fn name(at: &At) -> String {
    format!("{} {}", first_name(at), last_name(at))
}

/// Somebody else than the person of the row.
pub fn other(at: &At) -> String {
    let mut dice = at.by(Topic::Other);
    let first = name_of(&mut dice, &names::FIRST, " ");
    format!("{first} {}", name_of(&mut dice, &names::LAST, "-"))
}

pub fn doctor(at: &At) -> String {
    let title = at.same(Topic::Other, &["MD", "DO", "NP", "PA-C"]);
    format!("{}, {title}", other(at))
}

fn guardian(at: &At) -> String {
    format!(
        "{} ({}), {}",
        other(at),
        at.one(&RELATIONS).to_lowercase(),
        phone(at)
    )
}

fn signature(at: &At) -> String {
    format!(
        "/s/ {} [{}-{:07}]",
        other(at),
        super::clock::day(at),
        at.number()
    )
}

fn recipient(at: &At) -> String {
    match at.own().random_range(0..3) {
        0 => doctor(at),
        1 => format!("{} Public Health", city(at)),
        _ => other(at),
    }
}

fn reached(at: &At) -> String {
    match at.own().random_range(0..2) {
        0 => email(at),
        _ => format!("{} (contact {})", phone(at), at.number()),
    }
}

/// Letters without accents, for an address.
fn plain(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    name.nfd()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

fn email(at: &At) -> String {
    let (first, last) = (plain(&first_name(at)), plain(&last_name(at)));
    format!("{first}.{last}.{}@example.org", at.number())
}

fn phone(at: &At) -> String {
    let mut dice = at.own();
    let (area, line) = (dice.random_range(201..990), dice.random_range(0..100));
    match dice.random_range(0..4) {
        0 => format!("+1 {area} 555 01{line:02}"),
        1 => format!("{area}-555-01{line:02}"),
        _ => format!("({area}) 555-01{line:02}"),
    }
}

/// Written as people write it: with dashes, with blanks, with nothing.
fn ssn(at: &At) -> String {
    let between = match at.own().random_range(0..10) {
        0 | 1 => "",
        2 => " ",
        _ => "-",
    };
    names::ssn(at.number(), between)
}

fn student_number(at: &At) -> String {
    format!("S{:08}", at.number())
}

fn record_number(at: &At) -> String {
    format!("MRN-{:07}", at.number())
}

fn medicaid(at: &At) -> String {
    format!("{}{:08}", state(at), at.number())
}

fn member(at: &At) -> String {
    format!("XQH{:09}", at.number())
}

fn group(at: &At) -> String {
    format!("GRP-{:05}", at.own().random_range(0..100_000))
}

/// Ten digits that begin as no provider's number does.
fn npi(at: &At) -> String {
    // A power of 3 has no divisor in common with the count of numbers.
    let n = at.number().wrapping_mul(387_420_489) % 1_000_000_000;
    format!("9{n:09}")
}

fn street(at: &At) -> String {
    let mut dice = at.by(Topic::Place);
    let number = dice.random_range(1..9_900);
    format!("{number} {}", STREETS[dice.random_range(0..STREETS.len())])
}

fn flat(at: &At) -> String {
    format!("Apt {}", at.own().random_range(1..60))
}

fn place(at: &At) -> (&'static str, &'static str, u32) {
    let mut dice = at.by(Topic::Place);
    let _: u64 = dice.random();
    CITIES[dice.random_range(0..CITIES.len())]
}

fn address(at: &At) -> String {
    format!("{}, {}, {} {}", street(at), city(at), state(at), zip(at))
}

pub fn city(at: &At) -> String {
    place(at).0.to_owned()
}

fn state(at: &At) -> String {
    place(at).1.to_owned()
}

fn zip(at: &At) -> String {
    let end = at.by(Topic::Place).random_range(0..100_u32);
    format!("{:03}{end:02}", place(at).2)
}

fn place_in_school(at: &At) -> String {
    let room = at.own().random_range(100..240);
    match room % 5 {
        0 => "Nurse's office, locked cabinet".to_owned(),
        1 => "Main office".to_owned(),
        2 => "Gym".to_owned(),
        3 => "Playground, north side".to_owned(),
        _ => format!("Room {room}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Draw, fingerprint};
    use super::*;

    #[test]
    fn the_names_of_a_row_agree_with_its_address() {
        let draw = Draw::new(1, "students");
        let at = At::new(&draw, 4, fingerprint("email"));
        assert!(email(&at).starts_with(&plain(&first_name(&at))));
        assert_eq!(plain("Zoë O'Brien-Ñandú"), "zoeobriennandu");
    }
}
