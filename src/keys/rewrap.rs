//! Rewrapping: wraps every data key under another wrapping key; changes no row of the user's
//! tables.
//! Owns the order: unwrap, compare, wrap, unwrap again, compare, store. Then all keys are read back
//! before the record is closed. A rewrap can be resumed: a key under the new wrapping key is done.

use subtle::ConstantTimeEq;

use super::error::KeyError;
use super::examine::examine;
use super::key::KeyRecord;
use super::lifecycle::KeyStatus;
use super::note::Notary;
use super::provider::KeyProvider;
use super::rotation::{Rewrapped, RotationKind, RotationRecord, RotationTable};
use super::table::KeyTable;

/// How many keys one transaction stores.
const KEYS_A_BATCH: usize = 500;

/// The parameters of a rewrap.
pub struct Rewrap<'a, T: ?Sized> {
    /// The table of keys and of the history.
    pub table: &'a T,
    /// Unwraps the present keys, whichever wrapping key they are under.
    pub from: &'a dyn KeyProvider,
    /// The new wrapping key.
    pub to: &'a dyn KeyProvider,
    /// Who does it.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Writes the audit entries.
    pub note: &'a dyn Notary,
}

impl<T: KeyTable + RotationTable + ?Sized> Rewrap<'_, T> {
    /// Rewraps every data key that is not destroyed; `None` if all are under the new wrapping key
    /// already.
    ///
    /// # Errors
    /// A key that does not unwrap or has another check value, [`KeyError::RewrapOpen`] if an
    /// unfinished rewrap goes to another wrapping key, and the errors of the providers and the
    /// table. Stored keys stay stored; the same call continues.
    pub async fn run(&self) -> Result<Option<RotationRecord>, KeyError> {
        let to = self.to.reference();
        let unfinished = self
            .table
            .rotations(0)
            .await?
            .into_iter()
            .find(|record| record.kind == RotationKind::Rewrap && record.finished_at.is_none());
        if let Some(other) = unfinished
            .as_ref()
            .and_then(|record| record.to_kek_ref.as_deref())
            .filter(|other| *other != to)
        {
            return Err(KeyError::RewrapOpen {
                to: other.to_owned(),
            });
        }
        let waiting = self.waiting().await?;
        if waiting.is_empty() && unfinished.is_none() {
            return Ok(None);
        }
        let mut from: Vec<&str> = waiting.iter().map(|key| key.kek_ref.as_str()).collect();
        from.sort_unstable();
        from.dedup();
        let open = self
            .table
            .begin_rewrap(&from.join(", "), to, self.reason, self.actor)
            .await?;
        for batch in waiting.chunks(KEYS_A_BATCH) {
            let mut wrapped = Vec::with_capacity(batch.len());
            for record in batch {
                wrapped.push(self.wrap_again(record).await?);
            }
            self.table
                .rewrap_keys(open.history_id, &wrapped, self.note)
                .await?;
        }
        // Unwraps what the table now holds, not what was sent to it.
        for record in self.table.key_records().await? {
            if record.status != KeyStatus::Destroyed {
                examine(&record, self.to).await?;
            }
        }
        let closed = self.table.finish_rewrap(open.history_id, self.note);
        Ok(Some(closed.await?))
    }

    async fn waiting(&self) -> Result<Vec<KeyRecord>, KeyError> {
        let mut records = self.table.key_records().await?;
        records.retain(|record| {
            record.status != KeyStatus::Destroyed && record.kek_ref != self.to.reference()
        });
        Ok(records)
    }

    async fn wrap_again(&self, record: &KeyRecord) -> Result<Rewrapped, KeyError> {
        let KeyRecord {
            key_id,
            purpose,
            tenant,
            ..
        } = record;
        let key = examine(record, self.from).await?;
        let wrapped_key = self
            .to
            .wrap(*key_id, *purpose, tenant, key.data_key())
            .await?;
        let again = self
            .to
            .unwrap(*key_id, *purpose, tenant, &wrapped_key)
            .await?;
        if !bool::from(again.ct_eq(key.data_key())) {
            return Err(KeyError::ReadBackDiffers { key_id: *key_id });
        }
        Ok(Rewrapped {
            key_id: *key_id,
            from_kek_ref: record.kek_ref.clone(),
            to_kek_ref: self.to.reference().to_owned(),
            wrapped_key,
        })
    }
}
