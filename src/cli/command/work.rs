//! What plan, backfill, verify and restore share: warnings and refusals of preflight, reports.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::failures::Failures;
use crate::cli::args::Going;
use crate::cli::output::Output;
use crate::engine::look::Look;
use crate::engine::preflight::Finding;
use crate::engine::{Job, TableReport, Tallied};
use crate::error::Fault;

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
        let fault = Fault::from(refused);
        output.say_lines(&[
            &format!(
                "refused[{}]: {}; going on with the other tables",
                fault.code, fault.message
            ),
            &format!("  hint: {}", fault.hint),
        ]);
        failures.add(fault);
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

/// The sums over all tables.
pub struct Total {
    pub done: Tallied,
    pub resumed: bool,
    pub open_quarantine: u64,
    pub seconds: f64,
}

/// Adds up the reports of several tables.
pub fn total(reports: Vec<TableReport>) -> Total {
    let mut total = Total {
        done: Tallied::default(),
        resumed: false,
        open_quarantine: 0,
        seconds: 0.0,
    };
    for report in reports {
        total.resumed |= report.resumed;
        total.open_quarantine += report.open_quarantine;
        total.seconds += report.seconds;
        total.done.merge(report.done);
    }
    total
}

/// Rows per second, rounded; 0 if no time passed.
#[allow(
    clippy::cast_precision_loss,
    reason = "a rate is about right at best, and is rounded"
)]
pub fn per_second(rows: i64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        (rows as f64 / seconds).round()
    } else {
        0.0
    }
}

/// A number of bytes as text.
#[allow(clippy::cast_precision_loss, reason = "shown with two digits")]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// A number of seconds as text.
pub fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}

/// Seconds rounded to milliseconds.
pub fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Values by key id, as JSON.
pub fn by_key(done: &Tallied) -> BTreeMap<String, u64> {
    done.seen
        .opened
        .iter()
        .map(|(key, values)| (key.to_string(), *values))
        .collect()
}
