//! The search of a whole database for values under a key: what it covers and what it finds.
//! Owns the types, and the byte and text patterns that show a sealed value. A search only reads and
//! takes no lock that blocks a writer.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::page::Select;
use crate::crypto::KeyId;

/// Everything that a search covers at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchList {
    /// The relations that can be searched.
    pub places: Vec<SearchRelation>,
    /// Relations that cannot be read completely, and why.
    pub closed: Vec<Unsearchable>,
    /// Relations that are left out because only their owner can read them and they end with its
    /// session: other sessions' temporary tables.
    pub passed_over: Vec<String>,
    /// The version of the data when the list was made, if the database counts versions.
    pub version: Option<i64>,
}

/// A relation and those of its columns that may hold a sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRelation {
    /// Identifies the relation to the store that listed it, and to no other.
    pub id: String,
    /// The name shown in messages.
    pub name: String,
    /// The columns.
    pub columns: Vec<SearchColumn>,
}

/// A column, and how the store reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchColumn {
    /// Its name.
    pub name: String,
    /// How the column would hold a sealed value.
    pub form: SearchForm,
}

/// How a column would hold a sealed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchForm {
    /// As bytes; the first bytes show it.
    Bytes,
    /// As text; the first characters show it.
    Text,
    /// As text of an extension's type, which only the type's output function makes.
    TextOutput,
    /// Anywhere within the text of a value.
    Within,
    /// According to the storage class of each value (SQLite).
    ByClass,
}

/// A relation that cannot be searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsearchable {
    /// Its name.
    pub name: String,
    /// Why it cannot be searched.
    pub why: String,
}

/// Sealed values that were found in one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// The column, such as `public.patients.ssn_sealed`.
    pub place: String,
    /// The number of values.
    pub values: u64,
}

/// The strings of which one occurs in any text that contains a value under one of these keys: its
/// first bytes in either base64 alphabet, or as hex digits in either case.
pub(crate) fn needles(keys: &[KeyId]) -> Vec<String> {
    let mut needles: Vec<String> = Select::prefixes(keys)
        .flat_map(|first| {
            let digits = hex::encode(first);
            [
                URL_SAFE_NO_PAD.encode(first),
                STANDARD_NO_PAD.encode(first),
                digits.to_uppercase(),
                digits,
            ]
        })
        .collect();
    needles.sort();
    needles.dedup();
    needles
}

/// How a text begins that is bytes under one of these keys written as hex digits: `\x` and 12
/// digits.
pub(crate) fn hex_prefixes(keys: &[KeyId]) -> Vec<String> {
    Select::prefixes(keys)
        .map(|first| format!("\\x{}", hex::encode(first)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_needle_stands_in_every_form_of_a_value() {
        let key = KeyId::new(0x0000_fbff).unwrap();
        let needles = needles(&[key]);
        let sealed = [0xe7, 0x01, 0x00, 0x00, 0xfb, 0xff, 9, 9, 9];
        let forms = [
            crate::crypto::text::encode(&sealed),
            STANDARD_NO_PAD.encode(sealed),
            format!("{{\"a\":\"\\\\x{}\"}}", hex::encode(sealed)),
            hex::encode_upper(sealed),
        ];
        for form in forms {
            let found = needles.iter().any(|needle| form.contains(needle));
            assert!(found, "{form}");
        }
        assert_eq!(hex_prefixes(&[key])[0].len(), 14);
    }
}
