//! Which rows need work, as conditions on a table `t`.
//! Owns the words that the sweep's partial index and the statements of a page have in common.

use crate::store::{FieldTarget, Sealed, Select, Target};

/// Which rows need work.
pub(super) fn need(target: &Target, select: &Select, prefixes_bind: usize) -> String {
    let parts: Vec<String> = target
        .fields
        .iter()
        .filter_map(|field| need_field(field, select, prefixes_bind))
        .collect();
    if parts.is_empty() {
        "false".to_owned()
    } else {
        parts.join(" OR ")
    }
}

/// Whether any row of a relation needs work; binds what a sweep binds.
pub(super) fn any_left(target: &Target, relation: &str, select: &Select) -> String {
    format!(
        "SELECT EXISTS (SELECT 1 FROM ONLY {relation} AS t WHERE {})",
        need(target, select, 1)
    )
}

fn need_field(field: &FieldTarget, select: &Select, prefixes_bind: usize) -> Option<String> {
    let plain = format!("t.{}", field.column.quoted());
    let sealed = match &field.sealed {
        Sealed::Beside { column, .. } => Some(format!("t.{}", column.quoted())),
        Sealed::InPlace => None,
    };
    match (select, sealed) {
        (Select::Unsealed | Select::UnsealedSweep { .. } | Select::UnsealedIndexed, Some(_)) => {
            field.plain_exists.then(|| unsealed(field))
        }
        (Select::UnsealedIndexed, None) => Some(unsealed(field)),
        (Select::Unsealed | Select::Any, None) => Some(format!("{plain} IS NOT NULL")),
        (Select::UnsealedSweep { .. }, None) => Some(format!(
            "({plain} IS NOT NULL AND NOT (left({plain}::text, 12) COLLATE \"C\" = ANY (${prefixes_bind}::text[])))"
        )),
        (Select::Any, Some(sealed)) if field.plain_exists => {
            Some(format!("{plain} IS NOT NULL OR {sealed} IS NOT NULL"))
        }
        (Select::Any | Select::Sealed, Some(sealed)) => Some(format!("{sealed} IS NOT NULL")),
        (Select::Sealed, None) => Some(format!(
            "({plain} IS NOT NULL AND left({plain}::text, 4) COLLATE \"C\" = 'ps1.')"
        )),
        (Select::SealedUnder { .. }, sealed) => {
            let text = !matches!(&field.sealed, Sealed::Beside { text: false, .. });
            let value = sealed.unwrap_or(plain);
            Some(sealed_under(&value, text, prefixes_bind))
        }
    }
}

/// Whether a value is sealed under one of the keys whose prefixes are bound: hex digits of the first
/// bytes, then, as the next value, the first characters of the text form. The list is hashed once,
/// however long, which `= ANY` does from version 14 on only.
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

/// Whether a field of a row still needs work, in the words of the sweep's partial index: a query
/// uses the index where it says the same.
pub(super) fn unsealed(field: &FieldTarget) -> String {
    let plain = field.column.quoted();
    match &field.sealed {
        Sealed::Beside { column, .. } => {
            format!("({plain} IS NOT NULL AND {} IS NULL)", column.quoted())
        }
        // An index outlives the transaction that makes it, and is made outside of one: every name
        // has its schema.
        Sealed::InPlace => format!(
            "(pg_catalog.left({plain}::pg_catalog.text, 4) COLLATE pg_catalog.\"C\" OPERATOR(pg_catalog.<>) 'ps1.')"
        ),
    }
}
