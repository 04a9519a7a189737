//! Lines of text of a limited width.
//! Owns where a line is broken.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// The width of the text.
pub const WIDTH: usize = 80;

/// Lines with a common beginning.
#[derive(Default)]
pub struct Lines(pub Vec<String>);

impl Lines {
    /// Adds a line.
    pub fn head(&mut self, text: &str) {
        self.wrapped("", text);
    }

    /// Adds an indented line.
    pub fn item(&mut self, text: &str) {
        self.wrapped("  ", text);
    }

    /// Adds an indented line whose further lines begin where its text does, behind `first`.
    pub fn column(&mut self, first: &str, text: &str) {
        let before = self.0.len();
        let indent = " ".repeat(first.chars().count());
        self.filled(&indent, &indent, text);
        if let Some(line) = self.0.get_mut(before) {
            *line = format!("{first}{}", line.trim_start())
                .trim_end()
                .to_owned();
        }
    }

    fn wrapped(&mut self, indent: &str, text: &str) {
        self.filled(indent, &format!("{indent}  "), text);
    }

    /// Breaks a text between words; a word that is longer stays whole, since it may be a name.
    fn filled(&mut self, indent: &str, next: &str, text: &str) {
        let mut line = indent.to_owned();
        for word in text.split_whitespace() {
            let is_empty = line.trim().is_empty();
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.0.push(std::mem::take(&mut line));
                line = format!("{next}{word}");
                continue;
            }
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.0.push(line);
    }
}

/// The text, with lines that are wider than a terminal broken between words; what goes on is indented by
/// two blanks more than its line. What is in backticks or double quotes stays whole, and so does a line that
/// ends with a semicolon, so that commands, SQL and names can be copied; and a word that is wider than the
/// terminal. Without a terminal the text stays as it is.
pub fn folded(text: &str, columns: Option<usize>) -> Cow<'_, str> {
    match columns {
        Some(columns) if text.lines().any(|line| line.width() > columns) => {
            let lines = text.lines().map(|line| folded_line(line, columns));
            Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
        }
        _ => Cow::Borrowed(text),
    }
}

fn folded_line(line: &str, columns: usize) -> String {
    if line.width() <= columns || line.ends_with(';') {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start_matches(' ').len();
    let mut folded = " ".repeat(indent);
    let (mut used, mut blanks, mut is_empty) = (indent, 0, true);
    for (at, word) in unbroken(&line[indent..]).into_iter().enumerate() {
        blanks += usize::from(at > 0);
        if word.is_empty() {
            continue;
        }
        let width = word.width();
        if !is_empty && used + blanks + width > columns {
            folded.push('\n');
            used = indent + 2;
            folded.push_str(&" ".repeat(used));
        } else {
            folded.push_str(&" ".repeat(blanks));
            used += blanks;
        }
        folded.push_str(word);
        (used, blanks, is_empty) = (used + width, 0, false);
    }
    folded
}

/// The pieces of a line that are not broken: words, and what stands in quotes with what touches it.
fn unbroken(line: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut begin, mut quote) = (0, None);
    for (at, c) in line.char_indices() {
        match c {
            '`' | '"' if quote == Some(c) => quote = None,
            '`' | '"' if quote.is_none() => quote = Some(c),
            ' ' if quote.is_none() => {
                pieces.push(&line[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    pieces.push(&line[begin..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_line_is_broken_between_words_and_a_command_is_not() {
        let text = "short\n  one two three `run it all` four  five\nunbreakableword";
        assert_eq!(folded(text, None), text);
        assert_eq!(folded(text, Some(80)), text);
        let lines = [
            "short",
            "  one two",
            "    three",
            "    `run it all`",
            "    four",
            "    five",
            "unbreakableword",
        ];
        assert_eq!(folded(text, Some(12)), lines.join("\n"));
        assert_eq!(folded("aaaa  bbbbbbbb", Some(4)), "aaaa\n  bbbbbbbb");
        let sql = "    DROP VIEW public.\"a b\";";
        assert_eq!(folded(sql, Some(12)), sql);
        assert_eq!(folded("the \"a b c\" d", Some(9)), "the\n  \"a b c\"\n  d");
        // Wide characters take two columns.
        assert_eq!(folded("患者 患者", Some(8)), "患者\n  患者");
    }

    #[test]
    fn a_long_text_goes_on_below_its_beginning() {
        let mut lines = Lines::default();
        lines.column("  high  ", &"word ".repeat(30));
        lines.column("  low   ", "");
        assert_eq!(lines.0.len(), 4);
        assert!(lines.0.iter().all(|line| line.chars().count() <= WIDTH));
        assert!(lines.0[0].starts_with("  high  word word"));
        assert!(lines.0[1].starts_with("        word"));
        assert_eq!(lines.0[3], "  low");
    }
}
