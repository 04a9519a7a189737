//! Clear sets a plaintext to NULL once it has opened the sealed value beside it and found it equal.
//! Owns that decision, not the writing. A plaintext that is not sealed, or whose sealed value does
//! not open to it, is listed and never cleared.

use std::sync::Arc;

use crate::engine::Job;
use crate::engine::columns::Columns;
use crate::engine::step::{CellView, CellWork, ReadOrder, Reads, Step, ThreadScratch};
use crate::keys::KeySet;
use crate::store::page::WriteCell;
use crate::store::{Access, PassKind, RunKind, Select};

/// The step that blanks plaintext.
pub struct Clear {
    access: Arc<Access>,
    columns: Arc<Columns>,
}

impl Clear {
    /// Creates the step for the fields of a job. Fields that are sealed in place are left alone:
    /// they have no plaintext beside the sealed value.
    pub fn new(job: &Job) -> Self {
        Self {
            access: Arc::new(job.access().without_indexes()),
            columns: job.columns(),
        }
    }
}

impl Step for Clear {
    fn kind(&self) -> RunKind {
        RunKind::Finalize
    }

    fn access(&self) -> &Arc<Access> {
        &self.access
    }

    fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    fn reads(&self) -> Reads {
        Reads {
            main: Select::Plaintext,
            sweep: Select::Plaintext,
            // The sweep reads exactly the rows that still have a plaintext.
            order: ReadOrder::Storage(PassKind::Rewriting),
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
        scratch: &mut ThreadScratch,
    ) -> Result<CellWork, String> {
        if cell.access.in_place() {
            return Ok(CellWork::Keep);
        }
        if cell.read.unreadable.is_some() {
            return Err("the plaintext cannot be compared, and is not cleared".to_owned());
        }
        let Some(plain) = cell.plain_beside() else {
            return Ok(CellWork::Keep);
        };
        let Some(sealed) = cell.sealed() else {
            return Err("the plaintext is not sealed, and is not cleared".to_owned());
        };
        let ThreadScratch {
            last_keys, opened, ..
        } = scratch;
        let outcome = (self.columns).open_into(keys, last_keys, cell.bound, sealed, opened);
        match outcome {
            Ok(_) if plain == opened.as_slice() => Ok(CellWork::Write(WriteCell::Clear)),
            Ok(_) => Err(
                "the value opens to something other than its plaintext, which is not cleared"
                    .to_owned(),
            ),
            Err(why) => Err(format!("the plaintext is not cleared: {}", why.reason())),
        }
    }
}
