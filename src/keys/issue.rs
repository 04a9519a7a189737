//! Issues new keys: a key is made, wrapped, stored, read back, compared, and only then activated.
//! Owns the order of these steps, and what happens when two processes take them at the same time.
//! Does not own the last step of a rotation, which activates the new key and deactivates the old
//! one together.
//! A key becomes active only after its stored form was unwrapped and equals the key that was made.

mod newest;
mod stored;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use self::newest::{newest_in_use, prepared};
use self::stored::Made;
use super::error::KeyError;
use super::examine::examine;
use super::key::{Key, KeyFor, KeyRecord, NewKey};
use super::lifecycle::KeyStatus;
use super::note::Scribe;
use super::provider::KeyProvider;
use super::rotation_period::RotationPeriod;
use super::table::KeyTable;
use crate::crypto::{KeyId, Purpose};
use crate::error::round_trip::StoreError;

/// How many times in all a step is tried when other processes interfere.
const ATTEMPTS_MAX: u32 = 5;

/// The pause before a step is tried again, multiplied by the number of the attempt.
const PAUSE: Duration = Duration::from_millis(50);

/// Issues keys. A new version is one above the newest version in the table.
pub struct Issuer<'a> {
    /// The table that stores the keys.
    pub table: &'a dyn KeyTable,
    /// The provider that wraps them.
    pub provider: &'a dyn KeyProvider,
    /// Who asks for the keys, for `created_by`.
    pub actor: &'a str,
    /// Why they are made, for `reason`.
    pub reason: Option<&'a str>,
    /// When they are due for rotation after activation.
    pub due: RotationPeriod,
    /// Writes the activation to the audit log, in the transaction that activates.
    pub scribe: &'a dyn Scribe,
}

impl Issuer<'_> {
    /// Issues a key where none is active yet, as `keys create` does.
    ///
    /// # Errors
    /// [`KeyError::AlreadyActive`], also if another process activated a key first; else as
    /// [`prepare`](Self::prepare).
    pub async fn issue(&self, tenant: &str, purpose: Purpose) -> Result<Arc<Key>, KeyError> {
        let wanted = KeyFor {
            tenant: tenant.to_owned(),
            purpose,
        };
        self.refuse_active(&wanted).await?;
        let keys = self.prepare(std::slice::from_ref(&wanted)).await?;
        match self.activate(&keys).await? {
            Activation::Done(mut keys) => keys.pop().ok_or(KeyError::NoneActive { purpose }),
            Activation::Beaten(error) => {
                self.refuse_active(&wanted).await?;
                Err(error.into())
            }
        }
    }

    /// Returns an active key for each of `wanted`, in the same order: the active one, even if
    /// another process just activated it, or else a new one. The number of statements does not
    /// depend on the number of keys.
    ///
    /// # Errors
    /// [`KeyError::MayNotSeal`] if the newest key was taken out of use: a new key must not undo
    /// that unless the operator asks for it. Else as [`prepare`](Self::prepare), and the errors of
    /// loading another process's key.
    pub async fn issue_or_join(&self, wanted: &[KeyFor]) -> Result<Vec<Arc<Key>>, KeyError> {
        let mut have: HashMap<KeyFor, Arc<Key>> = HashMap::new();
        let mut pending: Vec<Arc<Key>> = Vec::new();
        let mut attempts = 1;
        loop {
            self.join(wanted, &mut have).await?;
            // If another process was first, our own key stays pre-active and unused.
            pending.retain(|key| !have.contains_key(&whom(key)));
            let mut open: HashSet<KeyFor> = pending.iter().map(|key| whom(key)).collect();
            let missing: Vec<KeyFor> = wanted
                .iter()
                .filter(|one| !have.contains_key(one) && open.insert((*one).clone()))
                .cloned()
                .collect();
            pending.extend(self.prepare(&missing).await?);
            match self.activate(&pending).await? {
                Activation::Done(keys) => {
                    have.extend(keys.into_iter().map(|key| (whom(&key), key)));
                    return in_order(wanted, &have);
                }
                Activation::Beaten(error) if attempts >= ATTEMPTS_MAX => return Err(error.into()),
                Activation::Beaten(_) => pause(&mut attempts).await,
            }
        }
    }

    /// Stores keys and proves that they can be read back, but leaves them pre-active: the first
    /// half of a rotation. Returns all keys or an error; keys stored before an error stay
    /// pre-active.
    ///
    /// # Errors
    /// [`KeyError::ReadBackMissing`], [`KeyError::ReadBackDiffers`], [`KeyError::NoFreeId`], and
    /// the errors of the provider and the table.
    pub async fn prepare(&self, wanted: &[KeyFor]) -> Result<Vec<Arc<Key>>, KeyError> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let made = self.store(wanted).await?;
        self.read_back(&made).await
    }

    /// The key that takes over from each of `from`, stored, read back and pre-active. It is the
    /// newest prepared key that was never used, or else a new key with the next version. Two
    /// rotations that begin at the same time never make two successors, since only one can take the
    /// version.
    ///
    /// `None` if the state of one of `from` has changed: another process was first.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub async fn successors(&self, from: &[KeyRecord]) -> Result<Option<Vec<Arc<Key>>>, KeyError> {
        let mut attempts = 1;
        loop {
            let records = self.table.key_records().await?;
            let states: HashMap<KeyId, KeyStatus> =
                records.iter().map(|now| (now.key_id, now.status)).collect();
            let same = |old: &KeyRecord| states.get(&old.key_id) == Some(&old.status);
            let prepared = prepared(&records);
            if !from.iter().all(same) {
                return Ok(None);
            }
            let mut have = Vec::with_capacity(from.len());
            let mut missing = Vec::new();
            for old in from {
                let ready = prepared.get(&(old.tenant.as_str(), old.purpose));
                match ready.filter(|record| record.version > old.version) {
                    Some(record) => have.push(Arc::new(examine(record, self.provider).await?)),
                    None => missing.push(KeyFor {
                        tenant: old.tenant.clone(),
                        purpose: old.purpose,
                    }),
                }
            }
            if missing.is_empty() {
                return Ok(Some(have));
            }
            let none: Vec<Option<Made>> = missing.iter().map(|_| None).collect();
            let batch = self.make_missing(&missing, &none).await?;
            let rows: Vec<NewKey> = batch.iter().map(|(_, made)| made.row.clone()).collect();
            match self.table.insert_keys(&rows).await {
                Ok(taken) => {
                    let made: Vec<Made> = batch
                        .into_iter()
                        .map(|(_, made)| made)
                        .filter(|made| !taken.contains(&made.row.key_id))
                        .collect();
                    // Read back before anything depends on the keys; the next turn of the loop
                    // finds them prepared.
                    self.read_back(&made).await?;
                }
                // Another process took the version; the next turn of the loop finds its key.
                Err(StoreError::RowRefused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            if attempts > ATTEMPTS_MAX {
                return Err(KeyError::NoFreeId { attempts });
            }
            pause(&mut attempts).await;
        }
    }

    async fn activate(&self, keys: &[Arc<Key>]) -> Result<Activation, KeyError> {
        if keys.is_empty() {
            return Ok(Activation::Done(Vec::new()));
        }
        let ids: Vec<KeyId> = keys.iter().map(|key| key.key_id()).collect();
        let note = self.scribe.created(keys);
        let activated = self
            .table
            .activate_keys(&ids, self.due, note.as_ref())
            .await;
        let unknown = match activated {
            Ok(()) => None,
            Err(error @ StoreError::OutcomeUnknown) => Some(error),
            // RowRefused: the unique index holds another active key. Busy and Locked: another
            // process is activating too.
            Err(
                error @ (StoreError::RowRefused { .. }
                | StoreError::Busy { .. }
                | StoreError::Locked),
            ) => return Ok(Activation::Beaten(error)),
            Err(error) => return Err(error.into()),
        };
        let records = self.records_of(ids.iter().copied()).await?;
        let mut activated = Vec::with_capacity(keys.len());
        for key in keys {
            let key_id = key.key_id();
            match records.get(&key_id) {
                Some(record) if record.status == KeyStatus::Active => {
                    activated.push(Arc::new(key.renewed(record)));
                }
                _ => {
                    return Err(unknown.map_or(KeyError::NotActivated { key_id }, KeyError::from));
                }
            }
        }
        Ok(Activation::Done(activated))
    }

    /// Loads the active keys of `wanted` that are not in `have`.
    async fn join(
        &self,
        wanted: &[KeyFor],
        have: &mut HashMap<KeyFor, Arc<Key>>,
    ) -> Result<(), KeyError> {
        let records = self.table.key_records().await?;
        let newest = newest_in_use(&records);
        for key_for in wanted {
            let Some(record) = newest.get(&(key_for.tenant.as_str(), key_for.purpose)) else {
                continue;
            };
            if !record.status.may_seal() {
                return Err(KeyError::MayNotSeal {
                    key_id: record.key_id,
                    status: record.status,
                });
            }
            if !have.contains_key(key_for) {
                let key = examine(record, self.provider).await?;
                have.insert(key_for.clone(), Arc::new(key));
            }
        }
        Ok(())
    }

    async fn refuse_active(&self, wanted: &KeyFor) -> Result<(), KeyError> {
        let records = self.table.key_records().await?;
        let active = records
            .iter()
            .filter(|record| record.status == KeyStatus::Active)
            .any(|record| record.tenant == wanted.tenant && record.purpose == wanted.purpose);
        if active {
            return Err(KeyError::AlreadyActive {
                purpose: wanted.purpose,
            });
        }
        Ok(())
    }
}

enum Activation {
    Done(Vec<Arc<Key>>),
    /// Another process was first; no key was activated.
    Beaten(StoreError),
}

fn whom(key: &Key) -> KeyFor {
    KeyFor {
        tenant: key.tenant().to_owned(),
        purpose: key.purpose(),
    }
}

fn in_order(
    wanted: &[KeyFor],
    have: &HashMap<KeyFor, Arc<Key>>,
) -> Result<Vec<Arc<Key>>, KeyError> {
    wanted
        .iter()
        .map(|key_for| {
            have.get(key_for).cloned().ok_or(KeyError::NoneActive {
                purpose: key_for.purpose,
            })
        })
        .collect()
}

async fn pause(attempts: &mut u32) {
    tokio::time::sleep(PAUSE.saturating_mul(*attempts)).await;
    *attempts += 1;
}

#[cfg(test)]
mod tests;
