//! Where the statements of an SQL text begin and end, as PostgreSQL's own client sees it.
//! Owns quotes, dollar quotes, comments (nested ones too), parentheses and the bodies of functions
//! in standard SQL. Understands no grammar beyond that, and takes `standard_conforming_strings`
//! for granted.

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
    #[error("line {line} holds a command of psql, which is no SQL")]
    PsqlCommand { line: usize },
}

/// The statements of `text`, in order; empty ones left out.
pub(in crate::schema) fn statements(text: &str) -> Result<Vec<Statement>, Unreadable> {
    let mut cutter = Cutter::default();
    let mut at = 0;
    while at < text.len() {
        at = cutter.take(text, at)?;
    }
    cutter.end(text, text.len());
    Ok(cutter.found)
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
}

impl Cutter {
    /// Reads what stands at `at` and returns where it ends.
    fn take(&mut self, text: &str, at: usize) -> Result<usize, Unreadable> {
        let rest = &text[at..];
        let unended = Unreadable::Unended {
            line: line_of(text, at),
        };
        let first = rest.chars().next().unwrap_or_default();
        if first.is_whitespace() || first == '\u{feff}' {
            return Ok(at + first.len_utf8());
        }
        if rest.starts_with("--") {
            return Ok(at + rest.find(['\n', '\r']).unwrap_or(rest.len()));
        }
        if rest.starts_with("/*") {
            return Ok(at + comment(rest).ok_or(unended)?);
        }
        if first == '\\' && self.begin.is_none() {
            return Err(Unreadable::PsqlCommand {
                line: line_of(text, at),
            });
        }
        if first == ';' && self.parentheses == 0 && self.blocks == 0 {
            self.end(text, at);
            return Ok(at + 1);
        }
        let begin = *self.begin.get_or_insert(at);
        let end = match first {
            '\'' => at + quoted(rest, '\'', false).ok_or(unended)?,
            'e' | 'E' if rest[1..].starts_with('\'') => {
                at + 1 + quoted(&rest[1..], '\'', true).ok_or(unended)?
            }
            '$' if dollar_tag(rest).is_some() => at + dollar_quoted(rest).ok_or(unended)?,
            '"' => {
                let end = at + quoted(rest, '"', false).ok_or(unended)?;
                self.token(text[at..end].to_owned(), at - begin, end - begin);
                end
            }
            _ if first == '_' || first.is_alphanumeric() => {
                let end = at + word(rest);
                self.word(text[at..end].to_uppercase(), at - begin, end - begin);
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

    fn word(&mut self, text: String, begin: usize, end: usize) {
        match text.as_str() {
            "ATOMIC" if self.makes_routine() && self.last_is("BEGIN") => self.blocks += 1,
            "CASE" if self.blocks > 0 => self.blocks += 1,
            "END" => self.blocks = self.blocks.saturating_sub(1),
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

    fn end(&mut self, text: &str, at: usize) {
        let tokens = std::mem::take(&mut self.tokens);
        self.parentheses = 0;
        self.blocks = 0;
        if let Some(begin) = self.begin.take() {
            self.found.push(Statement {
                text: text[begin..at].trim_end().to_owned(),
                line: line_of(text, begin),
                tokens,
            });
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| !(c == '_' || c == '$' || c.is_alphanumeric()))
        .unwrap_or(rest.len())
}

/// Where the comment ends that `rest` begins with.
fn comment(rest: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    None
}

/// Where the string ends that `rest` begins with; a doubled quote does not end it.
fn quoted(rest: &str, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return Some(at + 1),
            }
        }
    }
    None
}

/// `$$` or `$tag$` at the beginning of `rest`. A digit after `$` makes a parameter.
fn dollar_tag(rest: &str) -> Option<&str> {
    let end = 1 + rest[1..].find(|c: char| !(c == '_' || c.is_alphanumeric()))?;
    let starts_with_digit = rest[1..].starts_with(|c: char| c.is_ascii_digit());
    (rest[end..].starts_with('$') && !starts_with_digit).then(|| &rest[..=end])
}

fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag = dollar_tag(rest)?;
    let body = tag.len();
    rest[body..].find(tag).map(|at| body + at + tag.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        let found = statements(sql).unwrap();
        found.into_iter().map(|s| s.text).collect()
    }

    #[test]
    fn semicolons_in_strings_names_comments_and_bodies_end_nothing() {
        let whole = [
            "SELECT ';'",
            "SELECT 'it''s;'",
            r"SELECT E'\';'",
            "SELECT \";\"\";\"",
            "SELECT 1 -- ;\n + 1",
            "SELECT 1 /* ; /* ; */ ; */ + 1",
            "DO $$ BEGIN NULL; END $$",
            "DO $a$ SELECT '$$;' ; $b$ ; $a$",
            "CREATE RULE r AS ON INSERT TO t DO (DELETE FROM a; DELETE FROM b)",
            "CREATE OR REPLACE FUNCTION f() RETURNS int BEGIN ATOMIC \
             SELECT CASE WHEN true THEN 1 END; SELECT 2; END",
            "SELECT $1, a$b",
            "SELECT 'ß;' || U&'\\0441;'",
        ];
        for sql in whole {
            assert_eq!(texts(sql), [sql]);
            assert_eq!(texts(&format!("{sql} ; SELECT 7;")), [sql, "SELECT 7"]);
        }
    }

    #[test]
    fn an_end_that_ends_no_body_ends_nothing_else() {
        let sql = "BEGIN; SELECT CASE WHEN true THEN 1 END; COMMIT";
        assert_eq!(texts(sql).len(), 3);
    }

    #[test]
    fn a_carriage_return_ends_a_comment_too() {
        assert_eq!(texts("-- c\rSELECT 1;\r"), ["SELECT 1"]);
    }

    #[test]
    fn statements_know_their_lines_and_empty_ones_are_left_out() {
        let sql = "\u{feff}-- head\n;;\nSELECT 1;\n\n/* x */ SELECT\n2 ; -- end\n";
        let lines: Vec<usize> = statements(sql).unwrap().iter().map(|s| s.line).collect();
        assert_eq!(lines, [3, 5]);
    }

    #[test]
    fn what_has_no_end_and_what_is_no_sql_is_refused_with_its_line() {
        for sql in ["\nSELECT 'a", "\n/* /* */", "\nDO $x$ $y$", "\nSELECT \"a"] {
            assert_eq!(statements(sql), Err(Unreadable::Unended { line: 2 }));
        }
        let sql = "SELECT 1;\n\\i other.sql\n";
        assert_eq!(statements(sql), Err(Unreadable::PsqlCommand { line: 2 }));
    }

    #[test]
    fn tokens_leave_strings_out_and_keep_quoted_names() {
        let found = statements("create index \"Ünique\" on t (a, 'b;')").unwrap();
        let tokens: Vec<&str> = found[0].tokens.iter().map(|t| t.text.as_str()).collect();
        assert_eq!(
            tokens,
            [
                "CREATE",
                "INDEX",
                "\"Ünique\"",
                "ON",
                "T",
                "(",
                "A",
                ",",
                ")"
            ]
        );
        let on = &found[0].tokens[3];
        assert_eq!(&found[0].text[on.begin..on.end], "on");
    }
}
