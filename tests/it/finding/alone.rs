//! What needs no plan file works with the database's URL alone; all else says what is missing.

use super::{at, failed, text};
use crate::backfill::beside;
use crate::support::Fixture;
use serde_json::Value;
use std::path::Path;

const TABLES: &str = "CREATE TABLE t (id integer PRIMARY KEY, ssn text);
    CREATE TABLE u (id integer PRIMARY KEY, ssn text);
    INSERT INTO t VALUES (1, '123-45-6789'); INSERT INTO u VALUES (1, '123-45-6789');";

async fn sealed(fixture: &Fixture) {
    fixture.json(&["backfill"]).await;
}

/// Runs a command with the URL alone.
async fn alone(folder: &Path, url: &str, args: &[&str], code: i32) -> Value {
    let args = [args, &["--database-url", url]].concat();
    at(folder, &args).run().await.expect_code(code).json()
}

async fn commands_of_our_own_tables(fixture: Fixture) {
    sealed(&fixture).await;
    let empty = tempfile::tempdir().unwrap();
    let (folder, url) = (empty.path(), fixture.url());
    let keys = alone(folder, &url, &["keys", "list"], 0).await;
    let key = keys[0]["key_id"].to_string();
    for command in [
        &["status"][..],
        &["keys", "show", &key],
        &["audit", "head"],
        &["fields", "list"],
        &["runs", "list"],
        &["quarantine", "list"],
        &["quarantine", "retry"],
        &["pause"],
        &["resume"],
        &["speed"],
        &["speed", "--rows-per-second", "10"],
        &["speed", "plan"],
        &["migrate", "status"],
        &["migrate", "up"],
    ] {
        let found = alone(folder, &url, command, 0).await;
        let planned = fixture.json(command).await;
        let kind = |value: &Value| (value.is_array(), value.is_object());
        assert_eq!(kind(&found), kind(&planned), "{command:?}");
    }
    assert_eq!(
        alone(folder, &url, &["fields", "list"], 0).await,
        fixture.json(&["fields", "list"]).await
    );
    // What is registered can be named, by its label or as it is called.
    let label = fixture.table("t");
    for name in [label.as_str(), "t"] {
        let runs = alone(folder, &url, &["runs", "list", "--table", name], 0).await;
        let tables: Vec<&Value> = runs
            .as_array()
            .unwrap()
            .iter()
            .map(|run| &run["table"])
            .collect();
        assert_eq!(tables, [label.as_str()], "{name}");
    }
    let unknown = ["--database-url", &url, "status", "--table", "none"];
    failed(at(folder, &unknown), "E0120").await;
    // Nothing was asked of the wrapping key so far; these need it.
    for command in [
        &["audit", "verify"][..],
        &["keys", "check"],
        &["keys", "create", "--tenant", "x"],
        &["rotate"],
        &["fields", "forget", &label, "--reason", "r"],
    ] {
        let args = [command, &["--database-url", &url]].concat();
        let (error, _) = failed(at(folder, &args), "E0127").await;
        assert!(
            text(&error, "message").contains("the wrapping key"),
            "{error}"
        );
    }
    // And these work on the tables that a plan names.
    for command in ["plan", "bench", "backfill", "verify", "restore"] {
        let (error, _) = failed(at(folder, &[command, "--database-url", &url]), "E0126").await;
        assert!(text(&error, "message").contains("/etc/phiseal"), "{error}");
    }
}

#[tokio::test]
async fn commands_of_our_own_tables_need_no_plan_in_postgres() {
    let tables = beside("public.t", &["ssn"]) + &beside("public.u", &["ssn"]);
    commands_of_our_own_tables(Fixture::postgres("alone", TABLES, &tables).await).await;
}

#[tokio::test]
async fn commands_of_our_own_tables_need_no_plan_in_sqlite() {
    let tables = beside("t", &["ssn"]) + &beside("u", &["ssn"]);
    commands_of_our_own_tables(Fixture::sqlite(TABLES, &tables).await).await;
}

#[tokio::test]
async fn a_request_without_the_wrapping_key_holds_and_says_that_the_audit_log_lacks_it() {
    let fixture = Fixture::sqlite(TABLES, &beside("t", &["ssn"])).await;
    sealed(&fixture).await;
    let empty = tempfile::tempdir().unwrap();
    let pause = ["pause", "--database-url", &fixture.url()];
    let run = at(empty.path(), &pause).run().await.expect_code(0);
    assert!(run.stderr.contains("E0127"), "{}", run.stderr);
    let status = fixture.json(&["status"]).await;
    assert_eq!(status["requests"][0]["request"], "pause", "{status}");
}

#[tokio::test]
async fn tables_that_are_not_there_are_missed_in_the_database_that_is_named() {
    let fixture = Fixture::empty_postgres("alone_bare").await;
    let empty = tempfile::tempdir().unwrap();
    let name = fixture.db().name().to_owned();
    let status = ["status", "--database-url", &fixture.url()];
    let (error, _) = failed(at(empty.path(), &status), "E0515").await;
    let message = text(&error, "message");
    assert!(message.contains("schema phiseal of database "), "{message}");
    assert!(
        message.contains(&format!("database {name} at ")),
        "{message}"
    );
    alone(empty.path(), &fixture.url(), &["migrate", "up"], 0).await;
    alone(empty.path(), &fixture.url(), &["status"], 0).await;
}
