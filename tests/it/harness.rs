//! The fixture the other tests stand on: the cluster, the databases, the program's runner.
//! Above all, that nothing of it stays behind on the tester's machine.

use crate::support::cluster::{Cluster, SERVER_VARIABLE, bin_dir};
use crate::support::database::{Database, rows_of};
use crate::support::{Phiseal, Project, database, database_with, skipped, sqlite};
use rustix::process::{Pid, Signal, test_kill_process};
use sqlx::{ConnectOptions, Connection};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const HOLDER: &str = "PHISEAL_IT_HOLDS_A_CLUSTER";

#[test]
fn killed_test_process_leaves_no_cluster_behind() {
    if std::env::var_os(HOLDER).is_some() {
        let cluster = Cluster::start();
        return hold(&cluster, cluster.postmaster_pid());
    }
    if no_server_to_start() {
        return;
    }
    let name = "killed_test_process_leaves_no_cluster_behind";
    let (mut holder, postmaster, dir) = Holder::start(name);
    let postmaster = Pid::from_raw(postmaster).unwrap();
    assert!(test_kill_process(postmaster).is_ok() && dir.is_dir());
    holder.kill();
    let within = Duration::from_secs(90);
    wait_until_gone(within, || {
        test_kill_process(postmaster).is_err() && !dir.exists()
    });
}

#[test]
fn test_process_killed_while_its_cluster_is_made_leaves_none_behind() {
    if std::env::var_os(HOLDER).is_some() {
        return hold(&Cluster::begin(&bin_dir().unwrap()), 0);
    }
    if no_server_to_start() {
        return;
    }
    let name = "test_process_killed_while_its_cluster_is_made_leaves_none_behind";
    let (mut holder, _, dir) = Holder::start(name);
    assert!(dir.is_dir());
    holder.kill();
    // The keeper ends initdb first, and removes the folder only once the server has ended.
    let within = Duration::from_secs(90);
    wait_until_gone(within, || !dir.exists());
}

// The same test in a process of its own, which holds a cluster until it is killed.
struct Holder(Child);

impl Holder {
    fn start(test: &str) -> (Self, i32, PathBuf) {
        let mut holder = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg(format!("harness::{test}"))
            .env(HOLDER, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(holder.stdout.take().unwrap()).lines();
        let said = lines
            .map(Result::unwrap)
            .find_map(|line| Some(line.split_once("cluster ")?.1.to_owned()))
            .expect("the holder said nothing");
        let (pid, dir) = said.split_once(' ').unwrap();
        (Self(holder), pid.parse().unwrap(), dir.into())
    }

    fn kill(&mut self) {
        self.0.kill().unwrap(); // SIGKILL
        self.0.wait().unwrap();
    }
}

fn hold(cluster: &Cluster, pid: i32) {
    println!("cluster {pid} {}", cluster.dir().display());
    std::thread::sleep(Duration::from_secs(60));
}

fn wait_until_gone(within: Duration, gone: impl Fn() -> bool) {
    let deadline = Instant::now() + within;
    while !gone() {
        assert!(Instant::now() < deadline, "the cluster is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn no_server_to_start() -> bool {
    let none = bin_dir().is_none();
    if none {
        skipped(&format!(
            "no PostgreSQL server on this machine, only {SERVER_VARIABLE}"
        ));
    }
    none
}

#[tokio::test]
async fn a_cluster_of_ones_own_survives_a_crash_and_goes_when_dropped() {
    if no_server_to_start() {
        return;
    }
    let mut cluster = Cluster::start();
    let options = "ENCODING 'UTF8'";
    let db = Database::create(&cluster.socket_url("postgres"), "crash", options).await;
    db.exec("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
        .await;
    cluster.crash();
    assert!(db.try_exec("INSERT INTO t VALUES (2)").await.is_err());
    cluster.start_again();
    assert_eq!(db.count("SELECT count(*) FROM t").await, 1);
    drop(db);
    let dir = cluster.dir().to_owned();
    drop(cluster);
    assert!(!dir.exists());
}

#[tokio::test]
async fn each_database_is_fresh_and_goes_with_its_test_whatever_is_left_in_it() {
    let watcher = database("watcher").await;
    let exists = async |name: &str| {
        let sql = format!("SELECT count(*) FROM pg_database WHERE datname = '{name}'");
        watcher.count(&sql).await == 1
    };
    let db = database("leftovers").await;
    let (name, role) = (db.name().to_owned(), db.role("app", "").await);
    assert!(exists(&name).await);
    db.exec("CREATE TABLE t (a int)").await;
    db.exec(&format!("GRANT SELECT ON t TO {}", role.name))
        .await;
    // The slot first: it would wait for the prepared transaction to end.
    let slot = format!("slot_{name}");
    db.exec(&format!(
        "SELECT pg_create_logical_replication_slot('{slot}', 'pgoutput')"
    ))
    .await;
    db.exec(&format!(
        "BEGIN; INSERT INTO t VALUES (1); PREPARE TRANSACTION '{name}'"
    ))
    .await;
    let _open = db.connection().await;
    drop(db);
    assert!(!exists(&name).await);
    let role = format!("SELECT FROM pg_roles WHERE rolname = '{}'", role.name);
    assert!(watcher.rows(&role).await.is_empty());
}

#[tokio::test]
async fn databases_answer_in_the_servers_own_text_and_roles_have_no_more_than_they_were_given() {
    let db = database("texts").await;
    let row = db
        .rows("SELECT 1.50, NULL, true, '\\x00ff'::bytea, 'é', 'x'::name, now() > '2020-01-01'")
        .await;
    let text = |t: &str| Some(t.to_owned());
    let expected = ["1.50", "", "t", "\\x00ff", "é", "x", "t"].map(text);
    let mut expected = Vec::from(expected);
    expected[1] = None;
    assert_eq!(row, [expected]);

    db.exec("CREATE TABLE secret (a int)").await;
    let role = db.role("app", "NOINHERIT").await;
    let mut app = sqlx::postgres::PgConnectOptions::connect(&role.url.parse().unwrap())
        .await
        .unwrap();
    assert_eq!(
        rows_of(&mut app, "SELECT current_user").await[0][0],
        Some(role.name)
    );
    assert!(
        sqlx::query("SELECT * FROM secret")
            .execute(&mut app)
            .await
            .is_err()
    );
    app.close().await.unwrap();

    let ascii = database_with("ascii", "ENCODING 'SQL_ASCII' LOCALE 'C'").await;
    let encoding = ascii.scalar("SHOW server_encoding").await;
    assert_eq!(encoding.as_deref(), Some("SQL_ASCII"));
    assert!(ascii.url().ends_with(ascii.name()));
    let other: i32 = sqlx::query_scalar("SELECT 1")
        .fetch_one(ascii.pool())
        .await
        .unwrap();
    assert_eq!(other, 1);
}

#[tokio::test]
async fn sqlite_files_answer_by_storage_class_and_go_with_their_test() {
    let file = sqlite().await;
    file.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1), ('x'), (x'00ff'), (NULL), (1.5)")
        .await;
    let rows = file.rows("SELECT a FROM t").await;
    let values: Vec<_> = rows.iter().map(|row| row[0].as_deref()).collect();
    assert_eq!(
        values,
        [Some("1"), Some("x"), Some("00ff"), None, Some("1.5")]
    );
    assert!(file.url().starts_with("sqlite:///") && file.path().is_file());
    let one: i64 = sqlx::query_scalar("SELECT 1")
        .fetch_one(file.pool())
        .await
        .unwrap();
    assert_eq!(one, 1);
    let count = file.scalar("SELECT count(*) FROM t").await;
    assert_eq!(count.as_deref(), Some("5"));
    let path = file.path().to_owned();
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_project_has_a_key_file_only_its_owner_reads_and_a_plan_of_toml() {
    let project = Project::new();
    let mode = project.key_file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let line = std::fs::read_to_string(project.key_file()).unwrap();
    assert_eq!(line, format!("{}\n", project.key_line()));
    assert!(crate::oracle::wrapping_key(project.key_line()).is_ok());
    project.plan("postgres://u@h/d", "[[table]]\nname = \"public.patients\"");
    let plan = std::fs::read_to_string(project.plan_file()).unwrap();
    let plan: toml::Table = plan.parse().unwrap();
    assert_eq!(plan["database"]["url"].as_str(), Some("postgres://u@h/d"));
    assert_eq!(plan["keys"]["path"].as_str(), project.key_file().to_str());
    assert_eq!(plan["table"][0]["name"].as_str(), Some("public.patients"));
}

#[tokio::test]
async fn a_run_is_kept_whole_its_exit_code_its_json_and_what_it_said() {
    let project = Project::new();
    let script = "pwd >&2; echo $GIVEN >&2; echo $HIDDEN >&2; echo '{\"a\": 1}'; exit 6";
    let run = Phiseal::instead("sh", ["-c", script])
        .cwd(project.dir())
        .env("GIVEN", "given")
        .run()
        .await
        .expect_code(6);
    assert_eq!(run.json()["a"], 1);
    assert_eq!(
        run.stderr,
        format!("{}\ngiven\n\n", project.dir().display())
    );
    let version = project.phiseal(&["--version"]).run().await;
    assert!(version.expect_code(0).stderr.is_empty());
}

#[tokio::test]
async fn a_signal_reaches_the_run_and_its_words_are_heard_before_it_ends() {
    let script = "trap 'exit 5' TERM; echo ready >&2; while :; do sleep 0.05; done";
    let mut run = Phiseal::instead("sh", ["-c", script]).spawn();
    assert!(run.says("ready").await);
    let pid = run.pid();
    run.signal(Signal::TERM);
    assert!(!run.says("never said").await);
    run.wait().await.expect_code(5);
    assert!(test_kill_process(pid).is_err());
}
