//! What a column of a made-up row holds: rules by name, else by type.
//! Owns the choice of the rule, and the chance that a value is absent. The words themselves are in
//! the files below, by subject.
//! Always holds: what belongs together in a row agrees (a code with its diagnosis, a dose with its
//! drug, an end with its start), because both are drawn by the same topic.

mod at;
mod clinical;
mod clock;
mod drugs;
mod files;
mod make;
mod numbers;
mod office;
mod people;

pub use at::{At, Draw, fingerprint};
pub use make::Make;

use super::{Column, Kind, Table};

/// Makes a text of a row.
pub type Words = fn(&At) -> String;

/// What a name asks for.
#[derive(Debug, Clone, Copy)]
pub enum Rule {
    /// A text; may repeat from row to row.
    Words(Words),
    /// A text that holds the row's number, so that no two are alike.
    Numbered(Words),
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// A name, or `*` and its end, or its beginning and `*`; the first that fits counts. A name with a
/// dot is of one table.
pub type Rules = &'static [(&'static str, Rule)];

const BY_SUBJECT: [Rules; 5] = [
    clinical::RULES,
    drugs::RULES,
    people::RULES,
    office::RULES,
    files::RULES,
];

/// The rule for a column; exact names come before all patterns.
pub fn rule(table: &str, column: &str) -> Option<Rule> {
    let full = format!("{table}.{column}");
    let all = || BY_SUBJECT.iter().flat_map(|rules| rules.iter());
    let exact = |name: &str| all().find(|(pattern, _)| *pattern == name);
    exact(&full)
        .or_else(|| exact(column))
        .or_else(|| all().find(|(pattern, _)| fits(pattern, column)))
        .map(|(_, rule)| *rule)
}

/// Whether a pattern with a `*` fits.
pub fn fits(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(inner), Some(_)) => name.contains(inner.trim_end_matches('*')),
        (Some(end), None) => name.ends_with(end),
        (None, Some(begin)) => name.starts_with(begin),
        (None, None) => name == pattern,
    }
}

/// Of a hundred rows, how many have nothing here. The first row of a table has everything.
pub fn absent_percent(column: &Column) -> u8 {
    const SELDOM: [&str; 12] = [
        "deleted_*",
        "revoked_*",
        "withdrawn_*",
        "cancelled_*",
        "lockout_*",
        "suspended_*",
        "error*",
        "last_error*",
        "failure_*",
        "password_reset_*",
        "*_verification_*",
        "rejected_*",
    ];
    if column.not_null {
        0
    } else if SELDOM.iter().any(|pattern| fits(pattern, &column.name)) {
        96
    } else if column.phi {
        10
    } else {
        12
    }
}

/// How a column's values are made; `None` where the database makes them, or nothing is known to.
pub fn make(table: &Table, column: &Column) -> Option<Make> {
    if database_makes(column) {
        return None;
    }
    kind(table, column, &column.kind)
}

/// Columns that the engine, a trigger or a default fills.
fn database_makes(column: &Column) -> bool {
    const LEFT: [&str; 6] = [
        "*_sealed",
        "*_bidx",
        "engine_run",
        "search_vector",
        "previous_hash",
        "entry_hash",
    ];
    column.kind == Kind::Other || LEFT.iter().any(|pattern| fits(pattern, &column.name))
}

fn kind(table: &Table, column: &Column, of: &Kind) -> Option<Make> {
    let name = column.name.as_str();
    Some(match of {
        Kind::Text { max } => text(&table.name, name, *max),
        Kind::Integer { max } => numbers::integer(name, *max),
        Kind::Decimal { digits } => numbers::decimal(name, *digits),
        Kind::Boolean => Make::Boolean(numbers::yes_percent(name)),
        Kind::Date => clock::date(name),
        Kind::Timestamp => clock::moment(name),
        Kind::Time => Make::TimeOfDay,
        Kind::Interval => Make::OneOf(owned(&["15 minutes", "1 hour", "1 day", "30 days"])),
        Kind::Uuid => Make::Uuid,
        Kind::Json => Make::Text {
            words: files::json(name),
            max: None,
            numbered: false,
            apart: false,
        },
        Kind::Bytes => Make::Bytes(files::size(name)),
        Kind::Inet => text(&table.name, "ip_address", None),
        // The one type that has to agree with another column.
        Kind::Enum(_) if name == "vaccine_type" => text(&table.name, name, None),
        Kind::Enum(labels) => Make::OneOf(labels.clone()),
        Kind::Array(of) => Make::Array(Box::new(kind(table, column, of)?)),
        Kind::Other => return None,
    })
}

fn text(table: &str, column: &str, max: Option<usize>) -> Make {
    let words = |words, numbered| Make::Text {
        words,
        max,
        numbered,
        apart: false,
    };
    match rule(table, column) {
        Some(Rule::Words(make)) => words(make, false),
        Some(Rule::Numbered(make)) => words(make, true),
        Some(Rule::OneOf(list)) => Make::OneOf(
            list.iter()
                .map(|word| word.chars().take(max.unwrap_or(usize::MAX)).collect())
                .collect(),
        ),
        // A number, or a moment, that is kept as text.
        None => match numbers::known(column) {
            Some((least, most, scale)) => Make::Decimal {
                least,
                most,
                scale,
                apart: false,
            },
            None if max.is_some_and(|max| max < 16) => words(office::short_code, false),
            None => words(office::remark, false),
        },
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_names_come_before_patterns_and_tables_before_both() {
        assert!(matches!(
            rule("students", "first_name"),
            Some(Rule::Words(_))
        ));
        assert!(matches!(rule("students", "ssn"), Some(Rule::Numbered(_))));
        assert!(rule("students", "xyzzy").is_none());
    }

    #[test]
    fn a_pattern_fits_an_end_a_beginning_or_a_middle() {
        assert!(fits("*_name", "file_name") && !fits("*_name", "name"));
        assert!(fits("error*", "error_message") && !fits("error*", "last_error"));
        assert!(fits("*birth*", "date_of_birth"));
    }

    #[test]
    fn every_rule_makes_something_in_every_row_and_no_two_numbered_ones_are_alike() {
        let draw = Draw::new(1, "students");
        for (name, rule) in BY_SUBJECT.iter().flat_map(|rules| rules.iter()) {
            let mut seen = std::collections::HashSet::new();
            for row in 0..300 {
                let at = At::new(&draw, row, fingerprint(name));
                match rule {
                    Rule::Words(words) => assert!(!words(&at).is_empty(), "{name}"),
                    Rule::Numbered(words) => assert!(seen.insert(words(&at)), "{name}"),
                    Rule::OneOf(list) => assert!(!list.is_empty(), "{name}"),
                }
            }
        }
    }
}
