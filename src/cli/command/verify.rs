//! `phiseal verify`: opens and compares every row.

use std::collections::BTreeMap;

use serde_json::json;

use super::tables;
use crate::cli::args::{Global, Going};
use crate::cli::figures::per_second;
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::preflight::RunPurpose;
use crate::engine::{Job, Stop, Tallied, Total};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::store::FieldRecord;

pub async fn run(global: &Global, going: Going, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::installed(global, true).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let events = progress::sink(output);
    let engine = session.engine(events, stop).await?;
    let look = session.database(&server).look(RunPurpose::Verify).await?;
    tables::warn(&look, output);
    let (jobs, mut failures) = tables::jobs_going(&look, going, output)?;
    let jobs = look.sealed_only(jobs, false)?;
    let mut reports = Vec::new();
    for job in &jobs {
        match engine.verify(job).await {
            Ok(report) => reports.push(report),
            Err(error) => failures.meet(&engine, job, jobs.len(), error)?,
        }
    }
    let total = Total::of(reports);
    let done = &total.done;
    let value = json!({
        "rows_verified": done.seen.rows_opened,
        "values_verified": done.seen.values_opened(),
        "failed": done.seen.failed,
        "unsealed": done.seen.unsealed,
        "keys": by_key(done),
        "failures": done.failures.iter().map(|failure| json!({
            "table": failure.table,
            "column": failure.column,
            "row_tag": failure.row_tag,
            "reason": failure.reason,
        })).collect::<Vec<_>>(),
    });
    let rows = i64::try_from(done.seen.rows_opened).unwrap_or(i64::MAX);
    let mut text = format!(
        "verified {} in {}, {:.0} rows/s; {} failed, {} unsealed",
        counted(done.seen.values_opened(), "value"),
        counted(done.seen.rows_opened, "row"),
        per_second(rows, total.seconds),
        done.seen.failed,
        done.seen.unsealed,
    );
    for (key, values) in by_key(done) {
        text.push_str(&format!("\n  key {key}: {}", counted(values, "value")));
    }
    for failure in done.failures.iter().take(20) {
        text.push_str(&format!(
            "\n  {}.{} row {}: {}",
            Foreign(&failure.table),
            Foreign(&failure.column),
            failure.row_tag,
            Foreign(&failure.reason)
        ));
    }
    if done.failures.len() > 20 {
        text.push_str("\n  … the others with `phiseal quarantine list`");
    }
    tables::result(failures, &value, &text, output)?;
    let good = done.seen.failed == 0 && done.seen.unsealed == 0 && done.failures.is_empty();
    if good && is_all(&look.registered, &jobs) {
        session.store.all_verified().await?;
    }
    Ok(if good { Exit::Done } else { Exit::Unverified })
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
