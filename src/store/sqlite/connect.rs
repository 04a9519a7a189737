//! Opens connections.
//! Owns the meaning of the URL, who may write, and the settings of every connection: secure_delete,
//! a busy timeout instead of lock waits, temporary structures in memory. Never logs statements. The
//! file keeps its journal mode unless WAL was requested; a command that only looks opens the file
//! read-only.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{Access as Permission, access as permitted};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, Sqlite, Transaction};
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};

use super::fault;
use super::sql::{bound, run};
use crate::error::connect_fault::{ConnectFault, Place};
use crate::store::url::unknown_parameter;
use crate::store::{Result, StoreError};

/// How long a statement waits for another writer.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a command does to a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Only reads: the file is opened read-only, and may be in a read-only folder.
    #[default]
    Look,
    /// Writes, in the file's present journal mode.
    Write,
    /// Writes, and puts the file into WAL mode first.
    WriteInWal,
}

/// Opens connections to one file.
pub(super) struct FileOpener {
    options: SqliteConnectOptions,
    access: Access,
}

impl FileOpener {
    /// Reads a URL: `sqlite:///abs/path` or `sqlite://rel/path`, with `?mode=rwc` to create the
    /// file.
    pub(super) fn new(url: &str, access: Access) -> Result<Self> {
        Ok(Self {
            options: options(url)?,
            access,
        })
    }

    /// Opens one connection.
    pub(super) async fn open(&self) -> Result<SqliteConnection> {
        let opened = match self.access {
            Access::Look => self.look().await,
            Access::Write => connect(&self.options).await,
            Access::WriteInWal => match connect(&self.options).await {
                Ok(mut conn) => put_into_wal(&mut conn).await.map(|()| conn),
                refused => refused,
            },
        };
        opened.map_err(|error| self.explained(error))
    }

    /// The error with the file and, where SQLite only says that the file cannot be opened, why.
    fn explained(&self, error: StoreError) -> StoreError {
        let error = match error {
            StoreError::Unreachable { .. } => StoreError::unreachable(cause(self.path())),
            StoreError::Refused { .. } if self.path().is_dir() => {
                StoreError::unreachable(ConnectFault::IsFolder)
            }
            StoreError::Refused { sqlstate } if sqlstate == NOT_SQLITE => {
                StoreError::unreachable(ConnectFault::NotSqlite)
            }
            other => other,
        };
        error.at(&Arc::new(self.place()))
    }

    /// The file, with its whole path.
    pub(super) fn place(&self) -> Place {
        let path = self.path();
        Place::File(std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
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
        // A crashed process left a transaction in the journal. Opening it for writing rolls that
        // back, as any reader does.
        if self.holds("-journal") {
            return connect(&self.options.clone().create_if_missing(false)).await;
        }
        // In a folder that cannot take a -shm file, reads a file in WAL mode as it is: no process
        // has it open.
        match self.path().is_file() && !self.holds("-wal") {
            true => connect(&looking.immutable(true)).await,
            false => Err(refused),
        }
    }

    /// Whether the file with this ending beside the database has any content.
    fn holds(&self, ending: &str) -> bool {
        let mut name = self.path().as_os_str().to_owned();
        name.push(ending);
        let found = PathBuf::from(name).metadata();
        found.is_ok_and(|found| found.len() > 0)
    }

    /// Whether this command cannot write the file.
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
            // Another connection is writing, so the file can be written.
            Err(StoreError::Busy { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    pub(super) fn path(&self) -> &Path {
        self.options.get_filename()
    }
}

/// The name of SQLite's result code for a file that is no database.
const NOT_SQLITE: &str = "SQLITE_NOTADB";

/// Why a file could not be opened, as far as the file system tells.
fn cause(path: &Path) -> ConnectFault {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match path.metadata() {
        Ok(found) if found.is_dir() => ConnectFault::IsFolder,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            match folder.is_none_or(|folder| folder.is_dir()) {
                true => ConnectFault::NoFile,
                false => ConnectFault::NoFolder,
            }
        }
        _ => ConnectFault::FileDenied,
    }
}

/// The parameters of a URL, with the values that `mode` may have.
const PARAMETERS: [&str; 4] = ["mode", "cache", "immutable", "vfs"];
const MODES: [&str; 3] = ["ro", "rw", "rwc"];

/// Refuses parameters that would be ignored or mean something else. No value is named: it may be a
/// part of something secret.
fn check_parameters(url: &str) -> Result<()> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let reason = match name {
            "mode" if MODES.contains(&value) => continue,
            "mode" => format!("mode is not one of {}", MODES.join(", ")),
            name if PARAMETERS.contains(&name) => continue,
            name => unknown_parameter(name, &PARAMETERS),
        };
        return Err(StoreError::BadUrl { reason });
    }
    Ok(())
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
    check_parameters(url.trim_end())?;
    let options: SqliteConnectOptions = url.trim_end().parse()?;
    if options.get_filename().as_os_str().is_empty() {
        return Err(bad("it names no file"));
    }
    Ok(options
        .busy_timeout(BUSY_TIMEOUT)
        // With this a committed batch survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        // SQLite's own default. The store's writes change no key column, and must trigger no
        // foreign key action.
        .foreign_keys(false)
        .pragma("secure_delete", "ON")
        // Sorters and statement journals hold plaintext, which must not reach a file.
        .pragma("temp_store", "MEMORY")
        // In KiB. Keys come in any order, and all pages of a batch are held until it commits.
        .pragma("cache_size", "-32768")
        .disable_statement_logging())
}

/// Opens a connection and reads the file once, since SQLite does not look at it before.
async fn connect(options: &SqliteConnectOptions) -> Result<SqliteConnection> {
    let mut conn = options.connect().await?;
    bound("SELECT count(*) FROM sqlite_schema", [])
        .fetch_one(&mut conn)
        .await?;
    Ok(conn)
}

/// Puts the file into WAL mode, which stays with it for all later users.
async fn put_into_wal(conn: &mut SqliteConnection) -> Result<()> {
    let mode = |row: &sqlx::sqlite::SqliteRow| row.try_get::<String, _>(0);
    let row = bound("PRAGMA journal_mode", [])
        .fetch_one(&mut *conn)
        .await?;
    if mode(&row)? == "wal" {
        return Ok(());
    }
    // Nobody else knows a file that has no table yet.
    let row = bound("SELECT count(*) FROM sqlite_schema", [])
        .fetch_one(&mut *conn)
        .await?;
    let used = row.try_get::<i64, _>(0)? > 0;
    let row = bound("PRAGMA journal_mode = WAL", [])
        .fetch_one(&mut *conn)
        .await?;
    match mode(&row)?.as_str() {
        "wal" => {
            if used {
                tracing::warn!(
                    "the database file is in WAL mode from now on, as the plan asks for it"
                );
            }
            Ok(())
        }
        _ => Err(StoreError::Refused {
            sqlstate: "SQLITE_ERROR".to_owned(),
        }),
    }
}

/// The shared connection, for everything that is not a page or a batch.
pub(super) struct Control {
    conn: Arc<Mutex<SqliteConnection>>,
}

impl Control {
    /// Makes the shared connection of this one.
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self {
            conn: Arc::new(Mutex::new(conn)),
        }
    }

    /// The connection, for single statements that read.
    pub(super) async fn lock(&self) -> MutexGuard<'_, SqliteConnection> {
        self.conn.lock().await
    }

    /// Begins a transaction with this statement.
    pub(super) async fn begin(&self, begin: &str) -> Result<ControlTransaction> {
        let conn = Arc::clone(&self.conn).lock_owned().await;
        // Made first: if this call is cancelled after BEGIN, dropping it rolls back.
        let mut transaction = ControlTransaction { conn: Some(conn) };
        run(&mut transaction, begin).await?;
        Ok(transaction)
    }
}

/// A transaction on the shared connection. Dropped without [`ControlTransaction::commit`], it is rolled
/// back before anybody else gets the connection.
pub(crate) struct ControlTransaction {
    /// `None` once it has ended.
    conn: Option<OwnedMutexGuard<SqliteConnection>>,
}

impl ControlTransaction {
    /// Commits.
    pub(super) async fn commit(mut self) -> Result<()> {
        bound("COMMIT", [])
            .execute(&mut *self)
            .await
            .map_err(fault::of_commit)?;
        self.conn = None;
        Ok(())
    }
}

#[allow(
    clippy::expect_used,
    reason = "the connection is taken only by `commit` and `drop`, which consume the transaction"
)]
mod guarded_connection {
    use super::{ControlTransaction, SqliteConnection};

    impl std::ops::Deref for ControlTransaction {
        type Target = SqliteConnection;

        fn deref(&self) -> &SqliteConnection {
            self.conn
                .as_ref()
                .expect("a transaction that has not ended")
        }
    }

    impl std::ops::DerefMut for ControlTransaction {
        fn deref_mut(&mut self) -> &mut SqliteConnection {
            self.conn
                .as_mut()
                .expect("a transaction that has not ended")
        }
    }
}

impl Drop for ControlTransaction {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else {
            return;
        };
        // Outside of a runtime the program is ending, and SQLite rolls back when the file is closed.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // If an error has ended the transaction already, there is nothing to roll back.
                let _ = run(&mut conn, "ROLLBACK").await;
            });
        }
    }
}

/// Begins a transaction that holds the write lock from the start, so that what it reads is still
/// true when it writes. It is rolled back when dropped.
pub(crate) async fn write_transaction(
    conn: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>> {
    Ok(conn.begin_with("BEGIN IMMEDIATE").await?)
}

/// Commits a transaction.
pub(crate) async fn commit(transaction: Transaction<'_, Sqlite>) -> Result<()> {
    transaction.commit().await.map_err(fault::of_commit)
}

/// Begins a transaction that reads from one snapshot. It is rolled back when dropped.
pub(super) async fn read_transaction(
    conn: &mut SqliteConnection,
) -> Result<Transaction<'_, Sqlite>> {
    Ok(conn.begin_with("BEGIN").await?)
}
