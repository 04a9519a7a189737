//! Which columns look like PHI: by name, by type, by whom the table is about, and by the form of sampled values.
//! Owns the confidence of a proposal and its reasons. Judges facts only: it reads no database, and no value is in what
//! it gets or gives. How good the rules are is in docs/decisions/0036-which-columns-are-phi.md.

mod about;
mod rules;
mod weigh;
mod words;

use std::collections::HashMap;

use crate::store::catalog::{ColumnFacts, TableFacts};
use crate::store::{Form, FormCounts};
use crate::words::word_enum;
pub use about::{About, Subject, about};
use rules::{NEVER, Nature, RULES, Rule, TAILS};
use weigh::weigh;
pub use words::words;
use words::{is_in, stems};

word_enum! {
    /// How sure a proposal is.
    Confidence {
        /// Almost certainly PHI.
        High = "high",
        /// Probably PHI.
        Medium = "medium",
        /// Perhaps PHI: a person has to look.
        Low = "low",
    }
}

word_enum! {
    /// What a column seems to hold.
    Kind {
        /// US social security numbers, and those of other countries.
        SocialSecurity = "SSN",
        /// Dates of birth.
        BirthDate = "date of birth",
        /// Dates of death.
        DeathDate = "date of death",
        /// Names of people.
        Name = "name",
        /// Telephone and fax numbers.
        Phone = "phone",
        /// E-mail addresses.
        Email = "e-mail",
        /// Addresses, places, coordinates.
        Address = "address",
        /// Postcodes.
        Postcode = "postcode",
        /// Numbers of medical records and of patients.
        RecordNumber = "record number",
        /// Numbers of insurance policies, members and claims.
        InsuranceNumber = "insurance number",
        /// Numbers of passports and licences.
        IdentityNumber = "identity number",
        /// Numbers of accounts and cards.
        AccountNumber = "account number",
        /// Photos, signatures, biometric data.
        Image = "image or biometric",
        /// Diagnoses, treatment, medication.
        Health = "health",
        /// Measurements of the body.
        Measurement = "measurement",
        /// Notes and other free text.
        FreeText = "free text",
        /// Addresses of the internet protocol.
        IpAddress = "IP address",
        /// Numbers of devices and vehicles.
        Device = "device",
        /// Dates of care.
        CareDate = "date of care",
    }
}

/// A column that looks like PHI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspect {
    /// The column, as the catalog spells it.
    pub column: String,
    /// What it seems to hold.
    pub kind: Kind,
    /// How sure that is.
    pub confidence: Confidence,
    /// Why, in a few words each.
    pub reasons: Vec<String>,
    /// Why phiseal cannot seal it as it is.
    pub blocked: Option<String>,
}

/// What is known of the values of a table's columns, by the column's name. A column that was not looked at is missing.
pub type Counts = HashMap<String, FormCounts>;

/// What the type of a column lets it hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Text,
    Number,
    Date,
    Time,
    Json,
    Bytes,
    Inet,
    /// Truth values, enums, UUIDs and everything else that is not searched for PHI.
    Other,
}

/// The columns of a table that look like PHI, in the table's order. `taken` are columns that are sealed already, or hold
/// what is sealed.
#[must_use]
pub fn suspects(
    table: &TableFacts,
    about: &About,
    counts: &Counts,
    taken: &[String],
) -> Vec<Suspect> {
    let columns = table.columns.iter();
    columns
        .filter(|column| !taken.contains(&column.name))
        .filter_map(|column| suspect(table, column, about, counts.get(&column.name)))
        .collect()
}

/// Whether the values of a column are worth a look: whether its form may tell something.
#[must_use]
pub fn is_worth_a_look(column: &ColumnFacts) -> bool {
    let class = class(column);
    !column.array
        && matches!(
            class,
            Class::Text | Class::Date | Class::Time | Class::Number
        )
}

fn suspect(
    table: &TableFacts,
    column: &ColumnFacts,
    about: &About,
    counts: Option<&FormCounts>,
) -> Option<Suspect> {
    let stems = stems(&column.name);
    let class = class(column);
    if class == Class::Other || stems.iter().any(|word| is_in(NEVER, word)) {
        return None;
    }
    let by_name = rule(&stems, &column.name, class, about);
    let found = weigh(by_name, class, about, counts)?;
    let blocked = blocked(table, column);
    // A number that only joins tables says nothing about a person, and neither does a weak suspicion of a key.
    if blocked.is_some() && (class == Class::Number || found.confidence == Confidence::Low) {
        return None;
    }
    Some(Suspect {
        column: column.name.clone(),
        kind: found.kind,
        confidence: found.confidence,
        reasons: found.reasons,
        blocked,
    })
}

/// The rule that a name matches.
fn rule(stems: &[String], name: &str, class: Class, about: &About) -> Option<&'static Rule> {
    // `patients.name` is a person's name; elsewhere `name` may be anything's.
    let personal = matches!(about.subject, Subject::Person | Subject::Staff);
    if personal && name.eq_ignore_ascii_case("name") && class == Class::Text {
        return RULES.iter().find(|rule| rule.kind == Kind::Name);
    }
    let rules = RULES.iter().filter(|rule| rule.classes.contains(&class));
    rules.into_iter().find(|rule| matches(rule, stems))
}

/// Long names are also found at the end of a word that nobody has parted: `ptfirstname`.
const UNPARTED_MIN: usize = 8;

fn matches(rule: &Rule, stems: &[String]) -> bool {
    let whole = stems.concat();
    if is_in(rule.whole, &whole) {
        return true;
    }
    let is_name = |run: &str| is_in(rule.names, run);
    let ends_otherwise = (stems.last()).is_some_and(|last| is_in(TAILS, last));
    for begin in 0..stems.len() {
        for end in begin + 1..=stems.len() {
            let tail = end < stems.len() && ends_otherwise;
            if !tail && is_name(&stems[begin..end].concat()) {
                return true;
            }
        }
    }
    let names = rule.names.split_ascii_whitespace();
    let mut long = names.filter(|name| name.len() >= UNPARTED_MIN);
    stems.len() == 1 && long.any(|name| whole.ends_with(name))
}

/// Why phiseal cannot seal a column as it is.
fn blocked(table: &TableFacts, column: &ColumnFacts) -> Option<String> {
    let has = |columns: &[String]| columns.contains(&column.name);
    if table
        .keys
        .iter()
        .any(|key| key.primary && has(&key.columns))
    {
        return Some("it is part of the primary key, which stays readable".to_owned());
    }
    let mut foreign = table.foreign_keys.iter().filter(|key| has(&key.columns));
    if let Some(key) = foreign.next() {
        return Some(match key.incoming {
            true => format!("{} refers to it by a foreign key", key.other),
            false => format!("it is a foreign key to {}", key.other),
        });
    }
    column
        .generated
        .then(|| "it is generated: seal the columns that it is made from".to_owned())
}

/// What a type lets a column hold: by PostgreSQL's names, and by the words of a declaration in SQLite, which has no
/// types.
fn class(column: &ColumnFacts) -> Class {
    if !matches!(column.type_class, 'b' | '\0' | ' ') {
        return Class::Other;
    }
    let name = column.base_type.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["bool", "uuid", "enum", "tsvector", "bit", "money"]) {
        Class::Other
    } else if has(&["char", "text", "clob", "string"]) || name.is_empty() {
        Class::Text
    } else if has(&["json", "hstore", "xml"]) {
        Class::Json
    } else if has(&["timestamp", "datetime"]) {
        Class::Time
    } else if name == "date" {
        Class::Date
    } else if has(&["int", "num", "dec", "float", "double", "real", "serial"])
        && !has(&["interval", "point"])
    {
        Class::Number
    } else if has(&["bytea", "blob", "binary"]) {
        Class::Bytes
    } else if matches!(name.as_str(), "inet" | "cidr") {
        Class::Inet
    } else {
        Class::Other
    }
}

#[cfg(test)]
mod tests;
