//! `phiseal scrub`: after it, no plaintext is in any file of the database, and what it could not do
//! is said. The control is the same search before.

use crate::support::cluster::{Cluster, TEST_SETTINGS, bin_dir};
use crate::support::database::Database;
use crate::support::{Base, Fixture, skipped};
use aho_corasick::AhoCorasick;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

const ROWS: usize = 2000;

/// A value in rows, index and statistics; one in TOAST that is not compressed; one in a column that
/// was dropped before.
const PEOPLE: &str = "
    CREATE TABLE people (id int PRIMARY KEY, ssn text, note text, gone text, city text);
    ALTER TABLE people ALTER note SET STORAGE EXTERNAL;
    INSERT INTO people SELECT i, 'CANARYROW-' || lpad(i::text, 6, '0'),
        'CANARYTOAST-' || lpad(i::text, 6, '0') || repeat(md5(i::text), 100),
        'CANARYGONE-' || lpad(i::text, 6, '0'), 'Salem' FROM generate_series(1, 2000) i;
    ALTER TABLE people ALTER ssn SET STATISTICS 10000;
    CREATE INDEX people_ssn ON people (ssn);
    ANALYZE people;
    ALTER TABLE people DROP COLUMN gone;
    DROP INDEX people_ssn;";

const IN_SQLITE: &str = "
    CREATE TABLE people (id integer PRIMARY KEY, ssn text, note text, city text);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO people SELECT i, printf('CANARYROW-%06d', i), printf('CANARYTOAST-%06d', i)
        || hex(zeroblob(2000)), 'Salem' FROM n;";

fn plan(table: &str) -> String {
    format!(
        "[[table]]\nname = \"{table}\"\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
         [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n"
    )
}

/// A database in a cluster of its own: its whole data folder is searched.
async fn alone(cluster: &Cluster, name: &str) -> Fixture {
    let db = Database::create(&cluster.socket_url("postgres"), name, "ENCODING 'UTF8'").await;
    Fixture::new(Base::Postgres(db), PEOPLE, &plan("public.people")).await
}

fn cluster() -> Option<Cluster> {
    if bin_dir().is_none() {
        skipped("no PostgreSQL server to start");
        return None;
    }
    Some(Cluster::start_with(TEST_SETTINGS))
}

/// The values that are in the files below a folder, each once: `CANARYROW-000001`.
fn canaries(folder: &Path) -> BTreeSet<Vec<u8>> {
    let find = AhoCorasick::new(["CANARYROW-", "CANARYTOAST-", "CANARYGONE-"]).unwrap();
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            // The server removes files meanwhile.
            let Ok(bytes) = fs::read(&path) else { continue };
            for hit in find.find_iter(&bytes) {
                let end = bytes.len().min(hit.end() + 6);
                found.insert(bytes[hit.start()..end].to_vec());
            }
        }
    }
    found
}

fn data(cluster: &Cluster) -> BTreeSet<Vec<u8>> {
    canaries(&cluster.dir().join("data"))
}

async fn finalize(fixture: &Fixture, table: &str) {
    let args = [
        "finalize",
        "--table",
        table,
        "--observe",
        "0s",
        "--grace",
        "0s",
        "--yes",
    ];
    fixture.json(&args).await;
}

async fn states(fixture: &Fixture) -> String {
    let own = fixture.own("encrypted_field_metadata");
    let sql = format!("SELECT min(state) || ' ' || max(state) FROM {own}");
    fixture.scalar(&sql).await.unwrap()
}

fn report(answer: &Value) -> &Value {
    &answer["tables"][0]
}

#[tokio::test]
async fn no_value_is_in_the_whole_data_folder_after_finalize_and_scrub() {
    let Some(cluster) = cluster() else { return };
    let fixture = alone(&cluster, "scrub_all").await;
    fixture.backfill().await;
    finalize(&fixture, "public.people").await;
    fixture.exec("VACUUM people").await;
    fixture.exec("CHECKPOINT").await;
    // The control: almost all of them are still there.
    assert!(data(&cluster).len() > 2 * ROWS, "{}", data(&cluster).len());
    let done = fixture.json(&["scrub", "--yes"]).await;
    let left = data(&cluster);
    assert!(left.is_empty(), "{} values are left", left.len());
    let report = report(&done);
    assert_eq!(report["relations"][0]["method"], "vacuum-full");
    assert_ne!(
        report["relations"][0]["storage_before"],
        report["relations"][0]["storage_after"]
    );
    assert_eq!(report["files"]["not_searched"], Value::Null);
    assert_eq!(report["files"]["found"], Value::Array(Vec::new()));
    for column in report["files"]["columns"].as_array().unwrap() {
        assert_eq!(column["values"], 200, "{column}");
    }
    let all_done = |step: &Value| step["not_done"].is_null();
    assert!(report["steps"].as_array().unwrap().iter().all(all_done));
    assert_eq!(states(&fixture).await, "scrubbed scrubbed");
    let said = done.to_string();
    assert!(!said.contains("CANARY"), "a value is shown");
    // Again, for what became of the table since.
    fixture.json(&["scrub", "--yes"]).await;
    fixture.json(&["verify"]).await;
    fixture.json(&["audit", "verify"]).await;
}

#[tokio::test]
async fn killed_at_many_moments_it_goes_on_and_leaves_nothing() {
    let Some(cluster) = cluster() else { return };
    let fixture = alone(&cluster, "scrub_kill").await;
    fixture.backfill().await;
    finalize(&fixture, "public.people").await;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    let mut state = u64::from_le_bytes(seed);
    println!("seed {state}");
    for _ in 0..10 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let mut run = fixture.phiseal(&["scrub", "--yes"]).spawn();
        tokio::time::sleep(Duration::from_millis((state >> 33) % 1500)).await;
        run.signal(Signal::KILL);
        run.wait().await;
        fixture.db().settled().await;
    }
    fixture.json(&["scrub", "--yes"]).await;
    assert!(data(&cluster).is_empty());
    assert_eq!(states(&fixture).await, "scrubbed scrubbed");
    let open =
        "SELECT count(*) FROM phiseal.procedures WHERE kind = 'scrub' AND finished_at IS NULL";
    assert_eq!(fixture.db().count(open).await, 0);
    fixture.json(&["audit", "verify"]).await;
}

#[tokio::test]
async fn who_sees_old_rows_is_named_and_a_slot_that_keeps_log_is_found() {
    let Some(cluster) = cluster() else { return };
    let fixture = alone(&cluster, "scrub_slot").await;
    fixture
        .exec("SELECT pg_create_physical_replication_slot('keeper', true)")
        .await;
    fixture.backfill().await;
    finalize(&fixture, "public.people").await;
    let dry = fixture.json(&["scrub", "--dry-run"]).await;
    let keepers = report(&dry)["log"]["keepers"].to_string();
    assert!(keepers.contains("keeper"), "{keepers}");
    let refused = fixture.json_code(&["scrub", "--yes"], 6).await;
    assert_eq!(refused["error"]["code"], "E0622");
    let message = refused["error"]["message"].to_string();
    assert!(message.contains("pg_wal/") && !message.contains("CANARY"));
    assert_eq!(states(&fixture).await, "finalized finalized");
    fixture
        .exec("SELECT pg_drop_replication_slot('keeper')")
        .await;
    fixture.json(&["scrub", "--yes"]).await;
    assert!(data(&cluster).is_empty());
}

#[tokio::test]
async fn an_owner_without_further_rights_is_told_what_is_left_for_the_dba() {
    let fixture = Fixture::postgres("scrub_owner", PEOPLE, &plan("public.people")).await;
    fixture.backfill().await;
    finalize(&fixture, "public.people").await;
    let db = fixture.db();
    let owner = db.role("owner", "").await;
    db.exec(&format!(
        "GRANT ALL ON SCHEMA public TO {0}; ALTER TABLE people OWNER TO {0}; GRANT USAGE ON SCHEMA phiseal TO {0};
         GRANT ALL ON ALL TABLES IN SCHEMA phiseal TO {0}; GRANT ALL ON ALL SEQUENCES IN SCHEMA phiseal TO {0}",
        owner.name
    ))
    .await;
    fixture.project.plan(&owner.url, &plan("public.people"));
    let done = fixture.json(&["scrub", "--yes"]).await;
    let report = report(&done);
    assert_ne!(report["files"]["not_searched"], Value::Null);
    let left: Vec<&str> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|step| !step["not_done"].is_null())
        .filter_map(|step| step["statement"].as_str())
        .collect();
    for statement in ["VACUUM FULL pg_catalog.pg_statistic", "CHECKPOINT"] {
        assert!(left.contains(&statement), "{left:?}");
    }
    assert_eq!(states(&fixture).await, "scrubbed scrubbed");
}

#[tokio::test]
async fn what_is_not_ready_or_not_possible_is_refused() {
    let fixture = Fixture::postgres("scrub_no", PEOPLE, &plan("public.people")).await;
    fixture.backfill().await;
    assert_eq!(fixture.refused(&["scrub", "--yes"], 3).await, "E0620");
    finalize(&fixture, "public.people").await;
    let version = "SELECT current_setting('server_version_num')::int";
    if fixture.db().count(version).await < 190_000 {
        let args = ["scrub", "--yes", "--method", "repack"];
        assert_eq!(fixture.refused(&args, 3).await, "E0621");
    }
    let args = ["scrub", "--yes", "--method", "pg_repack"];
    assert_eq!(fixture.refused(&args, 3).await, "E0621");
    // Nobody is there to be asked.
    let args = ["scrub", "--method", "vacuum-full"];
    assert_eq!(fixture.refused(&args, 2).await, "E0618");
    let storage = "SELECT pg_relation_filenode('people')";
    let before = fixture.scalar(storage).await;
    fixture.json(&["scrub", "--dry-run"]).await;
    assert_eq!(fixture.scalar(storage).await, before);
    assert_eq!(states(&fixture).await, "finalized finalized");
    // A reader that stays keeps the lock away; nobody else waits behind us for long.
    let mut reader = fixture.db().connection().await;
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM people")
        .execute(&mut reader)
        .await
        .unwrap();
    let scrub = fixture.phiseal(&["scrub", "--yes", "--json"]).spawn();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let others = tokio::time::timeout(
        Duration::from_secs(2),
        fixture.scalar("SELECT count(*) FROM people"),
    );
    assert!(others.await.is_ok(), "another reader waits");
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut reader)
        .await
        .unwrap();
    scrub.wait().await.expect_code(0);
}

#[tokio::test]
async fn no_value_is_in_a_sqlite_file_its_log_or_journal_afterwards() {
    let fixture = Fixture::sqlite(IN_SQLITE, &plan("people")).await;
    fixture.backfill().await;
    assert_eq!(fixture.refused(&["scrub", "--yes"], 3).await, "E0620");
    finalize(&fixture, "people").await;
    // What an application left that does not overwrite what it deletes.
    fixture
        .exec(
            "PRAGMA secure_delete = OFF; CREATE TABLE old (v);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
             INSERT INTO old SELECT printf('CANARYROW-%06d', i) FROM n; DROP TABLE old",
        )
        .await;
    let folder = fixture.file().path().parent().unwrap();
    assert!(canaries(folder).len() > ROWS / 2);
    let args = ["scrub", "--yes", "--method", "vacuum-full"];
    assert_eq!(fixture.refused(&args, 3).await, "E0621");
    let done = fixture.json(&["scrub", "--yes"]).await;
    assert!(canaries(folder).is_empty());
    assert_eq!(report(&done)["relations"][0]["method"], "vacuum");
    assert_eq!(states(&fixture).await, "scrubbed scrubbed");
    fixture.json(&["verify"]).await;
}
