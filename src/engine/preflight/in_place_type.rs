//! E0228: a column sealed in place must be able to hold the text form: text, varchar or citext, and
//! not a domain; in SQLite a column of text affinity.

use super::{Dialect, Findings, Preflight};
use crate::store::catalog::ColumnFacts;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    if p.purpose.is_restore() {
        return;
    }
    for (_, field) in p.fields().filter(|(_, field)| field.in_place()) {
        let Some(column) = field.column else { continue };
        // The check of widths refuses char(n).
        if !takes_text(p.dialect, column) {
            let what = match &column.domain {
                Some(domain) => format!("the column has the domain {domain}"),
                None => format!("the column is of type {}", column.sql_type),
            };
            out.refuse(
                "E0228",
                p.plan,
                Some(field.name()),
                format!("{what}, which cannot hold sealed text"),
                "seal into a column beside it (seal_into), or change its type to text",
            );
        }
    }
}

fn takes_text(dialect: Dialect, column: &ColumnFacts) -> bool {
    match dialect {
        Dialect::Postgres => {
            let text = match column.base_schema.as_str() {
                "pg_catalog" => matches!(column.base_type.as_str(), "text" | "varchar" | "bpchar"),
                _ => column.base_type == "citext",
            };
            text && !column.array && column.domain.is_none()
        }
        // The rules of affinity:
        // https://www.sqlite.org/datatype3.html#determination_of_column_affinity
        Dialect::Sqlite => {
            let declared = column.base_type.to_lowercase();
            let has = |word| declared.contains(word);
            !has("int") && (has("char") || has("clob") || has("text"))
        }
    }
}
