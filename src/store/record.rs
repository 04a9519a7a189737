//! Rows of our own tables as the program sees them.
//! Owns the shapes of registry, runs, lanes, quarantine and audit. Times are text made by the
//! server (RFC 3339, UTC). Nothing here holds a plaintext or an unwrapped key.

use std::str::FromStr;

use crate::ident::TableName;
use crate::keys::AuditEntry;

macro_rules! word_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// The word stored in the table.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl FromStr for $name {
            type Err = ();
            fn from_str(word: &str) -> Result<Self, ()> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

word_enum! {
    /// The life of a field.
    FieldState {
        /// In the plan and the registry.
        Declared = "declared",
        /// Columns and guard exist.
        Prepared = "prepared",
        /// A backfill is under way.
        Sealing = "sealing",
        /// A sweep found no row left.
        Sealed = "sealed",
        /// Every row was opened and compared.
        Verified = "verified",
        /// In place: every value opens.
        Opened = "opened",
        /// A validated constraint proves it.
        Finalized = "finalized",
        /// No plaintext was found in the files.
        Scrubbed = "scrubbed",
        /// Decrypted back, and no longer sealed.
        Restored = "restored",
        /// Its column or table is gone for good: a person said so.
        Forgotten = "forgotten",
    }
}

word_enum! {
    /// What a run does.
    RunKind {
        /// Seals.
        Backfill = "backfill",
        /// Opens what is sealed, compares it with its plaintext, and seals again what differs.
        Compare = "compare",
        /// Re-seals under a new key version.
        Rotate = "rotate",
        /// Fills a new blind index column under a new key version.
        Reindex = "reindex",
        /// Decrypts back.
        Restore = "restore",
        /// Opens and compares; keeps no row in `runs`.
        Verify = "verify",
    }
}

word_enum! {
    /// The state of a run.
    RunState {
        /// Under way.
        Running = "running",
        /// Stopped, to be resumed.
        Interrupted = "interrupted",
        /// Ended well.
        Done = "done",
        /// Ended for good without finishing.
        Failed = "failed",
    }
}

word_enum! {
    /// The state of a quarantined row.
    QuarantineState {
        /// Waits for a person.
        Open = "open",
        /// To be tried again by the next run.
        Retry = "retry",
        /// A person decided to leave it.
        Skipped = "skipped",
        /// It went through.
        Resolved = "resolved",
    }
}

impl FieldState {
    /// Values of the field may be sealed: from the first backfill to the last restored value.
    pub fn may_hold_seals(self) -> bool {
        !matches!(self, Self::Declared | Self::Restored | Self::Forgotten)
    }
}

/// Where the table of a registered field was found. Its names in the [`FieldRecord`] are those of today.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Found {
    /// By its number in this database, or what stands for one.
    Known,
    /// By its guard alone: the database is another one than the one that was recorded.
    Guarded,
    /// By its name alone: nothing was recorded, and no table carries its guard.
    #[default]
    Named,
    /// Several tables carry its guard.
    Several(Vec<TableName>),
    /// The table that was recorded is not in this database any more.
    Gone,
}

/// What is known about where a field is, beyond its names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// How its table was found.
    pub found: Found,
    /// Names that changed since they were recorded, each as it was and as it is.
    pub renames: Vec<(String, String)>,
    /// The plaintext column was dropped: it is not another name that is missing.
    pub plain_dropped: bool,
    /// The column that held its sealed values was dropped, and is not only missing under this name.
    pub holder_dropped: bool,
}

/// A registered field (`encrypted_field_metadata`), under the names that table and columns have today.
#[derive(Debug, Clone)]
pub struct FieldRecord {
    /// Frozen label of the table.
    pub table_label: String,
    /// Frozen label of the column.
    pub column_label: String,
    /// Physical schema, empty in SQLite.
    pub schema_name: String,
    /// Physical table.
    pub table_name: String,
    /// Physical plaintext column.
    pub column_name: String,
    /// Physical sealed column; `None` in place.
    pub sealed_column: Option<String>,
    /// Physical blind index column.
    pub blind_index_column: Option<String>,
    /// Its normaliser.
    pub blind_index_normaliser: Option<String>,
    /// Its bits.
    pub blind_index_bits: Option<i32>,
    /// Physical column that takes the new blind index while its key is rotated.
    pub blind_index_next: Option<String>,
    /// The key that the blind index is under, where the table has no tenants.
    pub blind_index_key_id: Option<i64>,
    /// Physical tenant column.
    pub tenant_column: Option<String>,
    /// Key columns in the frozen order.
    pub key_columns: Vec<String>,
    /// Their row key tags.
    pub key_types: Vec<String>,
    /// The plaintext's type as SQL would write it.
    pub source_type: String,
    /// `beside` or `in_place`.
    pub in_place: bool,
    /// Padding bucket, bytes; 0 for none.
    pub pad_to: u32,
    /// Where in its life the field is.
    pub state: FieldState,
    /// Values sealed by finished runs.
    pub values_sealed: i64,
    /// Where it was found.
    pub place: Whereabouts,
}

/// A relation that holds, or once held, sealed values of a table (`sealed_relations`), as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelationRecord {
    /// The table's label.
    pub table_label: String,
    /// The table itself, or the top of its partitions; else one of its leaves.
    pub root: bool,
    /// Its name when it was recorded.
    pub recorded: TableName,
    /// Its name now; `None` where it is gone.
    pub now: Option<TableName>,
    /// It is the table, or one of its partitions now. A detached one keeps what is sealed in it.
    pub attached: bool,
    /// Why its seals may not be of the plaintext beside them.
    pub gap: Option<String>,
    /// What is wrong with its guard.
    pub faults: Vec<String>,
}

/// A relation whose seals are to be compared with their plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The relation, qualified and quoted, as [`crate::store::Store::relations`] names it.
    pub relation: String,
    /// Its guard now; another one later means that comparing did not see everything.
    pub guard: String,
    /// Why.
    pub reason: String,
    /// It is the table, or one of its leaves now, and not a detached one.
    pub attached: bool,
}

/// A run (`runs`).
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its number; 0 before it is begun.
    pub run_id: i64,
    /// What it does.
    pub kind: RunKind,
    /// The table's label.
    pub table_label: String,
    /// Digest of the table's definition and of the fields worked on.
    pub digest: String,
    /// Its state.
    pub state: RunState,
    /// What it was asked, as JSON text.
    pub params: String,
    /// When it began.
    pub started_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// Who began it.
    pub actor: String,
    /// Sums over its lanes.
    pub tally: LaneTally,
    /// The code of the error that ended it.
    pub error_code: Option<String>,
}

/// A key range of a run, before it has a number.
#[derive(Debug, Clone)]
pub struct NewLane {
    /// Its number within the run.
    pub lane_no: i32,
    /// The relation.
    pub relation: String,
    /// Keys greater than this, encoded; `None` from the start.
    pub lower: Option<Vec<u8>>,
    /// Keys up to this, encoded; `None` to the end.
    pub upper: Option<Vec<u8>>,
}

/// A lane (`lanes`).
#[derive(Debug, Clone)]
pub struct LaneRecord {
    /// The run.
    pub run_id: i64,
    /// Number within the run.
    pub lane_no: i32,
    /// The relation.
    pub relation: String,
    /// Keys greater than this, encoded.
    pub lower: Option<Vec<u8>>,
    /// Keys up to this, encoded.
    pub upper: Option<Vec<u8>>,
    /// Keys up to this are done, encoded.
    pub cursor: Option<Vec<u8>>,
    /// Batches committed.
    pub seq: i64,
    /// Holders so far.
    pub fence: i64,
    /// Who holds it.
    pub holder: Option<String>,
    /// Seconds until the lease is over, by the server's clock; negative when it is.
    pub lease_left_seconds: Option<f64>,
    /// Nothing is left in it.
    pub done: bool,
    /// Its counters.
    pub tally: LaneTally,
}

/// The lane as one holder believes it to be: what a batch must find, or roll back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LaneStamp {
    /// The run.
    pub run_id: i64,
    /// Number within the run.
    pub lane_no: i32,
    /// The fence this holder got.
    pub fence: i64,
    /// Batches committed so far.
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
    /// Rows that changed between reading and writing.
    pub conflicts: i64,
    /// Rows put into quarantine.
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

/// Who holds a lane: `host/boot id/pid/start time/worker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder(pub String);

impl Holder {
    /// The part that all workers of one process share, with its last slash; `None` for a name of another form.
    pub(crate) fn process(&self) -> Option<&str> {
        self.0.rfind('/').map(|at| &self.0[..=at])
    }
}

/// A row for the quarantine.
#[derive(Debug, Clone)]
pub struct NewQuarantine {
    /// The run; `None` for verify.
    pub run_id: Option<i64>,
    /// The table's label.
    pub table_label: String,
    /// The column's label; `None` for the whole row.
    pub column_label: Option<String>,
    /// Keyed digest of the row's key, 16 hex digits.
    pub row_tag: String,
    /// The key's text, sealed.
    pub key_sealed: Vec<u8>,
    /// The key it is sealed under.
    pub key_id: i64,
    /// What was being done.
    pub step: String,
    /// Why, in words that hold no value.
    pub reason: String,
    /// SQLSTATE where the database refused.
    pub sqlstate: Option<String>,
    /// The constraint where one refused.
    pub constraint_name: Option<String>,
}

/// A quarantined row (`quarantine`).
#[derive(Debug, Clone)]
pub struct QuarantineRecord {
    /// Its number.
    pub quarantine_id: i64,
    /// What was recorded.
    pub row: NewQuarantine,
    /// Its state.
    pub state: QuarantineState,
    /// When it was listed.
    pub created_at: String,
    /// When it was resolved.
    pub resolved_at: Option<String>,
}

/// A row of `audit_log` as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number.
    pub entry_id: i64,
    /// What it says; `None` where a column of it is not what an appender writes.
    pub entry: Option<AuditEntry>,
}

/// What is in our audit tables and cannot be gone through as a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditMisfit {
    /// An entry without a number.
    Unnumbered,
    /// Several entries of this number.
    Twice(i64),
    /// No head, several, or one that cannot be read.
    Head,
}
