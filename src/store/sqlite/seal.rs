//! The statement that writes those rows of a batch that are unchanged since they were read.
//! Owns its text and its parameters, which must agree. The server finds rows by key, and compares
//! key, tenant and every column that was read by class and bytes, so that no collation or affinity
//! hides a change.

mod bulk;
mod layout;

use std::collections::HashSet;

use sqlx::sqlite::SqliteConnection;
use zeroize::Zeroizing;

use super::key_value::{self, KeyValue};
use super::read::single;
use super::select::{Shape, ShapeField, image};
use super::sql::{Bind, bound};
use super::version::{self, SeenCell};
use crate::store::page::WriteCell;
use crate::store::text::joined;
use crate::store::{Access, Result, StoreError, Triggers, WriteRow, Written};
pub(super) use layout::same_key;
use layout::{PARAMETERS_MAX, UpdateLayout};

/// Writes the rows, and reports those that changed since they were read.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    access: &Access,
    rows: &[WriteRow],
) -> Result<Written> {
    let shape = Shape::read(conn, access).await?;
    let mut done = bulk::write(conn, &shape, rows).await?;
    let rest: Vec<usize> = (0..rows.len()).filter(|at| !done[*at]).collect();
    write_each(conn, &shape, rows, &rest, &mut done).await?;
    let mut outcome = Written::default();
    let written: Vec<usize> = (0..rows.len()).filter(|at| done[*at]).collect();
    if access.in_place() || access.triggers == Triggers::Fire {
        let parameters = shape.keys.len() + 1;
        for written in written.chunks((PARAMETERS_MAX / parameters).max(1)) {
            stored(&shape, conn, rows, written, &mut outcome).await?;
        }
    }
    for at in &outcome.rewritten {
        done[*at] = false;
    }
    outcome.missed = (0..rows.len()).filter(|at| !done[*at]).collect();
    outcome.rows = (rows.len() - outcome.missed.len()) as u64;
    // Nobody else can write meanwhile, so if a missed row is unchanged, a trigger skipped it.
    for at in &outcome.missed {
        if !outcome.rewritten.contains(at)
            && single::is_unchanged(conn, &shape, &rows[*at].locator).await?
        {
            outcome.skipped.push(*at);
        }
    }
    Ok(outcome)
}

/// Writes the rows at these positions with parameters for each row.
async fn write_each(
    conn: &mut SqliteConnection,
    shape: &Shape,
    all: &[WriteRow],
    positions: &[usize],
    done: &mut [bool],
) -> Result<()> {
    let rows: Vec<&WriteRow> = positions.iter().map(|at| &all[*at]).collect();
    let seen: Vec<Vec<SeenCell<'_>>> = rows
        .iter()
        .map(|row| version::unpack(&row.locator.version).map(|version| version.columns))
        .collect::<Result<_>>()?;
    let layout = UpdateLayout::new(shape, &rows, &seen)?;
    let per_statement = (PARAMETERS_MAX / layout.parameters().max(1)).max(1);
    for start in (0..rows.len()).step_by(per_statement) {
        let end = rows.len().min(start + per_statement);
        let keys = layout
            .write(conn, &rows[start..end], &seen[start..end])
            .await?;
        let places: HashSet<String> = keys.iter().map(|key| key_value::place(key)).collect();
        for at in &positions[start..end] {
            done[*at] = places.contains(&all[*at].locator.place);
        }
    }
    Ok(())
}

/// Reads the written rows again, after all triggers: the values of in-place columns, and whether
/// everything else that was written is still there.
async fn stored(
    shape: &Shape,
    conn: &mut SqliteConnection,
    rows: &[WriteRow],
    done: &[usize],
    written: &mut Written,
) -> Result<()> {
    let keys = shape.keys.len();
    let fields = &shape.fields;
    let row = format!("({})", vec!["?"; keys + 1].join(","));
    let names = joined(0..keys, ", ", |at| format!("k{at}"));
    // CROSS JOIN keeps the order: first the few written rows, then each row by its key.
    let sql = format!(
        "WITH \"~v\"(n, {}) AS (VALUES {}) SELECT v.n, {} FROM \"~v\" AS v CROSS JOIN {} AS t WHERE {}",
        names,
        vec![row; done.len()].join(","),
        joined(fields, ", ", held),
        shape.table,
        same_key(shape).join(" AND "),
    );
    let mut binds = Vec::with_capacity(done.len() * (keys + 1));
    for at in done {
        binds.push(Bind::from(*at as i64));
        let key = key_value::unplace(&rows[*at].locator.place)?;
        binds.extend(key.iter().map(KeyValue::bind));
    }
    for found in bound(sql, binds).fetch_all(conn).await? {
        let at: i64 = sqlx::Row::try_get(&found, 0)?;
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let mut values: Vec<Option<Zeroizing<Vec<u8>>>> = vec![None; fields.len()];
        let mut kept = true;
        for (field, shape) in fields.iter().enumerate() {
            let bytes: Option<&[u8]> = sqlx::Row::try_get(&found, 2 * field + 1)?;
            let is_blank: Option<bool> = sqlx::Row::try_get(&found, 2 * field + 2)?;
            match rows.get(at).and_then(|row| row.cells.get(field)) {
                Some(WriteCell::Seal { .. }) if !shape.in_place() => {
                    kept &= is_blank == Some(false);
                }
                Some(WriteCell::Open(sent)) => kept &= bytes == Some(sent.as_slice()),
                Some(WriteCell::Clear) => kept &= bytes.is_none(),
                _ => {}
            }
            if shape.in_place() {
                values[field] = bytes.map(|bytes| Zeroizing::new(bytes.to_vec()));
            }
        }
        if !kept {
            written.rewritten.push(at);
        } else if fields.iter().any(ShapeField::in_place) {
            written.stored.push((at, values));
        }
    }
    Ok(())
}

/// Expressions for a field's plaintext and for whether its sealed value is blank.
fn held(field: &ShapeField) -> String {
    let none = || "NULL".to_owned();
    let plain = field.plain.as_ref();
    let plain = plain.map_or_else(none, |plain| image(&format!("t.{plain}")));
    let sealed = field.sealed.as_ref();
    let blank = sealed.map_or_else(none, |sealed| format!("t.{sealed} IS NULL"));
    format!("{plain}, {blank}")
}

fn sealed_bind(envelope: &[u8], text: bool) -> Result<Bind> {
    if !text {
        return Ok(Bind::from(envelope.to_vec()));
    }
    match std::str::from_utf8(envelope) {
        Ok(text) => Ok(Bind::from(text)),
        Err(_) => Err(StoreError::unexpected(
            "an envelope for a text column that is not in text form",
        )),
    }
}

#[cfg(test)]
mod tests;
