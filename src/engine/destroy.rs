//! Destruction of keys: the end of the line, and of everything still sealed under them.
//! Owns what must hold before: the key seals nothing any more, no rotation of it is open, older
//! transactions are gone, a census of zero taken under a lock, and the audit chain, whose entries
//! under it can never be checked again, attested under the key that is active now.

use super::Engine;
use super::error::EngineError;
use crate::crypto::{KeyId, Purpose};
use crate::keys::{KeyError, KeyRecord, KeyStatus, RotationKind};
use crate::run::audit;
use crate::store::{Destruction, SealedCount, Target};
use serde_json::json;

/// What was destroyed.
#[derive(Debug)]
pub struct Destroyed {
    /// The keys.
    pub keys: Vec<KeyId>,
    /// Values that no longer open: those of a shredded tenant.
    pub values_lost: u64,
    /// Plaintext of the shredded tenant that is still there.
    pub plaintext_left: u64,
}

impl Engine {
    /// Destroys one key under which nothing is sealed any more.
    ///
    /// # Errors
    /// [`KeyError::NoSuchMove`] for a key that may still seal, [`KeyError::RotationOpen`],
    /// [`KeyError::StillUsed`] with the places, an older transaction that does not end.
    pub async fn destroy(
        &self,
        key_id: KeyId,
        targets: &[Target],
        reason: &str,
    ) -> Result<Destroyed, EngineError> {
        let record = self.record(key_id).await?;
        if !record.status.may_become(KeyStatus::Destroyed) {
            return Err(KeyError::NoSuchMove {
                key_id,
                from: record.status,
                to: KeyStatus::Destroyed,
            }
            .into());
        }
        self.refuse_open_rotation(&[key_id]).await?;
        self.wipe(&[record], targets, None, reason).await?;
        Ok(Destroyed {
            keys: vec![key_id],
            values_lost: 0,
            plaintext_left: 0,
        })
    }

    /// Destroys all keys of a tenant, whatever is sealed under them, and its blind indexes.
    ///
    /// # Errors
    /// [`KeyError::NoneOfTenant`], [`KeyError::RotationOpen`], and what the store reports.
    pub async fn shred(
        &self,
        tenant: &str,
        targets: &[Target],
        reason: &str,
    ) -> Result<Destroyed, EngineError> {
        let records: Vec<KeyRecord> = self
            .store
            .key_records()
            .await?
            .into_iter()
            .filter(|record| record.tenant == tenant && record.status != KeyStatus::Destroyed)
            .collect();
        if records.is_empty() {
            return Err(KeyError::NoneOfTenant.into());
        }
        let keys: Vec<KeyId> = records.iter().map(|record| record.key_id).collect();
        self.refuse_open_rotation(&keys).await?;
        let census = super::census::take(self.store.as_ref(), targets).await?;
        let values_lost = keys.iter().filter_map(|id| census.get(id)).sum();
        self.wipe(&records, targets, Some(tenant), reason).await?;
        let mut plaintext_left = 0;
        for target in targets {
            plaintext_left += self.store.plaintext_of(target, tenant).await?;
        }
        Ok(Destroyed {
            keys,
            values_lost,
            plaintext_left,
        })
    }

    async fn wipe(
        &self,
        records: &[KeyRecord],
        targets: &[Target],
        shred: Option<&str>,
        reason: &str,
    ) -> Result<(), EngineError> {
        let keys: Vec<KeyId> = records.iter().map(|record| record.key_id).collect();
        let mut before = self.store.open_transactions().await?;
        self.wait_until_gone(&mut before).await?;
        let (store, keyring) = (self.store.as_ref(), &self.tenants.keyring);
        let actor = &self.tenants.actor;
        // Entries of the audit chain are under cell keys that are for no tenant.
        let audits = records
            .iter()
            .any(|record| record.tenant.is_empty() && record.purpose == Purpose::Cell);
        if audits {
            // The attestation must be under a key that stays.
            self.tenants.own()?;
            audit::attest(store, keyring, actor)
                .await?
                .map_err(EngineError::Audit)?;
        }
        let order = Destruction {
            keys: &keys,
            targets,
            shred,
            actor,
            reason,
        };
        let mut patience = super::retry::Patience::new(self.settings.patience);
        let left = loop {
            match self.store.destroy_keys(&order).await {
                Ok(left) => break left,
                Err(error) => self.wait_for(&error, &mut patience).await?,
            }
        };
        if let (Some(key_id), false) = (keys.first(), left.is_empty()) {
            return Err(KeyError::StillUsed {
                key_id: *key_id,
                values: left.iter().map(|count| count.values).sum(),
                places: places(&left, targets),
            }
            .into());
        }
        let subject = json!({
            "key_ids": keys.iter().map(|id| id.get()).collect::<Vec<_>>(),
            "tenant": shred,
            "reason": reason,
        });
        let action = if shred.is_some() {
            "key.shred"
        } else {
            "key.destroy"
        };
        audit::append(store, keyring, actor, action, &subject).await?;
        Ok(())
    }

    async fn record(&self, key_id: KeyId) -> Result<KeyRecord, EngineError> {
        let records = self.store.key_records_by_id(&[key_id]).await?;
        let record = records.into_iter().next();
        Ok(record.ok_or(KeyError::Unknown { key_id })?)
    }

    async fn refuse_open_rotation(&self, keys: &[KeyId]) -> Result<(), EngineError> {
        let open = self.store.rotations(0).await?;
        let ours = open
            .iter()
            .filter(|record| record.finished_at.is_none() && record.kind != RotationKind::Rewrap)
            .flat_map(|record| [record.from_key_id, record.to_key_id])
            .flatten()
            .find(|id| keys.contains(id));
        match ours {
            Some(key_id) => Err(KeyError::RotationOpen { key_id }.into()),
            None => Ok(()),
        }
    }
}

/// Where values are left, table by table: the counts name fields, and each target its own.
fn places(left: &[SealedCount], targets: &[Target]) -> String {
    let mut out: Vec<String> = left
        .iter()
        .map(|count| match (count.table, count.field) {
            (Some(table), Some(field)) => targets
                .get(table)
                .and_then(|target| Some((target, target.fields.get(field)?)))
                .map_or_else(String::new, |(target, field)| {
                    format!("{}.{} ({})", target.label, field.label, count.values)
                }),
            _ => format!("phiseal's own tables ({})", count.values),
        })
        .collect();
    out.retain(|place| !place.is_empty());
    out.sort();
    out.join(", ")
}
