//! Following tables after a backfill: plaintext that applications still write is sealed within about
//! a second, until a stop is requested.
//! Owns when it looks, and what it does when another command works on the table. The sweep seals;
//! `follow/late.rs`
//! reads and writes, `follow/record.rs` records.
//!
//! A look asks the server through the sweep's partial index, which stays as long as the table is
//! followed. Only if it finds rows that need work, a run is opened; it is done again as soon as these
//! rows are sealed. So between two looks other commands find no unfinished run, and may write. A
//! later look opens the same run again, so a day has one run, however often rows came.

mod late;
mod record;

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::context::RunContext;
use super::error::EngineError;
use super::events::Event;
use super::report::{TableReport, Tallied};
use super::steps::backfill::Backfill;
use super::{Engine, Job, Stop, throttle};
use crate::store::{BatchWriter, Next, RunRecord, StoreError};
use late::{Waits, late_rows, sweep_late};

/// The pause between two looks at a table.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks take at most one part of so many of the time. A look takes long only while the index is
/// missing.
const LOOKS_SHARE: u32 = 10;
/// How often the relations, the index and the quarantine are looked at again.
const REFRESH_EVERY: Duration = Duration::from_secs(30);
/// How long a sweep waits for rows that others hold locked. The next look finds them again.
const LOCKED_WITHIN: Duration = Duration::from_secs(1);
/// The pause after that.
const AFTER_LOCKED: Duration = Duration::from_secs(2);
/// How long rows that are being sealed when a stop is requested may take.
const GRACE: Duration = Duration::from_secs(5);

/// One table that is followed.
struct Follower {
    job: Job,
    ctx: Arc<RunContext>,
    /// The request to stop in the middle of a sweep; it comes later than the one to stop following.
    stop: Stop,
    relations: Vec<String>,
    /// Whether all of them have the sweep's index.
    indexed: bool,
    /// The definition of each relation when following began.
    fingerprints: HashMap<String, String>,
    /// The run that was opened last, and when it began.
    run: Option<(RunRecord, Duration)>,
    writer: Option<Box<dyn BatchWriter>>,
    done: Tallied,
    begun: Duration,
    refreshed: Duration,
    next_look: Duration,
    /// The rows that the last look found and that are not sealed yet.
    rows_behind: u64,
    /// Every plaintext that was committed before this moment is sealed or in quarantine.
    sealed_until: Duration,
    waits: bool,
    /// Whether the fields' state says that all is sealed.
    settled: bool,
}

/// How the sealing of what a look found ended.
enum Sealing {
    Done,
    /// Another command works on the table.
    Held,
    /// Others hold rows locked.
    Locked,
    /// The next look tries again, under the keys of now.
    Again,
}

impl Engine {
    /// Seals what applications write into these tables, after their backfill, until a stop is
    /// requested.
    ///
    /// # Errors
    /// [`EngineError::Interrupted`] if the stop comes in the middle of a long sweep; any error that
    /// stops a run, for whichever table. Everything committed stays.
    pub async fn follow(&self, jobs: &[Job]) -> Result<Vec<TableReport>, EngineError> {
        let mut followers = Vec::new();
        let has_plaintext = |job: &&Job| job.table.fields.iter().any(|field| field.plain_exists);
        for job in jobs.iter().filter(has_plaintext) {
            followers.push(self.begin_following(job).await?);
        }
        if followers.is_empty() {
            // Nothing that could be written as plaintext.
            return Ok(Vec::new());
        }
        let clock = self.stop.clock();
        while !self.stop.is_requested() {
            let mut pause = LOOK_EVERY;
            for follower in &mut followers {
                if clock.now() >= follower.next_look && !self.stop.is_requested() {
                    self.look_after(follower).await?;
                }
                pause = pause.min(follower.next_look.saturating_sub(clock.now()));
            }
            self.stop.sleep(pause).await;
        }
        // Values may be under keys that another process has made.
        self.reload().await?;
        let mut reports = Vec::new();
        for follower in followers {
            reports.push(self.end_following(follower).await?);
        }
        Ok(reports)
    }

    async fn begin_following(&self, job: &Job) -> Result<Follower, EngineError> {
        let stop = Stop::with_clock(Arc::clone(self.stop.clock()));
        let now = self.stop.clock().now();
        let mut fingerprints = HashMap::new();
        let ctx = (self.following(job, &stop, None, &fingerprints, false)).await?;
        let relations = self.store.relations(&ctx.access).await?;
        for relation in &relations {
            let print = self.store.fingerprint(&ctx.access, relation).await?;
            fingerprints.insert(relation.clone(), print);
        }
        let mut follower = Follower {
            ctx,
            job: job.clone(),
            stop,
            relations,
            indexed: false,
            fingerprints,
            run: None,
            writer: None,
            done: Tallied::default(),
            begun: now,
            refreshed: now,
            next_look: now,
            rows_behind: 0,
            sealed_until: now,
            waits: false,
            settled: false,
        };
        self.refresh(&mut follower).await?;
        self.say(&follower);
        Ok(follower)
    }

    /// What the looks and sweeps of a table share: a step that reads through the index, if it is
    /// there, and the faults that are known by now.
    async fn following(
        &self,
        job: &Job,
        stop: &Stop,
        run: Option<&RunRecord>,
        fingerprints: &HashMap<String, String>,
        indexed: bool,
    ) -> Result<Arc<RunContext>, EngineError> {
        let keys = self.tenants.keyring.snapshot();
        let step = Backfill::new(job, &keys, false).following(indexed);
        // A look lists nothing, so it needs no run.
        let run_id = run.map_or(0, |run| run.run_id);
        let mut ctx = self
            .context(
                Arc::new(step),
                Some(run_id),
                fingerprints.clone(),
                throttle::LOOK_SELDOM,
                true,
            )
            .await?;
        ctx.stop = stop.clone();
        ctx.events = Arc::new(Waits(Arc::clone(&self.events)));
        ctx.settings.converge_within = LOCKED_WITHIN;
        Ok(Arc::new(ctx))
    }

    /// Sees that the index is there, takes over what changed in the quarantine, and looks for
    /// partitions that were attached since.
    async fn refresh(&self, follower: &mut Follower) -> Result<(), EngineError> {
        if self.store.relations(&follower.ctx.access).await? != follower.relations {
            // The definition of a new partition was never checked.
            return Err(StoreError::SchemaChanged {
                table: follower.job.table.label.clone(),
            }
            .into());
        }
        // Without it looks take longer, and so are rarer.
        follower.indexed = true;
        for relation in &follower.relations {
            let access = &follower.ctx.access;
            follower.indexed &= self.store.make_sweep_index(access, relation).await?;
        }
        if follower.ctx.known_faults.retries_any() {
            self.close_quarantine(&follower.ctx, true).await?;
        }
        self.renew_context(follower).await?;
        follower.refreshed = self.stop.clock().now();
        Ok(())
    }

    async fn renew_context(&self, follower: &mut Follower) -> Result<(), EngineError> {
        let run = follower.run.as_ref().map(|(run, _)| run);
        let (job, stop) = (&follower.job, &follower.stop);
        follower.ctx = self
            .following(job, stop, run, &follower.fingerprints, follower.indexed)
            .await?;
        Ok(())
    }

    /// Looks once, and seals what is found.
    async fn look_after(&self, follower: &mut Follower) -> Result<(), EngineError> {
        let clock = self.stop.clock();
        if clock.since(follower.refreshed) > REFRESH_EVERY {
            self.refresh(follower).await?;
        }
        let begun = clock.now();
        let mut behind = Vec::new();
        follower.rows_behind = 0;
        for relation in &follower.relations {
            let looked = late_rows(&follower.ctx, relation);
            let rows = self.with_grace(&follower.stop, looked).await?;
            if rows > 0 {
                follower.rows_behind += rows;
                behind.push(relation.clone());
            }
        }
        let took = clock.since(begun);
        follower.next_look = clock.now() + LOOK_EVERY.max(took * (LOOKS_SHARE - 1));
        if behind.is_empty() {
            follower.sealed_until = begun;
            self.say(follower);
            return self.settle(follower).await;
        }
        self.say(follower);
        let begun = clock.now();
        match self.seal_late(follower, &behind).await? {
            Sealing::Done => {
                follower.rows_behind = 0;
                follower.sealed_until = begun;
                follower.waits = false;
                self.say(follower);
            }
            Sealing::Held if !follower.waits => {
                follower.waits = true;
                self.events.emit(Event::Waiting {
                    why: format!("another command works on {}", follower.job.table.label),
                });
            }
            Sealing::Held | Sealing::Again => {}
            Sealing::Locked => follower.next_look = clock.now() + AFTER_LOCKED,
        }
        Ok(())
    }

    /// Seals the rows that a look found in these relations.
    async fn seal_late(
        &self,
        follower: &mut Follower,
        relations: &[String],
    ) -> Result<Sealing, EngineError> {
        let Some(run_id) = self.open_following_run(follower).await? else {
            return Ok(Sealing::Held);
        };
        let swept = self
            .with_grace(
                &follower.stop.clone(),
                sweep_late(follower, run_id, relations),
            )
            .await;
        let (swept, stamp) = swept;
        let outcome = match swept {
            Ok(()) if stamp.is_none() => Ok(Sealing::Held),
            Ok(()) => Ok(Sealing::Done),
            Err(error) => self.after_failure(follower, error).await,
        };
        if matches!(outcome, Ok(Sealing::Held)) {
            self.leave_run(follower, run_id).await?;
            return outcome;
        }
        self.close_following_run(follower, run_id, stamp, &outcome)
            .await?;
        outcome
    }

    /// What becomes of a sweep that failed: some failures pass until the next look.
    async fn after_failure(
        &self,
        follower: &mut Follower,
        error: EngineError,
    ) -> Result<Sealing, EngineError> {
        follower.writer = None;
        match error {
            EngineError::Store(StoreError::KeyNotActive) => {
                // Another process has rotated the key.
                self.reload().await?;
                self.renew_context(follower).await?;
                Ok(Sealing::Again)
            }
            EngineError::NotConverging { .. } => Ok(Sealing::Locked),
            EngineError::Store(StoreError::FenceLost) => Ok(Sealing::Held),
            EngineError::Store(waited)
                if self.stop.is_requested()
                    && matches!(waited.next(), Next::Again | Next::Reconnect) =>
            {
                Err(EngineError::interrupted())
            }
            error => Err(error),
        }
    }

    /// Awaits `work`. Once a stop is requested, it has [`GRACE`] to end; then it is told to stop, too.
    async fn with_grace<T>(&self, stop: &Stop, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        tokio::select! {
            done = &mut work => return done,
            () = self.stop.requested() => {}
        }
        tokio::select! {
            done = &mut work => return done,
            () = self.stop.clock().sleep(GRACE) => stop.request(),
        }
        work.await
    }

    /// Says how far behind a table is.
    fn say(&self, follower: &Follower) {
        let behind = match follower.rows_behind {
            0 => Duration::ZERO,
            _ => self.stop.clock().since(follower.sealed_until),
        };
        self.events.emit(Event::Following {
            table: follower.job.table.label.clone(),
            rows_sealed: follower.done.tally.rows_written.unsigned_abs(),
            rows_behind: follower.rows_behind,
            seconds_behind: behind.as_secs_f64(),
        });
    }

    async fn end_following(&self, mut follower: Follower) -> Result<TableReport, EngineError> {
        let label = follower.job.table.label.clone();
        self.note_following_end(&mut follower).await?;
        let mut done = follower.done;
        done.still_written |= follower.rows_behind > 0;
        done.indexes_left = self.store.drop_sweep_index(&follower.job.table).await?;
        let open_quarantine = self.close_quarantine(&follower.ctx, true).await?;
        follower.ctx.throttle.end().await;
        self.events.emit(Event::TableEnded {
            table: label.clone(),
        });
        Ok(TableReport {
            table: label,
            done,
            resumed: false,
            open_quarantine,
            seconds: self.stop.clock().since(follower.begun).as_secs_f64(),
            compared: None,
            statements: Vec::new(),
        })
    }
}
