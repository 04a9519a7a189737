//! The examination of keys: does each unwrap, and is it the key it was.
//! Owns the order of the checks and the faults they find, all at once. Keeps no key.
//! A record that names another wrapping key is never handed to the provider.

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
    /// What it is for.
    pub purpose: Purpose,
    /// Its version.
    pub version: i32,
    /// Its state.
    pub status: KeyStatus,
    /// `Ok` for a key that unwraps to its check value, and for a destroyed one.
    pub outcome: Result<(), KeyError>,
}

/// One key that cannot be used.
#[derive(Debug)]
pub struct KeyFault {
    /// The key.
    pub key_id: KeyId,
    /// Why.
    pub error: KeyError,
}

/// Every key that cannot be used, wrong wrapping keys first. At least one.
#[derive(Debug)]
pub struct KeyFaults {
    first: KeyFault,
    others: Vec<KeyFault>,
}

impl KeyFaults {
    /// The faults, or `None` where there are none.
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

    /// Each fault.
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

/// Examines all records in their order. Keys that `loaded` has, with the stored check value, are
/// not unwrapped again; a destroyed key is `Ok(None)`.
pub(super) async fn examine_all<'a>(
    records: &'a [KeyRecord],
    provider: &dyn KeyProvider,
    loaded: &KeySet,
) -> Vec<(&'a KeyRecord, Result<Option<Key>, KeyError>)> {
    let mut outcomes = Vec::with_capacity(records.len());
    let mut silent = false;
    for record in records {
        // Names are compared for all, but a provider that gave up once is not waited for again.
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

/// What can be said without the provider: the wrapped key, or `None` for a destroyed one.
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
    // There is one, by `preexamine`.
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
