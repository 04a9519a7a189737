//! Migrations that cannot be one transaction, unit after unit.
//! Owns how far one came: each transaction writes it down as it commits, each statement that takes
//! none before and after. What failed or was cut off is gone on with, not begun again; an index
//! that a failure left invalid is taken away first.
//! The migrators' lock is held by another connection meanwhile. That one is idle, so it has no
//! snapshot that CREATE INDEX CONCURRENTLY would wait for.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row, Transaction};

use super::super::error::{Doing, Failure, MigrateError};
use super::super::history::{Progress, Way};
use super::super::migrator::LOCK_TIMEOUT_MS;
use super::super::migrator::{LOCK_ATTEMPTS, pause_after};
use super::super::script::{ConcurrentIndex, Script, Statement, Unit};
use super::super::set::Migration;
use super::records::Records;
use super::{
    BEGIN, END_OF_FILE, SEARCH_PATH, failure, lock_timeout, no_timeouts, run, run_statements,
};

pub(super) struct Units<'a> {
    pub records: &'a Records<'a>,
    pub migration: &'a Migration,
    pub script: &'a Script,
    pub way: Way,
    /// What the history has of it; a failure of the first unit leaves that.
    pub recorded: Option<Progress>,
}

impl Units<'_> {
    pub async fn run(&self, worker: &mut PgConnection, from: Progress) -> Result<(), Failure> {
        let done = self.session(worker, from).await;
        let role = self.records.schema.set_role();
        let ours_again = format!("{END_OF_FILE}; {} {role}", no_timeouts(false));
        let reset = run(worker, ours_again).await;
        done?;
        reset.map_err(failure(Doing::History))?;
        let ended = match self.way {
            Way::Up => self.records.add(worker, self.migration, None).await,
            Way::Down => self.records.remove(worker, self.migration.version).await,
        };
        ended.map_err(failure(Doing::History))
    }

    /// All units in one session, whose settings last until the end of the file, as in psql.
    async fn session(&self, worker: &mut PgConnection, from: Progress) -> Result<(), Failure> {
        let failed = failure(Doing::History);
        let settings = format!(
            "SET lock_timeout = 0; {} SET standard_conforming_strings = on;
             {} SELECT pg_catalog.set_config('search_path', {SEARCH_PATH}, false)",
            no_timeouts(false),
            self.records.schema.set_role()
        );
        run(worker, settings).await.map_err(failed)?;
        let units = &self.script.units;
        // What was done before set the session up for what follows.
        for statement in units
            .iter()
            .take(from.units)
            .flat_map(|unit| &unit.statements)
        {
            if statement.sets_session() {
                run(worker, statement.text.clone()).await.map_err(failed)?;
            }
        }
        for (at, unit) in units.iter().enumerate().skip(from.units) {
            let running = from.running && at == from.units;
            self.unit(worker, unit, at, running).await?;
        }
        Ok(())
    }

    /// Does a unit, again while it only lacks a lock.
    async fn unit(
        &self,
        worker: &mut PgConnection,
        unit: &Unit,
        at: usize,
        running: bool,
    ) -> Result<(), Failure> {
        for attempt in 0..LOCK_ATTEMPTS {
            let done = if unit.transactional {
                self.in_transaction(worker, unit, at).await
            } else {
                self.alone(worker, unit, at, running).await
            };
            match done {
                Err(Failure::Busy | Failure::Held) => {
                    tokio::time::sleep(pause_after(attempt)).await;
                }
                Err(Failure::Stop(error)) => return Err(self.told(error, unit, at).into()),
                Ok(()) => return Ok(()),
            }
        }
        let attempts = LOCK_ATTEMPTS;
        Err(self
            .told(MigrateError::LockTimeout { attempts }, unit, at)
            .into())
    }

    /// With what was committed before, where anything was.
    fn told(&self, error: MigrateError, unit: &Unit, at: usize) -> MigrateError {
        let first = unit
            .statements
            .first()
            .map_or(1, |statement| statement.line);
        let (line, sqlstate) = match &error {
            MigrateError::Database {
                doing: Doing::Statement { line, .. },
                sqlstate,
                ..
            } => (*line, sqlstate.clone()),
            MigrateError::Database { sqlstate, .. } => (first, sqlstate.clone()),
            // lock_not_available
            MigrateError::LockTimeout { .. } => (first, "55P03".to_owned()),
            _ => return error,
        };
        if at == 0 {
            return error;
        }
        MigrateError::Partly {
            version: self.migration.version,
            undoing: self.way == Way::Down,
            line,
            sqlstate,
            done: at,
            of: self.script.units.len(),
        }
    }

    async fn in_transaction(
        &self,
        worker: &mut PgConnection,
        unit: &Unit,
        at: usize,
    ) -> Result<(), Failure> {
        let failed = failure(Doing::History);
        let mut tx = worker.begin_with(BEGIN).await.map_err(failed)?;
        let done = async {
            run(&mut tx, lock_timeout()).await.map_err(failed)?;
            let version = self.migration.version;
            run_statements(&mut tx, version, self.way, unit.statements.iter()).await?;
            run(&mut tx, self.as_ours()).await.map_err(failed)?;
            self.add(&mut tx, at + 1, false).await
        }
        .await;
        super::finish(tx, done, Doing::Applying(self.migration.version)).await
    }

    /// A statement that takes no transaction.
    async fn alone(
        &self,
        worker: &mut PgConnection,
        unit: &Unit,
        at: usize,
        running: bool,
    ) -> Result<(), Failure> {
        for statement in &unit.statements {
            if let Some(index) = statement.concurrent_index()
                && clear_the_way(worker, &index, running).await?
            {
                continue;
            }
            self.write_down(worker, at, true).await?;
            match self.once(worker, statement).await {
                // The build that was cut off ended after all: it is looked at again.
                Err(failed) if running && says(&failed, &["42P07"]) => return Err(Failure::Busy),
                Err(failed)
                    if running && statement.takes_away() && says(&failed, &["42704", "42P01"]) => {}
                Err(failed) => {
                    // Of a lost connection nothing is known; else it is known that it failed.
                    let _ = self.write_down_failed(worker, at).await;
                    return Err(failed);
                }
                Ok(()) => {}
            }
        }
        self.write_down(worker, at + 1, false).await
    }

    /// CONCURRENTLY asks for locks that the application's statements do not wait behind, and a
    /// build cut off leaves an invalid index: it waits as long as it takes. The others do not. The file
    /// has no say in it.
    async fn once(&self, worker: &mut PgConnection, statement: &Statement) -> Result<(), Failure> {
        let failed = failure(Doing::History);
        let timeout = if statement.is_concurrent() {
            0
        } else {
            LOCK_TIMEOUT_MS
        };
        let set = format!("SET lock_timeout = {timeout}");
        run(worker, set).await.map_err(failed)?;
        let version = self.migration.version;
        let done = run_statements(worker, version, self.way, std::iter::once(statement)).await;
        let back = run(worker, "SET lock_timeout = 0".to_owned()).await;
        done?;
        back.map_err(failed)
    }

    /// For the rest of a transaction, the role that the history belongs to, whatever role the file set;
    /// behind it the file's own role is that of the session again.
    fn as_ours(&self) -> String {
        let role = self.records.schema.local_role();
        format!("SET LOCAL SESSION AUTHORIZATION DEFAULT; {role}; SET LOCAL statement_timeout = 0")
    }

    /// As it was before the unit: with nothing done, as it was before the command.
    async fn write_down_failed(&self, conn: &mut PgConnection, at: usize) -> Result<(), Failure> {
        if at > 0 {
            return self.write_down(conn, at, false).await;
        }
        let failed = failure(Doing::History);
        let mut tx = self.begin_ours(conn).await?;
        let written = match (&self.recorded, self.way) {
            (None, Way::Up) => self.records.remove(&mut tx, self.migration.version).await,
            (recorded, _) => {
                let recorded = recorded.as_ref();
                self.records.add(&mut tx, self.migration, recorded).await
            }
        };
        super::finish(tx, written.map_err(failed), Doing::History).await
    }

    async fn write_down(
        &self,
        conn: &mut PgConnection,
        units: usize,
        running: bool,
    ) -> Result<(), Failure> {
        let mut tx = self.begin_ours(conn).await?;
        let added = self.add(&mut tx, units, running).await;
        super::finish(tx, added, Doing::History).await
    }

    async fn begin_ours<'c>(
        &self,
        conn: &'c mut PgConnection,
    ) -> Result<Transaction<'c, Postgres>, Failure> {
        let begin = AssertSqlSafe(format!("{BEGIN} READ WRITE; {}", self.as_ours()));
        let begun = conn.begin_with(begin).await;
        begun.map_err(failure(Doing::History))
    }

    async fn add(&self, tx: &mut PgConnection, units: usize, running: bool) -> Result<(), Failure> {
        let progress = Progress {
            way: self.way,
            units,
            running,
            digest: self.script.digest(units),
        };
        let added = self.records.add(tx, self.migration, Some(&progress)).await;
        added.map_err(failure(Doing::History))
    }
}

fn says(failed: &Failure, sqlstates: &[&str]) -> bool {
    matches!(
        failed,
        Failure::Stop(MigrateError::Database { sqlstate, .. })
            if sqlstates.contains(&sqlstate.as_str())
    )
}

/// Drops the index if a failed build left it invalid. Returns whether it is there and whole, and
/// was built by the statement that was `running` when the program ended.
async fn clear_the_way(
    worker: &mut PgConnection,
    index: &ConcurrentIndex,
    running: bool,
) -> Result<bool, Failure> {
    let failed = failure(Doing::History);
    // An index lives in the schema of its table, whatever the search path says.
    let found = sqlx::query(
        "SELECT i.indisvalid, i.indexrelid::pg_catalog.regclass::pg_catalog.text,
                EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p
                        WHERE p.index_relid OPERATOR(pg_catalog.=) i.indexrelid
                          AND p.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid())
         FROM pg_catalog.pg_index AS i
         JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid
         WHERE i.indrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid
           AND c.relname::pg_catalog.text OPERATOR(pg_catalog.=) (SELECT part[1] FROM (SELECT pg_catalog.parse_ident($2) AS part) AS _)",
    )
    .bind(&index.table)
    .bind(&index.index)
    .persistent(false)
    .fetch_optional(&mut *worker)
    .await
    .map_err(failed)?;
    let Some(row) = found else {
        return Ok(false);
    };
    let valid: bool = row.try_get(0).map_err(failed)?;
    let name: String = row.try_get(1).map_err(failed)?;
    let being_built: bool = row.try_get(2).map_err(failed)?;
    if valid {
        return Ok(running);
    }
    if being_built {
        return Err(Failure::Busy);
    }
    tracing::info!(index = %name, "an invalid index, left by a failed build, is dropped");
    let drop = AssertSqlSafe(format!("DROP INDEX CONCURRENTLY {name}"));
    sqlx::raw_sql(drop).execute(worker).await.map_err(failed)?;
    Ok(false)
}
