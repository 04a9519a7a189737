//! Key values by storage class: how they are read, stored in a cursor and bound again.
//! Owns the text of a cursor's parts: a letter for the class, a colon, the value. A value is bound
//! under its class, so that the server compares what it stored. No type here can be printed.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, TypeInfo, ValueRef};

use super::sql::Bind;
use crate::crypto::KeyPart;
use crate::store::{KeyText, Result, StoreError};

/// The value of one key column.
#[derive(Clone, PartialEq)]
pub(super) enum KeyValue {
    /// NULL. No row key can hold it, but a page must be able to continue after it.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL. No row key can hold it, as with NULL.
    Real(f64),
    /// TEXT.
    Text(String),
    /// TEXT that is not UTF-8. No row key can hold it, as with NULL.
    RawText(Vec<u8>),
    /// BLOB.
    Blob(Vec<u8>),
}

impl KeyValue {
    /// Reads a key column of a row.
    pub(super) fn read(row: &SqliteRow, column: usize) -> Result<Self> {
        let raw = row.try_get_raw(column)?;
        if raw.is_null() {
            return Ok(Self::Null);
        }
        let class = raw.type_info().name().to_owned();
        Ok(match class.as_str() {
            "INTEGER" => Self::Integer(row.try_get_unchecked(column)?),
            "REAL" => Self::Real(row.try_get_unchecked(column)?),
            "BLOB" => Self::Blob(row.try_get_unchecked(column)?),
            _ => {
                let bytes: Vec<u8> = row.try_get_unchecked(column)?;
                match String::from_utf8(bytes) {
                    Ok(text) => Self::Text(text),
                    Err(refused) => Self::RawText(refused.into_bytes()),
                }
            }
        })
    }

    /// Its part of a cursor.
    pub(super) fn encode(&self) -> String {
        match self {
            Self::Null => "n:".to_owned(),
            Self::Integer(value) => format!("i:{value}"),
            Self::Real(value) => format!("r:{:016x}", value.to_bits()),
            Self::Text(value) => ["t:", value].concat(),
            Self::RawText(bytes) => format!("x:{}", hex::encode(bytes)),
            Self::Blob(bytes) => format!("b:{}", hex::encode(bytes)),
        }
    }

    /// Reads a part of a cursor.
    pub(super) fn decode(part: &str) -> Result<Self> {
        let bad = || StoreError::unexpected("a cursor of another form than this store makes");
        let (class, value) = part.split_once(':').ok_or_else(bad)?;
        Ok(match class {
            "n" => Self::Null,
            "i" => Self::Integer(value.parse().map_err(|_| bad())?),
            "r" => Self::Real(f64::from_bits(
                u64::from_str_radix(value, 16).map_err(|_| bad())?,
            )),
            "t" => Self::Text(value.to_owned()),
            "x" => Self::RawText(hex::decode(value).map_err(|_| bad())?),
            "b" => Self::Blob(hex::decode(value).map_err(|_| bad())?),
            _ => return Err(bad()),
        })
    }

    /// Its part of a row key; `None` for a value without a fixed form.
    pub(super) fn part(&self) -> Option<KeyPart> {
        match self {
            Self::Integer(value) => Some(KeyPart::Int(*value)),
            Self::Text(value) => Some(KeyPart::Text(value.clone())),
            Self::Blob(bytes) => Some(KeyPart::Bytes(bytes.clone())),
            Self::Null | Self::Real(_) | Self::RawText(_) => None,
        }
    }

    /// The SQL parameter for the value.
    pub(super) fn placeholder(&self) -> &'static str {
        match self {
            // The driver binds TEXT only from UTF-8.
            Self::RawText(_) => "CAST(? AS TEXT)",
            _ => "?",
        }
    }

    /// The value to bind.
    pub(super) fn bind(&self) -> Bind {
        match self {
            Self::Null => Bind::NULL,
            Self::Integer(value) => Bind::from(*value),
            Self::Real(value) => Bind::Real(*value),
            Self::Text(value) => Bind::from(value.clone()),
            Self::RawText(bytes) | Self::Blob(bytes) => Bind::from(bytes.clone()),
        }
    }
}

/// The cursor of these values.
pub(super) fn cursor(key: &[KeyValue]) -> KeyText {
    KeyText(key.iter().map(KeyValue::encode).collect())
}

/// The values of a cursor, as many as the key has columns.
pub(super) fn values(cursor: &KeyText, columns: usize) -> Result<Vec<KeyValue>> {
    if cursor.0.len() != columns {
        return Err(StoreError::unexpected(
            "a cursor of another number of columns than the key",
        ));
    }
    cursor.0.iter().map(|part| KeyValue::decode(part)).collect()
}

/// One text for a whole key: its parts, each preceded by its length.
pub(super) fn place(key: &[KeyValue]) -> String {
    let mut place = String::with_capacity(48);
    for part in key.iter().map(KeyValue::encode) {
        place.push_str(&part.len().to_string());
        place.push(':');
        place.push_str(&part);
    }
    place
}

/// Reads the text of a whole key.
pub(super) fn unplace(place: &str) -> Result<Vec<KeyValue>> {
    parts(place)
        .map(|part| part.and_then(KeyValue::decode))
        .collect()
}

/// The parts of a whole key, each as [`KeyValue::encode`] made it.
pub(super) fn parts(place: &str) -> impl Iterator<Item = Result<&str>> {
    let mut rest = place;
    std::iter::from_fn(move || {
        (!rest.is_empty()).then(|| {
            let (part, after) = first_part(rest).ok_or(StoreError::unexpected(
                "a locator of another form than this store makes",
            ))?;
            rest = after;
            Ok(part)
        })
    })
}

fn first_part(place: &str) -> Option<(&str, &str)> {
    let (length, after) = place.split_once(':')?;
    after.split_at_checked(length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_reads_back_from_a_cursor_and_a_place() {
        let key = vec![
            KeyValue::Integer(i64::MIN),
            KeyValue::Text("a:b\u{1f600}".to_owned()),
            KeyValue::Blob(vec![0, 255]),
            KeyValue::RawText(vec![0xff]),
            KeyValue::Real(-0.1),
            KeyValue::Null,
            KeyValue::Text(String::new()),
        ];
        assert!(values(&cursor(&key), key.len()).unwrap() == key);
        assert!(unplace(&place(&key)).unwrap() == key);
    }

    #[test]
    fn a_cursor_this_store_did_not_make_is_refused() {
        for part in ["", "42", "i:x", "q:1", "b:0", "r:zz"] {
            assert!(KeyValue::decode(part).is_err(), "{part}");
        }
        assert!(values(&KeyText(vec!["i:1".to_owned()]), 2).is_err());
        for place in ["3", "9:i:1", "x:i:1"] {
            assert!(unplace(place).is_err(), "{place}");
        }
    }

    #[test]
    fn values_without_a_fixed_form_are_no_key() {
        for value in [
            KeyValue::Null,
            KeyValue::Real(1.0),
            KeyValue::RawText(vec![0xff]),
        ] {
            assert!(value.part().is_none());
        }
    }
}
