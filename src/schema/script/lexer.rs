//! Where the statements of an SQL text begin and end, as PostgreSQL's own client sees it.
//! Owns quotes, dollar quotes, comments (nested ones too), parentheses, the bodies of functions in
//! standard SQL, and what the text itself says of `standard_conforming_strings`. Understands no
//! grammar beyond that.

mod tokens;

use tokens::{comment, dollar_quoted, dollar_tag, is_blank, quoted, starts_a_word, string, word};

/// A statement without its semicolon, and what it is recognised by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schema) struct Statement {
    pub text: String,
    /// Where it begins in its file, counted from 1.
    pub line: usize,
    /// Its words, numbers and punctuation in order, words in capitals, quoted identifiers as they
    /// are written; without strings and comments.
    pub tokens: Vec<Token>,
}

/// A token outside strings and comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schema) struct Token {
    pub text: String,
    /// Byte offsets within the statement.
    pub begin: usize,
    pub end: usize,
}

/// Why a text could not be cut into statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::schema) enum Unreadable {
    #[error("a string, comment or quoted name that begins in line {line} has no end")]
    Unended { line: usize },
    #[error("the function's body that begins in line {line} with BEGIN ATOMIC has no END")]
    UnendedBody { line: usize },
    #[error("line {line} holds a command of psql, which is no SQL")]
    PsqlCommand { line: usize },
    #[error("line {line} copies from standard input, which only psql can")]
    CopiesFromClient { line: usize },
    #[error(
        "line {line} sets standard_conforming_strings in a way that is not followed: write SET \
         standard_conforming_strings = on, or off, as a statement of its own"
    )]
    Strings { line: usize },
}

/// A comment that fills its line, where a statement could end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) struct CommentLine<'t> {
    /// From its first mark to its end, without the line's.
    pub text: &'t str,
    /// Where its line begins, in bytes.
    pub begin: usize,
    /// Counted from 1.
    pub line: usize,
    /// How many statements begin before it.
    pub statements_before: usize,
}

/// What [`comment_lines`] finds.
pub(in crate::schema) struct Comments<'t> {
    pub lines: Vec<CommentLine<'t>>,
    /// How many statements there are, as far as the text can be read.
    pub statements: usize,
    /// The line of the first of them.
    pub first_statement: Option<usize>,
}

/// The statements of `text`, in order; empty ones left out.
pub(in crate::schema) fn statements(text: &str) -> Result<Vec<Statement>, Unreadable> {
    let mut cutter = Cutter::default();
    let mut at = 0;
    while at < text.len() {
        at = cutter.take(text, at)?;
    }
    if let Some(line) = cutter.body_since.filter(|_| cutter.blocks > 0) {
        return Err(Unreadable::UnendedBody { line });
    }
    cutter.end(text, text.len())?;
    Ok(cutter.found)
}

/// The comments that fill their lines, as far as the text can be read. A line that begins with `#`
/// outside of a statement is one too: some tools mark their files so.
pub(in crate::schema) fn comment_lines(text: &str) -> Comments<'_> {
    let mut cutter = Cutter::default();
    let (mut lines, mut count) = (Vec::new(), LineCount::default());
    let mut at = 0;
    while at < text.len() {
        let top = cutter.parentheses == 0 && cutter.blocks == 0;
        let rest = &text[at..];
        let end = if rest.starts_with('#') && cutter.begin.is_none() {
            Some(at + to_line_end(rest))
        } else if rest.starts_with("--") || rest.starts_with("/*") {
            cutter.take(text, at).ok()
        } else {
            None
        };
        if let Some(end) = end {
            let begin = text[..at].rfind(['\n', '\r']).map_or(0, |found| found + 1);
            let before = text[begin..at].trim_start_matches('\u{feff}').trim();
            if top && before.is_empty() && alone(&text[at..end], &text[end..]) {
                lines.push(CommentLine {
                    text: &text[at..end],
                    begin,
                    line: count.line_of(text, at),
                    statements_before: cutter.found.len() + usize::from(cutter.begin.is_some()),
                });
            }
            at = end;
            continue;
        }
        if rest.starts_with('\\') && cutter.begin.is_none() {
            at += to_line_end(rest);
            continue;
        }
        match cutter.take(text, at) {
            Ok(end) => at = end,
            Err(_) => break,
        }
    }
    let _ = cutter.end(text, at.min(text.len()));
    Comments {
        lines,
        statements: cutter.found.len(),
        first_statement: cutter.found.first().map(|statement| statement.line),
    }
}

/// Whether a comment is one line, and nothing follows it there.
fn alone(comment: &str, behind: &str) -> bool {
    let rest = &behind[..to_line_end(behind)];
    !comment.contains(['\n', '\r']) && rest.trim().is_empty()
}

fn to_line_end(rest: &str) -> usize {
    rest.find(['\n', '\r']).unwrap_or(rest.len())
}

#[derive(Default)]
struct Cutter {
    found: Vec<Statement>,
    /// Where the statement begins that is being read: at its first token.
    begin: Option<usize>,
    tokens: Vec<Token>,
    parentheses: usize,
    /// How deep within BEGIN ATOMIC … END, with the CASE … END inside.
    blocks: usize,
    /// The line of the BEGIN ATOMIC.
    body_since: Option<usize>,
    /// `standard_conforming_strings` is off: a backslash escapes in every string.
    escapes: bool,
    lines: LineCount,
}

impl Cutter {
    /// Reads what stands at `at` and returns where it ends.
    fn take(&mut self, text: &str, at: usize) -> Result<usize, Unreadable> {
        let rest = &text[at..];
        // Counted only for an error: whoever counts at each token reads the text as often as it has some.
        let unended = || Unreadable::Unended {
            line: line_of(text, at),
        };
        let first = rest.chars().next().unwrap_or_default();
        if is_blank(first) || (first == '\u{feff}' && at == 0) {
            return Ok(at + first.len_utf8());
        }
        if rest.starts_with("--") {
            return Ok(at + to_line_end(rest));
        }
        if rest.starts_with("/*") {
            return Ok(at + comment(rest).ok_or_else(unended)?);
        }
        if first == '\\' && self.begin.is_none() {
            return psql_command(text, at);
        }
        if first == ';' && self.parentheses == 0 && self.blocks == 0 {
            self.end(text, at)?;
            return Ok(at + 1);
        }
        let begin = *self.begin.get_or_insert(at);
        let end = match first {
            '\'' => at + string(rest, self.escapes).ok_or_else(unended)?,
            'e' | 'E' if rest[1..].starts_with('\'') => {
                at + 1 + string(&rest[1..], true).ok_or_else(unended)?
            }
            '$' if dollar_tag(rest).is_some() => at + dollar_quoted(rest).ok_or_else(unended)?,
            '"' => {
                let end = at + quoted(rest, '"', false).ok_or_else(unended)?;
                self.token(text[at..end].to_owned(), at - begin, end - begin);
                end
            }
            _ if starts_a_word(first) => {
                let end = at + word(rest);
                let upper = text[at..end].to_uppercase();
                if upper == "ATOMIC" && self.blocks == 0 {
                    self.body_since = Some(line_of(text, at));
                }
                self.word(upper, at - begin, end - begin);
                end
            }
            _ => {
                let end = at + first.len_utf8();
                match first {
                    '(' => self.parentheses += 1,
                    ')' => self.parentheses = self.parentheses.saturating_sub(1),
                    _ => {}
                }
                self.token(first.to_string(), at - begin, end - begin);
                end
            }
        };
        Ok(end)
    }

    fn token(&mut self, text: String, begin: usize, end: usize) {
        self.tokens.push(Token { text, begin, end });
    }

    /// `case` and `end` are names behind a dot and behind AS; without CASE, an END that does not
    /// begin a statement is one too.
    fn word(&mut self, text: String, begin: usize, end: usize) {
        let is_name = self.last_is(".") || self.last_is("AS");
        match text.as_str() {
            "ATOMIC" if self.makes_routine() && self.last_is("BEGIN") => self.blocks += 1,
            "CASE" if self.blocks > 0 && !is_name => self.blocks += 1,
            "END" if self.blocks > 1 && !is_name => self.blocks -= 1,
            "END" if self.blocks == 1 && (self.last_is(";") || self.last_is("ATOMIC")) => {
                self.blocks = 0;
            }
            _ => {}
        }
        self.token(text, begin, end);
    }

    fn last_is(&self, word: &str) -> bool {
        self.tokens.last().is_some_and(|token| token.text == word)
    }

    fn makes_routine(&self) -> bool {
        self.tokens.first().is_some_and(|t| t.text == "CREATE")
            && self.tokens[1..]
                .iter()
                .take(3)
                .any(|t| matches!(t.text.as_str(), "FUNCTION" | "PROCEDURE"))
    }

    fn end(&mut self, text: &str, at: usize) -> Result<(), Unreadable> {
        let tokens = std::mem::take(&mut self.tokens);
        self.parentheses = 0;
        self.blocks = 0;
        let Some(begin) = self.begin.take() else {
            return Ok(());
        };
        let statement = Statement {
            text: text[begin..at].trim_end_matches(is_blank).to_owned(),
            line: self.lines.line_of(text, begin),
            tokens,
        };
        // What follows would be data, and no SQL.
        if statement.copies_from_client() {
            let line = statement.line;
            return Err(Unreadable::CopiesFromClient { line });
        }
        self.escapes = statement.escapes_then(self.escapes)?;
        self.found.push(statement);
        Ok(())
    }
}

impl Statement {
    fn is(&self, at: usize, words: &[&str]) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| words.contains(&token.text.as_str()))
    }

    fn copies_from_client(&self) -> bool {
        let from = |pair: &[Token]| pair[0].text == "FROM" && pair[1].text == "STDIN";
        self.is(0, &["COPY"]) && self.tokens.windows(2).any(from)
    }

    /// Whether a backslash escapes in the strings of what follows.
    fn escapes_then(&self, before: bool) -> Result<bool, Unreadable> {
        const SETTING: &str = "standard_conforming_strings";
        let whole = self.text.to_ascii_lowercase();
        if self.is(0, &["RESET"]) && (self.is(1, &["ALL"]) || whole.contains(SETTING))
            || self.is(0, &["DISCARD"]) && self.is(1, &["ALL"])
        {
            return Ok(false);
        }
        let sets = self.is(0, &["SET"]);
        let named = self.is(1, &["STANDARD_CONFORMING_STRINGS"])
            || self.is(1, &["SESSION", "LOCAL"]) && self.is(2, &["STANDARD_CONFORMING_STRINGS"]);
        if sets && named {
            let value = whole
                .rsplit([' ', '=', '\t', '\n', '\r'])
                .next()
                .unwrap_or_default();
            return match value.trim_matches('\'') {
                "on" | "true" | "yes" | "1" => Ok(false),
                "off" | "false" | "no" | "0" => Ok(true),
                _ => Err(Unreadable::Strings { line: self.line }),
            };
        }
        let by_function = self.is(0, &["SELECT"]) && whole.contains("set_config");
        if by_function && whole.contains(SETTING) {
            return Err(Unreadable::Strings { line: self.line });
        }
        Ok(before)
    }
}

/// Where the line ends of a command that dumps begin and end with, and that asks psql for nothing.
fn psql_command(text: &str, at: usize) -> Result<usize, Unreadable> {
    let line = &text[at..at + to_line_end(&text[at..])];
    let name = line.split(is_blank).next().unwrap_or_default();
    if matches!(name, "\\restrict" | "\\unrestrict") {
        return Ok(at + line.len());
    }
    Err(Unreadable::PsqlCommand {
        line: line_of(text, at),
    })
}

/// Counts the lines of a text from one place to the next, so that it is read once.
#[derive(Default)]
struct LineCount {
    /// Up to here they are counted.
    at: usize,
    /// How many ended before it.
    ended: usize,
}

impl LineCount {
    /// The number of the line at `at`, which must not be before the last place asked for.
    fn line_of(&mut self, text: &str, at: usize) -> usize {
        self.ended += text[self.at..at].matches('\n').count();
        self.at = at;
        self.ended + 1
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

#[cfg(test)]
mod tests;
