//! Lines of text of a limited width.
//! Owns where a line is broken.

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

#[cfg(test)]
mod tests {
    use super::*;

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
