//! Finalize: the plaintext leaves the table, the database proves it, and the application goes on.
//! Owns the order. The guard takes no plaintext before anything is verified; every value that is there
//! is opened and compared after that; a validated constraint says so; readers find the column gone
//! before it is; and the removal compares, under its lock, that guard and constraints stood all the
//! time. If they did not, it begins again at the freeze.

mod conditions;
mod look;
mod phases;
mod refusal;

use std::sync::Arc;
use std::time::Duration;

pub use look::Outlook;
pub use refusal::FinalizeError;

use super::error::EngineError;
use super::{Engine, Job};
use crate::store::plaintext::HIDDEN;
use crate::store::{FieldState, StoreError};
use crate::words::word_enum;
use conditions::{is_of, unfinished};
use phases::{Finalizing, Params};

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

/// The outcome of a finalize that was undone.
const UNDONE: &str = "undone";
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
            at: None,
        };
        if let Err(error) = self.proceed(&mut finalizing).await {
            return Err(self
                .overtaken(&job.table.label, finalizing.at, error)
                .await?);
        }
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
}
