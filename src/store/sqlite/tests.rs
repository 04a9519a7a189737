//! Tests of the store as a whole: keys, registry, quarantine, audit, DDL.

mod opening;

use super::SqliteStore;
use super::fixture::{Fixture, access, ident, request, run, table, with};
use crate::crypto::{KeyId, Purpose};
use crate::keys::{KeyStatus, KeyTable, NewKey, RotationPeriod, Unnoted};
use crate::store::{
    AuditEntry, FieldRecord, FieldState, NewQuarantine, QuarantineState, Select, StoreError,
};
use crate::store::{AuditTable, Catalog, Ledger};

#[tokio::test]
async fn connections_are_set_to_wipe_what_is_deleted_and_to_keep_sorting_out_of_files() {
    let fixture = Fixture::new("").await;
    let mut conn = fixture.store.control.lock().await;
    for (pragma, expected) in [
        ("secure_delete", 1),
        ("temp_store", 2),
        ("synchronous", 2),
        ("foreign_keys", 0),
    ] {
        let row = super::sql::bound(format!("PRAGMA {pragma}"), [])
            .fetch_one(&mut *conn)
            .await
            .unwrap();
        assert_eq!(sqlx::Row::get::<i64, _>(&row, 0), expected, "{pragma}");
    }
    assert!(fixture.dir.path().join("clinic.db-wal").exists());
}

#[tokio::test]
async fn a_second_writer_is_busy_and_nothing_is_lost() {
    let mut fixture = Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    fixture.exec("BEGIN IMMEDIATE").await.unwrap();
    let busy = fixture.store.begin_run(&run("t"), &[]).await;
    assert!(matches!(busy, Err(StoreError::Busy { sqlstate }) if sqlstate == "SQLITE_BUSY"));
    fixture.exec("ROLLBACK").await.unwrap();
    fixture.store.begin_run(&run("t"), &[]).await.unwrap();
}

fn new_key(id: i64, version: i32) -> NewKey {
    NewKey {
        key_id: KeyId::new(id).unwrap(),
        tenant: "n".to_owned(),
        purpose: Purpose::BlindIndex,
        version,
        algorithm: "AES-256-GCM".to_owned(),
        kek_ref: "wk:0123456789abcdef".to_owned(),
        wrapped_key: vec![7; 64],
        check_value: vec![8; 32],
        created_by: "me".to_owned(),
        reason: Some("first".to_owned()),
    }
}

#[tokio::test]
async fn keys_are_inserted_pre_active_and_taken_ids_are_named() {
    let fixture = Fixture::new("").await;
    let store = &fixture.store;
    let (one, two) = (KeyId::new(1).unwrap(), KeyId::new(2).unwrap());
    assert!(
        store
            .insert_keys(&[new_key(1, 1)])
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store
            .insert_keys(&[new_key(1, 3), new_key(2, 2)])
            .await
            .unwrap(),
        [one]
    );
    let taken_version = store.insert_keys(&[new_key(4, 4), new_key(5, 2)]).await;
    assert!(matches!(taken_version, Err(StoreError::RowRefused { .. })));
    let records = store.key_records().await.unwrap();
    assert_eq!(
        records
            .iter()
            .map(|record| record.key_id)
            .collect::<Vec<_>>(),
        [one, two]
    );
    assert!(
        records
            .iter()
            .all(|record| record.status == KeyStatus::PreActive)
    );
    assert_eq!(
        store
            .key_records_by_id(&[two, KeyId::new(9).unwrap()])
            .await
            .unwrap(),
        records[1..]
    );
}

#[tokio::test]
async fn keys_become_active_together_or_not_at_all() {
    let fixture = Fixture::new("").await;
    let store = &fixture.store;
    let (one, two) = (KeyId::new(1).unwrap(), KeyId::new(2).unwrap());
    store
        .insert_keys(&[new_key(1, 1), new_key(2, 2)])
        .await
        .unwrap();
    // These would be two active keys of one tenant and purpose.
    assert!(matches!(
        store
            .activate_keys(&[one, two], RotationPeriod::Year, &Unnoted)
            .await,
        Err(StoreError::RowRefused { .. })
    ));
    assert!(
        store
            .activate_keys(
                &[one, KeyId::new(9).unwrap()],
                RotationPeriod::Year,
                &Unnoted
            )
            .await
            .is_err()
    );
    assert!(
        store
            .key_records()
            .await
            .unwrap()
            .iter()
            .all(|record| record.status == KeyStatus::PreActive)
    );
    store
        .activate_keys(&[one], RotationPeriod::Year, &Unnoted)
        .await
        .unwrap();
    let record = &store.key_records().await.unwrap()[0];
    assert_eq!(record.status, KeyStatus::Active);
    assert!(record.activated_at.is_some());
    assert!(
        record
            .rotation_due_at
            .as_ref()
            .unwrap()
            .ends_with("-01-01T00:00:00.000Z")
    );
}

#[tokio::test]
async fn a_field_is_registered_once_and_reads_back() {
    let fixture = Fixture::new("").await;
    let field = FieldRecord {
        table_label: "t".to_owned(),
        column_label: "ssn".to_owned(),
        schema_name: String::new(),
        table_name: "t".to_owned(),
        column_name: "ssn".to_owned(),
        sealed_column: Some("ssn_sealed".to_owned()),
        blind_index_column: Some("ssn_bidx".to_owned()),
        blind_index_normaliser: Some("digits".to_owned()),
        blind_index_bits: Some(128),
        blind_index_next: None,
        blind_index_key_id: None,
        tenant_column: None,
        key_columns: vec!["a \"b\", c".to_owned(), "d".to_owned()],
        key_types: vec!["*".to_owned(), "*".to_owned()],
        source_type: "TEXT".to_owned(),
        in_place: false,
        pad_to: 16,
        state: FieldState::Declared,
        frozen: false,
        plaintext_definition: "{}".to_owned(),
        values_sealed: 0,
        place: crate::store::Whereabouts::default(),
    };
    let store = &fixture.store;
    store
        .register_fields(std::slice::from_ref(&field))
        .await
        .unwrap();
    store
        .set_field_state("t", &["ssn".to_owned()], FieldState::Prepared)
        .await
        .unwrap();
    store
        .register_fields(std::slice::from_ref(&field))
        .await
        .unwrap();
    let read = store.fields().await.unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(
        (read[0].state, &read[0].key_columns),
        (FieldState::Prepared, &field.key_columns)
    );
    assert_eq!(read[0].pad_to, 16);
    assert!(
        store
            .set_field_state("t", &["other".to_owned()], FieldState::Sealed)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_row_is_quarantined_once_and_opens_again_when_a_retry_fails() {
    let fixture = Fixture::new("").await;
    let row = NewQuarantine {
        run_id: None,
        table_label: "t".to_owned(),
        column_label: None,
        row_tag: "0123456789abcdef".to_owned(),
        key_sealed: vec![1, 2],
        key_id: 1,
        step: "verify".to_owned(),
        reason: "does not open".to_owned(),
        sqlstate: None,
        constraint_name: None,
    };
    let store = &fixture.store;
    store
        .add_quarantine(&[row.clone(), row.clone()])
        .await
        .unwrap();
    let listed = store.quarantined(Some("t")).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(store.quarantined(Some("u")).await.unwrap().is_empty());
    let ids = [listed[0].quarantine_id];
    for (set, after) in [
        (QuarantineState::Skipped, QuarantineState::Skipped),
        (QuarantineState::Retry, QuarantineState::Open),
    ] {
        store.set_quarantine_state(&ids, set).await.unwrap();
        store
            .add_quarantine(std::slice::from_ref(&row))
            .await
            .unwrap();
        assert_eq!(store.quarantined(None).await.unwrap()[0].state, after);
    }
    store
        .set_quarantine_state(&ids, QuarantineState::Resolved)
        .await
        .unwrap();
    // A resolved row is not listed any more; a later fault of the row must be listed again.
    assert!(store.quarantined(None).await.unwrap().is_empty());
    store.add_quarantine(&[row]).await.unwrap();
    let listed = store.quarantined(None).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].resolved_at.is_none() && listed[0].quarantine_id != ids[0]);
}

async fn entries(store: &SqliteStore, from: i64) -> Vec<AuditEntry> {
    let rows = store.audit_entries(from, 10).await.unwrap();
    rows.into_iter().map(|row| row.entry.unwrap()).collect()
}

#[tokio::test]
async fn an_audit_entry_is_appended_only_after_the_one_its_appender_saw() {
    let fixture = Fixture::new("").await;
    let store = &fixture.store;
    let head = store.audit_head().await.unwrap();
    assert_eq!((head.entry_id, head.mac.len()), (0, 0));
    let entry = AuditEntry {
        entry_id: 1,
        at: head.now.clone(),
        actor: "me".to_owned(),
        action: "key.create".to_owned(),
        subject: "{}".to_owned(),
        key_id: 1,
        prev_mac: Vec::new(),
        mac: vec![1],
    };
    assert!(store.append_audit(&entry, &head).await.unwrap());
    assert!(!store.append_audit(&entry, &head).await.unwrap());
    let second = AuditEntry {
        entry_id: 2,
        prev_mac: vec![1],
        mac: vec![2],
        ..entry.clone()
    };
    assert!(
        store
            .append_audit(&second, &store.audit_head().await.unwrap())
            .await
            .unwrap()
    );
    assert_eq!(entries(store, i64::MIN).await, [entry, second.clone()]);
    assert_eq!(entries(store, 2).await, [second]);
}

#[tokio::test]
async fn what_prepare_made_is_not_made_again_and_is_all_taken_away() {
    let mut fixture = Fixture::new(
        "CREATE TABLE \"a \"\"b\" (id INTEGER PRIMARY KEY, ssn TEXT); INSERT INTO \"a \"\"b\" VALUES (1, 'x')",
    )
    .await;
    let mut table = with(table("a \"b", &["id"]), "ssn", "TEXT", true);
    table.fields[0].index = Some(ident("ssn_bidx"));
    table.fields[0].index_unique = true;
    let schema = "SELECT sql FROM sqlite_schema WHERE tbl_name NOT LIKE 'phiseal%' ORDER BY name";
    let before = fixture.rows(schema).await;
    assert_eq!(fixture.store.ddl(&table).await.unwrap().together.len(), 5);
    fixture.store.prepare(&table).await.unwrap();
    assert!(fixture.store.ddl(&table).await.unwrap().is_empty());
    fixture.store.prepare(&table).await.unwrap();
    fixture.store.finish_indexes(&table).await.unwrap();
    fixture.store.finish_indexes(&table).await.unwrap();
    assert!(
        fixture
            .store
            .make_sweep_index(&access(&table), "")
            .await
            .unwrap()
    );
    let page = fixture.page(&table, &request(Select::Unsealed)).await;
    assert_eq!(page.rows.len(), 1);
    fixture.store.drop_sealed(&table).await.unwrap();
    assert_eq!(fixture.rows(schema).await, before);
    fixture.store.drop_sealed(&table).await.unwrap();
}

#[tokio::test]
async fn a_column_that_was_dropped_is_made_again_and_a_type_that_is_more_is_refused() {
    let mut fixture = Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY)").await;
    let mut table = with(table("t", &["id"]), "ssn", "VARCHAR(11)", true);
    table.fields[0].plain_exists = false;
    fixture.store.make_plain_columns(&table).await.unwrap();
    fixture.store.make_plain_columns(&table).await.unwrap();
    assert_eq!(
        fixture
            .rows("SELECT type FROM pragma_table_info('t') WHERE name = 'ssn'")
            .await,
        ["VARCHAR(11)"]
    );
    table.fields[0].column = ident("other");
    table.fields[0].source_type = "TEXT; DROP TABLE t".to_owned();
    assert!(matches!(
        fixture.store.make_plain_columns(&table).await,
        Err(StoreError::Unexpected { .. })
    ));
    let missing = with(super::fixture::table("none", &["id"]), "ssn", "TEXT", true);
    assert!(matches!(
        fixture.store.prepare(&missing).await,
        Err(StoreError::Missing { .. })
    ));
}
