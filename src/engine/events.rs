//! What a run reports while it is under way. Owns the events and the trait that takes them, not
//! their display. An event is emitted after its batch is committed. Events hold names and counts,
//! never values.

/// Something that happened during a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Work on a table begins.
    TableBegun {
        /// The kind of run: `backfill`, `verify` …
        kind: &'static str,
        /// The table's label.
        table: String,
        /// The number of the run; a verification has none.
        run: Option<i64>,
        /// How many rows the table has, by its statistics.
        rows_estimate: u64,
        /// How many rows an interrupted run had found before.
        rows_before: u64,
        /// The share of the table that an interrupted run had done, 0 to 1.
        share: f64,
    },
    /// A batch was committed, or a verification finished a page.
    Batch {
        /// How many rows needed work, or were verified.
        rows: u64,
        /// How many values were written or opened.
        values: u64,
        /// The share of the table that is done, 0 to 1; `None` where that is not known.
        share: Option<f64>,
    },
    /// A phase of a procedure begins.
    Phase {
        /// What the procedure does: `restore` …
        kind: &'static str,
        /// The label of its table.
        table: String,
        /// The phase.
        phase: &'static str,
    },
    /// The run waits.
    Waiting {
        /// What it waits for.
        why: String,
    },
    /// How much of the time the run works, measured lately.
    Paced {
        /// The share, 0 to 1.
        duty: f64,
    },
    /// A search of the whole database begins with a relation.
    Searching {
        /// The relation's name.
        place: String,
        /// The relation's number, from 1.
        number: usize,
        /// How many relations are known.
        of: usize,
    },
    /// The run goes on after waiting.
    GoingOn,
    /// A pass of the sweep ended.
    Sweep {
        /// The pass's number, from 1.
        pass: u64,
        /// How many rows the pass found.
        found: u64,
    },
    /// A table failed; the run goes on with the others.
    TableFailed {
        /// The table's label.
        table: String,
        /// The code of the error.
        code: &'static str,
        /// What happened.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// A table is followed after its backfill.
    Following {
        /// The table's label.
        table: String,
        /// How many rows were sealed since its backfill.
        rows_sealed: u64,
        /// At least how many rows have plaintext that is not sealed yet.
        rows_behind: u64,
        /// For how long, in seconds, the oldest of these rows may have been there.
        seconds_behind: f64,
    },
    /// Something that the operator should know; no work has begun.
    Notice {
        /// What it is, in one line.
        text: String,
    },
    /// Work on a table ended.
    TableEnded {
        /// The table's label.
        table: String,
    },
}

/// Takes events. Many tasks call it, so it must not block.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

/// Drops all events.
pub struct NoEvents;

impl EventSink for NoEvents {
    fn emit(&self, _: Event) {}
}
