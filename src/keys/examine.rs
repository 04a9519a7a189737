//! Examines keys: whether each unwraps and has its recorded check value.
//! Owns the order of the checks and the faults they find, all of which are reported at once. Stores
//! no key.
//! The provider never gets a record that names another wrapping key.

use std::fmt;
use std::sync::Arc;

use super::error::KeyError;
use super::key::{Key, KeyRecord};
use super::keyring::KeySet;
use super::lifecycle::KeyStatus;
use super::provider::KeyProvider;
use crate::crypto::{KeyId, Purpose};
use crate::error::{Coded, Exit};

/// What [`Keyring::check_all`](super::Keyring::check_all) found about one key.
#[derive(Debug)]
pub struct KeyCheck {
    /// The key.
    pub key_id: KeyId,
    /// Its tenant.
    pub tenant: String,
    /// The key's purpose.
    pub purpose: Purpose,
    /// The key's version.
    pub version: i32,
    /// The key's state.
    pub status: KeyStatus,
    /// `Ok` for a key that unwraps and has its check value, and for a destroyed key.
    pub outcome: Result<(), KeyError>,
}

/// One key that cannot be used.
#[derive(Debug)]
pub struct KeyFault {
    /// The key.
    pub key_id: KeyId,
    /// Why it cannot be used.
    pub error: KeyError,
}

/// Every key that cannot be used, at least one. Keys under a wrong wrapping key come first.
#[derive(Debug)]
pub struct KeyFaults {
    first: KeyFault,
    others: Vec<KeyFault>,
}

impl KeyFaults {
    /// The faults, or `None` if there are none.
    pub(super) fn of(mut faults: Vec<KeyFault>) -> Option<Self> {
        faults.sort_by_key(|fault| {
            let wrong = matches!(fault.error, KeyError::WrongWrappingKey { .. });
            (!wrong, fault.key_id)
        });
        let mut faults = faults.into_iter();
        Some(Self {
            first: faults.next()?,
            others: faults.collect(),
        })
    }

    /// All faults.
    pub fn iter(&self) -> impl Iterator<Item = &KeyFault> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Display for KeyFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.error.message())?;
        for fault in &self.others {
            write!(f, "\n{}", fault.error.message())?;
        }
        Ok(())
    }
}

impl std::error::Error for KeyFaults {}

impl Coded for KeyFaults {
    fn code(&self) -> &'static str {
        self.first.error.code()
    }

    fn message(&self) -> String {
        self.to_string()
    }

    fn hint(&self) -> String {
        self.first.error.hint()
    }

    fn exit(&self) -> Exit {
        self.first.error.exit()
    }
}

/// Examines all records in their order. A key that is in `loaded` with the stored check value is
/// not unwrapped again; a destroyed key is `Ok(None)`.
pub(super) async fn examine_all<'a>(
    records: &'a [KeyRecord],
    provider: &dyn KeyProvider,
    loaded: &KeySet,
) -> Vec<(&'a KeyRecord, Result<Option<Key>, KeyError>)> {
    let mut outcomes = Vec::with_capacity(records.len());
    let mut silent = false;
    for record in records {
        // Wrapping keys are compared for all records, but a provider that gave up once is not asked
        // again.
        let outcome = match preexamine(record, provider) {
            Ok(Some(_)) if silent => Err(unavailable(provider)),
            Ok(Some(wrapped)) => match known(record, loaded) {
                Some(key) => Ok(Some(key.renewed(record))),
                None => unwrap(record, wrapped, provider).await.map(Some),
            },
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        silent |= matches!(outcome, Err(KeyError::ProviderUnavailable { .. }));
        outcomes.push((record, outcome));
    }
    outcomes
}

/// Examines one record.
///
/// # Errors
/// As [`examine_all`]; [`KeyError::Destroyed`] for a destroyed key.
pub(crate) async fn examine(
    record: &KeyRecord,
    provider: &dyn KeyProvider,
) -> Result<Key, KeyError> {
    match preexamine(record, provider)? {
        Some(wrapped) => unwrap(record, wrapped, provider).await,
        None => Err(KeyError::Destroyed {
            key_id: record.key_id,
        }),
    }
}

/// Checks a record without the provider. Returns the wrapped key, or `None` for a destroyed key.
fn preexamine<'a>(
    record: &'a KeyRecord,
    provider: &dyn KeyProvider,
) -> Result<Option<&'a [u8]>, KeyError> {
    let key_id = record.key_id;
    if record.status == KeyStatus::Destroyed {
        return Ok(None);
    }
    if provider.under(&record.kek_ref).is_none() {
        return Err(KeyError::WrongWrappingKey {
            key_id,
            stored: record.kek_ref.clone(),
            given: provider.reference().to_owned(),
        });
    }
    match record.wrapped_key.as_deref() {
        Some(wrapped) => Ok(Some(wrapped)),
        None => Err(KeyError::WrappedKeyMissing { key_id }),
    }
}

fn known<'a>(record: &KeyRecord, loaded: &'a KeySet) -> Option<&'a Arc<Key>> {
    loaded.get(record.key_id).filter(|key| {
        key.tenant() == record.tenant
            && key.purpose() == record.purpose
            && key.data_key().matches_check(&record.check_value)
    })
}

async fn unwrap(
    record: &KeyRecord,
    wrapped: &[u8],
    provider: &dyn KeyProvider,
) -> Result<Key, KeyError> {
    let key_id = record.key_id;
    // `preexamine` has checked that such a provider exists.
    let provider = provider.under(&record.kek_ref).unwrap_or(provider);
    let data_key = provider
        .unwrap(key_id, record.purpose, &record.tenant, wrapped)
        .await?;
    if data_key.matches_check(&record.check_value) {
        Ok(Key::new(record, data_key))
    } else {
        Err(KeyError::CheckValueDiffers { key_id })
    }
}

fn unavailable(provider: &dyn KeyProvider) -> KeyError {
    KeyError::ProviderUnavailable {
        reference: provider.reference().to_owned(),
    }
}
