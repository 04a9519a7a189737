//! `phiseal scrub`: rewrites what the database's files still hold of removed plaintext, and looks for
//! it. The same command goes on with a scrub that was interrupted.

mod rendering;

use serde_json::{Value, json};

use super::tables;
use crate::cli::args::{Global, MethodArg, ScrubArgs};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::question;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::preflight::RunPurpose;
use crate::engine::scrub::ScrubPlan;
use crate::engine::{Engine, Failures, Job, Stop};
use crate::error::{Exit, Fault};
use crate::store::Method;

pub async fn run(global: &Global, args: &ScrubArgs, output: Output) -> Result<Exit, Fault> {
    let (mut session, server) = Session::installed(global, true).await?;
    tables::choose_columns(&mut session, &args.columns)?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let engine = session.engine(progress::sink(output), stop).await?;
    // A scrub changes no value of a row.
    let look = session.database(&server).look(RunPurpose::Verify).await?;
    tables::warn(&look, output);
    let jobs = look.sealed_only(look.jobs()?, false)?;
    let wish = method(args.method);
    let mut plans = Vec::new();
    for job in &jobs {
        plans.push(engine.scrub_plan(job, wish).await?);
    }
    if args.dry_run {
        let text: Vec<String> = plans.iter().map(rendering::plan_text).collect();
        let value: Vec<Value> = plans.iter().map(rendering::plan_object).collect();
        output.result(&json!({ "tables": value }), &text.join("\n\n"));
        return Ok(Exit::Done);
    }
    ask(&plans, args.yes, output)?;
    scrub(&engine, &jobs, wish, output).await
}

/// Says how long the application will wait, and asks before that.
fn ask(plans: &[ScrubPlan], yes: bool, output: Output) -> Result<(), Fault> {
    let lines: Vec<String> = plans.iter().flat_map(rendering::announced).collect();
    if plans.iter().any(ScrubPlan::blocks) {
        question::agreed(yes, "this would do:", &lines, "Go on?")?;
    }
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    output.say_lines(&lines);
    Ok(())
}

async fn scrub(
    engine: &Engine,
    jobs: &[Job],
    wish: Option<Method>,
    output: Output,
) -> Result<Exit, Fault> {
    let mut failures = Failures::default();
    let mut reports = Vec::new();
    for job in jobs {
        match engine.scrub(job, wish).await {
            Ok(report) => reports.push(report),
            Err(error) => failures.meet(engine, job, jobs.len(), error)?,
        }
    }
    let value = json!({ "tables": reports, "checklist": crate::engine::scrub::CHECKLIST });
    let text = rendering::result_text(&reports);
    tables::result(failures, &value, &text, output)?;
    Ok(Exit::Done)
}

/// The method that was asked for; `None` for the best one.
fn method(wish: MethodArg) -> Option<Method> {
    match wish {
        MethodArg::Auto => None,
        MethodArg::Repack => Some(Method::Repack),
        MethodArg::VacuumFull => Some(Method::VacuumFull),
        MethodArg::PgRepack => Some(Method::PgRepack),
    }
}
