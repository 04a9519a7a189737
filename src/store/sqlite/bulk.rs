//! Rows written many at a time by their rowids, in one statement with a handful of parameters.
//! Owns its text and the blobs that it takes apart. Rows that are compared and set alike go
//! together; all of them are written, or none is and the caller finds out which one by one.

use std::collections::BTreeMap;

use sqlx::sqlite::SqliteConnection;

use super::fault;
use super::key_value::{self, KeyValue};
use super::shape::{Shape, ShapeField, image};
use super::statement::{Bind, bound, run};
use super::version::{self, Seen, Version};
use crate::store::page::WriteCell;
use crate::store::{Result, StoreError, WriteRow};

/// Fewer rows are not worth a statement of their own.
const ROWS_MIN: usize = 16;
/// Rows with more bytes to compare or set are not copied once more for this.
const ROW_BYTES_MAX: usize = 64 << 10;
/// Digits of an offset or a length.
const DIGITS: usize = 10;

/// Writes what rows it can, and says of each whether it was written.
pub(super) async fn write(
    conn: &mut SqliteConnection,
    shape: &Shape,
    rows: &[WriteRow],
) -> Result<Vec<bool>> {
    let mut done = vec![false; rows.len()];
    let Some(rowid) = shape.rowid.name.filter(|_| shape.utf8) else {
        return Ok(done);
    };
    let mut groups: BTreeMap<Vec<u8>, Vec<Item<'_>>> = BTreeMap::new();
    for (at, row) in rows.iter().enumerate() {
        if let Some((likeness, item)) = Item::new(shape, at, row)? {
            groups.entry(likeness).or_default().push(item);
        }
    }
    for group in groups.into_values() {
        // Halves of a group in which a row has changed; what stays is written one by one.
        let mut parts = vec![&group[..]];
        while let Some(part) = parts.pop() {
            if part.len() < ROWS_MIN {
                continue;
            }
            run(conn, "SAVEPOINT phiseal_bulk").await?;
            let statement = Bulk::new(shape, rowid, part)?;
            let written = statement.run(conn).await?;
            if usize::try_from(written) == Ok(part.len()) {
                part.iter().for_each(|item| done[item.at] = true);
            } else {
                run(conn, "ROLLBACK TO phiseal_bulk").await?;
                parts.extend(part.chunks(part.len().div_ceil(8)));
            }
            run(conn, "RELEASE phiseal_bulk").await?;
        }
    }
    Ok(done)
}

/// What a row is compared with or given.
enum Piece<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// These, made for it.
    Made(Vec<u8>),
}

impl Piece<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Made(bytes) => bytes,
        }
    }
}

/// A row with its pieces in the order of the statement.
struct Item<'a> {
    at: usize,
    rowid: i64,
    row: &'a WriteRow,
    key: Vec<&'static str>,
    version: Version<'a>,
    pieces: Vec<Piece<'a>>,
}

impl<'a> Item<'a> {
    /// The row, and what it has in common with others that the same statement can write; `None` for
    /// one that is left to be written by itself.
    fn new(shape: &Shape, at: usize, row: &'a WriteRow) -> Result<Option<(Vec<u8>, Self)>> {
        let version = version::unpack(&row.locator.version)?;
        let Some(rowid) = version.rowid else {
            return Ok(None);
        };
        let fields = shape.fields.len();
        if version.columns.len() != 1 + 2 * fields || row.cells.len() != fields {
            return Ok(None);
        }
        let (mut like, mut key, mut pieces) = (Vec::new(), Vec::new(), Vec::new());
        for part in key_value::unplace(&row.locator.place)? {
            let (class, bytes) = match part {
                KeyValue::Integer(value) => ("integer", value.to_string().into_bytes()),
                KeyValue::Text(text) => ("text", text.into_bytes()),
                KeyValue::Blob(bytes) => ("blob", bytes),
                KeyValue::Null | KeyValue::Real(_) | KeyValue::RawText(_) => return Ok(None),
            };
            like.push(class.as_bytes()[0]);
            key.push(class);
            pieces.push(Piece::Made(bytes));
        }
        for seen in &version.columns {
            like.push(match seen {
                Seen::Unread => b'-',
                Seen::Value(class, bytes) => {
                    pieces.extend(bytes.map(Piece::Bytes));
                    class.as_bytes()[0]
                }
                // Equal to nothing.
                Seen::Large(_) => return Ok(None),
            });
        }
        for (cell, field) in row.cells.iter().zip(&shape.fields) {
            let Some(kind) = set(cell, field, &mut pieces) else {
                return Ok(None);
            };
            like.push(kind);
        }
        let bytes: usize = pieces.iter().map(|piece| piece.bytes().len()).sum();
        let item = Self {
            at,
            rowid,
            row,
            key,
            version,
            pieces,
        };
        Ok((bytes <= ROW_BYTES_MAX).then_some((like, item)))
    }
}

/// Adds what a cell sets, and says how; `None` for what does not travel as bytes.
fn set<'a>(cell: &'a WriteCell, field: &ShapeField, pieces: &mut Vec<Piece<'a>>) -> Option<u8> {
    match cell {
        WriteCell::Keep => Some(b'k'),
        WriteCell::Seal { sealed, index } => {
            if field.sealed_text {
                std::str::from_utf8(sealed).ok()?;
            }
            pieces.push(Piece::Bytes(sealed));
            match index.as_ref().filter(|_| field.index.is_some()) {
                Some(index) => {
                    pieces.push(Piece::Bytes(index));
                    Some(b'i')
                }
                None => Some(b's'),
            }
        }
        WriteCell::Open(plain) => {
            let kind = match field.kept.restored(plain)? {
                Bind::Text(_) => b't',
                Bind::Blob(_) => b'b',
                Bind::Integer(_) => b'n',
                Bind::Null | Bind::Real(_) => return None,
            };
            pieces.push(Piece::Bytes(plain));
            Some(kind)
        }
    }
}

/// The statement for rows that are alike.
struct Bulk {
    set: Vec<String>,
    conditions: Vec<String>,
    table: String,
    binds: Vec<Bind>,
}

/// The expressions for the pieces of a row, and what they are taken from. A piece that is of one
/// length in all rows has a fixed place in `fixed`; of others `index` says where in `free` they are.
struct Slots {
    expressions: std::vec::IntoIter<String>,
    binds: Vec<Bind>,
}

impl Slots {
    fn new(items: &[Item<'_>]) -> Result<Self> {
        let count = items.first().map_or(0, |item| item.pieces.len());
        let length = |item: &Item<'_>, piece: usize| item.pieces[piece].bytes().len();
        let is_fixed: Vec<bool> = (0..count)
            .map(|piece| {
                let first = length(&items[0], piece);
                items.iter().all(|item| length(item, piece) == first)
            })
            .collect();
        let (mut fixed, mut index, mut free) = (Vec::new(), Vec::new(), Vec::new());
        for item in items {
            for (piece, is_fixed) in item.pieces.iter().zip(&is_fixed) {
                let bytes = piece.bytes();
                if *is_fixed {
                    fixed.extend_from_slice(bytes);
                } else {
                    let place = format!("{:0DIGITS$}{:0DIGITS$}", free.len() + 1, bytes.len());
                    index.extend_from_slice(place.as_bytes());
                    free.extend_from_slice(bytes);
                }
            }
        }
        let mut rowids = String::with_capacity(items.len() * 8);
        for item in items {
            rowids.push(if rowids.is_empty() { '[' } else { ',' });
            rowids.push_str(&item.rowid.to_string());
        }
        rowids.push(']');
        let strides = (fixed.len() / items.len(), index.len() / items.len());
        // `substr` of no bytes at all is NULL.
        fixed.push(0);
        free.push(0);
        let mut binds = vec![
            Bind::Text(rowids),
            Bind::Blob(fixed),
            Bind::Blob(index),
            Bind::Blob(free),
            integer(strides.0)?,
            integer(strides.1)?,
        ];
        let (mut expressions, mut in_fixed, mut in_index) = (Vec::new(), 1, 1);
        for (piece, is_fixed) in is_fixed.iter().enumerate() {
            let next = binds.len() + 1;
            if *is_fixed {
                let length = length(&items[0], piece);
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
    fn new(shape: &Shape, rowid: &str, items: &[Item<'_>]) -> Result<Self> {
        let mut slots = Slots::new(items)?;
        let first = &items[0];
        let mut bulk = Self {
            set: Vec::new(),
            conditions: vec![format!("t.{rowid} = v.value")],
            table: shape.table.clone(),
            binds: Vec::new(),
        };
        for (key, class) in shape.keys.iter().zip(&first.key) {
            bulk.compare(&key.column, class, Some(slots.next()));
        }
        let columns = shape
            .fields
            .iter()
            .flat_map(|field| [field.plain.as_ref(), field.sealed.as_ref()]);
        let columns = std::iter::once(shape.tenant.as_ref()).chain(columns);
        for (column, seen) in columns.zip(&first.version.columns) {
            if let (Some(column), Seen::Value(class, bytes)) = (column, seen) {
                let slot = bytes.map(|_| slots.next());
                bulk.compare(column, class, slot);
            }
        }
        for (field, cell) in shape.fields.iter().zip(&first.row.cells) {
            bulk.assign(field, cell, &mut slots);
        }
        bulk.binds = slots.binds;
        Ok(bulk)
    }

    fn compare(&mut self, column: &str, class: &str, slot: Option<String>) {
        let column = format!("t.{column}");
        self.conditions
            .push(format!("typeof({column}) = '{class}'"));
        self.conditions.extend(slot.map(|slot| {
            let image = match class {
                "real" => image(&column),
                _ => format!("CAST({column} AS BLOB)"),
            };
            format!("{image} = {slot}")
        }));
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
                    Some(Bind::Integer(_)) => format!("CAST({bytes} AS INTEGER)"),
                    Some(Bind::Text(_)) => format!("CAST({bytes} AS TEXT)"),
                    _ => bytes,
                };
                if let Some(column) = &field.plain {
                    self.set.push(format!("{column} = {value}"));
                }
            }
        }
    }

    /// How many rows were written.
    async fn run(self, conn: &mut SqliteConnection) -> Result<u64> {
        if self.set.is_empty() {
            return Ok(0);
        }
        // Materialized, the list is gone through once, and each row then found by its rowid.
        let sql = format!(
            "WITH v(key, value) AS MATERIALIZED (SELECT key, value FROM json_each(?1)) \
             UPDATE {} AS t SET {} FROM v WHERE {}",
            self.table,
            self.set.join(", "),
            self.conditions.join(" AND "),
        );
        let done = bound(sql, self.binds).execute(conn).await;
        done.map(|done| done.rows_affected()).map_err(fault::of)
    }
}

fn integer(number: usize) -> Result<Bind> {
    i64::try_from(number)
        .map(Bind::Integer)
        .map_err(|_| StoreError::Unexpected {
            what: "a batch too large to be bound",
        })
}
