//! Destroys keys, and with them every value that is still sealed under them.
//! Owns the conditions for that; crypto-shredding of a tenant, below, asks for fewer. `ahead` looks whether they are
//! met. The key may no longer seal; no rotation of it is open; older transactions have ended; the whole database was searched; a census under a lock counted zero;
//! and the audit chain was attested under the key that is active now, since the entries under the
//! destroyed key can never be checked again. One transaction destroys the keys and writes the audit
//! entry.

mod ahead;

use serde_json::{Value, json};

use super::Engine;
use super::error::EngineError;
use super::search::{Reach, Searched, named};
use crate::crypto::{KeyId, Purpose};
use crate::keys::{KeyError, KeyRecord, KeyStatus, RotationKind};
use crate::run::audit::{self, Note};
use crate::store::{Access, Destruction, SealedCount};
pub use ahead::DestroyAhead;
use ahead::is_replaced;

/// What was destroyed.
#[derive(Debug)]
pub struct Destroyed {
    /// The destroyed keys.
    pub keys: Vec<KeyId>,
    /// Values that can no longer be opened: those of the shredded tenant.
    pub values_lost: u64,
    /// Values of the shredded tenant that are still there as plaintext.
    pub plaintext_left: u64,
    /// The result of the search that came before; `None` if only registered columns were counted.
    pub searched: Option<Searched>,
}

/// A request to destroy keys.
#[derive(Debug)]
pub struct DestroyRequest<'a> {
    /// All registered tables.
    pub tables: &'a [Access],
    /// The reason, for the record.
    pub reason: &'a str,
    /// How far the database is searched for values.
    pub reach: &'a Reach,
}

impl Engine {
    /// Destroys one key under which no value is sealed any more.
    ///
    /// # Errors
    /// [`KeyError::NoSuchMove`] for a key that may still seal, [`KeyError::RotationOpen`],
    /// [`KeyError::StillUsed`] with the places of values, [`KeyError::NotSearched`] with the
    /// relations that cannot be read, an older transaction that does not end.
    pub async fn destroy(
        &self,
        key_id: KeyId,
        order: &DestroyRequest<'_>,
    ) -> Result<Destroyed, EngineError> {
        let record = self.out_of_use(key_id, order.reason).await?;
        if !record.status.may_become(KeyStatus::Destroyed) {
            return Err(KeyError::NoSuchMove {
                key_id,
                from: record.status,
                to: KeyStatus::Destroyed,
            }
            .into());
        }
        self.refuse_open_rotation(&[key_id]).await?;
        self.outlive_snapshots().await?;
        let searched = self.search(&[key_id], order.reach).await?;
        if !searched.hits.is_empty() {
            return Err(KeyError::StillUsed {
                key_id,
                values: searched.values(),
                places: searched.places(),
            }
            .into());
        }
        if !searched.closed.is_empty() {
            return Err(KeyError::NotSearched {
                key_id,
                places: named(&searched.closed),
            }
            .into());
        }
        self.wipe(&[record], order, None, &searched).await?;
        Ok(Destroyed {
            keys: vec![key_id],
            values_lost: 0,
            plaintext_left: 0,
            searched: (!order.reach.registered_only).then_some(searched),
        })
    }

    /// Destroys all keys of a tenant, whatever is sealed under them, and blanks its blind indexes.
    /// What the search finds is counted, but does not prevent it.
    ///
    /// # Errors
    /// [`KeyError::NoneOfTenant`], [`KeyError::RotationOpen`], and what the store reports.
    pub async fn shred(
        &self,
        tenant: &str,
        order: &DestroyRequest<'_>,
    ) -> Result<Destroyed, EngineError> {
        let records = self.keys_of_tenant(tenant).await?;
        self.refuse_any_open_finalize().await?;
        let keys: Vec<KeyId> = records.iter().map(|record| record.key_id).collect();
        self.refuse_open_rotation(&keys).await?;
        self.outlive_snapshots().await?;
        let (searched, values_lost) = self.values_under(&keys, order).await?;
        self.wipe(&records, order, Some(tenant), &searched).await?;
        let mut plaintext_left = 0;
        for access in order.tables {
            plaintext_left += self.store.plaintext_of(&access.table, tenant).await?;
        }
        Ok(Destroyed {
            keys,
            values_lost,
            plaintext_left,
            searched: (!order.reach.registered_only).then_some(searched),
        })
    }

    /// The keys of a tenant that are not destroyed, at least one.
    async fn keys_of_tenant(&self, tenant: &str) -> Result<Vec<KeyRecord>, EngineError> {
        let mut records = self.store.key_records().await?;
        records.retain(|one| one.tenant == tenant && one.status != KeyStatus::Destroyed);
        match records.is_empty() {
            true => Err(KeyError::NoneOfTenant.into()),
            false => Ok(records),
        }
    }

    /// Searches for values under these keys, and counts them.
    async fn values_under(
        &self,
        keys: &[KeyId],
        order: &DestroyRequest<'_>,
    ) -> Result<(Searched, u64), EngineError> {
        let census = super::census::take(self.store.as_ref(), order.tables).await?;
        let registered: u64 = keys.iter().filter_map(|id| census.get(id)).sum();
        let searched = self.search(keys, order.reach).await?;
        // The search counts registered columns too, so the two are not added.
        let values = registered.max(searched.values());
        Ok((searched, values))
    }

    /// The record of a key. A suspended key that another active key has replaced is deactivated
    /// first.
    async fn out_of_use(&self, key_id: KeyId, reason: &str) -> Result<KeyRecord, EngineError> {
        let records = self.store.key_records().await?;
        let unknown = KeyError::Unknown { key_id };
        let record = records.iter().find(|one| one.key_id == key_id);
        let record = record.ok_or(unknown)?.clone();
        if record.status != KeyStatus::Suspended || !is_replaced(&record, &records) {
            return Ok(record);
        }
        let (from, to) = (KeyStatus::Suspended, KeyStatus::Deactivated);
        let subject = json!({ "key_id": key_id.get(), "reason": reason });
        let (keyring, actor) = (&self.tenants.keyring, &self.tenants.actor);
        let note = Note::new(keyring, actor, "key.deactivate", subject);
        self.store
            .move_key(key_id, from, to, actor, reason, &note)
            .await?;
        let record = self.store.key_records_by_id(&[key_id]).await?;
        Ok(record
            .into_iter()
            .next()
            .ok_or(KeyError::Unknown { key_id })?)
    }

    /// Waits twice: a transaction that begins during the first wait may have imported the snapshot
    /// of an older one.
    async fn outlive_snapshots(&self) -> Result<(), EngineError> {
        self.outlive_transactions().await?;
        self.outlive_transactions().await
    }

    async fn wipe(
        &self,
        records: &[KeyRecord],
        order: &DestroyRequest<'_>,
        shred: Option<&str>,
        searched: &Searched,
    ) -> Result<(), EngineError> {
        let keys: Vec<KeyId> = records.iter().map(|record| record.key_id).collect();
        let (store, keyring) = (self.store.as_ref(), &self.tenants.keyring);
        let actor = &self.tenants.actor;
        // Audit entries are made under cell keys without a tenant.
        let audits = records
            .iter()
            .any(|record| record.tenant.is_empty() && record.purpose == Purpose::Cell);
        if audits {
            // Another key must remain to attest the chain under.
            self.tenants.own()?;
            audit::attest(store, keyring, actor)
                .await?
                .map_err(EngineError::Audit)?;
        }
        let action = if shred.is_some() {
            "key.shred"
        } else {
            "key.destroy"
        };
        let subject = subject(&keys, order, shred, searched);
        let note = Note::new(keyring, actor, action, subject);
        let tables = order.tables;
        let order = Destruction {
            keys: &keys,
            tables,
            shred,
            actor,
            reason: order.reason,
            note: &note,
            searched: searched.version,
        };
        let mut patience = self.patience();
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
                places: places(&left, tables),
            }
            .into());
        }
        Ok(())
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

/// The audit entry's subject; it also says how far the search went, and what was excepted.
fn subject(
    keys: &[KeyId],
    order: &DestroyRequest<'_>,
    shred: Option<&str>,
    searched: &Searched,
) -> Value {
    let names = |places: &[crate::store::Unsearchable]| -> Vec<String> {
        places.iter().map(|one| one.name.clone()).collect()
    };
    let searched = if order.reach.registered_only {
        json!("registered only")
    } else {
        json!({
            "relations": searched.places,
            "values": searched.values(),
            "except": names(&searched.excepted),
            "not_searched": names(&searched.closed),
        })
    };
    json!({
        "key_ids": keys.iter().map(|id| id.get()).collect::<Vec<_>>(),
        "tenant": shred,
        "reason": order.reason,
        "searched": searched,
    })
}

/// The places where values are left, for a message. A count's field is an index into its own
/// table.
fn places(left: &[SealedCount], tables: &[Access]) -> String {
    let mut out: Vec<String> = left
        .iter()
        .map(|count| match (&count.place, count.table, count.field) {
            (Some(place), ..) => format!("{place} ({})", count.values),
            (None, Some(table), Some(field)) => tables
                .get(table)
                .and_then(|access| Some((access, access.cells.get(field)?)))
                .map_or_else(String::new, |(access, field)| {
                    format!("{}.{} ({})", access.table.label, field.label, count.values)
                }),
            _ => format!("phiseal's own tables ({})", count.values),
        })
        .collect();
    out.retain(|place| !place.is_empty());
    out.sort();
    out.dedup();
    out.join(", ")
}
