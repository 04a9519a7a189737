//! Changes of keys: each is one transaction with its rotation's record and its audit entries.
//! Owns what belongs into one transaction; the SQL is in `keys.rs`, `rotations.rs` and `audit.rs`.

use async_trait::async_trait;

use super::session::{OwnTables, OwnTransaction, Session, in_transaction};
use super::{audit, keys, rotations};
use crate::crypto::KeyId;
use crate::keys::{
    ChangeRow, Handover, KeyStatus, KeyTransition, Notary, Rewrapped, RotationEnd, RotationPeriod,
    RotationRecord, RotationTable,
};
use crate::store::Result;

/// How long a change of keys waits for another one before it fails and is tried again.
const KEY_WAIT_SECONDS: u32 = 2;

#[async_trait]
impl<S: OwnTables> RotationTable for S {
    async fn move_key(
        &self,
        key_id: KeyId,
        from: KeyStatus,
        to: KeyStatus,
        actor: &str,
        reason: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let (mut transaction, before) = begin_key_change(self).await?;
        if !keys::set_status(&mut transaction, key_id, from, to, actor, reason).await? {
            return Ok(false);
        }
        audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn hand_over(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let (mut transaction, before) = begin_key_change(self).await?;
        if !keys::hand_over(&mut transaction, handovers, due, actor).await? {
            return Ok(false);
        }
        audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn key_changes(&self, from: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        in_transaction!(self.begin_read(), |session| audit::changes(
            session, from, limit
        ))
    }

    async fn key_transitions(&self, ids: &[KeyId]) -> Result<Vec<KeyTransition>> {
        in_transaction!(self.begin_read(), |session| rotations::transitions(
            session, ids
        ))
    }

    async fn rotations(&self, limit: u32) -> Result<Vec<RotationRecord>> {
        in_transaction!(self.begin_read(), |session| rotations::list(session, limit))
    }

    async fn begin_rotations(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<Option<Vec<i64>>> {
        let (mut transaction, before) = begin_key_change(self).await?;
        if !keys::hand_over(&mut transaction, handovers, due, actor).await? {
            return Ok(None);
        }
        let Some(numbers) = rotations::open(&mut transaction, handovers, actor).await? else {
            return Ok(None);
        };
        let records = rotations::of_numbers(&mut transaction, &numbers).await?;
        audit::note(&mut transaction, note, &records, before).await?;
        transaction.commit().await?;
        Ok(Some(numbers))
    }

    async fn finish_rotations(
        &self,
        ends: &[RotationEnd],
        note: &dyn Notary,
    ) -> Result<Vec<RotationRecord>> {
        let numbers: Vec<i64> = ends.iter().map(|end| end.history_id).collect();
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        let closed = rotations::close(&mut transaction, ends).await?;
        let records = rotations::of_numbers(&mut transaction, &numbers).await?;
        // A rotation that was closed before has its audit entry already.
        let mut ours = records.clone();
        ours.retain(|record| closed.contains(&record.history_id));
        if !ours.is_empty() {
            audit::note(&mut transaction, note, &ours, before).await?;
        }
        transaction.commit().await?;
        Ok(records)
    }

    async fn begin_rewrap(
        &self,
        from_kek_refs: &str,
        to_kek_ref: &str,
        reason: &str,
        actor: &str,
    ) -> Result<RotationRecord> {
        in_transaction!(self.begin_write(), |session| rotations::open_rewrap(
            session,
            from_kek_refs,
            to_kek_ref,
            reason,
            actor
        ))
    }

    async fn rewrap_keys(
        &self,
        history_id: i64,
        keys: &[Rewrapped],
        note: &dyn Notary,
    ) -> Result<u64> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        let stored = keys::rewrap(&mut transaction, keys).await?;
        rotations::count_rewrapped(&mut transaction, history_id, stored).await?;
        if stored > 0 {
            let records = rotations::of_numbers(&mut transaction, &[history_id]).await?;
            audit::note(&mut transaction, note, &records, before).await?;
        }
        transaction.commit().await?;
        Ok(stored)
    }

    async fn finish_rewrap(&self, history_id: i64, note: &dyn Notary) -> Result<RotationRecord> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        let was_open = rotations::close_rewrap(&mut transaction, history_id).await?;
        let mut records = rotations::of_numbers(&mut transaction, &[history_id]).await?;
        if was_open {
            audit::note(&mut transaction, note, &records, before).await?;
        }
        transaction.commit().await?;
        Ok(records.remove(0))
    }
}

/// Begins a transaction that changes keys.
async fn begin_key_change<S: OwnTables>(store: &S) -> Result<(S::Transaction, i64)> {
    let mut transaction = store.begin_write().await?;
    transaction.limit_lock_wait(KEY_WAIT_SECONDS).await?;
    let before = transaction.newest_change().await?;
    Ok((transaction, before))
}
