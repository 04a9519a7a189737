//! Reindex computes the blind index of each sealed value under another key, into another column.
//! After that column has replaced the old one, it checks every index in it. Owns the indexes, not
//! the switch of the columns. Its source is the sealed column, and what belongs to it is the index,
//! so windows, versions, conflicts and the sweep work as in a backfill.

use std::collections::HashMap;
use std::sync::Arc;

use crate::crypto::{KeyId, Purpose};
use crate::engine::Job;
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{CellView, CellWork, ReadOrder, Reads, Step, ThreadScratch};
use crate::ident::Ident;
use crate::keys::{Key, KeySet};
use crate::store::page::WriteCell;
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
            |(at, index): &(usize, Ident)| CellAccess::index_of(&job.table.fields[*at], index);
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
            columns: Arc::new(Columns::new(&job.table.label, specs.collect())),
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

    /// The key of a tenant's indexes; `None` if the tenant's are not made now.
    fn key(&self, tenant: &str, keys: &KeySet) -> Result<Option<Arc<Key>>, String> {
        if let Some(change) = self.changes.get(tenant) {
            return Ok(Some(Arc::clone(&change.to)));
        }
        if self.kind == RunKind::Backfill {
            return Ok(keys.active(tenant, Purpose::BlindIndex).cloned());
        }
        let key = keys.sealing(tenant, Purpose::BlindIndex).cloned();
        key.map(Some).map_err(|error| error.to_string())
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

    fn superseded_key(&self, cell: &CellView<'_>) -> Option<KeyId> {
        let change = self.changes.get(cell.bound.tenant)?;
        (!self.check).then_some(change.from)
    }

    fn cell(
        &self,
        cell: &CellView<'_>,
        keys: &KeySet,
        _: &mut ThreadScratch,
    ) -> Result<CellWork, String> {
        let Some(sealed) = &cell.read.plain else {
            return Ok(CellWork::Keep);
        };
        let plain = match self.columns.open(keys, cell.bound, sealed) {
            Ok((plain, _)) => plain,
            // In place, a plaintext that is not sealed yet has no index.
            Err(Unopened::NotSealed) => return Ok(CellWork::Keep),
            Err(why) => return Err(why.reason()),
        };
        let (tenant, field) = (cell.bound.tenant, cell.bound.field);
        let Some(key) = self.key(tenant, keys)? else {
            return Ok(CellWork::Keep);
        };
        let index = self.columns.index_under(&key, tenant, field, &plain);
        Ok(match index {
            Some(index) if !self.check || cell.read.sealed.as_ref() != Some(&index) => {
                CellWork::Write(WriteCell::Seal {
                    sealed: index,
                    index: None,
                })
            }
            // A value that normalises to nothing has no index: its column stays NULL.
            _ => CellWork::Keep,
        })
    }
}
