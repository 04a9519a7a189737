//! The rows of the audit chain.
//! Owns their SQL; the chain itself is made and checked in `run::audit`. Appends are serialised by
//! a lock on the head row. Anyone may have written the rows that are read here, so strange content
//! is not an error in this file.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::PostgresStore;
use super::committed;
use super::fault::map;
use super::sql::{query, time_text};
use crate::keys::{ChangeRow, Notary, RotationRecord};
use crate::store::{AuditEntry, AuditHead, AuditMisfit, AuditRow, Result, StoreError};

pub(super) async fn head(store: &PostgresStore) -> Result<AuditHead> {
    let mut tx = store.begin().await?;
    let head = read_head(store, &mut tx, "").await?;
    committed(tx).await?;
    Ok(head)
}

async fn read_head(
    store: &PostgresStore,
    conn: &mut PgConnection,
    lock: &str,
) -> Result<AuditHead> {
    let row = query(format!(
        "SELECT entry_id, mac, pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') \
         FROM {} WHERE id = 1{lock}",
        store.own("audit_head")
    ))
    .fetch_optional(conn)
    .await
    .map_err(map)?;
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

/// Appends the entries that a notary makes for the changes of this transaction. These are its last
/// statements, so that the end of the chain is locked only briefly.
pub(super) async fn note(
    store: &PostgresStore,
    conn: &mut PgConnection,
    notary: &dyn Notary,
    records: &[RotationRecord],
) -> Result<()> {
    let head = read_head(store, conn, " FOR UPDATE").await?;
    // A separate statement, so that its snapshot is taken after the lock.
    let changes = unnamed(store, conn).await?;
    let entries = notary.entries(&head, &changes, records);
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(());
    };
    query(format!(
        "UPDATE {} SET entry_id = $1, mac = $2 WHERE id = 1",
        store.own("audit_head")
    ))
    .bind(last.entry_id)
    .bind(last.mac.clone())
    .execute(&mut *conn)
    .await
    .map_err(map)?;
    for entry in &entries {
        insert(store, conn, entry).await?;
    }
    if changes.is_empty() {
        return Ok(());
    }
    query(format!(
        "INSERT INTO {} (transition_id, entry_id) SELECT t, $2 FROM unnest($1::int8[]) AS t",
        store.own("key_transition_entries")
    ))
    .bind(
        changes
            .iter()
            .map(|change| change.transition_id)
            .collect::<Vec<_>>(),
    )
    .bind(first.entry_id)
    .execute(&mut *conn)
    .await
    .map_err(map)?;
    Ok(())
}

/// The key changes that no entry names.
async fn unnamed(store: &PostgresStore, conn: &mut PgConnection) -> Result<Vec<ChangeRow>> {
    let rows = query(format!(
        "SELECT {}, t.xmin = pg_current_xact_id()::xid AS ours FROM {} AS t \
         WHERE NOT EXISTS (SELECT 1 FROM {} AS n WHERE n.transition_id = t.transition_id) ORDER BY 1",
        change_columns(),
        store.own("key_transitions"),
        store.own("key_transition_entries"),
    ))
    .fetch_all(conn)
    .await
    .map_err(map)?;
    rows.iter().map(change).collect()
}

/// The key changes from this number on.
pub(super) async fn changes(
    store: &PostgresStore,
    from: i64,
    limit: u32,
) -> Result<Vec<ChangeRow>> {
    let mut tx = store.begin().await?;
    let rows = query(format!(
        "SELECT {}, false AS ours FROM {} AS t WHERE t.transition_id >= $1 ORDER BY 1 LIMIT $2",
        change_columns(),
        store.own("key_transitions"),
    ))
    .bind(from)
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    rows.iter().map(change).collect()
}

fn change_columns() -> String {
    format!(
        "t.transition_id, t.key_id::text, t.from_status, t.to_status, {}, t.actor, t.reason",
        time_text("t.at")
    )
}

fn change(row: &PgRow) -> Result<ChangeRow> {
    let text = |at: usize| row.try_get::<Option<String>, _>(at).map_err(map);
    Ok(ChangeRow {
        transition_id: row.try_get(0).map_err(map)?,
        columns: [text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, text(6)?],
        ours: row.try_get("ours").map_err(map)?,
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
    insert(store, &mut tx, entry).await?;
    committed(tx).await?;
    Ok(true)
}

async fn insert(store: &PostgresStore, conn: &mut PgConnection, entry: &AuditEntry) -> Result<()> {
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
    .execute(conn)
    .await
    .map_err(map)?;
    Ok(())
}

/// The rows that have a number, in order of it.
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
    committed(tx).await?;
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

/// The first fault that prevents the rows from being read as a chain.
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
    committed(tx).await?;
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
