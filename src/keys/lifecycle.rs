//! The states of a key and the moves between them, after NIST SP 800-57 Part 1 rev. 5, section 7.
//! Owns what a state permits. Knows nothing of key material or of the table that stores the state.
//! Only an active key seals; a destroyed key is the end of the line.

use crate::words::word_enum;

word_enum! {
    /// The state of a key, as `encryption_keys.status` spells it.
    #[derive(PartialOrd, Ord)]
    KeyStatus else UnknownKeyStatus {
        /// Stored, but never used: neither seals nor opens.
        PreActive = "pre_active",
        /// Seals and opens.
        Active = "active",
        /// Set aside while something is looked into: opens, does not seal, may come back.
        Suspended = "suspended",
        /// Replaced by a newer version: opens, never seals again.
        Deactivated = "deactivated",
        /// Known or feared to be in other hands: opens, so that its values can be re-sealed.
        Compromised = "compromised",
        /// The wrapped key is wiped: nothing sealed under it opens again.
        Destroyed = "destroyed",
    }
}

/// A text that names no [`KeyStatus`]. Does not carry the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown key status")]
pub struct UnknownKeyStatus;

impl KeyStatus {
    /// Whether a new value may be sealed under a key in this state.
    #[must_use]
    pub const fn may_seal(self) -> bool {
        match self {
            Self::Active => true,
            Self::PreActive
            | Self::Suspended
            | Self::Deactivated
            | Self::Compromised
            | Self::Destroyed => false,
        }
    }

    /// Whether a value sealed earlier may be opened under a key in this state.
    ///
    /// A suspended key may process what was protected before the suspension (section 7.3): the
    /// guard refuses its id from the moment of the suspension, so nothing later carries it.
    #[must_use]
    pub const fn may_open(self) -> bool {
        match self {
            Self::Active | Self::Suspended | Self::Deactivated | Self::Compromised => true,
            Self::PreActive | Self::Destroyed => false,
        }
    }

    /// The states a key may move to from this one.
    ///
    /// Stricter than SP 800-57 in one point: a key that ever sealed is destroyed only from
    /// deactivated or compromised, since destruction waits for a census of zero and a key that
    /// still could seal would overtake the count.
    #[must_use]
    pub const fn next(self) -> &'static [Self] {
        match self {
            Self::PreActive => &[Self::Active, Self::Compromised, Self::Destroyed],
            Self::Active => &[Self::Suspended, Self::Deactivated, Self::Compromised],
            Self::Suspended => &[Self::Active, Self::Deactivated, Self::Compromised],
            Self::Deactivated => &[Self::Compromised, Self::Destroyed],
            Self::Compromised => &[Self::Destroyed],
            Self::Destroyed => &[],
        }
    }

    /// Whether the move from this state to `to` is legal. Staying is not a move.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        self.next().contains(&to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_active_key_seals() {
        let sealing: Vec<_> = KeyStatus::ALL
            .into_iter()
            .filter(|s| s.may_seal())
            .collect();
        assert_eq!(sealing, [KeyStatus::Active]);
    }

    #[test]
    fn a_key_that_never_sealed_and_a_destroyed_key_do_not_open() {
        let shut: Vec<_> = KeyStatus::ALL
            .into_iter()
            .filter(|s| !s.may_open())
            .collect();
        assert_eq!(shut, [KeyStatus::PreActive, KeyStatus::Destroyed]);
    }

    #[test]
    fn every_name_reads_back_and_no_other_does() {
        for status in KeyStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        for text in ["", "Active", "preactive", "active ", "revoked"] {
            assert_eq!(text.parse::<KeyStatus>(), Err(UnknownKeyStatus));
        }
    }

    #[test]
    fn a_destroyed_key_never_comes_back_and_no_key_becomes_pre_active() {
        for status in KeyStatus::ALL {
            assert!(!KeyStatus::Destroyed.may_become(status));
            assert!(!status.may_become(KeyStatus::PreActive));
            assert!(!status.may_become(status));
        }
    }

    #[test]
    fn a_key_that_may_seal_again_is_not_destroyed_directly() {
        assert!(!KeyStatus::Active.may_become(KeyStatus::Destroyed));
        assert!(!KeyStatus::Suspended.may_become(KeyStatus::Destroyed));
        assert!(KeyStatus::Deactivated.may_become(KeyStatus::Destroyed));
    }

    #[test]
    fn a_deactivated_or_compromised_key_never_seals_again() {
        for status in [KeyStatus::Deactivated, KeyStatus::Compromised] {
            assert!(!status.may_become(KeyStatus::Active));
            assert!(!status.may_become(KeyStatus::Suspended));
        }
    }
}
