//! E0202: whether the columns are there. After finalize the plaintext column may be gone.

use super::{Findings, Preflight, Purpose, column_of};
use crate::store::catalog::TableFacts;

/// Below this likeness a suggestion would only mislead.
const LIKENESS_MIN: f64 = 0.6;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        let sealed = field
            .seal_into()
            .and_then(|name| column_of(table, name.as_str()));
        match (field.column, sealed) {
            (Some(_), Some(_)) => {}
            (Some(_), None) if p.purpose == Purpose::Backfill || field.in_place() => {}
            (Some(_), None) => {
                let name = field.seal_into().map_or("", |name| name.as_str());
                out.refuse(
                    "E0202",
                    p.plan,
                    Some(field.name()),
                    format!("its sealed column {name} does not exist"),
                    did_you_mean(table, name),
                );
            }
            // The plaintext was dropped; the sealed column, known to us, carries on alone.
            (None, Some(_)) if field.record.is_some() => {}
            (None, _) => out.refuse(
                "E0202",
                p.plan,
                Some(field.name()),
                "there is no such column",
                did_you_mean(table, field.name()),
            ),
        }
    }
}

/// A hint with the column that was probably meant.
pub(super) fn did_you_mean(table: &TableFacts, name: &str) -> String {
    let likeness = |other: &str| {
        strsim::normalized_damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase())
    };
    let nearest = (table.columns.iter())
        .map(|column| (likeness(&column.name), &column.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((likeness, other)) if likeness >= LIKENESS_MIN => {
            let other = crate::ident::Ident::new(other.as_str())
                .map_or_else(|_| other.clone(), |ident| ident.label());
            format!("did you mean {other}?")
        }
        _ => "see the table's columns; capitals need quotes, as in '\"Ssn\"'".to_owned(),
    }
}
