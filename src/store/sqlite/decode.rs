//! Rows of a table: what is selected, and how it is decoded.
//! Owns the select list and its decoding, which must agree. Plaintext goes into wiped buffers; the
//! driver's own copies cannot be wiped.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};
use zeroize::Zeroizing;

use super::key_value::{self, KeyValue};
use super::select::{Shape, ShapeField, image};
use super::value::Value;
use super::version::{self, SeenCell};
use crate::store::page::PageCell;
use crate::store::text::joined;
use crate::store::{Access, Locator, PageRequest, PageRow, Result, Select, StoreError};

/// Which columns of a row are read.
#[derive(Clone)]
pub(super) struct CellsRead {
    /// For each field: whether its plaintext column and its sealed column are read.
    pub(super) fields: Vec<(bool, bool)>,
    /// Longer values are not read.
    pub(super) value_bytes_max: u64,
    /// The plaintext of a sealed field is not read.
    only_unsealed: bool,
    /// The row has its key's text.
    pub(super) with_key_text: bool,
    /// The row has its blind indexes.
    with_index: bool,
}

impl CellsRead {
    /// The columns that a request asks for, if they exist.
    pub(super) fn new(shape: &Shape, access: &Access, request: &PageRequest) -> Self {
        let (plain, sealed) = (access.reads.source, access.reads.sealed);
        let one = |field: &ShapeField| match field.in_place() {
            true => (plain || sealed, false),
            false => (plain && field.plain.is_some(), sealed),
        };
        Self {
            fields: shape.fields.iter().map(one).collect(),
            value_bytes_max: request.value_bytes_max,
            only_unsealed: match request.select {
                Select::Unsealed | Select::UnsealedSweep { .. } | Select::UnsealedIndexed => true,
                Select::Any | Select::Plaintext | Select::Sealed | Select::SealedUnder { .. } => {
                    false
                }
            },
            with_key_text: request.with_key_text,
            with_index: access.reads.index,
        }
    }

    /// The columns that were read of a row before: the tenant, then two columns for each field.
    pub(super) fn as_seen(seen: &[SeenCell<'_>]) -> Self {
        let read = |seen: &SeenCell<'_>| *seen != SeenCell::Unread;
        let fields = seen.get(1..).unwrap_or_default().chunks(2);
        Self {
            fields: fields
                .map(|pair| {
                    (
                        pair.first().is_some_and(read),
                        pair.get(1).is_some_and(read),
                    )
                })
                .collect(),
            value_bytes_max: u64::from(u32::MAX),
            only_unsealed: false,
            with_key_text: false,
            with_index: false,
        }
    }

    /// The blind index of a field, if it is read.
    pub(super) fn index<'a>(&self, field: &'a ShapeField) -> Option<&'a String> {
        field.index.as_ref().filter(|_| self.with_index)
    }

    /// The value columns that are read, in the order of the select list, each with the condition
    /// under which it is read.
    pub(super) fn columns<'a>(&self, shape: &'a Shape) -> Vec<(&'a String, String)> {
        let of_fields =
            shape
                .fields
                .iter()
                .zip(&self.fields)
                .flat_map(|(field, (plain, sealed))| {
                    let when = match &field.sealed {
                        Some(sealed) if self.only_unsealed => format!("{sealed} IS NULL"),
                        _ => "1".to_owned(),
                    };
                    [
                        field
                            .plain
                            .as_ref()
                            .filter(|_| *plain)
                            .map(|column| (column, when)),
                        field
                            .sealed
                            .as_ref()
                            .filter(|_| *sealed)
                            .map(|column| (column, "1".to_owned())),
                    ]
                });
        of_fields.flatten().collect()
    }

    /// The rowid if there is one, the key, then class and bytes of the tenant and of each column.
    pub(super) fn select_list(&self, shape: &Shape) -> String {
        let max = self.value_bytes_max;
        let mut list: Vec<String> = shape
            .rowid
            .name
            .iter()
            .map(|name| (*name).to_owned())
            .collect();
        list.push(shape.key_columns());
        let tenant = shape.tenant.iter().map(|tenant| (tenant, "1".to_owned()));
        for (column, when) in tenant.chain(self.columns(shape)) {
            // The first column is the name of the class. For a REAL it is the number itself, for a
            // value that was too long its length, and for one that is not read NULL.
            list.push(format!(
                "CASE WHEN NOT {when} THEN NULL \
                 WHEN octet_length({column}) > {max} THEN octet_length({column}) \
                 WHEN typeof({column}) = 'real' THEN {column} ELSE typeof({column}) END"
            ));
            list.push(format!(
                "CASE WHEN {when} AND coalesce(octet_length({column}), 0) <= {max} THEN {} END",
                image(column)
            ));
        }
        let indexes = shape.fields.iter().filter_map(|field| self.index(field));
        list.extend(indexes.map(|index| format!("CAST({index} AS BLOB)")));
        list.join(", ")
    }

    /// The values that were read of a field.
    pub(super) fn field(
        &self,
        field: &ShapeField,
        plain: Option<Value>,
        sealed: Option<Value>,
    ) -> (Option<Value>, Option<Value>) {
        match self.only_unsealed && plain.is_some() && !field.in_place() {
            // A plaintext is read only if the sealed column is NULL. Comparing that NULL keeps a
            // value that is sealed meanwhile from being overwritten.
            true => (plain, Some(Value::Null)),
            false => (plain, sealed),
        }
    }

    /// An expression for the bytes that the row's values will take in memory.
    pub(super) fn size(&self, shape: &Shape) -> String {
        let max = self.value_bytes_max;
        match self.columns(shape) {
            none if none.is_empty() => "0".to_owned(),
            columns => joined(&columns, " + ", |(column, when)| {
                format!(
                    "CASE WHEN {when} AND octet_length({column}) <= {max} THEN octet_length({column}) ELSE 0 END"
                )
            }),
        }
    }
}

/// A row with the values that were read.
pub(super) struct ReadRow {
    /// Its rowid, if the table has one that can be named.
    pub(super) rowid: Option<i64>,
    /// Its key.
    pub(super) key: Vec<KeyValue>,
    /// Its tenant.
    pub(super) tenant: Option<Value>,
    /// For each field its plaintext and its sealed value.
    pub(super) fields: Vec<(Option<Value>, Option<Value>)>,
    /// For each field its blind index.
    pub(super) indexes: Vec<Option<Vec<u8>>>,
    /// Whether the row gets its key's text.
    pub(super) with_key_text: bool,
}

impl ReadRow {
    /// Decodes a row of [`CellsRead::select_list`].
    pub(super) fn decode(row: &SqliteRow, shape: &Shape, reading: &CellsRead) -> Result<Self> {
        let rowid = match shape.rowid.name {
            Some(_) => Some(row.try_get_unchecked(0)?),
            None => None,
        };
        let first = usize::from(rowid.is_some());
        let mut at = first + shape.keys.len();
        let key = (first..at)
            .map(|column| KeyValue::read(row, column))
            .collect::<Result<_>>()?;
        let mut next = |read: bool| -> Result<Option<Value>> {
            if !read {
                return Ok(None);
            }
            at += 2;
            value(row, at - 2)
        };
        let tenant = next(shape.tenant.is_some())?;
        let mut fields = Vec::with_capacity(shape.fields.len());
        for (field, (plain, sealed)) in shape.fields.iter().zip(&reading.fields) {
            fields.push(reading.field(field, next(*plain)?, next(*sealed)?));
        }
        let mut indexes = Vec::with_capacity(shape.fields.len());
        for field in &shape.fields {
            let index: Option<&[u8]> = match reading.index(field) {
                Some(_) => {
                    at += 1;
                    row.try_get_unchecked(at - 1)?
                }
                None => None,
            };
            indexes.push(index.map(<[u8]>::to_vec));
        }
        Ok(Self {
            rowid,
            key,
            tenant,
            fields,
            indexes,
            with_key_text: reading.with_key_text,
        })
    }

    /// The row's values as a version: the tenant, then two for each field.
    fn seen(&self) -> Vec<SeenCell<'_>> {
        fn seen(value: &Option<Value>) -> SeenCell<'_> {
            value.as_ref().map_or(SeenCell::Unread, SeenCell::of)
        }
        let of_fields = self
            .fields
            .iter()
            .flat_map(|(plain, sealed)| [seen(plain), seen(sealed)]);
        std::iter::once(seen(&self.tenant))
            .chain(of_fields)
            .collect()
    }

    /// Whether the row still has the values of a locator.
    pub(super) fn is_still(&self, seen: &[SeenCell<'_>]) -> bool {
        let values = self
            .fields
            .iter()
            .flat_map(|(plain, sealed)| [plain, sealed]);
        let mut pairs = seen.iter().zip(std::iter::once(&self.tenant).chain(values));
        seen.len() == 1 + 2 * self.fields.len()
            && pairs.all(|(seen, now)| match now {
                Some(now) => seen.is_still(now),
                None => *seen == SeenCell::Unread,
            })
    }

    /// The row as the engine sees it.
    pub(super) fn into_page_row(self, access: &Access, shape: &Shape) -> PageRow {
        let version = version::pack(self.rowid, &self.seen());
        let key: std::result::Result<Vec<_>, _> = self
            .key
            .iter()
            .zip(&access.table.keys)
            .map(|(value, column)| value.part().ok_or_else(|| column.name.as_str().to_owned()))
            .collect();
        // For a key without a fixed form, only its text can name the row in quarantine.
        let with_key_text = self.with_key_text || key.is_err();
        let is_large = |value: &Option<Value>| matches!(value, Some(Value::Large(_)));
        let length = |value: &Option<Value>| value.as_ref().map_or(0, Value::len);
        PageRow {
            key,
            key_text: with_key_text.then(|| key_value::cursor(&self.key)),
            locator: Locator {
                place: key_value::place(&self.key),
                version,
            },
            tenant: self.tenant.as_ref().and_then(tenant_text),
            bytes: self
                .fields
                .iter()
                .map(|(plain, sealed)| length(plain) + length(sealed))
                .sum(),
            large: self
                .fields
                .iter()
                .any(|(plain, sealed)| is_large(plain) || is_large(sealed)),
            refused: None,
            cells: self
                .fields
                .into_iter()
                .zip(self.indexes)
                .zip(&shape.fields)
                .map(|((values, index), field)| cell(values, index, field))
                .collect(),
        }
    }
}

fn cell(
    (plain, sealed): (Option<Value>, Option<Value>),
    index: Option<Vec<u8>>,
    field: &ShapeField,
) -> PageCell {
    let unreadable = plain
        .as_ref()
        .and_then(|value| value.unreadable(field.kept, field.in_place()));
    PageCell {
        plain: plain
            .filter(|_| unreadable.is_none())
            .and_then(Value::into_bytes),
        sealed: sealed
            .and_then(Value::into_bytes)
            .map(|mut bytes| std::mem::take(&mut *bytes)),
        index,
        unreadable,
    }
}

/// The tenant's text. A BLOB is no text, so such a row has no tenant and is refused.
fn tenant_text(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Large(_) | Value::Blob(_) => None,
        Value::Integer(bytes) | Value::Real(bytes, _) | Value::Text(bytes) => {
            String::from_utf8(bytes.to_vec()).ok()
        }
    }
}

/// The value with its class in this column and its bytes in the next; `None` if it was not read.
fn value(row: &SqliteRow, at: usize) -> Result<Option<Value>> {
    let class = row.try_get_raw(at)?;
    if class.is_null() {
        return Ok(None);
    }
    let form = class.type_info().name().to_owned();
    let value = match form.as_str() {
        "INTEGER" => Value::Large(row.try_get_unchecked(at)?),
        "REAL" => {
            let number = row.try_get_unchecked(at)?;
            Value::Real(bytes(row, at + 1)?, number)
        }
        _ => match row.try_get_unchecked::<&str, _>(at)? {
            "null" => Value::Null,
            "integer" => Value::Integer(bytes(row, at + 1)?),
            "text" => Value::Text(bytes(row, at + 1)?),
            "blob" => Value::Blob(bytes(row, at + 1)?),
            _ => {
                return Err(StoreError::unexpected(
                    "a storage class that SQLite does not have",
                ));
            }
        },
    };
    Ok(Some(value))
}

fn bytes(row: &SqliteRow, at: usize) -> Result<Zeroizing<Vec<u8>>> {
    let bytes: &[u8] = row.try_get_unchecked(at)?;
    Ok(Zeroizing::new(bytes.to_vec()))
}
