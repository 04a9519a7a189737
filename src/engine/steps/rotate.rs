//! Rotate seals values of superseded keys again, under the active key. Owns no key states. It opens
//! the value and seals the result. If the value's plaintext still exists and differs, it seals the
//! plaintext, so that a wrong value is not sealed once more. A value that does not open and has no
//! plaintext goes to quarantine, and its key is kept.

use std::collections::HashSet;
use std::sync::Arc;

use crate::crypto::KeyId;
use crate::engine::columns::Columns;
use crate::engine::step::{CellView, CellWork, ReadOrder, Reads, Step, ThreadScratch};
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
            columns: Arc::new(Columns::new(&job.table.label, bare.collect())),
            old: old.into(),
            is_old: old.iter().copied().collect(),
        }
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

    fn superseded_key(&self, cell: &CellView<'_>) -> Option<KeyId> {
        (cell.sealed().and_then(Columns::key_id_of)).filter(|id| self.is_old.contains(id))
    }

    fn cell(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        scratch: &mut ThreadScratch,
    ) -> Result<CellWork, String> {
        let (Some(sealed), Some(_)) = (cell.sealed(), self.superseded_key(cell)) else {
            return Ok(CellWork::Keep);
        };
        let nonce = scratch.nonce();
        let ThreadScratch {
            last_keys,
            opened,
            seen,
            ..
        } = scratch;
        let outcome = (self.columns).open_into(keys, last_keys, cell.bound, sealed, opened);
        let value = match (outcome, cell.plain_beside()) {
            (Ok(_), Some(plain)) if plain != opened.as_slice() => {
                seen.mended += 1;
                plain
            }
            (Ok(_), _) => opened.as_slice(),
            (Err(_), Some(plain)) => {
                seen.mended += 1;
                plain
            }
            (Err(why), None) => return Err(why.reason()),
        };
        let as_text = cell.access.is_text();
        let sealed = self
            .columns
            .seal(keys, last_keys, cell.bound, nonce?, value, as_text);
        let (sealed, index) = sealed.map_err(|error| error.to_string())?;
        Ok(CellWork::Write(WriteCell::Seal { sealed, index }))
    }
}
