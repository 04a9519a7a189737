//! E0238: a sealed column that already exists must be able to hold any sealed value, and NULL,
//! since the guard blanks it when the plaintext changes.

use super::{Dialect, Field, Findings, Preflight, RunPurpose, column_of, is_ours};
use crate::store::catalog::{ColumnFacts, TableFacts};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.purpose != RunPurpose::Backfill {
        return;
    }
    for (table, field) in p.fields() {
        let Some(name) = field.seal_into() else {
            continue;
        };
        let Some(column) = column_of(table, name.as_str()) else {
            continue;
        };
        if let Some(fault) = wrong_type(p.dialect, column) {
            let message = format!("{name} exists already {fault}");
            let hint = "name another column in seal_into, or make it bytea (or text)";
            out.refuse("E0238", p.plan, Some(field.name()), message, hint);
        }
        for fault in restrictions(table, column, &field) {
            let message = format!("{name} exists already {fault}");
            let hint = "name another column in seal_into, or drop what restricts it";
            out.refuse("E0238", p.plan, Some(field.name()), message, hint);
        }
    }
}

fn wrong_type(dialect: Dialect, column: &ColumnFacts) -> Option<String> {
    let right = match dialect {
        Dialect::Postgres => {
            column.base_schema == "pg_catalog"
                && matches!(column.base_type.as_str(), "bytea" | "text" | "varchar")
                && column.char_limit.is_none()
                && column.domain.is_none()
                && !column.array
        }
        // SQLite stores a blob unchanged whatever the column's declared type, unless the table is
        // STRICT.
        Dialect::Sqlite => {
            let declared = column.base_type.to_lowercase();
            matches!(declared.as_str(), "" | "blob" | "any")
        }
    };
    (!right).then(|| format!("as {}", column.sql_type))
}

/// What would prevent the guard or a batch from writing the column.
pub(super) fn restrictions(
    table: &TableFacts,
    column: &ColumnFacts,
    field: &Field<'_>,
) -> Vec<String> {
    let name = &column.name;
    let mut faults = Vec::new();
    if column.generated {
        faults.push("as a generated column".to_owned());
    }
    if column.has_default {
        faults.push("with a default, which would look like a sealed value".to_owned());
    }
    // Finalize copies NOT NULL to it, and adds constraints of its own.
    if column.not_null && !field.finalized() {
        faults.push("as NOT NULL".to_owned());
    }
    let checks = (table.checks.iter()).filter(|check| {
        check.columns.contains(name) && !is_ours(&check.name) && !field.finalized()
    });
    faults.extend(checks.map(|check| format!("with the constraint {}", check.name)));
    let foreign = table
        .foreign_keys
        .iter()
        .filter(|key| key.columns.contains(name));
    faults.extend(foreign.map(|key| format!("with the foreign key {}", key.name)));
    faults
}
