//! A migration never stands in front of the application: it asks for its locks briefly, and again.

use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::{migrate, refused};
use crate::support::database;
use crate::support::database::Database;

fn folder() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    write("1_t.sql", "CREATE TABLE t (id int);");
    write(
        "2_c.sql",
        "CREATE TABLE u (id int);\nALTER TABLE t ADD COLUMN c int;",
    );
    dir
}

/// A transaction that reads the table and stays open.
async fn long_query(db: &Database) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut reader = db.pool().begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM t")
        .execute(&mut *reader)
        .await
        .unwrap();
    reader
}

#[tokio::test]
async fn the_application_goes_on_reading_while_a_migration_waits_for_a_long_query() {
    let db = database("locks_reading").await;
    let dir = folder();
    let path = dir.path().to_str().unwrap().to_owned();
    migrate(&db, &["up", "--dir", &path, "--to", "1"], 0).await;
    let reader = long_query(&db).await;
    let application = async {
        // Each read gets its lock within a second or so, or fails.
        let mut waited = 0;
        for _ in 0..20 {
            let read = db.try_exec("SET lock_timeout = '3s'; SELECT count(*) FROM t");
            let queued = "SELECT count(*) FROM pg_locks WHERE NOT granted
                          AND mode = 'AccessExclusiveLock' AND relation = 't'::regclass";
            let (read, queued) = tokio::join!(read, db.count(queued));
            read.expect("the application was kept from reading");
            waited += queued;
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        reader.commit().await.unwrap();
        waited
    };
    let up = ["up", "--dir", &path];
    let (up, waited) = tokio::join!(migrate(&db, &up, 0), application);
    assert_eq!(up, json!({ "applied": [2] }));
    assert!(waited > 0, "the migration never asked for the lock");
}

#[tokio::test]
async fn a_lock_that_is_never_granted_ends_the_migration_with_nothing_done() {
    let db = database("locks_never").await;
    let dir = folder();
    let path = dir.path().to_str().unwrap().to_owned();
    migrate(&db, &["up", "--dir", &path, "--to", "1"], 0).await;
    let reader = long_query(&db).await;
    let (code, _) = refused(&db, &["up", "--dir", &path], 4).await;
    assert_eq!(code, "E0706");
    let made = "SELECT count(*) FROM pg_class WHERE relname = 'u'";
    assert_eq!(db.count(made).await, 0);
    reader.commit().await.unwrap();
    let up = migrate(&db, &["up", "--dir", &path], 0).await;
    assert_eq!(up, json!({ "applied": [2] }));
}
