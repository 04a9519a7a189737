//! A database to build a set in, so that what its migrations make can be read from a catalog.
//! Owns making it and taking it away. Nothing of the application's is touched or locked.
//! One that was given is left as it was found: all happens in a transaction that is rolled back.

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::catalog::{self, Catalog, Scope};
use super::error::{Doing, Failure, MigrateError};
use super::postgres::{BEGIN, Schema, failure, run};
use super::script::Script;
use super::set::{Migration, SetKind};
use crate::quote;
use crate::store::StoreError;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::opening::Opening;

/// Those of a program that was killed are dropped by the next one, by this beginning.
const PREFIX: &str = "phiseal_scratch_";

/// Where a set is built to be looked at.
pub enum Scratch {
    /// In a database made for it, on the server of this URL.
    Made(SecretString),
    /// In this one, which must be empty.
    Given(SecretString),
}

impl Scratch {
    /// What `migrations` make, in order, for a database whose tables go to `path`.
    pub(super) async fn catalog(
        &self,
        kind: SetKind,
        migrations: &[&Migration],
        schema: &Schema,
        path: &[String],
    ) -> Result<Catalog, Failure> {
        let building = Building {
            kind,
            migrations,
            schema,
            path,
        };
        match self {
            Self::Given(url) => {
                let mut conn = connect(url, None).await?;
                refuse_unless_empty(&mut conn).await?;
                run(&mut conn, BEGIN.to_owned()).await.map_err(failed)?;
                let built = building.build(&mut conn, false).await;
                // Closing rolls it back too.
                let _ = run(&mut conn, "ROLLBACK".to_owned()).await;
                let _ = conn.close().await;
                built
            }
            Self::Made(url) => {
                let mut server = connect(url, None).await?;
                drop_abandoned(&mut server).await;
                let name = make(&mut server).await?;
                let built = match connect(url, Some(&name)).await {
                    Err(error) => Err(error),
                    Ok(mut conn) => {
                        let built = building.build(&mut conn, true).await;
                        let _ = conn.close().await;
                        built
                    }
                };
                let dropped = run(&mut server, format!("DROP DATABASE {name}")).await;
                let _ = server.close().await;
                let built = built?;
                dropped.map_err(failed)?;
                Ok(built)
            }
        }
    }
}

struct Building<'a> {
    kind: SetKind,
    migrations: &'a [&'a Migration],
    schema: &'a Schema,
    path: &'a [String],
}

impl Building<'_> {
    async fn build(&self, conn: &mut PgConnection, commit: bool) -> Result<Catalog, Failure> {
        let scope = match self.kind {
            SetKind::Own => {
                let make = format!("CREATE SCHEMA {}", self.schema.quoted);
                run(conn, make).await.map_err(failed)?;
                Scope::Own(self.schema)
            }
            SetKind::Platform => Scope::Platform(self.schema),
        };
        for migration in self.migrations {
            self.search(conn).await.map_err(failed)?;
            self.apply(conn, migration, commit).await?;
            run(
                conn,
                "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; DISCARD TEMP".to_owned(),
            )
            .await
            .map_err(failed)?;
        }
        catalog::read(conn, scope).await
    }

    async fn search(&self, conn: &mut PgConnection) -> Result<(), sqlx::Error> {
        // The server's own schemas are there, and nobody may make one of such a name.
        let path = || self.path.iter().filter(|name| !name.starts_with("pg_"));
        for name in path() {
            let quoted = Schema::new(name).map(|schema| schema.quoted);
            let quoted = quoted.unwrap_or_default();
            run(conn, format!("CREATE SCHEMA IF NOT EXISTS {quoted}")).await?;
        }
        let path: Vec<String> = path()
            .map(|name| quote::identifier(name))
            .chain(["pg_temp".to_owned()])
            .collect();
        run(conn, format!("SET search_path = {}", path.join(", "))).await
    }

    /// Unit by unit, as it was applied; with `commit` each in its own transaction.
    async fn apply(
        &self,
        conn: &mut PgConnection,
        migration: &Migration,
        commit: bool,
    ) -> Result<(), Failure> {
        let version = migration.version;
        let building = |line| failure(Doing::Building { version, line });
        if self.kind == SetKind::Own {
            let placed = self.schema.place(&migration.up);
            return run(conn, placed).await.map_err(building(1));
        }
        for unit in Script::of(&migration.up)?.units {
            let line = unit.statements.first().map_or(1, |s| s.line);
            if commit {
                run(conn, BEGIN.to_owned()).await.map_err(failed)?;
            }
            for statement in unit.statements.iter().filter(|s| !s.is_maintenance()) {
                let done = run(conn, statement.without_concurrently()).await;
                done.map_err(building(statement.line))?;
            }
            // What is checked at the commit is checked here: there may be none.
            let end = if commit {
                "COMMIT"
            } else {
                "SET CONSTRAINTS ALL IMMEDIATE"
            };
            run(conn, end.to_owned()).await.map_err(building(line))?;
        }
        Ok(())
    }
}

fn failed(error: sqlx::Error) -> Failure {
    failure(Doing::Comparing)(error)
}

async fn connect(url: &SecretString, database: Option<&str>) -> Result<PgConnection, Failure> {
    let connected = PostgresStore::raw_connection_to(url.expose_secret(), database).await;
    connected.map_err(|error: StoreError| {
        Failure::Stop(MigrateError::ScratchUnreachable {
            reason: error.to_string(),
        })
    })
}

async fn refuse_unless_empty(conn: &mut PgConnection) -> Result<(), Failure> {
    let begun = conn.begin_with(Opening::begin_as_login()).await;
    let mut tx = begun.map_err(failed)?;
    let found: Option<String> = sqlx::query_scalar(
        "SELECT what FROM (
             SELECT c.oid::regclass::text AS what, c.relnamespace AS space FROM pg_catalog.pg_class AS c
             UNION ALL SELECT t.oid::regtype::text, t.typnamespace FROM pg_catalog.pg_type AS t
             UNION ALL SELECT p.oid::regproc::text, p.pronamespace FROM pg_catalog.pg_proc AS p
             UNION ALL SELECT e.extname, 'public'::regnamespace FROM pg_catalog.pg_extension AS e
                 WHERE e.extname <> 'plpgsql'
         ) AS found
         JOIN pg_catalog.pg_namespace AS n ON n.oid = space
         WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
         ORDER BY 1 LIMIT 1",
    )
    .persistent(false)
    .fetch_optional(&mut *tx)
    .await
    .map_err(failed)?;
    tx.rollback().await.map_err(failed)?;
    match found {
        None => Ok(()),
        Some(found) => Err(MigrateError::ScratchInUse { found }.into()),
    }
}

/// Of the same encoding and locale, without whatever the server's template holds.
/// Its name tells when it was made, by the server's clock.
async fn make(server: &mut PgConnection) -> Result<String, Failure> {
    let begun = server.begin_with(Opening::begin_as_login()).await;
    let mut tx = begun.map_err(failed)?;
    let row = sqlx::query(
        "SELECT pg_catalog.format(
             'ENCODING %L LC_COLLATE %L LC_CTYPE %L',
             pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype),
             floor(extract(epoch FROM clock_timestamp()))::bigint
         FROM pg_catalog.pg_database WHERE datname = current_database()",
    )
    .persistent(false)
    .fetch_one(&mut *tx)
    .await
    .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    let like: String = row.try_get(0).map_err(failed)?;
    let now: i64 = row.try_get(1).map_err(failed)?;
    let name = format!("{PREFIX}{now}_{}", uuid::Uuid::new_v4().simple());
    let sql = format!("CREATE DATABASE {name} TEMPLATE template0 {like}");
    let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(server).await;
    made.map(|_| name).map_err(
        |error| match error.as_database_error().and_then(|e| e.code()) {
            Some(code) => Failure::Stop(MigrateError::NoScratch {
                sqlstate: code.into_owned(),
            }),
            None => failed(error),
        },
    )
}

/// Drops those that are an hour old and that nobody is connected to. One that cannot be dropped is
/// left to its owner.
async fn drop_abandoned(server: &mut PgConnection) {
    let Ok(mut tx) = server.begin_with(Opening::begin_as_login()).await else {
        return;
    };
    let found: Result<Vec<String>, _> = sqlx::query_scalar(
        "SELECT d.datname::text FROM pg_catalog.pg_database AS d
         WHERE d.datname ~ '^phiseal_scratch_[0-9]{1,12}_[0-9a-f]{32}$'
           AND split_part(d.datname, '_', 3)::bigint
               < extract(epoch FROM clock_timestamp()) - 3600
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity AS a WHERE a.datid = d.oid)",
    )
    .persistent(false)
    .fetch_all(&mut *tx)
    .await;
    drop(tx.rollback().await);
    for name in found.unwrap_or_default() {
        let _ = run(server, format!("DROP DATABASE IF EXISTS {name}")).await;
    }
}
