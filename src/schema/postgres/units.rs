//! Migrations that cannot be one transaction, unit after unit.
//! Owns how far one came: each transaction writes it down as it commits, each statement that takes
//! none before and after. What failed or was cut off is gone on with, not begun again; an index
//! that a failure left invalid is taken away first.
//! The migrators' lock is held by another connection meanwhile. That one is idle, so it has no
//! snapshot that CREATE INDEX CONCURRENTLY would wait for.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::super::error::{Doing, Failure, MigrateError};
use super::super::history::{Progress, Way};
use super::super::migrator::{LOCK_ATTEMPTS, pause_after};
use super::super::script::{ConcurrentIndex, Script, Unit};
use super::super::set::Migration;
use super::records::Records;
use super::{
    BEGIN, SEARCH_PATH, failure, lock_timeout, run, run_statements, search_where_tables_go,
};

pub(super) struct Units<'a> {
    pub records: &'a Records<'a>,
    pub migration: &'a Migration,
    pub script: &'a Script,
}

impl Units<'_> {
    pub async fn run(&self, worker: &mut PgConnection, from: Progress) -> Result<(), Failure> {
        let mut progress = from;
        for unit in self.script.units.iter().skip(from.units) {
            self.unit(worker, unit, progress).await?;
            progress = Progress {
                units: progress.units + 1,
                running: false,
                ..progress
            };
        }
        let ended = match from.way {
            Way::Up => self.records.add(worker, self.migration, None).await,
            Way::Down => self.records.remove(worker, self.migration.version).await,
        };
        ended.map_err(failure(Doing::History))
    }

    /// Does a unit, again while it only lacks a lock.
    async fn unit(
        &self,
        worker: &mut PgConnection,
        unit: &Unit,
        progress: Progress,
    ) -> Result<(), Failure> {
        for attempt in 0..LOCK_ATTEMPTS {
            let done = if unit.transactional {
                self.in_transaction(worker, unit, progress).await
            } else {
                self.alone(worker, unit, progress).await
            };
            match done {
                Err(Failure::Busy | Failure::Held) => {
                    tokio::time::sleep(pause_after(attempt)).await
                }
                Err(Failure::Stop(error)) => return Err(self.told(error, progress).into()),
                Ok(()) => return Ok(()),
            }
        }
        Err(MigrateError::LockTimeout {
            attempts: LOCK_ATTEMPTS,
        }
        .into())
    }

    /// With what was committed before, where anything was.
    fn told(&self, error: MigrateError, progress: Progress) -> MigrateError {
        match error {
            MigrateError::Database {
                doing: Doing::Statement { version, line, .. },
                sqlstate,
            } if progress.units > 0 => MigrateError::Partly {
                version,
                line,
                sqlstate,
                done: progress.units,
                of: self.script.units.len(),
            },
            error => error,
        }
    }

    async fn in_transaction(
        &self,
        worker: &mut PgConnection,
        unit: &Unit,
        progress: Progress,
    ) -> Result<(), Failure> {
        let failed = failure(Doing::History);
        let mut tx = worker.begin_with(BEGIN).await.map_err(failed)?;
        let done = async {
            run(&mut tx, lock_timeout()).await.map_err(failed)?;
            search_where_tables_go(&mut tx).await.map_err(failed)?;
            let version = self.migration.version;
            run_statements(&mut tx, version, progress.way, unit.statements.iter()).await?;
            run(&mut tx, "RESET ALL".to_owned()).await.map_err(failed)?;
            self.write_down(&mut tx, progress.units + 1, progress.way, false)
                .await
        }
        .await;
        super::finish(tx, done, Doing::Applying(self.migration.version)).await
    }

    async fn alone(
        &self,
        worker: &mut PgConnection,
        unit: &Unit,
        progress: Progress,
    ) -> Result<(), Failure> {
        let failed = failure(Doing::History);
        // No lock timeout: what runs outside transactions asks for locks that the application's
        // statements do not wait behind, and a build cut off leaves an invalid index.
        let settings = format!(
            "SET lock_timeout = 0; SET statement_timeout = 0;
             SELECT pg_catalog.set_config('search_path', {SEARCH_PATH}, false)"
        );
        run(worker, settings).await.map_err(failed)?;
        let done = self.statement(worker, unit, progress).await;
        let reset = run(worker, "RESET ALL".to_owned()).await;
        done?;
        reset.map_err(failed)
    }

    async fn statement(
        &self,
        worker: &mut PgConnection,
        unit: &Unit,
        progress: Progress,
    ) -> Result<(), Failure> {
        let way = progress.way;
        for statement in &unit.statements {
            let index = statement.concurrent_index();
            let built = match &index {
                None => false,
                Some(index) => clear_the_way(worker, index, progress.running).await?,
            };
            if built {
                continue;
            }
            self.write_down(worker, progress.units, way, true).await?;
            let version = self.migration.version;
            let done = run_statements(worker, version, way, std::iter::once(statement)).await;
            match done {
                Err(failed) if progress.running && says_it_is_done(&failed) => {}
                Err(failed) => {
                    // Of a lost connection nothing is known; else it is known that it failed.
                    let _ = self.write_down_failed(worker, progress).await;
                    return Err(failed);
                }
                Ok(()) => {}
            }
        }
        self.write_down(worker, progress.units + 1, way, false)
            .await
    }

    /// As it was before the unit: with nothing done, not even begun.
    async fn write_down_failed(
        &self,
        conn: &mut PgConnection,
        progress: Progress,
    ) -> Result<(), Failure> {
        let failed = failure(Doing::History);
        let Progress { units, way, .. } = progress;
        match (units, way) {
            (0, Way::Up) => {
                let removed = self.records.remove(conn, self.migration.version).await;
                removed.map_err(failed)
            }
            (0, Way::Down) => {
                let added = self.records.add(conn, self.migration, None).await;
                added.map_err(failed)
            }
            _ => self.write_down(conn, units, way, false).await,
        }
    }

    async fn write_down(
        &self,
        conn: &mut PgConnection,
        units: usize,
        way: Way,
        running: bool,
    ) -> Result<(), Failure> {
        let progress = Progress {
            way,
            units,
            running,
        };
        let added = self.records.add(conn, self.migration, Some(progress)).await;
        added.map_err(failure(Doing::History))
    }
}

/// Whether a statement that may have been done before fails because it was: what it makes is there
/// (42P07), or what it takes away is not (42704, 42P01).
fn says_it_is_done(failed: &Failure) -> bool {
    matches!(
        failed,
        Failure::Stop(MigrateError::Database { sqlstate, .. })
            if matches!(sqlstate.as_str(), "42P07" | "42704" | "42P01")
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
        "SELECT i.indisvalid, i.indexrelid::regclass::text,
                EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS p
                        WHERE p.index_relid = i.indexrelid AND p.pid <> pg_backend_pid())
         FROM pg_catalog.pg_index AS i
         JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
         WHERE i.indrelid = pg_catalog.to_regclass($1)
           AND c.relname = (SELECT part[1] FROM (SELECT pg_catalog.parse_ident($2) AS part) AS _)",
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
