//! `phiseal verify`: opens and compares every row. A role that may only read verifies as well; then
//! nothing is recorded in the database.

mod findings;
mod report;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::findings::{FlawFound, flaws_of, is_compared, text};
use super::tables;
use crate::cli::args::{Global, VerifyArgs};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::screen;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::preflight::RunPurpose;
use crate::engine::{Job, Stop, Tallied, Total};
use crate::error::{Exit, Fault};
use crate::store::FieldRecord;
use report::Report;

pub async fn run(global: &Global, args: &VerifyArgs, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::verifying(global).await?;
    let unrecorded = server.unrecorded();
    if let Some(why) = &unrecorded {
        output.say(&format!("nothing is recorded in the database: {why}"));
        if args.report.is_none() {
            output.say("  hint: `phiseal verify --report FILE` keeps the result");
        }
    }
    let report = args.report.as_deref().map(Report::begin).transpose()?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let events = progress::sink(output);
    let engine = match session.engine(events, stop).await {
        Ok(engine) => engine,
        Err(fault) => return Err(without_key(fault, output)),
    };
    let look = session.database(&server).look(RunPurpose::Verify).await?;
    tables::warn(&look, output);
    let (jobs, mut failures) = tables::jobs_going(&look, args.going, output)?;
    let jobs = look.sealed_only(jobs, false)?;
    let mut reports = Vec::new();
    let mut flaws = Vec::new();
    for job in &jobs {
        let verified = match unrecorded {
            None => engine.verify(job).await,
            Some(_) => engine.verify_unrecorded(job).await,
        };
        match verified {
            Ok(report) => {
                flaws.extend(flaws_of(job, &report.done.seen));
                reports.push(report);
            }
            Err(error) => failures.meet(&engine, job, jobs.len(), error)?,
        }
    }
    let total = Total::of(reports);
    let done = &total.done;
    let value = object(done, &flaws);
    let records = unrecorded.is_none();
    let compared = jobs.iter().all(is_compared);
    let text = text(&total, &flaws, (compared, records), screen::columns());
    if let Some(report) = report {
        report.write(&server, &jobs, done, &value)?;
    }
    tables::result(failures, &value, &text, output)?;
    let good = flaws.is_empty() && done.failures.is_empty();
    if good && records && is_all(&look.registered, &jobs) {
        session.store.all_verified().await?;
    }
    Ok(if good { Exit::Done } else { Exit::Unverified })
}

/// The result for `--json`.
fn object(done: &Tallied, flaws: &[FlawFound]) -> Value {
    json!({
        "rows_verified": done.seen.rows_opened,
        "values_verified": done.seen.values_opened(),
        "failed": done.seen.failed(),
        "unsealed": done.seen.unsealed(),
        "keys": by_key(done),
        "flaws": flaws.iter().map(FlawFound::object).collect::<Vec<_>>(),
        "failures": done.failures.iter().map(|failure| json!({
            "table": failure.table,
            "column": failure.column,
            "row_tag": failure.row_tag,
            "reason": failure.reason,
        })).collect::<Vec<_>>(),
    })
}

/// Says what is possible without the wrapping key, if that is why the command ends.
fn without_key(fault: Fault, output: Output) -> Fault {
    if fault.exit == Exit::Keys {
        output.say_lines(&[
            "Without the wrapping key no value can be opened, so nothing was verified.",
            "What needs no key: `phiseal status --census` counts values by the key they name;",
            "`phiseal audit export` writes the audit log, to check that none of it is missing.",
        ]);
    }
    fault
}

/// Whether the jobs cover all registered fields that may hold sealed values.
fn is_all(registered: &[FieldRecord], jobs: &[Job]) -> bool {
    let sealed = registered
        .iter()
        .filter(|record| record.state.may_hold_seals());
    sealed.into_iter().all(|record| {
        jobs.iter().any(|job| {
            job.table.label == record.table_label
                && job
                    .fields
                    .iter()
                    .any(|field| field.label == record.column_label)
        })
    })
}

/// Values by key id, as JSON.
fn by_key(done: &Tallied) -> BTreeMap<String, u64> {
    done.seen
        .opened
        .iter()
        .map(|(key, values)| (key.to_string(), *values))
        .collect()
}
