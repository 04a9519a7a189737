//! How connections are opened.
//! Owns the URL's meaning, who may write, and the settings of every connection: secure_delete, a busy timeout
//! in place of lock waits, temporary structures in memory. Statements are never logged.
//! The file keeps the journal mode it has, unless WAL was asked for; what only looks opens it read-only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access as Permission, access as permitted};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, Transaction};

use super::fault;
use super::statement::{bound, run};
use crate::store::{Result, StoreError};

/// How long a statement waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What is done to a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Nothing: it is opened read-only, and may be in a folder that is.
    #[default]
    Look,
    /// It is written to, in whatever journal mode it is in.
    Write,
    /// It is written to, and put into WAL mode before.
    WriteInWal,
}

/// Opens connections to one file.
pub(super) struct Opener {
    options: SqliteConnectOptions,
    access: Access,
}

impl Opener {
    /// Reads `sqlite:///abs/path` or `sqlite://rel/path`, with `?mode=rwc` to create the file.
    pub(super) fn new(url: &str, access: Access) -> Result<Self> {
        Ok(Self {
            options: options(url)?,
            access,
        })
    }

    /// Opens one connection.
    pub(super) async fn open(&self) -> Result<SqliteConnection> {
        match self.access {
            Access::Look => self.look().await,
            Access::Write => connect(&self.options).await,
            Access::WriteInWal => {
                let mut conn = connect(&self.options).await?;
                put_into_wal(&mut conn).await?;
                Ok(conn)
            }
        }
    }

    async fn look(&self) -> Result<SqliteConnection> {
        let looking = self
            .options
            .clone()
            .create_if_missing(false)
            .read_only(true);
        let refused = match connect(&looking).await {
            Err(refused @ (StoreError::ReadOnly | StoreError::Unreachable { .. })) => refused,
            opened => return opened,
        };
        // A transaction that somebody's crash left in the journal is rolled back, as any reader does it.
        if self.holds("-journal") {
            return connect(&self.options.clone().create_if_missing(false)).await;
        }
        // In a folder that takes no -shm file, a file in WAL mode is read as it is: nobody has it open.
        match self.path().is_file() && !self.holds("-wal") {
            true => connect(&looking.immutable(true)).await,
            false => Err(refused),
        }
    }

    /// Whether there is anything in the file of this ending beside the database.
    fn holds(&self, ending: &str) -> bool {
        let mut name = self.path().as_os_str().to_owned();
        name.push(ending);
        let found = PathBuf::from(name).metadata();
        found.is_ok_and(|found| found.len() > 0)
    }

    /// Whether the file takes no writes from us.
    pub(super) async fn is_read_only(&self, conn: &mut SqliteConnection) -> Result<bool> {
        if self.access == Access::Look {
            let path = self.path();
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let writable = |path: &Path| permitted(path, Permission::WRITE_OK).is_ok();
            return Ok(!(writable(path) && writable(folder.unwrap_or(Path::new(".")))));
        }
        match run(conn, "BEGIN IMMEDIATE").await {
            Ok(()) => run(conn, "ROLLBACK").await.map(|()| false),
            Err(StoreError::ReadOnly) => Ok(true),
            // Somebody writes just now, so it can be written to.
            Err(StoreError::Busy { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    fn path(&self) -> &Path {
        self.options.get_filename()
    }
}

fn options(url: &str) -> Result<SqliteConnectOptions> {
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

/// Opens a connection, and reads the file once: until then SQLite has not looked at it.
async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let mut conn = options.connect().await.map_err(fault::of)?;
    bound("SELECT count(*) FROM sqlite_schema", [])
        .fetch_one(&mut conn)
        .await
        .map_err(fault::of)?;
    Ok(conn)
}

/// The mode stays with the file, for whoever opens it from then on.
async fn put_into_wal(conn: &mut SqliteConnection) -> Result<()> {
    let mode = |row: &sqlx::sqlite::SqliteRow| row.try_get::<String, _>(0).map_err(fault::of);
    let row = bound("PRAGMA journal_mode", [])
        .fetch_one(&mut *conn)
        .await
        .map_err(fault::of)?;
    if mode(&row)? == "wal" {
        return Ok(());
    }
    let row = bound("PRAGMA journal_mode = WAL", [])
        .fetch_one(&mut *conn)
        .await
        .map_err(fault::of)?;
    match mode(&row)?.as_str() {
        "wal" => {
            tracing::warn!("the database file is in WAL mode from now on, as the plan asks for it");
            Ok(())
        }
        _ => Err(StoreError::Refused {
            sqlstate: "SQLITE_ERROR".to_owned(),
        }),
    }
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
pub(crate) async fn write_transaction(
    conn: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>> {
    conn.begin_with("BEGIN IMMEDIATE").await.map_err(fault::of)
}

/// Commits.
pub(crate) async fn commit(transaction: Transaction<'_, Sqlite>) -> Result<()> {
    transaction.commit().await.map_err(fault::of_commit)
}

/// Begins a transaction whose reads are all of one snapshot. Rolled back when dropped.
pub(super) async fn read_transaction(
    conn: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>> {
    conn.begin_with("BEGIN").await.map_err(fault::of)
}
