//! Lanes: claims under a lease, guarded by `fence` and `seq`.
//! Owns the SQL on the table `lanes`, except what a batch or the end of a run changes there. All
//! times are the server's `clock_timestamp()`, because `now()` stays the same during a transaction.

use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::committed;
use super::fault::map;
use super::sql::query;
use crate::store::{Holder, LaneRecord, LaneStamp, LaneTally, NewLane, Result, StoreError};

const COLUMNS: &str = "run_id, lane_no, relation, lower, upper, cursor, seq, fence, holder, \
     extract(epoch FROM lease_until - clock_timestamp())::float8 AS lease_left, state = 'done' AS done, \
     rows_found, rows_written, values_written, conflicts, quarantined";

pub(super) async fn insert(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    run_id: i64,
    lanes: &[NewLane],
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (run_id, lane_no, relation, lower, upper, state) \
         SELECT $1, l.lane_no, l.relation, l.lower, l.upper, 'open' \
         FROM unnest($2::int4[], $3::text[], $4::bytea[], $5::bytea[]) AS l(lane_no, relation, lower, upper)",
        store.own("lanes")
    );
    query(sql)
        .bind(run_id)
        .bind(lanes.iter().map(|l| l.lane_no).collect::<Vec<_>>())
        .bind(lanes.iter().map(|l| l.relation.clone()).collect::<Vec<_>>())
        .bind(lanes.iter().map(|l| l.lower.clone()).collect::<Vec<_>>())
        .bind(lanes.iter().map(|l| l.upper.clone()).collect::<Vec<_>>())
        .execute(&mut **tx)
        .await
        .map_err(map)?;
    Ok(())
}

pub(super) async fn list(store: &PostgresStore, run_id: i64) -> Result<Vec<LaneRecord>> {
    let mut tx = store.begin().await?;
    let rows = query(format!(
        "SELECT {COLUMNS} FROM {} WHERE run_id = $1 ORDER BY lane_no",
        store.own("lanes")
    ))
    .bind(run_id)
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    rows.iter().map(decode).collect()
}

pub(super) async fn claim(
    store: &PostgresStore,
    run_id: i64,
    holder: &Holder,
    dead: &[Holder],
    lease_seconds: u32,
) -> Result<Option<LaneRecord>> {
    let lanes = store.own("lanes");
    let sql = format!(
        "UPDATE {lanes} AS l SET fence = l.fence + 1, holder = $2, \
           lease_until = clock_timestamp() + make_interval(secs => $3), updated_at = clock_timestamp() \
         FROM (SELECT run_id, lane_no FROM {lanes} \
               WHERE run_id = $1 AND state = 'open' \
                 AND (holder IS NULL OR holder = $2 OR holder = ANY ($4) \
                   OR (lease_until < clock_timestamp() AND left(holder, length($5)) <> $5)) \
               ORDER BY lane_no FOR UPDATE SKIP LOCKED LIMIT 1) AS free \
         WHERE l.run_id = free.run_id AND l.lane_no = free.lane_no \
         RETURNING l.run_id, l.lane_no, l.relation, l.lower, l.upper, l.cursor, l.seq, l.fence, l.holder, \
           extract(epoch FROM l.lease_until - clock_timestamp())::float8 AS lease_left, l.state = 'done' AS done, \
           l.rows_found, l.rows_written, l.values_written, l.conflicts, l.quarantined"
    );
    let dead: Vec<String> = dead.iter().map(|h| h.0.clone()).collect();
    let mut tx = store.begin().await?;
    let row = query(sql)
        .bind(run_id)
        .bind(holder.0.clone())
        .bind(f64::from(lease_seconds))
        .bind(dead)
        .bind(holder.process().unwrap_or("/"))
        .fetch_optional(&mut *tx)
        .await
        .map_err(map)?;
    committed(tx).await?;
    row.as_ref().map(decode).transpose()
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
    let rows = query(sql)
        .bind(run_id)
        .fetch_all(&mut *tx)
        .await
        .map_err(map)?;
    committed(tx).await?;
    let late = rows
        .iter()
        .map(|row| row.try_get(0).map_err(map))
        .collect::<Result<Vec<i32>>>()?;
    if late.is_empty() {
        return Ok(());
    }
    // Only the role that logged in can see its own sessions and end them.
    let mut tx = store.begin_as_login().await?;
    query(
        "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity AS a \
         WHERE a.pid = ANY ($1) AND a.application_name = 'phiseal' AND a.usename = session_user \
           AND a.wait_event_type = 'Client' AND a.state_change < clock_timestamp() - make_interval(secs => $2)"
            .to_owned(),
    )
    .bind(late)
    .bind(FROZEN_AFTER_SECONDS)
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await
}

pub(super) async fn release(store: &PostgresStore, stamp: &LaneStamp, done: bool) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET holder = NULL, lease_until = NULL, updated_at = clock_timestamp(), \
           state = CASE WHEN $4 THEN 'done' ELSE state END, \
           cursor = CASE WHEN $4 THEN NULL ELSE cursor END, \
           lower = CASE WHEN $4 THEN NULL ELSE lower END, upper = CASE WHEN $4 THEN NULL ELSE upper END \
         WHERE run_id = $1 AND lane_no = $2 AND fence = $3 AND seq = $5",
        store.own("lanes")
    );
    let mut tx = store.begin().await?;
    let done_rows = query(sql)
        .bind(stamp.run_id)
        .bind(stamp.lane_no)
        .bind(stamp.fence)
        .bind(done)
        .bind(stamp.seq)
        .execute(&mut *tx)
        .await
        .map_err(map)?
        .rows_affected();
    committed(tx).await?;
    if done && done_rows != 1 {
        return Err(StoreError::FenceLost);
    }
    Ok(())
}

pub(super) async fn after_commit(
    store: &PostgresStore,
    run_id: i64,
    lane_no: i32,
) -> Result<LaneRecord> {
    let mut tx = store.begin().await?;
    // A plain read could return the state before a COMMIT that is in progress; the row lock waits
    // for it.
    let row = query(format!(
        "SELECT {COLUMNS} FROM {} WHERE run_id = $1 AND lane_no = $2 FOR UPDATE",
        store.own("lanes")
    ))
    .bind(run_id)
    .bind(lane_no)
    .fetch_one(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    decode(&row)
}

fn decode(row: &PgRow) -> Result<LaneRecord> {
    Ok(LaneRecord {
        run_id: row.try_get("run_id").map_err(map)?,
        lane_no: row.try_get("lane_no").map_err(map)?,
        relation: row.try_get("relation").map_err(map)?,
        lower: row.try_get("lower").map_err(map)?,
        upper: row.try_get("upper").map_err(map)?,
        cursor: row.try_get("cursor").map_err(map)?,
        seq: row.try_get("seq").map_err(map)?,
        fence: row.try_get("fence").map_err(map)?,
        holder: row.try_get("holder").map_err(map)?,
        lease_left_seconds: row.try_get("lease_left").map_err(map)?,
        done: row.try_get("done").map_err(map)?,
        tally: tally(row)?,
    })
}

/// The lane's five counters.
pub(super) fn tally(row: &PgRow) -> Result<LaneTally> {
    Ok(LaneTally {
        rows_found: row.try_get("rows_found").map_err(map)?,
        rows_written: row.try_get("rows_written").map_err(map)?,
        values_written: row.try_get("values_written").map_err(map)?,
        conflicts: row.try_get("conflicts").map_err(map)?,
        quarantined: row.try_get("quarantined").map_err(map)?,
    })
}
