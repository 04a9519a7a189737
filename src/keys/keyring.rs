//! The keys of one database, unwrapped and compared, ready for lookups.
//! Owns which key seals for which tenant and which key opens an id. Reads no table, and asks the
//! provider only when keys are loaded: a lookup is a hash lookup without I/O.
//! A key is in a keyring only if its record named the provider's wrapping key, it unwrapped, and
//! its check value was the stored one.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::error::KeyError;
use super::examine::{KeyCheck, KeyFault, KeyFaults, examine_all};
use super::key::{Key, KeyRecord};
use super::lifecycle::KeyStatus;
use super::provider::KeyProvider;
use crate::crypto::{KeyId, Purpose};

/// The keys at one moment. Lookups take no lock.
#[derive(Default)]
pub struct KeySet {
    entries: HashMap<KeyId, Entry>,
    cell: HashMap<String, Arc<Key>>,
    blind_index: HashMap<String, Arc<Key>>,
}

enum Entry {
    Loaded(Arc<Key>),
    Destroyed,
}

impl KeySet {
    /// The active key of a tenant and purpose.
    #[must_use]
    pub fn active(&self, tenant: &str, purpose: Purpose) -> Option<&Arc<Key>> {
        self.seals(purpose).get(tenant)
    }

    /// The key that seals for a tenant and purpose.
    ///
    /// # Errors
    /// [`KeyError::MayNotSeal`] if the tenant's newest key is suspended, deactivated or
    /// compromised: a new key must not undo that unless the operator asks for it.
    /// [`KeyError::NoneActive`] if the tenant has no key: one may be issued.
    pub fn sealing(&self, tenant: &str, purpose: Purpose) -> Result<&Arc<Key>, KeyError> {
        if let Some(key) = self.active(tenant, purpose) {
            return Ok(key);
        }
        let newest = self
            .loaded()
            .filter(|key| key.tenant() == tenant && key.purpose() == purpose)
            .filter(|key| key.status() != KeyStatus::PreActive)
            .max_by_key(|key| key.version());
        Err(match newest {
            Some(key) => KeyError::MayNotSeal {
                key_id: key.key_id(),
                status: key.status(),
            },
            None => KeyError::NoneActive { purpose },
        })
    }

    /// The key with this id, if it may open.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Destroyed`], [`KeyError::NeverActivated`].
    pub fn openable(&self, key_id: KeyId) -> Result<&Arc<Key>, KeyError> {
        match self.entries.get(&key_id) {
            None => Err(KeyError::Unknown { key_id }),
            Some(Entry::Destroyed) => Err(KeyError::Destroyed { key_id }),
            Some(Entry::Loaded(key)) if key.status().may_open() => Ok(key),
            Some(Entry::Loaded(_)) => Err(KeyError::NeverActivated { key_id }),
        }
    }

    /// The ids of all keys that may open, ascending.
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        let mut ids: Vec<_> = self
            .loaded()
            .filter(|key| key.status().may_open())
            .map(|key| key.key_id())
            .collect();
        ids.sort_unstable();
        ids
    }

    /// The key with this id in any state, if it is in memory.
    pub(super) fn get(&self, key_id: KeyId) -> Option<&Arc<Key>> {
        match self.entries.get(&key_id) {
            Some(Entry::Loaded(key)) => Some(key),
            Some(Entry::Destroyed) | None => None,
        }
    }

    /// All keys in memory, in no particular order.
    pub fn loaded(&self) -> impl Iterator<Item = &Arc<Key>> {
        self.entries.values().filter_map(|entry| match entry {
            Entry::Loaded(key) => Some(key),
            Entry::Destroyed => None,
        })
    }

    const fn seals(&self, purpose: Purpose) -> &HashMap<String, Arc<Key>> {
        match purpose {
            Purpose::Cell => &self.cell,
            Purpose::BlindIndex => &self.blind_index,
        }
    }

    fn insert(&mut self, key: Arc<Key>) {
        let seals = match key.purpose() {
            Purpose::Cell => &mut self.cell,
            Purpose::BlindIndex => &mut self.blind_index,
        };
        let sealing = seals.get(key.tenant());
        // After a rotation, the new key may be inserted beside its predecessor, which was active
        // when it was loaded. The newer version seals, whatever the order of insertion.
        let outdone = sealing.is_some_and(|other| other.version() > key.version());
        let is_itself = sealing.is_some_and(|other| other.key_id() == key.key_id());
        if key.status().may_seal() && !outdone {
            seals.insert(key.tenant().to_owned(), Arc::clone(&key));
        } else if is_itself {
            seals.remove(key.tenant());
        }
        self.entries.insert(key.key_id(), Entry::Loaded(key));
    }

    fn replica(&self) -> Self {
        let mut set = Self::default();
        for (key_id, entry) in &self.entries {
            match entry {
                Entry::Loaded(key) => set.insert(Arc::clone(key)),
                Entry::Destroyed => {
                    set.entries.insert(*key_id, Entry::Destroyed);
                }
            }
        }
        set
    }
}

/// The current keys, shared by all code that seals and opens. Keys can be added during lookups.
///
/// In a hot loop take one [`snapshot`](Self::snapshot) for each batch.
pub struct Keyring {
    current: RwLock<Arc<KeySet>>,
    loaded_at: RwLock<Instant>,
}

impl Default for Keyring {
    fn default() -> Self {
        Self {
            current: RwLock::default(),
            loaded_at: RwLock::new(Instant::now()),
        }
    }
}

impl Keyring {
    /// Unwraps every key that is not destroyed and compares its check value in constant time.
    ///
    /// # Errors
    /// All faults at once, wrong wrapping keys first; keys under those are not unwrapped. The fault
    /// of a pre-active key is not an error here, since no value can name that key;
    /// [`check_all`](Self::check_all) shows it.
    pub async fn load(
        records: &[KeyRecord],
        provider: &dyn KeyProvider,
    ) -> Result<Self, KeyFaults> {
        let ring = Self::default();
        ring.refresh(records, provider).await?;
        Ok(ring)
    }

    /// Takes over the present records of the table. Unwraps only keys that are not loaded yet;
    /// existing snapshots do not change. A pre-active key that does not load is left out, and its
    /// id is then unknown.
    ///
    /// # Errors
    /// As [`load`](Self::load); then nothing is changed.
    pub async fn refresh(
        &self,
        records: &[KeyRecord],
        provider: &dyn KeyProvider,
    ) -> Result<(), KeyFaults> {
        self.renew(Instant::now(), records, provider).await
    }

    /// As [`refresh`](Self::refresh), with records that were asked for at `begun`: the age of the keys
    /// counts from then.
    pub(super) async fn renew(
        &self,
        begun: Instant,
        records: &[KeyRecord],
        provider: &dyn KeyProvider,
    ) -> Result<(), KeyFaults> {
        let before = self.snapshot();
        let mut set = KeySet::default();
        let mut faults = Vec::new();
        for (record, outcome) in examine_all(records, provider, &before).await {
            match outcome {
                Ok(Some(key)) => set.insert(Arc::new(key)),
                Ok(None) => {
                    set.entries.insert(record.key_id, Entry::Destroyed);
                }
                Err(_) if record.status == KeyStatus::PreActive => {}
                Err(error) => faults.push(KeyFault {
                    key_id: record.key_id,
                    error,
                }),
            }
        }
        match KeyFaults::of(faults) {
            Some(faults) => Err(faults),
            None => {
                self.replace(set);
                *self
                    .loaded_at
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = begun;
                Ok(())
            }
        }
    }

    /// Unwraps every key and returns the outcome for each, in the order of the records.
    pub async fn check_all(records: &[KeyRecord], provider: &dyn KeyProvider) -> Vec<KeyCheck> {
        let nothing = KeySet::default();
        let outcomes = examine_all(records, provider, &nothing).await;
        outcomes
            .into_iter()
            .map(|(record, outcome)| KeyCheck {
                key_id: record.key_id,
                tenant: record.tenant.clone(),
                purpose: record.purpose,
                version: record.version,
                status: record.status,
                outcome: outcome.map(|_| ()),
            })
            .collect()
    }

    /// Adds newly issued keys.
    pub fn add(&self, keys: impl IntoIterator<Item = Arc<Key>>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let mut set = current.replica();
        for key in keys {
            set.insert(key);
        }
        *current = Arc::new(set);
    }

    /// The time since the keyring last took over the records of the table.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.loaded_at
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
    }

    /// The present keys.
    #[must_use]
    pub fn snapshot(&self) -> Arc<KeySet> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&current)
    }

    /// As [`KeySet::active`].
    #[must_use]
    pub fn active(&self, tenant: &str, purpose: Purpose) -> Option<Arc<Key>> {
        self.snapshot().active(tenant, purpose).cloned()
    }

    /// As [`KeySet::sealing`].
    ///
    /// # Errors
    /// As [`KeySet::sealing`].
    pub fn sealing(&self, tenant: &str, purpose: Purpose) -> Result<Arc<Key>, KeyError> {
        self.snapshot().sealing(tenant, purpose).cloned()
    }

    /// As [`KeySet::openable`].
    ///
    /// # Errors
    /// As [`KeySet::openable`].
    pub fn openable(&self, key_id: KeyId) -> Result<Arc<Key>, KeyError> {
        self.snapshot().openable(key_id).cloned()
    }

    /// As [`KeySet::ids`].
    #[must_use]
    pub fn ids(&self) -> Vec<KeyId> {
        self.snapshot().ids()
    }

    fn replace(&self, mut set: KeySet) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Keys are never deleted from the table. A key without a record was issued and added after
        // the records were read.
        for key in current.loaded() {
            if !set.entries.contains_key(&key.key_id()) {
                set.insert(Arc::clone(key));
            }
        }
        *current = Arc::new(set);
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
