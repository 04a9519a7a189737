//! Runs and their lanes.

use crate::words::word_enum;

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
        /// Sets plaintext to NULL whose sealed value opens to it.
        Finalize = "finalize",
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

impl std::ops::SubAssign for LaneTally {
    fn sub_assign(&mut self, other: Self) {
        self.rows_found -= other.rows_found;
        self.rows_written -= other.rows_written;
        self.values_written -= other.values_written;
        self.conflicts -= other.conflicts;
        self.quarantined -= other.quarantined;
    }
}

impl std::ops::Sub for LaneTally {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
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
