//! The audit chain's rows. Appends are serialised on the head row; the chain itself is made and
//! checked in `run::audit`. What is read may have been written by anybody, so nothing of it is an error here.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::fault::map;
use super::sql::query;
use crate::store::{AuditEntry, AuditHead, AuditMisfit, AuditRow, Result, StoreError};

pub(super) async fn head(store: &PostgresStore) -> Result<AuditHead> {
    let mut tx = store.begin().await?;
    let row = query(format!(
        "SELECT entry_id, mac, pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
         FROM {} WHERE id = 1",
        store.own("audit_head")
    ))
    .fetch_optional(&mut *tx)
    .await
    .map_err(map)?;
    tx.commit().await.map_err(map)?;
    let row = row.ok_or_else(|| StoreError::Missing {
        what: "the head of the audit log".to_owned(),
    })?;
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
         VALUES ($1, $2::pg_catalog.text::pg_catalog.timestamptz, $3, $4, $5, $6, $7, $8)",
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

/// Rows that have a number, in its order.
pub(super) async fn entries(store: &PostgresStore, from: i64, limit: u32) -> Result<Vec<AuditRow>> {
    let mut tx = store.begin().await?;
    let rows = query(format!(
        "SELECT entry_id, pg_catalog.to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at, \
           actor, action, subject, coalesce(key_id, 0)::bigint AS key_id, prev_mac, mac \
         FROM {} WHERE entry_id >= $1 ORDER BY entry_id LIMIT $2",
        store.own("audit_log")
    ))
    .bind(from)
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    tx.commit().await.map_err(map)?;
    let row = |row: &PgRow| {
        Ok(AuditRow {
            entry_id: row.try_get("entry_id").map_err(map)?,
            entry: entry(row).ok(),
        })
    };
    rows.iter().map(row).collect()
}

fn entry(row: &PgRow) -> std::result::Result<AuditEntry, sqlx::Error> {
    Ok(AuditEntry {
        entry_id: row.try_get("entry_id")?,
        at: row.try_get("at")?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        key_id: row.try_get("key_id")?,
        prev_mac: row.try_get("prev_mac")?,
        mac: row.try_get("mac")?,
    })
}

/// What cannot be gone through as a chain.
pub(super) async fn misfit(store: &PostgresStore) -> Result<Option<AuditMisfit>> {
    let mut tx = store.begin().await?;
    let (log, head) = (store.own("audit_log"), store.own("audit_head"));
    let row = query(format!(
        "SELECT EXISTS (SELECT 1 FROM {log} WHERE entry_id IS NULL), \
           (SELECT entry_id FROM {log} GROUP BY entry_id HAVING pg_catalog.count(*) > 1 ORDER BY 1 LIMIT 1), \
           (SELECT pg_catalog.count(*) = 1 AND pg_catalog.count(entry_id) = 1 AND pg_catalog.count(mac) = 1 \
              FROM {head})"
    ))
    .fetch_one(&mut *tx)
    .await
    .map_err(map)?;
    tx.commit().await.map_err(map)?;
    let unnumbered: bool = row.try_get(0).map_err(map)?;
    if unnumbered {
        return Ok(Some(AuditMisfit::Unnumbered));
    }
    let twice: Option<i64> = row.try_get(1).map_err(map)?;
    let head: bool = row.try_get(2).map_err(map)?;
    Ok(match (twice, head) {
        (Some(entry_id), _) => Some(AuditMisfit::Twice(entry_id)),
        (None, false) => Some(AuditMisfit::Head),
        (None, true) => None,
    })
}
