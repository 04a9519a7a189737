//! What a run asks about its table: its relations and its size.
//! Owns the SQL for that.

use sqlx::PgConnection;

use super::sql::{scalar, tuple};
use super::{PostgresStore, prepare};
use crate::store::{Extent, Result, Scope, StoreError, Table};

/// The relations of a table in the scope: the leaves of a partitioned table or the table itself, as
/// names that the server qualified and quoted.
pub(super) async fn relations(
    store: &PostgresStore,
    table: &Table,
    scope: &Scope,
) -> Result<Vec<String>> {
    if let Scope::Only(relations) = scope {
        return Ok(relations.clone());
    }
    in_transaction!(store.begin(), |tx| relations_in(store, tx, table, scope))
}

/// Like [`relations`], in a transaction that is already open.
pub(super) async fn relations_in(
    store: &PostgresStore,
    conn: &mut PgConnection,
    table: &Table,
    scope: &Scope,
) -> Result<Vec<String>> {
    let mut relations: Vec<String> = scalar(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) WHERE isleaf \
                         UNION SELECT to_regclass($1)::oid) AND c.relkind <> 'p' ORDER BY 1",
    )
    .bind(prepare::regclass(table))
    .fetch_all(&mut *conn)
    .await?;
    if relations.is_empty() && !is_there(&mut *conn, table).await? {
        return Err(StoreError::missing(format!("table {}", table.label)));
    }
    if *scope == Scope::Detached {
        relations.extend(super::relations::detached(store, conn, &table.label).await?);
    }
    Ok(relations)
}

/// Whether the table exists; a partitioned table may have no partition.
async fn is_there(conn: &mut PgConnection, table: &Table) -> Result<bool> {
    Ok(scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(prepare::regclass(table))
        .fetch_one(conn)
        .await?)
}

/// Implements [`crate::store::Catalog::extents`]. The rows of a relation are the live ones: from the statistics, or, if there are none
/// yet, from the size of the files.
pub(super) async fn extents(store: &PostgresStore, relations: &[String]) -> Result<Vec<Extent>> {
    let mut tx = store.begin().await?;
    let found: Vec<(String, i64, i64)> = tuple(
        "SELECT r.name, coalesce(CASE WHEN c.reltuples >= 0 AND c.relpages > 0 \
              THEN c.reltuples::float8 / c.relpages * s.blocks \
                * CASE WHEN s.live > 0 THEN s.live::float8 / (s.live + s.dead) ELSE 1 END \
              WHEN s.live > 0 THEN greatest(s.live, s.blocks) \
              ELSE pg_relation_size(c.oid) / 100.0 END, 0)::int8, coalesce(s.blocks, 0) \
         FROM unnest($1::text[]) WITH ORDINALITY AS r(name, place) \
         JOIN pg_catalog.pg_class c ON c.oid = to_regclass(r.name), \
           LATERAL (SELECT pg_relation_size(c.oid) / current_setting('block_size')::int8 AS blocks, \
             pg_stat_get_live_tuples(c.oid) AS live, pg_stat_get_dead_tuples(c.oid) AS dead) AS s \
         ORDER BY r.place",
    )
    .bind(relations.to_vec())
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let extent = |(relation, rows, blocks): (String, i64, i64)| Extent {
        relation,
        rows: rows.unsigned_abs(),
        blocks: Some(blocks.unsigned_abs()),
    };
    Ok(found.into_iter().map(extent).collect())
}
