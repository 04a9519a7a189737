//! Restoring a table: every value is decrypted, and then the sealed columns and the guard may go.
//! Owns the order of the two phases. The store looks again under its lock before it drops a column,
//! since an application that seals may have written since the last pass.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;

use super::error::EngineError;
use super::procedure::{Procedure, Then};
use super::report::TableReport;
use super::steps::restore::Restore;
use super::{Engine, Job};
use crate::store::record::RESTORED;
use crate::store::{FieldState, ProcedureKind, ProcedureRecord, RunKind, Sealed, Table};
use crate::words::word_enum;

word_enum! {
    /// The phases of a restore that drops the sealed columns.
    RestorePhase {
        /// Decrypts every value.
        Fill = "fill",
        /// Drops the sealed columns, the blind indexes and the guard.
        Drop = "drop",
    }
}

impl From<RestorePhase> for &'static str {
    fn from(phase: RestorePhase) -> Self {
        phase.as_str()
    }
}

impl Engine {
    /// Decrypts values back into the plaintext columns. With `drop_sealed`, drops the sealed columns
    /// and the guard afterwards, if every value was restored; for a table that is sealed in place
    /// only, always drops the guard.
    ///
    /// # Errors
    /// Any error that stops the run. Everything committed stays, and the same call resumes.
    pub async fn restore(&self, job: &Job, drop_sealed: bool) -> Result<TableReport, EngineError> {
        self.refuse_open_finalize(&job.table.label).await?;
        let fields = &job.table.fields;
        let in_place: Vec<String> = fields
            .iter()
            .filter(|field| field.sealed == Sealed::InPlace)
            .map(|field| field.label.clone())
            .collect();
        let open = self.open_run_of_others(&job.table.label).await?;
        // A run of another kind refuses this one, and then there is no procedure to record.
        let is_refused = open.is_some_and(|run| run.kind != RunKind::Restore);
        if !is_refused && (drop_sealed || in_place.len() == fields.len()) {
            let mut restoring = RestoreAndDrop {
                job,
                leaves_nothing: drop_sealed,
                report: None,
            };
            self.proceed(&mut restoring).await?;
            return restoring.report.ok_or(EngineError::Worker);
        }
        let report = self.decrypt(job).await?;
        if report.open_quarantine == 0 && !in_place.is_empty() {
            self.store
                .set_field_state(&job.table.label, &in_place, FieldState::Restored)
                .await?;
        }
        Ok(report)
    }

    /// Decrypts every value of the job's fields.
    async fn decrypt(&self, job: &Job) -> Result<TableReport, EngineError> {
        self.store.make_plain_columns(&job.table).await?;
        // A column that was just created must be read, too: otherwise it would look empty in every
        // pass, and the sweep would never end.
        let made = Job {
            table: Arc::new(job.table.with_plain_columns()),
            ..job.clone()
        };
        // An older version's guard would undo what this restore writes.
        self.store.prepare(&made.table).await?;
        let step = Arc::new(Restore::new(&made));
        let mut report = self.run(job, step, HashMap::new()).await?;
        if report.open_quarantine == 0 {
            report.statements = self.store.finish_plain_columns(&job.table).await?;
        }
        Ok(report)
    }
}

/// A restore that ends with dropping what held the sealed values.
struct RestoreAndDrop<'a> {
    job: &'a Job,
    /// Whether values that an earlier step listed, or that a person chose to leave, prevent it: the
    /// sealed value may be the only copy.
    leaves_nothing: bool,
    report: Option<TableReport>,
}

#[async_trait]
impl Procedure for RestoreAndDrop<'_> {
    type Phase = RestorePhase;

    fn kind(&self) -> ProcedureKind {
        ProcedureKind::Restore
    }

    fn table(&self) -> &Table {
        &self.job.table
    }

    fn first(&self) -> RestorePhase {
        RestorePhase::Fill
    }

    /// The application may have sealed values since the call that filled.
    fn resumes_at(&self, _recorded: RestorePhase) -> RestorePhase {
        RestorePhase::Fill
    }

    async fn run(
        &mut self,
        engine: &Engine,
        phase: RestorePhase,
        _record: &ProcedureRecord,
    ) -> Result<Then<RestorePhase>, EngineError> {
        match phase {
            RestorePhase::Fill => {
                let mut report = engine.decrypt(self.job).await?;
                if self.leaves_nothing {
                    report.open_quarantine = engine.listed(self.job).await?;
                }
                let is_done = report.open_quarantine == 0;
                self.report = Some(report);
                Ok(if is_done {
                    Then::Phase(RestorePhase::Drop)
                } else {
                    Then::Stay
                })
            }
            RestorePhase::Drop => {
                // One transaction also sets the fields' state and ends the procedure.
                engine.store.drop_sealed(&self.job.table).await?;
                Ok(Then::End(RESTORED))
            }
        }
    }
}
