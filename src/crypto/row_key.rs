//! Row keys: a primary key encoded as bytes that stay the same as long as the primary key does.
//! Owns the encoding of each column type and the refusal of values that have no single form. What a
//! key column may hold is in `key_part`.
//! Always holds: different keys have different bytes; nothing here prints a key, which may be PHI.

use std::fmt;

use super::{context::push_length_prefixed, key_part::KeyPart, plaintext};

/// The smallest timestamp of PostgreSQL, 4714-11-24 BC, in microseconds since 1970.
const TIMESTAMP_MIN: i64 = -210_866_803_200_000_000;

/// An encoded primary key.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RowKey(Vec<u8>);

impl RowKey {
    /// Encodes the columns of a primary key, in the order recorded at registration.
    ///
    /// # Errors
    /// [`RowKeyError`] if there are no columns, or a value has no single form.
    pub fn encode(parts: &[KeyPart]) -> Result<Self, RowKeyError> {
        if parts.is_empty() {
            return Err(RowKeyError::NoColumns);
        }
        let mut bytes = Vec::with_capacity(24 * parts.len());
        for (column, part) in parts.iter().enumerate() {
            push_part(&mut bytes, column, part)?;
        }
        Ok(Self(bytes))
    }

    /// The encoded bytes. They may be PHI, so never print them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RowKey(..)")
    }
}

/// A primary key that cannot be encoded. `column` counts from 0, in the order of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowKeyError {
    /// The key has no columns.
    #[error("the row key has no columns")]
    NoColumns,
    /// The numeric is NaN, an infinity, or not in the form of `trim_scale`.
    #[error("key column {column}: numeric is NaN, infinite or not in the form of trim_scale")]
    Numeric {
        /// The column.
        column: usize,
    },
    /// The date is not a day of the years 0001 to 9999 written `YYYY-MM-DD`.
    #[error(
        "key column {column}: date is infinite, outside the years 0001 to 9999 or not YYYY-MM-DD"
    )]
    Date {
        /// The column.
        column: usize,
    },
    /// The timestamp is an infinity, or before the first timestamp of PostgreSQL.
    #[error("key column {column}: timestamp is infinite or out of range")]
    Timestamp {
        /// The column.
        column: usize,
    },
}

/// Appends `LP(tag ‖ value)`.
fn push_part(out: &mut Vec<u8>, column: usize, part: &KeyPart) -> Result<(), RowKeyError> {
    match part {
        KeyPart::Int(value) => push_tagged(out, b'i', &value.to_be_bytes()),
        KeyPart::Uuid(value) => push_tagged(out, b'u', value),
        KeyPart::Text(value) => push_tagged(out, b't', value.as_bytes()),
        KeyPart::Bytes(value) => push_tagged(out, b'b', value),
        KeyPart::Bool(value) => push_tagged(out, b'o', &[u8::from(*value)]),
        KeyPart::Numeric(value) if is_trimmed_numeric(value) => {
            push_tagged(out, b'n', value.as_bytes())
        }
        KeyPart::Numeric(_) => return Err(RowKeyError::Numeric { column }),
        KeyPart::Date(value) if plaintext::is_iso_date(value) => {
            push_tagged(out, b'd', value.as_bytes())
        }
        KeyPart::Date(_) => return Err(RowKeyError::Date { column }),
        // PostgreSQL stores 'infinity' as i64::MAX and '-infinity' as i64::MIN, which is below the
        // minimum.
        KeyPart::Timestamp(value) if (TIMESTAMP_MIN..i64::MAX).contains(value) => {
            push_tagged(out, b'z', &value.to_be_bytes());
        }
        KeyPart::Timestamp(_) => return Err(RowKeyError::Timestamp { column }),
    }
    Ok(())
}

fn push_tagged(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    let start = out.len();
    push_length_prefixed(out, &[tag]);
    out.extend_from_slice(value);
    // The length of tag and value; [`push_length_prefixed`] says why it never reaches the limit.
    let length = u32::try_from(1 + value.len()).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Whether the text matches `-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?` and is not a negative zero.
fn is_trimmed_numeric(text: &str) -> bool {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match magnitude.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (magnitude, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(|fraction| digits(fraction) && !fraction.ends_with('0'))
        && text != "-0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_columns_is_refused() {
        assert_eq!(RowKey::encode(&[]), Err(RowKeyError::NoColumns));
    }

    #[test]
    fn numerics_are_taken_only_as_trim_scale_writes_them() {
        let encode =
            |text: &str| RowKey::encode(&[KeyPart::Bool(true), KeyPart::Numeric(text.into())]);
        for taken in [
            "0",
            "100",
            "1.5",
            "-1.5",
            "0.001",
            "-0.1",
            "1234567890123456789012345678901234567890",
        ] {
            assert!(encode(taken).is_ok(), "{taken}");
        }
        for refused in [
            "NaN",
            "Infinity",
            "-Infinity",
            "",
            "-",
            "-0",
            "-0.0",
            "1.0",
            "1.50",
            "01",
            "00",
            ".5",
            "5.",
            "+1",
            "1e5",
            " 1",
            "1 ",
            "1.2.3",
            "--1",
            "١",
        ] {
            assert_eq!(
                encode(refused),
                Err(RowKeyError::Numeric { column: 1 }),
                "{refused}"
            );
        }
    }

    #[test]
    fn dates_are_taken_only_as_days_of_the_years_0001_to_9999() {
        let encode = |text: &str| RowKey::encode(&[KeyPart::Date(text.into())]);
        for taken in [
            "0001-01-01",
            "9999-12-31",
            "2024-02-29",
            "2000-02-29",
            "1900-02-28",
        ] {
            assert!(encode(taken).is_ok(), "{taken}");
        }
        for refused in [
            "0000-12-31",
            "10000-01-01",
            "2023-02-29",
            "1900-02-29",
            "2024-04-31",
            "2024-13-01",
            "2024-00-10",
            "2024-01-00",
            "infinity",
            "-infinity",
            "0044-03-15 BC",
            "2024-1-01",
            "2024/01/01",
            "20240101",
            "",
            " 2024-01-01",
            "2024-01-01 ",
            "202a-01-01",
        ] {
            assert_eq!(
                encode(refused),
                Err(RowKeyError::Date { column: 0 }),
                "{refused}"
            );
        }
    }

    #[test]
    fn infinite_and_out_of_range_timestamps_are_refused() {
        let encode = |value| RowKey::encode(&[KeyPart::Timestamp(value)]);
        for taken in [TIMESTAMP_MIN, -1, 0, i64::MAX - 1] {
            assert!(encode(taken).is_ok(), "{taken}");
        }
        for refused in [i64::MIN, TIMESTAMP_MIN - 1, i64::MAX] {
            assert_eq!(
                encode(refused),
                Err(RowKeyError::Timestamp { column: 0 }),
                "{refused}"
            );
        }
    }

    #[test]
    fn text_keys_are_neither_folded_nor_trimmed() {
        let encode = |text: &str| RowKey::encode(&[KeyPart::Text(text.into())]).unwrap();
        assert_ne!(encode("a"), encode("A"));
        assert_ne!(encode("a"), encode("a "));
        assert_ne!(encode("é"), encode("e\u{301}"));
        assert_eq!(encode("").as_bytes(), b"\0\0\0\x01t");
    }

    #[test]
    fn debug_shows_nothing_of_a_key() {
        let part = KeyPart::Text("MRN-778123".into());
        let key = RowKey::encode(std::slice::from_ref(&part)).unwrap();
        assert_eq!(format!("{part:?} {key:?}"), "Text(..) RowKey(..)");
    }
}
