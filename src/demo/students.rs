//! Made-up students, the same ones in every run.
//! Owns what they look like. Each student depends on the seed and its own id alone, so that any of
//! them can be made again, to be compared with what was opened, without keeping a copy.
//! Always holds: no number was ever a real one (`names.rs`), and 555-01xx is set aside for fiction.

use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

use super::names;
use super::school::Student;

const SEED: u64 = 0x7068_6973_6561_6c31;

/// A student has one of the first so many names: a seed's students never change.
const NAMES: usize = 32;

const NOTES: [&str; 16] = [
    "Peanut allergy; carries an EpiPen.",
    "Asthma: albuterol inhaler in the nurse's office, 2 puffs before PE.",
    "Type 1 diabetes, insulin pump. Check glucose at 10:30 and before lunch.",
    "Seizure plan on file (focal, last seen in spring).",
    "Wears glasses; vision 20/40 left, 20/25 right.",
    "No known allergies.",
    "Lactose intolerant — no milk at lunch.",
    "ADHD, methylphenidate 10 mg at noon with food.",
    "Hearing aid in the right ear; sits near the front.",
    "Sickle cell trait: water at all times, no overheating.",
    "Celiac disease. Gluten-free tray, see the kitchen's list.",
    "Concussion in October; return to play step 4 of 6.",
    "Bee stings: antihistamine first, call 911 if breathing is hard.",
    "Immunizations up to date; Tdap due next year.",
    "Father's number changed\nmother's is the one to call.",
    "Migraine with aura, dark room for 20 minutes, then call home.",
];

/// The student of this id, counted from 1.
pub fn student(id: i64) -> Student {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    rng.set_stream(id.unsigned_abs());
    Student {
        id,
        first_name: pick(&mut rng, &names::FIRST[..NAMES]),
        last_name: pick(&mut rng, &names::LAST[..NAMES]),
        date_of_birth: date_of_birth(&mut rng),
        ssn: ssn(&mut rng, id),
        guardian_phone: guardian_phone(&mut rng),
        medical_notes: medical_notes(&mut rng),
    }
}

/// How many values of a student are there to be sealed.
pub fn values(student: &Student) -> u64 {
    let texts = [
        &student.ssn,
        &student.guardian_phone,
        &student.medical_notes,
    ];
    1 + texts.iter().filter(|text| text.is_some()).count() as u64
}

fn pick(rng: &mut ChaCha8Rng, from: &[&str]) -> String {
    from.choose(rng).copied().unwrap_or_default().to_owned()
}

fn date_of_birth(rng: &mut ChaCha8Rng) -> String {
    let year = rng.random_range(2006..=2019);
    let month = rng.random_range(1..=12);
    let days = match month {
        2 if year % 4 == 0 => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    format!("{year}-{month:02}-{:02}", rng.random_range(1..=days))
}

/// Unique, and written as people write it: with dashes, with blanks, with nothing.
fn ssn(rng: &mut ChaCha8Rng, id: i64) -> Option<String> {
    let between = match rng.random_range(0..100) {
        0..3 => return None,
        3 => return Some(String::new()),
        4..20 => "",
        20..30 => " ",
        _ => "-",
    };
    Some(names::ssn(id.unsigned_abs(), between))
}

fn guardian_phone(rng: &mut ChaCha8Rng) -> Option<String> {
    let area = rng.random_range(201..990);
    let line = rng.random_range(0..100);
    match rng.random_range(0..100) {
        0..6 => None,
        6..8 => Some(String::new()),
        8..30 => Some(format!("+1 {area} 555 01{line:02}")),
        30..40 => Some(format!(
            "({area}) 555-01{line:02} (grandmother, after 3 pm)"
        )),
        _ => Some(format!("({area}) 555-01{line:02}")),
    }
}

fn medical_notes(rng: &mut ChaCha8Rng) -> Option<String> {
    let sentences = match rng.random_range(0..100) {
        0..25 => return None,
        25..28 => 0,
        28..75 => 1,
        75..98 => rng.random_range(2..6),
        _ => rng.random_range(10..40),
    };
    let notes: Vec<&str> = (0..sentences)
        .filter_map(|_| NOTES.choose(rng).copied())
        .collect();
    Some(notes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_student_made_again_is_the_same_and_the_next_one_is_another() {
        assert_eq!(student(4711), student(4711));
        assert_ne!(student(4711).date_of_birth, student(4712).date_of_birth);
    }

    #[test]
    fn the_hard_cases_are_all_there() {
        let students: Vec<Student> = (1..=2_000).map(student).collect();
        let is_empty = |text: &Option<String>| text.as_deref() == Some("");
        assert!(students.iter().any(|s| s.ssn.is_none()));
        assert!(students.iter().any(|s| is_empty(&s.ssn)));
        assert!(students.iter().any(|s| s.guardian_phone.is_none()));
        assert!(students.iter().any(|s| is_empty(&s.guardian_phone)));
        assert!(students.iter().any(|s| s.medical_notes.is_none()));
        assert!(students.iter().any(|s| is_empty(&s.medical_notes)));
        assert!(students.iter().any(|s| s.last_name.contains('\'')));
        assert!(students.iter().any(|s| !s.first_name.is_ascii()));
        let long = |s: &Student| s.medical_notes.as_ref().is_some_and(|n| n.len() > 1_000);
        assert!(students.iter().any(long));
    }
}
