//! `phiseal demo`: what it promises, on both databases, and that it leaves nothing behind.

mod sets;

use crate::support::database::Database;
use crate::support::phiseal::Finished;
use crate::support::{Phiseal, database};
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const ROWS: &str = "5000";

fn demo(tmp: &Path, more: &[&str]) -> Phiseal {
    demo_of(ROWS, tmp, more)
}

fn demo_of(rows: &str, tmp: &Path, more: &[&str]) -> Phiseal {
    let arguments = ["demo", "--rows", rows]
        .into_iter()
        .chain(more.iter().copied());
    Phiseal::new(arguments).env("TMPDIR", tmp)
}

fn left_in(tmp: &TempDir) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(tmp.path()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

async fn schemas(database: &Database) -> Vec<String> {
    let own = "SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' \
               AND nspname NOT IN ('information_schema', 'public') ORDER BY 1";
    database
        .rows(own)
        .await
        .into_iter()
        .flatten()
        .flatten()
        .collect()
}

#[track_caller]
fn expect_counts(finished: &Finished, rows: u64) {
    let said = finished.json();
    let count = |name: &str| {
        said[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name}: {said}"))
    };
    assert_eq!(count("rows"), rows);
    assert!(count("values") > 3 * rows, "{said}");
    assert_eq!(count("verified"), count("values"));
    assert_eq!(count("failed"), 0);
    assert!((rows / 2..rows).contains(&count("killed_at")), "{said}");
    assert_eq!(count("resumed_at"), count("killed_at"));
    assert!(said["seconds"].as_f64().unwrap() > 0.0);
    assert!(said["rows_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(said.as_object().map(serde_json::Map::len), Some(8));
}

#[tokio::test]
async fn everything_is_sealed_through_a_kill_and_nothing_is_left_in_sqlite() {
    let tmp = tempfile::tempdir().unwrap();
    let finished = demo(tmp.path(), &["--json"]).run().await.expect_code(0);
    expect_counts(&finished, 5_000);
    assert_eq!(left_in(&tmp), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn everything_is_sealed_through_a_kill_and_nothing_is_left_in_postgres() {
    let tmp = tempfile::tempdir().unwrap();
    let database = database("demo").await;
    // So many rows that also on a busy machine it is killed before it ends.
    let more = &["--json", "--database-url", &database.url()];
    let finished = demo_of("30000", tmp.path(), more).run().await;
    expect_counts(&finished.expect_code(0), 30_000);
    assert_eq!(schemas(&database).await, [] as [String; 0]);
    assert_eq!(left_in(&tmp), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn kept_files_are_a_project_that_verifies() {
    let tmp = tempfile::tempdir().unwrap();
    let finished = demo(tmp.path(), &["--keep"]).run().await.expect_code(0);
    let [folder] = &left_in(&tmp)[..] else {
        panic!("{:?}", left_in(&tmp));
    };
    assert!(
        finished.stdout.contains(folder.to_str().unwrap()),
        "{}",
        finished.stdout
    );
    let plan = folder.join("phiseal.toml");
    let verify = ["verify", "--json", "--plan", plan.to_str().unwrap()];
    let verified = Phiseal::new(verify).run().await.expect_code(0).json();
    assert_eq!(verified["rows_verified"], Value::from(5_000));
}

#[tokio::test]
async fn kept_schemas_stay_and_are_named() {
    let tmp = tempfile::tempdir().unwrap();
    let database = database("demo_keep").await;
    let finished = demo(tmp.path(), &["--keep", "--database-url", &database.url()]);
    let finished = finished.run().await.expect_code(0);
    let schemas = schemas(&database).await;
    assert_eq!(schemas.len(), 2, "{schemas:?}");
    assert!(
        schemas.iter().all(|name| finished.stdout.contains(name)),
        "{}",
        finished.stdout
    );
}

#[tokio::test]
async fn an_interrupted_demo_says_so_and_leaves_nothing_in_sqlite() {
    let tmp = tempfile::tempdir().unwrap();
    let mut running = demo(tmp.path(), &["--json"]).spawn();
    assert!(running.says("3/").await);
    running.signal(Signal::INT);
    let said = running.wait().await.expect_code(5).json();
    assert_eq!(said["error"]["code"], "E0605");
    assert_eq!(left_in(&tmp), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn an_interrupted_demo_leaves_nothing_in_postgres() {
    let tmp = tempfile::tempdir().unwrap();
    let database = database("demo_interrupted").await;
    let mut running = demo(tmp.path(), &["--database-url", &database.url()]).spawn();
    assert!(running.says("3/").await);
    running.signal(Signal::TERM);
    running.wait().await.expect_code(5);
    assert_eq!(schemas(&database).await, [] as [String; 0]);
    assert_eq!(left_in(&tmp), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_database_that_refuses_leaves_no_folder() {
    let tmp = tempfile::tempdir().unwrap();
    let database = database("demo_refused").await;
    let role = database.role("demo_guest", "").await;
    let finished = demo(tmp.path(), &["--json", "--database-url", &role.url]);
    let said = finished.run().await.expect_code(3).json();
    assert_eq!(said["error"]["code"], "E0510");
    assert_eq!(left_in(&tmp), [] as [PathBuf; 0]);
}

#[tokio::test]
async fn a_sqlite_file_of_ones_own_is_refused() {
    let tmp = tempfile::tempdir().unwrap();
    let finished = demo(
        tmp.path(),
        &["--json", "--database-url", "sqlite:///tmp/mine.db"],
    );
    let said = finished.run().await.expect_code(2).json();
    assert_eq!(said["error"]["code"], "E0110");
    assert_eq!(left_in(&tmp), [] as [PathBuf; 0]);
}
