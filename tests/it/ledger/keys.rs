//! The table of keys, and the states that keys go through.

use super::{Clerk, DUE, Own, id, is_missing, is_row_refused, new_key};
use crate::ops::on_both;
use crate::support::Fixture;
use phiseal::crypto::{KeyId, Purpose};
use phiseal::keys::{KeyStatus, NewKey, RotationPeriod, Unnoted};
use phiseal::store::StoreError;

on_both!(
    a_key_is_read_back_as_it_was_inserted,
    taken_ids_are_returned_and_all_other_keys_inserted,
    a_taken_version_refuses_all_keys_of_the_call,
    keys_are_found_by_their_ids_and_unknown_ids_left_out,
    keys_become_active_all_or_none,
    a_second_active_key_is_refused,
    a_key_is_due_at_the_beginning_of_a_day,
    three_hundred_keys_are_one_call,
    a_key_moves_from_the_state_it_was_seen_in_and_by_legal_moves_only,
    changes_of_keys_are_read_from_a_number_on_and_up_to_a_limit,
);

fn ids(numbers: impl IntoIterator<Item = i64>) -> Vec<KeyId> {
    numbers.into_iter().map(id).collect()
}

async fn a_key_is_read_back_as_it_was_inserted(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let new = [
        NewKey {
            reason: Some("a new clinic".to_owned()),
            ..new_key(2_147_483_647, "")
        },
        NewKey {
            purpose: Purpose::BlindIndex,
            ..new_key(1, "O'Neil \"x\"")
        },
    ];
    assert!(own.store.key_records().await.unwrap().is_empty());
    assert!(own.store.insert_keys(&new).await.unwrap().is_empty());
    let records = own.store.key_records().await.unwrap();
    let [large, small] = new;
    let made = |at: usize| records[at].created_at.clone();
    assert!(made(0).ends_with('Z'), "{}", made(0));
    let expected = [small.into_record(made(0)), large.into_record(made(1))];
    assert!(records == expected, "{records:?}");
}

async fn taken_ids_are_returned_and_all_other_keys_inserted(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let before = own.store.key_records().await.unwrap();
    let new = [
        new_key(6, "n"),
        NewKey {
            version: 7,
            ..new_key(1, "n")
        },
        new_key(5, "m"),
        // Taken with the same content, as by a call whose answer was lost.
        new_key(4, "m"),
    ];
    let taken = own.store.insert_keys(&new).await.unwrap();
    assert_eq!(taken, ids([1, 4]));
    let after = own.store.key_records().await.unwrap();
    assert!(after[..4] == before[..], "{after:?}");
    assert_eq!(own.states().await[4..], ["5 pre_active", "6 pre_active"]);
    assert!(own.store.insert_keys(&[]).await.unwrap().is_empty());
}

async fn a_taken_version_refuses_all_keys_of_the_call(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let before = own.states().await;
    let version_of_1 = NewKey {
        version: 1,
        ..new_key(6, "n")
    };
    let new = [new_key(5, "n"), version_of_1.clone()];
    assert!(is_row_refused(own.store.insert_keys(&new).await));
    assert_eq!(own.states().await, before);
    // Of another tenant or purpose, it is another version.
    let new = [
        NewKey {
            key_id: id(5),
            tenant: "o".to_owned(),
            ..version_of_1.clone()
        },
        NewKey {
            purpose: Purpose::BlindIndex,
            ..version_of_1
        },
    ];
    assert!(own.store.insert_keys(&new).await.unwrap().is_empty());
}

async fn keys_are_found_by_their_ids_and_unknown_ids_left_out(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let all = own.store.key_records().await.unwrap();
    for (asked, found) in [
        (vec![3, 99, 1], vec![0, 2]),
        (vec![2, 2], vec![1]),
        (vec![99], vec![]),
        (vec![], vec![]),
    ] {
        let records = own.store.key_records_by_id(&ids(asked.clone())).await;
        let expected: Vec<_> = found.into_iter().map(|at: usize| all[at].clone()).collect();
        assert!(records.unwrap() == expected, "{asked:?}");
    }
}

async fn keys_become_active_all_or_none(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    own.key(5, "o", false).await;
    own.key(6, "p", false).await;
    let before = own.states().await;
    let clerk = Clerk::default();
    // One that is active already, and one that does not exist.
    for asked in [[5, 1], [99, 6]] {
        let activated = own.store.activate_keys(&ids(asked), DUE, &clerk).await;
        assert!(is_missing(activated), "{asked:?}");
        assert_eq!(own.states().await, before);
    }
    assert!(clerk.told().is_empty());
    assert_eq!(own.head().await.0, 0);
    let activated = own.store.activate_keys(&ids([5, 6]), DUE, &clerk).await;
    activated.unwrap();
    assert_eq!(own.states().await[4..], ["5 active", "6 active"]);
    assert_eq!(clerk.told().len(), 1);
    let records = own.store.key_records_by_id(&ids([5, 6])).await.unwrap();
    assert!(records.iter().all(|key| key.activated_at.is_some()));
}

async fn a_second_active_key_is_refused(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    own.key(5, "o", false).await;
    let before = own.states().await;
    let activated = own.store.activate_keys(&ids([5, 2]), DUE, &Unnoted).await;
    assert!(is_row_refused(activated));
    assert_eq!(own.states().await, before);
}

async fn a_key_is_due_at_the_beginning_of_a_day(fixture: Fixture) {
    let own = Own::new(fixture).await;
    for (number, due, rest) in [
        (1, RotationPeriod::Year, "-01-01T00:00:00"),
        (2, RotationPeriod::Quarter, "-01T00:00:00"),
        (3, RotationPeriod::Month, "-01T00:00:00"),
        (4, RotationPeriod::Days(90), "T00:00:00"),
    ] {
        own.key(number, &format!("tenant {number}"), false).await;
        let activated = own.store.activate_keys(&ids([number]), due, &Unnoted).await;
        activated.unwrap();
        let record = own.store.key_records_by_id(&ids([number])).await.unwrap();
        let at = record[0].rotation_due_at.as_ref().unwrap();
        let whole_seconds = &at[.."2026-01-01T00:00:00".len()];
        assert!(whole_seconds.ends_with(rest), "{due}: {at}");
        assert!(at > record[0].activated_at.as_ref().unwrap(), "{due}: {at}");
    }
}

async fn three_hundred_keys_are_one_call(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let numbers = || (1..=300).rev();
    let mut new: Vec<_> = numbers()
        .map(|number| new_key(number, &format!("tenant {number}")))
        .collect();
    assert!(own.store.insert_keys(&new).await.unwrap().is_empty());
    new.push(new_key(301, "one more"));
    let taken = own.store.insert_keys(&new).await.unwrap();
    assert_eq!(taken, ids(numbers()));

    let all = ids(numbers());
    own.store.activate_keys(&all, DUE, &Unnoted).await.unwrap();
    let asked = ids(numbers().chain([999]));
    let records = own.store.key_records_by_id(&asked).await.unwrap();
    assert_eq!(records.len(), 300);
    for (record, number) in records.iter().zip(1..) {
        assert_eq!(record.key_id, id(number));
        assert_eq!(record.tenant, format!("tenant {number}"));
        assert_eq!(record.status, KeyStatus::Active);
    }
    let last = own.states().await;
    assert_eq!(last[300..], ["301 pre_active"]);
    // Each was made and became active.
    let changes = own.store.key_transitions(&all).await.unwrap();
    assert_eq!(changes.len(), 600);
}

/// Moves a key on; whether it was in the state `from`.
async fn move_key(
    own: &Own,
    number: i64,
    from: KeyStatus,
    to: KeyStatus,
) -> Result<bool, StoreError> {
    own.store
        .move_key(id(number), from, to, "me", "a reason", &Unnoted)
        .await
}

async fn a_key_moves_from_the_state_it_was_seen_in_and_by_legal_moves_only(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let moved = |number, from, to| move_key(&own, number, from, to);
    let (active, suspended) = (KeyStatus::Active, KeyStatus::Suspended);
    assert!(moved(1, active, suspended).await.unwrap());
    assert!(!moved(1, active, suspended).await.unwrap());
    assert!(!moved(9, active, suspended).await.unwrap());
    let (compromised, destroyed) = (KeyStatus::Compromised, KeyStatus::Destroyed);
    for illegal in [destroyed, KeyStatus::PreActive] {
        let refused = moved(1, suspended, illegal).await;
        assert!(
            matches!(
                refused,
                Err(StoreError::RowRefused { .. } | StoreError::Refused { .. })
            ),
            "{refused:?}"
        );
        assert_eq!(own.states().await[0], "1 suspended");
    }
    assert!(moved(1, suspended, compromised).await.unwrap());
    let record = own.store.key_records().await.unwrap().remove(0);
    assert!(record.wrapped_key.is_some());
    assert!(moved(1, compromised, destroyed).await.unwrap());
    assert_eq!(own.states().await[0], "1 destroyed");
    let record = own.store.key_records().await.unwrap().remove(0);
    assert_eq!(record.wrapped_key, None);
    assert_eq!(record.reason.as_deref(), Some("a reason"));
    let times = [
        record.activated_at,
        record.compromised_at,
        record.destroyed_at,
    ];
    assert!(times.iter().all(Option::is_some), "{times:?}");
    assert!(record.deactivated_at.is_none());
}

async fn changes_of_keys_are_read_from_a_number_on_and_up_to_a_limit(fixture: Fixture) {
    let own = Own::with_four_keys(fixture).await;
    let all = own.store.key_changes(0, 99).await.unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|change| change.columns.each_ref().map(|text| text.as_deref()))
        .map(|[key, from, to, at, actor, reason]| {
            assert!(at.unwrap().ends_with('Z'));
            assert_eq!((actor, reason), (Some("maker"), None));
            (key.unwrap(), from, to.unwrap())
        })
        .collect();
    let (made, active) = ("pre_active", "active");
    let expected = [
        ("1", None, made),
        ("1", Some(made), active),
        ("2", None, made),
        ("3", None, made),
        ("3", Some(made), active),
        ("4", None, made),
    ];
    assert_eq!(told, expected);
    assert!(all.iter().all(|change| !change.ours));
    assert!(all.is_sorted_by(|one, next| one.transition_id < next.transition_id));
    let second = all[1].transition_id;
    let two = own.store.key_changes(second, 2).await.unwrap();
    assert_eq!(two, all[1..3]);
    let after = all[5].transition_id + 1;
    assert!(own.store.key_changes(after, 9).await.unwrap().is_empty());
    assert!(own.store.key_changes(0, 0).await.unwrap().is_empty());
}
