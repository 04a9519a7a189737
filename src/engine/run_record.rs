//! The record of a run over one table: begins or resumes the run, calls the run loop, and records
//! and audits how it ended. Owns what a resumed run must have in common with the interrupted one.
//! Does not work on lanes.

mod quarantined;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::alike::{Alike, Refusals};
use super::context::RunContext;
use super::coverage::Coverage;
use super::error::EngineError;
use super::events::Event;
use super::quarantine::KnownFaults;
use super::report::{TableReport, Tallied};
use super::step::Step;
use super::throttle::{self, Observer, Pacer};
use super::{Engine, Job, job_digest, run_loop};
use crate::crypto::KeyId;
use crate::keys::KeyStatus;
use crate::run::audit;
use crate::run::checkpoint::Checkpoints;
use crate::run::holder::{self, Process};
use crate::store::{
    Extent, LaneTally, Next, QuarantineState, RunKind, RunRecord, RunState, Select, StoreError,
    Table,
};

impl Engine {
    /// Runs one step over a table: begins or resumes its run, and ends it.
    pub(super) async fn run(
        &self,
        job: &Job,
        step: Arc<dyn Step>,
        rotations: HashMap<KeyId, i64>,
    ) -> Result<TableReport, EngineError> {
        let begun = self.stop.clock().now();
        let access = Arc::clone(step.access());
        let usage = self.usage(&access.table).await;
        let (run_id, resumed, before) = self.open_or_begin(job, step.as_ref()).await?;
        let relations = self.store.relations(&access).await?;
        let extents = self.store.extents(&relations).await?;
        let mut fingerprints = HashMap::new();
        for relation in relations {
            let print = self.store.fingerprint(&access, &relation).await?;
            fingerprints.insert(relation, print);
        }
        let mut ctx = self
            .context(step, Some(run_id), fingerprints, throttle::LOOK_EVERY, true)
            .await?;
        ctx.rotations = rotations;
        let ctx = Arc::new(ctx);
        let lanes = self.store.lanes(run_id).await?;
        ctx.coverage.begin(&lanes, &extents);
        self.begin_table(&ctx, &extents, before.rows_found.unsigned_abs());
        let mut outcome = match self.list_violators(&ctx).await {
            Ok(listed) => run_loop::run_loop(&ctx, run_id).await.map(|mut done| {
                done.tally.quarantined += listed;
                done
            }),
            Err(error) => Err(error),
        };
        if let (Ok(_), Some(refused)) = (&outcome, ctx.alike.of_all())
            && !ctx.known_faults.retries_any()
            && !self.is_any_good(&ctx).await?
        {
            outcome = Err(run_loop::all_refused(&ctx, refused).await);
        }
        if let Err(EngineError::AllRefused { refused, .. }) = &outcome {
            self.try_again_later(&ctx, run_id, refused).await?;
        }
        ctx.throttle.end().await;
        self.events.emit(Event::TableEnded {
            table: job.table.label.clone(),
        });
        let mut done = self.end(&ctx, run_id, outcome).await?;
        let open_quarantine = self.close_quarantine(&ctx, resumed).await?;
        done.closing = self.closing(&ctx.access.table, usage).await;
        Ok(TableReport {
            table: job.table.label.clone(),
            done,
            resumed,
            open_quarantine,
            seconds: self.stop.clock().since(begun).as_secs_f64(),
            compared: None,
            statements: Vec::new(),
        })
    }

    /// Returns the unfinished run of this table, or begins a new one.
    async fn open_or_begin(
        &self,
        job: &Job,
        step: &dyn Step,
    ) -> Result<(i64, bool, LaneTally), EngineError> {
        let kind = step.kind();
        let access = step.access();
        // A follower may begin another run between the two.
        for _ in 0..10 {
            if let Some(run) = self.open_run_of_others(&access.table.label).await? {
                let before = self.same_run(job, step, &run).await?;
                self.store.resume_run(run.run_id).await?;
                return Ok((run.run_id, true, before));
            }
            let checkpoints = self.checkpoints(&access.table);
            let lanes = run_loop::cut_lanes(
                self.store.as_ref(),
                access,
                &checkpoints,
                self.settings.workers,
                &step.reads(),
            )
            .await?;
            let run = self.new_run(job, step);
            match self.store.begin_run(&run, &lanes).await {
                Ok(run_id) => {
                    self.note(&format!("{kind}.begin"), &run, None).await?;
                    return Ok((run_id, false, LaneTally::default()));
                }
                // Another process has just begun it, or our own attempt may have succeeded: join
                // that run.
                Err(StoreError::Held { .. } | StoreError::OutcomeUnknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Worker)
    }

    pub(super) fn new_run(&self, job: &Job, step: &dyn Step) -> RunRecord {
        let access = step.access();
        let columns: Vec<&str> = access
            .cells
            .iter()
            .map(|cell| cell.label.as_str())
            .collect();
        RunRecord {
            run_id: 0,
            kind: step.kind(),
            table_label: job.table.label.clone(),
            digest: job_digest::digest(access, job.compared.as_deref()),
            state: RunState::Running,
            params: json!({ "columns": columns }).to_string(),
            started_at: String::new(),
            finished_at: None,
            actor: self.tenants.actor.clone(),
            tally: LaneTally::default(),
            error_code: None,
        }
    }

    /// Checks that an unfinished run is the one asked for. Returns what it did so far.
    async fn same_run(
        &self,
        job: &Job,
        step: &dyn Step,
        run: &RunRecord,
    ) -> Result<LaneTally, EngineError> {
        let other = |why: &str| EngineError::OtherRun {
            kind: run.kind.to_string(),
            table: run.table_label.clone(),
            why: why.to_owned(),
        };
        let lanes = self.store.lanes(run.run_id).await?;
        if run.kind != step.kind() {
            let holder = lanes
                .iter()
                .find(|lane| lane.lease_left_seconds.is_some_and(|left| left > 0.0))
                .and_then(|lane| lane.holder.as_deref())
                .map_or_else(
                    || "it was interrupted".to_owned(),
                    |h| format!("it is under way, held by {}", holder::describe(h)),
                );
            return Err(other(&holder));
        }
        if !job_digest::is_of(&run.digest, step.access(), job.compared.as_deref()) {
            return Err(other("it was begun with other columns or another key"));
        }
        let mut before = LaneTally::default();
        for lane in lanes {
            before += lane.tally;
        }
        Ok(before)
    }

    pub(super) fn checkpoints(&self, table: &Table) -> Checkpoints {
        let seal_under = if table.key_is_plain() {
            None
        } else {
            self.tenants.own().ok()
        };
        Checkpoints::new(Arc::clone(&self.tenants.keyring), seal_under)
    }

    pub(super) async fn context(
        &self,
        step: Arc<dyn Step>,
        run_id: Option<i64>,
        fingerprints: HashMap<String, String>,
        look_every: Duration,
        records: bool,
    ) -> Result<RunContext, EngineError> {
        let access = Arc::clone(step.access());
        let listed = self.store.quarantined(Some(&access.table.label)).await?;
        let known_faults = KnownFaults::new(
            &access,
            step.kind().as_str(),
            self.tenants.own().ok(),
            &self.tenants.keyring,
            // A verification lists again whatever fails.
            if run_id.is_some() { &listed } else { &[] },
        );
        let process = Process::this();
        let throttle = Arc::new(Pacer::start(Observer {
            store: Arc::clone(&self.store),
            settings: self.settings.pace.clone(),
            events: Arc::clone(&self.events),
            stop: self.stop.clone(),
            access: Arc::clone(&access),
            kind: step.kind(),
            run_id,
            holder: process.worker(0).0,
            look_every,
            records,
        }));
        Ok(RunContext {
            store: Arc::clone(&self.store),
            checkpoints: self.checkpoints(&access.table),
            access,
            columns: Arc::clone(step.columns()),
            step,
            tenants: Arc::clone(&self.tenants),
            settings: self.settings.clone(),
            events: Arc::clone(&self.events),
            stop: self.stop.clone(),
            throttle,
            known_faults,
            coverage: Coverage::default(),
            alike: Alike::default(),
            fingerprints,
            rotations: HashMap::new(),
            process,
            run_id,
            records,
        })
    }

    pub(super) fn begin_table(&self, ctx: &RunContext, extents: &[Extent], rows_before: u64) {
        self.events.emit(Event::TableBegun {
            kind: ctx.step.kind().as_str(),
            table: ctx.access.table.label.clone(),
            run: ctx.run_id,
            rows_estimate: Extent::rows(extents),
            rows_before,
            share: ctx.coverage.share().unwrap_or_default(),
        });
    }

    /// Records how a run ended, and passes its result on.
    async fn end(
        &self,
        ctx: &RunContext,
        run_id: i64,
        outcome: Result<Tallied, EngineError>,
    ) -> Result<Tallied, EngineError> {
        use crate::error::Coded;
        let kind = ctx.step.kind();
        match outcome {
            Ok(done) => {
                let total = self.store.end_run(run_id, RunState::Done, None).await?;
                let mut run = self.bare_run(ctx, kind);
                run.tally = total;
                self.note(&format!("{kind}.end"), &run, Some(run_id))
                    .await?;
                Ok(done)
            }
            Err(error) => {
                // A stop was requested while the run waited for the database, so the database's
                // error does not matter.
                let error = match error {
                    EngineError::Store(waited)
                        if self.stop.is_requested()
                            && matches!(waited.next(), Next::Again | Next::Reconnect) =>
                    {
                        ctx.interrupted()
                    }
                    EngineError::Interrupted { .. } => ctx.interrupted(),
                    error => error,
                };
                // Best effort: the lanes are enough to resume from. If all rows were refused, the
                // cursors are already behind them, so the next run must begin anew.
                let state = match error {
                    EngineError::AllRefused { .. } => RunState::Failed,
                    _ => RunState::Interrupted,
                };
                let _ = self.store.end_run(run_id, state, Some(error.code())).await;
                Err(error)
            }
        }
    }

    /// Whether some row is already as the step would leave it; if so, not all rows were refused.
    async fn is_any_good(&self, ctx: &RunContext) -> Result<bool, EngineError> {
        let select = match ctx.step.kind() {
            RunKind::Rotate => Select::SealedUnder {
                keys: self.active_keys(),
            },
            RunKind::Backfill | RunKind::Compare => Select::Sealed,
            // For other steps the server is not asked.
            _ => return Ok(false),
        };
        for relation in self.store.relations(&ctx.access).await? {
            if (self.store.any_left(&ctx.access, &relation, &select)).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn active_keys(&self) -> Arc<[KeyId]> {
        let keys = self.tenants.keyring.snapshot();
        let active = keys
            .loaded()
            .filter(|key| key.status() == KeyStatus::Active);
        active.map(|key| key.key_id()).collect()
    }

    /// Marks the entries of rows that were all refused for one cause to be tried again by the next
    /// run. A person need not look at them one by one.
    async fn try_again_later(
        &self,
        ctx: &RunContext,
        run_id: i64,
        refused: &Refusals,
    ) -> Result<(), EngineError> {
        let tags: HashSet<&str> = refused.tags.iter().map(String::as_str).collect();
        let listed = self
            .store
            .quarantined(Some(&ctx.access.table.label))
            .await?;
        let ids: Vec<i64> = (listed.iter())
            .filter(|row| row.row.run_id == Some(run_id) && row.state == QuarantineState::Open)
            .filter(|row| tags.contains(row.row.row_tag.as_str()))
            .map(|row| row.quarantine_id)
            .collect();
        Ok((self
            .store
            .set_quarantine_state(&ids, QuarantineState::Retry))
        .await?)
    }

    fn bare_run(&self, ctx: &RunContext, kind: RunKind) -> RunRecord {
        RunRecord {
            run_id: 0,
            kind,
            table_label: ctx.access.table.label.clone(),
            digest: String::new(),
            state: RunState::Done,
            params: String::new(),
            started_at: String::new(),
            finished_at: None,
            actor: self.tenants.actor.clone(),
            tally: LaneTally::default(),
            error_code: None,
        }
    }

    pub(super) async fn note(
        &self,
        action: &str,
        run: &RunRecord,
        run_id: Option<i64>,
    ) -> Result<(), EngineError> {
        let subject = json!({
            "table": run.table_label,
            "run_id": run_id,
            "rows_found": run.tally.rows_found,
            "rows_written": run.tally.rows_written,
            "values_written": run.tally.values_written,
            "conflicts": run.tally.conflicts,
            "quarantined": run.tally.quarantined,
        });
        audit::append(
            self.store.as_ref(),
            &self.tenants.keyring,
            &self.tenants.actor,
            action,
            &subject,
        )
        .await?;
        Ok(())
    }
}
