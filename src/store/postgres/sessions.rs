//! Other sessions of the server: who holds locks on a table, and our own that are frozen.
//! Owns the SQL for that. Describes a session by its process id and application, never by its query.

use super::sql::{OURS, query, scalar};
use super::{PostgresStore, prepare};
use crate::store::{Result, Table};

/// Sessions that hold locks on the table, described by process id and application, never by their
/// queries.
pub(super) async fn blockers(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    in_transaction!(store.begin(), |tx| {
        scalar(format!(
        "SELECT DISTINCT 'process ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), 'no name') || ', ' \
              || a.state || ' for ' || extract(epoch FROM clock_timestamp() - a.xact_start)::int8 || ' s)' \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.granted AND l.relation IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) \
               UNION SELECT to_regclass($1)::oid) \
           AND l.mode <> 'AccessShareLock' AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL \
           AND NOT a.{OURS} ORDER BY 1 LIMIT 10",
    ))
    .bind(prepare::regclass(table))
    .fetch_all(&mut **tx)
    })
}

/// How long, in seconds, a session whose lease is over may keep the server waiting before it counts
/// as frozen.
const FROZEN_AFTER_SECONDS: f64 = 5.0;

/// Ends the sessions that hold a lane's row in an open transaction after its lease, while the
/// server waits for their next command. A session that was only slow loses its uncommitted batch
/// and writes it again.
pub(super) async fn end_frozen(store: &PostgresStore, run_id: i64) -> Result<()> {
    let sql = format!(
        "SELECT k.pid FROM {} AS l \
           JOIN pg_catalog.pg_locks AS k ON k.locktype = 'transactionid' AND k.transactionid = l.xmax AND k.granted \
         WHERE l.run_id = $1 AND l.state = 'open' AND l.lease_until < clock_timestamp()",
        store.own("lanes")
    );
    let mut tx = store.begin().await?;
    let late: Vec<i32> = scalar(sql).bind(run_id).fetch_all(&mut *tx).await?;
    tx.commit().await?;
    if late.is_empty() {
        return Ok(());
    }
    // Only the role that logged in can see its own sessions and end them.
    let mut tx = store.begin_as_login().await?;
    query(format!(
        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a \
         WHERE a.pid = ANY ($1) AND a.{OURS} AND a.usename = session_user \
           AND a.wait_event_type = 'Client' AND a.state_change < clock_timestamp() - make_interval(secs => $2)",
    ))
    .bind(late)
    .bind(FROZEN_AFTER_SECONDS)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await
}
