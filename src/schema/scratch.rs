//! A database to build a set in, so that what its migrations make can be read from a catalog.
//! Owns where that is, and that nothing outside of it changes, whatever the migrations say:
//! - in a private cluster, where the programs of the server's version are on this host;
//! - else in a database made on the server, or given, in one transaction that is rolled back. Roles,
//!   settings and memberships are of the whole cluster, but all of them are undone with it. A login that
//!   could do what no rollback undoes does not get there, whichever database it is.
//!
//! What was not built as it is written is told, a line each.

mod build;
mod cluster;
mod reach;
mod server;

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::catalog::Catalog;
use super::error::{Doing, Failure, MigrateError};
use super::postgres::{BEGIN, Schema, failure, run};
use super::set::{Migration, SetKind};
use crate::error::Coded;
use crate::store::StoreError;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::opening::Opening;
use build::Building;
use cluster::Cluster;
use server::{Extension, Server};

/// Those of a program that was killed are dropped by the next one, by this beginning.
const PREFIX: &str = "phiseal_scratch_";

/// Where a set is built to be looked at.
pub enum Scratch {
    /// Apart from the server of this URL, as far as that can be.
    Made(SecretString),
    /// In this one, which must be empty, and whose login must not reach beyond it.
    Given(SecretString),
}

/// What the migrations make, and how that was found.
pub(super) struct Built {
    pub catalog: Catalog,
    /// Where it was built.
    pub place: &'static str,
    /// What was not built as it is written.
    pub left_out: Vec<String>,
}

impl Scratch {
    /// What `migrations` make, in order, for a database whose tables go to `path`.
    pub(super) async fn catalog(
        &self,
        kind: SetKind,
        migrations: &[&Migration],
        schema: &Schema,
        path: &[String],
    ) -> Result<Built, Failure> {
        let mut building = Building {
            kind,
            migrations,
            schema,
            path,
            commits: false,
            schemas_made: Vec::new(),
            roles_missing: false,
            left_out: Vec::new(),
        };
        let (catalog, place) = match self {
            Self::Given(url) => {
                let mut conn = connect(url, None).await?;
                refuse_unfit(&mut conn).await?;
                let built = rolled_back(&mut building, &mut conn, &[]).await;
                let _ = conn.close().await;
                (built?, "the scratch database that was given")
            }
            Self::Made(url) => {
                let mut conn = connect(url, None).await?;
                let server = Server::read(&mut conn).await?;
                let built =
                    match Cluster::start(server.major).await {
                        Ok(cluster) => in_cluster(&mut building, &cluster, &server)
                            .await
                            .map(|catalog| (catalog, "a private cluster")),
                        Err(reason) => match &server.login_reaches {
                            Some(found) => Err(MigrateError::NoCage {
                                reason: format!("{reason}; and the login {found}"),
                            }
                            .into()),
                            None => on_server(&mut building, url, &mut conn, &server).await.map(
                                |catalog| {
                                    (catalog, "a scratch database on the server, rolled back")
                                },
                            ),
                        },
                    };
                let _ = conn.close().await;
                built?
            }
        };
        Ok(Built {
            catalog,
            place,
            left_out: building.left_out,
        })
    }
}

/// The administrator makes what needs one: roles, the database, extensions. The rest is built by a role
/// of the login's name.
async fn in_cluster(
    building: &mut Building<'_>,
    cluster: &Cluster,
    server: &Server,
) -> Result<Catalog, Failure> {
    let failed = failure(Doing::Comparing);
    let no_url = || MigrateError::NoCage {
        reason: "the path of the private cluster is no URL".to_owned(),
    };
    let password = cluster::random_word();
    let first = cluster.administrator("template1").ok_or_else(no_url)?;
    let mut administrator = connect(&first, None).await?;
    let rebuilt = server
        .rebuild(&mut administrator, &password, building.migrations)
        .await;
    let _ = administrator.close().await;
    building.left_out.extend(rebuilt?);
    let url = cluster.administrator(&server.database).ok_or_else(no_url)?;
    let mut administrator = connect(&url, None).await?;
    // Who becomes the owner of a table must be able to make one there, unless a superuser says so.
    // Rights are not compared.
    let owned = format!(
        "ALTER SCHEMA public OWNER TO {}; GRANT ALL ON SCHEMA public TO PUBLIC",
        crate::quote::identifier(&server.login)
    );
    run(&mut administrator, format!("BEGIN; {owned}"))
        .await
        .map_err(failed)?;
    let extensions = server::make_extensions(
        &mut administrator,
        &server.extensions,
        building.migrations,
        Some(&server.login),
    );
    let (missing, schemas) = extensions.await?;
    run(&mut administrator, "COMMIT".to_owned())
        .await
        .map_err(failed)?;
    let _ = administrator.close().await;
    building.left_out.extend(missing);
    building.schemas_made = schemas;
    building.commits = true;
    let url = cluster
        .url(&server.login, &password, &server.database)
        .ok_or_else(no_url)?;
    let mut conn = connect(&url, None).await?;
    let built = building.build(&mut conn).await;
    let _ = conn.close().await;
    built
}

/// In a database made for it, which is dropped again.
async fn on_server(
    building: &mut Building<'_>,
    url: &SecretString,
    conn: &mut PgConnection,
    server: &Server,
) -> Result<Catalog, Failure> {
    let failed = failure(Doing::Comparing);
    drop_abandoned(conn).await;
    let name = make(conn, server).await?;
    let built = match connect(url, Some(&name)).await {
        Err(error) => Err(error),
        Ok(mut scratch) => {
            let built = rolled_back(building, &mut scratch, &server.extensions).await;
            let _ = scratch.close().await;
            built
        }
    };
    let dropped = server::drop_database(conn, &name).await;
    let built = built?;
    dropped.map_err(failed)?;
    Ok(built)
}

async fn rolled_back(
    building: &mut Building<'_>,
    conn: &mut PgConnection,
    extensions: &[Extension],
) -> Result<Catalog, Failure> {
    run(conn, BEGIN.to_owned())
        .await
        .map_err(failure(Doing::Comparing))?;
    let made = server::make_extensions(conn, extensions, building.migrations, None).await;
    let built = match made {
        Ok((missing, schemas)) => {
            building.left_out.extend(missing);
            building.schemas_made = schemas;
            building.build(conn).await
        }
        Err(error) => Err(error),
    };
    // Closing rolls it back too.
    let _ = run(conn, "ROLLBACK".to_owned()).await;
    built
}

async fn connect(url: &SecretString, database: Option<&str>) -> Result<PgConnection, Failure> {
    let connected = PostgresStore::raw_connection_to(url.expose_secret(), database).await;
    connected.map_err(|error: StoreError| {
        Failure::Stop(MigrateError::ScratchUnreachable {
            reason: error.to_string(),
            hint: error.hint(),
        })
    })
}

/// Refuses a database that is in use, and a login that could change what is outside of it.
async fn refuse_unfit(conn: &mut PgConnection) -> Result<(), Failure> {
    let failed = failure(Doing::Comparing);
    let begun = conn.begin_with(Opening::begin_as_login()).await;
    let mut tx = begun.map_err(failed)?;
    let reaches = reach::beyond(&mut tx, &reach::OUTWARD).await;
    if let Some(found) = reaches.map_err(failed)? {
        return Err(MigrateError::ScratchReaches { found }.into());
    }
    let found = first_object(&mut tx).await.map_err(failed)?;
    tx.rollback().await.map_err(failed)?;
    match found {
        None => Ok(()),
        Some(found) => Err(MigrateError::ScratchInUse { found }.into()),
    }
}

/// What a database holds besides its extensions and what they own.
async fn first_object(conn: &mut PgConnection) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT what FROM (
             SELECT c.oid::regclass::text AS what, c.relnamespace AS space,
                    'pg_class'::regclass AS class, c.oid AS object
             FROM pg_catalog.pg_class AS c
             UNION ALL SELECT t.oid::regtype::text, t.typnamespace, 'pg_type'::regclass, t.oid
             FROM pg_catalog.pg_type AS t
             UNION ALL SELECT p.oid::regproc::text, p.pronamespace, 'pg_proc'::regclass, p.oid
             FROM pg_catalog.pg_proc AS p
         ) AS found
         JOIN pg_catalog.pg_namespace AS n ON n.oid = space
         WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
           -- An extension that is there, and what it owns, is no use of the database.
           AND NOT EXISTS (
               WITH RECURSIVE part AS (
                   SELECT found.class AS class, found.object AS object
                   UNION SELECT d.refclassid, d.refobjid FROM pg_catalog.pg_depend AS d, part
                   WHERE d.classid = part.class AND d.objid = part.object AND d.deptype IN ('i', 'a', 'e')
               ) SELECT FROM part WHERE class = 'pg_extension'::regclass)
         ORDER BY 1 LIMIT 1",
    )
    .persistent(false)
    .fetch_optional(conn)
    .await
}

/// Its name tells when it was made, by the server's clock.
async fn make(conn: &mut PgConnection, server: &Server) -> Result<String, Failure> {
    let failed = failure(Doing::Comparing);
    let begun = conn.begin_with(Opening::begin_as_login()).await;
    let mut tx = begun.map_err(failed)?;
    let now: i64 =
        sqlx::query_scalar("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    let name = format!("{PREFIX}{now}_{}", uuid::Uuid::new_v4().simple());
    let sql = format!("CREATE DATABASE {name} {}", server.like());
    let made = sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await;
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
