//! What is done to one row: the seam between the run loop and its steps.
//! A row goes in, a row's work comes out. A step knows nothing of paging, lanes, transactions,
//! retries or progress; the loop knows nothing of what a step does with a row.

use std::collections::{BTreeMap, BTreeSet};

use zeroize::Zeroizing;

use super::columns::{Cell, Memo};
use crate::crypto::{KeyId, NonceBatch, RowKey};
use crate::keys::KeySet;
use crate::store::page::WriteCell;
use crate::store::{PageRow, RunKind, Select, Visits};

/// One kind of work on rows.
pub trait Step: Send + Sync {
    /// What it is called in `runs` and in messages.
    fn kind(&self) -> RunKind;

    /// What it reads.
    fn reads(&self) -> Reads;

    /// Whether it may need a key to seal under for tenants that have none yet.
    fn seals(&self) -> bool;

    /// Works on one row, whose key and tenant are good. Called on many threads.
    fn work(&self, row: &Row<'_>, keys: &KeySet, hand: &mut Hand) -> RowWork;

    /// Judges what the server says an in-place column now holds, before COMMIT: it must be what was
    /// sent and open to what was read.
    fn stored_is_good(
        &self,
        row: &Row<'_>,
        keys: &KeySet,
        sent: &[WriteCell],
        stored: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool;
}

/// What a step reads of each row.
#[derive(Debug, Clone)]
pub struct Reads {
    /// Which rows, in the main pass.
    pub main: Select,
    /// Which rows, in the sweep's exact pass over windows.
    pub sweep: Select,
    /// How the main pass goes through the table.
    pub order: Order,
    /// Whether the sweep may go through its partial index afterwards.
    pub indexed_sweep: bool,
    /// Whether the sweep may end while applications go on writing what it has to meet. Otherwise it
    /// ends only where nothing is left.
    pub ends_beside_writers: bool,
    /// The plaintext columns.
    pub plain: bool,
    /// The sealed columns.
    pub sealed: bool,
    /// The blind indexes.
    pub index: bool,
}

/// The order in which a main pass goes through a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Of keys: every row that stands still is met.
    Keys,
    /// Of storage, where the store can. A row that moves meanwhile is passed over, so this is only
    /// for those whose sweep names exactly the rows that are not done.
    Storage(Visits),
}

/// A row with its key encoded and its tenant checked.
pub struct Row<'a> {
    /// As it was read.
    pub read: &'a PageRow,
    /// Its row key.
    pub key: &'a RowKey,
    /// Its tenant; empty where the table has none.
    pub tenant: &'a str,
}

impl<'a> Row<'a> {
    /// One of its cells.
    pub fn cell(&self, field: usize) -> Cell<'a> {
        Cell {
            tenant: self.tenant,
            field,
            row_key: self.key,
        }
    }
}

/// What is to become of one row.
#[derive(Default)]
pub struct RowWork {
    /// What to write, one for each field; empty for nothing.
    pub write: Vec<WriteCell>,
    /// How many values that is.
    pub values: u32,
    /// What could not be done.
    pub faults: Vec<RowFault>,
    /// The older keys whose values are in this row, each once: what a rotation counts by.
    pub under: Vec<KeyId>,
}

/// What a thread has at hand for the rows it works on one after another.
pub struct Hand {
    /// Nonces, one for each value that may be sealed.
    pub nonces: NonceBatch,
    /// What was seen in the rows so far.
    pub seen: Seen,
    /// The keys that were needed last.
    pub memo: Memo,
    /// Where a value is opened that nobody keeps.
    pub opened: Zeroizing<Vec<u8>>,
}

impl Hand {
    /// With these nonces, and nothing seen.
    pub fn new(nonces: NonceBatch) -> Self {
        Self {
            nonces,
            seen: Seen::default(),
            memo: Memo::default(),
            opened: Zeroizing::new(Vec::new()),
        }
    }
}

/// Something about a row that needs a person. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The field, by its position; `None` for the whole row.
    pub field: Option<usize>,
    /// Why.
    pub reason: String,
    /// SQLSTATE where the database refused.
    pub sqlstate: Option<String>,
    /// The constraint where one refused.
    pub constraint: Option<String>,
}

impl RowFault {
    /// A fault of one field.
    pub fn field(field: usize, reason: impl Into<String>) -> Self {
        Self {
            field: Some(field),
            reason: reason.into(),
            sqlstate: None,
            constraint: None,
        }
    }

    /// A fault of the row.
    pub fn row(reason: impl Into<String>) -> Self {
        Self {
            field: None,
            reason: reason.into(),
            sqlstate: None,
            constraint: None,
        }
    }
}

/// Counts of what a step saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Rows with at least one value opened.
    pub rows_opened: u64,
    /// Values opened (and equal to their plaintext, where that is there), by key id.
    pub opened: BTreeMap<KeyId, u64>,
    /// Values that do not open or are not what they should be.
    pub failed: u64,
    /// Plaintext values that are not sealed.
    pub unsealed: u64,
    /// Values that were sealed again because they were not of their plaintext.
    pub mended: u64,
    /// Older keys whose values were met by a rotation.
    pub under: BTreeSet<KeyId>,
}

impl Seen {
    /// Values opened, in all.
    pub fn values_opened(&self) -> u64 {
        self.opened.values().sum()
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.rows_opened += other.rows_opened;
        for (key, values) in &other.opened {
            *self.opened.entry(*key).or_default() += values;
        }
        self.failed += other.failed;
        self.unsealed += other.unsealed;
        self.mended += other.mended;
        self.under.extend(&other.under);
    }
}
