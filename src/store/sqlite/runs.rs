//! Runs and lanes.
//! Owns their rows. Claiming, releasing and settling a lane happen under the write lock; leases use
//! SQLite's clock.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connection;
use super::fault;
use super::statement::{Bind, bound, statement};
use crate::store::{
    Holder, LaneRecord, LaneStamp, LaneTally, NewLane, Result, RunRecord, RunState, StoreError,
};

const LANE: &str = "run_id, lane_no, relation, lower, upper, cursor, seq, fence, holder, \
    (julianday(lease_until) - julianday('now')) * 86400.0 AS lease_left, state, \
    rows_found, rows_written, values_written, conflicts, quarantined";

/// The unfinished run of a table.
pub(super) async fn open_run(
    conn: &mut SqliteConnection,
    table_label: &str,
) -> Result<Option<RunRecord>> {
    let row = bound(
        "SELECT * FROM phiseal_runs WHERE table_label = ? AND finished_at IS NULL",
        [Bind::Text(table_label.to_owned())],
    )
    .fetch_optional(conn)
    .await
    .map_err(fault::of)?;
    row.as_ref().map(run_record).transpose()
}

/// The newest runs, unfinished ones first.
pub(super) async fn runs(conn: &mut SqliteConnection, limit: u32) -> Result<Vec<RunRecord>> {
    let rows = bound(
        "SELECT * FROM phiseal_runs ORDER BY finished_at IS NULL DESC, run_id DESC LIMIT ?",
        [Bind::Integer(i64::from(limit))],
    )
    .fetch_all(conn)
    .await
    .map_err(fault::of)?;
    rows.iter().map(run_record).collect()
}

/// Begins a run, if its table has no unfinished run.
pub(super) async fn begin_run(
    conn: &mut SqliteConnection,
    run: &RunRecord,
    lanes: &[NewLane],
) -> Result<i64> {
    let mut transaction = connection::write_transaction(conn).await?;
    if let Some(open) = open_run(&mut transaction, &run.table_label).await? {
        return Err(StoreError::Held {
            holder: holder_of(&mut transaction, &open).await?,
            table: run.table_label.clone(),
        });
    }
    let row = statement(
        "INSERT INTO phiseal_runs (kind, table_label, digest, state, params, actor) \
         VALUES (?, ?, ?, 'running', ?, ?) RETURNING run_id",
    )
    .bind(run.kind.as_str())
    .bind(run.table_label.clone())
    .bind(run.digest.clone())
    .bind(run.params.clone())
    .bind(run.actor.clone())
    .fetch_one(&mut *transaction)
    .await
    .map_err(fault::of)?;
    let run_id = row.try_get(0).map_err(fault::of)?;
    insert_lanes(&mut transaction, run_id, lanes).await?;
    connection::commit(transaction).await?;
    Ok(run_id)
}

async fn holder_of(conn: &mut SqliteConnection, run: &RunRecord) -> Result<String> {
    let held = lanes(conn, run.run_id)
        .await?
        .into_iter()
        .find_map(|lane| lane.holder);
    let held = held
        .map(|holder| format!(", held by {holder}"))
        .unwrap_or_default();
    Ok(format!("run {} ({}){held}", run.run_id, run.kind))
}

/// Adds lanes to a run.
pub(super) async fn add_lanes(
    conn: &mut SqliteConnection,
    run_id: i64,
    lanes: &[NewLane],
) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    insert_lanes(&mut transaction, run_id, lanes).await?;
    connection::commit(transaction).await
}

async fn insert_lanes(conn: &mut SqliteConnection, run_id: i64, lanes: &[NewLane]) -> Result<()> {
    for lane in lanes {
        statement(
            "INSERT INTO phiseal_lanes (run_id, lane_no, relation, lower, upper) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(run_id)
        .bind(lane.lane_no)
        .bind(lane.relation.clone())
        .bind(lane.lower.clone())
        .bind(lane.upper.clone())
        .execute(&mut *conn)
        .await
        .map_err(fault::of)?;
    }
    Ok(())
}

/// Ends or interrupts a run, and records the sums of its lanes.
pub(super) async fn end_run(
    conn: &mut SqliteConnection,
    run_id: i64,
    state: RunState,
    error_code: Option<&str>,
) -> Result<LaneTally> {
    let mut transaction = connection::write_transaction(conn).await?;
    let mut sum = LaneTally::default();
    for lane in lanes(&mut transaction, run_id).await? {
        sum += lane.tally;
    }
    let ended = statement(
        "UPDATE phiseal_runs SET state = ?1, error_code = ?2, rows_found = ?3, rows_written = ?4, \
         values_written = ?5, conflicts = ?6, quarantined = ?7, finished_at = \
         CASE WHEN ?1 IN ('done', 'failed') THEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') END \
         WHERE run_id = ?8 AND finished_at IS NULL",
    )
    .bind(state.as_str())
    .bind(error_code.map(str::to_owned))
    .bind(sum.rows_found)
    .bind(sum.rows_written)
    .bind(sum.values_written)
    .bind(sum.conflicts)
    .bind(sum.quarantined)
    .bind(run_id)
    .execute(&mut *transaction)
    .await
    .map_err(fault::of)?;
    if ended.rows_affected() != 1 {
        // The run has ended already: by this very call, whose answer was lost, or by another
        // process that worked on the same run.
        exists(&mut transaction, run_id).await?;
    }
    if matches!(state, RunState::Done | RunState::Failed) {
        // Cursors may be PHI, and are not needed any more.
        bound(
            "UPDATE phiseal_lanes SET cursor = NULL, lower = NULL, upper = NULL, holder = NULL, \
             lease_until = NULL WHERE run_id = ?",
            [Bind::Integer(run_id)],
        )
        .execute(&mut *transaction)
        .await
        .map_err(fault::of)?;
    }
    connection::commit(transaction).await?;
    Ok(sum)
}

/// Ends a run on which no live worker works.
pub(super) async fn abandon(
    conn: &mut SqliteConnection,
    run_id: i64,
    error_code: &str,
    dead: &[Holder],
) -> Result<Option<Holder>> {
    let mut transaction = connection::write_transaction(conn).await?;
    let mut sum = LaneTally::default();
    for lane in lanes(&mut transaction, run_id).await? {
        sum += lane.tally;
        let leased = lane.lease_left_seconds.is_some_and(|left| left > 0.0);
        if let Some(holder) = lane.holder.map(Holder).filter(|_| leased)
            && !dead.contains(&holder)
        {
            transaction.rollback().await.map_err(fault::of)?;
            return Ok(Some(holder));
        }
    }
    bound(
        "UPDATE phiseal_lanes SET state = 'done', fence = fence + 1, cursor = NULL, lower = NULL, upper = NULL, \
         holder = NULL, lease_until = NULL WHERE run_id = ?",
        [Bind::Integer(run_id)],
    )
    .execute(&mut *transaction)
    .await
    .map_err(fault::of)?;
    let binds = [
        Bind::Text(error_code.to_owned()),
        Bind::Integer(sum.rows_found),
        Bind::Integer(sum.rows_written),
        Bind::Integer(sum.values_written),
        Bind::Integer(sum.conflicts),
        Bind::Integer(sum.quarantined),
        Bind::Integer(run_id),
    ];
    let ended = bound(
        "UPDATE phiseal_runs SET state = 'failed', error_code = ?, rows_found = ?, rows_written = ?, \
         values_written = ?, conflicts = ?, quarantined = ?, finished_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE run_id = ? AND finished_at IS NULL",
        binds,
    )
    .execute(&mut *transaction)
    .await
    .map_err(fault::of)?;
    unfinished(ended.rows_affected())?;
    connection::commit(transaction).await?;
    Ok(None)
}

/// Marks an interrupted run as running again.
pub(super) async fn resume_run(conn: &mut SqliteConnection, run_id: i64) -> Result<()> {
    let resumed = bound(
        "UPDATE phiseal_runs SET state = 'running', error_code = NULL \
         WHERE run_id = ? AND finished_at IS NULL",
        [Bind::Integer(run_id)],
    )
    .execute(conn)
    .await
    .map_err(fault::of)?;
    unfinished(resumed.rows_affected())
}

async fn exists(conn: &mut SqliteConnection, run_id: i64) -> Result<()> {
    let row = bound(
        "SELECT count(*) FROM phiseal_runs WHERE run_id = ?",
        [Bind::Integer(run_id)],
    )
    .fetch_one(conn)
    .await
    .map_err(fault::of)?;
    let rows: i64 = row.try_get(0).map_err(fault::of)?;
    match rows {
        1 => Ok(()),
        _ => Err(StoreError::Missing {
            what: "the run".to_owned(),
        }),
    }
}

fn unfinished(rows: u64) -> Result<()> {
    match rows {
        1 => Ok(()),
        _ => Err(StoreError::Missing {
            what: "the unfinished run".to_owned(),
        }),
    }
}

/// The lanes of a run.
pub(super) async fn lanes(conn: &mut SqliteConnection, run_id: i64) -> Result<Vec<LaneRecord>> {
    let sql = format!("SELECT {LANE} FROM phiseal_lanes WHERE run_id = ? ORDER BY lane_no");
    let rows = bound(sql, [Bind::Integer(run_id)])
        .fetch_all(conn)
        .await
        .map_err(fault::of)?;
    rows.iter().map(lane_record).collect()
}

/// Claims a lane that is free, or whose holder is dead.
pub(super) async fn claim_lane(
    conn: &mut SqliteConnection,
    run_id: i64,
    holder: &Holder,
    dead: &[Holder],
    lease_seconds: u32,
) -> Result<Option<LaneRecord>> {
    let sql = format!(
        "UPDATE phiseal_lanes SET holder = ?, fence = fence + 1, \
         lease_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ? || ' seconds'), \
         updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE run_id = ? AND lane_no = (SELECT min(lane_no) FROM phiseal_lanes \
         WHERE run_id = ? AND state = 'open' AND (holder IS NULL OR lease_until IS NULL \
         OR holder = ? OR julianday(lease_until) <= julianday('now') OR holder IN ({}))) RETURNING {LANE}",
        vec!["?"; dead.len()].join(", "),
    );
    let mut binds = vec![
        Bind::Text(holder.0.clone()),
        Bind::Integer(i64::from(lease_seconds)),
        Bind::Integer(run_id),
        Bind::Integer(run_id),
        Bind::Text(holder.0.clone()),
    ];
    binds.extend(dead.iter().map(|dead| Bind::Text(dead.0.clone())));
    let mut transaction = connection::write_transaction(conn).await?;
    let row = bound(sql, binds)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(fault::of)?;
    let lane = row.as_ref().map(lane_record).transpose()?;
    connection::commit(transaction).await?;
    Ok(lane)
}

/// Releases a lane, if it is still this holder's.
pub(super) async fn release_lane(
    conn: &mut SqliteConnection,
    stamp: &LaneStamp,
    done: bool,
) -> Result<()> {
    statement(
        "UPDATE phiseal_lanes SET holder = NULL, lease_until = NULL, \
         state = CASE WHEN ? THEN 'done' ELSE state END, \
         updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE run_id = ? AND lane_no = ? AND fence = ?",
    )
    .bind(done)
    .bind(stamp.run_id)
    .bind(stamp.lane_no)
    .bind(stamp.fence)
    .execute(conn)
    .await
    .map(|_| ())
    .map_err(fault::of)
}

/// Reads the lane when no other transaction can be changing it: under the write lock.
pub(super) async fn lane_after_commit(
    conn: &mut SqliteConnection,
    run_id: i64,
    lane_no: i32,
) -> Result<LaneRecord> {
    let mut transaction = connection::write_transaction(conn).await?;
    let found = lanes(&mut transaction, run_id).await?;
    transaction.rollback().await.map_err(fault::of)?;
    found
        .into_iter()
        .find(|lane| lane.lane_no == lane_no)
        .ok_or_else(|| StoreError::Missing {
            what: "the lane".to_owned(),
        })
}

fn tally(row: &SqliteRow) -> std::result::Result<LaneTally, sqlx::Error> {
    Ok(LaneTally {
        rows_found: row.try_get("rows_found")?,
        rows_written: row.try_get("rows_written")?,
        values_written: row.try_get("values_written")?,
        conflicts: row.try_get("conflicts")?,
        quarantined: row.try_get("quarantined")?,
    })
}

fn lane_record(row: &SqliteRow) -> Result<LaneRecord> {
    let record = || -> std::result::Result<LaneRecord, sqlx::Error> {
        Ok(LaneRecord {
            run_id: row.try_get("run_id")?,
            lane_no: row.try_get("lane_no")?,
            relation: row.try_get("relation")?,
            lower: row.try_get("lower")?,
            upper: row.try_get("upper")?,
            cursor: row.try_get("cursor")?,
            seq: row.try_get("seq")?,
            fence: row.try_get("fence")?,
            holder: row.try_get("holder")?,
            lease_left_seconds: row.try_get("lease_left")?,
            done: row.try_get::<&str, _>("state")? == "done",
            tally: tally(row)?,
        })
    };
    record().map_err(fault::of)
}

fn run_record(row: &SqliteRow) -> Result<RunRecord> {
    let word = |column: &str| row.try_get::<String, _>(column).map_err(fault::of);
    let unexpected = |what| StoreError::Unexpected { what };
    let kind = word("kind")?
        .parse()
        .map_err(|()| unexpected("the kind of a run"))?;
    let state = word("state")?
        .parse()
        .map_err(|()| unexpected("the state of a run"))?;
    let record = || -> std::result::Result<RunRecord, sqlx::Error> {
        Ok(RunRecord {
            run_id: row.try_get("run_id")?,
            kind,
            table_label: row.try_get("table_label")?,
            digest: row.try_get("digest")?,
            state,
            params: row.try_get("params")?,
            started_at: row.try_get("started_at")?,
            finished_at: row.try_get("finished_at")?,
            actor: row.try_get("actor")?,
            tally: tally(row)?,
            error_code: row.try_get("error_code")?,
        })
    };
    record().map_err(fault::of)
}

#[cfg(test)]
mod tests;
