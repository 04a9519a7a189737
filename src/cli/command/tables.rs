//! How the commands that work on several tables show what preflight found, which tables failed, and which
//! name was probably meant.

use serde_json::{Value, json};

use crate::cli::args::Going;
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::engine::look::Look;
use crate::engine::preflight::Finding;
use crate::engine::{Failures, Job};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

/// The least similarity for a suggestion; a less similar name would mislead.
const LIKENESS_MIN: f64 = 0.6;

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
        output.say_lines(&[
            &format!(
                "refused[{}]: {}; going on with the other tables",
                fault.code, fault.message
            ),
            &format!("  hint: {}", fault.hint),
        ]);
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
    output.say("of the other tables:");
    output.say_lines(&lines);
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
