//! Backfill seals every plaintext that is not sealed yet. Compare also opens sealed values, and
//! seals again those that do not match their plaintext. Owns both decisions, not the reading or
//! writing. In place, a value that parses as sealed is opened and never sealed again. If it does
//! not open, it goes to quarantine: it may be a damaged sealed value or an unusual plaintext.

use std::sync::Arc;

use crate::crypto::envelope::Suite;
use crate::crypto::{KeyId, text};
use crate::engine::Job;
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{CellView, CellWork, ReadOrder, Reads, Step, ThreadScratch};
use crate::keys::KeySet;
use crate::store::page::WriteCell;
use crate::store::{Access, ColumnsRead, PassKind, RunKind, Select};

/// The step of a backfill and of a comparison.
pub struct Backfill {
    access: Arc<Access>,
    columns: Arc<Columns>,
    sealed_prefixes: Vec<String>,
    /// Whether sealed values are opened and compared, too.
    compares: bool,
    /// For the sweeps of a table that is followed: whether they read through the partial index.
    follows: Option<bool>,
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
            follows: None,
        }
    }

    /// The same for the sweeps of a table that is followed: they make no partial index, but read
    /// through it, if it is there.
    pub fn following(self, indexed: bool) -> Self {
        Self {
            follows: Some(indexed),
            ..self
        }
    }

    /// The key of the sealed value, if it can stay as it is. Without a plaintext it is the only copy,
    /// so it only has to open.
    fn good(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<Option<KeyId>, String> {
        let Some(sealed) = cell.read.sealed.as_deref().filter(|_| self.compares) else {
            return Ok(None);
        };
        let ThreadScratch {
            last_keys,
            opened,
            seen,
            ..
        } = scratch;
        let outcome = (self.columns).open_into(keys, last_keys, cell.bound, sealed, opened);
        let good = match (outcome, &cell.read.plain) {
            (Ok(envelope), Some(plain)) => {
                let index = cell.read.index.as_deref();
                let whole = plain.as_slice() == opened.as_slice()
                    && (self.columns)
                        .check_padding(cell.bound.field, &envelope)
                        .is_ok()
                    && (self.columns)
                        .check_index(keys, last_keys, cell.bound, opened, index)
                        .is_ok();
                whole.then_some(envelope.key_id)
            }
            (Ok(envelope), None) => Some(envelope.key_id),
            (Err(why), None) => return Err(why.reason()),
            (Err(_), Some(_)) => None,
        };
        seen.mended += u64::from(good.is_none());
        Ok(good)
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
            sweep: match self.follows {
                Some(true) => Select::UnsealedIndexed,
                Some(false) | None => Select::UnsealedSweep {
                    sealed_prefixes: self.sealed_prefixes.clone(),
                },
            },
            order: match self.compares || self.access.in_place() {
                // In place, only this pass finds a value that looks sealed and does not open. A
                // comparison must not miss a row because it moved.
                true => ReadOrder::Keys,
                false => ReadOrder::Storage(PassKind::Rewriting),
            },
            indexed_sweep: self.follows.is_none(),
            ends_while_written: true,
        }
    }

    fn seals(&self) -> bool {
        true
    }

    fn cell(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<CellWork, String> {
        if let Some(why) = cell.read.unreadable {
            return Err(why.to_owned());
        }
        if let Some(key) = self.good(cell, keys, scratch)? {
            return Ok(CellWork::Good(key));
        }
        let Some(plain) = &cell.read.plain else {
            return Ok(CellWork::Keep);
        };
        if cell.access.in_place() {
            match self.columns.open(keys, cell.bound, plain) {
                Ok(_) => return Ok(CellWork::Keep),
                Err(Unopened::NotSealed) => {}
                Err(why) => return Err(format!("the value looks sealed, but {}", why.reason())),
            }
        }
        let (nonce, as_text) = (scratch.nonce()?, cell.access.is_text());
        let last_keys = &mut scratch.last_keys;
        let sealed = (self.columns).seal(keys, last_keys, cell.bound, nonce, plain, as_text);
        let (sealed, index) = sealed.map_err(|error| error.to_string())?;
        Ok(CellWork::Write(WriteCell::Seal { sealed, index }))
    }
}
