//! Files that hold both ways: whatever marks the way back, it is never run as the way up.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use super::{migrate, refused};
use crate::support::database;
use crate::support::database::Database;

/// Every spelling that was met, and whether it is read; the others are refused.
const MARKS: [(&str, bool); 16] = [
    ("-- +migrate Down", true),
    ("-- +migrate Down notransaction", true),
    ("-- //@UNDO", true),
    ("--//@UNDO", true),
    ("-- @UNDO", true),
    ("-- @down", false),
    ("---- create above / drop below ----", true),
    ("---- Down Migration ----", true),
    ("-- Down", false),
    ("-- DOWN", false),
    ("--- DOWN", false),
    ("-- !Downs", true),
    ("-- +micrate Down", true),
    ("-- rambler down", true),
    ("-- ROLLBACK", false),
    ("-- migrate:down", true),
];

fn folder(text: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("1_visit.sql"), text).unwrap();
    dir
}

fn both(mark: &str) -> TempDir {
    folder(&format!(
        "CREATE TABLE IF NOT EXISTS visit (id int PRIMARY KEY);\n\n{mark}\nDROP TABLE visit;\n"
    ))
}

async fn with_a_row(name: &str) -> Database {
    let db = database(name).await;
    db.exec("CREATE TABLE visit (id int PRIMARY KEY); INSERT INTO visit VALUES (1)")
        .await;
    db
}

#[tokio::test]
async fn no_way_back_is_run_as_the_way_up_whatever_marks_it() {
    for (mark, read) in MARKS {
        let db = with_a_row("both_up").await;
        let dir = both(mark);
        let path = dir.path().to_str().unwrap();
        if read {
            let up = migrate(&db, &["up", "--dir", path], 0).await;
            assert_eq!(up, json!({ "applied": [1] }), "{mark}");
        } else {
            let (code, message) = refused(&db, &["up", "--dir", path], 2).await;
            assert_eq!(code, "E0710", "{mark}");
            assert!(
                message.contains("1_visit.sql: line 3 "),
                "{mark}: {message}"
            );
        }
        assert_eq!(db.count("SELECT count(*) FROM visit").await, 1, "{mark}");
        if read {
            let (code, message) = refused(&db, &["down", "--dir", path], 3).await;
            assert_eq!(code, "E0751", "{mark}");
            assert!(message.contains("table public.visit: 1 row"), "{message}");
            let down = migrate(&db, &["down", "--dir", path, "--drop-data", "--yes"], 0).await;
            assert_eq!(down, json!({ "undone": [1] }), "{mark}");
            let there = "SELECT count(*) FROM pg_class WHERE relname = 'visit'";
            assert_eq!(db.count(there).await, 0, "{mark}");
        }
    }
}

#[tokio::test]
async fn adopting_compares_with_the_way_up_alone() {
    // Each spelling is read by the test above. A server of its own is started for each comparison.
    for mark in [
        "-- +migrate Down",
        "---- create above / drop below ----",
        "-- Down",
    ] {
        let (_, read) = *MARKS.iter().find(|(known, _)| *known == mark).unwrap();
        let db = with_a_row("both_adopt").await;
        let dir = both(mark);
        let path = dir.path().to_str().unwrap();
        if read {
            let adopted = migrate(&db, &["adopt", "--dir", path], 0).await;
            assert_eq!(adopted["adopted"], json!([1]), "{mark}");
            db.exec("DROP TABLE visit").await;
            let drift = migrate(&db, &["verify", "--dir", path], 6).await;
            assert_eq!(drift["missing"][0]["name"], "public.visit", "{mark}");
        } else {
            let (code, _) = refused(&db, &["adopt", "--dir", path], 2).await;
            assert_eq!(code, "E0710", "{mark}");
        }
    }
}

#[tokio::test]
async fn a_file_that_was_applied_before_is_not_refused_afterwards() {
    let db = database("both_before").await;
    let dir = folder("CREATE TABLE visit (id int);\n");
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    // As an earlier version applied it, which ran both ways.
    let text = "CREATE TABLE visit (id int);\n-- Down\nDROP TABLE visit;\n";
    fs::write(dir.path().join("1_visit.sql"), text).unwrap();
    let history = "SELECT 'phiseal.' || quote_ident(relname) FROM pg_class
                   WHERE relnamespace = 'phiseal'::regnamespace AND relname LIKE 'migrations%'
                     AND relkind = 'r'";
    let history = db.scalar(history).await.unwrap();
    db.exec(&format!(
        "UPDATE {history} SET checksum = sha256(convert_to('{text}', 'UTF8'))"
    ))
    .await;
    fs::write(dir.path().join("2_next.sql"), "CREATE TABLE next (id int);").unwrap();
    let status = migrate(&db, &["status", "--dir", path], 0).await;
    assert_eq!(status[0]["state"], "applied");
    let up = migrate(&db, &["up", "--dir", path], 0).await;
    assert_eq!(up, json!({ "applied": [2] }));
}

#[tokio::test]
async fn a_payment_is_no_way_back() {
    let db = database("both_payment").await;
    let dir = folder("CREATE TABLE a (id int);\n-- down payment\nCREATE TABLE b (id int);\n");
    let path = dir.path().to_str().unwrap();
    migrate(&db, &["up", "--dir", path], 0).await;
    let tables = "SELECT count(*) FROM pg_class WHERE relname IN ('a', 'b')";
    assert_eq!(db.count(tables).await, 2);
}
