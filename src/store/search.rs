//! The search of a whole database for values under a key: what it goes through, and what it finds.
//! Owns the shapes, and how the text of a value looks in which a sealed one may be. A search reads;
//! it locks nothing that a writer needs.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use super::page::Select;
use crate::crypto::KeyId;

/// What there is to search at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchList {
    /// What can be searched.
    pub places: Vec<SearchPlace>,
    /// What cannot be read in full, and why.
    pub closed: Vec<Unsearchable>,
    /// What nobody but its owner can read, and what ends with its session.
    pub passed_over: Vec<String>,
    /// The version of the data that the list was made at, where the database counts it.
    pub version: Option<i64>,
}

/// One relation, and those of its columns that may hold a sealed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPlace {
    /// What it is called by the store that listed it; never another one's.
    pub id: String,
    /// Its name, as messages show it.
    pub name: String,
    /// The columns.
    pub columns: Vec<SearchColumn>,
}

/// One column, as the store that listed it reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchColumn {
    /// Its name.
    pub name: String,
    /// How a sealed value stands in it.
    pub form: SearchForm,
}

/// How a sealed value stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchForm {
    /// As bytes, of which the first say so.
    Bytes,
    /// As text, of which the first characters say so.
    Text,
    /// The same, of a type of an extension, whose text only its output function makes.
    TextOutput,
    /// Somewhere in the text of the value.
    Within,
    /// By the class of each value (SQLite).
    ByClass,
}

/// A relation that cannot be searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsearchable {
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// Values that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// `public.patients.ssn_sealed`.
    pub place: String,
    /// How many.
    pub values: u64,
}

/// What stands in any text that holds a value under one of these keys: its first bytes in either
/// base64, or as hex digits in either case.
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

/// How a text column begins that holds bytes as hex digits: 14 characters.
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
