//! PgBouncer in transaction mode, started anew again and again while the program works. Needs PgBouncer, and a
//! minute: `make soak`.

use crate::oracle::NonceLedger;
use crate::support::{Fixture, Project};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const PLAN: &str = "[[table]]\nname = \"public.notes\"\n\
    [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\n";

/// A pooler in front of one server.
struct Pooler {
    dir: tempfile::TempDir,
    port: u16,
}

impl Pooler {
    fn new(url: &str) -> Self {
        let url = url::Url::parse(url).unwrap();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = port.local_addr().unwrap().port();
        let dir = tempfile::Builder::new().tempdir_in("/tmp").unwrap();
        let database = url.path().trim_start_matches('/');
        let ini = format!(
            "[databases]\n{database} = host=127.0.0.1 port={} dbname={database}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n\
             auth_file = {folder}/users\npool_mode = transaction\ndefault_pool_size = 5\nmax_client_conn = 100\n\
             server_login_retry = 1\n",
            url.port().unwrap(),
            folder = dir.path().display(),
        );
        std::fs::write(dir.path().join("pgbouncer.ini"), ini).unwrap();
        std::fs::write(
            dir.path().join("users"),
            format!("\"{}\" \"\"\n", url.username()),
        )
        .unwrap();
        if rustix::process::geteuid().is_root() {
            // It refuses to be root.
            std::os::unix::fs::chown(dir.path(), Some(NOBODY), None).unwrap();
        }
        Self { dir, port }
    }

    fn start(&self) -> Child {
        let mut command = Command::new("pgbouncer");
        command.arg("-q").arg(self.dir.path().join("pgbouncer.ini"));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let child = command.spawn().expect("PgBouncer is installed");
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        child
    }
}

const NOBODY: u32 = 65534;

#[tokio::test]
#[ignore = "needs PgBouncer and a minute"]
async fn a_pooler_that_is_started_anew_again_and_again_stops_no_command() {
    const ROWS: u32 = 60_000;
    let ddl = format!(
        "CREATE TABLE notes (id bigint PRIMARY KEY, note text);
         INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, {ROWS}) i; ANALYZE notes"
    );
    let fixture = Fixture::postgres("pooler", &ddl, PLAN).await;
    let pooler = Pooler::new(&fixture.url());
    let mut url = url::Url::parse(&fixture.url()).unwrap();
    url.set_port(Some(pooler.port)).unwrap();
    let project = Project::with_key(fixture.project.key_line());
    project.plan(
        url.as_str(),
        &format!("{PLAN}\n[run]\nbatch_target_ms = 50\n"),
    );
    let over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&over);
    let restarts = std::thread::spawn(move || {
        let mut restarts = 0;
        loop {
            let mut child = pooler.start();
            std::thread::sleep(Duration::from_millis(1200));
            child.kill().unwrap();
            child.wait().unwrap();
            restarts += 1;
            if told.load(Ordering::SeqCst) {
                return restarts;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    for (args, count) in [
        (["backfill"], "rows_sealed"),
        (["verify"], "rows_verified"),
        (["rotate"], "rows_resealed"),
        (["rotate"], "rows_resealed"),
        (["verify"], "rows_verified"),
    ] {
        let running = project
            .phiseal(&[args[0], "--json"])
            .timeout(Duration::from_secs(300));
        let answer = running.run().await.expect_code(0).json();
        assert_eq!(answer[count], ROWS, "{args:?}: {answer}");
    }
    over.store(true, Ordering::SeqCst);
    let restarts = restarts.join().unwrap();
    assert!(restarts > 5, "only {restarts} restarts");
    let mut ledger = NonceLedger::default();
    let checked = fixture.check("public.notes", "note", &mut ledger).await;
    assert_eq!(checked.equal, ROWS as usize);
}
