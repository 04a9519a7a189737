//! `phiseal status`: fields, runs, lanes, keys and quarantine, and what of them needs a person.
//! Needs no wrapping key, so that a monitor can run it.

mod rendering;

pub use rendering::{run_object, runs_text};

use super::registered;
use crate::cli::args::{Global, Status};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::engine::census::{self, Census};
use crate::engine::health::{Health, Reason};
use crate::error::{Exit, Fault};

/// Tables of up to this many rows are counted each time; larger ones only with `--census`.
const CENSUS_ROWS_MAX: u64 = 1_000_000;

pub async fn run(global: &Global, args: &Status, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::installed(global, !global.table.is_empty()).await?;
    let labels = session.labels(global).await?;
    let mut health = Health::gather(session.store.as_ref(), server, labels.as_ref()).await?;
    health.census = count(&session, args.census).await?;
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

/// The census, if it was asked for or the tables are small.
async fn count(session: &Session, asked: bool) -> Result<Option<Census>, Fault> {
    match try_count(session, asked).await {
        Err(error) if asked => Err(error),
        // A failed census that nobody asked for does not stop the rest of the status.
        counted => Ok(counted.ok().flatten()),
    }
}

async fn try_count(session: &Session, asked: bool) -> Result<Option<Census>, Fault> {
    let targets = registered::counted(session).await?;
    let mut rows = 0;
    for target in &targets {
        rows += session.store.row_estimate(target).await?;
    }
    if !asked && rows > CENSUS_ROWS_MAX {
        return Ok(None);
    }
    Ok(Some(census::take(session.store.as_ref(), &targets).await?))
}
