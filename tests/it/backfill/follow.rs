//! `phiseal backfill --follow`: what applications write is sealed soon, other commands work as
//! before, and a stop leaves nothing behind.

use super::beside;
use crate::support::phiseal::Running;
use crate::support::{Base, Fixture};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const IN_POSTGRES: &str = "CREATE TABLE patients (id bigint PRIMARY KEY, ssn text);
    INSERT INTO patients SELECT i, '123-45-' || i FROM generate_series(1, 500) i;";
const IN_SQLITE: &str = "CREATE TABLE patients (id INTEGER PRIMARY KEY, ssn TEXT);
    WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 500)
    INSERT INTO patients SELECT x, '123-45-' || x FROM i;";
/// A limit, not an expectation: the machine of the tests may be busy.
const SOON: Duration = Duration::from_secs(60);

async fn postgres(name: &str) -> Fixture {
    Fixture::postgres(name, IN_POSTGRES, &beside("public.patients", &["ssn"])).await
}

async fn sqlite() -> Fixture {
    Fixture::sqlite(IN_SQLITE, &beside("patients", &["ssn"])).await
}

fn label(fixture: &Fixture) -> &'static str {
    match fixture.base {
        Base::Postgres(_) => "public.patients",
        Base::Sqlite(_) => "patients",
    }
}

async fn number(fixture: &Fixture, sql: &str) -> i64 {
    let text = fixture.scalar(sql).await;
    text.and_then(|text| text.parse().ok()).expect(sql)
}

/// Waits until a query counts this many.
async fn until(fixture: &Fixture, sql: &str, count: i64) {
    let deadline = Instant::now() + SOON;
    loop {
        let now = number(fixture, sql).await;
        if now == count {
            return;
        }
        assert!(Instant::now() < deadline, "{sql}: {now}, not {count}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

const UNSEALED: &str = "SELECT count(*) FROM patients WHERE ssn IS NOT NULL AND ssn_sealed IS NULL";

async fn all_is_sealed(fixture: &Fixture) {
    until(fixture, UNSEALED, 0).await;
}

/// Starts it, and waits until the backfill before is over.
async fn following(fixture: &Fixture) -> Running {
    let mut running = fixture.phiseal(&["backfill", "--follow", "--json"]).spawn();
    assert!(running.says("following").await, "it ended");
    running
}

async fn sweep_indexes(fixture: &Fixture) -> i64 {
    let sql = match fixture.base {
        Base::Postgres(_) => "SELECT count(*) FROM pg_class WHERE relname ~ '_phiseal_sweep'",
        Base::Sqlite(_) => "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'phiseal_sweep_%'",
    };
    number(fixture, sql).await
}

/// The runs that are recorded, and those that are unfinished.
async fn runs(fixture: &Fixture) -> (i64, i64) {
    let own = fixture.source().own("runs");
    let all = number(fixture, &format!("SELECT count(*) FROM {own}")).await;
    let open = format!("SELECT count(*) FROM {own} WHERE finished_at IS NULL");
    (all, number(fixture, &open).await)
}

async fn insert(fixture: &Fixture, id: i64) {
    let sql = format!("INSERT INTO patients (id, ssn) VALUES ({id}, 'late {id}')");
    fixture.exec(&sql).await;
}

/// Every value opens to its plaintext.
async fn opens_to_its_plaintext(fixture: &Fixture) {
    fixture
        .exec("CREATE TABLE saved AS SELECT id, ssn FROM patients")
        .await;
    fixture
        .expect_sealed(label(fixture), &["ssn"], "saved")
        .await;
}

async fn stopped(mut running: Running, signal: Signal) -> serde_json::Value {
    running.signal(signal);
    running.wait().await.expect_code(0).json()
}

async fn what_an_application_writes_is_sealed_and_a_stop_leaves_nothing(fixture: Fixture) {
    let running = following(&fixture).await;
    assert_eq!(sweep_indexes(&fixture).await, 1);
    // Bursts with a pause between them: each is found by a look of its own.
    for id in 1001..1013 {
        insert(&fixture, id).await;
        all_is_sealed(&fixture).await;
    }
    let change = "UPDATE patients SET ssn = 'changed' WHERE id <= 5";
    fixture.exec(change).await;
    all_is_sealed(&fixture).await;
    let own = fixture.source().own("runs");
    until(
        &fixture,
        &format!("SELECT count(*) FROM {own} WHERE finished_at IS NULL"),
        0,
    )
    .await;
    // The backfill's, and one for all bursts.
    assert_eq!(runs(&fixture).await, (2, 0));
    let done = stopped(running, Signal::TERM).await;
    assert_eq!(done["rows_sealed"], 500 + 12 + 5);
    assert_eq!(sweep_indexes(&fixture).await, 0);
    assert_eq!(runs(&fixture).await, (2, 0));
    opens_to_its_plaintext(&fixture).await;
    fixture.json(&["audit", "verify"]).await;
    assert_eq!(fixture.json(&["backfill"]).await["rows_found"], 0);
}

#[tokio::test]
async fn what_an_application_writes_is_sealed_and_a_stop_leaves_nothing_in_postgres() {
    let fixture = postgres("follow").await;
    what_an_application_writes_is_sealed_and_a_stop_leaves_nothing(fixture).await;
}

#[tokio::test]
async fn what_an_application_writes_is_sealed_and_a_stop_leaves_nothing_in_sqlite() {
    what_an_application_writes_is_sealed_and_a_stop_leaves_nothing(sqlite().await).await;
}

async fn killed_and_cleaned_up(fixture: Fixture) {
    let mut running = following(&fixture).await;
    insert(&fixture, 1001).await;
    all_is_sealed(&fixture).await;
    // Rows come all the time, so that it may be killed in the middle of a burst.
    for id in 2000..2200 {
        insert(&fixture, id).await;
        if id == 2100 {
            running.signal(Signal::KILL);
        }
    }
    running.wait().await;
    assert_eq!(sweep_indexes(&fixture).await, 1);
    fixture.json(&["backfill"]).await;
    all_is_sealed(&fixture).await;
    assert_eq!(sweep_indexes(&fixture).await, 0);
    assert_eq!(runs(&fixture).await.1, 0);
    opens_to_its_plaintext(&fixture).await;
}

#[tokio::test]
async fn a_backfill_cleans_up_after_one_that_was_killed_in_postgres() {
    killed_and_cleaned_up(postgres("follow_kill").await).await;
}

#[tokio::test]
async fn a_backfill_cleans_up_after_one_that_was_killed_in_sqlite() {
    killed_and_cleaned_up(sqlite().await).await;
}

async fn a_rotation_works_in_between(fixture: Fixture) {
    let running = following(&fixture).await;
    insert(&fixture, 1001).await;
    all_is_sealed(&fixture).await;
    let keys = fixture.source().own("encryption_keys");
    let active = format!(
        "SELECT key_id FROM {keys} WHERE purpose = 'cell' AND status = 'active' AND tenant = ''"
    );
    let before = number(&fixture, &active).await;
    let rotated = fixture.json(&["rotate"]).await;
    assert_eq!(rotated["outcome"], "complete");
    let after = number(&fixture, &active).await;
    assert_ne!(before, after);
    insert(&fixture, 1002).await;
    insert(&fixture, 1003).await;
    all_is_sealed(&fixture).await;
    stopped(running, Signal::INT).await;
    let ledger = &mut crate::oracle::NonceLedger::default();
    let checked = fixture.check(label(&fixture), "ssn", ledger).await;
    checked.expect_all_sealed();
    let under: Vec<i64> = checked.keys.keys().map(|id| i64::from(*id)).collect();
    assert_eq!(under, [after]);
    assert_eq!(checked.opened, checked.equal);
}

#[tokio::test]
async fn a_rotation_works_in_between_in_postgres() {
    a_rotation_works_in_between(postgres("follow_rotate").await).await;
}

#[tokio::test]
async fn a_rotation_works_in_between_in_sqlite() {
    a_rotation_works_in_between(sqlite().await).await;
}

#[tokio::test]
async fn a_rotation_is_not_kept_waiting_by_an_application_that_never_rests() {
    let fixture = postgres("follow_busy").await;
    let running = following(&fixture).await;
    let pool = fixture.db().pool().clone();
    let writer = tokio::spawn(async move {
        for id in 10_000_i64.. {
            let sql = "INSERT INTO patients (id, ssn) VALUES ($1, 'busy')";
            if sqlx::query(sql).bind(id).execute(&pool).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    for _ in 0..3 {
        let rotated = fixture.json(&["rotate", "--new-key"]).await;
        assert!(rotated["to_key_id"].is_number(), "{rotated}");
    }
    writer.abort();
    let _ = writer.await;
    all_is_sealed(&fixture).await;
    stopped(running, Signal::TERM).await;
    opens_to_its_plaintext(&fixture).await;
}

#[tokio::test]
async fn a_row_in_quarantine_does_not_keep_it_busy() {
    let sql = "CREATE TABLE patients (id bigint PRIMARY KEY, clinic text, ssn text)";
    let plan = "[[table]]\nname = \"public.patients\"\ntenant_column = \"clinic\"\n\
        [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";
    let fixture = Fixture::postgres("follow_listed", sql, plan).await;
    let running = following(&fixture).await;
    fixture
        .exec("INSERT INTO patients VALUES (1, NULL, 'of nobody')")
        .await;
    until(&fixture, "SELECT count(*) FROM phiseal.quarantine", 1).await;
    until(
        &fixture,
        "SELECT count(*) FROM phiseal.runs WHERE finished_at IS NULL",
        0,
    )
    .await;
    // A run that is opened again claims its lane, which raises the fence.
    let fences = "SELECT sum(fence) FROM phiseal.lanes";
    let before = number(&fixture, fences).await;
    for id in 2..6 {
        let sql = format!("INSERT INTO patients VALUES ({id}, 'north', 'late {id}')");
        fixture.exec(&sql).await;
        until(&fixture, UNSEALED, 1).await;
    }
    let claims = number(&fixture, fences).await - before;
    assert!(claims <= 4, "{claims} claims for 4 bursts");
    let mut running = running;
    running.signal(Signal::TERM);
    running.wait().await.expect_code(6);
}

#[tokio::test]
async fn it_waits_while_another_command_has_the_table() {
    let fixture = postgres("follow_held").await;
    let running = following(&fixture).await;
    // The record of a run that somebody else has begun and not ended.
    fixture
        .exec(
            "INSERT INTO phiseal.runs (kind, table_label, digest, state, params, started_at, actor)
             VALUES ('rotate', 'public.patients', 'x', 'running', '{}', now(), 'somebody')",
        )
        .await;
    insert(&fixture, 1001).await;
    let mut running = running;
    assert!(running.says("another command works on").await);
    assert_eq!(number(&fixture, UNSEALED).await, 1);
    fixture
        .exec("UPDATE phiseal.runs SET state = 'failed', finished_at = now() WHERE digest = 'x'")
        .await;
    all_is_sealed(&fixture).await;
    stopped(running, Signal::TERM).await;
}

#[tokio::test]
async fn a_table_that_changed_ends_it_with_a_refusal() {
    let sql = "CREATE TABLE patients (id bigint PRIMARY KEY, ssn text) PARTITION BY RANGE (id);
        CREATE TABLE patients_1 PARTITION OF patients FOR VALUES FROM (1) TO (1000);
        INSERT INTO patients SELECT i, '123-45-' || i FROM generate_series(1, 50) i;";
    let plan = beside("public.patients", &["ssn"]);
    let fixture = Fixture::postgres("follow_parts", sql, &plan).await;
    let running = following(&fixture).await;
    insert(&fixture, 60).await;
    all_is_sealed(&fixture).await;
    fixture
        .exec("CREATE TABLE patients_2 PARTITION OF patients FOR VALUES FROM (1000) TO (2000)")
        .await;
    insert(&fixture, 1001).await;
    let ended = running.wait().await.expect_code(3);
    assert!(ended.stderr.contains("E0220") || ended.stdout.contains("E0220"));
    fixture.json(&["backfill"]).await;
    all_is_sealed(&fixture).await;
    assert_eq!(sweep_indexes(&fixture).await, 0);
}
