//! Data keys: 32 secret bytes from which every key of a column, cell, tag and audit entry is derived.
//! Always holds: they cannot be printed, cloned or serialized, live on the heap and are wiped on drop.

use std::fmt;

use subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{
    mac::{MacKey, Tagger},
    prf::Prf,
    random::{self, RandomError},
};
use crate::words::word_enum;

/// A data key, or a blind index key: 32 bytes, stored only wrapped.
pub struct DataKey(Box<Zeroizing<[u8; 32]>>);

impl DataKey {
    /// A new key from the operating system's random generator.
    ///
    /// # Errors
    /// [`RandomError`] if it gives no random bytes.
    pub fn generate() -> Result<Self, RandomError> {
        let mut key = Self::zeros();
        random::fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// A key to be filled in its place, on the heap: bytes that are moved there stay behind.
    pub(super) fn filled<E>(fill: impl FnOnce(&mut [u8; 32]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Self::zeros();
        fill(&mut key.0)?;
        Ok(key)
    }

    fn zeros() -> Self {
        Self(Box::new(Zeroizing::new([0; 32])))
    }

    /// The key with these bytes.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        // Copied, not moved: a moved array would stay behind on the stack unwiped.
        let mut key = Self::zeros();
        key.0.copy_from_slice(bytes.as_slice());
        key
    }

    /// The check value stored beside the wrapped key, 32 bytes. It tells nothing of the key.
    pub fn check_value(&self) -> [u8; 32] {
        // It is stored in the clear: no secret.
        let mut check = [0; 32];
        Prf::new(self.bytes()).expand(b"ps1/check", b"", &mut check);
        check
    }

    /// Whether `stored` is this key's check value, in constant time.
    pub fn matches_check(&self, stored: &[u8]) -> bool {
        self.check_value().as_slice().ct_eq(stored).into()
    }

    /// The key of row tags: names of rows for logs and reports, which say nothing of the primary key.
    pub fn tagger(&self) -> Tagger {
        Tagger::new(self.derive(b"ps1/tag", b""))
    }

    /// The key that chains audit entries.
    pub fn audit_mac_key(&self) -> MacKey {
        MacKey::new(self.derive(b"ps1/audit", b""))
    }

    /// Asks the system to keep the key out of swap; `false` where it would not.
    pub fn keep_in_memory(&self) -> bool {
        crate::secret::keep_in_memory(self.bytes())
    }

    /// The PRF under `Expand(data key, label, info)`.
    pub(super) fn derive(&self, label: &[u8], info: &[u8]) -> Prf {
        let mut key = Zeroizing::new([0; 32]);
        Prf::new(self.bytes()).expand(label, info, &mut key);
        Prf::new(&key)
    }

    /// The bytes, for wrapping alone.
    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl ConstantTimeEq for DataKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.bytes().ct_eq(other.bytes())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(..)")
    }
}

word_enum! {
    /// What a data key is for: stored in `encryption_keys.purpose`, and bound into a wrapped key.
    #[derive(PartialOrd, Ord)]
    Purpose else UnknownPurpose {
        /// Seals cells.
        Cell = "cell",
        /// Makes blind indexes, and never seals.
        BlindIndex = "blind_index",
    }
}

/// A text that names no purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key purpose: expected cell or blind_index")]
pub struct UnknownPurpose;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_data_key_shows_nothing_of_it() {
        let key = DataKey::from_bytes(Zeroizing::new([0xab; 32]));
        assert_eq!(format!("{key:?}"), "DataKey(..)");
    }

    #[test]
    fn a_check_value_that_is_wrong_or_of_another_length_is_refused() {
        let key = DataKey::generate().unwrap();
        let check = key.check_value();
        assert!(key.matches_check(&check));
        assert!(!key.matches_check(&check[..31]));
        assert!(!key.matches_check(&[]));
        assert!(!DataKey::generate().unwrap().matches_check(&check));
    }

    #[test]
    fn generated_keys_differ() {
        let (one, two) = (DataKey::generate().unwrap(), DataKey::generate().unwrap());
        assert_ne!(one.bytes(), two.bytes());
        assert_ne!(one.bytes(), &[0; 32]);
    }

    #[test]
    fn purposes_read_back_and_others_are_refused() {
        for purpose in [Purpose::Cell, Purpose::BlindIndex] {
            assert_eq!(purpose.to_string().parse(), Ok(purpose));
        }
        assert_eq!("Cell".parse::<Purpose>(), Err(UnknownPurpose));
        assert_eq!("".parse::<Purpose>(), Err(UnknownPurpose));
    }
}
