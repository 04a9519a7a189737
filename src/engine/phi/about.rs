//! Whom the rows of a table are about. Owns how a table is linked to people: by its own name, by the name of a column,
//! or by a foreign key, also through other tables.

use super::words::{is_in, stems};
use crate::ident::TableName;
use crate::store::catalog::TableFacts;

/// What a table is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// Whom its rows are about.
    pub subject: Subject,
    /// Whether its name speaks of health.
    pub clinical: bool,
    /// Whether its name speaks of messages between people.
    pub messages: bool,
}

/// Whom the rows of a table are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Each row is a patient, or a person close to one.
    Person,
    /// Each row belongs to such a person.
    Linked {
        /// The column or table that says so.
        by: String,
    },
    /// Each row is a user or a member of the staff.
    Staff,
    /// Each row is a company, a school, a place.
    Organisation,
    /// Each row is a setting, a template, an entry of a catalog.
    Reference,
    /// Nobody knows.
    Unknown,
}

impl About {
    /// Whom the rows are about, in words; `None` if nobody knows.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        match &self.subject {
            Subject::Person => Some("rows are people".to_owned()),
            Subject::Linked { by } => Some(format!("rows belong to people ({by})")),
            Subject::Staff => Some("rows are users or staff".to_owned()),
            Subject::Organisation => Some("rows are organisations or places".to_owned()),
            Subject::Reference => Some("rows are settings or reference data".to_owned()),
            Subject::Unknown => None,
        }
    }
}

impl Subject {
    /// Whether a value of the table belongs to one person.
    pub(super) fn is_personal(&self) -> bool {
        matches!(self, Self::Person | Self::Linked { .. })
    }
}

/// What each of these tables is about, in their order.
#[must_use]
pub fn about(tables: &[TableFacts]) -> Vec<About> {
    let mut all: Vec<About> = tables.iter().map(alone).collect();
    // Each round follows one more foreign key.
    loop {
        let linked: Vec<(usize, String)> = (tables.iter().enumerate())
            .filter(|(at, _)| all[*at].subject == Subject::Unknown)
            .filter_map(|(at, table)| Some((at, by_key(table, tables, &all)?)))
            .collect();
        if linked.is_empty() {
            return all;
        }
        for (at, by) in linked {
            all[at].subject = Subject::Linked { by };
        }
    }
}

/// What a table is about, by its own names alone.
fn alone(table: &TableFacts) -> About {
    let words = stems(&table.name);
    let has = |list: &str| words.iter().any(|word| is_in(list, word));
    let ends = |list: &str| words.last().is_some_and(|word| is_in(list, word));
    let subject = if ends(PEOPLE) {
        Subject::Person
    } else if let Some(word) = words.iter().find(|word| is_in(PATIENTS, word)) {
        Subject::Linked { by: word.clone() }
    } else if let Some(column) = table.columns.iter().find(|one| names_a_patient(&one.name)) {
        Subject::Linked {
            by: column.name.clone(),
        }
    } else if ends(STAFF) {
        Subject::Staff
    } else if ends(ORGANISATIONS) {
        Subject::Organisation
    } else if ends(REFERENCES) {
        Subject::Reference
    } else {
        Subject::Unknown
    };
    About {
        subject,
        clinical: has(CLINICAL),
        messages: has(MESSAGES),
    }
}

/// Whether a column is a reference to a patient: `patient_id`, `PATIENT`, `studentUuid`.
fn names_a_patient(column: &str) -> bool {
    let words = stems(column);
    match words.as_slice() {
        [one] => is_in(LINKS, one),
        [front @ .., last] => is_in(KEY_ENDS, last) && front.iter().any(|word| is_in(LINKS, word)),
        [] => false,
    }
}

/// The column of a foreign key to a table about people.
fn by_key(table: &TableFacts, tables: &[TableFacts], all: &[About]) -> Option<String> {
    let outgoing = table.foreign_keys.iter().filter(|key| !key.incoming);
    outgoing
        .filter(|key| {
            let other = tables.iter().position(|other| is_called(other, &key.other));
            other.is_some_and(|other| all[other].subject.is_personal())
        })
        .find_map(|key| key.columns.first().cloned())
}

/// Whether the catalog's name of a referenced table means this one.
fn is_called(table: &TableFacts, name: &str) -> bool {
    if table.schema.is_empty() {
        return table.name.eq_ignore_ascii_case(name);
    }
    name.parse::<TableName>().is_ok_and(|name| {
        let schema = name.schema.as_ref().map(|schema| schema.as_str());
        name.name.as_str() == table.name && schema.is_none_or(|schema| schema == table.schema)
    })
}

const KEY_ENDS: &str = "id uuid guid key ref fk no number";

/// Words for the person a record is about. Alone, a column of this name refers to one.
const LINKS: &str = "patient student pupil resident person participant beneficiary enrollee subscriber insured inmate veteran newborn";

/// Words that say in a table's name that its rows belong to a person.
const PATIENTS: &str = "patient student pupil resident person participant beneficiary enrollee subscriber insured inmate veteran newborn \
    client member witness dependent";

/// The last word of a table whose rows are people.
const PEOPLE: &str = "patient student pupil client member resident person people individual participant beneficiary subscriber insured \
    enrollee dependent child children guardian parent kin contact relative caregiver carer family household witness \
    donor veteran inmate newborn";

const STAFF: &str = "user account customer staff employee worker provider physician doctor nurse practitioner clinician specialist \
    therapist prescriber contributor profile teacher coach login session";

const ORGANISATIONS: &str = "organization organisation company vendor supplier clinic hospital facility school district pharmacy payer insurer \
    department location site tenant warehouse room laboratory agency";

const REFERENCES: &str = "type code catalog catalogue template definition config configuration setting policy protocol lookup enum category \
    role permission migration feature menu translation holiday interaction form metadata statistic metric rule \
    preference subscription token item option schedule license version dictionary formulary";

const CLINICAL: &str = "health medical clinical clinic visit encounter condition diagnosis diagnose allergy medication drug prescription \
    immunization immunisation vaccination vaccine screening vital lab observation procedure treatment care therapy \
    symptom incident injury mental growth referral consult consultation appointment admission discharge \
    hospitalization surgery pregnancy disease illness outbreak placement assessment intake triage measurement \
    insurance claim eligibility disclosure consent";

const MESSAGES: &str =
    "message chat sms mail email letter correspondence notification reminder conversation";
