//! `phiseal restore`: every value back to what the database held before, type included; a plaintext
//! that stands there already is never overwritten, and no plaintext shows anywhere on its way.

use crate::backfill::{beside, types};
use crate::support::cluster::Cluster;
use crate::support::database::Database;
use crate::support::{Base, Fixture, marked};
use std::fs;

/// What finalize does: the plaintext goes, under the engine's mark.
fn blank(table: &str, columns: &[&str]) -> String {
    let sets: Vec<String> = columns.iter().map(|c| format!("{c} = NULL")).collect();
    let sql = format!("UPDATE {table} SET {}", sets.join(", "));
    marked("clear", &format!("public.{table}"), &sql)
}

/// Another plaintext than was sealed, which no writer leaves beside a seal.
fn stray() -> String {
    let clear = marked(
        "clear",
        "public.people",
        "UPDATE people SET ssn = NULL WHERE id = 7",
    );
    let write = "UPDATE people SET ssn = 'stray' WHERE id = 7";
    format!("{clear}; {}", marked("restore", "public.people", write))
}

// Rows of two tables that are not the same to the byte, in the server's own text.
async fn differences(fixture: &Fixture, left: &str, right: &str, columns: &str) -> i64 {
    let image = |table: &str| format!("SELECT row({columns})::text FROM {table}");
    let (a, b) = (image(left), image(right));
    let sql =
        format!("SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a})) q");
    fixture.db().count(&sql).await
}

#[tokio::test]
async fn values_of_every_type_come_back_as_the_same_sql_value() {
    let columns = types::columns();
    let fixture = Fixture::postgres(
        "restore",
        &types::every_type(),
        &beside("public.every", &columns),
    )
    .await;
    fixture.json(&["backfill"]).await;
    fixture.db().exec(&blank("every", &columns)).await;
    let sealed = fixture
        .db()
        .count("SELECT count(*) FROM every WHERE t IS NOT NULL OR v IS NOT NULL")
        .await;
    assert_eq!(sealed, 0);
    let done = fixture.json(&["restore"]).await;
    let values: usize = types::TYPES.iter().map(|(_, _, v)| v.len()).sum();
    assert_eq!(
        (&done["values_restored"], &done["quarantined"]),
        (&values.into(), &0.into())
    );
    let all = format!("id, other, {}", columns.join(", "));
    assert_eq!(differences(&fixture, "every", "saved", &all).await, 0);
    // Still sealed, and a second restore finds nothing to do.
    assert_eq!(
        fixture
            .expect_sealed("public.every", &columns, "saved")
            .await,
        values
    );
    assert_eq!(fixture.json(&["restore"]).await["rows_restored"], 0);
    fixture.json(&["verify"]).await;
}

#[tokio::test]
async fn columns_that_were_dropped_are_made_again_with_the_type_they_had() {
    let columns = types::columns();
    let fixture = Fixture::postgres(
        "remade",
        &types::every_type(),
        &beside("public.every", &columns),
    )
    .await;
    fixture.json(&["backfill"]).await;
    fixture
        .db()
        .exec("DROP TRIGGER \"~phiseal_i\" ON every; DROP TRIGGER \"~phiseal_u\" ON every")
        .await;
    for column in &columns {
        fixture
            .db()
            .exec(&format!("ALTER TABLE every DROP COLUMN {column}"))
            .await;
    }
    fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
    let all = format!("id, other, {}", columns.join(", "));
    assert_eq!(differences(&fixture, "every", "saved", &all).await, 0);
    let shape = |table: &str| {
        format!(
        "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname)
         FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    };
    assert_eq!(
        fixture.db().scalar(&shape("every")).await,
        fixture.db().scalar(&shape("saved")).await
    );
}

const PEOPLE: &str = "CREATE TABLE people (id int PRIMARY KEY, ssn text, note text);
    INSERT INTO people SELECT i, '123-45-' || i, CASE WHEN i % 4 > 0 THEN E'no\\\\te\\t' || i END
        FROM generate_series(1, 2000) i;
    CREATE TABLE saved AS TABLE people;";

#[tokio::test]
async fn another_plaintext_that_stands_there_is_listed_and_left() {
    let fixture = Fixture::postgres("other", PEOPLE, &beside("public.people", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    fixture.db().exec(&blank("people", &["ssn"])).await;
    fixture.db().exec(&stray()).await;
    let done = fixture
        .json_code(&["restore", "--drop-sealed", "--yes"], 6)
        .await;
    assert_eq!(
        (&done["rows_restored"], &done["quarantined"]),
        (&1999.into(), &1.into())
    );
    let kept =
        "SELECT count(*) FROM people WHERE id = 7 AND ssn = 'stray' AND ssn_sealed IS NOT NULL";
    assert_eq!(fixture.db().count(kept).await, 1);
    fixture
        .db()
        .exec("UPDATE saved SET ssn = 'stray' WHERE id = 7")
        .await;
    assert_eq!(
        differences(&fixture, "people", "saved", "id, ssn, note").await,
        0
    );
    let listed = fixture.json(&["quarantine", "list"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn into_another_column_which_is_made_where_it_is_not_there() {
    let fixture =
        Fixture::postgres("into", PEOPLE, &beside("public.people", &["ssn", "note"])).await;
    fixture.json(&["backfill"]).await;
    let into = ["restore", "--column", "note", "--into", "note_again"];
    assert_eq!(fixture.json(&into).await["values_restored"], 1500);
    let wrong = "SELECT count(*) FROM people WHERE note_again IS DISTINCT FROM note";
    assert_eq!(fixture.db().count(wrong).await, 0);
    assert_eq!(
        fixture
            .expect_sealed("public.people", &["ssn", "note"], "saved")
            .await,
        3500
    );
    fixture.json(&["verify"]).await;
}

#[tokio::test]
async fn in_place_text_becomes_the_plaintext_again() {
    let plan = "[[table]]\nname = \"public.people\"\n\
        [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
    let fixture = Fixture::postgres("in_place", PEOPLE, plan).await;
    fixture.json(&["backfill"]).await;
    assert!(differences(&fixture, "people", "saved", "id, ssn, note").await > 0);
    assert_eq!(fixture.json(&["restore"]).await["values_restored"], 1500);
    assert_eq!(
        differences(&fixture, "people", "saved", "id, ssn, note").await,
        0
    );
}

#[tokio::test]
async fn a_row_that_is_left_keeps_its_seal_whoever_listed_it() {
    let fixture = Fixture::postgres("left", PEOPLE, &beside("public.people", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    fixture.db().exec(&stray()).await;
    assert_eq!(fixture.json_code(&["verify"], 6).await["failed"], 1);
    let listed = fixture.json(&["quarantine", "list"]).await;
    let tag = listed[0]["tag"].as_str().unwrap();
    fixture.json(&["quarantine", "skip", tag]).await;
    fixture
        .json_code(&["restore", "--drop-sealed", "--yes"], 6)
        .await;
    let kept =
        "SELECT count(*) FROM people WHERE id = 7 AND ssn = 'stray' AND ssn_sealed IS NOT NULL";
    assert_eq!(fixture.db().count(kept).await, 1);
    // Decided by hand: that plaintext is the right one.
    fixture
        .db()
        .exec(&marked(
            "seal",
            "public.people",
            "UPDATE people SET ssn_sealed = NULL WHERE id = 7",
        ))
        .await;
    fixture.json(&["quarantine", "retry", tag]).await;
    assert_eq!(fixture.json_code(&["verify"], 6).await["unsealed"], 1);
    fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
    let gone = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'ssn_sealed'";
    assert_eq!(fixture.db().count(gone).await, 0);
}

#[tokio::test]
async fn what_verify_finds_beside_a_run_stays_that_runs_own() {
    let fixture = Fixture::postgres("own", PEOPLE, &beside("public.people", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    fixture.db().exec(&blank("people", &["ssn"])).await;
    fixture.db().exec(&stray()).await;
    fixture.json_code(&["restore"], 6).await;
    assert_eq!(fixture.json_code(&["verify"], 6).await["failed"], 1);
    let steps = "SELECT string_agg(step || ' ' || state, ',') FROM phiseal.quarantine";
    assert_eq!(
        fixture.db().scalar(steps).await.as_deref(),
        Some("restore open")
    );
    fixture.json_code(&["restore"], 6).await;
}

#[tokio::test]
async fn dropping_the_sealed_columns_leaves_the_table_as_it_was_before() {
    let plan = beside("public.people", &["ssn", "note"]).replacen(
        "\"ssn_sealed\"\n",
        "\"ssn_sealed\"\nblind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }\n",
        1,
    );
    let fixture = Fixture::postgres("drop_sealed", PEOPLE, &plan).await;
    fixture.json(&["backfill"]).await;
    fixture.db().exec(&blank("people", &["ssn", "note"])).await;
    fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
    assert_eq!(
        differences(&fixture, "people", "saved", "id, ssn, note").await,
        0
    );
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'people'";
    assert_eq!(fixture.db().count(columns).await, 3);
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'people'::regclass";
    assert_eq!(fixture.db().count(triggers).await, 0);
}

#[tokio::test]
async fn an_interrupted_restore_resumes() {
    let people = PEOPLE.replace("2000", "60000");
    let fixture = Fixture::postgres("resume", &people, &beside("public.people", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    fixture.db().exec(&blank("people", &["ssn"])).await;
    let running = fixture.phiseal(&["restore", "--json"]).spawn();
    let begun = "SELECT count(*) FROM phiseal.lanes l JOIN phiseal.runs USING (run_id)
        WHERE runs.kind = 'restore' AND l.rows_written > 0";
    while fixture.db().count(begun).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let mut running = running;
    running.signal(rustix::process::Signal::KILL);
    running.wait().await;
    fixture.db().settled().await;
    let left = fixture
        .db()
        .count("SELECT count(*) FROM people WHERE ssn IS NULL")
        .await;
    assert!(left > 0, "it was done before the signal came");
    let done = fixture.json(&["restore"]).await;
    assert_eq!(
        (&done["resumed"], &done["rows_restored"]),
        (&true.into(), &left.into())
    );
    assert_eq!(
        differences(&fixture, "people", "saved", "id, ssn, note").await,
        0
    );
}

/// What `procedures` says of the one restore: its phase, and its outcome or a dash.
async fn phase(fixture: &Fixture) -> String {
    let phase = "SELECT phase || ' ' || coalesce(outcome, '-') FROM phiseal.procedures ORDER BY procedure_id DESC LIMIT 1";
    fixture.scalar(phase).await.unwrap_or_default()
}

#[tokio::test]
async fn a_restore_that_is_killed_before_it_drops_goes_on_and_is_recorded_once() {
    let fixture = Fixture::postgres("phases", PEOPLE, &beside("public.people", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    fixture.db().exec(&blank("people", &["ssn"])).await;
    // A reader keeps the columns from being dropped.
    let mut reader = fixture.db().pool().acquire().await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT count(*) FROM people;")
        .execute(&mut *reader)
        .await
        .unwrap();
    let mut running = fixture
        .phiseal(&["restore", "--drop-sealed", "--yes"])
        .spawn();
    while phase(&fixture).await != "drop -" {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    running.signal(rustix::process::Signal::KILL);
    running.wait().await;
    sqlx::raw_sql("ROLLBACK")
        .execute(&mut *reader)
        .await
        .unwrap();
    fixture.db().settled().await;
    let status = fixture.json(&["status"]).await;
    let shown = &status["procedures"][0];
    assert_eq!(
        (&shown["table"], &shown["columns"]),
        (&"public.people".into(), &"ssn".into())
    );
    assert_eq!(
        (&shown["phase"], &shown["outcome"]),
        (&"drop".into(), &serde_json::Value::Null)
    );
    fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
    assert_eq!(phase(&fixture).await, "drop restored");
    let records = "SELECT count(*) FROM phiseal.procedures";
    assert_eq!(fixture.db().count(records).await, 1);
    let state = "SELECT state FROM phiseal.encrypted_field_metadata";
    assert_eq!(fixture.scalar(state).await.as_deref(), Some("restored"));
    let left = differences(&fixture, "people", "saved", "id, ssn, note").await;
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_restore_that_waits_for_a_person_is_given_up_when_its_columns_are_sealed_again() {
    let fixture = Fixture::postgres("given_up", PEOPLE, &beside("public.people", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    // Another plaintext, written past the guard, is not overwritten: a person has to look.
    fixture
        .db()
        .exec(
            "ALTER TABLE people DISABLE TRIGGER ALL; UPDATE people SET ssn = 'another' WHERE id = 7;
             ALTER TABLE people ENABLE ALWAYS TRIGGER \"~phiseal_i\"; ALTER TABLE people ENABLE ALWAYS TRIGGER \"~phiseal_u\"",
        )
        .await;
    fixture
        .phiseal(&["restore", "--drop-sealed", "--yes"])
        .run()
        .await
        .expect_code(6);
    assert_eq!(phase(&fixture).await, "fill -");
    fixture.run(&["backfill"]).await;
    assert_eq!(phase(&fixture).await, "fill given up");
}

#[tokio::test]
async fn no_plaintext_shows_in_the_servers_log_in_our_tables_or_in_the_output() {
    const CANARY: &str = "canary-7f3a91";
    let cluster = Cluster::start();
    let admin = cluster.url("postgres");
    let db = Database::create(&admin, "canary", "").await;
    let sql = format!(
        "CREATE TABLE people (id text PRIMARY KEY, ssn text, note text);
         INSERT INTO people SELECT 'mrn-kennel-' || i, '{CANARY}-ssn-' || i, '{CANARY}-note-' || i
            FROM generate_series(1, 3000) i;"
    );
    let in_place =
        "[[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
    let fixture = Fixture::new(
        Base::Postgres(db),
        &sql,
        &(beside("public.people", &["ssn"]) + in_place),
    )
    .await;
    let log = cluster.dir().join("server.log");
    for setting in [
        "log_statement = 'all'",
        "log_min_duration_statement = 0",
        "log_parameter_max_length = -1",
        "log_parameter_max_length_on_error = -1",
        "log_error_verbosity = verbose",
    ] {
        fixture
            .db()
            .exec(&format!("ALTER SYSTEM SET {setting}"))
            .await;
    }
    fixture.db().exec("SELECT pg_reload_conf()").await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let begin = fs::read(&log).unwrap().len();
    let mut said = String::new();
    // A row that cannot be restored, too, so that there is something to say about a row.
    let clear = marked("clear", "public.people", "UPDATE people SET ssn = NULL");
    let write = "UPDATE people p SET ssn = s.ssn FROM strays s WHERE p.id = s.id";
    let stray = format!(
        "CREATE TEMPORARY TABLE strays AS SELECT id, left(ssn, 10) || '-other' AS ssn FROM people
            WHERE right(id, 2) = '-9'; {clear}; {}",
        marked("restore", "public.people", write)
    );
    for (args, code) in [
        (&["plan"][..], 0),
        (&["backfill"], 0),
        (&["verify"], 0),
        (&["restore"], 6),
        (&["verify"], 6),
        (&["status"], 0),
        (&["quarantine", "list"], 0),
    ] {
        if args == ["restore"] {
            fixture.db().exec(&stray).await;
        }
        for json in [&[][..], &["--json"]] {
            let done = fixture
                .phiseal(&[args, json].concat())
                .run()
                .await
                .expect_code(code);
            said.push_str(&done.stdout);
            said.push_str(&done.stderr);
        }
    }
    assert!(
        !said.contains("canary") && !said.contains("kennel"),
        "{said}"
    );
    let logged = fs::read(&log).unwrap();
    let logged = String::from_utf8_lossy(&logged[begin..]);
    assert!(
        logged.contains("phiseal_opened"),
        "the log shows no statement of a restore"
    );
    let shown: Vec<&str> = logged
        .lines()
        .filter(|l| l.contains(CANARY) || l.contains("63616e617279"))
        .collect();
    assert!(
        shown.is_empty(),
        "{} lines, the first: {}",
        shown.len(),
        shown[0]
    );
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'phiseal'";
    for table in fixture.db().rows(tables).await {
        let table = table[0].clone().unwrap();
        let found = format!(
            "SELECT count(*) FROM phiseal.{table} t WHERE t::text ~ 'canary|kennel|63616e617279|6b656e6e656c'"
        );
        assert_eq!(fixture.db().count(&found).await, 0, "{table}");
    }
}

#[tokio::test]
async fn sqlite_values_come_back_with_their_class() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, weight REAL, n INTEGER, scan BLOB, note TEXT);
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 300)
        INSERT INTO t SELECT x, CASE WHEN x % 7 > 0 THEN 'O''Brien ' || x END, x / 7.0, -x, zeroblob(x % 5), 'n' || x FROM i;
        CREATE TABLE saved AS SELECT * FROM t;";
    let columns = ["name", "weight", "n", "scan"];
    let in_place =
        "[[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
    let fixture = Fixture::sqlite(sql, &(beside("t", &columns) + in_place)).await;
    fixture.json_code(&["backfill"], 0).await;
    let done = fixture
        .json_code(&["restore", "--drop-sealed", "--yes"], 0)
        .await;
    assert_eq!(done["values_restored"], 300);
    let different = "SELECT count(*) FROM (SELECT id, name, typeof(weight), weight, n, typeof(n), hex(scan), typeof(scan), note FROM t
        EXCEPT SELECT id, name, typeof(weight), weight, n, typeof(n), hex(scan), typeof(scan), note FROM saved)";
    assert_eq!(fixture.file().scalar(different).await.as_deref(), Some("0"));
    let triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 't'";
    assert_eq!(fixture.file().scalar(triggers).await.as_deref(), Some("0"));
}
