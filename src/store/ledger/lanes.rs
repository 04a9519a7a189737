//! Lanes: claims under a lease, guarded by `fence` and `seq`.
//! Owns the SQL on `lanes`, except what the end of a run changes there. All times are the database's;
//! PostgreSQL's `clock_timestamp()`, because its `now()` stays the same during a transaction.

use sqlx::Row;

use super::dialect::Dialect;
use super::session::{Bind, Session, Statement, own_row, rows_at_once, statement, word};
use crate::store::{
    Holder, LaneRecord, LaneStamp, LaneTally, LaneUpdate, NewLane, Result, StoreError,
};

/// The counters of a lane and of a run.
pub(super) const TALLY: &str = "rows_found, rows_written, values_written, conflicts, quarantined";

/// Decodes the columns of [`TALLY`].
macro_rules! tally {
    ($row:ident) => {
        $crate::store::LaneTally {
            rows_found: $row.try_get("rows_found")?,
            rows_written: $row.try_get("rows_written")?,
            values_written: $row.try_get("values_written")?,
            conflicts: $row.try_get("conflicts")?,
            quarantined: $row.try_get("quarantined")?,
        }
    };
}
pub(super) use tally;

fn columns(dialect: &impl Dialect) -> String {
    format!(
        "run_id, lane_no, kind, relation, lower, upper, cursor, seq, fence, holder, {} AS lease_left, \
         state = 'done' AS done, {TALLY}",
        dialect.seconds_until("lease_until")
    )
}

/// Adds lanes to a run.
pub(crate) async fn insert<S: Session>(
    session: &mut S,
    run_id: i64,
    lanes: &[NewLane],
) -> Result<()> {
    let table = session.dialect().table("lanes");
    for part in lanes.chunks(rows_at_once(6)) {
        let mut insert = statement(format!(
            "INSERT INTO {table} (run_id, lane_no, kind, relation, lower, upper) VALUES"
        ));
        for lane in part {
            insert = insert.row([
                run_id.into(),
                lane.lane_no.into(),
                lane.kind.as_str().into(),
                Bind::from(&lane.relation),
                (&lane.lower).into(),
                (&lane.upper).into(),
            ]);
        }
        session.execute(insert).await?;
    }
    Ok(())
}

/// The lanes of a run.
pub(crate) async fn list<S: Session>(session: &mut S, run_id: i64) -> Result<Vec<LaneRecord>> {
    select(session, run_id, "").await
}

/// The lanes of a run, which the transaction locks.
pub(super) async fn locked<S: Session>(session: &mut S, run_id: i64) -> Result<Vec<LaneRecord>> {
    let lock = session.dialect().for_update();
    select(session, run_id, lock).await
}

async fn select<S: Session>(session: &mut S, run_id: i64, lock: &str) -> Result<Vec<LaneRecord>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE run_id = $1 ORDER BY lane_no {lock}",
        columns(session.dialect()),
        session.dialect().table("lanes")
    );
    session.fetch(statement(sql).bind(run_id)).await
}

/// Claims a lane that is free: see [`Ledger::claim_lane`](super::Ledger::claim_lane).
pub(crate) async fn claim<S: Session>(
    session: &mut S,
    run_id: i64,
    holder: &Holder,
    dead: &[Holder],
    lease_seconds: u32,
) -> Result<Option<LaneRecord>> {
    let dialect = session.dialect();
    let numbers: Vec<String> = (0..dead.len()).map(|at| format!("${}", at + 5)).collect();
    let is_dead = match numbers.is_empty() {
        true => "1 = 0".to_owned(),
        false => format!("holder IN ({})", numbers.join(", ")),
    };
    let sql = format!(
        "UPDATE {lanes} SET fence = fence + 1, holder = $2, lease_until = {until}, updated_at = {now} \
         WHERE run_id = $1 AND lane_no = (SELECT lane_no FROM {lanes} \
           WHERE run_id = $1 AND state = 'open' AND (holder IS NULL OR holder = $2 OR {is_dead} \
             OR (lease_until < {now} AND substr(holder, 1, length($4)) <> $4)) \
           ORDER BY lane_no LIMIT 1 {lock}) RETURNING {columns}",
        lanes = dialect.table("lanes"),
        until = dialect.seconds_from_now("$3"),
        now = dialect.now(),
        lock = dialect.for_update_skip_locked(),
        columns = columns(dialect),
    );
    let mut claim = statement(sql)
        .bind(run_id)
        .bind(&holder.0)
        .bind(f64::from(lease_seconds))
        .bind(holder.process().unwrap_or("/"));
    for holder in dead {
        claim = claim.bind(&holder.0);
    }
    session.fetch_optional(claim).await
}

/// Gives a lane back, if its row is still as `stamp` says.
pub(crate) async fn release<S: Session>(
    session: &mut S,
    stamp: &LaneStamp,
    done: bool,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET holder = NULL, lease_until = NULL, updated_at = {}, \
           state = CASE WHEN $5 THEN 'done' ELSE state END, \
           cursor = CASE WHEN $5 THEN NULL ELSE cursor END, \
           lower = CASE WHEN $5 THEN NULL ELSE lower END, upper = CASE WHEN $5 THEN NULL ELSE upper END \
         WHERE run_id = $1 AND lane_no = $2 AND fence = $3 AND seq = $4",
        session.dialect().table("lanes"),
        session.dialect().now(),
    );
    let release = statement(sql)
        .bind(stamp.run_id)
        .bind(stamp.lane_no)
        .bind(stamp.fence)
        .bind(stamp.seq)
        .bind(done);
    match session.execute(release).await? {
        0 if done => Err(StoreError::FenceLost),
        _ => Ok(()),
    }
}

/// The lane's row once no other transaction can be changing it. A plain read could return the state
/// before a COMMIT that is in progress; the lock waits for it.
pub(crate) async fn after_commit<S: Session>(
    session: &mut S,
    run_id: i64,
    lane_no: i32,
) -> Result<LaneRecord> {
    let sql = format!(
        "SELECT {} FROM {} WHERE run_id = $1 AND lane_no = $2 {}",
        columns(session.dialect()),
        session.dialect().table("lanes"),
        session.dialect().for_update(),
    );
    let select = statement(sql).bind(run_id).bind(lane_no);
    session.fetch_one(select, "the lane").await
}

/// Moves a lane on: the first statement of a batch.
#[cfg(feature = "sqlite")]
pub(crate) async fn advance<S: Session>(
    session: &mut S,
    stamp: &LaneStamp,
    update: &LaneUpdate,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET seq = seq + 1, cursor = coalesce($5, cursor), lease_until = {}, updated_at = {} \
         WHERE run_id = $1 AND lane_no = $2 AND fence = $3 AND seq = $4 AND state = 'open'",
        session.dialect().table("lanes"),
        session.dialect().seconds_from_now("$6"),
        session.dialect().now(),
    );
    let advance = statement(sql)
        .bind(stamp.run_id)
        .bind(stamp.lane_no)
        .bind(stamp.fence)
        .bind(stamp.seq)
        .bind(&update.cursor)
        .bind(f64::from(update.lease_seconds));
    match session.execute(advance).await? {
        1 => Ok(()),
        _ => Err(StoreError::FenceLost),
    }
}

/// The statement that adds to the counters of a lane, whose row the transaction has locked.
pub(crate) fn add_tally(
    dialect: &impl Dialect,
    run_id: i64,
    lane_no: i32,
    tally: &LaneTally,
) -> Statement {
    statement(format!(
        "UPDATE {} SET rows_found = rows_found + $3, rows_written = rows_written + $4, \
         values_written = values_written + $5, conflicts = conflicts + $6, quarantined = quarantined + $7 \
         WHERE run_id = $1 AND lane_no = $2",
        dialect.table("lanes")
    ))
    .bind(run_id)
    .bind(lane_no)
    .bind(tally.rows_found)
    .bind(tally.rows_written)
    .bind(tally.values_written)
    .bind(tally.conflicts)
    .bind(tally.quarantined)
}

own_row!(
    LaneTally,
    "counters of another form than this program makes",
    |row| tally!(row)
);

own_row!(
    LaneRecord,
    "a lane of another form than this program makes",
    |row| LaneRecord {
        run_id: row.try_get("run_id")?,
        lane_no: row.try_get("lane_no")?,
        kind: word(row, "kind")?,
        relation: row.try_get("relation")?,
        lower: row.try_get("lower")?,
        upper: row.try_get("upper")?,
        cursor: row.try_get("cursor")?,
        seq: row.try_get("seq")?,
        fence: row.try_get("fence")?,
        holder: row.try_get("holder")?,
        lease_left_seconds: row.try_get("lease_left")?,
        done: row.try_get("done")?,
        tally: tally!(row),
    }
);
