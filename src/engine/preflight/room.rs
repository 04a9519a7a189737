//! E0261 to E0263: the table has room for what is added: columns at all, column numbers, and space
//! in a page for a row with a value in every column. When a row turns out too long, the server
//! refuses the write (54000) and the row is quarantined; preflight only knows a row's least length.

use super::{Findings, Preflight, RunPurpose, column_of, listed};
use crate::store::catalog::{ColumnFacts, TableFacts};

/// Bytes of the pointer that remains when a value is stored out of line (postgres.h,
/// varattrib_1b_e).
const POINTER_BYTES: i64 = 18;
/// Bytes of a row's header, without the bits for columns that may be NULL (htup_details.h).
const HEADER_BYTES: i64 = 23;
/// Rows begin and end at multiples of so many bytes.
const ALIGNED_TO: i64 = 8;

pub(super) fn check(p: &Preflight<'_>, out: &mut Findings) {
    let Some(table) = p.table else { return };
    let new = made(p, table);
    if !new.is_empty() {
        columns(p, table, &new, out);
    }
    if p.purpose == RunPurpose::Backfill && table.row_bytes_max > 0 {
        row(p, table, &new, out);
    }
}

/// The columns that the run makes.
fn made(p: &Preflight<'_>, table: &TableFacts) -> Vec<String> {
    p.fields()
        .flat_map(|(_, field)| {
            let index = field.plan.blind_index.as_ref();
            let index = index.map(|index| index.column.as_str().to_owned());
            let sealed = field.seal_into().map(|name| name.as_str().to_owned());
            match p.purpose {
                RunPurpose::Backfill => sealed.into_iter().chain(index).collect::<Vec<_>>(),
                // A new column takes the place of each blind index.
                RunPurpose::Rotate { indexes: true } => index
                    .map(|name| format!("{name}_next"))
                    .into_iter()
                    .collect(),
                RunPurpose::Rotate { indexes: false }
                | RunPurpose::Verify
                | RunPurpose::Finalize => Vec::new(),
                RunPurpose::Restore { .. } => vec![field.name().to_owned()],
            }
        })
        .filter(|name| column_of(table, name).is_none())
        .collect()
}

fn columns(p: &Preflight<'_>, table: &TableFacts, new: &[String], out: &mut Findings) {
    if table.typed {
        out.refuse(
            "E0261",
            p.plan,
            None,
            format!(
                "the table is defined by a composite type, so no column can be added: {}",
                listed(new)
            ),
            "ALTER TABLE … NOT OF makes it a table of its own; or add the columns to the type (ALTER TYPE … ADD \
             ATTRIBUTE … CASCADE)",
        );
    }
    let wanted = i64::try_from(new.len()).unwrap_or(i64::MAX);
    let free = table.columns_max - table.columns_ever;
    if table.columns_max > 0 && wanted > free {
        let dropped = table.columns_ever - i64::try_from(table.columns.len()).unwrap_or_default();
        out.refuse(
            "E0262",
            p.plan,
            None,
            format!(
                "phiseal would add {wanted} columns, and the table has room for {} of the {} that a table can have{}",
                free.max(0),
                table.columns_max,
                match dropped {
                    1.. => format!(" ({dropped} of them were dropped, and count)"),
                    _ => String::new(),
                }
            ),
            "copying the table (pg_dump, or CREATE TABLE … LIKE) frees the room of dropped columns; or move some of the \
             columns into a table of their own",
        );
    }
}

/// Checks a row with a value in every column, each stored out of line if that makes the row
/// shorter.
fn row(p: &Preflight<'_>, table: &TableFacts, new: &[String], out: &mut Findings) {
    let columns = i64::try_from(table.columns.len() + new.len()).unwrap_or(i64::MAX);
    let header = aligned(HEADER_BYTES + columns / 8 + 1);
    let there: i64 = table.columns.iter().map(least_bytes).sum();
    let added = i64::try_from(new.len()).unwrap_or(i64::MAX) * POINTER_BYTES;
    let least = header.saturating_add(there).saturating_add(added);
    if least > table.row_bytes_max {
        out.warn(
            "E0263",
            p.plan,
            None,
            format!(
                "a row with all of its {columns} values takes about {least} bytes even where each is moved out of line, \
                 and a page has {} for one: rows with fewer are sealed, such a row cannot be written (54000), and is \
                 listed in quarantine",
                table.row_bytes_max
            ),
            "seal fewer columns of this table, or seal in place, which adds none",
        );
    }
}

fn aligned(bytes: i64) -> i64 {
    (bytes + ALIGNED_TO - 1) / ALIGNED_TO * ALIGNED_TO
}

/// The least bytes of a value in the row: a short value itself, or the pointer of a long one. The
/// statistics tell the length.
fn least_bytes(column: &ColumnFacts) -> i64 {
    match (column.fixed_bytes, column.width) {
        (fixed @ 1.., _) => fixed,
        (_, 1..POINTER_BYTES) => column.width,
        _ => POINTER_BYTES,
    }
}
