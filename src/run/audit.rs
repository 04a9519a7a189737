//! The audit chain: who did what to keys and fields, each entry keyed over itself and the one
//! before, so that a changed, missing or reordered entry is found.
//! Owns what is covered by the MAC and how the chain is appended to and checked. Only somebody with
//! the keys can make an entry; a cut-off end is found by comparing with a head noted elsewhere.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::crypto::{KeyId, Purpose};
use crate::error::{Coded, Exit};
use crate::keys::{Key, KeyError, Keyring};
use crate::store::{AuditEntry, AuditHead, Store, StoreError};

/// How often an append is tried again after another one came first.
const ATTEMPTS: u32 = 50;

/// Length of a MAC (HMAC-SHA-256).
const MAC_BYTES: usize = 32;

/// Why the chain does not verify, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit chain is broken at entry {entry_id}: {what}")]
pub struct Broken {
    /// The first entry that is wrong, or missing.
    pub entry_id: i64,
    /// What is wrong with it.
    pub what: &'static str,
}

impl Coded for Broken {
    fn code(&self) -> &'static str {
        "E0307"
    }

    fn hint(&self) -> String {
        "somebody who can write to the database changed what was recorded: compare audit_log with a \
         backup, from this entry on"
            .to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Unverified
    }
}

/// A head to be noted elsewhere, in text form `ENTRY_ID:MAC`, the MAC in hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedHead {
    /// The last entry's number; 0 for an empty chain.
    pub entry_id: i64,
    /// Its MAC; empty for an empty chain.
    pub mac: Vec<u8>,
}

/// A text that is no [`NotedHead`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a head is a number, a colon and the hex digits of a MAC")]
pub struct BadHead;

impl From<&AuditHead> for NotedHead {
    fn from(head: &AuditHead) -> Self {
        Self {
            entry_id: head.entry_id,
            mac: head.mac.clone(),
        }
    }
}

impl fmt::Display for NotedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entry_id, hex::encode(&self.mac))
    }
}

impl FromStr for NotedHead {
    type Err = BadHead;

    fn from_str(text: &str) -> Result<Self, BadHead> {
        let (number, mac) = text.trim().split_once(':').ok_or(BadHead)?;
        let entry_id = number.parse().map_err(|_| BadHead)?;
        let mac = hex::decode(mac).map_err(|_| BadHead)?;
        // Only an empty chain has no MAC, and then there is nothing to compare with.
        let whole = match entry_id {
            0 => mac.is_empty(),
            _ => entry_id > 0 && mac.len() == MAC_BYTES,
        };
        whole.then_some(Self { entry_id, mac }).ok_or(BadHead)
    }
}

impl Coded for BadHead {
    fn code(&self) -> &'static str {
        "E0109"
    }

    fn hint(&self) -> String {
        "give it as `phiseal audit head` printed it".to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Usage
    }
}

/// Appends an entry. `subject` holds names and counts, never values.
///
/// Silent where there is no active key yet, as before the first `keys create`: there is nothing to
/// key the chain with.
///
/// # Errors
/// What the store reports.
pub async fn append(
    store: &dyn Store,
    keyring: &Keyring,
    actor: &str,
    action: &str,
    subject: &serde_json::Value,
) -> Result<(), StoreError> {
    let Some(key) = signing_key(keyring) else {
        return Ok(());
    };
    for _ in 0..ATTEMPTS {
        let head = store.audit_head().await?;
        let entry = entry_after(&head, &key, actor, action, subject);
        if store.append_audit(&entry, &head).await? {
            return Ok(());
        }
    }
    Err(too_many())
}

/// The key that entries are made under: the active one, else, while that is suspended, the newest
/// that may open. `None` before the first `keys create`.
fn signing_key(keyring: &Keyring) -> Option<Arc<Key>> {
    keyring.active("", Purpose::Cell).or_else(|| {
        let keys = keyring.snapshot();
        let newest = keys
            .loaded()
            .filter(|key| key.tenant().is_empty() && key.purpose() == Purpose::Cell)
            .filter(|key| key.status().may_open())
            .max_by_key(|key| key.version());
        newest.cloned()
    })
}

fn entry_after(
    head: &AuditHead,
    key: &Key,
    actor: &str,
    action: &str,
    subject: &serde_json::Value,
) -> AuditEntry {
    let mut entry = AuditEntry {
        entry_id: head.entry_id + 1,
        at: head.now.clone(),
        actor: actor.to_owned(),
        action: action.to_owned(),
        subject: subject.to_string(),
        key_id: i64::from(key.key_id().get()),
        prev_mac: head.mac.clone(),
        mac: Vec::new(),
    };
    entry.mac = key
        .data_key()
        .audit_mac_key()
        .mac(&covered(&entry))
        .to_vec();
    entry
}

fn too_many() -> StoreError {
    StoreError::Busy {
        sqlstate: "40001".to_owned(),
    }
}

/// What an attestation is called.
const ATTEST: &str = "audit.attest";

/// Verifies the chain and appends an entry that holds a digest of all entries before it: once the
/// key of some of them is destroyed, their own MACs can never be checked again, and this entry's can.
///
/// # Errors
/// What the store reports; the break, where the chain does not verify.
pub async fn attest(
    store: &dyn Store,
    keyring: &Keyring,
    actor: &str,
) -> Result<Result<(), Broken>, StoreError> {
    let Some(key) = signing_key(keyring) else {
        return Ok(Ok(()));
    };
    for _ in 0..ATTEMPTS {
        let walked = walk(store, keyring).await?;
        let (head, digest) = match walked {
            Ok(walked) => walked,
            Err(broken) => return Ok(Err(broken)),
        };
        let subject = serde_json::json!({ "upto": head.entry_id, "sha256": hex::encode(digest) });
        let entry = entry_after(&head, &key, actor, ATTEST, &subject);
        if store.append_audit(&entry, &head).await? {
            return Ok(Ok(()));
        }
    }
    Err(too_many())
}

/// Checks the whole chain; `Ok(head)` where it holds.
///
/// # Errors
/// What the store reports.
pub async fn verify(
    store: &dyn Store,
    keyring: &Keyring,
) -> Result<Result<AuditHead, Broken>, StoreError> {
    Ok(walk(store, keyring).await?.map(|(head, _)| head))
}

/// Goes through the chain; its head, and the digest of all its entries.
async fn walk(
    store: &dyn Store,
    keyring: &Keyring,
) -> Result<Result<(AuditHead, [u8; 32]), Broken>, StoreError> {
    const PAGE: u32 = 1000;
    let mut last: Option<AuditEntry> = None;
    let mut read_again = false;
    let mut digest = Sha256::new();
    // The first entry of a destroyed key that nothing attests yet.
    let mut unattested: Option<i64> = None;
    loop {
        let (end, mac) = last
            .as_ref()
            .map_or((0, &[][..]), |entry| (entry.entry_id, &entry.mac[..]));
        let entries = store.audit_entries(end, PAGE).await?;
        if entries.is_empty() {
            // The head after the entries: others may append while we read.
            let head = store.audit_head().await?;
            if end == head.entry_id && mac == head.mac {
                return Ok(match unattested {
                    None => Ok((head, digest.finalize().into())),
                    Some(entry_id) => Err(Broken {
                        entry_id,
                        what: "the key of the entry is destroyed, and no later entry attests it",
                    }),
                });
            }
            if head.entry_id <= end || read_again {
                return Ok(Err(Broken {
                    entry_id: end + 1,
                    what: "the chain does not end where its head says",
                }));
            }
        }
        read_again = entries.is_empty();
        for entry in entries {
            let so_far: [u8; 32] = digest.clone().finalize().into();
            match fault(&entry, last.as_ref(), keyring, so_far) {
                Ok(Checked::Unknowable) => {
                    unattested.get_or_insert(entry.entry_id);
                }
                Ok(Checked::Attests) => unattested = None,
                Ok(Checked::Good) => {}
                Err(what) => {
                    return Ok(Err(Broken {
                        entry_id: last.as_ref().map_or(1, |l| l.entry_id + 1),
                        what,
                    }));
                }
            }
            digest.update(covered(&entry));
            digest.update(&entry.mac);
            last = Some(entry);
        }
    }
}

/// Whether the chain has the entry that was its end when `noted` was: a chain whose end was cut
/// off, or that was made anew from some entry on, verifies in itself, but has it no more. Says
/// nothing about the rest: see [`verify`].
///
/// # Errors
/// What the store reports.
pub async fn contains(
    store: &dyn Store,
    noted: &NotedHead,
) -> Result<Result<(), Broken>, StoreError> {
    if noted.entry_id == 0 {
        return Ok(Ok(()));
    }
    let found = store.audit_entries(noted.entry_id - 1, 1).await?;
    let broken = |what| {
        Ok(Err(Broken {
            entry_id: noted.entry_id,
            what,
        }))
    };
    match found.first() {
        Some(entry) if entry.entry_id != noted.entry_id => broken("the entry is missing"),
        Some(entry) if entry.mac != noted.mac => broken("it is not the entry whose head was noted"),
        Some(_) => Ok(Ok(())),
        None => broken("the entry is missing, the chain ends before the head that was noted"),
    }
}

/// What can be said of an entry that is not wrong.
enum Checked {
    Good,
    /// It attests every entry before it.
    Attests,
    /// Its key is destroyed.
    Unknowable,
}

fn fault(
    entry: &AuditEntry,
    before: Option<&AuditEntry>,
    keyring: &Keyring,
    so_far: [u8; 32],
) -> Result<Checked, &'static str> {
    if entry.entry_id != before.map_or(1, |b| b.entry_id + 1) {
        return Err("the entry is missing");
    }
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

/// What the MAC covers: every column but itself, each with its length in front.
fn covered(entry: &AuditEntry) -> Vec<u8> {
    let mut out = Vec::new();
    let mut push = |bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    push(&entry.entry_id.to_be_bytes());
    push(entry.at.as_bytes());
    push(entry.actor.as_bytes());
    push(entry.action.as_bytes());
    push(entry.subject.as_bytes());
    push(&entry.key_id.to_be_bytes());
    push(&entry.prev_mac);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_head_reads_back_as_it_was_printed() {
        for noted in [
            NotedHead {
                entry_id: 0,
                mac: Vec::new(),
            },
            NotedHead {
                entry_id: 12,
                mac: vec![0xab; MAC_BYTES],
            },
        ] {
            assert_eq!(noted.to_string().parse(), Ok(noted));
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let short = format!("3:{}", "ab".repeat(31));
        let empty_with_mac = format!("0:{}", "ab".repeat(32));
        let negative = format!("-1:{}", "ab".repeat(32));
        for bad in [
            "",
            "12",
            "12:",
            "x:00",
            "12:zz",
            ":",
            &short,
            &empty_with_mac,
            &negative,
        ] {
            assert_eq!(bad.parse::<NotedHead>(), Err(BadHead), "{bad}");
        }
    }
}
