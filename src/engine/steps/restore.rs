//! Restore decrypts values back, into the plaintext column or in place. Owns that decision, not the
//! columns. If the column already holds another plaintext, the value is listed and not overwritten.

use std::sync::Arc;

use crate::engine::Job;
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{CellView, CellWork, ReadOrder, Reads, Step, ThreadScratch};
use crate::keys::KeySet;
use crate::store::page::WriteCell;
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

    fn cell(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        _: &mut ThreadScratch,
    ) -> Result<CellWork, String> {
        let Some(sealed) = cell.sealed() else {
            return Ok(CellWork::Keep);
        };
        let opened = match self.columns.open(keys, cell.bound, sealed) {
            Ok((opened, _)) => opened,
            Err(Unopened::NotSealed) if cell.access.in_place() => return Ok(CellWork::Keep),
            Err(why) => return Err(why.reason()),
        };
        match cell.plain_beside() {
            Some(plain) if plain == opened.as_slice() => Ok(CellWork::Keep),
            Some(_) => {
                Err("a different plaintext is there already, and is not overwritten".to_owned())
            }
            None if cell.read.unreadable.is_some() => Err(
                "a value that cannot be compared is there already, and is not overwritten"
                    .to_owned(),
            ),
            // The server returns no values of a restore. The check of the row's version takes its
            // place, and `verify` compares every value afterwards.
            None => Ok(CellWork::Write(WriteCell::Open(opened))),
        }
    }
}
