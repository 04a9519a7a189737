//! Each reason from the facts that give it, and its text.

use super::super::Health;
use super::super::fixture::{health, key, lane, pause, procedure, quarantined, rotation, run};
use super::*;
use crate::crypto::Purpose;
use crate::pace::PaceRequestKind;
use crate::store::{OpenRows, QuarantineState, QuarantineSummary, RunKind, RunState};

fn reasons(health: &Health) -> Vec<String> {
    of(health).iter().map(Reason::to_string).collect()
}

#[test]
fn nothing_is_said_where_all_is_well() {
    let mut health = health();
    health.runs = vec![run(1, RunState::Running), run(2, RunState::Done)];
    health.lanes = vec![
        lane(1, Some(9.5), false),
        lane(1, None, false),
        lane(1, Some(-60.0), true),
    ];
    let mut later = key(7);
    later.rotation_due_at = Some("2026-07-01T00:00:00.000000Z".to_owned());
    health.keys = vec![later];
    health.quarantine = QuarantineSummary {
        first: vec![
            quarantined("aa", None, QuarantineState::Skipped),
            quarantined("bb", None, QuarantineState::Retry),
        ],
        ..QuarantineSummary::default()
    };
    assert_eq!(reasons(&health), Vec::<String>::new());
}

#[test]
fn an_unfinished_procedure_is_named_unless_somebody_works_on_its_table() {
    let mut health = health();
    health.procedures = vec![procedure(true), procedure(false)];
    assert_eq!(
        reasons(&health),
        [
            "restore of public.patients is not finished (next phase: drop, since 2026-03-19T00:00:00Z): \
             `phiseal restore --drop-sealed`"
        ]
    );
    health.procedures[1].phase_since = "2026-03-19T23:55:00.5Z".to_owned();
    assert_eq!(reasons(&health), Vec::<String>::new());
    let mut of_another = procedure(false);
    of_another.table_label = "public.visits".to_owned();
    health.procedures = vec![procedure(false), of_another];
    health.runs = vec![run(1, RunState::Running)];
    health.lanes = vec![lane(1, Some(9.5), false)];
    let left = reasons(&health);
    assert!(
        left.len() == 1 && left[0].contains("public.visits"),
        "{left:?}"
    );
}

#[test]
fn a_key_that_is_due_or_overdue_is_named() {
    let mut health = health();
    let (mut soon, mut over) = (key(7), key(8));
    soon.rotation_due_at = Some("2026-04-01T00:00:00.000000Z".to_owned());
    over.rotation_due_at = Some("2026-03-18T00:00:00.000000Z".to_owned());
    health.keys = vec![soon, over];
    health.keys[1].purpose = Purpose::BlindIndex;
    let reasons = reasons(&health);
    assert_eq!(
        reasons[0],
        "key 7 is due for rotation in 12 days: `phiseal rotate`"
    );
    assert_eq!(
        reasons[1],
        "key 8 is overdue for rotation by 2 days: `phiseal rotate --purpose blind_index`"
    );
}

#[test]
fn an_interrupted_run_is_named_with_what_interrupted_it() {
    let mut health = health();
    health.runs = vec![run(4, RunState::Interrupted)];
    // An interrupted run's leases have expired.
    health.lanes = vec![lane(4, Some(-1.0), false)];
    assert_eq!(
        reasons(&health),
        [
            "run 4 (backfill of public.patients) was interrupted (E0605): `phiseal backfill` resumes it"
        ]
    );
}

#[test]
fn an_index_that_was_being_filled_is_resumed_by_the_command_that_began_it() {
    let mut health = health();
    let mut fill = run(4, RunState::Interrupted);
    fill.kind = RunKind::Reindex;
    health.runs = vec![fill];
    assert!(reasons(&health)[0].ends_with("`phiseal backfill` resumes it"));
    health.rotations = vec![rotation()];
    let all = reasons(&health);
    assert!(all[1].ends_with("`phiseal rotate` resumes it"), "{all:?}");
}

#[test]
fn a_process_that_lost_lanes_of_a_running_run_is_named_once() {
    let mut health = health();
    health.runs = vec![run(1, RunState::Running)];
    health.lanes = vec![
        lane(1, Some(-1.0), false),
        lane(1, Some(-2.0), false),
        lane(1, Some(5.0), false),
    ];
    assert_eq!(
        reasons(&health),
        [
            "run 1 (backfill of public.patients): process 4711 on host no longer works on it, and did not end it: \
          `phiseal backfill` resumes it"
        ]
    );
}

#[test]
fn a_pause_is_named_once_it_is_a_day_old() {
    let mut health = health();
    health.requests = vec![
        pause("", "2026-03-19T00:00:01.000000Z"),
        pause("public.patients", "2026-03-19T00:00:00.000000Z"),
    ];
    let mut speed = pause("", "2026-03-01T00:00:00.000000Z");
    speed.kind = PaceRequestKind::Speed;
    health.requests.push(speed);
    assert_eq!(
        reasons(&health),
        [
            "runs of public.patients have been paused for more than a day, since 2026-03-19T00:00:00.000000Z by \
             me@here: `phiseal resume --table public.patients`"
        ]
    );
}

#[test]
fn what_the_guards_missed_is_named_with_what_to_run() {
    let mut health = health();
    health.guard_gaps = vec!["the mark 'sealer' stood".to_owned()];
    assert_eq!(
        reasons(&health),
        ["the mark 'sealer' stood: `phiseal backfill`, then `phiseal verify`"]
    );
}

#[test]
fn open_quarantine_is_counted_by_rows() {
    let mut health = health();
    let open = |rows| OpenRows {
        table_label: "public.patients".to_owned(),
        rows,
    };
    health.quarantine.open_rows = vec![open(1), open(300_000)];
    assert_eq!(
        reasons(&health),
        [
            "1 row of public.patients is in quarantine: `phiseal quarantine list`",
            "300000 rows of public.patients are in quarantine: `phiseal quarantine list`"
        ]
    );
}
