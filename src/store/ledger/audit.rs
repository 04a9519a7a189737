//! The rows of the audit chain.
//! Owns their SQL; `run::audit` makes and checks the chain. An append follows the entry that its
//! appender saw last, or locks the end of the chain first. Since anyone may have written the rows that
//! are read here, strange content is not an error in this file.

use async_trait::async_trait;
use sqlx::Row;

use super::dialect::Dialect;
use super::session::{
    OwnTables, OwnTransaction, Session, in_transaction, own_row, rows_at_once, statement, unknown,
};
use crate::keys::{ChangeRow, Notary, RotationRecord};
use crate::store::{AuditEntry, AuditHead, AuditMisfit, AuditRow, Result};

/// The audit log. `run::audit` makes and checks the chain.
///
/// Contract: as [`Store`](crate::store::Store).
#[async_trait]
pub trait AuditTable: Send + Sync {
    /// The end of the audit chain.
    async fn audit_head(&self) -> Result<AuditHead>;

    /// Appends the entries that `note` makes, in one transaction that locks the end of the chain,
    /// and records which key changes they are for.
    async fn note(&self, note: &dyn Notary) -> Result<()>;

    /// Appends an entry after `expected`; returns `false` if another entry was appended first.
    async fn append_audit(&self, entry: &AuditEntry, expected: &AuditHead) -> Result<bool>;

    /// The rows of the audit log in order of their number, beginning with `from`, at most `limit`.
    /// Includes rows that were not written by an appender, if they have a number.
    async fn audit_entries(&self, from: i64, limit: u32) -> Result<Vec<AuditRow>>;

    /// A fault in the audit tables that [`AuditTable::audit_entries`] and [`AuditTable::audit_head`] cannot
    /// show.
    async fn audit_misfit(&self) -> Result<Option<AuditMisfit>>;
}

#[async_trait]
impl<S: OwnTables> AuditTable for S {
    async fn audit_head(&self) -> Result<AuditHead> {
        in_transaction!(self.begin_read(), |session| head(session))
    }

    async fn note(&self, note: &dyn Notary) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        super::audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await
    }

    async fn append_audit(&self, entry: &AuditEntry, expected: &AuditHead) -> Result<bool> {
        let mut transaction = self.begin_write().await?;
        if !append(&mut transaction, entry, expected).await? {
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn audit_entries(&self, from: i64, limit: u32) -> Result<Vec<AuditRow>> {
        in_transaction!(self.begin_read(), |session| entries(session, from, limit))
    }

    async fn audit_misfit(&self) -> Result<Option<AuditMisfit>> {
        in_transaction!(self.begin_read(), |session| misfit(session))
    }
}

/// The recorded end of the chain.
pub(crate) async fn head<S: Session>(session: &mut S) -> Result<AuditHead> {
    read_head(session, "").await
}

async fn read_head<S: Session>(session: &mut S, lock: &str) -> Result<AuditHead> {
    let sql = format!(
        "SELECT entry_id, mac, {} AS now FROM {} {lock}",
        session.dialect().now_text(),
        session.dialect().table("audit_head")
    );
    session
        .fetch_one(statement(sql), "the head of the audit log")
        .await
}

/// Appends the entries that a notary makes for the changes of this transaction. Call it last, so that
/// the end of the chain is locked only briefly. `before` is [`Session::newest_change`].
pub(crate) async fn note<S: Session>(
    session: &mut S,
    notary: &dyn Notary,
    records: &[RotationRecord],
    before: i64,
) -> Result<()> {
    let lock = session.dialect().for_update();
    let head = read_head(session, lock).await?;
    // A separate statement, so that its snapshot is taken after the lock.
    let changes = unnamed(session, before).await?;
    let entries = notary.entries(&head, &changes, records);
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        return Ok(());
    };
    let sql = format!(
        "UPDATE {} SET entry_id = $1, mac = $2",
        session.dialect().table("audit_head")
    );
    let advance = statement(sql).bind(last.entry_id).bind(&last.mac);
    session.execute(advance).await?;
    for entry in &entries {
        insert(session, entry).await?;
    }
    let table = session.dialect().table("key_transition_entries");
    for part in changes.chunks(rows_at_once(2)) {
        let mut name = statement(format!(
            "INSERT INTO {table} (transition_id, entry_id) VALUES"
        ));
        for change in part {
            name = name.row([change.transition_id.into(), first.entry_id.into()]);
        }
        session.execute(name).await?;
    }
    Ok(())
}

/// The key changes that no entry names.
async fn unnamed<S: Session>(session: &mut S, before: i64) -> Result<Vec<ChangeRow>> {
    let dialect = session.dialect();
    let sql = format!(
        "SELECT {}, {} AS ours FROM {} AS t WHERE NOT EXISTS \
           (SELECT 1 FROM {} AS n WHERE n.transition_id = t.transition_id) ORDER BY t.transition_id",
        change_columns(dialect),
        dialect.is_ours(before),
        dialect.table("key_transitions"),
        dialect.table("key_transition_entries"),
    );
    session.fetch(statement(sql)).await
}

/// The key changes from this number on.
pub(crate) async fn changes<S: Session>(
    session: &mut S,
    from: i64,
    limit: u32,
) -> Result<Vec<ChangeRow>> {
    let sql = format!(
        "SELECT {}, 1 = 0 AS ours FROM {} AS t WHERE t.transition_id >= $1 ORDER BY t.transition_id LIMIT $2",
        change_columns(session.dialect()),
        session.dialect().table("key_transitions"),
    );
    session.fetch(statement(sql).bind(from).bind(limit)).await
}

fn change_columns(dialect: &impl Dialect) -> String {
    let text = |column: &str| format!("CAST({column} AS text) AS {column}");
    format!(
        "t.transition_id AS transition_id, {}, {}, {}, CAST({} AS text) AS at, {}, {}",
        text("key_id"),
        text("from_status"),
        text("to_status"),
        dialect.time_text("t.at"),
        text("actor"),
        text("reason"),
    )
}

/// Appends an entry if the chain still ends where its appender expects.
pub(crate) async fn append<S: Session>(
    session: &mut S,
    entry: &AuditEntry,
    expected: &AuditHead,
) -> Result<bool> {
    let sql = format!(
        "UPDATE {} SET entry_id = $1, mac = $2 WHERE entry_id = $3 AND mac = $4",
        session.dialect().table("audit_head")
    );
    let advance = statement(sql)
        .bind(entry.entry_id)
        .bind(&entry.mac)
        .bind(expected.entry_id)
        .bind(&expected.mac);
    if session.execute(advance).await? != 1 {
        return Ok(false);
    }
    insert(session, entry).await?;
    Ok(true)
}

async fn insert<S: Session>(session: &mut S, entry: &AuditEntry) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} (entry_id, at, actor, action, subject, key_id, prev_mac, mac) \
         VALUES ($1, {}, $3, $4, $5, $6, $7, $8)",
        session.dialect().table("audit_log"),
        session.dialect().time_value("$2"),
    );
    let insert = statement(sql)
        .bind(entry.entry_id)
        .bind(&entry.at)
        .bind(&entry.actor)
        .bind(&entry.action)
        .bind(&entry.subject)
        .bind(entry.key_id)
        .bind(&entry.prev_mac)
        .bind(&entry.mac);
    session.execute(insert).await?;
    Ok(())
}

/// The rows that have a number, from this one on, in the order of it.
pub(crate) async fn entries<S: Session>(
    session: &mut S,
    from: i64,
    limit: u32,
) -> Result<Vec<AuditRow>> {
    let dialect = session.dialect();
    let sql = format!(
        "SELECT entry_id, {} AS at, actor, action, subject, coalesce(key_id, CAST(0 AS bigint)) AS key_id, \
           prev_mac, mac \
         FROM {} WHERE {} AND entry_id >= $1 ORDER BY entry_id LIMIT $2",
        dialect.time_text("at"),
        dialect.table("audit_log"),
        dialect.is_integer("entry_id"),
    );
    session.fetch(statement(sql).bind(from).bind(limit)).await
}

/// What would prevent the rows from being read as a chain.
struct Shape {
    unnumbered: bool,
    twice: Option<i64>,
    head: bool,
}

/// The first fault that prevents the rows from being read as a chain.
pub(crate) async fn misfit<S: Session>(session: &mut S) -> Result<Option<AuditMisfit>> {
    let dialect = session.dialect();
    let (log, head) = (dialect.table("audit_log"), dialect.table("audit_head"));
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {log} WHERE NOT ({number})) AS unnumbered, \
           (SELECT entry_id FROM {log} WHERE {number} GROUP BY entry_id HAVING count(*) > 1 ORDER BY 1 LIMIT 1) AS twice, \
           (SELECT count(*) = 1 AND sum(CASE WHEN {number} AND {bytes} THEN 1 ELSE 0 END) = 1 FROM {head}) AS head",
        number = dialect.is_integer("entry_id"),
        bytes = dialect.is_bytes("mac"),
    );
    let shape: Shape = session.fetch_one(statement(sql), "the audit log").await?;
    Ok(match (shape.unnumbered, shape.twice, shape.head) {
        (true, _, _) => Some(AuditMisfit::Unnumbered),
        (false, Some(entry_id), _) => Some(AuditMisfit::Twice(entry_id)),
        (false, None, false) => Some(AuditMisfit::Head),
        (false, None, true) => None,
    })
}

own_row!(Shape, "the audit log", |row| Self {
    unnumbered: row.try_get("unnumbered")?,
    twice: row.try_get("twice")?,
    head: row.try_get::<Option<bool>, _>("head")?.unwrap_or_default(),
});

own_row!(AuditHead, "the head of the audit log", |row| Self {
    entry_id: present(row.try_get("entry_id"))?,
    mac: row
        .try_get::<Option<Vec<u8>>, _>("mac")?
        .unwrap_or_default(),
    now: row.try_get("now")?,
});

own_row!(ChangeRow, "a change of a key", |row| Self {
    transition_id: present(row.try_get("transition_id"))?,
    columns: [
        row.try_get("key_id")?,
        row.try_get("from_status")?,
        row.try_get("to_status")?,
        row.try_get("at")?,
        row.try_get("actor")?,
        row.try_get("reason")?,
    ],
    ours: row.try_get("ours")?,
});

own_row!(AuditEntry, "an entry of the audit log", |row| Self {
    entry_id: row.try_get("entry_id")?,
    at: present(row.try_get("at"))?,
    actor: present(row.try_get("actor"))?,
    action: present(row.try_get("action"))?,
    subject: present(row.try_get("subject"))?,
    key_id: row.try_get("key_id")?,
    prev_mac: present(row.try_get("prev_mac"))?,
    mac: present(row.try_get("mac"))?,
});

/// A value that must not be NULL. SQLite's driver would read NULL as an empty text.
fn present<T>(value: sqlx::Result<Option<T>>) -> sqlx::Result<T> {
    value?.ok_or_else(|| unknown("NULL"))
}

own_row!(AuditRow, "a row of the audit log", |row| Self {
    entry_id: row.try_get("entry_id")?,
    entry: sqlx::FromRow::from_row(row).ok(),
});
