//! What is done to one row: the interface between the run loop and its steps. A step turns a cell
//! into the write it needs. It knows nothing of paging, lanes, transactions, retries or progress, and
//! the run loop does not know what a step does with a cell. The row around the cells is provided here
//! once: its writes, faults and counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::columns::{Cell, Columns, LastKeys, Unopened};
use crate::crypto::{KeyId, Nonce, NonceBatch, RowKey};
use crate::keys::KeySet;
use crate::store::page::{PageCell, WriteCell};
use crate::store::{Access, CellAccess, PageRow, PassKind, RunKind, Select};

/// One kind of work on the cells of rows.
pub trait Step: Send + Sync {
    /// The step's name in `runs` and in messages.
    fn kind(&self) -> RunKind;

    /// Which columns of the table the step reads and writes.
    fn access(&self) -> &Arc<Access>;

    /// The derived keys of the cells, in the order of the access.
    fn columns(&self) -> &Arc<Columns>;

    /// Which rows the step reads, and in which order.
    fn reads(&self) -> Reads;

    /// Whether the step seals values, so that a tenant without a key must get one.
    fn seals(&self) -> bool;

    /// Works on one cell of a row whose key and tenant are valid. Many threads call this at the
    /// same time.
    ///
    /// # Errors
    /// Why the cell cannot be processed, for the quarantine. The row's other cells are processed.
    fn cell(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<CellWork, String>;

    /// The superseded key under which a rotation counts the row, if the step writes this cell or
    /// cannot process it.
    fn superseded_key(&self, _: &CellView<'_>) -> Option<KeyId> {
        None
    }

    /// Works on all cells of a row.
    fn row(&self, row: &RowView<'_>, keys: &KeySet, scratch: &mut ThreadScratch) -> RowWork {
        let mut work = RowWork::default();
        let mut write = Vec::with_capacity(row.read.cells.len());
        let mut any_good = false;
        for field in 0..row.read.cells.len() {
            let cell = row.cell(field, self.access());
            let done = self.cell(&cell, keys, scratch);
            if !matches!(done, Ok(CellWork::Keep | CellWork::Good(_)))
                && let Some(key) = self.superseded_key(&cell)
                && !work.under.contains(&key)
            {
                work.under.push(key);
            }
            write.push(match done {
                Ok(CellWork::Keep) => WriteCell::Keep,
                Ok(CellWork::Good(key)) => {
                    any_good = true;
                    *scratch.seen.opened.entry(key).or_default() += 1;
                    WriteCell::Keep
                }
                Ok(CellWork::Write(cell)) => {
                    work.values += 1;
                    cell
                }
                Err(why) => {
                    work.faults.push(RowFault::field(field, why));
                    WriteCell::Keep
                }
            });
        }
        if work.values > 0 {
            work.write = write;
        }
        scratch.seen.rows_opened += u64::from(any_good);
        scratch.seen.under.extend(&work.under);
        work
    }

    /// Judges, before COMMIT, what the server says the columns that are sealed in place now hold:
    /// it must equal what was sent, and open to what was read.
    fn stored_is_good(
        &self,
        row: &RowView<'_>,
        keys: &KeySet,
        sent: &[WriteCell],
        stored: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool {
        (0..sent.len()).all(|field| {
            let cell = row.cell(field, self.access());
            let WriteCell::Seal { sealed, .. } = &sent[field] else {
                return true;
            };
            if !cell.access.in_place() {
                return true;
            }
            let (Some(now), Some(before)) = (&stored[field], &cell.read.plain) else {
                return false;
            };
            let open = |value: &[u8]| self.columns().open(keys, cell.bound, value);
            let plain = match open(before) {
                Ok((plain, _)) => Ok(plain),
                Err(Unopened::NotSealed) => Ok(before.clone()),
                Err(other) => Err(other),
            };
            now.as_slice() == sealed.as_slice()
                && matches!((open(now), plain), (Ok((now, _)), Ok(plain)) if now == plain)
        })
    }
}

/// What a step does to one cell.
pub enum CellWork {
    /// Nothing.
    Keep,
    /// Nothing: the value opened under this key, and is what it should be.
    Good(KeyId),
    /// It writes the cell.
    Write(WriteCell),
}

/// One cell of a row, as a step sees it.
pub struct CellView<'a> {
    /// The cell as it was read.
    pub read: &'a PageCell,
    /// The columns that it was read from.
    pub access: &'a CellAccess,
    /// What its sealed value is bound to.
    pub bound: Cell<'a>,
}

impl<'a> CellView<'a> {
    /// The sealed value, wherever it is; in place, whatever is there.
    pub fn sealed(&self) -> Option<&'a [u8]> {
        match self.access.in_place() {
            true => self.read.plain.as_deref().map(Vec::as_slice),
            false => self.read.sealed.as_deref(),
        }
    }

    /// The plaintext beside the sealed value.
    pub fn plain_beside(&self) -> Option<&'a [u8]> {
        let plain = self.read.plain.as_deref().map(Vec::as_slice);
        plain.filter(|_| !self.access.in_place())
    }
}

/// Which rows a step reads, and in which order.
#[derive(Debug, Clone)]
pub struct Reads {
    /// The rows that the main pass reads.
    pub main: Select,
    /// The rows that the sweep reads in a pass over windows of the whole relation.
    pub sweep: Select,
    /// The order in which the main pass reads the table.
    pub order: ReadOrder,
    /// Whether later passes of the sweep may use its partial index.
    pub indexed_sweep: bool,
    /// Whether the sweep may end although applications keep writing rows that need work. Otherwise
    /// it ends only when no row is left.
    pub ends_while_written: bool,
}

/// The order in which a main pass reads a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOrder {
    /// By key: the pass visits every row whose key does not change meanwhile.
    Keys,
    /// In storage order, if the store can. The pass can skip a row that moves meanwhile, so this is
    /// only for steps whose sweep selects exactly the rows that are not done.
    Storage(PassKind),
}

/// A row with its encoded key and its checked tenant.
pub struct RowView<'a> {
    /// The row as it was read.
    pub read: &'a PageRow,
    /// Its row key.
    pub key: &'a RowKey,
    /// Its tenant; empty if the table has no tenants.
    pub tenant: &'a str,
}

impl<'a> RowView<'a> {
    /// The row's cell at this position.
    pub fn cell<'b>(&self, field: usize, access: &'b Access) -> CellView<'b>
    where
        'a: 'b,
    {
        CellView {
            read: &self.read.cells[field],
            access: &access.cells[field],
            bound: Cell {
                tenant: self.tenant,
                field,
                row_key: self.key,
            },
        }
    }
}

/// What a step decided about one row.
#[derive(Default)]
pub struct RowWork {
    /// What to write, one entry for each field; empty if there is nothing to write.
    pub write: Vec<WriteCell>,
    /// How many values `write` changes.
    pub values: u32,
    /// What could not be processed.
    pub faults: Vec<RowFault>,
    /// The superseded keys of values in this row, each once. A rotation counts rows by them.
    pub under: Vec<KeyId>,
}

/// What a thread reuses from one row to the next.
pub struct ThreadScratch {
    /// Nonces, one for each value that may be sealed.
    pub nonces: NonceBatch,
    /// What the step counted in the rows so far.
    pub seen: StepCounts,
    /// The derived keys that were used last.
    pub last_keys: LastKeys,
    /// A buffer for opened values; the next value overwrites it.
    pub opened: Zeroizing<Vec<u8>>,
}

impl ThreadScratch {
    /// Creates a scratch with these nonces and empty counts.
    pub fn new(nonces: NonceBatch) -> Self {
        Self {
            nonces,
            seen: StepCounts::default(),
            last_keys: LastKeys::default(),
            opened: Zeroizing::new(Vec::new()),
        }
    }

    /// A nonce for one value.
    ///
    /// # Errors
    /// All are used up.
    pub fn nonce(&mut self) -> Result<Nonce, String> {
        let nonce = self.nonces.next();
        nonce.ok_or_else(|| "no random bytes are left for this value".to_owned())
    }
}

/// A problem of a row that a person has to look at. Never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The position of the field; `None` for the whole row.
    pub field: Option<usize>,
    /// Why the row or field could not be processed.
    pub reason: String,
    /// The SQLSTATE, if the database refused the row.
    pub sqlstate: Option<String>,
    /// The name of the constraint that refused the row, if one did.
    pub constraint: Option<String>,
}

impl RowFault {
    /// Creates a fault of one field.
    pub fn field(field: usize, reason: impl Into<String>) -> Self {
        Self {
            field: Some(field),
            reason: reason.into(),
            sqlstate: None,
            constraint: None,
        }
    }

    /// Creates a fault of the whole row.
    pub fn row(reason: impl Into<String>) -> Self {
        Self {
            field: None,
            reason: reason.into(),
            sqlstate: None,
            constraint: None,
        }
    }
}

/// What is wrong with a value that a verification looked at. Each kind is put right in its own way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// It is plaintext that is not sealed.
    Unsealed,
    /// Its key is unknown or may not open values.
    NoKey,
    /// Its key rejects it, or it is not in the sealed form: it was changed, or belongs elsewhere.
    DoesNotOpen,
    /// It opens to something other than its plaintext.
    OtherPlaintext,
    /// It opens, but its blind index is missing or is that of another value.
    OtherIndex,
    /// It opens, but is padded to another length than its field is to be.
    OtherPadding,
    /// It opens to a text that the server does not write for a value of its type.
    OtherForm,
    /// Its row cannot be worked on: it has no key in a fixed form or no tenant, or cannot be read.
    Row,
}

/// What a step counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepCounts {
    /// Rows with at least one value that opened.
    pub rows_opened: u64,
    /// Values by key id that opened (and equal their plaintext, if it still exists).
    pub opened: BTreeMap<KeyId, u64>,
    /// What a verification found wrong, by the position of the field (`None` for a row that cannot be
    /// read) and by kind.
    pub flaws: BTreeMap<(Option<usize>, Flaw), u64>,
    /// Values that were sealed again because they did not match their plaintext.
    pub mended: u64,
    /// Superseded keys whose values a rotation found.
    pub under: BTreeSet<KeyId>,
}

impl StepCounts {
    /// Counts a value in which a verification found something wrong.
    pub fn flaw(&mut self, field: Option<usize>, flaw: Flaw) {
        *self.flaws.entry((field, flaw)).or_default() += 1;
    }

    /// How many values do not open, or are not what they should be.
    pub fn failed(&self) -> u64 {
        let failed = self
            .flaws
            .iter()
            .filter(|((_, flaw), _)| *flaw != Flaw::Unsealed);
        failed.map(|(_, values)| values).sum()
    }

    /// How many plaintext values are not sealed.
    pub fn unsealed(&self) -> u64 {
        let unsealed = self
            .flaws
            .iter()
            .filter(|((_, flaw), _)| *flaw == Flaw::Unsealed);
        unsealed.map(|(_, values)| values).sum()
    }

    /// How many values opened, under all keys.
    pub fn values_opened(&self) -> u64 {
        self.opened.values().sum()
    }

    /// Adds other counts to these.
    pub fn add(&mut self, other: &Self) {
        self.rows_opened += other.rows_opened;
        for (key, values) in &other.opened {
            *self.opened.entry(*key).or_default() += values;
        }
        for (flaw, values) in &other.flaws {
            *self.flaws.entry(*flaw).or_default() += values;
        }
        self.mended += other.mended;
        self.under.extend(&other.under);
    }
}
