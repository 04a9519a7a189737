//! Everything wrong with a plan file, each with its place.
//! Owns the list, its order, and which faults are only echoes of a syntax error.
//! Never holds a value of `url`, `path` or an unknown key: a URL may carry a password.

use std::fmt;

use crate::error::{Coded, Exit};
use crate::foreign::Foreign;

/// All faults of one plan file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFaults {
    /// The file as the user named it.
    pub file: String,
    /// At least one.
    pub faults: Vec<PlanFault>,
}

/// One fault of a plan file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFault {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead; empty where the message says it all.
    pub hint: String,
}

impl fmt::Display for PlanFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(
                f,
                "{separator}{}:{}:{}: {}",
                Foreign(&self.file),
                fault.line,
                fault.column,
                Foreign(&fault.message)
            )?;
            if !fault.hint.is_empty() {
                write!(f, "\n    {}", Foreign(&fault.hint))?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for PlanFaults {}

impl Coded for PlanFaults {
    fn code(&self) -> &'static str {
        "E0102"
    }

    fn message(&self) -> String {
        self.to_string()
    }

    fn hint(&self) -> String {
        "correct the plan file; nothing was changed".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// Faults as they are found, placed by byte offset.
#[derive(Default)]
pub(super) struct Faults {
    found: Vec<Found>,
}

struct Found {
    at: usize,
    kind: Kind,
    message: String,
    hint: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Syntax,
    /// Something that is not there, and may be only misread.
    Missing,
    Value,
}

impl Faults {
    /// The text is not TOML at `at`.
    pub(super) fn syntax(&mut self, at: usize, message: &str) {
        self.push(at, Kind::Syntax, message.to_owned(), String::new());
    }

    /// Something required is not in the section that begins at `at`.
    pub(super) fn missing(&mut self, at: usize, message: String, hint: impl Into<String>) {
        self.push(at, Kind::Missing, message, hint.into());
    }

    /// What stands at `at` cannot be used.
    pub(super) fn wrong(&mut self, at: usize, message: String, hint: impl Into<String>) {
        self.push(at, Kind::Value, message, hint.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn push(&mut self, at: usize, kind: Kind, message: String, hint: String) {
        self.found.push(Found {
            at,
            kind,
            message,
            hint,
        });
    }

    /// Turns offsets into lines and drops what a syntax error explains: what
    /// seems missing anywhere, more faults in the same line, and everything else
    /// once a table header is broken, since keys then land in the wrong table.
    pub(super) fn place(self, file: &str, text: &str) -> PlanFaults {
        let lines = Lines::new(text);
        let mut broken: Vec<usize> = Vec::new();
        let mut header_broken = false;
        for found in &self.found {
            if found.kind == Kind::Syntax {
                let line = lines.of(found.at);
                header_broken |= lines.text(text, line).trim_start().starts_with('[');
                broken.push(line);
            }
        }
        broken.sort_unstable();
        let echo = |found: &Found| match found.kind {
            Kind::Syntax => false,
            Kind::Missing => !broken.is_empty(),
            Kind::Value => header_broken || broken.binary_search(&lines.of(found.at)).is_ok(),
        };
        let mut kept: Vec<Found> = self.found.into_iter().filter(|f| !echo(f)).collect();
        kept.sort_by_key(|found| found.at);
        kept.dedup_by_key(|found| match found.kind {
            Kind::Syntax => (Some(lines.of(found.at)), String::new()),
            Kind::Missing | Kind::Value => (None, format!("{}:{}", found.at, found.message)),
        });
        let faults = kept
            .into_iter()
            .map(|found| PlanFault {
                line: lines.of(found.at) + 1,
                column: lines.column(text, found.at) + 1,
                message: found.message,
                hint: found.hint,
            })
            .collect();
        PlanFaults {
            file: file.to_owned(),
            faults,
        }
    }
}

/// Where each line begins, in bytes.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_newlines).collect())
    }

    fn of(&self, at: usize) -> usize {
        self.0
            .partition_point(|start| *start <= at)
            .saturating_sub(1)
    }

    fn start(&self, line: usize) -> usize {
        self.0.get(line).copied().unwrap_or(0)
    }

    fn text<'t>(&self, text: &'t str, line: usize) -> &'t str {
        let rest = text.get(self.start(line)..).unwrap_or("");
        rest.split('\n').next().unwrap_or("")
    }

    fn column(&self, text: &str, at: usize) -> usize {
        let before = text.get(self.start(self.of(at))..at);
        before.map_or(0, |before| before.chars().count())
    }
}
