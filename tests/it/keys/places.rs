//! Wherever values went by ordinary work on a database, their key is not destroyed.

use super::{destroy, rotated, status, still_used};
use crate::rotate::{active, json, number, on_both, postgres};
use crate::support::{Base, Fixture};
use serde_json::json;

on_both!(a_table_put_aside_and_made_again_keeps_its_key, 20, aside);

async fn aside(fixture: Fixture) {
    // A copy under another name that nothing registered knows, and one that the application sealed by itself.
    fixture
        .exec("CREATE TABLE archive AS SELECT * FROM patients; CREATE TABLE own AS SELECT id, dob_sealed AS v FROM patients")
        .await;
    let old = rotated(&fixture).await;
    let schema = match fixture.base {
        Base::Postgres(_) => "public.",
        Base::Sqlite(_) => "",
    };
    let places = ["archive.ssn_sealed (20)", "archive.note (", "own.v (20)"];
    let places: Vec<String> = places.iter().map(|p| format!("{schema}{p}")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    still_used(&fixture, &old, &places).await;
    assert_eq!(status(&fixture, &old).await, "deactivated");
    // The way around says so in the audit log.
    let done = destroy(&fixture, &old, &["--registered-only"], 0).await;
    assert_eq!(done["searched"], json!(null));
    let log = fixture.source().own("audit_log");
    let said = format!(
        "SELECT count(*) FROM {log} WHERE action = 'key.destroy' AND subject LIKE '%registered only%'"
    );
    assert_eq!(number(&fixture, &said).await, 1);
    json(&fixture, &["audit", "verify"], 0).await;
}

#[tokio::test]
async fn partitions_detached_and_in_flight_and_moved_schemas_keep_their_key() {
    let plan = "[[table]]\nname = \"public.visits\"\n[[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";
    let ddl = "CREATE TABLE visits (id int, day int, note text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
        CREATE TABLE visits_1 PARTITION OF visits FOR VALUES FROM (0) TO (10);
        CREATE TABLE visits_2 PARTITION OF visits FOR VALUES FROM (10) TO (20);
        INSERT INTO visits SELECT g, g, 'n' || g FROM generate_series(0, 19) g;
        CREATE SCHEMA archive";
    let fixture = Fixture::postgres("keys_partitions", ddl, plan).await;
    fixture.backfill().await;
    fixture
        .exec(
            "ALTER TABLE visits DETACH PARTITION visits_1; ALTER TABLE visits_1 SET SCHEMA archive",
        )
        .await;
    // A copy of the detached leaf is nobody's; the leaf itself goes with the rotation.
    fixture
        .exec("CREATE TABLE archive.copy AS SELECT note_sealed FROM archive.visits_1")
        .await;
    let old = active(&fixture, "cell").await.to_string();
    json(&fixture, &["rotate"], 0).await;
    let refused = destroy(&fixture, &old, &[], 7).await;
    assert_eq!(refused["error"]["code"], "E0441", "{refused}");
    let message = refused["error"]["message"].to_string();
    assert!(
        message.contains("archive.copy.note_sealed (10)"),
        "{message}"
    );
    assert!(!message.contains("visits_1"), "{message}");
    fixture.exec("DROP TABLE archive.copy").await;
    destroy(&fixture, &old, &[], 0).await;
}

/// What a transaction moves, and commits while the command waits for it, is found where it is then.
#[tokio::test]
async fn what_is_moved_in_flight_is_found() {
    let fixture = postgres("keys_flight", 10).await;
    fixture.exec("CREATE TABLE gone (v bytea)").await;
    fixture
        .exec("INSERT INTO gone SELECT ssn_sealed FROM patients WHERE id = 1")
        .await;
    let old = rotated(&fixture).await;
    let mut writer = fixture.db().connection().await;
    sqlx::raw_sql("BEGIN; CREATE TABLE hidden AS SELECT v FROM gone; DELETE FROM gone")
        .execute(&mut writer)
        .await
        .unwrap();
    let args = ["keys", "destroy", &old, "--confirm", &old, "--reason", "r"];
    let mut waiting = fixture.project.phiseal(&args).spawn();
    assert!(waiting.says("older transaction").await);
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    let refused = waiting.wait().await.expect_code(7);
    assert!(
        refused.stderr.contains("public.hidden.v (1)"),
        "{}",
        refused.stderr
    );
}

on_both!(
    a_field_that_was_restored_and_goes_on_keeps_its_key,
    10,
    restored
);

async fn restored(fixture: Fixture) {
    fixture
        .exec("CREATE TABLE copy AS SELECT id, ssn_sealed, ssn_bidx FROM patients")
        .await;
    json(&fixture, &["restore", "--drop-sealed", "--yes"], 0).await;
    // The application goes on with what it sealed.
    let kind = match fixture.base {
        Base::Postgres(_) => "bytea",
        Base::Sqlite(_) => "BLOB",
    };
    fixture
        .exec(&format!(
            "ALTER TABLE patients ADD COLUMN ssn_sealed {kind}"
        ))
        .await;
    fixture
        .exec(
            "UPDATE patients SET ssn_sealed = (SELECT c.ssn_sealed FROM copy c WHERE c.id = patients.id);
             DROP TABLE copy",
        )
        .await;
    let old = rotated(&fixture).await;
    still_used(&fixture, &old, &["patients.ssn_sealed (10)"]).await;
}

#[tokio::test]
async fn a_compromise_names_what_it_could_not_reach() {
    let fixture = postgres("keys_reach", 10).await;
    fixture
        .exec("CREATE TABLE archive AS SELECT ssn_sealed FROM patients")
        .await;
    let key = active(&fixture, "cell").await.to_string();
    let args = ["keys", "compromise", &key, "--reason", "lost"];
    let done = json(&fixture, &args, 6).await;
    assert_eq!(done["outcome"], "complete with remainder", "{done}");
    assert_eq!(
        done["searched"]["found"][0]["place"],
        "public.archive.ssn_sealed"
    );
    assert_eq!(done["searched"]["found"][0]["values"], 10);
    // Mended, the same command comes to an end.
    fixture.exec("DROP TABLE archive").await;
    let done = json(&fixture, &args, 0).await;
    assert_eq!(done["outcome"], "complete", "{done}");
}

on_both!(a_rotation_names_a_registered_table_that_is_gone, 10, gone);

async fn gone(fixture: Fixture) {
    fixture.exec("DROP TABLE patients").await;
    let done = json(&fixture, &["rotate"], 6).await;
    assert_eq!(done["outcome"], "complete with remainder", "{done}");
    assert_eq!(done["not_there"].as_array().unwrap().len(), 1, "{done}");
}
