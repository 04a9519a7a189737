//! What each phase of a finalize does, and which comes after it.
//! Owns the comparison of the guard with the one that stood at the freeze.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{FinalizeError, FinalizeOptions, FinalizePhase, PlaintextFate};
use crate::engine::error::EngineError;
use crate::engine::events::Event;
use crate::engine::procedure::{Procedure, Then};
use crate::engine::quarantine::open_key;
use crate::engine::report::TableReport;
use crate::engine::wait::Waiting;
use crate::engine::{Engine, Job};
use crate::run::audit;
use crate::store::record::FINALIZED;
use crate::store::{
    FrozenState, KeyText, ProcedureKind, ProcedureRecord, QuarantineState, Removal, Sealed,
    StoreError, Table,
};

/// How often a finalize begins again at the freeze before it gives up.
const ROUNDS_MAX: u32 = 5;
/// The outcome of a procedure that keeps the plaintext.
const KEPT: &str = "kept";
/// The pause between two looks at the clock during the grace period.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the phases of a finalize have to know of each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Params {
    state: FrozenState,
    /// Values that the last verification opened and compared.
    pub(super) verified: u64,
}

/// A finalize of one table.
pub(super) struct Finalizing<'a> {
    pub(super) job: &'a Job,
    pub(super) options: &'a FinalizeOptions,
    pub(super) params: Params,
    /// How often it began again at the freeze.
    pub(super) rounds: u32,
    pub(super) blanked: u64,
    /// The phase of this process.
    pub(super) at: Option<FinalizePhase>,
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
        self.at = Some(phase);
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
        // A rotation may have ended since this process loaded the keys.
        engine.reload().await?;
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
        if done.seen.failed() > 0 || done.seen.unsealed() > 0 {
            let (failed, unsealed) = (done.seen.failed(), done.seen.unsealed());
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
                return Err(EngineError::interrupted());
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
