//! Requests to runs and the processes at work, as JSON and as text.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::asked::Asked;
use crate::cli::columns::{self, Column, Cut, or_nothing};
use crate::cli::figures;
use crate::engine::under_way::UnderWay;
use crate::foreign::Foreign;
use crate::pace::PaceRequestKind;
use crate::run::holder;
use crate::store::{PaceReport, PaceRequest};

/// The answer of `pause` and `resume`.
pub(super) fn answer(
    request: &str,
    asked: &Asked,
    found: &[UnderWay],
    acknowledged: bool,
) -> Value {
    let run = |one: &UnderWay| {
        json!({
            "table": one.table,
            "kind": one.kind,
            "run_id": one.run_id,
            "holder": one.holder,
            "waits_for": one.waits_for,
        })
    };
    json!({
        "request": request,
        "tables": asked.tables(),
        "runs": found.iter().map(run).collect::<Vec<_>>(),
        "acknowledged": acknowledged,
    })
}

/// What `pause` says.
pub(super) fn paused(asked: &Asked, found: &[UnderWay]) -> String {
    let mut lines = vec![format!("paused: {}", asked.shown())];
    for one in found {
        let process = holder::describe(&one.holder);
        lines.push(match (one.is_paused(), one.run_id) {
            (true, Some(_)) => format!(
                "{} stopped: {process} keeps its lanes and renews their leases while it waits",
                run(one)
            ),
            (true, None) => format!("{} stopped: {process} waits where it is", run(one)),
            (false, _) => format!(
                "{} goes on: {process} has not said that it stops{}; the request stays",
                run(one),
                waiting(one)
            ),
        });
    }
    if found.is_empty() {
        lines.push("no run is under way; the request holds for the next one".to_owned());
    }
    lines.push(format!("to go on: phiseal resume{}", asked.options()));
    lines.join("\n")
}

/// What `resume` says. `left` are the pauses that still hold.
pub(super) fn resumed(
    asked: &Asked,
    found: &[UnderWay],
    withdrawn: u64,
    left: &[PaceRequest],
) -> String {
    let mut lines = vec![match withdrawn {
        0 => format!("nothing was paused: {}", asked.shown()),
        _ => format!("resumed: {}", asked.shown()),
    }];
    for one in found {
        let process = holder::describe(&one.holder);
        lines.push(match one.is_paused() {
            true => format!(
                "{} has not gone on yet: {process}{}",
                run(one),
                waiting(one)
            ),
            false => format!("{} goes on: {process}{}", run(one), waiting(one)),
        });
    }
    if withdrawn > 0 && found.is_empty() {
        lines.push("no run is under way; the next one begins at once".to_owned());
    }
    let left: Vec<&str> = left.iter().map(|one| one.table_label.as_str()).collect();
    if !left.is_empty() {
        lines.push(format!("still paused: {}", Foreign(&left.join(", "))));
    }
    lines.join("\n")
}

/// What `speed` says to a request that holds for this time.
pub(super) fn sped(asked: &Asked, found: &[UnderWay], wanted: &PaceRequest, held: &str) -> String {
    let mut lines = vec![format!("{} for {held}: {}", terms(wanted), asked.shown())];
    for one in found {
        lines.push(format!(
            "{}: {} takes it up within a second{}",
            run(one),
            holder::describe(&one.holder),
            waiting(one)
        ));
    }
    if found.is_empty() {
        lines.push("no run is under way; the request holds for the next one".to_owned());
    }
    lines.push(format!(
        "to take it back: phiseal speed plan{}",
        asked.options()
    ));
    lines.join("\n")
}

/// What `speed plan` says.
pub(super) fn as_planned(asked: &Asked, withdrawn: u64) -> String {
    match withdrawn {
        0 => format!("nothing was asked for: {}", asked.shown()),
        _ => format!("as the plan says: {}", asked.shown()),
    }
}

/// `backfill of public.patients (run 4)`.
fn run(one: &UnderWay) -> String {
    let number = one.run_id.map(|run_id| format!(" (run {run_id})"));
    format!(
        "{} of {}{}",
        Foreign(&one.kind),
        Foreign(&one.table),
        number.unwrap_or_default()
    )
}

fn waiting(one: &UnderWay) -> String {
    let waits_for = one.waits_for.as_deref();
    waits_for.map_or_else(String::new, |why| format!(", waiting: {}", Foreign(why)))
}

/// What is asked, in words.
fn terms(request: &PaceRequest) -> String {
    let rows = request
        .rows_per_second_max
        .map(|rows| format!("at most {rows} rows/s"));
    let pace = request.pace.map(|pace| pace.to_string());
    let terms: Vec<String> = match request.kind {
        PaceRequestKind::Pause => vec!["paused".to_owned()],
        PaceRequestKind::Speed => pace.into_iter().chain(rows).collect(),
    };
    terms.join(", ")
}

/// A request that holds, in a line, and the command that withdraws it.
pub fn requested(request: &PaceRequest, now: &str) -> (String, String) {
    let (tables, option) = match request.table_label.as_str() {
        "" => ("all tables", String::new()),
        label => (label, format!(" --table {label}")),
    };
    let until = until(request, now).map(|until| format!(" until {}", figures::minute(&until)));
    let withdraw = match request.kind {
        PaceRequestKind::Pause => "resume",
        PaceRequestKind::Speed => "speed plan",
    };
    let what = format!(
        "{tables}: {}{}, by {} since {}",
        terms(request),
        until.unwrap_or_default(),
        request.actor,
        figures::minute(&request.requested_at),
    );
    (what, format!("`phiseal {withdraw}{option}` ends that"))
}

/// A request that holds, as JSON. `now` is the server's time.
pub fn request_object(request: &PaceRequest, now: &str) -> Value {
    let table = (!request.table_label.is_empty()).then_some(&request.table_label);
    json!({
        "request": request.kind.as_str(),
        "table": table,
        "pace": request.pace.map(crate::pace::Pace::as_str),
        "rows_per_second_max": request.rows_per_second_max,
        "until": until(request, now),
        "actor": request.actor,
        "requested_at": request.requested_at,
    })
}

/// The requests that hold, as text.
pub fn requests_table(requests: &[PaceRequest], now: &str, width: Option<usize>) -> String {
    const COLUMNS: [Column; 5] = [
        Column::always("TABLE", Cut::Middle),
        Column::always("ASKED FOR", Cut::Never),
        Column::with_room("UNTIL (UTC)", 1, Cut::End),
        Column::always("BY", Cut::Middle),
        Column::with_room("SINCE (UTC)", 2, Cut::End),
    ];
    let row = |one: &PaceRequest| {
        let table = match one.table_label.as_str() {
            "" => "all tables".to_owned(),
            label => label.to_owned(),
        };
        vec![
            table,
            terms(one),
            or_nothing(until(one, now).as_deref().map(figures::minute).as_deref()),
            one.actor.clone(),
            figures::minute(&one.requested_at),
        ]
    };
    let rows: Vec<Vec<String>> = requests.iter().map(row).collect();
    columns::table(&COLUMNS, &rows, width)
}

/// Until when a request holds; `None` until it is withdrawn.
fn until(request: &PaceRequest, now: &str) -> Option<String> {
    let now: Timestamp = now.parse().ok()?;
    let left = SignedDuration::try_from_secs_f64(request.seconds?.round()).ok()?;
    let until = now.checked_add(left).ok()?;
    Timestamp::from_second(until.as_second())
        .ok()
        .map(|until| until.to_string())
}

/// What a process says of its work, as JSON.
pub fn report_object(report: &PaceReport) -> Value {
    json!({
        "table": report.table_label,
        "kind": report.kind,
        "run_id": report.run_id,
        "holder": report.holder,
        "duty": report.duty,
        "waits_for": report.waits_for,
        "waits_seconds": figures::rounded(waited(report)),
        "rows_per_second": report.rows_per_second,
        "transactions": report.transactions,
    })
}

/// What the processes say of their work, as text.
pub fn reports_table(reports: &[PaceReport], width: Option<usize>) -> String {
    const COLUMNS: [Column; 7] = [
        Column::always("TABLE", Cut::Middle),
        Column::always("KIND", Cut::Never),
        Column::with_room("PROCESS", 3, Cut::Middle),
        Column::with_room("WORKS", 2, Cut::Never),
        Column::with_room("ROWS/S", 1, Cut::Never),
        Column::always("WAITS FOR", Cut::End),
        Column::always("SINCE", Cut::Never),
    ];
    let row = |one: &PaceReport| {
        let since = one
            .waits_for
            .is_some()
            .then(|| format!("{:.0} s", waited(one)));
        vec![
            one.table_label.clone(),
            one.kind.clone(),
            holder::describe(&one.holder),
            format!("{:.0} %", one.duty * 100.0),
            format!("{:.0}", one.rows_per_second),
            or_nothing(one.waits_for.as_deref()),
            or_nothing(since.as_deref()),
        ]
    };
    let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
    columns::table(&COLUMNS, &rows, width)
}

/// For how many seconds a process has waited by now; 0 if it does not.
pub fn waited(report: &PaceReport) -> f64 {
    match report.waits_for {
        Some(_) => report.waits_seconds + report.seconds_ago.max(0.0),
        None => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::health::fixture;
    use crate::pace::Pace;

    const NOW: &str = "2026-03-20T00:00:00.250000Z";

    fn fast(seconds: f64) -> PaceRequest {
        PaceRequest {
            kind: PaceRequestKind::Speed,
            pace: Some(Pace::Fast),
            rows_per_second_max: Some(500),
            seconds: Some(seconds),
            ..fixture::pause("", "2026-03-19T00:00:00Z")
        }
    }

    #[test]
    fn a_request_says_until_when_it_holds() {
        let object = request_object(&fast(3600.4), NOW);
        assert_eq!(object["until"], "2026-03-20T01:00:00Z");
        assert_eq!(
            (&object["table"], &object["pace"]),
            (&Value::Null, &json!("fast"))
        );
        let pause = fixture::pause("t", "2026-03-19T00:00:00Z");
        assert_eq!(request_object(&pause, NOW)["until"], Value::Null);
        let text = requests_table(&[fast(60.0), pause], NOW, None);
        assert!(
            text.contains("all tables  fast, at most 500 rows/s  2026-03-20 00:01"),
            "{text}"
        );
        assert!(
            text.contains("t           paused                    -"),
            "{text}"
        );
    }

    #[test]
    fn a_process_is_shown_with_its_share_of_time_and_its_wait() {
        let works = fixture::report(None);
        let waits = fixture::report(Some("standby b is 14 s behind"));
        let text = reports_table(&[works.clone(), waits.clone()], None);
        assert!(
            text.contains("process 4711 on host  3 %    1234    -"),
            "{text}"
        );
        assert!(text.contains("standby b is 14 s behind  75 s"), "{text}");
        assert_eq!(report_object(&waits)["waits_seconds"], json!(75.0));
        assert_eq!(report_object(&works)["waits_seconds"], json!(0.0));
    }
}
