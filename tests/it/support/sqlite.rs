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

/// A fresh, empty database file.
pub async fn sqlite() -> Sqlite {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.db");
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
        let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await;
        done.unwrap_or_else(|e| panic!("{e}\nin {sql}"));
    }

    /// All rows; numbers as text, blobs as hexadecimal digits.
    pub async fn rows(&self, sql: &str) -> Rows {
        let rows = sqlx::raw_sql(AssertSqlSafe(sql))
            .fetch_all(&self.pool)
            .await
            .unwrap_or_else(|e| panic!("{e}\nin {sql}"));
        rows.iter()
            .map(|row| (0..row.len()).map(|i| text(row, i)).collect())
            .collect()
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
