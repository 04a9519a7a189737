//! The history of a set and the migrators' lock, as tables in our schema.
//! Owns their SQL. A set's history is a table of its own; the lock is a row, held by a transaction.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::super::error::{Doing, Failure};
use super::super::history::{Applied, Progress};
use super::super::set::{Migration, MigrationSet, Version};
use super::{Schema, lock_timeout, no_timeouts, run};

pub(super) struct Records<'a> {
    pub schema: &'a Schema,
    pub set: &'a MigrationSet,
    history: String,
}

impl<'a> Records<'a> {
    pub fn of(schema: &'a Schema, set: &'a MigrationSet) -> Self {
        Self {
            schema,
            set,
            history: format!("{}.{}", schema.quoted, set.history_name()),
        }
    }

    pub async fn read_if_there(
        &self,
        tx: &mut PgConnection,
    ) -> Result<Option<Vec<Applied>>, sqlx::Error> {
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c
                 JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
                 WHERE n.nspname = $1 AND c.relname = $2)",
        )
        .bind(&self.schema.name)
        .bind(self.set.history_name())
        .persistent(false)
        .fetch_one(&mut *tx)
        .await?;
        if !there {
            return Ok(None);
        }
        self.read(tx).await.map(Some)
    }

    pub async fn make(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        let there: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)",
        )
        .bind(&self.schema.name)
        .persistent(false)
        .fetch_one(&mut *tx)
        .await?;
        let quoted = &self.schema.quoted;
        if !there {
            // IF NOT EXISTS would ask for the right to create schemas even where there is one.
            run(tx, format!("CREATE SCHEMA {quoted}")).await?;
        }
        run(
            tx,
            format!(
                "CREATE TABLE IF NOT EXISTS {quoted}.migration_lock (set_name text PRIMARY KEY);
                 CREATE TABLE {history} (
                     version    bigint      PRIMARY KEY,
                     name       text        NOT NULL,
                     checksum   bytea       NOT NULL,
                     applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
                     -- NULL once it is applied as a whole.
                     progress   text
                 )",
                history = self.history
            ),
        )
        .await?;
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {quoted}.migration_lock (set_name) VALUES ($1)"
        )))
        .bind(&self.set.name)
        .persistent(false)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Takes the migrators' lock of this set, and from then on waits briefly for all other locks.
    /// It is asked for, never waited for: a statement that waits has a snapshot, and a CREATE INDEX
    /// CONCURRENTLY of the migrator that holds the lock would wait for that.
    pub async fn lock(&self, tx: &mut PgConnection) -> Result<(), Failure> {
        let settings = format!(
            "{}; {} SET LOCAL idle_in_transaction_session_timeout = 0",
            lock_timeout(),
            no_timeouts(true)
        );
        run(tx, settings).await.map_err(failure)?;
        let taken = sqlx::query(AssertSqlSafe(format!(
            "SELECT 1 FROM {}.migration_lock WHERE set_name = $1 FOR UPDATE SKIP LOCKED",
            self.schema.quoted
        )))
        .bind(&self.set.name)
        .persistent(false)
        .fetch_optional(tx)
        .await
        .map_err(failure)?;
        // Or there is none: all was undone meanwhile.
        taken.map(drop).ok_or(Failure::Held)
    }

    pub async fn read(&self, tx: &mut PgConnection) -> Result<Vec<Applied>, sqlx::Error> {
        sqlx::query(AssertSqlSafe(format!(
            r#"SELECT version, name, checksum,
                      to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                      progress,
                      row_number() OVER (ORDER BY applied_at, version)
               FROM {} ORDER BY version"#,
            self.history
        )))
        .persistent(false)
        .try_map(|row: PgRow| {
            let progress: Option<String> = row.try_get(4)?;
            Ok(Applied {
                version: row.try_get(0)?,
                name: row.try_get(1)?,
                checksum: row.try_get(2)?,
                applied_at: row.try_get(3)?,
                order: row.try_get(5)?,
                progress: match progress {
                    None => None,
                    Some(text) => Some(Progress::parse(&text).ok_or_else(|| {
                        sqlx::Error::Decode("the history's progress is unreadable".into())
                    })?),
                },
            })
        })
        .fetch_all(tx)
        .await
    }

    /// Writes it down as applied, or as begun.
    pub async fn add(
        &self,
        tx: &mut PgConnection,
        migration: &Migration,
        progress: Option<&Progress>,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(format!(
            "INSERT INTO {} AS h (version, name, checksum, progress) VALUES ($1, $2, $3, $4)
             ON CONFLICT (version) DO UPDATE SET progress = excluded.progress,
                 name = excluded.name, checksum = excluded.checksum,
                 applied_at = CASE WHEN h.progress IS NULL THEN h.applied_at
                                   ELSE excluded.applied_at END",
            self.history
        )))
        .bind(migration.version)
        .bind(&*migration.name)
        .bind(migration.checksum())
        .bind(progress.map(Progress::to_text))
        .persistent(false)
        .execute(tx)
        .await?;
        Ok(())
    }

    pub async fn remove(&self, tx: &mut PgConnection, version: Version) -> Result<(), sqlx::Error> {
        sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM {} WHERE version OPERATOR(pg_catalog.=) $1",
            self.history
        )))
        .bind(version)
        .persistent(false)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Takes the set's history away, once nothing of the set is left.
    pub async fn drop(&self, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
        run(tx, format!("DROP TABLE {}", self.history)).await?;
        sqlx::query(AssertSqlSafe(format!(
            "DELETE FROM {}.migration_lock WHERE set_name = $1",
            self.schema.quoted
        )))
        .bind(&self.set.name)
        .persistent(false)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// Takes the table of locks away where no set is left and nobody looks at it.
    pub async fn drop_lock_if_unused(&self, conn: &mut PgConnection) {
        let quoted = &self.schema.quoted;
        let Ok(mut tx) = conn.begin_with(self.schema.begin()).await else {
            return;
        };
        let gone = run(
            &mut tx,
            format!(
                "LOCK TABLE {quoted}.migration_lock IN ACCESS EXCLUSIVE MODE NOWAIT;
                 DO $$ BEGIN
                     IF NOT EXISTS (SELECT FROM {quoted}.migration_lock) THEN
                         DROP TABLE {quoted}.migration_lock;
                     END IF;
                 END $$"
            ),
        )
        .await;
        // It stays for the next one to use or to drop.
        let _ = match gone {
            Ok(()) => tx.commit().await,
            Err(_) => tx.rollback().await,
        };
    }
}

/// A history that was dropped a moment ago is asked for again.
pub(super) fn failure(error: sqlx::Error) -> Failure {
    match super::sqlstate(&error).as_deref() {
        Some("42P01") => Failure::Busy,
        _ => super::failure(Doing::History)(error),
    }
}
