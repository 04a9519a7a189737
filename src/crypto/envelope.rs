//! The envelope: magic, suite, key id, nonce, ciphertext, tag.
//! Owns the layout and its strict parsing. Opens nothing and knows no keys.
//! Always holds: bytes that are not exactly an envelope of format 1 are refused.

use super::{aead::TAG_BYTES, key_id::KeyId, nonce::NONCE_BYTES};

/// The first byte. No text looks like an envelope, since `0xE7 0x01` and `0xE7 0x02` are not valid
/// UTF-8.
pub const MAGIC: u8 = 0xE7;

/// The length of magic, suite and key id, in bytes. They name the key.
pub const HEADER_BYTES: usize = 6;

/// How many bytes an envelope adds to its ciphertext. Also the length of the shortest envelope.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + NONCE_BYTES + TAG_BYTES;

/// Whether an envelope shows the length of its plaintext.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Suite {
    /// `0x01`: the ciphertext is as long as the plaintext.
    Plain,
    /// `0x02`: `0x80` and zeros follow the plaintext, up to a multiple of the column's `pad_to`.
    Padded,
}

impl Suite {
    /// The suite of a column with this `pad_to`: plain at 0, else padded.
    pub const fn of(pad_to: u32) -> Self {
        match pad_to {
            0 => Self::Plain,
            _ => Self::Padded,
        }
    }

    /// The suite's byte.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Plain => 0x01,
            Self::Padded => 0x02,
        }
    }
}

/// The first six bytes of every envelope of this suite under this key. A census compares them.
pub const fn header(key_id: KeyId, suite: Suite) -> [u8; HEADER_BYTES] {
    let [a, b, c, d] = key_id.to_be_bytes();
    [MAGIC, suite.byte(), a, b, c, d]
}

/// The key that the first bytes of an envelope name; `None` if they are no header. Ignores the
/// bytes after the header.
pub fn named_key(bytes: &[u8]) -> Option<KeyId> {
    let first: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
    let id = u32::from_be_bytes([first[2], first[3], first[4], first[5]]);
    let key_id = KeyId::new(i64::from(id))?;
    [Suite::Plain, Suite::Padded]
        .into_iter()
        .any(|suite| header(key_id, suite) == *first)
        .then_some(key_id)
}

/// The length in bytes of the envelope of a plaintext of `plaintext_bytes` in a column with
/// `pad_to`.
pub const fn sealed_len(plaintext_bytes: usize, pad_to: u32) -> usize {
    padded_len(plaintext_bytes, pad_to).saturating_add(OVERHEAD_BYTES)
}

/// The length of the ciphertext. Saturates far above any length that can be sealed.
pub(super) const fn padded_len(plaintext_bytes: usize, pad_to: u32) -> usize {
    match pad_to as usize {
        0 => plaintext_bytes,
        bucket => (plaintext_bytes / bucket)
            .saturating_add(1)
            .saturating_mul(bucket),
    }
}

/// An envelope, parsed in place. Only its key can tell whether it opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope<'a> {
    key_id: KeyId,
    suite: Suite,
    nonce: &'a [u8; NONCE_BYTES],
    ciphertext: &'a [u8],
    tag: &'a [u8; TAG_BYTES],
}

impl<'a> Envelope<'a> {
    /// Reads an envelope.
    ///
    /// # Errors
    /// [`EnvelopeError`] for bytes that are not exactly an envelope of format 1.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, EnvelopeError> {
        let ([magic, suite, a, b, c, d], rest) =
            bytes.split_first_chunk().ok_or(EnvelopeError::TooShort)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(EnvelopeError::TooShort)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(EnvelopeError::TooShort)?;
        if *magic != MAGIC {
            return Err(EnvelopeError::Magic);
        }
        let suite = match suite {
            0x01 => Suite::Plain,
            0x02 => Suite::Padded,
            unknown => return Err(EnvelopeError::Suite(*unknown)),
        };
        let key_id = u32::from_be_bytes([*a, *b, *c, *d]);
        let key_id = KeyId::new(i64::from(key_id)).ok_or(EnvelopeError::KeyId)?;
        if suite == Suite::Padded && ciphertext.is_empty() {
            return Err(EnvelopeError::PaddedEmpty);
        }
        Ok(Self {
            key_id,
            suite,
            nonce,
            ciphertext,
            tag,
        })
    }

    /// The id of the data key that the envelope names.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The suite.
    pub const fn suite(&self) -> Suite {
        self.suite
    }

    /// The nonce.
    pub const fn nonce(&self) -> &'a [u8; 12] {
        self.nonce
    }

    /// The ciphertext: as long as the plaintext, or padded under [`Suite::Padded`].
    pub const fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }

    /// The GCM tag.
    pub const fn tag(&self) -> &'a [u8; 16] {
        self.tag
    }
}

/// Bytes that are not an envelope of format 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Less than 34 bytes.
    #[error("shorter than an envelope")]
    TooShort,
    /// The first byte is not [`MAGIC`].
    #[error("not an envelope")]
    Magic,
    /// An unknown suite, perhaps of a later program.
    #[error("unknown envelope suite {0:#04x}")]
    Suite(u8),
    /// The key id is zero, or above 2^31-1.
    #[error("key id out of range")]
    KeyId,
    /// Suite `0x02` with an empty ciphertext, which leaves no room for the padding.
    #[error("padded envelope without padding")]
    PaddedEmpty,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(magic: u8, suite: u8, key_id: u32, ciphertext_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![magic, suite];
        bytes.extend_from_slice(&key_id.to_be_bytes());
        bytes.resize(OVERHEAD_BYTES + ciphertext_bytes, 0x55);
        bytes
    }

    #[test]
    fn every_length_under_34_bytes_is_refused() {
        let whole = envelope(0xE7, 1, 7, 0);
        assert!(Envelope::parse(&whole).is_ok());
        for length in 0..OVERHEAD_BYTES {
            assert_eq!(
                Envelope::parse(&whole[..length]),
                Err(EnvelopeError::TooShort),
                "{length}"
            );
        }
    }

    #[test]
    fn other_magic_unknown_suite_and_bad_key_ids_are_refused() {
        assert_eq!(
            Envelope::parse(&envelope(0xE8, 1, 7, 3)),
            Err(EnvelopeError::Magic)
        );
        for suite in [0u8, 3, 0x81, 0xff] {
            let bytes = envelope(0xE7, suite, 7, 3);
            assert_eq!(Envelope::parse(&bytes), Err(EnvelopeError::Suite(suite)));
        }
        for key_id in [0, 1 << 31, u32::MAX] {
            let bytes = envelope(0xE7, 1, key_id, 3);
            assert_eq!(
                Envelope::parse(&bytes),
                Err(EnvelopeError::KeyId),
                "{key_id}"
            );
        }
    }

    #[test]
    fn a_padded_envelope_without_ciphertext_is_refused() {
        assert_eq!(
            Envelope::parse(&envelope(0xE7, 2, 7, 0)),
            Err(EnvelopeError::PaddedEmpty)
        );
        assert!(Envelope::parse(&envelope(0xE7, 2, 7, 1)).is_ok());
    }

    #[test]
    fn neither_header_is_valid_utf_8() {
        let key_id = KeyId::new(1).unwrap();
        for suite in [Suite::Plain, Suite::Padded] {
            assert!(std::str::from_utf8(&header(key_id, suite)[..2]).is_err());
        }
    }

    #[test]
    fn padding_always_adds_at_least_one_byte_and_reaches_a_multiple() {
        assert_eq!(padded_len(11, 0), 11);
        assert_eq!(padded_len(0, 32), 32);
        assert_eq!(padded_len(31, 32), 32);
        assert_eq!(padded_len(32, 32), 64);
        assert_eq!(padded_len(5, 1), 6);
        assert_eq!(sealed_len(usize::MAX, u32::MAX), usize::MAX);
    }
}
