//! The records of rotations and rewraps: which key takes over from which, why, with what result.
//! Owns the types of `key_rotation_history` and `key_transitions`. Seals nothing itself; the engine
//! does that. A finished record never changes; a trigger of the database prevents it.

use std::fmt;

use async_trait::async_trait;

use super::lifecycle::KeyStatus;
use super::note::{ChangeRow, Notary};
use super::rotation_period::RotationPeriod;
use crate::crypto::KeyId;
use crate::error::round_trip::StoreError;
use crate::words::word_enum;

/// The tables `key_rotation_history` and `key_transitions`, and the changes of key states that
/// belong to them.
///
/// Contract: as [`KeyTable`](super::KeyTable); the database itself refuses illegal changes. `note`
/// writes the audit entry in the transaction of the change.
#[async_trait]
pub trait RotationTable: Send + Sync {
    /// Changes a key's state, and records who did it and why. `false` if the key is no longer in
    /// the state `from`. The database refuses an illegal change.
    async fn move_key(
        &self,
        key_id: KeyId,
        from: KeyStatus,
        to: KeyStatus,
        actor: &str,
        reason: &str,
        note: &dyn Notary,
    ) -> Result<bool, StoreError>;

    /// Changes the states of the keys of handovers in one transaction. Opens no record, since the
    /// open one already says what follows. `false`, with nothing done, if a key is not in the
    /// expected state.
    async fn hand_over(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<bool, StoreError>;

    /// The changes of key states from this number on, in the order of their numbers, at most
    /// `limit`.
    async fn key_changes(&self, from: i64, limit: u32) -> Result<Vec<ChangeRow>, StoreError>;

    /// Every state change of these keys, in the order they happened.
    async fn key_transitions(&self, ids: &[KeyId]) -> Result<Vec<KeyTransition>, StoreError>;

    /// Rotations and rewraps, the newest first, at most `limit`. Unfinished ones come before all
    /// others, and are returned whatever the limit.
    async fn rotations(&self, limit: u32) -> Result<Vec<RotationRecord>, StoreError>;

    /// Begins rotations, all of them or none. One transaction moves every key to its next state and
    /// opens a record for each. It waits for no transaction that seals: a transaction that checks a
    /// key later finds it out of use, and one that checked it before and may still seal is open
    /// now. Returns the records' numbers in the order of `handovers`. `None`, with nothing done, if
    /// a key is not in the expected state because another process was first.
    async fn begin_rotations(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<Option<Vec<i64>>, StoreError>;

    /// Closes rotations with the counts of their lanes and the census, all in one transaction. A
    /// record that is closed already does not change. Returns the records in the order of `ends`.
    async fn finish_rotations(
        &self,
        ends: &[RotationEnd],
        note: &dyn Notary,
    ) -> Result<Vec<RotationRecord>, StoreError>;

    /// Opens the record of a rewrap, or returns the unfinished one, with the wrapping key it goes
    /// to.
    async fn begin_rewrap(
        &self,
        from_kek_refs: &str,
        to_kek_ref: &str,
        reason: &str,
        actor: &str,
    ) -> Result<RotationRecord, StoreError>;

    /// Replaces wrapped keys by new ones and counts them in the record, all in one transaction.
    /// Skips a key that is destroyed or no longer under the expected wrapping key. Returns how many
    /// keys were stored.
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

word_enum! {
    /// Why a record is in `key_rotation_history`.
    RotationKind {
        /// A newer version takes over, when due or on request.
        Rotate = "rotate",
        /// Every value under a compromised key is sealed again.
        Compromise = "compromise",
        /// All data keys are wrapped under another wrapping key; no row is changed.
        Rewrap = "rewrap",
    }
}

/// One key that takes over from another, when a rotation begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// The superseded key.
    pub from: KeyId,
    /// The state in which it must be; if it is not, another process was first.
    pub from_is: KeyStatus,
    /// The state it moves to now. It is `from_is` if the key moved before or moves later: the old
    /// key of a blind index stays active until the new column is filled.
    pub from_becomes: KeyStatus,
    /// The key that takes over.
    pub to: KeyId,
    /// The state in which that key must be.
    pub to_is: KeyStatus,
    /// The state that key moves to now.
    pub to_becomes: KeyStatus,
    /// Rotation or compromise.
    pub kind: RotationKind,
    /// Why, for the record.
    pub reason: String,
}

/// A record of `key_rotation_history`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationRecord {
    /// The record's number.
    pub history_id: i64,
    /// What it records.
    pub kind: RotationKind,
    /// The superseded key; `None` for a rewrap.
    pub from_key_id: Option<KeyId>,
    /// The key that took over; `None` for a rewrap.
    pub to_key_id: Option<KeyId>,
    /// For a rewrap, the previous wrapping keys.
    pub from_kek_ref: Option<String>,
    /// For a rewrap, the new wrapping key.
    pub to_kek_ref: Option<String>,
    /// Why.
    pub reason: String,
    /// When it began: RFC 3339, the server's time, as all times here.
    pub started_at: String,
    /// When it ended; `None` while it is unfinished.
    pub finished_at: Option<String>,
    /// Who began it.
    pub actor: String,
    /// How many rows (for a rewrap: keys) needed work, and what happened to them.
    pub counts: RotationCounts,
    /// Values under each key when it ended, as JSON.
    pub census: Option<String>,
    /// [`COMPLETE`] or [`REMAINDER`]; `None` while it is unfinished.
    pub outcome: Option<String>,
}

/// The result with which a rotation is closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationEnd {
    /// The record's number.
    pub history_id: i64,
    /// Values under each key, as JSON.
    pub census: String,
    /// [`COMPLETE`] or [`REMAINDER`].
    pub outcome: &'static str,
}

/// Nothing is sealed under the old key.
pub const COMPLETE: &str = "complete";
/// Values that do not open are left under the old key; they are listed in quarantine.
pub const REMAINDER: &str = "complete with remainder";

/// What a rotation did, in rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RotationCounts {
    /// Rows that needed work.
    pub rows_found: i64,
    /// Rows re-sealed.
    pub rows_resealed: i64,
    /// Conflicts: rows that had changed, and were processed again.
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
    /// The state before; `None` when the key was made.
    pub from: Option<KeyStatus>,
    /// The state after.
    pub to: KeyStatus,
    /// When: RFC 3339, the server's time.
    pub at: String,
    /// Who did it.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
}

/// A data key wrapped under another wrapping key.
#[derive(Clone)]
pub struct Rewrapped {
    /// The key.
    pub key_id: KeyId,
    /// The wrapping key it was under. If the table now has another one, another process was first.
    pub from_kek_ref: String,
    /// The new wrapping key.
    pub to_kek_ref: String,
    /// The data key wrapped under the new wrapping key.
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
