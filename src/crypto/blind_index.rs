//! Blind indexes: keyed digests of normalised values, to search for equal values without opening
//! any.
//! Owns the derivation and the truncation to `bits`. Does not decide which columns may have one.
//! An index shows which rows have equal values, and how often.

use std::fmt;

use super::{context::Context, data_key::DataKey, key_id::KeyId, normalise::Normaliser, prf::Prf};

/// The least bits of a unique index: with fewer, two different values could have the same index.
pub const UNIQUE_BITS_MIN: u16 = 128;

/// How a column is indexed: its normaliser, and how many bits of the digest are kept. It does not
/// change within a key version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct IndexSpec {
    normaliser: Normaliser,
    bits: u16,
}

impl IndexSpec {
    /// A specification with `bits` from 8 to 256.
    ///
    /// # Errors
    /// [`IndexSpecError`] for other numbers of bits.
    pub const fn new(normaliser: Normaliser, bits: u16) -> Result<Self, IndexSpecError> {
        match bits {
            8..=256 => Ok(Self { normaliser, bits }),
            _ => Err(IndexSpecError),
        }
    }

    /// The normaliser.
    pub const fn normaliser(self) -> Normaliser {
        self.normaliser
    }

    /// How many bits of the digest are kept.
    pub const fn bits(self) -> u16 {
        self.bits
    }

    /// The length of an index value, in bytes.
    pub const fn len_bytes(self) -> usize {
        self.bits.div_ceil(8) as usize
    }
}

/// A number of bits outside 8 to 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a blind index keeps 8 to 256 bits")]
pub struct IndexSpecError;

/// The blind index key of one column and one tenant.
pub struct BlindIndexKey {
    key_id: KeyId,
    prf: Prf,
}

impl BlindIndexKey {
    /// Derives `K_bidx`; the key's purpose is [`Purpose::BlindIndex`](super::Purpose::BlindIndex).
    pub fn derive(key_id: KeyId, blind_index_key: &DataKey, context: &Context) -> Self {
        Self {
            key_id,
            prf: blind_index_key.derive(b"ps1/bidx", context.as_bytes()),
        }
    }

    /// The id of the data key that this key was derived from.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The index of a value. `None`, to store as NULL, if the value normalises to an empty text.
    pub fn index(&self, spec: IndexSpec, value: &str) -> Option<Vec<u8>> {
        let normalised = spec.normaliser.normalise(value);
        if normalised.is_empty() {
            return None;
        }
        let mut index = self.prf.mac(&[normalised.as_bytes()])[..spec.len_bytes()].to_vec();
        let unused_bits = (8 - spec.bits % 8) % 8;
        if let Some(last) = index.last_mut() {
            *last &= 0xff << unused_bits;
        }
        Some(index)
    }
}

impl fmt::Debug for BlindIndexKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlindIndexKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> BlindIndexKey {
        let data_key = DataKey::from_bytes(zeroize::Zeroizing::new([3; 32]));
        BlindIndexKey::derive(
            KeyId::new(9).unwrap(),
            &data_key,
            &Context::new("", "t", "c"),
        )
    }

    #[test]
    fn bits_outside_8_to_256_are_refused() {
        for bits in [0, 7, 257, u16::MAX] {
            assert_eq!(
                IndexSpec::new(Normaliser::Exact, bits),
                Err(IndexSpecError),
                "{bits}"
            );
        }
        assert_eq!(IndexSpec::new(Normaliser::Exact, 9).unwrap().len_bytes(), 2);
    }

    #[test]
    fn every_width_is_the_start_of_the_full_index_with_unused_bits_zero() {
        let full = key()
            .index(IndexSpec::new(Normaliser::Exact, 256).unwrap(), "x")
            .unwrap();
        for bits in 8..=256u16 {
            let index = key()
                .index(IndexSpec::new(Normaliser::Exact, bits).unwrap(), "x")
                .unwrap();
            let bit = |bytes: &[u8], n: usize| bytes[n / 8] >> (7 - n % 8) & 1;
            for n in 0..index.len() * 8 {
                let expected = if n < usize::from(bits) {
                    bit(&full, n)
                } else {
                    0
                };
                assert_eq!(bit(&index, n), expected, "bit {n} of {bits}");
            }
        }
    }

    #[test]
    fn a_value_that_normalises_to_nothing_has_no_index() {
        for (normaliser, value) in [
            (Normaliser::Exact, ""),
            (Normaliser::Trim, " \u{2003}\n"),
            (Normaliser::Caseless, "\t"),
            (Normaliser::Alnum, "--- / ---"),
            (Normaliser::Digits, "unknown"),
        ] {
            assert_eq!(
                key().index(IndexSpec::new(normaliser, 64).unwrap(), value),
                None,
                "{normaliser}"
            );
        }
    }
}
