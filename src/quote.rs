//! Quotes names and texts for SQL statements.
//! Owns the quoting of identifiers, literals and bodies. All code that builds SQL calls these
//! functions and quotes nothing itself; a test searches the sources for violations.
//! Always holds: the server reads the quoted text back as exactly the same text, whether
//! `standard_conforming_strings` is on or off, and nothing in the text ends its quote.

/// The tag of a dollar quote, before it is lengthened.
const TAG: &str = "phiseal";

/// A name as an identifier, for PostgreSQL and SQLite: `"a""b"`.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a string literal of PostgreSQL. If it holds a backslash it becomes an escape string
/// (`E'…'`), which means the same under either setting of `standard_conforming_strings` (PostgreSQL
/// documentation, "String Constants with C-Style Escapes"). The text must hold no NUL; text from a
/// server never does.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        // The space separates the letter from a word before it, as in `quote_literal`.
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A text as a string literal of SQLite, where a backslash is a character like any other.
pub fn sqlite_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Texts as the text of an array of PostgreSQL: `{"a","b\\"c"}`. To stand in a statement it becomes a
/// [`literal`].
pub fn array(texts: &[String]) -> String {
    let quoted = texts.iter().map(|text| {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"")
    });
    format!("{{{}}}", quoted.collect::<Vec<_>>().join(","))
}

/// The body of a function or of a `DO` block, in a dollar quote with a tag that does not occur in
/// it.
pub fn body(text: &str) -> String {
    let mut tag = TAG.to_owned();
    // Searched without the last dollar, since the closing tag's dollar may follow the end of the
    // body.
    while text.contains(&format!("${tag}")) {
        tag.push('_');
    }
    format!("${tag}${text}${tag}$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_name_is_doubled() {
        assert_eq!(identifier("a\"; DROP"), "\"a\"\"; DROP\"");
    }

    #[test]
    fn a_backslash_makes_an_escape_string() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\'b\n"), " E'a\\\\''b\n'");
        assert_eq!(sqlite_literal("a\\'b"), "'a\\''b'");
    }

    #[test]
    fn an_array_is_read_back_as_its_texts() {
        let texts = ["a", "b,\"c\\", ""].map(str::to_owned);
        assert_eq!(array(&texts), r#"{"a","b,\"c\\",""}"#);
        assert_eq!(array(&[]), "{}");
    }

    #[test]
    fn nothing_in_a_body_ends_its_quote() {
        assert_eq!(body("BEGIN END"), "$phiseal$BEGIN END$phiseal$");
        for text in ["x $phiseal$ y", "x $phiseal", "$phiseal_$phiseal$"] {
            let quoted = body(text);
            let tag = &quoted[..quoted[1..].find('$').unwrap() + 2];
            assert_eq!(quoted.matches(tag).count(), 2, "{quoted}");
            assert_eq!(quoted, format!("{tag}{text}{tag}"));
        }
    }
}
