//! The rows of the audit chain. Appends an entry only after the one that its appender saw last,
//! under the write lock; `run::audit` makes and checks the chain. Since anyone may have written the
//! rows, no content of a row is an error here.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connection;
use super::fault;
use super::statement::{Bind, bound, statement};
use crate::keys::{ChangeRow, Notary, RotationRecord};
use crate::store::{AuditEntry, AuditHead, AuditMisfit, AuditRow, Result, StoreError};

/// The recorded end of the chain.
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

/// Appends an entry if the chain still ends where its appender expects.
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
    insert(&mut transaction, entry).await?;
    connection::commit(transaction).await?;
    Ok(true)
}

async fn insert(conn: &mut SqliteConnection, entry: &AuditEntry) -> Result<()> {
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
    .execute(conn)
    .await
    .map_err(fault::of)?;
    Ok(())
}

/// The number of the newest change of a key. Later changes in this transaction are the
/// transaction's own.
pub(super) async fn newest_change(conn: &mut SqliteConnection) -> Result<i64> {
    let row = bound(
        "SELECT coalesce(max(transition_id), 0) FROM phiseal_key_transitions",
        [],
    )
    .fetch_one(conn)
    .await
    .map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

/// Appends the entries of a notary about the changes that this writing transaction made; `before`
/// was the newest change when it began.
pub(super) async fn note(
    conn: &mut SqliteConnection,
    notary: &dyn Notary,
    records: &[RotationRecord],
    before: i64,
) -> Result<()> {
    const MOVE: &str = "UPDATE phiseal_audit_head SET entry_id = ?, mac = ?";
    const NAME: &str =
        "INSERT INTO phiseal_key_transition_entries (transition_id, entry_id) VALUES (?, ?)";
    let head = head(conn).await?;
    let sql = format!(
        "{CHANGES} WHERE transition_id NOT IN \
         (SELECT transition_id FROM phiseal_key_transition_entries) ORDER BY transition_id"
    );
    let rows = bound(sql, [])
        .fetch_all(&mut *conn)
        .await
        .map_err(fault::of)?;
    let changes = rows
        .iter()
        .map(|row| change(row, before))
        .collect::<Result<Vec<_>>>()?;
    let entries = notary.entries(&head, &changes, records);
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(());
    };
    let binds = [Bind::Integer(last.entry_id), Bind::Blob(last.mac.clone())];
    bound(MOVE, binds)
        .execute(&mut *conn)
        .await
        .map_err(fault::of)?;
    for entry in &entries {
        insert(conn, entry).await?;
    }
    for change in &changes {
        let binds = [change.transition_id, first.entry_id].map(Bind::Integer);
        bound(NAME, binds)
            .execute(&mut *conn)
            .await
            .map_err(fault::of)?;
    }
    Ok(())
}

const CHANGES: &str = "SELECT transition_id, CAST(key_id AS TEXT), CAST(from_status AS TEXT), \
    CAST(to_status AS TEXT), CAST(at AS TEXT), CAST(actor AS TEXT), CAST(reason AS TEXT) \
    FROM phiseal_key_transitions";

/// The changes of keys from a number on.
pub(super) async fn changes(
    conn: &mut SqliteConnection,
    from: i64,
    limit: u32,
) -> Result<Vec<ChangeRow>> {
    let sql = format!("{CHANGES} WHERE transition_id >= ? ORDER BY transition_id LIMIT ?");
    let binds = [from, i64::from(limit)].map(Bind::Integer);
    let rows = bound(sql, binds).fetch_all(conn).await.map_err(fault::of)?;
    rows.iter().map(|row| change(row, i64::MAX)).collect()
}

fn change(row: &SqliteRow, before: i64) -> Result<ChangeRow> {
    let text = |at: usize| row.try_get::<Option<String>, _>(at).map_err(fault::of);
    let transition_id = row.try_get(0).map_err(fault::of)?;
    Ok(ChangeRow {
        transition_id,
        columns: [text(1)?, text(2)?, text(3)?, text(4)?, text(5)?, text(6)?],
        ours: transition_id > before,
    })
}

/// Entries from a number on, in order.
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

/// A row that cannot be part of a chain.
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
