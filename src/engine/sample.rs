//! Samples a table: reads a few windows and seals them in memory, to estimate how long the whole
//! takes.
//! Changes nothing. Writing is not measured, since it would leave dead rows behind.

use std::sync::Arc;
use std::time::Instant;

use super::columns::{Cell, Columns, LastKeys};
use super::estimate::{Sample, SealedLength};
use super::pages::{PageSource, Pages};
use super::throttle::Unthrottled;
use super::{Engine, EngineError, Job};
use crate::crypto::{NonceBatch, RowKey};
use crate::keys::KeySet;
use crate::store::{Page, PageRequest, Select};

/// How many windows are read.
const WINDOWS: u32 = 3;
const WINDOW_ROWS: u32 = 1000;

impl Engine {
    /// Reads and seals a few windows; `None` if the table is empty.
    ///
    /// # Errors
    /// What reading reports.
    pub async fn sample(&self, job: &Job) -> Result<Option<Sample>, EngineError> {
        // The sealed columns may not exist yet, so they are not read.
        let access = job.access().sources_only();
        let columns = job.columns();
        let keys = self.tenants.keyring.snapshot();
        let Some(relation) = self.store.relations(&access).await?.into_iter().next() else {
            return Ok(None);
        };
        let request = PageRequest {
            relation,
            after: None,
            upto: None,
            rows_max: WINDOW_ROWS,
            bytes_max: self.settings.batch_bytes_max,
            value_bytes_max: self.settings.value_bytes_max,
            select: Select::Unsealed,
            with_key_text: false,
            versions: crate::store::Visibility::All,
        };
        let source = PageSource {
            store: Arc::clone(&self.store),
            access: Arc::new(access),
            events: Arc::clone(&self.events),
            stop: self.stop.clone(),
            throttle: Arc::new(Unthrottled),
            patience: None,
        };
        let mut pages = Pages::new(source, request);
        let begun = Instant::now();
        let (mut rows, mut windows) = (0u64, 0);
        let mut lengths = vec![Length::default(); columns.fields().len()];
        while windows < WINDOWS
            && let Some(streamed) = pages.next().await?
        {
            rows += streamed.page.rows.len() as u64;
            seal_in_memory(&columns, &keys, &streamed.page, &mut lengths)?;
            windows += u32::from(streamed.closes_window);
        }
        if rows == 0 {
            return Ok(None);
        }
        Ok(Some(Sample {
            rows,
            seconds: begun.elapsed().as_secs_f64(),
            lanes: self.settings.workers.min(2),
            sealed: lengths.iter().map(|length| length.among(rows)).collect(),
        }))
    }
}

/// The sealed values of a column: how many, and their bytes.
#[derive(Clone, Copy, Default)]
struct Length {
    values: u64,
    bytes: u64,
}

impl Length {
    #[allow(clippy::cast_precision_loss, reason = "a few thousand rows")]
    fn among(self, rows: u64) -> SealedLength {
        SealedLength {
            bytes: self.bytes as f64 / self.values.max(1) as f64,
            share: self.values as f64 / rows.max(1) as f64,
        }
    }
}

/// Seals every value of a page and measures the result. For a tenant without keys, uses the keys
/// without a tenant or seals nothing: only the time counts.
fn seal_in_memory(
    columns: &Columns,
    keys: &KeySet,
    page: &Page,
    lengths: &mut [Length],
) -> Result<(), EngineError> {
    let values = page.rows.len() * columns.fields().len();
    let mut nonces = NonceBatch::draw(values).map_err(|_| EngineError::NoRandomness)?;
    let mut last_keys = LastKeys::default();
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
                if let Ok((sealed, _)) =
                    columns.seal(keys, &mut last_keys, cell, nonce, plain, false)
                {
                    lengths[field].values += 1;
                    lengths[field].bytes += sealed.len() as u64;
                }
            }
        }
    }
    Ok(())
}
