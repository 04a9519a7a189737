//! A key is out of use before anything else is looked at, and no hint leads into a dead end.

use super::{destroy, status};
use crate::rotate::{active, all_under, json, number, on_both, postgres};
use crate::support::Ground;

const TWO: &str = "[[table]]\nname = \"public.a\"\n[[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n\
    [[table]]\nname = \"public.b\"\n[[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n";

async fn two(name: &str) -> Ground {
    let ddl = "CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text);
        INSERT INTO a SELECT g, 'a' || g FROM generate_series(1, 20) g; INSERT INTO b SELECT * FROM a";
    let ground = Ground::postgres(name, ddl, TWO).await;
    ground.backfill().await;
    ground
}

/// Values of a table that are under a key.
async fn under(ground: &Ground, table: &str, key: &str) -> i64 {
    let sql = format!(
        "SELECT count(*) FROM {table} WHERE substr(v_sealed, 3, 4) = substr(int8send({key}), 5, 4)"
    );
    number(ground, &sql).await
}

#[tokio::test]
async fn a_table_that_is_refused_keeps_no_compromised_key_in_use() {
    let ground = two("keys_refused").await;
    ground
        .exec(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
            CREATE TRIGGER upd BEFORE UPDATE ON b FOR EACH ROW EXECUTE FUNCTION f()",
        )
        .await;
    let key = active(&ground, "cell").await.to_string();
    let args = ["keys", "compromise", &key, "--reason", "leaked"];
    let refused = json(&ground, &args, 3).await;
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .contains("public.b"),
        "{refused}"
    );
    assert_eq!(status(&ground, &key).await, "compromised");
    assert_ne!(active(&ground, "cell").await.to_string(), key);
    assert_eq!(
        under(&ground, "a", &key).await,
        0,
        "what could be worked on was"
    );
    assert_eq!(under(&ground, "b", &key).await, 20);
    let open = "SELECT count(*) FROM phiseal.key_rotation_history WHERE finished_at IS NULL AND kind = 'compromise'";
    assert_eq!(number(&ground, open).await, 1);
    ground.exec("DROP TRIGGER upd ON b").await;
    let done = json(&ground, &["rotate"], 0).await;
    assert_eq!(done["outcome"], "complete", "{done}");
    assert_eq!(under(&ground, "b", &key).await, 0);
    json(&ground, &["audit", "verify"], 0).await;
}

#[tokio::test]
async fn an_unfinished_run_keeps_no_compromised_key_in_use() {
    let ground = two("keys_unfinished").await;
    let key = active(&ground, "cell").await.to_string();
    ground
        .exec(
            "INSERT INTO phiseal.runs (kind, table_label, digest, state, params, started_at, actor)
             VALUES ('restore', 'public.b', 'x', 'interrupted', '{}', now(), 'me')",
        )
        .await;
    let args = ["keys", "compromise", &key, "--reason", "leaked"];
    let refused = json(&ground, &args, 8).await;
    assert_eq!(refused["error"]["code"], "E0607", "{refused}");
    assert_eq!(status(&ground, &key).await, "compromised");
    assert_eq!(under(&ground, "a", &key).await, 0);
    ground
        .exec(
            "UPDATE phiseal.runs SET state = 'failed', finished_at = now() WHERE kind = 'restore'",
        )
        .await;
    json(&ground, &args, 0).await;
    assert_eq!(under(&ground, "b", &key).await, 0);
}

on_both!(
    without_the_wrapping_key_a_key_is_out_of_use_all_the_same,
    10,
    no_wrapping_key
);

async fn no_wrapping_key(ground: Ground) {
    let key = active(&ground, "cell").await.to_string();
    let (file, aside) = (
        ground.project.key_file(),
        ground.project.dir().join("aside"),
    );
    std::fs::rename(&file, &aside).unwrap();
    let suspend = ["keys", "suspend", &key, "--reason", "looking"];
    json(&ground, &suspend, 0).await;
    assert_eq!(status(&ground, &key).await, "suspended");
    let compromise = ["keys", "compromise", &key, "--reason", "lost"];
    let said = json(&ground, &compromise, 7).await;
    assert_eq!(said["error"]["code"], "E0447", "{said}");
    assert_eq!(status(&ground, &key).await, "compromised");
    std::fs::rename(&aside, &file).unwrap();
    // The fact is in key_transitions, and in no entry yet.
    let broken = json(&ground, &["audit", "verify"], 6).await;
    assert_eq!(broken["error"]["code"], "E0307", "{broken}");
    json(&ground, &compromise, 0).await;
    json(&ground, &["audit", "verify"], 0).await;
    all_under(&ground, active(&ground, "cell").await).await;
    let log = ground.source().own("audit_log");
    let late = format!("SELECT count(*) FROM {log} WHERE subject LIKE '%made_before%'");
    assert!(number(&ground, &late).await > 0);
}

on_both!(a_suspended_key_leads_into_no_dead_end, 10, suspended);

async fn suspended(ground: Ground) {
    let key = active(&ground, "cell").await.to_string();
    let suspend = ["keys", "suspend", &key, "--reason", "looking"];
    json(&ground, &suspend, 0).await;
    // Again, it waits for the transactions of now.
    json(&ground, &suspend, 0).await;
    let refused = json(&ground, &["backfill"], 7).await;
    assert!(
        refused["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("keys resume"),
        "{refused}"
    );
    let refused = json(&ground, &["keys", "create", "--purpose", "cell"], 7).await;
    assert_eq!(refused["error"]["code"], "E0445", "{refused}");
    assert!(
        refused["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("keys resume")
    );
    // Taken back, it is replaced.
    json(&ground, &["keys", "resume", &key, "--reason", "r"], 0).await;
    json(&ground, &["rotate"], 0).await;
    let second = active(&ground, "cell").await.to_string();
    json(&ground, &["keys", "suspend", &second, "--reason", "r"], 0).await;
    // The compromise of a suspended key puts another in its place.
    json(
        &ground,
        &["keys", "compromise", &second, "--reason", "r"],
        0,
    )
    .await;
    all_under(&ground, active(&ground, "cell").await).await;
    destroy(&ground, &second, &[], 0).await;
    destroy(&ground, &key, &[], 0).await;
    json(&ground, &["audit", "verify"], 0).await;
}

/// Applications whose transactions overlap, and a run that seals: nobody holds the change up.
#[tokio::test]
async fn the_state_changes_at_once_beside_open_transactions() {
    let ground = postgres("keys_at_once", 50).await;
    let key = active(&ground, "cell").await.to_string();
    let mut writer = ground.db().connection().await;
    sqlx::raw_sql("BEGIN; SET LOCAL application_name = 'slow app'; UPDATE patients SET ssn = 'x' WHERE id = 1")
        .execute(&mut writer)
        .await
        .unwrap();
    let args = ["keys", "suspend", &key, "--reason", "r"];
    let mut waiting = ground.project.phiseal(&args).spawn();
    assert!(waiting.says("older transaction: pid").await);
    assert_eq!(status(&ground, &key).await, "suspended");
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    waiting.wait().await.expect_code(0);
}
