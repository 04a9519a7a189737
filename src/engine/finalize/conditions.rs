//! What else is under way on a table, and whether a finalize, or what meets one, may begin.

use super::{FinalizeError, FinalizePhase};
use crate::engine::Engine;
use crate::engine::error::EngineError;
use crate::engine::events::Event;
use crate::error::Coded;
use crate::run::holder::{self, Process};
use crate::store::{Holder, ProcedureKind, ProcedureRecord, RunKind, StoreError, Table};

impl Engine {
    /// Ends an unfinished run that blanks the table; returns whether there was one.
    pub(super) async fn end_blanking(&self, label: &str) -> Result<bool, EngineError> {
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
        let code = EngineError::interrupted().code();
        match self.store.abandon_run(run.run_id, code, &dead).await? {
            None => Ok(true),
            Some(holder) => Err(EngineError::LanesHeld {
                table: label.to_owned(),
                holder: holder::describe(&holder.0),
            }),
        }
    }

    /// What stopped a phase: another process that has moved the finalize on, if one has, or else the
    /// error.
    pub(super) async fn overtaken(
        &self,
        label: &str,
        at: Option<FinalizePhase>,
        error: EngineError,
    ) -> Result<EngineError, EngineError> {
        if matches!(
            error,
            EngineError::Interrupted { .. } | EngineError::Finalize(_)
        ) || error.ends_all()
        {
            return Ok(error);
        }
        let open = self.open_finalize(label).await?;
        let phase = open.map(|open| open.phase);
        Ok(match phase.as_deref() == at.map(FinalizePhase::as_str) {
            true => error,
            false => StoreError::Held {
                table: label.to_owned(),
                holder: "another command has moved the finalize on, or undone it".to_owned(),
            }
            .into(),
        })
    }

    /// The unfinished finalize of a table.
    pub(super) async fn open_finalize(
        &self,
        label: &str,
    ) -> Result<Option<ProcedureRecord>, StoreError> {
        let procedures = self.store.procedures(0).await?;
        Ok(procedures.into_iter().find(|one| {
            one.kind == ProcedureKind::Finalize
                && one.table_label == label
                && one.finished_at.is_none()
        }))
    }

    /// Refuses if a finalize of the table is not finished.
    pub(in crate::engine) async fn refuse_open_finalize(
        &self,
        label: &str,
    ) -> Result<(), EngineError> {
        match self.open_finalize(label).await? {
            Some(open) => Err(unfinished(&open).into()),
            None => Ok(()),
        }
    }

    /// Says which relations were detached from the table, since they keep their plaintext.
    pub(super) async fn tell_detached(&self, label: &str) -> Result<(), EngineError> {
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
    pub(in crate::engine) async fn refuse_any_open_finalize(&self) -> Result<(), EngineError> {
        let procedures = self.store.procedures(0).await?;
        let open = procedures
            .iter()
            .find(|one| one.kind == ProcedureKind::Finalize && one.finished_at.is_none());
        open.map_or(Ok(()), |open| Err(unfinished(open).into()))
    }

    pub(super) async fn refuse_open_run(&self, label: &str) -> Result<(), EngineError> {
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

pub(super) fn is_of(record: &ProcedureRecord, table: &Table) -> bool {
    record.columns == table.column_labels()
}

pub(super) fn unfinished(record: &ProcedureRecord) -> FinalizeError {
    FinalizeError::Unfinished {
        table: record.table_label.clone(),
        phase: record.phase.clone(),
    }
}
