//! The value of a key column, and what names a row: one such value, or several in their order.
//! Owns the conversions from Rust's own types. How a key becomes bytes is in `row_key`.
//! Nothing here prints a key, which may be PHI.

use std::fmt;

use super::plaintext::Date;
use super::row_key::{RowKey, RowKeyError};

/// The value of one primary key column.
///
/// ```
/// use phiseal::crypto::KeyPart;
/// assert_eq!(KeyPart::from(42), KeyPart::Int(42));
/// assert_eq!(KeyPart::from("MRN-7"), KeyPart::Text("MRN-7".to_owned()));
/// assert_eq!(KeyPart::numeric("1.50"), KeyPart::Numeric("1.5".to_owned()));
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum KeyPart {
    /// Any integer type.
    Int(i64),
    /// A uuid's 16 bytes.
    Uuid([u8; 16]),
    /// text, varchar, citext, and char(n) without its trailing blanks.
    Text(String),
    /// A numeric as `trim_scale(v)::text` writes it: `100`, `1.5`, `0`. [`KeyPart::numeric`] makes it.
    Numeric(String),
    /// A date as `YYYY-MM-DD`, years 0001 to 9999.
    Date(String),
    /// A timestamp, with or without time zone: microseconds since 1970-01-01 UTC.
    Timestamp(i64),
    /// The bytes of a bytea or blob.
    Bytes(Vec<u8>),
    /// A boolean.
    Bool(bool),
}

impl KeyPart {
    /// A numeric from its decimal text: takes off the zeros at the end of the fraction, as
    /// `trim_scale` does. [`RowKey::encode`] refuses what is no decimal number.
    #[must_use]
    pub fn numeric(text: &str) -> Self {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let trimmed = match text.split_once('.') {
            Some((_, fraction)) if !fraction.is_empty() && digits(fraction) => {
                text.trim_end_matches('0').trim_end_matches('.')
            }
            _ => text,
        };
        // A numeric of PostgreSQL has no negative zero; its text may come from elsewhere.
        Self::Numeric(match trimmed {
            "-0" => "0".to_owned(),
            other => other.to_owned(),
        })
    }
}

macro_rules! from {
    ($($(#[$meta:meta])* $from:ty => $value:ident $part:expr;)+) => {
        $($(#[$meta])* impl From<$from> for KeyPart {
            fn from($value: $from) -> Self {
                $part
            }
        })+
    };
}

from! {
    i16 => value Self::Int(value.into());
    i32 => value Self::Int(value.into());
    i64 => value Self::Int(value);
    bool => value Self::Bool(value);
    &str => value Self::Text(value.to_owned());
    &String => value Self::Text(value.clone());
    String => value Self::Text(value);
    &[u8] => value Self::Bytes(value.to_vec());
    Vec<u8> => value Self::Bytes(value);
    Date => value Self::Date(value.to_string());
    #[cfg(feature = "uuid")]
    uuid::Uuid => value Self::Uuid(value.into_bytes());
}

impl fmt::Debug for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int(_) => "Int(..)",
            Self::Uuid(_) => "Uuid(..)",
            Self::Text(_) => "Text(..)",
            Self::Numeric(_) => "Numeric(..)",
            Self::Date(_) => "Date(..)",
            Self::Timestamp(_) => "Timestamp(..)",
            Self::Bytes(_) => "Bytes(..)",
            Self::Bool(_) => "Bool(..)",
        })
    }
}

/// What names a row: the value of its key column, or, for a key of several columns, a slice or an
/// array of [`KeyPart`]s in the order of registration.
///
/// ```
/// use phiseal::crypto::{IntoRowKey, KeyPart};
/// let one = 42.into_row_key()?;
/// let same = [KeyPart::Int(42)].into_row_key()?;
/// assert_eq!(one, same);
/// let two = [KeyPart::from("clinic-7"), KeyPart::from(42)].into_row_key()?;
/// assert_ne!(one, two);
/// # Ok::<(), phiseal::crypto::RowKeyError>(())
/// ```
pub trait IntoRowKey {
    /// The encoded key.
    ///
    /// # Errors
    /// As [`RowKey::encode`].
    fn into_row_key(self) -> Result<RowKey, RowKeyError>;
}

impl<T: Into<KeyPart>> IntoRowKey for T {
    fn into_row_key(self) -> Result<RowKey, RowKeyError> {
        RowKey::encode(&[self.into()])
    }
}

impl IntoRowKey for RowKey {
    fn into_row_key(self) -> Result<RowKey, RowKeyError> {
        Ok(self)
    }
}

impl IntoRowKey for &[KeyPart] {
    fn into_row_key(self) -> Result<RowKey, RowKeyError> {
        RowKey::encode(self)
    }
}

impl<const N: usize> IntoRowKey for &[KeyPart; N] {
    fn into_row_key(self) -> Result<RowKey, RowKeyError> {
        RowKey::encode(self)
    }
}

impl<const N: usize> IntoRowKey for [KeyPart; N] {
    fn into_row_key(self) -> Result<RowKey, RowKeyError> {
        RowKey::encode(&self)
    }
}

impl IntoRowKey for &Vec<KeyPart> {
    fn into_row_key(self) -> Result<RowKey, RowKeyError> {
        RowKey::encode(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(row: impl IntoRowKey) -> Vec<u8> {
        row.into_row_key().unwrap().as_bytes().to_vec()
    }

    #[test]
    fn every_type_is_encoded_as_the_format_says() {
        // docs/FORMAT.md, "The row key": LP(tag ‖ value).
        let mut expected = vec![0, 0, 0, 9, b'i'];
        expected.extend(42_i64.to_be_bytes());
        for row in [
            encoded(42_i16),
            encoded(42),
            encoded(42_i64),
            encoded(KeyPart::Int(42)),
        ] {
            assert_eq!(row, expected);
        }
        for row in [encoded("ab"), encoded("ab".to_owned())] {
            assert_eq!(row, b"\0\0\0\x03tab");
        }
        assert_eq!(encoded(true), b"\0\0\0\x02o\x01");
        assert_eq!(encoded(vec![7_u8, 8]), b"\0\0\0\x03b\x07\x08");
        let day = "2024-02-29".parse::<Date>().unwrap();
        assert_eq!(encoded(day), b"\0\0\0\x0bd2024-02-29");
        let two = [KeyPart::from("ab"), KeyPart::from(true)];
        for row in [
            encoded(&two),
            encoded(two.as_slice()),
            encoded(&two.to_vec()),
            encoded(two),
        ] {
            assert_eq!(row, b"\0\0\0\x03tab\0\0\0\x02o\x01");
        }
    }

    #[cfg(feature = "uuid")]
    #[test]
    fn a_uuid_is_its_sixteen_bytes() {
        let id = uuid::Uuid::from_bytes([7; 16]);
        assert_eq!(KeyPart::from(id), KeyPart::Uuid([7; 16]));
    }

    #[test]
    fn a_numeric_loses_the_zeros_that_trim_scale_takes_off() {
        for (text, trimmed) in [
            ("1.50", "1.5"),
            ("100", "100"),
            ("100.00", "100"),
            ("0.0", "0"),
            ("-0.00", "0"),
            ("-0.250", "-0.25"),
        ] {
            assert_eq!(KeyPart::numeric(text), KeyPart::Numeric(trimmed.to_owned()));
        }
        for bad in ["NaN", "1e5", "", "1.2.0"] {
            assert!(KeyPart::numeric(bad).into_row_key().is_err(), "{bad}");
        }
    }
}
