//! E0202: the columns exist. The plaintext column may be gone after finalize, or if the server
//! knows that it was dropped. A name that merely does not exist may be a typing error, or the
//! column was renamed.

use super::{Findings, Preflight, RunPurpose, column_of};
use crate::store::FieldState;
use crate::store::catalog::TableFacts;
use crate::store::plaintext::HIDDEN;

/// A less similar name would be a misleading suggestion.
const LIKENESS_MIN: f64 = 0.6;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    for (table, field) in p.fields() {
        let sealed = field
            .seal_into()
            .and_then(|name| column_of(table, name.as_str()));
        match (field.column, sealed) {
            (Some(_), Some(_)) => {}
            (Some(_), None) if p.purpose == RunPurpose::Backfill || field.in_place() => {}
            // The column was restored: it has no sealed values, and the run skips it.
            (Some(_), None) if is_restored(&field) => {}
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
            // The plaintext column was dropped; the sealed column remains.
            (None, Some(_)) if may_be_gone(p, &field) => {}
            (None, _) => out.refuse(
                "E0202",
                p.plan,
                Some(field.name()),
                "there is no such column",
                new_name(p, field.name()).unwrap_or_else(|| did_you_mean(table, field.name())),
            ),
        }
    }
}

fn is_restored(field: &super::Field<'_>) -> bool {
    field
        .record
        .is_some_and(|record| record.state == FieldState::Restored)
}

/// A hint with the column's present name, if it was renamed.
fn new_name(p: &Preflight<'_>, name: &str) -> Option<String> {
    let table = p.table?;
    let renamed = p
        .registered
        .iter()
        .filter(|record| record.table_name == table.name && record.schema_name == table.schema)
        .flat_map(|record| &record.place.renames);
    let (_, now) = renamed.into_iter().find(|(was, _)| was == name)?;
    Some(format!(
        "the column is now called {now}: write that name in the plan"
    ))
}

fn may_be_gone(p: &Preflight<'_>, field: &super::Field<'_>) -> bool {
    let Some(record) = field.record else {
        return false;
    };
    match p.purpose {
        // These runs use the registry, not the plan.
        RunPurpose::Rotate { .. } | RunPurpose::Restore { .. } => true,
        RunPurpose::Backfill | RunPurpose::Verify | RunPurpose::Finalize => {
            let hidden = record.column_name.starts_with(HIDDEN);
            let dropped = record.place.plain_dropped && record.column_name == field.name();
            field.finalized() || dropped || hidden
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
