//! What a verification of a table records, or that it records nothing.
//! Owns what follows from its result: states of fields, gaps, quarantine. How rows are read is in
//! `verify_loop`, how a value is judged in `steps/verify`.

use std::collections::HashMap;
use std::sync::Arc;

use super::error::EngineError;
use super::events::Event;
use super::report::{TableReport, Tallied};
use super::step::Step;
use super::steps::verify::Verify;
use super::throttle;
use super::{Engine, Job, verify_loop};
use crate::store::{FieldState, Sealed, TableField};

impl Engine {
    /// Opens every sealed value and compares it with its plaintext, if that still exists.
    ///
    /// # Errors
    /// Any error that stops the verification; the next one starts from the beginning. Values that
    /// fail are counted and are not errors.
    pub async fn verify(&self, job: &Job) -> Result<TableReport, EngineError> {
        let begun = self.stop.clock().now();
        let label = &job.table.label;
        self.store.note_relations(&job.table).await?;
        let mut gaps = self.store.gaps(&job.table).await?;
        gaps.retain(|gap| gap.attached);
        let done = self.verify_only(job).await?;
        self.resolve_verified(label, &done).await?;
        if done.seen.failed() == 0 && done.seen.unsealed() == 0 && done.failures.is_empty() {
            let (mut in_place, mut beside) = (job.clone(), job.clone());
            let is_in_place = |field: &TableField| field.sealed == Sealed::InPlace;
            let kept: Vec<bool> = job.table.fields.iter().map(is_in_place).collect();
            in_place.keep(&kept);
            beside.keep(&kept.iter().map(|kept| !kept).collect::<Vec<_>>());
            self.move_fields(&in_place, FieldState::Opened).await?;
            self.move_fields(&beside, FieldState::Verified).await?;
            self.end_gaps(job, &gaps, 0).await?;
        } else if done.seen.failed() > 0 {
            let why = "verify found values that are not what they should be";
            self.store.open_gaps(label, why).await?;
        }
        Ok(self.verified(job, done, begun))
    }

    /// As [`Engine::verify`], but writes nothing to the database: no state of a field, no
    /// quarantine, no report of its pace.
    ///
    /// # Errors
    /// As [`Engine::verify`].
    pub async fn verify_unrecorded(&self, job: &Job) -> Result<TableReport, EngineError> {
        let begun = self.stop.clock().now();
        let done = self.open_all(job, false).await?;
        Ok(self.verified(job, done, begun))
    }

    fn verified(&self, job: &Job, done: Tallied, begun: std::time::Duration) -> TableReport {
        TableReport {
            table: job.table.label.clone(),
            done,
            seconds: self.stop.clock().since(begun).as_secs_f64(),
            ..TableReport::default()
        }
    }

    /// Opens every sealed value of the job's fields and compares it with its plaintext. Writes
    /// nothing but quarantine entries for values that failed.
    ///
    /// # Errors
    /// Any error that stops it. Values that fail are counted and are not errors.
    pub async fn verify_only(&self, job: &Job) -> Result<Tallied, EngineError> {
        self.open_all(job, true).await
    }

    async fn open_all(&self, job: &Job, records: bool) -> Result<Tallied, EngineError> {
        let step = Arc::new(Verify::new(job));
        let relations = self.store.relations(step.access()).await?;
        let extents = self.store.extents(&relations).await?;
        let ctx = self
            .context(step, None, HashMap::new(), throttle::LOOK_EVERY, records)
            .await?;
        let ctx = Arc::new(ctx);
        self.begin_table(&ctx, &extents, 0);
        let done = verify_loop::verify_loop(&ctx, &extents).await;
        ctx.throttle.end().await;
        self.events.emit(Event::TableEnded {
            table: job.table.label.clone(),
        });
        done.map_err(|error| match error {
            EngineError::Interrupted { .. } => ctx.interrupted(),
            error => error,
        })
    }
}
