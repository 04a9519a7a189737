//! What a destruction would find, for `keys destroy --dry-run`. Searches as the destruction does, and changes nothing.

use super::{DestroyRequest, Engine};
use crate::crypto::KeyId;
use crate::engine::error::EngineError;
use crate::engine::search::{Searched, named};
use crate::keys::{KeyError, KeyRecord, KeyStatus};

/// What a destruction would find.
#[derive(Debug)]
pub struct DestroyAhead {
    /// The keys that would be destroyed.
    pub keys: Vec<KeyId>,
    /// Values that would never open again: those of the tenant that is shredded.
    pub values_lost: u64,
    /// What the search found; `None` if only registered columns are counted.
    pub searched: Option<Searched>,
    /// What would refuse the destruction.
    pub refused: Option<EngineError>,
}

impl Engine {
    /// What [`Engine::destroy`] would find.
    ///
    /// # Errors
    /// An unknown key, and what the store reports.
    pub async fn look_before_destroy(
        &self,
        key_id: KeyId,
        order: &DestroyRequest<'_>,
    ) -> Result<DestroyAhead, EngineError> {
        let records = self.store.key_records().await?;
        let record = records.iter().find(|one| one.key_id == key_id);
        let record = record.ok_or(KeyError::Unknown { key_id })?;
        // A suspended key that another has replaced is deactivated first.
        let may = record.status.may_become(KeyStatus::Destroyed)
            || (record.status == KeyStatus::Suspended && is_replaced(record, &records));
        let mut refused = match may {
            true => self.refuse_open_rotation(&[key_id]).await.err(),
            false => Some(
                KeyError::NoSuchMove {
                    key_id,
                    from: record.status,
                    to: KeyStatus::Destroyed,
                }
                .into(),
            ),
        };
        let searched = self.search(&[key_id], order.reach).await?;
        if !searched.hits.is_empty() {
            refused.get_or_insert(EngineError::from(KeyError::StillUsed {
                key_id,
                values: searched.values(),
                places: searched.places(),
            }));
        }
        if !searched.closed.is_empty() {
            refused.get_or_insert(EngineError::from(KeyError::NotSearched {
                key_id,
                places: named(&searched.closed),
            }));
        }
        Ok(DestroyAhead {
            keys: vec![key_id],
            values_lost: 0,
            searched: (!order.reach.registered_only).then_some(searched),
            refused,
        })
    }

    /// What [`Engine::shred`] would find.
    ///
    /// # Errors
    /// A tenant without keys, and what the store reports.
    pub async fn look_before_shred(
        &self,
        tenant: &str,
        order: &DestroyRequest<'_>,
    ) -> Result<DestroyAhead, EngineError> {
        let keys = self.keys_of_tenant(tenant).await?;
        let keys: Vec<KeyId> = keys.iter().map(|record| record.key_id).collect();
        let mut refused = self.refuse_any_open_finalize().await.err();
        if let Err(error) = self.refuse_open_rotation(&keys).await {
            refused.get_or_insert(error);
        }
        let (searched, values_lost) = self.values_under(&keys, order).await?;
        Ok(DestroyAhead {
            keys,
            values_lost,
            searched: (!order.reach.registered_only).then_some(searched),
            refused,
        })
    }
}

/// Whether another key of the same tenant and purpose is active.
pub(super) fn is_replaced(record: &KeyRecord, records: &[KeyRecord]) -> bool {
    records.iter().any(|one| {
        one.status == KeyStatus::Active
            && one.tenant == record.tenant
            && one.purpose == record.purpose
    })
}
