//! Keys for values that are not kept: made in memory, never wrapped, lost with the process.

use std::sync::Arc;

use super::error::KeyError;
use super::key::{ALGORITHM, Key, KeyFor, KeyRecord};
use super::keyring::Keyring;
use super::lifecycle::KeyStatus;
use crate::crypto::{DataKey, KeyId, Purpose};

/// A new key that looks active. Its values can never be opened later.
///
/// # Errors
/// If the operating system gives no random bytes.
pub fn throw_away(whom: &KeyFor) -> Result<Arc<Key>, KeyError> {
    let data_key = DataKey::generate().map_err(|_| KeyError::NoRandomness)?;
    let record = KeyRecord {
        key_id: KeyId::random().map_err(|_| KeyError::NoRandomness)?,
        tenant: whom.tenant.clone(),
        purpose: whom.purpose,
        version: 1,
        algorithm: ALGORITHM.to_owned(),
        status: KeyStatus::Active,
        kek_ref: String::new(),
        wrapped_key: None,
        check_value: data_key.check_value().to_vec(),
        created_at: String::new(),
        activated_at: None,
        deactivated_at: None,
        compromised_at: None,
        destroyed_at: None,
        rotation_due_at: None,
        created_by: String::new(),
        reason: None,
    };
    Ok(Arc::new(Key::new(&record, data_key)))
}

impl Keyring {
    /// A keyring for tests of an application: a new key of each purpose for each tenant (`""` where
    /// there are none). No key is stored, so what they seal never opens after the process has ended.
    ///
    /// # Errors
    /// If the operating system gives no random bytes.
    pub fn throw_away(tenants: &[&str]) -> Result<Self, KeyError> {
        let keyring = Self::default();
        for tenant in tenants {
            for purpose in Purpose::ALL {
                let tenant = (*tenant).to_owned();
                keyring.add([throw_away(&KeyFor { tenant, purpose })?]);
            }
        }
        Ok(keyring)
    }
}
