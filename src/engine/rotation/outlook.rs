//! What a rotation would have to do. Owns which keys are rotated and which half of the rotation is
//! of blind indexes. Needs no key, so a monitor may ask.

use std::collections::BTreeSet;

use crate::crypto::{KeyId, Purpose};
use crate::keys::{Due, KeyFor, KeyRecord, KeyStatus, RotationKind, RotationRecord};
use crate::store::{Store, StoreError};

/// Which keys are to be rotated.
#[derive(Debug, Clone, Default)]
pub struct KeySelection {
    /// Keys of this purpose. `None` means cell keys; with `only_due`, the keys of every purpose.
    pub purpose: Option<Purpose>,
    /// Keys of this tenant; `None` means of every tenant.
    pub tenant: Option<String>,
    /// Of these, only keys whose rotation is due.
    pub only_due: bool,
}

/// What there is to rotate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The tenants and purposes whose keys are to be rotated.
    pub keys: Vec<KeyFor>,
    /// Selected keys that are suspended: they are not rotated until they are resumed.
    pub suspended: Vec<KeyId>,
    /// The unfinished rotations, which are finished instead of beginning another.
    pub open: BTreeSet<i64>,
    /// The `history_id` of the newest rotation, or 0.
    pub since: i64,
    /// Whether blind indexes are replaced. The unfinished rotations decide it if there are any.
    pub indexes: bool,
}

impl Outlook {
    /// Looks at keys and rotations.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn of(store: &dyn Store, selection: &KeySelection) -> Result<Self, StoreError> {
        let newest = store.rotations(1).await?;
        let records = store.key_records().await?;
        let now = store.audit_head().await?.now;
        Ok(Self::judge(selection, &records, &newest, &now))
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.keys.is_empty() && self.open.is_empty()
    }

    /// `newest` are the unfinished rotations and the newest one; `now` is the server's time.
    fn judge(
        selection: &KeySelection,
        records: &[KeyRecord],
        newest: &[RotationRecord],
        now: &str,
    ) -> Self {
        let selected = records.iter().filter(|record| selection.has(record));
        let suspended = selected.filter(|record| record.status == KeyStatus::Suspended);
        let keys = selection.keys(records, now);
        let unfinished = || newest.iter().filter(|record| is_unfinished(record));
        let of_indexes = |rotation: &RotationRecord| {
            let to = (records.iter()).find(|key| Some(key.key_id) == rotation.to_key_id);
            to.is_some_and(|key| key.purpose == Purpose::BlindIndex)
        };
        let open: BTreeSet<i64> = unfinished().map(|record| record.history_id).collect();
        let indexes = match open.is_empty() {
            true => keys.iter().any(|key| key.purpose == Purpose::BlindIndex),
            false => unfinished().any(of_indexes),
        };
        let since = newest.iter().map(|record| record.history_id).max();
        Self {
            suspended: suspended.map(|record| record.key_id).collect(),
            keys,
            open,
            since: since.unwrap_or_default(),
            indexes,
        }
    }
}

impl KeySelection {
    fn purposes(&self) -> &'static [Purpose] {
        match (self.purpose, self.only_due) {
            (Some(Purpose::Cell), _) | (None, false) => &[Purpose::Cell],
            (Some(Purpose::BlindIndex), _) => &[Purpose::BlindIndex],
            (None, true) => &[Purpose::Cell, Purpose::BlindIndex],
        }
    }

    fn has(&self, record: &KeyRecord) -> bool {
        let tenant = self.tenant.as_ref();
        self.purposes().contains(&record.purpose)
            && tenant.is_none_or(|tenant| *tenant == record.tenant)
    }

    fn keys(&self, records: &[KeyRecord], now: &str) -> Vec<KeyFor> {
        let is_due = |record: &KeyRecord| {
            let due = Due::of(record, now);
            matches!(due, Some(Due::Overdue(_) | Due::Unreadable))
        };
        let mut keys: Vec<KeyFor> = records
            .iter()
            .filter(|record| self.has(record) && record.status == KeyStatus::Active)
            .filter(|record| !self.only_due || is_due(record))
            .map(|record| KeyFor {
                tenant: record.tenant.clone(),
                purpose: record.purpose,
            })
            .collect();
        if keys.is_empty() && !self.only_due {
            // No key is active; beginning the rotation will report why.
            keys.push(KeyFor {
                tenant: self.tenant.clone().unwrap_or_default(),
                purpose: self.purposes()[0],
            });
        }
        keys.sort_by(|a, b| (&a.tenant, a.purpose.as_str()).cmp(&(&b.tenant, b.purpose.as_str())));
        keys
    }
}

/// Whether a record is of a rotation that is not finished; a rewrap is none.
pub(super) fn is_unfinished(record: &RotationRecord) -> bool {
    record.finished_at.is_none() && record.kind != RotationKind::Rewrap
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::health::fixture::key;

    const NOW: &str = "2026-03-20T00:00:00.000000Z";

    fn keys() -> Vec<KeyRecord> {
        let mut index = key(8);
        index.purpose = Purpose::BlindIndex;
        index.rotation_due_at = Some("2026-03-18T00:00:00.000000Z".to_owned());
        let mut other = key(9);
        other.tenant = "clinic-7".to_owned();
        other.status = KeyStatus::Suspended;
        vec![key(7), index, other]
    }

    fn rotation(history_id: i64, to: i64) -> RotationRecord {
        RotationRecord {
            history_id,
            kind: RotationKind::Rotate,
            from_key_id: KeyId::new(1),
            to_key_id: KeyId::new(to),
            from_kek_ref: None,
            to_kek_ref: None,
            reason: String::new(),
            started_at: NOW.to_owned(),
            finished_at: None,
            actor: "me@here".to_owned(),
            counts: crate::keys::rotation::RotationCounts::default(),
            census: None,
            outcome: None,
        }
    }

    fn wanted(outlook: &Outlook) -> Vec<(&str, Purpose)> {
        let keys = outlook.keys.iter();
        keys.map(|key| (key.tenant.as_str(), key.purpose)).collect()
    }

    #[test]
    fn without_a_choice_the_active_cell_keys_are_rotated_and_suspended_ones_named() {
        let outlook = Outlook::judge(&KeySelection::default(), &keys(), &[], NOW);
        assert_eq!(wanted(&outlook), [("", Purpose::Cell)]);
        assert_eq!(outlook.suspended, [KeyId::new(9).unwrap()]);
        assert!(!outlook.indexes && !outlook.is_idle());
    }

    #[test]
    fn only_keys_that_are_due_are_rotated_if_that_is_asked_for() {
        let mut due = KeySelection {
            only_due: true,
            ..KeySelection::default()
        };
        let outlook = Outlook::judge(&due, &keys(), &[], NOW);
        assert_eq!(wanted(&outlook), [("", Purpose::BlindIndex)]);
        assert!(outlook.indexes);
        due.purpose = Some(Purpose::Cell);
        assert!(Outlook::judge(&due, &keys(), &[], NOW).is_idle());
    }

    #[test]
    fn unfinished_rotations_decide_which_half_is_worked_on() {
        let mut finished = rotation(5, 7);
        finished.finished_at = Some(NOW.to_owned());
        let newest = [rotation(4, 8), finished];
        let outlook = Outlook::judge(&KeySelection::default(), &keys(), &newest, NOW);
        assert_eq!(outlook.open, BTreeSet::from([4]));
        assert_eq!(outlook.since, 5);
        assert!(outlook.indexes);
    }

    #[test]
    fn where_no_key_is_active_the_rotation_begins_and_reports_why() {
        let outlook = Outlook::judge(&KeySelection::default(), &[], &[], NOW);
        assert_eq!(wanted(&outlook), [("", Purpose::Cell)]);
    }
}
