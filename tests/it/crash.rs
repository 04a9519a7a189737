//! The real program killed, its connections ended, its server crashed, its locks refused: it goes
//! on, or is run again, and in the end every value is there, sealed once, and nothing else changed.

use crate::oracle::NonceLedger;
use crate::support::cluster::Cluster;
use crate::support::database::Database;
use crate::support::{Base, Fixture, skipped};
use rustix::process::Signal;
use std::time::{Duration, Instant};

const TABLE: &str = "public.visits";

fn ddl(rows: u32) -> String {
    format!(
        "CREATE TABLE visits (clinic int, id uuid, ssn text, note text, other text, n bigint,
            PRIMARY KEY (clinic, id));
         INSERT INTO visits SELECT i % 7 - 3, md5(i::text)::uuid, lpad(i::text, 9, '0'),
            CASE WHEN i % 3 > 0 THEN 'note ' || i END, 'other ' || i, -i
            FROM generate_series(1, {rows}) i;
         CREATE TABLE saved AS TABLE visits"
    )
}

fn plan(run: &str) -> String {
    format!(
        "[run]\n{run}\n[[table]]\nname = \"{TABLE}\"\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
         [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n"
    )
}

/// I1, I4, I5, I7 and I12.
async fn nothing_lost_or_done_twice(fixture: &Fixture, ledger: &mut NonceLedger) {
    let rows = fixture.db().count("SELECT count(*) FROM saved").await;
    for column in ["ssn", "note"] {
        let checked = fixture
            .check_against((TABLE, column), "saved", ledger)
            .await;
        checked.expect_all_sealed();
        assert_eq!(checked.rows, usize::try_from(rows).unwrap());
        assert_eq!(checked.opened, checked.equal);
    }
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
    let list = "clinic, id, ssn, note, other, n";
    let differ = format!(
        "SELECT count(*) FROM ((SELECT {list} FROM visits EXCEPT TABLE saved)
         UNION ALL (TABLE saved EXCEPT SELECT {list} FROM visits)) d"
    );
    assert_eq!(
        fixture.db().count(&differ).await,
        0,
        "another column changed"
    );
    let runs = "SELECT sum(rows_written) FROM phiseal.runs";
    assert_eq!(
        fixture.db().count(runs).await,
        rows,
        "rows written, by the runs"
    );
    let lanes = "SELECT sum(rows_written) FROM phiseal.lanes";
    assert_eq!(
        fixture.db().count(lanes).await,
        rows,
        "rows written, by the lanes"
    );
    let versions =
        "SELECT md5(string_agg(xmin::text || ctid::text, ' ' ORDER BY clinic, id)) FROM visits";
    let before = fixture.scalar(versions).await;
    let again = fixture.backfill().await;
    let counted = ["rows_found", "rows_sealed"].map(|name| again[name].as_i64());
    assert_eq!(counted, [Some(0), Some(0)]);
    assert_eq!(
        fixture.scalar(versions).await,
        before,
        "the second run wrote rows"
    );
}

/// Waits until a run has committed some rows.
async fn under_way(fixture: &Fixture, rows: i64) {
    let sql = "SELECT coalesce(sum(rows_written), 0) FROM phiseal.lanes";
    let deadline = Instant::now() + Duration::from_secs(120);
    while fixture.db().count(sql).await < rows {
        assert!(Instant::now() < deadline, "nothing was committed");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn killed_at_many_moments_it_is_resumed_and_nothing_is_lost_or_done_twice() {
    let fixture =
        Fixture::postgres("crash_kill", &ddl(100_000), &plan("batch_target_ms = 50")).await;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    let mut state = u64::from_le_bytes(seed);
    println!("seed {state}");
    let mut ledger = NonceLedger::default();
    for kill in 0..12 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let wait = if kill == 0 { 0 } else { (state >> 33) % 700 };
        let mut run = fixture.project.phiseal(&["backfill"]).spawn();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        run.signal(Signal::KILL);
        run.wait().await;
    }
    // What stands now is sealed and checkpointed together: nothing is sealed that is not counted.
    fixture.backfill().await;
    nothing_lost_or_done_twice(&fixture, &mut ledger).await;
}

#[tokio::test]
async fn a_killed_engine_is_taken_over_at_once_on_the_same_host() {
    let run = "batch_target_ms = 20\nlease_seconds = 300";
    let fixture = Fixture::postgres("crash_takeover", &ddl(40_000), &plan(run)).await;
    let mut first = fixture.project.phiseal(&["backfill"]).spawn();
    under_way(&fixture, 500).await;
    first.signal(Signal::KILL);
    first.wait().await;
    let begun = Instant::now();
    assert_eq!(fixture.backfill().await["resumed"], true);
    assert!(
        begun.elapsed() < Duration::from_secs(120),
        "it waited for the lease"
    );
    nothing_lost_or_done_twice(&fixture, &mut NonceLedger::default()).await;
}

#[tokio::test]
async fn terminated_backends_are_replaced_and_the_run_ends_well() {
    let run = "batch_target_ms = 20";
    let fixture = Fixture::postgres("crash_backend", &ddl(40_000), &plan(run)).await;
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    for rows in [500, 10_000, 25_000] {
        under_way(&fixture, rows).await;
        fixture
            .exec(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name ~ '^phiseal( |$)' AND datname = current_database()",
            )
            .await;
    }
    backfill.wait().await.expect_code(0);
    nothing_lost_or_done_twice(&fixture, &mut NonceLedger::default()).await;
}

#[tokio::test]
async fn a_server_that_crashes_and_comes_back_is_waited_for() {
    if crate::support::cluster::bin_dir().is_none() {
        return skipped("no PostgreSQL server on this machine");
    }
    let mut cluster = Cluster::start();
    let db = Database::create(&cluster.url("postgres"), "crash_server", "ENCODING 'UTF8'").await;
    let run = plan("batch_target_ms = 20");
    let fixture = Fixture::new(Base::Postgres(db), &ddl(30_000), &run).await;
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    under_way(&fixture, 1000).await;
    cluster.crash();
    tokio::time::sleep(Duration::from_millis(500)).await;
    cluster.start_again();
    let ended = backfill.wait().await;
    match ended.code() {
        Some(0) => {}
        Some(4) => drop(fixture.backfill().await),
        _ => drop(ended.expect_code(0)),
    }
    nothing_lost_or_done_twice(&fixture, &mut NonceLedger::default()).await;
    drop(fixture);
    drop(cluster);
}

#[tokio::test]
async fn a_table_lock_and_deadlocks_with_the_application_only_delay_it() {
    let run = "batch_target_ms = 20";
    let fixture = Fixture::postgres("crash_locks", &ddl(40_000), &plan(run)).await;
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    under_way(&fixture, 500).await;
    fixture
        .exec("BEGIN; LOCK TABLE visits IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(4); COMMIT")
        .await;
    // Rows in the opposite order: whoever is chosen as the victim, nothing is lost.
    for _ in 0..5 {
        let sql = "DO $$ DECLARE r record; BEGIN FOR r IN SELECT clinic, id FROM visits
            ORDER BY clinic DESC, id DESC LIMIT 200 LOOP
            PERFORM 1 FROM visits WHERE clinic = r.clinic AND id = r.id FOR UPDATE;
            END LOOP; PERFORM pg_sleep(0.3); END $$";
        let _ = fixture.db().try_exec(sql).await;
    }
    backfill.wait().await.expect_code(0);
    nothing_lost_or_done_twice(&fixture, &mut NonceLedger::default()).await;
}

#[tokio::test]
async fn two_engines_share_a_table_and_seal_every_row_once() {
    let run = "batch_target_ms = 20\nlanes = 2";
    let fixture = Fixture::postgres("crash_two", &ddl(80_000), &plan(run)).await;
    let (one, two) = tokio::join!(
        fixture.project.phiseal(&["backfill"]).run(),
        fixture.project.phiseal(&["backfill"]).run()
    );
    let codes = [one.code(), two.code()];
    assert!(codes.contains(&Some(0)), "{one:?} {two:?}");
    for run in [one, two] {
        assert!(matches!(run.code(), Some(0 | 8)), "{run:?}");
    }
    nothing_lost_or_done_twice(&fixture, &mut NonceLedger::default()).await;
}

#[tokio::test]
async fn an_engine_stopped_beyond_its_lease_is_fenced_off_when_it_goes_on() {
    let run = "batch_target_ms = 20\nlease_seconds = 2\nlanes = 1";
    let fixture = Fixture::postgres("crash_fence", &ddl(50_000), &plan(run)).await;
    let mut first = fixture.project.phiseal(&["backfill"]).spawn();
    under_way(&fixture, 500).await;
    first.signal(Signal::STOP);
    let second = fixture.project.phiseal(&["backfill"]).spawn();
    // The lease runs out while the second one waits, and the first goes on in the middle of it.
    let fences = "SELECT max(fence) FROM phiseal.lanes";
    let deadline = Instant::now() + Duration::from_secs(120);
    while fixture.db().count(fences).await < 2 {
        assert!(Instant::now() < deadline, "the lane was not taken over");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.signal(Signal::CONT);
    let (first, second) = tokio::join!(first.wait(), second.wait());
    second.expect_code(0);
    assert!(matches!(first.code(), Some(0 | 8)), "{first:?}");
    nothing_lost_or_done_twice(&fixture, &mut NonceLedger::default()).await;
}

#[tokio::test]
async fn a_frozen_session_that_holds_a_lane_beyond_its_lease_is_ended() {
    let run = "batch_target_ms = 20\nlease_seconds = 2";
    let fixture = Fixture::postgres("crash_frozen", &ddl(40_000), &plan(run)).await;
    let mut first = fixture.project.phiseal(&["backfill"]).spawn();
    under_way(&fixture, 500).await;
    first.signal(Signal::KILL);
    first.wait().await;
    fixture.db().settled().await;
    // What it would hold, had it been frozen in the middle of a batch.
    let mut frozen = fixture.db().connection().await;
    let hold = "SET application_name = 'phiseal backfill 1/0'; BEGIN; SELECT lane_no FROM phiseal.lanes FOR UPDATE";
    sqlx::raw_sql(hold).execute(&mut frozen).await.unwrap();
    assert_eq!(fixture.backfill().await["resumed"], true);
    nothing_lost_or_done_twice(&fixture, &mut NonceLedger::default()).await;
    let alive = sqlx::raw_sql("SELECT 1").execute(&mut frozen).await;
    assert!(alive.is_err(), "it was left alone");
}
