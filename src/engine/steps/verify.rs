//! Verify opens every sealed value and compares it with its plaintext, if that still exists. It
//! also checks the padding, the blind index and, if there is no plaintext, the form of the value.
//! Owns that judgement. It writes nothing, and goes on after a value that does not open.

mod form;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::engine::Job;
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{ReadOrder, Reads, RowFault, RowView, RowWork, Step, ThreadScratch};
use crate::keys::KeySet;
use crate::store::page::{PageCell, WriteCell};
use crate::store::{Access, ColumnsRead, PassKind, RunKind, Select};

/// The step of a verification.
pub struct Verify {
    access: Arc<Access>,
    columns: Arc<Columns>,
}

impl Verify {
    /// Creates the step for the fields of a job.
    pub fn new(job: &Job) -> Self {
        let access = Access {
            reads: ColumnsRead {
                source: true,
                sealed: true,
                index: true,
            },
            ..job.access()
        };
        Self {
            access: Arc::new(access),
            columns: job.columns(),
        }
    }

    fn cell(
        &self,
        row: &RowView<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
        faults: &mut Vec<RowFault>,
    ) {
        let ThreadScratch {
            seen,
            last_keys,
            opened,
            ..
        } = scratch;
        let in_place = self.access.cells[field].in_place();
        let sealed = if in_place {
            cell.plain.as_ref().map(|value| value.as_slice())
        } else {
            cell.sealed.as_deref()
        };
        let Some(sealed) = sealed else {
            if cell.plain.is_some() || cell.unreadable.is_some() {
                seen.unsealed += 1;
            }
            return;
        };
        match self
            .columns
            .open_into(keys, last_keys, row.cell(field), sealed, opened)
        {
            Ok(envelope) => {
                let source = &self.access.cells[field].source;
                let judged = match (&cell.plain, in_place) {
                    (Some(plain), false) if plain.as_slice() == opened.as_slice() => Ok(()),
                    (None, _) | (_, true) if cell.unreadable.is_none() => {
                        form::check(source, opened)
                    }
                    _ => Err("the value opens to something other than its plaintext"),
                };
                let judged = judged
                    .and_then(|()| self.columns.check_padding(field, &envelope))
                    .and_then(|()| {
                        let index = cell.index.as_deref();
                        self.columns
                            .check_index(keys, last_keys, row.cell(field), opened, index)
                    });
                match judged {
                    Ok(()) => *seen.opened.entry(envelope.key_id).or_default() += 1,
                    Err(why) => {
                        seen.failed += 1;
                        faults.push(RowFault::field(field, why));
                    }
                }
            }
            // In place, a value that is not in the sealed form is a plaintext that is not sealed
            // yet.
            Err(Unopened::NotSealed) if in_place => seen.unsealed += 1,
            Err(why) => {
                seen.failed += 1;
                faults.push(RowFault::field(field, why.reason()));
            }
        }
    }
}

impl Step for Verify {
    fn kind(&self) -> RunKind {
        RunKind::Verify
    }

    fn access(&self) -> &Arc<Access> {
        &self.access
    }

    fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    fn reads(&self) -> Reads {
        Reads {
            main: Select::Any,
            sweep: Select::Any,
            order: ReadOrder::Storage(PassKind::Looking),
            indexed_sweep: false,
            ends_while_written: false,
        }
    }

    fn seals(&self) -> bool {
        false
    }

    fn work(&self, row: &RowView<'_>, keys: &KeySet, scratch: &mut ThreadScratch) -> RowWork {
        let mut work = RowWork::default();
        let before = scratch.seen.values_opened();
        for (field, cell) in row.read.cells.iter().enumerate() {
            self.cell(row, field, cell, keys, scratch, &mut work.faults);
        }
        scratch.seen.rows_opened += u64::from(scratch.seen.values_opened() > before);
        work
    }

    fn stored_is_good(
        &self,
        _: &RowView<'_>,
        _: &KeySet,
        _: &[WriteCell],
        _: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool {
        false
    }
}
