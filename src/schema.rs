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
mod folder;
mod history;
mod link;
mod markers;
mod migrator;
mod names;
mod new_pair;
mod placeholders;
mod platform_sets;
mod postgres;
mod scratch;
mod script;
mod set;
mod sqlite;
mod sqlstates;
mod version;

use std::path::Path;

use crate::ident::Ident;
use sqlx::{PgConnection, SqliteConnection};

pub use drift::{Difference, Drift};
pub use error::{Doing, MigrateError, Refusal};
pub use history::{MigrationState, MigrationStatus};
pub use link::Link;
pub use new_pair::new_files;
pub use platform_sets::{PLATFORM_SETS, platform_plan};
pub use scratch::Scratch;
#[doc(hidden)]
pub use script::cut;
pub use set::{Allowed, Version};

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
    /// Called with each version once it is applied or undone.
    told: Box<dyn FnMut(Version) + Send>,
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

/// What [`Migrations::adopt`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The versions that are now in the history.
    pub adopted: Vec<Version>,
    /// Those of them that change rows, which no comparison of catalogs sees.
    pub rows_not_compared: Vec<Version>,
    /// What stands in the database besides.
    pub extra: Vec<Difference>,
    /// Where the migrations were built to compare with.
    pub place: &'static str,
    /// What of them was not built as it is written.
    pub left_out: Vec<String>,
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

    /// The same, calling `told` with each version once it is committed.
    #[must_use]
    pub fn telling(mut self, told: impl FnMut(Version) + Send + 'static) -> Self {
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
        let versioned = applied.iter().filter(|v| !version::is_repeatable(**v));
        drift.version = versioned.max().or(applied.last()).copied();
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
        self.check_texts(to).await?;
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
            place: drift.place,
            left_out: drift.left_out,
        })
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

    /// What is pending can be applied.
    async fn check_texts(&mut self, to: Option<Version>) -> Result<(), MigrateError> {
        match &mut self.place {
            Place::Postgres(database) => migrator::check_texts(database, &self.set, to).await,
            Place::Sqlite(database) => migrator::check_texts(database, &self.set, to).await,
        }
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
            .map_err(at_once)
    }
}

/// What was tried once.
fn at_once(failure: Failure) -> MigrateError {
    match failure {
        Failure::Stop(error) => error,
        Failure::Busy | Failure::Held => MigrateError::LockTimeout { attempts: 1 },
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
    let built = scratch.catalog(kind, migrations, &schema, &path).await?;
    let scope = match kind {
        SetKind::Own => Scope::Own(&schema),
        SetKind::Platform => Scope::Platform(&schema),
    };
    let additions = Additions::read(database.conn(), &schema).await?;
    let found = catalog::read(database.conn(), scope).await?;
    let mut drift = drift::compare(&built.catalog, &found, &additions);
    drift.place = built.place;
    drift.left_out = built.left_out;
    Ok(drift)
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
