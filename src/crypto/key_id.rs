//! Key ids: the four bytes with which an envelope names its data key.
//! Always holds: an id is 1 to 2^31-1, and so also a positive PostgreSQL `integer`.

use std::fmt;

use super::random::{self, RandomError};

/// The id of a data key: the primary key of `encryption_keys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u32);

impl KeyId {
    /// The largest id, 2^31-1.
    pub const MAX: u32 = i32::MAX as u32;

    /// The id, or `None` if it is not within 1 to 2^31-1.
    pub fn new(id: i64) -> Option<Self> {
        let id = u32::try_from(id).ok()?;
        (1..=Self::MAX).contains(&id).then_some(Self(id))
    }

    /// A random id. The caller tries again if the id is taken.
    ///
    /// Not a sequence: after a restore, a sequence gives the same number again, and two keys would
    /// share it.
    ///
    /// # Errors
    /// [`RandomError`] if the operating system gives no random bytes.
    pub fn random() -> Result<Self, RandomError> {
        loop {
            let mut bytes = [0u8; 4];
            random::fill(&mut bytes)?;
            if let Some(id) = Self::new(i64::from(u32::from_be_bytes(bytes) & Self::MAX)) {
                return Ok(id);
            }
        }
    }

    /// The id as a number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The id as PostgreSQL's `integer`.
    pub const fn as_i32(self) -> i32 {
        // Never wraps: no id is above `i32::MAX`.
        self.0 as i32
    }

    pub(super) const fn to_be_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_outside_1_to_2_pow_31_less_1_are_refused() {
        for refused in [i64::MIN, -1, 0, 1 << 31, (1 << 32) + 1, i64::MAX] {
            assert_eq!(KeyId::new(refused), None, "{refused}");
        }
        assert_eq!(KeyId::new(1).map(KeyId::get), Some(1));
        assert_eq!(KeyId::new(2_147_483_647).map(KeyId::as_i32), Some(i32::MAX));
    }

    #[test]
    fn random_ids_are_in_range_and_differ() {
        let ids: std::collections::HashSet<_> = (0..64).map(|_| KeyId::random().unwrap()).collect();
        assert!(ids.len() > 60);
        assert!(ids.iter().all(|id| id.as_i32() > 0));
    }
}
