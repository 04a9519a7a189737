//! The text form of an envelope: `ps1.` and URL-safe base64 without padding (RFC 4648 section 5).
//! Owns the strict parsing of it. [`Envelope::parse`] reads the decoded bytes.
//! Always holds: a text that decodes is exactly the encoding of its bytes.
//!
//! [`Envelope::parse`]: super::Envelope::parse

use super::{
    base64url::{self, NotBase64},
    envelope::{self, Suite},
    key_id::KeyId,
};

/// How every sealed text begins.
pub const PREFIX: &str = "ps1.";

/// The text form of an envelope.
pub fn encode(envelope: &[u8]) -> String {
    let mut text = String::with_capacity(encoded_len(envelope.len()));
    text.push_str(PREFIX);
    base64url::encode(envelope, &mut text);
    text
}

/// The bytes of a text form.
///
/// # Errors
/// [`TextError`] for another prefix, a character outside the alphabet, an impossible length, or
/// unused bits that are not zero.
pub fn decode(text: &str) -> Result<Vec<u8>, TextError> {
    let body = text.strip_prefix(PREFIX).ok_or(TextError::Prefix)?;
    let mut bytes = Vec::with_capacity(body.len());
    base64url::decode(body.as_bytes(), &mut bytes).map_err(|error| match error {
        NotBase64::Length => TextError::Length,
        NotBase64::UnusedBits => TextError::UnusedBits,
        NotBase64::Alphabet => TextError::Alphabet,
    })?;
    Ok(bytes)
}

/// The first 12 characters of every sealed text of this suite under this key.
///
/// Compare them byte for byte: the texts of key 7 and key 33 differ only in the case of a letter.
pub fn prefix(key_id: KeyId, suite: Suite) -> String {
    encode(&envelope::header(key_id, suite))
}

/// The key that the first characters of a sealed text name. Ignores the characters after them.
pub fn named_key(text: &str) -> Option<KeyId> {
    // Six bytes are exactly eight characters.
    let first = text.get(..PREFIX.len() + 8)?;
    envelope::named_key(&decode(first).ok()?)
}

/// The length in characters of the text form of a plaintext of `plaintext_bytes`.
pub const fn sealed_len(plaintext_bytes: usize, pad_to: u32) -> usize {
    encoded_len(envelope::sealed_len(plaintext_bytes, pad_to))
}

const fn encoded_len(bytes: usize) -> usize {
    PREFIX.len().saturating_add(base64url::encoded_len(bytes))
}

/// A text that is not the text form of any bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// It does not begin with `ps1.`.
    #[error("not a sealed text")]
    Prefix,
    /// A character outside the URL-safe alphabet, padding and white space included.
    #[error("sealed text with a character outside the alphabet")]
    Alphabet,
    /// A length that base64 cannot have.
    #[error("sealed text of an impossible length")]
    Length,
    /// Bits beyond the last byte that are not zero.
    #[error("sealed text with unused bits set")]
    UnusedBits,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_departure_from_the_strict_form_is_refused() {
        assert_eq!(decode("ps1.5wE"), Ok(vec![0xe7, 0x01]));
        for (text, error) in [
            ("", TextError::Prefix),
            ("ps1", TextError::Prefix),
            ("PS1.5wE", TextError::Prefix),
            (" ps1.5wE", TextError::Prefix),
            ("ps2.5wE", TextError::Prefix),
            ("ps1.5wE=", TextError::Alphabet),
            ("ps1.5w\n", TextError::Alphabet),
            ("ps1.5w E", TextError::Alphabet),
            ("ps1.5/E", TextError::Alphabet),
            ("ps1.5+E", TextError::Alphabet),
            ("ps1.5éE", TextError::Alphabet),
            ("ps1.5", TextError::Length),
            ("ps1.5wEAA", TextError::Length),
            ("ps1.5wF", TextError::UnusedBits),
            ("ps1.5x", TextError::UnusedBits),
        ] {
            assert_eq!(decode(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn keys_that_differ_only_in_letter_case_have_different_prefixes() {
        let prefix = |id| prefix(KeyId::new(id).unwrap(), Suite::Plain);
        assert_eq!(prefix(7), "ps1.5wEAAAAH");
        assert_eq!(prefix(33), "ps1.5wEAAAAh");
    }
}
