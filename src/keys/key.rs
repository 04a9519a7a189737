//! One key: its record in the table, and the key in memory.
//! Owns their types. Knows no SQL and no wrapping key.
//! Nothing here prints a key, wrapped or not, or its tenant.

use std::fmt;
use std::sync::Arc;

use super::error::KeyError;
use super::lifecycle::KeyStatus;
use super::provider::KeyProvider;
use crate::crypto::{DataKey, KeyId, Purpose};

/// The value of `encryption_keys.algorithm` for every key.
pub const ALGORITHM: &str = "AES-256-GCM";

/// The tenant and the purpose of a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyFor {
    /// The tenant; empty for tables without one.
    pub tenant: String,
    /// What the key is used for.
    pub purpose: Purpose,
}

/// One row of `encryption_keys`. Its times are RFC 3339, the server's; a record that was made from a
/// [`KeyRow`](super::KeyRow) has none.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRecord {
    /// Random, 1 to 2^31 - 1.
    pub key_id: KeyId,
    /// The tenant; empty for tables without one.
    pub tenant: String,
    /// What the key is used for.
    pub purpose: Purpose,
    /// Numbers the keys of one tenant and purpose, from 1.
    pub version: i32,
    /// Always [`ALGORITHM`].
    pub algorithm: String,
    /// Its state.
    pub status: KeyStatus,
    /// The reference of the wrapping key.
    pub kek_ref: String,
    /// The wrapped data key; `None` once it is destroyed.
    pub wrapped_key: Option<Vec<u8>>,
    /// `Expand(data key, "ps1/check", "")`, 32 bytes.
    pub check_value: Vec<u8>,
    /// When it was made.
    pub created_at: String,
    /// When it first became active.
    pub activated_at: Option<String>,
    /// When it stopped sealing.
    pub deactivated_at: Option<String>,
    /// When it was declared compromised.
    pub compromised_at: Option<String>,
    /// When its wrapped key was deleted.
    pub destroyed_at: Option<String>,
    /// When the next version should take over.
    pub rotation_due_at: Option<String>,
    /// Who made it.
    pub created_by: String,
    /// Why it was made.
    pub reason: Option<String>,
}

/// A key to be inserted as pre-active.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Random, 1 to 2^31 - 1.
    pub key_id: KeyId,
    /// The tenant; empty for tables without one.
    pub tenant: String,
    /// What the key is used for.
    pub purpose: Purpose,
    /// Numbers the keys of one tenant and purpose, from 1.
    pub version: i32,
    /// Always [`ALGORITHM`].
    pub algorithm: String,
    /// The reference of the wrapping key.
    pub kek_ref: String,
    /// The wrapped data key.
    pub wrapped_key: Vec<u8>,
    /// `Expand(data key, "ps1/check", "")`, 32 bytes.
    pub check_value: Vec<u8>,
    /// Who makes it.
    pub created_by: String,
    /// Why it is made.
    pub reason: Option<String>,
}

impl NewKey {
    /// Wraps a data key and fills its row.
    ///
    /// # Errors
    /// Those of [`KeyProvider::wrap`].
    pub async fn wrap(
        data_key: &DataKey,
        key_id: KeyId,
        key_for: &KeyFor,
        version: i32,
        provider: &dyn KeyProvider,
    ) -> Result<Self, KeyError> {
        let KeyFor { tenant, purpose } = key_for;
        Ok(Self {
            key_id,
            tenant: tenant.clone(),
            purpose: *purpose,
            version,
            algorithm: ALGORITHM.to_owned(),
            kek_ref: provider.reference().to_owned(),
            wrapped_key: provider.wrap(key_id, *purpose, tenant, data_key).await?,
            check_value: data_key.check_value().to_vec(),
            created_by: String::new(),
            reason: None,
        })
    }

    /// Whether `record` is the row that the insert of this key stored. Does not look at the wrapped
    /// key, which the caller compares by unwrapping it.
    pub(super) fn is_stored_as(&self, record: &KeyRecord) -> bool {
        record.status == KeyStatus::PreActive
            && record.key_id == self.key_id
            && record.tenant == self.tenant
            && record.purpose == self.purpose
            && record.version == self.version
            && record.algorithm == self.algorithm
            && record.kek_ref == self.kek_ref
    }

    /// The record that the table holds right after the insert, at `created_at` (the server's time,
    /// RFC 3339).
    #[must_use]
    pub fn into_record(self, created_at: String) -> KeyRecord {
        KeyRecord {
            key_id: self.key_id,
            tenant: self.tenant,
            purpose: self.purpose,
            version: self.version,
            algorithm: self.algorithm,
            status: KeyStatus::PreActive,
            kek_ref: self.kek_ref,
            wrapped_key: Some(self.wrapped_key),
            check_value: self.check_value,
            created_at,
            activated_at: None,
            deactivated_at: None,
            compromised_at: None,
            destroyed_at: None,
            rotation_due_at: None,
            created_by: self.created_by,
            reason: self.reason,
        }
    }
}

impl fmt::Debug for KeyRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRecord")
            .field("key_id", &self.key_id)
            .field("purpose", &self.purpose)
            .field("version", &self.version)
            .field("status", &self.status)
            .field("kek_ref", &self.kek_ref)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("key_id", &self.key_id)
            .field("purpose", &self.purpose)
            .field("version", &self.version)
            .field("kek_ref", &self.kek_ref)
            .finish_non_exhaustive()
    }
}

/// A data key in memory whose check value was compared, with what its record says of it.
///
/// Wiped when its last owner is dropped; kept out of swap if the system allows it.
pub struct Key {
    key_id: KeyId,
    tenant: String,
    purpose: Purpose,
    version: i32,
    status: KeyStatus,
    // Shared, so that a change of state does not need another unwrapping.
    data_key: Arc<DataKey>,
}

impl Key {
    pub(super) fn new(record: &KeyRecord, data_key: DataKey) -> Self {
        // Best effort: if the system locks no more pages, the key is used without the lock.
        data_key.keep_in_memory();
        Self::sharing(record, Arc::new(data_key))
    }

    /// The same data key with the present content of `record`.
    pub(super) fn renewed(&self, record: &KeyRecord) -> Self {
        Self::sharing(record, Arc::clone(&self.data_key))
    }

    fn sharing(record: &KeyRecord, data_key: Arc<DataKey>) -> Self {
        Self {
            key_id: record.key_id,
            tenant: record.tenant.clone(),
            purpose: record.purpose,
            version: record.version,
            status: record.status,
            data_key,
        }
    }

    /// The id.
    #[must_use]
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The tenant; empty for tables without one.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What the key is used for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// The version.
    #[must_use]
    pub const fn version(&self) -> i32 {
        self.version
    }

    /// The state when the key was loaded.
    #[must_use]
    pub const fn status(&self) -> KeyStatus {
        self.status
    }

    /// The data key, to derive keys from.
    #[must_use]
    pub fn data_key(&self) -> &DataKey {
        &self.data_key
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("key_id", &self.key_id)
            .field("purpose", &self.purpose)
            .field("version", &self.version)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}
