//! Normalisers: they decide which spellings of a value are equal in a blind index.
//! Always holds: a normaliser does not depend on a language, since each step is a Unicode property
//! or algorithm.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::words::word_enum;

word_enum! {
    /// How a value is changed to a common form before it is indexed.
    Normaliser else UnknownNormaliser {
        /// The text unchanged.
        Exact = "exact",
        /// Strips characters of the property White_Space at both ends.
        Trim = "trim",
        /// NFKC, full uppercase mapping without locale, NFKC, trim.
        Caseless = "caseless",
        /// Caseless, then keeps only characters of General_Category L, M and N.
        Alnum = "alnum",
        /// NFKC, then keeps only 0-9.
        Digits = "digits",
    }
}

impl Normaliser {
    /// The normalised text, wiped on drop.
    pub(super) fn normalise(self, value: &str) -> Zeroizing<String> {
        Zeroizing::new(match self {
            Self::Exact => value.to_owned(),
            Self::Trim => trim(value).to_owned(),
            Self::Caseless => trim(&caseless(value)).to_owned(),
            // No trim is needed: no category that is kept here holds white space.
            Self::Alnum => return kept(&caseless(value), is_letter_mark_or_number),
            Self::Digits => return kept(&nfkc(value), |c| c.is_ascii_digit()),
        })
    }
}

/// A text that is not the name of a normaliser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a normaliser: expected exact, trim, caseless, alnum or digits")]
pub struct UnknownNormaliser;

/// Strips white space at both ends. Rust's `is_whitespace` is the property White_Space: it holds
/// for U+0085, but not for U+001C.
fn trim(text: &str) -> &str {
    text.trim_matches(char::is_whitespace)
}

/// NFKC, full uppercase, and NFKC again, since the uppercase mapping can undo NFKC.
fn caseless(text: &str) -> Zeroizing<String> {
    if text.is_ascii() {
        return Zeroizing::new(text.to_ascii_uppercase());
    }
    let text = nfkc(text);
    let upper = text.chars().flat_map(char::to_uppercase);
    nfkc(&collected(upper, text.len()))
}

fn nfkc(text: &str) -> Zeroizing<String> {
    if text.is_ascii() {
        return Zeroizing::new(text.to_owned());
    }
    collected(text.nfkc(), text.len())
}

fn kept(text: &str, keeps: fn(char) -> bool) -> Zeroizing<String> {
    collected(text.chars().filter(|c| keeps(*c)), text.len())
}

/// Collects the characters in a buffer of `bytes` bytes at first. A full buffer is copied into a
/// larger one and wiped, since a `String` that grows by itself frees its old buffer unwiped.
fn collected(chars: impl Iterator<Item = char>, bytes: usize) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes));
    for c in chars {
        if text.capacity() - text.len() < c.len_utf8() {
            let mut larger = Zeroizing::new(String::with_capacity(2 * text.capacity() + 4));
            larger.push_str(&text);
            text = larger;
        }
        text.push(c);
    }
    text
}

fn is_letter_mark_or_number(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric();
    }
    use GeneralCategory as G;
    matches!(
        get_general_category(c),
        G::UppercaseLetter
            | G::LowercaseLetter
            | G::TitlecaseLetter
            | G::ModifierLetter
            | G::OtherLetter
            | G::NonspacingMark
            | G::SpacingMark
            | G::EnclosingMark
            | G::DecimalNumber
            | G::LetterNumber
            | G::OtherNumber
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_others_are_refused() {
        for normaliser in Normaliser::ALL {
            assert_eq!(normaliser.to_string().parse(), Ok(normaliser));
        }
        assert_eq!("Digits".parse::<Normaliser>(), Err(UnknownNormaliser));
        assert_eq!("lower".parse::<Normaliser>(), Err(UnknownNormaliser));
    }

    #[test]
    fn caseless_normalises_again_after_the_uppercase_mapping() {
        // U+0345 becomes a capital iota, and the precomposed letters of its mapping stay composed.
        assert_eq!(
            *Normaliser::Caseless.normalise("\u{1FB3}"),
            "\u{0391}\u{0399}"
        );
        assert_eq!(
            *Normaliser::Caseless.normalise("\u{01F0}"),
            *Normaliser::Caseless.normalise("J\u{030C}")
        );
    }

    #[test]
    fn caseless_is_idempotent_on_every_character() {
        for c in '\0'..=char::MAX {
            let once = Normaliser::Caseless.normalise(c.encode_utf8(&mut [0; 4]));
            assert_eq!(
                Normaliser::Caseless.normalise(&once),
                once,
                "U+{:04X}",
                c as u32
            );
        }
    }
}
