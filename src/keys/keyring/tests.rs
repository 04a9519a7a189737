use super::super::fake::{DownProvider, FakeTable, key_for, provider, record};
use super::*;

fn id(number: i64) -> KeyId {
    KeyId::new(number).unwrap()
}

/// One key in each state: ids 1 to 6 in the order of the states, tenants `t1` to `t6`.
async fn each_state(provider: &dyn KeyProvider) -> Vec<KeyRecord> {
    let mut records = Vec::new();
    for (n, status) in (1..).zip(KeyStatus::ALL) {
        records.push(record(provider, n, &key_for(&format!("t{n}")), status).await);
    }
    records
}

#[tokio::test]
async fn each_refusal_to_open_has_its_own_error() {
    let provider = provider();
    let ring = Keyring::load(&each_state(&provider).await, &provider)
        .await
        .unwrap();
    assert!(matches!(
        ring.openable(id(1)),
        Err(KeyError::NeverActivated { .. })
    ));
    assert!(matches!(
        ring.openable(id(6)),
        Err(KeyError::Destroyed { .. })
    ));
    assert!(matches!(
        ring.openable(id(7)),
        Err(KeyError::Unknown { .. })
    ));
    assert_eq!(ring.ids(), [2, 3, 4, 5].map(id));
    for n in 2..=5 {
        assert_eq!(ring.openable(id(n)).unwrap().key_id(), id(n));
    }
}

#[tokio::test]
async fn only_the_active_key_of_that_tenant_and_purpose_seals() {
    let provider = provider();
    let ring = Keyring::load(&each_state(&provider).await, &provider)
        .await
        .unwrap();
    assert_eq!(ring.sealing("t2", Purpose::Cell).unwrap().key_id(), id(2));
    for (tenant, purpose) in [
        ("t2", Purpose::BlindIndex),
        ("t1", Purpose::Cell),
        ("", Purpose::Cell),
    ] {
        assert!(ring.active(tenant, purpose).is_none());
        let refused = ring.sealing(tenant, purpose);
        assert!(matches!(refused, Err(KeyError::NoneActive { .. })));
    }
    for tenant in ["t3", "t4", "t5"] {
        let refused = ring.sealing(tenant, Purpose::Cell);
        assert!(matches!(refused, Err(KeyError::MayNotSeal { .. })));
    }
}

#[tokio::test]
async fn all_faults_are_reported_at_once_and_wrong_wrapping_keys_first() {
    let (ours, theirs) = (provider(), provider());
    let mut records = Vec::new();
    for n in 1..=3 {
        records.push(record(&ours, n, &key_for("a"), KeyStatus::Deactivated).await);
    }
    records[0].wrapped_key.as_mut().unwrap()[20] ^= 1;
    records[1].check_value[31] ^= 1;
    records[2].wrapped_key = None;
    records.push(record(&theirs, 4, &key_for("a"), KeyStatus::Active).await);
    let faults = Keyring::load(&records, &ours).await.unwrap_err();
    let found: Vec<_> = faults
        .iter()
        .map(|fault| (fault.key_id.get(), &fault.error))
        .collect();
    assert!(matches!(
        found.as_slice(),
        [
            (4, KeyError::WrongWrappingKey { .. }),
            (1, KeyError::DoesNotUnwrap { .. }),
            (2, KeyError::CheckValueDiffers { .. }),
            (3, KeyError::WrappedKeyMissing { .. }),
        ]
    ));
    assert_eq!(faults.to_string().lines().count(), 4);
    assert_eq!(crate::error::Coded::exit(&faults).number(), 7);
}

#[tokio::test]
async fn a_wrong_wrapping_key_is_named_without_asking_the_provider() {
    let stored = provider();
    let down = DownProvider(provider());
    let records = [record(&stored, 1, &key_for(""), KeyStatus::Active).await];
    let faults = Keyring::load(&records, &down)
        .await
        .unwrap_err()
        .to_string();
    assert_eq!(
        faults,
        format!(
            "key 1 is wrapped under {}, the wrapping key given is {}",
            stored.reference(),
            down.reference()
        )
    );
}

#[tokio::test]
async fn blobs_swapped_between_tenants_do_not_unwrap() {
    let provider = provider();
    let mut one = record(&provider, 1, &key_for("a"), KeyStatus::Active).await;
    let mut two = record(&provider, 2, &key_for("b"), KeyStatus::Active).await;
    std::mem::swap(&mut one.wrapped_key, &mut two.wrapped_key);
    std::mem::swap(&mut one.check_value, &mut two.check_value);
    let faults = Keyring::load(&[one, two], &provider).await.unwrap_err();
    assert_eq!(faults.iter().count(), 2);
    assert!(
        faults
            .iter()
            .all(|fault| matches!(fault.error, KeyError::DoesNotUnwrap { .. }))
    );
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_a_fault_of_every_key() {
    let down = DownProvider(provider());
    let records = each_state(&down.0).await;
    let faults = Keyring::load(&records, &down).await.unwrap_err();
    assert_eq!(faults.iter().count(), 4);
    let silent = |fault: &KeyFault| matches!(fault.error, KeyError::ProviderUnavailable { .. });
    assert!(faults.iter().all(silent));
}

#[tokio::test]
async fn a_damaged_key_that_was_never_used_stops_nobody_but_is_shown_by_the_check() {
    let provider = provider();
    let mut records = each_state(&provider).await;
    records[0].check_value.clear();
    let ring = Keyring::load(&records, &provider).await.unwrap();
    assert!(matches!(
        ring.openable(id(1)),
        Err(KeyError::Unknown { .. })
    ));
    let checks = Keyring::check_all(&records, &provider).await;
    let bad: Vec<_> = checks
        .iter()
        .filter(|check| check.outcome.is_err())
        .collect();
    assert_eq!(checks.len(), 6);
    assert_eq!(bad.len(), 1);
    assert_eq!(
        (bad[0].key_id, bad[0].status),
        (id(1), KeyStatus::PreActive)
    );
}

#[tokio::test]
async fn a_new_key_joins_and_snapshots_taken_before_stay_as_they_are() {
    let table = FakeTable::new(None);
    let ring = Keyring::default();
    let before = ring.snapshot();
    let record = record(table.provider(), 9, &key_for("new"), KeyStatus::Active).await;
    let loaded = Keyring::load(&[record], table.provider()).await.unwrap();
    ring.add(loaded.snapshot().loaded().cloned());
    assert!(before.openable(id(9)).is_err());
    assert_eq!(ring.active("new", Purpose::Cell).unwrap().key_id(), id(9));
}

#[tokio::test]
async fn a_newer_version_that_joins_seals_and_the_older_still_opens() {
    let provider = provider();
    for _ in 0..8 {
        let ring = Keyring::default();
        for (n, version) in [(2, 2), (1, 1), (3, 3)] {
            let mut record = record(&provider, n, &key_for("a"), KeyStatus::Active).await;
            record.version = version;
            let loaded = Keyring::load(&[record], &provider).await.unwrap();
            ring.add(loaded.snapshot().loaded().cloned());
        }
        assert_eq!(ring.active("a", Purpose::Cell).unwrap().key_id(), id(3));
        assert_eq!(ring.ids(), [1, 2, 3].map(id));
    }
}

#[tokio::test]
async fn a_key_that_joins_again_deactivated_no_longer_seals() {
    let provider = provider();
    let mut record = record(&provider, 1, &key_for("a"), KeyStatus::Active).await;
    let ring = Keyring::load(std::slice::from_ref(&record), &provider)
        .await
        .unwrap();
    record.status = KeyStatus::Deactivated;
    let loaded = Keyring::load(&[record], &provider).await.unwrap();
    ring.add(loaded.snapshot().loaded().cloned());
    assert!(ring.active("a", Purpose::Cell).is_none());
}

#[tokio::test]
async fn a_refresh_takes_over_states_without_asking_the_provider_again() {
    let ours = provider();
    let mut records = each_state(&ours).await;
    let ring = Keyring::load(&records, &ours).await.unwrap();
    records[1].status = KeyStatus::Deactivated;
    records.pop();
    // A provider asked now would not answer.
    let down = DownProvider(ours);
    ring.refresh(&records, &down).await.unwrap();
    assert!(ring.active("t2", Purpose::Cell).is_none());
    assert_eq!(
        ring.openable(id(2)).unwrap().status(),
        KeyStatus::Deactivated
    );
}

#[tokio::test]
async fn a_refresh_that_finds_a_fault_changes_nothing() {
    let provider = provider();
    let mut records = each_state(&provider).await;
    let ring = Keyring::load(&records, &provider).await.unwrap();
    records[1].status = KeyStatus::Deactivated;
    records[2].kek_ref.push('x');
    ring.refresh(&records, &provider).await.unwrap_err();
    assert!(ring.active("t2", Purpose::Cell).is_some());
}

#[tokio::test]
async fn nothing_printed_holds_a_key_or_a_tenant() {
    let provider = provider();
    let record = record(&provider, 3, &key_for("clinic-secret"), KeyStatus::Active).await;
    let ring = Keyring::load(std::slice::from_ref(&record), &provider)
        .await
        .unwrap();
    let key = ring.openable(id(3)).unwrap();
    let printed = format!("{record:?} {key:?} {ring:?} {provider:?}");
    assert!(!printed.contains("clinic-secret"));
    for bytes in [record.wrapped_key.unwrap(), record.check_value] {
        assert!(!printed.contains(&format!("{bytes:?}")));
    }
}
