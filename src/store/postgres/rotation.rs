//! Rotations, rewraps and key state changes.
//! Owns the SQL on `key_rotation_history`, and the transaction in which one key replaces another,
//! together with its audit entry. Sealing takes no lock on a key, so it does not delay this
//! transaction. A transaction that saw the old key as active is still open when the state changes;
//! the rotation waits for it afterwards.

use async_trait::async_trait;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Postgres, Row, Transaction};

use super::PostgresStore;
use super::audit;
use super::committed;
use super::fault::map;
use super::keys::due_at;
use super::sql::{query, raw, time_text};
use crate::crypto::KeyId;
use crate::keys::rotation::COMPLETE;
use crate::keys::{
    ChangeRow, Handover, KeyStatus, KeyTransition, Notary, Rewrapped, RotationCounts, RotationEnd,
    RotationPeriod, RotationRecord, RotationTable,
};
use crate::store::{Result, StoreError};

/// How long a state change waits for another one before it fails and is tried again.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '2s'";

fn columns() -> String {
    format!(
        "history_id, kind, from_key_id::int8, to_key_id::int8, from_kek_ref, to_kek_ref, reason, \
         {} AS started_at, {} AS finished_at, actor, rows_found, rows_resealed, conflicts, quarantined, census, outcome",
        time_text("started_at"),
        time_text("finished_at")
    )
}

#[async_trait]
impl RotationTable for PostgresStore {
    async fn move_key(
        &self,
        key_id: KeyId,
        from: KeyStatus,
        to: KeyStatus,
        actor: &str,
        reason: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        raw(LOCK_WAIT.to_owned())
            .execute(&mut *tx)
            .await
            .map_err(map)?;
        if !set_status(self, &mut tx, key_id, from, to, actor, reason).await? {
            tx.rollback().await.map_err(map)?;
            return Ok(false);
        }
        audit::note(self, &mut tx, note, &[]).await?;
        committed(tx).await?;
        Ok(true)
    }

    async fn hand_over(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        raw(LOCK_WAIT.to_owned())
            .execute(&mut *tx)
            .await
            .map_err(map)?;
        if !hand_over(self, &mut tx, handovers, due, actor).await? {
            tx.rollback().await.map_err(map)?;
            return Ok(false);
        }
        audit::note(self, &mut tx, note, &[]).await?;
        committed(tx).await?;
        Ok(true)
    }

    async fn key_changes(&self, from: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        audit::changes(self, from, limit).await
    }

    async fn key_transitions(&self, ids: &[KeyId]) -> Result<Vec<KeyTransition>> {
        let mut tx = self.begin().await?;
        let rows = query(format!(
            "SELECT key_id::int8, from_status, to_status, {} AS at, actor, reason FROM {} \
             WHERE key_id = ANY ($1) ORDER BY transition_id",
            time_text("at"),
            self.own("key_transitions")
        ))
        .bind(signed(ids))
        .fetch_all(&mut *tx)
        .await
        .map_err(map)?;
        committed(tx).await?;
        rows.iter().map(transition).collect()
    }

    async fn rotations(&self, limit: u32) -> Result<Vec<RotationRecord>> {
        let mut tx = self.begin().await?;
        let rows = query(format!(
            "SELECT {columns} FROM {table} WHERE finished_at IS NULL OR history_id IN \
               (SELECT history_id FROM {table} ORDER BY history_id DESC LIMIT $1) \
             ORDER BY finished_at IS NOT NULL, history_id DESC",
            columns = columns(),
            table = self.own("key_rotation_history")
        ))
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await
        .map_err(map)?;
        committed(tx).await?;
        rows.iter().map(record).collect()
    }

    async fn begin_rotations(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<Option<Vec<i64>>> {
        let mut tx = self.begin().await?;
        raw(LOCK_WAIT.to_owned())
            .execute(&mut *tx)
            .await
            .map_err(map)?;
        if !hand_over(self, &mut tx, handovers, due, actor).await? {
            tx.rollback().await.map_err(map)?;
            return Ok(None);
        }
        let opened = query(format!(
            "INSERT INTO {} (kind, from_key_id, to_key_id, reason, actor) \
             SELECT h.kind, h.from_id, h.to_id, h.reason, $5 \
             FROM unnest($1::text[], $2::int4[], $3::int4[], $4::text[]) WITH ORDINALITY \
               AS h(kind, from_id, to_id, reason, n) ORDER BY h.n RETURNING history_id",
            self.own("key_rotation_history")
        ))
        .bind(texts(handovers, |h| h.kind.as_str()))
        .bind(ids(handovers, |h| h.from))
        .bind(ids(handovers, |h| h.to))
        .bind(texts(handovers, |h| &h.reason))
        .bind(actor.to_owned())
        .fetch_all(&mut *tx)
        .await;
        let opened = match opened.map_err(map) {
            Ok(rows) => rows,
            // Each key has at most one unfinished rotation: another process has just begun it.
            Err(StoreError::RowRefused { sqlstate, .. }) if sqlstate == "23505" => return Ok(None),
            Err(error) => return Err(error),
        };
        let numbers = opened
            .iter()
            .map(|row| row.try_get(0).map_err(map))
            .collect::<Result<Vec<i64>>>()?;
        let records = of_numbers(self, &mut tx, &numbers).await?;
        audit::note(self, &mut tx, note, &records).await?;
        committed(tx).await?;
        Ok(Some(numbers))
    }

    async fn finish_rotations(
        &self,
        ends: &[RotationEnd],
        note: &dyn Notary,
    ) -> Result<Vec<RotationRecord>> {
        let numbers: Vec<i64> = ends.iter().map(|end| end.history_id).collect();
        let mut tx = self.begin().await?;
        let closed = query(format!(
            "UPDATE {history} AS h SET finished_at = clock_timestamp(), census = e.census, outcome = e.outcome, \
               run_id = c.run_id, rows_found = c.rows_found, rows_resealed = c.rows_resealed, \
               conflicts = c.conflicts, quarantined = c.quarantined \
             FROM unnest($1::int8[], $2::text[], $3::text[]) AS e(history_id, census, outcome) \
             LEFT JOIN LATERAL (SELECT max(run_id) AS run_id, coalesce(sum(rows_found), 0)::int8 AS rows_found, \
                 coalesce(sum(rows_resealed), 0)::int8 AS rows_resealed, \
                 coalesce(sum(conflicts), 0)::int8 AS conflicts, \
                 coalesce(sum(quarantined), 0)::int8 AS quarantined \
               FROM {counts} WHERE history_id = e.history_id) AS c ON true \
             WHERE h.history_id = e.history_id AND h.finished_at IS NULL RETURNING h.history_id",
            history = self.own("key_rotation_history"),
            counts = self.own("rotation_counts"),
        ))
        .bind(numbers.clone())
        .bind(ends.iter().map(|end| end.census.clone()).collect::<Vec<_>>())
        .bind(ends.iter().map(|end| end.outcome.to_owned()).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await
        .map_err(map)?;
        let records = of_numbers(self, &mut tx, &numbers).await?;
        // A rotation that was closed before has its audit entry already.
        let now = closed
            .iter()
            .map(|row| row.try_get(0).map_err(map))
            .collect::<Result<Vec<i64>>>()?;
        let mut ours = records.clone();
        ours.retain(|record| now.contains(&record.history_id));
        if !ours.is_empty() {
            audit::note(self, &mut tx, note, &ours).await?;
        }
        committed(tx).await?;
        Ok(records)
    }

    async fn begin_rewrap(
        &self,
        from_kek_refs: &str,
        to_kek_ref: &str,
        reason: &str,
        actor: &str,
    ) -> Result<RotationRecord> {
        let mut tx = self.begin().await?;
        query(format!(
            "INSERT INTO {} (kind, from_kek_ref, to_kek_ref, reason, actor) VALUES ('rewrap', $1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
            self.own("key_rotation_history")
        ))
        .bind(from_kek_refs.to_owned())
        .bind(to_kek_ref.to_owned())
        .bind(reason.to_owned())
        .bind(actor.to_owned())
        .execute(&mut *tx)
        .await
        .map_err(map)?;
        let row = query(format!(
            "SELECT {} FROM {} WHERE kind = 'rewrap' AND finished_at IS NULL",
            columns(),
            self.own("key_rotation_history")
        ))
        .fetch_one(&mut *tx)
        .await
        .map_err(map)?;
        committed(tx).await?;
        record(&row)
    }

    async fn rewrap_keys(
        &self,
        history_id: i64,
        keys: &[Rewrapped],
        note: &dyn Notary,
    ) -> Result<u64> {
        let mut tx = self.begin().await?;
        let stored = query(format!(
            "UPDATE {} AS k SET wrapped_key = n.wrapped_key, kek_ref = n.to_ref \
             FROM unnest($1::int4[], $2::text[], $3::text[], $4::bytea[]) AS n(key_id, from_ref, to_ref, wrapped_key) \
             WHERE k.key_id = n.key_id AND k.kek_ref = n.from_ref AND k.status <> 'destroyed'",
            self.own("encryption_keys")
        ))
        .bind(keys.iter().map(|k| k.key_id.get().cast_signed()).collect::<Vec<_>>())
        .bind(keys.iter().map(|k| k.from_kek_ref.clone()).collect::<Vec<_>>())
        .bind(keys.iter().map(|k| k.to_kek_ref.clone()).collect::<Vec<_>>())
        .bind(keys.iter().map(|k| k.wrapped_key.clone()).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(map)?
        .rows_affected();
        query(format!(
            "UPDATE {} SET rows_found = rows_found + $2, rows_resealed = rows_resealed + $2 WHERE history_id = $1",
            self.own("key_rotation_history")
        ))
        .bind(history_id)
        .bind(stored.cast_signed())
        .execute(&mut *tx)
        .await
        .map_err(map)?;
        if stored > 0 {
            let records = of_numbers(self, &mut tx, &[history_id]).await?;
            audit::note(self, &mut tx, note, &records).await?;
        }
        committed(tx).await?;
        Ok(stored)
    }

    async fn finish_rewrap(&self, history_id: i64, note: &dyn Notary) -> Result<RotationRecord> {
        let mut tx = self.begin().await?;
        let closed = query(format!(
            "UPDATE {} SET finished_at = clock_timestamp(), outcome = $2 \
             WHERE history_id = $1 AND finished_at IS NULL",
            self.own("key_rotation_history")
        ))
        .bind(history_id)
        .bind(COMPLETE)
        .execute(&mut *tx)
        .await
        .map_err(map)?
        .rows_affected();
        let records = of_numbers(self, &mut tx, &[history_id]).await?;
        if closed > 0 {
            audit::note(self, &mut tx, note, &records).await?;
        }
        committed(tx).await?;
        let record = records.into_iter().next();
        record.ok_or(unknown("a rewrap to be closed that is not there"))
    }
}

/// Changes the states of the keys of these handovers, old keys first, with a lock on each. Returns
/// `false` if a key is not in the expected state.
pub(super) async fn hand_over(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    handovers: &[Handover],
    due: RotationPeriod,
    actor: &str,
) -> Result<bool> {
    let keys = store.own("encryption_keys");
    // Locks in the order of ids, so that two processes that begin the same rotations do not
    // deadlock.
    let rows = query(format!(
        "SELECT key_id::int8, status FROM {keys} WHERE key_id = ANY ($1) ORDER BY key_id FOR UPDATE"
    ))
    .bind(
        handovers
            .iter()
            .flat_map(|h| [h.from, h.to])
            .map(|id| id.get().cast_signed())
            .collect::<Vec<_>>(),
    )
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    let mut is = std::collections::HashMap::new();
    for row in &rows {
        let key_id: i64 = row.try_get(0).map_err(map)?;
        let status: String = row.try_get(1).map_err(map)?;
        is.insert(key_id, status);
    }
    let stands = |id: KeyId, status: KeyStatus| {
        is.get(&i64::from(id.get())).map(String::as_str) == Some(status.as_str())
    };
    if !handovers
        .iter()
        .all(|h| stands(h.from, h.from_is) && stands(h.to, h.to_is))
    {
        return Ok(false);
    }
    let moves = [
        handovers
            .iter()
            .filter(|h| h.from_is != h.from_becomes)
            .map(|h| (h.from, h.from_becomes, h.reason.clone()))
            .collect::<Vec<_>>(),
        handovers
            .iter()
            .filter(|h| h.to_is != h.to_becomes)
            .map(|h| (h.to, h.to_becomes, h.reason.clone()))
            .collect(),
    ];
    for moved in moves.iter().filter(|moved| !moved.is_empty()) {
        query(format!(
            "UPDATE {keys} AS k SET status = m.status, changed_by = $4, \
               reason = CASE WHEN m.status = 'active' THEN k.reason ELSE m.reason END, \
               rotation_due_at = CASE WHEN m.status = 'active' THEN {} ELSE k.rotation_due_at END \
             FROM unnest($1::int4[], $2::text[], $3::text[]) AS m(key_id, status, reason) WHERE k.key_id = m.key_id",
            due_at(due)
        ))
        .bind(moved.iter().map(|(id, _, _)| id.get().cast_signed()).collect::<Vec<_>>())
        .bind(moved.iter().map(|(_, status, _)| status.as_str().to_owned()).collect::<Vec<_>>())
        .bind(moved.iter().map(|(_, _, reason)| reason.clone()).collect::<Vec<_>>())
        .bind(actor.to_owned())
        .execute(&mut **tx)
        .await
        .map_err(map)?;
    }
    Ok(true)
}

/// Changes the state of one key if it is `from`; returns whether it was.
pub(super) async fn set_status(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
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
    let moved = query(format!(
        "UPDATE {} SET status = $3, changed_by = $4, reason = $5{wiped} WHERE key_id = $1 AND status = $2",
        store.own("encryption_keys")
    ))
    .bind(key_id.get().cast_signed())
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(actor.to_owned())
    .bind(reason.to_owned())
    .execute(&mut **tx)
    .await
    .map_err(map)?;
    Ok(moved.rows_affected() == 1)
}

/// The records with these numbers, in this order. A missing record is an error.
async fn of_numbers(
    store: &PostgresStore,
    conn: &mut PgConnection,
    numbers: &[i64],
) -> Result<Vec<RotationRecord>> {
    let rows = query(format!(
        "SELECT h.* FROM unnest($1::int8[]) WITH ORDINALITY AS e(id, n) \
         JOIN (SELECT {} FROM {}) AS h ON h.history_id = e.id ORDER BY e.n",
        columns(),
        store.own("key_rotation_history")
    ))
    .bind(numbers.to_vec())
    .fetch_all(conn)
    .await
    .map_err(map)?;
    if rows.len() != numbers.len() {
        return Err(unknown("a record of a rotation that is not there"));
    }
    rows.iter().map(record).collect()
}

fn texts(handovers: &[Handover], of: impl Fn(&Handover) -> &str) -> Vec<String> {
    handovers.iter().map(|h| of(h).to_owned()).collect()
}

fn ids(handovers: &[Handover], of: impl Fn(&Handover) -> KeyId) -> Vec<i32> {
    handovers
        .iter()
        .map(|h| of(h).get().cast_signed())
        .collect()
}

fn signed(ids: &[KeyId]) -> Vec<i32> {
    ids.iter().map(|id| id.get().cast_signed()).collect()
}

fn unknown(what: &'static str) -> StoreError {
    StoreError::Unexpected { what }
}

fn record(row: &PgRow) -> Result<RotationRecord> {
    let kind: String = row.try_get("kind").map_err(map)?;
    let key = |name: &str| -> Result<Option<KeyId>> {
        let id: Option<i64> = row.try_get(name).map_err(map)?;
        id.map(|id| KeyId::new(id).ok_or(unknown("a key id out of range")))
            .transpose()
    };
    Ok(RotationRecord {
        history_id: row.try_get("history_id").map_err(map)?,
        kind: kind
            .parse()
            .map_err(|()| unknown("a kind of rotation this version does not know"))?,
        from_key_id: key("from_key_id")?,
        to_key_id: key("to_key_id")?,
        from_kek_ref: row.try_get("from_kek_ref").map_err(map)?,
        to_kek_ref: row.try_get("to_kek_ref").map_err(map)?,
        reason: row.try_get("reason").map_err(map)?,
        started_at: row.try_get("started_at").map_err(map)?,
        finished_at: row.try_get("finished_at").map_err(map)?,
        actor: row.try_get("actor").map_err(map)?,
        counts: RotationCounts {
            rows_found: row.try_get("rows_found").map_err(map)?,
            rows_resealed: row.try_get("rows_resealed").map_err(map)?,
            conflicts: row.try_get("conflicts").map_err(map)?,
            quarantined: row.try_get("quarantined").map_err(map)?,
        },
        census: row.try_get("census").map_err(map)?,
        outcome: row.try_get("outcome").map_err(map)?,
    })
}

fn transition(row: &PgRow) -> Result<KeyTransition> {
    let status = |text: String| {
        text.parse()
            .map_err(|_| unknown("a state of a key this version does not know"))
    };
    let key_id: i64 = row.try_get("key_id").map_err(map)?;
    let from: Option<String> = row.try_get("from_status").map_err(map)?;
    Ok(KeyTransition {
        key_id: KeyId::new(key_id).ok_or(unknown("a key id out of range"))?,
        from: from.map(status).transpose()?,
        to: status(row.try_get("to_status").map_err(map)?)?,
        at: row.try_get("at").map_err(map)?,
        actor: row.try_get("actor").map_err(map)?,
        reason: row.try_get("reason").map_err(map)?,
    })
}
