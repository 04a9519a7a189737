//! Reads the typed values of one TOML section, and records a fault for each that does not fit.
//! Owns unknown keys, their suggestions, and wrong types. Has no list of keys: each caller lists
//! the keys that its section may have.
//! `None` means that the key is absent or its fault is recorded already.

use toml::de::{DeTable, DeValue};

use super::faults::Faults;

/// A value and its position, a byte offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

/// One table of the file: `[run]`, `[[table]]`, or an inline one.
pub(super) struct Section<'a> {
    /// The section's name in messages, with brackets.
    name: &'static str,
    table: &'a DeTable<'a>,
    /// The position of its header, a byte offset.
    pub(super) at: usize,
    /// Keys that were probably misspelt as unknown keys; these are not reported as missing too.
    meant: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// Opens a section and records a fault for every key that is not `known`.
    pub(super) fn open(
        name: &'static str,
        table: &'a DeTable<'a>,
        at: usize,
        known: &[&'static str],
        faults: &mut Faults,
    ) -> Self {
        let mut meant = Vec::new();
        for (key, _) in table {
            let word = key.get_ref().as_ref();
            if !known.contains(&word) {
                unknown(name, word, key.span().start, known, faults);
                meant.extend(nearest(word, known));
            }
        }
        Self {
            name,
            table,
            at,
            meant,
        }
    }

    /// Records a fault if `key` is absent; `example` is a line to suggest.
    pub(super) fn require(&self, key: &str, example: &str, faults: &mut Faults) {
        if !self.means(key) {
            let message = format!("{} lacks '{key}'", self.name);
            faults.missing(self.at, message, format!("write {example}"));
        }
    }

    /// As [`Section::require`], for a list, which must not be empty.
    pub(super) fn require_listed(&self, key: &str, example: &str, faults: &mut Faults) {
        self.require(key, example, faults);
        let array = self.get(key).and_then(|found| found.value.as_array());
        if array.is_some_and(|array| array.is_empty()) {
            let message = format!("{} has no '{key}'", self.name);
            faults.missing(self.place(key), message, format!("write {example}"));
        }
    }

    /// Whether `key` is present, with any type.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Whether `key` is present, perhaps misspelt.
    pub(super) fn means(&self, key: &str) -> bool {
        self.has(key) || self.meant.contains(&key)
    }

    /// The position of the value of `key`, or of the section if it has none.
    pub(super) fn place(&self, key: &str) -> usize {
        self.get(key).map_or(self.at, |found| found.at)
    }

    pub(super) fn text(&self, key: &str, faults: &mut Faults) -> Option<At<&'a str>> {
        let found = self.get(key)?;
        match found.value.as_str() {
            Some("") => {
                faults.wrong(found.at, format!("'{key}' must not be empty"), "");
                None
            }
            Some(value) => Some(found.with(value)),
            None => self.mistyped(key, "a string", faults),
        }
    }

    pub(super) fn truth(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        match self.get(key)?.value.as_bool() {
            Some(value) => Some(value),
            None => self.mistyped(key, "true or false", faults),
        }
    }

    /// An integer within `min..=max`, in the unit that the key's name gives.
    pub(super) fn integer(
        &self,
        key: &str,
        (min, max): (u64, u64),
        faults: &mut Faults,
    ) -> Option<u64> {
        let found = self.get(key)?;
        let DeValue::Integer(digits) = found.value else {
            return self.mistyped(key, "an integer", faults);
        };
        let value = u64::from_str_radix(digits.as_str(), digits.radix()).ok();
        let within = value.filter(|value| (min..=max).contains(value));
        if within.is_none() {
            let message = format!("'{key}' must be from {min} to {max}");
            faults.wrong(found.at, message, "");
        }
        within
    }

    /// A list of strings that is not empty.
    pub(super) fn texts(&self, key: &str, faults: &mut Faults) -> Option<Vec<String>> {
        let found = self.get(key)?;
        let words: Option<Vec<String>> = found.value.as_array().and_then(|array| {
            let words = array.iter().map(|word| word.get_ref().as_str());
            words.map(|word| word.map(str::to_owned)).collect()
        });
        match words {
            None => self.mistyped(key, "a list of strings", faults),
            Some(words) if words.first().is_none_or(String::is_empty) => {
                faults.wrong(found.at, format!("'{key}' must not be empty"), "");
                None
            }
            Some(words) => Some(words),
        }
    }

    /// The section under `key`, written `[key]` or inline.
    pub(super) fn child(
        &self,
        key: &str,
        name: &'static str,
        known: &[&'static str],
        faults: &mut Faults,
    ) -> Option<Section<'a>> {
        let found = self.get(key)?;
        match found.value.as_table() {
            Some(table) => Some(Section::open(name, table, found.at, known, faults)),
            None => {
                let wanted = format!("a table, {name}, and only once");
                self.mistyped(key, &wanted, faults)
            }
        }
    }

    /// The sections under `key`, written `[[key]]`; empty if there are none.
    pub(super) fn children(
        &self,
        key: &str,
        name: &'static str,
        known: &[&'static str],
        faults: &mut Faults,
    ) -> Vec<Section<'a>> {
        let wanted = format!("a list of tables, each under {name}");
        let Some(found) = self.get(key) else {
            return Vec::new();
        };
        let Some(array) = found.value.as_array() else {
            self.mistyped::<()>(key, &wanted, faults);
            return Vec::new();
        };
        let mut sections = Vec::with_capacity(array.len());
        for item in array.iter() {
            let at = item.span().start;
            match item.get_ref().as_table() {
                Some(table) => sections.push(Section::open(name, table, at, known, faults)),
                None => faults.wrong(at, format!("'{key}' must be {wanted}"), ""),
            }
        }
        sections
    }

    /// The value of `key`, of any type.
    pub(super) fn get(&self, key: &str) -> Option<At<&'a DeValue<'a>>> {
        let (name, value) = self.table.get_key_value(key)?;
        // The parser gives a value that it made up after a syntax error no span.
        let span = value.span();
        let at = if span.end == 0 { name.span() } else { span };
        Some(At {
            at: at.start,
            value: value.get_ref(),
        })
    }

    /// Records that `key` has a type other than `wanted`.
    pub(super) fn mistyped<T>(&self, key: &str, wanted: &str, faults: &mut Faults) -> Option<T> {
        let found = self.get(key)?;
        let actual = match found.value {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "an integer",
            DeValue::Float(_) => "a float",
            DeValue::Boolean(_) => "a boolean",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let message = format!("'{key}' must be {wanted}, not {actual}");
        faults.wrong(found.at, message, "");
        None
    }
}

impl<T> At<T> {
    /// Another value at the same position.
    pub(super) fn with<U>(&self, value: U) -> At<U> {
        At { value, at: self.at }
    }
}

/// A hint with the nearest of `known`, or else with all of them.
pub(super) fn suggestion(word: &str, known: &[&'static str]) -> String {
    match nearest(word, known) {
        Some(candidate) => format!("did you mean '{candidate}'?"),
        None => format!("one of: {}", known.join(", ")),
    }
}

/// A text from the file as messages quote it, short and on one line.
pub(super) fn shown(text: &str) -> String {
    let short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    let dots = if short.len() < text.len() { "..." } else { "" };
    format!("'{}{dots}'", short.escape_debug())
}

/// The longest key or value that messages quote, in characters.
const SHOWN_CHARS_MAX: usize = 40;

fn nearest(word: &str, known: &[&'static str]) -> Option<&'static str> {
    if word.len() > 2 * SHOWN_CHARS_MAX {
        return None;
    }
    let distances = known
        .iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1));
    distances.min().map(|(_, candidate)| candidate)
}

fn unknown(section: &str, key: &str, at: usize, known: &[&'static str], faults: &mut Faults) {
    // A key that is not a bare word may be a stray value, so it is not quoted.
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let message = if key.len() <= SHOWN_CHARS_MAX && key.chars().all(bare) {
        format!("unknown key '{key}' in {section}")
    } else {
        format!("unknown key in {section}")
    };
    faults.wrong(at, message, suggestion(key, known));
}
