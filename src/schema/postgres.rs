//! The migrator's transactions in PostgreSQL.
//! Owns their SQL, in the schema it was given. Knows nothing of what is next or of waiting longer.
//! Only SET LOCAL, no named prepared statement, no advisory lock: a transaction-mode pooler may
//! hand each transaction to another session.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};

use super::error::{Doing, Failure, MigrateError};
use super::history::{Applied, Goal, Step, next_step};
use super::migrator::{Database, LOCK_TIMEOUT_MS};
use super::set::{Migration, MigrationSet, SCHEMA_PLACEHOLDER, Version};

/// Longest identifier, in bytes: the server silently cuts what is longer.
const SCHEMA_BYTES_MAX: usize = 63;

/// READ COMMITTED whatever the role's default: the history is read after the wait for the lock.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

pub(super) struct PgDatabase<'c> {
    conn: &'c mut PgConnection,
    schema: Schema,
}

struct Schema {
    name: String,
    quoted: String,
}

impl<'c> PgDatabase<'c> {
    pub fn new(conn: &'c mut PgConnection, schema: &str) -> Result<Self, MigrateError> {
        if schema.is_empty() || schema.len() > SCHEMA_BYTES_MAX || schema.contains('\0') {
            return Err(MigrateError::SchemaName);
        }
        Ok(Self {
            conn,
            schema: Schema {
                name: schema.to_owned(),
                quoted: format!("\"{}\"", schema.replace('"', "\"\"")),
            },
        })
    }
}

impl Database for PgDatabase<'_> {
    async fn applied(&mut self, set: &MigrationSet) -> Result<Option<Vec<Applied>>, Failure> {
        let failed = failure(Doing::History);
        let mut tx = self.conn.begin_with(BEGIN).await.map_err(failed)?;
        let found = read_history_if_there(&mut tx, &self.schema, set).await;
        tx.rollback().await.map_err(failed)?;
        found.map_err(failed)
    }

    async fn make_history(&mut self, set: &MigrationSet) -> Result<(), Failure> {
        // The losing one of two migrators that make the same at the same moment goes again.
        let failed = |error| match sqlstate(&error).as_deref() {
            Some("23505" | "42P06" | "42P07") => Failure::Busy,
            _ => failure(Doing::History)(error),
        };
        let mut tx = self.conn.begin_with(BEGIN).await.map_err(failed)?;
        let made = make_history(&mut tx, &self.schema, set).await;
        finish(tx, made.map_err(failed)).await
    }

    async fn step(&mut self, set: &MigrationSet, goal: Goal) -> Result<Option<Version>, Failure> {
        let mut tx = self
            .conn
            .begin_with(BEGIN)
            .await
            .map_err(failure(Doing::History))?;
        let stepped = step(&mut tx, &self.schema, set, goal).await;
        finish(tx, stepped).await
    }
}

/// Commits what went well. What did not is rolled back at once, not when the connection is used
/// again: its locks would be held until then.
async fn finish<T>(
    tx: Transaction<'_, Postgres>,
    result: Result<T, Failure>,
) -> Result<T, Failure> {
    match result {
        Ok(value) => {
            tx.commit().await.map_err(failure(Doing::History))?;
            Ok(value)
        }
        Err(error) => {
            // The first error is the one to tell; a connection that cannot roll back is closed.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

async fn step(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
    goal: Goal,
) -> Result<Option<Version>, Failure> {
    let history = failure(Doing::History);
    lock_migrators(tx, schema, set).await.map_err(history)?;
    let applied = read_history(tx, schema, set).await.map_err(history)?;
    match next_step(set, &applied, goal)? {
        None => Ok(None),
        Some(Step::Apply(migration)) => {
            apply(tx, schema, set, migration)
                .await
                .map_err(failure(Doing::Applying(migration.version)))?;
            Ok(Some(migration.version))
        }
        Some(Step::Undo(migration)) => {
            let version = migration.version;
            refuse_guarded(tx, schema, set, version).await?;
            undo(tx, schema, set, migration)
                .await
                .map_err(failure(Doing::Undoing(version)))?;
            Ok(Some(version))
        }
    }
}

async fn read_history_if_there(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
) -> Result<Option<Vec<Applied>>, sqlx::Error> {
    let there: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class AS c
             JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2)",
    )
    .bind(&schema.name)
    .bind(history_name(set))
    .persistent(false)
    .fetch_one(&mut *tx)
    .await?;
    if !there {
        return Ok(None);
    }
    read_history(tx, schema, set).await.map(Some)
}

async fn make_history(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
) -> Result<(), sqlx::Error> {
    let there: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)",
    )
    .bind(&schema.name)
    .persistent(false)
    .fetch_one(&mut *tx)
    .await?;
    let Schema { quoted, .. } = schema;
    if !there {
        // IF NOT EXISTS would ask for the right to create schemas even where there is one.
        run(tx, format!("CREATE SCHEMA {quoted}")).await?;
    }
    run(
        tx,
        format!(
            "CREATE TABLE IF NOT EXISTS {quoted}.migration_lock (set_name text PRIMARY KEY);
             CREATE TABLE {quoted}.{history} (
                 version    bigint      PRIMARY KEY,
                 name       text        NOT NULL,
                 checksum   bytea       NOT NULL,
                 applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
             )",
            history = history_name(set)
        ),
    )
    .await?;
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {quoted}.migration_lock (set_name) VALUES ($1)"
    )))
    .bind(set.name)
    .persistent(false)
    .execute(tx)
    .await?;
    Ok(())
}

async fn lock_migrators(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
) -> Result<(), sqlx::Error> {
    run(tx, format!("SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")).await?;
    sqlx::query(AssertSqlSafe(format!(
        "SELECT FROM {}.migration_lock WHERE set_name = $1 FOR UPDATE",
        schema.quoted
    )))
    .bind(set.name)
    .persistent(false)
    .fetch_one(tx)
    .await?;
    Ok(())
}

async fn read_history(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
) -> Result<Vec<Applied>, sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!(
        r#"SELECT version, name, checksum,
                  to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
           FROM {}.{} ORDER BY version"#,
        schema.quoted,
        history_name(set)
    )))
    .persistent(false)
    .try_map(|row: PgRow| {
        Ok(Applied {
            version: row.try_get(0)?,
            name: row.try_get(1)?,
            checksum: row.try_get(2)?,
            applied_at: row.try_get(3)?,
        })
    })
    .fetch_all(tx)
    .await
}

async fn apply(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    run(tx, schema.place(&migration.up)).await?;
    sqlx::query(AssertSqlSafe(format!(
        "INSERT INTO {}.{} (version, name, checksum) VALUES ($1, $2, $3)",
        schema.quoted,
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
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    run(tx, schema.place(&migration.down)).await?;
    sqlx::query(AssertSqlSafe(format!(
        "DELETE FROM {}.{} WHERE version = $1",
        schema.quoted,
        history_name(set)
    )))
    .bind(migration.version)
    .persistent(false)
    .execute(tx)
    .await?;
    Ok(())
}

async fn refuse_guarded(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
    version: Version,
) -> Result<(), Failure> {
    let failed = failure(Doing::Undoing(version));
    // The newest migration is the one undone, so what an older one made is there.
    for guard in set.down_guards.iter().filter(|g| g.since <= version) {
        let table = format!("{}.{}", schema.quoted, guard.table);
        // Keeps writers out until the commit: no field is sealed between the look and the drop.
        run(tx, format!("LOCK TABLE {table} IN SHARE MODE"))
            .await
            .map_err(failed)?;
        let holds: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT EXISTS (SELECT FROM {table} WHERE {})",
            guard.holds
        )))
        .persistent(false)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        if holds {
            return Err(Failure::Stop(MigrateError::Refused {
                version,
                refusal: guard.refusal,
            }));
        }
    }
    Ok(())
}

impl Schema {
    fn place(&self, text: &str) -> String {
        text.replace(SCHEMA_PLACEHOLDER, &self.quoted)
    }
}

fn history_name(set: &MigrationSet) -> String {
    format!("migrations_{}", set.name)
}

/// Runs text without parameters, of any number of statements.
async fn run(tx: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

fn failure(doing: Doing) -> impl Fn(sqlx::Error) -> Failure + Copy {
    move |error| Failure::of(&error, doing, is_busy)
}

/// A lock not granted, a deadlock, a serialization failure: nothing of the transaction is left.
fn is_busy(sqlstate: &str) -> bool {
    matches!(sqlstate, "55P03" | "40P01" | "40001")
}

fn sqlstate(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    Some(code.into_owned())
}
