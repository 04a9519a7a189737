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

    /// Breaks a text between words; a word that is longer stays whole, since it may be a name.
    fn wrapped(&mut self, indent: &str, text: &str) {
        let mut line = indent.to_owned();
        for word in text.split_whitespace() {
            let is_empty = line.trim().is_empty();
            if !is_empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.0.push(std::mem::take(&mut line));
                line = format!("{indent}  {word}");
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
