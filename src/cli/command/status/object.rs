//! The status as one JSON object.
//! Owns the names in it, which scripts rely on.

use serde_json::{Value, json};

use crate::cli::args::StatusPart;
use crate::cli::command::pace::rendering as pace;
use crate::cli::command::{connection, quarantine, rotate};
use crate::engine::census::Census;
use crate::engine::health::Health;
use crate::keys::KeyRecord;
use crate::store::{FieldRecord, LaneRecord, LaneTally, ProcedureRecord, RunRecord};

/// The members that `phiseal status PART` keeps.
fn members(part: StatusPart) -> &'static [&'static str] {
    match part {
        StatusPart::Fields => &["fields"],
        StatusPart::Runs => &["runs", "lanes", "pace", "requests"],
        StatusPart::Keys => &["keys"],
        StatusPart::Rotations => &["rotations", "procedures"],
        StatusPart::Quarantine => &["quarantine", "quarantine_counts", "quarantine_entries"],
    }
}

/// All of it, or only one part.
pub fn object(health: &Health, attention: &[String], part: Option<StatusPart>) -> Value {
    let mut all = json!({
        "connection": connection::object(health.transport.as_ref()),
        "warnings": connection::warnings(health.transport.as_ref()),
        "fields": health.fields.iter().map(field).collect::<Vec<_>>(),
        "runs": health.runs.iter().map(|run| unfinished_object(run, health)).collect::<Vec<_>>(),
        "lanes": health.lanes.iter().map(lane).collect::<Vec<_>>(),
        "keys": health.keys.iter().map(|one| key(one, health.census.as_ref())).collect::<Vec<_>>(),
        "rotations": health.rotations.iter().map(rotate::object).collect::<Vec<_>>(),
        "procedures": health.procedures.iter().map(procedure).collect::<Vec<_>>(),
        "pace": health.pace.iter().map(pace::report_object).collect::<Vec<_>>(),
        "requests": health.requests.iter().map(|one| pace::request_object(one, &health.now)).collect::<Vec<_>>(),
        "quarantine": health.quarantine.first.iter().map(quarantine::object).collect::<Vec<_>>(),
        "quarantine_counts": quarantine::alike(&health.quarantine).iter().map(quarantine::count_object).collect::<Vec<_>>(),
        "quarantine_entries": health.quarantine.entries(),
        "attention": attention,
    });
    if let (Some(part), Some(object)) = (part, all.as_object_mut()) {
        object.retain(|name, _| members(part).contains(&name.as_str()));
    }
    all
}

/// A run, with how much of it is done.
fn unfinished_object(run: &RunRecord, health: &Health) -> Value {
    let mut object = run_object(run);
    object["share"] = json!(health.shares.get(&run.run_id));
    object
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::health::fixture::{
        health, key as key_record, lane, pause, procedure, quarantined, report, run as run_record,
    };
    use crate::store::{QuarantineCount, QuarantineState, RunState};

    #[test]
    fn the_object_has_the_lists_scripts_rely_on() {
        let mut health = health();
        health.keys = vec![key_record(7)];
        health.runs = vec![run_record(1, RunState::Running)];
        health.shares.insert(1, 0.41);
        health.lanes = vec![lane(1, Some(2.5), false)];
        health.procedures = vec![procedure(false)];
        health.pace = vec![report(Some("paused by me@here"))];
        health.requests = vec![pause("", "2026-03-19T00:00:00Z")];
        let object = object(&health, &["x".to_owned()], None);
        let lists = [
            "warnings",
            "fields",
            "runs",
            "lanes",
            "keys",
            "rotations",
            "procedures",
            "pace",
            "requests",
            "quarantine",
            "quarantine_counts",
            "attention",
        ];
        for list in lists {
            assert!(object[list].is_array(), "{list}");
        }
        assert_eq!(
            object["keys"][0],
            json!({
                "key_id": 7, "purpose": "cell", "tenant": "", "status": "active", "version": 1,
                "rows": null, "rotation_due_at": null
            })
        );
        assert_eq!(object["lanes"][0]["lease_left_seconds"], json!(2.5));
        assert_eq!(
            (
                &object["runs"][0]["rows_found"],
                &object["runs"][0]["share"]
            ),
            (&json!(0), &json!(0.41))
        );
        assert_eq!(object["procedures"][0]["phase"], "drop");
        assert_eq!(object["pace"][0]["waits_for"], "paused by me@here");
        assert_eq!(object["requests"][0]["request"], "pause");
    }

    #[test]
    fn a_part_is_the_same_object_with_fewer_members() {
        let mut health = health();
        health.quarantine.first = vec![quarantined("aa", None, QuarantineState::Open)];
        health.quarantine.counts = vec![QuarantineCount {
            table_label: "t".to_owned(),
            column_label: None,
            step: "backfill".to_owned(),
            state: QuarantineState::Open,
            reason: "too long".to_owned(),
            key_id: 7,
            entries: 300_000,
        }];
        let part = object(&health, &[], Some(StatusPart::Quarantine));
        assert_eq!(part.as_object().unwrap().len(), 3);
        assert_eq!(part["quarantine_entries"], 300_000);
        assert_eq!(part["quarantine"][0]["tag"], "aa");
        assert_eq!(
            part["quarantine_counts"],
            json!([{
                "table": "t", "column": null, "step": "backfill", "state": "open", "reason": "too long",
                "entries": 300_000
            }])
        );
    }
}
