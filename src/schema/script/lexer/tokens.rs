//! How far single things reach in an SQL text: words, strings, dollar quotes, comments.
//! Owns the letters of each, as the server's own lexer has them (scan.l): every character beyond ASCII
//! is a letter, and only blanks of ASCII are blanks.

/// Blanks of the server's lexer.
pub(super) const fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0b' | '\x0c')
}

pub(super) const fn starts_a_word(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii()
}

pub(super) const fn is_of_a_word(c: char) -> bool {
    c == '$' || starts_a_word(c)
}

/// Where the word ends that `rest` begins with.
pub(super) fn word(rest: &str) -> usize {
    rest.find(|c: char| !is_of_a_word(c)).unwrap_or(rest.len())
}

/// Where the comment ends that `rest` begins with.
pub(super) fn comment(rest: &str) -> Option<usize> {
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

/// Where the string ends that `rest` begins with, with the parts that continue it: behind blanks with
/// a line end among them, another quote goes on with the same string, and the same escapes.
pub(super) fn string(rest: &str, escapes: bool) -> Option<usize> {
    let mut end = quoted(rest, '\'', escapes)?;
    while let Some(begin) = continuation(&rest[end..]) {
        end += begin;
        end += quoted(&rest[end..], '\'', escapes)?;
    }
    Some(end)
}

fn continuation(rest: &str) -> Option<usize> {
    let mut at = 0;
    let mut line_ended = false;
    loop {
        let next = rest[at..].chars().next()?;
        if is_blank(next) {
            line_ended |= matches!(next, '\n' | '\r');
            at += 1;
        } else if rest[at..].starts_with("--") {
            at += rest[at..].find(['\n', '\r'])?;
        } else {
            return (next == '\'' && line_ended).then_some(at);
        }
    }
}

/// Where the quote ends that `rest` begins with; a doubled quote does not end it.
pub(super) fn quoted(rest: &str, quote: char, escapes: bool) -> Option<usize> {
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
pub(super) fn dollar_tag(rest: &str) -> Option<&str> {
    let end = 1 + rest[1..].find(|c: char| !starts_a_word(c))?;
    let starts_with_digit = rest[1..].starts_with(|c: char| c.is_ascii_digit());
    (rest[end..].starts_with('$') && !starts_with_digit).then(|| &rest[..=end])
}

pub(super) fn dollar_quoted(rest: &str) -> Option<usize> {
    let tag = dollar_tag(rest)?;
    let body = tag.len();
    rest[body..].find(tag).map(|at| body + at + tag.len())
}
