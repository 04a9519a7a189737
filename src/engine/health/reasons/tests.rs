//! Each reason from the facts that give it, and its text.

use super::super::Health;
use super::super::fixture::{health, key, lane, pause, procedure, quarantined, run};
use super::*;
use crate::pace::PaceRequestKind;
use crate::store::{QuarantineState, RunState};

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
    health.quarantine = vec![
        quarantined("aa", None, QuarantineState::Skipped),
        quarantined("bb", None, QuarantineState::Retry),
    ];
    assert_eq!(reasons(&health), Vec::<String>::new());
}

#[test]
fn an_unfinished_procedure_is_named_unless_somebody_works_on_its_table() {
    let mut health = health();
    health.procedures = vec![procedure(true), procedure(false)];
    assert_eq!(
        reasons(&health),
        [
            "the restore of public.patients was not finished (next: drop, since 2026-03-19T00:00:00Z): \
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
    let reasons = reasons(&health);
    assert_eq!(
        reasons[0],
        "key 7 is due for rotation in 12 days: `phiseal rotate`"
    );
    assert_eq!(
        reasons[1],
        "key 8 is overdue for rotation by 2 days: `phiseal rotate`"
    );
}

#[test]
fn an_interrupted_run_is_named_with_what_interrupted_it() {
    let mut health = health();
    health.runs = vec![run(4, RunState::Interrupted)];
    // An interrupted run's leases have expired.
    health.lanes = vec![lane(4, Some(-1.0), false)];
    let reasons = reasons(&health);
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].contains("run 4, backfill of public.patients, was interrupted (E0605)"));
}

#[test]
fn a_lane_whose_lease_is_over_under_a_running_run_is_named_with_its_holder() {
    let mut health = health();
    health.runs = vec![run(1, RunState::Running)];
    health.lanes = vec![lane(1, Some(-1.0), false), lane(1, Some(5.0), false)];
    let reasons = reasons(&health);
    assert_eq!(reasons.len(), 1);
    assert!(reasons[0].starts_with("lane 3 of run 1 has lost its holder, process 4711 on host"));
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
fn open_quarantine_is_counted_by_rows_not_by_faults() {
    let mut health = health();
    health.quarantine = vec![
        quarantined("aa", Some("ssn"), QuarantineState::Open),
        quarantined("aa", Some("email"), QuarantineState::Open),
    ];
    assert_eq!(
        reasons(&health),
        ["1 row of public.patients in quarantine: `phiseal quarantine list`"]
    );
}
