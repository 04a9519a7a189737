//! Runs and their counters; a table has at most one unfinished run. Also what a run asks about its
//! table: its relations, its size and the sessions that hold locks on it.
//! Owns the SQL on `runs`.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::committed;
use super::fault::map;
use super::lanes::{self, tally};
use super::sql::{query, raw, time_text};
use super::{PostgresStore, prepare};
use crate::store::{
    Holder, LaneTally, NewLane, Result, RunKind, RunRecord, RunState, Scope, StoreError, Table,
};

fn columns() -> String {
    format!(
        "run_id, kind, table_label, digest, state, params, {} AS started_at, {} AS finished_at, actor, \
         rows_found, rows_written, values_written, conflicts, quarantined, error_code",
        time_text("started_at"),
        time_text("finished_at")
    )
}

pub(super) async fn open_run(
    store: &PostgresStore,
    table_label: &str,
) -> Result<Option<RunRecord>> {
    let mut tx = store.begin().await?;
    let row = query(format!(
        "SELECT {} FROM {} WHERE table_label = $1 AND finished_at IS NULL",
        columns(),
        store.own("runs")
    ))
    .bind(table_label.to_owned())
    .fetch_optional(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    row.as_ref().map(decode).transpose()
}

pub(super) async fn list(store: &PostgresStore, limit: u32) -> Result<Vec<RunRecord>> {
    let mut tx = store.begin().await?;
    let rows = query(format!(
        "SELECT {} FROM {} ORDER BY finished_at IS NOT NULL, run_id DESC LIMIT $1",
        columns(),
        store.own("runs")
    ))
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    rows.iter().map(decode).collect()
}

pub(super) async fn begin(
    store: &PostgresStore,
    run: &RunRecord,
    new_lanes: &[NewLane],
) -> Result<i64> {
    let mut tx = store.begin().await?;
    let row = query(format!(
        "INSERT INTO {} (kind, table_label, digest, state, params, started_at, actor) \
         VALUES ($1, $2, $3, 'running', $4, clock_timestamp(), $5) RETURNING run_id",
        store.own("runs")
    ))
    .bind(run.kind.as_str())
    .bind(run.table_label.clone())
    .bind(run.digest.clone())
    .bind(run.params.clone())
    .bind(run.actor.clone())
    .fetch_one(&mut *tx)
    .await
    .map_err(map)
    .map_err(|error| match error {
        StoreError::RowRefused { sqlstate, .. } if sqlstate == "23505" => StoreError::Held {
            table: run.table_label.clone(),
            holder: "a run that has just begun".to_owned(),
        },
        other => other,
    })?;
    let run_id: i64 = row.try_get(0).map_err(map)?;
    lanes::insert(store, &mut tx, run_id, new_lanes).await?;
    committed(tx).await?;
    Ok(run_id)
}

pub(super) async fn end(
    store: &PostgresStore,
    run_id: i64,
    state: RunState,
    error_code: Option<&str>,
) -> Result<LaneTally> {
    let finished = matches!(state, RunState::Done | RunState::Failed);
    let runs = store.own("runs");
    let lanes = store.own("lanes");
    let mut tx = store.begin().await?;
    let row = query(format!(
        "UPDATE {runs} AS r SET state = $2, error_code = $3, \
           finished_at = CASE WHEN $4 THEN clock_timestamp() END, \
           rows_found = l.rows_found, rows_written = l.rows_written, values_written = l.values_written, \
           conflicts = l.conflicts, quarantined = l.quarantined \
         FROM (SELECT coalesce(sum(rows_found), 0)::int8 AS rows_found, coalesce(sum(rows_written), 0)::int8 AS rows_written, \
                 coalesce(sum(values_written), 0)::int8 AS values_written, coalesce(sum(conflicts), 0)::int8 AS conflicts, \
                 coalesce(sum(quarantined), 0)::int8 AS quarantined FROM {lanes} WHERE run_id = $1) AS l \
         WHERE r.run_id = $1 AND r.finished_at IS NULL \
         RETURNING r.rows_found, r.rows_written, r.values_written, r.conflicts, r.quarantined"
    ))
    .bind(run_id)
    .bind(state.as_str())
    .bind(error_code.map(str::to_owned))
    .bind(finished)
    .fetch_optional(&mut *tx)
    .await
    .map_err(map)?;
    if finished {
        // Cursors and bounds may be PHI and are no longer needed.
        query(format!(
            "UPDATE {lanes} SET cursor = NULL, lower = NULL, upper = NULL, holder = NULL, lease_until = NULL \
             WHERE run_id = $1"
        ))
        .bind(run_id)
        .execute(&mut *tx)
        .await
        .map_err(map)?;
    }
    let row = match row {
        Some(row) => row,
        // The run has ended already, by this same call, whose answer was lost, or by another
        // process that worked on it. Return the recorded counters, so that the audit entry has the
        // same ones.
        None => query(format!(
            "SELECT rows_found, rows_written, values_written, conflicts, quarantined \
             FROM {runs} WHERE run_id = $1"
        ))
        .bind(run_id)
        .fetch_optional(&mut *tx)
        .await
        .map_err(map)?
        .ok_or_else(|| StoreError::Missing {
            what: "the run".to_owned(),
        })?,
    };
    committed(tx).await?;
    tally(&row)
}

/// Ends a run that no living process works on. Locks its lanes first, which waits for a batch in
/// progress.
pub(super) async fn abandon(
    store: &PostgresStore,
    run_id: i64,
    error_code: &str,
    dead: &[Holder],
) -> Result<Option<Holder>> {
    let (runs, lanes) = (store.own("runs"), store.own("lanes"));
    let mut tx = store.begin().await?;
    raw("SET LOCAL lock_timeout = '10s'".to_owned())
        .execute(&mut *tx)
        .await
        .map_err(map)?;
    let held = query(format!(
        "SELECT holder, holder IS NOT NULL AND lease_until > clock_timestamp() AS leased FROM {lanes} \
         WHERE run_id = $1 ORDER BY lane_no FOR UPDATE"
    ))
    .bind(run_id)
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    for lane in &held {
        if !lane.try_get::<bool, _>("leased").map_err(map)? {
            continue;
        }
        let holder = Holder(lane.try_get("holder").map_err(map)?);
        if !dead.contains(&holder) {
            return Ok(Some(holder));
        }
    }
    query(format!(
        "UPDATE {lanes} SET state = 'done', fence = fence + 1, cursor = NULL, lower = NULL, upper = NULL, \
           holder = NULL, lease_until = NULL WHERE run_id = $1"
    ))
    .bind(run_id)
    .execute(&mut *tx)
    .await
    .map_err(map)?;
    let ended = query(format!(
        "UPDATE {runs} AS r SET state = 'failed', error_code = $2, finished_at = clock_timestamp(), \
           rows_found = l.rows_found, rows_written = l.rows_written, values_written = l.values_written, \
           conflicts = l.conflicts, quarantined = l.quarantined \
         FROM (SELECT coalesce(sum(rows_found), 0)::int8 AS rows_found, coalesce(sum(rows_written), 0)::int8 AS rows_written, \
                 coalesce(sum(values_written), 0)::int8 AS values_written, coalesce(sum(conflicts), 0)::int8 AS conflicts, \
                 coalesce(sum(quarantined), 0)::int8 AS quarantined FROM {lanes} WHERE run_id = $1) AS l \
         WHERE r.run_id = $1 AND r.finished_at IS NULL"
    ))
    .bind(run_id)
    .bind(error_code.to_owned())
    .execute(&mut *tx)
    .await
    .map_err(map)?;
    if ended.rows_affected() != 1 {
        return Err(StoreError::Missing {
            what: "the unfinished run".to_owned(),
        });
    }
    tx.commit().await.map_err(map)?;
    Ok(None)
}

pub(super) async fn resume(store: &PostgresStore, run_id: i64) -> Result<()> {
    let mut tx = store.begin().await?;
    query(format!(
        "UPDATE {} SET state = 'running', error_code = NULL WHERE run_id = $1 AND finished_at IS NULL",
        store.own("runs")
    ))
    .bind(run_id)
    .execute(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await
}

fn decode(row: &PgRow) -> Result<RunRecord> {
    let kind: String = row.try_get("kind").map_err(map)?;
    let state: String = row.try_get("state").map_err(map)?;
    Ok(RunRecord {
        run_id: row.try_get("run_id").map_err(map)?,
        kind: kind
            .parse::<RunKind>()
            .map_err(|()| StoreError::Unexpected {
                what: "a kind of run this version does not know",
            })?,
        table_label: row.try_get("table_label").map_err(map)?,
        digest: row.try_get("digest").map_err(map)?,
        state: state
            .parse::<RunState>()
            .map_err(|()| StoreError::Unexpected {
                what: "a state of a run this version does not know",
            })?,
        params: row.try_get("params").map_err(map)?,
        started_at: row.try_get("started_at").map_err(map)?,
        finished_at: row.try_get("finished_at").map_err(map)?,
        actor: row.try_get("actor").map_err(map)?,
        tally: tally(row)?,
        error_code: row.try_get("error_code").map_err(map)?,
    })
}

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
    let mut tx = store.begin().await?;
    let relations = relations_in(store, &mut tx, table, scope).await?;
    committed(tx).await?;
    Ok(relations)
}

/// Like [`relations`], in a transaction that is already open.
pub(super) async fn relations_in(
    store: &PostgresStore,
    conn: &mut PgConnection,
    table: &Table,
    scope: &Scope,
) -> Result<Vec<String>> {
    let rows = query(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) WHERE isleaf \
                         UNION SELECT to_regclass($1)::oid) AND c.relkind <> 'p' ORDER BY 1"
            .to_owned(),
    )
    .bind(prepare::regclass(table))
    .fetch_all(&mut *conn)
    .await
    .map_err(map)?;
    if rows.is_empty() && !is_there(&mut *conn, table).await? {
        return Err(StoreError::Missing {
            what: format!("table {}", table.label),
        });
    }
    let mut relations: Vec<String> = rows
        .iter()
        .map(|row| row.try_get(0).map_err(map))
        .collect::<Result<_>>()?;
    if *scope == Scope::Detached {
        relations.extend(super::relations::detached(store, conn, &table.label).await?);
    }
    Ok(relations)
}

/// Whether the table exists; a partitioned table may have no partition.
async fn is_there(conn: &mut PgConnection, table: &Table) -> Result<bool> {
    let row = query("SELECT to_regclass($1) IS NOT NULL".to_owned())
        .bind(prepare::regclass(table))
        .fetch_one(conn)
        .await
        .map_err(map)?;
    row.try_get(0).map_err(map)
}

/// The number of live rows: from the statistics, or, if there are none yet, from the size of the
/// files.
pub(super) async fn row_estimate(store: &PostgresStore, table: &Table) -> Result<u64> {
    let mut tx = store.begin().await?;
    let row = query(
        "SELECT coalesce(sum(CASE WHEN c.reltuples >= 0 AND c.relpages > 0 \
              THEN c.reltuples::float8 / c.relpages * s.blocks \
                * CASE WHEN s.live > 0 THEN s.live::float8 / (s.live + s.dead) ELSE 1 END \
              WHEN s.live > 0 THEN greatest(s.live, s.blocks) \
              ELSE pg_relation_size(c.oid) / 100.0 END), 0)::int8 \
         FROM pg_catalog.pg_class c, \
           LATERAL (SELECT pg_relation_size(c.oid) / current_setting('block_size')::int8 AS blocks, \
             pg_stat_get_live_tuples(c.oid) AS live, pg_stat_get_dead_tuples(c.oid) AS dead) AS s \
         WHERE c.oid IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) UNION SELECT to_regclass($1)::oid) \
           AND c.relkind = 'r'"
            .to_owned(),
    )
    .bind(prepare::regclass(table))
    .fetch_one(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    let rows: i64 = row.try_get(0).map_err(map)?;
    Ok(rows.unsigned_abs())
}

/// Sessions that hold locks on the table, described by process id and application, never by their
/// queries.
pub(super) async fn blockers(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    let mut tx = store.begin().await?;
    let rows = query(
        "SELECT DISTINCT 'process ' || a.pid || ' (' || coalesce(nullif(a.application_name, ''), 'no name') || ', ' \
              || a.state || ' for ' || extract(epoch FROM clock_timestamp() - a.xact_start)::int8 || ' s)' \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.granted AND l.relation IN (SELECT relid FROM pg_partition_tree(to_regclass($1)) \
               UNION SELECT to_regclass($1)::oid) \
           AND l.mode <> 'AccessShareLock' AND a.pid <> pg_backend_pid() AND a.xact_start IS NOT NULL \
           AND a.application_name <> 'phiseal' ORDER BY 1 LIMIT 10"
            .to_owned(),
    )
    .bind(prepare::regclass(table))
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    rows.iter().map(|row| row.try_get(0).map_err(map)).collect()
}
