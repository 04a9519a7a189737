//! A run over one table, as it is written down: begun or found again, conducted, ended, audited.
//! Owns what a run that resumes must have in common with the one that was interrupted.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::alike::{Alike, Refusals};
use super::columns::Columns;
use super::context::Context;
use super::error::EngineError;
use super::events::Event;
use super::quarantine::Book;
use super::report::{FAILURES_MAX, TableReport, Tallied};
use super::step::{Reads, Step};
use super::{Engine, Job, conduct};
use crate::crypto::KeyId;
use crate::keys::KeyStatus;
use crate::run::audit;
use crate::run::checkpoint::Checkpoints;
use crate::run::holder::{self, Process};
use crate::store::{
    LaneTally, Next, QuarantineState, RunKind, RunRecord, RunState, Select, StoreError, Target,
};

impl Engine {
    /// The one run loop, with its beginning and its end.
    pub(super) async fn run(
        &self,
        job: &Job,
        target: Arc<Target>,
        columns: Arc<Columns>,
        step: Arc<dyn Step>,
        rotations: HashMap<KeyId, i64>,
    ) -> Result<TableReport, EngineError> {
        let begun = Instant::now();
        let kind = step.kind();
        let rows_estimate = self.store.row_estimate(&target).await?;
        let (run_id, resumed, before) = self
            .open_or_begin(job, &target, kind, &step.reads())
            .await?;
        let mut fingerprints = HashMap::new();
        for relation in self.store.relations(&target).await? {
            let print = self.store.fingerprint(&target, &relation).await?;
            fingerprints.insert(relation, print);
        }
        let mut ctx = self
            .context(target, columns, step, Some(run_id), fingerprints)
            .await?;
        ctx.rotations = rotations;
        let ctx = Arc::new(ctx);
        self.begin_table(&ctx, rows_estimate, before.rows_found.unsigned_abs());
        let mut outcome = match self.list_violators(&ctx).await {
            Ok(listed) => conduct::conduct(&ctx, run_id).await.map(|mut done| {
                done.tally.quarantined += listed;
                done
            }),
            Err(error) => Err(error),
        };
        if let (Ok(_), Some(refused)) = (&outcome, ctx.alike.of_all())
            && !ctx.book.retries_any()
            && !self.is_any_good(&ctx).await?
        {
            outcome = Err(conduct::all_refused(&ctx, refused).await);
        }
        if let Err(EngineError::AllRefused { refused, .. }) = &outcome {
            self.try_again_later(&ctx, run_id, refused).await?;
        }
        self.events.emit(Event::TableEnded {
            table: job.target.label.clone(),
        });
        let done = self.end(&ctx, run_id, outcome).await?;
        let open_quarantine = self.settle_quarantine(&ctx, resumed).await?;
        Ok(TableReport {
            table: job.target.label.clone(),
            done,
            resumed,
            open_quarantine,
            seconds: begun.elapsed().as_secs_f64(),
            compared: None,
        })
    }

    /// The unfinished run of this table, or a new one.
    async fn open_or_begin(
        &self,
        job: &Job,
        target: &Target,
        kind: RunKind,
        reads: &Reads,
    ) -> Result<(i64, bool, LaneTally), EngineError> {
        for _ in 0..3 {
            if let Some(run) = self.store.open_run(&target.label).await? {
                let before = self.same_run(job, &run, kind).await?;
                self.store.resume_run(run.run_id).await?;
                return Ok((run.run_id, true, before));
            }
            let checkpoints = self.checkpoints(target);
            let lanes = conduct::cut_lanes(
                self.store.as_ref(),
                target,
                &checkpoints,
                self.settings.workers,
                reads,
            )
            .await?;
            let run = self.new_run(job, kind);
            match self.store.begin_run(&run, &lanes).await {
                Ok(run_id) => {
                    self.note(&format!("{kind}.begin"), &run, None).await?;
                    return Ok((run_id, false, LaneTally::default()));
                }
                // Another process began it just now, or we did and nobody told us: join.
                Err(StoreError::Held { .. } | StoreError::OutcomeUnknown) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Worker)
    }

    fn new_run(&self, job: &Job, kind: RunKind) -> RunRecord {
        RunRecord {
            run_id: 0,
            kind,
            table_label: job.target.label.clone(),
            digest: job.digest(),
            state: RunState::Running,
            params: json!({ "columns": job.labels() }).to_string(),
            started_at: String::new(),
            finished_at: None,
            actor: self.tenants.actor.clone(),
            tally: LaneTally::default(),
            error_code: None,
        }
    }

    /// Whether an unfinished run is the one asked for; what it did so far.
    async fn same_run(
        &self,
        job: &Job,
        run: &RunRecord,
        kind: RunKind,
    ) -> Result<LaneTally, EngineError> {
        let other = |why: &str| EngineError::OtherRun {
            kind: run.kind.to_string(),
            table: run.table_label.clone(),
            why: why.to_owned(),
        };
        let lanes = self.store.lanes(run.run_id).await?;
        if run.kind != kind {
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
        if run.digest != job.digest() {
            return Err(other("it was begun with other columns or another key"));
        }
        let mut before = LaneTally::default();
        for lane in lanes {
            before += lane.tally;
        }
        Ok(before)
    }

    pub(super) fn checkpoints(&self, target: &Target) -> Checkpoints {
        let seal_under = if target.key_is_plain() {
            None
        } else {
            self.tenants.own().ok()
        };
        Checkpoints::new(Arc::clone(&self.tenants.keyring), seal_under)
    }

    pub(super) async fn context(
        &self,
        target: Arc<Target>,
        columns: Arc<Columns>,
        step: Arc<dyn Step>,
        run_id: Option<i64>,
        fingerprints: HashMap<String, String>,
    ) -> Result<Context, EngineError> {
        let listed = self.store.quarantined(Some(&target.label)).await?;
        let book = Book::new(
            &target,
            step.kind().as_str(),
            self.tenants.own().ok(),
            &self.tenants.keyring,
            // A verification lists anew what it finds.
            if run_id.is_some() { &listed } else { &[] },
        );
        Ok(Context {
            store: Arc::clone(&self.store),
            checkpoints: self.checkpoints(&target),
            target,
            step,
            columns,
            tenants: Arc::clone(&self.tenants),
            settings: self.settings.clone(),
            events: Arc::clone(&self.events),
            stop: self.stop.clone(),
            book,
            alike: Alike::default(),
            fingerprints,
            rotations: HashMap::new(),
            process: Process::this(),
            run_id,
        })
    }

    pub(super) fn begin_table(&self, ctx: &Context, rows_estimate: u64, rows_before: u64) {
        self.events.emit(Event::TableBegun {
            kind: ctx.step.kind().as_str(),
            table: ctx.target.label.clone(),
            rows_estimate,
            rows_before,
        });
    }

    /// Writes down how a run ended, and passes on what it did.
    async fn end(
        &self,
        ctx: &Context,
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
                // Whoever was asked to stop while it waited for the database has nothing else to say.
                let error = match error {
                    EngineError::Store(waited)
                        if self.stop.is_wished()
                            && matches!(waited.next(), Next::Again | Next::Reconnect) =>
                    {
                        EngineError::Interrupted
                    }
                    error => error,
                };
                // Best effort: the lanes alone are enough to resume from. What was refused is behind them all,
                // so the next run begins anew.
                let state = match error {
                    EngineError::AllRefused { .. } => RunState::Failed,
                    _ => RunState::Interrupted,
                };
                let _ = self.store.end_run(run_id, state, Some(error.code())).await;
                Err(error)
            }
        }
    }

    /// Whether some row is as the step would leave it: then those that were refused are not the whole table.
    async fn is_any_good(&self, ctx: &Context) -> Result<bool, EngineError> {
        let select = match ctx.step.kind() {
            RunKind::Rotate => Select::SealedUnder {
                keys: self.active_keys(),
            },
            RunKind::Backfill | RunKind::Compare => Select::Sealed,
            // What stands in the plaintext columns is not asked for.
            _ => return Ok(false),
        };
        for relation in self.store.relations(&ctx.target).await? {
            if (self.store.any_left(&ctx.target, &relation, &select)).await? {
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

    /// What was listed of rows that were all refused alike is not for a person to look at one by one: the next
    /// run tries them again.
    async fn try_again_later(
        &self,
        ctx: &Context,
        run_id: i64,
        refused: &Refusals,
    ) -> Result<(), EngineError> {
        let tags: HashSet<&str> = refused.tags.iter().map(String::as_str).collect();
        let listed = self.store.quarantined(Some(&ctx.target.label)).await?;
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

    fn bare_run(&self, ctx: &Context, kind: RunKind) -> RunRecord {
        RunRecord {
            run_id: 0,
            kind,
            table_label: ctx.target.label.clone(),
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

    async fn note(
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

    /// What an operator wanted tried again and did not come back is resolved; the number of rows
    /// that wait for a person. A resumed run in place may have gone by such a row before, and its sweep
    /// takes what looks sealed for sealed: there it waits for the next run.
    async fn settle_quarantine(&self, ctx: &Context, resumed: bool) -> Result<u64, EngineError> {
        let step = ctx.step.kind().as_str();
        let listed = self.store.quarantined(Some(&ctx.target.label)).await?;
        let tried: Vec<i64> = listed
            .iter()
            .filter(|row| {
                row.state == QuarantineState::Retry && ctx.book.retries(row.quarantine_id)
            })
            .map(|row| row.quarantine_id)
            .collect();
        let gone_by = resumed && ctx.target.in_place();
        if !tried.is_empty() && !gone_by {
            self.store
                .set_quarantine_state(&tried, QuarantineState::Resolved)
                .await?;
        }
        Ok(listed
            .iter()
            .filter(|row| row.row.step == step && row.state == QuarantineState::Open)
            .count() as u64)
    }

    /// What an earlier verification listed and this one did not find again is resolved.
    pub(super) async fn resolve_verified(
        &self,
        label: &str,
        done: &Tallied,
    ) -> Result<(), EngineError> {
        if done.failures.len() >= FAILURES_MAX {
            return Ok(());
        }
        let still: std::collections::HashSet<(&str, &str)> = done
            .failures
            .iter()
            .map(|f| (f.column.as_str(), f.row_tag.as_str()))
            .collect();
        let gone: Vec<i64> = self
            .store
            .quarantined(Some(label))
            .await?
            .iter()
            .filter(|row| row.row.step == RunKind::Verify.as_str())
            .filter(|row| {
                let column = row.row.column_label.as_deref().unwrap_or_default();
                !still.contains(&(column, row.row.row_tag.as_str()))
            })
            .map(|row| row.quarantine_id)
            .collect();
        if !gone.is_empty() {
            self.store
                .set_quarantine_state(&gone, QuarantineState::Resolved)
                .await?;
        }
        Ok(())
    }
}
