//! Makes text from outside the program safe to show: names in catalogs, reasons, tenants, file
//! names.
//! Owns which characters a terminal may act on or a reader cannot see, and how they are escaped.
//! Does not know where the text goes. The result holds no control or format character, so that it
//! can neither control a terminal nor imitate a line.

use std::borrow::Cow;
use std::fmt::{self, Write};

use unicode_general_category::{GeneralCategory, get_general_category};

/// A text from outside, shown within one of ours. Control characters (C0, DEL, C1), line and
/// paragraph separators, and format characters (bidirectional controls, zero-width ones) are
/// escaped as `\n`, `\u{1b}` and so on; all others stay.
///
/// ```
/// use phiseal::foreign::Foreign;
/// assert_eq!(Foreign("a\u{1b}]0;owned\u{7}\nb").to_string(), r"a\u{1b}]0;owned\u{7}\nb");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Foreign<'a>(pub &'a str);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if acts(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// As [`Foreign`], for a whole text of ours that consists of lines: `\n` stays.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| c != '\n' && acts(c),
        |c, out| out.extend(c.escape_default()),
    )
}

/// As [`Foreign`], for finished JSON: the characters become `\uXXXX`, which a parser reads back as
/// the same value. They can occur only within its strings.
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |c| c != '\n' && acts(c),
        |c, out| {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        },
    )
}

/// Whether a terminal would act on a text for programs, such as SQL: whether it holds a character
/// that [`Foreign`] escapes, other than line breaks and tabs.
pub fn acts_on_a_terminal(text: &str) -> bool {
    text.chars().any(|c| !matches!(c, '\n' | '\t') && acts(c))
}

fn escaped(
    text: &str,
    matches: impl Fn(char) -> bool,
    escape: impl Fn(char, &mut String),
) -> Cow<'_, str> {
    if !text.chars().any(&matches) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if matches(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal may act on the character, or a reader cannot see it.
fn acts(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    matches!(
        get_general_category(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_acts_on_a_terminal_or_cannot_be_seen_is_written_out() {
        for (text, shown) in [
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("a\nb\r\tc\u{8}\u{7f}\0", r"a\nb\r\tc\u{8}\u{7f}\u{0}"),
            ("\u{9b}31m\u{9d}", r"\u{9b}31m\u{9d}"),
            (
                "\u{202e}\u{2066}\u{200f}\u{61c}",
                r"\u{202e}\u{2066}\u{200f}\u{61c}",
            ),
            (
                "\u{200b}\u{2060}\u{feff}\u{ad}",
                r"\u{200b}\u{2060}\u{feff}\u{ad}",
            ),
            ("\u{2028}\u{2029}\u{85}", r"\u{2028}\u{2029}\u{85}"),
            ("\u{e0041}", r"\u{e0041}"),
        ] {
            assert_eq!(Foreign(text).to_string(), shown);
        }
    }

    #[test]
    fn what_a_reader_sees_stays_as_it_is() {
        for text in [
            "",
            "public.\"Patients\"",
            "Zürich",
            "患者 مريض",
            "a\\b",
            "😀",
        ] {
            assert_eq!(Foreign(text).to_string(), text);
            assert!(matches!(lines(text), Cow::Borrowed(_)));
        }
        assert_eq!(lines("a\n  b\r"), "a\n  b\\r");
    }

    #[test]
    fn escaped_json_is_equal_json() {
        let value = serde_json::json!({ "a\u{9b}": "\u{202e}\u{1b}\u{7f}\n\u{e0041}" });
        let text = value.to_string();
        let safe = json(&text);
        assert!(!acts_on_a_terminal(&safe));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&safe).unwrap(),
            value
        );
    }

    #[test]
    fn only_line_breaks_and_tabs_leave_a_terminal_alone() {
        assert!(!acts_on_a_terminal("SELECT\n\t1;"));
        assert!(acts_on_a_terminal("SELECT\r"));
        assert!(acts_on_a_terminal("\"a\u{1b}\""));
    }
}
