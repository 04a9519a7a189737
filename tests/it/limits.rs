//! What a role or a database has set for applications stops no command: each transaction sets what it depends on.

use crate::support::{Fixture, unguarded};
use serde_json::Value;

const PLAN: &str = "[[table]]\nname = \"public.notes\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";

async fn json(fixture: &Fixture, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    fixture
        .project
        .phiseal(&args)
        .run()
        .await
        .expect_code(0)
        .json()
}

#[tokio::test]
async fn a_table_larger_than_the_role_s_statement_timeout_is_worked_on_by_every_command() {
    const ROWS: u32 = 100_000;
    let ddl = format!(
        "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
         INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, {ROWS}) i; ANALYZE notes"
    );
    let fixture = Fixture::postgres("limits_time", &ddl, PLAN).await;
    // A scan of the table takes longer than that, and so does an index of it.
    for (name, limit) in [
        ("statement_timeout", "25ms"),
        ("lock_timeout", "1ms"),
        ("idle_in_transaction_session_timeout", "20ms"),
    ] {
        let set = format!(
            "ALTER DATABASE {} SET {name} = '{limit}'",
            fixture.db().name()
        );
        fixture.exec(&set).await;
    }
    let mut limited = fixture.db().connection().await;
    let asleep = sqlx::query("SELECT pg_sleep(1)")
        .execute(&mut limited)
        .await;
    assert!(asleep.is_err(), "the limit is in force");
    assert_eq!(json(&fixture, &["backfill"]).await["values_sealed"], ROWS);
    assert_eq!(json(&fixture, &["verify"]).await["values_verified"], ROWS);
    let rotated = json(&fixture, &["rotate"]).await;
    assert_eq!(rotated["rows_resealed"], ROWS);
    let keys = json(&fixture, &["status", "--census"]).await;
    assert!(
        keys["keys"].to_string().contains(&ROWS.to_string()),
        "{keys}"
    );
    let left = rotated["from_key_ids"][0].to_string();
    let args = [
        "keys",
        "destroy",
        &left,
        "--confirm",
        &left,
        "--reason",
        "left",
    ];
    json(&fixture, &args).await;
    // What the test itself does is not limited.
    let plain = format!("ALTER DATABASE {} RESET ALL", fixture.db().name());
    fixture.exec(&plain).await;
    let mut free = fixture.db().connection().await;
    let blank = unguarded("notes", "UPDATE notes SET note = NULL;");
    sqlx::raw_sql(sqlx::AssertSqlSafe(blank))
        .execute(&mut free)
        .await
        .unwrap();
    assert_eq!(json(&fixture, &["restore"]).await["values_restored"], ROWS);
}

#[tokio::test]
async fn two_backfills_at_once_share_the_work_or_one_says_who_has_it() {
    const ROWS: u32 = 40_000;
    let ddl = format!(
        "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
         INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, {ROWS}) i; ANALYZE notes"
    );
    let fixture = Fixture::postgres("limits_two", &ddl, PLAN).await;
    for round in 0..4 {
        let started: Vec<_> = (0..3)
            .map(|_| fixture.project.phiseal(&["backfill", "--json"]).spawn())
            .collect();
        let mut sealed = 0;
        for running in started {
            let finished = running.wait().await;
            match finished.code() {
                Some(0) => sealed += finished.json()["values_sealed"].as_u64().unwrap(),
                Some(8) => assert!(finished.stdout.contains("E060"), "{}", finished.stdout),
                code => panic!(
                    "round {round}: exit {code:?}: {}{}",
                    finished.stdout, finished.stderr
                ),
            }
        }
        assert_eq!(sealed, u64::from(ROWS), "round {round}");
        let left = "SELECT count(*) FROM notes WHERE note_sealed IS NULL";
        assert_eq!(fixture.scalar(left).await.unwrap(), "0");
        fixture
            .exec(&unguarded("notes", "UPDATE notes SET note_sealed = NULL;"))
            .await;
    }
}
