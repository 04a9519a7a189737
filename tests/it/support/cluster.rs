//! A private PostgreSQL cluster, in a temporary folder, on a socket there and a port of 127.0.0.1.
//! The server belongs to a keeper, a small shell process that waits on a pipe whose only write end
//! is ours: when this process ends, in whatever way, the pipe closes, and the keeper stops the
//! server and removes the folder. Nothing here relies on a destructor having run.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The environment variable that names a server to use instead of a private one.
pub const SERVER_VARIABLE: &str = "PHISEAL_TEST_DATABASE_URL";

const STARTS_WITHIN: Duration = Duration::from_secs(90);

/// Settings of the server that tests share. fsync=off is for speed: a test never survives a crash of
/// the machine. synchronous_commit stays on, so that an immediate stop loses no commit, as the tests
/// that stop the server rely on.
pub const TEST_SETTINGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "wal_level=logical",
    "jit=off",
];

// The keeper. It makes the cluster too, so that there is no instant at which a killed test process
// leaves an initdb or a server that nobody waits for. Words on stdin: `stop` and `start`. The signal
// to stop is sent until the server has gone: one that comes before postgres listens is lost.
//
const KEEPER: &str = r#"
trap '' HUP INT TERM
start() {
    "$BIN/postgres" -D "$DIR/data" -k "$DIR" -p "$PORT" -c listen_addresses=127.0.0.1 \
        -c max_connections=200 -c max_prepared_transactions=5 $SETTINGS \
        >>"$DIR/server.log" 2>&1 </dev/null &
    server=$!
}
stop() {
    [ -n "$server" ] || return
    while kill -QUIT "$server"; do sleep 0.1; done &
    wait "$server"
    wait "$!"
    server=
}
server=
if "$BIN/initdb" -D "$DIR/data" -U postgres -A trust -E UTF8 --no-locale --no-sync \
    >"$DIR/initdb.log" 2>&1 </dev/null; then start; else : >"$DIR/failed"; fi
while read -r word; do
    case $word in
    stop) stop ;;
    start) start ;;
    bin\ *) BIN=${word#bin } ;;
    esac
done
stop
cd / && rm -rf "$DIR"
"#;

/// One running cluster; stopped and removed when dropped, or when this process ends.
pub struct Cluster {
    dir: PathBuf,
    port: u16,
    keeper: Child,
    pipe: Option<ChildStdin>,
}

/// The administrator's URL of the server all tests share: `PHISEAL_TEST_DATABASE_URL`, or a cluster
/// started at the first call.
pub fn shared_url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    // Never dropped: the keeper sees the end of this process.
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    URL.get_or_init(|| match std::env::var(SERVER_VARIABLE) {
        Ok(url) if !url.is_empty() => url,
        _ => CLUSTER.get_or_init(Cluster::start).url("postgres"),
    })
}

/// Where clusters are made: in memory where there is plenty, since each test makes and removes a database
/// of some hundred files, which some file systems do slowly. Not $TMPDIR: the path of a unix socket holds
/// 107 bytes, and another user must get there.
fn folder_of_clusters() -> &'static str {
    const IN_MEMORY: &str = "/dev/shm";
    const ROOM: u64 = 8 << 30;
    let room = rustix::fs::statvfs(IN_MEMORY).map_or(0, |found| found.f_bavail * found.f_frsize);
    if room >= ROOM { IN_MEMORY } else { "/tmp" }
}

impl Cluster {
    /// Starts a cluster of the test's own, to be stopped and started at will.
    pub fn start() -> Self {
        Self::start_with(TEST_SETTINGS)
    }

    /// The same with these settings, `name=value` without blanks.
    pub fn start_with(settings: &[&str]) -> Self {
        let bin = bin_dir().unwrap_or_else(|| {
            panic!("no PostgreSQL server found: run `make test`, or set {SERVER_VARIABLE}")
        });
        Self::start_from(&bin, settings)
    }

    /// The same of the server in this folder.
    pub fn start_from(bin: &Path, settings: &[&str]) -> Self {
        // A port found free may be taken before the server binds it.
        for _ in 0..3 {
            let mut cluster = Self::begin_with(bin, settings);
            match cluster.wait_until_ready() {
                Ok(()) => return cluster,
                Err(log) if log.contains("could not create any TCP/IP sockets") => {}
                Err(log) => panic!("PostgreSQL did not start:\n{log}"),
            }
        }
        panic!("no free port for PostgreSQL on 127.0.0.1")
    }

    /// Begins to make a cluster, and does not wait until it answers.
    pub fn begin(bin: &Path) -> Self {
        Self::begin_with(bin, TEST_SETTINGS)
    }

    fn begin_with(bin: &Path, settings: &[&str]) -> Self {
        let settings: Vec<String> = settings.iter().map(|s| format!("-c {s}")).collect();
        let dir = tempfile::Builder::new()
            .prefix("phiseal-it-")
            .tempdir_in(folder_of_clusters())
            .unwrap()
            .keep();
        let port = free_port();
        let mut command = Command::new("sh");
        command
            .args(["-c", KEEPER])
            .env("BIN", bin)
            .env("DIR", &dir)
            .env("PORT", port.to_string())
            .env("SETTINGS", settings.join(" "))
            .env_remove("PGDATA")
            .current_dir(&dir)
            .stdin(Stdio::piped()) // close-on-exec: no other child holds our end
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0); // an interrupt typed at the terminal is not for it
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = unprivileged_user();
            chown(&dir, Some(uid), Some(gid)).unwrap();
            command.uid(uid).gid(gid); // initdb refuses root
        }
        let mut keeper = command.spawn().unwrap();
        let pipe = keeper.stdin.take();
        Self {
            dir,
            port,
            keeper,
            pipe,
        }
    }

    /// The administrator's URL of a database, over TCP.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The same over the unix socket.
    pub fn socket_url(&self, database: &str) -> String {
        let dir = self.dir.to_str().unwrap().replace('/', "%2F");
        format!("postgres://postgres@{dir}:{}/{database}", self.port)
    }

    /// The port of 127.0.0.1 it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder that holds everything of this cluster.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The process id of the postmaster.
    pub fn postmaster_pid(&self) -> i32 {
        let text = fs::read_to_string(self.pid_file()).unwrap();
        text.lines().next().unwrap().trim().parse().unwrap()
    }

    /// Stops the server at once, as a crash would; committed transactions survive.
    pub fn crash(&mut self) {
        self.tell("stop");
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.pid_file().exists() {
            assert!(Instant::now() < deadline, "PostgreSQL did not stop");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts the server again after [`Cluster::crash`], and waits until it answers.
    pub fn start_again(&mut self) {
        self.tell("start");
        self.wait_until_ready()
            .unwrap_or_else(|log| panic!("PostgreSQL did not start again:\n{log}"));
    }

    /// From the next start on, the server in this folder.
    pub fn becomes(&mut self, bin: &Path) {
        self.tell(&format!("bin {}", bin.display()));
    }

    /// Runs one of the server's programs in the cluster's folder, as the user whose it is; what it wrote.
    pub fn runs(&self, program: &Path, args: &[&str]) -> String {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        if rustix::process::geteuid().is_root() {
            let (uid, gid) = unprivileged_user();
            command.uid(uid).gid(gid);
        }
        // pg_ctl's server would keep a pipe open.
        let log = self.dir.join("program.log");
        let file = fs::File::create(&log).unwrap();
        command.stdout(file.try_clone().unwrap()).stderr(file);
        let status = command.status().unwrap();
        let said = fs::read_to_string(&log).unwrap();
        assert!(status.success(), "{}: {status}\n{said}", program.display());
        said
    }

    fn tell(&mut self, word: &str) {
        writeln!(self.pipe.as_mut().unwrap(), "{word}").unwrap();
    }

    fn pid_file(&self) -> PathBuf {
        self.dir.join("data/postmaster.pid")
    }

    // The eighth line of postmaster.pid says `ready` once connections are accepted.
    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            let status = fs::read_to_string(self.pid_file()).unwrap_or_default();
            if status.lines().nth(7).map(str::trim) == Some("ready") {
                return Ok(());
            }
            let log = ["initdb.log", "server.log"]
                .map(|name| fs::read_to_string(self.dir.join(name)).unwrap_or_default())
                .concat();
            let ended = self.keeper.try_wait().unwrap().is_some();
            // A client that comes while the server starts is turned away with a FATAL of its own.
            let fatal =
                |line: &str| line.contains("FATAL:") && !line.contains("the database system is");
            let failed = self.dir.join("failed").exists() || log.lines().any(fatal);
            if ended || failed || Instant::now() > deadline {
                return Err(log);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.keeper.wait();
    }
}

/// The programs of every server of Debian's, the oldest first.
pub fn debian_bins() -> Vec<PathBuf> {
    let mut debian: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    debian.sort();
    debian.into_iter().map(|(_, dir)| dir.join("bin")).collect()
}

/// The folder of the server's programs: where `initdb` in PATH really lies, if `postgres` lies
/// beside it, else the newest of Debian's.
pub fn bin_dir() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path)
        .filter_map(|dir| fs::canonicalize(dir.join("initdb")).ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_path_buf));
    in_path
        .chain(debian_bins().into_iter().rev())
        .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
}

// Below the range that the kernel hands to outgoing connections.
fn free_port() -> u16 {
    let mut seed = [0; 2];
    getrandom::fill(&mut seed).unwrap();
    let start = u16::from_le_bytes(seed);
    (0..2000)
        .map(|step: u16| 20_000 + start.wrapping_add(step * 7) % 12_000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free port on 127.0.0.1")
}

fn unprivileged_user() -> (u32, u32) {
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let ids = |user: &str| {
        let line = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(user))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres")
        .or_else(|| ids("nobody"))
        .expect("neither the user postgres nor nobody exists")
}
