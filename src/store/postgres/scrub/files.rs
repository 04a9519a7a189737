//! Which files of the server may hold old plaintext of a table.
//! Owns the list: rows, TOAST, indexes, the catalogs with values of columns, materialized views, the
//! log, and the texts of pg_stat_statements. Reads none of them.

use sqlx::PgConnection;

use super::super::PostgresStore;
use super::super::sql::{scalar, tuple};
use super::super::table;
use crate::store::{Result, Scope, StoredFile, Table};

/// The files of the relations `$1`, of catalogs with values, and of materialized views that read a
/// relation, each with its TOAST and indexes, cut as the server cuts them.
const FILES: &str = "
    WITH named AS (
        SELECT to_regclass(name)::oid AS oid FROM unnest($1::text[]) AS name
        UNION SELECT oid FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace
                AND relname IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_attribute')),
    viewed AS (
        SELECT r.ev_class AS oid FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
          JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'm'
         WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
           AND d.refobjid IN (SELECT to_regclass(name)::oid FROM unnest($1::text[]) AS name)),
    owner AS (SELECT oid, oid::regclass::text AS name FROM named WHERE oid IS NOT NULL
              UNION SELECT oid, oid::regclass::text FROM viewed),
    tables AS (SELECT oid, name, name AS what FROM owner
               UNION ALL SELECT c.reltoastrelid, o.name, 'TOAST of ' || o.name
                 FROM owner o JOIN pg_class c ON c.oid = o.oid WHERE c.reltoastrelid <> 0),
    stored AS (SELECT oid, what FROM tables
               UNION ALL SELECT i.indexrelid, 'an index of ' || t.what FROM tables t JOIN pg_index i ON i.indrelid = t.oid)
    SELECT pg_relation_filepath(s.oid) || CASE WHEN part > 0 THEN '.' || part ELSE '' END, s.what
      FROM stored s,
           (SELECT setting::int8 * current_setting('block_size')::int8 AS bytes FROM pg_settings
             WHERE name = 'segment_size') AS cut,
           LATERAL generate_series(0, pg_relation_size(s.oid) / cut.bytes) AS part
     WHERE pg_relation_filepath(s.oid) IS NOT NULL
     ORDER BY s.what, part";

/// Where pg_stat_statements keeps the texts of statements.
const STATEMENTS: &str = "pg_stat_tmp/pgss_query_texts.stat";

/// The files of a table and of the log.
pub(super) async fn of_table(store: &PostgresStore, table: &Table) -> Result<Vec<StoredFile>> {
    let mut relations = table::relations(store, table, &Scope::Attached).await?;
    // Views read a partitioned table by its root.
    relations.push(table.name.quoted());
    let mut tx = store.begin_as_login().await?;
    let rows: Vec<(String, String)> = tuple(FILES).bind(relations).fetch_all(&mut *tx).await?;
    let log = of_log(&mut tx).await?.unwrap_or_default();
    tx.commit().await?;
    let mut files: Vec<StoredFile> = rows
        .into_iter()
        .map(|(path, what)| StoredFile { path, what })
        .collect();
    files.push(StoredFile {
        path: STATEMENTS.to_owned(),
        what: "pg_stat_statements".to_owned(),
    });
    files.extend(log.into_iter().map(|name| StoredFile {
        path: format!("pg_wal/{name}"),
        what: "the write-ahead log".to_owned(),
    }));
    Ok(files)
}

/// The names of the log's files; `None` if our login may not list them.
pub(super) async fn of_log(conn: &mut PgConnection) -> Result<Option<Vec<String>>> {
    let may: bool = scalar("SELECT has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE')")
        .fetch_one(&mut *conn)
        .await?;
    if !may {
        return Ok(None);
    }
    let names = scalar(
        "SELECT name FROM pg_catalog.pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' ORDER BY name",
    );
    Ok(Some(names.fetch_all(conn).await?))
}
