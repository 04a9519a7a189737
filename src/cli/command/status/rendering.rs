//! The status as one JSON object, and as text with a section for each list.

use serde_json::{Value, json};

use crate::cli::columns::{self, or_nothing};
use crate::cli::command::pace::rendering as pace;
use crate::cli::command::{connection, quarantine, rotate};
use crate::crypto::Purpose;
use crate::engine::census::Census;
use crate::engine::health::Health;
use crate::foreign::Foreign;
use crate::keys::{KeyRecord, RotationRecord};
use crate::run::holder;
use crate::store::{FieldRecord, LaneRecord, LaneTally, ProcedureRecord, RunRecord};

pub fn object(health: &Health, attention: &[String]) -> Value {
    json!({
        "connection": connection::object(health.transport.as_ref()),
        "warnings": connection::warnings(health.transport.as_ref()),
        "fields": health.fields.iter().map(field).collect::<Vec<_>>(),
        "runs": health.runs.iter().map(run_object).collect::<Vec<_>>(),
        "lanes": health.lanes.iter().map(lane).collect::<Vec<_>>(),
        "keys": health.keys.iter().map(|one| key(one, health.census.as_ref())).collect::<Vec<_>>(),
        "rotations": health.rotations.iter().map(rotate::object).collect::<Vec<_>>(),
        "procedures": health.procedures.iter().map(procedure).collect::<Vec<_>>(),
        "pace": health.pace.iter().map(pace::report_object).collect::<Vec<_>>(),
        "requests": health.requests.iter().map(|one| pace::request_object(one, &health.now)).collect::<Vec<_>>(),
        "quarantine": health.quarantine.iter().map(quarantine::object).collect::<Vec<_>>(),
        "attention": attention,
    })
}

pub fn text(health: &Health, attention: &[String]) -> String {
    let attention = if attention.is_empty() {
        "nothing".to_owned()
    } else {
        let lines: Vec<String> = attention
            .iter()
            .map(|line| Foreign(line).to_string())
            .collect();
        lines.join("\n")
    };
    let mut sections = vec![
        ("CONNECTION", connection::text(health.transport.as_ref())),
        ("FIELDS", fields_table(&health.fields)),
        ("RUNS", runs_text(&health.runs)),
        ("LANES OF UNFINISHED RUNS", lanes_table(&health.lanes)),
        ("KEYS", keys_table(&health.keys, health.census.as_ref())),
        ("ROTATIONS", rotations_table(&health.rotations)),
        ("QUARANTINE", quarantine::table(&health.quarantine)),
        ("NEEDS ATTENTION", attention),
    ];
    let mut add = |title, body| sections.insert(sections.len() - 2, (title, body));
    if !health.procedures.is_empty() {
        add("PROCEDURES", procedures_table(&health.procedures));
    }
    if !health.pace.is_empty() {
        add("AT WORK NOW", pace::reports_table(&health.pace));
    }
    if !health.requests.is_empty() {
        let requests = pace::requests_table(&health.requests, &health.now);
        add("REQUESTS TO RUNS", requests);
    }
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

fn procedure(one: &ProcedureRecord) -> Value {
    json!({
        "procedure_id": one.procedure_id,
        "kind": one.kind.as_str(),
        "table": one.table_label,
        "columns": one.columns,
        "phase": one.phase,
        "phase_since": one.phase_since,
        "started_at": one.started_at,
        "finished_at": one.finished_at,
        "actor": one.actor,
        "outcome": one.outcome,
    })
}

fn procedures_table(procedures: &[ProcedureRecord]) -> String {
    let row = |one: &ProcedureRecord| {
        vec![
            one.kind.to_string(),
            one.table_label.clone(),
            one.columns.clone(),
            one.outcome.clone().unwrap_or_else(|| one.phase.clone()),
            one.finished_at
                .clone()
                .unwrap_or_else(|| one.phase_since.clone()),
        ]
    };
    let head = ["KIND", "TABLE", "COLUMNS", "PHASE OR OUTCOME", "SINCE"];
    section(procedures, row, &head, "none yet")
}

fn field(field: &FieldRecord) -> Value {
    json!({
        "table": field.table_label,
        "column": field.column_label,
        "state": field.state.as_str(),
        "form": form(field),
        "sealed_column": field.sealed_column,
        "blind_index_column": field.blind_index_column,
        "tenant_column": field.tenant_column,
    })
}

/// A run as JSON.
pub fn run_object(run: &RunRecord) -> Value {
    let mut object = json!({
        "run_id": run.run_id,
        "kind": run.kind.as_str(),
        "table": run.table_label,
        "state": run.state.as_str(),
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "actor": run.actor,
        "error_code": run.error_code,
    });
    count(&mut object, &run.tally);
    object
}

fn lane(lane: &LaneRecord) -> Value {
    let mut object = json!({
        "run_id": lane.run_id,
        "lane_no": lane.lane_no,
        "relation": lane.relation,
        "done": lane.done,
        "holder": lane.holder,
        "lease_left_seconds": lane.lease_left_seconds,
        "batches": lane.seq,
    });
    count(&mut object, &lane.tally);
    object
}

fn count(object: &mut Value, tally: &LaneTally) {
    object["rows_found"] = json!(tally.rows_found);
    object["rows_written"] = json!(tally.rows_written);
    object["values_written"] = json!(tally.values_written);
    object["conflicts"] = json!(tally.conflicts);
    object["quarantined"] = json!(tally.quarantined);
}

fn key(key: &KeyRecord, census: Option<&Census>) -> Value {
    json!({
        "key_id": key.key_id.get(),
        "purpose": key.purpose.as_str(),
        "tenant": key.tenant,
        "status": key.status.as_str(),
        "version": key.version,
        "rows": census.map(|census| census.get(&key.key_id).copied().unwrap_or_default()),
        "rotation_due_at": key.rotation_due_at,
    })
}

fn form(field: &FieldRecord) -> &'static str {
    if field.in_place { "in_place" } else { "beside" }
}

fn fields_table(fields: &[FieldRecord]) -> String {
    let row = |field: &FieldRecord| {
        vec![
            field.table_label.clone(),
            field.column_label.clone(),
            field.state.to_string(),
            or_nothing(field.sealed_column.as_deref()),
            or_nothing(field.blind_index_column.as_deref()),
        ]
    };
    let head = ["TABLE", "COLUMN", "STATE", "SEALED IN", "BLIND INDEX"];
    section(
        fields,
        row,
        &head,
        "no fields; the first `phiseal backfill` registers them",
    )
}

/// Runs as text.
pub fn runs_text(runs: &[RunRecord]) -> String {
    let row = |run: &RunRecord| {
        vec![
            run.run_id.to_string(),
            run.kind.to_string(),
            run.table_label.clone(),
            run.state.to_string(),
            run.started_at.clone(),
            or_nothing(run.finished_at.as_deref()),
            run.tally.rows_found.to_string(),
            run.tally.rows_written.to_string(),
            run.tally.conflicts.to_string(),
            run.tally.quarantined.to_string(),
            or_nothing(run.error_code.as_deref()),
        ]
    };
    let head = [
        "RUN",
        "KIND",
        "TABLE",
        "STATE",
        "STARTED AT",
        "FINISHED AT",
        "FOUND",
        "WRITTEN",
        "CONFLICTS",
        "QUARANTINED",
        "ERROR",
    ];
    section(runs, row, &head, "no runs")
}

fn lanes_table(lanes: &[LaneRecord]) -> String {
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
    let head = [
        "RUN",
        "LANE",
        "RELATION",
        "STATE",
        "HELD BY",
        "LEASE LEFT",
        "FOUND",
        "WRITTEN",
    ];
    section(lanes, row, &head, "no lanes")
}

fn rotations_table(rotations: &[RotationRecord]) -> String {
    let row = |record: &RotationRecord| {
        let id = |id: Option<crate::crypto::KeyId>, kek: &Option<String>| {
            id.map(|id| id.to_string())
                .or_else(|| kek.clone())
                .unwrap_or_default()
        };
        vec![
            record.history_id.to_string(),
            record.kind.to_string(),
            id(record.from_key_id, &record.from_kek_ref),
            id(record.to_key_id, &record.to_kek_ref),
            record.counts.rows_resealed.to_string(),
            or_nothing(record.outcome.as_deref()),
            record.started_at.clone(),
            or_nothing(record.finished_at.as_deref()),
        ]
    };
    let head = [
        "ROTATION",
        "KIND",
        "FROM",
        "TO",
        "DONE",
        "OUTCOME",
        "STARTED AT",
        "FINISHED AT",
    ];
    section(rotations, row, &head, "none yet")
}

fn keys_table(keys: &[KeyRecord], census: Option<&Census>) -> String {
    let row = |key: &KeyRecord| {
        vec![
            key.key_id.to_string(),
            key.purpose.as_str().to_owned(),
            key.tenant.clone(),
            key.version.to_string(),
            key.status.to_string(),
            match census {
                Some(census) if key.purpose == Purpose::Cell => census
                    .get(&key.key_id)
                    .copied()
                    .unwrap_or_default()
                    .to_string(),
                _ => or_nothing(None),
            },
            or_nothing(
                key.rotation_due_at
                    .as_deref()
                    .filter(|_| key.status.may_seal()),
            ),
        ]
    };
    let head = [
        "KEY ID",
        "PURPOSE",
        "TENANT",
        "VERSION",
        "STATUS",
        "VALUES",
        "ROTATION DUE AT",
    ];
    section(
        keys,
        row,
        &head,
        "no keys; make them with `phiseal keys create`",
    )
}

fn section<T>(all: &[T], row: impl Fn(&T) -> Vec<String>, head: &[&str], none: &str) -> String {
    if all.is_empty() {
        return none.to_owned();
    }
    columns::table(head, &all.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
