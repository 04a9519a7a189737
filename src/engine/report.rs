//! What a run did: the counts of this invocation and the failures that it found. Owns the sums, not
//! the counters in `lanes`.

use super::closing::Closing;
use super::commit::Committed;
use super::context::RunContext;
use super::step::StepCounts;
use super::worked_page::WorkedRow;
use crate::store::LaneTally;

/// How many failures are reported in full; further ones are only counted.
pub const FAILURES_MAX: usize = 1000;

/// What one worker did, or all workers together.
#[derive(Debug, Clone, Default)]
pub struct Tallied {
    /// The same counters that lanes keep.
    pub tally: LaneTally,
    /// What the step counted.
    pub seen: StepCounts,
    /// The first [`FAILURES_MAX`] values that failed.
    pub failures: Vec<Failure>,
    /// How many lanes were worked on.
    pub lanes: u32,
    /// Whether an interrupted run was resumed.
    pub resumed: bool,
    /// Whether a sweep ended while the application kept writing rows that need work.
    pub still_written: bool,
    /// How many sweeps ended.
    pub sweeps: usize,
    /// Sweep indexes that could not be dropped, because a transaction has been using the table for
    /// long.
    pub indexes_left: Vec<String>,
    /// How the files grew, and what the server counted meanwhile; `None` if nothing was measured.
    pub closing: Option<Closing>,
}

/// A value that does not open, or is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The table's label.
    pub table: String,
    /// The column's label; empty for the whole row.
    pub column: String,
    /// The row's tag.
    pub row_tag: String,
    /// Why it failed.
    pub reason: String,
}

/// What a run of one table did.
#[derive(Debug, Clone, Default)]
pub struct TableReport {
    /// The table's label.
    pub table: String,
    /// What all workers did together.
    pub done: Tallied,
    /// Whether the run resumed an interrupted one.
    pub resumed: bool,
    /// How many rows in quarantine wait for a person.
    pub open_quarantine: u64,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// The report of the comparison of gaps, if there was one.
    pub compared: Option<Box<TableReport>>,
    /// After a restore: the statements that make again what went with a plaintext column, for a
    /// person.
    pub statements: Vec<String>,
}

impl Tallied {
    /// Adds the counts of a committed worked page.
    pub fn add(&mut self, done: &Committed) {
        self.tally += done.tally;
        self.seen.add(&done.seen);
    }

    /// Adds what the step counted in a worked page that is not written.
    pub fn saw(&mut self, seen: &StepCounts) {
        self.seen.add(seen);
    }

    /// Adds the failures of a row.
    pub fn failed_row(&mut self, ctx: &RunContext, row: &WorkedRow) {
        for fault in &row.work.faults {
            if self.failures.len() >= FAILURES_MAX {
                return;
            }
            self.failures.push(Failure {
                table: ctx.access.table.label.clone(),
                column: fault
                    .field
                    .map(|at| ctx.access.cells[at].label.clone())
                    .unwrap_or_default(),
                row_tag: ctx.known_faults.tag(&row.key),
                reason: fault.reason.clone(),
            });
        }
    }

    /// Adds what another worker did.
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
        match (&mut self.closing, other.closing) {
            (Some(closing), Some(other)) => closing.add(other),
            (closing, other) => *closing = closing.take().or(other),
        }
    }
}

/// The sums over several tables.
#[derive(Debug, Default)]
pub struct Total {
    /// What was done.
    pub done: Tallied,
    /// Whether a run was resumed.
    pub resumed: bool,
    /// The rows that are left in quarantine.
    pub open_quarantine: u64,
    /// How long the tables took, one after the other.
    pub seconds: f64,
}

impl Total {
    /// Adds up the reports of several tables.
    #[must_use]
    pub fn of(reports: Vec<TableReport>) -> Self {
        let mut total = Self::default();
        for report in reports {
            total.resumed |= report.resumed;
            total.open_quarantine += report.open_quarantine;
            total.seconds += report.seconds;
            total.done.merge(report.done);
        }
        total
    }
}
