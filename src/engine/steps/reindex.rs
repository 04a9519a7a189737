//! Reindex computes the blind index of each sealed value under another key, into another column.
//! After that column has replaced the old one, it checks every index in it. Owns the indexes, not
//! the switch of the columns. Its source is the sealed column, and what belongs to it is the index,
//! so windows, versions, conflicts and the sweep work as in a backfill.

use std::collections::HashMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::{KeyId, Purpose};
use crate::engine::Job;
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{ReadOrder, Reads, RowFault, RowView, RowWork, Step, ThreadScratch};
use crate::ident::Ident;
use crate::keys::{Key, KeySet};
use crate::store::page::{PageCell, WriteCell};
use crate::store::{Access, CellAccess, ColumnsRead, RunKind, Select};

/// The old and the new blind index key of one tenant.
#[derive(Clone)]
pub struct IndexKeyChange {
    /// The superseded key.
    pub from: KeyId,
    /// The key that replaces it.
    pub to: Arc<Key>,
}

/// The step that computes blind indexes or checks them.
pub struct Reindex {
    access: Arc<Access>,
    columns: Arc<Columns>,
    changes: Arc<HashMap<String, IndexKeyChange>>,
    check: bool,
    /// The kind of run that this step is a part of.
    kind: RunKind,
}

impl Reindex {
    /// Computes indexes under the new keys of `changes`, by tenant; other tenants keep their active
    /// key. `indexes` gives, for each blind index, its field's position in the job and the column to
    /// fill. With `check`, it also reads the existing index, and writes only if that differs.
    pub fn new(
        job: &Job,
        indexes: &[(usize, Ident)],
        changes: Arc<HashMap<String, IndexKeyChange>>,
        check: bool,
    ) -> Self {
        let cell =
            |(at, index): &(usize, Ident)| CellAccess::index_of(&job.target.fields[*at], index);
        let specs = indexes.iter().map(|(at, _)| job.fields[*at].clone());
        Self {
            access: Arc::new(Access {
                cells: indexes.iter().map(cell).collect(),
                reads: ColumnsRead {
                    source: true,
                    sealed: check,
                    index: false,
                },
                ..job.access()
            }),
            columns: Arc::new(Columns::new(&job.target.label, specs.collect())),
            changes,
            check,
            kind: RunKind::Reindex,
        }
    }

    /// Fills in missing indexes under the active keys, as a part of a backfill. Skips tenants
    /// without an active key.
    pub fn filling(job: &Job) -> Self {
        Self {
            kind: RunKind::Backfill,
            ..Self::new(job, &job.indexes(), Arc::default(), false)
        }
    }

    fn cell(
        &self,
        row: &RowView<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
    ) -> Result<Option<WriteCell>, RowFault> {
        let Some(sealed) = &cell.plain else {
            return Ok(None);
        };
        let plain = match self.columns.open(keys, row.cell(field), sealed) {
            Ok((plain, _)) => plain,
            // In place, a plaintext that is not sealed yet has no index.
            Err(Unopened::NotSealed) => return Ok(None),
            Err(why) => return Err(RowFault::field(field, why.reason())),
        };
        let key = match self.changes.get(row.tenant) {
            Some(change) => Arc::clone(&change.to),
            None if self.kind == RunKind::Backfill => {
                match keys.active(row.tenant, Purpose::BlindIndex) {
                    Some(key) => Arc::clone(key),
                    None => return Ok(None),
                }
            }
            None => keys
                .sealing(row.tenant, Purpose::BlindIndex)
                .cloned()
                .map_err(|error| RowFault::field(field, error.to_string()))?,
        };
        let index = self.columns.index_under(&key, row.tenant, field, &plain);
        if self.check && index == cell.sealed {
            return Ok(None);
        }
        // A value that normalises to nothing has no index: its column stays NULL.
        Ok(index.map(|index| WriteCell::Seal {
            sealed: index,
            index: None,
        }))
    }
}

impl Step for Reindex {
    fn kind(&self) -> RunKind {
        self.kind
    }

    fn access(&self) -> &Arc<Access> {
        &self.access
    }

    fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    fn reads(&self) -> Reads {
        let (main, sweep) = if self.check {
            (Select::Any, Select::Any)
        } else {
            (
                Select::Unsealed,
                Select::UnsealedSweep {
                    sealed_prefixes: Vec::new(),
                },
            )
        };
        Reads {
            main,
            sweep,
            order: ReadOrder::Keys,
            indexed_sweep: !self.check,
            ends_while_written: !self.check,
        }
    }

    fn seals(&self) -> bool {
        false
    }

    fn work(&self, row: &RowView<'_>, keys: &KeySet, _: &mut ThreadScratch) -> RowWork {
        let mut work = RowWork::default();
        let mut write = Vec::with_capacity(row.read.cells.len());
        for (field, cell) in row.read.cells.iter().enumerate() {
            match self.cell(row, field, cell, keys) {
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
        if !self.check && (work.values > 0 || !work.faults.is_empty()) {
            work.under
                .extend(self.changes.get(row.tenant).map(|change| change.from));
        }
        work
    }

    /// Never called: this step has no in-place fields.
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
