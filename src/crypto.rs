//! The sealed value, format 1: keys, envelopes, blind indexes and wrapping, as docs/FORMAT.md fixes them.
//! Owns every byte that outlives the program. Knows no database, no file and no async runtime; its only
//! I/O is the operating system's random generator.
//! Always holds: one AES key seals one cell only; a value that was moved, or whose key id was changed,
//! does not open; no error, `Debug` or `Display` here shows a key, a plaintext or a row key.
//!
//! ```
//! use phiseal::crypto::{ColumnKey, Context, DataKey, Envelope, KeyId, KeyPart, NonceBatch, RowKey};
//!
//! let (key_id, data_key) = (KeyId::random()?, DataKey::generate()?);
//! let context = Context::new("clinic-1", "public.patients", "ssn");
//! let column_key = ColumnKey::derive(key_id, &data_key, &context);
//! let row_key = RowKey::encode(&[KeyPart::Int(42)])?;
//!
//! let mut sealed = Vec::new();
//! let nonce = NonceBatch::draw(1)?.next().ok_or("empty batch")?;
//! column_key.seal(&row_key, nonce, b"123-45-6789", 0, &mut sealed)?;
//!
//! let opened = column_key.open(&row_key, &Envelope::parse(&sealed)?)?;
//! assert_eq!(opened.as_slice(), b"123-45-6789");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aead;
mod base64url;
mod blind_index;
mod column_key;
mod context;
mod data_key;
pub mod envelope;
mod key_id;
mod key_part;
mod mac;
mod nonce;
mod normalise;
pub mod plaintext;
mod prf;
mod random;
mod row_key;
pub mod text;
mod wrapping;

pub use blind_index::{BlindIndexKey, IndexSpec, IndexSpecError, UNIQUE_BITS_MIN};
pub use column_key::{ColumnKey, OpenError, SealError};
pub use context::Context;
pub use data_key::{DataKey, Purpose, UnknownPurpose};
pub use envelope::{Envelope, EnvelopeError, Suite};
pub use key_id::KeyId;
pub use key_part::{IntoRowKey, KeyPart};
pub use mac::{MacKey, RowTag, Tagger};
pub use nonce::{Nonce, NonceBatch};
pub use normalise::{Normaliser, UnknownNormaliser};
pub use plaintext::{Date, WrongForm};
pub use random::RandomError;
pub use row_key::{RowKey, RowKeyError};
pub use text::TextError;
pub use wrapping::{KeyLineError, UnwrapError, WrapError, WrappingKey};

#[cfg(test)]
mod tests;
