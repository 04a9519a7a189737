//! The key table as the engine uses it.
//! Owns the contract; the stores implement it. Knows no SQL.

use async_trait::async_trait;

use super::key::{KeyRecord, NewKey};
use super::note::Notary;
use super::rotation_period::RotationPeriod;
use crate::crypto::KeyId;
use crate::error::round_trip::StoreError;

/// The operations on the table `encryption_keys` that keys need.
///
/// Contract: each method is one transaction, committed when it returns `Ok`, and its number of
/// statements does not depend on the number of keys. Times are the server's.
#[async_trait]
pub trait KeyTable: Send + Sync {
    /// All records, in the order of their ids.
    async fn key_records(&self) -> Result<Vec<KeyRecord>, StoreError>;

    /// The records with these ids; unknown ids are left out.
    async fn key_records_by_id(&self, ids: &[KeyId]) -> Result<Vec<KeyRecord>, StoreError>;

    /// Inserts new keys as pre-active. Returns the ids that were refused because they are taken;
    /// all other keys are inserted. If a version is taken, the error is [`StoreError::RowRefused`]
    /// and nothing is inserted.
    async fn insert_keys(&self, new: &[NewKey]) -> Result<Vec<KeyId>, StoreError>;

    /// Makes pre-active keys active and sets when they are due for rotation: all of them or none. A
    /// second active key of a tenant and purpose is [`StoreError::RowRefused`]. `note` writes the
    /// audit entry in the same transaction.
    async fn activate_keys(
        &self,
        ids: &[KeyId],
        due: RotationPeriod,
        note: &dyn Notary,
    ) -> Result<(), StoreError>;
}
