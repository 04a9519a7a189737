//! An application that goes on working while its table is sealed: no update is lost, the run ends,
//! and a definition that changes in the middle stops it.
//! The application keeps a ledger of its last values in the same transactions, for the oracle.

use crate::oracle::NonceLedger;
use crate::support::Fixture;
use sqlx::{AssertSqlSafe, PgPool};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

const TABLE: &str = "public.live";
const PLAN: &str = "[run]\nbatch_target_ms = 50\n[[table]]\nname = \"public.live\"\n\
    [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
    [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";

fn ddl(rows: u32) -> String {
    format!(
        "CREATE TABLE live (id bigint PRIMARY KEY, ssn text, note text, other int);
         INSERT INTO live SELECT i * 10, 'ssn ' || i, 'note ' || i, i FROM generate_series(1, {rows}) i;
         CREATE TABLE ledger (id bigint PRIMARY KEY, ssn text, note text);
         INSERT INTO ledger SELECT id, ssn, note FROM live"
    )
}

const SWEEP_INDEXES: &str = "SELECT count(*) FROM pg_class WHERE relname ~ '_phiseal_sweep'";

/// The application: tasks that go on until told to stop.
pub struct Application {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Application {
    pub fn new() -> Self {
        Self {
            stop: Arc::default(),
            done: Arc::default(),
            tasks: Vec::new(),
        }
    }

    /// One transaction after another, with a pause; a deadlock's victim tries something else.
    pub fn does(
        &mut self,
        pool: &PgPool,
        pause: Duration,
        mut next: impl FnMut(u64) -> String + Send + 'static,
    ) {
        let (stop, done, pool) = (Arc::clone(&self.stop), Arc::clone(&self.done), pool.clone());
        self.tasks.push(tokio::spawn(async move {
            let mut connection = pool.acquire().await.unwrap();
            for n in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let sql = format!("BEGIN; {}; COMMIT", next(n));
                match sqlx::raw_sql(AssertSqlSafe(sql))
                    .execute(&mut *connection)
                    .await
                {
                    Ok(_) => drop(done.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => {
                        let state = error.as_database_error().and_then(|e| e.code());
                        let state = state.unwrap_or_default().into_owned();
                        assert!(matches!(state.as_str(), "40P01" | "55P03"), "{error}");
                        let rollback = sqlx::raw_sql(AssertSqlSafe("ROLLBACK"));
                        rollback.execute(&mut *connection).await.unwrap();
                    }
                }
                tokio::time::sleep(pause).await;
            }
        }));
    }

    pub async fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.done.load(Ordering::Relaxed)
    }
}

/// Numbers that look random and are the same every time.
pub fn draw(n: u64, salt: u64) -> u64 {
    let mixed =
        (n + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 33
}

pub fn everyday(task: u64, rows: u64) -> impl FnMut(u64) -> String + Send {
    move |n| {
        let id = 10 * (1 + draw(n, task) % rows);
        // Ids of its own, anywhere in the table, most of them behind a cursor.
        let new = 10 * (1 + draw(n, task + 10) % rows) + 1 + task;
        let both = |sql: &str| {
            format!(
                "{}; {}",
                sql.replace("TABLE", "live"),
                sql.replace("TABLE", "ledger")
            )
        };
        match n % 8 {
            0 => both(&format!(
                "INSERT INTO TABLE (id, ssn, note) VALUES ({new}, 'new {task} {n}', 'new note {n}')
                 ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn, note = excluded.note"
            )),
            1 => both(&format!("DELETE FROM TABLE WHERE id = {id}")),
            2 => format!(
                "WITH moved AS (UPDATE live SET id = id + 8, note = 'moved {n}' WHERE id = {id}
                    AND NOT EXISTS (SELECT 1 FROM live x WHERE x.id = {id} + 8) RETURNING id)
                 UPDATE ledger SET id = ledger.id + 8, note = 'moved {n}' FROM moved WHERE ledger.id = {id}"
            ),
            3 | 4 => both(&format!("UPDATE TABLE SET note = 'note {task} {n}' WHERE id = {id}")),
            5 => both(&format!("UPDATE TABLE SET ssn = NULL WHERE id = {id}")),
            _ => both(&format!("UPDATE TABLE SET ssn = 'ssn {task} {n}' WHERE id = {id}")),
        }
    }
}

async fn as_the_ledger_says(fixture: &Fixture) {
    for column in ["ssn", "note"] {
        let ledger = &mut NonceLedger::default();
        let checked = fixture
            .check_against((TABLE, column), "ledger", ledger)
            .await;
        checked.expect_all_sealed();
        assert_eq!(checked.opened, checked.equal);
        assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
    }
    let rows = "SELECT (SELECT count(*) FROM live) - (SELECT count(*) FROM ledger)";
    assert_eq!(fixture.db().count(rows).await, 0);
    let plain = "SELECT count(*) FROM live JOIN ledger USING (id)
        WHERE live.ssn IS DISTINCT FROM ledger.ssn";
    assert_eq!(
        fixture.db().count(plain).await,
        0,
        "a plaintext was changed"
    );
    assert_eq!(fixture.db().count(SWEEP_INDEXES).await, 0);
}

#[tokio::test]
async fn no_update_of_a_busy_application_is_lost_and_the_run_ends_meanwhile() {
    let fixture = Fixture::postgres("live_writer", &ddl(100_000), PLAN).await;
    let pool = fixture.db().pool();
    let mut application = Application::new();
    for task in 0..4 {
        application.does(pool, Duration::from_millis(18), everyday(task, 100_000));
    }
    // Rows held for long, and a commit that comes behind the cursor. The pauses let the DDL come between.
    application.does(pool, Duration::from_millis(1500), |n| {
        let from = 10 * (n * 7919 % 99_000);
        format!(
            "SELECT 1 FROM live WHERE id BETWEEN {from} AND {from} + 200 ORDER BY id FOR UPDATE;
             SELECT pg_sleep(2.5)"
        )
    });
    application.does(pool, Duration::from_millis(500), |n| {
        format!(
            "INSERT INTO live VALUES (-{0}, 'late {0}', 'late note', 0);
             INSERT INTO ledger VALUES (-{0}, 'late {0}', 'late note'); SELECT pg_sleep(1)",
            n + 1
        )
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let backfill = fixture.project.phiseal(&["backfill"]).run().await;
    let transactions = application.stop().await;
    backfill.expect_code(0);
    assert!(
        transactions > 200,
        "the application did only {transactions} transactions"
    );
    let after = fixture.backfill().await;
    println!("{transactions} transactions, then {after}");
    as_the_ledger_says(&fixture).await;
}

#[tokio::test]
async fn a_row_that_never_rests_is_sealed_and_the_run_ends() {
    let fixture = Fixture::postgres("live_hot", &ddl(2_000), PLAN).await;
    let mut application = Application::new();
    application.does(fixture.db().pool(), Duration::from_millis(1), |n| {
        format!(
            "UPDATE live SET ssn = 'hot {n}' WHERE id = 500;
             UPDATE ledger SET ssn = 'hot {n}' WHERE id = 500"
        )
    });
    let backfill = fixture.project.phiseal(&["backfill", "--json"]);
    let done = backfill.run().await.expect_code(0).json();
    application.stop().await;
    let sealed = "SELECT count(*) FROM live WHERE ssn_sealed IS NOT NULL";
    assert!(fixture.db().count(sealed).await >= 1999);
    assert!(
        done["rows_sealed"].as_i64().unwrap() >= 2000,
        "never sealed: {done}"
    );
    fixture.backfill().await;
    as_the_ledger_says(&fixture).await;
}

#[tokio::test]
async fn an_application_that_writes_faster_than_a_pass_cannot_hold_the_run() {
    const ROWS: u64 = 60_000;
    let fixture = Fixture::postgres("live_fast", &ddl(60_000), PLAN).await;
    let pool = fixture.db().pool();
    let mut application = Application::new();
    for task in 0..3 {
        // Ten rows anywhere, in the same order in each transaction; at every pass there are new ones.
        application.does(pool, Duration::from_millis(2), move |n| {
            let mut ids: Vec<u64> = (0..10)
                .map(|i| 10 * (1 + draw(n * 10 + i, task) % ROWS))
                .collect();
            ids.sort_unstable();
            let ids = format!("{ids:?}").replace(['[', ']'], "");
            let update = format!("SET ssn = 'fast {task} {n}' WHERE id IN ({ids})");
            format!(
                "SELECT FROM live WHERE id IN ({ids}) ORDER BY id FOR UPDATE;
                 UPDATE live {update}; UPDATE ledger {update}"
            )
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let backfill = fixture.project.phiseal(&["backfill"]);
    let run = backfill.spawn();
    rows_are_written(&fixture, 1).await;
    // A dump: it reads the table, holds nothing that is written, and does not end.
    let mut dump = pool.begin().await.unwrap();
    let read = "SELECT count(*) FROM live";
    sqlx::raw_sql(read).execute(&mut *dump).await.unwrap();
    let finished = run.wait().await;
    let transactions = application.stop().await;
    dump.rollback().await.unwrap();
    assert!(transactions > 500, "only {transactions} transactions");
    let finished = finished.expect_code(0);
    let said = "the application wrote plaintext to the end";
    assert!(finished.stdout.contains(said), "{}", finished.stdout);
    let late = "SELECT count(*) FROM live WHERE ssn_sealed IS NULL";
    let late = u64::try_from(fixture.db().count(late).await).unwrap();
    assert!((1..ROWS / 2).contains(&late), "{late} rows unsealed");
    let state = "SELECT string_agg(DISTINCT state, ',') FROM phiseal.encrypted_field_metadata";
    let before = fixture.scalar(state).await;
    let again = fixture.backfill().await;
    assert_eq!(again["rows_sealed"], late);
    let states = (before.as_deref(), fixture.scalar(state).await);
    assert_eq!(states.0, Some("sealing"));
    assert_eq!(states.1.as_deref(), Some("sealed"));
    as_the_ledger_says(&fixture).await;
}

#[tokio::test]
async fn an_index_that_a_killed_sweep_left_is_dropped_unless_somebody_reads_for_long() {
    let fixture = Fixture::postgres("live_left", &ddl(2_000), PLAN).await;
    fixture.backfill().await;
    let left =
        "CREATE INDEX live_phiseal_sweep ON live (id) WHERE ssn IS NOT NULL AND ssn_sealed IS NULL";
    fixture.exec(left).await;
    let mut dump = fixture.db().pool().begin().await.unwrap();
    let read = "SELECT count(*) FROM live";
    sqlx::raw_sql(read).execute(&mut *dump).await.unwrap();
    let beside = fixture
        .project
        .phiseal(&["backfill"])
        .run()
        .await
        .expect_code(0);
    let said = "index public.live_phiseal_sweep is still there";
    assert!(beside.stdout.contains(said), "{}", beside.stdout);
    dump.rollback().await.unwrap();
    let after = fixture
        .project
        .phiseal(&["backfill"])
        .run()
        .await
        .expect_code(0);
    assert!(!after.stdout.contains("still there"), "{}", after.stdout);
    assert_eq!(fixture.db().count(SWEEP_INDEXES).await, 0);
}

#[tokio::test]
async fn large_values_in_rows_that_never_rest_are_sealed_and_the_run_ends() {
    let sql = "CREATE TABLE notes (id int PRIMARY KEY, seen int NOT NULL, note text);
        INSERT INTO notes SELECT i, 0, repeat('note', 1000) || i FROM generate_series(1, 100) i;";
    let plan = "[run]\nvalue_bytes_max = \"1KiB\"\n[[table]]\nname = \"public.notes\"\n\
        [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";
    let fixture = Fixture::postgres("live_large", sql, plan).await;
    let mut application = Application::new();
    application.does(fixture.db().pool(), Duration::from_millis(1), |_| {
        "UPDATE notes SET seen = seen + 1".to_owned()
    });
    let done = fixture.backfill().await;
    assert_eq!(done["rows_sealed"], 100, "{done}");
    let verified = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert!(
        verified.expect_code(0).json()["rows_verified"]
            .as_u64()
            .unwrap()
            >= 100
    );
    assert!(application.stop().await > 10);
    let mut ledger = NonceLedger::default();
    let checked = fixture.check("public.notes", "note", &mut ledger).await;
    assert!(checked.faults.is_empty(), "{:#?}", checked.faults);
    assert_eq!((checked.rows, checked.unsealed), (100, 0));
}

/// Waits until a run has written so many rows.
async fn rows_are_written(fixture: &Fixture, rows: i64) {
    let written = "SELECT coalesce(sum(rows_written), 0) FROM phiseal.lanes";
    let deadline = Instant::now() + Duration::from_secs(120);
    while fixture.db().count(written).await < rows {
        assert!(Instant::now() < deadline, "nothing was written");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Starts a backfill, changes something once it has written rows, and waits for its end.
async fn changed_in_the_middle(
    name: &str,
    change: &str,
) -> (Fixture, crate::support::phiseal::Finished) {
    let plan = PLAN.replace("= 50", "= 10");
    let fixture = Fixture::postgres(name, &ddl(60_000), &plan).await;
    let run = fixture.project.phiseal(&["backfill", "--json"]).spawn();
    rows_are_written(&fixture, 1000).await;
    fixture.exec(change).await;
    let finished = run.wait().await;
    (fixture, finished)
}

#[tokio::test]
async fn a_definition_that_changes_in_the_middle_stops_the_run_and_nothing_wrong_is_written() {
    for (name, change, undo) in [
        ("live_trigger", "DROP TRIGGER \"~phiseal_u\" ON live", ""),
        (
            "live_disabled",
            "ALTER TABLE live DISABLE TRIGGER \"~phiseal_i\"",
            "",
        ),
        (
            "live_column",
            "ALTER TABLE live RENAME COLUMN ssn TO number",
            "ALTER TABLE live RENAME COLUMN number TO ssn",
        ),
        (
            "live_renamed",
            "ALTER TABLE live RENAME TO lived",
            "ALTER TABLE lived RENAME TO live",
        ),
    ] {
        let (fixture, run) = changed_in_the_middle(name, change).await;
        assert_eq!(run.code(), Some(3), "{change}: {run:?}");
        let said = run.json();
        let code = said["error"]["code"].as_str().unwrap();
        assert!(
            code == "E0220" || code == "E0512" && !undo.is_empty(),
            "{change}: {said}"
        );
        fixture.exec(undo).await;
        fixture.backfill().await;
        as_the_ledger_says(&fixture).await;
    }
}

#[tokio::test]
async fn a_table_rewritten_in_the_middle_is_read_again() {
    for (name, change) in [
        ("live_vacuum", "VACUUM FULL live"),
        // A column that is no concern of ours; the table is rewritten for it.
        (
            "live_retyped",
            "ALTER TABLE live ALTER COLUMN other TYPE bigint",
        ),
    ] {
        let (fixture, run) = changed_in_the_middle(name, change).await;
        run.expect_code(0);
        fixture.backfill().await;
        as_the_ledger_says(&fixture).await;
    }
}
