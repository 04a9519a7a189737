//! Column keys: seal and open the values of one column of one tenant under one data key.
//! Owns the cell key, the additional data and the padding. Does not choose nonces, keys or rows.
//! Always holds: a cell's AES key seals only the successive values of that cell. The limit of 2^32
//! random nonces for a key (SP 800-38D section 8.3) is therefore out of reach, whoever else writes
//! and whatever backup is restored.

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

use super::{
    aead,
    context::Context,
    data_key::DataKey,
    envelope::{self, Envelope, Suite},
    key_id::KeyId,
    nonce::Nonce,
    prf::Prf,
    row_key::RowKey,
};

/// Additional data of up to this many bytes is built on the stack; most contexts and row keys fit.
const INLINE_BYTES: usize = 256;

/// The key of one column, one tenant and one data key, with its additional data prepared.
pub struct ColumnKey {
    key_id: KeyId,
    cells: Prf,
    /// `envelope[0..6] ‖ context`, for the plain suite and for the padded one.
    prefixes: [Box<[u8]>; 2],
}

impl ColumnKey {
    /// Derives `K_col` from a data key with the id `key_id`.
    pub fn derive(key_id: KeyId, data_key: &DataKey, context: &Context) -> Self {
        Self {
            key_id,
            cells: data_key.derive(b"ps1/col", context.as_bytes()),
            prefixes: [Suite::Plain, Suite::Padded].map(|suite| {
                [&envelope::header(key_id, suite), context.as_bytes()]
                    .concat()
                    .into()
            }),
        }
    }

    /// The id of the data key. This key seals under that id and opens no other.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// Seals a value and appends its envelope to `out`. A `pad_to` of 0 adds no padding.
    ///
    /// Copies the plaintext once, into `out`, and encrypts it there.
    ///
    /// # Errors
    /// [`SealError`] for a value over AES-GCM's limit of 64 GiB; `out` is then unchanged.
    pub fn seal(
        &self,
        row_key: &RowKey,
        nonce: Nonce,
        plaintext: &[u8],
        pad_to: u32,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        let suite = Suite::of(pad_to);
        let start = out.len();
        // The whole length is reserved first: a buffer that grows later leaves unwiped plaintext
        // behind.
        out.reserve(envelope::sealed_len(plaintext.len(), pad_to));
        out.extend_from_slice(&envelope::header(self.key_id, suite));
        out.extend_from_slice(&nonce.0);
        let body = out.len();
        out.extend_from_slice(plaintext);
        if suite == Suite::Padded {
            out.push(0x80);
            out.resize(body + envelope::padded_len(plaintext.len(), pad_to), 0);
        }
        let mut key = Zeroizing::new([0; 32]);
        self.cell_key(row_key, &mut key);
        let tag = self.with_additional_data(suite, row_key, |additional_data| {
            aead::encrypt(&key, &nonce.0, additional_data, &mut out[body..])
        });
        match tag {
            Ok(tag) => {
                out.extend_from_slice(&tag);
                Ok(())
            }
            Err(aead::CipherRefused) => {
                out[body..].zeroize();
                out.truncate(start);
                Err(SealError)
            }
        }
    }

    /// Opens a value.
    ///
    /// # Errors
    /// [`OpenError`] if the value was sealed under another key or for another column or row, or was
    /// changed.
    pub fn open(
        &self,
        row_key: &RowKey,
        envelope: &Envelope<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let mut plaintext = Zeroizing::new(Vec::new());
        self.open_into(row_key, envelope, &mut plaintext)?;
        Ok(plaintext)
    }

    /// Opens a value into a buffer that the caller reuses; its old content is cleared.
    ///
    /// # Errors
    /// [`OpenError`] as for [`open`](Self::open); `out` is then empty.
    pub fn open_into(
        &self,
        row_key: &RowKey,
        envelope: &Envelope<'_>,
        out: &mut Zeroizing<Vec<u8>>,
    ) -> Result<(), OpenError> {
        out.clear();
        // The additional data holds this key's own id, so an envelope that names another key is
        // refused here.
        if envelope.key_id() != self.key_id {
            return Err(OpenError);
        }
        if out.capacity() < envelope.ciphertext().len() {
            // Replaced, because a `Vec` that grows frees its old buffer unwiped.
            *out = Zeroizing::new(Vec::with_capacity(envelope.ciphertext().len()));
        }
        out.resize(envelope.ciphertext().len(), 0);
        let mut key = Zeroizing::new([0; 32]);
        self.cell_key(row_key, &mut key);
        let opened = self.with_additional_data(envelope.suite(), row_key, |additional_data| {
            aead::decrypt(
                &key,
                envelope.nonce(),
                additional_data,
                envelope.ciphertext(),
                envelope.tag(),
                out,
            )
        });
        let length = match (opened, envelope.suite()) {
            (Ok(()), Suite::Plain) => Some(out.len()),
            (Ok(()), Suite::Padded) => unpadded_len(out),
            (Err(aead::CipherRefused), _) => None,
        };
        out.truncate(length.unwrap_or(0));
        length.map(|_| ()).ok_or(OpenError)
    }

    /// `K_cell = Expand(K_col, "ps1/cell", row key)`.
    pub(super) fn cell_key(&self, row_key: &RowKey, key: &mut [u8; 32]) {
        self.cells.expand(b"ps1/cell", row_key.as_bytes(), key);
    }

    /// Calls `cipher` with `envelope[0..6] ‖ context ‖ row key`, built on the stack if it fits.
    fn with_additional_data<T>(
        &self,
        suite: Suite,
        row_key: &RowKey,
        cipher: impl FnOnce(&[u8]) -> T,
    ) -> T {
        let [plain, padded] = &self.prefixes;
        let prefix = match suite {
            Suite::Plain => plain,
            Suite::Padded => padded,
        };
        let row_key = row_key.as_bytes();
        let length = prefix.len() + row_key.len();
        if length > INLINE_BYTES {
            return cipher(&[prefix, row_key].concat());
        }
        let mut inline = [0u8; INLINE_BYTES];
        inline[..prefix.len()].copy_from_slice(prefix);
        inline[prefix.len()..length].copy_from_slice(row_key);
        cipher(&inline[..length])
    }
}

impl fmt::Debug for ColumnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ColumnKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

/// The length without the padding: the position of the last `0x80`, if only zeros follow it.
fn unpadded_len(padded: &[u8]) -> Option<usize> {
    let last = padded.iter().rposition(|byte| *byte != 0)?;
    (padded[last] == 0x80).then_some(last)
}

/// A value too long to seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("value too long to seal")]
pub struct SealError;

/// A value that does not open. The cipher cannot tell which part is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("value does not open")]
pub struct OpenError;
