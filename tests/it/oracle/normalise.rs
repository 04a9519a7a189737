//! The five normalisers of blind indexes.

use unicode_general_category::{GeneralCategory as G, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// A value as it is indexed.
pub fn normalise(normaliser: &str, value: &str) -> String {
    match normaliser {
        "exact" => value.to_owned(),
        "trim" => trim(value),
        "caseless" => caseless(value),
        "alnum" => caseless(value).chars().filter(|c| is_alnum(*c)).collect(),
        "digits" => value.nfkc().filter(char::is_ascii_digit).collect(),
        other => panic!("no normaliser {other}"),
    }
}

// `char::is_whitespace` is the Unicode property White_Space.
fn trim(value: &str) -> String {
    value.trim_matches(char::is_whitespace).to_owned()
}

fn caseless(value: &str) -> String {
    let upper = value.nfkc().collect::<String>().to_uppercase();
    trim(&upper.nfkc().collect::<String>())
}

fn is_alnum(c: char) -> bool {
    use G::*;
    let letter = [
        UppercaseLetter,
        LowercaseLetter,
        TitlecaseLetter,
        ModifierLetter,
        OtherLetter,
    ];
    let mark = [NonspacingMark, SpacingMark, EnclosingMark];
    let number = [DecimalNumber, LetterNumber, OtherNumber];
    let category = get_general_category(c);
    letter.contains(&category) || mark.contains(&category) || number.contains(&category)
}
