//! Values of Rust's own types as the bytes that are sealed, and back.
//! Owns the conversions; the bytes of each type are those of docs/FORMAT.md, "The plaintext". What was
//! opened is wiped when it is dropped, and never printed.

use std::fmt;
use std::ops::Deref;

use zeroize::Zeroizing;

use super::ValueError;
use crate::crypto::Date;

/// A value to seal or to look up: of each type, the text in which the server writes it, or bytes as they
/// are. `From` is there for `&str`, `&[u8]`, integers, `bool`, [`Date`] and, with the feature `uuid`,
/// `uuid::Uuid`.
///
/// Values of other types (numeric, double precision, timestamps, intervals, jsonb, arrays) are given as the
/// text in which the server would write them. SQLite has no booleans: give it 1 or 0.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text, and every type that has no variant of its own, in the server's form.
    Text(&'a str),
    /// The bytes of a bytea or blob; or of a text.
    Bytes(&'a [u8]),
    /// smallint, integer, bigint.
    Int(i64),
    /// A boolean: `true` or `false`.
    Bool(bool),
    /// A date: `YYYY-MM-DD`.
    Date(Date),
    /// A uuid: 36 characters, in lower case.
    Uuid([u8; 16]),
}

impl Value<'_> {
    /// Calls `take` with the bytes that stand for the value, wiped afterwards where they are a copy.
    pub(super) fn with_bytes<T>(self, take: impl FnOnce(&[u8]) -> T) -> T {
        let text = match self {
            Self::Text(text) => return take(text.as_bytes()),
            Self::Bytes(bytes) => return take(bytes),
            Self::Int(number) => number.to_string(),
            Self::Bool(flag) => flag.to_string(),
            Self::Date(date) => date.to_string(),
            Self::Uuid(bytes) => uuid_text(bytes),
        };
        take(Zeroizing::new(text).as_bytes())
    }
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let number = u128::from_be_bytes(bytes);
    let part = |shift: u32, digits: u32| {
        let part = (number >> shift) & ((1 << (4 * digits)) - 1);
        format!("{part:0width$x}", width = digits as usize)
    };
    let parts = [
        part(96, 8),
        part(80, 4),
        part(64, 4),
        part(48, 4),
        part(0, 12),
    ];
    parts.join("-")
}

macro_rules! from {
    ($($(#[$meta:meta])* $from:ty => $value:ident $made:expr;)+) => {
        $($(#[$meta])* impl<'a> From<$from> for Value<'a> {
            fn from($value: $from) -> Self {
                $made
            }
        })+
    };
}

from! {
    &'a str => value Self::Text(value);
    &'a String => value Self::Text(value);
    &'a [u8] => value Self::Bytes(value);
    &'a Vec<u8> => value Self::Bytes(value);
    &'a Zeroizing<Vec<u8>> => value Self::Bytes(value);
    &'a Zeroizing<String> => value Self::Text(value);
    &'a Plaintext => value Self::Bytes(value);
    i16 => value Self::Int(value.into());
    i32 => value Self::Int(value.into());
    i64 => value Self::Int(value);
    bool => value Self::Bool(value);
    Date => value Self::Date(value);
    #[cfg(feature = "uuid")]
    uuid::Uuid => value Self::Uuid(value.into_bytes());
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(value: &'a [u8; N]) -> Self {
        Self::Bytes(value)
    }
}

impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

/// An opened value: its bytes, wiped when it is dropped, and accessors by type.
///
/// ```
/// # use phiseal::{Field, Opener, Sealer, keys::Keyring};
/// # use std::sync::Arc;
/// # let keyring = Arc::new(Keyring::throw_away(&[""])?);
/// # let field = Field::new("public.patients", "born");
/// # let sealed = Sealer::new(Arc::clone(&keyring), field.clone()).seal("", 42, "1952-03-04")?;
/// # let opener = Opener::new(keyring, field);
/// let born = opener.open("", 42, &sealed)?;
/// assert_eq!(born.text()?, "1952-03-04");
/// assert_eq!(born.date()?.year, 1952);
/// assert!(born.int().is_err());
/// # Ok::<(), phiseal::ValueError>(())
/// ```
/// JSON and numbers of any length are read from [`text`](Self::text): `serde_json::from_slice(&value)`.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    pub(super) const fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// The bytes: of a bytea or blob as they are, of every other type its text in UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, still wiped when they are dropped.
    #[must_use]
    pub fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    /// The text, as the server wrote it.
    ///
    /// # Errors
    /// [`ValueError::NotOfType`] for bytes that are not UTF-8, as those of a bytea may be.
    pub fn text(&self) -> Result<&str, ValueError> {
        std::str::from_utf8(&self.0).map_err(|_| not("a text"))
    }

    /// A whole number.
    ///
    /// # Errors
    /// [`ValueError::NotOfType`].
    pub fn int(&self) -> Result<i64, ValueError> {
        self.text()?.parse().map_err(|_| not("a whole number"))
    }

    /// A number with binary fractions (real, double precision). A numeric is exact in its text only.
    ///
    /// # Errors
    /// [`ValueError::NotOfType`].
    pub fn float(&self) -> Result<f64, ValueError> {
        self.text()?.parse().map_err(|_| not("a number"))
    }

    /// A boolean of PostgreSQL.
    ///
    /// # Errors
    /// [`ValueError::NotOfType`].
    pub fn bool(&self) -> Result<bool, ValueError> {
        self.text()?.parse().map_err(|_| not("true or false"))
    }

    /// A date of the years 0001 to 9999.
    ///
    /// # Errors
    /// [`ValueError::NotOfType`], also for `infinity` and for years beyond, which [`text`](Self::text)
    /// gives.
    pub fn date(&self) -> Result<Date, ValueError> {
        let parsed = self.text()?.parse();
        parsed.map_err(|_| not("a date of the years 0001 to 9999"))
    }
}

const fn not(what: &'static str) -> ValueError {
    ValueError::NotOfType { what }
}

impl Deref for Plaintext {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Plaintext {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Plaintext(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes<'a>(value: impl Into<Value<'a>>) -> Vec<u8> {
        value.into().with_bytes(<[u8]>::to_vec)
    }

    fn opened(text: &str) -> Plaintext {
        Plaintext::new(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn each_type_is_the_text_that_the_format_says() {
        let born: Date = "1952-03-04".parse().unwrap();
        let id = *b"\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11";
        for (value, expected) in [
            (bytes("142-52-0042"), "142-52-0042"),
            (bytes(b"142"), "142"),
            (bytes(-7_i16), "-7"),
            (bytes(42), "42"),
            (bytes(i64::MIN), "-9223372036854775808"),
            (bytes(true), "true"),
            (bytes(false), "false"),
            (bytes(born), "1952-03-04"),
            (
                bytes(Value::Uuid(id)),
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            (
                bytes(Value::Uuid([0; 16])),
                "00000000-0000-0000-0000-000000000000",
            ),
        ] {
            assert_eq!(value, expected.as_bytes(), "{expected}");
        }
    }

    #[test]
    fn what_was_opened_is_read_as_its_type_and_as_no_other() {
        assert_eq!(opened("-7").int().unwrap(), -7);
        assert_eq!(opened("0.1").float().unwrap(), 0.1);
        assert!(opened("NaN").float().unwrap().is_nan());
        assert!(opened("true").bool().unwrap());
        let born = opened("2024-02-29").date().unwrap();
        assert_eq!((born.year, born.month, born.day), (2024, 2, 29));
        for text in ["", "t", "123-45-6789", "infinity"] {
            let value = opened(text);
            assert!(value.int().is_err() && value.bool().is_err() && value.date().is_err());
        }
        let bytes = Plaintext::new(Zeroizing::new(vec![0xff]));
        assert!(bytes.text().is_err());
        assert_eq!(*bytes, [0xff]);
    }

    #[test]
    fn neither_a_value_nor_why_it_is_not_of_a_type_shows_it() {
        let value = opened("123-45-6789");
        let refused = value.int().unwrap_err();
        let shown = format!("{refused} {refused:?} {value:?} {:?}", Value::Int(123));
        assert!(!shown.contains("123"), "{shown}");
    }
}
