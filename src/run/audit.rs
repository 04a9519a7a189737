//! The audit chain: who did what to keys and fields. Each entry has a MAC over itself and the entry
//! before, so that a changed, missing or reordered entry is found.
//! Owns what the MAC covers, and how entries are appended and checked. Only a holder of the keys
//! can make an entry. A chain that was cut off at its end is found by comparison with a head noted
//! elsewhere.

mod chain;
mod note;
mod noted;
mod pages;

use std::fmt;
use std::sync::Arc;

use self::chain::walk;
pub use self::note::{Created, Note};
pub use self::noted::{BadHead, NotedHead};
pub use self::pages::Pages;
use crate::crypto::Purpose;
use crate::error::{Coded, Exit};
use crate::keys::{ChangeRow, Key, Keyring};
use crate::store::{AuditEntry, AuditHead, AuditMisfit, Store, StoreError};

/// How often an append is tried again because another one came first.
const ATTEMPTS: u32 = 50;

/// Why the chain does not verify, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit chain is broken at {place}: {what}")]
pub struct Broken {
    /// The first entry that is wrong or missing.
    pub place: LogPosition,
    /// What is wrong with it.
    pub what: &'static str,
}

/// A place in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogPosition {
    /// The entry of this number.
    Entry(i64),
    /// An entry that has no number.
    Unnumbered,
    /// The recorded head of the chain.
    Head,
    /// The change of a key's state with this number.
    Change(i64),
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(entry_id) => write!(f, "entry {entry_id}"),
            Self::Unnumbered => f.write_str("an entry without a number"),
            Self::Head => f.write_str("its head"),
            Self::Change(transition_id) => write!(f, "change {transition_id} of a key"),
        }
    }
}

impl Broken {
    const fn at(entry_id: i64, what: &'static str) -> Self {
        Self {
            place: LogPosition::Entry(entry_id),
            what,
        }
    }
}

impl From<AuditMisfit> for Broken {
    fn from(misfit: AuditMisfit) -> Self {
        let (place, what) = match misfit {
            AuditMisfit::Unnumbered => (LogPosition::Unnumbered, "the chain has no such entry"),
            AuditMisfit::Twice(entry_id) => (
                LogPosition::Entry(entry_id),
                "there are several of this number",
            ),
            AuditMisfit::Head => (
                LogPosition::Head,
                "it is missing, there are several, or it cannot be read",
            ),
        };
        Self { place, what }
    }
}

impl Coded for Broken {
    fn code(&self) -> &'static str {
        "E0307"
    }

    fn hint(&self) -> String {
        match self.place {
            LogPosition::Change(_) => {
                "a key was changed past this program, or by an earlier version of it: see `phiseal keys list` and \
                 `keys show`; the next command that writes puts it on record"
            }
            _ => {
                "somebody who can write to the database changed what was recorded: compare audit_log with a \
                 backup, from this entry on"
            }
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        Exit::Unverified
    }
}

/// Appends an entry. `subject` holds names and counts, never values. The entry also names the
/// changes of keys that no entry names yet.
///
/// Does nothing if there is no active key yet, as before the first `keys create`: there is no key
/// to make the MAC with.
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
    let note = Note::new(keyring, actor, action, subject.clone());
    if note.key.is_none() {
        return Ok(());
    }
    let mut left = ATTEMPTS;
    loop {
        match store.note(&note).await {
            Err(StoreError::Busy { .. } | StoreError::Locked) if left > 0 => left -= 1,
            done => return done,
        }
    }
}

/// The key for new entries: the active one or, while that is suspended, the newest that may open.
/// `None` before the first `keys create`.
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

/// The action of an attestation.
const ATTEST: &str = "audit.attest";

/// Verifies the chain and appends an entry that holds a digest of all entries before it. Once the
/// key of earlier entries is destroyed, their own MACs can never be checked again, but this entry's
/// MAC can.
///
/// # Errors
/// What the store reports; the inner error if the chain does not verify.
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
        let (head, named) = match walked {
            Ok(walked) => walked,
            Err(broken) => return Ok(Err(broken)),
        };
        let subject =
            serde_json::json!({ "upto": head.entry_id, "sha256": hex::encode(named.digest) });
        let entry = entry_after(&head, &key, actor, ATTEST, &subject);
        if store.append_audit(&entry, &head).await? {
            return Ok(Ok(()));
        }
    }
    Err(too_many())
}

/// Checks the whole chain; `Ok(head)` if it is intact.
///
/// # Errors
/// What the store reports; the inner error says where the chain is broken.
pub async fn verify(
    store: &dyn Store,
    keyring: &Keyring,
) -> Result<Result<AuditHead, Broken>, StoreError> {
    let mut left = ATTEMPTS;
    loop {
        let (head, named) = match walk(store, keyring).await? {
            Ok(walked) => walked,
            Err(broken) => return Ok(Err(broken)),
        };
        let checked = named.check(store).await?;
        // Another process may have changed a key and appended its entry after the walk.
        let stands = checked.is_ok() || left == 0 || {
            let now = store.audit_head().await?;
            (now.entry_id, &now.mac) == (head.entry_id, &head.mac)
        };
        if stands {
            return Ok(checked.map(|()| head));
        }
        left -= 1;
    }
}

/// Whether the chain has the entry that was its end when `noted` was made. If a chain's end was cut
/// off, or it was made again from some entry on, it verifies in itself but no longer has this
/// entry. Says nothing about the other entries: see [`verify`].
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
    let found = store.audit_entries(noted.entry_id, 1).await?;
    let broken = |what| Ok(Err(Broken::at(noted.entry_id, what)));
    match found.first() {
        Some(row) if row.entry_id != noted.entry_id => broken("the entry is missing"),
        Some(row) => match &row.entry {
            Some(entry) if entry.mac == noted.mac => Ok(Ok(())),
            _ => broken("it is not the entry whose head was noted"),
        },
        None => broken("the entry is missing, the chain ends before the head that was noted"),
    }
}

/// The head of the chain, and all changes of keys' states that its entries can name.
///
/// # Errors
/// What the store reports.
pub async fn head_with_changes(
    store: &dyn Store,
) -> Result<(AuditHead, Vec<ChangeRow>), StoreError> {
    for _ in 0..ATTEMPTS {
        let before = store.audit_head().await?;
        let changes = all_changes(store).await?;
        let head = store.audit_head().await?;
        // An entry and the changes that it names are committed together.
        if (head.entry_id, &head.mac) == (before.entry_id, &before.mac) {
            return Ok((head, changes));
        }
    }
    Err(too_many())
}

async fn all_changes(store: &dyn Store) -> Result<Vec<ChangeRow>, StoreError> {
    const PAGE: u32 = 5000;
    let mut changes: Vec<ChangeRow> = Vec::new();
    let mut from = i64::MIN;
    loop {
        let page = store.key_changes(from, PAGE).await?;
        let Some(next) = page.last().and_then(|row| row.transition_id.checked_add(1)) else {
            return Ok(changes);
        };
        from = next;
        changes.extend(page);
    }
}

/// What the MAC covers: every column but itself, each preceded by its length.
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
