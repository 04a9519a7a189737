//! What a table takes, and what the server counted of its rows.
//! Owns the SQL for that. The server takes the counters of a session over within a second, or when
//! the session ends.

use sqlx::Row;

use super::PostgresStore;
use super::prepare::regclass;
use super::sql::{query, tuple};
use crate::store::usage::{Counters, Usage};
use crate::store::{Result, Table};

/// The table and its partitions. Binds its name.
const TREE: &str = "SELECT relid::oid AS oid FROM pg_catalog.pg_partition_tree(to_regclass($1)) \
     UNION SELECT to_regclass($1)::oid";

pub(super) async fn usage(store: &PostgresStore, table: &Table) -> Result<Usage> {
    let mut tx = store.begin().await?;
    let row = query(format!(
        "SELECT coalesce(sum(pg_table_size(t.oid)), 0)::int8, \
           coalesce(sum(pg_stat_get_tuples_updated(t.oid)), 0)::int8, \
           coalesce(sum(pg_stat_get_tuples_hot_updated(t.oid)), 0)::int8, \
           coalesce(sum(pg_stat_get_dead_tuples(t.oid)), 0)::int8, \
           (pg_current_wal_lsn() - '0/0'::pg_lsn)::int8 FROM ({TREE}) AS t"
    ))
    .bind(regclass(table))
    .fetch_one(&mut *tx)
    .await?;
    let number = |at: usize| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
    let counters = Counters {
        updates: number(1)?,
        hot_updates: number(2)?,
        dead_rows: number(3)?,
        wal: number(4)?,
    };
    let indexes: Vec<(String, i64)> = tuple(format!(
        "SELECT format('%I.%I', n.nspname, c.relname), pg_relation_size(c.oid) FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i' \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indrelid IN ({TREE}) ORDER BY 1"
    ))
    .bind(regclass(table))
    .fetch_all(&mut *tx)
    .await?;
    let usage = Usage {
        table_bytes: number(0)?,
        indexes: (indexes.into_iter())
            .map(|(name, bytes)| (name, bytes.unsigned_abs()))
            .collect(),
        counters: Some(counters),
    };
    tx.commit().await?;
    Ok(usage)
}
