//! The failures of a command that works on several tables. The command goes on with the other
//! tables, reports each failure, and ends with the most serious one.

use serde_json::Value;

use crate::cli::output::Output;
use crate::engine::{Engine, EngineError, Event, Job};
use crate::error::Fault;

/// The most serious failure so far.
#[derive(Default)]
pub struct Failures {
    worst: Option<Fault>,
}

impl Failures {
    /// Records a failure.
    pub fn add(&mut self, fault: Fault) {
        let worse = |worst: &Fault| fault.exit.weight() > worst.exit.weight();
        if self.worst.as_ref().is_none_or(worse) {
            self.worst = Some(fault);
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
    ) -> Result<(), Fault> {
        let ends_all = error.ends_all() || of < 2;
        let fault = Fault::from(error);
        if !ends_all {
            engine.events.emit(Event::TableFailed {
                table: job.table.label.clone(),
                code: fault.code,
                message: fault.message.clone(),
                hint: fault.hint.clone(),
            });
        }
        self.add(fault);
        match (ends_all, self.worst.take()) {
            (true, Some(worst)) => Err(worst),
            (_, worst) => {
                self.worst = worst;
                Ok(())
            }
        }
    }

    /// Prints the result. If a table failed, prints the results of the other tables to stderr
    /// instead.
    ///
    /// # Errors
    /// The most serious failure.
    pub fn result(self, value: &Value, text: &str, output: Output) -> Result<(), Fault> {
        match self.worst {
            None => {
                output.result(value, text);
                Ok(())
            }
            Some(worst) => {
                let lines: Vec<&str> = text.lines().collect();
                output.say("of the other tables:");
                output.say_lines(&lines);
                Err(worst)
            }
        }
    }

    /// Whether no table failed.
    pub fn is_empty(&self) -> bool {
        self.worst.is_none()
    }
}
