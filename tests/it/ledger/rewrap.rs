//! The rewrap: each key is wrapped again once, and the closed record accepts no more.

use super::{Clerk, Own, WRAPPING_KEY, id};
use crate::ops::on_both;
use crate::support::Fixture;
use phiseal::keys::rotation::COMPLETE;
use phiseal::keys::{KeyStatus, Rewrapped, RotationKind, Unnoted};

on_both!(
    a_rewrap_is_found_again_and_wraps_each_key_once,
    a_closed_rewrap_accepts_no_more_keys,
    a_rewrap_is_noted_when_it_stores_a_key_and_once_when_it_ends,
);

const NEW: &str = "wk:new";

fn rewrapped(number: i64) -> Rewrapped {
    Rewrapped {
        key_id: id(number),
        from_kek_ref: WRAPPING_KEY.to_owned(),
        to_kek_ref: NEW.to_owned(),
        wrapped_key: vec![9; 64],
    }
}

/// Begins a rewrap; its number.
async fn begin(own: &Own) -> i64 {
    let begun = own.store.begin_rewrap(WRAPPING_KEY, NEW, "leaver", "me");
    begun.await.unwrap().history_id
}

/// The wrapping key of each key.
async fn references(own: &Own) -> Vec<String> {
    let records = own.store.key_records().await.unwrap();
    records.into_iter().map(|key| key.kek_ref).collect()
}

async fn a_rewrap_is_found_again_and_wraps_each_key_once(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let store = &own.store;
    let begun = store.begin_rewrap(WRAPPING_KEY, NEW, "leaver", "me").await;
    let begun = begun.unwrap();
    assert_eq!(begun.kind, RotationKind::Rewrap);
    assert_eq!(begun.from_kek_ref.as_deref(), Some(WRAPPING_KEY));
    assert_eq!(begun.to_kek_ref.as_deref(), Some(NEW));
    assert_eq!(
        (begun.reason.as_str(), begun.actor.as_str()),
        ("leaver", "me")
    );
    assert_eq!((begun.from_key_id, begun.to_key_id), (None, None));
    let found = store.begin_rewrap("x", "wk:other", "again", "you").await;
    assert_eq!(found.unwrap(), begun);

    let (made, destroyed) = (KeyStatus::PreActive, KeyStatus::Destroyed);
    let moved = store
        .move_key(id(4), made, destroyed, "me", "", &Unnoted)
        .await;
    assert!(moved.unwrap());
    // One that is destroyed, and one that does not exist.
    let keys = [1, 2, 4, 9].map(rewrapped);
    let number = begun.history_id;
    for stored in [2, 0] {
        let done = store.rewrap_keys(number, &keys, &Unnoted).await;
        assert_eq!(done.unwrap(), stored);
    }
    assert_eq!(
        references(&own).await,
        [NEW, NEW, WRAPPING_KEY, WRAPPING_KEY]
    );
    let records = store.key_records().await.unwrap();
    let wrapped: Vec<_> = records.iter().map(|key| key.wrapped_key.clone()).collect();
    let (old, new) = (Some(vec![1; 64]), Some(vec![9; 64]));
    assert_eq!(wrapped, [new.clone(), new, old, None]);

    let done = store.finish_rewrap(number, &Unnoted).await.unwrap();
    assert_eq!((done.counts.rows_found, done.counts.rows_resealed), (2, 2));
    assert_eq!(done.outcome.as_deref(), Some(COMPLETE));
    assert!(done.finished_at.is_some());
    assert_eq!(store.finish_rewrap(number, &Unnoted).await.unwrap(), done);
    assert_eq!(store.rotations(9).await.unwrap(), [done]);
    assert_ne!(begin(&own).await, number);
}

async fn a_closed_rewrap_accepts_no_more_keys(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let number = begin(&own).await;
    let first = [rewrapped(1)];
    let stored = own.store.rewrap_keys(number, &first, &Unnoted).await;
    assert_eq!(stored.unwrap(), 1);
    let done = own.store.finish_rewrap(number, &Unnoted).await.unwrap();
    // Neither the count nor a key changes.
    let late = [rewrapped(3)];
    let refused = own.store.rewrap_keys(number, &late, &Unnoted).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(references(&own).await[2], WRAPPING_KEY);
    assert_eq!(own.store.rotations(9).await.unwrap(), [done]);
    assert!(own.store.finish_rewrap(99, &Unnoted).await.is_err());
}

async fn a_rewrap_is_noted_when_it_stores_a_key_and_once_when_it_ends(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let clerk = Clerk::default();
    let number = begin(&own).await;
    let keys = [1, 2].map(rewrapped);
    for notes in [1, 0] {
        let stored = own.store.rewrap_keys(number, &keys, &clerk).await;
        stored.unwrap();
        let told = clerk.told();
        assert_eq!(told.len(), notes);
        for one in told {
            assert_eq!(one.records.len(), 1);
            assert_eq!(one.records[0].counts.rows_resealed, 2);
        }
    }
    for notes in [1, 0] {
        let done = own.store.finish_rewrap(number, &clerk).await.unwrap();
        let told = clerk.told();
        assert_eq!(told.len(), notes);
        for one in told {
            assert_eq!(one.records, std::slice::from_ref(&done));
        }
    }
    assert_eq!(own.head().await.0, 2);
}
