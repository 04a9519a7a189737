//! The engine beside the load: the real program, kept at work, paused and resumed from another
//! process. Owns what stands in for `pause` and `resume` in a program that does not have them yet.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::fixture::{Database, Fixture};

/// How long a paused engine writes nothing until it is believed.
const QUIET: Duration = Duration::from_millis(300);
/// How long anything of the engine may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The exit code of a command that was told to stop.
const STOPPED: i32 = 5;

/// How the engine is stopped between working slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// By `phiseal pause` and `phiseal resume`.
    Commands,
    /// By SIGTERM, and by the same command again: a program without these commands.
    Signals,
}

impl Control {
    /// What the program knows.
    pub fn of(fixture: &Fixture) -> Self {
        let help = fixture.command(&["pause", "--help"]).output().unwrap();
        if help.status.success() {
            Self::Commands
        } else {
            Self::Signals
        }
    }

    /// For the record.
    pub fn name(self) -> &'static str {
        match self {
            Self::Commands => "phiseal pause and resume",
            Self::Signals => "SIGTERM, and the command again",
        }
    }
}

/// The program at work on one database.
pub struct Engine<'a> {
    fixture: &'a Fixture,
    control: Control,
    /// The command that is run next; once the table is sealed, it is sealed again.
    next: &'static str,
    child: Option<Child>,
    log: PathBuf,
    /// Commands begun so far, without those that went on with one.
    pub commands: u32,
    /// The longest that `pause` or `resume` took, in seconds.
    pub slowest_reaction: f64,
}

impl<'a> Engine<'a> {
    /// Nothing runs yet; `command` is `backfill` or `rotate`.
    pub fn new(fixture: &'a Fixture, control: Control, command: &'static str) -> Self {
        Self {
            fixture,
            control,
            next: command,
            child: None,
            log: fixture.dir().join("engine.log"),
            commands: 0,
            slowest_reaction: 0.0,
        }
    }

    /// Begins, and comes back when the first rows are written.
    pub async fn start(&mut self, database: &mut Database<'_>) {
        let before = rows_written(database).await;
        self.begin();
        self.commands = 1;
        let begun = Instant::now();
        while rows_written(database).await == before {
            assert!(
                begun.elapsed() < PATIENCE,
                "no row is sealed: {}",
                self.said()
            );
            self.keep_going();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops, and comes back when nothing is written any more.
    pub async fn pause(&mut self, database: &mut Database<'_>) {
        if self.control == Control::Signals {
            self.stop();
            return;
        }
        // A command that has not yet recorded its run when `pause` looks is not paused by it.
        let begun = Instant::now();
        loop {
            self.told("pause");
            let before = rows_written(database).await;
            tokio::time::sleep(QUIET).await;
            if rows_written(database).await == before {
                return;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not pause: {}",
                self.said()
            );
        }
    }

    /// Goes on.
    pub fn resume(&mut self) {
        self.keep_going();
        if self.control == Control::Commands {
            self.told("resume");
        }
    }

    /// Begins the next command where the last one has ended.
    pub fn keep_going(&mut self) {
        let ended = match &mut self.child {
            Some(child) => child.try_wait().unwrap(),
            None => return self.begin(),
        };
        if let Some(status) = ended {
            self.note(status);
            self.begin();
        }
    }

    /// Ends it for good.
    pub fn stop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if child.try_wait().unwrap().is_none() {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
        }
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "it does not end: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        self.note(status);
    }

    fn begin(&mut self) {
        let log = File::create(&self.log).unwrap();
        let child = self
            .fixture
            .command(&[self.next, "--json"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// What the end of a command says of the next.
    fn note(&mut self, status: ExitStatus) {
        self.child = None;
        match status.code() {
            Some(0) => {
                self.next = "rotate";
                self.commands += 1;
            }
            Some(STOPPED) => {}
            _ => panic!("phiseal {}: {status}\n{}", self.next, self.said()),
        }
    }

    /// Runs `pause` or `resume`. Either may find no run: a command begins or ends just now.
    fn told(&mut self, word: &str) {
        let begun = Instant::now();
        let output = self.fixture.command(&[word]).output().unwrap();
        self.slowest_reaction = self.slowest_reaction.max(begun.elapsed().as_secs_f64());
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            eprintln!("phiseal {word}: {}: {}", output.status, said.trim());
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Engine<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Whether a run is amid its rows: some of its ranges are not done.
pub async fn is_amid(database: &mut Database<'_>) -> bool {
    let ranges = "SELECT count(*) FROM phiseal.lanes JOIN phiseal.runs USING (run_id) \
         WHERE finished_at IS NULL AND lanes.state = 'open' AND lanes.kind = 'range'";
    database.number(ranges).await > 0.0
}

/// Rows that all runs of the database have written.
pub async fn rows_written(database: &mut Database<'_>) -> u64 {
    database
        .number("SELECT coalesce(sum(rows_written), 0) FROM phiseal.lanes")
        .await as u64
}
