//! Reindex: make the blind index of each sealed value under another key, in another column; and
//! check, once that column has taken the old one's place, that every index in it is the right one.
//! Works on a target whose plaintext is the sealed column and whose sealed column is the index
//! ([`fields`]): so windows, versions, conflicts and the sweep are those of a backfill.

use std::collections::HashMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::crypto::{KeyId, Purpose};
use crate::engine::columns::{Columns, Unopened};
use crate::engine::step::{Hand, Order, Reads, Row, RowFault, RowWork, Step};
use crate::ident::Ident;
use crate::keys::{Key, KeySet};
use crate::store::page::{PageCell, WriteCell};
use crate::store::{FieldTarget, RunKind, Sealed, Select, Target};

/// The two keys of one tenant.
#[derive(Clone)]
pub struct Change {
    /// The one that is left.
    pub from: KeyId,
    /// The one that takes over.
    pub to: Arc<Key>,
}

/// Makes indexes, or checks them.
pub struct Reindex {
    columns: Arc<Columns>,
    changes: Arc<HashMap<String, Change>>,
    check: bool,
    /// What the run is called that this is a part of.
    kind: RunKind,
}

impl Reindex {
    /// Indexes under the new keys of `changes`, by tenant; other tenants keep their active key. With
    /// `check`, what the column holds is read, too, and written only where it is another index.
    pub fn new(columns: Arc<Columns>, changes: Arc<HashMap<String, Change>>, check: bool) -> Self {
        Self {
            columns,
            changes,
            check,
            kind: RunKind::Reindex,
        }
    }

    /// Indexes under the active keys where there are none, as a part of a backfill. A tenant without an
    /// active key gets none.
    pub fn filling(columns: Arc<Columns>) -> Self {
        Self {
            kind: RunKind::Backfill,
            ..Self::new(columns, Arc::default(), false)
        }
    }

    fn cell(
        &self,
        row: &Row<'_>,
        field: usize,
        cell: &PageCell,
        keys: &KeySet,
    ) -> Result<Option<WriteCell>, RowFault> {
        let Some(sealed) = &cell.plain else {
            return Ok(None);
        };
        let plain = match self.columns.open(keys, row.cell(field), sealed) {
            Ok((plain, _)) => plain,
            // In place, a plaintext that nobody sealed yet has no index.
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
        // A value that normalises to nothing has none: NULL is what it should be.
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
            order: Order::Keys,
            indexed_sweep: !self.check,
            ends_beside_writers: !self.check,
            plain: true,
            sealed: self.check,
            index: false,
        }
    }

    fn seals(&self) -> bool {
        false
    }

    fn work(&self, row: &Row<'_>, keys: &KeySet, _: &mut Hand) -> RowWork {
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

    /// No index stands in the column it is made from.
    fn stored_is_good(
        &self,
        _: &Row<'_>,
        _: &KeySet,
        _: &[WriteCell],
        _: &[Option<Zeroizing<Vec<u8>>>],
    ) -> bool {
        false
    }
}

/// The fields of a target for this step: for each blind index its field's position in `target` and
/// the column to fill or to check.
pub fn fields(target: &Target, indexes: &[(usize, Ident)]) -> Vec<FieldTarget> {
    indexes
        .iter()
        .map(|(at, index)| {
            let field = &target.fields[*at];
            let (column, is_bytes) = match &field.sealed {
                Sealed::Beside { column, text } => (column.clone(), !text),
                Sealed::InPlace => (field.column.clone(), false),
            };
            FieldTarget {
                column,
                label: field.label.clone(),
                source_type: if is_bytes { "bytea" } else { "text" }.to_owned(),
                plain_is_bytes: is_bytes,
                plain_is_varlena_text: true,
                sealed: Sealed::Beside {
                    column: index.clone(),
                    text: false,
                },
                index: None,
                index_next: None,
                index_unique: false,
                plain_exists: true,
            }
        })
        .collect()
}
