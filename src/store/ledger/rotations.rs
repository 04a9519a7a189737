//! Rotations and rewraps, `key_rotation_history`, and the states that keys went through,
//! `key_transitions`.
//! Owns their SQL and the counters of rotations by lane. A finished record never changes.

use sqlx::Row;

use super::dialect::Dialect;
use super::session::{
    Bind, Number, Session, Statement, id_list, key, optional_key, optional_word, own_row,
    rows_at_once, statement, word,
};
use crate::crypto::KeyId;
use crate::keys::rotation::COMPLETE;
use crate::keys::{Handover, KeyTransition, RotationCounts, RotationEnd, RotationRecord};
use crate::store::{Result, RotationCount, StoreError};

fn select(dialect: &impl Dialect, rest: &str) -> String {
    format!(
        "SELECT history_id, kind, CAST(from_key_id AS bigint) AS from_key_id, \
           CAST(to_key_id AS bigint) AS to_key_id, from_kek_ref, to_kek_ref, reason, {} AS started_at, \
           {} AS finished_at, actor, rows_found, rows_resealed, conflicts, quarantined, census, outcome \
         FROM {} {rest}",
        dialect.time_text("started_at"),
        dialect.time_text("finished_at"),
        dialect.table("key_rotation_history"),
    )
}

/// Rotations and rewraps: the unfinished ones, and the newest ones up to `limit`.
pub(crate) async fn list<S: Session>(session: &mut S, limit: u32) -> Result<Vec<RotationRecord>> {
    let table = session.dialect().table("key_rotation_history");
    let rest = format!(
        "WHERE finished_at IS NULL OR history_id IN \
           (SELECT history_id FROM {table} ORDER BY history_id DESC LIMIT $1) \
         ORDER BY finished_at IS NOT NULL, history_id DESC"
    );
    let sql = select(session.dialect(), &rest);
    session.fetch(statement(sql).bind(limit)).await
}

/// The records with these numbers, in this order. A missing record is an error.
pub(crate) async fn of_numbers<S: Session>(
    session: &mut S,
    numbers: &[i64],
) -> Result<Vec<RotationRecord>> {
    let rest = format!("WHERE history_id IN ({})", id_list(numbers.iter().copied()));
    let sql = select(session.dialect(), &rest);
    let records: Vec<RotationRecord> = session.fetch(statement(sql)).await?;
    let of_number = |number: &i64| {
        let found = records.iter().find(|record| record.history_id == *number);
        found.cloned().ok_or(StoreError::unexpected(
            "a record of a rotation that is not there",
        ))
    };
    numbers.iter().map(of_number).collect()
}

/// Opens a record for each handover; returns their numbers. `None` if one of the keys has an
/// unfinished rotation, which another process has just begun.
pub(crate) async fn open<S: Session>(
    session: &mut S,
    handovers: &[Handover],
    actor: &str,
) -> Result<Option<Vec<i64>>> {
    let table = session.dialect().table("key_rotation_history");
    let mut opened: Vec<Opened> = Vec::with_capacity(handovers.len());
    for part in handovers.chunks(rows_at_once(5)) {
        let mut insert = statement(format!(
            "INSERT INTO {table} (kind, from_key_id, to_key_id, reason, actor) VALUES"
        ));
        for handover in part {
            insert = insert.row([
                handover.kind.as_str().into(),
                handover.from.into(),
                handover.to.into(),
                Bind::from(&handover.reason),
                actor.into(),
            ]);
        }
        let insert =
            insert.then(" RETURNING history_id, CAST(from_key_id AS bigint) AS from_key_id");
        match session.fetch(insert).await {
            Ok(rows) => opened.extend(rows),
            Err(error) if session.dialect().is_duplicate(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    let number = |handover: &Handover| {
        let found = opened.iter().find(|row| row.from == handover.from);
        found.map(|row| row.history_id)
    };
    Ok(handovers.iter().map(number).collect())
}

/// A record that was just opened.
struct Opened {
    history_id: i64,
    from: KeyId,
}

own_row!(Opened, "the record of a rotation", |row| Self {
    history_id: row.try_get("history_id")?,
    from: key(row, "from_key_id")?,
});

/// Closes records with the counts of their lanes and the census. Returns the numbers of those that
/// were open.
pub(crate) async fn close<S: Session>(session: &mut S, ends: &[RotationEnd]) -> Result<Vec<i64>> {
    let sum = |column: &str| format!("CAST(sum({column}) AS bigint) AS {column}");
    let rest = format!(
        ") UPDATE {history} AS h SET finished_at = {now}, census = e.census, outcome = e.outcome, \
           run_id = c.run_id, rows_found = coalesce(c.rows_found, 0), \
           rows_resealed = coalesce(c.rows_resealed, 0), conflicts = coalesce(c.conflicts, 0), \
           quarantined = coalesce(c.quarantined, 0) \
         FROM e LEFT JOIN (SELECT history_id AS record, max(run_id) AS run_id, {}, {}, {}, {} \
           FROM {counts} WHERE history_id IN (SELECT id FROM e) GROUP BY history_id) AS c ON c.record = e.id \
         WHERE h.history_id = e.id AND h.finished_at IS NULL RETURNING history_id",
        sum("rows_found"),
        sum("rows_resealed"),
        sum("conflicts"),
        sum("quarantined"),
        history = session.dialect().table("key_rotation_history"),
        now = session.dialect().now(),
        counts = session.dialect().table("rotation_counts"),
    );
    let mut closed = Vec::with_capacity(ends.len());
    for part in ends.chunks(rows_at_once(3)) {
        let mut update = statement("WITH e (id, census, outcome) AS (VALUES");
        for end in part {
            update = update.row([
                end.history_id.into(),
                Bind::from(&end.census),
                end.outcome.into(),
            ]);
        }
        let rows: Vec<Number> = session.fetch(update.then(&rest)).await?;
        closed.extend(rows.into_iter().map(|row| row.0));
    }
    Ok(closed)
}

/// Opens the record of a rewrap, or returns the unfinished one.
pub(crate) async fn open_rewrap<S: Session>(
    session: &mut S,
    from_kek_refs: &str,
    to_kek_ref: &str,
    reason: &str,
    actor: &str,
) -> Result<RotationRecord> {
    let sql = format!(
        "INSERT INTO {} (kind, from_kek_ref, to_kek_ref, reason, actor) VALUES ('rewrap', $1, $2, $3, $4) \
         ON CONFLICT DO NOTHING",
        session.dialect().table("key_rotation_history")
    );
    let insert = statement(sql)
        .bind(from_kek_refs)
        .bind(to_kek_ref)
        .bind(reason)
        .bind(actor);
    session.execute(insert).await?;
    let sql = select(
        session.dialect(),
        "WHERE kind = 'rewrap' AND finished_at IS NULL",
    );
    session
        .fetch_one(statement(sql), "the record of the rewrap")
        .await
}

/// Adds to the number of keys that a rewrap has stored.
pub(crate) async fn count_rewrapped<S: Session>(
    session: &mut S,
    history_id: i64,
    keys: u64,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET rows_found = rows_found + $2, rows_resealed = rows_resealed + $2 WHERE history_id = $1",
        session.dialect().table("key_rotation_history")
    );
    let update = statement(sql).bind(history_id).bind(keys.cast_signed());
    session.execute(update).await?;
    Ok(())
}

/// Closes the record of a rewrap; returns whether it was open.
pub(crate) async fn close_rewrap<S: Session>(session: &mut S, history_id: i64) -> Result<bool> {
    let sql = format!(
        "UPDATE {} SET finished_at = {}, outcome = $2 WHERE history_id = $1 AND finished_at IS NULL",
        session.dialect().table("key_rotation_history"),
        session.dialect().now(),
    );
    let update = statement(sql).bind(history_id).bind(COMPLETE);
    Ok(session.execute(update).await? > 0)
}

/// Every state change of these keys, in the order they happened.
pub(crate) async fn transitions<S: Session>(
    session: &mut S,
    ids: &[KeyId],
) -> Result<Vec<KeyTransition>> {
    let sql = format!(
        "SELECT CAST(key_id AS bigint) AS key_id, from_status, to_status, {} AS at, actor, reason FROM {} \
         WHERE key_id IN ({}) ORDER BY transition_id",
        session.dialect().time_text("at"),
        session.dialect().table("key_transitions"),
        id_list(ids.iter().map(|id| id.get()))
    );
    session.fetch(statement(sql)).await
}

/// Adds to the counters of rotations, one row for each key that values of this lane were sealed under.
#[cfg(feature = "sqlite")]
pub(crate) async fn count<S: Session>(
    session: &mut S,
    run_id: i64,
    lane_no: i32,
    counts: &[RotationCount],
) -> Result<()> {
    for part in counts.chunks(rows_at_once(8)) {
        let add = add_counts(session.dialect(), run_id, lane_no, part);
        session.execute(add).await?;
    }
    Ok(())
}

/// The statement that adds to the counters of rotations, one row for each key that values of this lane
/// were sealed under.
pub(crate) fn add_counts(
    dialect: &impl Dialect,
    run_id: i64,
    lane_no: i32,
    counts: &[RotationCount],
) -> Statement {
    let mut insert = statement(format!(
        "INSERT INTO {} AS c (run_id, lane_no, history_id, from_key_id, rows_found, rows_resealed, conflicts, \
           quarantined) VALUES",
        dialect.table("rotation_counts")
    ));
    for count in counts {
        let done = &count.counts;
        insert = insert.row([
            Bind::from(run_id),
            lane_no.into(),
            count.history_id.into(),
            count.from_key_id.into(),
            done.rows_found.into(),
            done.rows_resealed.into(),
            done.conflicts.into(),
            done.quarantined.into(),
        ]);
    }
    insert.then(
        " ON CONFLICT (run_id, lane_no, history_id, from_key_id) DO UPDATE SET \
           rows_found = c.rows_found + excluded.rows_found, \
           rows_resealed = c.rows_resealed + excluded.rows_resealed, \
           conflicts = c.conflicts + excluded.conflicts, quarantined = c.quarantined + excluded.quarantined",
    )
}

own_row!(
    RotationRecord,
    "a record of a rotation of another form than this program makes",
    |row| RotationRecord {
        history_id: row.try_get("history_id")?,
        kind: word(row, "kind")?,
        from_key_id: optional_key(row, "from_key_id")?,
        to_key_id: optional_key(row, "to_key_id")?,
        from_kek_ref: row.try_get("from_kek_ref")?,
        to_kek_ref: row.try_get("to_kek_ref")?,
        reason: row.try_get("reason")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        actor: row.try_get("actor")?,
        counts: RotationCounts {
            rows_found: row.try_get("rows_found")?,
            rows_resealed: row.try_get("rows_resealed")?,
            conflicts: row.try_get("conflicts")?,
            quarantined: row.try_get("quarantined")?,
        },
        census: row.try_get("census")?,
        outcome: row.try_get("outcome")?,
    }
);

own_row!(
    KeyTransition,
    "a change of a key of another form than this program makes",
    |row| KeyTransition {
        key_id: key(row, "key_id")?,
        from: optional_word(row, "from_status")?,
        to: word(row, "to_status")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        reason: row.try_get("reason")?,
    }
);
