//! The walk through the audit log: every row, from its first number to the head.
//! Owns the tests of a row, by itself and against the one before, and of the changes of keys that
//! entries name. Since anyone may have written the rows, a fault is a finding, never an error.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::note::{CHANGES, digest, parse_ranges};
use super::pages::Pages;
use super::{ATTEMPTS, ATTEST, Broken, LogPosition, all_changes, covered, too_many};
use crate::crypto::KeyId;
use crate::keys::{ChangeRow, KeyError, Keyring};
use crate::store::{AuditEntry, AuditHead, AuditRow, Store, StoreError};

/// Walks through the whole log, from its first number to the head; returns the head and what the
/// entries say.
pub(super) async fn walk(
    store: &dyn Store,
    keyring: &Keyring,
) -> Result<Result<(AuditHead, Named), Broken>, StoreError> {
    if let Some(misfit) = store.audit_misfit().await? {
        return Ok(Err(misfit.into()));
    }
    let mut chain = Chain::new(keyring);
    let mut pages = Pages::all();
    loop {
        let rows = pages.next(store).await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            if row.entry_id != chain.next() {
                let head = store.audit_head().await?;
                return Ok(Err(chain.out_of_order(row.entry_id, &head)));
            }
            if let Err(what) = chain.take(row) {
                return Ok(Err(Broken::at(row.entry_id, what)));
            }
        }
    }
    // Reads the head after the entries, since others may have appended meanwhile.
    for _ in 0..ATTEMPTS {
        let head = store.audit_head().await?;
        if chain.ends_at(&head) {
            return Ok(chain.end(head));
        }
        let more = store.audit_entries(chain.next(), 1).await?;
        let broken = match more.first() {
            Some(row) if row.entry_id == chain.next() && head.entry_id >= row.entry_id => chain
                .take(row)
                .err()
                .map(|what| Broken::at(row.entry_id, what)),
            Some(row) => Some(chain.out_of_order(row.entry_id, &head)),
            None => Some(chain.too_long_or_short(&head)),
        };
        if let Some(broken) = broken {
            return Ok(Err(broken));
        }
    }
    Err(too_many())
}

const BEYOND: &str = "the entry is beyond the head of the chain";

/// The part of the chain that was walked.
struct Chain<'a> {
    keyring: &'a Keyring,
    last: Option<AuditEntry>,
    digest: Sha256,
    /// The first entry under a destroyed key that no later entry attests yet.
    unattested: Option<i64>,
    changes: Vec<NamedChanges>,
}

/// What the entries of a chain say together.
pub(super) struct Named {
    /// The digest of all entries.
    pub(super) digest: [u8; 32],
    changes: Vec<NamedChanges>,
}

/// The changes of keys that an entry names.
struct NamedChanges {
    entry_id: i64,
    ids: Vec<(i64, i64)>,
    sha256: String,
}

impl<'a> Chain<'a> {
    fn new(keyring: &'a Keyring) -> Self {
        Self {
            keyring,
            last: None,
            digest: Sha256::new(),
            unattested: None,
            changes: Vec::new(),
        }
    }

    /// The number of the next entry.
    fn next(&self) -> i64 {
        self.last.as_ref().map_or(1, |last| last.entry_id + 1)
    }

    /// Takes the next entry, or says what is wrong with it.
    fn take(&mut self, row: &AuditRow) -> Result<(), &'static str> {
        let entry = row.entry.as_ref().ok_or("the entry cannot be read")?;
        let so_far: [u8; 32] = self.digest.clone().finalize().into();
        match fault(entry, self.last.as_ref(), self.keyring, so_far)? {
            Checked::Unknowable => {
                self.unattested.get_or_insert(entry.entry_id);
            }
            Checked::Attests => self.unattested = None,
            Checked::Good => {}
        }
        if let Some(named) = names(entry)? {
            self.changes.push(named);
        }
        self.digest.update(covered(entry));
        self.digest.update(&entry.mac);
        self.last = Some(entry.clone());
        Ok(())
    }

    /// The fault of an entry whose number is not the next one.
    fn out_of_order(&self, found: i64, head: &AuditHead) -> Broken {
        let next = self.next();
        if found < next {
            Broken::at(found, "the chain is numbered from 1, and has no such entry")
        } else if head.entry_id < next {
            Broken::at(found, BEYOND)
        } else {
            Broken::at(next, "the entry is missing")
        }
    }

    /// The fault of a chain whose last entry is not the one that the head names.
    fn too_long_or_short(&self, head: &AuditHead) -> Broken {
        match head.entry_id.saturating_add(1) < self.next() {
            true => Broken::at(head.entry_id.saturating_add(1), BEYOND),
            false => Broken::at(self.next(), "the chain does not end where its head says"),
        }
    }

    fn ends_at(&self, head: &AuditHead) -> bool {
        match &self.last {
            Some(last) => last.entry_id == head.entry_id && last.mac == head.mac,
            None => head.entry_id == 0 && head.mac.is_empty(),
        }
    }

    fn end(self, head: AuditHead) -> Result<(AuditHead, Named), Broken> {
        let named = Named {
            digest: self.digest.finalize().into(),
            changes: self.changes,
        };
        match self.unattested {
            None => Ok((head, named)),
            Some(entry_id) => Err(Broken::at(
                entry_id,
                "the key of the entry is destroyed, and no later entry attests it",
            )),
        }
    }
}

/// The changes of keys that an entry names, if any.
fn names(entry: &AuditEntry) -> Result<Option<NamedChanges>, &'static str> {
    let subject: serde_json::Value = serde_json::from_str(&entry.subject).unwrap_or_default();
    let Some(changes) = subject.get(CHANGES) else {
        return Ok(None);
    };
    let ids = changes["ids"].as_str().and_then(parse_ranges);
    match (ids, changes["sha256"].as_str()) {
        (Some(ids), Some(sha256)) => Ok(Some(NamedChanges {
            entry_id: entry.entry_id,
            ids,
            sha256: sha256.to_owned(),
        })),
        _ => Err("the changes of keys that it names cannot be read"),
    }
}

impl Named {
    /// Compares the changes of keys with those that entries name. From the first entry that names
    /// changes on, some entry must name every change, except the creation of keys that seal nothing
    /// yet.
    pub(super) async fn check(&self, store: &dyn Store) -> Result<Result<(), Broken>, StoreError> {
        if self.changes.is_empty() {
            return Ok(Ok(()));
        }
        let changes = all_changes(store).await?;
        let rows: BTreeMap<i64, ChangeRow> = (changes.into_iter())
            .map(|row| (row.transition_id, row))
            .collect();
        let mut unnamed: BTreeMap<i64, &ChangeRow> =
            rows.iter().map(|(id, row)| (*id, row)).collect();
        for named in &self.changes {
            let of = |(first, last): &(i64, i64)| match first <= last {
                true => rows.range(*first..=*last),
                false => rows.range(0..0),
            };
            let changes: Vec<&ChangeRow> =
                named.ids.iter().flat_map(of).map(|(_, row)| row).collect();
            if digest(changes.iter().copied()) != named.sha256 {
                return Ok(Err(Broken::at(
                    named.entry_id,
                    "the changes of keys that it names are not those of key_transitions",
                )));
            }
            for change in changes {
                unnamed.remove(&change.transition_id);
            }
        }
        let first = unnamed.values().find(|change| !change.is_making());
        Ok(match first {
            None => Ok(()),
            Some(change) => Err(Broken {
                place: LogPosition::Change(change.transition_id),
                what: "no entry names it",
            }),
        })
    }
}

/// The result for an entry that is not wrong.
enum Checked {
    Good,
    /// It attests every entry before it.
    Attests,
    /// Its key is destroyed, so its MAC cannot be checked.
    Unknowable,
}

fn fault(
    entry: &AuditEntry,
    before: Option<&AuditEntry>,
    keyring: &Keyring,
    so_far: [u8; 32],
) -> Result<Checked, &'static str> {
    if entry.prev_mac != before.map_or(&[][..], |b| &b.mac) {
        return Err("the entry does not follow the one before");
    }
    let key = match KeyId::new(entry.key_id).map(|id| keyring.openable(id)) {
        Some(Ok(key)) => key,
        Some(Err(KeyError::Destroyed { .. })) => return Ok(Checked::Unknowable),
        _ => return Err("the key of the entry is not there"),
    };
    if !key
        .data_key()
        .audit_mac_key()
        .verify(&covered(entry), &entry.mac)
    {
        return Err("the entry was changed");
    }
    if entry.action != ATTEST {
        return Ok(Checked::Good);
    }
    let subject: serde_json::Value = serde_json::from_str(&entry.subject).unwrap_or_default();
    if subject["sha256"].as_str() == Some(hex::encode(so_far).as_str()) {
        Ok(Checked::Attests)
    } else {
        Err("the entries before it are not those it attests")
    }
}
