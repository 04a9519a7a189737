//! A sample of a table: a few windows read and sealed in memory, to say how long the whole takes.
//! Changes nothing. Writing is not measured, as it would leave dead rows behind; what a plain
//! UPDATE takes stands in for it.

use std::time::Instant;

use super::columns::{Cell, Columns, Memo};
use super::estimate::Sample;
use super::{Engine, EngineError, Job};
use crate::crypto::{NonceBatch, RowKey};
use crate::keys::KeySet;
use crate::store::{Page, PageRequest, Sealed, Select, Target};

/// Windows looked at.
const WINDOWS: u32 = 3;
const WINDOW_ROWS: u32 = 1000;
/// A plain `UPDATE` of 250-byte rows with a uuid key and three more indexes (two cores,
/// PostgreSQL 15), less what it reads.
const WRITE_SECONDS_PER_ROW: f64 = 16e-6;

impl Engine {
    /// Reads and seals a few windows; `None` where the table is empty.
    ///
    /// # Errors
    /// What reading meets.
    pub async fn sample(&self, job: &Job) -> Result<Option<Sample>, EngineError> {
        // The sealed columns may not be there yet, and are not asked for.
        let target = Target {
            fields: job
                .target
                .fields
                .iter()
                .cloned()
                .map(|mut field| {
                    field.sealed = Sealed::InPlace;
                    field
                })
                .collect(),
            ..job.target.clone()
        };
        let columns = Columns::new(&target.label, job.fields.clone());
        let keys = self.tenants.keyring.snapshot();
        let Some(relation) = self.store.relations(&target).await?.into_iter().next() else {
            return Ok(None);
        };
        let mut request = PageRequest {
            relation,
            after: None,
            upto: None,
            rows_max: WINDOW_ROWS,
            bytes_max: self.settings.batch_bytes_max,
            value_bytes_max: self.settings.value_bytes_max,
            select: Select::Unsealed,
            with_plain: true,
            with_sealed: false,
            with_index: false,
            with_key_text: false,
            versions: crate::store::Versions::All,
        };
        let mut reader = self.store.reader().await?;
        let begun = Instant::now();
        let mut rows = 0u64;
        for _ in 0..WINDOWS {
            let page = reader.page(&target, &request).await?;
            rows += page.rows.len() as u64;
            seal_in_memory(&columns, &keys, &page)?;
            match page.next {
                Some(next) => request.after = Some(next),
                None => break,
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        #[allow(clippy::cast_precision_loss, reason = "a few thousand rows")]
        let writing = rows as f64 * WRITE_SECONDS_PER_ROW;
        Ok(Some(Sample {
            rows,
            seconds: begun.elapsed().as_secs_f64() + writing,
            lanes: self.settings.workers.min(2),
        }))
    }
}

/// Seals every value of a page and drops the result. A tenant without keys yet is sealed under the
/// keys of none, or not at all: only the time counts.
fn seal_in_memory(columns: &Columns, keys: &KeySet, page: &Page) -> Result<(), EngineError> {
    let values = page.rows.len() * columns.fields().len();
    let mut nonces = NonceBatch::draw(values).map_err(|_| EngineError::NoRandomness)?;
    let mut memo = Memo::default();
    for row in &page.rows {
        let encoded = row.key.as_ref().ok().map(|parts| RowKey::encode(parts));
        let Some(Ok(row_key)) = &encoded else {
            continue;
        };
        for (field, cell) in row.cells.iter().enumerate() {
            if let (Some(plain), Some(nonce)) = (&cell.plain, nonces.next()) {
                let cell = Cell {
                    tenant: "",
                    field,
                    row_key,
                };
                let _ = columns.seal(keys, &mut memo, cell, nonce, plain, false);
            }
        }
    }
    Ok(())
}
