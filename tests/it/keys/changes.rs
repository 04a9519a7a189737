//! A change of a key and its entry in the audit log are one transaction.

use super::{destroy, rotated, status};
use crate::rotate::{active, json, number, on_both, postgres};
use crate::support::{Base, Fixture};
use std::time::Duration;

on_both!(every_change_is_named_by_an_entry, 10, named);

async fn named(fixture: Fixture) {
    let old = rotated(&fixture).await;
    let key = active(&fixture, "cell").await.to_string();
    json(&fixture, &["keys", "suspend", &key, "--reason", "r"], 0).await;
    json(&fixture, &["keys", "resume", &key, "--reason", "r"], 0).await;
    destroy(&fixture, &old, &[], 0).await;
    json(
        &fixture,
        &["rotate", "--purpose", "blind_index", "--grace", "0"],
        0,
    )
    .await;
    json(&fixture, &["audit", "verify"], 0).await;
    let (moves, named) = (
        fixture.source().own("key_transitions"),
        fixture.source().own("key_transition_entries"),
    );
    let unnamed = format!(
        "SELECT count(*) FROM {moves} WHERE transition_id NOT IN (SELECT transition_id FROM {named})"
    );
    assert_eq!(number(&fixture, &unnamed).await, 0);

    // One that somebody made by hand is found, and named by the next entry.
    let keys = fixture.source().own("encryption_keys");
    fixture
        .exec(&format!(
            "UPDATE {keys} SET status = 'suspended', changed_by = 'x' WHERE key_id = {key}"
        ))
        .await;
    let broken = json(&fixture, &["audit", "verify"], 6).await;
    assert_eq!(broken["error"]["code"], "E0307", "{broken}");
    assert!(
        broken["error"]["message"]
            .as_str()
            .unwrap()
            .contains("of a key"),
        "{broken}"
    );
    json(&fixture, &["keys", "resume", &key, "--reason", "r"], 0).await;
    json(&fixture, &["audit", "verify"], 0).await;

    // One that was changed afterwards is found.
    let (off, on) = match fixture.base {
        Base::Postgres(_) => (
            "ALTER TABLE phiseal.key_transitions DISABLE TRIGGER USER",
            "ALTER TABLE phiseal.key_transitions ENABLE TRIGGER USER",
        ),
        Base::Sqlite(_) => ("DROP TRIGGER phiseal_key_transitions_frozen", "SELECT 1"),
    };
    let change = format!("UPDATE {moves} SET actor = 'nobody' WHERE transition_id = 2");
    fixture.exec(&format!("{off}; {change}; {on}")).await;
    let broken = json(&fixture, &["audit", "verify"], 6).await;
    assert!(
        broken["error"]["message"]
            .as_str()
            .unwrap()
            .contains("key_transitions"),
        "{broken}"
    );
}

/// Killed while it waits for the chain, a destruction has destroyed nothing.
#[tokio::test]
async fn a_destruction_that_is_killed_before_its_entry_did_nothing() {
    let fixture = postgres("keys_killed", 10).await;
    let old = rotated(&fixture).await;
    let mut holder = fixture.db().connection().await;
    let args = ["keys", "destroy", &old, "--confirm", &old, "--reason", "r"];
    // The attestation goes before; so does what the search says.
    let mut command = fixture.project.phiseal(&args).spawn();
    assert!(command.says("searching").await);
    sqlx::raw_sql("BEGIN; SELECT * FROM phiseal.audit_head FOR UPDATE")
        .execute(&mut holder)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let is_waiting = status(&fixture, &old).await;
    drop(command);
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut holder)
        .await
        .unwrap();
    // Where it was quicker than the holder, it was destroyed with its entry.
    let entries = number(
        &fixture,
        "SELECT count(*) FROM phiseal.audit_log WHERE action = 'key.destroy'",
    )
    .await;
    let destroyed = status(&fixture, &old).await == "destroyed";
    assert_eq!(entries, i64::from(destroyed), "{is_waiting}");
    json(&fixture, &["audit", "verify"], 0).await;
}
