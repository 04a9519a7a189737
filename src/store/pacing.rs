//! What a run needs to know to leave room for the application: requests of the operator, what each
//! process reports, and signals of the server.
//! Owns the types and two traits. Decides nothing: `engine/throttle` does.

use std::time::Duration;

use async_trait::async_trait;

use super::{Result, Table};
use crate::pace::{Pace, PaceRequestKind};

/// A request to runs, a row of `pace_requests`. A request stays when a process ends.
#[derive(Debug, Clone, PartialEq)]
pub struct PaceRequest {
    /// The label of the table whose runs are meant; empty for all tables.
    pub table_label: String,
    /// What is asked.
    pub kind: PaceRequestKind,
    /// The pace that is asked for; only in a request for a speed.
    pub pace: Option<Pace>,
    /// The most rows in a second; only in a request for a speed.
    pub rows_per_second_max: Option<i64>,
    /// For how many seconds the request holds; `None` until it is withdrawn. When it is read: how
    /// many are left.
    pub seconds: Option<f64>,
    /// Who asked.
    pub actor: String,
    /// Since when, RFC 3339; empty in a new request.
    pub requested_at: String,
}

/// What one process says about its work on one table, a row of `pace_reports`.
#[derive(Debug, Clone, PartialEq)]
pub struct PaceReport {
    /// The process, as a holder of lanes.
    pub holder: String,
    /// The table's label.
    pub table_label: String,
    /// The kind of run: `backfill`, `verify` …
    pub kind: String,
    /// The run; `None` for a verification.
    pub run_id: Option<i64>,
    /// The share of the time that the process works, 0 to 1.
    pub duty: f64,
    /// What it waits for; `None` if it does not.
    pub waits_for: Option<String>,
    /// For how many seconds it has waited.
    pub waits_seconds: f64,
    /// How many rows it wrote or verified in a second, lately.
    pub rows_per_second: f64,
    /// How many transactions the process has begun.
    pub transactions: i64,
    /// When it is read: how many seconds ago it was written.
    pub seconds_ago: f64,
}

/// The tables `pace_requests` and `pace_reports`.
///
/// Contract: as [`Store`](super::Store).
#[async_trait]
pub trait PaceTable: Send + Sync {
    /// The requests that hold now, of all tables.
    async fn pace_requests(&self) -> Result<Vec<PaceRequest>>;

    /// Adds a request, or replaces the one of the same kind for the same table.
    async fn put_pace_request(&self, request: &PaceRequest) -> Result<()>;

    /// Withdraws a request, those of all tables if `table_label` is `None`. Returns how many there
    /// were.
    async fn withdraw_pace_request(
        &self,
        kind: PaceRequestKind,
        table_label: Option<&str>,
    ) -> Result<u64>;

    /// Adds or replaces the report of a process about a table.
    async fn report_pace(&self, report: &PaceReport) -> Result<()>;

    /// Deletes the report of a process about a table, and all reports that are older than a day.
    async fn withdraw_pace_report(&self, holder: &str, table_label: &str) -> Result<()>;

    /// All reports, the newest first.
    async fn pace_reports(&self) -> Result<Vec<PaceReport>>;
}

/// Another session that waits, or lets wait.
#[derive(Debug, Clone, PartialEq)]
pub struct WaitingSession {
    /// Its process id and application, as a message names them.
    pub who: String,
    /// For how long it has waited; zero if the server does not tell.
    pub waited: Duration,
    /// The process id of our session that it waits for.
    pub ours: Option<i32>,
}

/// What the server does now. Cheap to ask for, several times a second.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// The server's clock, in microseconds since 1970.
    pub micros: i64,
    /// How many sessions other programs have open.
    pub other_sessions: u32,
    /// How many transactions have ended since the statistics were reset, in all databases.
    pub transactions: u64,
    /// The end of the write-ahead log, in bytes.
    pub wal_bytes: u64,
    /// Sessions that wait for a lock which one of our sessions holds.
    pub blocked: Vec<WaitingSession>,
    /// Other sessions that wait for a lock on the whole table.
    pub waiters: Vec<WaitingSession>,
}

/// A standby that is connected.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// Its application name.
    pub name: String,
    /// Up to which byte of the write-ahead log it has replayed; `None` where the role may not read
    /// it.
    pub replayed_bytes: Option<u64>,
}

/// Conditions under which more writing would do harm. Asked for every few seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conditions {
    /// The end of the write-ahead log, in bytes.
    pub wal_bytes: u64,
    /// The standbys.
    pub replicas: Vec<Replica>,
    /// Replication slots that are about to lose log which they need, or have little room left.
    pub slots_short: Vec<String>,
    /// Whether the last attempt to archive a log file failed.
    pub archive_fails: bool,
    /// How many log files wait to be archived.
    pub archive_waits: u64,
    /// Relations of the table that a vacuum against wraparound works on.
    pub wraparound: Vec<String>,
    /// The free bytes where the server's data are, if it runs on this host and may be asked.
    pub disk_free: Option<u64>,
    /// Signals that the role may not read, each in a few words.
    pub not_readable: Vec<String>,
}

/// Signals of the server. A database without them answers `None`.
///
/// Contract: as [`Store`](super::Store); the methods do not wait long for anything.
#[async_trait]
pub trait Pacing: Send + Sync {
    /// What the server does now.
    async fn activity(&self, _table: &Table) -> Result<Option<Activity>> {
        Ok(None)
    }

    /// Whether more writing would do harm.
    async fn conditions(&self, _table: &Table) -> Result<Option<Conditions>> {
        Ok(None)
    }

    /// Reads a row by its key and, if `writes`, updates another one, as a small application would,
    /// and commits durably. Returns how long that took.
    async fn probe(&self, _writes: bool) -> Result<Option<Duration>> {
        Ok(None)
    }

    /// Asks the server to cancel what one of our own sessions does, so that another one need not wait
    /// for it.
    async fn give_way(&self, _ours: &[i32]) -> Result<()> {
        Ok(())
    }

    /// How many transactions this process has begun.
    fn transactions_begun(&self) -> u64 {
        0
    }
}
