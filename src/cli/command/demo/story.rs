//! What the demo says while it plays.

use std::time::Instant;

use crate::cli::output::Output;

/// A line before and a line after each step, with its time.
pub struct Story {
    output: Output,
    step: u32,
    steps: u32,
    begun: Instant,
}

impl Story {
    pub fn new(output: Output, steps: u32) -> Self {
        Self {
            output,
            step: 0,
            steps,
            begun: Instant::now(),
        }
    }

    pub fn begin(&mut self, what: &str) {
        self.step += 1;
        self.begun = Instant::now();
        self.output
            .say(&format!("{}/{} {what}", self.step, self.steps));
    }

    /// A process that was killed left its progress bar without a line break.
    pub fn after_bar(&self) {
        if std::io::IsTerminal::is_terminal(&std::io::stderr()) {
            self.output.say("");
        }
    }

    pub fn text(&self, text: &str) {
        for line in text.lines() {
            self.output.say(format!("    {line}").trim_end());
        }
    }

    pub fn end(&self, what: &str) {
        self.text(&format!(
            "{what} ({:.1} s)",
            self.begun.elapsed().as_secs_f64()
        ));
    }
}
