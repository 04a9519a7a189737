use subtle::ConstantTimeEq;

use super::super::fake::{DownProvider, FakeTable, Fault, key_for, provider, record};
use super::*;

fn issuer(table: &FakeTable) -> Issuer<'_> {
    Issuer {
        scribe: &crate::keys::Unnoted,
        table,
        provider: table.provider(),
        actor: "tester",
        reason: Some("a test"),
        due: RotationPeriod::Quarter,
    }
}

fn active(table: &FakeTable) -> Vec<KeyRecord> {
    let mut records = table.records();
    records.retain(|record| record.status == KeyStatus::Active);
    records
}

#[tokio::test]
async fn an_issued_key_is_active_wrapped_and_the_same_when_loaded_again() {
    let table = FakeTable::new(None);
    let key = issuer(&table).issue("a", Purpose::Cell).await.unwrap();
    assert_eq!(
        (key.status(), key.version(), key.tenant()),
        (KeyStatus::Active, 1, "a")
    );
    let stored = table.records();
    let [record] = stored.as_slice() else {
        panic!("one key was asked for")
    };
    assert_eq!(record.created_by, "tester");
    assert_eq!(record.reason.as_deref(), Some("a test"));
    let loaded = examine(record, table.provider()).await.unwrap();
    assert!(bool::from(loaded.data_key().ct_eq(key.data_key())));
}

#[tokio::test]
async fn a_key_whose_stored_form_is_damaged_is_never_activated() {
    for fault in [Fault::FlipWrapped, Fault::FlipCheck] {
        let table = FakeTable::new(Some(fault));
        let refused = issuer(&table).issue("a", Purpose::Cell).await.unwrap_err();
        assert!(
            matches!(refused, KeyError::ReadBackDiffers { .. }),
            "{fault:?}"
        );
        assert_eq!(active(&table), [], "{fault:?}");
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_read_back_is_never_activated() {
    for fault in [Fault::Lose, Fault::Blank] {
        let table = FakeTable::new(Some(fault));
        let refused = issuer(&table).issue("a", Purpose::Cell).await.unwrap_err();
        assert!(
            matches!(refused, KeyError::ReadBackMissing { .. }),
            "{fault:?}"
        );
        assert_eq!(active(&table), [], "{fault:?}");
    }
}

#[tokio::test]
async fn keys_whose_blobs_were_swapped_between_tenants_are_never_activated() {
    let table = FakeTable::new(Some(Fault::Swap));
    let wanted = [key_for("a"), key_for("b")];
    let refused = issuer(&table).issue_or_join(&wanted).await.unwrap_err();
    assert!(matches!(refused, KeyError::ReadBackDiffers { .. }));
    assert_eq!(active(&table), []);
}

#[tokio::test]
async fn nothing_is_stored_when_the_provider_does_not_answer() {
    let table = FakeTable::new(None);
    let down = DownProvider(provider());
    let issuer = Issuer {
        provider: &down,
        ..issuer(&table)
    };
    let refused = issuer.issue("a", Purpose::Cell).await.unwrap_err();
    assert!(matches!(refused, KeyError::ProviderUnavailable { .. }));
    assert_eq!(table.records(), []);
}

#[tokio::test]
async fn an_id_that_is_taken_is_drawn_again_a_bounded_number_of_times() {
    let table = FakeTable::new(Some(Fault::Taken(3)));
    let wanted = [key_for("a"), key_for("b")];
    let keys = issuer(&table).issue_or_join(&wanted).await.unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(active(&table).len(), 2);

    let table = FakeTable::new(Some(Fault::Taken(u32::MAX)));
    let refused = issuer(&table).issue("a", Purpose::Cell).await.unwrap_err();
    assert!(matches!(
        refused,
        KeyError::NoFreeId {
            attempts: ATTEMPTS_MAX
        }
    ));
}

#[tokio::test]
async fn a_version_taken_meanwhile_is_counted_again_a_bounded_number_of_times() {
    let table = FakeTable::new(Some(Fault::VersionTaken(2)));
    issuer(&table).issue("a", Purpose::Cell).await.unwrap();

    let table = FakeTable::new(Some(Fault::VersionTaken(u32::MAX)));
    let refused = issuer(&table).issue("a", Purpose::Cell).await.unwrap_err();
    assert!(matches!(
        refused,
        KeyError::Store(StoreError::RowRefused { .. })
    ));
}

#[tokio::test]
async fn a_second_key_is_refused_while_one_is_active_and_nothing_is_stored() {
    let table = FakeTable::new(None);
    issuer(&table).issue("a", Purpose::Cell).await.unwrap();
    let refused = issuer(&table).issue("a", Purpose::Cell).await.unwrap_err();
    assert!(matches!(refused, KeyError::AlreadyActive { .. }));
    assert_eq!(table.records().len(), 1);
    issuer(&table)
        .issue("a", Purpose::BlindIndex)
        .await
        .unwrap();
    issuer(&table).issue("b", Purpose::Cell).await.unwrap();
}

#[tokio::test]
async fn creating_a_key_says_already_active_when_another_process_was_first() {
    let table = FakeTable::new(Some(Fault::Rival));
    let refused = issuer(&table).issue("a", Purpose::Cell).await.unwrap_err();
    assert!(matches!(refused, KeyError::AlreadyActive { .. }));
    assert_eq!(active(&table).len(), 1);
}

#[tokio::test]
async fn a_tenant_key_of_another_process_is_used_when_that_process_was_first() {
    let table = FakeTable::new(Some(Fault::Rival));
    let wanted = [key_for("a"), key_for("b")];
    let keys = issuer(&table).issue_or_join(&wanted).await.unwrap();
    let ids: Vec<_> = active(&table).iter().map(|record| record.key_id).collect();
    assert_eq!(keys[0].key_id().get(), 999);
    assert_eq!((keys[0].tenant(), keys[1].tenant()), ("a", "b"));
    assert_eq!(ids.len(), 2);
    assert!(keys.iter().all(|key| ids.contains(&key.key_id())));
}

#[tokio::test]
async fn many_tenants_take_as_few_round_trips_as_one_and_come_back_in_order() {
    let (one, many) = (FakeTable::new(None), FakeTable::new(None));
    issuer(&one).issue_or_join(&[key_for("x")]).await.unwrap();
    let wanted: Vec<_> = (0..50).map(|n| key_for(&format!("t{n}"))).collect();
    // Each key is wanted twice but made once.
    let doubled = [wanted.clone(), wanted].concat();
    let keys = issuer(&many).issue_or_join(&doubled).await.unwrap();
    assert_eq!(one.calls(), many.calls());
    assert_eq!(many.records().len(), 50);
    assert_eq!(keys.len(), 100);
    assert!(
        keys.iter()
            .zip(&doubled)
            .all(|(key, asked)| key.tenant() == asked.tenant)
    );
}

#[tokio::test]
async fn an_active_key_is_joined_without_making_another() {
    let table = FakeTable::new(None);
    let first = issuer(&table).issue_or_join(&[key_for("a")]).await.unwrap();
    let again = issuer(&table).issue_or_join(&[key_for("a")]).await.unwrap();
    assert_eq!(first[0].key_id(), again[0].key_id());
    assert_eq!(table.records().len(), 1);
}

#[tokio::test]
async fn a_key_taken_out_of_use_is_not_replaced_unasked() {
    for status in [
        KeyStatus::Suspended,
        KeyStatus::Deactivated,
        KeyStatus::Compromised,
    ] {
        let table = FakeTable::new(None);
        let key = issuer(&table).issue("a", Purpose::Cell).await.unwrap();
        table.set_status(key.key_id(), status);
        let refused = issuer(&table)
            .issue_or_join(&[key_for("a")])
            .await
            .unwrap_err();
        assert!(matches!(refused, KeyError::MayNotSeal { status: found, .. } if found == status));
        // An explicit request does make a new key.
        let next = issuer(&table).issue("a", Purpose::Cell).await.unwrap();
        assert_eq!(next.version(), 2);
    }
}

#[tokio::test]
async fn a_joined_key_under_another_wrapping_key_is_refused() {
    let table = FakeTable::new(None);
    table.put(record(&provider(), 5, &key_for("a"), KeyStatus::Active).await);
    let refused = issuer(&table)
        .issue_or_join(&[key_for("a")])
        .await
        .unwrap_err();
    assert!(matches!(refused, KeyError::WrongWrappingKey { .. }));
}

#[tokio::test]
async fn a_lost_answer_to_an_activation_is_settled_by_reading() {
    let table = FakeTable::new(Some(Fault::Unanswered));
    let key = issuer(&table).issue("a", Purpose::Cell).await.unwrap();
    assert_eq!(active(&table)[0].key_id, key.key_id());
}

#[tokio::test]
async fn an_activation_that_did_not_happen_is_noticed() {
    let table = FakeTable::new(Some(Fault::Idle));
    let refused = issuer(&table).issue("a", Purpose::Cell).await.unwrap_err();
    assert!(matches!(refused, KeyError::NotActivated { .. }));
}

#[tokio::test]
async fn a_prepared_key_stays_pre_active_beside_the_active_one() {
    let table = FakeTable::new(None);
    issuer(&table).issue("a", Purpose::Cell).await.unwrap();
    let prepared = issuer(&table).prepare(&[key_for("a")]).await.unwrap();
    assert_eq!(prepared[0].version(), 2);
    assert_eq!(prepared[0].status(), KeyStatus::PreActive);
    assert_eq!(active(&table).len(), 1);
}
