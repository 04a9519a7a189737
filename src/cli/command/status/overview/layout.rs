//! How the sections of the overview are fitted into a screen.
//! Owns the widths, where texts are cut, and which items are left out; knows nothing of what they say.

use unicode_width::UnicodeWidthStr;

use crate::cli::columns::{Cut, cut};

/// The columns that the titles take.
const TITLE: usize = 12;
/// A text with fewer columns is left out.
const TEXT_MIN: usize = 8;
/// The blanks before what belongs to the item above.
const DEEPER: &str = "  ";
/// The blanks between the parts of a line.
const GAP: &str = "  ";

/// One thing that is said, in one line or two.
pub struct Item {
    before: String,
    name: String,
    behind: String,
    below: Option<Below>,
}

enum Below {
    /// Cut at its end where it is too long.
    Text(String),
    /// Never cut: a command to be copied.
    Whole(String),
}

impl Item {
    /// A sentence.
    pub fn line(text: String) -> Self {
        Self::named(text, String::new(), String::new())
    }

    /// Numbers, which are never cut; a name, which is cut in its middle, where it takes more than two
    /// thirds of the rest; and a text, which has what is left.
    pub fn named(before: String, name: String, behind: String) -> Self {
        Self {
            before,
            name,
            behind,
            below: None,
        }
    }

    /// The same, and a line below it.
    pub fn with(self, below: String) -> Self {
        let below = Some(Below::Text(below));
        Self { below, ..self }
    }

    /// The same, and a line below it that is never cut.
    pub fn with_whole(self, below: String) -> Self {
        let below = Some(Below::Whole(below));
        Self { below, ..self }
    }

    fn lines(&self, width: Option<usize>) -> Vec<String> {
        let mut lines = vec![self.first(width)];
        match &self.below {
            Some(Below::Text(text)) => lines.push(end_cut(&format!("{DEEPER}{text}"), width)),
            Some(Below::Whole(text)) => lines.push(format!("{DEEPER}{text}")),
            None => {}
        }
        lines
    }

    fn first(&self, width: Option<usize>) -> String {
        let whole = joined(&[&self.before, &self.name, &self.behind]);
        let Some(width) = width.filter(|width| whole.width() > *width) else {
            return whole;
        };
        if self.name.is_empty() {
            return end_cut(&whole, Some(width));
        }
        let room =
            width.saturating_sub(joined(&[&self.before, &self.name]).width() - self.name.width());
        let name = match self.behind.is_empty() {
            true => cut(&self.name, room, Cut::Middle),
            false => cut(&self.name, room * 2 / 3, Cut::Middle),
        };
        let begun = joined(&[&self.before, &name]);
        match width.saturating_sub(begun.width() + GAP.len()) {
            room if room >= TEXT_MIN => joined(&[&begun, &cut(&self.behind, room, Cut::End)]),
            _ => end_cut(&begun, Some(width)),
        }
    }
}

/// The parts that are not empty, in a line.
fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .copied()
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(GAP)
}

fn end_cut(text: &str, width: Option<usize>) -> String {
    match width {
        Some(width) => cut(text, width, Cut::End),
        None => text.to_owned(),
    }
}

/// What is said about one subject.
pub struct Section {
    title: &'static str,
    items: Vec<Item>,
    /// The command that shows all of them.
    more: &'static str,
}

impl Section {
    /// A section; without items it is left out.
    pub fn new(title: &'static str, items: Vec<Item>, more: &'static str) -> Self {
        Self { title, items, more }
    }

    /// The first `shown` items, and a line about the others.
    fn lines(&self, shown: usize, width: Option<usize>) -> Vec<String> {
        let items = self.items.iter().take(shown);
        let mut lines: Vec<String> = items.flat_map(|item| item.lines(width)).collect();
        let left = self.items.len() - shown;
        if left > 0 {
            lines.push(format!("and {left} more: `{}`", self.more));
        }
        lines
    }
}

/// All sections, within so many columns and lines of a terminal.
pub fn text(sections: &[Section], columns: Option<usize>, lines: Option<usize>) -> String {
    let width = columns.map(|columns| columns.saturating_sub(TITLE));
    let mut shown: Vec<usize> = sections.iter().map(|section| section.items.len()).collect();
    let laid_out = |shown: &[usize]| -> Vec<Vec<String>> {
        let sections = sections.iter().zip(shown);
        sections
            .map(|(section, shown)| section.lines(*shown, width))
            .collect()
    };
    let mut all = laid_out(&shown);
    while let Some(lines) = lines
        && all.iter().map(Vec::len).sum::<usize>() > lines
    {
        // The longest section gives way; a line that says how many are left out costs one.
        let longest = all.iter().zip(&mut shown).filter(|(_, shown)| **shown > 1);
        let Some((_, shown_of)) = longest.max_by_key(|(lines, _)| lines.len()) else {
            break;
        };
        *shown_of -= 1;
        all = laid_out(&shown);
    }
    let mut out = Vec::new();
    for (section, lines) in sections.iter().zip(all) {
        for (at, line) in lines.iter().enumerate() {
            let title = if at == 0 { section.title } else { "" };
            out.push(format!("{title:<TITLE$}{line}"));
        }
    }
    out.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<&str> {
        text.lines().collect()
    }

    #[test]
    fn a_section_without_items_is_left_out_and_titles_stand_once() {
        let sections = [
            Section::new(
                "running",
                vec![Item::line("a".to_owned()).with("b".to_owned())],
                "",
            ),
            Section::new("asked", Vec::new(), ""),
        ];
        assert_eq!(
            lines(&text(&sections, None, None)),
            ["running     a", "              b"]
        );
    }

    #[test]
    fn a_name_gives_way_first_and_a_command_never() {
        let item = || {
            Item::named(
                "41 %".to_owned(),
                "backfill public.a_table_with_a_long_name".to_owned(),
                "polite".to_owned(),
            )
            .with_whole("phiseal keys compromise 1234567890 --reason ...".to_owned())
        };
        let sections = [Section::new("running", vec![item()], "")];
        assert_eq!(
            lines(&text(&sections, Some(50), None)),
            [
                "running     41 %  backfill p…_long_name  polite",
                "              phiseal keys compromise 1234567890 --reason ..."
            ]
        );
    }

    #[test]
    fn the_longest_section_says_how_many_are_left_out() {
        let many = |count: usize| (0..count).map(|n| Item::line(n.to_string())).collect();
        let sections = [
            Section::new("running", many(10), "phiseal status runs"),
            Section::new("attention", many(30), "phiseal status --check"),
            Section::new("fields", many(1), ""),
        ];
        let text = text(&sections, Some(80), Some(12));
        let lines = lines(&text);
        assert_eq!(lines.len(), 12, "{text}");
        assert_eq!(lines[5], "            and 5 more: `phiseal status runs`");
        assert_eq!(
            lines[10],
            "            and 26 more: `phiseal status --check`"
        );
        assert_eq!(lines[11], "fields      0");
    }
}
