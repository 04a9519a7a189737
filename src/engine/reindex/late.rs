//! The last rows before a switch: those which applications wrote after the last pass and before the
//! lock. Makes their new indexes as the run loop would. Leaves a row that it cannot process to the
//! run loop.

use std::sync::Arc;

use super::{Filled, ReindexPlan, columns_of};
use crate::crypto::{NonceBatch, RowKey};
use crate::engine::step::{RowView, Step, ThreadScratch};
use crate::engine::steps::reindex::Reindex as ReindexStep;
use crate::keys::KeySet;
use crate::store::{Access, LateRows, PageRow, Result, StoreError, WriteRow};

/// Makes the new indexes of rows under the lock.
pub(super) struct Late {
    tables: Vec<ReindexStep>,
    keys: Arc<KeySet>,
}

impl Late {
    pub(super) fn new(tables: &[Filled<'_>], plan: &ReindexPlan, keys: Arc<KeySet>) -> Self {
        let table = |Filled { job, next, .. }: &Filled<'_>| {
            ReindexStep::new(job, &columns_of(next), Arc::clone(&plan.changes), false)
        };
        Self {
            tables: tables.iter().map(table).collect(),
            keys,
        }
    }

    /// How the rows of a table are read and written.
    pub(super) fn access(&self, table: usize) -> Access {
        self.tables[table].access().as_ref().clone()
    }
}

impl LateRows for Late {
    fn fill(&self, table: usize, rows: Vec<PageRow>) -> Result<Vec<WriteRow>> {
        let unexpected = StoreError::Unexpected {
            what: "a table that is not switched",
        };
        let step = self.tables.get(table).ok_or(unexpected)?;
        let nonces = NonceBatch::draw(0).map_err(|_| StoreError::Unexpected {
            what: "no random bytes",
        })?;
        let mut scratch = ThreadScratch::new(nonces);
        let mut filled = Vec::new();
        for mut read in rows {
            let tenant = read.tenant.clone().unwrap_or_default();
            let key = read
                .key
                .as_ref()
                .ok()
                .and_then(|parts| RowKey::encode(parts).ok());
            let (Some(key), false) = (
                key,
                step.access().table.tenant.is_some() && tenant.is_empty(),
            ) else {
                continue;
            };
            if read.large {
                continue;
            }
            let row = RowView {
                read: &read,
                key: &key,
                tenant: &tenant,
            };
            let work = step.row(&row, &self.keys, &mut scratch);
            if !work.write.is_empty() {
                filled.push(WriteRow {
                    locator: std::mem::take(&mut read.locator),
                    cells: work.write,
                });
            }
        }
        Ok(filled)
    }
}
