//! Writes many rows by their rowids with one statement of a few parameters.
//! Owns the statement's text and the blobs that it takes apart. A statement writes all rows of a
//! group, which have the same classes of compared values and set the same columns. If one of them
//! has changed, the statement is rolled back and the group split into eight parts. Rows of small
//! parts are left to the caller.

mod group;

use std::borrow::Cow;
use std::ops::Range;

use sqlx::sqlite::SqliteConnection;

use super::super::fault;
use super::super::key_value::{self, KeyValue};
use super::super::select::{Encoding, Shape, ShapeField, image};
use super::super::sql::{Bind, bound, run};
use super::super::value::Restored;
use super::super::version::{self, SeenCell};
use crate::store::page::WriteCell;
use crate::store::{Result, StoreError, WriteRow};
use group::Group;

/// A group of fewer rows is not worth a statement of its own.
const ROWS_MIN: usize = 16;
/// A row with more bytes to compare or set is not copied into the blobs.
const ROW_BYTES_MAX: usize = 64 << 10;
/// Digits of an offset or a length.
const DIGITS: usize = 10;
/// The letter for a column that was not read.
const UNREAD: u8 = b'-';

/// Writes those rows that it can, and tells for each row whether it was written.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    shape: &Shape,
    rows: &[WriteRow],
) -> Result<Vec<bool>> {
    let mut done = vec![false; rows.len()];
    let Some(rowid) = (shape.rowid.name).filter(|_| shape.encoding == Encoding::Utf8) else {
        return Ok(done);
    };
    for group in Group::of(shape, rows)? {
        // Parts of the group that are still to be written. Rows of small parts are left to the
        // caller.
        let mut parts = Vec::from([Range {
            start: 0,
            end: group.rowids.len(),
        }]);
        while let Some(part) = parts.pop() {
            if part.len() < ROWS_MIN {
                continue;
            }
            run(conn, "SAVEPOINT phiseal_bulk").await?;
            let written = Bulk::new(shape, rowid, &group, part.clone())?
                .run(conn)
                .await?;
            if usize::try_from(written) == Ok(part.len()) {
                part.for_each(|row| done[group.positions[row]] = true);
            } else {
                run(conn, "ROLLBACK TO phiseal_bulk").await?;
                let step = part.len().div_ceil(8);
                let starts = part.clone().step_by(step);
                parts.extend(starts.map(|start| start..part.end.min(start + step)));
            }
            run(conn, "RELEASE phiseal_bulk").await?;
        }
    }
    Ok(done)
}

/// The bytes of one value.
type Piece<'a> = Cow<'a, [u8]>;

/// What a row must have in common with others of its group, with its pieces and its rowid; `None`
/// for a row that has to be written by itself.
fn like<'a>(
    shape: &Shape,
    row: &'a WriteRow,
    likeness: &mut Vec<u8>,
    pieces: &mut Vec<Piece<'a>>,
) -> Result<Option<i64>> {
    let version = version::unpack(&row.locator.version)?;
    let fields = shape.fields.len();
    if version.columns.len() != 1 + 2 * fields || row.cells.len() != fields {
        return Ok(None);
    }
    for part in key_value::parts(&row.locator.place) {
        let part = part?;
        let (class, value) = part.split_at_checked(2).unwrap_or((part, ""));
        let piece = match class {
            "i:" | "t:" => Cow::Borrowed(value.as_bytes()),
            _ => match KeyValue::decode(part)? {
                KeyValue::Blob(bytes) => Cow::Owned(bytes),
                // A row key has no part of this class.
                _ => return Ok(None),
            },
        };
        likeness.push(class.as_bytes()[0]);
        pieces.push(piece);
    }
    if likeness.len() != shape.keys.len() {
        return Ok(None);
    }
    for seen in &version.columns {
        likeness.push(match seen {
            SeenCell::Unread => UNREAD,
            SeenCell::Value(class, bytes) => {
                pieces.extend(bytes.map(Cow::Borrowed));
                class.as_bytes()[0]
            }
            // A value that was not read in full compares equal to nothing.
            SeenCell::Large(_) => return Ok(None),
        });
    }
    for (cell, field) in row.cells.iter().zip(&shape.fields) {
        match set(cell, field, pieces) {
            Some(kind) => likeness.push(kind),
            None => return Ok(None),
        }
    }
    Ok(version.rowid)
}

/// The class that begins with this letter.
fn class(letter: u8) -> &'static str {
    match letter {
        b'i' => "integer",
        b't' => "text",
        b'b' => "blob",
        b'r' => "real",
        _ => "null",
    }
}

/// Adds the pieces that a cell sets, and returns its letter; `None` for a cell that cannot be set
/// from bytes.
fn set<'a>(cell: &'a WriteCell, field: &ShapeField, pieces: &mut Vec<Piece<'a>>) -> Option<u8> {
    match cell {
        WriteCell::Keep => Some(b'k'),
        WriteCell::Seal { sealed, index } => {
            if field.sealed_text {
                std::str::from_utf8(sealed).ok()?;
            }
            pieces.push(Cow::Borrowed(sealed));
            match index.as_ref().filter(|_| field.index.is_some()) {
                Some(index) => {
                    pieces.push(Cow::Borrowed(index));
                    Some(b'i')
                }
                None => Some(b's'),
            }
        }
        WriteCell::Open(plain) => {
            let kind = match field.kept.restored(plain)? {
                Restored::Text(_) => b't',
                Restored::Blob(_) => b'b',
                Restored::Integer(_) => b'n',
                Restored::Real(_) => return None,
            };
            pieces.push(Cow::Borrowed(plain));
            Some(kind)
        }
        WriteCell::Clear => Some(b'c'),
    }
}

/// The statement for the rows of a group.
struct Bulk {
    set: Vec<String>,
    conditions: Vec<String>,
    table: String,
    binds: Vec<Bind>,
}

/// The expressions for the pieces of a row, and the blobs that they are taken from. A piece of the
/// same length in all rows has a fixed place in `fixed`; for other pieces `index` has their place
/// in `free`.
struct Slots {
    expressions: std::vec::IntoIter<String>,
    binds: Vec<Bind>,
}

impl Slots {
    fn new(group: &Group<'_>, rows: Range<usize>) -> Result<Self> {
        let count = rows.len();
        let bytes: usize = group.rows(rows.clone()).flatten().map(|p| p.len()).sum();
        let mut lengths: Vec<Option<usize>> = group
            .rows(rows.clone())
            .next()
            .unwrap_or_default()
            .iter()
            .map(|piece| Some(piece.len()))
            .collect();
        for row in group.rows(rows.clone()) {
            for (length, piece) in lengths.iter_mut().zip(row) {
                *length = length.filter(|length| *length == piece.len());
            }
        }
        // Allocated at full size: a buffer that grows would leave values in the memory that it
        // frees.
        let (mut fixed, mut free) = (Vec::with_capacity(bytes + 1), Vec::with_capacity(bytes + 1));
        let mut index = Vec::new();
        for row in group.rows(rows.clone()) {
            for (piece, length) in row.iter().zip(&lengths) {
                if length.is_some() {
                    fixed.extend_from_slice(piece);
                } else {
                    let place = format!("{:0DIGITS$}{:0DIGITS$}", free.len() + 1, piece.len());
                    index.extend_from_slice(place.as_bytes());
                    free.extend_from_slice(piece);
                }
            }
        }
        let mut rowids = String::with_capacity(count * 8);
        for rowid in &group.rowids[rows] {
            rowids.push(if rowids.is_empty() { '[' } else { ',' });
            rowids.push_str(&rowid.to_string());
        }
        rowids.push(']');
        let strides = (fixed.len() / count, index.len() / count);
        // `substr` of a blob without bytes is NULL.
        fixed.push(0);
        free.push(0);
        let mut binds = vec![
            Bind::from(rowids),
            Bind::from(fixed),
            Bind::from(index),
            Bind::from(free),
            integer(strides.0)?,
            integer(strides.1)?,
        ];
        let (mut expressions, mut in_fixed, mut in_index) = (Vec::new(), 1, 1);
        for length in lengths {
            let next = binds.len() + 1;
            if let Some(length) = length {
                binds.extend([integer(in_fixed)?, integer(length)?]);
                in_fixed += length;
                expressions.push(format!("substr(?2, v.key * ?5 + ?{next}, ?{})", next + 1));
            } else {
                binds.extend([integer(in_index)?, integer(in_index + DIGITS)?]);
                in_index += 2 * DIGITS;
                let number = |bind: usize| {
                    format!("CAST(substr(?3, v.key * ?6 + ?{bind}, {DIGITS}) AS INTEGER)")
                };
                expressions.push(format!(
                    "substr(?4, {}, {})",
                    number(next),
                    number(next + 1)
                ));
            }
        }
        Ok(Self {
            expressions: expressions.into_iter(),
            binds,
        })
    }

    fn next(&mut self) -> String {
        self.expressions.next().unwrap_or_else(|| "NULL".to_owned())
    }
}

impl Bulk {
    fn new(shape: &Shape, rowid: &str, group: &Group<'_>, rows: Range<usize>) -> Result<Self> {
        let mut slots = Slots::new(group, rows)?;
        let mut bulk = Self {
            set: Vec::new(),
            conditions: vec![format!("t.{rowid} = v.value")],
            table: shape.table.clone(),
            binds: Vec::new(),
        };
        let (keys, columns) = group.likeness.split_at(shape.keys.len());
        for (key, letter) in shape.keys.iter().zip(keys) {
            bulk.compare(&key.column, class(*letter), &mut slots);
        }
        let of_fields = shape
            .fields
            .iter()
            .flat_map(|field| [field.plain.as_ref(), field.sealed.as_ref()]);
        let all = std::iter::once(shape.tenant.as_ref()).chain(of_fields);
        for (column, letter) in all.zip(columns) {
            if let Some(column) = column.filter(|_| *letter != UNREAD) {
                bulk.compare(column, class(*letter), &mut slots);
            }
        }
        for (field, cell) in shape.fields.iter().zip(&group.row.cells) {
            bulk.assign(field, cell, &mut slots);
        }
        bulk.binds = slots.binds;
        Ok(bulk)
    }

    fn compare(&mut self, column: &str, class: &str, slots: &mut Slots) {
        let column = format!("t.{column}");
        self.conditions
            .push(format!("typeof({column}) = '{class}'"));
        let image = match class {
            "null" => return,
            "real" => image(&column),
            _ => format!("CAST({column} AS BLOB)"),
        };
        self.conditions.push(format!("{image} = {}", slots.next()));
    }

    fn assign(&mut self, field: &ShapeField, cell: &WriteCell, slots: &mut Slots) {
        match cell {
            WriteCell::Keep => {}
            WriteCell::Seal { index, .. } => {
                let bytes = slots.next();
                if let Some(sealed) = field.sealed.as_ref().or(field.plain.as_ref()) {
                    self.set.push(match field.sealed_text {
                        true => format!("{sealed} = CAST({bytes} AS TEXT)"),
                        false => format!("{sealed} = {bytes}"),
                    });
                }
                if let Some(column) = &field.index {
                    let bytes = index
                        .as_ref()
                        .map_or_else(|| "NULL".to_owned(), |_| slots.next());
                    self.set.push(format!("{column} = {bytes}"));
                }
            }
            WriteCell::Open(plain) => {
                let bytes = slots.next();
                let value = match field.kept.restored(plain) {
                    Some(Restored::Integer(_)) => format!("CAST({bytes} AS INTEGER)"),
                    Some(Restored::Text(_)) => format!("CAST({bytes} AS TEXT)"),
                    _ => bytes,
                };
                if let Some(column) = &field.plain {
                    self.set.push(format!("{column} = {value}"));
                }
            }
            WriteCell::Clear => {
                let cleared = field.plain.iter().map(|column| format!("{column} = NULL"));
                self.set.extend(cleared);
            }
        }
    }

    /// Runs the statement and returns how many rows it wrote.
    async fn run(self, conn: &mut SqliteConnection) -> Result<u64> {
        if self.set.is_empty() {
            return Ok(0);
        }
        // MATERIALIZED, so that SQLite reads the list once and finds each row by its rowid.
        let sql = format!(
            "WITH \"~v\"(key, value) AS MATERIALIZED (SELECT key, value FROM json_each(?1)) \
             UPDATE {} AS t SET {} FROM \"~v\" AS v WHERE {}",
            self.table,
            self.set.join(", "),
            self.conditions.join(" AND "),
        );
        let done = bound(sql, self.binds).execute(conn).await;
        done.map(|done| done.rows_affected())
            .map_err(fault::of_rows)
    }
}

fn integer(number: usize) -> Result<Bind> {
    i64::try_from(number)
        .map(Bind::from)
        .map_err(|_| StoreError::unexpected("a batch too large to be bound"))
}

#[cfg(test)]
mod tests;
