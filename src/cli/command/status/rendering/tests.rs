//! The sections of the status, and the lists of its object.

use super::*;
use crate::engine::health::fixture::{
    health, key as key_record, lane, pause, procedure, report, run as run_record,
};
use crate::store::RunState;

#[test]
fn a_procedure_is_shown_with_its_phase() {
    let mut health = health();
    health.procedures = vec![procedure(false)];
    let text = text(&health, &[]);
    assert!(text.contains("PROCEDURES\n  KIND"), "{text}");
    assert!(
        text.contains("restore  public.patients  ssn      drop"),
        "{text}"
    );
    assert_eq!(object(&health, &[])["procedures"][0]["phase"], "drop");
}

#[test]
fn a_process_at_work_and_a_request_are_shown_before_the_quarantine() {
    let mut health = health();
    health.pace = vec![report(Some("paused by me@here"))];
    health.requests = vec![pause("", "2026-03-19T00:00:00Z")];
    let text = text(&health, &[]);
    let sections = [
        "AT WORK NOW\n  TABLE",
        "REQUESTS TO RUNS\n  TABLE",
        "QUARANTINE",
    ];
    let places = sections.map(|section| text.find(section).unwrap());
    assert!(places.is_sorted(), "{text}");
    let object = object(&health, &[]);
    assert_eq!(object["pace"][0]["waits_for"], "paused by me@here");
    assert_eq!(object["requests"][0]["request"], "pause");
}

#[test]
fn every_empty_section_says_so() {
    let text = text(&health(), &[]);
    for line in [
        "FIELDS\n  no fields",
        "RUNS\n  no runs",
        "LANES OF UNFINISHED RUNS\n  no lanes",
        "KEYS\n  no keys",
        "QUARANTINE\n  no rows in quarantine",
        "NEEDS ATTENTION\n  nothing",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn the_object_has_the_lists_scripts_rely_on() {
    let mut health = health();
    health.keys = vec![key_record(7)];
    health.runs = vec![run_record(1, RunState::Running)];
    health.lanes = vec![lane(1, Some(2.5), false)];
    let object = object(&health, &["x".to_owned()]);
    let lists = [
        "warnings",
        "fields",
        "runs",
        "lanes",
        "keys",
        "pace",
        "requests",
        "quarantine",
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
    assert_eq!(object["runs"][0]["rows_found"], json!(0));
}

#[test]
fn a_lane_names_its_holder_for_people() {
    let text = lanes_table(&[lane(1, Some(2.4), false)]);
    assert!(text.contains("process 4711 on host  2 s"), "{text}");
}
