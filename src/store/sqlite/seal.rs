//! The statement that writes those rows of a batch that are unchanged since they were read.
//! Owns its text and its parameters, which must agree. The server finds rows by key, and compares
//! key, tenant and every column that was read by class and bytes, so that no collation or affinity
//! hides a change.

mod bulk;

use std::collections::HashSet;

use sqlx::sqlite::SqliteConnection;
use zeroize::Zeroizing;

use super::fault;
use super::key_value::{self, KeyValue};
use super::read::single;
use super::select::{Encoding, Shape, ShapeField, image, joined};
use super::sql::{Bind, bound};
use super::value::Kept;
use super::version::{self, SeenCell};
use crate::store::page::WriteCell;
use crate::store::{Access, Result, StoreError, Triggers, WriteRow, Written};

/// The most parameters of one statement; SQLite's own limit is 32,766.
const PARAMETERS_MAX: usize = 8_000;

/// The columns that the rows of a batch compare and set; a column that no row needs takes no
/// parameter.
struct UpdateLayout<'a> {
    shape: &'a Shape,
    /// The compared columns: the tenant, then two for each field.
    compared: Vec<Option<&'a String>>,
    /// For each field: whether some row seals it, and whether some row restores it.
    sets: Vec<(bool, bool)>,
}

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

impl<'a> UpdateLayout<'a> {
    fn new(shape: &'a Shape, rows: &[&WriteRow], seen: &[Vec<SeenCell<'_>>]) -> Result<Self> {
        let bad = StoreError::Unexpected {
            what: "a batch whose rows are not of the table's fields",
        };
        let fields = shape.fields.len();
        let fits = rows.iter().all(|row| row.cells.len() == fields)
            && seen.iter().all(|seen| seen.len() == 1 + 2 * fields);
        if !fits {
            return Err(bad);
        }
        let columns = shape
            .fields
            .iter()
            .flat_map(|field| [field.plain.as_ref(), field.sealed.as_ref()]);
        let compared = std::iter::once(shape.tenant.as_ref())
            .chain(columns)
            .enumerate()
            .map(|(at, column)| {
                column.filter(|_| seen.iter().any(|seen| seen[at] != SeenCell::Unread))
            });
        let sets = (0..fields).map(|field| {
            let any =
                |wanted: fn(&WriteCell) -> bool| rows.iter().any(|row| wanted(&row.cells[field]));
            (
                any(|cell| matches!(cell, WriteCell::Seal { .. })),
                any(|cell| matches!(cell, WriteCell::Open(_))),
            )
        });
        Ok(Self {
            compared: compared.collect(),
            sets: sets.collect(),
            shape,
        })
    }

    /// How many parameters one row takes.
    fn parameters(&self) -> usize {
        self.names().len()
    }

    /// The columns of the list of values: the key, then class and bytes of each compared column,
    /// then what is to be set.
    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = (0..self.shape.keys.len())
            .map(|at| format!("k{at}"))
            .collect();
        for at in (0..self.compared.len()).filter(|at| self.compared[*at].is_some()) {
            names.extend([format!("c{at}"), format!("b{at}")]);
        }
        for (at, (seals, opens)) in self.sets.iter().enumerate() {
            if *seals {
                names.push(format!("s{at}"));
                names.extend(
                    self.shape.fields[at]
                        .index
                        .as_ref()
                        .map(|_| format!("i{at}")),
                );
            }
            if *opens {
                names.push(format!("o{at}"));
            }
        }
        names
    }

    fn assignments(&self) -> Vec<String> {
        let mut set = Vec::new();
        for (at, field) in self.shape.fields.iter().enumerate() {
            let (seals, opens) = self.sets[at];
            let sealed = field.sealed.as_ref().or(field.plain.as_ref());
            if let Some(sealed) = sealed.filter(|_| seals) {
                if field.in_place() && opens {
                    set.push(format!("{sealed} = coalesce(v.s{at}, v.o{at}, t.{sealed})"));
                    continue;
                }
                set.push(format!("{sealed} = coalesce(v.s{at}, t.{sealed})"));
            }
            if let Some(index) = field.index.as_ref().filter(|_| seals) {
                set.push(format!(
                    "{index} = CASE WHEN v.s{at} IS NULL THEN t.{index} ELSE v.i{at} END"
                ));
            }
            if let Some(plain) = field.plain.as_ref().filter(|_| opens) {
                set.push(format!("{plain} = coalesce(v.o{at}, t.{plain})"));
            }
        }
        set
    }

    fn sql(&self, rows: usize, assignments: &[String]) -> String {
        let names = self.names();
        let row = format!("({})", vec!["?"; names.len()].join(","));
        let mut conditions = same_key(self.shape);
        for (at, column) in self.compared.iter().enumerate() {
            if let Some(column) = column {
                conditions.push(format!(
                    "(v.c{at} IS NULL OR (typeof(t.{column}) = v.c{at} \
                     AND (v.c{at} = 'null' OR {} = v.b{at})))",
                    image(&format!("t.{column}")),
                ));
            }
        }
        // The list has a name that no table has, so that SQLite cannot confuse the two.
        format!(
            "WITH \"~v\"({}) AS (VALUES {}) UPDATE {} AS t SET {} FROM \"~v\" AS v WHERE {} RETURNING {}",
            names.join(", "),
            vec![row; rows].join(","),
            self.shape.table,
            assignments.join(", "),
            conditions.join(" AND "),
            self.shape.key_columns(),
        )
    }

    async fn write(
        &self,
        conn: &mut SqliteConnection,
        rows: &[&WriteRow],
        seen: &[Vec<SeenCell<'_>>],
    ) -> Result<Vec<Vec<KeyValue>>> {
        let assignments = self.assignments();
        if assignments.is_empty() {
            return Ok(Vec::new());
        }
        let mut binds = Vec::with_capacity(rows.len() * self.parameters());
        for (row, seen) in rows.iter().zip(seen) {
            self.bind(row, seen, &mut binds)?;
        }
        let found = bound(self.sql(rows.len(), &assignments), binds)
            .fetch_all(conn)
            .await
            .map_err(fault::of_rows)?;
        found.iter().map(|row| self.key_of(row)).collect()
    }

    fn key_of(&self, row: &sqlx::sqlite::SqliteRow) -> Result<Vec<KeyValue>> {
        (0..self.shape.keys.len())
            .map(|column| KeyValue::read(row, column))
            .collect()
    }

    /// The value that a restore writes for an opened value. In a UTF-16 file an earlier version
    /// sealed text as the file stores it, and sealed only text and blobs.
    fn opened(&self, field: &ShapeField, bytes: &[u8]) -> Result<Bind> {
        let encoding = self.shape.encoding;
        if encoding != Encoding::Utf8
            && field.kept != Kept::Bytes
            && let Some(text) = encoding.text(bytes)
        {
            return Ok(Bind::from(text));
        }
        let value = field.kept.restored(bytes);
        let value = value.ok_or(StoreError::Unexpected {
            what: "an opened value that is not UTF-8",
        })?;
        Ok(value.bind())
    }

    fn bind(&self, row: &WriteRow, seen: &[SeenCell<'_>], binds: &mut Vec<Bind>) -> Result<()> {
        let key = key_value::unplace(&row.locator.place)?;
        if key.len() != self.shape.keys.len() || key.iter().any(|value| value.part().is_none()) {
            return Err(StoreError::Unexpected {
                what: "a row to be written whose key has no fixed form",
            });
        }
        binds.extend(key.iter().map(KeyValue::bind));
        for (at, _) in self
            .compared
            .iter()
            .enumerate()
            .filter(|(_, column)| column.is_some())
        {
            let (class, bytes) = match &seen[at] {
                SeenCell::Unread => (Bind::NULL, Bind::NULL),
                SeenCell::Value(class, bytes) => {
                    (Bind::from((*class).to_owned()), Bind::from(*bytes))
                }
                // A value that was not read in full equals nothing, so it is not overwritten.
                SeenCell::Large(_) => (Bind::from("large".to_owned()), Bind::NULL),
            };
            binds.extend([class, bytes]);
        }
        for (at, field) in self.shape.fields.iter().enumerate() {
            let (seals, opens) = self.sets[at];
            let (mut sealed, mut blind, mut opened) = (Bind::NULL, Bind::NULL, Bind::NULL);
            match &row.cells[at] {
                WriteCell::Keep => {}
                WriteCell::Seal {
                    sealed: envelope,
                    index,
                } => {
                    sealed = sealed_bind(envelope, field.sealed_text)?;
                    blind = Bind::from(index.as_deref());
                }
                WriteCell::Open(bytes) => {
                    opened = self.opened(field, bytes)?;
                }
            }
            if seals {
                binds.push(sealed);
                binds.extend(field.index.as_ref().map(|_| blind));
            }
            if opens {
                binds.push(opened);
            }
        }
        Ok(())
    }
}

/// The conditions on the key: under its index's collation, which finds the row, and byte for byte.
pub(super) fn same_key(shape: &Shape) -> Vec<String> {
    let one = |(at, key): (usize, &super::select::ShapeKey)| {
        [
            format!("t.{} = v.k{at}", key.ordered()),
            format!("typeof(t.{}) = typeof(v.k{at})", key.column),
            format!("CAST(t.{} AS BLOB) = CAST(v.k{at} AS BLOB)", key.column),
        ]
    };
    shape.keys.iter().enumerate().flat_map(one).collect()
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
    let names: Vec<String> = (0..keys).map(|at| format!("k{at}")).collect();
    // CROSS JOIN keeps the order: first the few written rows, then each row by its key.
    let sql = format!(
        "WITH \"~v\"(n, {}) AS (VALUES {}) SELECT v.n, {} FROM \"~v\" AS v CROSS JOIN {} AS t WHERE {}",
        names.join(", "),
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
        Err(_) => Err(StoreError::Unexpected {
            what: "an envelope for a text column that is not in text form",
        }),
    }
}

#[cfg(test)]
mod tests;
