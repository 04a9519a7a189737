//! What a run did: counts of this invocation, and the failures it met.

use super::commit::Committed;
use super::context::Context;
use super::parcel::Worked;
use super::step::Seen;
use crate::store::LaneTally;

/// Failures listed in full; beyond that they are only counted.
pub const FAILURES_MAX: usize = 1000;

/// What one worker did.
#[derive(Debug, Clone, Default)]
pub struct Tallied {
    /// Counters, as lanes keep them.
    pub tally: LaneTally,
    /// What was seen.
    pub seen: Seen,
    /// Values that failed, the first [`FAILURES_MAX`].
    pub failures: Vec<Failure>,
    /// Lanes worked on.
    pub lanes: u32,
    /// Something that was interrupted went on.
    pub resumed: bool,
    /// A sweep ended while the application went on writing what it had to meet.
    pub still_written: bool,
    /// Sweeps that ended.
    pub sweeps: usize,
    /// Indexes of ours that could not be dropped, as somebody looks at the table for long.
    pub indexes_left: Vec<String>,
}

/// A value that does not open or is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The table's label.
    pub table: String,
    /// The column's label; empty for the whole row.
    pub column: String,
    /// The row's tag.
    pub row_tag: String,
    /// Why.
    pub reason: String,
}

/// What a run of one table did.
#[derive(Debug, Clone, Default)]
pub struct TableReport {
    /// The table's label.
    pub table: String,
    /// What the workers did, together.
    pub done: Tallied,
    /// It went on with an interrupted run.
    pub resumed: bool,
    /// Rows in quarantine that wait for a person.
    pub open_quarantine: u64,
    /// How long it took, seconds.
    pub seconds: f64,
    /// What was compared, where seals were not trusted.
    pub compared: Option<Box<TableReport>>,
}

impl Tallied {
    /// Adds a committed parcel.
    pub fn add(&mut self, done: &Committed) {
        self.tally += done.tally;
        self.seen.add(&done.seen);
    }

    /// Adds what was seen in a parcel that is not written.
    pub fn saw(&mut self, seen: &Seen) {
        self.seen.add(seen);
    }

    /// Notes the failures of a row.
    pub fn failed_row(&mut self, ctx: &Context, row: &Worked) {
        for fault in &row.work.faults {
            if self.failures.len() >= FAILURES_MAX {
                return;
            }
            self.failures.push(Failure {
                table: ctx.target.label.clone(),
                column: fault
                    .field
                    .map(|at| ctx.target.fields[at].label.clone())
                    .unwrap_or_default(),
                row_tag: ctx.book.tag(&row.key),
                reason: fault.reason.clone(),
            });
        }
    }

    /// Adds another worker's.
    pub fn merge(&mut self, other: Self) {
        self.tally += other.tally;
        self.seen.add(&other.seen);
        let room = FAILURES_MAX.saturating_sub(self.failures.len());
        self.failures.extend(other.failures.into_iter().take(room));
        self.lanes += other.lanes;
        self.resumed |= other.resumed;
        self.still_written |= other.still_written;
        self.sweeps += other.sweeps;
        self.indexes_left.extend(other.indexes_left);
    }
}
