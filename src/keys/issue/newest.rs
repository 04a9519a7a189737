//! Which of the recorded keys of a tenant and purpose is the newest of its kind.

use std::collections::HashMap;

use super::KeyFor;
use crate::crypto::Purpose;
use crate::keys::key::KeyRecord;
use crate::keys::lifecycle::KeyStatus;

/// The newest key of each tenant and purpose that was prepared and never used.
pub(super) fn prepared(records: &[KeyRecord]) -> HashMap<(&str, Purpose), &KeyRecord> {
    let mut newest: HashMap<(&str, Purpose), &KeyRecord> = HashMap::new();
    let unused = records
        .iter()
        .filter(|record| record.status == KeyStatus::PreActive);
    for record in unused {
        let slot = newest
            .entry((record.tenant.as_str(), record.purpose))
            .or_insert(record);
        if record.version > slot.version {
            *slot = record;
        }
    }
    newest
}

pub(super) fn newest_versions(records: &[KeyRecord]) -> HashMap<KeyFor, i32> {
    let mut newest: HashMap<KeyFor, i32> = HashMap::new();
    for record in records {
        let key_for = KeyFor {
            tenant: record.tenant.clone(),
            purpose: record.purpose,
        };
        let version = newest.entry(key_for).or_default();
        *version = record.version.max(*version);
    }
    newest
}

/// The active key of each tenant and purpose, or else the newest key that was once active and is
/// not destroyed.
pub(super) fn newest_in_use(records: &[KeyRecord]) -> HashMap<(&str, Purpose), &KeyRecord> {
    let rank = |record: &KeyRecord| (record.status.may_seal(), record.version);
    let mut newest: HashMap<(&str, Purpose), &KeyRecord> = HashMap::new();
    for record in records.iter().filter(|record| record.status.may_open()) {
        let slot = newest
            .entry((record.tenant.as_str(), record.purpose))
            .or_insert(record);
        if rank(record) > rank(slot) {
            *slot = record;
        }
    }
    newest
}
