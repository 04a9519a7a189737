//! A private PostgreSQL cluster to build a set in: made for it, on a socket in a folder of its own, and
//! gone with it. Whatever a migration says of roles, databases or settings, it says it there.
//! Owns the server's programs and their end. A keeper, a small shell process, waits on a pipe whose only
//! write end is ours: however this process ends, the pipe closes, the server is stopped and the folder
//! removed.
//! The build logs in as a role that is no superuser: a superuser of any cluster commands the host, and
//! through it all others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use secrecy::SecretString;
use tokio::time::Instant;
use url::Url;

use crate::error::io_fault;
use crate::trust;

/// Below /tmp, since the path of a socket holds 107 bytes.
const ROOM: &str = "/tmp";
const STARTS_WITHIN: Duration = Duration::from_secs(60);
/// The port gives the socket its name; no port is listened on.
const PORT: u16 = 5432;
/// The superuser of the cluster.
const ADMINISTRATOR: &str = "phiseal_scratch_administrator";

const KEEPER: &str = r#"
trap '' HUP INT TERM
umask 077
server=
if "$BIN/initdb" -D "$DIR/data" -U "$ADMINISTRATOR" -A scram-sha-256 --pwfile="$DIR/password" \
    -E UTF8 --no-locale --no-sync >"$DIR/initdb.log" 2>&1 </dev/null; then
    "$BIN/postgres" -D "$DIR/data" -k "$DIR" -p "$PORT" -c listen_addresses= -c fsync=off \
        -c full_page_writes=off -c synchronous_commit=off -c jit=off -c max_connections=20 \
        -c shared_buffers=32MB -c wal_level=minimal -c max_wal_senders=0 -c log_min_messages=fatal \
        -c log_min_error_statement=panic $SETTINGS >>"$DIR/server.log" 2>&1 </dev/null &
    server=$!
else
    : >"$DIR/failed"
fi
rm -f "$DIR/password"
while read -r word; do :; done
if [ -n "$server" ]; then
    while kill -QUIT "$server" 2>/dev/null; do sleep 0.05; done &
    wait "$server"
fi
cd / && rm -rf "$DIR"
"#;

/// One running cluster; stopped and removed when dropped.
pub(super) struct Cluster {
    dir: PathBuf,
    keeper: Child,
    pipe: Option<ChildStdin>,
    password: String,
}

impl Cluster {
    /// Starts one with the programs of the server's major version.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn start(major: u32) -> Result<Self, String> {
        let bin = programs(major)?;
        let room = tempfile::Builder::new()
            .prefix("phiseal-scratch-")
            .tempdir_in(ROOM);
        let dir = room
            .map_err(|error| format!("{ROOM}: {}", io_fault::words(&error)))?
            .keep();
        let begun = Self::begin(&bin, &dir, major);
        if begun.is_err() {
            let _ = fs::remove_dir_all(&dir);
        }
        let mut cluster = begun?;
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    fn begin(bin: &Path, dir: &Path, major: u32) -> Result<Self, String> {
        let failed =
            |error: std::io::Error| format!("{}: {}", dir.display(), io_fault::words(&error));
        let user = unprivileged_user()?;
        let password = random_word();
        let file = dir.join("password");
        fs::write(&file, &password).map_err(failed)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        // From version 16 on, who makes a role is not at once a member of it.
        let settings = match major {
            16.. => "-c createrole_self_grant=set,inherit",
            _ => "",
        };
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", KEEPER])
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .env("BIN", bin)
            .env("DIR", dir)
            .env("PORT", PORT.to_string())
            .env("ADMINISTRATOR", ADMINISTRATOR)
            .env("SETTINGS", settings)
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0); // an interrupt typed at the terminal is not for it
        if let Some((uid, gid)) = user {
            chown(dir, Some(uid), Some(gid)).map_err(failed)?;
            chown(&file, Some(uid), Some(gid)).map_err(failed)?;
            command.uid(uid).gid(gid); // initdb refuses root
        }
        let mut keeper = command.spawn().map_err(failed)?;
        let pipe = keeper.stdin.take();
        Ok(Self {
            dir: dir.to_owned(),
            keeper,
            pipe,
            password,
        })
    }

    /// The URL of a database for the administrator.
    pub fn administrator(&self, database: &str) -> Option<SecretString> {
        self.url(ADMINISTRATOR, &self.password, database)
    }

    /// The same for another role.
    pub fn url(&self, role: &str, password: &str, database: &str) -> Option<SecretString> {
        let host = self.dir.to_str()?.replace('/', "%2F");
        let mut url = Url::parse(&format!("postgres://{host}:{PORT}/")).ok()?;
        url.set_username(role).ok()?;
        url.set_password(Some(password)).ok()?;
        url.path_segments_mut().ok()?.push(database);
        Some(SecretString::from(url.to_string()))
    }

    /// The eighth line of postmaster.pid says `ready` once connections are accepted.
    async fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + STARTS_WITHIN;
        loop {
            let status = fs::read_to_string(self.dir.join("data/postmaster.pid"));
            let status = status.unwrap_or_default();
            if status.lines().nth(7).map(str::trim) == Some("ready") {
                return Ok(());
            }
            let ended = !matches!(self.keeper.try_wait(), Ok(None));
            let failed = self.dir.join("failed").exists();
            if ended || failed || self.server_gave_up() || Instant::now() > deadline {
                return Err("a private cluster did not start".to_owned());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn server_gave_up(&self) -> bool {
        let log = fs::read_to_string(self.dir.join("server.log")).unwrap_or_default();
        log.lines().any(|line| line.contains("FATAL:"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.keeper.wait();
    }
}

/// A password that nobody reads.
pub(super) fn random_word() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Where initdb and postgres of this major version are.
fn programs(major: u32) -> Result<PathBuf, String> {
    let fixed = [
        format!("/usr/lib/postgresql/{major}/bin"),
        format!("/usr/pgsql-{major}/bin"),
        format!("/usr/local/opt/postgresql@{major}/bin"),
        format!("/opt/homebrew/opt/postgresql@{major}/bin"),
        "/usr/local/pgsql/bin".to_owned(),
        "/usr/local/bin".to_owned(),
        "/usr/bin".to_owned(),
    ];
    let in_path = std::env::var_os("PATH").unwrap_or_default();
    let in_path: Vec<PathBuf> = std::env::split_paths(&in_path)
        .filter_map(|dir| fs::canonicalize(dir.join("initdb")).ok())
        .filter_map(|initdb| initdb.parent().map(Path::to_path_buf))
        .collect();
    fixed
        .into_iter()
        .map(PathBuf::from)
        .chain(in_path)
        .find(|dir| is_of_version(dir, major))
        .ok_or_else(|| {
            format!(
                "initdb and postgres of version {major} are not on this host, or not to be trusted"
            )
        })
}

fn is_of_version(dir: &Path, major: u32) -> bool {
    let postgres = dir.join("postgres");
    if !(dir.join("initdb").is_file() && postgres.is_file()) {
        return false;
    }
    // Root runs nothing that others could have put there.
    let trusted = |program: &str| trust::open(&dir.join(program)).is_ok();
    if trust::user() == 0 && !(trusted("initdb") && trusted("postgres")) {
        return false;
    }
    let said = Command::new(postgres).arg("--version").env_clear().output();
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
    said.is_ok_and(|said| {
        let version = said
            .split_once("(PostgreSQL)")
            .map_or("", |(_, rest)| rest.trim());
        let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
        digits.parse() == Ok(major)
    })
}

/// The user that the server runs as: this process's own (`None`), or for root one without rights.
fn unprivileged_user() -> Result<Option<(u32, u32)>, String> {
    if trust::user() != 0 {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let ids = |user: &str| {
        let line = passwd
            .lines()
            .find(|line| line.split(':').next() == Some(user))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    let found = ids("nobody").filter(|(uid, _)| *uid != 0);
    let no_user = "root cannot run a server, and there is no user `nobody` to run it as";
    found.map(Some).ok_or_else(|| no_user.to_owned())
}
