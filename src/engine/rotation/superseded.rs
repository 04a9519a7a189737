//! Which keys a rotation supersedes. Owns the lookup of keys by tenant and purpose, and by id,
//! since there may be ten thousand tenants, each of which is looked up.

use std::collections::{BTreeSet, HashMap};

use super::RotationRequest;
use crate::crypto::{KeyId, Purpose};
use crate::engine::error::EngineError;
use crate::keys::{KeyError, KeyRecord, KeyStatus, RotationRecord};

/// The keys that a request supersedes: the active key of each tenant and purpose.
pub(super) fn superseded_keys(
    records: &[KeyRecord],
    order: &RotationRequest,
) -> Result<Vec<KeyRecord>, EngineError> {
    let key_index = KeyIndex::new(records);
    order
        .keys
        .iter()
        .map(|wanted| {
            let newest = key_index
                .of(&wanted.tenant, wanted.purpose)
                .iter()
                .filter(|record| record.status != KeyStatus::PreActive)
                .max_by_key(|record| (record.status.may_seal(), record.version));
            match newest {
                Some(record) if record.status.may_seal() => Ok((*record).clone()),
                Some(record) if record.status != KeyStatus::Destroyed => {
                    Err(KeyError::MayNotSeal {
                        key_id: record.key_id,
                        status: record.status,
                    }
                    .into())
                }
                _ => Err(KeyError::NoneActive {
                    purpose: wanted.purpose,
                }
                .into()),
            }
        })
        .collect()
}

/// Key records by tenant and purpose, and by id.
pub(in crate::engine) struct KeyIndex<'a> {
    by_whom: HashMap<(&'a str, Purpose), Vec<&'a KeyRecord>>,
    by_id: HashMap<KeyId, &'a KeyRecord>,
}

impl<'a> KeyIndex<'a> {
    pub(in crate::engine) fn new(records: &'a [KeyRecord]) -> Self {
        let mut key_index = Self {
            by_whom: HashMap::new(),
            by_id: HashMap::new(),
        };
        for record in records {
            let whom = (record.tenant.as_str(), record.purpose);
            key_index.by_whom.entry(whom).or_default().push(record);
            key_index.by_id.insert(record.key_id, record);
        }
        key_index
    }

    fn of<'s>(&'s self, tenant: &'s str, purpose: Purpose) -> &'s [&'a KeyRecord] {
        match self.by_whom.get(&(tenant, purpose)) {
            Some(keys) => keys.as_slice(),
            None => &[],
        }
    }

    /// The active key of the same tenant and purpose as `of`.
    pub(in crate::engine) fn active(&self, of: &KeyRecord) -> Option<&'a KeyRecord> {
        let mut keys = self.of(&of.tenant, of.purpose).iter();
        keys.find(|key| key.status == KeyStatus::Active).copied()
    }

    /// The keys which this rotation supersedes: all of the same tenant and purpose that may open
    /// and are not active. So a rotation also re-seals what an earlier one left behind.
    pub(super) fn older(&self, rotation: &RotationRecord) -> Vec<KeyId> {
        let to = rotation.to_key_id.and_then(|id| self.by_id.get(&id));
        let Some(to) = to.filter(|to| to.purpose == Purpose::Cell) else {
            return Vec::new();
        };
        self.of(&to.tenant, to.purpose)
            .iter()
            .filter(|key| key.status.may_open() && key.status != KeyStatus::Active)
            .map(|key| key.key_id)
            .collect()
    }
}

/// The superseded keys of all rotations, each once.
pub(super) fn older_keys(records: &[KeyRecord], open: &[RotationRecord]) -> Vec<KeyId> {
    let key_index = KeyIndex::new(records);
    let older: BTreeSet<KeyId> = open.iter().flat_map(|one| key_index.older(one)).collect();
    older.into_iter().collect()
}

/// For each superseded key, the rotation in whose record its values are counted.
pub(super) fn rotation_of_each(
    records: &[KeyRecord],
    open: &[RotationRecord],
) -> HashMap<KeyId, i64> {
    let key_index = KeyIndex::new(records);
    let mut of_key = HashMap::new();
    for rotation in open {
        for key in key_index.older(rotation) {
            of_key.entry(key).or_insert(rotation.history_id);
        }
    }
    // If a rotation names the key as its old key, the values count there.
    for rotation in open {
        if let Some(from) = rotation.from_key_id {
            of_key.insert(from, rotation.history_id);
        }
    }
    of_key
}
