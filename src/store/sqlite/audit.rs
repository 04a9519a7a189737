//! The audit chain's rows. An entry is appended only after the one its appender saw last, under the write
//! lock; the chain itself is made and checked in `run::audit`. What is read may have been written by anybody,
//! so nothing of it is an error here.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connection;
use super::fault;
use super::statement::{Bind, bound, statement};
use crate::store::{AuditEntry, AuditHead, AuditMisfit, AuditRow, Result, StoreError};

/// Where the chain ends.
pub(super) async fn head(conn: &mut SqliteConnection) -> Result<AuditHead> {
    const HEAD: &str = "SELECT entry_id, mac, strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS now \
        FROM phiseal_audit_head";
    let row = bound(HEAD, [])
        .fetch_optional(conn)
        .await
        .map_err(fault::of)?;
    let row = row.ok_or_else(|| StoreError::Missing {
        what: "the head of the audit log".to_owned(),
    })?;
    Ok(AuditHead {
        entry_id: row.try_get("entry_id").map_err(fault::of)?,
        mac: row.try_get("mac").map_err(fault::of)?,
        now: row.try_get("now").map_err(fault::of)?,
    })
}

/// Appends an entry if the chain still ends where its appender believes.
pub(super) async fn append(
    conn: &mut SqliteConnection,
    entry: &AuditEntry,
    expected: &AuditHead,
) -> Result<bool> {
    let mut transaction = connection::write_transaction(conn).await?;
    let advanced = statement(
        "UPDATE phiseal_audit_head SET entry_id = ?, mac = ? WHERE entry_id = ? AND mac = ?",
    )
    .bind(entry.entry_id)
    .bind(entry.mac.clone())
    .bind(expected.entry_id)
    .bind(expected.mac.clone())
    .execute(&mut *transaction)
    .await
    .map_err(fault::of)?;
    if advanced.rows_affected() != 1 {
        return Ok(false);
    }
    statement(
        "INSERT INTO phiseal_audit_log (entry_id, at, actor, action, subject, key_id, prev_mac, mac) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(entry.entry_id)
    .bind(entry.at.clone())
    .bind(entry.actor.clone())
    .bind(entry.action.clone())
    .bind(entry.subject.clone())
    .bind(entry.key_id)
    .bind(entry.prev_mac.clone())
    .bind(entry.mac.clone())
    .execute(&mut *transaction)
    .await
    .map_err(fault::of)?;
    connection::commit(transaction).await?;
    Ok(true)
}

/// Rows that have a number, in its order.
pub(super) async fn entries(
    conn: &mut SqliteConnection,
    from: i64,
    limit: u32,
) -> Result<Vec<AuditRow>> {
    const SELECT: &str = "SELECT entry_id, at, actor, action, subject, coalesce(key_id, 0) AS key_id, \
        prev_mac, mac FROM phiseal_audit_log WHERE typeof(entry_id) = 'integer' AND entry_id >= ? \
        ORDER BY entry_id LIMIT ?";
    let rows = bound(
        SELECT,
        [Bind::Integer(from), Bind::Integer(i64::from(limit))],
    )
    .fetch_all(conn)
    .await
    .map_err(fault::of)?;
    let row = |row: &SqliteRow| {
        Ok(AuditRow {
            entry_id: row.try_get("entry_id").map_err(fault::of)?,
            entry: entry(row).ok(),
        })
    };
    rows.iter().map(row).collect()
}

fn entry(row: &SqliteRow) -> std::result::Result<AuditEntry, sqlx::Error> {
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
pub(super) async fn misfit(conn: &mut SqliteConnection) -> Result<Option<AuditMisfit>> {
    const MISFIT: &str = "SELECT \
        EXISTS (SELECT 1 FROM phiseal_audit_log WHERE typeof(entry_id) <> 'integer'), \
        (SELECT entry_id FROM phiseal_audit_log GROUP BY entry_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1), \
        (SELECT count(*) = 1 AND min(typeof(entry_id)) = 'integer' AND min(typeof(mac)) = 'blob' \
         FROM phiseal_audit_head)";
    let row = bound(MISFIT, []).fetch_one(conn).await.map_err(fault::of)?;
    let unnumbered: bool = row.try_get(0).map_err(fault::of)?;
    if unnumbered {
        return Ok(Some(AuditMisfit::Unnumbered));
    }
    let twice: Option<i64> = row.try_get(1).map_err(fault::of)?;
    let head: bool = row.try_get(2).map_err(fault::of)?;
    Ok(match (twice, head) {
        (Some(entry_id), _) => Some(AuditMisfit::Twice(entry_id)),
        (None, false) => Some(AuditMisfit::Head),
        (None, true) => None,
    })
}
