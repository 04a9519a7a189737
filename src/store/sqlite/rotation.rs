//! Rotations, rewraps and changes of a key's state, in their tables.
//! Owns the handover from one key to another: one transaction, under the write lock from its start,
//! with its audit entry. A batch holds that lock too, and so does an application's write while the
//! guard checks its key. So the handover waits for writers, and afterwards nobody seals under the
//! old key.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::SqliteStore;
use super::audit;
use super::connection::{commit, write_transaction};
use super::fault;
use super::key_table::{self, due_modifiers};
use super::shape::joined;
use super::statement::{Bind, bound, statement};
use crate::crypto::KeyId;
use crate::keys::rotation::COMPLETE;
use crate::keys::{
    ChangeRow, Handover, KeyStatus, KeyTransition, Notary, Rewrapped, RotationCounts, RotationEnd,
    RotationPeriod, RotationRecord, RotationTable,
};
use crate::store::{Result, StoreError};

const NOW: &str = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// The index that allows one unfinished rotation for each key.
const ONE_OPEN: &str = "phiseal_key_rotation_history_one_open";

#[async_trait]
impl RotationTable for SqliteStore {
    async fn move_key(
        &self,
        key_id: KeyId,
        from: KeyStatus,
        to: KeyStatus,
        actor: &str,
        reason: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let mut conn = self.control.lock().await;
        let mut transaction = write_transaction(&mut conn).await?;
        let before = audit::newest_change(&mut transaction).await?;
        if !set_status(&mut transaction, key_id, from, to, actor, reason).await? {
            return Ok(false);
        }
        audit::note(&mut transaction, note, &[], before).await?;
        commit(transaction).await?;
        Ok(true)
    }

    async fn hand_over(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let mut conn = self.control.lock().await;
        let mut transaction = write_transaction(&mut conn).await?;
        let before = audit::newest_change(&mut transaction).await?;
        if !hand_over(&mut transaction, handovers, due, actor).await? {
            return Ok(false);
        }
        audit::note(&mut transaction, note, &[], before).await?;
        commit(transaction).await?;
        Ok(true)
    }

    async fn key_changes(&self, from: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        audit::changes(&mut *self.control.lock().await, from, limit).await
    }

    async fn key_transitions(&self, ids: &[KeyId]) -> Result<Vec<KeyTransition>> {
        let sql = format!(
            "SELECT key_id, from_status, to_status, at, actor, reason FROM phiseal_key_transitions \
             WHERE key_id IN ({}) ORDER BY transition_id",
            joined(ids, ", ", KeyId::to_string)
        );
        let rows = bound(sql, [])
            .fetch_all(&mut *self.control.lock().await)
            .await
            .map_err(fault::of)?;
        rows.iter().map(transition).collect()
    }

    async fn rotations(&self, limit: u32) -> Result<Vec<RotationRecord>> {
        const NEWEST: &str = "SELECT * FROM phiseal_key_rotation_history \
            WHERE finished_at IS NULL OR history_id IN \
            (SELECT history_id FROM phiseal_key_rotation_history ORDER BY history_id DESC LIMIT ?) \
            ORDER BY finished_at IS NOT NULL, history_id DESC";
        let rows = bound(NEWEST, [Bind::Integer(i64::from(limit))])
            .fetch_all(&mut *self.control.lock().await)
            .await
            .map_err(fault::of)?;
        rows.iter().map(record).collect()
    }

    async fn begin_rotations(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<Option<Vec<i64>>> {
        let mut conn = self.control.lock().await;
        let mut transaction = write_transaction(&mut conn).await?;
        let before = audit::newest_change(&mut transaction).await?;
        // If this is cancelled, dropping the transaction rolls it back.
        if !hand_over(&mut transaction, handovers, due, actor).await? {
            return Ok(None);
        }
        let mut opened = Vec::with_capacity(handovers.len());
        for handover in handovers {
            match open(&mut transaction, handover, actor).await {
                Ok(history_id) => opened.push(history_id),
                // The key has an unfinished rotation: another process has just begun it.
                Err(StoreError::RowRefused {
                    constraint: Some(constraint),
                    ..
                }) if constraint.contains(ONE_OPEN) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let mut records = Vec::with_capacity(opened.len());
        for history_id in &opened {
            records.push(one(&mut transaction, *history_id).await?);
        }
        audit::note(&mut transaction, note, &records, before).await?;
        commit(transaction).await?;
        Ok(Some(opened))
    }

    async fn finish_rotations(
        &self,
        ends: &[RotationEnd],
        note: &dyn Notary,
    ) -> Result<Vec<RotationRecord>> {
        let sql = format!(
            "UPDATE phiseal_key_rotation_history AS h SET finished_at = {NOW}, census = ?2, outcome = ?3, \
             run_id = c.run_id, rows_found = c.rows_found, rows_resealed = c.rows_resealed, \
             conflicts = c.conflicts, quarantined = c.quarantined \
             FROM (SELECT max(run_id) AS run_id, coalesce(sum(rows_found), 0) AS rows_found, \
             coalesce(sum(rows_resealed), 0) AS rows_resealed, coalesce(sum(conflicts), 0) AS conflicts, \
             coalesce(sum(quarantined), 0) AS quarantined \
             FROM phiseal_rotation_counts WHERE history_id = ?1) AS c \
             WHERE h.history_id = ?1 AND h.finished_at IS NULL"
        );
        let mut conn = self.control.lock().await;
        let mut transaction = write_transaction(&mut conn).await?;
        let before = audit::newest_change(&mut transaction).await?;
        let mut records = Vec::with_capacity(ends.len());
        let mut ours = Vec::with_capacity(ends.len());
        for end in ends {
            let binds = [
                Bind::Integer(end.history_id),
                Bind::Text(end.census.clone()),
                Bind::Text(end.outcome.to_owned()),
            ];
            let closed = bound(sql.clone(), binds)
                .execute(&mut *transaction)
                .await
                .map_err(fault::of)?;
            let record = one(&mut transaction, end.history_id).await?;
            // A record that was closed already has its entry.
            if closed.rows_affected() > 0 {
                ours.push(record.clone());
            }
            records.push(record);
        }
        if !ours.is_empty() {
            audit::note(&mut transaction, note, &ours, before).await?;
        }
        commit(transaction).await?;
        Ok(records)
    }

    async fn begin_rewrap(
        &self,
        from_kek_refs: &str,
        to_kek_ref: &str,
        reason: &str,
        actor: &str,
    ) -> Result<RotationRecord> {
        let mut conn = self.control.lock().await;
        let mut transaction = write_transaction(&mut conn).await?;
        let binds =
            [from_kek_refs, to_kek_ref, reason, actor].map(|text| Bind::Text(text.to_owned()));
        bound(
            "INSERT INTO phiseal_key_rotation_history (kind, from_kek_ref, to_kek_ref, reason, actor) \
             VALUES ('rewrap', ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            binds,
        )
        .execute(&mut *transaction)
        .await
        .map_err(fault::of)?;
        let row = bound(
            "SELECT * FROM phiseal_key_rotation_history WHERE kind = 'rewrap' AND finished_at IS NULL",
            [],
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(fault::of)?;
        let record = record(&row)?;
        commit(transaction).await?;
        Ok(record)
    }

    async fn rewrap_keys(
        &self,
        history_id: i64,
        keys: &[Rewrapped],
        note: &dyn Notary,
    ) -> Result<u64> {
        const STORE: &str = "UPDATE phiseal_encryption_keys SET wrapped_key = ?, kek_ref = ? \
            WHERE key_id = ? AND kek_ref = ? AND status <> 'destroyed'";
        let mut conn = self.control.lock().await;
        let mut transaction = write_transaction(&mut conn).await?;
        let before = audit::newest_change(&mut transaction).await?;
        let mut stored = 0;
        for key in keys {
            let binds = [
                Bind::Blob(key.wrapped_key.clone()),
                Bind::Text(key.to_kek_ref.clone()),
                Bind::Integer(i64::from(key.key_id.get())),
                Bind::Text(key.from_kek_ref.clone()),
            ];
            stored += bound(STORE, binds)
                .execute(&mut *transaction)
                .await
                .map_err(fault::of)?
                .rows_affected();
        }
        bound(
            "UPDATE phiseal_key_rotation_history SET rows_found = rows_found + ?2, \
             rows_resealed = rows_resealed + ?2 WHERE history_id = ?1",
            [
                Bind::Integer(history_id),
                Bind::Integer(stored.cast_signed()),
            ],
        )
        .execute(&mut *transaction)
        .await
        .map_err(fault::of)?;
        if stored > 0 {
            let record = one(&mut transaction, history_id).await?;
            audit::note(&mut transaction, note, &[record], before).await?;
        }
        commit(transaction).await?;
        Ok(stored)
    }

    async fn finish_rewrap(&self, history_id: i64, note: &dyn Notary) -> Result<RotationRecord> {
        let sql = format!(
            "UPDATE phiseal_key_rotation_history SET finished_at = {NOW}, outcome = ? \
             WHERE history_id = ? AND finished_at IS NULL"
        );
        let mut conn = self.control.lock().await;
        let mut transaction = write_transaction(&mut conn).await?;
        let before = audit::newest_change(&mut transaction).await?;
        let binds = [Bind::Text(COMPLETE.to_owned()), Bind::Integer(history_id)];
        let closed = bound(sql, binds)
            .execute(&mut *transaction)
            .await
            .map_err(fault::of)?;
        let record = one(&mut transaction, history_id).await?;
        if closed.rows_affected() > 0 {
            let ours = std::slice::from_ref(&record);
            audit::note(&mut transaction, note, ours, before).await?;
        }
        commit(transaction).await?;
        Ok(record)
    }
}

/// Moves the keys of handovers, old ones first, since only one may be active. `false` if a key is
/// not in the expected state.
pub(super) async fn hand_over(
    conn: &mut SqliteConnection,
    handovers: &[Handover],
    due: RotationPeriod,
    actor: &str,
) -> Result<bool> {
    let ids: Vec<KeyId> = handovers.iter().flat_map(|h| [h.from, h.to]).collect();
    let keys = key_table::records(conn, Some(&ids)).await?;
    let is: HashMap<KeyId, KeyStatus> = keys.iter().map(|key| (key.key_id, key.status)).collect();
    let stands = |id: KeyId, status: KeyStatus| is.get(&id) == Some(&status);
    if !handovers
        .iter()
        .all(|h| stands(h.from, h.from_is) && stands(h.to, h.to_is))
    {
        return Ok(false);
    }
    let old = handovers
        .iter()
        .map(|h| (h, h.from, h.from_is, h.from_becomes));
    let new = handovers.iter().map(|h| (h, h.to, h.to_is, h.to_becomes));
    let sql = format!(
        "UPDATE phiseal_encryption_keys SET status = ?1, changed_by = ?2, \
         reason = CASE ?1 WHEN 'active' THEN reason ELSE ?3 END, rotation_due_at = CASE ?1 \
         WHEN 'active' THEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now', {}) ELSE rotation_due_at END \
         WHERE key_id = ?4",
        due_modifiers(due)
    );
    for (handover, id, is, becomes) in old.chain(new) {
        if is == becomes {
            continue;
        }
        let binds = [
            Bind::Text(becomes.as_str().to_owned()),
            Bind::Text(actor.to_owned()),
            Bind::Text(handover.reason.clone()),
            Bind::Integer(i64::from(id.get())),
        ];
        bound(sql.clone(), binds)
            .execute(&mut *conn)
            .await
            .map_err(fault::of)?;
    }
    Ok(true)
}

/// Moves one key, if it is in the state `from`.
pub(super) async fn set_status(
    conn: &mut SqliteConnection,
    key_id: KeyId,
    from: KeyStatus,
    to: KeyStatus,
    actor: &str,
    reason: &str,
) -> Result<bool> {
    let wiped = match to {
        KeyStatus::Destroyed => ", wrapped_key = NULL",
        _ => "",
    };
    let moved = statement(format!(
        "UPDATE phiseal_encryption_keys SET status = ?, changed_by = ?, reason = ?{wiped} \
         WHERE key_id = ? AND status = ?"
    ))
    .bind(to.as_str())
    .bind(actor.to_owned())
    .bind(reason.to_owned())
    .bind(i64::from(key_id.get()))
    .bind(from.as_str())
    .execute(conn)
    .await
    .map_err(fault::of)?;
    Ok(moved.rows_affected() == 1)
}

/// Opens the record of a rotation.
async fn open(conn: &mut SqliteConnection, handover: &Handover, actor: &str) -> Result<i64> {
    let row = statement(
        "INSERT INTO phiseal_key_rotation_history (kind, from_key_id, to_key_id, reason, actor) \
         VALUES (?, ?, ?, ?, ?) RETURNING history_id",
    )
    .bind(handover.kind.as_str())
    .bind(i64::from(handover.from.get()))
    .bind(i64::from(handover.to.get()))
    .bind(handover.reason.clone())
    .bind(actor.to_owned())
    .fetch_one(conn)
    .await
    .map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

async fn one(conn: &mut SqliteConnection, history_id: i64) -> Result<RotationRecord> {
    let row = bound(
        "SELECT * FROM phiseal_key_rotation_history WHERE history_id = ?",
        [Bind::Integer(history_id)],
    )
    .fetch_one(conn)
    .await
    .map_err(fault::of)?;
    record(&row)
}

fn unexpected() -> StoreError {
    StoreError::Unexpected {
        what: "a record of a rotation of another form than this program makes",
    }
}

fn record(row: &SqliteRow) -> Result<RotationRecord> {
    let text = |column: &str| row.try_get::<String, _>(column).map_err(fault::of);
    let maybe = |column: &str| row.try_get::<Option<String>, _>(column).map_err(fault::of);
    let number = |column: &str| row.try_get::<i64, _>(column).map_err(fault::of);
    let key = |column: &str| -> Result<Option<KeyId>> {
        let id: Option<i64> = row.try_get(column).map_err(fault::of)?;
        id.map(|id| KeyId::new(id).ok_or_else(unexpected))
            .transpose()
    };
    Ok(RotationRecord {
        history_id: number("history_id")?,
        kind: text("kind")?.parse().map_err(|()| unexpected())?,
        from_key_id: key("from_key_id")?,
        to_key_id: key("to_key_id")?,
        from_kek_ref: maybe("from_kek_ref")?,
        to_kek_ref: maybe("to_kek_ref")?,
        reason: text("reason")?,
        started_at: text("started_at")?,
        finished_at: maybe("finished_at")?,
        actor: text("actor")?,
        counts: RotationCounts {
            rows_found: number("rows_found")?,
            rows_resealed: number("rows_resealed")?,
            conflicts: number("conflicts")?,
            quarantined: number("quarantined")?,
        },
        census: maybe("census")?,
        outcome: maybe("outcome")?,
    })
}

fn transition(row: &SqliteRow) -> Result<KeyTransition> {
    let status = |text: String| text.parse::<KeyStatus>().map_err(|_| unexpected());
    let key_id: i64 = row.try_get("key_id").map_err(fault::of)?;
    let from: Option<String> = row.try_get("from_status").map_err(fault::of)?;
    Ok(KeyTransition {
        key_id: KeyId::new(key_id).ok_or_else(unexpected)?,
        from: from.map(status).transpose()?,
        to: status(row.try_get("to_status").map_err(fault::of)?)?,
        at: row.try_get("at").map_err(fault::of)?,
        actor: row.try_get("actor").map_err(fault::of)?,
        reason: row.try_get("reason").map_err(fault::of)?,
    })
}

#[cfg(test)]
mod tests;
