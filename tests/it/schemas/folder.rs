//! Folders of SQL files in the platforms' conventions, and what happens when one fails.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::dump::{assert_same, schema};
use super::{migrate, refused};
use crate::support::database::Database;
use crate::support::{Phiseal, database};

/// A folder `migrations` with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(dir.path(), name, text);
    }
    dir
}

fn write(dir: &Path, name: &str, text: &str) {
    let dir = dir.join("migrations");
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join(name), text).unwrap();
}

fn path(dir: &TempDir) -> String {
    dir.path().join("migrations").display().to_string()
}

async fn tables(db: &Database) -> String {
    let names = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class
                 WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
    db.scalar(names).await.unwrap_or_default()
}

#[tokio::test]
async fn every_convention_runs_and_goes_back() {
    let db = database("folder_conventions").await;
    let dir = folder(&[
        ("00020-first.sql", "CREATE TABLE a (id int);"),
        ("00020-first.down.sql", "DROP TABLE a;"),
        (
            "20251104_143000_of_a_day.sql",
            "-- its own\nBEGIN;\nCREATE TABLE b (id int);\nCOMMIT;\n",
        ),
        (
            "20251104_143000_of_a_day.down.sql",
            "BEGIN; DROP TABLE b; COMMIT;",
        ),
        (
            "20251104_143001_same_day.up.sql",
            "CREATE TABLE c (id int);",
        ),
        ("20251104_143001_same_day.down.sql", "DROP TABLE c;"),
        ("20251105080000-dashed.sql", "CREATE TABLE d (id int);"),
        ("20251105080000-dashed.down.sql", "DROP TABLE d;"),
        ("1754250020000-milliseconds.sql", "CREATE TABLE e (id int);"),
        ("1754250020000-milliseconds.down.sql", "DROP TABLE e;"),
        ("README.md", "not a migration"),
    ]);
    let path = path(&dir);
    let all = json!([
        20,
        1_754_250_020_000_i64,
        20_251_104_143_000_i64,
        20_251_104_143_001_i64,
        20_251_105_080_000_i64
    ]);
    let dry = migrate(&db, &["up", "--dir", &path, "--dry-run"], 0).await;
    assert_eq!(dry["would_apply"].as_array().unwrap().len(), 5);
    assert_eq!(dry["would_apply"][0]["sql"], "CREATE TABLE a (id int);");
    assert_eq!(tables(&db).await, "");

    let up = migrate(&db, &["up", "--dir", &path], 0).await;
    assert_eq!(up, json!({ "applied": all }));
    assert_eq!(tables(&db).await, "a b c d e");
    let status = migrate(&db, &["status", "--dir", &path], 0).await;
    assert_eq!(status[2]["name"], "of_a_day");
    assert_eq!(status[2]["state"], "applied");

    let redo = migrate(&db, &["redo", "--dir", &path], 0).await;
    assert_eq!(redo, json!({ "redone": [20_251_105_080_000_i64] }));
    let down = [
        "down",
        "--drop-data",
        "--yes",
        "--dir",
        &path,
        "--to",
        "20251104143000",
    ];
    let down = migrate(&db, &down, 0).await;
    assert_eq!(
        down,
        json!({ "undone": [20_251_105_080_000_i64, 20_251_104_143_001_i64] })
    );
    assert_eq!(tables(&db).await, "a b e");
    migrate(
        &db,
        &["down", "--drop-data", "--yes", "--dir", &path, "--to", "0"],
        0,
    )
    .await;
    let ours = "SELECT count(*) FROM pg_class WHERE relnamespace = 'phiseal'::regnamespace";
    assert_eq!(db.count(ours).await, 0);
}

#[tokio::test]
async fn a_folder_that_cannot_be_run_is_refused_before_anything_with_every_fault() {
    let db = database("folder_faults").await;
    let dir = folder(&[
        ("1_good.sql", "CREATE TABLE a (id int);"),
        ("2_model.js", "module.exports = {}"),
        ("3_open.sql", "BEGIN; CREATE TABLE b (id int);"),
        ("4_both.sql", "SELECT 1;\n-- Down\nSELECT 2;"),
        ("5_psql.sql", "\\i other.sql"),
        ("20251104_143000_x.sql", ""),
        ("20251104143000-y.sql", ""),
        ("V8__other.sql", ""),
    ]);
    let (code, message) = refused(&db, &["up", "--dir", &path(&dir)], 2).await;
    assert_eq!(code, "E0710");
    for file in [
        "V8__other.sql",
        "2_model.js",
        "3_open.sql",
        "4_both.sql",
        "5_psql.sql",
        "20251104_143000_x.sql",
    ] {
        assert!(message.contains(file), "{file} is not in {message}");
    }
    assert_eq!(tables(&db).await, "");
    let (code, _) = refused(&db, &["up", "--dir", "/nonexistent/folder"], 2).await;
    assert_eq!(code, "E0710");
    let (code, message) = refused(&db, &["up", "--set", "none"], 2).await;
    assert_eq!(code, "E0709", "{message}");
}

#[tokio::test]
async fn a_failed_migration_leaves_the_database_as_it_was_and_names_its_line_but_no_value() {
    let db = database("folder_atomic").await;
    let dir = folder(&[
        ("1_a.sql", "CREATE TABLE a (id int PRIMARY KEY, ssn text);"),
        (
            "2_b.sql",
            "CREATE TABLE b (id int);\nINSERT INTO a VALUES (1, '900-12-3456');\n\
             INSERT INTO a SELECT 2, ssn FROM a;\n\nALTER TABLE a ALTER ssn TYPE date USING ssn::date;\n",
        ),
    ]);
    let path = path(&dir);
    migrate(&db, &["up", "--dir", &path, "--to", "1"], 0).await;
    let before = schema(&db);
    let value = migrate(&db, &["up", "--dir", &path], 3).await;
    assert_eq!(value["error"]["code"], "E0707");
    let message = value["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("line 5") && message.contains("22008"),
        "{message}"
    );
    assert!(!value.to_string().contains("900-12-3456"), "{value}");
    assert_same(&before, &schema(&db), "a failed migration");
    assert_eq!(db.count("SELECT count(*) FROM a").await, 0);
    let status = migrate(&db, &["status", "--dir", &path], 0).await;
    assert_eq!(status[1]["state"], "pending");
}

#[tokio::test]
async fn what_takes_no_transaction_goes_on_where_it_failed_and_an_invalid_index_is_replaced() {
    let db = database("folder_concurrently").await;
    let dir = folder(&[
        ("1_t.sql", "CREATE TABLE t (id int, n int);"),
        (
            "2_i.sql",
            "CREATE TABLE u (id int);\n\
             CREATE INDEX CONCURRENTLY t_id ON t (id);\n\
             CREATE UNIQUE INDEX CONCURRENTLY t_n ON t (n);\n\
             CREATE TABLE v (id int);\n",
        ),
        (
            "2_i.down.sql",
            "DROP TABLE v;\nDROP INDEX CONCURRENTLY t_n;\nDROP INDEX CONCURRENTLY t_id;\nDROP TABLE u;",
        ),
        ("1_t.down.sql", "DROP TABLE t;"),
    ]);
    let path = path(&dir);
    migrate(&db, &["up", "--dir", &path, "--to", "1"], 0).await;
    db.exec("INSERT INTO t VALUES (1, 7), (2, 7)").await;
    for _ in 0..2 {
        let value = migrate(&db, &["up", "--dir", &path], 3).await;
        assert_eq!(value["error"]["code"], "E0717", "{value}");
        let message = value["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("line 3") && message.contains("23505"),
            "{message}"
        );
        assert!(message.contains("2 of its 4 parts"), "{message}");
        let invalid = "SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index
                       WHERE indrelid = 't'::regclass AND NOT indisvalid";
        assert_eq!(db.scalar(invalid).await.as_deref(), Some("t_n"));
    }
    let status = migrate(&db, &["status", "--dir", &path], 0).await;
    assert_eq!(status[1]["state"], "partly_applied");

    db.exec("DELETE FROM t WHERE id = 2").await;
    let up = migrate(&db, &["up", "--dir", &path], 0).await;
    assert_eq!(up, json!({ "applied": [2] }));
    let valid = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid";
    assert_eq!(db.count(valid).await, 2);
    assert_eq!(tables(&db).await, "t u v");
    migrate(
        &db,
        &["down", "--drop-data", "--yes", "--dir", &path, "--to", "0"],
        0,
    )
    .await;
    assert_eq!(tables(&db).await, "");
}

#[tokio::test]
async fn a_way_back_that_fails_half_way_is_finished_before_anything_is_applied() {
    let db = database("folder_half_undone").await;
    let dir = folder(&[
        (
            "1_t.sql",
            "CREATE TABLE t (id int);\nCREATE INDEX CONCURRENTLY t_id ON t (id);",
        ),
        (
            "1_t.down.sql",
            "DROP INDEX CONCURRENTLY t_id;\nDROP TABLE t;",
        ),
    ]);
    let path = path(&dir);
    migrate(&db, &["up", "--dir", &path], 0).await;
    db.exec("CREATE VIEW reader AS SELECT id FROM t").await;
    let (code, _) = refused(&db, &["down", "--drop-data", "--yes", "--dir", &path], 3).await;
    assert_eq!(code, "E0717");
    let (code, _) = refused(&db, &["up", "--dir", &path], 3).await;
    assert_eq!(code, "E0718");
    let status = migrate(&db, &["status", "--dir", &path], 0).await;
    assert_eq!(status[0]["state"], "partly_undone");
    db.exec("DROP VIEW reader").await;
    let down = migrate(&db, &["down", "--drop-data", "--yes", "--dir", &path], 0).await;
    assert_eq!(down, json!({ "undone": [1] }));
    assert_eq!(tables(&db).await, "");
}

#[tokio::test]
async fn no_way_back_tables_in_the_way_and_changed_files_are_refused_beforehand() {
    let db = database("folder_refusals").await;
    let dir = folder(&[
        ("1_a.sql", "CREATE TABLE a (id int);"),
        (
            "2_b.sql",
            "CREATE TABLE b (id int);\nCREATE TABLE c (id int);",
        ),
        ("2_b.down.sql", "DROP TABLE b; DROP TABLE c;"),
    ]);
    let path = path(&dir);
    db.exec("CREATE TABLE c (kept int); INSERT INTO c VALUES (1)")
        .await;
    let (code, message) = refused(&db, &["up", "--dir", &path], 3).await;
    assert_eq!(code, "E0712");
    assert!(message.ends_with(": c"), "{message}");
    assert_eq!(tables(&db).await, "c");
    db.exec("DROP TABLE c").await;
    migrate(&db, &["up", "--dir", &path], 0).await;

    // Nothing is undone where not all of it can be.
    let (code, _) = refused(
        &db,
        &["down", "--drop-data", "--yes", "--dir", &path, "--to", "0"],
        3,
    )
    .await;
    assert_eq!(code, "E0711");
    assert_eq!(tables(&db).await, "a b c");

    write(dir.path(), "1_a.sql", "CREATE TABLE a (id bigint);");
    let (code, _) = refused(&db, &["up", "--dir", &path], 3).await;
    assert_eq!(code, "E0701");
    let (code, _) = refused(&db, &["verify", "--dir", &path], 3).await;
    assert_eq!(code, "E0701");
    fs::remove_file(dir.path().join("migrations/1_a.sql")).unwrap();
    let (code, _) = refused(&db, &["down", "--drop-data", "--yes", "--dir", &path], 3).await;
    assert_eq!(code, "E0702");
}

#[tokio::test]
async fn settings_of_a_file_end_with_it() {
    let db = database("folder_settings").await;
    let dir = folder(&[
        (
            "1_a.sql",
            "CREATE SCHEMA other;\nSET search_path = other;\nCREATE TABLE a (id int);",
        ),
        ("2_b.sql", "CREATE TABLE b (id int);"),
    ]);
    migrate(&db, &["up", "--dir", &path(&dir)], 0).await;
    let places =
        "SELECT string_agg(relnamespace::regnamespace || '.' || relname, ' ' ORDER BY relname)
                  FROM pg_class WHERE relname IN ('a', 'b')";
    assert_eq!(db.scalar(places).await.as_deref(), Some("other.a public.b"));
    let no_drift = migrate(&db, &["verify", "--dir", &path(&dir)], 0).await;
    assert_eq!(no_drift["missing"], json!([]));
}

#[tokio::test]
async fn a_migrator_killed_in_a_concurrent_build_is_followed_by_one_that_finishes() {
    let db = database("folder_killed").await;
    let dir = folder(&[
        (
            "1_t.sql",
            "CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 1000) AS g;",
        ),
        (
            "2_i.sql",
            "CREATE INDEX CONCURRENTLY t_id ON t (id);\nCREATE TABLE u (id int);",
        ),
    ]);
    let path = path(&dir);
    migrate(&db, &["up", "--dir", &path, "--to", "1"], 0).await;
    // The build waits for this transaction, which has written to the table.
    let mut writer = db.pool().begin().await.unwrap();
    sqlx::query("INSERT INTO t VALUES (0)")
        .execute(&mut *writer)
        .await
        .unwrap();
    let url = db.url();
    let arguments = ["migrate", "up", "--dir", &path, "--database-url", &url];
    let mut running = Phiseal::new(arguments).cwd(dir.path()).spawn();
    let building = "SELECT count(*) FROM pg_stat_progress_create_index AS p
                    JOIN pg_database AS d ON d.oid = p.datid WHERE d.datname = current_database()";
    while db.count(building).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    running.signal(Signal::KILL);
    running.wait().await;
    // Its backend notices by the lock it cannot get; then the index is left invalid.
    db.exec(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND query LIKE 'CREATE INDEX CONCURRENTLY%'",
    )
    .await;
    writer.commit().await.unwrap();
    let up = migrate(&db, &["up", "--dir", &path], 0).await;
    assert_eq!(up, json!({ "applied": [2] }));
    let valid = "SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid";
    assert_eq!(db.count(valid).await, 1);
    assert_eq!(tables(&db).await, "t u");
}

#[tokio::test]
async fn two_migrators_of_a_folder_at_once_apply_each_migration_once() {
    let db = database("folder_two").await;
    let files: Vec<(String, String)> = (1..=6)
        .map(|n| {
            (
                format!("{n}_t.sql"),
                format!("SELECT pg_sleep(0.2); CREATE TABLE t{n} (id int);"),
            )
        })
        .chain([(
            "7_i.sql".into(),
            "CREATE INDEX CONCURRENTLY t1_id ON t1 (id);".into(),
        )])
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(n, t)| (n.as_str(), t.as_str()))
        .collect();
    let dir = folder(&files);
    let path = path(&dir);
    let up = ["up", "--dir", &path];
    let (one, two) = tokio::join!(migrate(&db, &up, 0), migrate(&db, &up, 0));
    let versions = |value: &Value| value["applied"].as_array().unwrap().clone();
    let mut applied = [versions(&one), versions(&two)].concat();
    applied.sort_by_key(Value::as_i64);
    assert_eq!(Value::from(applied), json!([1, 2, 3, 4, 5, 6, 7]));
}

#[tokio::test]
async fn a_folder_needs_postgresql() {
    let dir = folder(&[("1_a.sql", "CREATE TABLE a (id int);")]);
    let url = format!("sqlite://{}/x.db?mode=rwc", dir.path().display());
    let path = path(&dir);
    let arguments = [
        "migrate",
        "up",
        "--dir",
        &path,
        "--database-url",
        &url,
        "--json",
    ];
    let run = Phiseal::new(arguments)
        .cwd(dir.path())
        .run()
        .await
        .expect_code(2);
    assert!(run.stdout.contains("E0713"), "{}", run.stdout);
}

#[tokio::test]
async fn a_partly_applied_file_may_be_mended_below_and_its_way_back_may_fail_and_go_again() {
    let db = database("folder_mended").await;
    let (good, bad, changed) = (
        "CREATE TABLE t (a int);\nCREATE INDEX CONCURRENTLY i ON t (a);\n",
        "CREATE INDEX CONCURRENTLY j ON t (nosuch);\n",
        "CREATE TABLE t (a bigint);\nCREATE INDEX CONCURRENTLY i ON t (a);\n",
    );
    let down = "DROP INDEX CONCURRENTLY j;\nDROP INDEX CONCURRENTLY i;\nDROP TABLE t;";
    let whole = format!("{good}{bad}");
    let dir = folder(&[("1_t.sql", &whole), ("1_t.down.sql", down)]);
    let path = path(&dir);
    let state = async || {
        let status = migrate(&db, &["status", "--dir", &path], 0).await;
        status[0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(refused(&db, &["up", "--dir", &path], 3).await.0, "E0717");
    // The way back fails at its first statement: the record stays what it was.
    assert_eq!(
        refused(&db, &["down", "--drop-data", "--yes", "--dir", &path], 3)
            .await
            .0,
        "E0707"
    );
    assert_eq!(state().await, "partly_applied");

    write(dir.path(), "1_t.sql", changed);
    assert_eq!(refused(&db, &["up", "--dir", &path], 3).await.0, "E0701");
    let mended = format!("{good}CREATE INDEX CONCURRENTLY j ON t ((a + 1));\n");
    write(dir.path(), "1_t.sql", &mended);
    let up = migrate(&db, &["up", "--dir", &path], 0).await;
    assert_eq!(up, json!({ "applied": [1] }));
    assert_eq!(state().await, "applied");
    let no_drift = migrate(&db, &["verify", "--dir", &path], 0).await;
    assert_eq!(no_drift["missing"], json!([]));
}

#[tokio::test]
async fn a_session_lasts_from_the_beginning_of_a_file_to_its_end_and_no_longer() {
    let db = database("folder_session").await;
    db.exec("CREATE SCHEMA app; CREATE TABLE app.t (a int); CREATE TABLE public.t (a int)")
        .await;
    let dir = folder(&[
        (
            "1_i.sql",
            "SET search_path = app;\nCREATE INDEX CONCURRENTLY i ON t (a);\nCREATE TEMP TABLE x ();",
        ),
        (
            "2_x.sql",
            "CREATE TEMP TABLE x (); CREATE TABLE y (id int);",
        ),
        (
            "3_e.sql",
            "ALTER TYPE e ADD VALUE 'b';\nINSERT INTO z VALUES ('b');",
        ),
    ]);
    db.exec("CREATE TYPE e AS ENUM ('a'); CREATE TABLE z (e e)")
        .await;
    let up = migrate(&db, &["up", "--dir", &path(&dir)], 0).await;
    assert_eq!(up, json!({ "applied": [1, 2, 3] }));
    let places =
        "SELECT string_agg(relnamespace::regnamespace || '.' || relname, ' ' ORDER BY relname)
                  FROM pg_class WHERE relname IN ('i', 'y')";
    assert_eq!(db.scalar(places).await.as_deref(), Some("app.i public.y"));
}

#[tokio::test]
async fn a_name_that_a_migration_frees_is_not_in_the_way() {
    let db = database("folder_freed").await;
    let dir = folder(&[
        ("1_v.sql", "CREATE VIEW v AS SELECT 1 AS a;"),
        ("2_v.sql", "DROP VIEW v; CREATE TABLE v (a int);"),
        (
            "3_u.sql",
            "CREATE SCHEMA app; SET search_path = app; CREATE TABLE v (a int);",
        ),
    ]);
    let path = path(&dir);
    migrate(&db, &["up", "--dir", &path, "--to", "1"], 0).await;
    let up = migrate(&db, &["up", "--dir", &path], 0).await;
    assert_eq!(up, json!({ "applied": [2, 3] }));
    let same = migrate(&db, &["verify", "--dir", &path], 0).await;
    assert_eq!(same["missing"], json!([]));
}

#[tokio::test]
async fn redo_is_of_the_newest_alone() {
    let db = database("folder_redo").await;
    let dir = folder(&[
        ("1_a.sql", "CREATE TABLE a ();"),
        ("3_c.sql", "CREATE TABLE c ();"),
        ("3_c.down.sql", "DROP TABLE c;"),
    ]);
    let path = path(&dir);
    migrate(&db, &["up", "--dir", &path], 0).await;
    write(dir.path(), "2_b.sql", "CREATE TABLE b ();");
    let redone = migrate(&db, &["redo", "--dir", &path], 0).await;
    assert_eq!(redone, json!({ "redone": [3] }));
    assert_eq!(tables(&db).await, "a c");
}

#[tokio::test]
async fn three_migrators_of_a_set_started_apart_wait_for_each_other() {
    let db = database("folder_three").await;
    let late = async |ms: u64| {
        tokio::time::sleep(std::time::Duration::from_millis(ms)).await;
        migrate(&db, &["up", "--set", "facility"], 0).await
    };
    let (one, two, three) = tokio::join!(late(0), late(150), late(300));
    let applied = |value: &Value| value["applied"].as_array().unwrap().len();
    assert_eq!(applied(&one) + applied(&two) + applied(&three), 18);
}
