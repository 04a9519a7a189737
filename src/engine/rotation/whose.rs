//! Whose a key is, and which keys a rotation leaves. Owns the looking up: there may be ten thousand
//! tenants, and each is asked about.

use std::collections::{BTreeSet, HashMap};

use super::Order;
use crate::crypto::{KeyId, Purpose};
use crate::engine::error::EngineError;
use crate::keys::{KeyError, KeyRecord, KeyStatus, RotationRecord};

/// The keys that an order leaves: the active one of each.
pub(super) fn left_keys(
    records: &[KeyRecord],
    order: &Order,
) -> Result<Vec<KeyRecord>, EngineError> {
    let whose = Whose::new(records);
    order
        .keys
        .iter()
        .map(|wanted| {
            let newest = whose
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

/// Key records by whom they are for, and by id: there may be some ten thousand tenants.
pub(in crate::engine) struct Whose<'a> {
    by_whom: HashMap<(&'a str, Purpose), Vec<&'a KeyRecord>>,
    by_id: HashMap<KeyId, &'a KeyRecord>,
}

impl<'a> Whose<'a> {
    pub(in crate::engine) fn new(records: &'a [KeyRecord]) -> Self {
        let mut whose = Self {
            by_whom: HashMap::new(),
            by_id: HashMap::new(),
        };
        for record in records {
            let whom = (record.tenant.as_str(), record.purpose);
            whose.by_whom.entry(whom).or_default().push(record);
            whose.by_id.insert(record.key_id, record);
        }
        whose
    }

    fn of<'s>(&'s self, tenant: &'s str, purpose: Purpose) -> &'s [&'a KeyRecord] {
        match self.by_whom.get(&(tenant, purpose)) {
            Some(keys) => keys.as_slice(),
            None => &[],
        }
    }

    /// The active key of the tenant and purpose of another.
    pub(in crate::engine) fn active(&self, of: &KeyRecord) -> Option<&'a KeyRecord> {
        let mut keys = self.of(&of.tenant, of.purpose).iter();
        keys.find(|key| key.status == KeyStatus::Active).copied()
    }

    /// Every key older than the one a rotation goes to that may still open: what an earlier rotation
    /// left behind follows with this one.
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

/// The older keys of all rotations, each once.
pub(super) fn older_keys(records: &[KeyRecord], open: &[RotationRecord]) -> Vec<KeyId> {
    let whose = Whose::new(records);
    let older: BTreeSet<KeyId> = open.iter().flat_map(|one| whose.older(one)).collect();
    older.into_iter().collect()
}

/// The rotation that values under each older key belong to.
pub(super) fn rotation_of_each(
    records: &[KeyRecord],
    open: &[RotationRecord],
) -> HashMap<KeyId, i64> {
    let whose = Whose::new(records);
    let mut of_key = HashMap::new();
    for rotation in open {
        for key in whose.older(rotation) {
            of_key.entry(key).or_insert(rotation.history_id);
        }
    }
    // A key that is left by a rotation of its own counts there.
    for rotation in open {
        if let Some(from) = rotation.from_key_id {
            of_key.insert(from, rotation.history_id);
        }
    }
    of_key
}
