//! Key columns from the text in which rows come: what psql prints, or JSON.
//! Owns the reading of each type. A value that is not of its type is refused by the name of its column.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::error::ValuesError;
use super::row::Given;
use crate::crypto::KeyPart;
use crate::store::catalog::ColumnFacts;
use crate::store::{KeyColumn, KeyKind};

/// How the text of a key column is read.
pub struct KeyReader {
    pub name: String,
    kind: Kind,
}

enum Kind {
    /// As the registry says.
    Of(KeyKind),
    /// char(n): its text comes with blanks at its end.
    Padded,
    /// SQLite, by the storage class that all values of the column have.
    Class(String),
}

impl KeyReader {
    /// The reader of a key column; `facts` are those of the catalog.
    pub fn new(column: &KeyColumn, facts: Option<&ColumnFacts>) -> Self {
        let kind = match column.kind {
            KeyKind::Text if column.cast == "bpchar" => Kind::Padded,
            KeyKind::ByClass => Kind::Class(class(facts)),
            kind => Kind::Of(kind),
        };
        Self {
            name: column.name.as_str().to_owned(),
            kind,
        }
    }

    /// The value of the column.
    ///
    /// # Errors
    /// It is NULL, or not of the column's type.
    pub fn part(&self, given: Given<'_>) -> Result<KeyPart, ValuesError> {
        let refused = |what| ValuesError::Key {
            column: self.name.clone(),
            what,
        };
        let (text, is_number) = match &given {
            Given::Null => return Err(refused("is NULL")),
            Given::Nested(_) => return Err(refused("is an object or an array")),
            Given::Number(text) => (*text, true),
            Given::Text(text) => (text.as_ref(), false),
        };
        match &self.kind {
            Kind::Of(kind) => of_kind(*kind, text),
            Kind::Padded => Ok(text.trim_end_matches(' ').into()),
            Kind::Class(class) => of_class(class, text, is_number),
        }
        .map_err(refused)
    }
}

fn of_kind(kind: KeyKind, text: &str) -> Result<KeyPart, &'static str> {
    match kind {
        KeyKind::Int => int(text),
        KeyKind::Uuid => uuid::Uuid::parse_str(text)
            .map(KeyPart::from)
            .map_err(|_| "is not a uuid"),
        // Numeric and date are checked when the key is encoded.
        KeyKind::Numeric => Ok(KeyPart::numeric(text)),
        KeyKind::Date => Ok(KeyPart::Date(text.to_owned())),
        KeyKind::Timestamp => micros(text)
            .map(KeyPart::Timestamp)
            .ok_or("is not a timestamp of the years 1 to 9999"),
        KeyKind::Bytes => bytes(text),
        KeyKind::Bool => match text {
            "t" | "true" => Ok(true.into()),
            "f" | "false" => Ok(false.into()),
            _ => Err("is neither true nor false"),
        },
        KeyKind::Text | KeyKind::ByClass => Ok(text.into()),
    }
}

/// The storage class of a SQLite column, as far as it is known: that of its values if they have one, else
/// that of its declared type.
fn class(facts: Option<&ColumnFacts>) -> String {
    let Some(facts) = facts else {
        return String::new();
    };
    match facts.storage_classes.as_slice() {
        [class] => class.clone(),
        // SQLite documentation, "Determination Of Column Affinity".
        _ if facts.base_type.contains("int") => "integer".to_owned(),
        _ if facts.base_type.contains("blob") => "blob".to_owned(),
        _ => String::new(),
    }
}

fn of_class(class: &str, text: &str, is_number: bool) -> Result<KeyPart, &'static str> {
    match class {
        "integer" => int(text),
        "blob" => bytes(text),
        _ if is_number => int(text),
        _ => Ok(text.into()),
    }
}

fn int(text: &str) -> Result<KeyPart, &'static str> {
    let number: i64 = text.parse().map_err(|_| "is not a whole number")?;
    Ok(number.into())
}

fn bytes(text: &str) -> Result<KeyPart, &'static str> {
    let digits = text.strip_prefix("\\x").unwrap_or("?");
    let bytes = hex::decode(digits).map_err(|_| "is not \\x and hex digits")?;
    Ok(bytes.into())
}

/// Microseconds since 1970 UTC, from the text of a timestamp with or without its zone.
fn micros(text: &str) -> Option<i64> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at.as_microsecond());
    }
    // The date has dashes, too.
    let has_zone = text.get(10..)?.contains(['+', '-', 'Z', 'z']);
    let local = text.parse::<DateTime>().ok().filter(|_| !has_zone)?;
    let at = TimeZone::UTC.to_timestamp(local).ok()?;
    Some(at.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: Kind, given: Given<'_>) -> Result<KeyPart, String> {
        let name = "id".to_owned();
        let read = KeyReader { name, kind }.part(given);
        read.map_err(|error| error.to_string())
    }

    fn text(kind: KeyKind, text: &str) -> Result<KeyPart, String> {
        read(Kind::Of(kind), Given::Text(text.into()))
    }

    #[test]
    fn each_type_is_read_as_psql_and_as_json_write_it() {
        let id =
            KeyPart::Uuid(*b"\xa0\xee\xbc\x99\x9c\x0b\x4e\xf8\xbb\x6d\x6b\xb9\xbd\x38\x0a\x11");
        for (kind, given, part) in [
            (KeyKind::Int, "-7", KeyPart::Int(-7)),
            (
                KeyKind::Uuid,
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
                id.clone(),
            ),
            (KeyKind::Uuid, "A0EEBC999C0B4EF8BB6D6BB9BD380A11", id),
            (
                KeyKind::Text,
                "Zo\u{eb} ",
                KeyPart::Text("Zo\u{eb} ".to_owned()),
            ),
            (KeyKind::Numeric, "1.50", KeyPart::Numeric("1.5".to_owned())),
            (
                KeyKind::Date,
                "2024-02-29",
                KeyPart::Date("2024-02-29".to_owned()),
            ),
            (
                KeyKind::Timestamp,
                "2024-02-29 13:01:02.5+00",
                KeyPart::Timestamp(1_709_211_662_500_000),
            ),
            (
                KeyKind::Timestamp,
                "2024-02-29 15:01:02.5+02",
                KeyPart::Timestamp(1_709_211_662_500_000),
            ),
            (
                KeyKind::Timestamp,
                "2024-02-29T18:31:02.5+05:30",
                KeyPart::Timestamp(1_709_211_662_500_000),
            ),
            (
                KeyKind::Timestamp,
                "1969-12-31 23:59:59.999999",
                KeyPart::Timestamp(-1),
            ),
            (
                KeyKind::Timestamp,
                "1969-12-31T23:59:59.999999",
                KeyPart::Timestamp(-1),
            ),
            (KeyKind::Bytes, "\\x00ff", KeyPart::Bytes(vec![0, 0xff])),
            (KeyKind::Bytes, "\\x", KeyPart::Bytes(Vec::new())),
            (KeyKind::Bool, "t", KeyPart::Bool(true)),
            (KeyKind::Bool, "false", KeyPart::Bool(false)),
        ] {
            assert!(text(kind, given).as_ref() == Ok(&part), "{given}");
        }
        assert!(read(Kind::Padded, Given::Text("ab  ".into())) == Ok("ab".into()));
        assert!(read(Kind::Of(KeyKind::Int), Given::Number("42")) == Ok(42.into()));
    }

    #[test]
    fn what_is_not_of_the_type_is_refused_by_its_column_alone() {
        for (kind, given) in [
            (KeyKind::Int, "123-45"),
            (KeyKind::Int, "1.0"),
            (KeyKind::Uuid, "123"),
            (KeyKind::Timestamp, "123"),
            (KeyKind::Timestamp, "2024-02-29 13:01:02+123"),
            (KeyKind::Timestamp, "infinity"),
            (KeyKind::Bytes, "123"),
            (KeyKind::Bytes, "\\x123"),
            (KeyKind::Bool, "123"),
        ] {
            let refused = text(kind, given).unwrap_err();
            assert!(refused.starts_with("id is "), "{refused}");
            assert!(!refused.contains("123"), "{refused}");
        }
        assert_eq!(read(Kind::Padded, Given::Null).unwrap_err(), "id is NULL");
        assert!(read(Kind::Padded, Given::Nested("[123]")).is_err());
    }

    #[test]
    fn in_sqlite_the_class_of_the_columns_values_decides() {
        let class = |class: &str, given: Given<'_>| read(Kind::Class(class.to_owned()), given);
        assert!(class("integer", Given::Text("1".into())) == Ok(KeyPart::Int(1)));
        assert!(class("text", Given::Text("1".into())) == Ok("1".into()));
        assert!(class("blob", Given::Text("\\x01".into())) == Ok(vec![1_u8].into()));
        assert!(class("", Given::Number("1")) == Ok(KeyPart::Int(1)));
        assert!(class("", Given::Text("1".into())) == Ok("1".into()));
        let facts = |base_type: &str, classes: &[&str]| ColumnFacts {
            base_type: base_type.to_owned(),
            storage_classes: classes.iter().map(|class| (*class).to_owned()).collect(),
            ..ColumnFacts::default()
        };
        assert_eq!(super::class(Some(&facts("text", &["integer"]))), "integer");
        assert_eq!(super::class(Some(&facts("bigint", &[]))), "integer");
        assert_eq!(super::class(Some(&facts("", &["integer", "text"]))), "");
    }
}
