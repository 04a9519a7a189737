//! Values by storage class, their bytes, and which of them a restore can give back.
//! Owns the rule for that. Only the bytes of a value and its column's source type are kept, so a
//! value is sealed only if these two lead back to the same storage class and the same bytes. A
//! column of affinity TEXT, or without a type, keeps TEXT; a BLOB column keeps BLOB; a numeric
//! column keeps INTEGER, REAL, and TEXT that does not look like a number. A REAL must survive its
//! own text, which SQLite makes one unit too small or too large for some numbers of extreme
//! exponent.

use zeroize::Zeroizing;

use super::sql::Bind;

/// The prefix of the text form.
pub(super) const SEALED_TEXT: &[u8] = b"ps1.";

/// A value that was read, with its bytes as docs/FORMAT.md defines them.
pub(super) enum Value {
    /// NULL.
    Null,
    /// INTEGER, as its decimal text.
    Integer(Zeroizing<Vec<u8>>),
    /// REAL, as its text by `printf('%!.17g')`, and the number itself.
    Real(Zeroizing<Vec<u8>>, f64),
    /// TEXT, as its bytes, which may not be UTF-8.
    Text(Zeroizing<Vec<u8>>),
    /// BLOB.
    Blob(Zeroizing<Vec<u8>>),
    /// TEXT or BLOB of so many bytes, which was not read.
    Large(i64),
}

impl Value {
    /// The storage class as `typeof` names it; `large`, which `typeof` never returns, for a value
    /// that was not read.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Integer(_) => "integer",
            Self::Real(..) => "real",
            Self::Text(_) => "text",
            Self::Blob(_) => "blob",
            Self::Large(_) => "large",
        }
    }

    /// The bytes; none for NULL and for a value that was not read.
    pub(super) fn bytes(&self) -> Option<&Zeroizing<Vec<u8>>> {
        match self {
            Self::Null | Self::Large(_) => None,
            Self::Integer(bytes) | Self::Real(bytes, _) | Self::Text(bytes) | Self::Blob(bytes) => {
                Some(bytes)
            }
        }
    }

    /// Takes the bytes out.
    pub(super) fn into_bytes(self) -> Option<Zeroizing<Vec<u8>>> {
        match self {
            Self::Null | Self::Large(_) => None,
            Self::Integer(bytes) | Self::Real(bytes, _) | Self::Text(bytes) | Self::Blob(bytes) => {
                Some(bytes)
            }
        }
    }

    /// How many bytes were read.
    pub(super) fn len(&self) -> u64 {
        self.bytes().map_or(0, |bytes| bytes.len() as u64)
    }

    /// Why a restore could not give this value back; `None` if it can. In place, sealed text is not
    /// a plaintext, and is accepted.
    pub(super) fn unreadable(&self, kept: Kept, in_place: bool) -> Option<&'static str> {
        let same = match self {
            Self::Null | Self::Large(_) => true,
            Self::Text(bytes) if std::str::from_utf8(bytes).is_err() => {
                return Some("text that is not valid UTF-8");
            }
            Self::Text(bytes) if in_place && bytes.starts_with(SEALED_TEXT) => true,
            Self::Text(bytes) => {
                kept == Kept::Text || matches!(kept.restored(bytes), Some(Restored::Text(_)))
            }
            Self::Blob(bytes) => matches!(kept.restored(bytes), Some(Restored::Blob(_))),
            Self::Integer(bytes) => matches!(kept.restored(bytes), Some(Restored::Integer(_))),
            Self::Real(bytes, number) => matches!(
                kept.restored(bytes),
                Some(Restored::Real(restored)) if restored.to_bits() == number.to_bits()
            ),
        };
        (!same).then_some("a storage class that the column's type cannot give back")
    }
}

/// The class of values that a column stores, by its declared type
/// (<https://sqlite.org/datatype3.html>, section 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// BLOB.
    Bytes,
    /// TEXT, or no type at all.
    Text,
    /// INTEGER and NUMERIC.
    Number,
    /// REAL.
    Real,
}

impl Kept {
    /// Decides by the declared type.
    pub(super) fn of(source_type: &str, plain_is_bytes: bool) -> Self {
        let declared = source_type.to_ascii_uppercase();
        let any = |words: &[&str]| words.iter().any(|word| declared.contains(word));
        if plain_is_bytes {
            Self::Bytes
        } else if any(&["INT"]) {
            Self::Number
        } else if any(&["CHAR", "CLOB", "TEXT", "BLOB"]) || declared.is_empty() {
            Self::Text
        } else if any(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Number
        }
    }

    /// The value that a restore writes for these bytes; `None` if they should be UTF-8 and are not.
    pub(super) fn restored(self, bytes: &[u8]) -> Option<Restored<'_>> {
        if self == Self::Bytes {
            return Some(Restored::Blob(bytes));
        }
        let text = std::str::from_utf8(bytes).ok()?;
        if self != Self::Text && is_number(text) {
            if let (Self::Number, Some(integer)) = (self, integer(text)) {
                return Some(Restored::Integer(integer));
            }
            if let Some(real) = text.parse().ok().filter(|real: &f64| real.is_finite()) {
                return Some(Restored::Real(real));
            }
        }
        Some(Restored::Text(text))
    }
}

/// A value that a restore writes, borrowed, so that asking for its class makes no copy.
pub(super) enum Restored<'a> {
    Integer(i64),
    Real(f64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl Restored<'_> {
    /// A copy for the driver, which does not wipe its values.
    pub(super) fn bind(self) -> Bind {
        match self {
            Self::Integer(value) => Bind::from(value),
            Self::Real(value) => Bind::Real(value),
            Self::Text(value) => Bind::from(value),
            Self::Blob(value) => Bind::from(value.to_vec()),
        }
    }
}

/// Parses decimal text as SQLite writes it: no sign but a minus, no leading zero.
fn integer(text: &str) -> Option<i64> {
    text.parse()
        .ok()
        .filter(|number: &i64| number.to_string() == text)
}

/// Whether a text is `-?[0-9]+(\.[0-9]+)?(e[+-][0-9]+)?`, the form in which SQLite writes numbers.
/// (Rust's own parser also accepts `inf` and `nan`.)
fn is_number(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match magnitude.split_once('e') {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (magnitude, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    digits(whole)
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|exponent| exponent.strip_prefix(['+', '-']).is_some_and(digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_column_keeps_what_its_declared_type_gives_back() {
        for (declared, kept) in [
            ("VARCHAR(11)", Kept::Text),
            ("", Kept::Text),
            ("bigint", Kept::Number),
            ("CHARINT", Kept::Number),
            ("double precision", Kept::Real),
            ("date", Kept::Number),
            ("DECIMAL(10,2)", Kept::Number),
        ] {
            assert_eq!(Kept::of(declared, false), kept, "{declared}");
        }
        assert_eq!(Kept::of("BLOB", true), Kept::Bytes);
    }

    #[test]
    fn a_value_of_a_class_that_would_come_back_as_another_is_unreadable() {
        let bytes = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        for (value, kept) in [
            (Value::Integer(bytes(b"42")), Kept::Text),
            (Value::Integer(bytes(b"42")), Kept::Bytes),
            (Value::Integer(bytes(b"42")), Kept::Real),
            (Value::Real(bytes(b"1.5"), 1.5), Kept::Text),
            (Value::Real(bytes(b"Inf"), f64::INFINITY), Kept::Real),
            (
                Value::Real(bytes(b"1.5"), 1.500_000_000_000_000_2),
                Kept::Real,
            ),
            (Value::Blob(bytes(b"abc")), Kept::Text),
            (Value::Blob(bytes(b"abc")), Kept::Number),
            (Value::Text(bytes(b"\xff")), Kept::Text),
            (text("abc"), Kept::Bytes),
            (text("42"), Kept::Number),
            (text("4.2"), Kept::Real),
            (text("ps1.abc"), Kept::Bytes),
        ] {
            assert!(
                value.unreadable(kept, false).is_some(),
                "{} {kept:?}",
                value.class()
            );
        }
    }

    #[test]
    fn a_value_that_comes_back_the_same_is_read() {
        let bytes = |bytes: &[u8]| Zeroizing::new(bytes.to_vec());
        for (value, kept, in_place) in [
            (
                Value::Integer(bytes(b"-9223372036854775808")),
                Kept::Number,
                false,
            ),
            (Value::Real(bytes(b"1.5"), 1.5), Kept::Real, false),
            (Value::Real(bytes(b"1.0e+300"), 1e300), Kept::Number, false),
            (text("2024-01-31"), Kept::Number, false),
            (text("inf"), Kept::Real, false),
            (text("42"), Kept::Text, false),
            (text(""), Kept::Text, false),
            (Value::Blob(bytes(b"\xff")), Kept::Bytes, false),
            (text("ps1.abc"), Kept::Bytes, true),
            (Value::Null, Kept::Text, false),
        ] {
            assert_eq!(
                value.unreadable(kept, in_place),
                None,
                "{} {kept:?}",
                value.class()
            );
        }
    }
}
