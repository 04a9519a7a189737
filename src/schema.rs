//! The migrator, and the migrations of our own tables.
//! Owns what is applied where, in what order, and when undoing is refused. Knows nothing of runs,
//! keys or plan files, and does not open connections.
//! A migration and its history row commit together or not at all; two migrators wait for each
//! other; no session state is used, so a transaction-mode pooler may stand in between.

mod engine;
mod error;
mod history;
mod link;
mod migrator;
mod postgres;
mod set;
mod sqlite;

use sqlx::{PgConnection, SqliteConnection};

pub use error::{Doing, MigrateError, Refusal};
pub use history::{MigrationState, MigrationStatus};
pub use link::Link;
pub use set::Version;

use history::Goal;
use postgres::PgDatabase;
use sqlite::SqliteDatabase;

/// Our own tables in one database: the schema named in the plan file in PostgreSQL, tables with
/// the prefix `phiseal_` in SQLite.
pub struct EngineSchema<'c> {
    place: Place<'c>,
}

enum Place<'c> {
    Postgres(PgDatabase<'c>),
    Sqlite(SqliteDatabase<'c>),
}

impl<'c> EngineSchema<'c> {
    /// Our tables in the schema `schema` of a PostgreSQL database. The name is the catalog's
    /// spelling, without quotes; the schema need not exist.
    ///
    /// # Errors
    /// [`MigrateError::SchemaName`] if it is empty, longer than 63 bytes, or holds a NUL.
    pub fn postgres(conn: &'c mut PgConnection, schema: &str) -> Result<Self, MigrateError> {
        Ok(Self {
            place: Place::Postgres(PgDatabase::new(conn, schema)?),
        })
    }

    /// Our tables in a SQLite database.
    pub fn sqlite(conn: &'c mut SqliteConnection) -> Self {
        Self {
            place: Place::Sqlite(SqliteDatabase::new(conn)),
        }
    }

    /// Applies what is pending, up to and with `to` (default: all), and returns the versions
    /// applied, in order. Those before a failing one stay applied.
    ///
    /// # Errors
    /// Any [`MigrateError`] but a refusal; nothing is applied if an applied migration was changed
    /// or is unknown.
    pub async fn up(&mut self, to: Option<Version>) -> Result<Vec<Version>, MigrateError> {
        self.reach(to.map_or(Goal::UpToLast, Goal::UpTo)).await
    }

    /// Undoes migrations, newest first, down to but without `to` (default: the newest one; 0 is
    /// all of them), and returns the versions undone, in order.
    ///
    /// # Errors
    /// [`MigrateError::Refused`] while a field is sealed, or while rotation history or audit
    /// entries are under six years old (45 CFR 164.316(b)(2)(i)); else as [`EngineSchema::up`].
    pub async fn down(&mut self, to: Option<Version>) -> Result<Vec<Version>, MigrateError> {
        self.reach(to.map_or(Goal::DownOne, Goal::DownTo)).await
    }

    /// Every migration that this program or the database knows, in order. Changes nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn status(&mut self) -> Result<Vec<MigrationStatus>, MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => migrator::status(database, &engine::postgres_set()).await,
            Place::Sqlite(database) => migrator::status(database, &engine::sqlite_set()).await,
        }
    }

    async fn reach(&mut self, goal: Goal) -> Result<Vec<Version>, MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => {
                migrator::reach(database, &engine::postgres_set(), goal).await
            }
            Place::Sqlite(database) => migrator::reach(database, &engine::sqlite_set(), goal).await,
        }
    }
}

#[cfg(test)]
mod tests;
