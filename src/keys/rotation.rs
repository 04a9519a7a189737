//! Rotations and rewraps as they are recorded: which key hands over to which, why, what came of it.
//! Owns the shapes of `key_rotation_history` and `key_transitions`. Re-seals nothing itself: rows
//! are the engine's. A finished record never changes; the database sees to it.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;

use super::lifecycle::KeyStatus;
use super::note::{ChangeRow, Notary};
use super::rotation_period::RotationPeriod;
use crate::crypto::KeyId;
use crate::error::round_trip::StoreError;

/// The tables `key_rotation_history` and `key_transitions`, and the moves of keys that go with them.
///
/// Contract: as [`KeyTable`](super::KeyTable); what is not legal is refused by the database itself.
/// `note` says what was done in the audit log, in the transaction that does it.
#[async_trait]
pub trait RotationTable: Send + Sync {
    /// Moves a key from one state to another, and records who and why. `false` where it is in
    /// another state than `from` by now. A move that is not legal is refused by the database.
    async fn move_key(
        &self,
        key_id: KeyId,
        from: KeyStatus,
        to: KeyStatus,
        actor: &str,
        reason: &str,
        note: &dyn Notary,
    ) -> Result<bool, StoreError>;

    /// Moves the keys of handovers in one transaction, and opens no record: one that is open says
    /// already what is to follow. `false`, and nothing done, where a key is not in the state it should
    /// be in.
    async fn hand_over(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<bool, StoreError>;

    /// All changes of keys from this number on, in the order of their numbers, at most `limit`, and
    /// which entry of the audit log names each.
    async fn key_changes(&self, from: i64, limit: u32) -> Result<Vec<ChangeRow>, StoreError>;

    /// Every change of state of these keys, in the order they happened.
    async fn key_transitions(&self, ids: &[KeyId]) -> Result<Vec<KeyTransition>, StoreError>;

    /// The newest rotations and rewraps first, at most `limit`; unfinished ones before all others,
    /// whatever the limit.
    async fn rotations(&self, limit: u32) -> Result<Vec<RotationRecord>, StoreError>;

    /// Begins rotations, all of them or none: every key moves to its next state and a record is
    /// opened for each, in one transaction. Nobody who seals is waited for: whoever comes later finds
    /// the key out of use, and whoever looked at it before has a transaction that is open now. Gives the records' numbers in the order of
    /// `handovers`, or `None`, and nothing done, where a key is not in the state it should be in:
    /// somebody else was first.
    async fn begin_rotations(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<Option<Vec<i64>>, StoreError>;

    /// Closes rotations with what their lanes counted, and the census, all in one transaction. One
    /// that is closed already stays as it is. Gives the records in the order of `ends`.
    async fn finish_rotations(
        &self,
        ends: &[RotationEnd],
        note: &dyn Notary,
    ) -> Result<Vec<RotationRecord>, StoreError>;

    /// Opens the record of a rewrap, or finds the unfinished one; with the wrapping key it goes to.
    async fn begin_rewrap(
        &self,
        from_kek_refs: &str,
        to_kek_ref: &str,
        reason: &str,
        actor: &str,
    ) -> Result<RotationRecord, StoreError>;

    /// Stores wrapped keys in place of the old ones, and counts them in the record: all of them in
    /// one transaction. A key that is under another wrapping key by now, or destroyed, is passed
    /// over. Gives how many were stored.
    async fn rewrap_keys(
        &self,
        history_id: i64,
        keys: &[Rewrapped],
        note: &dyn Notary,
    ) -> Result<u64, StoreError>;

    /// Closes the record of a rewrap.
    async fn finish_rewrap(
        &self,
        history_id: i64,
        note: &dyn Notary,
    ) -> Result<RotationRecord, StoreError>;
}

/// Why a record is in `key_rotation_history`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationKind {
    /// A newer version takes over, as scheduled or asked for.
    Rotate,
    /// Everything under a compromised key is re-sealed.
    Compromise,
    /// All data keys move under another wrapping key; no row is touched.
    Rewrap,
}

impl RotationKind {
    /// The name in the database and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rotate => "rotate",
            Self::Compromise => "compromise",
            Self::Rewrap => "rewrap",
        }
    }
}

impl fmt::Display for RotationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RotationKind {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        [Self::Rotate, Self::Compromise, Self::Rewrap]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(())
    }
}

/// One key handing over to another, as it is begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The key that is left.
    pub from: KeyId,
    /// The state it must be in, or somebody else was first.
    pub from_is: KeyStatus,
    /// The state it moves to now; the same where it moves later (a blind index, whose old key is
    /// in force until the new column is filled) or moved before.
    pub from_becomes: KeyStatus,
    /// The key that takes over.
    pub to: KeyId,
    /// The state that one must be in.
    pub to_is: KeyStatus,
    /// The state it moves to now.
    pub to_becomes: KeyStatus,
    /// Rotation or compromise.
    pub kind: RotationKind,
    /// Why, for the record.
    pub reason: String,
}

/// A record of `key_rotation_history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRecord {
    /// Its number.
    pub history_id: i64,
    /// What it records.
    pub kind: RotationKind,
    /// The key that was left; `None` for a rewrap.
    pub from_key_id: Option<KeyId>,
    /// The key that took over; `None` for a rewrap.
    pub to_key_id: Option<KeyId>,
    /// The wrapping keys that were left, for a rewrap.
    pub from_kek_ref: Option<String>,
    /// The wrapping key that took over, for a rewrap.
    pub to_kek_ref: Option<String>,
    /// Why.
    pub reason: String,
    /// RFC 3339, the server's, as all times here.
    pub started_at: String,
    /// When it ended; `None` while it is unfinished.
    pub finished_at: Option<String>,
    /// Who began it.
    pub actor: String,
    /// Rows (rewrap: keys) that needed work, and what became of them.
    pub counts: RotationCounts,
    /// Values under each key when it ended, as JSON.
    pub census: Option<String>,
    /// [`COMPLETE`] or [`REMAINDER`].
    pub outcome: Option<String>,
}

/// How a rotation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationEnd {
    /// Its record.
    pub history_id: i64,
    /// Values under each key, as JSON.
    pub census: String,
    /// [`COMPLETE`] or [`REMAINDER`].
    pub outcome: &'static str,
}

/// Nothing is left under the old key.
pub const COMPLETE: &str = "complete";
/// Values that do not open are left under the old key, and listed in quarantine.
pub const REMAINDER: &str = "complete with remainder";

/// What a rotation did, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RotationCounts {
    /// Rows that needed work.
    pub rows_found: i64,
    /// Rows re-sealed.
    pub rows_resealed: i64,
    /// Rows that changed meanwhile, and were met again.
    pub conflicts: i64,
    /// Rows put into quarantine.
    pub quarantined: i64,
}

impl std::ops::AddAssign for RotationCounts {
    fn add_assign(&mut self, other: Self) {
        self.rows_found += other.rows_found;
        self.rows_resealed += other.rows_resealed;
        self.conflicts += other.conflicts;
        self.quarantined += other.quarantined;
    }
}

/// A change of a key's state, as `key_transitions` records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTransition {
    /// The key.
    pub key_id: KeyId,
    /// The state before; `None` for its making.
    pub from: Option<KeyStatus>,
    /// The state after.
    pub to: KeyStatus,
    /// When, RFC 3339, the server's.
    pub at: String,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// A data key wrapped again.
#[derive(Clone)]
pub struct Rewrapped {
    /// The key.
    pub key_id: KeyId,
    /// The wrapping key it was under: if it is under another one now, somebody else was first.
    pub from_kek_ref: String,
    /// The wrapping key it goes under.
    pub to_kek_ref: String,
    /// The data key, wrapped under it.
    pub wrapped_key: Vec<u8>,
}

impl fmt::Debug for Rewrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rewrapped")
            .field("key_id", &self.key_id)
            .field("to_kek_ref", &self.to_kek_ref)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_and_no_other_word_does() {
        for kind in [
            RotationKind::Rotate,
            RotationKind::Compromise,
            RotationKind::Rewrap,
        ] {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("Rotate".parse::<RotationKind>(), Err(()));
    }
}
