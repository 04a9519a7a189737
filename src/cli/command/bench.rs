//! `phiseal bench`: estimates how long a backfill of the plan's tables takes, from a few batches of
//! each table. Changes nothing.

mod rendering;

use std::sync::Arc;

use super::tables;
use crate::cli::args::{BenchArgs as Arguments, Global};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::bench::forecast::Forecast;
use crate::engine::bench::{Bench, Measured};
use crate::engine::estimate::{self, Conditions, Estimate};
use crate::engine::look::Look;
use crate::engine::{EngineError, Job, Stop};
use crate::error::{Exit, Fault, sqlstate};
use crate::foreign::Foreign;
use crate::store::catalog::{ColumnFacts, TableFacts};
use crate::store::{Extent, Sealed, StoreError, TrialTable};

/// The measurements and the forecast of one table.
struct Benched {
    name: String,
    measured: Measured,
    forecast: Forecast,
    estimate: Estimate,
}

/// All tables, and how they were measured.
struct Report {
    tables: Vec<Benched>,
    place: TrialTable,
    lanes: u32,
    sqlite: bool,
    /// Whether the database has data keys. Without them, throw-away keys seal the sample.
    own_keys: bool,
}

pub async fn run(global: &Global, args: &Arguments, output: Output) -> Result<Exit, Fault> {
    let session = Session::open(global, true).await?;
    let server = session.store.server().await?;
    let keyring = session.keyring_if_any(&server).await?;
    let look = session.database(&server).look_beforehand().await?;
    tables::warn(&look, output);
    let jobs = look.jobs()?;
    let place = match args.write_sample {
        true => TrialTable::Table,
        false => TrialTable::Copy,
    };
    if place == TrialTable::Table {
        columns_are_there(&look, &jobs)?;
        output.say(rendering::beforehand(session.sqlite));
    }
    let stop = Stop::default();
    signal::watch(&stop, output);
    let own_keys = !keyring.ids().is_empty();
    let settings = session.settings();
    let bench = Bench {
        store: Arc::clone(&session.store),
        keyring,
        settings: settings.clone(),
        place,
        stop,
    };
    let mut tables = Vec::new();
    let looked = look
        .tables
        .iter()
        .filter_map(|table| Some((&table.plan, table.facts.as_ref()?)));
    for ((plan, facts), job) in looked.zip(&jobs) {
        // `extents` leaves out dead rows; `facts` has the row width where there are no
        // statistics.
        let relations = session.store.relations(&job.access()).await?;
        let estimated = Extent::rows(&session.store.extents(&relations).await?);
        let rows = facts.rows.max(0).unsigned_abs().min(estimated);
        let facts = TableFacts {
            rows: i64::try_from(rows).unwrap_or(i64::MAX),
            ..facts.clone()
        };
        let measured = bench
            .table(job, rows)
            .await
            .map_err(|error| not_measured(error, place, job))?;
        let forecast = Forecast::of(&measured, rows, (place, look.dialect), &settings);
        tables.push(Benched {
            name: plan.name.label(),
            estimate: estimate::backfill(&facts, plan, Conditions::default()),
            measured,
            forecast,
        });
    }
    let report = Report {
        tables,
        place,
        lanes: settings.workers,
        sqlite: session.sqlite,
        own_keys,
    };
    output.result(&report.value(), &report.text());
    Ok(Exit::Done)
}

/// Refuses tables that lack a column of the plan: a sample is written into those columns, and
/// adding them would lock the table.
fn columns_are_there(look: &Look, jobs: &[Job]) -> Result<(), Fault> {
    let facts = look.tables.iter().filter_map(|table| table.facts.as_ref());
    let missing: Vec<String> = facts
        .zip(jobs)
        .flat_map(|(facts, job)| missing_columns(facts, job))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Fault {
        code: "E0520",
        message: format!(
            "a sample cannot be written into columns that are not there yet: {}",
            Foreign(&missing.join(", "))
        ),
        hint: "leave --write-sample out, or have the statements of `phiseal plan --sql` run first"
            .to_owned(),
        exit: Exit::Refused,
    })
}

fn missing_columns(facts: &TableFacts, job: &Job) -> Vec<String> {
    let columns = job.table.fields.iter().flat_map(|field| {
        let sealed = match &field.sealed {
            Sealed::Beside { column, .. } => Some(column),
            Sealed::InPlace => None,
        };
        sealed.into_iter().chain(&field.index)
    });
    columns
        .filter(|column| {
            let there = |facts: &ColumnFacts| facts.name == column.as_str();
            !facts.columns.iter().any(there)
        })
        .map(|column| format!("{}.{}", job.table.name.label(), column.label()))
        .collect()
}

fn not_measured(error: EngineError, place: TrialTable, job: &Job) -> Fault {
    match error {
        EngineError::Store(StoreError::Denied { sqlstate }) if place == TrialTable::Copy => Fault {
            code: "E0521",
            message: format!(
                "the role may not make a temporary copy of rows of {} ({})",
                Foreign(&job.table.name.label()),
                sqlstate::shown(&sqlstate)
            ),
            hint: "GRANT TEMPORARY ON the database and SELECT ON the table, or measure with --write-sample"
                .to_owned(),
            exit: Exit::Refused,
        },
        other => other.into(),
    }
}
