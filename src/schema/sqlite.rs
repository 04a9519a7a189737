//! The migrator's transactions in SQLite.
//! Owns their SQL; all tables carry the prefix `phiseal_`. Knows nothing of what is next.
//! BEGIN IMMEDIATE is the migrators' lock: it keeps every other writer out until the commit.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, Row, Sqlite, SqliteConnection, Transaction};

use super::error::{Doing, Failure, MigrateError};
use super::history::{Applied, Goal, Step, Way, next_step};
use super::migrator::Database;
use super::set::{Migration, MigrationSet, Version};

pub(super) struct SqliteDatabase<'c> {
    conn: &'c mut SqliteConnection,
}

impl<'c> SqliteDatabase<'c> {
    pub fn new(conn: &'c mut SqliteConnection) -> Self {
        Self { conn }
    }

    async fn begin(&mut self) -> Result<Transaction<'_, Sqlite>, Failure> {
        self.conn
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(failure(Doing::History))
    }
}

impl Database for SqliteDatabase<'_> {
    async fn applied(&mut self, set: &MigrationSet) -> Result<Option<Vec<Applied>>, Failure> {
        let failed = failure(Doing::History);
        let mut tx = self.conn.begin().await.map_err(failed)?;
        let found = read_history_if_there(&mut tx, set).await;
        tx.rollback().await.map_err(failed)?;
        found.map_err(failed)
    }

    async fn make_history(&mut self, set: &MigrationSet) -> Result<(), Failure> {
        let mut tx = self.begin().await?;
        let made = run(
            &mut tx,
            format!(
                "CREATE TABLE IF NOT EXISTS {} (
                     version    INTEGER PRIMARY KEY,
                     name       TEXT    NOT NULL,
                     checksum   BLOB    NOT NULL,
                     applied_at TEXT    NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                 )",
                history_name(set)
            ),
        )
        .await;
        finish(tx, made.map_err(failure(Doing::History))).await
    }

    /// Our own tables are the only ones, and nobody else's begin with their prefix.
    async fn tables_in_the_way(
        &mut self,
        _: &MigrationSet,
        _: Option<Version>,
    ) -> Result<Vec<String>, Failure> {
        Ok(Vec::new())
    }

    async fn step(&mut self, set: &MigrationSet, goal: Goal) -> Result<Option<Version>, Failure> {
        let mut tx = self.begin().await?;
        let stepped = step(&mut tx, set, goal).await;
        finish(tx, stepped).await
    }
}

async fn finish<T>(tx: Transaction<'_, Sqlite>, result: Result<T, Failure>) -> Result<T, Failure> {
    match result {
        Ok(value) => {
            tx.commit().await.map_err(failure(Doing::History))?;
            Ok(value)
        }
        Err(error) => {
            // The first error is the one to tell.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

async fn step(
    tx: &mut SqliteConnection,
    set: &MigrationSet,
    goal: Goal,
) -> Result<Option<Version>, Failure> {
    let applied = read_history(tx, set)
        .await
        .map_err(failure(Doing::History))?;
    match next_step(set, &applied, goal)? {
        None => Ok(None),
        Some(Step {
            migration,
            progress,
            ..
        }) if progress.way == Way::Up => {
            apply(tx, set, migration)
                .await
                .map_err(failure(Doing::Applying(migration.version)))?;
            Ok(Some(migration.version))
        }
        Some(Step { migration, .. }) => {
            let version = migration.version;
            refuse_guarded(tx, set, version).await?;
            undo(tx, set, migration)
                .await
                .map_err(failure(Doing::Undoing(version)))?;
            Ok(Some(version))
        }
    }
}

async fn read_history_if_there(
    tx: &mut SqliteConnection,
    set: &MigrationSet,
) -> Result<Option<Vec<Applied>>, sqlx::Error> {
    let there: bool =
        sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)")
            .bind(history_name(set))
            .persistent(false)
            .fetch_one(&mut *tx)
            .await?;
    if !there {
        return Ok(None);
    }
    read_history(tx, set).await.map(Some)
}

async fn read_history(
    tx: &mut SqliteConnection,
    set: &MigrationSet,
) -> Result<Vec<Applied>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!(
        "SELECT version, name, checksum, applied_at,
                row_number() OVER (ORDER BY applied_at, version)
         FROM {} ORDER BY version",
        history_name(set)
    )))
    .persistent(false)
    .try_map(|row: SqliteRow| {
        Ok(Applied {
            version: row.try_get(0)?,
            name: row.try_get(1)?,
            checksum: row.try_get(2)?,
            applied_at: row.try_get(3)?,
            order: row.try_get(4)?,
            progress: None,
        })
    })
    .fetch_all(tx)
    .await
}

async fn apply(
    tx: &mut SqliteConnection,
    set: &MigrationSet,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    run(tx, migration.up.to_string()).await?;
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {} (version, name, checksum) VALUES (?1, ?2, ?3)",
        history_name(set)
    )))
    .bind(migration.version)
    .bind(&*migration.name)
    .bind(migration.checksum())
    .persistent(false)
    .execute(tx)
    .await?;
    Ok(())
}

async fn undo(
    tx: &mut SqliteConnection,
    set: &MigrationSet,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    let down = migration.down.as_deref().unwrap_or_default();
    run(tx, down.to_owned()).await?;
    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {} WHERE version = ?1",
        history_name(set)
    )))
    .bind(migration.version)
    .persistent(false)
    .execute(tx)
    .await?;
    Ok(())
}

async fn refuse_guarded(
    tx: &mut SqliteConnection,
    set: &MigrationSet,
    version: Version,
) -> Result<(), Failure> {
    // The newest migration is the one undone, so what an older one made is there.
    for guard in set.down_guards.iter().filter(|g| g.since <= version) {
        let holds: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT 1 FROM phiseal_{} WHERE {})",
            guard.table, guard.holds
        )))
        .persistent(false)
        .fetch_one(&mut *tx)
        .await
        .map_err(failure(Doing::Undoing(version)))?;
        if holds {
            return Err(Failure::Stop(MigrateError::Refused {
                version,
                refusal: guard.refusal,
            }));
        }
    }
    Ok(())
}

fn history_name(set: &MigrationSet) -> String {
    format!("phiseal_migrations_{}", set.name)
}

/// Runs text without parameters, of any number of statements.
async fn run(tx: &mut SqliteConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

fn failure(doing: Doing) -> impl Fn(sqlx::Error) -> Failure + Copy {
    move |error| Failure::of(&error, doing, is_busy)
}

/// SQLITE_BUSY and SQLITE_LOCKED in all their extended forms, whose low byte is the class.
fn is_busy(code: &str) -> bool {
    matches!(code.parse::<u32>().map(|code| code & 0xff), Ok(5 | 6))
}
