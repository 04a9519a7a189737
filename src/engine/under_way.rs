//! Which processes work on tables now: what they report, and holders of lanes that report nothing.
//! Owns how old a report of a process that lives may be, and how a pause shows in it.

use std::time::Duration;

use super::clock::{Clock, RealClock};
use super::health::is_unfinished;
use crate::run::holder::{Process, is_same_process};
use crate::store::{LaneRecord, PaceReport, RunRecord, Store, StoreError};

/// A report that is older, in seconds, is of a process that has ended or hangs.
const LIVE_SECONDS: f64 = 5.0;
/// The most runs that are looked at; unfinished runs come first.
const RUNS_MAX: u32 = 1000;
/// How a process begins what it waits for if it is paused.
const PAUSED: &str = "paused";
/// How often processes are looked at while they are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A process at work on a table.
#[derive(Debug, Clone, PartialEq)]
pub struct UnderWay {
    /// The table's label.
    pub table: String,
    /// The kind of run: `backfill`, `verify` …
    pub kind: String,
    /// The run; `None` for a verification.
    pub run_id: Option<i64>,
    /// The process, as a holder of lanes.
    pub holder: String,
    /// What it waits for; `None` if it does not, or has not said so.
    pub waits_for: Option<String>,
}

impl UnderWay {
    /// Whether it waits because of a pause.
    pub fn is_paused(&self) -> bool {
        let waits_for = self.waits_for.as_deref();
        waits_for.is_some_and(|why| why.starts_with(PAUSED))
    }
}

/// The reports of processes that live, in the order in which they were given.
pub fn live(reports: Vec<PaceReport>) -> Vec<PaceReport> {
    let this = Process::this();
    let is_live = |one: &PaceReport| one.seconds_ago < LIVE_SECONDS && !this.is_dead(&one.holder);
    reports.into_iter().filter(is_live).collect()
}

/// The processes at work on the tables of these labels; on all tables, if there are none.
///
/// # Errors
/// What the store reports.
pub async fn on_tables(store: &dyn Store, labels: &[String]) -> Result<Vec<UnderWay>, StoreError> {
    let asked = |label: &String| labels.is_empty() || labels.contains(label);
    let reports = live(store.pace_reports().await?);
    let mut found: Vec<UnderWay> = reports
        .into_iter()
        .filter(|one| asked(&one.table_label))
        .map(of_report)
        .collect();
    let runs = store.runs(RUNS_MAX).await?;
    let open = runs.iter().filter(|run| is_unfinished(run));
    for run in open.filter(|run| asked(&run.table_label)) {
        let lanes = store.lanes(run.run_id).await?;
        add_silent(&mut found, run, &lanes);
    }
    found.sort_by(|a, b| (&a.table, &a.holder).cmp(&(&b.table, &b.holder)));
    Ok(found)
}

/// Looks until all processes on these tables are as asked, or for `limit`. Returns how they were at
/// last.
///
/// # Errors
/// What the store reports.
pub async fn settled(
    store: &dyn Store,
    labels: &[String],
    is_settled: impl Fn(&UnderWay) -> bool + Send,
    limit: Duration,
) -> Result<Vec<UnderWay>, StoreError> {
    let until = RealClock.now() + limit;
    loop {
        let found = on_tables(store, labels).await?;
        if found.iter().all(&is_settled) || RealClock.now() >= until {
            return Ok(found);
        }
        RealClock.sleep(LOOK_EVERY).await;
    }
}

fn of_report(report: PaceReport) -> UnderWay {
    UnderWay {
        table: report.table_label,
        kind: report.kind,
        run_id: report.run_id,
        holder: report.holder,
        waits_for: report.waits_for,
    }
}

/// Adds the processes that have a lease on a lane of a run and report nothing about its table.
fn add_silent(found: &mut Vec<UnderWay>, run: &RunRecord, lanes: &[LaneRecord]) {
    let this = Process::this();
    let held = lanes
        .iter()
        .filter(|lane| lane.lease_left_seconds.is_some_and(|left| left > 0.0))
        .filter_map(|lane| lane.holder.as_ref());
    for holder in held.filter(|holder| !this.is_dead(holder)) {
        let is_known = found
            .iter()
            .any(|one| one.table == run.table_label && is_same_process(&one.holder, holder));
        if !is_known {
            found.push(UnderWay {
                table: run.table_label.clone(),
                kind: run.kind.to_string(),
                run_id: Some(run.run_id),
                holder: holder.clone(),
                waits_for: None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::health::fixture::{lane, run};
    use crate::store::RunState;

    fn report(holder: &str, seconds_ago: f64) -> PaceReport {
        PaceReport {
            holder: holder.to_owned(),
            table_label: "public.patients".to_owned(),
            kind: "backfill".to_owned(),
            run_id: Some(1),
            duty: 1.0,
            waits_for: Some("paused by me since noon".to_owned()),
            waits_seconds: 1.0,
            rows_per_second: 0.0,
            transactions: 1,
            seconds_ago,
        }
    }

    #[test]
    fn an_old_report_and_one_of_a_dead_process_are_not_live() {
        let here = Process::this();
        let ours = here.worker(0).0;
        let dead = ours.replace(
            &format!("/{}/", std::process::id()),
            &format!("/{}/", u32::MAX),
        );
        let reports = vec![
            report("elsewhere/boot/1/2/0", 4.9),
            report("elsewhere/boot/2/2/0", 5.0),
            report(&ours, 0.0),
            report(&dead, 0.0),
        ];
        let live: Vec<String> = live(reports).into_iter().map(|one| one.holder).collect();
        assert_eq!(live, ["elsewhere/boot/1/2/0".to_owned(), ours]);
    }

    #[test]
    fn a_pause_is_known_by_its_first_word() {
        let mut one = of_report(report("h/b/1/2/0", 0.0));
        assert!(one.is_paused());
        for other in [None, Some("standby b is 14 s behind".to_owned())] {
            one.waits_for = other;
            assert!(!one.is_paused());
        }
    }

    #[test]
    fn a_holder_of_lanes_that_reports_nothing_is_found_once() {
        let run = run(1, RunState::Running);
        let lanes = [lane(1, Some(9.0), false), lane(1, Some(3.0), false)];
        let mut found = Vec::new();
        add_silent(&mut found, &run, &lanes);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].run_id, found[0].is_paused()), (Some(1), false));
        // Another worker of the process has reported.
        let mut known = vec![of_report(report("host/boot/4711/99/7", 0.0))];
        add_silent(&mut known, &run, &lanes);
        assert_eq!(known.len(), 1);
        // A lease that is over is nobody's.
        let mut none = Vec::new();
        add_silent(&mut none, &run, &[lane(1, Some(-1.0), false)]);
        assert_eq!(none, []);
    }
}
