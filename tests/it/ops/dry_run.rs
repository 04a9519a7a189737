//! `--dry-run` of rotate, restore and `keys destroy`, and the questions before something is dropped.

use serde_json::json;

use super::on_both;
use crate::support::Fixture;

on_both!(
    a_dry_run_of_a_rotation_counts_and_changes_nothing,
    a_dry_run_of_a_restore_names_what_it_would_drop_and_drops_nothing,
    a_dry_run_of_a_destruction_searches_and_destroys_nothing,
);

/// Three patients, whose ssn is sealed.
async fn sealed(fixture: Fixture) -> Fixture {
    let fixture = fixture.keyed().await;
    fixture
        .exec(
            "CREATE TABLE patients (id integer PRIMARY KEY, ssn text, email text);
             INSERT INTO patients VALUES (1, '111-11-1111', 'a@example.org'), (2, '222-22-2222', NULL),
                 (3, '333-33-3333', NULL)",
        )
        .await;
    let column = |name: &str| {
        format!("[[table.column]]\nname = \"{name}\"\nseal_into = \"{name}_sealed\"\n")
    };
    let tables = format!(
        "[[table]]\nname = \"{}\"\n{}{}",
        fixture.table("patients"),
        column("ssn"),
        column("email")
    );
    fixture.project.plan(&fixture.url(), &tables);
    fixture.backfill().await;
    fixture
}

/// The active cell key, the number of rotations, and how many values are sealed.
async fn state(fixture: &Fixture) -> Vec<Option<String>> {
    let keys = fixture.own("encryption_keys");
    let history = fixture.own("key_rotation_history");
    vec![
        fixture
            .scalar(&format!(
                "SELECT CAST(max(key_id) AS text) FROM {keys} WHERE status = 'active' AND purpose = 'cell'"
            ))
            .await,
        fixture
            .scalar(&format!("SELECT CAST(count(*) AS text) FROM {history}"))
            .await,
        fixture
            .scalar("SELECT CAST(count(ssn_sealed) AS text) FROM patients")
            .await,
    ]
}

async fn a_dry_run_of_a_rotation_counts_and_changes_nothing(fixture: Fixture) {
    let fixture = sealed(fixture).await;
    let before = state(&fixture).await;
    let key: i64 = before[0].as_ref().unwrap().parse().unwrap();
    let found = fixture.json(&["rotate", "--dry-run"]).await;
    assert_eq!(found["would_replace"], json!([key]), "{found}");
    assert_eq!(found["would_finish"], json!([]));
    assert_eq!(found["would_refuse"], false);
    let table = &found["tables"][0];
    assert_eq!(table["table"], fixture.table("patients"));
    assert_eq!(table["values"], 4);
    assert_eq!(table["rows_to_write_estimate"], 3);
    assert_eq!(state(&fixture).await, before);
    let text = fixture
        .run(&["rotate", "--dry-run"])
        .await
        .expect_code(0)
        .stdout;
    assert!(
        text.contains(&format!("would replace key {key} (cell, version 1)")),
        "{text}"
    );
    assert!(text.contains("4 values would be sealed again"), "{text}");
    let not_due = fixture.json(&["rotate", "--if-due", "--dry-run"]).await;
    assert_eq!(not_due["outcome"], "not due");

    fixture.run(&["rotate"]).await.expect_code(0);
    let after = state(&fixture).await;
    assert_ne!(after[0], before[0]);
    assert_eq!(after[1].as_deref(), Some("1"));
}

async fn a_dry_run_of_a_restore_names_what_it_would_drop_and_drops_nothing(fixture: Fixture) {
    let fixture = sealed(fixture).await;
    let before = state(&fixture).await;
    let dry = ["restore", "--drop-sealed", "--column", "ssn", "--dry-run"];
    let found = fixture.json(&dry).await;
    let table = &found["tables"][0];
    assert_eq!(table["values"], 3, "{found}");
    assert_eq!(table["drops"], json!(["ssn_sealed"]));
    // The plaintext is there, so nothing is made or written.
    assert_eq!(table["makes"], json!([]));
    assert_eq!(table["rows_to_write_estimate"], 0);
    assert_eq!(found["would_refuse"], false);
    assert_eq!(state(&fixture).await, before);

    // Off a terminal, nothing is dropped without --yes, and what would go is named.
    let drop = ["restore", "--drop-sealed", "--column", "ssn"];
    let refused = fixture.json_code(&drop, 2).await;
    assert_eq!(refused["error"]["code"], "E0618");
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("{}.ssn_sealed", fixture.table("patients"))),
        "{message}"
    );
    assert_eq!(state(&fixture).await, before);
    // A restore that drops nothing asks nothing.
    fixture.json(&["restore", "--column", "ssn"]).await;
    fixture.json(&[&drop[..], &["--yes"]].concat()).await;
    let gone = fixture.refusal("SELECT ssn_sealed FROM patients").await;
    assert!(gone.is_some());
}

async fn a_dry_run_of_a_destruction_searches_and_destroys_nothing(fixture: Fixture) {
    let fixture = sealed(fixture).await;
    let key = state(&fixture).await[0].clone().unwrap();
    let dry = ["keys", "destroy", &key, "--reason", "over", "--dry-run"];
    // It is active, and values are sealed under it.
    let found = fixture.json_code(&dry, 7).await;
    assert_eq!(found["would_refuse"], true, "{found}");
    let values: i64 = (found["searched"]["found"].as_array().unwrap().iter())
        .map(|hit| hit["values"].as_i64().unwrap())
        .sum();
    assert_eq!(values, 4, "{found}");
    fixture.json(&["rotate"]).await;
    let found = fixture.json(&dry).await;
    assert_eq!(found["would_destroy"], json!([key.parse::<i64>().unwrap()]));
    assert_eq!(
        (&found["would_refuse"], &found["searched"]["found"]),
        (&json!(false), &json!([]))
    );
    let status = format!(
        "SELECT status FROM {} WHERE key_id = {key}",
        fixture.own("encryption_keys")
    );
    assert_eq!(
        fixture.scalar(&status).await.as_deref(),
        Some("deactivated")
    );
    // Without a terminal, only --confirm destroys.
    assert_eq!(fixture.refused(&dry[..5], 2).await, "E0115");
    fixture
        .json(&[&dry[..5], &["--confirm", &key]].concat())
        .await;
    assert_eq!(fixture.scalar(&status).await.as_deref(), Some("destroyed"));
    // The keys of a tenant that has none.
    let tenant = [
        "keys",
        "destroy",
        "--tenant",
        "t",
        "--reason",
        "r",
        "--dry-run",
    ];
    assert_eq!(fixture.refused(&tenant, 7).await, "E0443");
}
