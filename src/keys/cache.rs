//! The keys of an application that runs for a long time: loaded again before they are a minute old.
//! Owns the age at which a keyring is loaded again, and that one task at a time loads. A data key with
//! the same id and check value is not unwrapped again; a superseded key stops sealing at the next load.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::blocking::block_on;
use super::error::KeyError;
use super::examine::KeyFaults;
use super::key::Key;
use super::keyring::Keyring;
use super::provider::KeyProvider;
use super::row::{BoxError, KeyRow, KeySource, records};
use super::turn::Turn;
use crate::crypto::KeyId;
use crate::error::coded;
use crate::error::round_trip::StoreError;

/// How long keys are used, and so how long an application may seal under a superseded key after a
/// rotation.
pub const KEYS_AGE_MAX: Duration = Duration::from_secs(60);

/// The age at which a [`KeyCache`] loads the keys again: early enough that requests need not wait for a
/// slow database, nor fail with one that is away for some seconds.
const LOAD_AGAIN_AFTER: Duration = Duration::from_secs(45);

coded! {
    /// Why keys cannot be loaded.
    #[derive(Debug, thiserror::Error)]
    pub enum LoadError, exit: Keys {
        /// A store of this library cannot read the key table.
        Store(#[from] error: StoreError) = error(transparent);
        /// The application's [`KeySource`] failed. The cause is in `source()`.
        Source(#[source] error: BoxError) = "E0328"("the keys cannot be read from the database"),
            exit: Unreachable,
            hint: "see the cause; the role needs USAGE on phiseal's schema and SELECT on encryption_keys";
        /// A row of `encryption_keys` or of `encrypted_field_metadata` holds what this library does not
        /// know.
        Row {
            /// The key's id; 0 for a field.
            key_id: i64,
            /// The column.
            what: &'static str,
        } = "E0329"("{}", row(*key_id, what)),
            hint: "select the columns in the order of `phiseal::sql`; a newer phiseal may have written the row: update this library";
        /// Some keys cannot be used.
        Keys(#[from] error: KeyFaults) = error(transparent);
        /// One key cannot be used.
        Key(#[from] error: KeyError) = error(transparent);
    }
}

fn row(key_id: i64, what: &str) -> String {
    match key_id {
        0 => format!("the row of the field has an unknown {what}"),
        _ => format!("the row of key {key_id} has an unknown {what}"),
    }
}

/// A keyring that is loaded again when it is old. Ask for [`KeyCache::keyring`], or for a
/// [`sealer`](KeyCache::sealer), before each request. To open a value use [`KeyCache::open_value`],
/// which finds keys made since the last load.
///
/// Needs no async runtime of its own; whatever runtime the [`KeySource`] needs will do.
pub struct KeyCache {
    source: Box<dyn Source>,
    provider: Box<dyn KeyProvider>,
    keyring: Arc<Keyring>,
    age_max: Duration,
    /// Held by the task that loads the keys again.
    loading: Turn,
}

impl KeyCache {
    /// Loads all keys. `source` is the application's own pool; `provider` has the wrapping key, mostly
    /// from [`ProviderConfig::open`](super::ProviderConfig::open).
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn open(
        source: impl KeySource + 'static,
        provider: impl KeyProvider + 'static,
    ) -> Result<Self, LoadError> {
        let cache = Self {
            source: Box::new(source),
            provider: Box::new(provider),
            keyring: Arc::new(Keyring::default()),
            age_max: LOAD_AGAIN_AFTER,
            loading: Turn::default(),
        };
        cache.load().await?;
        Ok(cache)
    }

    /// Sets the age at which keys are loaded again, [`KEYS_AGE_MAX`] at most; 45 s if it is not set.
    #[must_use]
    pub fn age_max(mut self, age_max: Duration) -> Self {
        self.age_max = age_max.min(KEYS_AGE_MAX);
        self
    }

    /// The keyring, loaded again if it is too old. While the present keys are under a minute old, a load
    /// that fails is ignored, and one that another task has begun is not waited for.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn keyring(&self) -> Result<Arc<Keyring>, LoadError> {
        if self.keyring.age() >= self.age_max {
            let usable = || self.keyring.age() < KEYS_AGE_MAX;
            let turn = match self.loading.try_take() {
                None if usable() => return Ok(Arc::clone(&self.keyring)),
                None => self.loading.take().await,
                Some(turn) => turn,
            };
            // Another task may have loaded them before this one's turn.
            if self.keyring.age() >= self.age_max {
                let loaded = self.load().await;
                if !usable() {
                    loaded?;
                }
            }
            drop(turn);
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
        match self.keyring().await?.openable(key_id) {
            Err(KeyError::Unknown { .. } | KeyError::NeverActivated { .. }) => {}
            known => return Ok(known?),
        }
        self.reload().await?;
        Ok(self.keyring.openable(key_id)?)
    }

    /// Loads the keys again now, or waits for another task that does. Call it when the database
    /// refuses a value because its key was superseded a moment ago (SQLSTATE
    /// [`PS002`](crate::sql::STALE_KEY)).
    ///
    /// # Errors
    /// See [`LoadError`].
    pub async fn reload(&self) -> Result<(), LoadError> {
        let asked = Instant::now();
        let _turn = self.loading.take().await;
        if self.keyring.age() > asked.elapsed() {
            self.load().await?;
        }
        Ok(())
    }

    async fn load(&self) -> Result<(), LoadError> {
        let begun = Instant::now();
        let rows = self.source.rows().await.map_err(load_error)?;
        let (records, provider) = (records(rows)?, self.provider.as_ref());
        Ok(self.keyring.renew(begun, &records, provider).await?)
    }
}

/// An error of a source: one of this library's stores is known by its own code.
fn load_error(error: BoxError) -> LoadError {
    match error.downcast::<StoreError>() {
        Ok(error) => LoadError::Store(*error),
        Err(error) => LoadError::Source(error),
    }
}

/// As [`KeySource`], for a trait object.
trait Source: Send + Sync {
    fn rows(&self) -> Pin<Box<dyn Future<Output = Result<Vec<KeyRow>, BoxError>> + Send + '_>>;
}

impl<S: KeySource> Source for S {
    fn rows(&self) -> Pin<Box<dyn Future<Output = Result<Vec<KeyRow>, BoxError>> + Send + '_>> {
        Box::pin(self.key_rows())
    }
}

/// For applications without an async runtime: load with [`Keyring::from_rows`], and again with
/// [`Keyring::take_over`] before [`Keyring::age`] is a minute.
impl Keyring {
    /// Unwraps the keys of these rows and compares their check values. Waits for the provider on this
    /// thread, no time at all for one that [`ProviderConfig::open`](super::ProviderConfig::open) made.
    ///
    /// # Errors
    /// [`LoadError::Row`], and all keys that cannot be used in [`LoadError::Keys`].
    pub fn from_rows(rows: Vec<KeyRow>, provider: &dyn KeyProvider) -> Result<Self, LoadError> {
        Ok(block_on(Self::load(&records(rows)?, provider))?)
    }

    /// Takes over the present rows of the table. Unwraps only keys that are not loaded yet.
    ///
    /// # Errors
    /// As [`from_rows`](Self::from_rows); then nothing is changed.
    pub fn take_over(
        &self,
        rows: Vec<KeyRow>,
        provider: &dyn KeyProvider,
    ) -> Result<(), LoadError> {
        Ok(block_on(self.refresh(&records(rows)?, provider))?)
    }
}

#[cfg(feature = "store")]
#[cfg(test)]
mod tests;
