//! Rows of our own tables as the program uses them.
//! Owns the types for registry, runs, lanes, quarantine and audit. Times are text made by the
//! server (RFC 3339, UTC). No type here holds a plaintext or an unwrapped key.

use crate::ident::TableName;
use crate::keys::AuditEntry;
use crate::words::word_enum;

word_enum! {
    /// The state of a field, in the order of its life.
    FieldState {
        /// It is in the plan and in the registry.
        Declared = "declared",
        /// Its columns and its guard exist.
        Prepared = "prepared",
        /// A backfill has begun.
        Sealing = "sealing",
        /// A sweep found no row left to seal.
        Sealed = "sealed",
        /// Every value was opened and compared.
        Verified = "verified",
        /// In-place field: every value opens.
        Opened = "opened",
        /// A validated constraint proves that no plaintext is left.
        Finalized = "finalized",
        /// No plaintext was found in the database files.
        Scrubbed = "scrubbed",
        /// Restored to plaintext, and no longer sealed.
        Restored = "restored",
        /// A person declared that its column or table is gone for good.
        Forgotten = "forgotten",
    }
}

word_enum! {
    /// The step of a run.
    RunKind {
        /// Seals values.
        Backfill = "backfill",
        /// Opens sealed values, compares them with their plaintext, and seals again those that
        /// differ.
        Compare = "compare",
        /// Seals values again under a new key version.
        Rotate = "rotate",
        /// Fills a new blind index column under a new key version.
        Reindex = "reindex",
        /// Writes plaintext back.
        Restore = "restore",
        /// Opens and compares; has no row in `runs`.
        Verify = "verify",
    }
}

word_enum! {
    /// The state of a run.
    RunState {
        /// A process works on it.
        Running = "running",
        /// It stopped and can be resumed.
        Interrupted = "interrupted",
        /// It ended successfully.
        Done = "done",
        /// It ended for good without finishing.
        Failed = "failed",
    }
}

word_enum! {
    /// What a lane is for.
    LaneKind {
        /// The main pass over a range of a relation.
        Range = "range",
        /// The passes at the end of a run over a whole relation.
        Sweep = "sweep",
    }
}

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
        /// Replaces keys by new versions.
        Rotate = "rotate",
        /// Replaces the keys of blind indexes.
        Reindex = "reindex",
        /// Destroys keys.
        Destroy = "destroy",
        /// Restores the plaintext and drops the sealed columns.
        Restore = "restore",
        /// Removes the plaintext columns.
        Finalize = "finalize",
        /// Removes the plaintext from the database's files.
        Scrub = "scrub",
    }
}

impl FieldState {
    /// Whether values of the field may be sealed: from the preparation until the last value is
    /// restored.
    pub fn may_hold_seals(self) -> bool {
        !matches!(self, Self::Declared | Self::Restored | Self::Forgotten)
    }

    /// Whether a field may move from this state to `next`. Every field may be forgotten, and a state
    /// may be set again.
    pub fn may_become(self, next: Self) -> bool {
        let sealed_again = [Self::Sealing, Self::Sealed, Self::Verified, Self::Opened];
        let to: &[Self] = match self {
            Self::Declared | Self::Restored | Self::Forgotten => &[
                Self::Declared,
                Self::Prepared,
                Self::Sealing,
                Self::Restored,
            ],
            Self::Prepared => &[Self::Sealing, Self::Restored],
            Self::Sealing | Self::Sealed | Self::Verified | Self::Opened => {
                let plain_is_there = sealed_again.contains(&next);
                return plain_is_there
                    || matches!(next, Self::Finalized | Self::Restored | Self::Forgotten);
            }
            // Without a plaintext nothing can be sealed again; a restore makes one.
            Self::Finalized => &[Self::Verified, Self::Opened, Self::Scrubbed, Self::Restored],
            Self::Scrubbed => &[Self::Restored],
        };
        self == next || next == Self::Forgotten || to.contains(&next)
    }
}

/// How the table of a registered field was found. The names in the [`FieldRecord`] are the present
/// ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Found {
    /// By its number in this database, or the equivalent in SQLite.
    Known,
    /// By its guard only: this is not the database that was recorded.
    Guarded,
    /// By its name only: nothing was recorded, and no table has its guard.
    #[default]
    Named,
    /// Not decided: several tables have its guard.
    Several(Vec<TableName>),
    /// Not at all: the recorded table is not in this database any more.
    Gone,
}

/// How a field was found, beyond its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// How its table was found.
    pub found: Found,
    /// Names that changed since they were recorded: the old one and the present one.
    pub renames: Vec<(String, String)>,
    /// The plaintext column was dropped, not renamed.
    pub plain_dropped: bool,
    /// The column that held its sealed values was dropped, not renamed.
    pub holder_dropped: bool,
}

/// A registered field (`encrypted_field_metadata`), with the present names of its table and
/// columns.
#[derive(Debug, Clone)]
pub struct FieldRecord {
    /// The label of the table.
    pub table_label: String,
    /// The label of the column.
    pub column_label: String,
    /// The name of the schema; empty in SQLite.
    pub schema_name: String,
    /// The name of the table.
    pub table_name: String,
    /// The name of the plaintext column.
    pub column_name: String,
    /// The name of the sealed column; `None` for an in-place field.
    pub sealed_column: Option<String>,
    /// The name of the blind index column.
    pub blind_index_column: Option<String>,
    /// The normaliser of the blind index.
    pub blind_index_normaliser: Option<String>,
    /// The length of the blind index, in bits.
    pub blind_index_bits: Option<i32>,
    /// The column that takes the new blind index while its key is rotated.
    pub blind_index_next: Option<String>,
    /// The key of the blind index, if the table has no tenants.
    pub blind_index_key_id: Option<i64>,
    /// The name of the tenant column.
    pub tenant_column: Option<String>,
    /// The key columns, in the order of registration.
    pub key_columns: Vec<String>,
    /// The row key tags of the key columns.
    pub key_types: Vec<String>,
    /// The plaintext's type as SQL writes it.
    pub source_type: String,
    /// Whether the field is sealed in place, not in a column beside the plaintext.
    pub in_place: bool,
    /// The size to which values are padded, in bytes; 0 for no padding.
    pub pad_to: u32,
    /// The state of the field.
    pub state: FieldState,
    /// The number of values that finished runs have sealed.
    pub values_sealed: i64,
    /// How its table was found.
    pub place: Whereabouts,
}

/// A relation that holds, or once held, sealed values of a table (`sealed_relations`), in its
/// present state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRecord {
    /// The table's label.
    pub table_label: String,
    /// Whether it is the table itself or the root of its partitions, and not one of the leaves.
    pub root: bool,
    /// Its recorded name.
    pub recorded: TableName,
    /// Its present name; `None` if it no longer exists.
    pub now: Option<TableName>,
    /// Whether it is the table or one of its partitions now. A detached partition keeps its sealed
    /// values.
    pub attached: bool,
    /// Why its sealed values may be older than their plaintext; `None` without a gap.
    pub gap: Option<String>,
    /// What is wrong with its guard, one message each.
    pub faults: Vec<String>,
}

/// A relation whose sealed values must be compared with their plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The relation, qualified and quoted, as [`crate::store::Store::relations`] names it.
    pub relation: String,
    /// Its present guard. If it has another one later, the comparison did not cover every write.
    pub guard: String,
    /// Why it has a gap.
    pub reason: String,
    /// Whether it is the table or one of its leaves now, and not a detached one.
    pub attached: bool,
}

/// A run (`runs`).
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its number; 0 before it has begun.
    pub run_id: i64,
    /// Its step.
    pub kind: RunKind,
    /// The table's label.
    pub table_label: String,
    /// A digest of the table's definition and of the fields that it works on.
    pub digest: String,
    /// Its state.
    pub state: RunState,
    /// Its parameters, as JSON text.
    pub params: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Who began it.
    pub actor: String,
    /// Its counters, summed over its lanes.
    pub tally: LaneTally,
    /// The code of the error that ended or interrupted it.
    pub error_code: Option<String>,
}

/// A lane that is not stored yet.
#[derive(Debug, Clone)]
pub struct NewLane {
    /// Its number within the run.
    pub lane_no: i32,
    /// What it is for.
    pub kind: LaneKind,
    /// The relation.
    pub relation: String,
    /// The bound that the lane begins after, encoded; `None` is the beginning of the relation.
    pub lower: Option<Vec<u8>>,
    /// The bound that the lane ends with, encoded; `None` is the end of the relation.
    pub upper: Option<Vec<u8>>,
}

/// A lane (`lanes`).
#[derive(Debug, Clone)]
pub struct LaneRecord {
    /// The run.
    pub run_id: i64,
    /// Its number within the run.
    pub lane_no: i32,
    /// What it is for.
    pub kind: LaneKind,
    /// The relation.
    pub relation: String,
    /// The bound that the lane begins after, encoded.
    pub lower: Option<Vec<u8>>,
    /// The bound that the lane ends with, encoded.
    pub upper: Option<Vec<u8>>,
    /// The cursor, encoded: rows up to it are done.
    pub cursor: Option<Vec<u8>>,
    /// The number of committed batches.
    pub seq: i64,
    /// The fence: how often the lane was claimed.
    pub fence: i64,
    /// The holder's name.
    pub holder: Option<String>,
    /// How many seconds the lease still lasts by the server's clock; negative once it is over.
    pub lease_left_seconds: Option<f64>,
    /// Whether no work is left in it.
    pub done: bool,
    /// Its counters.
    pub tally: LaneTally,
}

/// A lane's row as its holder expects it. A batch that finds another fence or number fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneStamp {
    /// The run.
    pub run_id: i64,
    /// Its number within the run.
    pub lane_no: i32,
    /// The fence that this holder's claim was given.
    pub fence: i64,
    /// The number of committed batches.
    pub seq: i64,
}

/// Counters of a lane or a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LaneTally {
    /// Rows that needed work.
    pub rows_found: i64,
    /// Rows written.
    pub rows_written: i64,
    /// Values written.
    pub values_written: i64,
    /// Conflicts: rows that were not written because they changed or were locked after they were
    /// read.
    pub conflicts: i64,
    /// Rows that were quarantined.
    pub quarantined: i64,
}

impl std::ops::AddAssign for LaneTally {
    fn add_assign(&mut self, other: Self) {
        self.rows_found += other.rows_found;
        self.rows_written += other.rows_written;
        self.values_written += other.values_written;
        self.conflicts += other.conflicts;
        self.quarantined += other.quarantined;
    }
}

/// The holder of a lane, named `host/boot id/pid/start time/worker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(pub String);

impl Holder {
    /// The part of the name that all workers of a process share, with its last slash; `None` if the
    /// name has another form.
    pub(crate) fn process(&self) -> Option<&str> {
        self.0.rfind('/').map(|at| &self.0[..=at])
    }
}

/// A procedure of several phases (`procedures`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcedureRecord {
    /// Its number.
    pub procedure_id: i64,
    /// What it does.
    pub kind: ProcedureKind,
    /// What it works on: the label of a table, or the ids of keys.
    pub subject: String,
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
