//! Tables and rows that cannot be written as they are.

use super::{codes, json, number};
use crate::backfill::beside;
use crate::support::Fixture;
use crate::support::cluster::Cluster;
use crate::support::database::Database;
use crate::support::{Base, marked};

async fn refused(name: &str, ddl: &str, table: &str, code: &str) -> Fixture {
    let fixture = Fixture::postgres(name, ddl, &beside(table, &["v"])).await;
    let plan = json(&fixture, &["plan"], 3).await;
    assert!(
        codes(&plan, "refusals").contains(&code.to_owned()),
        "{plan}"
    );
    assert_eq!(
        json(&fixture, &["backfill"], 3).await["error"]["code"],
        code
    );
    fixture
}

#[tokio::test]
async fn rules_of_the_table_are_refused() {
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE log (id int, v text);
        INSERT INTO t VALUES (1, 'a');";
    let update = format!("{ddl} CREATE RULE quiet AS ON UPDATE TO t DO INSTEAD NOTHING");
    refused("odd_rule_update", &update, "public.t", "E0259").await;
    let insert = format!(
        "{ddl} CREATE RULE copy AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (NEW.id, NEW.v)"
    );
    let fixture = refused("odd_rule_insert", &insert, "public.t", "E0259").await;
    // What is sealed already is reached in spite of one that comes later.
    fixture.exec("DROP RULE copy ON t").await;
    json(&fixture, &["backfill"], 0).await;
    fixture
        .exec("CREATE RULE copy AS ON INSERT TO t DO ALSO INSERT INTO log VALUES (NEW.id, NEW.v)")
        .await;
    json(&fixture, &["rotate"], 0).await;
    json(&fixture, &["verify"], 0).await;
    fixture
        .exec("CREATE RULE quiet AS ON UPDATE TO t DO INSTEAD NOTHING")
        .await;
    json(&fixture, &["verify"], 0).await;
    let rotated = json(&fixture, &["rotate"], 3).await;
    assert_eq!(rotated["error"]["code"], "E0259", "{rotated}");
}

#[tokio::test]
async fn a_typed_table_takes_no_new_column() {
    let ddl = "CREATE TYPE visit AS (id int, v text, v_sealed bytea); CREATE TYPE bare AS (id int, v text);
        CREATE TABLE t OF bare (PRIMARY KEY (id)); CREATE TABLE ready OF visit (PRIMARY KEY (id));
        INSERT INTO t VALUES (1, 'a'); INSERT INTO ready VALUES (1, 'a')";
    let fixture = refused("odd_typed", ddl, "public.t", "E0261").await;
    fixture
        .project
        .plan(&fixture.url(), &beside("public.ready", &["v"]));
    assert_eq!(json(&fixture, &["backfill"], 0).await["values_sealed"], 1);
    fixture
        .project
        .plan(&fixture.url(), &beside("public.t", &["v"]));
    fixture.exec("ALTER TABLE t NOT OF").await;
    assert_eq!(json(&fixture, &["backfill"], 0).await["values_sealed"], 1);
}

#[tokio::test]
async fn dropped_columns_count_towards_the_most_that_a_table_can_have() {
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, v text);
        DO $$ DECLARE adds text; drops text; BEGIN
          SELECT string_agg(format('ADD COLUMN c%s bool', i), ', '), string_agg(format('DROP COLUMN c%s', i), ', ')
            INTO adds, drops FROM generate_series(3, 1600) i;
          EXECUTE 'ALTER TABLE t ' || adds; EXECUTE 'ALTER TABLE t ' || drops;
        END $$; INSERT INTO t VALUES (1, 'a')";
    let fixture = refused("odd_1600", ddl, "public.t", "E0262").await;
    let said = json(&fixture, &["plan"], 3).await;
    let message = said["refusals"][0]["message"].as_str().unwrap();
    assert!(message.contains("1598"), "{message}");
}

#[tokio::test]
async fn full_rows_that_cannot_fit_a_page_are_told_of_beforehand() {
    let ddl = "DO $$ DECLARE columns text; BEGIN
          SELECT string_agg(format('q%s text', i), ', ') INTO columns FROM generate_series(1, 330) i;
          EXECUTE format('CREATE TABLE wide (id bigint PRIMARY KEY, v text, %s)', columns);
          INSERT INTO wide (id, v, q1) SELECT i, 'yes', 'no' FROM generate_series(1, 50) i;
        END $$";
    let columns: Vec<String> = (1..=330).map(|i| format!("q{i}")).collect();
    let names: Vec<&str> = columns.iter().map(String::as_str).collect();
    let fixture = Fixture::postgres("odd_wide", ddl, &beside("public.wide", &names)).await;
    let plan = json(&fixture, &["plan"], 0).await;
    assert!(
        codes(&plan, "warnings").contains(&"E0263".to_owned()),
        "{plan}"
    );
    assert_eq!(json(&fixture, &["backfill"], 0).await["values_sealed"], 50);
}

/// A server of the test's own, whose log can be read.
#[tokio::test]
async fn a_row_that_breaks_a_not_valid_constraint_is_listed_and_never_sent() {
    if crate::support::cluster::bin_dir().is_none() {
        return;
    }
    let cluster = Cluster::start();
    let db = Database::create(
        &cluster.socket_url("postgres"),
        "invalid",
        "ENCODING 'UTF8'",
    )
    .await;
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, v text, age int, f text);
        INSERT INTO t SELECT i, 'CANARY-' || i, CASE WHEN i % 10 = 0 THEN -1 ELSE i END, 'x' FROM generate_series(1, 100) i;
        INSERT INTO t VALUES (101, NULL, -1, 'x');
        ALTER TABLE t ADD CONSTRAINT age_ok CHECK (age >= 0) NOT VALID;
        ALTER TABLE t ADD CONSTRAINT whole_ok CHECK (t.* IS NOT NULL OR true) NOT VALID;
        ALTER TABLE t ADD CONSTRAINT f_ok CHECK (f <> 'y') NOT VALID";
    let tables = beside("public.t", &["v"]);
    let fixture = Fixture::new(Base::Postgres(db), ddl, &tables).await;
    let plan = json(&fixture, &["plan"], 0).await;
    let found = plan["warnings"].as_array().unwrap().iter();
    let of: Vec<_> = found.filter(|one| one["code"] == "E0264").collect();
    assert_eq!(of.len(), 1, "{plan}");
    let message = of[0]["message"].as_str().unwrap();
    assert!(
        message.starts_with("10 rows") && message.contains("age_ok"),
        "{message}"
    );
    let done = json(&fixture, &["backfill"], 6).await;
    assert_eq!(
        (&done["values_sealed"], &done["quarantined"]),
        (&90.into(), &10.into()),
        "{done}"
    );
    let listed = json(&fixture, &["quarantine", "list"], 0).await;
    let listed = listed.as_array().unwrap().clone();
    assert_eq!(listed.len(), 10);
    assert!(
        listed
            .iter()
            .all(|row| row["constraint"] == "age_ok" && row["sqlstate"] == "23514"),
        "{listed:?}"
    );
    // Again: known, and not sent either.
    assert_eq!(json(&fixture, &["backfill"], 6).await["values_sealed"], 0);
    assert_eq!(json(&fixture, &["verify"], 6).await["unsealed"], 10);
    // One is mended, another only marked: the first is sealed, the second listed as before.
    fixture.exec("UPDATE t SET age = 1 WHERE id = 10").await;
    json(&fixture, &["quarantine", "retry"], 0).await;
    assert_eq!(json(&fixture, &["backfill"], 6).await["values_sealed"], 1);
    fixture.exec("UPDATE t SET age = 1").await;
    json(&fixture, &["quarantine", "retry"], 0).await;
    assert_eq!(json(&fixture, &["backfill"], 0).await["values_sealed"], 9);
    // Sealed rows that break another one later: a rotation leaves them, and says so.
    fixture
        .exec(
            "ALTER TABLE t DROP CONSTRAINT age_ok; UPDATE t SET age = -5 WHERE id = 7;
            ALTER TABLE t ADD CONSTRAINT age_too CHECK (age >= 0) NOT VALID",
        )
        .await;
    let rotated = json(&fixture, &["rotate"], 6).await;
    assert_eq!(rotated["rows_resealed"], 99, "{rotated}");
    // And a restore.
    fixture
        .exec(&format!(
            "ALTER TABLE t DROP CONSTRAINT age_too; {}; ALTER TABLE t ADD CONSTRAINT age_too CHECK (age >= 0) NOT VALID",
            marked("clear", "public.t", "UPDATE t SET v = NULL")
        ))
        .await;
    let restored = json(&fixture, &["restore"], 6).await;
    assert_eq!(restored["values_restored"], 99, "{restored}");
    let log = std::fs::read(cluster.dir().join("server.log")).unwrap();
    let log = String::from_utf8_lossy(&log);
    assert!(
        log.contains("database system is ready"),
        "the log was not found"
    );
    assert!(!log.contains("CANARY"), "plaintext is in the server's log");
    assert!(!log.contains("Failing row"), "a row was sent");
    assert_eq!(number(&fixture, "SELECT count(*) FROM t").await, 101);
}

#[tokio::test]
async fn a_row_that_no_run_would_write_is_no_trouble() {
    let ddl = "CREATE TABLE t (id int PRIMARY KEY, v text, age int); INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)";
    let fixture = Fixture::postgres("odd_intact", ddl, &beside("public.t", &["v"])).await;
    json(&fixture, &["backfill"], 0).await;
    let broken = "UPDATE t SET age = -1 WHERE id = 2; ALTER TABLE t ADD CONSTRAINT age_ok CHECK (age >= 0) NOT VALID";
    fixture.exec(broken).await;
    json(&fixture, &["backfill"], 0).await;
    json(&fixture, &["verify"], 0).await;
    json(&fixture, &["restore"], 0).await;
    json(&fixture, &["restore", "--drop-sealed", "--yes"], 0).await;
    let left = "SELECT count(*) FROM phiseal.quarantine";
    assert_eq!(number(&fixture, left).await, 0);
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_told_of_by_migrate_too() {
    let db = crate::support::database("odd_standby").await;
    let project = crate::support::Project::new();
    project.plan(&db.url(), "");
    let read_only = format!(
        "ALTER DATABASE {} SET default_transaction_read_only = on",
        db.name()
    );
    db.exec(&read_only).await;
    let up = project.phiseal(&["migrate", "up", "--json"]).run().await;
    let said = up.expect_code(3).json();
    assert_eq!(said["error"]["code"], "E0214", "{said}");
}
