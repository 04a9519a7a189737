//! What the demos do and say, step by step: what both have in common here, each one in a file.

mod outcome;
pub mod set;
pub mod students;

use std::time::Instant;

use indicatif::HumanCount;

use super::program::{Answer, BACKFILL, Killed, Progress, VERIFY, Watched, call, kill_backfill};
use super::stage::Stage;
use crate::cli::output::Output;
use crate::error::Fault;

/// Comes before each line of a step.
pub const INDENT: &str = "    ";
/// The backfill is killed once so many of a hundred rows are committed.
const KILL_AT_PERCENT: u64 = 55;

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
            self.output.say(format!("{INDENT}{line}").trim_end());
        }
    }

    pub fn end(&self, what: &str) {
        self.text(&format!(
            "{what} ({:.1} s)",
            self.begun.elapsed().as_secs_f64()
        ));
    }
}

/// Makes the wrapping key, our own tables, and the data keys.
async fn make_keys(stage: &Stage) -> Result<(), Fault> {
    let key_path = stage.key_path();
    call(
        stage,
        &["keys", "new-wrapping-key", &key_path.to_string_lossy()],
        Progress::Hidden,
    )
    .await?;
    call(stage, &["migrate", "up"], Progress::Hidden).await?;
    call(stage, &["keys", "create"], Progress::Hidden).await?;
    Ok(())
}

/// Two steps: a backfill of `rows` rows that is killed on the way, and the same command again.
async fn kill_and_resume(
    story: &mut Story,
    stage: &Stage,
    watched: &Watched<'_>,
    progress: Progress,
    rows: u64,
) -> Result<(Killed, Answer), Fault> {
    story.begin("phiseal backfill, to be killed on the way");
    let past = rows * KILL_AT_PERCENT / 100;
    let killed = kill_backfill(stage, watched, progress, past, rows).await?;
    if matches!(progress, Progress::Shown) {
        story.after_bar();
    }
    story.end(&format!(
        "killed (SIGKILL) with {} rows committed",
        HumanCount(killed.rows)
    ));

    story.begin("phiseal backfill, the same command again");
    let resumed = call(stage, &BACKFILL, progress).await?;
    story.end(&format!(
        "resumed, {} more rows",
        HumanCount(resumed.count("rows_sealed"))
    ));
    Ok((killed, resumed))
}

/// The step of `phiseal verify`; `how` is what it is said to do.
async fn verify(
    story: &mut Story,
    stage: &Stage,
    progress: Progress,
    how: &str,
) -> Result<Answer, Fault> {
    story.begin(&format!("phiseal verify{how}"));
    let verify = call(stage, &VERIFY, progress).await?;
    story.end(&format!(
        "{} values opened, {} failed",
        HumanCount(verify.count("values_verified")),
        verify.count("failed") + verify.count("unsealed")
    ));
    Ok(verify)
}
