//! The rules by which a fact becomes a reason.

use std::collections::BTreeSet;

use super::{Paused, Place, Reason, RunNamed};
use crate::engine::health::Health;
use crate::keys::{Due, KeyStatus, RotationKind, RotationRecord};
use crate::pace::PaceRequestKind;
use crate::run::holder;
use crate::store::{
    FieldRecord, FieldState, Found, LaneRecord, PlainDefinition, RunKind, RunRecord, RunState,
};

/// Until then nobody has to look at a phase, in seconds.
const TEN_MINUTES: i64 = 600;
/// Until then nobody has to look at a pause, in seconds.
const A_DAY: i64 = 86_400;

/// The reasons in the order in which a person should read them.
pub(in crate::engine::health) fn of(health: &Health) -> Vec<Reason> {
    let mut out = keys(health);
    out.extend(rotations(health));
    out.extend(procedures(health));
    out.extend(runs(health));
    out.extend(paused(health));
    out.extend(lost(health));
    out.extend(quarantine(health));
    out.extend(guards(health));
    out.extend(places(health));
    out.extend(back(health));
    out.extend(relations(health));
    out
}

fn keys(health: &Health) -> Vec<Reason> {
    let due = health.keys.iter().filter_map(|key| {
        Some(Reason::KeyDue {
            key: key.key_id,
            purpose: key.purpose,
            at: key.rotation_due_at.clone().unwrap_or_default(),
            due: Due::of(key, &health.now)?,
        })
    });
    let suspended = health
        .keys
        .iter()
        .filter(|key| key.status == KeyStatus::Suspended)
        .map(|key| Reason::KeySuspended { key: key.key_id });
    due.chain(suspended).collect()
}

fn rotations(health: &Health) -> Vec<Reason> {
    // A live lease means that a process is working on it.
    let held = |lane: &LaneRecord| lane.lease_left_seconds.is_some_and(|left| left > 0.0);
    if health.lanes.iter().any(held) {
        return Vec::new();
    }
    let reason = |record: &RotationRecord| {
        let history_id = record.history_id;
        match record.kind {
            RotationKind::Rewrap => Reason::RewrapUnfinished { history_id },
            RotationKind::Rotate | RotationKind::Compromise => {
                Reason::RotationUnfinished { history_id }
            }
        }
    };
    health
        .rotations
        .iter()
        .filter(|record| record.finished_at.is_none())
        .map(reason)
        .collect()
}

/// A procedure is under way if a worker has a lease on its table, or if its phase is young: between
/// two runs of it nobody has a lease.
fn procedures(health: &Health) -> Vec<Reason> {
    let is_held = |label: &str| {
        let run = |lane: &LaneRecord| health.runs.iter().find(|run| run.run_id == lane.run_id);
        health.lanes.iter().any(|lane| {
            lane.lease_left_seconds.is_some_and(|left| left > 0.0)
                && run(lane).is_some_and(|run| run.table_label == label)
        })
    };
    health
        .procedures
        .iter()
        .filter(|one| one.finished_at.is_none() && !is_held(&one.table_label))
        .filter(|one| !is_young(&one.phase_since, &health.now, TEN_MINUTES))
        .map(|one| Reason::ProcedureUnfinished {
            kind: one.kind,
            label: one.table_label.clone(),
            phase: one.phase.clone(),
            since: one.phase_since.clone(),
        })
        .collect()
}

/// Whether less than so many seconds lie between two times of the server.
fn is_young(since: &str, now: &str, seconds: i64) -> bool {
    let times = (
        since.parse::<jiff::Timestamp>(),
        now.parse::<jiff::Timestamp>(),
    );
    matches!(times, (Ok(since), Ok(now)) if now.as_second() - since.as_second() < seconds)
}

fn runs(health: &Health) -> impl Iterator<Item = Reason> {
    let interrupted = health
        .runs
        .iter()
        .filter(|run| run.state == RunState::Interrupted);
    interrupted.map(|run| Reason::RunInterrupted {
        run: named(health, run),
        code: run.error_code.clone(),
    })
}

fn named(health: &Health, run: &RunRecord) -> RunNamed {
    let is_rotated = health.rotations.iter().any(|one| one.finished_at.is_none());
    RunNamed {
        run_id: run.run_id,
        kind: run.kind,
        label: run.table_label.clone(),
        command: match run.kind {
            // A backfill fills the blind index of a field that was registered before.
            RunKind::Reindex if !is_rotated => "backfill",
            RunKind::Rotate | RunKind::Reindex => "rotate",
            RunKind::Backfill | RunKind::Compare => "backfill",
            RunKind::Restore => "restore",
            RunKind::Finalize => "finalize",
            RunKind::Verify => "verify",
        },
    }
}

/// Pauses that somebody may have forgotten.
fn paused(health: &Health) -> impl Iterator<Item = Reason> {
    let pauses = health
        .requests
        .iter()
        .filter(|one| one.kind == PaceRequestKind::Pause)
        .filter(|one| !is_young(&one.requested_at, &health.now, A_DAY));
    pauses.map(|one| {
        Reason::Paused(Paused {
            label: one.table_label.clone(),
            actor: one.actor.clone(),
            since: one.requested_at.clone(),
        })
    })
}

/// Processes that died or hang, each once for a run.
fn lost(health: &Health) -> Vec<Reason> {
    let mut out = Vec::new();
    let running = health
        .runs
        .iter()
        .filter(|run| run.state == RunState::Running);
    for run in running {
        let lanes = health.lanes.iter().filter(|lane| lane.run_id == run.run_id);
        let over = lanes
            .filter(|lane| !lane.done && lane.lease_left_seconds.is_some_and(|left| left <= 0.0));
        let holders: BTreeSet<String> = over
            .map(|lane| holder::describe(lane.holder.as_deref().unwrap_or_default()))
            .collect();
        out.extend(holders.into_iter().map(|holder| Reason::RunLost {
            run: named(health, run),
            holder,
        }));
    }
    out
}

/// Counts rows, not entries: a row may have several.
fn quarantine(health: &Health) -> impl Iterator<Item = Reason> {
    let open = health.quarantine.open_rows.iter();
    open.map(|one| Reason::Quarantined {
        label: one.table_label.clone(),
        rows: one.rows,
    })
}

fn guards(health: &Health) -> impl Iterator<Item = Reason> {
    let gaps = health.guard_gaps.iter();
    gaps.map(|why| Reason::GuardsMissed { why: why.clone() })
}

/// Fields whose table is not where it was recorded, by their text, each once.
fn places(health: &Health) -> Vec<Reason> {
    let mut out: Vec<Place> = health
        .fields
        .iter()
        .filter(|field| field.state.may_hold_seals())
        .flat_map(|field| places_of(health, field))
        .collect();
    out.sort_by_cached_key(Place::what);
    out.dedup();
    out.into_iter().map(Reason::Place).collect()
}

fn places_of(health: &Health, field: &FieldRecord) -> impl Iterator<Item = Place> {
    let label = field.table_label.clone();
    let is_recorded = || health.relations.iter().any(|one| one.table_label == label);
    let found = match &field.place.found {
        Found::Gone => Some(Place::Gone {
            label: label.clone(),
        }),
        Found::Several(tables) => Some(Place::Several {
            label: label.clone(),
            tables: tables.clone(),
        }),
        Found::Guarded | Found::Named if !is_recorded() => Some(Place::NotRecorded {
            label: label.clone(),
        }),
        Found::Known | Found::Guarded | Found::Named => None,
    };
    let renamed = field.place.renames.iter().map(move |(was, now)| {
        let (label, was, now) = (label.clone(), was.clone(), now.clone());
        Place::Renamed { label, was, now }
    });
    found.into_iter().chain(renamed)
}

/// Plaintext columns that were dropped and are there again: their guard takes no plaintext, but did not
/// stand while they were made.
fn back(health: &Health) -> Vec<Reason> {
    let is_back = |field: &&FieldRecord| {
        let definition: PlainDefinition =
            serde_json::from_str(&field.plaintext_definition).unwrap_or_default();
        let removed = matches!(field.state, FieldState::Finalized | FieldState::Scrubbed);
        removed && definition.dropped && !field.place.plain_dropped
    };
    let fields = health.fields.iter().filter(is_back);
    fields
        .map(|field| Reason::PlaintextBack {
            label: field.table_label.clone(),
            column: field.column_label.clone(),
        })
        .collect()
}

/// Faults of the guards, and gaps: relations whose sealed values are not compared since a fault.
fn relations(health: &Health) -> Vec<Reason> {
    let sealed = |label: &str| {
        let fields = health.fields.iter();
        let ours = fields.filter(|field| field.table_label == label);
        ours.filter(|field| field.state.may_hold_seals())
            .collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    for one in &health.relations {
        let fields = sealed(&one.table_label);
        let Some(relation) = one.now.as_ref().filter(|_| !fields.is_empty()) else {
            continue;
        };
        out.extend(one.faults.iter().map(|fault| Reason::GuardFault {
            relation: relation.clone(),
            fault: fault.clone(),
        }));
        // Without its plaintext, a sealed value cannot be compared.
        let comparable = fields.iter().any(|field| !field.place.plain_dropped);
        let gap = one.gap.iter().filter(|_| comparable);
        out.extend(gap.map(|gap| Reason::NotCompared {
            relation: relation.clone(),
            gap: gap.clone(),
        }));
    }
    out
}
