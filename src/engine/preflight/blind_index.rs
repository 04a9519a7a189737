//! E0239: a blind index column that already exists must be bytea (a blob in SQLite), without
//! restrictions other than being unique if the plan says so.

use super::{Dialect, Findings, Preflight, RunPurpose, column_of, sealed_column};

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.purpose != RunPurpose::Backfill {
        return;
    }
    for (table, field) in p.fields() {
        let Some(index) = &field.plan.blind_index else {
            continue;
        };
        let name = index.column.as_str();
        let Some(column) = column_of(table, name) else {
            continue;
        };
        let right = match p.dialect {
            Dialect::Postgres => {
                column.base_schema == "pg_catalog"
                    && column.base_type == "bytea"
                    && column.domain.is_none()
                    && !column.array
            }
            Dialect::Sqlite => matches!(
                column.base_type.to_lowercase().as_str(),
                "" | "blob" | "any"
            ),
        };
        let mut faults = sealed_column::restrictions(table, column, &field);
        if !right {
            faults.insert(0, format!("as {}", column.sql_type));
        }
        let unique =
            (table.keys.iter()).find(|key| key.columns.len() == 1 && key.columns[0] == name);
        if let Some(key) = unique.filter(|_| !index.unique) {
            faults.push(format!(
                "and is unique by {}, which the plan does not say",
                key.name
            ));
        }
        for fault in faults {
            out.refuse(
                "E0239",
                p.plan,
                Some(field.name()),
                format!("the blind index column {name} exists already {fault}"),
                "name another column in blind_index, or make it a plain bytea",
            );
        }
    }
}
