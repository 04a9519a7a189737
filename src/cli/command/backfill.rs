//! `phiseal backfill`: seal; run again to resume.

use serde_json::json;

use super::work::{look, per_second, rounded, total};
use crate::cli::args::Global;
use crate::cli::columns::counted;
use crate::cli::output::Output;
use crate::cli::progress;
use crate::cli::session::Session;
use crate::cli::signal;
use crate::engine::Stop;
use crate::engine::preflight::Purpose;
use crate::error::{Exit, Fault};
use crate::foreign::Foreign;

pub async fn run(global: &Global, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::installed(global, true).await?;
    let stop = Stop::default();
    signal::watch(&stop, output);
    let events = progress::sink(output);
    // Keys first: a wrong wrapping key is found before anything is looked at.
    let engine = session.engine(events, stop).await?;
    let look = look(&session, &server, Purpose::Backfill).await?;
    look.warn(output);
    let jobs = look.jobs()?;
    let mut reports = Vec::new();
    for job in &jobs {
        reports.push(engine.backfill(job).await?);
    }
    let total = total(reports);
    let tally = total.done.tally;
    let seconds = rounded(total.seconds);
    let value = json!({
        "rows_found": tally.rows_found,
        "rows_sealed": tally.rows_written,
        "values_sealed": tally.values_written,
        "conflicts": tally.conflicts,
        "quarantined": tally.quarantined,
        "seconds": seconds,
        "rows_per_second": per_second(tally.rows_written, total.seconds),
        "resumed": total.resumed,
        "lanes": total.done.lanes,
    });
    let mut text = if tally.rows_found == 0 && total.open_quarantine == 0 {
        "nothing to do: every value is sealed".to_owned()
    } else {
        format!(
            "{}sealed {} in {}, {:.0} rows/s, {} s; {} met again by the sweep",
            if total.resumed { "resumed; " } else { "" },
            counted(tally.values_written, "value"),
            counted(tally.rows_written, "row"),
            per_second(tally.rows_written, total.seconds),
            seconds,
            counted(tally.conflicts, "conflict"),
        )
    };
    if total.done.still_written {
        text.push_str(
            "\nthe application was writing plaintext to the end; what it wrote last, the next run of this command seals",
        );
    }
    for index in &total.done.indexes_left {
        text.push_str(&format!(
            "\nindex {} of the sweep is still there, because a transaction has looked at the table for long; the next run of this command drops it",
            Foreign(index)
        ));
    }
    if total.open_quarantine > 0 {
        text.push_str(&format!(
            "\n{} in quarantine: see `phiseal quarantine list`",
            counted(total.open_quarantine, "row")
        ));
    }
    output.result(&value, &text);
    Ok(if total.open_quarantine > 0 {
        Exit::Unverified
    } else {
        Exit::Done
    })
}
