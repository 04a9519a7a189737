//! `phiseal finalize`: removes the plaintext of sealed columns. The same command goes on with what was
//! interrupted; `--undo` gives the columns back as long as they are there.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ahead, tables};
use crate::cli::args::{FinalizeArgs, Global, PlaintextArg};
use crate::cli::figures::rounded;
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::question;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::finalize::{FinalizeOptions, Finalized, Outlook, PlaintextFate};
use crate::engine::look::Look;
use crate::engine::preflight::RunPurpose;
use crate::engine::{Engine, EngineError, Failures, Job, Stop};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;
use crate::store::FieldState;

pub async fn run(global: &Global, args: &FinalizeArgs, output: Output) -> Result<Exit, Fault> {
    let (mut session, server) = Session::installed(global, true).await?;
    tables::choose_columns(&mut session, &args.columns)?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let events = progress::sink(output);
    let engine = session.engine(events, stop).await?;
    let look = session.database(&server).look(RunPurpose::Finalize).await?;
    tables::warn(&look, output);
    let (jobs, failures) = tables::jobs_going(&look, args.going, output)?;
    let jobs = look.sealed_only(jobs, false)?;
    if args.undo {
        let left = unfinished(&look, jobs.clone());
        let jobs = if left.is_empty() { jobs } else { left };
        return undo(&engine, &jobs, output).await;
    }
    let options = options(args);
    let jobs = unfinished(&look, jobs);
    if jobs.is_empty() {
        output.result(
            &json!({ "tables": [] }),
            "nothing to do: no plaintext is left",
        );
        return Ok(Exit::Done);
    }
    if args.dry_run {
        return dry_run(&engine, &jobs, &options, output).await;
    }
    if options.fate != PlaintextFate::Keep {
        let columns: Vec<String> = jobs.iter().flat_map(places).collect();
        question::agreed(
            args.yes,
            "this removes the plaintext of:",
            &columns,
            "Once it is gone, only `phiseal restore` brings it back. Go on?",
        )?;
    }
    finalize(&engine, &jobs, &options, failures, output).await
}

fn options(args: &FinalizeArgs) -> FinalizeOptions {
    FinalizeOptions {
        fate: match args.plaintext {
            PlaintextArg::Drop => PlaintextFate::Drop,
            PlaintextArg::Blank => PlaintextFate::Blank,
            PlaintextArg::Keep => PlaintextFate::Keep,
        },
        observe: args.observe,
        grace: args.grace,
        give_up: args.give_up.clone(),
    }
}

/// The jobs with only those fields whose plaintext is not removed yet.
fn unfinished(look: &Look, jobs: Vec<Job>) -> Vec<Job> {
    let is_removed = |job: &Job, label: &str| {
        look.registered.iter().any(|record| {
            record.table_label == job.table.label
                && record.column_label == label
                && matches!(record.state, FieldState::Finalized | FieldState::Scrubbed)
        })
    };
    let mut left = Vec::new();
    for mut job in jobs {
        let kept: Vec<bool> = (job.fields.iter())
            .map(|field| !is_removed(&job, &field.label))
            .collect();
        job.keep(&kept);
        if !job.fields.is_empty() {
            left.push(job);
        }
    }
    left
}

/// `public.patients.ssn`, for each field.
fn places(job: &Job) -> Vec<String> {
    let label = &job.table.label;
    let fields = job.table.fields.iter();
    fields
        .map(|field| format!("{label}.{}", field.label))
        .collect()
}

async fn finalize(
    engine: &Engine,
    jobs: &[Job],
    options: &FinalizeOptions,
    mut failures: Failures,
    output: Output,
) -> Result<Exit, Fault> {
    let mut done = Vec::new();
    for job in jobs {
        match engine.finalize(job, options).await {
            Ok(one) => done.push(one),
            Err(error) => failures.meet(engine, job, jobs.len(), error)?,
        }
    }
    let lines: Vec<String> = done.iter().map(text).collect();
    let value = json!({ "tables": done.iter().map(object).collect::<Vec<Value>>() });
    tables::result(failures, &value, &lines.join("\n"), output)?;
    Ok(Exit::Done)
}

fn object(done: &Finalized) -> Value {
    json!({
        "table": done.table,
        "columns": done.columns,
        "plaintext": done.fate.as_str(),
        "values_verified": done.verified,
        "values_blanked": done.blanked,
        "resumed": done.resumed,
        "seconds": rounded(done.seconds),
    })
}

fn text(done: &Finalized) -> String {
    let columns: Vec<String> = (done.columns.iter())
        .map(|name| Foreign(name).to_string())
        .collect();
    let (table, columns) = (Foreign(&done.table), columns.join(", "));
    let verified = counted(done.verified, "value");
    match done.fate {
        PlaintextFate::Drop => format!(
            "finalized {table}: {verified} verified; no plaintext of {columns} is left in it\n\
             the database's files still hold it: `phiseal scrub`"
        ),
        PlaintextFate::Blank => format!(
            "finalized {table}: {verified} verified; the plaintext of {columns} is NULL\n\
             the database's files still hold it: `phiseal scrub`"
        ),
        PlaintextFate::Keep => format!(
            "{table}: {verified} verified; {columns} keep their plaintext and take no more of it\n\
             this is not finalized: run `phiseal finalize` again to remove it"
        ),
    }
}

async fn dry_run(
    engine: &Engine,
    jobs: &[Job],
    options: &FinalizeOptions,
    output: Output,
) -> Result<Exit, Fault> {
    let mut tables = Vec::new();
    let mut lines = Vec::new();
    let mut refused = None;
    for job in jobs {
        let found = engine.look_before_finalize(job, options.observe).await?;
        tables.push(outlook_object(job, &found));
        lines.push(outlook_text(job, &found, options));
        if let Err(why) = found.refuse(&job.table.label, options) {
            refused.get_or_insert(why);
        }
    }
    let value = json!({ "tables": tables, "would_refuse": refused.is_some() });
    output.result(&value, &lines.join("\n"));
    let refused = refused.map(|why| Fault::from(EngineError::from(why)));
    Ok(ahead::conclude(refused, output))
}

fn outlook_object(job: &Job, found: &Outlook) -> Value {
    json!({
        "table": job.table.label,
        "columns": job.table.fields.iter().map(|field| &field.label).collect::<Vec<_>>(),
        "rows_unsealed": found.unsealed,
        "writers": found.writers,
        "quarantined": found.quarantined,
        "dependents": found.dependents,
    })
}

fn outlook_text(job: &Job, found: &Outlook, options: &FinalizeOptions) -> String {
    let mut lines = vec![format!("{}:", Foreign(&job.table.label))];
    if found.unsealed > 0 {
        let rows = counted(found.unsealed, "row");
        lines.push(format!("  {rows} with plaintext that is not sealed"));
    }
    lines.extend((found.writers.iter()).map(|who| format!("    written by {}", Foreign(who))));
    if !found.quarantined.is_empty() {
        let rows = counted(found.quarantined.len() as u64, "row");
        lines.push(format!("  {rows} in quarantine"));
    }
    for one in &found.dependents {
        let what = match one.blocks {
            true => "in the way",
            false if one.drop.is_some() => "goes with the column",
            false => "to be looked at",
        };
        lines.push(format!(
            "  {what}: {} {} (column {})",
            one.kind,
            Foreign(&one.name),
            Foreign(&one.column)
        ));
        lines.extend(
            (one.drop.iter().filter(|_| one.blocks)).map(|sql| format!("    {}", Foreign(sql))),
        );
    }
    if found.unsealed == 0 && found.quarantined.is_empty() {
        lines.push("  no plaintext that is not sealed, no row in quarantine".to_owned());
    }
    lines.push(format!("  it would then {}", steps(options)));
    lines.join("\n")
}

fn steps(options: &FinalizeOptions) -> String {
    let end = match options.fate {
        PlaintextFate::Drop if options.grace.is_zero() => "drop the columns".to_owned(),
        PlaintextFate::Drop => {
            format!("hide the columns for {}, drop them", exactly(options.grace))
        }
        PlaintextFate::Blank => "set the plaintext to NULL in batches".to_owned(),
        PlaintextFate::Keep => "keep the plaintext".to_owned(),
    };
    format!("refuse new plaintext, verify every value, add constraints, {end}")
}

/// A time that somebody set, in its largest whole unit.
fn exactly(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds % 86_400 == 0 => counted(seconds / 86_400, "day"),
        seconds if seconds % 3600 == 0 => counted(seconds / 3600, "hour"),
        seconds if seconds % 60 == 0 => counted(seconds / 60, "minute"),
        seconds => counted(seconds, "second"),
    }
}

async fn undo(engine: &Engine, jobs: &[Job], output: Output) -> Result<Exit, Fault> {
    let mut left = Vec::new();
    let mut undone = Vec::new();
    let mut blanked = false;
    for job in jobs {
        let one = engine.undo_finalize(job).await?;
        left.extend(one.statements);
        blanked |= one.blanked;
        undone.push(job.table.label.clone());
    }
    let mut lines: Vec<String> = undone
        .iter()
        .map(|label| format!("{} takes plaintext again", Foreign(label)))
        .collect();
    if blanked {
        lines.push("some of it is NULL already: `phiseal restore` fills it".to_owned());
    }
    if !left.is_empty() {
        lines.push(
            "rows were written without plaintext meanwhile: `phiseal restore` fills them; then run"
                .to_owned(),
        );
        lines.extend(left.iter().map(|sql| format!("  {}", Foreign(sql))));
    }
    output.result(
        &json!({ "tables": undone, "statements": left, "blanked": blanked }),
        &lines.join("\n"),
    );
    Ok(Exit::Done)
}
