//! Tests of the guard in place.

use super::outcome;
use crate::store::Catalog;
use crate::store::sqlite::fixture::{Fixture, table, with};

/// A table sealed in place, with the same two keys.
async fn in_place() -> Fixture {
    let mut fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT COLLATE NOCASE); \
         INSERT INTO t VALUES (1, 'ps1.5wEAAAABaaa'), (2, 'plain')",
    )
    .await;
    fixture.key(1, "", true).await;
    fixture.key(2, "", false).await;
    let table = with(table("t", &["id"]), "ssn", "TEXT", false);
    fixture.store.prepare(&table).await.unwrap();
    fixture
}

#[tokio::test]
async fn in_place_a_sealed_value_stays_with_its_key_and_tenant() {
    let mut fixture = in_place().await;
    for trusted in [false, true] {
        assert!(
            outcome(&mut fixture, trusted, "UPDATE t SET id = 3 WHERE id = 1")
                .await
                .is_err()
        );
    }
    let resealed = "UPDATE t SET id = 3, ssn = 'ps1.5wEAAAABbbb' WHERE id = 1";
    assert!(outcome(&mut fixture, false, resealed).await.is_err());
    outcome(&mut fixture, true, resealed).await.unwrap();
    outcome(
        &mut fixture,
        false,
        "UPDATE t SET id = 4, ssn = 'new' WHERE id = 3",
    )
    .await
    .unwrap();
    outcome(&mut fixture, false, "UPDATE t SET id = 5 WHERE id = 2")
        .await
        .unwrap();
}

#[tokio::test]
async fn in_place_nothing_is_written_under_a_key_that_does_not_seal() {
    let mut fixture = in_place().await;
    for (trusted, value, allowed) in [
        (false, "ps1.5wEAAAACaaa", false),
        (true, "ps1.5wEAAAACaaa", false),
        (true, "ps1.5wEAAAADaaa", false),
        // With letters of another case it is not the prefix of key 1, so it may be a plaintext.
        (false, "ps1.5weaaaabaaa", true),
        (false, "ps1. a note", true),
        (true, "ps1.5wIAAAABaaa", true),
        (false, "ps1.5wEAAAABccc", true),
        (true, "plain again", true),
    ] {
        for sql in [
            format!("UPDATE t SET ssn = '{value}' WHERE id = 2"),
            format!("INSERT OR REPLACE INTO t VALUES (9, '{value}')"),
        ] {
            let outcome = outcome(&mut fixture, trusted, &sql).await;
            assert_eq!(outcome.is_ok(), allowed, "{trusted} {sql}");
        }
    }
}
