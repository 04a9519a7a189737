//! `phiseal restore`: decrypts sealed values back into the plaintext columns.

use std::sync::Arc;

use serde_json::{Value, json};

use super::plan::conditions;
use super::{ahead, closing, tables};
use crate::cli::args::{Global, RestoreArgs};
use crate::cli::figures::{per_second, rounded};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::question;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::ahead::RestoreAhead;
use crate::engine::preflight::RunPurpose;
use crate::engine::{Engine, Failures, Job, Stop, Total};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::ident::Ident;
use crate::plural::counted;
use crate::store::{Sealed, ServerFacts};

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
    let (jobs, failures) = tables::jobs_going(&look, args.going, output)?;
    let mut jobs = look.sealed_only(jobs, args.drop_sealed)?;
    if let Some(into) = &args.into {
        redirect(&mut jobs, into)?;
    }
    if args.dry_run {
        return dry_run(&engine, &jobs, args.drop_sealed, &server, output).await;
    }
    if args.drop_sealed {
        let columns: Vec<String> = jobs.iter().flat_map(dropped).collect();
        question::agreed(
            args.yes,
            "once every value is restored, this drops:",
            &columns,
            "The plaintext is then unprotected again, and applications that seal fail. Go on?",
        )?;
    }
    restore(&engine, &jobs, args.drop_sealed, failures, output).await
}

/// The columns that go with the sealed values: `public.patients.ssn_sealed`.
fn dropped(job: &Job) -> Vec<String> {
    let label = &job.table.label;
    let fields = job.table.fields.iter();
    fields
        .flat_map(|field| {
            let sealed = match &field.sealed {
                Sealed::Beside { column, .. } => Some(column),
                Sealed::InPlace => None,
            };
            sealed.into_iter().chain(&field.index)
        })
        .map(|column| format!("{label}.{}", column.as_str()))
        .collect()
}

async fn restore(
    engine: &Engine,
    jobs: &[Job],
    drop_sealed: bool,
    mut failures: Failures,
    output: Output,
) -> Result<Exit, Fault> {
    let mut reports = Vec::new();
    let mut statements = Vec::new();
    for job in jobs {
        match engine.restore(job, drop_sealed).await {
            Ok(mut report) => {
                statements.append(&mut report.statements);
                reports.push(report);
            }
            Err(error) => failures.meet(engine, job, jobs.len(), error)?,
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
    let text = text(&total, &statements, drop_sealed);
    tables::result(failures, &value, &text, output)?;
    Ok(if total.open_quarantine > 0 {
        Exit::Unverified
    } else {
        Exit::Done
    })
}

async fn dry_run(
    engine: &Engine,
    jobs: &[Job],
    drop_sealed: bool,
    server: &ServerFacts,
    output: Output,
) -> Result<Exit, Fault> {
    let mut tables = Vec::new();
    for job in jobs {
        let on = conditions(server, false);
        tables.push(engine.look_before_restore(job, drop_sealed, on).await?);
    }
    let lines: Vec<String> = tables.iter().flat_map(ahead_lines).collect();
    let value = json!({
        "would_refuse": tables.iter().any(|table| table.refused.is_some()),
        "tables": tables.iter().map(ahead_object).collect::<Vec<_>>(),
    });
    output.result(&value, &lines.join("\n"));
    let refused = tables.into_iter().find_map(|table| table.refused);
    Ok(ahead::conclude(refused.map(Fault::from), output))
}

fn ahead_object(found: &RestoreAhead) -> Value {
    let mut value = ahead::object(&found.table);
    value["makes"] = json!(found.makes);
    value["drops"] = json!(found.drops);
    value["quarantined"] = json!(found.quarantined);
    value
}

fn ahead_lines(found: &RestoreAhead) -> Vec<String> {
    let mut lines = ahead::lines(&found.table, "decrypted and compared");
    let named = |columns: &[String]| Foreign(&columns.join(", ")).to_string();
    if !found.makes.is_empty() {
        lines.push(format!("  would make: {}", named(&found.makes)));
    }
    if !found.drops.is_empty() {
        lines.push(format!(
            "  would drop at the end: {}, and the guard",
            named(&found.drops)
        ));
        if found.quarantined > 0 {
            lines.push(format!(
                "  but {} in quarantine: nothing is dropped while there are any",
                counted(found.quarantined, "row")
            ));
        }
    }
    lines
}

fn text(total: &Total, statements: &[String], drop_sealed: bool) -> String {
    let tally = total.done.tally;
    let mut text = format!(
        "restored {} in {} at {:.0} rows/s",
        counted(tally.values_written, "value"),
        counted(tally.rows_written, "row"),
        per_second(tally.rows_written, total.seconds)
    );
    if let Some(line) = closing::retried(tally.conflicts) {
        text.push_str(&format!("\n{line}"));
    }
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
