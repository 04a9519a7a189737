//! A row as a JSON object on one line.
//! Members that are not worked on keep their text and their order: a number of any length stays what it is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::error::{ValuesError, not_a_row};
use super::row::{Cell, Given, MARK, Row};

/// The members of an object, in their order.
pub struct JsonRow<'a> {
    members: Vec<(String, &'a RawValue)>,
}

/// Reads a line.
///
/// # Errors
/// It is not an object, or has a member twice.
pub fn read(line: &[u8]) -> Result<JsonRow<'_>, ValuesError> {
    let row: JsonRow<'_> =
        serde_json::from_slice(line).map_err(|_| not_a_row("it is not a JSON object"))?;
    let mut names: Vec<&str> = row.members.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(not_a_row(format!("it has the member {} twice", pair[0]))),
        None => Ok(row),
    }
}

impl<'de> Deserialize<'de> for JsonRow<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = JsonRow<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(JsonRow { members })
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Row for JsonRow<'_> {
    fn get(&self, column: &str) -> Result<Option<Given<'_>>, ValuesError> {
        let Some((_, value)) = self.members.iter().find(|(name, _)| name == column) else {
            return Ok(None);
        };
        let raw = value.get();
        Ok(Some(match raw.as_bytes().first() {
            Some(b'n') => Given::Null,
            Some(b't' | b'f') => Given::Text(raw.into()),
            Some(b'"') => {
                let text: String = serde_json::from_str(raw)
                    .map_err(|_| not_a_row(format!("its member {column} is not a text")))?;
                Given::Text(Cow::Owned(text))
            }
            Some(b'{' | b'[') => Given::Nested(raw),
            _ => Given::Number(raw),
        }))
    }

    fn write(&self, source: &str, results: &[Cell], failed: Option<&str>, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        for (name, value) in &self.members {
            if name == source {
                results.iter().for_each(|cell| object.cell(cell));
            } else if name != MARK && !results.iter().any(|(result, _)| result == name) {
                object.member(name, value.get());
            }
        }
        if let Some(code) = failed {
            object.text(MARK, code);
        }
        object.end();
    }
}

/// Appends an object of texts, with its end of line.
pub fn write_object(cells: &[Cell], out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    cells.iter().for_each(|cell| object.cell(cell));
    object.end();
}

/// Appends the object of a line that is no row.
pub fn write_mark(code: &str, out: &mut Vec<u8>) {
    let mut object = Object::begin(out);
    object.text(MARK, code);
    object.end();
}

/// An object that is being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    members: usize,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, members: 0 }
    }

    fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn cell(&mut self, (name, value): &Cell) {
        match value {
            Some(text) => self.text(name, text),
            None => self.member(name, "null"),
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        push_string(text, self.out);
    }

    fn member(&mut self, name: &str, raw: &str) {
        self.name(name);
        self.out.extend_from_slice(raw.as_bytes());
    }

    fn name(&mut self, name: &str) {
        if self.members > 0 {
            self.out.push(b',');
        }
        self.members += 1;
        push_string(name, self.out);
        self.out.push(b':');
    }
}

fn push_string(text: &str, out: &mut Vec<u8>) {
    // Writing a string into a vector cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn written(line: &str, results: &[Cell], failed: Option<&str>) -> String {
        let mut out = Vec::new();
        read(line.as_bytes())
            .unwrap()
            .write("ssn_sealed", results, failed, &mut out);
        String::from_utf8(out).unwrap()
    }

    fn cell(name: &str, text: Option<&str>) -> Cell {
        (
            name.to_owned(),
            text.map(|text| Zeroizing::new(text.to_owned())),
        )
    }

    #[test]
    fn the_other_members_keep_their_text_and_order() {
        let line = r#"{"z":1.500, "id":12345678901234567890123,"ssn_sealed":"x","a":{"b": [1]},"ssn":"old"}"#;
        assert_eq!(
            written(line, &[cell("ssn", Some("a\"b\n"))], None),
            "{\"z\":1.500,\"id\":12345678901234567890123,\"ssn\":\"a\\\"b\\n\",\"a\":{\"b\": [1]}}\n"
        );
        let marked = written(
            r#"{"ssn_sealed":1,"phiseal_error":"E1"}"#,
            &[cell("ssn", None)],
            Some("E0323"),
        );
        assert_eq!(marked, "{\"ssn\":null,\"phiseal_error\":\"E0323\"}\n");
    }

    #[test]
    fn a_member_is_what_it_is_written_as() {
        let row = read(br#"{"a":null,"b":"\u00e9\n","c":1.50,"d":true,"e":[1]}"#).unwrap();
        let get = |name: &str| row.get(name).unwrap();
        assert!(get("a") == Some(Given::Null));
        assert!(get("b") == Some(Given::Text("\u{e9}\n".into())));
        assert!(get("c") == Some(Given::Number("1.50")));
        assert!(get("d") == Some(Given::Text("true".into())));
        assert!(get("e") == Some(Given::Nested("[1]")));
        assert!(get("f").is_none());
    }

    #[test]
    fn what_is_no_object_is_refused_and_not_repeated() {
        for line in [
            "",
            "[1]",
            "{\"a\":1",
            "{\"a\":1}{\"b\":2}",
            "{\"a\":1,\"a\":2}",
            "{a:1}",
            "123-45-6789",
        ] {
            let Err(refused) = read(line.as_bytes()) else {
                panic!("{line} was read");
            };
            assert!(!refused.to_string().contains("123"), "{refused}");
        }
    }
}
