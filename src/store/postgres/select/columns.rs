//! The columns of the statement that reads a page.
//! Owns their expressions: keys, tenant, values, sizes.

use crate::store::text::joined;
use crate::store::{Access, CellAccess, KeyColumn, KeyKind, PageRequest, Select};

/// The key columns of `alias`, in order.
pub(crate) fn key_list(keys: &[KeyColumn], alias: &str) -> String {
    joined(keys.iter().enumerate(), ", ", |(i, key)| {
        if alias == "q" {
            format!("q.key{i}")
        } else {
            format!("{alias}.{}", key.name.quoted())
        }
    })
}

pub(crate) fn inner_columns(access: &Access) -> String {
    let mut columns: Vec<String> = access
        .table
        .keys
        .iter()
        .enumerate()
        .map(|(i, key)| format!("t.{} AS key{i}", key.name.quoted()))
        .collect();
    if let Some(tenant) = &access.table.tenant {
        columns.push(format!("t.{} AS tenant", tenant.quoted()));
    }
    for (i, field) in access.cells.iter().enumerate() {
        if field.source.exists {
            columns.push(format!("t.{} AS p{i}", field.source.name.quoted()));
        }
        if let Some(column) = field.beside() {
            columns.push(format!("t.{} AS s{i}", column.quoted()));
        }
        if let (Some(index), true) = (&field.index, access.reads.index) {
            columns.push(format!("t.{} AS x{i}", index.quoted()));
        }
    }
    columns.join(", ")
}

pub(crate) fn outer_columns(
    access: &Access,
    request: &PageRequest,
    fits: &str,
    key_text: impl Fn(usize) -> String,
) -> String {
    let mut columns: Vec<String> = access
        .table
        .keys
        .iter()
        .enumerate()
        .map(|(i, key)| key_value(key, i))
        .collect();
    columns.extend((0..access.table.keys.len()).map(key_text));
    if access.table.tenant.is_some() {
        columns.push("q.tenant::text".to_owned());
    }
    for (i, field) in access.cells.iter().enumerate() {
        columns.push(source_column(access, field, request, fits, i));
        columns.push(match field.beside() {
            Some(_) if access.reads.sealed => {
                format!("CASE WHEN q.need AND {fits} THEN q.s{i} END")
            }
            _ => "NULL::bytea".to_owned(),
        });
    }
    // After all other columns and only on request; the reader sees from the number of columns
    // whether they are present.
    for (i, _) in (access.cells.iter().enumerate())
        .filter(|(_, field)| field.index.is_some() && access.reads.index)
    {
        columns.push(format!("CASE WHEN q.need AND {fits} THEN q.x{i} END"));
    }
    columns.join(", ")
}

fn source_column(
    access: &Access,
    field: &CellAccess,
    request: &PageRequest,
    fits: &str,
    i: usize,
) -> String {
    let wanted = access.reads.source || field.in_place();
    if !field.source.exists || !wanted {
        return "NULL::bytea".to_owned();
    }
    let value = if field.source.is_bytes {
        format!("q.p{i}::bytea")
    } else {
        format!("q.p{i}::text")
    };
    let unsealed = matches!(
        request.select,
        Select::Unsealed | Select::UnsealedSweep { .. } | Select::UnsealedIndexed
    );
    let only = if field.beside().is_some() && unsealed {
        format!(" AND q.s{i} IS NULL")
    } else {
        String::new()
    };
    format!("CASE WHEN q.need AND {fits}{only} THEN {value} END")
}

/// The key value in the form whose bytes go into the row key.
fn key_value(key: &KeyColumn, i: usize) -> String {
    match key.kind {
        KeyKind::Int => format!("q.key{i}::int8"),
        KeyKind::Numeric => format!("trim_scale(q.key{i}::numeric)::text"),
        KeyKind::Date => format!("q.key{i}::date::text"),
        KeyKind::Text | KeyKind::ByClass => format!("q.key{i}::text"),
        KeyKind::Uuid | KeyKind::Timestamp | KeyKind::Bytes | KeyKind::Bool => {
            format!("q.key{i}::{}", key.cast)
        }
    }
}

/// Whether the column can hold a value without a fixed form: NaN, infinity, or a year beyond 9999.
pub(super) fn may_lack_a_form(key: &KeyColumn) -> bool {
    matches!(
        key.kind,
        KeyKind::Numeric | KeyKind::Date | KeyKind::Timestamp
    )
}

/// An expression for the sizes of all values that will be read: their sum (`join` is `+`) or the
/// greatest.
pub(crate) fn size(access: &Access, join: &str) -> String {
    let mut sizes = Vec::new();
    for field in &access.cells {
        if field.source.exists && (access.reads.source || field.in_place()) {
            sizes.push(format!("coalesce({}, 0)", plain_size(field)));
        }
        if let (Some(column), true) = (field.beside(), access.reads.sealed) {
            sizes.push(format!("coalesce(octet_length(t.{}), 0)", column.quoted()));
        }
    }
    match (sizes.len(), join) {
        (0, _) => "0".to_owned(),
        (_, "+") => format!("({})::int8", sizes.join(" + ")),
        _ => format!("greatest({})::int8", sizes.join(", ")),
    }
}

/// An expression for the size of a plaintext, if possible without building its text. `octet_length`
/// of a varlena does not detoast it. Other types count as small unless their stored form is large.
pub(crate) fn plain_size(field: &CellAccess) -> String {
    let column = format!("t.{}", field.source.name.quoted());
    if field.source.is_bytes {
        format!("octet_length({column}::bytea)")
    } else if field.source.is_varlena_text {
        format!("octet_length({column}::text)")
    } else {
        // An estimate for small values: a date has four bytes stored and ten as text.
        format!(
            "CASE WHEN pg_column_size({column}) > 200 THEN octet_length({column}::text) \
             ELSE 24 + 2 * pg_column_size({column}) END"
        )
    }
}
