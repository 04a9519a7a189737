//! SQL identifiers as the catalog holds them.
//! Owns their limits, how plan text names them, and their form in SQL and in labels. Does not know
//! which tables or columns exist.
//! Always holds: 1 to 63 bytes and no NUL, so that no server truncates a name.

use std::fmt;
use std::str::FromStr;

use crate::quote;

/// The longest identifier, in bytes. PostgreSQL silently truncates longer ones.
pub const IDENT_BYTES_MAX: usize = 63;

/// One SQL identifier, exactly as the catalog spells it.
///
/// [`Ident::new`] takes a name from the catalog unchanged. Parsing (`FromStr`) reads plan text as
/// PostgreSQL reads SQL: without quotes, ASCII letters become lower case; in double quotes the name
/// stays unchanged, and `""` is one quote.
///
/// ```
/// use phiseal::ident::Ident;
/// let folded: Ident = "FirstName".parse()?;
/// let kept: Ident = "\"FirstName\"".parse()?;
/// assert_eq!(folded.as_str(), "firstname");
/// assert_eq!(kept.as_str(), "FirstName");
/// # Ok::<(), phiseal::ident::IdentError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(String);

/// Why a text is not the name of an identifier or table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentError {
    /// The text, a pair of quotes, or one side of a dot is empty.
    #[error("a name must not be empty")]
    Empty,
    /// More than [`IDENT_BYTES_MAX`] bytes.
    #[error("a name must not be longer than 63 bytes")]
    TooLong,
    /// The name holds a NUL byte.
    #[error("a name must not hold a NUL character")]
    Nul,
    /// The name holds a character that SQL allows only in quotes.
    #[error("a name of other than letters, digits, '_' and '$' must stand in double quotes")]
    NeedsQuotes,
    /// A quote is opened and not closed.
    #[error("a quoted name must end with a double quote")]
    Unclosed,
    /// There are too many parts, or text after the last one.
    #[error("a name has too many parts, or text after its end")]
    Trailing,
}

impl Ident {
    /// Takes `name` as the catalog spells it: does not fold it or remove quotes.
    ///
    /// # Errors
    /// If it is empty, longer than 63 bytes, or holds a NUL.
    pub fn new(name: impl Into<String>) -> Result<Self, IdentError> {
        let name = name.into();
        if name.is_empty() {
            Err(IdentError::Empty)
        } else if name.contains('\0') {
            Err(IdentError::Nul)
        } else if name.len() > IDENT_BYTES_MAX {
            Err(IdentError::TooLong)
        } else {
            Ok(Self(name))
        }
    }

    /// This name with `suffix` at its end. The name is shortened if the result would be too long.
    ///
    /// # Errors
    /// If `suffix` alone is not a valid identifier.
    pub fn with_suffix(&self, suffix: &str) -> Result<Self, IdentError> {
        let room = IDENT_BYTES_MAX.saturating_sub(suffix.len());
        let front = &self.0[..self.0.floor_char_boundary(room)];
        Self::new(format!("{front}{suffix}"))
    }

    /// The name as the catalog spells it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name for SQL text: always in double quotes, with quotes inside doubled. Every identifier
    /// in an SQL statement goes through this function.
    pub fn quoted(&self) -> String {
        quote::identifier(&self.0)
    }

    /// The name for labels and messages: in quotes only if it does not match `[a-z_][a-z0-9_]*`.
    /// Parsing it gives the same identifier. Reserved words are not quoted, since their list grows
    /// with the server's version and a label must not change.
    pub fn label(&self) -> String {
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let bare =
            self.0.starts_with(plain) && self.0.chars().all(|c| plain(c) || c.is_ascii_digit());
        if bare { self.0.clone() } else { self.quoted() }
    }
}

impl FromStr for Ident {
    type Err = IdentError;

    fn from_str(text: &str) -> Result<Self, IdentError> {
        match part(text)? {
            (ident, "") => Ok(ident),
            _ => Err(IdentError::Trailing),
        }
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// The name of a table, with or without its schema.
///
/// Parsed from `public.patients`, `"a.b".c` or `patients`; [`Ident`] parses each part. Without a
/// schema, the store decides where to look.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName {
    /// The schema; `None` in SQLite, and if the plan omits it.
    pub schema: Option<Ident>,
    /// The name of the table itself.
    pub name: Ident,
}

impl TableName {
    /// The name for SQL text, with every part quoted.
    pub fn quoted(&self) -> String {
        self.joined(Ident::quoted)
    }

    /// The name for labels and messages, with quotes only around parts that need them.
    pub fn label(&self) -> String {
        self.joined(Ident::label)
    }

    fn joined(&self, form: fn(&Ident) -> String) -> String {
        match &self.schema {
            Some(schema) => format!("{}.{}", form(schema), form(&self.name)),
            None => form(&self.name),
        }
    }
}

impl FromStr for TableName {
    type Err = IdentError;

    fn from_str(text: &str) -> Result<Self, IdentError> {
        let (first, rest) = part(text)?;
        match rest.strip_prefix('.') {
            Some(rest) => Ok(Self {
                schema: Some(first),
                name: rest.parse()?,
            }),
            None if rest.is_empty() => Ok(Self {
                schema: None,
                name: first,
            }),
            None => Err(IdentError::Trailing),
        }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.label())
    }
}

/// Parses one part at the beginning of plan text, and returns the rest.
fn part(text: &str) -> Result<(Ident, &str), IdentError> {
    match text.strip_prefix('"') {
        Some(body) => quoted_part(body),
        None => {
            let (name, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
            let starts_well = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
            let goes_on_well = name
                .chars()
                .all(|c| c.is_alphanumeric() || c == '_' || c == '$');
            if name.is_empty() {
                return Err(IdentError::Empty);
            }
            if !(starts_well && goes_on_well) {
                return Err(IdentError::NeedsQuotes);
            }
            // Only ASCII letters, as PostgreSQL does in UTF-8 databases.
            Ok((Ident::new(name.to_ascii_lowercase())?, rest))
        }
    }
}

fn quoted_part(body: &str) -> Result<(Ident, &str), IdentError> {
    let mut name = String::new();
    let mut rest = body;
    loop {
        let (before, after) = rest.split_once('"').ok_or(IdentError::Unclosed)?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Ok((Ident::new(name)?, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(text: &str) -> Result<TableName, IdentError> {
        text.parse()
    }

    #[test]
    fn unquoted_parts_fold_to_lower_case_and_quoted_parts_stay() {
        let name = table("Public.\"Patients\"").unwrap();
        assert_eq!(name.quoted(), "\"public\".\"Patients\"");
        assert_eq!(name.label(), "public.\"Patients\"");
        assert_eq!(table("patients").unwrap().schema, None);
        assert_eq!(table("\"a.b\".c").unwrap().label(), "\"a.b\".c");
    }

    #[test]
    fn quotes_within_a_name_are_doubled_in_sql() {
        let ident: Ident = "\"a\"\"; drop\"".parse().unwrap();
        assert_eq!(ident.as_str(), "a\"; drop");
        assert_eq!(ident.quoted(), "\"a\"\"; drop\"");
    }

    #[test]
    fn labels_quote_only_where_sql_needs_it() {
        for (name, label) in [
            ("ssn", "ssn"),
            ("_a1", "_a1"),
            ("1a", "\"1a\""),
            ("Ssn", "\"Ssn\""),
            ("a$b", "\"a$b\""),
            ("select", "select"),
            ("\u{e9}", "\"\u{e9}\""),
        ] {
            assert_eq!(Ident::new(name).unwrap().label(), label);
        }
    }

    #[test]
    fn each_malformed_name_is_refused_with_its_reason() {
        let long = "a".repeat(64);
        for (text, reason) in [
            ("", IdentError::Empty),
            ("\"\"", IdentError::Empty),
            ("a.", IdentError::Empty),
            (".a", IdentError::Empty),
            (long.as_str(), IdentError::TooLong),
            ("\"a\0b\"", IdentError::Nul),
            ("last name", IdentError::NeedsQuotes),
            ("1st", IdentError::NeedsQuotes),
            (" a", IdentError::NeedsQuotes),
            ("a\"b", IdentError::NeedsQuotes),
            ("\"a", IdentError::Unclosed),
            ("\"a\"\"", IdentError::Unclosed),
            ("\"a\"b", IdentError::Trailing),
            ("a.b.c", IdentError::Trailing),
        ] {
            assert_eq!(table(text), Err(reason), "{text}");
        }
        assert_eq!("a.b".parse::<Ident>(), Err(IdentError::Trailing));
        assert!(Ident::new("a".repeat(63)).is_ok());
    }

    proptest! {
        #[test]
        fn a_label_and_the_sql_form_parse_back_to_the_same_table(
            schema in proptest::option::of("[^\0]{1,15}"),
            name in "[^\0]{1,15}",
        ) {
            let schema = schema.map(|schema| Ident::new(schema).unwrap());
            let name = TableName { schema, name: Ident::new(name).unwrap() };
            prop_assert_eq!(&name.label().parse::<TableName>().unwrap(), &name);
            prop_assert_eq!(&name.quoted().parse::<TableName>().unwrap(), &name);
        }

        #[test]
        fn parsing_any_text_never_panics(text in ".{0,80}") {
            prop_assert!(text.parse::<TableName>().map_or(true, |name| !name.label().is_empty()));
        }
    }
}
