//! A key is out of use before anything else is looked at, and no hint leads into a dead end.

use super::{destroy, status};
use crate::rotate::{active, all_under, json, number, on_both, postgres};
use crate::support::Fixture;

const TWO: &str = "[[table]]\nname = \"public.a\"\n[[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n\
    [[table]]\nname = \"public.b\"\n[[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n";

async fn two(name: &str) -> Fixture {
    let ddl = "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text);
        INSERT INTO a SELECT g, 'a' || g FROM generate_series(1, 20) g; INSERT INTO b SELECT * FROM a";
    let fixture = Fixture::postgres(name, ddl, TWO).await;
    fixture.backfill().await;
    fixture
}

/// Values of a table that are under a key.
async fn under(fixture: &Fixture, table: &str, key: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM {table} WHERE substr(v_sealed, 3, 4) = substr(int8send({key}), 5, 4)"
    );
    number(fixture, &sql).await
}

#[tokio::test]
async fn a_table_that_is_refused_keeps_no_compromised_key_in_use() {
    let fixture = two("keys_refused").await;
    fixture
        .exec(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
            CREATE TRIGGER upd BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION f()",
        )
        .await;
    let key = active(&fixture, "cell").await.to_string();
    let args = ["keys", "compromise", &key, "--reason", "leaked"];
    let refused = json(&fixture, &args, 3).await;
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("public.b"),
        "{refused}"
    );
    assert_eq!(status(&fixture, &key).await, "compromised");
    assert_ne!(active(&fixture, "cell").await.to_string(), key);
    assert_eq!(
        under(&fixture, "a", &key).await,
        0,
        "what could be worked on was"
    );
    assert_eq!(under(&fixture, "b", &key).await, 20);
    let open = "SELECT count(*) FROM phiseal.key_rotation_history WHERE finished_at IS NULL AND kind = 'compromise'";
    assert_eq!(number(&fixture, open).await, 1);
    fixture.exec("DROP TRIGGER upd ON b").await;
    let done = json(&fixture, &["rotate"], 0).await;
    assert_eq!(done["outcome"], "complete", "{done}");
    assert_eq!(under(&fixture, "b", &key).await, 0);
    json(&fixture, &["audit", "verify"], 0).await;
}

#[tokio::test]
async fn an_unfinished_run_keeps_no_compromised_key_in_use() {
    let fixture = two("keys_unfinished").await;
    let key = active(&fixture, "cell").await.to_string();
    fixture
        .exec(
            "INSERT INTO phiseal.runs (kind, table_label, digest, state, params, started_at, actor)
             VALUES ('restore', 'public.b', 'x', 'interrupted', '{}', now(), 'me')",
        )
        .await;
    let args = ["keys", "compromise", &key, "--reason", "leaked"];
    let refused = json(&fixture, &args, 8).await;
    assert_eq!(refused["error"]["code"], "E0607", "{refused}");
    assert_eq!(status(&fixture, &key).await, "compromised");
    assert_eq!(under(&fixture, "a", &key).await, 0);
    fixture
        .exec(
            "UPDATE phiseal.runs SET state = 'failed', finished_at = now() WHERE kind = 'restore'",
        )
        .await;
    json(&fixture, &args, 0).await;
    assert_eq!(under(&fixture, "b", &key).await, 0);
}

on_both!(
    without_the_wrapping_key_a_key_is_out_of_use_all_the_same,
    10,
    no_wrapping_key
);

async fn no_wrapping_key(fixture: Fixture) {
    let key = active(&fixture, "cell").await.to_string();
    let (file, aside) = (
        fixture.project.key_file(),
        fixture.project.dir().join("aside"),
    );
    std::fs::rename(&file, &aside).unwrap();
    let suspend = ["keys", "suspend", &key, "--reason", "looking"];
    json(&fixture, &suspend, 0).await;
    assert_eq!(status(&fixture, &key).await, "suspended");
    let compromise = ["keys", "compromise", &key, "--reason", "lost"];
    let said = json(&fixture, &compromise, 7).await;
    assert_eq!(said["error"]["code"], "E0447", "{said}");
    assert_eq!(status(&fixture, &key).await, "compromised");
    std::fs::rename(&aside, &file).unwrap();
    // The fact is in key_transitions, and in no entry yet.
    let broken = json(&fixture, &["audit", "verify"], 6).await;
    assert_eq!(broken["error"]["code"], "E0307", "{broken}");
    json(&fixture, &compromise, 0).await;
    json(&fixture, &["audit", "verify"], 0).await;
    all_under(&fixture, active(&fixture, "cell").await).await;
    let log = fixture.source().own("audit_log");
    let late = format!("SELECT count(*) FROM {log} WHERE subject LIKE '%made_before%'");
    assert!(number(&fixture, &late).await > 0);
}

on_both!(a_suspended_key_leads_into_no_dead_end, 10, suspended);

async fn suspended(fixture: Fixture) {
    let key = active(&fixture, "cell").await.to_string();
    let suspend = ["keys", "suspend", &key, "--reason", "looking"];
    json(&fixture, &suspend, 0).await;
    // Again, it waits for the transactions of now.
    json(&fixture, &suspend, 0).await;
    let refused = json(&fixture, &["backfill"], 7).await;
    assert!(
        refused["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("keys resume"),
        "{refused}"
    );
    let refused = json(&fixture, &["keys", "create", "--purpose", "cell"], 7).await;
    assert_eq!(refused["error"]["code"], "E0445", "{refused}");
    assert!(
        refused["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("keys resume")
    );
    // Taken back, it is replaced.
    json(&fixture, &["keys", "resume", &key, "--reason", "r"], 0).await;
    json(&fixture, &["rotate"], 0).await;
    let second = active(&fixture, "cell").await.to_string();
    json(&fixture, &["keys", "suspend", &second, "--reason", "r"], 0).await;
    // The compromise of a suspended key puts another in its place.
    json(
        &fixture,
        &["keys", "compromise", &second, "--reason", "r"],
        0,
    )
    .await;
    all_under(&fixture, active(&fixture, "cell").await).await;
    destroy(&fixture, &second, &[], 0).await;
    destroy(&fixture, &key, &[], 0).await;
    json(&fixture, &["audit", "verify"], 0).await;
}

/// Applications whose transactions overlap, and a run that seals: nobody holds the change up.
#[tokio::test]
async fn the_state_changes_at_once_beside_open_transactions() {
    let fixture = postgres("keys_at_once", 50).await;
    let key = active(&fixture, "cell").await.to_string();
    let mut writer = fixture.db().connection().await;
    sqlx::raw_sql("BEGIN; SET LOCAL application_name = 'slow app'; UPDATE patients SET ssn = 'x' WHERE id = 1")
        .execute(&mut writer)
        .await
        .unwrap();
    let args = ["keys", "suspend", &key, "--reason", "r"];
    let mut waiting = fixture.project.phiseal(&args).spawn();
    assert!(waiting.says("older transaction: pid").await);
    assert_eq!(status(&fixture, &key).await, "suspended");
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    waiting.wait().await.expect_code(0);
}
