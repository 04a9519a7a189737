//! Finalize: the plaintext leaves the table, the database proves it, and the application goes on.
//! Owns the order. The guard takes no plaintext before anything is verified; every value that is there
//! is opened and compared after that; a validated constraint says so; readers find the column gone
//! before it is; and the removal compares, under its lock, that guard and constraints stood all the
//! time. If they did not, it begins again at the freeze.

mod look;
mod refusal;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use look::Outlook;
pub use refusal::FinalizeError;

use super::error::EngineError;
use super::events::Event;
use super::procedure::{Procedure, Then};
use super::quarantine::open_key;
use super::report::TableReport;
use super::wait::Waiting;
use super::{Engine, Job};
use crate::error::Coded;
use crate::run::audit;
use crate::run::holder::{self, Process};
use crate::store::plaintext::HIDDEN;
use crate::store::record::FINALIZED;
use crate::store::{
    FieldState, FrozenState, Holder, KeyText, ProcedureKind, ProcedureRecord, QuarantineState,
    Removal, RunKind, Sealed, StoreError, Table,
};
use crate::words::word_enum;

word_enum! {
    /// The phases of a finalize.
    FinalizePhase {
        /// The guard takes no plaintext any more.
        Freeze = "freeze",
        /// Transactions that began before the freeze end.
        Settle = "settle",
        /// Seals what is left, and opens and compares every value.
        Verify = "verify",
        /// Constraints prove it.
        Constrain = "constrain",
        /// The plaintext columns get another name.
        Hide = "hide",
        /// Time for those who still read the columns to complain.
        Grace = "grace",
        /// The plaintext is set to NULL, row by row.
        Blank = "blank",
        /// The plaintext columns are dropped, or proven empty.
        Remove = "remove",
    }
}

impl From<FinalizePhase> for &'static str {
    fn from(phase: FinalizePhase) -> Self {
        phase.as_str()
    }
}

word_enum! {
    /// What becomes of the plaintext columns.
    PlaintextFate {
        /// They are dropped.
        Drop = "drop",
        /// They stay, with NULL in every row.
        Blank = "blank",
        /// They stay as they are, and take no plaintext any more. This is not a finalize.
        Keep = "keep",
    }
}

/// How often a finalize begins again at the freeze before it gives up.
const ROUNDS_MAX: u32 = 5;
/// The outcome of a procedure that keeps the plaintext.
const KEPT: &str = "kept";
/// The outcome of a finalize that was undone.
const UNDONE: &str = "undone";
/// The pause between two looks at the clock during the grace period.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How to finalize.
#[derive(Debug, Clone)]
pub struct FinalizeOptions {
    /// What becomes of the plaintext columns.
    pub fate: PlaintextFate,
    /// How long to observe whether plaintext still comes.
    pub observe: Duration,
    /// How long the columns are hidden before they are dropped.
    pub grace: Duration,
    /// The tags of rows in quarantine whose values may be lost.
    pub give_up: Vec<String>,
}

/// What a finalize did to one table.
#[derive(Debug)]
pub struct Finalized {
    /// The table's label.
    pub table: String,
    /// The labels of its fields.
    pub columns: Vec<String>,
    /// What became of the plaintext.
    pub fate: PlaintextFate,
    /// Values that were opened and compared.
    pub verified: u64,
    /// Values that were set to NULL.
    pub blanked: u64,
    /// Whether it went on with what an earlier call began.
    pub resumed: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// What an undo left for a person.
#[derive(Debug)]
pub struct Undone {
    /// Statements that could not be run while rows contradict them.
    pub statements: Vec<String>,
    /// Whether values may be NULL already that were plaintext.
    pub blanked: bool,
}

/// What the phases of a finalize have to know of each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Params {
    state: FrozenState,
    /// Values that the last verification opened and compared.
    verified: u64,
}

impl Engine {
    /// Removes the plaintext of the job's fields, or goes on with what an earlier call began.
    ///
    /// # Errors
    /// Why it stops ([`FinalizeError`]), and any error of a run. What was reached stays, and the same
    /// call goes on.
    pub async fn finalize(
        &self,
        job: &Job,
        options: &FinalizeOptions,
    ) -> Result<Finalized, EngineError> {
        let begun = self.stop.clock().now();
        self.tenants.own()?;
        let open = self.open_finalize(&job.table.label).await?;
        if let Some(open) = open.as_ref().filter(|open| !is_of(open, &job.table)) {
            return Err(unfinished(open).into());
        }
        if options.fate != PlaintextFate::Blank {
            self.end_blanking(&job.table.label).await?;
        }
        if open.is_none() {
            self.refuse_open_run(&job.table.label).await?;
            let found = self.look_before_finalize(job, options.observe).await?;
            found.refuse(&job.table.label, options)?;
        }
        let shown = self.with_hidden_columns(job).await?;
        let mut finalizing = Finalizing {
            job: &shown,
            options,
            params: Params::default(),
            rounds: 0,
            blanked: 0,
        };
        self.proceed(&mut finalizing).await?;
        self.tell_detached(&job.table.label).await?;
        Ok(Finalized {
            table: job.table.label.clone(),
            columns: job.labels(),
            fate: options.fate,
            verified: finalizing.params.verified,
            blanked: finalizing.blanked,
            resumed: open.is_some(),
            seconds: self.stop.clock().since(begun).as_secs_f64(),
        })
    }

    /// Gives the plaintext columns of a finalize that is not finished, or that kept them, back to the
    /// application.
    ///
    /// # Errors
    /// [`FinalizeError::Removed`]; what the store reports.
    pub async fn undo_finalize(&self, job: &Job) -> Result<Undone, EngineError> {
        let label = &job.table.label;
        let registered = self.store.fields().await?;
        let removed = |state| matches!(state, FieldState::Finalized | FieldState::Scrubbed);
        let is_removed = job.labels().iter().all(|name| {
            registered.iter().any(|record| {
                &record.table_label == label
                    && &record.column_label == name
                    && removed(record.state)
            })
        });
        if is_removed {
            let table = label.clone();
            return Err(FinalizeError::Removed { table }.into());
        }
        let open = self.open_finalize(label).await?;
        if let Some(open) = open.as_ref().filter(|open| !is_of(open, &job.table)) {
            return Err(unfinished(open).into());
        }
        let blanked = self.end_blanking(label).await?;
        self.refuse_open_run(label).await?;
        // A process that still works on it notices that it ended.
        if let Some(open) = open {
            self.store
                .finish_procedure(open.procedure_id, UNDONE)
                .await?;
            self.note_procedure(&open, UNDONE).await?;
        }
        let statements = self.store.unfreeze(&job.table).await?;
        Ok(Undone {
            statements,
            blanked,
        })
    }

    /// Ends an unfinished run that blanks the table; returns whether there was one.
    async fn end_blanking(&self, label: &str) -> Result<bool, EngineError> {
        let open = self.store.open_run(label).await?;
        let Some(run) = open.filter(|run| run.kind == RunKind::Finalize) else {
            return Ok(false);
        };
        let this = Process::this();
        let lanes = self.store.lanes(run.run_id).await?;
        let dead: Vec<Holder> = (lanes.into_iter())
            .filter_map(|lane| lane.holder)
            .filter(|holder| this.is_dead(holder))
            .map(Holder)
            .collect();
        let code = EngineError::Interrupted.code();
        match self.store.abandon_run(run.run_id, code, &dead).await? {
            None => Ok(true),
            Some(holder) => Err(EngineError::LanesHeld {
                table: label.to_owned(),
                holder: holder::describe(&holder.0),
            }),
        }
    }

    /// The job as if the columns that an earlier call has hidden had their names: the freeze gives
    /// these back.
    async fn with_hidden_columns(&self, job: &Job) -> Result<Job, StoreError> {
        let registered = self.store.fields().await?;
        let mut shown = job.clone();
        for field in &mut Arc::make_mut(&mut shown.table).fields {
            field.plain_exists |= registered.iter().any(|record| {
                record.table_label == job.table.label
                    && record.column_label == field.label
                    && record.column_name.starts_with(HIDDEN)
            });
        }
        Ok(shown)
    }

    /// The unfinished finalize of a table.
    async fn open_finalize(&self, label: &str) -> Result<Option<ProcedureRecord>, StoreError> {
        let procedures = self.store.procedures(0).await?;
        Ok(procedures.into_iter().find(|one| {
            one.kind == ProcedureKind::Finalize
                && one.table_label == label
                && one.finished_at.is_none()
        }))
    }

    /// Refuses if a finalize of the table is not finished.
    pub(super) async fn refuse_open_finalize(&self, label: &str) -> Result<(), EngineError> {
        match self.open_finalize(label).await? {
            Some(open) => Err(unfinished(&open).into()),
            None => Ok(()),
        }
    }

    /// Says which relations were detached from the table, since they keep their plaintext.
    async fn tell_detached(&self, label: &str) -> Result<(), EngineError> {
        let relations = self.store.sealed_relations().await?;
        let detached = relations.into_iter().filter(|one| !one.attached);
        for now in detached
            .filter(|one| one.table_label == label)
            .filter_map(|one| one.now)
        {
            self.events.emit(Event::Notice {
                text: format!(
                    "warning: {} was detached from {} and keeps its plaintext",
                    now.label(),
                    crate::foreign::Foreign(label)
                ),
            });
        }
        Ok(())
    }

    /// Refuses while a finalize of any table is not finished: its plaintext would go although the keys
    /// of some values went before.
    pub(super) async fn refuse_any_open_finalize(&self) -> Result<(), EngineError> {
        let procedures = self.store.procedures(0).await?;
        let open = procedures
            .iter()
            .find(|one| one.kind == ProcedureKind::Finalize && one.finished_at.is_none());
        open.map_or(Ok(()), |open| Err(unfinished(open).into()))
    }

    async fn refuse_open_run(&self, label: &str) -> Result<(), EngineError> {
        match self.open_run_of_others(label).await? {
            None => Ok(()),
            Some(run) => Err(EngineError::OtherRun {
                kind: run.kind.to_string(),
                table: label.to_owned(),
                why: "it is not finished".to_owned(),
            }),
        }
    }
}

fn is_of(record: &ProcedureRecord, table: &Table) -> bool {
    record.columns == table.column_labels()
}

fn unfinished(record: &ProcedureRecord) -> FinalizeError {
    FinalizeError::Unfinished {
        table: record.table_label.clone(),
        phase: record.phase.clone(),
    }
}

/// A finalize of one table.
struct Finalizing<'a> {
    job: &'a Job,
    options: &'a FinalizeOptions,
    params: Params,
    /// How often it began again at the freeze.
    rounds: u32,
    blanked: u64,
}

type Next = Result<Then<FinalizePhase>, EngineError>;

#[async_trait]
impl Procedure for Finalizing<'_> {
    type Phase = FinalizePhase;

    fn kind(&self) -> ProcedureKind {
        ProcedureKind::Finalize
    }

    fn table(&self) -> &Table {
        &self.job.table
    }

    fn first(&self) -> FinalizePhase {
        FinalizePhase::Freeze
    }

    /// This call may want something else to become of the columns than the one that began. Hidden
    /// columns get their names back first, which the freeze does.
    fn resumes_at(&self, recorded: FinalizePhase) -> FinalizePhase {
        let (phase, drops) = (recorded, self.options.fate == PlaintextFate::Drop);
        match phase {
            FinalizePhase::Hide | FinalizePhase::Grace | FinalizePhase::Remove if !drops => {
                FinalizePhase::Freeze
            }
            // A part of the rows is blanked: all of it begins again.
            FinalizePhase::Blank if self.options.fate != PlaintextFate::Blank => {
                FinalizePhase::Freeze
            }
            phase => phase,
        }
    }

    async fn run(
        &mut self,
        engine: &Engine,
        phase: FinalizePhase,
        record: &ProcedureRecord,
    ) -> Next {
        if self.params == Params::default() {
            self.params = serde_json::from_str(&record.params)
                .map_err(|_| StoreError::unexpected("the parameters of a finalize"))?;
        }
        match phase {
            FinalizePhase::Freeze => self.freeze(engine).await,
            FinalizePhase::Settle => self.settle(engine).await,
            FinalizePhase::Verify => self.verify(engine).await,
            FinalizePhase::Constrain => self.constrain(engine).await,
            FinalizePhase::Hide => self.hide(engine).await,
            FinalizePhase::Grace => self.grace(engine, record).await,
            FinalizePhase::Blank => self.blank(engine).await,
            FinalizePhase::Remove => self.remove(engine, record).await,
        }
    }
}

impl Finalizing<'_> {
    async fn freeze(&mut self, engine: &Engine) -> Next {
        engine.store.freeze(&self.job.table).await?;
        self.params.state = engine.store.frozen_state(&self.job.table).await?;
        self.with(FinalizePhase::Settle)
    }

    async fn settle(&self, engine: &Engine) -> Next {
        let waiting = Waiting {
            store: engine.store.as_ref(),
            events: engine.events.as_ref(),
            stop: &engine.stop,
            patience: engine.settings.patience,
        };
        waiting.outlive_all().await?;
        Ok(Then::Phase(FinalizePhase::Verify))
    }

    /// What was written between the last backfill and the freeze is sealed first.
    async fn verify(&mut self, engine: &Engine) -> Next {
        let label = &self.job.table.label;
        self.give_up(engine).await?;
        if !engine.store.unsealed(&self.job.table).await?.is_empty()
            || engine.store.open_run(label).await?.is_some()
        {
            engine.backfill(self.job).await?;
        }
        let TableReport { done, .. } = engine.verify(self.job).await?;
        self.params.verified = done.seen.values_opened();
        let tags = engine.quarantined_tags(self.job).await?;
        let table = label.clone();
        if done.seen.failed > 0 || done.seen.unsealed > 0 {
            let (failed, unsealed) = (done.seen.failed, done.seen.unsealed);
            return Err(FinalizeError::NotVerified {
                table,
                failed,
                unsealed,
            }
            .into());
        }
        if !tags.is_empty() {
            return Err(FinalizeError::Quarantined { table, tags }.into());
        }
        self.with(FinalizePhase::Constrain)
    }

    /// Deletes the values that the caller named as lost.
    async fn give_up(&self, engine: &Engine) -> Result<(), EngineError> {
        let (table, labels) = (&self.job.table, self.job.labels());
        if self.options.give_up.is_empty() {
            return Ok(());
        }
        for record in engine.quarantined_rows(self.job).await? {
            if !self.options.give_up.contains(&record.row.row_tag) {
                continue;
            }
            let text = open_key(&engine.tenants.keyring, &record);
            let Some(key) = text.and_then(|text| serde_json::from_slice(&text).ok()) else {
                continue;
            };
            let column = record.row.column_label.as_ref();
            let field = column.and_then(|label| labels.iter().position(|one| one == label));
            engine.store.give_up(table, field, &KeyText(key)).await?;
            engine
                .store
                .set_quarantine_state(&[record.quarantine_id], QuarantineState::Resolved)
                .await?;
            let subject = json!({ "table": table.label, "row_tag": record.row.row_tag });
            let (keyring, actor) = (&engine.tenants.keyring, &engine.tenants.actor);
            audit::append(
                engine.store.as_ref(),
                keyring,
                actor,
                "finalize.give_up",
                &subject,
            )
            .await?;
        }
        Ok(())
    }

    async fn constrain(&mut self, engine: &Engine) -> Next {
        let table = &self.job.table;
        engine.store.constrain(table, false).await?;
        let now = engine.store.frozen_state(table).await?;
        if now.guard != self.params.state.guard || now.constraints.is_empty() {
            return self.again(engine);
        }
        self.params.state = now;
        let any_beside = (table.fields.iter()).any(|field| field.sealed != Sealed::InPlace);
        match self.options.fate {
            PlaintextFate::Keep => Ok(Then::End(KEPT)),
            PlaintextFate::Blank if any_beside => self.with(FinalizePhase::Blank),
            PlaintextFate::Drop if any_beside && !self.options.grace.is_zero() => {
                self.with(FinalizePhase::Hide)
            }
            PlaintextFate::Drop | PlaintextFate::Blank => self.with(FinalizePhase::Remove),
        }
    }

    async fn hide(&mut self, engine: &Engine) -> Next {
        match engine
            .store
            .hide(&self.job.table, &self.params.state)
            .await?
        {
            Some(state) => {
                self.params.state = state;
                self.with(FinalizePhase::Grace)
            }
            None => self.again(engine),
        }
    }

    async fn grace(&self, engine: &Engine, record: &ProcedureRecord) -> Next {
        loop {
            let waited = engine.store.seconds_in_phase(record.procedure_id).await?;
            let left = self.options.grace.as_secs_f64() - waited;
            if left <= 0.0 {
                engine.events.emit(Event::GoingOn);
                return Ok(Then::Phase(FinalizePhase::Remove));
            }
            if engine.stop.is_requested() {
                return Err(EngineError::Interrupted);
            }
            engine.events.emit(Event::Waiting {
                why: format!(
                    "for readers of the hidden columns to complain, {} s in all",
                    self.options.grace.as_secs()
                ),
            });
            engine.stop.sleep(LOOK_EVERY).await;
        }
    }

    async fn blank(&mut self, engine: &Engine) -> Next {
        let table = &self.job.table;
        let report = engine.blank(self.job).await?;
        self.blanked = report.done.tally.values_written.unsigned_abs();
        if report.open_quarantine > 0 {
            let (table, tags) = (
                table.label.clone(),
                engine.quarantined_tags(self.job).await?,
            );
            return Err(FinalizeError::Quarantined { table, tags }.into());
        }
        engine.store.constrain(table, true).await?;
        let now = engine.store.frozen_state(table).await?;
        if now.guard != self.params.state.guard || now.constraints.is_empty() {
            return self.again(engine);
        }
        self.params.state = now;
        let columns = engine.store.forget_statistics(table).await?;
        if !columns.is_empty() {
            let table = table.label.clone();
            return Err(FinalizeError::StatisticsShow { table, columns }.into());
        }
        self.with(FinalizePhase::Remove)
    }

    async fn remove(&mut self, engine: &Engine, record: &ProcedureRecord) -> Next {
        let removal = match self.options.fate {
            PlaintextFate::Drop => Removal::Dropped,
            PlaintextFate::Blank | PlaintextFate::Keep => Removal::Blanked,
        };
        // Noted before: a kill after the removal must not leave it without an entry.
        engine.note_procedure(record, "remove").await?;
        let removed = engine
            .store
            .remove_plaintext(&self.job.table, removal, &self.params.state)
            .await?;
        match removed {
            true => Ok(Then::End(FINALIZED)),
            false => self.again(engine),
        }
    }

    /// The next phase, with the parameters as they are now.
    fn with(&self, phase: FinalizePhase) -> Next {
        let params = serde_json::to_string(&self.params)
            .map_err(|_| StoreError::unexpected("parameters that are no JSON"))?;
        Ok(Then::With(phase, params))
    }

    /// Begins again at the freeze: nobody knows what was written while the guard was not the one that
    /// stood.
    fn again(&mut self, engine: &Engine) -> Next {
        self.rounds += 1;
        let table = self.job.table.label.clone();
        if self.rounds >= ROUNDS_MAX {
            return Err(FinalizeError::Unsteady { table }.into());
        }
        engine.events.emit(Event::Notice {
            text: format!(
                "{}: its guard or a constraint is not the one that stood; verifying everything again",
                crate::foreign::Foreign(&table)
            ),
        });
        Ok(Then::Phase(FinalizePhase::Freeze))
    }
}
