//! Wrapping keys that the program itself holds: the key line, its reference, and the wrapping of
//! data keys.
//! Owns the wrapped form `0xE8 0x01` and what it is bound to. Reads no file and no environment.
//! Always holds: a wrapped key opens only with the key id, purpose and tenant it was wrapped for.

use std::fmt;

use zeroize::Zeroizing;

use super::{
    aead::{self, TAG_BYTES},
    base64url,
    context::push_length_prefixed,
    data_key::{DataKey, Purpose},
    key_id::KeyId,
    nonce::NONCE_BYTES,
    prf::Prf,
    random::{self, RandomError},
};

/// The beginning of a key line.
const LINE_PREFIX: &[u8] = b"phiseal-wk-1.";

/// The beginning of a wrapped key.
const WRAPPED_PREFIX: [u8; 2] = [0xE8, 0x01];

/// The length of 32 bytes in base64 without padding, in characters.
const ENCODED_CHARS: usize = 43;

/// A wrapping key: 32 bytes that wrap data keys and are never stored in the database.
pub struct WrappingKey(Box<Zeroizing<[u8; 32]>>);

impl WrappingKey {
    /// A new key from the operating system's random generator.
    ///
    /// # Errors
    /// [`RandomError`] if it gives no random bytes.
    pub fn generate() -> Result<Self, RandomError> {
        let mut key = Self(Box::new(Zeroizing::new([0; 32])));
        random::fill(key.0.as_mut_slice())?;
        Ok(key)
    }

    /// Reads a key line: `phiseal-wk-1.`, the key, and at most one newline after it.
    ///
    /// # Errors
    /// [`KeyLineError`] says which part of the line is wrong, but shows nothing of the line.
    pub fn parse_line(line: &[u8]) -> Result<Self, KeyLineError> {
        let rest = line.strip_prefix(LINE_PREFIX).ok_or(KeyLineError::Prefix)?;
        let encoded = match rest.iter().position(|byte| *byte == b'\n') {
            Some(end) if end + 1 == rest.len() => &rest[..end],
            Some(_) => return Err(KeyLineError::Trailing),
            None => rest,
        };
        // The buffer is wiped in every case, and is large enough that it never grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(encoded.len()));
        base64url::decode(encoded, &mut bytes).map_err(|_| KeyLineError::Base64)?;
        if bytes.len() != 32 {
            return Err(KeyLineError::Length(bytes.len()));
        }
        let mut key = Self(Box::new(Zeroizing::new([0; 32])));
        key.0.copy_from_slice(&bytes);
        Ok(key)
    }

    /// Asks the system to keep the key out of swap; `false` if the system refuses.
    pub fn keep_in_memory(&self) -> bool {
        crate::secret::keep_in_memory::<[u8; 32]>(&self.0)
    }

    /// The key line with its newline. It is the whole secret: write it only into a new key file.
    pub fn to_line(&self) -> Zeroizing<String> {
        // The whole length is reserved first: a `String` that grows frees its old buffer unwiped.
        let mut line = Zeroizing::new(String::with_capacity(LINE_PREFIX.len() + ENCODED_CHARS + 1));
        line.extend(LINE_PREFIX.iter().map(|byte| char::from(*byte)));
        base64url::encode(self.0.as_slice(), &mut line);
        line.push('\n');
        line
    }

    /// `wk:` and 16 hex digits: names the key but reveals nothing of it. Stored in
    /// `encryption_keys.kek_ref`.
    pub fn reference(&self) -> String {
        let mut digest = [0; 32];
        Prf::new(&self.0).expand(b"ps1/ref", b"", &mut digest);
        let [a, b, c, d, e, f, g, h, ..] = digest;
        let first = u64::from_be_bytes([a, b, c, d, e, f, g, h]);
        format!("wk:{first:016x}")
    }

    /// Wraps a data key for one key id, purpose and tenant, into 62 bytes.
    ///
    /// # Errors
    /// [`WrapError`] if the operating system gives no random bytes.
    pub fn wrap(
        &self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &str,
        data_key: &DataKey,
    ) -> Result<Vec<u8>, WrapError> {
        let mut nonce = [0u8; NONCE_BYTES];
        random::fill(&mut nonce)?;
        self.wrap_with_nonce(nonce, key_id, purpose, tenant, data_key)
    }

    pub(super) fn wrap_with_nonce(
        &self,
        nonce: [u8; NONCE_BYTES],
        key_id: KeyId,
        purpose: Purpose,
        tenant: &str,
        data_key: &DataKey,
    ) -> Result<Vec<u8>, WrapError> {
        let mut body = Zeroizing::new([0; 32]);
        body.copy_from_slice(data_key.bytes());
        let additional_data = additional_data(key_id, purpose, tenant);
        let tag = aead::encrypt(&self.0, &nonce, &additional_data, body.as_mut_slice())
            .map_err(|aead::CipherRefused| WrapError::Cipher)?;
        Ok([WRAPPED_PREFIX.as_slice(), &nonce, body.as_slice(), &tag].concat())
    }

    /// Unwraps a data key wrapped for this key id, purpose and tenant.
    ///
    /// # Errors
    /// [`UnwrapError::Form`] for bytes that are not a wrapped key of this kind,
    /// [`UnwrapError::Refused`] if they do not open.
    pub fn unwrap(
        &self,
        key_id: KeyId,
        purpose: Purpose,
        tenant: &str,
        wrapped: &[u8],
    ) -> Result<DataKey, UnwrapError> {
        let rest = wrapped
            .strip_prefix(&WRAPPED_PREFIX)
            .ok_or(UnwrapError::Form)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(UnwrapError::Form)?;
        let (body, tag) = rest
            .split_last_chunk::<TAG_BYTES>()
            .ok_or(UnwrapError::Form)?;
        if body.len() != 32 {
            return Err(UnwrapError::Form);
        }
        let additional_data = additional_data(key_id, purpose, tenant);
        DataKey::filled(|key| aead::decrypt(&self.0, nonce, &additional_data, body, tag, key))
            .map_err(|aead::CipherRefused| UnwrapError::Refused)
    }
}

impl fmt::Debug for WrappingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrappingKey(..)")
    }
}

/// `LP("ps1/wrap") ‖ key id ‖ LP(purpose) ‖ LP(tenant) ‖ LP("AES-256-GCM")`.
fn additional_data(key_id: KeyId, purpose: Purpose, tenant: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64 + tenant.len());
    push_length_prefixed(&mut bytes, b"ps1/wrap");
    bytes.extend_from_slice(&key_id.to_be_bytes());
    push_length_prefixed(&mut bytes, purpose.as_str().as_bytes());
    push_length_prefixed(&mut bytes, tenant.as_bytes());
    push_length_prefixed(&mut bytes, b"AES-256-GCM");
    bytes
}

/// A text that is not a key line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyLineError {
    /// It does not begin with `phiseal-wk-1.`.
    #[error("not a key line: it does not begin with phiseal-wk-1.")]
    Prefix,
    /// The line has more than one newline, or text after it.
    #[error("key line followed by something else")]
    Trailing,
    /// The key is not URL-safe base64 without padding.
    #[error("key line is not URL-safe base64 without padding")]
    Base64,
    /// The key is not 32 bytes long.
    #[error("key line holds {0} bytes, not 32")]
    Length(usize),
}

/// A data key that could not be wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WrapError {
    /// No random bytes for the nonce.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The cipher refused.
    #[error("the data key could not be wrapped")]
    Cipher,
}

/// A wrapped key that gave no data key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnwrapError {
    /// The length or the prefix is wrong: another provider wrapped the key, or it is damaged.
    #[error("not a data key wrapped by a wrapping key of this program")]
    Form,
    /// The wrapping key, key id, purpose or tenant is another one, or the wrapped key is damaged.
    #[error("wrapped data key does not open")]
    Refused,
}
