//! `phiseal restore`: every value back to what the database held before, type included; a plaintext
//! that stands there already is never overwritten, and no plaintext shows anywhere on its way.

use crate::backfill::{beside, types};
use crate::support::cluster::Cluster;
use crate::support::database::Database;
use crate::support::{SqliteStand, Stand, marked};
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
async fn differences(ground: &Stand, left: &str, right: &str, columns: &str) -> i64 {
    let image = |table: &str| format!("SELECT row({columns})::text FROM {table}");
    let (a, b) = (image(left), image(right));
    let sql =
        format!("SELECT count(*) FROM (({a} EXCEPT ALL {b}) UNION ALL ({b} EXCEPT ALL {a})) q");
    ground.db.count(&sql).await
}

#[tokio::test]
async fn values_of_every_type_come_back_as_the_same_sql_value() {
    let columns = types::columns();
    let ground = Stand::new(
        "restore",
        &types::every_type(),
        &beside("public.every", &columns),
    )
    .await;
    ground.json(&["backfill"]).await;
    ground.db.exec(&blank("every", &columns)).await;
    let sealed = ground
        .db
        .count("SELECT count(*) FROM every WHERE t IS NOT NULL OR v IS NOT NULL")
        .await;
    assert_eq!(sealed, 0);
    let done = ground.json(&["restore"]).await;
    let values: usize = types::TYPES.iter().map(|(_, _, v)| v.len()).sum();
    assert_eq!(
        (&done["values_restored"], &done["quarantined"]),
        (&values.into(), &0.into())
    );
    let all = format!("id, other, {}", columns.join(", "));
    assert_eq!(differences(&ground, "every", "saved", &all).await, 0);
    // Still sealed, and a second restore finds nothing to do.
    assert_eq!(
        ground
            .expect_sealed("public.every", &columns, "saved")
            .await,
        values
    );
    assert_eq!(ground.json(&["restore"]).await["rows_restored"], 0);
    ground.json(&["verify"]).await;
}

#[tokio::test]
async fn columns_that_were_dropped_are_made_again_with_the_type_they_had() {
    let columns = types::columns();
    let ground = Stand::new(
        "remade",
        &types::every_type(),
        &beside("public.every", &columns),
    )
    .await;
    ground.json(&["backfill"]).await;
    ground
        .db
        .exec("DROP TRIGGER \"~phiseal_i\" ON every; DROP TRIGGER \"~phiseal_u\" ON every")
        .await;
    for column in &columns {
        ground
            .db
            .exec(&format!("ALTER TABLE every DROP COLUMN {column}"))
            .await;
    }
    ground.json(&["restore", "--drop-sealed"]).await;
    let all = format!("id, other, {}", columns.join(", "));
    assert_eq!(differences(&ground, "every", "saved", &all).await, 0);
    let shape = |table: &str| {
        format!(
        "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attname)
         FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
    )
    };
    assert_eq!(
        ground.db.scalar(&shape("every")).await,
        ground.db.scalar(&shape("saved")).await
    );
}

const PEOPLE: &str = "CREATE TABLE people (id int PRIMARY KEY, ssn text, note text);
    INSERT INTO people SELECT i, '123-45-' || i, CASE WHEN i % 4 > 0 THEN E'no\\\\te\\t' || i END
        FROM generate_series(1, 2000) i;
    CREATE TABLE saved AS TABLE people;";

#[tokio::test]
async fn another_plaintext_that_stands_there_is_listed_and_left() {
    let ground = Stand::new("other", PEOPLE, &beside("public.people", &["ssn"])).await;
    ground.json(&["backfill"]).await;
    ground.db.exec(&blank("people", &["ssn"])).await;
    ground.db.exec(&stray()).await;
    let done = ground.json_code(&["restore", "--drop-sealed"], 6).await;
    assert_eq!(
        (&done["rows_restored"], &done["quarantined"]),
        (&1999.into(), &1.into())
    );
    let kept =
        "SELECT count(*) FROM people WHERE id = 7 AND ssn = 'stray' AND ssn_sealed IS NOT NULL";
    assert_eq!(ground.db.count(kept).await, 1);
    ground
        .db
        .exec("UPDATE saved SET ssn = 'stray' WHERE id = 7")
        .await;
    assert_eq!(
        differences(&ground, "people", "saved", "id, ssn, note").await,
        0
    );
    let listed = ground.json(&["quarantine", "list"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
}

#[tokio::test]
async fn into_another_column_which_is_made_where_it_is_not_there() {
    let ground = Stand::new("into", PEOPLE, &beside("public.people", &["ssn", "note"])).await;
    ground.json(&["backfill"]).await;
    let into = ["restore", "--column", "note", "--into", "note_again"];
    assert_eq!(ground.json(&into).await["values_restored"], 1500);
    let wrong = "SELECT count(*) FROM people WHERE note_again IS DISTINCT FROM note";
    assert_eq!(ground.db.count(wrong).await, 0);
    assert_eq!(
        ground
            .expect_sealed("public.people", &["ssn", "note"], "saved")
            .await,
        3500
    );
    ground.json(&["verify"]).await;
}

#[tokio::test]
async fn in_place_text_becomes_the_plaintext_again() {
    let plan = "[[table]]\nname = \"public.people\"\n\
        [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
    let ground = Stand::new("in_place", PEOPLE, plan).await;
    ground.json(&["backfill"]).await;
    assert!(differences(&ground, "people", "saved", "id, ssn, note").await > 0);
    assert_eq!(ground.json(&["restore"]).await["values_restored"], 1500);
    assert_eq!(
        differences(&ground, "people", "saved", "id, ssn, note").await,
        0
    );
}

#[tokio::test]
async fn a_row_that_is_left_keeps_its_seal_whoever_listed_it() {
    let ground = Stand::new("left", PEOPLE, &beside("public.people", &["ssn"])).await;
    ground.json(&["backfill"]).await;
    ground.db.exec(&stray()).await;
    assert_eq!(ground.json_code(&["verify"], 6).await["failed"], 1);
    let listed = ground.json(&["quarantine", "list"]).await;
    let tag = listed[0]["tag"].as_str().unwrap();
    ground.json(&["quarantine", "skip", tag]).await;
    ground.json_code(&["restore", "--drop-sealed"], 6).await;
    let kept =
        "SELECT count(*) FROM people WHERE id = 7 AND ssn = 'stray' AND ssn_sealed IS NOT NULL";
    assert_eq!(ground.db.count(kept).await, 1);
    // Decided by hand: that plaintext is the right one.
    ground
        .db
        .exec(&marked(
            "seal",
            "public.people",
            "UPDATE people SET ssn_sealed = NULL WHERE id = 7",
        ))
        .await;
    ground.json(&["quarantine", "retry", tag]).await;
    assert_eq!(ground.json_code(&["verify"], 6).await["unsealed"], 1);
    ground.json(&["restore", "--drop-sealed"]).await;
    let gone = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname = 'ssn_sealed'";
    assert_eq!(ground.db.count(gone).await, 0);
}

#[tokio::test]
async fn what_verify_finds_beside_a_run_stays_that_runs_own() {
    let ground = Stand::new("own", PEOPLE, &beside("public.people", &["ssn"])).await;
    ground.json(&["backfill"]).await;
    ground.db.exec(&blank("people", &["ssn"])).await;
    ground.db.exec(&stray()).await;
    ground.json_code(&["restore"], 6).await;
    assert_eq!(ground.json_code(&["verify"], 6).await["failed"], 1);
    let steps = "SELECT string_agg(step || ' ' || state, ',') FROM phiseal.quarantine";
    assert_eq!(
        ground.db.scalar(steps).await.as_deref(),
        Some("restore open")
    );
    ground.json_code(&["restore"], 6).await;
}

#[tokio::test]
async fn dropping_the_sealed_columns_leaves_the_table_as_it_was_before() {
    let plan = beside("public.people", &["ssn", "note"]).replacen(
        "\"ssn_sealed\"\n",
        "\"ssn_sealed\"\nblind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }\n",
        1,
    );
    let ground = Stand::new("drop_sealed", PEOPLE, &plan).await;
    ground.json(&["backfill"]).await;
    ground.db.exec(&blank("people", &["ssn", "note"])).await;
    ground.json(&["restore", "--drop-sealed"]).await;
    assert_eq!(
        differences(&ground, "people", "saved", "id, ssn, note").await,
        0
    );
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'people'";
    assert_eq!(ground.db.count(columns).await, 3);
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'people'::regclass";
    assert_eq!(ground.db.count(triggers).await, 0);
}

#[tokio::test]
async fn an_interrupted_restore_resumes() {
    let people = PEOPLE.replace("2000", "60000");
    let ground = Stand::new("resume", &people, &beside("public.people", &["ssn"])).await;
    ground.json(&["backfill"]).await;
    ground.db.exec(&blank("people", &["ssn"])).await;
    let running = ground.phiseal(&["restore", "--json"]).spawn();
    let begun = "SELECT count(*) FROM phiseal.lanes l JOIN phiseal.runs USING (run_id)
        WHERE kind = 'restore' AND l.rows_written > 0";
    while ground.db.count(begun).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let mut running = running;
    running.signal(rustix::process::Signal::KILL);
    running.wait().await;
    ground.db.settled().await;
    let left = ground
        .db
        .count("SELECT count(*) FROM people WHERE ssn IS NULL")
        .await;
    assert!(left > 0, "it was done before the signal came");
    let done = ground.json(&["restore"]).await;
    assert_eq!(
        (&done["resumed"], &done["rows_restored"]),
        (&true.into(), &left.into())
    );
    assert_eq!(
        differences(&ground, "people", "saved", "id, ssn, note").await,
        0
    );
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
    let ground = Stand::on(db, &sql, &(beside("public.people", &["ssn"]) + in_place)).await;
    let log = cluster.dir().join("server.log");
    for setting in [
        "log_statement = 'all'",
        "log_min_duration_statement = 0",
        "log_parameter_max_length = -1",
        "log_parameter_max_length_on_error = -1",
        "log_error_verbosity = verbose",
    ] {
        ground.db.exec(&format!("ALTER SYSTEM SET {setting}")).await;
    }
    ground.db.exec("SELECT pg_reload_conf()").await;
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
            ground.db.exec(&stray).await;
        }
        for json in [&[][..], &["--json"]] {
            let done = ground
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
    for table in ground.db.rows(tables).await {
        let table = table[0].clone().unwrap();
        let found = format!(
            "SELECT count(*) FROM phiseal.{table} t WHERE t::text ~ 'canary|kennel|63616e617279|6b656e6e656c'"
        );
        assert_eq!(ground.db.count(&found).await, 0, "{table}");
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
    let ground = SqliteStand::new(sql, &(beside("t", &columns) + in_place)).await;
    ground.json_code(&["backfill"], 0).await;
    let done = ground.json_code(&["restore", "--drop-sealed"], 0).await;
    assert_eq!(done["values_restored"], 300);
    let different = "SELECT count(*) FROM (SELECT id, name, typeof(weight), weight, n, typeof(n), hex(scan), typeof(scan), note FROM t
        EXCEPT SELECT id, name, typeof(weight), weight, n, typeof(n), hex(scan), typeof(scan), note FROM saved)";
    assert_eq!(ground.file.scalar(different).await.as_deref(), Some("0"));
    let triggers = "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 't'";
    assert_eq!(ground.file.scalar(triggers).await.as_deref(), Some("0"));
}
