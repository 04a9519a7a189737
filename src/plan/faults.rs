//! Everything wrong with a plan file, each fault with its position.
//! Owns the list, its order, and which faults only follow from a syntax error.
//! Never holds a value of `url`, `path` or an unknown key: a URL may carry a password.

use std::fmt;

use crate::error::{Coded, Exit};
use crate::foreign::Foreign;

/// All faults of one plan file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanFaults {
    /// The file as the user named it.
    pub file: String,
    /// The faults, at least one.
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
    /// What to write instead; empty if the message says it.
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

/// The faults found so far, with byte offsets.
#[derive(Default)]
pub(super) struct Faults {
    found: Vec<FoundFault>,
}

struct FoundFault {
    at: usize,
    kind: FaultKind,
    message: String,
    hint: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    Syntax,
    /// Something is missing, perhaps only because of a syntax error.
    Missing,
    Value,
}

impl Faults {
    /// The text at `at` is not valid TOML.
    pub(super) fn syntax(&mut self, at: usize, message: &str) {
        self.push(at, FaultKind::Syntax, message.to_owned(), String::new());
    }

    /// The section that begins at `at` lacks something required.
    pub(super) fn missing(&mut self, at: usize, message: String, hint: impl Into<String>) {
        self.push(at, FaultKind::Missing, message, hint.into());
    }

    /// The value at `at` cannot be used.
    pub(super) fn wrong(&mut self, at: usize, message: String, hint: impl Into<String>) {
        self.push(at, FaultKind::Value, message, hint.into());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    fn push(&mut self, at: usize, kind: FaultKind, message: String, hint: String) {
        self.found.push(FoundFault {
            at,
            kind,
            message,
            hint,
        });
    }

    /// Turns offsets into lines, and drops faults that a syntax error explains: everything that
    /// seems missing, further faults in the same line, and all other faults if a table header is
    /// broken, since keys then land in the wrong table.
    pub(super) fn place(self, file: &str, text: &str) -> PlanFaults {
        let lines = Lines::new(text);
        let mut broken: Vec<usize> = Vec::new();
        let mut header_broken = false;
        for found in &self.found {
            if found.kind == FaultKind::Syntax {
                let line = lines.of(found.at);
                header_broken |= lines.text(text, line).trim_start().starts_with('[');
                broken.push(line);
            }
        }
        broken.sort_unstable();
        let echo = |found: &FoundFault| match found.kind {
            FaultKind::Syntax => false,
            FaultKind::Missing => !broken.is_empty(),
            FaultKind::Value => header_broken || broken.binary_search(&lines.of(found.at)).is_ok(),
        };
        let mut kept: Vec<FoundFault> = self.found.into_iter().filter(|f| !echo(f)).collect();
        kept.sort_by_key(|found| found.at);
        kept.dedup_by_key(|found| match found.kind {
            FaultKind::Syntax => (Some(lines.of(found.at)), String::new()),
            FaultKind::Missing | FaultKind::Value => {
                (None, format!("{}:{}", found.at, found.message))
            }
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

/// The byte offset of each line's beginning.
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
