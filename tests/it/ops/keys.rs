//! `phiseal keys`.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::on_both;
use crate::support::project::write_key_file;
use crate::support::{Base, Fixture, Phiseal};

on_both!(
    keys_are_created_listed_and_shown,
    keys_create_makes_what_is_missing,
    keys_create_refuses_another_wrapping_key,
    keys_check_finds_a_wrong_wrapping_key,
    keys_need_our_tables,
    keys_whose_rotation_is_overdue_are_named,
);

#[tokio::test]
async fn a_new_wrapping_key_needs_neither_plan_nor_database() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wk");
    let args = ["keys", "new-wrapping-key", "wk", "--json"];
    let made = Phiseal::new(args)
        .cwd(dir.path())
        .run()
        .await
        .expect_code(0);
    let reference = made.json()["reference"].as_str().unwrap().to_owned();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(made.stderr.contains("Back it up now"), "{}", made.stderr);
    let line = std::fs::read_to_string(&path).unwrap();
    let secret = line.trim().split_once('.').unwrap().1;
    assert!(!made.stdout.contains(secret) && !made.stderr.contains(secret));
    assert!(!reference.is_empty() && !secret.contains(&reference));

    let again = Phiseal::new(args)
        .cwd(dir.path())
        .run()
        .await
        .expect_code(7);
    assert_eq!(again.json()["error"]["code"], "E0406");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
}

async fn keys_are_created_listed_and_shown(fixture: Fixture) {
    let fixture = fixture.migrated().await;
    assert_eq!(fixture.ask(&["keys", "list"], 0).await, json!([]));
    let empty = fixture.run(&["keys", "list"]).await.expect_code(0);
    assert!(empty.stdout.starts_with("no keys"), "{}", empty.stdout);

    let create = ["keys", "create", "--reason", "first"];
    let created = fixture.ask(&create, 0).await["created"].clone();
    assert_eq!(created.as_array().unwrap().len(), 2);
    let listed = fixture.ask(&["keys", "list"], 0).await;
    assert_eq!(listed, created);
    for key in listed.as_array().unwrap() {
        assert_eq!(key["status"], "active");
        assert_eq!(key["version"], 1);
        assert_eq!(key["tenant"], "");
        assert_eq!(key["reason"], "first");
        assert!(key["rotation_due_at"].as_str().unwrap().ends_with('Z'));
        assert_eq!(key.get("wrapped_key"), None);
        assert_eq!(key.get("check_value"), None);
        let id = key["key_id"].to_string();
        let mut shown = fixture.ask(&["keys", "show", &id], 0).await;
        let moves = shown.as_object_mut().unwrap().remove("transitions");
        assert_eq!(&shown, key);
        let moves = moves.unwrap();
        let states: Vec<_> = moves.as_array().unwrap().iter().map(|m| &m["to"]).collect();
        assert_eq!(states, [&json!("pre_active"), &json!("active")]);
        let text = fixture.run(&["keys", "show", &id]).await.expect_code(0);
        assert!(text.stdout.contains(&id), "{}", text.stdout);
    }

    // Both are in the chain, the first under its own key.
    let log = format!(
        "SELECT count(*) FROM {} WHERE action = 'key.create'",
        fixture.own("audit_log")
    );
    assert_eq!(fixture.scalar(&log).await.unwrap(), "2");

    assert_eq!(fixture.refused(&["keys", "create"], 7).await, "E0434");
    let refused = fixture.run(&["keys", "create"]).await.expect_code(7);
    assert!(
        refused.stderr.contains("phiseal rotate"),
        "{}",
        refused.stderr
    );
    for bad in ["0", "2147483648", "x"] {
        assert_eq!(fixture.refused(&["keys", "show", bad], 2).await, "E0101");
    }
    let taken = listed[0]["key_id"].as_u64().unwrap();
    let other = if taken == 5 { "6" } else { "5" };
    assert_eq!(fixture.refused(&["keys", "show", other], 7).await, "E0427");
}

async fn keys_create_makes_what_is_missing(fixture: Fixture) {
    let fixture = fixture.migrated().await;
    let cell = ["keys", "create", "--purpose", "cell"];
    fixture.run(&cell).await.expect_code(0);
    assert_eq!(fixture.refused(&cell, 7).await, "E0434");
    let rest = fixture
        .run(&["--json", "keys", "create"])
        .await
        .expect_code(0);
    let created = rest.json()["created"].clone();
    assert_eq!(created.as_array().unwrap().len(), 1);
    assert_eq!(created[0]["purpose"], "blind_index");
    assert!(
        rest.stderr.contains("There is an active cell key already"),
        "{}",
        rest.stderr
    );

    // A tenant has keys of its own.
    let tenant = ["keys", "create", "--tenant", "clinic-7"];
    let made = fixture.ask(&tenant, 0).await["created"].clone();
    assert_eq!(made.as_array().unwrap().len(), 2);
    assert_eq!(made[0]["tenant"], "clinic-7");
    assert_eq!(fixture.refused(&tenant, 7).await, "E0434");
    let ensure = [&tenant[..], &["--if-missing"]].concat();
    let ensured = fixture.run(&ensure).await.expect_code(0);
    assert_eq!(ensured.stdout, "no key was missing\n");
    assert_eq!(fixture.ask(&ensure, 0).await, json!({ "created": [] }));
    let check = fixture.ask(&["keys", "check"], 0).await;
    assert_eq!(
        (&check["checked"], &check["failed"]),
        (&json!(4), &json!(0))
    );
}

async fn keys_create_refuses_another_wrapping_key(fixture: Fixture) {
    let fixture = fixture.migrated().await;
    fixture
        .run(&["keys", "create", "--purpose", "cell"])
        .await
        .expect_code(0);
    other_wrapping_key(&fixture);
    assert_eq!(fixture.refused(&["keys", "create"], 7).await, "E0421");
    assert_eq!(
        fixture
            .ask(&["keys", "list"], 0)
            .await
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

async fn keys_check_finds_a_wrong_wrapping_key(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let well = fixture.run(&["keys", "check"]).await.expect_code(0);
    assert!(
        well.stdout.ends_with("2 keys checked, 0 failed\n"),
        "{}",
        well.stdout
    );
    other_wrapping_key(&fixture);
    let check = fixture.ask(&["keys", "check"], 7).await;
    assert_eq!(
        (&check["checked"], &check["failed"]),
        (&json!(2), &json!(2))
    );
    for key in check["keys"].as_array().unwrap() {
        assert_eq!(key["ok"], false);
        assert_eq!(key["fault"]["code"], "E0421");
    }
    // It touches nothing, and listing needs no wrapping key.
    for key in fixture.ask(&["keys", "list"], 0).await.as_array().unwrap() {
        assert_eq!(key["status"], "active");
    }
}

fn other_wrapping_key(fixture: &Fixture) {
    std::fs::remove_file(fixture.project.key_file()).unwrap();
    write_key_file(&fixture.project.key_file());
}

async fn keys_need_our_tables(fixture: Fixture) {
    let fixture = fixture.planned();
    for command in [
        &["keys", "create"][..],
        &["keys", "list"],
        &["keys", "show", "5"],
        &["keys", "check"],
    ] {
        assert_eq!(fixture.refused(command, 3).await, "E0515");
    }
}

async fn keys_whose_rotation_is_overdue_are_named(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    let yesterday = match fixture.base {
        Base::Postgres(_) => "clock_timestamp() - interval '1 day'",
        Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')",
    };
    let keys = fixture.own("encryption_keys");
    let due = format!("UPDATE {keys} SET rotation_due_at = {yesterday}");
    fixture.exec(&due).await;
    let listed = fixture.run(&["keys", "list"]).await.expect_code(0);
    let warned = listed.stderr.matches("is overdue for rotation by 24 hours");
    assert_eq!(warned.count(), 2, "{}", listed.stderr);
    let status = fixture.ask(&["status", "--check"], 10).await;
    assert_eq!(status["attention"].as_array().unwrap().len(), 2);
    fixture.run(&["status"]).await.expect_code(0);
}
