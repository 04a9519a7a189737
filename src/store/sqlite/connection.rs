//! How connections are opened.
//! Owns the URL's meaning and the settings of every connection: WAL, secure_delete, a busy timeout
//! in place of lock waits, temporary structures in memory. Statements are never logged.

use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Sqlite, Transaction};

use super::fault;
use super::statement::run;
use crate::store::{Result, StoreError};

/// How long a statement waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Reads `sqlite:///abs/path` or `sqlite://rel/path`, with `?mode=rwc` to create the file.
pub(super) fn options(url: &str) -> Result<SqliteConnectOptions> {
    let bad = |reason: &str| StoreError::BadUrl {
        reason: reason.to_owned(),
    };
    if !url.starts_with("sqlite:") {
        return Err(bad("it does not begin with sqlite:"));
    }
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(bad("a database in memory cannot be resumed"));
    }
    let options: SqliteConnectOptions = url.parse().map_err(fault::of)?;
    if options.get_filename().as_os_str().is_empty() {
        return Err(bad("it names no file"));
    }
    Ok(options
        .busy_timeout(BUSY_TIMEOUT)
        .journal_mode(SqliteJournalMode::Wal)
        // A committed batch survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        // SQLite's own default; our writes change no key column, and must set nothing off.
        .foreign_keys(false)
        .pragma("secure_delete", "ON")
        // Sorters and statement journals hold plaintext; they are not to reach a file.
        .pragma("temp_store", "MEMORY")
        // KiB: keys come in any order, and the pages of a batch are all held until it commits.
        .pragma("cache_size", "-32768")
        .disable_statement_logging())
}

/// Opens one connection.
pub(super) async fn open(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    options.connect().await.map_err(fault::of)
}

/// The one connection behind everything that is not a page or a batch.
pub(super) struct Control {
    conn: tokio::sync::Mutex<SqliteConnection>,
}

impl Control {
    /// Takes a connection over.
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self {
            conn: tokio::sync::Mutex::new(conn),
        }
    }

    /// The connection, for single statements that read.
    pub(super) async fn lock(&self) -> tokio::sync::MutexGuard<'_, SqliteConnection> {
        self.conn.lock().await
    }
}

/// Begins a transaction that holds the write lock from the start, so that nothing read in it can
/// be out of date when it writes. Rolled back when dropped.
pub(super) async fn write_transaction(
    conn: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>> {
    conn.begin_with("BEGIN IMMEDIATE").await.map_err(fault::of)
}

/// Commits.
pub(super) async fn commit(transaction: Transaction<'_, Sqlite>) -> Result<()> {
    transaction.commit().await.map_err(fault::of_commit)
}

/// Begins a transaction whose reads are all of one snapshot. Rolled back when dropped.
pub(super) async fn read_transaction(
    conn: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>> {
    conn.begin_with("BEGIN").await.map_err(fault::of)
}

/// Whether the file can be written to at all.
pub(super) async fn is_read_only(conn: &mut SqliteConnection) -> Result<bool> {
    match run(conn, "BEGIN IMMEDIATE").await {
        Ok(()) => run(conn, "ROLLBACK").await.map(|()| false),
        Err(StoreError::ReadOnly) => Ok(true),
        // Somebody writes just now, so it can be written to.
        Err(StoreError::Busy { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}
