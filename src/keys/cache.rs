//! The keys of an application that runs for a long time: loaded again before they are a minute old.
//! Owns the age at which a keyring is loaded again. A data key with the same id and check value is
//! not unwrapped again; a superseded key stops sealing at the next load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::KeyError;
use super::examine::KeyFaults;
use super::key::{Key, KeyTable};
use super::keyring::Keyring;
use super::provider::KeyProvider;
use crate::crypto::KeyId;
use crate::error::coded;
use crate::error::round_trip::StoreError;

/// How long keys are used before they are loaded again, and so how long an application may seal
/// under a superseded key after a rotation.
pub const KEYS_AGE_MAX: Duration = Duration::from_secs(60);

coded! {
    /// Why keys cannot be loaded.
    #[derive(Debug, thiserror::Error)]
    pub enum LoadError, exit: Keys {
        /// The key table cannot be read.
        Store(#[from] error: StoreError) = error(transparent);
        /// Some keys cannot be used.
        Keys(#[from] error: KeyFaults) = error(transparent);
        /// One key cannot be used.
        Key(#[from] error: KeyError) = error(transparent);
    }
}

/// A keyring that is loaded again when it is old. Ask for [`KeyCache::keyring`] before each value
/// or each request. To open a value use [`KeyCache::open_value`], which finds keys made since the
/// last load.
pub struct KeyCache {
    table: Arc<dyn KeyTable>,
    provider: Arc<dyn KeyProvider>,
    keyring: Arc<Keyring>,
    age_max: Duration,
    /// Held while the keys are loaded again because of an unknown key id.
    loading: tokio::sync::Mutex<()>,
}

impl KeyCache {
    /// Loads all keys.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn open(
        table: Arc<dyn KeyTable>,
        provider: Arc<dyn KeyProvider>,
    ) -> Result<Self, LoadError> {
        let records = table.key_records().await?;
        let keyring = Keyring::load(&records, provider.as_ref()).await?;
        Ok(Self {
            table,
            provider,
            keyring: Arc::new(keyring),
            age_max: KEYS_AGE_MAX,
            loading: tokio::sync::Mutex::new(()),
        })
    }

    /// Sets the age at which keys are loaded again, [`KEYS_AGE_MAX`] at most.
    #[must_use]
    pub fn age_max(mut self, age_max: Duration) -> Self {
        self.age_max = age_max.min(KEYS_AGE_MAX);
        self
    }

    /// The keyring, loaded again if it is too old.
    ///
    /// # Errors
    /// See [`LoadError`]. A caller that continues with its present keyring will find that it no
    /// longer seals.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, LoadError> {
        if self.keyring.age() >= self.age_max {
            self.reload().await?;
        }
        Ok(Arc::clone(&self.keyring))
    }

    /// The key with this id, if it may open. If the id is not known, loads the keys again once,
    /// since the key may just have been made or activated. Concurrent calls share one load.
    ///
    /// # Errors
    /// As [`KeySet::openable`](super::KeySet::openable), in [`LoadError::Key`]; and the errors of
    /// loading.
    pub async fn openable(&self, key_id: KeyId) -> Result<Arc<Key>, LoadError> {
        let asked = Instant::now();
        match self.keyring().await?.openable(key_id) {
            Err(KeyError::Unknown { .. } | KeyError::NeverActivated { .. }) => {}
            known => return Ok(known?),
        }
        let _one = self.loading.lock().await;
        // Another task may have loaded the keys while this one waited.
        if self.keyring.age() > asked.elapsed() {
            self.reload().await?;
        }
        Ok(self.keyring.openable(key_id)?)
    }

    /// Loads the keys again now. Call it when the database refuses a value because its key was
    /// superseded a moment ago.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn reload(&self) -> Result<(), LoadError> {
        let records = self.table.key_records().await?;
        self.keyring
            .refresh(&records, self.provider.as_ref())
            .await?;
        Ok(())
    }
}
