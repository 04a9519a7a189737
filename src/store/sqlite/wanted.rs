//! Which rows need work, as SQL conditions.
//! Owns the expressions that the sweep's index and the page statements share.

use super::select::Shape;
use crate::crypto::KeyId;
use crate::crypto::envelope::HEADER_BYTES;
use crate::store::text::joined;
use crate::store::{Result, Select, StoreError};

impl Shape {
    /// The condition for rows that are wanted.
    pub(super) fn wanted(&self, select: &Select) -> Result<String> {
        let mut any = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            match (&field.plain, &field.sealed) {
                (Some(plain), Some(sealed)) => any.push(match select {
                    Select::Unsealed | Select::UnsealedSweep { .. } | Select::UnsealedIndexed => {
                        format!("({plain} IS NOT NULL AND {sealed} IS NULL)")
                    }
                    Select::Any => format!("({plain} IS NOT NULL OR {sealed} IS NOT NULL)"),
                    Select::Plaintext => format!("{plain} IS NOT NULL"),
                    Select::Sealed => format!("{sealed} IS NOT NULL"),
                    Select::SealedUnder { keys } => sealed_under(sealed, field.sealed_text, keys),
                }),
                (None, Some(sealed)) => match select {
                    Select::Unsealed
                    | Select::UnsealedSweep { .. }
                    | Select::UnsealedIndexed
                    | Select::Plaintext => {}
                    Select::Any | Select::Sealed => any.push(format!("{sealed} IS NOT NULL")),
                    Select::SealedUnder { keys } => {
                        any.push(sealed_under(sealed, field.sealed_text, keys));
                    }
                },
                (Some(plain), None) => any.push(in_place_wanted(plain, select)?),
                (None, None) => {}
            }
        }
        Ok(match any.is_empty() {
            true => "0".to_owned(),
            false => format!("({})", any.join(" OR ")),
        })
    }
}

fn in_place_wanted(column: &str, select: &Select) -> Result<String> {
    Ok(match select {
        Select::Unsealed | Select::Any => format!("{column} IS NOT NULL"),
        Select::Plaintext => "0".to_owned(),
        Select::Sealed => looks_sealed(column),
        Select::SealedUnder { keys } => sealed_under(column, true, keys),
        Select::UnsealedIndexed => {
            format!("({column} IS NOT NULL AND NOT {})", looks_sealed(column))
        }
        Select::UnsealedSweep { sealed_prefixes } => {
            // A prefix consists of base64 and a dot; other text might not be safe as a literal.
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if !sealed_prefixes
                .iter()
                .all(|prefix| prefix.bytes().all(plain))
            {
                return Err(StoreError::unexpected(
                    "a prefix of sealed text that is not base64",
                ));
            }
            let prefixes = joined(sealed_prefixes, ", ", |prefix| format!("'{prefix}'"));
            format!(
                "({column} IS NOT NULL AND NOT \
                 (typeof({column}) = 'text' AND substr({column}, 1, 12) IN ({prefixes})))"
            )
        }
    })
}

/// The condition that a value is sealed under one of these keys. A prefix is hex digits or base64,
/// so it needs no bound value, the number of which is limited.
pub(super) fn sealed_under(column: &str, text: bool, keys: &[KeyId]) -> String {
    let (class, length, prefixes) = if text {
        let prefixes: Vec<String> = Select::text_prefixes(keys)
            .map(|prefix| format!("'{prefix}'"))
            .collect();
        ("text", 12, prefixes)
    } else {
        let prefixes: Vec<String> = Select::prefixes(keys)
            .map(|prefix| format!("x'{}'", hex::encode(prefix)))
            .collect();
        ("blob", HEADER_BYTES, prefixes)
    };
    format!(
        "(typeof({column}) = '{class}' AND substr({column}, 1, {length}) COLLATE BINARY IN ({}))",
        prefixes.join(", ")
    )
}

fn looks_sealed(column: &str) -> String {
    format!("(typeof({column}) = 'text' AND substr({column}, 1, 4) = 'ps1.')")
}
