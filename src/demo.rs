//! The demos: made-up data, and the story that `phiseal demo` tells with it.
//! Owns the data (`names`, `students`, `rows`), how it gets into a database and out of it again
//! (`school`, `rows`), and the order of events (`story`). The work is done by the real program, started
//! anew for each command (`program`), with a plan file and a key file like any other's (`stage`).
//! Nothing but the command line knows of it.

mod names;
mod program;
mod reader;
mod rows;
mod school;
mod stage;
mod story;
mod students;
mod url;

use std::time::Instant;

use indicatif::HumanCount;
use tracing::Level;

use crate::cli::args::{Demo, Global};
use crate::cli::output::Output;
use crate::cli::signal::unless_interrupted;
use crate::error::{Exit, Fault};
use stage::Stage;

/// What comes after an interruption.
const AGAIN: &str = "the demo begins anew next time";

/// Rows where `--rows` gives none: of students, of each table of a set.
const STUDENTS: u32 = 100_000;
const ROWS_OF_A_TABLE: u32 = 1_000;
/// Fewer students are sealed before anybody could kill it.
const STUDENTS_MIN: u32 = 2_000;

/// Runs `phiseal demo`.
///
/// # Errors
/// What a command that it started says, or what the database refuses.
pub async fn run(global: &Global, args: &Demo, output: Output) -> Result<Exit, Fault> {
    let begun = Instant::now();
    if let Some(set) = &args.set {
        let rows = args.rows.unwrap_or(ROWS_OF_A_TABLE);
        let stage = Stage::for_set(global, set)?;
        output.say(&format!(
            "phiseal demo: the set {set}, {} rows a table, all of them synthetic ({})",
            HumanCount(rows.into()),
            stage.named()
        ));
        let played =
            unless_interrupted(story::set::play(&stage, global, set, rows, output), AGAIN).await;
        let (played, files) = cleared(stage, args.keep, output, played).await?;
        return Ok(played.tell(output, &files, begun));
    }
    let rows = args.rows.unwrap_or(STUDENTS);
    if rows < STUDENTS_MIN {
        return Err(too_few(rows));
    }
    let stage = Stage::set(global, rows)?;
    output.say(&format!(
        "phiseal demo: {} students, all of them synthetic ({})",
        HumanCount(rows.into()),
        stage.named()
    ));
    let played =
        unless_interrupted(story::students::play(&stage, global, rows, output), AGAIN).await;
    let (played, files) = cleared(stage, args.keep, output, played).await?;
    Ok(played.tell(output, &files, begun))
}

/// Removes all that the demo made, however it ended. Says where what is kept is.
async fn cleared<T>(
    stage: Stage,
    keep: bool,
    output: Output,
    played: Result<T, Fault>,
) -> Result<(T, String), Fault> {
    match (played, stage.clear(keep).await) {
        (Ok(played), Ok(files)) => Ok((played, files)),
        (Ok(_), Err(fault)) | (Err(fault), Ok(_)) => Err(fault),
        (Err(fault), Err(also)) => {
            output.insist(Level::ERROR, &[&also.to_string()]);
            Err(fault)
        }
    }
}

/// As the command line says it of a number out of range.
fn too_few(rows: u32) -> Fault {
    Fault {
        code: "E0101",
        message: format!(
            "--rows <N> cannot be '{rows}': write a whole number from {STUDENTS_MIN} to 10000000"
        ),
        hint: "see `phiseal demo --help`".to_owned(),
        exit: Exit::Usage,
    }
}
