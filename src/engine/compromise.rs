//! Declares a key compromised, at once, in the transaction that activates its successor.
//! Owns the rule that nothing delays this: no table, no run, no application, and no wrapping key
//! that is not available. Its values are re-sealed afterwards, as in a rotation.

use std::collections::BTreeSet;

use serde_json::json;

use super::Engine;
use super::error::EngineError;
use super::look::Database;
use super::preflight::RunPurpose;
use super::registered::JobsError;
use super::reindex::GRACE;
use super::rotation::Rotated;
use super::rotation::superseded::KeyIndex;
use super::search::Reach;
use crate::crypto::{KeyId, Purpose};
use crate::keys::{
    Handover, Issuer, KeyError, KeyRecord, KeyStatus, RotationKind, RotationRecord, Unnoted,
};
use crate::run::audit::Note;

/// How often the declaration is tried again because another process changed the keys.
const ATTEMPTS_MAX: u32 = 20;

/// What a declaration did.
#[derive(Debug, Default)]
pub struct Declared {
    /// The records of the rotations that are to be finished.
    pub open: Vec<RotationRecord>,
    /// The key that is active in its place.
    pub successor: Option<KeyId>,
    /// Why there is no such key.
    pub none_because: Option<KeyError>,
}

impl Engine {
    /// Declares a key compromised. If it is compromised already, continues what was begun.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::NoSuchMove`] for a destroyed key, and what the store
    /// reports.
    pub async fn declare_compromised(
        &self,
        key_id: KeyId,
        reason: &str,
    ) -> Result<Declared, EngineError> {
        let mut patience = self.patience();
        for _ in 0..ATTEMPTS_MAX {
            match self.declare(key_id, reason).await {
                Ok(Some(declared)) => {
                    self.reload().await?;
                    return Ok(declared);
                }
                Ok(None) => {}
                Err(EngineError::Store(error)) => self.wait_for(&error, &mut patience).await?,
                Err(error) => return Err(error),
            }
        }
        Err(KeyError::NotActivated { key_id }.into())
    }

    /// Seals again what is sealed under the compromised key, in each table that can be worked on,
    /// and searches the whole database for more. Also finishes the rotations that were unfinished
    /// before.
    ///
    /// # Errors
    /// What stops a run; the same calls resume.
    pub async fn reseal_compromised(
        &self,
        key_id: KeyId,
        declared: Declared,
        database: &Database<'_>,
        reach: &Reach,
    ) -> Result<Rotated, JobsError> {
        let records = self.store.key_records_by_id(&[key_id]).await?;
        let record = records.first();
        let record = record.ok_or(EngineError::Key(KeyError::Unknown { key_id }))?;
        let purpose = RunPurpose::Rotate {
            indexes: record.purpose == Purpose::BlindIndex,
        };
        let events = self.events.as_ref();
        let reached = database.able_registered(purpose, events).await?;
        let mut open = self.unfinished().await?;
        let known: BTreeSet<i64> = open.iter().map(|one| one.history_id).collect();
        let ours = declared.open.into_iter();
        open.extend(ours.filter(|one| !known.contains(&one.history_id)));
        Ok(self.finish_open(&open, reached, reach, GRACE).await?)
    }

    /// One attempt; `None` if another process changed the keys meanwhile, and the caller should try
    /// again.
    async fn declare(&self, key_id: KeyId, reason: &str) -> Result<Option<Declared>, EngineError> {
        let records = self.store.key_records().await?;
        let from = records.iter().find(|record| record.key_id == key_id);
        let from = from.ok_or(KeyError::Unknown { key_id })?;
        let again = from.status == KeyStatus::Compromised;
        if !again && !from.status.may_become(KeyStatus::Compromised) {
            return Err(KeyError::NoSuchMove {
                key_id,
                from: from.status,
                to: KeyStatus::Compromised,
            }
            .into());
        }
        if from.status == KeyStatus::PreActive {
            // No value is sealed under it, so there is nothing to re-seal.
            let done = self.only_move(from, reason).await?;
            return Ok(done.then(Declared::default));
        }
        let open = self.unfinished().await?;
        if let Some(leaving) = open.iter().find(|one| one.from_key_id == Some(key_id)) {
            return self.already_left(&records, from, leaving, reason).await;
        }
        let key_index = KeyIndex::new(&records);
        let active = key_index.active(from).filter(|one| one.key_id != key_id);
        if let Some(active) = active {
            let handover = handover(from, active.key_id, KeyStatus::Active, reason);
            return self.begin_declared(handover, &[]).await;
        }
        let issuer = Issuer {
            table: self.store.as_ref(),
            provider: self.tenants.provider.as_ref(),
            actor: &self.tenants.actor,
            reason: Some(reason),
            due: self.tenants.due,
            scribe: &Unnoted,
        };
        match issuer.successors(std::slice::from_ref(from)).await {
            Ok(None) => Ok(None),
            Ok(Some(keys)) => {
                let Some(to) = keys.first() else {
                    return Ok(None);
                };
                let handover = handover(from, to.key_id(), KeyStatus::PreActive, reason);
                self.begin_declared(handover, &keys).await
            }
            // No successor could be made. The key is declared compromised anyway, since that
            // matters most.
            Err(because) => {
                let done = again || self.only_move(from, reason).await?;
                Ok(done.then(|| Declared {
                    none_because: Some(because),
                    ..Declared::default()
                }))
            }
        }
    }

    /// A rotation away from this key is open: the key is marked compromised and that rotation is to
    /// be finished. If the new key is still pre-active, as with blind indexes, it becomes active
    /// now.
    async fn already_left(
        &self,
        records: &[KeyRecord],
        from: &KeyRecord,
        leaving: &RotationRecord,
        reason: &str,
    ) -> Result<Option<Declared>, EngineError> {
        let to = records
            .iter()
            .find(|one| Some(one.key_id) == leaving.to_key_id);
        let done = match to {
            Some(to) if to.status == KeyStatus::PreActive => {
                let handover = handover(from, to.key_id, to.status, reason);
                let note = self.compromise_note(from.key_id, reason);
                let (due, actor) = (self.tenants.due, &self.tenants.actor);
                self.store.hand_over(&[handover], due, actor, &note).await?
            }
            _ => from.status == KeyStatus::Compromised || self.only_move(from, reason).await?,
        };
        Ok(done.then(|| Declared {
            open: vec![leaving.clone()],
            successor: leaving.to_key_id,
            none_because: None,
        }))
    }

    async fn begin_declared(
        &self,
        handover: Handover,
        keys: &[std::sync::Arc<crate::keys::Key>],
    ) -> Result<Option<Declared>, EngineError> {
        let to = handover.to;
        let note = self.rotation_note("rotate.begin").under(keys);
        let (due, actor) = (self.tenants.due, &self.tenants.actor);
        let begun = self
            .store
            .begin_rotations(&[handover], due, actor, &note)
            .await?;
        let Some(numbers) = begun else {
            return Ok(None);
        };
        Ok(Some(Declared {
            open: self.by_number(&numbers).await?,
            successor: Some(to),
            none_because: None,
        }))
    }

    async fn only_move(&self, from: &KeyRecord, reason: &str) -> Result<bool, EngineError> {
        let note = self.compromise_note(from.key_id, reason);
        let (to, actor) = (KeyStatus::Compromised, &self.tenants.actor);
        let moved = self
            .store
            .move_key(from.key_id, from.status, to, actor, reason, &note)
            .await?;
        Ok(moved)
    }

    fn compromise_note(&self, key_id: KeyId, reason: &str) -> Note<'static> {
        let subject = json!({ "key_id": key_id.get(), "reason": reason });
        let (keyring, actor) = (&self.tenants.keyring, &self.tenants.actor);
        Note::new(keyring, actor, "key.compromise", subject)
    }
}

fn handover(from: &KeyRecord, to: KeyId, to_is: KeyStatus, reason: &str) -> Handover {
    Handover {
        from: from.key_id,
        from_is: from.status,
        from_becomes: KeyStatus::Compromised,
        to,
        to_is,
        to_becomes: KeyStatus::Active,
        kind: RotationKind::Compromise,
        reason: reason.to_owned(),
    }
}
