//! Text in aligned columns, for people.
//! Owns the column widths, and what is left out or cut where a terminal is too narrow: no line of a table
//! wraps. Escapes each cell with [`Foreign`], so that no name or reason can imitate a row.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::foreign::Foreign;

/// The text of an empty cell.
const NOTHING: &str = "-";
/// The blanks between two columns.
const GAP: usize = 2;
/// A column that is cut keeps so many columns of the terminal at least.
const CUT_MIN: usize = 8;
const ELLIPSIS: char = '…';

/// Where a text is cut that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Nowhere: a number, a command, something to be copied.
    Never,
    /// In the middle: a name, whose end says as much as its beginning.
    Middle,
    /// At its end: a sentence.
    End,
}

/// A column of a table that adapts to the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    cut: Cut,
    /// In which order columns are left out: 0 never, the greatest number first.
    rank: u8,
}

impl Column {
    /// A column that is always there.
    pub const fn always(title: &'static str, cut: Cut) -> Self {
        Self {
            title,
            cut,
            rank: 0,
        }
    }

    /// A column that is left out where there is no room for it, those with the greatest rank first.
    pub const fn with_room(title: &'static str, rank: u8, cut: Cut) -> Self {
        Self { title, cut, rank }
    }
}

/// A table: one line of headings and one line for each row, with two blanks between columns. Within so
/// many columns of a terminal it leaves out columns, then cuts cells, and says which columns it left out.
pub fn table(columns: &[Column], rows: &[Vec<String>], width: Option<usize>) -> String {
    let mut columns = columns.to_vec();
    let titles = columns.iter().map(|one| one.title.to_owned()).collect();
    let mut lines: Vec<Vec<String>> = vec![titles];
    lines.extend(
        rows.iter()
            .map(|row| row.iter().map(|cell| shown(cell)).collect()),
    );
    let Some(width) = width else {
        return laid_out(&lines);
    };
    let mut left_out = Vec::new();
    while total(&widths(&lines)) > width
        && let Some(at) = least_important(&columns)
    {
        left_out.push(columns.remove(at).title);
        for line in &mut lines {
            line.remove(at);
        }
    }
    cut_to_fit(&mut lines, &columns, width);
    let mut text = laid_out(&lines);
    if !left_out.is_empty() {
        left_out.reverse();
        let note = format!("(a wider terminal also shows {})", left_out.join(", "));
        text.push('\n');
        text.push_str(&cut(&note, width, Cut::End));
    }
    text
}

/// The column that is left out next.
fn least_important(columns: &[Column]) -> Option<usize> {
    let optional = columns.iter().enumerate().filter(|(_, one)| one.rank > 0);
    optional.max_by_key(|(_, one)| one.rank).map(|(at, _)| at)
}

/// Cuts the cells of the widest columns that may be cut.
fn cut_to_fit(lines: &mut [Vec<String>], columns: &[Column], width: usize) {
    let mut widths = widths(lines);
    while total(&widths) > width {
        let can = |(at, wide): &(usize, &usize)| columns[*at].cut != Cut::Never && **wide > CUT_MIN;
        let widest = widths
            .iter()
            .enumerate()
            .filter(can)
            .max_by_key(|(_, wide)| **wide);
        let Some((at, _)) = widest else {
            break;
        };
        widths[at] -= 1;
    }
    for line in lines {
        for (at, cell) in line.iter_mut().enumerate() {
            if cell.width() > widths[at] {
                *cell = cut(cell, widths[at], columns[at].cut);
            }
        }
    }
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let mut widths = vec![0; lines.first().map_or(0, Vec::len)];
    for line in lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.width().max(*width);
        }
    }
    widths
}

/// The columns of the terminal that a table takes.
fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

fn laid_out(lines: &[Vec<String>]) -> String {
    let widths = widths(lines);
    let line = |cells: &Vec<String>| {
        let mut out = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let blanks = width.saturating_sub(cell.width()) + GAP;
            out.push_str(cell);
            out.extend(std::iter::repeat_n(' ', blanks));
        }
        out.trim_end().to_owned()
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A text in at most `width` columns of a terminal. A wide character takes two of them.
pub fn cut(text: &str, width: usize, cut: Cut) -> String {
    if cut == Cut::Never || text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let behind = match cut {
        Cut::Middle => room / 2,
        Cut::Never | Cut::End => 0,
    };
    let begin = taken(text.chars(), room - behind);
    let end: String = taken(text.chars().rev(), behind).chars().rev().collect();
    format!("{begin}{ELLIPSIS}{end}")
}

/// As many of the characters as fit into so many columns.
fn taken(chars: impl Iterator<Item = char>, room: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect()
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

    fn row(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() {
        let rows = vec![row(&["7", "Zürich", ""]), row(&["1234567", "患者", "due"])];
        let columns = ["KEY", "TENANT", "NOTE"].map(|title| Column::always(title, Cut::End));
        let text = table(&columns, &rows, None);
        let lines = [
            "KEY      TENANT  NOTE",
            "7        Zürich  -",
            "1234567  患者    due",
        ];
        assert_eq!(text, lines.join("\n"));
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        let rows = [vec!["\u{1b}[2Jx\n".to_owned()]];
        let text = table(&[Column::always("A", Cut::End)], &rows, None);
        assert_eq!(text, "A\n\\u{1b}[2Jx\\n");
        assert_eq!(
            properties(&[("a", "\r".to_owned()), ("long", "b".to_owned())]),
            "a     \\r\nlong  b"
        );
    }

    const COLUMNS: [Column; 4] = [
        Column::always("RUN", Cut::Never),
        Column::always("TABLE", Cut::Middle),
        Column::with_room("STARTED AT", 2, Cut::Never),
        Column::with_room("FOUND", 1, Cut::Never),
    ];

    #[test]
    fn a_narrow_terminal_gets_fewer_columns_and_is_told_which_are_missing() {
        let rows = [row(&["1", "public.patients", "2026-03-19", "100"])];
        let whole =
            "RUN  TABLE            STARTED AT  FOUND\n1    public.patients  2026-03-19  100";
        assert_eq!(table(&COLUMNS, &rows, None), whole);
        assert_eq!(table(&COLUMNS, &rows, Some(39)), whole);
        assert_eq!(
            table(&COLUMNS, &rows, Some(38)),
            "RUN  TABLE            FOUND\n1    public.patients  100\n(a wider terminal also shows STARTED …"
        );
        assert_eq!(
            table(&COLUMNS, &rows, Some(24)),
            "RUN  TABLE\n1    public.patients\n(a wider terminal also …"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_the_names_are() {
        let names = [
            "public.".to_owned() + &"患者".repeat(40),
            "\u{1b}[2J\u{202e}".repeat(20),
            "e\u{301}".repeat(90),
            "public.a_table_whose_name_is_sixty_three_bytes_long_as_postgres_allows".to_owned(),
        ];
        for name in names {
            let rows = [row(&[
                "9223372036854775807",
                &name,
                "2026-03-19T00:00:00Z",
                "1",
            ])];
            for width in [40, 80, 140] {
                for line in table(&COLUMNS, &rows, Some(width)).lines() {
                    assert!(line.width() <= width, "{width}: {line}");
                }
            }
        }
    }

    #[test]
    fn a_name_is_cut_in_the_middle_and_a_sentence_at_its_end() {
        assert_eq!(cut("public.patients", 15, Cut::Middle), "public.patients");
        assert_eq!(cut("public.patients", 10, Cut::Middle), "publi…ents");
        assert_eq!(cut("public.patients", 10, Cut::End), "public.pa…");
        assert_eq!(cut("public.patients", 10, Cut::Never), "public.patients");
        // A character that takes two columns is not halved.
        assert_eq!(cut("患者患者", 6, Cut::End), "患者…");
        assert_eq!(cut("患者患者", 6, Cut::Middle), "患…者");
    }
}
