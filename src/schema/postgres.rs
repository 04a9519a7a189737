//! The migrator's transactions in PostgreSQL.
//! Owns their order: the migrators' lock first, then the history, then the migration. Knows
//! nothing of what is next or of waiting longer.
//! Only SET LOCAL, no named prepared statement, no advisory lock: a transaction-mode pooler may
//! hand each transaction to another session. What takes no transaction needs a session of its own.

mod losses;
mod place;
mod records;
mod refusals;
mod session;
mod units;

use sqlx::{Connection, PgConnection, Postgres, Transaction};

pub(super) use self::place::Schema;
use self::place::not_ours;
use self::records::Records;
use self::refusals::{refuse_guarded, refuse_losses, tables_to_be_made};
pub(super) use self::session::{BEGIN, END_OF_FILE, SEARCH_PATH, failure, no_timeouts, run};
use self::session::{lock_timeout, run_statements, search_where_tables_go, sqlstate};
use self::units::Units;
use super::error::{Doing, Failure, MigrateError};
use super::history::{Applied, Goal, Step, Way, next_step};
use super::migrator::Database;
use super::script::Script;
use super::set::{Migration, MigrationSet, SetKind, Version};
use super::version::is_repeatable;
use crate::ident::Ident;
use crate::store::postgres::opening::Opening;
use crate::store::postgres::own_schema;
use crate::store::postgres::sql::OWNERS_NAMES;

pub(super) struct PgDatabase<'c> {
    conn: &'c mut PgConnection,
    /// For statements that take no transaction, while `conn` holds the migrators' lock.
    worker: Option<&'c mut PgConnection>,
    schema: Schema,
}

impl<'c> PgDatabase<'c> {
    pub fn new(
        conn: &'c mut PgConnection,
        worker: Option<&'c mut PgConnection>,
        schema: &str,
    ) -> Result<Self, MigrateError> {
        Ok(Self {
            conn,
            worker,
            schema: Schema::new(schema)?,
        })
    }

    /// The same, acting as `role`, in a schema that belongs to `owner`, where the plan names them.
    pub fn acting_as(mut self, role: Option<&Ident>, owner: Option<&Ident>) -> Self {
        self.schema.opening = Opening::new(role);
        self.schema.owner = owner.cloned();
        self
    }

    /// The connection that holds the migrators' lock, for what is read without it.
    pub fn conn(&mut self) -> &mut PgConnection {
        self.conn
    }

    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Where names without a schema are looked up, and where the first of them is made.
    pub async fn search_path(&mut self) -> Result<Vec<String>, Failure> {
        let failed = failure(Doing::Comparing);
        let begun = self.conn.begin_with(self.schema.begin()).await;
        let mut tx = begun.map_err(failed)?;
        let settings = run(&mut tx, OWNERS_NAMES.to_owned()).await;
        settings.map_err(failed)?;
        let path = sqlx::query_scalar(
            "SELECT pg_catalog.unnest(pg_catalog.current_schemas(false))::pg_catalog.text",
        )
        .persistent(false)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
        tx.rollback().await.map_err(failed)?;
        Ok(path)
    }

    /// What undoing these, one after the other, would take away: by version, a line each. Changes
    /// nothing, but takes the locks that undoing takes, for as long as the look lasts.
    pub async fn losses(
        &mut self,
        set: &MigrationSet,
        migrations: &[&Migration],
    ) -> Result<Vec<(Version, Vec<String>)>, Failure> {
        let failed = failure(Doing::Comparing);
        let path = self.search_path().await?;
        let mut tx = self.schema.change(self.conn, set).await?;
        let looked = async {
            own_schema::check_path(&mut tx, &path)
                .await
                .map_err(not_ours)?;
            let settings = format!("{}; {}", lock_timeout(), no_timeouts(true));
            run(&mut tx, settings).await.map_err(failed)?;
            let mut all = Vec::new();
            for migration in migrations {
                let script = Script::of(migration.down.as_deref().unwrap_or_default())?;
                let losses = losses::of_undoing(&mut tx, &self.schema, &script, 0).await?;
                if !losses.is_empty() {
                    all.push((migration.version, losses));
                }
                losses::undo_for_the_next(&mut tx, &script).await?;
            }
            Ok(all)
        }
        .await;
        // Nothing of it stays.
        let _ = tx.rollback().await;
        looked
    }

    /// Writes migrations down as applied without running them.
    pub async fn adopt(
        &mut self,
        set: &MigrationSet,
        migrations: &[&Migration],
    ) -> Result<(), Failure> {
        let failed = failure(Doing::History);
        let records = Records::of(&self.schema, set);
        let mut tx = self.schema.change(self.conn, set).await?;
        let adopted = async {
            records.lock(&mut tx).await?;
            for migration in migrations {
                let added = records.add(&mut tx, migration, None).await;
                added.map_err(failed)?;
            }
            Ok(())
        }
        .await;
        finish(tx, adopted, Doing::History).await
    }
}

impl Database for PgDatabase<'_> {
    async fn applied(&mut self, set: &MigrationSet) -> Result<Option<Vec<Applied>>, Failure> {
        let failed = failure(Doing::History);
        let records = Records::of(&self.schema, set);
        let mut tx = self.schema.look(self.conn, set).await?;
        let found = records.read_if_there(&mut tx).await;
        tx.rollback().await.map_err(failed)?;
        found.map_err(records::failure)
    }

    async fn make_history(&mut self, set: &MigrationSet) -> Result<(), Failure> {
        // The losing one of two migrators that make the same at the same moment goes again.
        let failed = |error| match sqlstate(&error).as_deref() {
            Some("23505" | "42P06" | "42P07" | "42P01") => Failure::Busy,
            _ => failure(Doing::History)(error),
        };
        let records = Records::of(&self.schema, set);
        let mut tx = self.schema.change(self.conn, set).await?;
        let made = records.make(&mut tx).await;
        finish(tx, made.map_err(failed), Doing::History).await
    }

    async fn tables_in_the_way(
        &mut self,
        set: &MigrationSet,
        to: Option<Version>,
    ) -> Result<Vec<String>, Failure> {
        let failed = failure(Doing::History);
        let before = self.applied(set).await?.unwrap_or_default();
        let names = tables_to_be_made(set, &before, to)?;
        if names.is_empty() {
            return Ok(names);
        }
        let first = self.search_path().await?.into_iter().next();
        let begun = self.conn.begin_with(self.schema.begin()).await;
        let mut tx = begun.map_err(failed)?;
        // A name without a schema is made in the first one. One that is no name is left to the
        // migration.
        let found: Result<Vec<String>, _> = sqlx::query_scalar(
            "SELECT name FROM unnest($1::text[]) AS name
             WHERE to_regclass(CASE
                 WHEN cardinality(parse_ident(name)) > 1 THEN name
                 ELSE quote_ident($2) || '.' || name END) IS NOT NULL
             ORDER BY name",
        )
        .bind(&names)
        .bind(first)
        .persistent(false)
        .fetch_all(&mut *tx)
        .await;
        tx.rollback().await.map_err(failed)?;
        let found = found.map_err(failed)?;
        if found.is_empty() {
            return Ok(found);
        }
        let after = self.applied(set).await?.unwrap_or_default();
        let pending = tables_to_be_made(set, &after, to)?;
        Ok(found
            .into_iter()
            .filter(|name| pending.contains(name))
            .collect())
    }

    async fn step(&mut self, set: &MigrationSet, goal: Goal) -> Result<Option<Version>, Failure> {
        let path = match set.kind {
            SetKind::Own => Vec::new(),
            SetKind::Platform => self.search_path().await?,
        };
        let records = Records::of(&self.schema, set);
        let mut tx = self.schema.change(self.conn, set).await?;
        let stepped = async {
            own_schema::check_path(&mut tx, &path)
                .await
                .map_err(not_ours)?;
            records.lock(&mut tx).await?;
            let read = records.read(&mut tx).await;
            let applied = read.map_err(records::failure)?;
            let Some(step) = next_step(set, &applied, goal)? else {
                return Ok(None);
            };
            let version = step.migration.version;
            let versioned = applied.iter().filter(|row| !is_repeatable(row.version));
            let last = step.progress.way == Way::Down && versioned.count() == 1;
            if step.progress.way == Way::Down {
                refuse_guarded(&mut tx, &self.schema, set, version).await?;
                refuse_losses(&mut tx, &self.schema, set, &step).await?;
            }
            take(&mut tx, self.worker.as_deref_mut(), &records, step).await?;
            if last && set.kind == SetKind::Platform {
                let gone = records.drop(&mut tx).await;
                gone.map_err(failure(Doing::History))?;
            }
            Ok(Some((version, last)))
        }
        .await;
        let doing = match &stepped {
            Ok(Some((version, _))) => Doing::Applying(*version),
            Ok(None) | Err(_) => Doing::History,
        };
        let stepped = finish(tx, stepped, doing).await?;
        if stepped.is_some_and(|(_, last)| last) && set.kind == SetKind::Platform {
            records.drop_lock_if_unused(self.conn).await;
        }
        Ok(stepped.map(|(version, _)| version))
    }
}

/// Commits what went well. What did not is rolled back at once, not when the connection is used
/// again: its locks would be held until then.
async fn finish<T>(
    tx: Transaction<'_, Postgres>,
    result: Result<T, Failure>,
    doing: Doing,
) -> Result<T, Failure> {
    match result {
        Ok(value) => {
            tx.commit().await.map_err(failure(doing))?;
            Ok(value)
        }
        Err(error) => {
            // The first error is the one to tell; a connection that cannot roll back is closed.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

/// Applies or undoes one migration: in the transaction that holds the lock, or, where its file
/// cannot be one transaction, over the other connection.
async fn take(
    tx: &mut PgConnection,
    worker: Option<&mut PgConnection>,
    records: &Records<'_>,
    step: Step<'_>,
) -> Result<(), Failure> {
    let Step {
        migration,
        progress,
        recorded,
    } = step;
    let version = migration.version;
    let doing = match progress.way {
        Way::Up => Doing::Applying(version),
        Way::Down => Doing::Undoing(version),
    };
    let text = match progress.way {
        Way::Up => &migration.up,
        Way::Down => migration
            .down
            .as_ref()
            .ok_or(MigrateError::NoWayBack { version })?,
    };
    if records.set.kind == SetKind::Own {
        let placed = records.schema.place(text);
        run(tx, placed).await.map_err(failure(doing))?;
    } else {
        let script = Script::of(text)?;
        let fresh = recorded.is_none();
        if !(script.is_atomic() && fresh) {
            let worker = worker.ok_or(MigrateError::Connection { doing })?;
            let units = Units {
                records,
                migration,
                script: &script,
                way: progress.way,
                recorded,
            };
            return units.run(worker, progress).await;
        }
        search_where_tables_go(tx).await.map_err(failure(doing))?;
        run_statements(tx, version, progress.way, script.statements()).await?;
        // What the file set for its session ends with it.
        let ours_again = format!(
            "{END_OF_FILE}; {} {}",
            no_timeouts(true),
            records.schema.opening.settings()
        );
        let reset = run(tx, ours_again).await;
        reset.map_err(failure(doing))?;
    }
    let recorded = match progress.way {
        Way::Up => records.add(tx, migration, None).await,
        Way::Down => records.remove(tx, version).await,
    };
    recorded.map_err(failure(doing))
}
