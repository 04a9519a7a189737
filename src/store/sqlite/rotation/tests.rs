//! Tests of rotations, rewraps and changes of state.

use crate::crypto::KeyId;
use crate::keys::rotation::{COMPLETE, REMAINDER};
use crate::keys::{
    Handover, KeyStatus, KeyTable, Rewrapped, RotationCounts, RotationKind, RotationPeriod,
    RotationTable,
};
use crate::keys::{RotationEnd, Unnoted};
use crate::store::sqlite::batch_fixture::{BatchFixture, TABLE, TALLY, beside};
use crate::store::sqlite::fixture::{Fixture, handover, stamp};
use crate::store::{RotationCount, StoreError};

const DUE: RotationPeriod = RotationPeriod::Year;

fn id(id: i64) -> KeyId {
    KeyId::new(id).unwrap()
}

/// Keys 1 and 3 are active, of two tenants; 2 and 4 are their successors.
async fn keys() -> Fixture {
    let mut fixture = Fixture::new("").await;
    for (key, tenant) in [(1, "n"), (2, "n"), (3, "m"), (4, "m")] {
        fixture.key(key, tenant, key % 2 == 1).await;
    }
    fixture
}

fn end(history_id: i64, census: &str, outcome: &'static str) -> RotationEnd {
    RotationEnd {
        history_id,
        census: census.to_owned(),
        outcome,
    }
}

#[tokio::test]
async fn a_rotation_is_begun_once() {
    let mut fixture = keys().await;
    let both = [handover(id(1), id(2)), handover(id(3), id(4))];
    let begin = fixture
        .store
        .begin_rotations(&both, DUE, "me", &Unnoted)
        .await;
    assert_eq!(begin.unwrap(), Some(vec![1, 2]));
    let moved = ["1 deactivated", "2 active", "3 deactivated", "4 active"];
    assert_eq!(fixture.keys().await, moved);
    let again = fixture
        .store
        .begin_rotations(&both, DUE, "you", &Unnoted)
        .await;
    assert_eq!(again.unwrap(), None);
    // The keys are in the states that this handover expects, but a record is still open.
    let resumed = Handover {
        from_is: KeyStatus::Deactivated,
        to_is: KeyStatus::Active,
        ..both[0].clone()
    };
    let one = std::slice::from_ref(&resumed);
    let open = fixture
        .store
        .begin_rotations(one, DUE, "you", &Unnoted)
        .await;
    assert_eq!(open.unwrap(), None);
    assert_eq!(fixture.keys().await, moved);
    fixture
        .store
        .finish_rotations(&[end(1, "{}", COMPLETE)], &Unnoted)
        .await
        .unwrap();
    let anew = fixture
        .store
        .begin_rotations(one, DUE, "you", &Unnoted)
        .await;
    assert_eq!(anew.unwrap(), Some(vec![3]));
}

#[tokio::test]
async fn rotations_are_begun_all_or_none() {
    let mut fixture = keys().await;
    let before = fixture.keys().await;
    // A key in another state, a missing key, and two active keys of one tenant, which the table
    // itself refuses.
    let two_active = Handover {
        from_becomes: KeyStatus::Active,
        ..handover(id(3), id(4))
    };
    for second in [handover(id(4), id(3)), handover(id(3), id(9)), two_active] {
        let both = [handover(id(1), id(2)), second];
        let begun = fixture
            .store
            .begin_rotations(&both, DUE, "me", &Unnoted)
            .await;
        assert!(!matches!(begun, Ok(Some(_))), "{begun:?}");
        assert_eq!(fixture.keys().await, before);
        assert!(fixture.store.rotations(9).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_happened_to_a_key_is_told_with_who_and_why() {
    let fixture = keys().await;
    let store = &fixture.store;
    store
        .begin_rotations(&[handover(id(1), id(2))], DUE, "me", &Unnoted)
        .await
        .unwrap();
    let told = store.key_transitions(&[id(1), id(2)]).await.unwrap();
    let last: Vec<_> = told[told.len() - 2..]
        .iter()
        .map(|one| (one.key_id, one.from, one.to, one.actor.as_str()))
        .collect();
    assert_eq!(
        last,
        [
            (id(1), Some(KeyStatus::Active), KeyStatus::Deactivated, "me"),
            (id(2), Some(KeyStatus::PreActive), KeyStatus::Active, "me"),
        ]
    );
    assert_eq!(told[told.len() - 2].reason.as_deref(), Some("due"));
    let records = store.key_records().await.unwrap();
    assert!(
        records[1]
            .rotation_due_at
            .as_ref()
            .unwrap()
            .ends_with("-01-01T00:00:00.000Z")
    );
    assert!(records[0].deactivated_at.is_some() && records[1].activated_at.is_some());
    assert!(store.key_transitions(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_key_moves_from_the_state_it_was_seen_in_and_by_legal_moves_only() {
    let mut fixture = keys().await;
    let (active, suspended) = (KeyStatus::Active, KeyStatus::Suspended);
    let store = &fixture.store;
    assert!(
        store
            .move_key(id(1), active, suspended, "me", "leave", &Unnoted)
            .await
            .unwrap()
    );
    assert!(
        !store
            .move_key(id(1), active, suspended, "me", "leave", &Unnoted)
            .await
            .unwrap()
    );
    assert!(
        !store
            .move_key(id(9), active, suspended, "me", "leave", &Unnoted)
            .await
            .unwrap()
    );
    for illegal in [KeyStatus::Destroyed, KeyStatus::PreActive] {
        let refused = store
            .move_key(id(1), suspended, illegal, "me", "no", &Unnoted)
            .await;
        assert!(
            matches!(refused, Err(StoreError::RowRefused { .. })),
            "{refused:?}"
        );
    }
    let (compromised, destroyed) = (KeyStatus::Compromised, KeyStatus::Destroyed);
    assert!(
        store
            .move_key(id(1), suspended, compromised, "me", "lost", &Unnoted)
            .await
            .unwrap()
    );
    assert!(
        store
            .move_key(id(1), compromised, destroyed, "me", "gone", &Unnoted)
            .await
            .unwrap()
    );
    assert_eq!(fixture.keys().await[0], "1 destroyed");
    let wrapped = "SELECT quote(wrapped_key) FROM phiseal_encryption_keys WHERE key_id = 1";
    assert_eq!(fixture.rows(wrapped).await, ["NULL"]);
}

fn counted(rows: i64) -> RotationCounts {
    RotationCounts {
        rows_found: rows,
        rows_resealed: rows - 1,
        conflicts: 2,
        quarantined: 1,
    }
}

#[tokio::test]
async fn what_lanes_counted_is_summed_once_and_kept() {
    let mut bench = BatchFixture::new(TABLE, beside()).await;
    let next = bench.fixture.key(2, "", false).await;
    let handovers = [handover(bench.key, next)];
    let begun = bench
        .fixture
        .store
        .begin_rotations(&handovers, DUE, "me", &Unnoted)
        .await;
    assert_eq!(begun.unwrap(), Some(vec![1]));
    let from = bench.key;
    bench.key = next;
    let count = |from_key_id, rows| RotationCount {
        history_id: 1,
        from_key_id,
        counts: counted(rows),
    };
    for batch in [vec![count(from, 10)], vec![count(from, 5), count(next, 3)]] {
        bench.begin(stamp(&bench.lane)).await.unwrap();
        bench.writer.count_rotation(&batch).await.unwrap();
        bench.writer.commit(&TALLY).await.unwrap();
        bench.lane.seq += 1;
    }
    // A batch that is rolled back is not counted.
    bench.begin(stamp(&bench.lane)).await.unwrap();
    bench
        .writer
        .count_rotation(&[count(from, 99)])
        .await
        .unwrap();
    bench.writer.rollback().await;
    let without_lane = bench.writer.count_rotation(&[count(from, 99)]).await;
    assert!(matches!(without_lane, Err(StoreError::Unexpected { .. })));
    let lanes = "SELECT from_key_id || ' ' || rows_found FROM phiseal_rotation_counts ORDER BY 1";
    assert_eq!(bench.fixture.rows(lanes).await, ["1 15", "2 3"]);

    let store = &bench.fixture.store;
    let done = store
        .finish_rotations(&[end(1, "{\"1\": 0}", REMAINDER)], &Unnoted)
        .await
        .unwrap()
        .remove(0);
    assert_eq!(
        done.counts,
        RotationCounts {
            rows_found: 18,
            rows_resealed: 15,
            conflicts: 6,
            quarantined: 3,
        }
    );
    assert_eq!(
        (done.kind, done.from_key_id, done.to_key_id),
        (RotationKind::Rotate, Some(from), Some(next))
    );
    assert_eq!(done.census.as_deref(), Some("{\"1\": 0}"));
    assert!(done.finished_at.is_some());
    let again = store
        .finish_rotations(&[end(1, "{}", COMPLETE)], &Unnoted)
        .await;
    assert_eq!(again.unwrap(), [done]);
    let missing = store
        .finish_rotations(&[end(7, "{}", COMPLETE)], &Unnoted)
        .await;
    assert!(missing.is_err());
    let run = format!("{}", bench.lane.run_id);
    let of_run = "SELECT CAST(run_id AS TEXT) FROM phiseal_key_rotation_history";
    assert_eq!(bench.fixture.rows(of_run).await, [run]);
}

#[tokio::test]
async fn unfinished_rotations_are_listed_before_all_others_whatever_the_limit() {
    let fixture = keys().await;
    let store = &fixture.store;
    for (from, to) in [(1, 2), (3, 4)] {
        let one = [handover(id(from), id(to))];
        store
            .begin_rotations(&one, DUE, "me", &Unnoted)
            .await
            .unwrap();
    }
    store
        .finish_rotations(&[end(2, "{}", COMPLETE)], &Unnoted)
        .await
        .unwrap();
    for (limit, listed) in [(0, vec![1]), (1, vec![1, 2]), (9, vec![1, 2])] {
        let records = store.rotations(limit).await.unwrap();
        let ids: Vec<i64> = records.iter().map(|record| record.history_id).collect();
        assert_eq!(ids, listed, "{limit}");
    }
}

#[tokio::test]
async fn a_rewrap_is_found_again_and_wraps_each_key_once() {
    let mut fixture = keys().await;
    let store = &fixture.store;
    let old = "wk:0123456789abcdef";
    let begun = store
        .begin_rewrap(old, "wk:new", "leaver", "me")
        .await
        .unwrap();
    let found = store
        .begin_rewrap("x", "wk:other", "again", "you")
        .await
        .unwrap();
    assert_eq!(found, begun);
    assert_eq!(
        (begun.kind, begun.to_kek_ref.as_deref()),
        (RotationKind::Rewrap, Some("wk:new"))
    );
    let destroyed = KeyStatus::Destroyed;
    assert!(
        store
            .move_key(id(4), KeyStatus::PreActive, destroyed, "me", "", &Unnoted)
            .await
            .unwrap()
    );
    let rewrapped: Vec<Rewrapped> = [1, 2, 4, 9]
        .map(|key| Rewrapped {
            key_id: id(key),
            from_kek_ref: old.to_owned(),
            to_kek_ref: "wk:new".to_owned(),
            wrapped_key: vec![9; 64],
        })
        .to_vec();
    let number = begun.history_id;
    assert_eq!(
        store
            .rewrap_keys(number, &rewrapped, &Unnoted)
            .await
            .unwrap(),
        2
    );
    assert_eq!(
        store
            .rewrap_keys(number, &rewrapped, &Unnoted)
            .await
            .unwrap(),
        0
    );
    let records = store.key_records().await.unwrap();
    let refs: Vec<&str> = records.iter().map(|key| key.kek_ref.as_str()).collect();
    assert_eq!(refs, ["wk:new", "wk:new", old, old]);
    let done = store.finish_rewrap(number, &Unnoted).await.unwrap();
    assert_eq!((done.counts.rows_found, done.counts.rows_resealed), (2, 2));
    assert_eq!(done.outcome.as_deref(), Some(COMPLETE));
    assert_eq!(store.finish_rewrap(number, &Unnoted).await.unwrap(), done);
    // A closed rewrap accepts no more keys: neither the count nor a key changes.
    let late = [Rewrapped {
        key_id: id(3),
        ..rewrapped[0].clone()
    }];
    assert!(store.rewrap_keys(number, &late, &Unnoted).await.is_err());
    let third = "SELECT kek_ref FROM phiseal_encryption_keys WHERE key_id = 3";
    assert_eq!(fixture.rows(third).await, [old]);
}
