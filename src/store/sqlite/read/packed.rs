//! Reads a window of rows as a single row: for each column the lengths and classes of all rows, and
//! their bytes one after the other. The driver returns one row at a time, which costs more than the
//! row itself.
//! Owns the statement and its decoding, which must agree. Windows with a REAL or a long value are
//! read in another way.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use zeroize::Zeroizing;

use super::super::decode::{CellsRead, ReadRow};
use super::super::key_value::KeyValue;
use super::super::select::{Encoding, Shape};
use super::super::sql::{Bind, bound};
use super::super::value::Value;
use crate::store::{Result, StoreError};

/// Selects the rows of a window.
pub(super) struct RowSelection {
    /// `WHERE` and what follows it.
    pub(super) range: String,
    /// The values that `range` binds.
    pub(super) binds: Vec<Bind>,
    /// The condition for the rows that are read.
    pub(super) wanted: String,
    /// If a value has more bytes, the window is not read in this way.
    pub(super) bytes_max: u64,
}

/// The content of a window.
pub(super) struct Packed {
    /// How many rows were looked at.
    pub(super) count: i64,
    /// The greatest rowid among them, if the table has rowids.
    pub(super) last: Option<i64>,
    /// The rows that were wanted.
    pub(super) rows: Vec<ReadRow>,
}

const NULL: u64 = 0;
const INTEGER: u64 = 1;
const TEXT: u64 = 2;
const BLOB: u64 = 3;
const UNREAD: u64 = 4;
const OTHER: u64 = 5;

/// Reads a window; `None` if it cannot be read in this way.
pub(super) async fn read(
    conn: &mut SqliteConnection,
    shape: &Shape,
    reading: &CellsRead,
    looked: RowSelection,
) -> Result<Option<Packed>> {
    if shape.encoding != Encoding::Utf8 {
        return Ok(None);
    }
    let keys = shape.keys.iter().map(|key| (&key.column, "1".to_owned()));
    let tenant = shape.tenant.iter().map(|tenant| (tenant, "1".to_owned()));
    let indexes = shape.fields.iter().filter_map(|field| reading.index(field));
    let columns: Vec<_> = keys
        .chain(tenant)
        .chain(reading.columns(shape))
        .chain(indexes.map(|index| (index, "1".to_owned())))
        .collect();
    let rowid = shape.rowid.name.unwrap_or("NULL");
    // A power of two, so that few different statements are prepared.
    let most = 1_u64 << looked.bytes_max.clamp(1, 1 << 40).ilog2();
    let mut inner = vec![format!("{rowid} AS \"~r\", ({}) AS \"~w\"", looked.wanted)];
    let mut outer = vec![
        "count(*), max(\"~r\")".to_owned(),
        "json_group_array(\"~r\") FILTER (WHERE \"~w\")".to_owned(),
    ];
    for (at, (column, when)) in columns.iter().enumerate() {
        // Checks a value's length before taking it: a long value is not read.
        inner.push(format!(
            "CASE WHEN NOT {when} THEN {UNREAD} ELSE octet_length({column}) * 8 + CASE typeof({column}) \
             WHEN 'text' THEN {TEXT} WHEN 'integer' THEN {INTEGER} WHEN 'blob' THEN {BLOB} ELSE {OTHER} END END AS \"~l{at}\", \
             CASE WHEN {when} AND octet_length({column}) <= {most} THEN {column} END AS \"~b{at}\""
        ));
        outer.push(format!(
            "json_group_array(coalesce(\"~l{at}\", {NULL})) FILTER (WHERE \"~w\"), \
             group_concat(\"~b{at}\", '') FILTER (WHERE \"~w\")"
        ));
    }
    let sql = format!(
        "SELECT {} FROM (SELECT {} FROM {} WHERE {})",
        outer.join(", "),
        inner.join(", "),
        shape.table,
        looked.range,
    );
    let row = bound(sql, looked.binds).fetch_one(conn).await?;
    decode(&row, shape, reading, columns.len(), most)
}

fn decode(
    row: &SqliteRow,
    shape: &Shape,
    reading: &CellsRead,
    columns: usize,
    bytes_max: u64,
) -> Result<Option<Packed>> {
    let rowids: Vec<Option<i64>> = numbers(bytes(row, 2)?, |text| text.parse().ok())?;
    let mut columns: Vec<PackedColumn<'_>> = (0..columns)
        .map(|at| {
            Ok(PackedColumn {
                codes: numbers(bytes(row, 3 + 2 * at)?, |text| text.parse().ok())?.into_iter(),
                bytes: bytes(row, 4 + 2 * at)?,
            })
        })
        .collect::<Result<_>>()?;
    let fits =
        |code: &Option<u64>| code.is_some_and(|code| code % 8 != OTHER && code / 8 <= bytes_max);
    if !columns
        .iter()
        .all(|column| column.codes.as_slice().iter().all(fits))
    {
        return Ok(None);
    }
    let mut rows = Vec::with_capacity(rowids.len());
    for rowid in rowids {
        let mut columns = columns.iter_mut();
        let mut next = || columns.next().ok_or_else(unlike)?.next();
        let key = (0..shape.keys.len())
            .map(|_| next().map(key_value))
            .collect::<Result<_>>()?;
        let mut value = |read: bool| match read {
            true => next().map(value),
            false => Ok(None),
        };
        let tenant = value(shape.tenant.is_some())?;
        let mut fields = Vec::with_capacity(shape.fields.len());
        for (field, (plain, sealed)) in shape.fields.iter().zip(&reading.fields) {
            fields.push(reading.field(field, value(*plain)?, value(*sealed)?));
        }
        let mut indexes = Vec::with_capacity(shape.fields.len());
        for field in &shape.fields {
            let index = value(reading.index(field).is_some())?.and_then(Value::into_bytes);
            indexes.push(index.map(|index| index.to_vec()));
        }
        rows.push(ReadRow {
            rowid,
            key,
            tenant,
            fields,
            indexes,
            with_key_text: reading.with_key_text,
        });
    }
    Ok(Some(Packed {
        count: row.try_get(0)?,
        last: row.try_get(1)?,
        rows,
    }))
}

/// One column of all rows.
struct PackedColumn<'a> {
    codes: std::vec::IntoIter<Option<u64>>,
    bytes: &'a [u8],
}

impl<'a> PackedColumn<'a> {
    /// The class and bytes of the next row.
    fn next(&mut self) -> Result<(u64, &'a [u8])> {
        let code = self.codes.next().flatten().ok_or_else(unlike)?;
        let length = usize::try_from(code / 8).map_err(|_| unlike())?;
        let (bytes, rest) = self.bytes.split_at_checked(length).ok_or_else(unlike)?;
        self.bytes = rest;
        Ok((code % 8, bytes))
    }
}

fn value((class, bytes): (u64, &[u8])) -> Option<Value> {
    let bytes = || Zeroizing::new(bytes.to_vec());
    match class {
        INTEGER => Some(Value::Integer(bytes())),
        TEXT => Some(Value::Text(bytes())),
        BLOB => Some(Value::Blob(bytes())),
        NULL => Some(Value::Null),
        _ => None,
    }
}

fn key_value((class, bytes): (u64, &[u8])) -> KeyValue {
    let text = || std::str::from_utf8(bytes).ok();
    match class {
        INTEGER => text()
            .and_then(|text| text.parse().ok())
            .map_or(KeyValue::Null, KeyValue::Integer),
        TEXT => text().map_or_else(
            || KeyValue::RawText(bytes.to_vec()),
            |text| KeyValue::Text(text.to_owned()),
        ),
        BLOB => KeyValue::Blob(bytes.to_vec()),
        _ => KeyValue::Null,
    }
}

/// The numbers of a JSON array; `None` for `null`.
fn numbers<T>(json: &[u8], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<Option<T>>> {
    let text = std::str::from_utf8(json).map_err(|_| unlike())?;
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .ok_or_else(unlike)?;
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    let one = |text: &str| match text {
        "null" => Ok(None),
        text => parse(text).map(Some).ok_or_else(unlike),
    };
    inner.split(',').map(one).collect()
}

/// The bytes of a column; empty for NULL, which means that no row had any.
fn bytes(row: &SqliteRow, at: usize) -> Result<&[u8]> {
    let bytes: Option<&[u8]> = row.try_get_unchecked(at)?;
    Ok(bytes.unwrap_or_default())
}

fn unlike() -> StoreError {
    StoreError::unexpected("a window that is not what was asked for")
}
