//! What only a server of the test's own can show: a standby that falls behind, an archive that fails,
//! a crash that takes batches with it.

use super::{all_sealed, ddl, ends_well, plan, sealed, settled, until_sealed, until_waits_for};
use crate::support::cluster::{Cluster, bin_dir};
use crate::support::database::Database;
use crate::support::standby::Standby;
use crate::support::{Base, Fixture, skipped};
use std::time::{Duration, Instant};

/// A cluster with a database; `None` where no server is installed.
async fn on_own_server(settings: &[&str], rows: u32, run: &str) -> Option<(Cluster, Fixture)> {
    bin_dir()?;
    let cluster = Cluster::start_with(settings);
    let db = Database::create(&cluster.url("postgres"), "pace", "ENCODING 'UTF8'").await;
    let fixture = Fixture::new(Base::Postgres(db), &ddl(rows), &plan(run)).await;
    Some((cluster, fixture))
}

const PACED: &str = "pace = \"fast\"\nbatch_target_ms = 10\nrows_per_second_max = 3000\nlanes = 1\nreplica_lag_max = \"1s\"";

#[tokio::test]
async fn a_standby_that_falls_behind_stops_the_run_until_it_has_caught_up() {
    let settings = ["wal_level=replica", "max_wal_senders=4", "hot_standby=on"];
    let Some((cluster, fixture)) = on_own_server(&settings, 20_000, PACED).await else {
        return skipped("no PostgreSQL server on this machine");
    };
    let standby = Standby::of(&cluster);
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    until_sealed(&fixture, 500).await;
    standby.psql("SELECT pg_wal_replay_pause()");
    until_waits_for(&fixture, "standby walreceiver is").await;
    let before = settled(&fixture).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        sealed(&fixture).await,
        before,
        "it goes on without the standby"
    );
    standby.psql("SELECT pg_wal_replay_resume()");
    ends_well(backfill, &fixture).await;
    drop(standby);
    drop(fixture);
}

#[tokio::test]
async fn an_archive_that_fails_stops_the_run_until_it_works() {
    let settings = ["wal_level=replica", "archive_mode=on"];
    let Some((cluster, fixture)) = on_own_server(&settings, 20_000, PACED).await else {
        return skipped("no PostgreSQL server on this machine");
    };
    let backfill = fixture.project.phiseal(&["backfill"]).spawn();
    until_sealed(&fixture, 500).await;
    archive_by(&fixture, "false").await;
    until_waits_for(&fixture, "cannot archive").await;
    let before = settled(&fixture).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(
        sealed(&fixture).await,
        before,
        "it goes on without the archive"
    );
    archive_by(&fixture, "true").await;
    ends_well(backfill, &fixture).await;
    drop(fixture);
    drop(cluster);
}

/// Lets the server archive by this program, and gives it a file to archive.
async fn archive_by(fixture: &Fixture, program: &str) {
    for sql in [
        &format!("ALTER SYSTEM SET archive_command = '{program}'"),
        "SELECT pg_reload_conf()",
        "SELECT pg_switch_wal()",
    ] {
        fixture.exec(sql).await;
    }
}

#[tokio::test]
async fn batches_that_a_crash_of_the_server_takes_along_are_done_again() {
    let settings = ["fsync=off", "wal_buffers=64MB"];
    let run = "batch_target_ms = 10\nlanes = 2\nrows_per_second_max = 20000";
    let Some((mut cluster, fixture)) = on_own_server(&settings, 150_000, run).await else {
        return skipped("no PostgreSQL server on this machine");
    };
    let backfill = fixture.project.phiseal(&["backfill", "--json"]).spawn();
    let mut lost = 0;
    for rows in [20_000, 60_000] {
        until_sealed(&fixture, rows).await;
        // From now on, nobody writes the log that no COMMIT waits for.
        stop_log_writer(&fixture).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        let seen = sealed(&fixture).await;
        cluster.crash();
        cluster.start_again();
        lost += (seen - after_crash(&fixture).await).max(0);
    }
    let ended = backfill.wait().await.expect_code(0);
    assert!(
        lost > 0,
        "no crash took anything along, so this shows nothing"
    );
    let report = ended.json();
    assert_eq!(report["rows_sealed"], 150_000, "{report}");
    all_sealed(&fixture).await;
    drop(fixture);
    drop(cluster);
}

/// Stops the process that writes the log in the background; a crash ends it.
async fn stop_log_writer(fixture: &Fixture) {
    let sql = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'";
    let pid = i32::try_from(fixture.db().count(sql).await).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
}

/// How many rows are sealed, once the server answers.
async fn after_crash(fixture: &Fixture) -> i64 {
    let deadline = Instant::now() + Duration::from_secs(60);
    let sql = "SELECT 1";
    while fixture.db().try_exec(sql).await.is_err() {
        assert!(Instant::now() < deadline, "the server does not answer");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sealed(fixture).await
}
