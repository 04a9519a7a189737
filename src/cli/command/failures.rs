//! What becomes of a command of several tables where some of them fail: the others are worked on, each failure is
//! said, and the most serious one is how the command ends.

use serde_json::Value;

use crate::cli::output::Output;
use crate::engine::{Engine, EngineError, Event, Job};
use crate::error::Fault;

/// What ended the work on tables while others were worked on.
#[derive(Default)]
pub struct Failures {
    worst: Option<Fault>,
}

impl Failures {
    /// One more.
    pub fn add(&mut self, fault: Fault) {
        let worse = |worst: &Fault| fault.exit.weight() > worst.exit.weight();
        if self.worst.as_ref().is_none_or(worse) {
            self.worst = Some(fault);
        }
    }

    /// A table failed. Where it is one of several, that is said, and the others are worked on.
    ///
    /// # Errors
    /// The most serious failure so far, where the others would meet the same, or there are none.
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
                table: job.target.label.clone(),
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

    /// Says a result, or, where a table failed, that it is not of all.
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

    /// No table failed.
    pub fn is_empty(&self) -> bool {
        self.worst.is_none()
    }
}
