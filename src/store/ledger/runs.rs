//! Runs and their counters. A table has at most one unfinished run.
//! Owns the SQL on `runs`, and the end of a run's lanes.

use sqlx::Row;

use super::dialect::Dialect;
use super::lanes::{self, TALLY, tally};
use super::session::{Number, Session, own_row, statement, word};
use crate::store::record::GIVEN_UP;
use crate::store::{Holder, LaneTally, NewLane, Result, RunRecord, RunState, StoreError};

/// How long ending a run for good waits for a batch in progress.
const ABANDON_WAIT_SECONDS: u32 = 10;

fn select(dialect: &impl Dialect, rest: &str) -> String {
    format!(
        "SELECT run_id, kind, table_label, digest, state, params, {} AS started_at, {} AS finished_at, actor, \
         {TALLY}, error_code FROM {} {rest}",
        dialect.time_text("started_at"),
        dialect.time_text("finished_at"),
        dialect.table("runs"),
    )
}

/// The unfinished run of a table.
pub(crate) async fn open_run<S: Session>(
    session: &mut S,
    table_label: &str,
) -> Result<Option<RunRecord>> {
    let sql = select(
        session.dialect(),
        "WHERE table_label = $1 AND finished_at IS NULL",
    );
    session
        .fetch_optional(statement(sql).bind(table_label))
        .await
}

/// The newest runs, unfinished ones first.
pub(crate) async fn list<S: Session>(session: &mut S, limit: u32) -> Result<Vec<RunRecord>> {
    let sql = select(
        session.dialect(),
        "ORDER BY finished_at IS NOT NULL, run_id DESC LIMIT $1",
    );
    session.fetch(statement(sql).bind(limit)).await
}

/// Begins a run with its lanes, if its table has no unfinished run.
pub(crate) async fn begin<S: Session>(
    session: &mut S,
    run: &RunRecord,
    new_lanes: &[NewLane],
) -> Result<i64> {
    let held = |holder: String| StoreError::Held {
        table: run.table_label.clone(),
        holder,
    };
    if let Some(open) = open_run(session, &run.table_label).await? {
        return Err(held(holder_of(session, &open).await?));
    }
    let sql = format!(
        "INSERT INTO {} (kind, table_label, digest, state, params, started_at, actor) \
         VALUES ($1, $2, $3, 'running', $4, {}, $5) RETURNING run_id",
        session.dialect().table("runs"),
        session.dialect().now(),
    );
    let insert = statement(sql)
        .bind(run.kind.as_str())
        .bind(&run.table_label)
        .bind(&run.digest)
        .bind(&run.params)
        .bind(&run.actor);
    let begun = session.fetch_one(insert, "the run").await;
    let Number(run_id) = match begun {
        // Another process was first, after the look above.
        Err(error) if session.dialect().is_duplicate(&error) => {
            return Err(held("a run that has just begun".to_owned()));
        }
        other => other?,
    };
    lanes::insert(session, run_id, new_lanes).await?;
    Ok(run_id)
}

async fn holder_of<S: Session>(session: &mut S, run: &RunRecord) -> Result<String> {
    let lanes = lanes::list(session, run.run_id).await?;
    let held = lanes.into_iter().find_map(|lane| lane.holder);
    let held = held
        .map(|holder| format!(", held by {holder}"))
        .unwrap_or_default();
    Ok(format!("run {} ({}){held}", run.run_id, run.kind))
}

/// Ends or interrupts a run, and records the sums of its lanes.
pub(crate) async fn end<S: Session>(
    session: &mut S,
    run_id: i64,
    state: RunState,
    error_code: Option<&str>,
) -> Result<LaneTally> {
    let is_final = matches!(state, RunState::Done | RunState::Failed);
    set_end(session, run_id, state, error_code, is_final).await?;
    if is_final {
        // Cursors and bounds may be PHI and are no longer needed.
        let sql = format!(
            "UPDATE {} SET cursor = NULL, lower = NULL, upper = NULL, holder = NULL, lease_until = NULL \
             WHERE run_id = $1",
            session.dialect().table("lanes")
        );
        session.execute(statement(sql).bind(run_id)).await?;
    }
    // If the run has ended already (by this same call, whose answer was lost, or by another process
    // that worked on it), these are the counters of its audit entry too.
    let sql = format!(
        "SELECT {TALLY} FROM {} WHERE run_id = $1",
        session.dialect().table("runs")
    );
    session
        .fetch_one(statement(sql).bind(run_id), "the run")
        .await
}

/// Sets the end of a run that has not ended, with the sums of its lanes; returns whether there was one.
async fn set_end<S: Session>(
    session: &mut S,
    run_id: i64,
    state: RunState,
    error_code: Option<&str>,
    is_final: bool,
) -> Result<bool> {
    let sum = |column: &str| format!("CAST(coalesce(sum({column}), 0) AS bigint) AS {column}");
    let sql = format!(
        "UPDATE {} AS r SET state = $2, error_code = $3, finished_at = CASE WHEN $4 THEN {} END, \
           rows_found = l.rows_found, rows_written = l.rows_written, values_written = l.values_written, \
           conflicts = l.conflicts, quarantined = l.quarantined \
         FROM (SELECT {}, {}, {}, {}, {} FROM {} WHERE run_id = $1) AS l \
         WHERE r.run_id = $1 AND r.finished_at IS NULL",
        session.dialect().table("runs"),
        session.dialect().now(),
        sum("rows_found"),
        sum("rows_written"),
        sum("values_written"),
        sum("conflicts"),
        sum("quarantined"),
        session.dialect().table("lanes"),
    );
    let statement = statement(sql)
        .bind(run_id)
        .bind(state.as_str())
        .bind(error_code)
        .bind(is_final);
    Ok(session.execute(statement).await? == 1)
}

/// Ends a run that no living process works on. Locks its lanes first, which waits for a batch in
/// progress. Does nothing and returns the holder if one that is not in `dead` has a lease.
pub(crate) async fn abandon<S: Session>(
    session: &mut S,
    run_id: i64,
    error_code: &str,
    dead: &[Holder],
) -> Result<Option<Holder>> {
    session.limit_lock_wait(ABANDON_WAIT_SECONDS).await?;
    for lane in lanes::locked(session, run_id).await? {
        let is_leased = lane.lease_left_seconds.is_some_and(|left| left > 0.0);
        if let Some(holder) = lane.holder.map(Holder).filter(|_| is_leased)
            && !dead.contains(&holder)
        {
            return Ok(Some(holder));
        }
    }
    let sql = format!(
        "UPDATE {} SET state = 'done', fence = fence + 1, cursor = NULL, lower = NULL, upper = NULL, \
           holder = NULL, lease_until = NULL WHERE run_id = $1",
        session.dialect().table("lanes")
    );
    session.execute(statement(sql).bind(run_id)).await?;
    let ended = set_end(session, run_id, RunState::Failed, Some(error_code), true).await?;
    unfinished(ended)?;
    give_up_restore(session, run_id).await?;
    Ok(None)
}

/// Ends the restore whose run was given up.
async fn give_up_restore<S: Session>(session: &mut S, run_id: i64) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET finished_at = {}, outcome = $2 WHERE kind = 'restore' AND finished_at IS NULL \
         AND table_label = (SELECT table_label FROM {} WHERE run_id = $1 AND kind = 'restore')",
        session.dialect().table("procedures"),
        session.dialect().now(),
        session.dialect().table("runs"),
    );
    let update = statement(sql).bind(run_id).bind(GIVEN_UP);
    session.execute(update).await?;
    Ok(())
}

/// Marks an interrupted run as running again.
pub(crate) async fn resume<S: Session>(session: &mut S, run_id: i64) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET state = 'running', error_code = NULL WHERE run_id = $1 AND finished_at IS NULL",
        session.dialect().table("runs")
    );
    let resumed = session.execute(statement(sql).bind(run_id)).await?;
    unfinished(resumed == 1)
}

/// Makes a run that is done an unfinished one again; returns `false` if it failed. Does nothing to a
/// run that is unfinished.
pub(crate) async fn reopen<S: Session>(session: &mut S, run: &RunRecord) -> Result<bool> {
    let sql = format!(
        "UPDATE {} SET state = 'running', finished_at = NULL, error_code = NULL \
         WHERE run_id = $1 AND (state = 'done' OR finished_at IS NULL)",
        session.dialect().table("runs")
    );
    match session.execute(statement(sql).bind(run.run_id)).await {
        Err(error) if session.dialect().is_duplicate(&error) => Err(StoreError::Held {
            table: run.table_label.clone(),
            holder: "an unfinished run".to_owned(),
        }),
        reopened => Ok(reopened? == 1),
    }
}

fn unfinished(is_there: bool) -> Result<()> {
    match is_there {
        true => Ok(()),
        false => Err(StoreError::missing("the unfinished run")),
    }
}

own_row!(
    RunRecord,
    "a run of another form than this program makes",
    |row| RunRecord {
        run_id: row.try_get("run_id")?,
        kind: word(row, "kind")?,
        table_label: row.try_get("table_label")?,
        digest: row.try_get("digest")?,
        state: word(row, "state")?,
        params: row.try_get("params")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        actor: row.try_get("actor")?,
        tally: tally!(row),
        error_code: row.try_get("error_code")?,
    }
);
