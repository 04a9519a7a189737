//! What one transaction writes: a batch of the rows of a worked page.
//! Owns how a page becomes batches. Sends nothing.

use std::ops::Range;

use crate::crypto::KeyId;
use crate::engine::worked_page::{WorkedPage, WorkedRow};
use crate::store::{NewQuarantine, WriteRow, Written};

/// What all batches of a worked page share.
pub(super) struct PageWrites {
    worked: WorkedPage,
    /// The positions in the page of the rows to write.
    positions: Vec<usize>,
    writes: Vec<WriteRow>,
    /// What the batch that closes the page does besides.
    pub(super) end: PageEnd,
}

/// What the last batch of a page does besides writing rows.
#[derive(Default)]
pub(super) struct PageEnd {
    /// The page is the last one of its lane.
    pub(super) is_last: bool,
    /// It moves the lane's cursor to this bound, in its stored form.
    pub(super) cursor: Option<Vec<u8>>,
    /// It lists the rows and values that the step could not process.
    pub(super) listed: Vec<NewQuarantine>,
    /// It counts so many rows as found.
    pub(super) found: i64,
}

/// The rows of a worked page that one transaction writes.
pub(super) struct Batch {
    /// Their positions among the rows to write.
    pub(super) rows: Range<usize>,
    /// Whether this is the page's last batch.
    pub(super) closes: bool,
}

impl PageWrites {
    /// Takes what is to be written out of the rows of a page.
    pub(super) fn new(mut worked: WorkedPage, end: PageEnd) -> Self {
        let mut positions = Vec::new();
        let mut writes = Vec::new();
        for (at, row) in worked.rows.iter_mut().enumerate() {
            if !row.work.write.is_empty() {
                positions.push(at);
                writes.push(WriteRow {
                    locator: std::mem::take(&mut row.read.locator),
                    cells: std::mem::take(&mut row.work.write),
                });
            }
        }
        Self {
            worked,
            positions,
            writes,
            end,
        }
    }

    /// The page.
    pub(super) fn page(&self) -> &WorkedPage {
        &self.worked
    }

    /// Returns the page; nothing more is written of it.
    pub(super) fn into_page(self) -> WorkedPage {
        self.worked
    }

    /// One batch of all rows to write.
    pub(super) fn batch(&self, closes: bool) -> Batch {
        Batch {
            rows: 0..self.writes.len(),
            closes,
        }
    }

    /// What a batch writes to its rows.
    pub(super) fn writes(&self, batch: &Batch) -> &[WriteRow] {
        &self.writes[batch.rows.clone()]
    }

    /// The position in the page of a row to write.
    pub(super) fn position(&self, at: usize) -> usize {
        self.positions[at]
    }

    /// A row to write.
    pub(super) fn row(&self, at: usize) -> &WorkedRow {
        &self.worked.rows[self.positions[at]]
    }

    /// The active keys of the tenants of a batch's rows; these sealed the rows' values.
    pub(super) fn seal_keys(&self, batch: &Batch) -> Vec<KeyId> {
        self.worked.seal_keys(&self.positions[batch.rows.clone()])
    }

    /// The rows that the step could not process and that are not written.
    pub(super) fn listed_only(&self) -> impl Iterator<Item = &WorkedRow> {
        let unwritten = |at: &usize| self.positions.binary_search(at).is_err();
        let rows = self.worked.rows.iter().enumerate();
        rows.filter(move |(at, row)| !row.work.faults.is_empty() && unwritten(at))
            .map(|(_, row)| row)
    }

    /// The number of values that a batch wrote.
    pub(super) fn values_written(&self, batch: &Batch, written: &Written) -> i64 {
        if written.rows == 0 {
            return 0;
        }
        let values = |at: usize| i64::from(self.row(at).work.values);
        let all: i64 = batch.rows.clone().map(values).sum();
        let missed = written.missed.iter().map(|at| batch.rows.start + at);
        all - missed.map(values).sum::<i64>()
    }
}

impl Batch {
    /// The two halves of the batch, the first one first. Only the second one closes the page.
    pub(super) fn halves(&self) -> [Self; 2] {
        let middle = self.rows.start + self.rows.len() / 2;
        [
            Self {
                rows: self.rows.start..middle,
                closes: false,
            },
            Self {
                rows: middle..self.rows.end,
                closes: self.closes,
            },
        ]
    }
}
