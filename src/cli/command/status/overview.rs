//! The overview: what runs now, what is due, what needs a person, and totals, on one screen.
//! Owns which lines there are, their order, and which are left out where the screen is too small.

mod layout;

use std::collections::BTreeMap;

use self::layout::{Item, Section};
use crate::cli::command::pace::rendering::{requested, waited};
use crate::cli::command::quarantine::alike;
use crate::cli::figures;
use crate::engine::coverage::percent;
use crate::engine::health::{Health, Reason};
use crate::foreign::Foreign;
use crate::keys::KeyStatus;
use crate::plural::counted;
use crate::store::{FieldState, PaceReport, RunRecord, RunState};

/// The overview, within so many columns and lines of a terminal.
pub fn text(
    health: &Health,
    reasons: &[Reason],
    columns: Option<usize>,
    lines: Option<usize>,
) -> String {
    let sections = [
        Section::new("running", running(health, reasons), "phiseal status runs"),
        Section::new("asked", asked(health), "phiseal speed"),
        Section::new("keys due", keys_due(reasons), "phiseal status keys"),
        Section::new("attention", attention(reasons), "phiseal status --check"),
        Section::new("fields", vec![Item::line(fields(health))], ""),
        Section::new("keys", vec![Item::line(keys(health))], ""),
        Section::new(
            "quarantine",
            quarantine(health),
            "phiseal status quarantine",
        ),
        Section::new("connection", vec![Item::line(connection(health))], ""),
        Section::new("details", vec![Item::line(DETAILS.to_owned())], ""),
    ];
    layout::text(&sections, columns, lines)
}

const DETAILS: &str = "phiseal status fields | runs | keys | rotations | quarantine";

/// What is under way: each run with the processes that work on it, then rotations and procedures.
fn running(health: &Health, reasons: &[Reason]) -> Vec<Item> {
    let mut by_table: BTreeMap<(&str, &str), Vec<&PaceReport>> = BTreeMap::new();
    for report in &health.pace {
        let of = (report.table_label.as_str(), report.kind.as_str());
        by_table.entry(of).or_default().push(report);
    }
    let mut items: Vec<Item> = by_table
        .iter()
        .map(|((table, kind), reports)| {
            let is_its = |run: &&RunRecord| Some(run.run_id) == reports[0].run_id;
            let run = health.runs.iter().find(is_its);
            work(kind, table, run, reports, health)
        })
        .collect();
    // A process that has a lease and reports nothing.
    let silent = health.runs.iter().filter(|run| {
        run.state == RunState::Running
            && !by_table.contains_key(&(run.table_label.as_str(), run.kind.as_str()))
            && !reasons.iter().any(|reason| is_lost(reason, run.run_id))
    });
    items.extend(
        silent.map(|run| work(run.kind.as_str(), &run.table_label, Some(run), &[], health)),
    );
    items.extend(rotations(health, reasons));
    items.extend(procedures(health, reasons));
    if items.is_empty() {
        items.push(Item::line("nothing".to_owned()));
    }
    items
}

fn is_lost(reason: &Reason, run_id: i64) -> bool {
    matches!(reason, Reason::RunLost { run, .. } if run.run_id == run_id)
}

/// `41 %  12345 rows/s  3 min left  backfill public.patients`, and what it waits for.
fn work(
    kind: &str,
    table: &str,
    run: Option<&RunRecord>,
    reports: &[&PaceReport],
    health: &Health,
) -> Item {
    let share = run.and_then(|run| health.shares.get(&run.run_id)).copied();
    let waits = reports.iter().find(|one| one.waits_for.is_some());
    let rate: f64 = reports.iter().map(|one| one.rows_per_second).sum();
    let mut parts: Vec<String> = Vec::new();
    parts.extend(share.map(|share| format!("{} %", percent(share).min(99))));
    if !reports.is_empty() && waits.is_none() {
        parts.push(format!("{rate:.0} rows/s"));
        parts.extend(left(run, share, rate).map(|left| format!("{left} left")));
    }
    let name = format!("{} {}", Foreign(kind), Foreign(table));
    let duty = reports.iter().map(|one| one.duty).fold(0.0, f64::max);
    let pace = match reports.is_empty() || waits.is_some() || duty >= 1.0 {
        true => String::new(),
        false => format!("polite ({:.0} %)", duty * 100.0),
    };
    let item = Item::named(parts.join("  "), name, pace);
    match waits {
        Some(report) => item.with(format!(
            "waiting {}: {}",
            figures::duration(whole(waited(report))),
            Foreign(report.waits_for.as_deref().unwrap_or_default())
        )),
        None => item,
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shown in whole seconds"
)]
fn whole(seconds: f64) -> u64 {
    seconds.max(0.0) as u64
}

/// How long the rest takes at this rate: as many rows need work in the rest of the table as in what is
/// done.
#[allow(clippy::cast_precision_loss, reason = "an estimate")]
fn left(run: Option<&RunRecord>, share: Option<f64>, rate: f64) -> Option<String> {
    let (found, share) = (run?.tally.rows_found as f64, share?);
    let seconds = found * (1.0 - share) / share / rate;
    (share > 0.0 && rate >= 1.0 && found > 0.0).then(|| figures::duration(whole(seconds)))
}

fn rotations(health: &Health, reasons: &[Reason]) -> Vec<Item> {
    let is_stopped = |id: i64| {
        reasons.iter().any(|reason| {
            matches!(reason, Reason::RotationUnfinished { history_id } | Reason::RewrapUnfinished { history_id }
                if *history_id == id)
        })
    };
    let open = health
        .rotations
        .iter()
        .filter(|one| one.finished_at.is_none());
    open.filter(|one| !is_stopped(one.history_id))
        .map(|one| {
            Item::line(format!(
                "{} {}: {} re-sealed since {}",
                one.kind,
                one.history_id,
                counted(one.counts.rows_resealed, "row"),
                figures::minute(&one.started_at)
            ))
        })
        .collect()
}

fn procedures(health: &Health, reasons: &[Reason]) -> Vec<Item> {
    let is_stopped = |label: &str| {
        reasons.iter().any(|reason| {
            matches!(reason, Reason::ProcedureUnfinished { label: stopped, .. } if stopped == label)
        })
    };
    let open = health
        .procedures
        .iter()
        .filter(|one| one.finished_at.is_none());
    open.filter(|one| !is_stopped(&one.table_label))
        .map(|one| {
            let phase = format!(
                "phase {} since {}",
                Foreign(&one.phase),
                figures::minute(&one.phase_since)
            );
            let name = format!("{} {}", one.kind, Foreign(&one.table_label));
            Item::named(String::new(), name, phase)
        })
        .collect()
}

/// What operators asked of runs.
fn asked(health: &Health) -> Vec<Item> {
    let requests = health.requests.iter();
    requests
        .map(|one| {
            let (what, command) = requested(one, &health.now);
            Item::line(Foreign(&what).to_string()).with_whole(Foreign(&command).to_string())
        })
        .collect()
}

/// Keys whose rotation is due: each, or how many where there are many.
fn keys_due(reasons: &[Reason]) -> Vec<Item> {
    const EACH_MAX: usize = 3;
    let due: Vec<&Reason> = reasons
        .iter()
        .filter(|reason| matches!(reason, Reason::KeyDue { .. }))
        .collect();
    if due.len() <= EACH_MAX {
        return due
            .iter()
            .map(|reason| Item::line(format!("{}: {}", reason.what(), reason.remedy())))
            .collect();
    }
    let first = due.iter().filter_map(|reason| match reason {
        Reason::KeyDue { at, .. } => Some(at.as_str()),
        _ => None,
    });
    let first = first.min().map(figures::minute).unwrap_or_default();
    vec![Item::line(format!(
        "{}, first on {first}: `phiseal rotate --if-due`",
        counted(due.len(), "key")
    ))]
}

/// What needs a person, each with what to do.
fn attention(reasons: &[Reason]) -> Vec<Item> {
    let others = reasons
        .iter()
        .filter(|reason| !matches!(reason, Reason::KeyDue { .. }));
    let mut items: Vec<Item> = others
        .map(|reason| {
            Item::line(Foreign(&reason.what()).to_string())
                .with_whole(Foreign(&reason.remedy()).to_string())
        })
        .collect();
    if items.is_empty() {
        items.push(Item::line("nothing needs a person".to_owned()));
    }
    items
}

/// `12: 8 verified, 3 sealed, 1 sealing`.
fn fields(health: &Health) -> String {
    if health.fields.is_empty() {
        return "none; the first `phiseal backfill` registers them".to_owned();
    }
    let counts = FieldState::ALL.iter().filter_map(|state| {
        let of_state = health.fields.iter().filter(|field| field.state == *state);
        let count = of_state.count();
        (count > 0).then(|| format!("{count} {state}"))
    });
    let counts: Vec<String> = counts.collect();
    format!("{}: {}", health.fields.len(), counts.join(", "))
}

/// `4: 2 active, 2 deactivated; next rotation 2026-04-01 00:00 (UTC)`.
fn keys(health: &Health) -> String {
    if health.keys.is_empty() {
        return "none; make them with `phiseal keys create`".to_owned();
    }
    let counts = KeyStatus::ALL.iter().filter_map(|status| {
        let of_status = health.keys.iter().filter(|key| key.status == *status);
        let count = of_status.count();
        (count > 0).then(|| format!("{count} {status}"))
    });
    let counts: Vec<String> = counts.collect();
    let active = health.keys.iter().filter(|key| key.status.may_seal());
    let next = active
        .filter_map(|key| key.rotation_due_at.as_deref())
        .min();
    let next = next.map(|at| format!("; next rotation {} (UTC)", figures::minute(at)));
    format!(
        "{}: {}{}",
        health.keys.len(),
        counts.join(", "),
        next.unwrap_or_default()
    )
}

fn quarantine(health: &Health) -> Vec<Item> {
    let rows: u64 = health.quarantine.open_rows.iter().map(|one| one.rows).sum();
    let entries = health.quarantine.entries();
    if entries == 0 {
        return vec![Item::line("nothing".to_owned())];
    }
    let total = match entries {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    };
    let mut items = vec![Item::line(format!(
        "{total}; {} for a person to look at",
        match rows {
            1 => "1 row is".to_owned(),
            rows => format!("{rows} rows are"),
        }
    ))];
    items.extend(alike(&health.quarantine).iter().map(|one| {
        let column = one.example.column_label.as_deref();
        let column = column.map_or(String::new(), |column| format!(".{column}"));
        let place = format!("{}{column}", one.example.table_label);
        Item::named(
            format!("  {}", one.entries),
            Foreign(&place).to_string(),
            Foreign(&one.example.reason).to_string(),
        )
    }));
    items
}

fn connection(health: &Health) -> String {
    let Some(transport) = health.transport.as_ref() else {
        return "a SQLite file".to_owned();
    };
    let weak = transport
        .weakness()
        .map(|weakness| format!(" (E0533: {weakness})"));
    format!(
        "{}{}",
        Foreign(&transport.to_string()),
        weak.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests;
