//! The failures of a command that works on several tables: it goes on with the other tables,
//! reports each failure, and ends with the most serious one.

use super::registered::JobsError;
use super::{Engine, EngineError, Event, Job};
use crate::error::Coded;
use crate::foreign::Foreign;

/// The most serious failure so far.
#[derive(Debug, Default)]
pub struct Failures {
    worst: Option<JobsError>,
}

impl Failures {
    /// Records a failure.
    pub fn add(&mut self, error: impl Into<JobsError>) {
        let error = error.into();
        let worse = |worst: &JobsError| error.exit().weight() > worst.exit().weight();
        if self.worst.as_ref().is_none_or(worse) {
            self.worst = Some(error);
        }
    }

    /// Records the failure of one table, of `of` tables in all. If the command can go on with the
    /// other tables, emits an event for the failure.
    ///
    /// # Errors
    /// The most serious failure so far, if the failure would stop the other tables too or there are
    /// none.
    pub fn meet(
        &mut self,
        engine: &Engine,
        job: &Job,
        of: usize,
        error: EngineError,
    ) -> Result<(), JobsError> {
        let ends_all = error.ends_all() || of < 2;
        if !ends_all {
            engine.table_failed(job, &error);
        }
        self.add(error);
        match self.worst.take_if(|_| ends_all) {
            Some(worst) => Err(worst),
            None => Ok(()),
        }
    }

    /// Whether no table failed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.worst.is_none()
    }

    /// The most serious failure.
    #[must_use]
    pub fn worst(self) -> Option<JobsError> {
        self.worst
    }
}

impl Engine {
    /// Reports that a table failed and that the others go on.
    pub(super) fn table_failed(&self, job: &Job, error: &EngineError) {
        self.events.emit(Event::TableFailed {
            table: job.table.label.clone(),
            code: error.code(),
            message: error.message(),
            hint: Foreign(&error.hint()).to_string(),
        });
    }
}
