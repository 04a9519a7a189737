//! The migrator, the migrations of our own tables, and the platforms' schemas.
//! Owns what is applied where, in what order, when undoing is refused, and how a database differs
//! from what its migrations make. Knows nothing of runs, keys or plan files.
//! A migration and its history row commit together or not at all, but for what takes no
//! transaction, where the history says how far it came; two migrators wait for each other.

mod catalog;
mod drift;
mod engine;
mod error;
mod files;
mod history;
mod link;
mod migrator;
mod platform_sets;
mod postgres;
mod scratch;
mod script;
mod set;
mod sqlite;

use std::path::Path;

use crate::ident::Ident;
use sqlx::{PgConnection, SqliteConnection};

pub use drift::{Difference, Drift};
pub use error::{Doing, MigrateError, Refusal};
pub use history::{MigrationState, MigrationStatus};
pub use link::Link;
pub use platform_sets::{PLATFORM_SETS, platform_plan};
pub use scratch::Scratch;
pub use set::Version;

use catalog::Scope;
use drift::Additions;
use error::Failure;
use history::{Goal, Way};
use postgres::PgDatabase;
use set::{Migration, MigrationSet, SetKind};
use sqlite::SqliteDatabase;

/// The migrations of one set in one database.
pub struct Migrations<'c> {
    set: MigrationSet,
    place: Place<'c>,
}

enum Place<'c> {
    Postgres(PgDatabase<'c>),
    Sqlite(SqliteDatabase<'c>),
}

/// Which migrations.
#[derive(Debug, Clone, Copy)]
pub enum SetChoice<'a> {
    /// Of our own tables.
    Own,
    /// A platform's, carried by this program; one of [`PLATFORM_SETS`].
    Platform(&'a str),
    /// The files in a folder.
    Folder(&'a Path),
}

/// A migration that would be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its number.
    pub version: Version,
    /// Its name.
    pub name: String,
    /// What would be run.
    pub sql: String,
}

/// What [`Migrations::adopt`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The versions that are now in the history.
    pub adopted: Vec<Version>,
    /// Those of them that change rows, which no comparison of catalogs sees.
    pub rows_not_compared: Vec<Version>,
    /// What stands in the database besides.
    pub extra: Vec<Difference>,
}

impl<'c> Migrations<'c> {
    /// Our own tables in the schema `schema` of a PostgreSQL database. The name is the catalog's
    /// spelling, without quotes; the schema need not exist.
    ///
    /// # Errors
    /// [`MigrateError::SchemaName`] if it is empty, longer than 63 bytes, or holds a NUL.
    pub fn own_in_postgres(conn: &'c mut PgConnection, schema: &str) -> Result<Self, MigrateError> {
        Ok(Self {
            set: engine::postgres_set(),
            place: Place::Postgres(PgDatabase::new(conn, None, schema)?),
        })
    }

    /// Our own tables in a SQLite database: those with the prefix `phiseal_`.
    pub fn own_in_sqlite(conn: &'c mut SqliteConnection) -> Self {
        Self {
            set: engine::sqlite_set(),
            place: Place::Sqlite(SqliteDatabase::new(conn)),
        }
    }

    /// A platform's tables, where the search path of `conn` leads; the history is in `schema`.
    /// `worker` is a second connection to the same database.
    ///
    /// # Errors
    /// A set or folder that cannot be run, or a name that cannot be a schema's.
    pub fn of_platform(
        conn: &'c mut PgConnection,
        worker: &'c mut PgConnection,
        schema: &str,
        choice: SetChoice<'_>,
    ) -> Result<Self, MigrateError> {
        Ok(Self {
            set: match choice {
                SetChoice::Own => engine::postgres_set(),
                SetChoice::Platform(name) => platform_sets::find(name)?,
                SetChoice::Folder(path) => files::folder(path)?,
            },
            place: Place::Postgres(PgDatabase::new(conn, Some(worker), schema)?),
        })
    }

    /// The same, every transaction of ours acting as `role`, in a schema that belongs to `owner`, where
    /// the plan names them. SQLite has no roles.
    #[must_use]
    pub fn acting_as(mut self, role: Option<&Ident>, owner: Option<&Ident>) -> Self {
        if let Place::Postgres(database) = self.place {
            self.place = Place::Postgres(database.acting_as(role, owner));
        }
        self
    }

    /// Applies what is pending, up to and with `to` (default: all), and returns the versions
    /// applied, in order. Those before a failing one stay applied.
    ///
    /// # Errors
    /// Any [`MigrateError`] but a refusal to undo; nothing is applied if an applied migration was
    /// changed or is unknown, or if a table that is to be made exists.
    pub async fn up(&mut self, to: Option<Version>) -> Result<Vec<Version>, MigrateError> {
        self.reach(to.map_or(Goal::UpToLast, Goal::UpTo)).await
    }

    /// Undoes migrations, newest first, down to but without `to` (default: the newest one; 0 is
    /// all of them), and returns the versions undone, in order.
    ///
    /// # Errors
    /// [`MigrateError::Refused`] while a field is sealed, or while rotation history or audit
    /// entries are under six years old (45 CFR 164.316(b)(2)(i)), for our own tables;
    /// [`MigrateError::NoWayBack`]; else as [`Migrations::up`].
    pub async fn down(&mut self, to: Option<Version>) -> Result<Vec<Version>, MigrateError> {
        self.reach(to.map_or(Goal::DownOne, Goal::DownTo)).await
    }

    /// Undoes the newest migration and applies it again; returns its version, if there is one.
    ///
    /// # Errors
    /// As [`Migrations::down`] and [`Migrations::up`].
    pub async fn redo(&mut self) -> Result<Vec<Version>, MigrateError> {
        let undone = self.reach(Goal::DownOne).await?;
        match undone.first() {
            None => Ok(Vec::new()),
            Some(version) => {
                let redone = self.reach(Goal::Just(*version)).await;
                if redone.is_err() {
                    tracing::warn!(
                        version,
                        "the migration is undone, and could not be applied again"
                    );
                }
                redone
            }
        }
    }

    /// Every migration that this program or the database knows, in order. Changes nothing.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn status(&mut self) -> Result<Vec<MigrationStatus>, MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => migrator::status(database, &self.set).await,
            Place::Sqlite(database) => migrator::status(database, &self.set).await,
        }
    }

    /// What [`Migrations::up`] with this `to` would run. Changes nothing.
    ///
    /// # Errors
    /// As [`Migrations::up`].
    pub async fn pending(&mut self, to: Option<Version>) -> Result<Vec<Planned>, MigrateError> {
        let goal = to.map_or(Goal::UpToLast, Goal::UpTo);
        self.planned(goal).await
    }

    /// What [`Migrations::down`] with this `to` would run. Changes nothing.
    ///
    /// # Errors
    /// As [`Migrations::down`], but that no record is looked at that forbids it.
    pub async fn undoable(&mut self, to: Option<Version>) -> Result<Vec<Planned>, MigrateError> {
        let goal = to.map_or(Goal::DownOne, Goal::DownTo);
        self.planned(goal).await
    }

    /// Compares the database with what the applied migrations make.
    ///
    /// # Errors
    /// Those of the database and of the scratch database; a migration that was changed since.
    pub async fn verify(&mut self, scratch: &Scratch) -> Result<Drift, MigrateError> {
        let applied = self.applied_whole().await?;
        if applied.is_empty() {
            return Ok(Drift::default());
        }
        let mut drift = self.compare(&applied, scratch).await?;
        drift.version = applied.last().copied();
        Ok(drift)
    }

    /// Writes down as applied what another tool did, up to and with `to` (default: all), after
    /// comparing the database with what those migrations make. With `dry` it compares only.
    ///
    /// # Errors
    /// [`MigrateError::CannotAdopt`] where anything is missing or different; else as
    /// [`Migrations::verify`].
    pub async fn adopt(
        &mut self,
        to: Option<Version>,
        scratch: &Scratch,
        dry: bool,
    ) -> Result<Adopted, MigrateError> {
        history::check_goal(&self.set, to.map_or(Goal::UpToLast, Goal::UpTo))?;
        let there = self.applied_whole().await?;
        let within = |version: Version| to.is_none_or(|to| version <= to);
        let all = self.set.migrations.iter().map(|m| m.version);
        let wanted: Vec<Version> = all.filter(|v| within(*v) || there.contains(v)).collect();
        let drift = self.compare(&wanted, scratch).await?;
        let differences = told(&drift);
        if !differences.is_empty() {
            return Err(MigrateError::CannotAdopt { differences });
        }
        let adopted: Vec<Version> = wanted.into_iter().filter(|v| !there.contains(v)).collect();
        let migrations = chosen(&self.set, &adopted);
        let mut rows_not_compared = Vec::new();
        for migration in &migrations {
            if migration.changes_rows()? {
                rows_not_compared.push(migration.version);
            }
        }
        let Place::Postgres(database) = &mut self.place else {
            return Err(MigrateError::NeedsPostgres);
        };
        if !(dry || adopted.is_empty()) {
            migrator::adopt(database, &self.set, &migrations).await?;
        }
        Ok(Adopted {
            adopted,
            rows_not_compared,
            extra: drift.extra,
        })
    }

    async fn reach(&mut self, goal: Goal) -> Result<Vec<Version>, MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => migrator::reach(database, &self.set, goal).await,
            Place::Sqlite(database) => migrator::reach(database, &self.set, goal).await,
        }
    }

    async fn planned(&mut self, goal: Goal) -> Result<Vec<Planned>, MigrateError> {
        let steps = match &mut self.place {
            Place::Postgres(database) => migrator::steps(database, &self.set, goal).await?,
            Place::Sqlite(database) => migrator::steps(database, &self.set, goal).await?,
        };
        let planned = |(migration, way): (&Migration, Way)| Planned {
            version: migration.version,
            name: migration.name.to_string(),
            sql: match way {
                Way::Up => migration.up.to_string(),
                Way::Down => migration.down.as_deref().unwrap_or_default().to_owned(),
            },
        };
        Ok(steps.into_iter().map(planned).collect())
    }

    /// What is applied as a whole and as the files have it.
    async fn applied_whole(&mut self) -> Result<Vec<Version>, MigrateError> {
        let mut versions = Vec::new();
        for status in self.status().await? {
            let version = status.version;
            match status.state {
                MigrationState::Applied => versions.push(version),
                MigrationState::Pending | MigrationState::PartlyApplied => {}
                MigrationState::ChecksumDiffers => {
                    return Err(MigrateError::ChecksumDiffers { version });
                }
                MigrationState::Unknown => return Err(MigrateError::UnknownApplied { version }),
                MigrationState::PartlyUndone => return Err(MigrateError::PartlyUndone { version }),
            }
        }
        Ok(versions)
    }

    async fn compare(
        &mut self,
        versions: &[Version],
        scratch: &Scratch,
    ) -> Result<Drift, MigrateError> {
        let Place::Postgres(database) = &mut self.place else {
            return Err(MigrateError::NeedsPostgres);
        };
        let migrations = chosen(&self.set, versions);
        compare(database, self.set.kind, &migrations, scratch)
            .await
            .map_err(|failure| match failure {
                Failure::Stop(error) => error,
                Failure::Busy | Failure::Held => MigrateError::LockTimeout { attempts: 1 },
            })
    }
}

fn chosen<'s>(set: &'s MigrationSet, versions: &[Version]) -> Vec<&'s Migration> {
    let chosen = set.migrations.iter();
    chosen.filter(|m| versions.contains(&m.version)).collect()
}

async fn compare(
    database: &mut PgDatabase<'_>,
    kind: SetKind,
    migrations: &[&Migration],
    scratch: &Scratch,
) -> Result<Drift, Failure> {
    let path = database.search_path().await?;
    let schema = database.schema().clone();
    let expected = scratch.catalog(kind, migrations, &schema, &path).await?;
    let scope = match kind {
        SetKind::Own => Scope::Own(&schema),
        SetKind::Platform => Scope::Platform(&schema),
    };
    let additions = Additions::read(database.conn(), &schema).await?;
    let found = catalog::read(database.conn(), scope).await?;
    Ok(drift::compare(&expected, &found, &additions))
}

/// What stands in the way of adopting, an object a line.
fn told(drift: &Drift) -> Vec<String> {
    let line = |what: &str, d: &Difference| format!("{what} {} {}", d.kind, d.name);
    let missing = drift.missing.iter().map(|d| line("missing:", d));
    missing
        .chain(drift.different.iter().map(|d| line("different:", d)))
        .collect()
}

#[cfg(test)]
mod tests;
