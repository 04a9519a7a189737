//! Procedures of several phases: whoever asks for one that is unfinished goes on with it.

use super::Own;
use crate::ops::on_both;
use crate::support::Fixture;
use phiseal::store::{ProcedureKind, ProcedureRecord, Result, StoreError};

on_both!(
    a_procedure_that_is_begun_twice_is_the_first_one,
    of_two_that_begin_a_procedure_at_once_both_go_on_with_the_same_one,
    every_kind_and_every_subject_has_a_procedure_of_its_own,
    a_phase_is_left_once_and_entered_as_often_as_asked,
    a_procedure_that_has_ended_keeps_its_outcome_and_a_new_one_may_begin,
    unfinished_procedures_are_listed_before_all_others_whatever_the_limit,
    no_procedure_is_deleted,
);

/// Asks for the restore of a table, which begins with the phase `fill`.
async fn restore(own: &Own, subject: &str) -> ProcedureRecord {
    let begun = own
        .store
        .begin_procedure(ProcedureKind::Restore, subject, "ssn", "fill", "{}", "me")
        .await;
    begun.unwrap()
}

fn is_held<T>(answer: Result<T>) -> bool {
    matches!(answer, Err(StoreError::Held { .. }))
}

/// The procedure as it is listed.
async fn now(own: &Own, procedure: &ProcedureRecord) -> ProcedureRecord {
    let listed = own.store.procedures(99).await.unwrap();
    let found = listed
        .into_iter()
        .find(|one| one.procedure_id == procedure.procedure_id);
    found.unwrap()
}

async fn a_procedure_that_is_begun_twice_is_the_first_one(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let restore = ProcedureKind::Restore;
    let params = r#"{"keep": ["a"]}"#;
    let first = own
        .store
        .begin_procedure(restore, "t", "ssn", "fill", params, "me")
        .await
        .unwrap();
    assert_eq!((first.kind, first.table_label.as_str()), (restore, "t"));
    assert_eq!(
        (first.phase.as_str(), first.params.as_str()),
        ("fill", params)
    );
    assert_eq!(first.actor, "me");
    assert!(first.started_at.ends_with('Z') && first.phase_since.ends_with('Z'));
    assert_eq!((&first.finished_at, &first.outcome), (&None, &None));
    let again = own
        .store
        .begin_procedure(restore, "t", "ssn", "drop", "{}", "you")
        .await;
    assert_eq!(again.unwrap(), first);
    assert_eq!(own.store.procedures(9).await.unwrap(), [first]);
}

async fn of_two_that_begin_a_procedure_at_once_both_go_on_with_the_same_one(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let (one, other) = tokio::join!(restore(&own, "t"), restore(&own, "t"));
    assert_eq!(one, other);
    assert_eq!(own.store.procedures(9).await.unwrap(), [one]);
}

async fn every_kind_and_every_subject_has_a_procedure_of_its_own(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let mut begun = Vec::new();
    for kind in [
        ProcedureKind::Restore,
        ProcedureKind::Finalize,
        ProcedureKind::Scrub,
    ] {
        for subject in ["t", "u"] {
            let one = own
                .store
                .begin_procedure(kind, subject, "ssn, dob", "first", "{}", "me")
                .await
                .unwrap();
            assert_eq!((one.kind, one.table_label.as_str()), (kind, subject));
            begun.push(one);
        }
    }
    begun.reverse();
    assert_eq!(own.store.procedures(0).await.unwrap(), begun);
}

async fn a_phase_is_left_once_and_entered_as_often_as_asked(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let first = restore(&own, "t").await;
    let other = restore(&own, "u").await;
    let number = first.procedure_id;
    let params = r#"{"filled": 7}"#;
    for _ in 0..2 {
        let moved = store.set_phase(number, "fill", "drop", Some(params)).await;
        moved.unwrap();
        let now = now(&own, &first).await;
        assert_eq!((now.phase.as_str(), now.params.as_str()), ("drop", params));
        assert!(now.phase_since >= first.phase_since);
        assert_eq!(
            (now.started_at, now.actor),
            (first.started_at.clone(), first.actor.clone())
        );
    }
    // Whoever asks for it again goes on in this phase.
    let again = restore(&own, "t").await;
    assert_eq!((again.procedure_id, again.phase.as_str()), (number, "drop"));

    let late = store.set_phase(number, "fill", "check", Some("{}")).await;
    assert!(is_held(late));
    assert!(is_held(store.set_phase(99, "fill", "drop", None).await));
    let unchanged = now(&own, &first).await;
    assert_eq!(unchanged, again);
    // Without new parameters it keeps those that it has.
    store
        .set_phase(number, "drop", "check", None)
        .await
        .unwrap();
    let last = now(&own, &first).await;
    assert_eq!(
        (last.phase.as_str(), last.params.as_str()),
        ("check", params)
    );
    assert_eq!(now(&own, &other).await, other);
}

async fn a_procedure_that_has_ended_keeps_its_outcome_and_a_new_one_may_begin(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let first = restore(&own, "t").await;
    let number = first.procedure_id;
    store.finish_procedure(number, "restored").await.unwrap();
    let ended = now(&own, &first).await;
    assert_eq!(ended.outcome.as_deref(), Some("restored"));
    assert!(ended.finished_at.as_ref().unwrap().ends_with('Z'));
    let second = restore(&own, "t").await;
    assert_ne!(second.procedure_id, number);
    assert_eq!((second.phase.as_str(), &second.outcome), ("fill", &None));

    store.finish_procedure(number, "given up").await.unwrap();
    let moved = store.set_phase(number, "fill", "drop", None).await;
    assert!(is_held(moved));
    assert_eq!(now(&own, &first).await, ended);
    assert_eq!(now(&own, &second).await, second);
    assert_eq!(restore(&own, "t").await, second);
}

async fn unfinished_procedures_are_listed_before_all_others_whatever_the_limit(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let mut ids = Vec::new();
    for (subject, ends) in [("a", true), ("b", false), ("c", true), ("d", false)] {
        let begun = restore(&own, subject).await;
        if ends {
            let ended = own.store.finish_procedure(begun.procedure_id, "done").await;
            ended.unwrap();
        }
        ids.push(begun.procedure_id);
    }
    let order = [ids[3], ids[1], ids[2], ids[0]];
    for (limit, most) in [(0, 2), (1, 2), (2, 3), (3, 3), (4, 4), (9, 4)] {
        let listed = own.store.procedures(limit).await.unwrap();
        let listed: Vec<i64> = listed.iter().map(|one| one.procedure_id).collect();
        assert_eq!(listed, order[..most], "{limit}");
    }
}

async fn no_procedure_is_deleted(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let first = restore(&own, "t").await;
    let table = own.fixture.own("procedures");
    let refusal = own.fixture.refusal(&format!("DELETE FROM {table}")).await;
    assert!(refusal.unwrap().contains("DELETE refused on procedures"));
    assert_eq!(now(&own, &first).await, first);
}
