//! A benchmark on the operator's own table: batches from several places of it are read, sealed in
//! memory, and written where it leaves nothing behind. Owns what is measured; what it means for the
//! whole table is in `forecast`. Changes nothing, and no value leaves it.

pub mod forecast;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::columns::Columns;
use super::step::{Hand, Row, Step};
use super::steps::backfill::Backfill;
use super::{EngineError, Job, Settings, Stop};
use crate::crypto::{NonceBatch, Purpose, RowKey};
use crate::keys::{KeyError, KeyFor, KeySet, Keyring, throw_away};
use crate::store::{
    Cursor, Mark, Page, PageReader, PageRequest, PageRow, Sealed, Select, Store, StoreError,
    Target, Trial, TrialPlace, WriteRow,
};

/// Batches measured of a table, at most.
const BATCHES: usize = 8;
/// Rows that one of them looks at.
const BATCH_ROWS: u32 = 2000;
/// Partitions looked at, at most.
const RELATIONS: usize = 64;
/// Rows sealed by one thread in one go, as in a run.
const CHUNK_ROWS: usize = 256;
/// What reading a page waits for the server: BEGIN with a look at the storage, the statement and its values, COMMIT.
pub const READ_TRIPS: u32 = 4;
/// What writing a batch waits for the server: BEGIN with fence and settings, the statement and its values, COMMIT.
pub const WRITE_TRIPS: u32 = 4;
/// Those of them that a trial times with the statement.
const TRIAL_TRIPS: u32 = 2;

/// Measures tables.
pub struct Bench {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The active keys; those that are missing are made up, in memory.
    pub keyring: Keyring,
    /// Limits of a run.
    pub settings: Settings,
    /// Where batches are tried.
    pub place: TrialPlace,
    /// The wish to stop.
    pub stop: Stop,
}

/// What a few batches of a table took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// The batches that held anything to seal.
    pub batches: Vec<Batch>,
    /// How long the server takes to answer.
    pub round_trip: Duration,
    /// Rows that were looked at, also in batches without anything to seal.
    pub looked: u64,
    /// Batches that the database refused, or whose rows were all held; not counted above.
    pub refused: u64,
    /// Rows that were written.
    pub written: u64,
    /// Bytes by which the table grew while batches were tried in it.
    pub grown_bytes: u64,
    /// Bytes of log that the server wrote meanwhile.
    pub wal_bytes: u64,
    /// Keys that were made up.
    pub thrown_away: usize,
}

/// One batch; times in seconds, what is spent on the way to the server taken off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Batch {
    /// Rows looked at.
    pub looked: u64,
    /// Rows with something to seal.
    pub rows: u64,
    /// Values sealed.
    pub values: u64,
    /// Bytes of these rows' values.
    pub bytes: u64,
    /// Reading.
    pub read: f64,
    /// Sealing.
    pub seal: f64,
    /// Writing.
    pub write: f64,
}

/// Where a batch is read.
struct Window {
    relation: String,
    after: Option<Cursor>,
    upto: Option<Cursor>,
}

/// Rows on their way from reading to writing.
struct SealedRows {
    writes: Vec<WriteRow>,
    values: u64,
    bytes: u64,
}

impl Bench {
    /// Measures a table of about `rows` rows.
    ///
    /// # Errors
    /// What reading or writing meets; a batch that the database refuses is left out, unless all are.
    pub async fn table(&self, job: &Job, rows: u64) -> Result<Measured, EngineError> {
        let mut trial = self.store.trial().await?;
        let mut measured = Measured {
            round_trip: trial.round_trip().await?,
            ..Measured::default()
        };
        // The sealed columns may not be there yet, and are not asked for.
        let mut source = job.target.clone();
        for field in &mut source.fields {
            field.sealed = Sealed::InPlace;
        }
        let columns = Arc::new(Columns::new(&job.target.label, job.fields.clone()));
        let target = Arc::new(job.target.clone());
        let keys = self.keyring.snapshot();
        let step = Arc::new(Backfill::new(target, columns, &keys, false));
        let mut reader = self.store.reader().await?;
        let mut refusal = None;
        for window in self.windows(&source, rows).await? {
            if self.stop.is_wished() {
                return Err(EngineError::Interrupted);
            }
            if measured.batches.len() == BATCHES {
                break;
            }
            let (page, looked, read) = self
                .read(reader.as_mut(), &source, &window, measured.round_trip)
                .await?;
            measured.looked += looked;
            let keys = self.keys(job, &page.rows, &mut measured.thrown_away)?;
            let begun = Instant::now();
            let sealed = self.seal(job, &step, &keys, page.rows).await?;
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
                Err(error @ (StoreError::Data { .. } | StoreError::Locked)) => {
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

    /// The places that batches are read from, so ordered that the first ones are spread over all.
    async fn windows(&self, source: &Target, rows: u64) -> Result<Vec<Window>, EngineError> {
        let mut relations = self.store.relations(source).await?;
        let every = relations.len().div_ceil(RELATIONS).max(1);
        relations = relations.into_iter().step_by(every).collect();
        let wanted = (rows / u64::from(BATCH_ROWS)).clamp(1, BATCHES as u64) as usize;
        let pieces = wanted.div_ceil(relations.len().max(1));
        let mut windows = Vec::new();
        for relation in relations {
            let cuts = self
                .store
                .places(source, &relation, u32::try_from(pieces).unwrap_or(1))
                .await?;
            let ends: Vec<Option<Cursor>> = cuts.into_iter().map(Some).chain([None]).collect();
            let mut after = None;
            for upto in ends {
                windows.push(Window {
                    relation: relation.clone(),
                    after,
                    upto: upto.clone(),
                });
                after = upto;
            }
        }
        let stride = windows.len().div_ceil(BATCHES).max(1);
        let mut slots: Vec<Option<Window>> = windows.into_iter().map(Some).collect();
        let order = (0..stride).flat_map(|first| (first..slots.len()).step_by(stride));
        let order: Vec<usize> = order.collect();
        Ok(order
            .into_iter()
            .filter_map(|at| slots[at].take())
            .collect())
    }

    async fn read(
        &self,
        reader: &mut dyn PageReader,
        source: &Target,
        window: &Window,
        round_trip: Duration,
    ) -> Result<(Page, u64, f64), EngineError> {
        let request = PageRequest {
            relation: window.relation.clone(),
            after: window.after.clone().map(Mark::Key),
            upto: window.upto.clone().map(Mark::Key),
            rows_max: BATCH_ROWS,
            bytes_max: self.settings.batch_bytes_max,
            value_bytes_max: self.settings.value_bytes_max,
            select: Select::Unsealed,
            with_plain: true,
            with_sealed: false,
            with_index: false,
            with_key_text: false,
            versions: crate::store::Versions::All,
        };
        let begun = Instant::now();
        let page = reader.page(source, &request).await?;
        let took = without(round_trip * READ_TRIPS, begun.elapsed());
        let found = page.rows.len() as u64;
        let bytes: u64 = page.rows.iter().map(|row| row.bytes).sum();
        // A window that ended early does not say how many rows it looked at.
        let full = page.next.is_some() && bytes < request.bytes_max;
        let looked = if full { u64::from(BATCH_ROWS) } else { found };
        Ok((page, looked, took.as_secs_f64()))
    }

    /// The keys of a page's tenants.
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
                let mut all = SealedRows {
                    writes: Vec::new(),
                    values: 0,
                    bytes: 0,
                };
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
        window: &Window,
        writes: Vec<WriteRow>,
        batch: Batch,
        measured: &mut Measured,
    ) -> Result<(), StoreError> {
        let sent = writes.len() as u64;
        let tried = trial
            .write(&job.target, &window.relation, writes, self.place)
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
            // Rows that changed meanwhile would have taken as long.
            write: took * sent as f64 / tried.rows as f64,
            ..batch
        });
        Ok(())
    }
}

/// The tenant of a row; `None` where the table has tenants and this row names none.
fn tenant_of<'a>(job: &Job, row: &'a PageRow) -> Option<&'a str> {
    match (&job.target.tenant, row.tenant.as_deref()) {
        (None, _) => Some(""),
        (Some(_), tenant) => tenant.filter(|tenant| !tenant.is_empty()),
    }
}

/// Seals what a backfill would; a row that would go to quarantine is left out.
fn seal_chunk(
    job: &Job,
    step: &Backfill,
    keys: &KeySet,
    chunk: &mut [PageRow],
) -> Result<SealedRows, EngineError> {
    let nonces = NonceBatch::draw(chunk.len() * job.fields.len())
        .map_err(|_| EngineError::Key(KeyError::NoRandomness))?;
    let mut hand = Hand::new(nonces);
    let mut sealed = SealedRows {
        writes: Vec::with_capacity(chunk.len()),
        values: 0,
        bytes: 0,
    };
    for read in chunk {
        let key = read.key.as_ref().ok().map(|parts| RowKey::encode(parts));
        let (Some(Ok(key)), false) = (key, read.large) else {
            continue;
        };
        let Some(tenant) = tenant_of(job, read) else {
            continue;
        };
        let row = Row {
            read,
            key: &key,
            tenant,
        };
        let work = step.work(&row, keys, &mut hand);
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
/// What the server's work took of the time that a statement took. The round trips are a median of others:
/// where this statement's were quicker, a tenth is left, since no work takes no time.
fn without(trips: Duration, took: Duration) -> Duration {
    took.saturating_sub(trips).max(took / 10)
}
