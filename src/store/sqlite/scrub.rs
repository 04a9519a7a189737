//! Taking old plaintext out of the database file, its log and its journal.
//! Owns how the file is rewritten and read. A scrub has a connection of its own: VACUUM builds the
//! new file in a temporary one, which for this connection lies on disk and holds no plaintext any
//! more of what was finalized.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;
use zeroize::Zeroizing;

use super::SqliteStore;
use super::catalog;
use super::sql::{bound, run, scalar, tuple};
use crate::error::connect_fault::ConnectFault;
use crate::error::io_fault;
use crate::store::ledger::dialect::Dialect;
use crate::store::{
    EstateFact, Keeper, LogFacts, Method, Result, ScrubFacts, ScrubStep, Scrubbing, StoreError,
    StoredConstraint, StoredFile, StoredRelation, Table, constraint_name,
};

/// How many bytes of a file are read for an estimate.
const SAMPLE_BYTES: usize = 32 << 20;
/// VACUUM reads the file and writes it twice.
const PASSES: f64 = 3.0;
/// What lies beside the database file.
const BESIDE: [(&str, &str); 2] = [("-wal", "the log"), ("-journal", "the journal")];

/// Database files that were opened to be read, for as long as the process lives: closing one would
/// end the locks that SQLite holds on it through another descriptor of this process
/// (<https://www.sqlite.org/howtocorrupt.html>, section 2.2).
static OPEN: Mutex<BTreeMap<PathBuf, File>> = Mutex::new(BTreeMap::new());

#[async_trait]
impl Scrubbing for SqliteStore {
    async fn scrub_facts(&self, table: &Table) -> Result<ScrubFacts> {
        let mut conn = self.control.lock().await;
        let server = catalog::server::server(&mut conn, &self.opener).await?;
        let now = format!("SELECT {}", super::dialect::SqliteDialect.now());
        let now = scalar(now, []).fetch_one(&mut *conn).await?;
        let constraints = constraints(&mut conn, table).await?;
        Ok(ScrubFacts {
            now,
            server: server.version,
            version_num: server.version_num,
            relations: vec![whole_file(&mut conn, self.opener.path()).await?],
            no_pg_repack: Some("it is of PostgreSQL".to_owned()),
            log: LogFacts {
                files: Some(0),
                ..LogFacts::default()
            },
            constraints,
            estate: vec![EstateFact {
                what: "journal".to_owned(),
                found: format!("journal_mode = {}", journal_mode(&mut conn).await?),
            }],
            ..ScrubFacts::default()
        })
    }

    async fn row_horizon(&self) -> Result<String> {
        Ok(String::new())
    }

    /// Always empty: VACUUM itself waits for readers and writers, up to the busy timeout.
    async fn keepers(&self, _: &str) -> Result<Vec<Keeper>> {
        Ok(Vec::new())
    }

    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    async fn rewrite_seconds(&self, relation: &StoredRelation) -> Result<Option<f64>> {
        let path = self.opener.path().to_owned();
        let begun = std::time::Instant::now();
        let read = blocking(move || chunk(&path, true, 0, SAMPLE_BYTES)).await?;
        let seconds = begun.elapsed().as_secs_f64() * PASSES;
        let all = relation.row_bytes as f64;
        Ok((!read.is_empty()).then(|| seconds * all / read.len() as f64))
    }

    async fn rewrite(&self, _: &StoredRelation, method: Method) -> Result<String> {
        if method != Method::Vacuum {
            return Err(StoreError::unexpected("a method of another store"));
        }
        let mut conn = self.opener.open().await?;
        // What was deleted is overwritten with zeros; every connection of ours says so.
        run(&mut conn, "PRAGMA temp_store = FILE; VACUUM").await?;
        storage(&mut conn).await
    }

    async fn scrub_step(&self, _: &ScrubStep) -> Result<()> {
        Err(StoreError::unexpected("a step of another store"))
    }

    /// Empties the log into the file, or removes a journal that was only put out of use.
    async fn checkpoint(&self) -> Result<()> {
        let mut conn = self.opener.open().await?;
        if journal_mode(&mut conn).await? != "wal" {
            return run(&mut conn, "PRAGMA journal_mode = DELETE").await;
        }
        let row = bound("PRAGMA wal_checkpoint(TRUNCATE)", [])
            .fetch_one(&mut conn)
            .await?;
        match row.try_get::<i64, _>(0)? {
            0 => Ok(()),
            _ => Err(StoreError::Busy {
                sqlstate: "SQLITE_BUSY".to_owned(),
            }),
        }
    }

    async fn switch_log(&self) -> Result<()> {
        Ok(())
    }

    async fn log_files(&self) -> Result<Option<Vec<String>>> {
        Ok(Some(Vec::new()))
    }

    async fn stored_files(&self, _: &Table) -> Result<Vec<StoredFile>> {
        let path = self.opener.path();
        let mut files = vec![stored(path, "the database file")];
        for (ending, what) in BESIDE {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            files.push(stored(Path::new(&name), what));
        }
        Ok(files)
    }

    async fn file_chunk(&self, path: &str, from: u64, bytes: u32) -> Result<Zeroizing<Vec<u8>>> {
        let stays_open = Path::new(path) == self.opener.path();
        let path = PathBuf::from(path);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        blocking(move || chunk(&path, stays_open, from, bytes)).await
    }
}

fn stored(path: &Path, what: &str) -> StoredFile {
    StoredFile {
        path: path.to_string_lossy().into_owned(),
        what: what.to_owned(),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| StoreError::unexpected("the end of a thread"))?;
    done.map_err(|error| {
        let reason = format!("a file cannot be read: {}", io_fault::words(&error));
        StoreError::unreachable(ConnectFault::System { reason })
    })
}

/// Reads a part of a file; nothing where there is no such file.
fn chunk(
    path: &Path,
    stays_open: bool,
    from: u64,
    bytes: usize,
) -> std::io::Result<Zeroizing<Vec<u8>>> {
    let read = |file: &File| {
        let left = file.metadata()?.len().saturating_sub(from);
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(bytes);
        let mut buffer = Zeroizing::new(vec![0; length]);
        file.read_exact_at(&mut buffer, from)?;
        Ok(buffer)
    };
    let opened = || match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    if !stays_open {
        return opened()?.map_or_else(|| Ok(Zeroizing::new(Vec::new())), |file| read(&file));
    }
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    if !open.contains_key(path)
        && let Some(file) = opened()?
    {
        open.insert(path.to_owned(), file);
    }
    open.get(path)
        .map_or_else(|| Ok(Zeroizing::new(Vec::new())), read)
}

async fn whole_file(conn: &mut SqliteConnection, path: &Path) -> Result<StoredRelation> {
    let pages: i64 = pragma(conn, "page_count").await?;
    let size: i64 = pragma(conn, "page_size").await?;
    Ok(StoredRelation {
        name: path.file_name().map_or_else(String::new, |name| {
            crate::foreign::Foreign(&name.to_string_lossy()).to_string()
        }),
        whole_file: true,
        permanent: true,
        has_key: true,
        allowed: true,
        storage: storage(conn).await?,
        row_bytes: pages.unsigned_abs() * size.unsigned_abs(),
        index_bytes: 0,
    })
}

/// A number that VACUUM changes.
async fn storage(conn: &mut SqliteConnection) -> Result<String> {
    Ok(pragma(conn, "schema_version").await?.to_string())
}

async fn pragma(conn: &mut SqliteConnection, name: &str) -> Result<i64> {
    Ok(scalar(format!("PRAGMA {name}"), []).fetch_one(conn).await?)
}

async fn journal_mode(conn: &mut SqliteConnection) -> Result<String> {
    Ok(scalar("PRAGMA journal_mode", []).fetch_one(conn).await?)
}

/// What of phiseal's constraints is there under its name: in SQLite they are triggers, which say
/// nothing of rows that were there before them.
async fn constraints(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<StoredConstraint>> {
    let mut found = Vec::new();
    for field in &table.fields {
        for what in ["sealed", "form", "blank"] {
            let name = constraint_name(&table.label, &field.label, what);
            let rows: Vec<(String, String)> = tuple(
                "SELECT name, tbl_name FROM sqlite_schema WHERE name = $1",
                [name.into()],
            )
            .fetch_all(&mut *conn)
            .await?;
            found.extend(rows.into_iter().map(|(name, relation)| StoredConstraint {
                name,
                relation,
                validated: false,
            }));
        }
    }
    Ok(found)
}
