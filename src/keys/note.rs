//! The audit entries for changes of keys, and the interface that writes them in the transaction of
//! the change. A store locks the end of the audit chain, passes it to a [`Notary`] with the
//! changes, and appends the entries that it returns.
//! Owns the types. The code that makes entries has the keys; a store has none.

use super::key::Key;
use super::rotation::RotationRecord;
use std::sync::Arc;

/// An audit entry (`audit_log`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// The number of the entry: 1, 2, 3 … without gaps.
    pub entry_id: i64,
    /// The time as text, as the MAC covers it.
    pub at: String,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// What it was done to, as canonical JSON.
    pub subject: String,
    /// The data key from which the MAC key is derived.
    pub key_id: i64,
    /// The MAC of the previous entry.
    pub prev_mac: Vec<u8>,
    /// The MAC over all of the above.
    pub mac: Vec<u8>,
}

/// The end of the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// The number of the last entry; 0 for an empty chain.
    pub entry_id: i64,
    /// The MAC of the last entry; empty for an empty chain.
    pub mac: Vec<u8>,
    /// The server's present time, for the next entry.
    pub now: String,
}

/// A row of `key_transitions` as stored. It is not trusted: anyone with access to the table may
/// have written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// The row's number.
    pub transition_id: i64,
    /// The key, the states before and after, when, by whom and why, as text.
    pub columns: [Option<String>; 6],
    /// Whether the present transaction made the change.
    pub ours: bool,
}

impl ChangeRow {
    /// Whether the row records the making of a pre-active key, which seals nothing yet.
    #[must_use]
    pub fn is_making(&self) -> bool {
        self.columns[1].is_none() && self.columns[2].as_deref() == Some("pre_active")
    }
}

/// Makes the audit entries for a change of keys, inside its transaction.
pub trait Notary: Send + Sync {
    /// The entries to append after `head`, which is locked; none if no key is left to make them
    /// with. `changes` are the changes that no entry names yet: the first entry names them all.
    /// `records` are the rotations and rewraps that the transaction wrote.
    fn entries(
        &self,
        head: &AuditHead,
        changes: &[ChangeRow],
        records: &[RotationRecord],
    ) -> Vec<AuditEntry>;
}

/// Makes the notary for newly made keys.
pub trait Scribe: Send + Sync {
    /// The notary that writes that these keys become active.
    fn created<'a>(&'a self, keys: &'a [Arc<Key>]) -> Box<dyn Notary + 'a>;
}

/// Writes no entries: for keys without an audit log.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unnoted;

impl Notary for Unnoted {
    fn entries(&self, _: &AuditHead, _: &[ChangeRow], _: &[RotationRecord]) -> Vec<AuditEntry> {
        Vec::new()
    }
}

impl Scribe for Unnoted {
    fn created<'a>(&'a self, _: &'a [Arc<Key>]) -> Box<dyn Notary + 'a> {
        Box::new(Self)
    }
}
