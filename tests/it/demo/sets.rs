//! `phiseal demo --set`: every table of a migration set is filled, the same in every run, and all
//! its PHI is sealed; nothing of it is left on the server.

use super::left_in;
use crate::support::database::Database;
use crate::support::{Phiseal, Rows, database};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::time::Duration;

const ROWS: i64 = 50;
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

fn demo(set: &str, url: &str, more: &[&str]) -> Phiseal {
    let rows = ROWS.to_string();
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
    Phiseal::new(arguments.map(str::to_owned)).timeout(Duration::from_secs(240))
}

/// A database that the demo made and kept.
struct Kept {
    name: String,
    url: String,
    said: Value,
}

/// The name of the database, as the story has it.
fn named(story: &str) -> String {
    let (_, rest) = story.split_once("database phiseal_demo_").expect(story);
    let random: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    format!("phiseal_demo_{random}")
}

/// Runs the demo, and keeps what it made.
async fn kept(set: &Set, server: &Database) -> Kept {
    let tmp = tempfile::tempdir().unwrap();
    let running = demo(set.name, &server.url(), &["--keep"]).env("TMPDIR", tmp.path());
    let finished = running.run().await.expect_code(0);
    let name = named(&finished.stderr);
    let url = server
        .url()
        .replace(&format!("/{}", server.name()), &format!("/{name}"));
    Kept {
        said: finished.json(),
        name,
        url,
    }
}

impl Kept {
    async fn rows(&self, sql: &str) -> Rows {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let rows = crate::support::database::rows_of(&mut connection, sql).await;
        connection.close().await.unwrap();
        rows
    }

    async fn scalar(&self, sql: &str) -> String {
        let rows = self.rows(sql).await;
        rows.into_iter().flatten().flatten().next().expect(sql)
    }

    async fn count(&self, sql: &str) -> i64 {
        self.scalar(sql).await.parse().expect(sql)
    }

    async fn gone(self, server: &Database) {
        let mut connection = server.connection().await;
        let sql = format!("DROP DATABASE {} WITH (FORCE)", self.name);
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await
            .unwrap();
    }
}

async fn checksum(database: &Kept, table: &str) -> String {
    // Less the columns the engine added: sealed values differ, as they must.
    let rows = format!(
        "SELECT md5(string_agg(made, '|' ORDER BY made)) FROM (SELECT (SELECT string_agg(e.key || e.value, ',' \
         ORDER BY e.key) FROM jsonb_each_text(to_jsonb(t)) AS e WHERE e.key NOT LIKE '%\\_sealed' \
         AND e.key NOT LIKE '%\\_bidx') AS made FROM {table} AS t) AS all_rows"
    );
    database.scalar(&rows).await
}

async fn expect_filled_and_sealed(set: &Set) {
    let server = database("demo_sets").await;
    let made = kept(set, &server).await;
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
    assert!(count("rows") > ROWS * (i64::try_from(set.tables).unwrap() - 3));

    let tables: Vec<String> = made
        .rows(TABLES)
        .await
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    assert_eq!(tables.len(), set.tables, "{tables:?}");
    for table in &tables {
        let rows = made
            .count(&format!("SELECT count(*) FROM \"{table}\""))
            .await;
        assert!(rows >= ROWS_MIN, "{table} has {rows} rows");
    }
    expect_sealed(&made).await;
    // As pg_restore would: every foreign key is proven anew.
    made
        .rows(
            "DO $$ DECLARE k record; BEGIN FOR k IN SELECT conrelid::regclass AS t, conname FROM pg_constraint \
             WHERE contype IN ('f', 'c') AND connamespace = 'public'::regnamespace AND conrelid > 0 LOOP \
             EXECUTE format('UPDATE pg_constraint SET convalidated = false WHERE conrelid = %L::regclass \
             AND conname = %L', k.t, k.conname); \
             EXECUTE format('ALTER TABLE %s VALIDATE CONSTRAINT %I', k.t, k.conname); END LOOP; END $$",
        )
        .await;

    let other = kept(set, &server).await;
    for table in set.compared {
        let (one, two) = (checksum(&made, table).await, checksum(&other, table).await);
        assert_eq!(one, two, "{table} is the same in every run");
    }
    made.gone(&server).await;
    other.gone(&server).await;
}

async fn expect_sealed(database: &Kept) {
    let mut values = 0;
    let columns = database.rows(PHI).await;
    assert!(!columns.is_empty());
    for row in columns {
        let [Some(table), Some(column)] = &row[..] else {
            panic!("a column without a name");
        };
        let plain = format!("SELECT count(\"{column}\") FROM \"{table}\"");
        let open = format!(
            "SELECT count(*) FROM \"{table}\" WHERE (\"{column}\" IS NULL) <> (\"{column}_sealed\" IS NULL)"
        );
        let count = database.count(&plain).await;
        assert!(count > 0, "{table}.{column} has no value");
        assert_eq!(
            database.count(&open).await,
            0,
            "{table}.{column} is not sealed throughout"
        );
        values += count;
    }
    assert!(values > ROWS);
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
async fn the_demos_database_and_folder_are_gone_afterwards() {
    let tmp = tempfile::tempdir().unwrap();
    let server = database("demo_set_gone").await;
    let running = demo("webqx", &server.url(), &[]).env("TMPDIR", tmp.path());
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
    let unknown = demo("white_crow", &database.url(), &[]).env("TMPDIR", tmp.path());
    let said = unknown.run().await.expect_code(2).json();
    assert_eq!(said["error"]["code"], "E0907");
    let role = database.role("demo_set_guest", "").await;
    let denied = demo("webqx", &role.url, &[]).env("TMPDIR", tmp.path());
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
            .contains("2000..=10000000")
    );
}
