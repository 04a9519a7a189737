//! `phiseal backfill`: seals the columns of the plan. The same command resumes an interrupted run, and
//! with `--follow` goes on sealing.

use serde_json::{Value, json};

use super::{closing, tables};
use crate::cli::args::{BackfillArgs, Global};
use crate::cli::figures::{per_second, rounded};
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::preflight::RunPurpose;
use crate::engine::{Job, Stop, TableReport, Total};
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;
use crate::plural::counted;

pub async fn run(global: &Global, args: &BackfillArgs, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::installed(global, true).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let events = progress::sink(output);
    // Keys first: a wrong wrapping key is reported before any table is examined.
    let engine = session.engine(events, stop).await?;
    let look = session.database(&server).look(RunPurpose::Backfill).await?;
    tables::warn(&look, output);
    let (jobs, mut failures) = tables::jobs_going(&look, args.going, output)?;
    let mut reports = Vec::new();
    let mut compared = ComparedValues::default();
    let mut sealed = Vec::new();
    for job in &jobs {
        let mut report = match engine.backfill(job).await {
            Ok(report) => report,
            Err(error) => {
                failures.meet(&engine, job, jobs.len(), error)?;
                continue;
            }
        };
        if let Some(one) = report.compared.take() {
            compared.add(&one);
            reports.push(*one);
        }
        if args.follow {
            // What is left at the end of following is told once.
            report.open_quarantine = 0;
            report.done.still_written = false;
            report.done.indexes_left.clear();
            sealed.push(job.clone());
        }
        reports.push(report);
    }
    if args.follow {
        reports.extend(engine.follow(&sealed).await?);
    }
    let total = Total::of(reports);
    let clean = total.open_quarantine == 0 && failures.is_empty();
    let idle = total.done.tally.rows_found == 0 && clean && !compared.any;
    if idle {
        engine.refuse_missing_keys(&jobs).await?;
    }
    let left = gaps_left(&session, &jobs).await?;
    tables::result(
        failures,
        &object(&total, &compared),
        &text(&total, &compared, &left, idle),
        output,
    )?;
    Ok(match total.open_quarantine > 0 || !left.is_empty() {
        true => Exit::Unverified,
        false => Exit::Done,
    })
}

fn object(total: &Total, compared: &ComparedValues) -> Value {
    let tally = total.done.tally;
    json!({
        "rows_found": tally.rows_found,
        "rows_sealed": tally.rows_written,
        "values_sealed": tally.values_written,
        "conflicts": tally.conflicts,
        "quarantined": tally.quarantined,
        "seconds": rounded(total.seconds),
        "rows_per_second": per_second(tally.rows_written, total.seconds),
        "resumed": total.resumed,
        "lanes": total.done.lanes,
        "values_compared": compared.values,
        "values_mended": compared.mended,
        "closing": closing::object(total.done.closing.as_ref()),
    })
}

fn text(total: &Total, compared: &ComparedValues, left: &[String], idle: bool) -> String {
    let tally = total.done.tally;
    let mut lines = vec![match idle && left.is_empty() {
        true => "nothing to do: every value is sealed".to_owned(),
        false => format!(
            "{}sealed {} in {} at {:.0} rows/s, in {} s",
            if total.resumed { "resumed: " } else { "" },
            counted(tally.values_written, "value"),
            counted(tally.rows_written, "row"),
            per_second(tally.rows_written, total.seconds),
            rounded(total.seconds),
        ),
    }];
    lines.extend(closing::retried(tally.conflicts));
    if compared.any {
        let mended = match compared.mended {
            0 => "all are equal".to_owned(),
            mended => format!(
                "{} differed and were sealed again",
                counted(mended, "value")
            ),
        };
        lines.push(format!(
            "compared {} with their plaintext, because the guard was missing for a time; {mended}",
            counted(compared.values, "sealed value"),
        ));
    }
    lines.extend(left.iter().map(|line| Foreign(line).to_string()));
    if total.done.still_written {
        lines.push(
            "the application wrote plaintext to the end; run this command again to seal what it wrote last"
                .to_owned(),
        );
    }
    lines.extend(total.done.indexes_left.iter().map(|index| {
        format!(
            "the temporary index {} is still there, because a long transaction uses the table; run this command again to \
             drop it",
            Foreign(index)
        )
    }));
    if !idle {
        lines.extend(closing::lines(total.done.closing.as_ref()));
    }
    if total.open_quarantine > 0 {
        lines.push(format!(
            "{} could not be sealed: `phiseal quarantine list`",
            counted(total.open_quarantine, "row")
        ));
    }
    lines.join("\n")
}

/// The values compared, summed over all tables.
#[derive(Default)]
struct ComparedValues {
    any: bool,
    values: u64,
    mended: u64,
}

impl ComparedValues {
    fn add(&mut self, report: &TableReport) {
        self.any = true;
        self.values += report.done.seen.values_opened() + report.done.seen.mended;
        self.mended += report.done.seen.mended;
    }
}

/// One line for each relation of these tables that still has a gap.
async fn gaps_left(session: &Session, jobs: &[Job]) -> Result<Vec<String>, Fault> {
    let mut lines = Vec::new();
    for job in jobs {
        for gap in session.store.gaps(&job.table).await? {
            lines.push(format!(
                "{} is not compared: {}; the plan has to name every field of it that is registered, and its guard must \
                 stand until the end",
                job.table.name.label(),
                gap.reason
            ));
        }
    }
    Ok(lines)
}
