//! The audit chain's rows. Appends are serialised on the head row; the chain itself is made and
//! checked in `run::audit`.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::fault::map;
use super::sql::query;
use crate::store::{AuditEntry, AuditHead, Result};

pub(super) async fn head(store: &PostgresStore) -> Result<AuditHead> {
    let mut tx = store.begin().await?;
    let row = query(format!(
        "SELECT entry_id, mac, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
         FROM {} WHERE id = 1",
        store.own("audit_head")
    ))
    .fetch_one(&mut *tx)
    .await
    .map_err(map)?;
    tx.commit().await.map_err(map)?;
    Ok(AuditHead {
        entry_id: row.try_get(0).map_err(map)?,
        mac: row
            .try_get::<Option<Vec<u8>>, _>(1)
            .map_err(map)?
            .unwrap_or_default(),
        now: row.try_get(2).map_err(map)?,
    })
}

pub(super) async fn append(
    store: &PostgresStore,
    entry: &AuditEntry,
    expected: &AuditHead,
) -> Result<bool> {
    let mut tx = store.begin().await?;
    let moved = query(format!(
        "UPDATE {} SET entry_id = $1, mac = $2 WHERE id = 1 AND entry_id = $3 AND coalesce(mac, '') = $4",
        store.own("audit_head")
    ))
    .bind(entry.entry_id)
    .bind(entry.mac.clone())
    .bind(expected.entry_id)
    .bind(expected.mac.clone())
    .execute(&mut *tx)
    .await
    .map_err(map)?
    .rows_affected();
    if moved != 1 {
        tx.rollback().await.map_err(map)?;
        return Ok(false);
    }
    query(format!(
        "INSERT INTO {} (entry_id, at, actor, action, subject, key_id, prev_mac, mac) \
         VALUES ($1, $2::text::timestamptz, $3, $4, $5, $6, $7, $8)",
        store.own("audit_log")
    ))
    .bind(entry.entry_id)
    .bind(entry.at.clone())
    .bind(entry.actor.clone())
    .bind(entry.action.clone())
    .bind(entry.subject.clone())
    .bind(i32::try_from(entry.key_id).unwrap_or_default())
    .bind(entry.prev_mac.clone())
    .bind(entry.mac.clone())
    .execute(&mut *tx)
    .await
    .map_err(map)?;
    tx.commit().await.map_err(map)?;
    Ok(true)
}

pub(super) async fn entries(
    store: &PostgresStore,
    after: i64,
    limit: u32,
) -> Result<Vec<AuditEntry>> {
    let mut tx = store.begin().await?;
    let rows = query(format!(
        "SELECT entry_id, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, \
           actor, action, subject, key_id::int8, prev_mac, mac \
         FROM {} WHERE entry_id > $1 ORDER BY entry_id LIMIT $2",
        store.own("audit_log")
    ))
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    tx.commit().await.map_err(map)?;
    rows.iter().map(decode).collect()
}

fn decode(row: &PgRow) -> Result<AuditEntry> {
    Ok(AuditEntry {
        entry_id: row.try_get("entry_id").map_err(map)?,
        at: row.try_get("at").map_err(map)?,
        actor: row.try_get("actor").map_err(map)?,
        action: row.try_get("action").map_err(map)?,
        subject: row.try_get("subject").map_err(map)?,
        key_id: row.try_get("key_id").map_err(map)?,
        prev_mac: row
            .try_get::<Option<Vec<u8>>, _>("prev_mac")
            .map_err(map)?
            .unwrap_or_default(),
        mac: row.try_get("mac").map_err(map)?,
    })
}
