//! What a run tells while it is under way.
//! Owns the events and the seam they go through. An event is emitted after its batch is committed,
//! and holds names and counts, never values.

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Work on a table begins.
    TableBegun {
        /// `backfill`, `verify` …
        kind: &'static str,
        /// The table's label.
        table: String,
        /// Rows by the statistics.
        rows_estimate: u64,
        /// Rows that an interrupted run had done already.
        rows_before: u64,
    },
    /// A batch is committed (verify: a page is done).
    Batch {
        /// Rows looked at.
        rows: u64,
        /// Values written or opened.
        values: u64,
    },
    /// The run waits, and for what.
    Waiting {
        /// For what.
        why: String,
    },
    /// A search of the whole database looks into a relation.
    Searching {
        /// Its name.
        place: String,
        /// Which one, from 1.
        number: usize,
        /// How many are known.
        of: usize,
    },
    /// The run goes on after waiting.
    GoingOn,
    /// The sweep begins another pass.
    Sweep {
        /// Which one, from 1.
        pass: u64,
        /// Rows the last one found.
        found: u64,
    },
    /// A table failed, and the others are worked on.
    TableFailed {
        /// The table's label.
        table: String,
        /// Its error's code.
        code: &'static str,
        /// What happened.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Work on a table is over.
    TableEnded {
        /// The table's label.
        table: String,
    },
}

/// Takes events. Called from many tasks; must not block.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: Event);
}

/// Takes none.
pub struct NoEvents;

impl EventSink for NoEvents {
    fn emit(&self, _: Event) {}
}
