//! Made-up records for the tests of health and of its display.

use std::collections::HashMap;

use super::Health;
use crate::crypto::{KeyId, Purpose};
use crate::keys::{KeyRecord, KeyStatus, RotationCounts, RotationKind, RotationRecord};
use crate::pace::PaceRequestKind;
use crate::store::{
    LaneKind, LaneRecord, LaneTally, NewQuarantine, PaceReport, PaceRequest, ProcedureKind,
    ProcedureRecord, QuarantineRecord, QuarantineState, QuarantineSummary, RunKind, RunRecord,
    RunState,
};

pub fn health() -> Health {
    Health {
        fields: Vec::new(),
        runs: Vec::new(),
        lanes: Vec::new(),
        keys: Vec::new(),
        quarantine: QuarantineSummary::default(),
        shares: HashMap::new(),
        rotations: Vec::new(),
        procedures: Vec::new(),
        pace: Vec::new(),
        requests: Vec::new(),
        census: None,
        relations: Vec::new(),
        guard_gaps: Vec::new(),
        now: "2026-03-20T00:00:00.000000Z".to_owned(),
        transport: None,
    }
}

pub fn run(run_id: i64, state: RunState) -> RunRecord {
    RunRecord {
        run_id,
        kind: RunKind::Backfill,
        table_label: "public.patients".to_owned(),
        digest: String::new(),
        state,
        params: "{}".to_owned(),
        started_at: "2026-03-19T00:00:00Z".to_owned(),
        finished_at: None,
        actor: "me@here".to_owned(),
        tally: LaneTally::default(),
        error_code: (state == RunState::Interrupted).then(|| "E0605".to_owned()),
    }
}

pub fn procedure(finished: bool) -> ProcedureRecord {
    ProcedureRecord {
        procedure_id: 4,
        kind: ProcedureKind::Restore,
        table_label: "public.patients".to_owned(),
        columns: "ssn".to_owned(),
        params: "{}".to_owned(),
        phase: "drop".to_owned(),
        phase_since: "2026-03-19T00:00:00Z".to_owned(),
        actor: "me@here".to_owned(),
        started_at: "2026-03-18T00:00:00Z".to_owned(),
        finished_at: finished.then(|| "2026-03-19T00:00:01Z".to_owned()),
        outcome: finished.then(|| "restored".to_owned()),
        report: "{}".to_owned(),
    }
}

pub fn lane(run_id: i64, left: Option<f64>, done: bool) -> LaneRecord {
    LaneRecord {
        run_id,
        lane_no: 3,
        kind: LaneKind::Range,
        relation: "public.patients".to_owned(),
        lower: None,
        upper: None,
        cursor: None,
        seq: 1,
        fence: 1,
        holder: left.map(|_| "host/boot/4711/99/0".to_owned()),
        lease_left_seconds: left,
        done,
        tally: LaneTally::default(),
    }
}

pub fn rotation() -> RotationRecord {
    RotationRecord {
        history_id: 7,
        kind: RotationKind::Rotate,
        from_key_id: KeyId::new(3),
        to_key_id: KeyId::new(4),
        from_kek_ref: None,
        to_kek_ref: None,
        reason: "scheduled rotation".to_owned(),
        started_at: "2026-03-19T00:00:00Z".to_owned(),
        finished_at: None,
        actor: "me@here".to_owned(),
        counts: RotationCounts::default(),
        census: None,
        outcome: None,
    }
}

pub fn key(id: i64) -> KeyRecord {
    KeyRecord {
        key_id: KeyId::new(id).unwrap(),
        tenant: String::new(),
        purpose: Purpose::Cell,
        version: 1,
        algorithm: "AES-256-GCM".to_owned(),
        status: KeyStatus::Active,
        kek_ref: "wk:0011".to_owned(),
        wrapped_key: Some(b"wrapped".to_vec()),
        check_value: b"check".to_vec(),
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        activated_at: None,
        deactivated_at: None,
        compromised_at: None,
        destroyed_at: None,
        rotation_due_at: None,
        created_by: "me@here".to_owned(),
        reason: None,
    }
}

pub fn quarantined(tag: &str, column: Option<&str>, state: QuarantineState) -> QuarantineRecord {
    QuarantineRecord {
        quarantine_id: 1,
        row: NewQuarantine {
            run_id: None,
            table_label: "public.patients".to_owned(),
            column_label: column.map(str::to_owned),
            row_tag: tag.to_owned(),
            key_sealed: b"sealed key".to_vec(),
            key_id: 7,
            step: "backfill".to_owned(),
            reason: "a check constraint refuses the sealed value".to_owned(),
            sqlstate: Some("23514".to_owned()),
            constraint_name: Some("ssn_form".to_owned()),
        },
        state,
        created_at: "2026-01-01T00:00:00Z".to_owned(),
        resolved_at: None,
    }
}

pub fn pause(label: &str, since: &str) -> PaceRequest {
    PaceRequest {
        table_label: label.to_owned(),
        kind: PaceRequestKind::Pause,
        pace: None,
        rows_per_second_max: None,
        seconds: None,
        actor: "me@here".to_owned(),
        requested_at: since.to_owned(),
    }
}

pub fn report(waits_for: Option<&str>) -> PaceReport {
    PaceReport {
        holder: "host/boot/4711/99/0".to_owned(),
        table_label: "public.patients".to_owned(),
        kind: "backfill".to_owned(),
        run_id: Some(1),
        duty: 0.03,
        waits_for: waits_for.map(str::to_owned),
        waits_seconds: if waits_for.is_some() { 74.0 } else { 0.0 },
        rows_per_second: 1234.5,
        transactions: 9,
        seconds_ago: 1.0,
    }
}
