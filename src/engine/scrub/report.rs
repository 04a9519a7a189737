//! What a scrub did and found: the record that NIST SP 800-88 Rev. 2 asks for (what, method, tool and
//! version, who, when, how it was verified).
//! Owns its form: it is stored with the procedure as JSON after each step, so that a scrub that was
//! killed goes on with what it knew. Holds no value of a row.

use serde::{Deserialize, Serialize};

use crate::store::{EstateFact, StoredConstraint};

/// How phiseal names itself in records.
const TOOL: &str = concat!("phiseal ", env!("CARGO_PKG_VERSION"));
/// The technique in the words of the standard: the overwriting of the database's own files, and not
/// of the medium.
const TECHNIQUE: &str = "NIST SP 800-88 Rev. 2, clear: rewriting by the database server";

/// What must be looked after by the operator, wherever the database runs.
pub const CHECKLIST: [&str; 4] = [
    "backups made before, and archived log: expire or rewrite them",
    "replicas: they follow by themselves; look at those that are detached",
    "server logs, and what collects them: they may hold statements",
    "disks and snapshots: blocks that were freed are not overwritten",
];

/// The record of one scrub.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScrubReport {
    /// The label of the table.
    pub table: String,
    /// The labels of its columns.
    pub columns: Vec<String>,
    /// The technique.
    pub technique: String,
    /// The program and its version.
    pub tool: String,
    /// The server and its version.
    pub server: String,
    /// Who ran it.
    pub actor: String,
    /// When it began, by the database's clock.
    pub began: String,
    /// When it was verified, by the database's clock; empty before.
    pub ended: String,
    /// The moment before which no snapshot was left when the tables were rewritten.
    pub horizon: Option<String>,
    /// What still saw old rows of the server's catalogs.
    pub catalog_keepers: Vec<String>,
    /// The relations that were rewritten.
    pub relations: Vec<Rewritten>,
    /// The other steps.
    pub steps: Vec<StepDone>,
    /// The write-ahead log.
    pub log: Option<LogDone>,
    /// First level, logical: what the database itself proves.
    pub logical: Vec<StoredConstraint>,
    /// Second level: the live files.
    pub files: Option<FilesLooked>,
    /// Third level, estate: what was found configured.
    pub estate: Vec<EstateFact>,
}

/// A relation that was rewritten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    /// Its name.
    pub relation: String,
    /// How.
    pub method: String,
    /// Why so.
    pub why: String,
    /// The numbers of its files before.
    pub storage_before: String,
    /// The numbers of its files afterwards.
    pub storage_after: String,
}

/// A step that was done or not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDone {
    /// Its statement.
    pub statement: String,
    /// Whose right it takes.
    pub needs: String,
    /// Why it was not done; `None` if it was.
    pub not_done: Option<String>,
}

/// What became of the write-ahead log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDone {
    /// How many files were overwritten.
    pub files: u64,
    /// How many bytes that wrote.
    pub bytes: u64,
    /// Files from before that are still there.
    pub kept: u64,
    /// What keeps old log.
    pub keepers: Vec<String>,
}

/// What was found in the live files.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FilesLooked {
    /// Why the files were not searched; `None` if they were. Then the evidence is that each file is
    /// another one than before, and that no older snapshot was left.
    pub not_searched: Option<String>,
    /// What was left out, and why.
    pub left_out: Vec<String>,
    /// How many files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// What was searched for.
    pub columns: Vec<ColumnLooked>,
    /// Where plaintext was found.
    pub found: Vec<FoundIn>,
}

/// The values of a column that were searched for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnLooked {
    /// The label of the column.
    pub column: String,
    /// How many values.
    pub values: u64,
    /// Why there are none.
    pub none: Option<String>,
}

/// A file with plaintext.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundIn {
    /// The path of the file.
    pub file: String,
    /// What it is.
    pub what: String,
    /// How many of the values were found in it.
    pub values: u64,
}

impl ScrubReport {
    /// The heading of a new record.
    pub fn begin(table: &str, columns: Vec<String>, actor: &str, server: &str, now: &str) -> Self {
        Self {
            table: table.to_owned(),
            columns,
            technique: TECHNIQUE.to_owned(),
            tool: TOOL.to_owned(),
            server: server.to_owned(),
            actor: actor.to_owned(),
            began: now.to_owned(),
            ..Self::default()
        }
    }

    /// The steps that were not done.
    pub fn not_done(&self) -> impl Iterator<Item = (&StepDone, &str)> {
        let why = |step: &StepDone| step.not_done.is_some();
        let steps = self.steps.iter().filter(move |step| why(step));
        steps.map(|step| (step, step.not_done.as_deref().unwrap_or_default()))
    }

    /// Where plaintext was found.
    pub fn found(&self) -> &[FoundIn] {
        self.files.as_ref().map_or(&[], |files| &files.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_again_as_it_was_stored_and_an_empty_one_too() {
        let mut report =
            ScrubReport::begin("public.t", vec!["a".to_owned()], "me@here", "S", "now");
        report.steps.push(StepDone {
            statement: "CHECKPOINT".to_owned(),
            needs: "pg_checkpoint".to_owned(),
            not_done: Some("no right".to_owned()),
        });
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<ScrubReport>(&text).unwrap(), report);
        let empty: ScrubReport = serde_json::from_str("{}").unwrap();
        assert_eq!(empty, ScrubReport::default());
        assert_eq!(report.not_done().count(), 1);
        assert!(report.found().is_empty());
    }
}
