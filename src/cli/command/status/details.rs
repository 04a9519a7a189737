//! The lists behind the overview, each as a table that fits the terminal.

use std::collections::HashMap;

use crate::cli::args::StatusPart;
use crate::cli::columns::{self, Column, Cut, or_nothing};
use crate::cli::command::pace::rendering as pace;
use crate::cli::command::{fields, quarantine};
use crate::cli::figures;
use crate::crypto::{KeyId, Purpose};
use crate::engine::census::Census;
use crate::engine::coverage::percent;
use crate::engine::health::Health;
use crate::keys::{KeyRecord, RotationRecord};
use crate::run::holder;
use crate::store::{
    FieldRecord, LaneRecord, ProcedureRecord, QuarantineSummary, RelationRecord, RunRecord,
};

/// One part of the status, within so many columns of a terminal.
pub fn text(health: &Health, part: StatusPart, width: Option<usize>) -> String {
    // Each section is indented by two.
    let inner = width.map(|width| width.saturating_sub(2));
    match part {
        StatusPart::Fields => fields_text(&health.fields, &health.relations, width),
        StatusPart::Keys => keys_text(&health.keys, health.census.as_ref(), width),
        StatusPart::Quarantine => quarantine_text(&health.quarantine, width),
        StatusPart::Runs => {
            let mut sections = vec![("RUNS", runs_text(&health.runs, &health.shares, inner))];
            if !health.pace.is_empty() {
                sections.push(("WORKING NOW", pace::reports_table(&health.pace, inner)));
            }
            if !health.lanes.is_empty() {
                sections.push(("LANES OF UNFINISHED RUNS", lanes_text(&health.lanes, inner)));
            }
            if !health.requests.is_empty() {
                let requests = pace::requests_table(&health.requests, &health.now, inner);
                sections.push(("REQUESTS TO RUNS", requests));
            }
            in_sections(&sections)
        }
        StatusPart::Rotations => in_sections(&[
            ("ROTATIONS", rotations_text(&health.rotations, inner)),
            ("PROCEDURES", procedures_text(&health.procedures, inner)),
        ]),
    }
}

fn in_sections(sections: &[(&str, String)]) -> String {
    let section = |(title, body): &(&str, String)| {
        let lines: Vec<String> = body.lines().map(|line| format!("  {line}")).collect();
        format!("{title}\n{}", lines.join("\n"))
    };
    sections
        .iter()
        .map(section)
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// The registered fields as text.
pub fn fields_text(
    fields: &[FieldRecord],
    relations: &[RelationRecord],
    width: Option<usize>,
) -> String {
    const COLUMNS: [Column; 7] = [
        Column::always("TABLE", Cut::Middle),
        Column::always("COLUMN", Cut::Middle),
        Column::always("STATE", Cut::Never),
        Column::always("HEALTH", Cut::End),
        Column::with_room("TABLE NOW", 1, Cut::Middle),
        Column::with_room("SEALED IN", 2, Cut::Middle),
        Column::with_room("BLIND INDEX", 3, Cut::Middle),
    ];
    let row = |field: &FieldRecord| {
        let seen = fields::row(field, relations);
        let mut cells = seen.line();
        cells.extend([
            or_nothing(field.sealed_column.as_deref()),
            or_nothing(field.blind_index_column.as_deref()),
        ]);
        cells
    };
    let none = "no fields; the first `phiseal backfill` registers them";
    listed(fields, row, &COLUMNS, none, width)
}

/// Runs as text; `shares` are those that are done of unfinished ones.
pub fn runs_text(runs: &[RunRecord], shares: &HashMap<i64, f64>, width: Option<usize>) -> String {
    const COLUMNS: [Column; 12] = [
        Column::always("RUN", Cut::Never),
        Column::always("KIND", Cut::Never),
        Column::always("TABLE", Cut::Middle),
        Column::always("STATE", Cut::Never),
        Column::with_room("DONE", 1, Cut::Never),
        Column::with_room("ERROR", 2, Cut::End),
        Column::with_room("WRITTEN", 3, Cut::Never),
        Column::with_room("QUARANTINED", 6, Cut::Never),
        Column::with_room("STARTED (UTC)", 4, Cut::End),
        Column::with_room("FINISHED (UTC)", 5, Cut::End),
        Column::with_room("FOUND", 7, Cut::Never),
        Column::with_room("RETRIED", 8, Cut::Never),
    ];
    let row = |run: &RunRecord| {
        let share = shares.get(&run.run_id);
        vec![
            run.run_id.to_string(),
            run.kind.to_string(),
            run.table_label.clone(),
            run.state.to_string(),
            or_nothing(
                share
                    .map(|share| format!("{} %", percent(*share)))
                    .as_deref(),
            ),
            or_nothing(run.error_code.as_deref()),
            run.tally.rows_written.to_string(),
            run.tally.quarantined.to_string(),
            figures::minute(&run.started_at),
            or_nothing(run.finished_at.as_deref().map(figures::minute).as_deref()),
            run.tally.rows_found.to_string(),
            run.tally.conflicts.to_string(),
        ]
    };
    listed(runs, row, &COLUMNS, "no runs", width)
}

fn lanes_text(lanes: &[LaneRecord], width: Option<usize>) -> String {
    const COLUMNS: [Column; 8] = [
        Column::always("RUN", Cut::Never),
        Column::always("LANE", Cut::Never),
        Column::with_room("RELATION", 2, Cut::Middle),
        Column::always("STATE", Cut::Never),
        Column::always("HELD BY", Cut::Middle),
        Column::with_room("LEASE LEFT", 1, Cut::Never),
        Column::with_room("FOUND", 4, Cut::Never),
        Column::with_room("WRITTEN", 3, Cut::Never),
    ];
    let row = |lane: &LaneRecord| {
        let lease = lane.lease_left_seconds.map(|left| format!("{left:.0} s"));
        vec![
            lane.run_id.to_string(),
            lane.lane_no.to_string(),
            lane.relation.clone(),
            if lane.done { "done" } else { "open" }.to_owned(),
            or_nothing(lane.holder.as_deref().map(holder::describe).as_deref()),
            or_nothing(lease.as_deref()),
            lane.tally.rows_found.to_string(),
            lane.tally.rows_written.to_string(),
        ]
    };
    listed(lanes, row, &COLUMNS, "no lanes", width)
}

fn rotations_text(rotations: &[RotationRecord], width: Option<usize>) -> String {
    const COLUMNS: [Column; 8] = [
        Column::always("ROTATION", Cut::Never),
        Column::always("KIND", Cut::Never),
        Column::always("FROM", Cut::Middle),
        Column::always("TO", Cut::Middle),
        Column::always("OUTCOME", Cut::End),
        Column::with_room("DONE", 2, Cut::Never),
        Column::with_room("STARTED (UTC)", 1, Cut::End),
        Column::with_room("FINISHED (UTC)", 3, Cut::End),
    ];
    let row = |record: &RotationRecord| {
        let id = |id: Option<KeyId>, kek: &Option<String>| {
            id.map(|id| id.to_string())
                .or_else(|| kek.clone())
                .unwrap_or_default()
        };
        vec![
            record.history_id.to_string(),
            record.kind.to_string(),
            id(record.from_key_id, &record.from_kek_ref),
            id(record.to_key_id, &record.to_kek_ref),
            record
                .outcome
                .clone()
                .unwrap_or_else(|| "unfinished".to_owned()),
            record.counts.rows_resealed.to_string(),
            figures::minute(&record.started_at),
            or_nothing(
                record
                    .finished_at
                    .as_deref()
                    .map(figures::minute)
                    .as_deref(),
            ),
        ]
    };
    listed(rotations, row, &COLUMNS, "none yet", width)
}

fn procedures_text(procedures: &[ProcedureRecord], width: Option<usize>) -> String {
    const COLUMNS: [Column; 5] = [
        Column::always("KIND", Cut::Never),
        Column::always("TABLE", Cut::Middle),
        Column::always("PHASE OR OUTCOME", Cut::End),
        Column::with_room("SINCE (UTC)", 1, Cut::End),
        Column::with_room("COLUMNS", 2, Cut::End),
    ];
    let row = |one: &ProcedureRecord| {
        let since = one.finished_at.as_ref().unwrap_or(&one.phase_since);
        vec![
            one.kind.to_string(),
            one.table_label.clone(),
            one.outcome.clone().unwrap_or_else(|| one.phase.clone()),
            figures::minute(since),
            one.columns.clone(),
        ]
    };
    listed(procedures, row, &COLUMNS, "none yet", width)
}

fn keys_text(keys: &[KeyRecord], census: Option<&Census>, width: Option<usize>) -> String {
    const COLUMNS: [Column; 7] = [
        Column::always("KEY ID", Cut::Never),
        Column::always("PURPOSE", Cut::Never),
        Column::always("TENANT", Cut::Middle),
        Column::with_room("VERSION", 3, Cut::Never),
        Column::always("STATUS", Cut::Never),
        Column::with_room("VALUES", 2, Cut::Never),
        Column::with_room("ROTATION DUE (UTC)", 1, Cut::End),
    ];
    let row = |key: &KeyRecord| {
        let values = census.filter(|_| key.purpose == Purpose::Cell);
        let values = values.map(|census| census.get(&key.key_id).copied().unwrap_or_default());
        let due = key.rotation_due_at.as_deref();
        let due = due.filter(|_| key.status.may_seal()).map(figures::minute);
        vec![
            key.key_id.to_string(),
            key.purpose.as_str().to_owned(),
            key.tenant.clone(),
            key.version.to_string(),
            key.status.to_string(),
            or_nothing(values.map(|values| values.to_string()).as_deref()),
            or_nothing(due.as_deref()),
        ]
    };
    let none = "no keys; make them with `phiseal keys create`";
    listed(keys, row, &COLUMNS, none, width)
}

/// What is in quarantine as text: counts by reason, then the entries that were read.
pub fn quarantine_text(summary: &QuarantineSummary, width: Option<usize>) -> String {
    if summary.counts.is_empty() {
        return "no rows in quarantine".to_owned();
    }
    let mut text = quarantine::counts_table(summary, width);
    if !summary.first.is_empty() {
        text.push_str("\n\n");
        text.push_str(&quarantine::table(&summary.first, width));
    }
    let left = summary.entries().saturating_sub(summary.first.len() as u64);
    if left > 0 {
        text.push_str(&format!(
            "\n{left} more: `phiseal quarantine list --limit N`"
        ));
    }
    text
}

fn listed<T>(
    all: &[T],
    row: impl Fn(&T) -> Vec<String>,
    columns: &[Column],
    none: &str,
    width: Option<usize>,
) -> String {
    if all.is_empty() {
        return none.to_owned();
    }
    columns::table(columns, &all.iter().map(row).collect::<Vec<_>>(), width)
}

#[cfg(test)]
mod tests;
