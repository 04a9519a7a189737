//! The engine: one run loop over a database it knows only through traits.
//! Owns paging, lanes, batches, retries, the sweep and what is reported. Backfill, verify and
//! restore are steps of it. Never names a database driver, never prints.
//! Rows and cursor commit together, so a crash at any instant loses nothing and repeats nothing.

pub mod columns;
pub mod commit;
pub mod conduct;
pub mod context;
pub mod error;
pub mod estimate;
pub mod events;
pub mod pace;
pub mod parcel;
pub mod pipeline;
pub mod preflight;
pub mod quarantine;
pub mod report;
pub mod retry;
mod sample;
pub mod step;
pub mod steps;
pub mod stop;
pub mod sweep;
pub mod tenants;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use sha2::{Digest, Sha256};

pub use columns::FieldSpec;
pub use context::Settings;
pub use error::EngineError;
pub use events::{Event, EventSink, NoEvents};
pub use report::{Failure, TableReport, Tallied};
pub use stop::Stop;
pub use tenants::Tenants;

use columns::Columns;
use context::Context;
use preflight::{Dialect, Finding};
use quarantine::Book;
use step::Step;
use steps::backfill::Backfill;
use steps::restore::Restore;
use steps::verify::Verify;

use crate::crypto::IndexSpec;
use crate::plan::TablePlan;
use crate::run::audit;
use crate::run::checkpoint::Checkpoints;
use crate::run::holder::{self, Process};
use crate::store::{
    FieldRecord, FieldState, LaneTally, QuarantineState, RunKind, RunRecord, RunState, Sealed,
    Store, StoreError, TableFacts, Target,
};

/// One table to work on, resolved from plan, catalog and registry.
#[derive(Debug, Clone)]
pub struct Job {
    /// What the stores build their statements from.
    pub target: Target,
    /// What sealing each field takes, in the target's order.
    pub fields: Vec<FieldSpec>,
    /// The registry's rows of these fields.
    pub records: Vec<FieldRecord>,
}

impl Job {
    /// The job of one table of a plan. Meant for a table that preflight did not refuse.
    ///
    /// # Errors
    /// The refusal, where the table has no row key.
    pub fn resolve(
        plan: &TablePlan,
        facts: &TableFacts,
        registered: &[FieldRecord],
        dialect: Dialect,
    ) -> Result<Self, Finding> {
        let target = preflight::resolve(plan, facts, registered, dialect)?;
        let fields = plan
            .columns
            .iter()
            .zip(&target.fields)
            .map(|(column, field)| FieldSpec {
                label: field.label.clone(),
                pad_to: column.pad_to,
                index: column
                    .blind_index
                    .as_ref()
                    .and_then(|index| IndexSpec::new(index.normaliser, index.bits).ok()),
            })
            .collect();
        let records = preflight::records(&target, plan);
        Ok(Self {
            target,
            fields,
            records,
        })
    }

    fn labels(&self) -> Vec<String> {
        self.fields
            .iter()
            .map(|field| field.label.clone())
            .collect()
    }

    /// What an interrupted run must have in common with the one that resumes it.
    fn digest(&self) -> String {
        let mut facts = vec![self.target.label.clone()];
        facts.extend(
            self.target
                .keys
                .iter()
                .map(|key| format!("{}:{}", key.name, key.kind.tag())),
        );
        facts.push(format!("{:?}", self.target.tenant));
        for field in &self.target.fields {
            facts.push(format!(
                "{}:{}:{:?}:{:?}",
                field.label, field.column, field.sealed, field.index
            ));
        }
        hex::encode(Sha256::digest(facts.join("\n").as_bytes()))
    }
}

/// Works on tables.
pub struct Engine {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The keys.
    pub tenants: Arc<Tenants>,
    /// Limits.
    pub settings: Settings,
    /// Who wants to know.
    pub events: Arc<dyn EventSink>,
    /// The wish to stop.
    pub stop: Stop,
}

impl Engine {
    /// Seals every plaintext of the job's fields; goes on with an interrupted backfill.
    ///
    /// # Errors
    /// What stops the run. Everything committed stays, and the same call resumes.
    pub async fn backfill(&self, job: &Job) -> Result<TableReport, EngineError> {
        self.tenants.own()?;
        self.store.register_fields(&job.records).await?;
        self.store.prepare(&job.target).await?;
        let label = &job.target.label;
        self.store
            .set_field_state(label, &job.labels(), FieldState::Sealing)
            .await?;
        let target = Arc::new(job.target.clone());
        let columns = Arc::new(Columns::new(label, job.fields.clone()));
        let keys = self.tenants.keyring.snapshot();
        let step = Backfill::new(Arc::clone(&target), Arc::clone(&columns), &keys);
        let report = self.run(job, target, columns, Arc::new(step)).await?;
        self.store.finish_indexes(&job.target).await?;
        if report.open_quarantine == 0 {
            self.store
                .set_field_state(label, &job.labels(), FieldState::Sealed)
                .await?;
        }
        Ok(report)
    }

    /// Opens every sealed value and compares it with its plaintext while that is there.
    ///
    /// # Errors
    /// What stops it; it begins anew next time. Values that fail are counted, not errors.
    pub async fn verify(&self, job: &Job) -> Result<TableReport, EngineError> {
        let begun = Instant::now();
        let label = job.target.label.clone();
        let target = Arc::new(job.target.clone());
        let columns = Arc::new(Columns::new(&label, job.fields.clone()));
        let step = Arc::new(Verify::new(Arc::clone(&target), Arc::clone(&columns)));
        let rows_estimate = self.store.row_estimate(&target).await?;
        let ctx = Arc::new(
            self.context(job, target, columns, step, None, HashMap::new())
                .await?,
        );
        let lanes = conduct::cut_lanes(
            self.store.as_ref(),
            &ctx.target,
            &ctx.checkpoints,
            self.settings.workers,
        )
        .await?;
        self.begin_table(&ctx, rows_estimate, 0);
        let done = conduct::count_through(&ctx, lanes).await;
        self.events.emit(Event::TableEnded {
            table: label.clone(),
        });
        let done = done?;
        self.resolve_verified(&label, &done).await?;
        if done.seen.failed == 0 && done.seen.unsealed == 0 && done.failures.is_empty() {
            for (field, name) in job.target.fields.iter().zip(job.labels()) {
                let state = match field.sealed {
                    Sealed::InPlace => FieldState::Opened,
                    Sealed::Beside { .. } => FieldState::Verified,
                };
                self.store.set_field_state(&label, &[name], state).await?;
            }
        }
        Ok(TableReport {
            table: label,
            done,
            resumed: false,
            open_quarantine: 0,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    /// Decrypts back into the columns of the job's target. With `drop_sealed`, the sealed columns
    /// and the guard go afterwards, if every value was restored.
    ///
    /// # Errors
    /// What stops the run. Everything committed stays, and the same call resumes.
    pub async fn restore(&self, job: &Job, drop_sealed: bool) -> Result<TableReport, EngineError> {
        self.store.make_plain_columns(&job.target).await?;
        let mut target = job.target.clone();
        // Unread, a column made just now would look empty in every pass, and the sweep never end.
        for field in &mut target.fields {
            field.plain_exists = true;
        }
        let target = Arc::new(target);
        let columns = Arc::new(Columns::new(&job.target.label, job.fields.clone()));
        let step = Restore::new(Arc::clone(&target), Arc::clone(&columns));
        let report = self.run(job, target, columns, Arc::new(step)).await?;
        if report.open_quarantine > 0 {
            return Ok(report);
        }
        let (in_place, beside): (Vec<_>, Vec<_>) = job
            .target
            .fields
            .iter()
            .partition(|field| field.sealed == Sealed::InPlace);
        if drop_sealed || beside.is_empty() {
            self.store.drop_sealed(&job.target).await?;
            self.store
                .set_field_state(&job.target.label, &job.labels(), FieldState::Restored)
                .await?;
        } else if !in_place.is_empty() {
            let labels: Vec<String> = in_place.iter().map(|field| field.label.clone()).collect();
            self.store
                .set_field_state(&job.target.label, &labels, FieldState::Restored)
                .await?;
        }
        Ok(report)
    }

    /// The one run loop, with its beginning and its end.
    async fn run(
        &self,
        job: &Job,
        target: Arc<Target>,
        columns: Arc<Columns>,
        step: Arc<dyn Step>,
    ) -> Result<TableReport, EngineError> {
        let begun = Instant::now();
        let kind = step.kind();
        let rows_estimate = self.store.row_estimate(&target).await?;
        let (run_id, resumed, before) = self.open_or_begin(job, &target, kind).await?;
        let mut fingerprints = HashMap::new();
        for relation in self.store.relations(&target).await? {
            let print = self.store.fingerprint(&target, &relation).await?;
            fingerprints.insert(relation, print);
        }
        let ctx = Arc::new(
            self.context(job, target, columns, step, Some(run_id), fingerprints)
                .await?,
        );
        self.begin_table(&ctx, rows_estimate, before.rows_found.unsigned_abs());
        let outcome = conduct::conduct(&ctx, run_id).await;
        self.events.emit(Event::TableEnded {
            table: job.target.label.clone(),
        });
        let done = self.end(&ctx, run_id, outcome).await?;
        let open_quarantine = self.settle_quarantine(&ctx).await?;
        Ok(TableReport {
            table: job.target.label.clone(),
            done,
            resumed,
            open_quarantine,
            seconds: begun.elapsed().as_secs_f64(),
        })
    }

    /// The unfinished run of this table, or a new one.
    async fn open_or_begin(
        &self,
        job: &Job,
        target: &Target,
        kind: RunKind,
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
            )
            .await?;
            let run = self.new_run(job, kind);
            match self.store.begin_run(&run, &lanes).await {
                Ok(run_id) => {
                    self.note(&format!("{kind}.begin"), &run, None).await?;
                    return Ok((run_id, false, LaneTally::default()));
                }
                // Another process began it just now: join.
                Err(StoreError::Held { .. }) => {}
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

    fn checkpoints(&self, target: &Target) -> Checkpoints {
        let seal_under = if target.key_is_plain() {
            None
        } else {
            self.tenants.own().ok()
        };
        Checkpoints::new(Arc::clone(&self.tenants.keyring), seal_under)
    }

    async fn context(
        &self,
        job: &Job,
        target: Arc<Target>,
        columns: Arc<Columns>,
        step: Arc<dyn Step>,
        run_id: Option<i64>,
        fingerprints: HashMap<String, String>,
    ) -> Result<Context, EngineError> {
        let listed = self.store.quarantined(Some(&target.label)).await?;
        let book = Book::new(
            &target.label,
            job.labels(),
            step.kind().as_str(),
            self.tenants.own().ok(),
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
            fingerprints,
            process: Process::this(),
            run_id,
        })
    }

    fn begin_table(&self, ctx: &Context, rows_estimate: u64, rows_before: u64) {
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
                let total =
                    conduct::patiently(ctx, || self.store.end_run(run_id, RunState::Done, None))
                        .await?;
                let mut run = self.bare_run(ctx, kind);
                run.tally = total;
                self.note(&format!("{kind}.end"), &run, Some(run_id))
                    .await?;
                Ok(done)
            }
            Err(error) => {
                // Best effort: the lanes alone are enough to resume from.
                let code = error.code();
                let _ = self
                    .store
                    .end_run(run_id, RunState::Interrupted, Some(code))
                    .await;
                Err(error)
            }
        }
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
    /// that wait for a person.
    async fn settle_quarantine(&self, ctx: &Context) -> Result<u64, EngineError> {
        let step = ctx.step.kind().as_str();
        let listed = self.store.quarantined(Some(&ctx.target.label)).await?;
        let tried: Vec<i64> = listed
            .iter()
            .filter(|row| row.row.step == step && row.state == QuarantineState::Retry)
            .map(|row| row.quarantine_id)
            .collect();
        if !tried.is_empty() {
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
    async fn resolve_verified(&self, label: &str, done: &Tallied) -> Result<(), EngineError> {
        if done.failures.len() >= report::FAILURES_MAX {
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
