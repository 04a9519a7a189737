//! Which rows need work, as SQL conditions on a table `t`.
//! Owns the expressions that the sweep's partial index and the page statements share.

use crate::store::{Access, CellAccess, Select};

/// The condition of a row that needs work.
pub(super) fn need(access: &Access, select: &Select, prefixes_bind: usize) -> String {
    let parts: Vec<String> = access
        .cells
        .iter()
        .filter_map(|field| need_field(field, select, prefixes_bind))
        .collect();
    if parts.is_empty() {
        "false".to_owned()
    } else {
        parts.join(" OR ")
    }
}

/// The statement that asks whether any row of a relation needs work. Binds the same values as a
/// sweep.
pub(super) fn any_left(access: &Access, relation: &str, select: &Select) -> String {
    format!(
        "SELECT EXISTS (SELECT 1 FROM ONLY {relation} AS t WHERE {})",
        need(access, select, 1)
    )
}

fn need_field(field: &CellAccess, select: &Select, prefixes_bind: usize) -> Option<String> {
    let plain = format!("t.{}", field.source.name.quoted());
    let sealed = (field.beside()).map(|column| format!("t.{}", column.quoted()));
    match (select, sealed) {
        (Select::Unsealed | Select::UnsealedSweep { .. } | Select::UnsealedIndexed, Some(_)) => {
            field.source.exists.then(|| unsealed(field))
        }
        (Select::UnsealedIndexed, None) => Some(unsealed(field)),
        (Select::Unsealed | Select::Any, None) => Some(format!("{plain} IS NOT NULL")),
        (Select::UnsealedSweep { .. }, None) => Some(format!(
            "({plain} IS NOT NULL AND NOT (left({plain}::text, 12) COLLATE \"C\" = ANY (${prefixes_bind}::text[])))"
        )),
        (Select::Plaintext, Some(_)) => {
            (field.source.exists).then(|| format!("{plain} IS NOT NULL"))
        }
        (Select::Plaintext, None) => None,
        (Select::Any, Some(sealed)) if field.source.exists => {
            Some(format!("{plain} IS NOT NULL OR {sealed} IS NOT NULL"))
        }
        (Select::Any | Select::Sealed, Some(sealed)) => Some(format!("{sealed} IS NOT NULL")),
        (Select::Sealed, None) => Some(format!(
            "({plain} IS NOT NULL AND left({plain}::text, 4) COLLATE \"C\" = 'ps1.')"
        )),
        (Select::SealedUnder { .. }, sealed) => {
            let value = sealed.unwrap_or(plain);
            Some(sealed_under(&value, field.is_text(), prefixes_bind))
        }
    }
}

/// The condition that a value is sealed under one of the keys whose prefixes are bound: at `bind`
/// the first bytes as hex digits, at the next number the first characters of the text form. The
/// server hashes a subselect's list once, however long it is; it does so for `= ANY` only from
/// version 14 on.
pub(super) fn sealed_under(value: &str, text: bool, bind: usize) -> String {
    if text {
        format!(
            "({value} IS NOT NULL AND left({value}::text, 12) COLLATE \"C\" IN \
             (SELECT p COLLATE \"C\" FROM unnest(${}::text[]) AS p))",
            bind + 1
        )
    } else {
        format!(
            "({value} IS NOT NULL AND substr({value}, 1, 6) IN \
             (SELECT decode(p, 'hex') FROM unnest(${bind}::text[]) AS p))"
        )
    }
}

/// The condition that a field of a row still needs work. The sweep's partial index has the same
/// text, so that queries can use the index.
pub(super) fn unsealed(field: &CellAccess) -> String {
    let plain = field.source.name.quoted();
    match field.beside() {
        Some(column) => {
            format!("({plain} IS NOT NULL AND {} IS NULL)", column.quoted())
        }
        // The index is created outside of our transactions and outlives them, so every name has its
        // schema.
        None => format!(
            "(pg_catalog.left({plain}::pg_catalog.text, 4) COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.<>) 'ps1.')"
        ),
    }
}
