//! Verify opens every sealed value and compares it with its plaintext, if that still exists. It
//! also checks the padding, the blind index and, if there is no plaintext, the form of the value.
//! Owns that judgement. It writes nothing, and goes on after a value that does not open.

use std::sync::Arc;

use crate::crypto::plaintext;
use crate::engine::Job;
use crate::engine::columns::{Columns, Opened, Unopened};
use crate::engine::step::{CellView, CellWork, Flaw, ReadOrder, Reads, Step, ThreadScratch};
use crate::keys::KeySet;
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

    /// Checks a value that opened.
    fn judge(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        envelope: &Opened,
        scratch: &mut ThreadScratch,
    ) -> Result<(), (Flaw, String)> {
        let ThreadScratch {
            last_keys, opened, ..
        } = scratch;
        match cell.plain_beside() {
            Some(plain) if plain == opened.as_slice() => {}
            None if cell.read.unreadable.is_none() => {
                let form = cell.access.source.form();
                plaintext::check(form, opened)
                    .map_err(|error| (Flaw::OtherForm, error.to_string()))?;
            }
            _ => {
                let why = "the value opens to something other than its plaintext";
                return Err((Flaw::OtherPlaintext, why.to_owned()));
            }
        }
        (self.columns.check_padding(cell.bound.field, envelope))
            .map_err(|why| (Flaw::OtherPadding, why.to_owned()))?;
        let index = cell.read.index.as_deref();
        (self.columns)
            .check_index(keys, last_keys, cell.bound, opened, index)
            .map_err(|why| (Flaw::OtherIndex, why.to_owned()))
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

    fn cell(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<CellWork, String> {
        let field = Some(cell.bound.field);
        let Some(sealed) = cell.sealed() else {
            if cell.read.plain.is_some() || cell.read.unreadable.is_some() {
                scratch.seen.flaw(field, Flaw::Unsealed);
            }
            return Ok(CellWork::Keep);
        };
        let (last_keys, opened) = (&mut scratch.last_keys, &mut scratch.opened);
        let outcome = (self.columns).open_into(keys, last_keys, cell.bound, sealed, opened);
        let judged = match outcome {
            // In place, a value that is not in the sealed form is a plaintext that is not sealed
            // yet.
            Err(Unopened::NotSealed) if cell.access.in_place() => {
                scratch.seen.flaw(field, Flaw::Unsealed);
                return Ok(CellWork::Keep);
            }
            Err(why @ Unopened::Key(_)) => Err((Flaw::NoKey, why.reason())),
            Err(why) => Err((Flaw::DoesNotOpen, why.reason())),
            Ok(envelope) => match self.judge(cell, keys, &envelope, scratch) {
                Ok(()) => Ok(CellWork::Good(envelope.key_id)),
                Err(flaw) => Err(flaw),
            },
        };
        judged.map_err(|(flaw, why)| {
            scratch.seen.flaw(field, flaw);
            why
        })
    }
}
