//! `phiseal demo --set`: every table of a migration set is filled, the same in every run, and all
//! its PHI is sealed, as the oracle finds by opening every value; nothing of it is left on the
//! server.

use super::left_in;
use crate::oracle::{FieldCheck, Keys, NonceLedger, Source};
use crate::support::database::Database;
use crate::support::{Phiseal, Project, database};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use std::path::Path;
use std::time::Duration;

/// Where contents are compared from run to run.
const FEW: i64 = 50;
/// Fewer where a unique key leaves no room: policies for tables, doses of vaccines.
const ROWS_MIN: i64 = 1;

/// The PHI columns, as the database marks them.
const PHI: &str = "SELECT c.relname::text, a.attname::text FROM pg_class c \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' \
     AND col_description(c.oid, a.attnum) LIKE 'PHI:%' ORDER BY 1, 2";

const TABLES: &str = "SELECT c.relname::text FROM pg_class c \
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' \
     AND c.relname NOT LIKE '%migration%' AND c.relname NOT LIKE 'phiseal%' ORDER BY 1";

struct Set {
    name: &'static str,
    tables: usize,
    /// Tables whose contents are compared from run to run.
    compared: &'static [&'static str],
}

const WHITE_CROSS: Set = Set {
    name: "white_cross",
    tables: 112,
    compared: &[
        "students",
        "health_records",
        "vaccinations",
        "drug_interactions",
    ],
};
const FACILITY: Set = Set {
    name: "facility",
    tables: 15,
    compared: &["client", "placement_info", "medication"],
};
const WEBQX: Set = Set {
    name: "webqx",
    tables: 10,
    compared: &["patients", "prescriptions", "appointments"],
};

/// Rows of each table where every value is opened; `make soak` has more.
fn rows() -> i64 {
    std::env::var("PHISEAL_SOAK_ROWS").map_or(200, |rows| rows.parse().unwrap())
}

fn demo(set: &str, rows: i64, url: &str, more: &[&str]) -> Phiseal {
    let rows = rows.to_string();
    let arguments = [
        "demo",
        "--set",
        set,
        "--rows",
        &rows,
        "--json",
        "--database-url",
        url,
    ];
    let arguments = arguments.into_iter().chain(more.iter().copied());
    let minutes = if rows.len() > 4 { 120 } else { 15 };
    Phiseal::new(arguments.map(str::to_owned)).timeout(Duration::from_secs(60 * minutes))
}

/// What the demo made and kept.
struct Kept {
    db: Database,
    key_line: String,
    said: Value,
}

/// The name of the database, as the story has it.
fn named(story: &str) -> String {
    let (_, rest) = story.split_once("database phiseal_demo_").expect(story);
    let random: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    format!("phiseal_demo_{random}")
}

/// The line of the wrapping key in the folder that the demo kept.
fn key_line(folder: &Path) -> String {
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "key") {
            return std::fs::read_to_string(path).unwrap().trim().to_owned();
        }
    }
    panic!("the demo kept no key file");
}

/// Runs the demo, keeps what it made, and makes its database the test's own.
async fn kept(set: &Set, rows: i64) -> Kept {
    let tmp = tempfile::tempdir().unwrap();
    let db = database(&format!("demo_{}", set.name)).await;
    let server = database("demo_sets").await;
    let running = demo(set.name, rows, &server.url(), &["--keep"]).env("TMPDIR", tmp.path());
    let finished = running.run().await.expect_code(0);
    let (made, name) = (named(&finished.stderr), db.name());
    let mut connection = server.connection().await;
    for sql in [
        format!("DROP DATABASE {name}"),
        format!("ALTER DATABASE {made} RENAME TO {name}"),
    ] {
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection);
        done.await.unwrap();
    }
    Kept {
        db,
        key_line: key_line(tmp.path()),
        said: finished.json(),
    }
}

async fn checksum(database: &Database, table: &str) -> String {
    // Less the columns the engine added: sealed values differ, as they must.
    let rows = format!(
        "SELECT md5(string_agg(made, '|' ORDER BY made)) FROM (SELECT (SELECT string_agg(e.key || e.value, ',' \
         ORDER BY e.key) FROM jsonb_each_text(to_jsonb(t)) AS e WHERE e.key NOT LIKE '%\\_sealed' \
         AND e.key NOT LIKE '%\\_bidx') AS made FROM {table} AS t) AS all_rows"
    );
    database.scalar(&rows).await.unwrap()
}

async fn expect_filled_and_sealed(set: &Set) {
    let made = kept(set, rows()).await;
    let said = &made.said;
    let count = |name: &str| {
        said[name]
            .as_i64()
            .unwrap_or_else(|| panic!("{name}: {said}"))
    };
    assert_eq!(count("tables"), i64::try_from(set.tables).unwrap());
    assert_eq!(count("verified"), count("values"));
    assert_eq!(count("failed"), 0);
    assert_eq!(count("resumed_at"), count("killed_at"));
    assert!(count("rows") > rows() * (i64::try_from(set.tables).unwrap() - 3));

    let tables: Vec<String> = made
        .db
        .rows(TABLES)
        .await
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    assert_eq!(tables.len(), set.tables, "{tables:?}");
    for table in &tables {
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        let rows = made.db.count(&sql).await;
        assert!(rows >= ROWS_MIN, "{table} has {rows} rows");
    }
    let values = expect_sealed(&made).await;
    assert_eq!(values, count("values"));
    // As pg_restore would: every foreign key is proven anew.
    made.db
        .exec(
            "DO $$ DECLARE k record; BEGIN FOR k IN SELECT conrelid::regclass AS t, conname FROM pg_constraint \
             WHERE contype IN ('f', 'c') AND connamespace = 'public'::regnamespace AND conrelid > 0 LOOP \
             EXECUTE format('UPDATE pg_constraint SET convalidated = false WHERE conrelid = %L::regclass \
             AND conname = %L', k.t, k.conname); \
             EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', k.t, k.conname); END LOOP; END $$",
        )
        .await;
}

async fn expect_the_same_twice(set: &Set) {
    let one = kept(set, FEW).await.db;
    let other = kept(set, FEW).await.db;
    for table in set.compared {
        let (one, two) = (checksum(&one, table).await, checksum(&other, table).await);
        assert_eq!(one, two, "{table} is the same in every run");
    }
}

/// Opens every value of every PHI column; how many there are.
async fn expect_sealed(made: &Kept) -> i64 {
    let source = Source::Postgres(&made.db, "phiseal");
    let keys = Keys::load(source, &made.key_line).await.unwrap();
    let mut ledger = NonceLedger::default();
    let mut values = 0;
    let columns = made.db.rows(PHI).await;
    assert!(!columns.is_empty());
    for row in columns {
        let [Some(table), Some(column)] = &row[..] else {
            panic!("a column without a name");
        };
        let check = FieldCheck::beside(keys.field(&format!("public.{table}"), column));
        let found = keys.check(Source::Postgres(&made.db, "phiseal"), &check, &mut ledger);
        let found = found.await;
        found.expect_all_sealed();
        assert!(found.equal > 0, "{table}.{column} has no value");
        assert_eq!(found.equal, found.opened, "{table}.{column}");
        values += i64::try_from(found.equal).unwrap();
    }
    assert_eq!(ledger.cell_repeats, 0);
    values
}

#[tokio::test]
async fn every_table_of_white_cross_is_filled_and_all_its_phi_is_sealed() {
    expect_filled_and_sealed(&WHITE_CROSS).await;
}

#[tokio::test]
async fn every_table_of_facility_is_filled_and_all_its_phi_is_sealed() {
    expect_filled_and_sealed(&FACILITY).await;
}

#[tokio::test]
async fn every_table_of_webqx_is_filled_and_all_its_phi_is_sealed() {
    expect_filled_and_sealed(&WEBQX).await;
}

#[tokio::test]
async fn every_run_makes_up_the_same() {
    // The larger sets take as long as all other tests of the demo: `make soak`.
    let larger = std::env::var_os("PHISEAL_SOAK_ROWS").map(|_| [&FACILITY, &WHITE_CROSS]);
    for set in [&WEBQX].into_iter().chain(larger.into_iter().flatten()) {
        expect_the_same_twice(set).await;
    }
}

/// The plaintext of every PHI column of a set goes, and the files hold none of it. What depends on a
/// column is dropped first, with the statements that finalize itself prints.
async fn expect_finalized_and_scrubbed(set: &Set) {
    let made = kept(set, rows()).await;
    let project = Project::with_key(&made.key_line);
    let run = |args: &[&str]| {
        let running = project.phiseal(args).timeout(Duration::from_secs(60 * 60));
        let key = project.key_file();
        running
            .env("DATABASE_URL", made.db.url())
            .env("PHISEAL_KEY_FILE", key)
            .run()
    };
    run(&["init", "--set", set.name]).await.expect_code(0);
    let look = run(&["finalize", "--observe", "0s", "--dry-run", "--json"]).await;
    let found = look.json();
    for table in found["tables"].as_array().unwrap() {
        for one in table["dependents"].as_array().unwrap() {
            if one["blocks"] == true {
                let drop = one["drop"].as_str().unwrap_or_else(|| panic!("{one}"));
                made.db.exec(drop).await;
            }
        }
    }
    let columns = made.db.rows(PHI).await.len();
    assert!(columns > 0);
    let finalize = [
        "finalize",
        "--observe",
        "0s",
        "--grace",
        "0s",
        "--yes",
        "--json",
    ];
    let done = run(&finalize).await.expect_code(0).json();
    let verified: i64 = (done["tables"].as_array().unwrap().iter())
        .map(|table| table["values_verified"].as_i64().unwrap())
        .sum();
    assert_eq!(verified, made.said["values"].as_i64().unwrap(), "{done}");
    assert!(made.db.rows(PHI).await.is_empty(), "PHI columns are left");
    let scrubbed = run(&["scrub", "--yes", "--json"]).await;
    let is_clean = scrubbed.code() == Some(0);
    if !is_clean {
        // A made-up value of this set also stands in an unsealed column of the same table, and is found in
        // its files. It is nowhere else.
        assert_eq!(set.name, "white_cross");
        let said = scrubbed.expect_code(6).json();
        let message = said["error"]["message"].as_str().unwrap().to_owned();
        assert!(
            !message.contains("write-ahead") && !message.contains("pg_"),
            "{message}"
        );
    }
    let listed = run(&["fields", "list", "--json"])
        .await
        .expect_code(0)
        .json();
    let listed = listed.as_array().unwrap();
    assert_eq!(listed.len(), columns);
    let is_removed = |field: &Value| field["state"] == "scrubbed" || field["state"] == "finalized";
    assert!(listed.iter().all(is_removed));
    assert!(!is_clean || listed.iter().all(|field| field["state"] == "scrubbed"));
    run(&["restore", "--json"]).await.expect_code(0);
    assert_eq!(
        made.db.rows(PHI).await.len(),
        columns,
        "with their comments"
    );
}

#[tokio::test]
#[ignore = "minutes: make soak"]
async fn the_plaintext_of_every_set_is_finalized_and_scrubbed() {
    for set in [&FACILITY, &WEBQX, &WHITE_CROSS] {
        expect_finalized_and_scrubbed(set).await;
    }
}

#[tokio::test]
async fn the_demos_database_and_folder_are_gone_afterwards() {
    let tmp = tempfile::tempdir().unwrap();
    let server = database("demo_set_gone").await;
    let running = demo("webqx", FEW, &server.url(), &[]).env("TMPDIR", tmp.path());
    let name = named(&running.run().await.expect_code(0).stderr);
    let left = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
    assert_eq!(server.count(&left).await, 0);
    assert!(left_in(&tmp).is_empty());
}

#[tokio::test]
async fn a_set_without_a_server_is_refused_and_says_what_it_needs() {
    let tmp = tempfile::tempdir().unwrap();
    for more in [&[][..], &["--database-url", "sqlite:///tmp/mine.db"]] {
        let arguments = ["demo", "--set", "webqx", "--json"]
            .into_iter()
            .chain(more.iter().copied());
        let refused = Phiseal::new(arguments)
            .env("TMPDIR", tmp.path())
            .run()
            .await;
        let said = refused.expect_code(2).json();
        assert_eq!(said["error"]["code"], "E0117");
        assert!(
            said["error"]["hint"]
                .as_str()
                .unwrap()
                .contains("--database-url")
        );
    }
    assert!(left_in(&tmp).is_empty());
}

#[tokio::test]
async fn an_unknown_set_and_a_role_that_may_make_no_database_leave_nothing() {
    let tmp = tempfile::tempdir().unwrap();
    let database = database("demo_set").await;
    let unknown = demo("white_crow", FEW, &database.url(), &[]).env("TMPDIR", tmp.path());
    let said = unknown.run().await.expect_code(2).json();
    assert_eq!(said["error"]["code"], "E0907");
    let role = database.role("demo_set_guest", "").await;
    let denied = demo("webqx", FEW, &role.url, &[]).env("TMPDIR", tmp.path());
    let said = denied.run().await.expect_code(3).json();
    assert_eq!(said["error"]["code"], "E0510");
    assert!(left_in(&tmp).is_empty());
}

#[tokio::test]
async fn fewer_students_than_can_be_killed_among_are_refused_as_before() {
    let few = Phiseal::new(["demo", "--rows", "100", "--json"])
        .run()
        .await;
    let said = few.expect_code(2).json();
    assert_eq!(said["error"]["code"], "E0101");
    assert!(
        said["error"]["message"]
            .as_str()
            .unwrap()
            .contains("from 2000 to 10000000")
    );
}
