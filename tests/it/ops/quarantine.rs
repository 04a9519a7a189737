//! `phiseal quarantine`.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::on_both;
use crate::support::Fixture;

on_both!(
    quarantine_is_empty_at_first,
    quarantine_lists_and_shows_a_row,
    quarantine_retries_and_skips,
);

async fn quarantine_is_empty_at_first(fixture: Fixture) {
    let fixture = fixture.keyed().await;
    assert_eq!(fixture.ask(&["quarantine", "list"], 0).await, json!([]));
    let text = fixture.run(&["quarantine", "list"]).await.expect_code(0);
    assert_eq!(text.stdout, "no rows in quarantine\n");
    let nothing = fixture.ask(&["quarantine", "retry"], 0).await;
    assert_eq!(nothing, json!({"retried": 0, "tags": []}));
    for command in [
        &["quarantine", "retry", "aa"][..],
        &["quarantine", "skip", "aa"],
    ] {
        assert_eq!(fixture.refused(command, 2).await, "E0306");
    }
    let show = ["quarantine", "show", "aa", "--output", "row.json"];
    assert_eq!(fixture.refused(&show, 2).await, "E0306");
    assert!(!fixture.project.dir().join("row.json").exists());
}

async fn quarantine_lists_and_shows_a_row(fixture: Fixture) {
    let fixture = fixture.one_refused().await;
    let listed = fixture.ask(&["quarantine", "list"], 0).await;
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    let row = &listed[0];
    assert_eq!(row["table"], fixture.table("patients"));
    assert_eq!(
        (&row["step"], &row["state"]),
        (&json!("backfill"), &json!("open"))
    );
    let tag = row["tag"].as_str().unwrap();
    assert_eq!(tag.len(), 16);

    let show = ["quarantine", "show", tag, "--output", "row.json"];
    let shown = fixture.run(&show).await.expect_code(0);
    let path = fixture.project.dir().join("row.json");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let file: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(file["key_columns"], json!(["id"]));
    assert_eq!(file["key"], json!(["42"]));
    // The condition finds the row, and no other.
    let relation = file["relation"].as_str().unwrap();
    let condition = file["where"].as_str().unwrap();
    let found = format!("SELECT min(id) || '-' || max(id) FROM {relation} WHERE {condition}");
    assert_eq!(fixture.scalar(&found).await.unwrap(), "42-42");
    assert!(!shown.stdout.contains(condition) && !shown.stderr.contains(condition));

    assert_eq!(fixture.refused(&show, 2).await, "E0106");
    let nowhere = ["quarantine", "show", tag, "--output", "none/row.json"];
    assert_eq!(fixture.refused(&nowhere, 2).await, "E0108");
    let unknown = ["quarantine", "list", "--table", "visits"];
    assert_eq!(fixture.refused(&unknown, 2).await, "E0105");
    let asked = fixture
        .ask(&["quarantine", "list", "--table", "patients"], 0)
        .await;
    assert_eq!(asked, listed);
}

async fn quarantine_retries_and_skips(fixture: Fixture) {
    let fixture = fixture.one_refused().await;
    let listed = fixture.ask(&["quarantine", "list"], 0).await;
    let tag = listed[0]["tag"].as_str().unwrap();

    let skipped = fixture.ask(&["quarantine", "skip", tag], 0).await;
    assert_eq!(skipped, json!({"skipped": 1, "tags": [tag]}));
    let status = fixture.ask(&["status", "--check"], 0).await;
    assert_eq!(status["quarantine"][0]["state"], "skipped");
    // Without tags, what a person decided to leave is left.
    let none = fixture.ask(&["quarantine", "retry"], 0).await;
    assert_eq!(none, json!({"retried": 0, "tags": []}));
    let retried = fixture.ask(&["quarantine", "retry", tag], 0).await;
    assert_eq!(retried, json!({"retried": 1, "tags": [tag]}));

    // Both decisions are in the chain, with the tag and the table.
    let log = fixture.own("audit_log");
    for action in ["quarantine.skip", "quarantine.retry"] {
        let subject = format!("SELECT subject FROM {log} WHERE action = '{action}'");
        let subject: Value =
            serde_json::from_str(&fixture.scalar(&subject).await.unwrap()).unwrap();
        assert_eq!(
            subject,
            json!({"table": fixture.table("patients"), "tags": [tag]})
        );
    }
    fixture.run(&["audit", "verify"]).await.expect_code(0);

    // Mended, the row goes through, and is listed no more.
    fixture
        .exec("UPDATE patients SET ssn = '222-22-2222' WHERE id = 42")
        .await;
    fixture.run(&["backfill"]).await.expect_code(0);
    assert_eq!(fixture.ask(&["quarantine", "list"], 0).await, json!([]));
}
