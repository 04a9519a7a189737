//! The table of wrapped data keys, `encryption_keys`.
//! Owns the SQL that reads, inserts and changes keys. The table's own triggers refuse illegal changes
//! of state. Sealing takes no lock on a key in PostgreSQL, so it does not delay these transactions: a
//! transaction that saw the old key as active may still be open when the state changes, and the rotation
//! waits for it afterwards. In SQLite a writer holds the one write lock, so the handover waits for it.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;
use sqlx::Row;

use super::audit;
use super::dialect::Dialect;
use super::session::{
    Bind, Number, OwnTables, OwnTransaction, Session, Text, id_list, in_transaction, key, own_row,
    rows_at_once, statement, word,
};
use crate::crypto::KeyId;
use crate::keys::{
    BoxError, Handover, KeyRecord, KeyRow, KeySource, KeyStatus, KeyTable, NewKey, Notary,
    Rewrapped, RotationPeriod,
};
use crate::store::{Result, StoreError};

#[async_trait]
impl<S: OwnTables> KeyTable for S {
    async fn key_records(&self) -> Result<Vec<KeyRecord>> {
        in_transaction!(self.begin_read(), |session| records(session, None))
    }

    async fn key_records_by_id(&self, ids: &[KeyId]) -> Result<Vec<KeyRecord>> {
        in_transaction!(self.begin_read(), |session| records(session, Some(ids)))
    }

    async fn insert_keys(&self, new: &[NewKey]) -> Result<Vec<KeyId>> {
        in_transaction!(self.begin_write(), |session| insert(session, new))
    }

    async fn activate_keys(
        &self,
        ids: &[KeyId],
        due: RotationPeriod,
        note: &dyn Notary,
    ) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        activate(&mut transaction, ids, due).await?;
        audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await
    }
}

impl<S: OwnTables> KeySource for S {
    async fn key_rows(&self) -> std::result::Result<Vec<KeyRow>, BoxError> {
        let records = self.key_records().await?;
        Ok(records.into_iter().map(KeyRow::from).collect())
    }
}

fn ids_of<'a>(ids: impl IntoIterator<Item = &'a KeyId>) -> String {
    id_list(ids.into_iter().map(|id| id.get()))
}

/// All key records, or those with these ids, in the order of their ids.
pub(crate) async fn records<S: Session>(
    session: &mut S,
    ids: Option<&[KeyId]>,
) -> Result<Vec<KeyRecord>> {
    let rest = match ids {
        Some(ids) => format!("WHERE key_id IN ({}) ORDER BY key_id", ids_of(ids)),
        None => "ORDER BY key_id".to_owned(),
    };
    let sql = select(session.dialect(), &rest);
    session.fetch(statement(sql)).await
}

/// The records with these ids, which the transaction locks in the order of the ids, so that two
/// processes that change the same keys do not deadlock.
pub(crate) async fn locked<S: Session>(
    session: &mut S,
    ids: impl IntoIterator<Item = &KeyId>,
) -> Result<Vec<KeyRecord>> {
    let rest = format!(
        "WHERE key_id IN ({}) ORDER BY key_id {}",
        ids_of(ids),
        session.dialect().for_update()
    );
    let sql = select(session.dialect(), &rest);
    session.fetch(statement(sql)).await
}

fn select(dialect: &impl Dialect, rest: &str) -> String {
    let times: Vec<String> = [
        "created_at",
        "activated_at",
        "deactivated_at",
        "compromised_at",
        "destroyed_at",
        "rotation_due_at",
    ]
    .map(|column| format!("{} AS {column}", dialect.time_text(column)))
    .into();
    format!(
        "SELECT CAST(key_id AS bigint) AS key_id, tenant, purpose, version, algorithm, status, kek_ref, \
           wrapped_key, check_value, {}, created_by, reason FROM {} {rest}",
        times.join(", "),
        dialect.table("encryption_keys")
    )
}

/// Inserts keys as pre-active; returns the ids that are already taken.
pub(crate) async fn insert<S: Session>(session: &mut S, new: &[NewKey]) -> Result<Vec<KeyId>> {
    let table = session.dialect().table("encryption_keys");
    let ids: Vec<KeyId> = new.iter().map(|key| key.key_id).collect();
    // In SQLite a trigger refuses a taken id before ON CONFLICT is looked at.
    let known = records(session, Some(&ids)).await?;
    let known: HashSet<KeyId> = known.iter().map(|one| one.key_id).collect();
    let is_known = |key: &&NewKey| known.contains(&key.key_id);
    let free: Vec<&NewKey> = new.iter().filter(|key| !is_known(key)).collect();
    let mut inserted = Vec::with_capacity(free.len());
    for part in free.chunks(rows_at_once(11)) {
        let mut insert = statement(format!(
            "INSERT INTO {table} (key_id, tenant, purpose, version, algorithm, status, kek_ref, wrapped_key, \
               check_value, created_by, reason) VALUES"
        ));
        for key in part {
            insert = insert.row([
                key.key_id.into(),
                Bind::from(&key.tenant),
                key.purpose.as_str().into(),
                key.version.into(),
                (&key.algorithm).into(),
                KeyStatus::PreActive.as_str().into(),
                (&key.kek_ref).into(),
                (&key.wrapped_key).into(),
                (&key.check_value).into(),
                (&key.created_by).into(),
                (&key.reason).into(),
            ]);
        }
        let insert =
            insert.then(" ON CONFLICT (key_id) DO NOTHING RETURNING CAST(key_id AS bigint)");
        inserted.extend(session.fetch::<Number>(insert).await?);
    }
    let inserted: HashSet<i64> = inserted.into_iter().map(|row: Number| row.0).collect();
    let was_inserted = |id: &KeyId| inserted.contains(&i64::from(id.get()));
    Ok(ids.into_iter().filter(|id| !was_inserted(id)).collect())
}

/// Makes pre-active keys active: all of them or none.
pub(crate) async fn activate<S: Session>(
    session: &mut S,
    ids: &[KeyId],
    due: RotationPeriod,
) -> Result<()> {
    let due = due_at(session, due).await?;
    let sql = format!(
        "UPDATE {} SET status = 'active', changed_by = created_by, rotation_due_at = {} \
         WHERE key_id IN ({}) AND status = 'pre_active'",
        session.dialect().table("encryption_keys"),
        session.dialect().time_value("$1"),
        ids_of(ids)
    );
    match session.execute(statement(sql).bind(due)).await? == ids.len() as u64 {
        true => Ok(()),
        false => Err(StoreError::missing("the pre-active key")),
    }
}

/// When a key is due that becomes active now, by the database's clock.
async fn due_at<S: Session>(session: &mut S, period: RotationPeriod) -> Result<String> {
    let sql = format!("SELECT {}", session.dialect().now_text());
    let Text(now) = session.fetch_one(statement(sql), "the time").await?;
    let due = period.due_after(&now);
    due.ok_or_else(|| StoreError::unexpected("a time of another form than the database writes"))
}

/// Returns an error if one of these keys is not active.
#[cfg(feature = "sqlite")]
pub(crate) async fn require_active<S: Session>(session: &mut S, ids: &[KeyId]) -> Result<()> {
    let sql = format!(
        "SELECT count(*) FROM {} WHERE status = 'active' AND key_id IN ({})",
        session.dialect().table("encryption_keys"),
        ids_of(ids)
    );
    let Number(active) = session.fetch_one(statement(sql), "the keys").await?;
    let mut wanted = ids.to_vec();
    wanted.sort_unstable();
    wanted.dedup();
    match usize::try_from(active) == Ok(wanted.len()) {
        true => Ok(()),
        false => Err(StoreError::KeyNotActive),
    }
}

/// Changes the states of the keys of these handovers, old keys first, since only one may be active.
/// Returns `false` if a key is not in the expected state.
pub(crate) async fn hand_over<S: Session>(
    session: &mut S,
    handovers: &[Handover],
    due: RotationPeriod,
    actor: &str,
) -> Result<bool> {
    let ids: Vec<KeyId> = handovers.iter().flat_map(|h| [h.from, h.to]).collect();
    let keys = locked(session, &ids).await?;
    let is: HashMap<KeyId, KeyStatus> = keys.iter().map(|key| (key.key_id, key.status)).collect();
    let has = |id: KeyId, status: KeyStatus| is.get(&id) == Some(&status);
    if !handovers
        .iter()
        .all(|h| has(h.from, h.from_is) && has(h.to, h.to_is))
    {
        return Ok(false);
    }
    let due = due_at(session, due).await?;
    let old = handovers
        .iter()
        .filter(|h| h.from_is != h.from_becomes)
        .map(|h| (h.from, h.from_becomes, &h.reason));
    move_all(session, old.collect(), &due, actor).await?;
    let new = handovers
        .iter()
        .filter(|h| h.to_is != h.to_becomes)
        .map(|h| (h.to, h.to_becomes, &h.reason));
    move_all(session, new.collect(), &due, actor).await?;
    Ok(true)
}

async fn move_all<S: Session>(
    session: &mut S,
    moves: Vec<(KeyId, KeyStatus, &String)>,
    due: &str,
    actor: &str,
) -> Result<()> {
    let table = session.dialect().table("encryption_keys");
    for part in moves.chunks(rows_at_once(5)) {
        let mut update = statement("WITH m (key_id, status, reason, actor, due) AS (VALUES");
        for (id, status, reason) in part {
            update = update.row([
                (*id).into(),
                status.as_str().into(),
                Bind::from(*reason),
                actor.into(),
                due.into(),
            ]);
        }
        let due = session.dialect().time_value("m.due");
        let update = update.then(&format!(
            ") UPDATE {table} AS k SET status = m.status, changed_by = m.actor, \
               reason = CASE WHEN m.status = 'active' THEN k.reason ELSE m.reason END, \
               rotation_due_at = CASE WHEN m.status = 'active' THEN {due} ELSE k.rotation_due_at END \
             FROM m WHERE k.key_id = m.key_id"
        ));
        session.execute(update).await?;
    }
    Ok(())
}

/// Changes the state of one key if it is `from`; returns whether it was.
pub(crate) async fn set_status<S: Session>(
    session: &mut S,
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
    let sql = format!(
        "UPDATE {} SET status = $3, changed_by = $4, reason = $5{wiped} WHERE key_id = $1 AND status = $2",
        session.dialect().table("encryption_keys")
    );
    let update = statement(sql)
        .bind(key_id)
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(actor)
        .bind(reason);
    Ok(session.execute(update).await? == 1)
}

/// Destroys keys, in at most two statements. Those that are still in use are deactivated first if
/// `even_in_use` allows that; otherwise the key table refuses their destruction.
pub(crate) async fn destroy<S: Session>(
    session: &mut S,
    keys: &[KeyRecord],
    even_in_use: bool,
    actor: &str,
    reason: &str,
) -> Result<()> {
    let there = keys.iter().filter(|key| key.status != KeyStatus::Destroyed);
    let (ready, in_use): (Vec<_>, Vec<_>) =
        there.partition(|key| key.status.may_become(KeyStatus::Destroyed));
    let ids = |keys: &[&KeyRecord]| ids_of(keys.iter().map(|key| &key.key_id));
    let table = session.dialect().table("encryption_keys");
    if even_in_use && !in_use.is_empty() {
        let sql = format!(
            "UPDATE {table} SET status = 'deactivated', changed_by = $1, reason = $2 WHERE key_id IN ({})",
            ids(&in_use)
        );
        session
            .execute(statement(sql).bind(actor).bind(reason))
            .await?;
    }
    let all = [ready, in_use].concat();
    let sql = format!(
        "UPDATE {table} SET status = 'destroyed', changed_by = $1, reason = $2, wrapped_key = NULL \
         WHERE key_id IN ({}) AND status <> 'destroyed'",
        ids(&all)
    );
    let wiped = session
        .execute(statement(sql).bind(actor).bind(reason))
        .await?;
    match wiped == all.len() as u64 {
        true => Ok(()),
        false => Err(StoreError::unexpected("a key that was not destroyed")),
    }
}

/// Replaces wrapped keys. Skips a key that is destroyed or no longer under the expected wrapping key.
/// Returns how many were replaced.
pub(crate) async fn rewrap<S: Session>(session: &mut S, keys: &[Rewrapped]) -> Result<u64> {
    let table = session.dialect().table("encryption_keys");
    let mut replaced = 0;
    for part in keys.chunks(rows_at_once(4)) {
        let mut update = statement("WITH n (key_id, from_ref, to_ref, wrapped) AS (VALUES");
        for key in part {
            update = update.row([
                key.key_id.into(),
                Bind::from(&key.from_kek_ref),
                (&key.to_kek_ref).into(),
                (&key.wrapped_key).into(),
            ]);
        }
        let update = update.then(&format!(
            ") UPDATE {table} AS k SET wrapped_key = n.wrapped, kek_ref = n.to_ref \
             FROM n WHERE k.key_id = n.key_id AND k.kek_ref = n.from_ref AND k.status <> 'destroyed'"
        ));
        replaced += session.execute(update).await?;
    }
    Ok(replaced)
}

own_row!(
    KeyRecord,
    "a key record of another form than this program makes",
    |row| KeyRecord {
        key_id: key(row, "key_id")?,
        tenant: row.try_get("tenant")?,
        purpose: word(row, "purpose")?,
        version: row.try_get("version")?,
        algorithm: row.try_get("algorithm")?,
        status: word(row, "status")?,
        kek_ref: row.try_get("kek_ref")?,
        wrapped_key: row.try_get("wrapped_key")?,
        check_value: row.try_get("check_value")?,
        created_at: row.try_get("created_at")?,
        activated_at: row.try_get("activated_at")?,
        deactivated_at: row.try_get("deactivated_at")?,
        compromised_at: row.try_get("compromised_at")?,
        destroyed_at: row.try_get("destroyed_at")?,
        rotation_due_at: row.try_get("rotation_due_at")?,
        created_by: row.try_get("created_by")?,
        reason: row.try_get("reason")?,
    }
);
