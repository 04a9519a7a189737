//! `phiseal runs list|abandon`: lists the runs of all tables, or ends one that will not be resumed.
//! Owns how a run is named, and the check that no live process works on an abandoned run.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::status::{run_object, runs_text};
use super::tables;
use crate::cli::args::{Abandon, Global, Runs};
use crate::cli::output::Output;
use crate::cli::screen;
use crate::cli::session::{Session, actor};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::run::audit;
use crate::run::holder::{self, Process};
use crate::store::{Holder, RunRecord};

/// The error code that an abandoned run gets.
const ABANDONED: &str = "E0528";
/// The most runs that are listed.
const RUNS_MAX: u32 = 1000;

/// Runs one `runs` subcommand.
///
/// # Errors
/// Errors of the store, and the refusals in this file.
pub async fn run(global: &Global, runs: &Runs, output: Output) -> Result<Exit, Fault> {
    match runs {
        Runs::List => list(global, output).await,
        Runs::Abandon(args) => abandon(global, args, output).await,
    }
}

async fn list(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, _, labels) = tables::listing(global).await?;
    let mut runs = session.store.runs(RUNS_MAX).await?;
    runs.retain(|run| {
        labels
            .as_ref()
            .is_none_or(|labels| labels.contains(&run.table_label))
    });
    let value = Value::from(runs.iter().map(run_object).collect::<Vec<_>>());
    let text = runs_text(&runs, &HashMap::new(), screen::columns());
    output.result(&value, &text);
    Ok(Exit::Done)
}

async fn abandon(global: &Global, args: &Abandon, output: Output) -> Result<Exit, Fault> {
    let (session, _) = Session::installed(global, false).await?;
    let run = meant(&session, &args.run).await?;
    // Before any change: without the keys there could be no audit entry.
    let tenants = session.tenants().await?;
    let this = Process::this();
    let lanes = session.store.lanes(run.run_id).await?;
    let dead: Vec<Holder> = lanes
        .iter()
        .filter_map(|lane| lane.holder.clone())
        .filter(|name| this.is_dead(name))
        .map(Holder)
        .collect();
    let held = session
        .store
        .abandon_run(run.run_id, ABANDONED, &dead)
        .await?;
    if let Some(holder) = held {
        return Err(Fault {
            code: "E0603",
            message: format!(
                "run {} of {} is worked on by {}",
                run.run_id,
                Foreign(&run.table_label),
                holder::describe(&holder.0)
            ),
            hint: "stop that process, or wait until its lease is over (`lease_seconds`), then run the command again"
                .to_owned(),
            exit: Exit::Held,
        });
    }
    let subject = json!({
        "run_id": run.run_id,
        "kind": run.kind.as_str(),
        "table": run.table_label,
        "reason": args.reason,
    });
    let (store, keyring) = (session.store.as_ref(), &tenants.keyring);
    audit::append(store, keyring, &actor(), "run.abandon", &subject).await?;
    let value =
        json!({ "run_id": run.run_id, "kind": run.kind.as_str(), "table": run.table_label });
    let text = format!(
        "run {} ({} of {}) is abandoned: what it did stays, and the next command starts a new run",
        run.run_id,
        run.kind,
        Foreign(&run.table_label)
    );
    output.result(&value, &text);
    Ok(Exit::Done)
}

/// The unfinished run with this number, or of the table with this label.
async fn meant(session: &Session, wanted: &str) -> Result<RunRecord, Fault> {
    let runs = session.store.runs(u32::MAX).await?;
    let number: Option<i64> = wanted.parse().ok();
    let run = runs
        .into_iter()
        .filter(|run| run.finished_at.is_none())
        .find(|run| Some(run.run_id) == number || run.table_label == wanted);
    run.ok_or_else(|| Fault {
        code: "E0267",
        message: format!(
            "no unfinished run has the number or the table label {}",
            Foreign(wanted)
        ),
        hint: "see `phiseal runs list`: give its number, or the label of its table".to_owned(),
        exit: Exit::Usage,
    })
}
