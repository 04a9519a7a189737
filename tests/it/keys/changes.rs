//! A change of a key and its entry in the audit log are one transaction.

use super::{destroy, rotated, status};
use crate::rotate::{active, json, number, on_both, postgres};
use crate::support::{Base, Ground};
use std::time::Duration;

on_both!(every_change_is_named_by_an_entry, 10, named);

async fn named(ground: Ground) {
    let old = rotated(&ground).await;
    let key = active(&ground, "cell").await.to_string();
    json(&ground, &["keys", "suspend", &key, "--reason", "r"], 0).await;
    json(&ground, &["keys", "resume", &key, "--reason", "r"], 0).await;
    destroy(&ground, &old, &[], 0).await;
    json(
        &ground,
        &["rotate", "--purpose", "blind_index", "--grace", "0"],
        0,
    )
    .await;
    json(&ground, &["audit", "verify"], 0).await;
    let (moves, named) = (
        ground.source().own("key_transitions"),
        ground.source().own("key_transition_entries"),
    );
    let unnamed = format!(
        "SELECT count(*) FROM {moves} WHERE transition_id NOT IN (SELECT transition_id FROM {named})"
    );
    assert_eq!(number(&ground, &unnamed).await, 0);

    // One that somebody made by hand is found, and named by the next entry.
    let keys = ground.source().own("encryption_keys");
    ground
        .exec(&format!(
            "UPDATE {keys} SET status = 'suspended', changed_by = 'x' WHERE key_id = {key}"
        ))
        .await;
    let broken = json(&ground, &["audit", "verify"], 6).await;
    assert_eq!(broken["error"]["code"], "E0307", "{broken}");
    assert!(
        broken["error"]["message"]
            .as_str()
            .unwrap()
            .contains("of a key"),
        "{broken}"
    );
    json(&ground, &["keys", "resume", &key, "--reason", "r"], 0).await;
    json(&ground, &["audit", "verify"], 0).await;

    // One that was changed afterwards is found.
    let (off, on) = match ground.base {
        Base::Postgres(_) => (
            "ALTER TABLE phiseal.key_transitions DISABLE TRIGGER USER",
            "ALTER TABLE phiseal.key_transitions ENABLE TRIGGER USER",
        ),
        Base::Sqlite(_) => ("DROP TRIGGER phiseal_key_transitions_frozen", "SELECT 1"),
    };
    let change = format!("UPDATE {moves} SET actor = 'nobody' WHERE transition_id = 2");
    ground.exec(&format!("{off}; {change}; {on}")).await;
    let broken = json(&ground, &["audit", "verify"], 6).await;
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
    let ground = postgres("keys_killed", 10).await;
    let old = rotated(&ground).await;
    let mut holder = ground.db().connection().await;
    let args = ["keys", "destroy", &old, "--confirm", &old, "--reason", "r"];
    // The attestation goes before; so does what the search says.
    let mut command = ground.project.phiseal(&args).spawn();
    assert!(command.says("searching").await);
    sqlx::raw_sql("BEGIN; SELECT * FROM phiseal.audit_head FOR UPDATE")
        .execute(&mut holder)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let is_waiting = status(&ground, &old).await;
    drop(command);
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut holder)
        .await
        .unwrap();
    // Where it was quicker than the holder, it was destroyed with its entry.
    let entries = number(
        &ground,
        "SELECT count(*) FROM phiseal.audit_log WHERE action = 'key.destroy'",
    )
    .await;
    let destroyed = status(&ground, &old).await == "destroyed";
    assert_eq!(entries, i64::from(destroyed), "{is_waiting}");
    json(&ground, &["audit", "verify"], 0).await;
}
