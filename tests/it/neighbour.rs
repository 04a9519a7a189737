//! phiseal beside others on a server: what it leaves in pg_stat_statements and in the log, how its
//! sessions are called, the script for a DBA, and what a run says at its end of growth and log.

use serde_json::Value;

use crate::support::cluster::{Cluster, bin_dir};
use crate::support::database::Database;
use crate::support::dump::ran;
use crate::support::{Base, Fixture, database, skipped};
use phiseal::ident::Ident;
use phiseal::store::Catalog;
use phiseal::store::postgres::PostgresStore;

const NOTES: &str = "[[table]]\nname = \"public.notes\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";

/// A table of so many rows with a second index, and statistics.
fn ddl(rows: u32) -> String {
    format!(
        "CREATE TABLE notes (id int PRIMARY KEY, note text, ward text);
         INSERT INTO notes SELECT i, 'note ' || i, 'ward ' || i % 7 FROM generate_series(1, {rows}) i;
         CREATE INDEX \"by ward\" ON notes (ward); ANALYZE notes"
    )
}

/// Many short batches: each would leave texts of its own if any value stood in one.
const SHORT_BATCHES: &str = "\n[run]\nbatch_target_ms = 10\nlanes = 2\n";

#[tokio::test]
async fn a_backfill_and_a_rotation_leave_few_statement_texts() {
    let library = bin_dir().map(|bin| bin.join("../lib/pg_stat_statements.so"));
    if !library.is_some_and(|library| library.exists()) {
        return skipped("the server has no pg_stat_statements");
    }
    let cluster = Cluster::start_with(&[
        "shared_preload_libraries=pg_stat_statements",
        "pg_stat_statements.track=all",
        "pg_stat_statements.track_utility=on",
        "fsync=off",
    ]);
    let db = Database::create(&cluster.url("postgres"), "texts", "ENCODING 'UTF8'").await;
    let plan = format!("{NOTES}{SHORT_BATCHES}");
    let fixture = Fixture::new(Base::Postgres(db), &ddl(40_000), &plan).await;
    fixture
        .exec("CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()")
        .await;
    assert_eq!(fixture.backfill().await["rows_sealed"], 40_000);
    let rotated = fixture.json(&["rotate"]).await;
    assert_eq!(rotated["rows_resealed"], 40_000);
    let batches =
        "SELECT max(calls) FROM pg_stat_statements WHERE query LIKE 'UPDATE%lanes SET seq%'";
    assert!(
        fixture.db().count(batches).await > 50,
        "too few batches to tell"
    );
    let texts = "SELECT count(*) FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
        WHERE d.datname = current_database()";
    let texts = fixture.db().count(texts).await;
    // Each statement has a text of its own, however large the table is.
    assert!(texts < 160, "{texts} statement texts");
}

#[tokio::test]
async fn a_batch_names_its_session_after_run_and_lane() {
    let plan = NOTES.replace("[[table.column]]", "triggers = \"fire\"\n[[table.column]]");
    let made = format!(
        "{}; CREATE TABLE seen (name text);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             INSERT INTO public.seen VALUES (current_setting('application_name')); RETURN NULL; END $$;
         CREATE TRIGGER look AFTER UPDATE ON notes FOR EACH STATEMENT EXECUTE FUNCTION look()",
        ddl(500)
    );
    let fixture = Fixture::postgres("session_name", &made, &plan).await;
    fixture.backfill().await;
    let (run, others) = (
        "SELECT 'phiseal backfill ' || max(run_id) FROM phiseal.runs",
        "SELECT count(*) FROM seen WHERE name !~ '^phiseal backfill [0-9]+/[0-9]+$'",
    );
    assert_eq!(fixture.db().count(others).await, 0);
    let run = fixture.scalar(run).await.unwrap();
    let ours = format!("SELECT count(*) FROM seen WHERE name LIKE '{run}/%'");
    assert!(fixture.db().count(&ours).await > 0);
}

#[tokio::test]
async fn a_log_that_takes_every_value_is_foretold() {
    let db = database("value_log").await;
    db.exec(&ddl(10)).await;
    let clerk = db.role("clerk", "").await;
    let log_all = format!("ALTER ROLE {} SET log_statement = 'all'", clerk.name);
    db.exec(&log_all).await;
    let slow = format!(
        "ALTER ROLE {} SET log_min_duration_statement = '300ms'",
        clerk.name
    );
    db.exec(&slow).await;
    let schema = Ident::new("phiseal").unwrap();
    let store = PostgresStore::connect(&clerk.url, &schema).await.unwrap();
    let log = store.server().await.unwrap().batch_log;
    assert_eq!(log.with_values, ["log_statement = all"]);
    assert_eq!(log.from_ms, Some(300));
    // A superuser leaves the values out.
    let store = PostgresStore::connect(&db.url(), &schema).await.unwrap();
    assert!(
        store
            .server()
            .await
            .unwrap()
            .batch_log
            .with_values
            .is_empty()
    );
}

#[tokio::test]
async fn plan_sql_is_run_by_psql_as_it_stands() {
    let plan = "[[table]]\nname = 'public.\"odd \"\"t\"'\n\
        [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n\
        blind_index = { column = \"note_bidx\", normalise = \"exact\", unique = true }\n\
        [[table.column]]\nname = \"mail\"\nseal_into = \"mail_sealed\"\n\
        blind_index = { column = \"mail_bidx\", normalise = \"exact\" }\n";
    let made = "CREATE TABLE \"odd \"\"t\" (id int PRIMARY KEY, note text, mail text);
        INSERT INTO \"odd \"\"t\" SELECT i, 'n' || i, 'm' || i FROM generate_series(1, 100) i";
    let fixture = Fixture::postgres("script", made, plan).await;
    let first = fixture.run(&["plan", "--sql"]).await.expect_code(0).stdout;
    assert!(
        first.contains("SET LOCAL lock_timeout = '200ms';"),
        "{first}"
    );
    assert!(first.contains("--   CREATE INDEX CONCURRENTLY"), "{first}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &first).unwrap();
    let file = file.path().to_str().unwrap();
    let url = fixture.url();
    let said = ran("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-f", file, &url]).await;
    assert!(
        !said.contains("ERROR") && !said.contains("psql: "),
        "{said}"
    );
    let second = fixture.run(&["plan", "--sql"]).await.expect_code(0).stdout;
    assert!(second.starts_with("-- nothing to do"), "{second}");
    assert!(
        second
            .lines()
            .all(|line| line.is_empty() || line.starts_with("--"))
    );
    assert_eq!(fixture.backfill().await["values_sealed"], 200);
    let third = fixture.run(&["plan", "--sql"]).await.expect_code(0).stdout;
    assert_eq!(third.lines().count(), 1, "{third}");
}

/// An index that a failure left is invalid, and in the way of one of the same name.
#[tokio::test]
async fn plan_sql_drops_an_index_that_is_not_valid() {
    let plan = format!(
        "{NOTES}blind_index = {{ column = \"note_bidx\", normalise = \"exact\", unique = true }}\n"
    );
    let fixture = Fixture::postgres("not_valid", &ddl(10), &plan).await;
    fixture.backfill().await;
    fixture
        .exec("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'notes_note_bidx_phiseal'::regclass")
        .await;
    let sql = fixture.run(&["plan", "--sql"]).await.expect_code(0).stdout;
    let drop = sql.find("DROP INDEX CONCURRENTLY IF EXISTS").expect(&sql);
    assert!(sql.find("CREATE UNIQUE INDEX CONCURRENTLY").expect(&sql) > drop);
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[tokio::test]
async fn a_run_closes_with_what_it_left_behind() {
    for postgres in [true, false] {
        let fixture = match postgres {
            true => Fixture::postgres("closing", &ddl(20_000), NOTES).await,
            false => {
                let made = "CREATE TABLE notes (id INTEGER PRIMARY KEY, note TEXT);
                    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                    INSERT INTO notes SELECT i, 'note ' || i FROM n";
                Fixture::sqlite(made, &NOTES.replace("public.", "")).await
            }
        };
        let planned = fixture.json(&["plan"]).await["tables"][0].clone();
        let closing = fixture.backfill().await["closing"].clone();
        assert!(number(&closing["table_growth_bytes"]) > 0.0, "{closing}");
        if !postgres {
            assert_eq!(closing["wal_bytes"], Value::Null);
            continue;
        }
        // The server counts what a session did when it ends, or a second later.
        assert!(number(&closing["updates"]) <= 20_000.0, "{closing}");
        assert!(number(&closing["wal_bytes"]) > 1e6, "{closing}");
        let grown = number(&closing["table_growth_bytes"]) + number(&closing["index_growth_bytes"]);
        let foretold = number(&planned["growth_bytes_estimate"]);
        assert!(
            (0.4..2.5).contains(&(foretold / grown)),
            "{foretold} {grown}"
        );
        let rotated = fixture.json(&["rotate"]).await;
        assert!(number(&rotated["closing"]["wal_bytes"]) > 1e6, "{rotated}");
    }
}

#[tokio::test]
async fn an_index_that_doubled_is_told_with_its_statement() {
    let fixture = Fixture::postgres("doubled", &ddl(80_000), NOTES).await;
    // Nothing that is dead can be removed as long as this transaction is open.
    let mut older = fixture.db().connection().await;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM phiseal.runs")
        .execute(&mut older)
        .await
        .unwrap();
    let closing = fixture.backfill().await["closing"].clone();
    sqlx::raw_sql("COMMIT").execute(&mut older).await.unwrap();
    let statements: Vec<&str> = (closing["reindex"].as_array().unwrap().iter())
        .filter_map(Value::as_str)
        .collect();
    assert!(
        statements.contains(&"REINDEX INDEX CONCURRENTLY public.notes_pkey;"),
        "{closing}"
    );
    for statement in statements {
        fixture.exec(statement).await;
    }
}
