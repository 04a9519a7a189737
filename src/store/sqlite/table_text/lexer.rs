//! The tokens of SQLite's SQL: words, quoted names in all four styles, strings, signs; comments and
//! blanks are left out.

use std::ops::Range;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store::sqlite) enum Kind {
    /// A keyword, a name without quotes, or a number.
    Word,
    /// A name in quotes, or a string.
    Quoted,
    /// One character of any other kind.
    Sign,
}

/// A token, and where it is.
#[derive(Debug, Clone)]
pub(in crate::store::sqlite) struct Token {
    pub(in crate::store::sqlite) kind: Kind,
    pub(in crate::store::sqlite) place: Range<usize>,
    /// A word in capitals, or a sign; empty if it is quoted.
    word: String,
}

impl Token {
    /// Whether it is this word, in capitals, or this sign.
    pub(in crate::store::sqlite) fn is(&self, word: &str) -> bool {
        self.word == word
    }

    /// Its text.
    pub(in crate::store::sqlite) fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.place.clone()]
    }

    /// Its text without quotes.
    pub(in crate::store::sqlite) fn name(&self, sql: &str) -> String {
        let text = self.text(sql);
        if self.kind != Kind::Quoted {
            return text.to_owned();
        }
        let inner = &text[1..text.len() - 1];
        match &text[..1] {
            "[" => inner.to_owned(),
            quote => inner.replace(&quote.repeat(2), quote),
        }
    }
}

/// The tokens of a text; `None` if a quote is not closed.
pub(in crate::store::sqlite) fn tokens(sql: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let (kind, end) = match first {
            // The same blanks as SQLite's own.
            ' ' | '\t' | '\n' | '\r' | '\x0c' => (None, at + 1),
            '-' if rest.starts_with("--") => {
                let end = rest.find('\n').map_or(sql.len(), |found| at + found + 1);
                (None, end)
            }
            '/' if rest.starts_with("/*") => {
                let end = rest[2..]
                    .find("*/")
                    .map_or(sql.len(), |found| at + found + 4);
                (None, end)
            }
            '\'' | '"' | '`' => (Some(Kind::Quoted), at + quoted(rest, first)?),
            '[' => (Some(Kind::Quoted), at + rest.find(']')? + 1),
            _ if is_word(first) => {
                let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                (Some(Kind::Word), at + length)
            }
            _ => (Some(Kind::Sign), at + first.len_utf8()),
        };
        if let Some(kind) = kind {
            let word = match kind {
                Kind::Quoted => String::new(),
                Kind::Word | Kind::Sign => sql[at..end].to_ascii_uppercase(),
            };
            tokens.push(Token {
                kind,
                place: at..end,
                word,
            });
        }
        at = end;
    }
    Some(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

/// The length of a quoted text, in which a doubled quote is one.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut at = 1;
    loop {
        at += rest[at..].find(quote)? + 1;
        if !rest[at..].starts_with(quote) {
            return Some(at);
        }
        at += 1;
    }
}
