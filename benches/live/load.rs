//! The load: a small application, played by pgbench. With a rate it is open: transactions arrive by
//! chance at that rate whatever the server does, and their time counts from when they were to begin.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::cluster::bin_dir;
use crate::figures::Transaction;

/// What the application does once: it looks a patient up, notes that, counts visits and tells.
const TRANSACTION: &str = "\
\\set id random(1, :n)
BEGIN;
SELECT name, ssn FROM patients WHERE id = :id;
UPDATE patients SET last_seen = now(), seen = seen + 1 WHERE id = :id;
SELECT count(*) FROM visits WHERE patient_id BETWEEN :id AND :id + 10;
INSERT INTO events (patient_id, what) VALUES (:id, 'seen');
COMMIT;
";

/// Connections of the application.
const CLIENTS: &str = "16";

/// The statements that make the application's tables.
pub fn tables(rows: u64) -> String {
    format!(
        "CREATE TABLE patients AS SELECT i::int8 AS id, 'Patient ' || md5(i::text) AS name, \
           to_char(i::int8 * 7919 % 1000000000, 'FM000\"-\"00\"-\"0000') AS ssn, \
           repeat('n', 120) AS notes, now() - i % 1000 * interval '1 hour' AS last_seen, 0 AS seen \
           FROM generate_series(1, {rows}) AS i; \
         ALTER TABLE patients ADD PRIMARY KEY (id); CREATE INDEX ON patients (name); \
         CREATE TABLE visits AS SELECT i::int8 AS id, i::int8 * 7919 % {rows} AS patient_id, \
           now() - i % 1000 * interval '1 hour' AS at FROM generate_series(1, {rows}) AS i; \
         ALTER TABLE visits ADD PRIMARY KEY (id); CREATE INDEX ON visits (patient_id); \
         CREATE TABLE events (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, \
           patient_id int8 NOT NULL, what text NOT NULL, at timestamptz NOT NULL DEFAULT now()); \
         VACUUM (FREEZE, ANALYZE) patients; VACUUM (FREEZE, ANALYZE) visits"
    )
}

/// What is in neither table if an update of the application was lost: its events, without those
/// that the patients have counted.
pub const LOST: &str = "(SELECT count(*) FROM events) - (SELECT sum(seen) FROM patients)";

/// A load that runs.
pub struct Load {
    child: Child,
    dir: tempfile::TempDir,
}

impl Load {
    /// Starts it, at so many transactions a second; it ends by itself only after so many seconds.
    pub fn start(url: &str, rows: u64, rate: f64, seconds: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("log");
        let child = pgbench(&dir, rows, seconds)
            .args(["-R", &rate.to_string(), "-l", "--log-prefix"])
            .arg(prefix)
            .arg(url)
            .spawn()
            .unwrap_or_else(|e| panic!("pgbench: {e}"));
        Self { child, dir }
    }

    /// Ends it; its transactions, and how many failed.
    pub fn finish(mut self) -> (Vec<Transaction>, u64) {
        // pgbench ends a run by an alarm that it has set itself: this one comes earlier.
        let pid = Pid::from_child(&self.child);
        assert!(
            self.child.try_wait().unwrap().is_none(),
            "the load ended before the measuring: {}",
            said(&self.dir)
        );
        kill_process(pid, Signal::ALARM).unwrap();
        let status = self.child.wait().unwrap();
        assert!(
            status.success(),
            "pgbench: {status} {:?}\n{}",
            status.signal(),
            said(&self.dir)
        );
        let mut all = Vec::new();
        let mut failed = 0;
        for entry in fs::read_dir(self.dir.path()).unwrap().flatten() {
            if !entry.file_name().to_string_lossy().starts_with("log.") {
                continue;
            }
            for line in fs::read_to_string(entry.path()).unwrap().lines() {
                match Transaction::of_line(line) {
                    Some(one) => all.push(one),
                    None => failed += 1,
                }
            }
        }
        (all, failed)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Transactions a second that the machine can take: as many as come one after the other.
pub fn saturation(url: &str, rows: u64, seconds: u64) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let status = pgbench(&dir, rows, seconds).arg(url).status().unwrap();
    let text = said(&dir);
    assert!(status.success(), "pgbench: {status}\n{text}");
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = "));
    let number = tps.and_then(|tps| tps.split(' ').next()?.parse().ok());
    number.unwrap_or_else(|| panic!("pgbench names no tps:\n{text}"))
}

/// pgbench with the application, not started yet; what it says goes to a file of the folder.
fn pgbench(dir: &tempfile::TempDir, rows: u64, seconds: u64) -> Command {
    let script = dir.path().join("app.sql");
    fs::write(&script, TRANSACTION).unwrap();
    let output = fs::File::create(dir.path().join("said")).unwrap();
    let mut command = Command::new(program());
    command
        .args(["-n", "-c", CLIENTS, "-j", "1", "-T", &seconds.to_string()])
        .args(["-D", &format!("n={rows}"), "-f"])
        .arg(&script)
        .stdin(Stdio::null())
        .stderr(output.try_clone().unwrap())
        .stdout(output);
    command
}

/// pgbench of the server that is measured, or of PATH.
fn program() -> PathBuf {
    let beside = bin_dir().map(|dir| dir.join("pgbench"));
    beside
        .filter(|path| path.is_file())
        .unwrap_or_else(|| Path::new("pgbench").to_owned())
}

fn said(dir: &tempfile::TempDir) -> String {
    fs::read_to_string(dir.path().join("said")).unwrap_or_default()
}
