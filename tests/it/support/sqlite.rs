//! A SQLite database file for one test, in a temporary folder that goes with it.

use super::Rows;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteRow};
use sqlx::{AssertSqlSafe, Row, SqlitePool, TypeInfo, ValueRef};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// One database file of one test.
pub struct Sqlite {
    path: PathBuf,
    pool: SqlitePool,
    _dir: TempDir,
}

const NAME: &str = "test.db";

/// A fresh, empty database file.
pub async fn sqlite() -> Sqlite {
    opened(tempfile::tempdir().unwrap()).await
}

/// A copy of a file, made by `VACUUM INTO`.
pub async fn vacuumed(file: &Sqlite) -> Sqlite {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(NAME);
    file.exec(&format!("VACUUM INTO '{}'", path.display()))
        .await;
    opened(dir).await
}

async fn opened(dir: TempDir) -> Sqlite {
    let path = dir.path().join(NAME);
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let pool = SqlitePoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .unwrap();
    Sqlite {
        path,
        pool,
        _dir: dir,
    }
}

impl Sqlite {
    /// The URL for a plan file.
    pub fn url(&self) -> String {
        format!("sqlite://{}", self.path.display())
    }

    /// The database file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A pool of a few connections.
    pub fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Runs statements, separated by semicolons.
    pub async fn exec(&self, sql: &str) {
        // A connection of the pool may remember what was defined before another changed it.
        let fresh = format!("SELECT 1 FROM sqlite_schema LIMIT 0; {sql}");
        let done = sqlx::raw_sql(AssertSqlSafe(fresh))
            .execute(&self.pool)
            .await;
        done.unwrap_or_else(|e| panic!("{e}\nin {sql}"));
    }

    /// All rows; numbers as text, blobs as hexadecimal digits.
    pub async fn rows(&self, sql: &str) -> Rows {
        let rows = self.try_rows(sql).await;
        rows.unwrap_or_else(|e| panic!("{e}\nin {sql}"))
    }

    /// The same of statements that may be refused; no transaction stays open then.
    pub async fn try_rows(&self, sql: &str) -> Result<Rows, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *connection);
        let done = done.await;
        if done.is_err() {
            let undo = sqlx::raw_sql(AssertSqlSafe("ROLLBACK"));
            let _ = undo.execute(&mut *connection).await;
        }
        let texts = |row: &SqliteRow| (0..row.len()).map(|i| text(row, i)).collect();
        Ok(done?.iter().map(texts).collect())
    }

    /// The first value of the first row.
    pub async fn scalar(&self, sql: &str) -> Option<String> {
        let rows = self.rows(sql).await;
        rows.into_iter().next()?.into_iter().next()?
    }
}

fn text(row: &SqliteRow, i: usize) -> Option<String> {
    let value = row.try_get_raw(i).unwrap();
    if value.is_null() {
        return None;
    }
    Some(match value.type_info().name() {
        "BLOB" => hex::encode(row.get_unchecked::<Vec<u8>, _>(i)),
        "INTEGER" => row.get_unchecked::<i64, _>(i).to_string(),
        "REAL" => row.get_unchecked::<f64, _>(i).to_string(),
        _ => row.get_unchecked::<String, _>(i),
    })
}
