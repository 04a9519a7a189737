//! What is in the way of a command on PostgreSQL: few connections, locks, old transactions, a standby
//! that is not there, and signals meanwhile. Commands say what they wait for, and end soon when told.

use crate::support::cluster::Cluster;
use crate::support::database::{Database, rows_of};
use crate::support::phiseal::Running;
use crate::support::{Base, Fixture};
use rustix::process::Signal;
use sqlx::PgConnection;
use std::time::{Duration, Instant};

const DDL: &str = "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
    INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 20000) i; ANALYZE notes";
const PLAN: &str = "[[table]]\nname = \"public.notes\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";
const INDEXED: &str = "[[table]]\nname = \"public.notes\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n\
    blind_index = { column = \"note_bidx\", normalise = \"exact\" }\n";
/// Longer than a command may go on after a signal, on a slow machine.
const SOON: Duration = Duration::from_secs(30);

async fn run(connection: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .unwrap();
}

/// A session with an open transaction that did this, and its process id.
async fn in_transaction(db: &Database, sql: &str) -> (PgConnection, String) {
    let mut session = db.connection().await;
    let pid = rows_of(&mut session, "SELECT pg_backend_pid()::text").await;
    run(&mut session, sql).await;
    (session, pid[0][0].clone().unwrap())
}

/// Sends a signal, and asserts that the command ends soon and as interrupted.
async fn interrupted(mut running: Running) {
    let asked = Instant::now();
    running.signal(Signal::TERM);
    running.wait().await.expect_code(5);
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

fn begin(fixture: &Fixture, args: &[&str]) -> Running {
    fixture.project.phiseal(args).spawn()
}

#[tokio::test]
async fn a_lock_that_is_not_granted_is_waited_for_in_the_open_and_until_a_signal() {
    let fixture = Fixture::postgres("waits_lock", DDL, PLAN).await;
    let reader = "BEGIN; SELECT FROM notes LIMIT 1";
    let (mut session, pid) = in_transaction(fixture.db(), reader).await;
    let mut running = begin(&fixture, &["backfill"]);
    assert!(running.says("a lock on").await);
    assert!(running.says("attempt").await);
    assert!(running.says(&format!("process {pid} (")).await);
    interrupted(running).await;
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'notes'";
    assert_eq!(fixture.scalar(columns).await.unwrap(), "2");
    run(&mut session, "COMMIT").await;
    assert_eq!(fixture.backfill().await["values_sealed"], 20_000);
}

#[tokio::test]
async fn an_index_waits_for_an_old_transaction_in_the_open_and_until_a_signal() {
    let fixture = Fixture::postgres("waits_index", DDL, INDEXED).await;
    // Its snapshot is older than the index, and it holds no lock on the table.
    let old = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
    let (mut session, pid) = in_transaction(fixture.db(), old).await;
    let mut running = begin(&fixture, &["backfill"]);
    assert!(running.says("the build of index").await);
    assert!(running.says(&format!("process {pid} (")).await);
    interrupted(running).await;
    let indexes = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%note_bidx%'";
    assert_eq!(fixture.scalar(indexes).await.unwrap(), "0");
    run(&mut session, "COMMIT").await;
    fixture.run(&["backfill"]).await.expect_code(0);
    assert_eq!(fixture.scalar(indexes).await.unwrap(), "1");
}

#[tokio::test]
async fn limits_of_the_role_end_no_index_build_and_an_invalid_index_is_named_and_built_again() {
    let fixture = Fixture::postgres("waits_limits", DDL, INDEXED).await;
    fixture.backfill().await;
    let index = fixture
        .scalar("SELECT indexname FROM pg_indexes WHERE indexname LIKE '%note_bidx%'")
        .await
        .unwrap();
    let spoil = format!(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.{index}'::regclass"
    );
    fixture.exec(&spoil).await;
    for (name, limit) in [("statement_timeout", "5ms"), ("lock_timeout", "1ms")] {
        let name_of = fixture.db().name();
        let set = format!("ALTER DATABASE {name_of} SET {name} = '{limit}'");
        fixture.exec(&set).await;
    }
    let done = fixture.run(&["backfill"]).await.expect_code(0);
    assert!(done.stderr.contains("INVALID"), "{}", done.stderr);
    assert!(done.stderr.contains(&index), "{}", done.stderr);
    let valid =
        format!("SELECT indisvalid FROM pg_index WHERE indexrelid = 'public.{index}'::regclass");
    let mut free = fixture.db().connection().await;
    run(&mut free, "SET statement_timeout = 0; SET lock_timeout = 0").await;
    assert_eq!(rows_of(&mut free, &valid).await[0][0].as_deref(), Some("t"));
    // The limits would end what cleans up after the test, too.
    let name_of = fixture.db().name();
    run(&mut free, &format!("ALTER DATABASE {name_of} RESET ALL")).await;
}

#[tokio::test]
async fn a_run_uses_a_connection_for_each_lane_and_three_more() {
    let fixture = Fixture::postgres("waits_connections", DDL, PLAN).await;
    let of_ours = "SELECT count(*) FROM pg_stat_activity \
         WHERE datname = current_database() AND application_name ~ '^phiseal( |$)'";
    // The clamp of the automatic number of lanes.
    const LANES_MAX: i64 = 4;
    for args in [["backfill"], ["verify"], ["rotate"]] {
        let running = begin(&fixture, &args);
        let done = tokio::spawn(running.wait());
        while !done.is_finished() {
            let count = fixture.db().count(of_ours).await;
            assert!(count <= LANES_MAX + 3, "{args:?}: {count}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        done.await.unwrap().expect_code(0);
        // The server notices a moment later that the process has closed its connections.
        while fixture.db().count(of_ours).await > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn too_few_connections_refuse_a_run_and_a_full_server_is_waited_for() {
    let fixture = Fixture::postgres("waits_full", DDL, PLAN).await;
    let role = fixture.db().role("few", "CREATEROLE").await;
    let grant = format!(
        "GRANT ALL ON ALL TABLES IN SCHEMA public, phiseal TO {0}; GRANT ALL ON SCHEMA phiseal, public TO {0}; \
         GRANT ALL ON ALL SEQUENCES IN SCHEMA phiseal TO {0}; \
         ALTER TABLE notes OWNER TO {0}; ALTER ROLE {0} CONNECTION LIMIT 2",
        role.name
    );
    fixture.exec(&grant).await;
    fixture.project.plan(&role.url, PLAN);
    let plan = std::fs::read_to_string(fixture.project.plan_file()).unwrap();
    let owned = plan.replacen("[database]", "[database]\nowner = \"postgres\"", 1);
    fixture.project.plan_text(&owned);
    let refused = fixture.run(&["backfill"]).await.expect_code(3);
    assert!(refused.stderr.contains("E0270"), "{}", refused.stderr);
    assert!(refused.stderr.contains(&role.name), "{}", refused.stderr);
    // No connection at all: it is waited for, and once there is one, judged.
    let none = format!("ALTER ROLE {} CONNECTION LIMIT 0", role.name);
    fixture.exec(&none).await;
    let mut running = begin(&fixture, &["backfill"]);
    assert!(running.says("no free connection").await);
    let some = format!("ALTER ROLE {} CONNECTION LIMIT 40", role.name);
    fixture.exec(&some).await;
    running.wait().await.expect_code(0);
}

#[tokio::test]
async fn a_standby_that_is_not_there_refuses_a_run_and_holds_no_lock_if_it_goes_away() {
    let cluster = Cluster::start();
    let db = Database::create(&cluster.url("postgres"), "waits_standby", "").await;
    let fixture = Fixture::new(Base::Postgres(db), DDL, PLAN).await;
    let mut admin = fixture.db().connection().await;
    run(&mut admin, "SET synchronous_commit = local").await;
    let (gone, back) = (
        "ALTER SYSTEM SET synchronous_standby_names = 'nobody'",
        "ALTER SYSTEM RESET synchronous_standby_names",
    );
    run(&mut admin, gone).await;
    run(&mut admin, "SELECT pg_reload_conf()").await;
    let refused = fixture.run(&["backfill"]).await.expect_code(3);
    assert!(refused.stderr.contains("E0271"), "{}", refused.stderr);
    run(&mut admin, back).await;
    run(&mut admin, "SELECT pg_reload_conf()").await;
    // A lock keeps the DDL waiting until the standby is gone.
    let reader = "BEGIN; SELECT FROM notes LIMIT 1";
    let (mut session, _) = in_transaction(fixture.db(), reader).await;
    let mut running = begin(&fixture, &["backfill"]);
    assert!(running.says("a lock on").await);
    run(&mut admin, gone).await;
    run(&mut admin, "SELECT pg_reload_conf()").await;
    run(&mut session, "COMMIT").await;
    assert!(running.says("the synchronous standby").await);
    // The columns are there, and nobody waits for the table.
    run(&mut admin, "SET lock_timeout = '5s'").await;
    run(&mut admin, "SELECT note_sealed FROM notes LIMIT 1").await;
    interrupted(running).await;
    run(&mut admin, back).await;
    run(&mut admin, "SELECT pg_reload_conf()").await;
    assert_eq!(fixture.backfill().await["values_sealed"], 20_000);
}

#[tokio::test]
async fn a_restore_that_drops_leaves_no_index_behind_whether_it_drops_or_refuses() {
    let fixture = Fixture::postgres("waits_drop", DDL, PLAN).await;
    fixture.backfill().await;
    let indexes = "SELECT count(*) FROM pg_indexes WHERE indexname LIKE '%phiseal_sweep%'";
    fixture
        .run(&["restore", "--drop-sealed", "--yes"])
        .await
        .expect_code(0);
    assert_eq!(fixture.scalar(indexes).await.unwrap(), "0");
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'notes'";
    assert_eq!(fixture.scalar(columns).await.unwrap(), "2");
}
