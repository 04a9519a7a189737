//! Backfill seals every plaintext that is not sealed yet. Compare also opens sealed values, and
//! seals again those that do not match their plaintext. Owns both decisions, not the reading or
//! writing. In place, a value that parses as sealed is opened and never sealed again. If it does
//! not open, it goes to quarantine: it may be a damaged sealed value or an unusual plaintext.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::envelope::Suite;
use crate::crypto::text;
use crate::engine::Job;
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{ReadOrder, Reads, RowFault, RowView, RowWork, Step, ThreadScratch};
use crate::keys::KeySet;
use crate::store::page::{PageCell, WriteCell};
use crate::store::{Access, ColumnsRead, PassKind, RunKind, Select};

/// The step of a backfill and of a comparison.
pub struct Backfill {
    access: Arc<Access>,
    columns: Arc<Columns>,
    sealed_prefixes: Vec<String>,
    /// Whether sealed values are opened and compared, too.
    compares: bool,
}

impl Backfill {
    /// Creates the step for the fields of a job. `keys` are all keys known now: in place, the
    /// sweep treats a value that begins with the text form of one of their ids as sealed.
    pub fn new(job: &Job, keys: &KeySet, compares: bool) -> Self {
        let sealed_prefixes = keys
            .ids()
            .into_iter()
            .flat_map(|id| {
                [
                    text::prefix(id, Suite::Plain),
                    text::prefix(id, Suite::Padded),
                ]
            })
            .collect();
        let access = Access {
            reads: ColumnsRead {
                source: true,
                sealed: compares,
                index: compares,
            },
            ..job.access()
        };
        Self {
            access: Arc::new(access),
            columns: job.columns(),
            sealed_prefixes,
            compares,
        }
    }

    /// Whether the sealed value can stay as it is. Without a plaintext it is the only copy, so it
    /// only has to open.
    fn is_good(
        &self,
        row: &RowView<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<bool, RowFault> {
        let Some(sealed) = cell.sealed.as_deref().filter(|_| self.compares) else {
            return Ok(false);
        };
        let ThreadScratch {
            last_keys, opened, ..
        } = scratch;
        let outcome = (self.columns).open_into(keys, last_keys, row.cell(field), sealed, opened);
        match (outcome, &cell.plain) {
            (Ok(envelope), Some(plain)) => {
                let index = cell.index.as_deref();
                let whole = plain.as_slice() == opened.as_slice()
                    && self.columns.check_padding(field, &envelope).is_ok()
                    && (self.columns)
                        .check_index(keys, last_keys, row.cell(field), opened, index)
                        .is_ok();
                match whole {
                    true => *scratch.seen.opened.entry(envelope.key_id).or_default() += 1,
                    false => scratch.seen.mended += 1,
                }
                Ok(whole)
            }
            (Ok(envelope), None) => {
                *scratch.seen.opened.entry(envelope.key_id).or_default() += 1;
                Ok(true)
            }
            (Err(why), None) => Err(RowFault::field(field, why.reason())),
            (Err(_), Some(_)) => {
                scratch.seen.mended += 1;
                Ok(false)
            }
        }
    }

    fn cell(
        &self,
        row: &RowView<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<Option<WriteCell>, RowFault> {
        if let Some(why) = cell.unreadable {
            return Err(RowFault::field(field, why));
        }
        if self.is_good(row, field, cell, keys, scratch)? {
            return Ok(None);
        }
        let Some(plain) = &cell.plain else {
            return Ok(None);
        };
        let access = &self.access.cells[field];
        if access.in_place() {
            match self.columns.open(keys, row.cell(field), plain) {
                Ok(_) => return Ok(None),
                Err(Unopened::NotSealed) => {}
                Err(other) => {
                    return Err(RowFault::field(
                        field,
                        format!("the value looks sealed, but {}", other.reason()),
                    ));
                }
            }
        }
        let nonce = scratch
            .nonces
            .next()
            .ok_or_else(|| RowFault::field(field, "no random bytes are left for this value"))?;
        let (sealed, index) = self
            .columns
            .seal(
                keys,
                &mut scratch.last_keys,
                row.cell(field),
                nonce,
                plain,
                access.is_text(),
            )
            .map_err(|error| RowFault::field(field, error.to_string()))?;
        Ok(Some(WriteCell::Seal { sealed, index }))
    }
}

impl Step for Backfill {
    fn kind(&self) -> RunKind {
        match self.compares {
            true => RunKind::Compare,
            false => RunKind::Backfill,
        }
    }

    fn access(&self) -> &Arc<Access> {
        &self.access
    }

    fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    fn reads(&self) -> Reads {
        Reads {
            main: match self.compares {
                true => Select::Any,
                false => Select::Unsealed,
            },
            sweep: Select::UnsealedSweep {
                sealed_prefixes: self.sealed_prefixes.clone(),
            },
            order: match self.compares || self.access.in_place() {
                // In place, only this pass finds a value that looks sealed and does not open. A
                // comparison must not miss a row because it moved.
                true => ReadOrder::Keys,
                false => ReadOrder::Storage(PassKind::Growing),
            },
            indexed_sweep: true,
            ends_while_written: true,
        }
    }

    fn seals(&self) -> bool {
        true
    }

    fn work(&self, row: &RowView<'_>, keys: &KeySet, scratch: &mut ThreadScratch) -> RowWork {
        let mut work = RowWork::default();
        let mut write = Vec::with_capacity(row.read.cells.len());
        for (field, cell) in row.read.cells.iter().enumerate() {
            match self.cell(row, field, cell, keys, scratch) {
                Ok(Some(cell)) => {
                    work.values += 1;
                    write.push(cell);
                }
                Ok(None) => write.push(WriteCell::Keep),
                Err(fault) => {
                    work.faults.push(fault);
                    write.push(WriteCell::Keep);
                }
            }
        }
        if work.values > 0 {
            work.write = write;
        }
        work
    }

    fn stored_is_good(
        &self,
        row: &RowView<'_>,
        keys: &KeySet,
        sent: &[WriteCell],
        stored: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool {
        let in_place = |field: &usize| self.access.cells[*field].in_place();
        (0..sent.len()).filter(in_place).all(|field| {
            let WriteCell::Seal { sealed, .. } = &sent[field] else {
                return true;
            };
            let (Some(now), Some(plain)) = (&stored[field], &row.read.cells[field].plain) else {
                return false;
            };
            now.as_slice() == sealed.as_slice()
                && self
                    .columns
                    .open(keys, row.cell(field), now)
                    .is_ok_and(|(opened, _)| opened.as_slice() == plain.as_slice())
        })
    }
}
