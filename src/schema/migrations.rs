//! The migrations of one set in one database: what a command asks for, by either store.
//! Owns the choice of set and database. What is next is decided in `history`, done by `migrator`.

use std::path::Path;

use sqlx::{PgConnection, SqliteConnection};

use super::error::{Failure, MigrateError};
use super::history::{self, Goal, MigrationStatus, Way};
use super::migrator::StepTold;
use super::postgres::PgDatabase;
use super::set::{Allowed, Migration, MigrationSet, SetKind, Version};
use super::sqlite::SqliteDatabase;
use super::{engine, files, migrator, platform_sets, version};
use crate::ident::Ident;

/// The migrations of one set in one database.
pub struct Migrations<'c> {
    pub(super) set: MigrationSet,
    pub(super) place: Place<'c>,
    /// Called when a migration begins, and once it is applied or undone.
    told: Box<dyn FnMut(StepTold) + Send>,
}

pub(super) enum Place<'c> {
    Postgres(PgDatabase<'c>),
    Sqlite(SqliteDatabase<'c>),
}

/// Which migrations.
#[derive(Debug, Clone, Copy)]
pub enum SetChoice<'a> {
    /// Of our own tables.
    Own,
    /// A platform's, carried by this program; one of [`PLATFORM_SETS`](super::PLATFORM_SETS).
    Platform(&'a str),
    /// The files in a folder.
    Folder {
        /// Where it is.
        path: &'a Path,
        /// Names and values for placeholders.
        vars: &'a [(String, String)],
    },
}

/// A migration that would be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its number.
    pub version: Version,
    /// The same as its file has it.
    pub label: String,
    /// Its name.
    pub name: String,
    /// What would be run.
    pub sql: String,
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
            told: Box::new(|_| {}),
        })
    }

    /// Our own tables in a SQLite database: those with the prefix `phiseal_`.
    pub fn own_in_sqlite(conn: &'c mut SqliteConnection) -> Self {
        Self {
            set: engine::sqlite_set(),
            place: Place::Sqlite(SqliteDatabase::new(conn)),
            told: Box::new(|_| {}),
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
                SetChoice::Folder { path, vars } => files::folder(path, vars)?,
            },
            place: Place::Postgres(PgDatabase::new(conn, Some(worker), schema)?),
            told: Box::new(|_| {}),
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

    /// The same, where somebody said that this is to be done too.
    #[must_use]
    pub fn allowing(mut self, allowed: Allowed) -> Self {
        self.allow(allowed);
        self
    }

    /// As [`Migrations::allowing`], from now on.
    pub fn allow(&mut self, allowed: Allowed) {
        self.set.allowed = allowed;
    }

    /// The same, calling `told` when a migration begins and once it is committed.
    #[must_use]
    pub fn telling(mut self, told: impl FnMut(StepTold) + Send + 'static) -> Self {
        self.told = Box::new(told);
        self
    }

    /// The version that `text` names in this set; `0` is the state before the first.
    ///
    /// # Errors
    /// [`MigrateError::NoVersion`].
    pub fn version(&self, text: &str) -> Result<Version, MigrateError> {
        let parts = self
            .set
            .migrations
            .iter()
            .any(|m| version::is_dotted(m.version));
        let parsed = match text.parse() {
            Ok(0) => Ok(0),
            Ok(number) if !parts && number > 0 && !version::is_dotted(number) => Ok(number),
            _ if parts => version::parse_dotted(text),
            _ => Err("a version is a number"),
        };
        parsed.map_err(|why| MigrateError::NoVersion {
            text: text.to_owned(),
            why,
        })
    }

    /// A version as its file has it: a number; `1.2` where Flyway's names do; the name of a file that
    /// is repeated.
    pub fn label(&self, version: Version) -> String {
        let found = self.set.find(version);
        history::label(version, found.map_or("", |migration| &migration.name))
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
        self.refuse_losses(to).await?;
        self.reach(to.map_or(Goal::DownOne, Goal::DownTo)).await
    }

    /// Said before the first migration is undone, not after half of them. Each step looks once more.
    async fn refuse_losses(&mut self, to: Option<Version>) -> Result<(), MigrateError> {
        if self.set.allowed.drop_data {
            return Ok(());
        }
        let found = match self.losses(to).await {
            // The steps are more patient, and look too.
            Err(MigrateError::LockTimeout { .. }) => return Ok(()),
            found => found?,
        };
        let Some((version, _)) = found.first() else {
            return Ok(());
        };
        let version = *version;
        let losses = found.into_iter().flat_map(|(_, lines)| lines).collect();
        Err(MigrateError::WouldDrop { version, losses })
    }

    /// Undoes the newest migration and applies it again; returns its version, if there is one.
    ///
    /// # Errors
    /// As [`Migrations::down`] and [`Migrations::up`].
    pub async fn redo(&mut self) -> Result<Vec<Version>, MigrateError> {
        // Whatever forbids applying it again is said before it is undone.
        let last = self.steps(Goal::DownOne).await?;
        if let Some((migration, _)) = last.first()
            && !migration.faults.is_empty()
        {
            let faults = migration.faults.clone();
            return Err(MigrateError::Folder { faults });
        }
        self.refuse_losses(None).await?;
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

    /// What [`Migrations::down`] would refuse to take away: for each version a line of words for each
    /// table that holds rows, and each sealed column. Changes nothing, but asks for the locks that
    /// undoing asks for, and gives them back.
    ///
    /// # Errors
    /// As [`Migrations::down`].
    pub async fn losses(
        &mut self,
        to: Option<Version>,
    ) -> Result<Vec<(Version, Vec<String>)>, MigrateError> {
        let goal = to.map_or(Goal::DownOne, Goal::DownTo);
        let Place::Postgres(database) = &mut self.place else {
            return Ok(Vec::new());
        };
        if self.set.kind == SetKind::Own {
            return Ok(Vec::new());
        }
        let steps = migrator::steps(database, &self.set, goal).await?;
        let migrations: Vec<&Migration> = steps.into_iter().map(|(m, _)| m).collect();
        let found = database.losses(&self.set, &migrations).await;
        found.map_err(at_once)
    }

    async fn reach(&mut self, goal: Goal) -> Result<Vec<Version>, MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => {
                migrator::reach(database, &self.set, goal, &mut self.told).await
            }
            Place::Sqlite(database) => {
                migrator::reach(database, &self.set, goal, &mut self.told).await
            }
        }
    }

    async fn steps(&mut self, goal: Goal) -> Result<Vec<(&Migration, Way)>, MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => migrator::steps(database, &self.set, goal).await,
            Place::Sqlite(database) => migrator::steps(database, &self.set, goal).await,
        }
    }

    async fn planned(&mut self, goal: Goal) -> Result<Vec<Planned>, MigrateError> {
        let steps = match &mut self.place {
            Place::Postgres(database) => migrator::steps(database, &self.set, goal).await?,
            Place::Sqlite(database) => migrator::steps(database, &self.set, goal).await?,
        };
        let place = |text: &str| match (&self.place, self.set.kind) {
            (Place::Postgres(database), SetKind::Own) => database.schema().place(text),
            _ => text.to_owned(),
        };
        let planned = |(migration, way): (&Migration, Way)| Planned {
            version: migration.version,
            label: self.label(migration.version),
            name: migration.name.to_string(),
            sql: match way {
                Way::Up => place(&migration.up),
                // One that begins in the midst of a file has line ends for what stands before it.
                Way::Down => place(migration.down.as_deref().unwrap_or_default().trim_start()),
            },
        };
        Ok(steps.into_iter().map(planned).collect())
    }

    /// What is pending can be applied.
    pub(super) async fn check_texts(&mut self, to: Option<Version>) -> Result<(), MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => migrator::check_texts(database, &self.set, to).await,
            Place::Sqlite(database) => migrator::check_texts(database, &self.set, to).await,
        }
    }
}

/// What was tried once.
pub(super) fn at_once(failure: Failure) -> MigrateError {
    match failure {
        Failure::Stop(error) => error,
        Failure::Busy | Failure::Held => MigrateError::LockTimeout { attempts: 1 },
    }
}
