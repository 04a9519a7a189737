//! Tests of the whole way: freeze, hide, remove, and back.

mod dependents;
mod rebuilt;

use crate::store::sqlite::fixture::{Fixture, ident, table, with};
use crate::store::{
    Catalog, FrozenState, Ledger, Plaintext, ProcedureKind, Procedures, Removal, StoreError, Table,
};

/// A sealed value of the right length, under key 1.
const SEAL: &str = "x'e70100000001aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'";

fn described() -> Table {
    let mut table = with(table("t", &["id"]), "ssn", "TEXT", true);
    table.fields[0].index = Some(ident("ssn_bidx"));
    table.fields[0].index_unique = true;
    table
}

/// A registered table with two sealed rows, and a third without a value. `columns` are its columns
/// besides the sealed ones.
async fn sealed(columns: &str) -> (Fixture, Table) {
    let mut fixture = Fixture::new(&format!("CREATE TABLE t ({columns})")).await;
    fixture.key(1, "", true).await;
    let table = described();
    fixture.store.prepare(&table).await.unwrap();
    fixture.store.finish_indexes(&table).await.unwrap();
    fixture.register(&table).await;
    fixture
        .unguarded(&format!(
            "INSERT INTO t (id, ssn, ssn_sealed, ssn_bidx) VALUES (5, 'abc', {SEAL}, x'01'), (7, 'def', {SEAL}, x'02')"
        ))
        .await;
    (fixture, table)
}

const PLAIN: &str = "id INTEGER PRIMARY KEY, ssn TEXT COLLATE NOCASE, other TEXT";

async fn frozen(fixture: &Fixture, table: &Table) -> FrozenState {
    fixture.store.freeze(table).await.unwrap();
    fixture.store.constrain(table, false).await.unwrap();
    fixture.store.frozen_state(table).await.unwrap()
}

async fn columns(fixture: &mut Fixture) -> Vec<String> {
    fixture
        .rows("SELECT name FROM pragma_table_info('t') ORDER BY cid")
        .await
}

async fn field(fixture: &mut Fixture) -> Vec<String> {
    fixture
        .rows("SELECT state || ' ' || frozen || ' ' || plaintext_definition FROM phiseal_encrypted_field_metadata")
        .await
}

async fn refused(fixture: &mut Fixture, sql: &str, code: &str) {
    let error = fixture.exec(sql).await.unwrap_err().to_string();
    assert!(
        error.contains(&format!("phiseal {code}: ")),
        "{sql}: {error}"
    );
}

#[tokio::test]
async fn a_freeze_is_hidden_and_taken_back() {
    let (mut fixture, table) = sealed(PLAIN).await;
    let before = fixture
        .rows("SELECT sql FROM sqlite_schema WHERE name = 't'")
        .await;
    let state = frozen(&fixture, &table).await;
    assert_eq!(state.constraints, "checked");
    fixture.store.freeze(&table).await.unwrap();
    assert_eq!(fixture.store.frozen_state(&table).await.unwrap(), state);
    assert_eq!(fixture.store.unsealed(&table).await.unwrap(), []);

    let hidden = fixture.store.hide(&table, &state).await.unwrap().unwrap();
    assert_ne!(hidden, state);
    assert_eq!(
        columns(&mut fixture).await[1],
        crate::store::hidden_name("t", "ssn")
    );
    assert!(fixture.store.hide(&table, &state).await.unwrap().is_none());
    assert_eq!(
        fixture.store.hide(&table, &hidden).await.unwrap().unwrap(),
        hidden
    );
    assert!(fixture.exec("SELECT ssn FROM t").await.is_err());
    refused(&mut fixture, "UPDATE t SET id = 9 WHERE id = 5", "PS004").await;
    // What else makes the guard leaves it as it is, and the column is not taken for a renamed one.
    fixture.store.prepare(&table).await.unwrap();
    assert_eq!(fixture.store.frozen_state(&table).await.unwrap(), hidden);
    let fields = fixture.store.fields().await.unwrap();
    assert!(!fields[0].place.plain_dropped && fields[0].place.renames.is_empty());

    assert!(fixture.store.unfreeze(&table).await.unwrap().is_empty());
    let text = "SELECT replace(sql, '\"', '') FROM sqlite_schema WHERE name = 't'";
    let before = before[0].replace('"', "");
    assert_eq!(fixture.rows(text).await, [before]);
    assert_eq!(field(&mut fixture).await, ["sealed 0 {}"]);
    fixture
        .exec("UPDATE t SET ssn = 'new' WHERE id = 5")
        .await
        .unwrap();
    let left = fixture.store.unsealed(&table).await.unwrap();
    assert_eq!(left[0].rows, 1);
    fixture.store.freeze(&table).await.unwrap();
    assert!(matches!(
        fixture.store.constrain(&table, false).await,
        Err(StoreError::NotSealed { .. })
    ));
}

#[tokio::test]
async fn a_guard_that_was_gone_for_a_time_is_another_state() {
    let (mut fixture, table) = sealed(PLAIN).await;
    let state = frozen(&fixture, &table).await;
    let text = fixture
        .rows("SELECT sql FROM sqlite_schema WHERE name = '~phiseal_u_t'")
        .await;
    fixture.exec("CREATE TABLE another (id)").await.unwrap();
    assert_eq!(fixture.store.frozen_state(&table).await.unwrap(), state);
    fixture.exec("DROP TRIGGER \"~phiseal_u_t\"").await.unwrap();
    let without = fixture.store.frozen_state(&table).await.unwrap();
    assert!(without.guard != state.guard);
    fixture.exec(&text[0]).await.unwrap();
    for _ in 0..2 {
        assert!(fixture.store.hide(&table, &state).await.unwrap().is_none());
        let removed = fixture
            .store
            .remove_plaintext(&table, Removal::Dropped, &state)
            .await;
        assert!(!removed.unwrap());
        // Another command makes the guard the recorded one, and notes the gap.
        let other = with(
            crate::store::sqlite::fixture::table("another", &["id"]),
            "v",
            "TEXT",
            true,
        );
        fixture.store.prepare(&other).await.unwrap();
    }
    assert_eq!(columns(&mut fixture).await[1], "ssn");
}

#[tokio::test]
async fn a_column_is_dropped_and_a_restore_makes_it_again() {
    let (mut fixture, table) = sealed(PLAIN).await;
    fixture
        .exec("CREATE INDEX by_ssn ON t (ssn, other); CREATE INDEX by_other ON t (other)")
        .await
        .unwrap();
    let procedure = fixture
        .store
        .begin_procedure(ProcedureKind::Finalize, "t", "ssn", "drop", "{}", "test")
        .await
        .unwrap();
    let state = frozen(&fixture, &table).await;
    let hidden = fixture.store.hide(&table, &state).await.unwrap().unwrap();
    for _ in 0..2 {
        let removed = fixture
            .store
            .remove_plaintext(&table, Removal::Dropped, &hidden)
            .await;
        assert!(removed.unwrap());
    }
    assert_eq!(
        columns(&mut fixture).await,
        ["id", "other", "ssn_sealed", "ssn_bidx"]
    );
    assert!(field(&mut fixture).await[0].starts_with("finalized 1 {"));
    let procedures = fixture.store.procedures(10).await.unwrap();
    assert_eq!(procedures[0].procedure_id, procedure.procedure_id);
    assert_eq!(procedures[0].outcome.as_deref(), Some("finalized"));

    // The guard stands on the sealed column.
    let mut gone = table.clone();
    gone.fields[0].plain_exists = false;
    assert!(fixture.store.ddl(&gone).await.unwrap().is_empty());
    refused(&mut fixture, "UPDATE t SET id = 9 WHERE id = 5", "PS004").await;
    refused(
        &mut fixture,
        "UPDATE t SET ssn_sealed = NULL WHERE id = 5",
        "PS006",
    )
    .await;
    let insert = format!("INSERT INTO t (id, ssn_sealed) VALUES (9, {SEAL})");
    refused(&mut fixture, &insert, "PS003").await;
    fixture
        .exec("UPDATE t SET other = 'x'; ALTER TABLE t RENAME COLUMN other TO more")
        .await
        .unwrap();
    let fields = fixture.store.fields().await.unwrap();
    assert!(fields[0].place.plain_dropped && fields[0].place.renames.is_empty());

    fixture.store.make_plain_columns(&table).await.unwrap();
    fixture.store.make_plain_columns(&table).await.unwrap();
    assert!(field(&mut fixture).await[0].starts_with("sealed 0 {"));
    let sql = fixture
        .rows("SELECT sql FROM sqlite_schema WHERE name = 't'")
        .await;
    assert!(sql[0].contains("\"ssn\" TEXT COLLATE NOCASE"));
    let left = fixture.store.finish_plain_columns(&table).await.unwrap();
    assert_eq!(left, ["CREATE INDEX by_ssn ON t (ssn, other);"]);
    assert_eq!(field(&mut fixture).await, ["sealed 0 {}"]);
    fixture
        .exec("UPDATE t SET ssn = 'new' WHERE id = 5")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_blanked_column_stays_frozen_and_plaintext_prevents_the_end() {
    let (mut fixture, table) = sealed(PLAIN).await;
    let state = frozen(&fixture, &table).await;
    let early = fixture
        .store
        .remove_plaintext(&table, Removal::Blanked, &state)
        .await;
    assert!(matches!(early, Err(StoreError::NotSealed { .. })));
    fixture
        .unguarded("UPDATE t SET ssn = NULL; UPDATE t SET ssn_sealed = NULL WHERE id = 7")
        .await;
    fixture.store.freeze(&table).await.unwrap();
    fixture.store.prepare(&table).await.unwrap();
    fixture.store.constrain(&table, true).await.unwrap();
    let state = fixture.store.frozen_state(&table).await.unwrap();
    assert!(
        fixture
            .store
            .remove_plaintext(&table, Removal::Blanked, &state)
            .await
            .unwrap()
    );
    assert!(field(&mut fixture).await[0].starts_with("finalized 1 {"));
    refused(&mut fixture, "UPDATE t SET ssn = 'x' WHERE id = 7", "PS007").await;
    fixture.store.make_plain_columns(&table).await.unwrap();
    fixture
        .exec("UPDATE t SET ssn = 'x' WHERE id = 7")
        .await
        .unwrap();
    assert!(
        fixture
            .store
            .finish_plain_columns(&table)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn in_place_only_the_state_changes() {
    let good = format!("ps1.5wEAAAAB{}", "a".repeat(38));
    let mut fixture =
        Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT NOT NULL)").await;
    fixture.key(1, "", true).await;
    let table = with(table("t", &["id"]), "ssn", "TEXT", false);
    fixture.store.prepare(&table).await.unwrap();
    fixture.register(&table).await;
    fixture
        .exec(&format!("INSERT INTO t VALUES (1, '{good}'), (2, 'x')"))
        .await
        .unwrap();
    assert_eq!(fixture.store.unsealed(&table).await.unwrap()[0].rows, 1);
    fixture.store.freeze(&table).await.unwrap();
    assert!(matches!(
        fixture.store.constrain(&table, false).await,
        Err(StoreError::NotSealed { .. })
    ));
    fixture.exec("DELETE FROM t WHERE id = 2").await.unwrap();
    let state = frozen(&fixture, &table).await;
    let hidden = fixture.store.hide(&table, &state).await.unwrap().unwrap();
    assert!(
        fixture
            .store
            .remove_plaintext(&table, Removal::Dropped, &hidden)
            .await
            .unwrap()
    );
    assert_eq!(columns(&mut fixture).await, ["id", "ssn"]);
    assert_eq!(field(&mut fixture).await, ["finalized 1 {}"]);
    fixture.store.make_plain_columns(&table).await.unwrap();
    assert_eq!(field(&mut fixture).await, ["sealed 0 {}"]);
}
