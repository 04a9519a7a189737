//! The migrator's transactions in PostgreSQL.
//! Owns their order: the migrators' lock first, then the history, then the migration. Knows
//! nothing of what is next or of waiting longer.
//! Only SET LOCAL, no named prepared statement, no advisory lock: a transaction-mode pooler may
//! hand each transaction to another session. What takes no transaction needs a session of its own.

mod losses;
mod records;
mod units;

use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};

use super::error::{Doing, Failure, MigrateError};
use super::history::{Applied, Goal, Step, Way, next_step};
use super::migrator::{Database, LOCK_TIMEOUT_MS};
use super::script::{Script, Statement};
use super::set::{Migration, MigrationSet, SCHEMA_PLACEHOLDER, SetKind, Version};
use super::version::is_repeatable;
use crate::error::Coded;
use crate::ident::Ident;
use crate::quote;
use crate::store::StoreError;
use crate::store::postgres::opening::Opening;
use crate::store::postgres::own_schema;
use crate::store::postgres::sql::OWNERS_NAMES;
use records::Records;
use units::Units;

/// Longest identifier, in bytes: the server silently cuts what is longer.
const SCHEMA_BYTES_MAX: usize = 63;

/// What begins a transaction of the migrations' own statements.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

pub(super) struct PgDatabase<'c> {
    conn: &'c mut PgConnection,
    /// For statements that take no transaction, while `conn` holds the migrators' lock.
    worker: Option<&'c mut PgConnection>,
    schema: Schema,
}

/// Where our own tables live, and how transactions of ours there begin.
#[derive(Clone)]
pub(super) struct Schema {
    pub name: String,
    pub quoted: String,
    opening: Opening,
    /// The role that the plan says owns the schema.
    owner: Option<Ident>,
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

impl Schema {
    pub fn new(name: &str) -> Result<Self, MigrateError> {
        if name.is_empty() || name.len() > SCHEMA_BYTES_MAX || name.contains('\0') {
            return Err(MigrateError::SchemaName);
        }
        Ok(Self {
            name: name.to_owned(),
            quoted: quote::identifier(name),
            opening: Opening::default(),
            owner: None,
        })
    }

    /// What begins a transaction of ours: READ COMMITTED whatever the role's default, since the history
    /// is read after the wait for the lock; the server's own names; the plan's role.
    pub fn begin(&self) -> AssertSqlSafe<String> {
        self.opening.begin_read_committed()
    }

    /// Makes a session that is nobody else's act as the plan's role.
    pub fn set_role(&self) -> String {
        let role = self.opening.role();
        role.map_or_else(String::new, |role| format!("SET ROLE {};", role.quoted()))
    }

    /// The same for the rest of a transaction.
    pub fn local_role(&self) -> String {
        let role = self.opening.role();
        role.map_or_else(
            || "SET LOCAL ROLE NONE".to_owned(),
            |role| format!("SET LOCAL ROLE {}", role.quoted()),
        )
    }

    /// A transaction that looks at a set's history, in a schema that our role can trust.
    async fn look<'c>(
        &self,
        conn: &'c mut PgConnection,
        set: &MigrationSet,
    ) -> Result<Transaction<'c, Postgres>, Failure> {
        let failed = failure(Doing::History);
        let mut tx = conn.begin_with(self.begin()).await.map_err(failed)?;
        let name = self.ident()?;
        let ours = match set.kind {
            SetKind::Own => own_schema::check(&mut tx, &name, self.owner.as_ref()).await,
            SetKind::Platform => self.check_records(&mut tx, set).await,
        };
        ours.map_err(not_ours)?;
        Ok(tx)
    }

    /// A transaction that changes what a set made, in a schema that belongs to our role.
    async fn change<'c>(
        &self,
        conn: &'c mut PgConnection,
        set: &MigrationSet,
    ) -> Result<Transaction<'c, Postgres>, Failure> {
        let failed = failure(Doing::History);
        let mut tx = conn.begin_with(self.begin()).await.map_err(failed)?;
        self.check_records(&mut tx, set).await.map_err(not_ours)?;
        Ok(tx)
    }

    async fn check_records(
        &self,
        tx: &mut PgConnection,
        set: &MigrationSet,
    ) -> Result<(), StoreError> {
        let name = self.ident().map_err(|_| StoreError::Unexpected {
            what: "the name of our schema",
        })?;
        let history = set.history_name();
        let records = [history.as_str(), "migration_lock"];
        let own_tables = set.kind == SetKind::Own;
        own_schema::check_for_migration(tx, &name, &records, own_tables).await
    }

    fn ident(&self) -> Result<Ident, MigrateError> {
        Ident::new(self.name.as_str()).map_err(|_| MigrateError::SchemaName)
    }

    pub fn place(&self, text: &str) -> String {
        text.replace(SCHEMA_PLACEHOLDER, &self.quoted)
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

/// What a file leaves in its session: settings, roles, temporary tables, prepared statements, cursors,
/// locks.
pub(super) const END_OF_FILE: &str = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; \
     DISCARD TEMP; DEALLOCATE ALL; CLOSE ALL; UNLISTEN *; SELECT pg_catalog.pg_advisory_unlock_all()";

/// A migration takes as long as it takes, whatever its role is set to; for a transaction, or for the
/// session. Newer servers have the last two.
pub(super) fn no_timeouts(local: bool) -> String {
    let set = if local { "SET LOCAL" } else { "SET" };
    let newer = ["idle_session_timeout", "transaction_timeout"].map(|name| {
        format!(
            "SELECT pg_catalog.set_config('{name}', '0', {local})
             WHERE pg_catalog.current_setting('{name}', true) IS NOT NULL;"
        )
    });
    format!("{set} statement_timeout = 0; {}", newer.concat())
}

/// One at a time, so that a refusal has a line.
async fn run_statements(
    conn: &mut PgConnection,
    version: Version,
    way: Way,
    statements: impl Iterator<Item = &Statement>,
) -> Result<(), Failure> {
    for statement in statements {
        let doing = Doing::Statement {
            version,
            undoing: way == Way::Down,
            line: statement.line,
        };
        let done = run(conn, statement.text.clone()).await;
        done.map_err(failure(doing))?;
        // How long a lock is waited for is not the file's to say: the application waits behind it.
        if statement.sets_lock_timeout() {
            let ours = run(conn, lock_timeout()).await;
            ours.map_err(failure(doing))?;
        }
    }
    Ok(())
}

/// The search path by name, without the role's own, and temporary tables last: functions that keep
/// the path they were made with (`SET search_path FROM CURRENT`) then mean the same for every role.
pub(super) const SEARCH_PATH: &str = "(SELECT pg_catalog.concat_ws(', ', pg_catalog.string_agg(\
     pg_catalog.quote_ident(name), ', ' ORDER BY place), 'pg_temp') \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place))";

async fn search_where_tables_go(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql =
        format!("{OWNERS_NAMES} SELECT pg_catalog.set_config('search_path', {SEARCH_PATH}, true)");
    run(tx, sql).await
}

/// What the pending migrations make by CREATE TABLE, up to where one may take a table away or
/// look elsewhere.
fn tables_to_be_made(
    set: &MigrationSet,
    applied: &[Applied],
    to: Option<Version>,
) -> Result<Vec<String>, MigrateError> {
    let mut names = Vec::new();
    if set.kind == SetKind::Own {
        return Ok(names);
    }
    let pending = set
        .migrations
        .iter()
        .filter(|m| to.is_none_or(|to| m.version <= to))
        .filter(|m| !applied.iter().any(|row| row.version == m.version));
    for migration in pending {
        for statement in Script::of(&migration.up)?.statements() {
            if statement.may_free_table_names() {
                return Ok(names);
            }
            names.extend(statement.table_made());
        }
    }
    Ok(names)
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

/// Refuses to undo what would take rows with it, unless that was said.
async fn refuse_losses(
    tx: &mut PgConnection,
    schema: &Schema,
    set: &MigrationSet,
    step: &Step<'_>,
) -> Result<(), Failure> {
    if set.kind == SetKind::Own || set.allowed.drop_data {
        return Ok(());
    }
    let version = step.migration.version;
    let Some(down) = step.migration.down.as_deref() else {
        return Ok(());
    };
    let script = Script::of(down)?;
    let losses = losses::of_undoing(tx, schema, &script, step.progress.units).await?;
    if losses.is_empty() {
        return Ok(());
    }
    Err(MigrateError::WouldDrop { version, losses }.into())
}

/// The meaning of a look at whom our schema belongs to.
fn not_ours(error: StoreError) -> Failure {
    match error {
        StoreError::NotOurs { what, hint } => MigrateError::NotOurs { what, hint }.into(),
        StoreError::ConnectionLost => MigrateError::Connection {
            doing: Doing::History,
        }
        .into(),
        StoreError::Busy { .. } | StoreError::Locked => Failure::Busy,
        error => MigrateError::NotOurs {
            what: format!("whom our schema belongs to cannot be read: {error}"),
            hint: error.hint(),
        }
        .into(),
    }
}

fn lock_timeout() -> String {
    format!("SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}")
}

/// Runs text without parameters, of any number of statements.
pub(super) async fn run(tx: &mut PgConnection, sql: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(tx).await?;
    Ok(())
}

pub(super) fn failure(doing: Doing) -> impl Fn(sqlx::Error) -> Failure + Copy {
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
