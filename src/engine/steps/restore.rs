//! Restore decrypts values back, into the plaintext column or in place. Owns that decision, not the
//! columns. If the column already holds another plaintext, the value is listed and not overwritten.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::engine::Job;
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{ReadOrder, Reads, RowFault, RowView, RowWork, Step, ThreadScratch};
use crate::keys::KeySet;
use crate::store::page::{PageCell, WriteCell};
use crate::store::{Access, RunKind, Select};

/// The step of a restore.
pub struct Restore {
    access: Arc<Access>,
    columns: Arc<Columns>,
}

impl Restore {
    /// Creates the step for the fields of a job, whose plaintext columns it writes into. These must
    /// exist.
    pub fn new(job: &Job) -> Self {
        Self {
            access: Arc::new(job.access()),
            columns: job.columns(),
        }
    }

    fn cell(
        &self,
        row: &RowView<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
    ) -> Result<Option<WriteCell>, RowFault> {
        let in_place = self.access.cells[field].in_place();
        let sealed = if in_place {
            cell.plain.as_ref().map(|value| value.as_slice())
        } else {
            cell.sealed.as_deref()
        };
        let Some(sealed) = sealed else {
            return Ok(None);
        };
        let opened = match self.columns.open(keys, row.cell(field), sealed) {
            Ok((opened, _)) => opened,
            Err(Unopened::NotSealed) if in_place => return Ok(None),
            Err(why) => return Err(RowFault::field(field, why.reason())),
        };
        match &cell.plain {
            Some(plain) if !in_place && plain.as_slice() == opened.as_slice() => Ok(None),
            Some(_) if !in_place => Err(RowFault::field(
                field,
                "a different plaintext is there already, and is not overwritten",
            )),
            _ if cell.unreadable.is_some() => Err(RowFault::field(
                field,
                "a value that cannot be compared is there already, and is not overwritten",
            )),
            _ => Ok(Some(WriteCell::Open(opened))),
        }
    }
}

impl Step for Restore {
    fn kind(&self) -> RunKind {
        RunKind::Restore
    }

    fn access(&self) -> &Arc<Access> {
        &self.access
    }

    fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    fn reads(&self) -> Reads {
        Reads {
            main: Select::Sealed,
            sweep: Select::Sealed,
            order: ReadOrder::Keys,
            indexed_sweep: false,
            ends_while_written: false,
        }
    }

    fn seals(&self) -> bool {
        false
    }

    fn work(&self, row: &RowView<'_>, keys: &KeySet, _: &mut ThreadScratch) -> RowWork {
        let mut work = RowWork::default();
        let mut write = Vec::with_capacity(row.read.cells.len());
        for (field, cell) in row.read.cells.iter().enumerate() {
            write.push(match self.cell(row, field, cell, keys) {
                Ok(Some(cell)) => {
                    work.values += 1;
                    cell
                }
                Ok(None) => WriteCell::Keep,
                Err(fault) => {
                    work.faults.push(fault);
                    WriteCell::Keep
                }
            });
        }
        if work.values > 0 {
            work.write = write;
        }
        work
    }

    fn stored_is_good(
        &self,
        _: &RowView<'_>,
        _: &KeySet,
        _: &[WriteCell],
        _: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool {
        // The server returns no values of a restore. The check of the row's version takes its
        // place, and `verify` compares every value afterwards.
        true
    }
}
