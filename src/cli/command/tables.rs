//! The tables that a command lists, how the commands that work on several tables show what preflight
//! found and which tables failed, and which name was probably meant.

use std::collections::HashSet;

use serde_json::{Value, json};
use tracing::Level;

use super::pace::asked::Asked;
use crate::cli::args::{Global, Going};
use crate::cli::output::Output;
use crate::cli::session::{self, Session};
use crate::engine::look::Look;
use crate::engine::preflight::Finding;
use crate::engine::{Failures, Job};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::store::ServerFacts;

/// The least similarity for a suggestion; a less similar name would mislead.
const LIKENESS_MIN: f64 = 0.6;

/// The session of a command that lists, and the labels of the tables that `--table` names; `None`,
/// for all, if it names none. They are tables of the plan or, without a plan file, registered ones.
///
/// # Errors
/// What opening the session reports; E0105 or E0120 for a table that nobody knows.
pub async fn listing(
    global: &Global,
) -> Result<(Session, ServerFacts, Option<HashSet<String>>), Fault> {
    let narrowed = !global.table.is_empty();
    let by_plan = narrowed && session::has_plan(global);
    let (session, server) = Session::installed(global, by_plan).await?;
    let labels = match narrowed && !by_plan {
        true => {
            let asked = Asked::named(&session, &global.table).await?;
            Some(asked.tables().iter().cloned().collect())
        }
        false => session.labels(global).await?,
    };
    Ok((session, server, labels))
}

/// The jobs to work on, and, with `--keep-going`, the refusals of the other tables.
///
/// # Errors
/// All refusals at once, also if every table is refused.
pub fn jobs_going(
    look: &Look,
    going: Going,
    output: Output,
) -> Result<(Vec<Job>, Failures), Fault> {
    let mut failures = Failures::default();
    if !going.keep_going {
        return Ok((look.jobs()?, failures));
    }
    let (jobs, refused) = look.jobs_of_able()?;
    for refused in refused {
        let fault = Fault::from(refused.clone());
        output.insist(
            Level::ERROR,
            &[
                &format!(
                    "refused[{}]: {}; continuing with the other tables",
                    fault.code, fault.message
                ),
                &format!("  hint: {}", fault.hint),
            ],
        );
        failures.add(refused);
    }
    Ok((jobs, failures))
}

/// Prints all warnings to stderr.
pub fn warn(look: &Look, output: Output) {
    for finding in look
        .tables
        .iter()
        .flat_map(|table| table.findings.warnings())
    {
        output.say_lines(&[
            &format!("warning[{}]: {finding}", finding.code),
            &format!("  hint: {}", finding.hint),
        ]);
    }
}

/// A finding as JSON.
pub fn finding_json(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "table": finding.table,
        "column": finding.column,
        "message": finding.message,
        "hint": finding.hint,
    })
}

/// Prints the result. If a table failed, prints the results of the other tables to stderr instead.
///
/// # Errors
/// The most serious failure.
pub fn result(failures: Failures, value: &Value, text: &str, output: Output) -> Result<(), Fault> {
    let Some(worst) = failures.worst() else {
        output.result(value, text);
        return Ok(());
    };
    let lines: Vec<&str> = text.lines().collect();
    output.insist(Level::INFO, &["results of the other tables:"]);
    output.insist(Level::INFO, &lines);
    Err(worst.into())
}

/// Reduces the plan to the columns of `--column`.
///
/// # Errors
/// E0112 if the plan has no such column.
pub fn choose_columns(session: &mut Session, columns: &[String]) -> Result<(), Fault> {
    if columns.is_empty() {
        return Ok(());
    }
    let mut found = Vec::new();
    for table in &mut session.plan.tables {
        table.columns.retain(|column| {
            let wanted = columns
                .iter()
                .find(|name| column.name.as_str() == name.as_str());
            found.extend(wanted.cloned());
            wanted.is_some()
        });
    }
    session
        .plan
        .tables
        .retain(|table| !table.columns.is_empty());
    match columns.iter().find(|name| !found.contains(name)) {
        None => Ok(()),
        Some(name) => Err(Fault {
            code: "E0112",
            message: format!(
                "the plan has no column {} in the chosen tables",
                Foreign(name)
            ),
            hint: "name a column as the plan does".to_owned(),
            exit: Exit::Usage,
        }),
    }
}

/// The table most similar to `wanted`, if any is, compared with and without its schema.
pub fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a str> {
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let likeness = |name: &str| {
        let whole =
            strsim::normalized_damerau_levenshtein(&wanted.to_lowercase(), &name.to_lowercase());
        let parts = strsim::normalized_damerau_levenshtein(&bare(wanted), &bare(name));
        whole.max(parts)
    };
    names
        .iter()
        .map(|name| (likeness(name), name.as_str()))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
