//! `phiseal restore`: decrypts sealed values back into the plaintext columns.

use std::sync::Arc;

use serde_json::json;

use super::{closing, tables};
use crate::cli::args::{Global, RestoreArgs};
use crate::cli::figures::{per_second, rounded};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::preflight::RunPurpose;
use crate::engine::{Job, Stop, Total};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::Ident;
use crate::plural::counted;
use crate::store::Sealed;

pub async fn run(global: &Global, args: &RestoreArgs, output: Output) -> Result<Exit, Fault> {
    let (mut session, server) = Session::installed(global, true).await?;
    tables::choose_columns(&mut session, &args.columns)?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let events = progress::sink(output);
    let engine = session.engine(events, stop).await?;
    let purpose = RunPurpose::Restore {
        drop_sealed: args.drop_sealed,
    };
    let look = session.database(&server).look(purpose).await?;
    tables::warn(&look, output);
    let (jobs, mut failures) = tables::jobs_going(&look, args.going, output)?;
    let mut jobs = look.sealed_only(jobs, args.drop_sealed)?;
    if let Some(into) = &args.into {
        redirect(&mut jobs, into)?;
    }
    let mut reports = Vec::new();
    let mut statements = Vec::new();
    for job in &jobs {
        match engine.restore(job, args.drop_sealed).await {
            Ok(mut report) => {
                statements.append(&mut report.statements);
                reports.push(report);
            }
            Err(error) => failures.meet(&engine, job, jobs.len(), error)?,
        }
    }
    let total = Total::of(reports);
    let tally = total.done.tally;
    let value = json!({
        "rows_found": tally.rows_found,
        "rows_restored": tally.rows_written,
        "values_restored": tally.values_written,
        "conflicts": tally.conflicts,
        "quarantined": tally.quarantined,
        "seconds": rounded(total.seconds),
        "rows_per_second": per_second(tally.rows_written, total.seconds),
        "resumed": total.resumed,
        "lanes": total.done.lanes,
        "statements": statements,
        "closing": closing::object(total.done.closing.as_ref()),
    });
    let text = text(&total, &statements, args.drop_sealed);
    tables::result(failures, &value, &text, output)?;
    Ok(if total.open_quarantine > 0 {
        Exit::Unverified
    } else {
        Exit::Done
    })
}

fn text(total: &Total, statements: &[String], drop_sealed: bool) -> String {
    let tally = total.done.tally;
    let mut text = format!(
        "restored {} in {}, {:.0} rows/s",
        counted(tally.values_written, "value"),
        counted(tally.rows_written, "row"),
        per_second(tally.rows_written, total.seconds)
    );
    if total.open_quarantine > 0 {
        text.push_str(&format!(
            "\n{} with something that was not overwritten or does not open: see `phiseal quarantine list`",
            counted(total.open_quarantine, "row")
        ));
    } else if drop_sealed {
        text.push_str("\nthe sealed columns and the guard are gone");
    }
    for line in closing::lines(total.done.closing.as_ref()) {
        text.push_str(&format!("\n{line}"));
    }
    if !statements.is_empty() {
        text.push_str("\nwhat went with the plaintext columns comes back with:");
        for statement in statements {
            text.push_str(&format!("\n  {}", Foreign(statement)));
        }
    }
    text
}

/// `--into`: writes the plaintext of the one field into another column.
fn redirect(jobs: &mut [Job], into: &str) -> Result<(), Fault> {
    let usage = |message: &str| Fault {
        code: "E0113",
        message: message.to_owned(),
        hint: "with --into, name one --table and one --column that is sealed beside".to_owned(),
        exit: Exit::Usage,
    };
    let [job] = jobs else {
        return Err(usage("--into takes one table"));
    };
    let [field] = job.table.fields.as_slice() else {
        return Err(usage("--into takes one column"));
    };
    if field.sealed == Sealed::InPlace {
        return Err(usage("--into is for columns sealed beside"));
    }
    let into = Ident::new(into).map_err(|error| usage(&error.to_string()))?;
    job.table = Arc::new(job.table.with_plaintext_in(0, into));
    Ok(())
}
