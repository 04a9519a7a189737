//! Rotations: begun all or none, and closed once with what the lanes counted.

use super::{Clerk, DUE, Own, TALLY, handover, id, new_key, stamp};
use crate::ops::on_both;
use crate::support::Fixture;
use phiseal::keys::rotation::{COMPLETE, REMAINDER};
use phiseal::keys::{
    Handover, KeyStatus, RotationCounts, RotationEnd, RotationKind, RotationRecord, Unnoted,
};
use phiseal::store::{LaneUpdate, RotationCount, StoreError};

on_both!(
    a_rotation_is_begun_once,
    rotations_are_begun_all_or_none,
    a_rotation_is_noted_when_it_begins_and_once_when_it_ends,
    fifty_handovers_at_once_get_their_numbers_in_their_order,
    what_happened_to_a_key_is_told_with_who_and_why,
    a_handover_without_a_record_moves_all_keys_or_none,
    what_lanes_counted_is_summed_once_and_kept,
    counts_need_a_lane,
    unfinished_rotations_are_listed_before_all_others_whatever_the_limit,
);

fn end(history_id: i64, census: &str, outcome: &'static str) -> RotationEnd {
    RotationEnd {
        history_id,
        census: census.to_owned(),
        outcome,
    }
}

/// Begins rotations; their numbers, or `None` if another process was first.
async fn begin(own: &Own, handovers: &[Handover]) -> Option<Vec<i64>> {
    let begun = own
        .store
        .begin_rotations(handovers, DUE, "me", &Unnoted)
        .await;
    begun.unwrap()
}

/// Begins one rotation; its number.
async fn begin_one(own: &Own, handover: Handover) -> i64 {
    begin(own, &[handover]).await.unwrap()[0]
}

async fn finish(own: &Own, ends: &[RotationEnd]) -> Vec<RotationRecord> {
    let closed = own.store.finish_rotations(ends, &Unnoted).await;
    closed.unwrap()
}

async fn a_rotation_is_begun_once(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let both = [handover(1, 2), handover(3, 4)];
    let begun = begin(&own, &both).await.unwrap();
    assert_eq!(begun.len(), 2);
    assert_ne!(begun[0], begun[1]);
    let moved = ["1 deactivated", "2 active", "3 deactivated", "4 active"];
    assert_eq!(own.states().await, moved);
    assert_eq!(begin(&own, &both).await, None);
    // The keys are in the states that this handover expects, but a record is still open.
    let resumed = [Handover {
        from_is: KeyStatus::Deactivated,
        to_is: KeyStatus::Active,
        ..both[0].clone()
    }];
    assert_eq!(begin(&own, &resumed).await, None);
    assert_eq!(own.states().await, moved);
    assert_eq!(own.store.rotations(9).await.unwrap().len(), 2);

    finish(&own, &[end(begun[0], "{}", COMPLETE)]).await;
    let anew = begin(&own, &resumed).await.unwrap();
    assert!(anew.len() == 1 && !begun.contains(&anew[0]), "{anew:?}");
}

async fn rotations_are_begun_all_or_none(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let before = own.states().await;
    let clerk = Clerk::default();
    // A key in another state, a missing key, and two active keys of one tenant, which the table
    // itself refuses.
    let two_active = Handover {
        from_becomes: KeyStatus::Active,
        ..handover(3, 4)
    };
    for second in [handover(4, 3), handover(3, 9), two_active] {
        let both = [handover(1, 2), second];
        let begun = own.store.begin_rotations(&both, DUE, "me", &clerk).await;
        assert!(!matches!(begun, Ok(Some(_))), "{begun:?}");
        assert_eq!(own.states().await, before);
        assert!(own.store.rotations(9).await.unwrap().is_empty());
    }
    assert!(clerk.told().is_empty());
}

async fn a_rotation_is_noted_when_it_begins_and_once_when_it_ends(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let clerk = Clerk::default();
    let one = [handover(1, 2)];
    let begun = own.store.begin_rotations(&one, DUE, "me", &clerk).await;
    let number = begun.unwrap().unwrap()[0];
    let told = clerk.told();
    assert_eq!(told.len(), 1);
    let open = own.store.rotations(9).await.unwrap();
    assert_eq!(told[0].records, open);
    assert_eq!(open[0].history_id, number);
    assert_eq!(
        (open[0].actor.as_str(), open[0].reason.as_str()),
        ("me", "due")
    );
    let keys: Vec<_> = told[0]
        .changes
        .iter()
        .filter(|change| change.ours)
        .map(|change| change.columns[0].as_deref())
        .collect();
    assert_eq!(keys, [Some("1"), Some("2")]);
    assert_eq!(own.head().await.0, 1);

    let ends = [end(number, "{}", COMPLETE)];
    for (told_of, head) in [(1, 2), (0, 2)] {
        let closed = own.store.finish_rotations(&ends, &clerk).await.unwrap();
        let told = clerk.told();
        assert_eq!(told.len(), told_of);
        for one in told {
            assert!(one.changes.is_empty());
            assert_eq!(one.records, closed);
        }
        assert_eq!(own.head().await.0, head);
    }
}

async fn fifty_handovers_at_once_get_their_numbers_in_their_order(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let mut keys = Vec::new();
    for number in 1..=50 {
        let tenant = format!("tenant {number}");
        keys.extend([new_key(number, &tenant), new_key(number + 100, &tenant)]);
    }
    assert!(own.store.insert_keys(&keys).await.unwrap().is_empty());
    let old: Vec<_> = (1..=50).map(id).collect();
    own.store.activate_keys(&old, DUE, &Unnoted).await.unwrap();
    // Each of the fifty once, and not in the order of their ids.
    let handovers: Vec<_> = (1..=50)
        .map(|n| n * 7 % 51)
        .map(|number| handover(number, number + 100))
        .collect();
    let numbers = begin(&own, &handovers).await.unwrap();
    assert_eq!(numbers.len(), 50);
    let open = own.store.rotations(0).await.unwrap();
    assert_eq!(open.len(), 50);
    for (number, handover) in numbers.iter().zip(&handovers) {
        let record = open.iter().find(|one| one.history_id == *number).unwrap();
        assert_eq!(
            (record.from_key_id, record.to_key_id),
            (Some(handover.from), Some(handover.to))
        );
    }
    // What is finished is told in the order of the request, too.
    let ends: Vec<_> = numbers
        .iter()
        .rev()
        .map(|number| end(*number, &format!("{{\"{number}\": 0}}"), COMPLETE))
        .collect();
    let closed = finish(&own, &ends).await;
    assert_eq!(closed.len(), 50);
    for (record, end) in closed.iter().zip(&ends) {
        assert_eq!(record.history_id, end.history_id);
        assert_eq!(record.census.as_ref(), Some(&end.census));
        assert_eq!(record.counts, RotationCounts::default());
    }
    assert!(own.store.rotations(0).await.unwrap().is_empty());
}

async fn what_happened_to_a_key_is_told_with_who_and_why(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    begin_one(&own, handover(1, 2)).await;
    let told = own.store.key_transitions(&[id(2), id(1)]).await.unwrap();
    let moves: Vec<_> = told
        .iter()
        .map(|one| (one.key_id, one.from, one.to, one.actor.as_str()))
        .collect();
    let (made, active) = (KeyStatus::PreActive, KeyStatus::Active);
    let expected = [
        (id(1), None, made, "maker"),
        (id(1), Some(made), active, "maker"),
        (id(2), None, made, "maker"),
        (id(1), Some(active), KeyStatus::Deactivated, "me"),
        (id(2), Some(made), active, "me"),
    ];
    assert_eq!(moves, expected);
    assert_eq!(told[3].reason.as_deref(), Some("due"));
    assert!(told.iter().all(|one| one.at.ends_with('Z')));
    let records = own.store.key_records().await.unwrap();
    let due = records[1].rotation_due_at.as_ref().unwrap();
    assert!(due.contains("-01-01T00:00:00."), "{due}");
    assert!(records[0].deactivated_at.is_some() && records[1].activated_at.is_some());
    assert!(own.store.key_transitions(&[]).await.unwrap().is_empty());
}

async fn a_handover_without_a_record_moves_all_keys_or_none(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let clerk = Clerk::default();
    let first = [handover(1, 2)];
    let handed_over = own.store.hand_over(&first, DUE, "me", &clerk).await;
    assert!(handed_over.unwrap());
    let moved = ["1 deactivated", "2 active", "3 active", "4 pre_active"];
    assert_eq!(own.states().await, moved);
    assert_eq!(clerk.told().len(), 1);
    let both = [handover(3, 4), handover(1, 2)];
    let handed_over = own.store.hand_over(&both, DUE, "me", &clerk).await;
    assert!(!handed_over.unwrap());
    assert_eq!(own.states().await, moved);
    assert!(clerk.told().is_empty());
    assert!(own.store.rotations(9).await.unwrap().is_empty());
}

fn counted(rows: i64) -> RotationCounts {
    RotationCounts {
        rows_found: rows,
        rows_resealed: rows - 1,
        conflicts: 2,
        quarantined: 1,
    }
}

const ADVANCE: LaneUpdate = LaneUpdate {
    durable: true,
    cursor: None,
    lease_seconds: 30,
};

async fn what_lanes_counted_is_summed_once_and_kept(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let store = &own.store;
    let mut lane = own.lane_of("t").await;
    let history_id = begin_one(&own, handover(1, 2)).await;
    let (from, next) = (id(1), id(2));
    let count = |from_key_id, rows| RotationCount {
        history_id,
        from_key_id,
        counts: counted(rows),
    };
    let mut writer = store.writer().await.unwrap();
    for batch in [vec![count(from, 10)], vec![count(from, 5), count(next, 3)]] {
        let begun = writer.begin(&stamp(&lane), &ADVANCE, &[next]).await;
        begun.unwrap();
        writer.count_rotation(&batch).await.unwrap();
        writer.commit(&TALLY).await.unwrap();
        lane.seq += 1;
    }
    // A batch that is rolled back is not counted, nor with the next one.
    for counts in [Some(count(from, 99)), None] {
        let begun = writer.begin(&stamp(&lane), &ADVANCE, &[next]).await;
        begun.unwrap();
        match counts {
            Some(counts) => {
                writer.count_rotation(&[counts]).await.unwrap();
                writer.rollback().await;
            }
            None => writer.commit(&TALLY).await.unwrap(),
        }
    }
    for (key, rows) in [(1, "15"), (2, "3")] {
        let of_key = format!("WHERE from_key_id = {key}");
        let found = own.read("rows_found", "rotation_counts", &of_key).await;
        assert_eq!(found.as_deref(), Some(rows), "{key}");
    }

    let done = finish(&own, &[end(history_id, "{\"1\": 0}", REMAINDER)]).await;
    let expected = RotationCounts {
        rows_found: 18,
        rows_resealed: 15,
        conflicts: 6,
        quarantined: 3,
    };
    assert_eq!(done[0].counts, expected);
    assert_eq!(
        (done[0].kind, done[0].from_key_id, done[0].to_key_id),
        (RotationKind::Rotate, Some(from), Some(next))
    );
    assert_eq!(done[0].census.as_deref(), Some("{\"1\": 0}"));
    assert_eq!(done[0].outcome.as_deref(), Some(REMAINDER));
    assert!(done[0].finished_at.is_some());
    assert_eq!(finish(&own, &[end(history_id, "{}", COMPLETE)]).await, done);
    let unknown = [end(99, "{}", COMPLETE)];
    assert!(store.finish_rotations(&unknown, &Unnoted).await.is_err());
    let of_run = own.read("run_id", "key_rotation_history", "").await;
    assert_eq!(of_run, Some(lane.run_id.to_string()));
}

async fn counts_need_a_lane(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let count = RotationCount {
        history_id: begin_one(&own, handover(1, 2)).await,
        from_key_id: id(1),
        counts: counted(99),
    };
    let mut writer = own.store.writer().await.unwrap();
    let without_lane = writer.count_rotation(&[count]).await;
    assert!(matches!(without_lane, Err(StoreError::Unexpected { .. })));
    let rows = own.read("count(*)", "rotation_counts", "").await;
    assert_eq!(rows.as_deref(), Some("0"));
}

async fn unfinished_rotations_are_listed_before_all_others_whatever_the_limit(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let open = begin_one(&own, handover(1, 2)).await;
    let ended = begin_one(&own, handover(3, 4)).await;
    finish(&own, &[end(ended, "{}", COMPLETE)]).await;
    for (limit, expected) in [
        (0, vec![open]),
        (1, vec![open, ended]),
        (9, vec![open, ended]),
    ] {
        let records = own.store.rotations(limit).await.unwrap();
        let listed: Vec<i64> = records.iter().map(|record| record.history_id).collect();
        assert_eq!(listed, expected, "{limit}");
    }
}
