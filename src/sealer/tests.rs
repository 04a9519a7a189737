use super::*;
use crate::crypto::{Date, KeyPart, Normaliser};
use crate::error::Coded;
use crate::keys::fake::{FakeTable, key_for};
use crate::keys::{Issuer, KeyFor, KeyStatus, RotationPeriod};

const ROW: &[KeyPart] = &[KeyPart::Int(42)];

fn field() -> Field {
    Field::new("public.patients", "ssn")
}

/// Active keys of both purposes for `a` and `b`.
async fn table() -> FakeTable {
    let table = FakeTable::new(None);
    let issuer = Issuer {
        table: &table,
        provider: table.provider(),
        actor: "tester",
        reason: None,
        scribe: &crate::keys::Unnoted,
        due: RotationPeriod::Year,
    };
    let index_key = |tenant: &str| KeyFor {
        purpose: Purpose::BlindIndex,
        ..key_for(tenant)
    };
    let wanted = [key_for("a"), key_for("b"), index_key("a"), index_key("b")];
    issuer.issue_or_join(&wanted).await.unwrap();
    table
}

async fn ring(table: &FakeTable) -> Arc<Keyring> {
    Arc::new(
        Keyring::load(&table.records(), table.provider())
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn what_is_sealed_opens_in_both_forms_padded_or_not() {
    let ring = ring(&table().await).await;
    for pad_to in [0, 16] {
        let sealer = Sealer::new(Arc::clone(&ring), field().pad_to(pad_to));
        let opener = Opener::new(Arc::clone(&ring), field().pad_to(pad_to));
        for value in ["", "123-45-6789", "\u{1f642}"] {
            let sealed = sealer.seal("a", ROW, value.as_bytes()).unwrap();
            assert_eq!(*opener.open("a", ROW, &sealed).unwrap(), *value.as_bytes());
            let sealed = sealer.seal_text("a", ROW, value).unwrap();
            assert!(sealed.starts_with("ps1."));
            let opened = opener.open("a", ROW, sealed.as_bytes()).unwrap();
            assert_eq!(opened.text().unwrap(), value);
        }
    }
}

#[tokio::test]
async fn a_value_moved_to_another_row_column_table_or_tenant_does_not_open() {
    let ring = ring(&table().await).await;
    let sealed = Sealer::new(Arc::clone(&ring), field())
        .seal("a", ROW, b"x")
        .unwrap();
    let open = |field, tenant, row: &[KeyPart]| {
        Opener::new(Arc::clone(&ring), field)
            .open(tenant, row, &sealed)
            .unwrap_err()
    };
    for refused in [
        open(field(), "a", &[KeyPart::Int(43)]),
        open(Field::new("public.patients", "name"), "a", ROW),
        open(Field::new("public.people", "ssn"), "a", ROW),
    ] {
        assert!(matches!(refused, ValueError::DoesNotOpen { .. }));
    }
    let refused = open(field(), "b", ROW);
    assert!(matches!(
        refused,
        ValueError::Key(KeyError::OtherTenant { .. })
    ));
}

#[tokio::test]
async fn a_changed_value_or_key_id_does_not_open() {
    let table = table().await;
    let ring = ring(&table).await;
    let opener = Opener::new(Arc::clone(&ring), field());
    let sealed = Sealer::new(ring, field()).seal("a", ROW, b"x").unwrap();
    let mut flipped = sealed.clone();
    flipped[18] ^= 1;
    let refused = opener.open("a", ROW, &flipped).unwrap_err();
    assert!(matches!(refused, ValueError::DoesNotOpen { .. }));
    assert_eq!(refused.code(), "E0323");

    let with_key = |key_id: u32| {
        let mut other = sealed.clone();
        other[2..6].copy_from_slice(&key_id.to_be_bytes());
        opener.open("a", ROW, &other).unwrap_err()
    };
    let records = table.records();
    let index_key = records
        .iter()
        .find(|r| r.tenant == "a" && r.purpose == Purpose::BlindIndex);
    let refused = with_key(index_key.unwrap().key_id.get());
    assert!(matches!(
        refused,
        ValueError::Key(KeyError::OtherPurpose { .. })
    ));
    let free = (1..)
        .find(|id| records.iter().all(|r| r.key_id.get() != *id))
        .unwrap();
    assert!(matches!(
        with_key(free),
        ValueError::Key(KeyError::Unknown { .. })
    ));
}

#[tokio::test]
async fn what_is_not_sealed_is_refused_and_not_repeated() {
    let opener = Opener::new(ring(&table().await).await, field());
    for plain in [&b"123-45-6789"[..], b"", &[0xE7, 0x09], b"ps2.AAAA"] {
        let refused = opener.open("a", ROW, plain).unwrap_err();
        assert!(matches!(refused, ValueError::Envelope(_)));
        assert!(!format!("{refused} {refused:?}").contains("123"));
    }
    for plain in ["ps1.***", "ps1.123", "ps1.123-45-6789"] {
        let refused = opener.open("a", ROW, plain.as_bytes()).unwrap_err();
        assert!(matches!(refused, ValueError::Text(_)), "{plain}");
        assert!(!format!("{refused} {refused:?}").contains("123"));
    }
    let none: [KeyPart; 0] = [];
    let refused = opener.open("a", none, b"").unwrap_err();
    assert!(matches!(refused, ValueError::RowKey(_)));
}

#[tokio::test]
async fn a_key_that_is_not_active_opens_but_does_not_seal() {
    let table = table().await;
    let sealed = Sealer::new(ring(&table).await, field())
        .seal("a", ROW, b"x")
        .unwrap();
    let key_id = Envelope::parse(&sealed).unwrap().key_id();
    for status in [
        KeyStatus::Suspended,
        KeyStatus::Deactivated,
        KeyStatus::Compromised,
    ] {
        table.set_status(key_id, status);
        let ring = ring(&table).await;
        let opener = Opener::new(Arc::clone(&ring), field());
        assert_eq!(*opener.open("a", ROW, &sealed).unwrap(), *b"x");
        let refused = Sealer::new(ring, field()).seal("a", ROW, b"x").unwrap_err();
        assert!(matches!(
            refused,
            ValueError::Key(KeyError::MayNotSeal { .. })
        ));
    }
    table.set_status(key_id, KeyStatus::Destroyed);
    let refused = Opener::new(ring(&table).await, field())
        .open("a", ROW, &sealed)
        .unwrap_err();
    assert!(matches!(
        refused,
        ValueError::Key(KeyError::Destroyed { .. })
    ));
}

#[tokio::test]
async fn a_tenant_without_a_key_is_refused() {
    let sealer = Sealer::new(ring(&table().await).await, field());
    for tenant in ["", "c"] {
        let refused = sealer.seal(tenant, ROW, b"x").unwrap_err();
        assert!(matches!(
            refused,
            ValueError::Key(KeyError::NoneActive { .. })
        ));
    }
}

#[tokio::test]
async fn equal_values_have_equal_indexes_in_one_tenant_and_column_only() {
    let ring = ring(&table().await).await;
    let spec = IndexSpec::new(Normaliser::Digits, 128).unwrap();
    let index = |field: Field, tenant, value| {
        Sealer::new(Arc::clone(&ring), field.blind_index(spec))
            .blind_index(tenant, value)
            .unwrap()
    };
    let one = index(field(), "a", "123-45-6789").unwrap();
    assert_eq!(one.len(), 16);
    assert_eq!(index(field(), "a", "123 456789"), Some(one.clone()));
    assert_ne!(index(field(), "b", "123-45-6789"), Some(one.clone()));
    assert_ne!(
        index(Field::new("public.patients", "tin"), "a", "123-45-6789"),
        Some(one)
    );
    assert_eq!(index(field(), "a", "none"), None);
    let refused = Sealer::new(ring, field())
        .blind_index("a", "1")
        .unwrap_err();
    assert!(matches!(refused, ValueError::NoBlindIndex));
}

#[tokio::test]
async fn a_row_is_named_by_one_value_or_by_its_key_columns_and_a_value_is_of_any_type() {
    let ring = ring(&table().await).await;
    let sealer = Sealer::new(Arc::clone(&ring), field());
    let opener = Opener::new(ring, field());
    let sealed = sealer.seal("a", 42, 7).unwrap();
    for opened in [
        opener.open("a", 42_i64, &sealed),
        opener.open("a", [KeyPart::Int(42)], &sealed),
        opener.open("a", ROW, &sealed),
    ] {
        assert_eq!(opened.unwrap().int().unwrap(), 7);
    }
    let two = [KeyPart::from("clinic"), KeyPart::from(42)];
    let born: Date = "1952-03-04".parse().unwrap();
    let sealed = sealer.seal("a", &two, born).unwrap();
    assert_eq!(
        opener.open("a", two, &sealed).unwrap().date().unwrap(),
        born
    );
    assert!(opener.open("a", 42, &sealed).is_err());
}

#[tokio::test]
async fn a_value_in_another_form_than_its_column_type_is_not_sealed() {
    let ring = ring(&table().await).await;
    let sealer = Sealer::new(ring, field().sql_type("date"));
    for wrong in ["03/04/1952", "1952-3-4", "", "123-45-6789"] {
        let refused = sealer.seal("a", ROW, wrong).unwrap_err();
        assert_eq!(refused.code(), "E0331", "{wrong}");
        assert!(!format!("{refused} {refused:?}").contains("123"));
    }
    assert_eq!(sealer.seal("a", ROW, 7).unwrap_err().code(), "E0331");
    assert!(sealer.seal("a", ROW, "1952-03-04").is_ok());
}
