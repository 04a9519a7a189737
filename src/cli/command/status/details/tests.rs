//! The tables of the parts, wide and narrow.

use unicode_width::UnicodeWidthStr;

use super::*;
use crate::engine::health::fixture::{
    health, key, lane, pause, procedure, quarantined, report, rotation, run,
};
use crate::store::{QuarantineCount, QuarantineState, RunState};

const PARTS: [StatusPart; 5] = [
    StatusPart::Fields,
    StatusPart::Runs,
    StatusPart::Keys,
    StatusPart::Rotations,
    StatusPart::Quarantine,
];

#[test]
fn a_part_without_entries_says_so() {
    for (part, said) in [
        (
            StatusPart::Fields,
            "no fields; the first `phiseal backfill` registers them",
        ),
        (StatusPart::Runs, "RUNS\n  no runs"),
        (
            StatusPart::Keys,
            "no keys; make them with `phiseal keys create`",
        ),
        (
            StatusPart::Rotations,
            "ROTATIONS\n  none yet\n\nPROCEDURES\n  none yet",
        ),
        (StatusPart::Quarantine, "no rows in quarantine"),
    ] {
        assert_eq!(text(&health(), part, Some(80)), said);
    }
}

#[test]
fn a_run_is_shown_with_what_works_on_it_and_what_is_asked() {
    let mut health = health();
    health.runs = vec![run(1, RunState::Running)];
    health.shares.insert(1, 0.419);
    health.lanes = vec![lane(1, Some(2.4), false)];
    health.pace = vec![report(Some("paused by me@here"))];
    health.requests = vec![pause("", "2026-03-19T00:00:00Z")];
    let text = text(&health, StatusPart::Runs, None);
    let sections = [
        "RUNS\n  RUN  KIND",
        "WORKING NOW\n  TABLE",
        "LANES OF UNFINISHED RUNS\n  RUN  LANE",
        "REQUESTS TO RUNS\n  TABLE",
    ];
    let places = sections.map(|section| text.find(section).unwrap());
    assert!(places.is_sorted(), "{text}");
    assert!(
        text.contains("1    backfill  public.patients  running  41 %"),
        "{text}"
    );
    assert!(text.contains("process 4711 on host  2 s"), "{text}");
}

#[test]
fn a_procedure_is_shown_with_its_phase() {
    let mut health = health();
    health.rotations = vec![rotation()];
    health.procedures = vec![procedure(false)];
    let text = text(&health, StatusPart::Rotations, Some(80));
    assert!(
        text.contains("7         rotate  3     4   unfinished"),
        "{text}"
    );
    assert!(text.contains("restore  public.patients  drop"), "{text}");
}

#[test]
fn quarantine_is_counted_and_its_first_entries_are_listed() {
    let mut health = health();
    health.quarantine.first = vec![quarantined(
        "9f2c41d07a33b8e1",
        Some("ssn"),
        QuarantineState::Open,
    )];
    health.quarantine.counts = vec![QuarantineCount {
        table_label: "public.patients".to_owned(),
        column_label: Some("ssn".to_owned()),
        step: "backfill".to_owned(),
        state: QuarantineState::Open,
        reason: "a check constraint refuses the sealed value".to_owned(),
        key_id: 7,
        entries: 300_000,
    }];
    let text = text(&health, StatusPart::Quarantine, Some(80));
    assert!(text.contains("300000  public.patients  ssn"), "{text}");
    assert!(
        text.contains("9f2c41d07a33b8e1  public.patients  ssn"),
        "{text}"
    );
    assert!(
        text.ends_with("299999 more: `phiseal quarantine list --limit N`"),
        "{text}"
    );
}

#[test]
fn no_part_is_wider_than_the_terminal_whatever_the_names_are() {
    for name in [
        "public.".to_owned() + &"患".repeat(60),
        "\u{1b}[2J\n".repeat(40),
    ] {
        let mut health = health();
        let mut odd = run(i64::MAX, RunState::Interrupted);
        odd.table_label.clone_from(&name);
        odd.error_code = Some(name.clone());
        health.runs = vec![odd];
        let mut held = lane(1, Some(-1.0), false);
        held.relation.clone_from(&name);
        health.lanes = vec![held];
        let mut waits = report(Some(&name));
        waits.table_label.clone_from(&name);
        health.pace = vec![waits];
        health.requests = vec![pause(&name, "2026-03-19T00:00:00Z")];
        let mut of_tenant = key(i64::from(i32::MAX));
        of_tenant.tenant.clone_from(&name);
        health.keys = vec![of_tenant];
        health.rotations = vec![rotation()];
        let mut phase = procedure(false);
        phase.table_label.clone_from(&name);
        phase.columns.clone_from(&name);
        health.procedures = vec![phase];
        let mut listed = quarantined("9f2c41d07a33b8e1", Some(&name), QuarantineState::Open);
        listed.row.table_label.clone_from(&name);
        listed.row.reason.clone_from(&name);
        health.quarantine.counts = vec![QuarantineCount {
            table_label: name.clone(),
            column_label: Some(name.clone()),
            step: "backfill".to_owned(),
            state: QuarantineState::Open,
            reason: name.clone(),
            key_id: 7,
            entries: 2,
        }];
        health.quarantine.first = vec![listed];
        for part in PARTS {
            for width in [80, 140] {
                for line in text(&health, part, Some(width)).lines() {
                    assert!(line.width() <= width, "{part:?} {width}: {line}");
                }
            }
        }
    }
}
