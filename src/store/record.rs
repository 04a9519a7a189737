//! Rows of our own tables as the program uses them.
//! Owns the types for procedures, quarantine and audit; those for the registry and for runs are in
//! `record/`. Times are text made by the
//! server (RFC 3339, UTC). No type here holds a plaintext or an unwrapped key.

mod field;
mod run;

use crate::keys::AuditEntry;
use crate::words::word_enum;
pub use field::{FieldRecord, FieldState, Found, Gap, RelationRecord, Whereabouts};
pub use run::{
    Holder, LaneKind, LaneRecord, LaneStamp, LaneTally, NewLane, RunKind, RunRecord, RunState,
};

word_enum! {
    /// The state of a quarantine entry.
    QuarantineState {
        /// It waits for a person.
        Open = "open",
        /// The next run tries the row again.
        Retry = "retry",
        /// A person decided to leave the row as it is.
        Skipped = "skipped",
        /// The row was processed since.
        Resolved = "resolved",
    }
}

word_enum! {
    /// What a procedure does.
    ProcedureKind {
        /// Restores the plaintext and drops the sealed columns.
        Restore = "restore",
        /// Removes the plaintext columns.
        Finalize = "finalize",
        /// Removes the plaintext from the database's files.
        Scrub = "scrub",
    }
}

/// The outcome of a restore that dropped the sealed columns.
pub const RESTORED: &str = "restored";

/// The outcome of a finalize that removed the plaintext.
pub const FINALIZED: &str = "finalized";

/// The outcome of a procedure that another command made pointless.
pub const GIVEN_UP: &str = "given up";

/// A procedure of several phases (`procedures`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcedureRecord {
    /// Its number.
    pub procedure_id: i64,
    /// What it does.
    pub kind: ProcedureKind,
    /// The label of the table that it works on.
    pub table_label: String,
    /// The labels of the columns, separated by `, `.
    pub columns: String,
    /// What its phases have to know of each other, as JSON text.
    pub params: String,
    /// The phase that comes next; all before it are done.
    pub phase: String,
    /// Since when.
    pub phase_since: String,
    /// Who began it.
    pub actor: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// What it found and did, as JSON text.
    pub report: String,
}

/// A quarantine entry that is not stored yet.
#[derive(Debug, Clone)]
pub struct NewQuarantine {
    /// The run; `None` for verify.
    pub run_id: Option<i64>,
    /// The table's label.
    pub table_label: String,
    /// The column's label; `None` if the whole row could not be processed.
    pub column_label: Option<String>,
    /// The row tag: a keyed digest of the row's key, 16 hex digits.
    pub row_tag: String,
    /// The text of the row's key, sealed.
    pub key_sealed: Vec<u8>,
    /// The key it is sealed under.
    pub key_id: i64,
    /// The step that failed.
    pub step: String,
    /// The reason, without any value.
    pub reason: String,
    /// The SQLSTATE, if the database refused the row.
    pub sqlstate: Option<String>,
    /// The constraint's name, if one refused the row.
    pub constraint_name: Option<String>,
}

/// A quarantine entry (`quarantine`).
#[derive(Debug, Clone)]
pub struct QuarantineRecord {
    /// Its number.
    pub quarantine_id: i64,
    /// The recorded content.
    pub row: NewQuarantine,
    /// Its state.
    pub state: QuarantineState,
    /// When it was entered.
    pub created_at: String,
    /// When it was resolved.
    pub resolved_at: Option<String>,
}

/// What is in quarantine, without what was resolved: counts, and some of the entries.
#[derive(Debug, Clone, Default)]
pub struct QuarantineSummary {
    /// The counts by table, column, step, state, reason and key, the greatest first.
    pub counts: Vec<QuarantineCount>,
    /// How many rows of each table wait for a person; a row may have several entries.
    pub open_rows: Vec<OpenRows>,
    /// The first entries: those that wait for a person, then the others, each in the order of their
    /// numbers.
    pub first: Vec<QuarantineRecord>,
}

impl QuarantineSummary {
    /// How many entries there are.
    pub fn entries(&self) -> u64 {
        self.counts.iter().map(|one| one.entries).sum()
    }
}

/// How many quarantine entries are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineCount {
    /// The table's label.
    pub table_label: String,
    /// The column's label; `None` if whole rows could not be processed.
    pub column_label: Option<String>,
    /// The step that failed.
    pub step: String,
    /// Their state.
    pub state: QuarantineState,
    /// The reason, without any value.
    pub reason: String,
    /// The key that their row keys are sealed under.
    pub key_id: i64,
    /// The number of entries.
    pub entries: u64,
}

/// How many rows of a table wait for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRows {
    /// The table's label.
    pub table_label: String,
    /// The number of rows.
    pub rows: u64,
}

/// A row of `audit_log` as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number.
    pub entry_id: i64,
    /// The entry; `None` if a column has content that no appender writes.
    pub entry: Option<AuditEntry>,
}

/// A fault in the audit tables because of which they cannot be read as a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditMisfit {
    /// An entry has no number.
    Unnumbered,
    /// Several entries have this number.
    Twice(i64),
    /// There is no head, there are several, or it cannot be read.
    Head,
}
