//! Text in aligned columns, for people.
//! Owns the column widths. Escapes each cell with [`Foreign`], so that no name or reason can
//! imitate a row.

use crate::foreign::Foreign;

/// The text of an empty cell.
const NOTHING: &str = "-";

/// A table: one line of headings and one line for each row, with two blanks between columns.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(&head)
        .chain(rows)
        .map(|row| row.iter().map(|cell| shown(cell)).collect())
        .collect();
    let mut widths = vec![0; head.len()];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |cells: &Vec<String>| {
        let mut out = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            out.push_str(&format!("{cell:<width$}  "));
        }
        out.trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// One line for each property of a single thing.
pub fn properties(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): &(&str, String)| format!("{name:<width$}  {}", shown(value));
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The text of a cell whose value may be absent.
pub fn or_nothing(value: Option<&str>) -> String {
    value.unwrap_or(NOTHING).to_owned()
}

fn shown(text: &str) -> String {
    if text.is_empty() {
        return NOTHING.to_owned();
    }
    Foreign(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let rows = vec![
            vec!["7".to_owned(), "Zürich".to_owned(), String::new()],
            vec!["1234567".to_owned(), "x".to_owned(), "due".to_owned()],
        ];
        let text = table(&["KEY", "TENANT", "NOTE"], &rows);
        let lines = [
            "KEY      TENANT  NOTE",
            "7        Zürich  -",
            "1234567  x       due",
        ];
        assert_eq!(text, lines.join("\n"));
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let text = table(&["A"], &[vec!["\u{1b}[2Jx\n".to_owned()]]);
        assert_eq!(text, "A\n\\u{1b}[2Jx\\n");
        assert_eq!(
            properties(&[("a", "\r".to_owned()), ("long", "b".to_owned())]),
            "a     \\r\nlong  b"
        );
    }
}
