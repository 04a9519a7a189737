//! Comparing a database with what its migrations make, and taking over what another tool built.
//! Owns what is compared and what stands in the way. The catalogs are compared in `drift`, the set is
//! built in `scratch`.

use super::catalog::{self, Scope};
use super::drift::{self, Additions, Difference, Drift};
use super::error::{Failure, MigrateError};
use super::history::{self, Goal, MigrationState};
use super::migrations::{Migrations, Place, at_once};
use super::migrator;
use super::postgres::PgDatabase;
use super::scratch::Scratch;
use super::set::{Migration, MigrationSet, SetKind, Version};
use super::version;

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

impl Migrations<'_> {
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
            .map_err(at_once)
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
