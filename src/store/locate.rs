//! An SQL condition by which a person finds the row of a quarantine entry.
//! Owns the comparison for each kind of key. The condition is printed and run by hand, never by the
//! program. It may contain PHI and is wiped on drop.

use zeroize::Zeroizing;

use super::record::FieldRecord;
use crate::crypto::envelope::named_key;
use crate::crypto::{KeyId, text};
use crate::ident::Ident;
use crate::quote;

/// The ending of a key of type `timestamp` in the list of quarantined rows.
pub const MICROSECONDS: &str = " microseconds since 1970-01-01 UTC";

/// The condition that only the row with this key text satisfies, without the word WHERE. `None` if
/// the text is not a key's (for a key without a fixed form, only the row's place is known).
///
/// `field` is any field of the table; `texts` has one text for each of its key columns.
pub fn condition(field: &FieldRecord, texts: &[String]) -> Option<Zeroizing<String>> {
    if texts.is_empty() || texts.len() != field.key_columns.len() {
        return None;
    }
    let sqlite = field.schema_name.is_empty();
    // Room for the quotes, the casts and every character doubled, since a reallocation would leave
    // a copy in memory.
    let room = |text: &String| 256 + 4 * text.len();
    let mut out = Zeroizing::new(String::with_capacity(texts.iter().map(room).sum()));
    for (at, (column, text)) in field.key_columns.iter().zip(texts).enumerate() {
        let column = Ident::new(column.as_str()).ok()?.quoted();
        let kind = field.key_types.get(at).map_or("", String::as_str);
        let part = Zeroizing::new(if sqlite {
            by_class(&column, text)
        } else {
            by_type(&column, kind, text)
        });
        if at > 0 {
            out.push_str(" AND ");
        }
        out.push_str(&part);
    }
    Some(out)
}

/// PostgreSQL reads the literal as a value of the column's type.
fn by_type(column: &str, kind: &str, text: &str) -> String {
    match text.strip_suffix(MICROSECONDS) {
        Some(micros) if kind == "z" => format!("extract(epoch FROM {column}) * 1000000 = {micros}"),
        _ => format!("{column} = {}", quote::literal(text).trim_start()),
    }
}

/// SQLite compares by storage class, which the text does not show.
fn by_class(column: &str, text: &str) -> String {
    let as_text = format!("CAST({column} AS TEXT) = {}", quote::sqlite_literal(text));
    match text
        .strip_prefix("\\x")
        .filter(|digits| hex::decode(digits).is_ok())
    {
        Some(digits) => format!("({column} = X'{digits}' OR {as_text})"),
        None => as_text,
    }
}

/// The key that the first bytes of a sealed value name, given as six bytes in hex digits or as the
/// twelve characters that a text form begins with. `None` if they name no key.
pub(super) fn key_id_of_prefix(prefix: &str) -> Option<KeyId> {
    if prefix.starts_with(text::PREFIX) {
        text::named_key(prefix)
    } else {
        named_key(&hex::decode(prefix).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{FieldState, Select};

    #[test]
    fn a_prefix_of_either_form_names_its_key_and_nothing_else_does() {
        for id in [1, 7, 33, i64::from(i32::MAX)] {
            let key_id = KeyId::new(id).unwrap();
            let keys = [key_id];
            let binary = Select::prefixes(&keys).map(hex::encode);
            for prefix in binary.chain(Select::text_prefixes(&keys)) {
                assert_eq!(key_id_of_prefix(&prefix), Some(key_id), "{prefix}");
            }
        }
        for other in [
            "",
            "e701",
            "e70100000000",
            "e70300000007",
            "ps1.",
            "ps1.5wEAAAA",
            "ps1.5wMAAAAH",
            "zz",
        ] {
            assert_eq!(key_id_of_prefix(other), None, "{other}");
        }
    }

    fn field(schema: &str, keys: &[(&str, &str)]) -> FieldRecord {
        FieldRecord {
            table_label: "public.patients".to_owned(),
            column_label: "ssn".to_owned(),
            schema_name: schema.to_owned(),
            table_name: "patients".to_owned(),
            column_name: "ssn".to_owned(),
            sealed_column: Some("ssn_sealed".to_owned()),
            blind_index_column: None,
            blind_index_normaliser: None,
            blind_index_bits: None,
            blind_index_next: None,
            blind_index_key_id: None,
            tenant_column: None,
            key_columns: keys.iter().map(|(name, _)| (*name).to_owned()).collect(),
            key_types: keys.iter().map(|(_, kind)| (*kind).to_owned()).collect(),
            source_type: "text".to_owned(),
            in_place: false,
            pad_to: 0,
            state: FieldState::Sealed,
            frozen: false,
            plaintext_definition: "{}".to_owned(),
            values_sealed: 0,
            place: crate::store::Whereabouts::default(),
        }
    }

    fn of(field: &FieldRecord, texts: &[&str]) -> Option<String> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        condition(field, &texts).map(|condition| condition.to_string())
    }

    #[test]
    fn every_key_column_is_compared_and_quotes_are_doubled() {
        let two = field("public", &[("id", "i"), ("We\"ird", "t")]);
        assert_eq!(
            of(&two, &["42", "O'Neil"]).unwrap(),
            r#""id" = '42' AND "We""ird" = 'O''Neil'"#
        );
    }

    #[test]
    fn a_time_is_compared_by_its_microseconds() {
        let key = field("public", &[("at", "z")]);
        assert_eq!(
            of(&key, &["17 microseconds since 1970-01-01 UTC"]).unwrap(),
            r#"extract(epoch FROM "at") * 1000000 = 17"#
        );
    }

    #[test]
    fn in_sqlite_bytes_are_met_in_either_class() {
        let key = field("", &[("id", "*")]);
        assert_eq!(of(&key, &["7"]).unwrap(), r#"CAST("id" AS TEXT) = '7'"#);
        assert_eq!(
            of(&key, &["\\xff00"]).unwrap(),
            r#"("id" = X'ff00' OR CAST("id" AS TEXT) = '\xff00')"#
        );
    }

    #[test]
    fn a_text_that_is_not_the_key_gives_no_condition() {
        let two = field("public", &[("id", "i"), ("part", "i")]);
        assert_eq!(of(&two, &["row at (0,1)"]), None);
        assert_eq!(of(&field("public", &[]), &[]), None);
    }
}
