//! The keys of an application that lives for long: loaded again before they are a minute old.
//! Owns the age at which a keyring is loaded again. A data key that is the same, by its id and its
//! check value, is not unwrapped again; one that was rotated away stops sealing at the next load.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::KeyError;
use super::examine::KeyFaults;
use super::key::{Key, KeyTable};
use super::keyring::Keyring;
use super::provider::KeyProvider;
use crate::crypto::KeyId;
use crate::error::round_trip::StoreError;
use crate::error::{Coded, Exit};

/// How long keys are used before they are loaded again: after a rotation nobody seals under the old
/// version for longer than this.
pub const KEYS_AGE_MAX: Duration = Duration::from_secs(60);

/// Why keys cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The key table cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Some keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyFaults),
    /// One key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Coded for LoadError {
    fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Keys(error) => error.code(),
            Self::Key(error) => error.code(),
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Store(error) => error.hint(),
            Self::Keys(error) => error.hint(),
            Self::Key(error) => error.hint(),
        }
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Store(error) => error.exit(),
            Self::Keys(error) => error.exit(),
            Self::Key(error) => error.exit(),
        }
    }
}

/// A keyring that keeps itself fresh. Ask it before each value, or each request; what is sealed is opened
/// by [`KeyCache::open_value`], which knows a key that was made since.
pub struct KeyCache {
    table: Arc<dyn KeyTable>,
    provider: Arc<dyn KeyProvider>,
    keyring: Arc<Keyring>,
    age_max: Duration,
    /// Held by who loads keys for one that is not known.
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

    /// Keys are loaded again at this age, [`KEYS_AGE_MAX`] at most.
    #[must_use]
    pub fn age_max(mut self, age_max: Duration) -> Self {
        self.age_max = age_max.min(KEYS_AGE_MAX);
        self
    }

    /// The keyring, loaded again where it is too old.
    ///
    /// # Errors
    /// See [`LoadError`]; a caller that goes on with the keyring it has finds that it no longer
    /// seals.
    pub async fn keyring(&self) -> Result<Arc<Keyring>, LoadError> {
        if self.keyring.age() >= self.age_max {
            self.reload().await?;
        }
        Ok(Arc::clone(&self.keyring))
    }

    /// The key with this id, if it may open: the keys are loaded again, once, where it is not known, since
    /// it may have been made, or activated, a moment ago. Many who ask at once load them once.
    ///
    /// # Errors
    /// As [`KeySet::openable`](super::KeySet::openable), in [`LoadError::Key`]; and what loading meets.
    pub async fn openable(&self, key_id: KeyId) -> Result<Arc<Key>, LoadError> {
        let asked = Instant::now();
        match self.keyring().await?.openable(key_id) {
            Err(KeyError::Unknown { .. } | KeyError::NeverActivated { .. }) => {}
            known => return Ok(known?),
        }
        let _one = self.loading.lock().await;
        // Somebody else may have loaded them while this one waited.
        if self.keyring.age() > asked.elapsed() {
            self.reload().await?;
        }
        Ok(self.keyring.openable(key_id)?)
    }

    /// Loads the keys again now: what to do when the database refused a value because its key was
    /// rotated away a moment ago.
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
