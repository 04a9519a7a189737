//! New keys are stored: made, wrapped, inserted under a free id, read back and compared.
//! Owns these steps, and that they are tried again where another process was first. Activates nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::newest::newest_versions;
use super::{ATTEMPTS_MAX, Issuer, KeyFor, pause};
use crate::crypto::{DataKey, KeyId};
use crate::error::round_trip::StoreError;
use crate::keys::error::KeyError;
use crate::keys::examine::examine;
use crate::keys::key::{Key, KeyRecord, NewKey};

/// A key that this process made, and the row that stores it.
pub(super) struct Made {
    pub(super) row: NewKey,
    data_key: DataKey,
}

impl Issuer<'_> {
    /// Inserts a new key for each of `wanted`, in the same order.
    pub(super) async fn store(&self, wanted: &[KeyFor]) -> Result<Vec<Made>, KeyError> {
        let mut stored: Vec<Option<Made>> = wanted.iter().map(|_| None).collect();
        let mut attempts = 1;
        loop {
            let mut batch = self.make_missing(wanted, &stored).await?;
            let rows: Vec<NewKey> = batch.iter().map(|(_, made)| made.row.clone()).collect();
            let refused = match self.table.insert_keys(&rows).await {
                Ok(taken) if taken.is_empty() => None,
                Ok(taken) => {
                    batch.retain(|(_, made)| !taken.contains(&made.row.key_id));
                    Some(KeyError::NoFreeId { attempts })
                }
                // Another process took the version after we had read the table.
                Err(error @ StoreError::RowRefused { .. }) => {
                    batch.clear();
                    Some(error.into())
                }
                Err(error) => return Err(error.into()),
            };
            for (place, made) in batch {
                if let Some(slot) = stored.get_mut(place) {
                    *slot = Some(made);
                }
            }
            match refused {
                None => return Ok(stored.into_iter().flatten().collect()),
                Some(error) if attempts >= ATTEMPTS_MAX => return Err(error),
                Some(_) => pause(&mut attempts).await,
            }
        }
    }

    /// Makes and wraps a key for each position without a stored one.
    pub(super) async fn make_missing(
        &self,
        wanted: &[KeyFor],
        stored: &[Option<Made>],
    ) -> Result<Vec<(usize, Made)>, KeyError> {
        let mut newest = newest_versions(&self.table.key_records().await?);
        let mut ids: HashSet<KeyId> = HashSet::new();
        let mut batch = Vec::new();
        for (place, (key_for, slot)) in wanted.iter().zip(stored).enumerate() {
            if slot.is_some() {
                continue;
            }
            let version = newest.entry(key_for.clone()).or_default();
            *version += 1;
            let key_id = loop {
                let key_id = KeyId::random().map_err(|_| KeyError::NoRandomness)?;
                if ids.insert(key_id) {
                    break key_id;
                }
            };
            let data_key = DataKey::generate().map_err(|_| KeyError::NoRandomness)?;
            data_key.keep_in_memory();
            let row = NewKey {
                created_by: self.actor.to_owned(),
                reason: self.reason.map(str::to_owned),
                ..NewKey::wrap(&data_key, key_id, key_for, *version, self.provider).await?
            };
            batch.push((place, Made { row, data_key }));
        }
        Ok(batch)
    }

    /// Reads the rows in a new transaction and compares them with the keys that were made.
    pub(super) async fn read_back(&self, made: &[Made]) -> Result<Vec<Arc<Key>>, KeyError> {
        let records = self
            .records_of(made.iter().map(|made| made.row.key_id))
            .await?;
        let mut keys = Vec::with_capacity(made.len());
        for Made { row, data_key } in made {
            let key_id = row.key_id;
            let record = records
                .get(&key_id)
                .ok_or(KeyError::ReadBackMissing { key_id })?;
            if !row.is_stored_as(record) {
                return Err(KeyError::ReadBackDiffers { key_id });
            }
            let key = examine(record, self.provider)
                .await
                .map_err(|error| match error {
                    KeyError::WrappedKeyMissing { .. } => KeyError::ReadBackMissing { key_id },
                    KeyError::DoesNotUnwrap { .. } | KeyError::CheckValueDiffers { .. } => {
                        KeyError::ReadBackDiffers { key_id }
                    }
                    other => other,
                })?;
            if !bool::from(key.data_key().ct_eq(data_key)) {
                return Err(KeyError::ReadBackDiffers { key_id });
            }
            keys.push(Arc::new(key));
        }
        Ok(keys)
    }

    pub(super) async fn records_of(
        &self,
        ids: impl Iterator<Item = KeyId>,
    ) -> Result<HashMap<KeyId, KeyRecord>, KeyError> {
        let ids: Vec<KeyId> = ids.collect();
        let records = self.table.key_records_by_id(&ids).await?;
        Ok(records
            .into_iter()
            .map(|record| (record.key_id, record))
            .collect())
    }
}
