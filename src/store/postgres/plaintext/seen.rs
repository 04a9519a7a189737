//! Who writes to a table now, and which plaintext of it is not sealed.

use super::super::PostgresStore;
use super::super::guard;
use super::super::prepare::regclass;
use super::super::sql::{OURS, run, tuple};
use super::{Held, TREE, held};
use crate::store::{OpenTransaction, Result, Table, UnsealedRows};

pub(super) async fn writers(store: &PostgresStore, table: &Table) -> Result<Vec<OpenTransaction>> {
    // The login sees more of other sessions than a role without rights of its own.
    let mut tx = store.begin_as_login().await?;
    let rows: Vec<(String, String)> = tuple(format!(
        "SELECT DISTINCT coalesce(a.backend_xid::text, ''), 'role ' || coalesce(a.usename, '?') || \
           coalesce(', application ' || nullif(a.application_name, ''), '') \
         FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid \
         WHERE l.granted AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' \
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
           AND l.relation IN (SELECT relid FROM {TREE} AS tree) \
           AND a.pid <> pg_backend_pid() AND NOT a.{OURS} \
         UNION SELECT '', 'role ' || a.usename || coalesce(', application ' || nullif(a.application_name, ''), '') \
         FROM pg_catalog.pg_stat_activity AS a WHERE a.datname = current_database() AND a.usesysid IS NOT NULL \
           AND a.pid <> pg_backend_pid() AND NOT a.{OURS} \
           AND has_table_privilege(a.usesysid, to_regclass($1)::oid, 'INSERT, UPDATE') LIMIT 200"
    ))
    .bind(regclass(table))
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let transaction = |(id, who)| OpenTransaction { id, who };
    Ok(rows.into_iter().map(transaction).collect())
}

pub(super) async fn unsealed(store: &PostgresStore, table: &Table) -> Result<Vec<UnsealedRows>> {
    let mut tx = store.begin().await?;
    let held = held(store, &mut tx, table).await?;
    let conditions: Vec<String> = held.iter().filter_map(is_unsealed).collect();
    if conditions.is_empty() {
        return tx.commit().await.map(|()| Vec::new());
    }
    run(
        &mut tx,
        "SET LOCAL statement_timeout = 0; SET LOCAL row_security = off",
    )
    .await?;
    let rows: Vec<(String, i64)> = tuple(format!(
        "SELECT t.xmin::text, count(*) FROM {} AS t WHERE {} GROUP BY 1 ORDER BY 2 DESC LIMIT 1000",
        table.name.quoted(),
        conditions.join(" OR ")
    ))
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let rows = rows.into_iter().map(|(transaction, rows)| UnsealedRows {
        transaction,
        rows: rows.unsigned_abs(),
    });
    Ok(rows.collect())
}

/// The condition that a row `t` has a plaintext of this field that is not sealed.
fn is_unsealed(field: &Held) -> Option<String> {
    let plain = format!("t.{}", field.plain.as_ref()?.quoted());
    Some(match &field.sealed {
        Some((sealed, _)) => {
            format!("({plain} IS NOT NULL AND t.{} IS NULL)", sealed.quoted())
        }
        None => format!(
            "({plain} IS NOT NULL AND NOT {})",
            guard::looks_sealed(&plain)
        ),
    })
}
