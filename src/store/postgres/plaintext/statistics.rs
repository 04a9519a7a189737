//! The server's statistics of columns that were blanked: its planner keeps the most common values of a
//! column, and shows them to whoever may read it.
//! Owns the order that works: with a statistics target of zero, ANALYZE would leave the old values, so
//! the columns are analyzed first, and only then get the target.

use super::super::PostgresStore;
use super::super::ddl_lock::{begin_briefly, patiently};
use super::super::prepare::{apply, regclass};
use super::super::sql::{run, scalar};
use super::{Held, TREE, held};
use crate::store::text::joined;
use crate::store::{Result, Table};

/// See [`crate::store::Plaintext::forget_statistics`].
pub(super) async fn forget(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    let mut tx = store.begin().await?;
    let held = held(store, &mut tx, table).await?;
    tx.commit().await?;
    let blanked: Vec<&Held> = held
        .iter()
        .filter(|field| field.beside().is_some())
        .collect();
    let columns: Vec<_> = (blanked.iter())
        .filter_map(|field| field.plain.as_ref())
        .collect();
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let target = |value: i32| {
        let sets = joined(&columns, ", ", |column| {
            format!("ALTER COLUMN {} SET STATISTICS {value}", column.quoted())
        });
        format!("ALTER TABLE {} {sets}", table.name.quoted())
    };
    apply(store, table, &[target(100)]).await?;
    patiently(store, &regclass(table), || {
        analyze(
            store,
            table,
            joined(&columns, ", ", |column| column.quoted()),
        )
    })
    .await?;
    apply(store, table, &[target(0)]).await?;
    shown(
        store,
        table,
        columns
            .iter()
            .map(|column| column.as_str().to_owned())
            .collect(),
    )
    .await
}

async fn analyze(store: &PostgresStore, table: &Table, columns: String) -> Result<()> {
    let mut tx = begin_briefly(store).await?;
    let sql = format!(
        "SET LOCAL statement_timeout = 0; ANALYZE {} ({columns})",
        table.name.quoted()
    );
    run(&mut tx, sql).await?;
    tx.commit().await
}

/// The columns of which the statistics still show values.
async fn shown(store: &PostgresStore, table: &Table, columns: Vec<String>) -> Result<Vec<String>> {
    in_transaction!(store.begin(), |tx| {
        scalar(format!(
            "SELECT DISTINCT s.attname::text FROM pg_catalog.pg_stats AS s \
               JOIN pg_catalog.pg_class AS c ON c.relname = s.tablename \
               JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = s.schemaname \
             WHERE c.oid IN (SELECT relid FROM {TREE} AS tree) AND s.attname::text = ANY ($2) \
               AND (s.most_common_vals IS NOT NULL OR s.histogram_bounds IS NOT NULL) ORDER BY 1"
        ))
        .bind(regclass(table))
        .bind(columns)
        .fetch_all(&mut **tx)
    })
}
