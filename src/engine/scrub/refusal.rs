//! What a scrub refuses before it does anything.

use crate::engine::error::EngineError;
use crate::engine::{Engine, Job};
use crate::run::holder;
use crate::store::{FieldState, ScrubFacts};

impl Engine {
    /// Refuses fields that are not finalized: what is still there as plaintext cannot be scrubbed.
    pub(super) async fn refuse_unfinalized(&self, job: &Job) -> Result<(), EngineError> {
        let registered = self.store.fields().await?;
        let state = |label: &str| {
            let mut fields = registered.iter();
            let field = fields
                .find(|field| field.table_label == job.table.label && field.column_label == label);
            field.map(|field| field.state)
        };
        let is_done = |state| matches!(state, Some(FieldState::Finalized | FieldState::Scrubbed));
        let open: Vec<String> = (job.table.fields.iter())
            .map(|field| (&field.label, state(&field.label)))
            .filter(|(_, state)| !is_done(*state))
            .map(|(label, state)| {
                let state = state.map_or("not registered", FieldState::as_str);
                format!("{}.{label} ({state})", job.table.label)
            })
            .collect();
        match open.is_empty() {
            true => Ok(()),
            false => Err(EngineError::NotFinalized {
                fields: open.join(", "),
            }),
        }
    }

    /// Refuses while a run of the table is unfinished; if the whole file is rewritten, while a run
    /// of any table is, since its cursor may be a rowid, which that can change.
    pub(super) async fn refuse_open_runs(
        &self,
        job: &Job,
        facts: &ScrubFacts,
    ) -> Result<(), EngineError> {
        let mut labels = vec![job.table.label.clone()];
        if facts.relations.iter().any(|one| one.whole_file) {
            let fields = self.store.fields().await?;
            labels.extend(fields.into_iter().map(|field| field.table_label));
            labels.sort();
            labels.dedup();
        }
        for label in labels {
            let Some(run) = self.store.open_run(&label).await? else {
                continue;
            };
            let lanes = self.store.lanes(run.run_id).await?;
            let held = lanes
                .iter()
                .find(|lane| lane.lease_left_seconds.is_some_and(|left| left > 0.0))
                .and_then(|lane| lane.holder.as_deref());
            return Err(EngineError::OtherRun {
                kind: run.kind.to_string(),
                table: run.table_label,
                why: held.map_or_else(
                    || "it was interrupted".to_owned(),
                    |held| format!("it is under way, held by {}", holder::describe(held)),
                ),
            });
        }
        Ok(())
    }
}
