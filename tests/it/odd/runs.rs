//! Runs that are not to be resumed, and what an unfinished one keeps from being done: nothing of keys.

use super::{json, number};
use crate::backfill::beside;
use crate::support::{Base, Fixture};

const ROWS: &str = "CREATE TABLE a (id integer PRIMARY KEY, v varchar(20)); CREATE TABLE b (id integer PRIMARY KEY, v varchar(20));
    INSERT INTO a VALUES (1, 'x'), (2, 'y'); INSERT INTO b VALUES (1, 'x'), (2, 'y'), (3, 'z')";

async fn grounds(name: &str) -> [Fixture; 2] {
    let tables = |schema: &str| {
        ["a", "b"]
            .map(|table| beside(&format!("{schema}{table}"), &["v"]))
            .concat()
    };
    [
        Fixture::postgres(name, ROWS, &tables("public.")).await,
        Fixture::sqlite(ROWS, &tables("")).await,
    ]
}

fn label(fixture: &Fixture, table: &str) -> String {
    match fixture.base {
        Base::Postgres(_) => format!("public.{table}"),
        Base::Sqlite(_) => table.to_owned(),
    }
}

/// A run that was interrupted, with a lane whose holder is as given.
async fn interrupted(fixture: &Fixture, table: &str, kind: &str, holder: &str, lease: &str) -> i64 {
    let (runs, lanes) = (fixture.source().own("runs"), fixture.source().own("lanes"));
    let label = label(fixture, table);
    let now = match fixture.base {
        Base::Postgres(_) => "now()",
        Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
    };
    fixture
        .exec(&format!(
            "INSERT INTO {runs} (kind, table_label, digest, state, params, started_at, actor)
             VALUES ('{kind}', '{label}', 'x', 'interrupted', '{{}}', {now}, 'me');
             INSERT INTO {lanes} (run_id, lane_no, relation, holder, lease_until, rows_found)
             SELECT run_id, 0, '{table}', {holder}, {lease}, 5 FROM {runs} WHERE finished_at IS NULL
                AND table_label = '{label}'"
        ))
        .await;
    let of =
        format!("SELECT run_id FROM {runs} WHERE finished_at IS NULL AND table_label = '{label}'");
    number(fixture, &of).await
}

fn in_an_hour(fixture: &Fixture) -> &'static str {
    match fixture.base {
        Base::Postgres(_) => "now() + interval '1 hour'",
        Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+1 hour')",
    }
}

#[tokio::test]
async fn a_run_is_given_up_by_its_number_or_its_table_and_noted() {
    for fixture in grounds("runs_abandon").await {
        json(&fixture, &["backfill"], 0).await;
        let run = interrupted(&fixture, "a", "restore", "NULL", "NULL").await;
        let other = interrupted(&fixture, "b", "rotate", "NULL", "NULL").await;
        let held = json(&fixture, &["backfill", "--table", "a"], 8).await;
        assert_eq!(held["error"]["code"], "E0607", "{held}");
        assert!(
            held["error"]["hint"]
                .as_str()
                .unwrap()
                .contains("runs abandon")
        );
        let listed = json(&fixture, &["runs", "list"], 0).await;
        let first: Vec<_> = listed
            .as_array()
            .unwrap()
            .iter()
            .take(2)
            .map(|run| run["run_id"].clone())
            .collect();
        assert_eq!(first, [other, run], "{listed}");
        let only = json(
            &fixture,
            &["runs", "list", "--table", &label(&fixture, "b")],
            0,
        )
        .await;
        assert!(
            only.as_array()
                .unwrap()
                .iter()
                .all(|run| run["table"] == label(&fixture, "b"))
        );
        let done = json(
            &fixture,
            &["runs", "abandon", &run.to_string(), "--reason", "stale"],
            0,
        )
        .await;
        assert_eq!(
            (&done["run_id"], &done["kind"]),
            (&run.into(), &"restore".into()),
            "{done}"
        );
        let done = json(&fixture, &["runs", "abandon", &label(&fixture, "b")], 0).await;
        assert_eq!(done["run_id"], other, "{done}");
        let runs = fixture.source().own("runs");
        let ended = format!(
            "SELECT count(*) FROM {runs} WHERE state = 'failed' AND error_code = 'E0528' AND finished_at IS NOT NULL
                AND rows_found = 5"
        );
        assert_eq!(number(&fixture, &ended).await, 2);
        let log = fixture.source().own("audit_log");
        let noted = format!("SELECT count(*) FROM {log} WHERE action = 'run.abandon'");
        assert_eq!(number(&fixture, &noted).await, 2);
        json(&fixture, &["audit", "verify"], 0).await;
        json(&fixture, &["backfill"], 0).await;
        json(&fixture, &["rotate"], 0).await;
        for what in [run.to_string(), "999".to_owned(), label(&fixture, "b")] {
            let none = json(&fixture, &["runs", "abandon", &what], 2).await;
            assert_eq!(none["error"]["code"], "E0267", "{none}");
        }
    }
}

#[tokio::test]
async fn a_run_that_somebody_alive_works_on_is_not_given_up() {
    for fixture in grounds("runs_alive").await {
        json(&fixture, &["backfill"], 0).await;
        let alive = "'elsewhere/boot/1/1/0'";
        let lease = in_an_hour(&fixture);
        let run = interrupted(&fixture, "a", "backfill", alive, lease).await;
        let refused = json(&fixture, &["runs", "abandon", &run.to_string()], 8).await;
        assert_eq!(refused["error"]["code"], "E0603", "{refused}");
        // Nor is it broken by a rotation; that waits, and nothing is begun.
        let rotate = json(&fixture, &["rotate"], 8).await;
        assert_eq!(rotate["error"]["code"], "E0607", "{rotate}");
        let history = fixture.source().own("key_rotation_history");
        assert_eq!(
            number(&fixture, &format!("SELECT count(*) FROM {history}")).await,
            0
        );
        // Its lease is over: it is fenced off.
        let lanes = fixture.source().own("lanes");
        let over = match fixture.base {
            Base::Postgres(_) => "now() - interval '1 second'",
            Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 seconds')",
        };
        fixture
            .exec(&format!(
                "UPDATE {lanes} SET lease_until = {over} WHERE run_id = {run}"
            ))
            .await;
        json(&fixture, &["runs", "abandon", &run.to_string()], 0).await;
        let fenced = format!(
            "SELECT count(*) FROM {lanes} WHERE run_id = {run} AND state = 'done' AND fence > 0"
        );
        assert_eq!(number(&fixture, &fenced).await, 1);
        json(&fixture, &["rotate"], 0).await;
    }
}

#[tokio::test]
async fn an_unfinished_run_of_one_table_blocks_no_key() {
    for fixture in grounds("runs_keys").await {
        json(&fixture, &["backfill"], 0).await;
        let keys = fixture.source().own("encryption_keys");
        let active =
            format!("SELECT key_id FROM {keys} WHERE purpose = 'cell' AND status = 'active'");
        let old = number(&fixture, &active).await;
        interrupted(&fixture, "a", "restore", "NULL", "NULL").await;
        // The key changes, and the other table is done; the one is said.
        let rotated = json(&fixture, &["rotate"], 8).await;
        assert_eq!(rotated["error"]["code"], "E0607", "{rotated}");
        assert_ne!(number(&fixture, &active).await, old);
        let census = json(&fixture, &["status", "--census"], 0).await;
        let rows = |status: &serde_json::Value, id: i64| {
            let keys = status["keys"].as_array().unwrap().clone();
            keys.iter().find(|key| key["key_id"] == id).unwrap()["rows"].clone()
        };
        assert_eq!(rows(&census, old), 2, "{census}");
        // What is still sealed under it keeps it, and not the run.
        let id = old.to_string();
        let destroy = ["keys", "destroy", &id, "--confirm", &id, "--reason", "old"];
        let kept = json(&fixture, &destroy, 7).await;
        assert_eq!(kept["error"]["code"], "E0442", "{kept}");
        json(&fixture, &["keys", "check"], 0).await;
        json(&fixture, &["runs", "abandon", &label(&fixture, "a")], 0).await;
        let done = json(&fixture, &["rotate"], 0).await;
        assert_eq!(done["outcome"], "complete", "{done}");
        interrupted(&fixture, "b", "restore", "NULL", "NULL").await;
        json(&fixture, &destroy, 0).await;
    }
}
