//! What the audit log says of a change of keys, and the seam by which it is written in the transaction
//! that makes the change: a store locks the end of the chain, hands it over with what changed, and
//! appends what it is given. Owns the shapes; who makes entries has the keys, and a store has none.

use super::key::Key;
use super::rotation::RotationRecord;
use std::sync::Arc;

/// An audit entry (`audit_log`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// 1, 2, 3 … without gaps.
    pub entry_id: i64,
    /// Text of the time, as covered by the MAC.
    pub at: String,
    /// Who.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what, as canonical JSON.
    pub subject: String,
    /// The data key the MAC key is derived from.
    pub key_id: i64,
    /// The MAC of the entry before.
    pub prev_mac: Vec<u8>,
    /// The MAC over all of the above.
    pub mac: Vec<u8>,
}

/// Where the audit chain ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditHead {
    /// The last entry's number; 0 for an empty chain.
    pub entry_id: i64,
    /// Its MAC; empty for an empty chain.
    pub mac: Vec<u8>,
    /// The server's time now, for the entry to come.
    pub now: String,
}

/// A row of `key_transitions`, as it stands there: anybody may have written it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRow {
    /// Its number.
    pub transition_id: i64,
    /// The key, the states before and after, when, who and why, as text.
    pub columns: [Option<String>; 6],
    /// It was made in this very transaction.
    pub ours: bool,
}

impl ChangeRow {
    /// The making of a key that seals nothing yet.
    #[must_use]
    pub fn is_making(&self) -> bool {
        self.columns[1].is_none() && self.columns[2].as_deref() == Some("pre_active")
    }
}

/// Makes the entries of a change of keys, inside its transaction.
pub trait Notary: Send + Sync {
    /// The entries to append after `head`, which nobody else moves meanwhile; none where no key is
    /// left to make one with. `changes` are those of keys that no entry names yet: the first entry
    /// names them all. `records` are the rotations and rewraps that the transaction wrote.
    fn entries(
        &self,
        head: &AuditHead,
        changes: &[ChangeRow],
        records: &[RotationRecord],
    ) -> Vec<AuditEntry>;
}

/// Has the making of keys written down.
pub trait Scribe: Send + Sync {
    /// What writes down that these keys become active.
    fn created<'a>(&'a self, keys: &'a [Arc<Key>]) -> Box<dyn Notary + 'a>;
}

/// Writes nothing down: for keys that no audit log is kept of.
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
