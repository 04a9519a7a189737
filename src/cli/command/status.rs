//! `phiseal status`: fields, runs, lanes, keys, pace and quarantine, and what of them needs a person.
//! Needs no wrapping key, so that a monitor can run it.

mod rendering;

pub use rendering::{run_object, runs_text};

use super::tables;
use crate::cli::args::{Global, Status};
use crate::cli::output::Output;
use crate::engine::health::{Health, Reason};
use crate::error::{Exit, Fault};

pub async fn run(global: &Global, args: &Status, output: Output) -> Result<Exit, Fault> {
    let (session, server, labels) = tables::listing(global).await?;
    let database = session.database(&server);
    let health = Health::gather(&database, labels.as_ref(), args.census).await?;
    let attention: Vec<String> = health.reasons().iter().map(Reason::to_string).collect();
    output.result(
        &rendering::object(&health, &attention),
        &rendering::text(&health, &attention),
    );
    Ok(if args.check && !attention.is_empty() {
        Exit::Attention
    } else {
        Exit::Done
    })
}
