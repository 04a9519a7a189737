//! Rotate seals values of superseded keys again, under the active key. Owns no key states. It opens
//! the value and seals the result. If the value's plaintext still exists and differs, it seals the
//! plaintext, so that a wrong value is not sealed once more. A value that does not open and has no
//! plaintext goes to quarantine, and its key is kept.

use std::collections::HashSet;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::KeyId;
use crate::engine::columns::Columns;
use crate::engine::step::{ReadOrder, Reads, RowFault, RowView, RowWork, Step, ThreadScratch};
use crate::engine::{FieldSpec, Job};
use crate::keys::KeySet;
use crate::store::page::WriteCell;
use crate::store::{Access, PassKind, RunKind, Select};

/// The step of a rotation.
pub struct Rotate {
    access: Arc<Access>,
    columns: Arc<Columns>,
    old: Arc<[KeyId]>,
    is_old: HashSet<KeyId>,
}

impl Rotate {
    /// Creates the step for values sealed under the keys `old` in the fields of a job. It leaves
    /// blind indexes alone, since sealing a value again does not change its index.
    pub fn new(job: &Job, old: &[KeyId]) -> Self {
        let bare = job.fields.iter().map(|spec| FieldSpec {
            index: None,
            ..spec.clone()
        });
        Self {
            access: Arc::new(job.access().without_indexes()),
            columns: Arc::new(Columns::new(&job.target.label, bare.collect())),
            old: old.into(),
            is_old: old.iter().copied().collect(),
        }
    }

    fn cell(
        &self,
        row: &RowView<'_>,
        field: usize,
        sealed: &[u8],
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<WriteCell, RowFault> {
        let ThreadScratch {
            last_keys,
            opened,
            nonces,
            seen,
            ..
        } = scratch;
        let outcome = (self.columns).open_into(keys, last_keys, row.cell(field), sealed, opened);
        let access = &self.access.cells[field];
        let beside = (row.read.cells[field].plain.as_ref()).filter(|_| !access.in_place());
        let value = match (outcome, beside) {
            (Ok(_), Some(plain)) if plain.as_slice() != opened.as_slice() => {
                seen.mended += 1;
                plain.as_slice()
            }
            (Ok(_), _) => opened.as_slice(),
            (Err(_), Some(plain)) => {
                seen.mended += 1;
                plain.as_slice()
            }
            (Err(why), None) => return Err(RowFault::field(field, why.reason())),
        };
        let nonce = nonces
            .next()
            .ok_or_else(|| RowFault::field(field, "no random bytes are left for this value"))?;
        let (sealed, index) = self
            .columns
            .seal(
                keys,
                last_keys,
                row.cell(field),
                nonce,
                value,
                access.is_text(),
            )
            .map_err(|error| RowFault::field(field, error.to_string()))?;
        Ok(WriteCell::Seal { sealed, index })
    }
}

impl Step for Rotate {
    fn kind(&self) -> RunKind {
        RunKind::Rotate
    }

    fn access(&self) -> &Arc<Access> {
        &self.access
    }

    fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    fn reads(&self) -> Reads {
        let select = Select::SealedUnder {
            keys: Arc::clone(&self.old),
        };
        Reads {
            main: select.clone(),
            sweep: select,
            order: ReadOrder::Storage(PassKind::Rewriting),
            indexed_sweep: false,
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
            let sealed = match self.access.cells[field].in_place() {
                true => cell.plain.as_ref().map(|plain| plain.as_slice()),
                false => cell.sealed.as_deref(),
            };
            let under = sealed.and_then(Columns::key_id_of);
            let (Some(sealed), Some(under)) = (sealed, under.filter(|id| self.is_old.contains(id)))
            else {
                write.push(WriteCell::Keep);
                continue;
            };
            if !work.under.contains(&under) {
                work.under.push(under);
            }
            match self.cell(row, field, sealed, keys, scratch) {
                Ok(cell) => {
                    work.values += 1;
                    write.push(cell);
                }
                Err(fault) => {
                    work.faults.push(fault);
                    write.push(WriteCell::Keep);
                }
            }
        }
        if work.values > 0 {
            work.write = write;
        }
        scratch.seen.under.extend(&work.under);
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
            let (Some(now), Some(before)) = (&stored[field], &row.read.cells[field].plain) else {
                return false;
            };
            let open = |value: &[u8]| self.columns.open(keys, row.cell(field), value);
            now.as_slice() == sealed.as_slice()
                && matches!((open(now), open(before)), (Ok((now, _)), Ok((before, _))) if now == before)
        })
    }
}
