//! Runs that leave room: they wait for operators, standbys, the archive and locks, say so, go on, and
//! lose nothing meanwhile.

mod server;

use crate::oracle::NonceLedger;
use crate::support::Fixture;
use crate::support::phiseal::Running;
use rustix::process::Signal;
use std::time::{Duration, Instant};

const TABLE: &str = "public.visits";

fn ddl(rows: u32) -> String {
    format!(
        "CREATE TABLE visits (id int PRIMARY KEY, ssn text, seen int NOT NULL DEFAULT 0);
         INSERT INTO visits SELECT i, lpad(i::text, 9, '0') FROM generate_series(1, {rows}) i;
         CREATE TABLE saved AS TABLE visits"
    )
}

fn plan(run: &str) -> String {
    format!(
        "[run]\n{run}\n[[table]]\nname = \"{TABLE}\"\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n"
    )
}

/// Every value is sealed once, opens, and is what it was.
async fn all_sealed(fixture: &Fixture) {
    let mut ledger = NonceLedger::default();
    let checked = fixture
        .check_against((TABLE, "ssn"), "saved", &mut ledger)
        .await;
    checked.expect_all_sealed();
    let rows = fixture.db().count("SELECT count(*) FROM saved").await;
    assert_eq!(checked.rows, usize::try_from(rows).unwrap());
    assert_eq!(checked.opened, checked.equal);
    let written = "SELECT sum(rows_written) FROM phiseal.lanes";
    assert_eq!(fixture.db().count(written).await, rows);
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
}

async fn sealed(fixture: &Fixture) -> i64 {
    let there = "SELECT count(*) FROM pg_attribute WHERE attrelid = 'visits'::regclass AND attname = 'ssn_sealed'";
    match fixture.db().count(there).await {
        0 => 0,
        _ => {
            (fixture.db())
                .count("SELECT count(ssn_sealed) FROM visits")
                .await
        }
    }
}

async fn until_sealed(fixture: &Fixture, rows: i64) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while sealed(fixture).await < rows {
        assert!(Instant::now() < deadline, "nothing was sealed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// How many rows are sealed once the batches that were on their way are through.
async fn settled(fixture: &Fixture) -> i64 {
    tokio::time::sleep(Duration::from_secs(1)).await;
    sealed(fixture).await
}

/// What the process that works says that it waits for.
async fn waits_for(fixture: &Fixture) -> Option<String> {
    let sql = "SELECT waits_for FROM phiseal.pace_reports ORDER BY reported_at DESC LIMIT 1";
    fixture.scalar(sql).await
}

async fn until_waits_for(fixture: &Fixture, words: &str) {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let why = waits_for(fixture).await;
        if why.as_ref().is_some_and(|why| why.contains(words)) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "it waits for {why:?}, not {words}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Ends a run that must do well.
async fn ends_well(run: Running, fixture: &Fixture) {
    run.wait().await.expect_code(0);
    all_sealed(fixture).await;
}

#[tokio::test]
async fn a_pause_outlives_the_process_that_obeys_it_and_ends_by_a_request_only() {
    let run = "batch_target_ms = 10\nrows_per_second_max = 4000\nlanes = 1\nlease_seconds = 2";
    let fixture = Fixture::postgres("pace_pause", &ddl(20_000), &plan(run)).await;
    let mut first = fixture.project.phiseal(&["backfill"]).spawn();
    until_sealed(&fixture, 500).await;
    let paused = fixture.json(&["pause"]).await;
    assert_eq!(paused["acknowledged"], true, "{paused}");
    let before = settled(&fixture).await;
    // Longer than its lease: it renews it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(sealed(&fixture).await, before, "a paused run seals");
    let leased = "SELECT count(*) FROM phiseal.lanes WHERE state = 'open' AND lease_until > clock_timestamp()";
    assert_eq!(fixture.db().count(leased).await, 1, "it lost its lane");
    first.signal(Signal::KILL);
    first.wait().await;
    let second = fixture.project.phiseal(&["backfill"]).spawn();
    until_waits_for(&fixture, "paused by").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(sealed(&fixture).await, before, "the next process seals");
    fixture.json(&["resume"]).await;
    ends_well(second, &fixture).await;
}

#[tokio::test]
async fn a_paused_run_ends_at_once_when_it_is_asked_to() {
    let run = "batch_target_ms = 10\nrows_per_second_max = 4000\nlanes = 1";
    let fixture = Fixture::postgres("pace_stop", &ddl(20_000), &plan(run)).await;
    let mut first = fixture.project.phiseal(&["backfill"]).spawn();
    until_sealed(&fixture, 500).await;
    fixture.json(&["pause"]).await;
    first.signal(Signal::TERM);
    first.wait().await.expect_code(5);
    fixture.json(&["resume"]).await;
    fixture.backfill().await;
    all_sealed(&fixture).await;
}

#[tokio::test]
async fn a_closed_window_keeps_a_run_waiting_until_it_is_hurried() {
    let hour = |offset: i64| {
        let now = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(offset));
        now.unwrap().strftime("%H:%M").to_string()
    };
    let run = format!(
        "pace = \"windowed\"\nwindow = \"{}-{}\"\nlanes = 1",
        hour(2),
        hour(4)
    );
    let fixture = Fixture::postgres("pace_window", &ddl(500), &plan(&run)).await;
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    until_waits_for(&fixture, "is closed").await;
    assert_eq!(sealed(&fixture).await, 0);
    fixture.json(&["speed", "fast"]).await;
    ends_well(backfill, &fixture).await;
}

/// A window that has been open for an hour and closes at the next full minute that is some seconds
/// away, by the clock of the database.
async fn closing_window(fixture: &Fixture) -> String {
    let sql = "SELECT to_char(t - interval '1 hour', 'HH24:MI') || '-' || to_char(t, 'HH24:MI') FROM \
        (SELECT date_trunc('minute', now() AT TIME ZONE 'UTC' + interval '70 seconds')) AS at (t)";
    fixture.scalar(sql).await.unwrap()
}

#[tokio::test]
async fn a_window_that_closes_in_mid_run_stops_it_and_what_was_done_stays() {
    // The limit makes the run longer than the window.
    let rows = "batch_target_ms = 10\nrows_per_second_max = 500\nlanes = 1";
    let fixture = Fixture::postgres("pace_closes", &ddl(60_000), &plan(rows)).await;
    let window = closing_window(&fixture).await;
    let run = format!("{rows}\npace = \"windowed\"\nwindow = \"{window}\"\ntime_zone = \"UTC\"");
    fixture.project.plan(&fixture.url(), &plan(&run));
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    until_sealed(&fixture, 500).await;
    until_waits_for(&fixture, &format!("the window {window} UTC is closed")).await;
    let closed = settled(&fixture).await;
    assert!((500..60_000).contains(&closed), "{closed}");
    assert_eq!(
        settled(&fixture).await,
        closed,
        "it works in a closed window"
    );
    let faster = ["speed", "fast", "--rows-per-second", "1000000"];
    fixture.json(&faster).await;
    ends_well(backfill, &fixture).await;
}

#[tokio::test]
async fn a_row_that_is_locked_for_a_minute_keeps_nobody_else_waiting() {
    let run = "batch_target_ms = 20\npace = \"polite\"\nlanes = 1";
    let fixture = Fixture::postgres("pace_row_lock", &ddl(0), &plan(run)).await;
    // The table is prepared: what follows takes no lock of the whole table.
    fixture.backfill().await;
    let filled =
        "INSERT INTO visits SELECT i, lpad(i::text, 9, '0') FROM generate_series(1, 5000) i;
         INSERT INTO saved SELECT id, ssn, seen FROM visits; ANALYZE visits";
    fixture.exec(filled).await;
    let mut owner = fixture.db().connection().await;
    let lock = "BEGIN; SELECT FROM visits WHERE id = 2500 FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut owner).await.unwrap();
    let locked = Instant::now();
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    let mut application = fixture.db().connection().await;
    let timeout = "SET lock_timeout = '2s'; SET application_name = 'application'";
    sqlx::raw_sql(timeout)
        .execute(&mut application)
        .await
        .unwrap();
    let mut updates = 0;
    while locked.elapsed() < Duration::from_secs(60) {
        let neighbour = 2400 + updates % 200 + i64::from(updates % 200 >= 100);
        sqlx::query("UPDATE visits SET seen = seen + 1 WHERE id = $1")
            .bind(i32::try_from(neighbour).unwrap())
            .execute(&mut application)
            .await
            .unwrap();
        updates += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sqlx::raw_sql("COMMIT").execute(&mut owner).await.unwrap();
    ends_well(backfill, &fixture).await;
    let seen = fixture.db().count("SELECT sum(seen) FROM visits").await;
    assert_eq!(seen, updates);
    assert!(updates > 100, "{updates}");
}

#[tokio::test]
async fn a_limit_of_rows_holds_over_the_whole_run() {
    let run = "rows_per_second_max = 400\nlanes = 2";
    let fixture = Fixture::postgres("pace_rows", &ddl(1500), &plan(run)).await;
    let begun = Instant::now();
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    ends_well(backfill, &fixture).await;
    // The last window need not be waited for.
    assert!(
        begun.elapsed() >= Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn whoever_waits_for_the_whole_table_comes_first() {
    let run = "pace = \"fast\"\nbatch_target_ms = 10\nrows_per_second_max = 4000\nlanes = 1";
    let fixture = Fixture::postgres("pace_waiter", &ddl(20_000), &plan(run)).await;
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    until_sealed(&fixture, 500).await;
    let mut reader = fixture.db().connection().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE visits IN ACCESS SHARE MODE")
        .execute(&mut reader)
        .await
        .unwrap();
    let mut owner = fixture.db().connection().await;
    let waits = tokio::spawn(async move {
        sqlx::raw_sql(
            "SET application_name = 'migration'; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE",
        )
        .execute(&mut owner)
        .await
        .unwrap();
    });
    until_waits_for(&fixture, "(migration) waits for a lock on the table").await;
    sqlx::raw_sql("COMMIT").execute(&mut reader).await.unwrap();
    waits.await.unwrap();
    ends_well(backfill, &fixture).await;
}

#[tokio::test]
async fn killed_while_it_rests_or_works_it_is_resumed_and_nothing_is_lost() {
    let run = "pace = \"polite\"\nlanes = 2\nlease_seconds = 2";
    let fixture = Fixture::postgres("pace_kills", &ddl(6000), &plan(run)).await;
    // Another session: the run does not think that it is alone.
    let other = fixture.db().connection().await;
    for kill in 0..6_u64 {
        let mut run = fixture.project.phiseal(&["backfill"]).spawn();
        tokio::time::sleep(Duration::from_millis(300 + kill * 170)).await;
        run.signal(Signal::KILL);
        run.wait().await;
    }
    drop(other);
    let run = (fixture.project).phiseal(&["backfill", "--pace", "fast"]);
    run.run().await.expect_code(0);
    all_sealed(&fixture).await;
}

#[tokio::test]
async fn progress_says_what_a_run_waits_for_on_a_terminal_and_in_json() {
    let run = "batch_target_ms = 10\nrows_per_second_max = 2000\nlanes = 1";
    let fixture = Fixture::postgres("pace_said", &ddl(4000), &plan(run)).await;
    fixture.json(&["pause"]).await;
    let mut text = fixture.project.phiseal(&["backfill"]).spawn();
    assert!(text.says("waiting").await, "nothing is said of the pause");
    text.signal(Signal::TERM);
    let said = text.wait().await.expect_code(5).stderr.clone();
    assert!(said.contains("paused by"), "{said}");
    let run = fixture.project.phiseal(&["backfill", "--json"]).spawn();
    until_waits_for(&fixture, "paused by").await;
    fixture.json(&["resume"]).await;
    let said = run.wait().await.expect_code(0).stderr.clone();
    let events: Vec<serde_json::Value> = (said.lines())
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    let of = |kind: &str| events.iter().find(|event| event["event"] == kind);
    let waiting = of("waiting").unwrap_or_else(|| panic!("{said}"));
    assert!(waiting["waits_for"].as_str().unwrap().contains("paused by"));
    assert!(of("going_on").is_some(), "{said}");
    assert!(of("end").is_some(), "{said}");
}
