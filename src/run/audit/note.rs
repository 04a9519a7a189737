//! Audit entries that are made inside the transaction of the change which they record.
//! Owns how an entry names changes of keys: their numbers and a digest of them, so that a change
//! which is missing, altered or made without this program is found.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{entry_after, signing_key};
use crate::crypto::Purpose;
use crate::keys::{AuditEntry, AuditHead, ChangeRow, Key, Keyring, Notary, RotationRecord, Scribe};

/// The name in an entry's subject under which it names changes.
pub(super) const CHANGES: &str = "changes";

/// Makes actions and subjects from the records that a transaction wrote.
type OfRecords<'a> = dyn Fn(&[RotationRecord]) -> Vec<(String, Value)> + Send + Sync + 'a;

enum Says<'a> {
    One(String, Value),
    OfRecords(Box<OfRecords<'a>>),
}

/// One or more audit entries about a change.
pub struct Note<'a> {
    pub(super) key: Option<Arc<Key>>,
    actor: String,
    says: Says<'a>,
}

impl<'a> Note<'a> {
    /// One entry, whose subject is an object.
    #[must_use]
    pub fn new(keyring: &Keyring, actor: &str, action: &str, subject: Value) -> Self {
        Self {
            key: signing_key(keyring),
            actor: actor.to_owned(),
            says: Says::One(action.to_owned(), subject),
        }
    }

    /// Entries about the rotations and rewraps that the transaction writes.
    #[must_use]
    pub fn of_records(
        keyring: &Keyring,
        actor: &str,
        says: impl Fn(&[RotationRecord]) -> Vec<(String, Value)> + Send + Sync + 'a,
    ) -> Self {
        Self {
            key: signing_key(keyring),
            actor: actor.to_owned(),
            says: Says::OfRecords(Box::new(says)),
        }
    }

    /// Makes the entries under one of these keys, which the transaction activates, if one may make
    /// entries.
    #[must_use]
    pub fn under(mut self, keys: &[Arc<Key>]) -> Self {
        let newest = keys
            .iter()
            .filter(|key| key.tenant().is_empty() && key.purpose() == Purpose::Cell)
            .max_by_key(|key| key.version());
        if let Some(key) = newest {
            self.key = Some(Arc::clone(key));
        }
        self
    }
}

impl Notary for Note<'_> {
    fn entries(
        &self,
        head: &AuditHead,
        changes: &[ChangeRow],
        records: &[RotationRecord],
    ) -> Vec<AuditEntry> {
        let Some(key) = &self.key else {
            return Vec::new();
        };
        let said = match &self.says {
            Says::One(action, subject) => vec![(action.clone(), subject.clone())],
            Says::OfRecords(says) => says(records),
        };
        let mut head = head.clone();
        let mut entries = Vec::with_capacity(said.len());
        for (at, (action, mut subject)) in said.into_iter().enumerate() {
            if at == 0
                && !changes.is_empty()
                && let Some(subject) = subject.as_object_mut()
            {
                subject.insert(CHANGES.to_owned(), named(changes));
            }
            let entry = entry_after(&head, key, &self.actor, &action, &subject);
            head.entry_id = entry.entry_id;
            head.mac.clone_from(&entry.mac);
            entries.push(entry);
        }
        entries
    }
}

/// Entries about the creation of keys: one each, or a single one if there are very many.
pub struct Created<'a> {
    keyring: &'a Keyring,
    actor: &'a str,
}

impl<'a> Created<'a> {
    /// Notes for the chain of this keyring.
    #[must_use]
    pub const fn new(keyring: &'a Keyring, actor: &'a str) -> Self {
        Self { keyring, actor }
    }
}

impl Scribe for Created<'_> {
    fn created<'b>(&'b self, keys: &'b [Arc<Key>]) -> Box<dyn Notary + 'b> {
        const EACH_MAX: usize = 20;
        let subject = |key: &Arc<Key>| {
            json!({
                "key_id": key.key_id().get(),
                "purpose": key.purpose().as_str(),
                "tenant": key.tenant(),
                "version": key.version(),
            })
        };
        let says = move |_: &[RotationRecord]| {
            let action = "key.create".to_owned();
            if keys.len() <= EACH_MAX {
                return keys
                    .iter()
                    .map(|key| (action.clone(), subject(key)))
                    .collect();
            }
            let ids: Vec<u32> = keys.iter().map(|key| key.key_id().get()).collect();
            vec![(action, json!({ "key_ids": ids }))]
        };
        Box::new(Note::of_records(self.keyring, self.actor, says).under(keys))
    }
}

/// How an entry names changes: their numbers, a digest of them, and the numbers of those that were
/// not made by the command of the entry.
fn named(changes: &[ChangeRow]) -> Value {
    let ids: Vec<i64> = changes.iter().map(|change| change.transition_id).collect();
    let mut named = json!({ "ids": ranges(&ids), "sha256": digest(changes.iter()) });
    let others: Vec<i64> = changes
        .iter()
        .filter(|change| !change.ours)
        .map(|change| change.transition_id)
        .collect();
    if !others.is_empty() {
        named["made_before"] = json!(ranges(&others));
    }
    named
}

/// A digest of changes, in order: every column preceded by its length.
pub(super) fn digest<'a>(changes: impl Iterator<Item = &'a ChangeRow>) -> String {
    let mut digest = Sha256::new();
    for change in changes {
        digest.update(change.transition_id.to_be_bytes());
        for column in &change.columns {
            match column {
                None => digest.update([0]),
                Some(text) => {
                    digest.update([1]);
                    digest.update((text.len() as u64).to_be_bytes());
                    digest.update(text.as_bytes());
                }
            }
        }
    }
    hex::encode(digest.finalize())
}

/// Ascending numbers as text: `1-4,7`.
fn ranges(ids: &[i64]) -> String {
    let mut runs: Vec<(i64, i64)> = Vec::new();
    for id in ids {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*id) => *last = *id,
            _ => runs.push((*id, *id)),
        }
    }
    let run = |(first, last): &(i64, i64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(",")
}

/// The ranges of such a text; `None` if it is not one.
pub(super) fn parse_ranges(text: &str) -> Option<Vec<(i64, i64)>> {
    text.split(',')
        .map(|run| match run.split_once('-') {
            Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
            None => run.parse().ok().map(|id| (id, id)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_as_the_ranges_they_were_written_as() {
        assert_eq!(ranges(&[1, 2, 3, 7, 9, 10]), "1-3,7,9-10");
        let read = parse_ranges("1-3,7,9-10").unwrap();
        assert_eq!(read, [(1, 3), (7, 7), (9, 10)]);
        assert_eq!(parse_ranges("1,x"), None);
    }
}
