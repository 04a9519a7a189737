//! A benchmark on the operator's own table: reads batches from several places of it, seals them in
//! memory, and writes them in a transaction that is rolled back. Owns what is measured; `forecast`
//! computes what that means for the whole table. Changes nothing, and sends no value elsewhere.

pub mod forecast;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::events::NoEvents;
use super::pages::{PageSource, Pages};
use super::step::{RowView, Step, ThreadScratch};
use super::steps::backfill::Backfill;
use super::throttle::Unthrottled;
use super::{EngineError, Job, RunSettings, Stop};
use crate::crypto::{NonceBatch, Purpose, RowKey};
use crate::keys::{KeyError, KeyFor, KeySet, Keyring, throw_away};
use crate::store::{
    Access, Bound, KeyText, PageRequest, PageRow, Select, Store, StoreError, Trial, TrialTable,
    Visibility, WriteRow,
};

/// At most so many batches of a table are measured.
const BATCHES: usize = 8;
/// The rows that one batch looks at.
const BATCH_ROWS: u32 = 2000;
/// At most so many partitions are looked at.
const RELATIONS: usize = 64;
/// The rows that one thread seals in one go, as in a run.
const CHUNK_ROWS: usize = 256;
/// Round trips to the server for reading a page: BEGIN with a look at the storage, the statement
/// and its values, COMMIT.
pub const READ_TRIPS: u32 = 4;
/// Round trips to the server for writing a batch: BEGIN with fence and settings, the statement and
/// its values, COMMIT.
pub const WRITE_TRIPS: u32 = 4;
/// How many of [`WRITE_TRIPS`] are part of the time that a trial measures.
const TRIAL_TRIPS: u32 = 2;

/// Measures tables.
pub struct Bench {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The active keys; missing ones are made in memory and thrown away.
    pub keyring: Keyring,
    /// The limits of a run.
    pub settings: RunSettings,
    /// Whether batches are tried in a temporary copy or in the table itself.
    pub place: TrialTable,
    /// The request to stop.
    pub stop: Stop,
}

/// The time and size of a few batches of a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// The batches that had rows to seal.
    pub batches: Vec<Batch>,
    /// The time of one round trip to the server.
    pub round_trip: Duration,
    /// Rows that were looked at, including batches without rows to seal.
    pub looked: u64,
    /// Batches that the database refused, or all of whose rows were locked; not in `batches`.
    pub refused: u64,
    /// Rows that were written.
    pub written: u64,
    /// Bytes by which the table grew while batches were tried in it.
    pub grown_bytes: u64,
    /// Bytes of log that the server wrote meanwhile.
    pub wal_bytes: u64,
    /// Keys that were made for the measurement and thrown away.
    pub thrown_away: usize,
}

/// One batch. Times are in seconds, without round trips.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Batch {
    /// Rows looked at.
    pub looked: u64,
    /// Rows with a value to seal.
    pub rows: u64,
    /// Values that were sealed.
    pub values: u64,
    /// Bytes of these rows' values.
    pub bytes: u64,
    /// Time for reading.
    pub read: f64,
    /// Time for sealing.
    pub seal: f64,
    /// Time for writing.
    pub write: f64,
}

/// The range in which a batch is read.
struct SampleRange {
    relation: String,
    after: Option<KeyText>,
    upto: Option<KeyText>,
}

/// The sealed rows of a batch, ready to be written.
#[derive(Default)]
struct SealedRows {
    writes: Vec<WriteRow>,
    values: u64,
    bytes: u64,
}

impl Bench {
    /// Measures a table of about `rows` rows.
    ///
    /// # Errors
    /// What reading or writing reports. A batch that the database refuses is left out, unless all
    /// are refused.
    pub async fn table(&self, job: &Job, rows: u64) -> Result<Measured, EngineError> {
        let mut trial = self.store.trial().await?;
        let mut measured = Measured {
            round_trip: trial.round_trip().await?,
            ..Measured::default()
        };
        // The sealed columns may not exist yet, so they are not read.
        let source = PageSource {
            store: Arc::clone(&self.store),
            access: Arc::new(job.access().sources_only()),
            events: Arc::new(NoEvents),
            stop: self.stop.clone(),
            throttle: Arc::new(Unthrottled),
            // A failed read that was repeated would be measured, too.
            patience: None,
        };
        let step = Arc::new(Backfill::new(job, &self.keyring.snapshot(), false));
        let mut reader = self.store.reader().await?;
        let mut refusal = None;
        for window in self.windows(&source.access, rows).await? {
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
            }
            if measured.batches.len() == BATCHES {
                break;
            }
            let mut pages = Pages::through(source.clone(), self.request(&window), reader);
            let (rows, looked, read) = read(&mut pages, measured.round_trip).await?;
            reader = pages.into_reader().ok_or(EngineError::Worker)?;
            measured.looked += looked;
            let keys = self.keys(job, &rows, &mut measured.thrown_away)?;
            let begun = Instant::now();
            let sealed = self.seal(job, &step, &keys, rows).await?;
            let seal = begun.elapsed().as_secs_f64();
            if sealed.writes.is_empty() {
                continue;
            }
            let batch = Batch {
                looked,
                rows: sealed.writes.len() as u64,
                values: sealed.values,
                bytes: sealed.bytes,
                read,
                seal,
                write: 0.0,
            };
            match self
                .write(
                    trial.as_mut(),
                    job,
                    &window,
                    sealed.writes,
                    batch,
                    &mut measured,
                )
                .await
            {
                Ok(()) => {}
                Err(error @ (StoreError::RowRefused { .. } | StoreError::Locked)) => {
                    measured.refused += 1;
                    refusal = Some(error);
                }
                Err(error) => return Err(error.into()),
            }
        }
        match refusal {
            Some(error) if measured.batches.is_empty() => Err(error.into()),
            _ => Ok(measured),
        }
    }

    /// The ranges to read batches from, ordered so that the first few are spread over the whole
    /// table.
    async fn windows(&self, source: &Access, rows: u64) -> Result<Vec<SampleRange>, EngineError> {
        let mut relations = self.store.relations(source).await?;
        let every = relations.len().div_ceil(RELATIONS).max(1);
        relations = relations.into_iter().step_by(every).collect();
        let wanted = (rows / u64::from(BATCH_ROWS)).clamp(1, BATCHES as u64) as usize;
        let pieces = wanted.div_ceil(relations.len().max(1));
        let mut windows = Vec::new();
        for relation in relations {
            let cuts = self
                .store
                .sample_keys(&source.table, &relation, u32::try_from(pieces).unwrap_or(1))
                .await?;
            let ends: Vec<Option<KeyText>> = cuts.into_iter().map(Some).chain([None]).collect();
            let mut after = None;
            for upto in ends {
                windows.push(SampleRange {
                    relation: relation.clone(),
                    after,
                    upto: upto.clone(),
                });
                after = upto;
            }
        }
        let stride = windows.len().div_ceil(BATCHES).max(1);
        let mut slots: Vec<Option<SampleRange>> = windows.into_iter().map(Some).collect();
        let order = (0..stride).flat_map(|first| (first..slots.len()).step_by(stride));
        let order: Vec<usize> = order.collect();
        Ok(order
            .into_iter()
            .filter_map(|at| slots[at].take())
            .collect())
    }

    fn request(&self, window: &SampleRange) -> PageRequest {
        PageRequest {
            relation: window.relation.clone(),
            after: window.after.clone().map(Bound::Key),
            upto: window.upto.clone().map(Bound::Key),
            rows_max: BATCH_ROWS,
            bytes_max: self.settings.batch_bytes_max,
            value_bytes_max: self.settings.value_bytes_max,
            select: Select::Unsealed,
            with_key_text: false,
            versions: Visibility::All,
        }
    }

    /// The keys of the tenants on a page.
    fn keys(
        &self,
        job: &Job,
        rows: &[PageRow],
        thrown_away: &mut usize,
    ) -> Result<Arc<KeySet>, EngineError> {
        let tenants: BTreeSet<&str> = rows.iter().filter_map(|row| tenant_of(job, row)).collect();
        let indexed = job.fields.iter().any(|field| field.index.is_some());
        let purposes: &[Purpose] = match indexed {
            true => &[Purpose::Cell, Purpose::BlindIndex],
            false => &[Purpose::Cell],
        };
        let keys = self.keyring.snapshot();
        let mut made = Vec::new();
        for tenant in tenants {
            for purpose in purposes {
                if keys.active(tenant, *purpose).is_none() {
                    made.push(throw_away(&KeyFor {
                        tenant: tenant.to_owned(),
                        purpose: *purpose,
                    })?);
                }
            }
        }
        *thrown_away += made.len();
        self.keyring.add(made);
        Ok(self.keyring.snapshot())
    }

    async fn seal(
        &self,
        job: &Job,
        step: &Arc<Backfill>,
        keys: &Arc<KeySet>,
        mut rows: Vec<PageRow>,
    ) -> Result<SealedRows, EngineError> {
        let (job, step, keys) = (job.clone(), Arc::clone(step), Arc::clone(keys));
        let work = move || {
            let chunks: Result<Vec<SealedRows>, EngineError> = rows
                .par_chunks_mut(CHUNK_ROWS)
                .map(|chunk| seal_chunk(&job, step.as_ref(), &keys, chunk))
                .collect();
            chunks.map(|chunks| {
                let mut all = SealedRows::default();
                for chunk in chunks {
                    all.writes.extend(chunk.writes);
                    all.values += chunk.values;
                    all.bytes += chunk.bytes;
                }
                all
            })
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| EngineError::Worker)?
    }

    async fn write(
        &self,
        trial: &mut dyn Trial,
        job: &Job,
        window: &SampleRange,
        writes: Vec<WriteRow>,
        batch: Batch,
        measured: &mut Measured,
    ) -> Result<(), StoreError> {
        let sent = writes.len() as u64;
        let tried = trial
            .write(&job.access(), &window.relation, writes, self.place)
            .await?;
        measured.written += tried.rows;
        measured.grown_bytes += tried.grown_bytes;
        measured.wal_bytes += tried.wal_bytes;
        if tried.rows == 0 {
            measured.refused += 1;
            return Ok(());
        }
        let trips = measured.round_trip * TRIAL_TRIPS;
        let took = without(trips, tried.took).as_secs_f64();
        measured.batches.push(Batch {
            // Rows that changed meanwhile would have taken as long to write.
            write: took * sent as f64 / tried.rows as f64,
            ..batch
        });
        Ok(())
    }
}

/// Reads the first window of a range, without its large rows. Also returns how many rows the window
/// looked at, and how many seconds the server worked on it.
async fn read(
    pages: &mut Pages,
    round_trip: Duration,
) -> Result<(Vec<PageRow>, u64, f64), EngineError> {
    let begun = Instant::now();
    let streamed = pages.next().await?;
    let took = without(round_trip * READ_TRIPS, begun.elapsed());
    let rows = streamed.map_or_else(Vec::new, |streamed| streamed.page.rows);
    let bytes: u64 = rows.iter().map(|row| row.bytes).sum();
    // A window that ended early does not tell how many rows it looked at.
    let full = !pages.is_last_window() && bytes < pages.request.bytes_max;
    let looked = match full {
        true => u64::from(BATCH_ROWS),
        false => (rows.len() + pages.large_left()) as u64,
    };
    Ok((rows, looked, took.as_secs_f64()))
}

/// The tenant of a row; `None` if the table has a tenant column and this row has no tenant.
fn tenant_of<'a>(job: &Job, row: &'a PageRow) -> Option<&'a str> {
    match (&job.table.tenant, row.tenant.as_deref()) {
        (None, _) => Some(""),
        (Some(_), tenant) => tenant.filter(|tenant| !tenant.is_empty()),
    }
}

/// Seals what a backfill would; leaves out a row that would go to quarantine.
fn seal_chunk(
    job: &Job,
    step: &Backfill,
    keys: &KeySet,
    chunk: &mut [PageRow],
) -> Result<SealedRows, EngineError> {
    let nonces = NonceBatch::draw(chunk.len() * job.fields.len())
        .map_err(|_| EngineError::Key(KeyError::NoRandomness))?;
    let mut scratch = ThreadScratch::new(nonces);
    let mut sealed = SealedRows {
        writes: Vec::with_capacity(chunk.len()),
        ..SealedRows::default()
    };
    for read in chunk {
        let key = read.key.as_ref().ok().map(|parts| RowKey::encode(parts));
        let Some(Ok(key)) = key else {
            continue;
        };
        let Some(tenant) = tenant_of(job, read) else {
            continue;
        };
        let row = RowView {
            read,
            key: &key,
            tenant,
        };
        let work = step.row(&row, keys, &mut scratch);
        if work.write.is_empty() {
            continue;
        }
        sealed.values += u64::from(work.values);
        sealed.bytes += read.bytes;
        sealed.writes.push(WriteRow {
            locator: std::mem::take(&mut read.locator),
            cells: work.write,
        });
    }
    Ok(sealed)
}

/// The time that the server worked, given the time of a statement. The round trips are a median of
/// other statements, so they may exceed this one's time; at least a tenth of it counts as work.
fn without(trips: Duration, took: Duration) -> Duration {
    took.saturating_sub(trips).max(took / 10)
}
