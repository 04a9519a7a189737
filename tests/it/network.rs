//! Slow and breaking networks: every round trip of every command is made again for two minutes, and one process
//! alone is never in its own way.

use crate::oracle::NonceLedger;
use crate::support::proxy::Proxy;
use crate::support::{Fixture, Project, unguarded};
use serde_json::Value;
use std::time::Duration;

const PLAN: &str = "[[table]]\nname = \"public.notes\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";

async fn fixture(name: &str, rows: u32) -> Fixture {
    let ddl = format!(
        "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
         INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, {rows}) i;
         ANALYZE notes; CREATE TABLE saved AS TABLE notes"
    );
    Fixture::postgres(name, &ddl, PLAN).await
}

/// The folder of an operator whose database is behind this network.
fn behind(proxy: &Proxy, fixture: &Fixture, run: &str) -> Project {
    let project = Project::with_key(fixture.project.key_line());
    project.plan(
        &proxy.by_way(&fixture.url()),
        &format!("{PLAN}\n[run]\n{run}\n"),
    );
    project
}

async fn json(project: &Project, args: &[&str]) -> Value {
    let args = [args, &["--json"]].concat();
    project
        .phiseal(&args)
        .timeout(Duration::from_secs(110))
        .run()
        .await
        .expect_code(0)
        .json()
}

#[tokio::test]
async fn every_command_outlives_a_network_that_breaks_again_and_again() {
    const ROWS: u32 = 30_000;
    let fixture = fixture("network_cut", ROWS).await;
    let proxy = Proxy::to(&fixture.url(), Duration::ZERO);
    let project = behind(&proxy, &fixture, "batch_target_ms = 50");
    proxy.keep_cutting(Duration::from_millis(600), Duration::from_millis(150));
    let sealed = json(&project, &["backfill"]).await;
    assert_eq!(sealed["values_sealed"], ROWS);
    let verified = json(&project, &["verify"]).await;
    assert_eq!(
        (&verified["values_verified"], &verified["failed"]),
        (&ROWS.into(), &0.into())
    );
    let rotated = json(&project, &["rotate"]).await;
    assert_eq!(rotated["rows_resealed"], ROWS, "{rotated}");
    for args in [
        &["status", "--census"][..],
        &["keys", "list"],
        &["audit", "verify"],
        &["quarantine", "list"],
    ] {
        json(&project, args).await;
    }
    fixture
        .exec(&unguarded("notes", "UPDATE notes SET note = NULL;"))
        .await;
    let restored = json(&project, &["restore"]).await;
    assert_eq!(restored["values_restored"], ROWS, "{restored}");
    let cuts = proxy.rest();
    assert!(cuts > 5, "only {cuts} cuts");
    let mut ledger = NonceLedger::default();
    let copy = ("public.notes", "note");
    let checked = fixture.check_against(copy, "saved", &mut ledger).await;
    assert_eq!(checked.equal, ROWS as usize);
}

#[tokio::test]
async fn a_process_alone_takes_its_own_lanes_back_when_their_leases_are_over() {
    const ROWS: u32 = 60_000;
    let fixture = fixture("network_lease", ROWS).await;
    let proxy = Proxy::to(&fixture.url(), Duration::ZERO);
    // Away for longer than a lease, each time.
    let project = behind(
        &proxy,
        &fixture,
        "lanes = 3\nlease_seconds = 2\nbatch_target_ms = 50",
    );
    proxy.keep_cutting(Duration::from_millis(2000), Duration::from_secs(3));
    let sealed = json(&project, &["backfill"]).await;
    assert_eq!(sealed["values_sealed"], ROWS);
    assert!(proxy.rest() > 0);
}

#[tokio::test]
async fn a_far_server_is_asked_seldom() {
    const ROWS: u32 = 20_000;
    let fixture = fixture("network_far", ROWS).await;
    let far = Duration::from_millis(20);
    let proxy = Proxy::to(&fixture.url(), far);
    let project = behind(&proxy, &fixture, "lanes = 1");
    for (args, done) in [(["backfill"], "rows_sealed"), (["rotate"], "rows_resealed")] {
        assert_eq!(json(&project, &args).await[done], ROWS);
        let batches = "SELECT max(seq) FROM phiseal.lanes JOIN phiseal.runs USING (run_id) WHERE lanes.kind = 'range'";
        let batches: u32 = fixture.scalar(batches).await.unwrap().parse().unwrap();
        // Windows grow as the server's own work allows; those of a far server were of 50 rows once.
        assert!(batches < 40, "{args:?}: {batches} batches");
    }
}
