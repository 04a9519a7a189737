//! phiseal seals PHI columns of a live database under versioned keys.
//!
//! The `phiseal` command turns plaintext columns into AES-256-GCM sealed ones while applications
//! go on, keeps them under keys that are rotated, and proves that it did. This library is what
//! those applications use afterwards: [`Sealer`] seals single values and makes blind indexes to
//! search by, [`Opener`] opens them.
//!
//! # What it guarantees
//! - A value opens only where it was sealed: moved to another row, column, table or tenant, or
//!   changed by a bit, it does not.
//! - Only a tenant's active key seals; the key that a value names opens it, and no other is tried.
//! - Each cell has an AES key of its own, derived from the tenant's data key, so that no count of
//!   messages has to be kept, and a restored database repeats no nonce outside of one cell.
//! - A data key is stored only wrapped, and used only after its check value was compared.
//! - No error, `Debug` or `Display` shows a key, a plaintext or a row key; keys and opened values
//!   are wiped from memory when they are dropped.
//!
//! What it does not: a writer of the database who puts an earlier sealed value of the same cell
//! back, or deletes it, goes unnoticed; a blind index shows which rows are equal, and how often.
//!
//! # Example
//! An application reads `encryption_keys` from its database. Here the two rows, one to seal under
//! and one for the blind index, are made on the spot.
//! ```
//! use std::sync::Arc;
//!
//! use phiseal::crypto::{DataKey, IndexSpec, KeyId, KeyPart, Normaliser, Purpose, WrappingKey};
//! use phiseal::keys::{KeyFor, KeyStatus, Keyring, LocalProvider, NewKey};
//! use phiseal::{Field, Opener, Sealer};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The wrapping key never enters the database; `ProviderConfig` loads it from a file, a
//! // variable or a command.
//! let provider = LocalProvider::new(WrappingKey::generate()?);
//!
//! let mut records = Vec::new();
//! for purpose in [Purpose::Cell, Purpose::BlindIndex] {
//!     let whom = KeyFor { tenant: "clinic-7".to_owned(), purpose };
//!     let key = NewKey::wrap(&DataKey::generate()?, KeyId::random()?, &whom, 1, &provider).await?;
//!     let mut record = key.into_record("2026-01-01T00:00:00Z".to_owned());
//!     record.status = KeyStatus::Active;
//!     records.push(record);
//! }
//!
//! // Unwraps every key and compares its check value, or says what is wrong with which.
//! let keyring = Arc::new(Keyring::load(&records, &provider).await?);
//!
//! let ssn = Field::new("public.patients", "ssn")
//!     .blind_index(IndexSpec::new(Normaliser::Digits, 256)?);
//! let sealer = Sealer::new(Arc::clone(&keyring), ssn.clone());
//! let opener = Opener::new(keyring, ssn);
//!
//! // What is stored in row 42: the sealed value, and the blind index beside it.
//! let row = [KeyPart::Int(42)];
//! let sealed = sealer.seal("clinic-7", &row, b"123-45-6789")?;
//! let stored_index = sealer.blind_index("clinic-7", "123-45-6789")?;
//!
//! // SELECT ... WHERE ssn_bidx = ANY ($1), however the number was typed.
//! assert_eq!(sealer.lookups("clinic-7", "123 45 6789")?, Vec::from_iter(stored_index));
//!
//! let opened = opener.open("clinic-7", &row, &sealed)?;
//! assert_eq!(opened.as_slice(), b"123-45-6789");
//!
//! // In another row it does not open.
//! assert!(opener.open("clinic-7", &[KeyPart::Int(43)], &sealed).is_err());
//! # Ok(())
//! # }
//! ```

// Without the program or the tests, what only they use has no user; a build with both still warns.
#![cfg_attr(
    not(all(feature = "cli", feature = "testing")),
    allow(dead_code, unused_imports)
)]

pub mod crypto;
pub mod error;
pub mod ident;
pub mod keys;
pub mod sealer;
pub mod secret;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub mod store;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
#[cfg(feature = "cli")]
mod demo;

// For the program, tests and benchmarks; the API does not hold them.
#[cfg(all(feature = "cli", feature = "testing"))]
#[doc(hidden)]
pub mod engine;
#[cfg(all(feature = "cli", not(feature = "testing")))]
mod engine;
#[cfg(all(feature = "cli", feature = "testing"))]
#[doc(hidden)]
pub mod run;
#[cfg(all(feature = "cli", not(feature = "testing")))]
mod run;
#[cfg(all(feature = "cli", feature = "testing"))]
#[doc(hidden)]
pub mod schema;
#[cfg(all(feature = "cli", not(feature = "testing")))]
mod schema;
// Without the program, fuzz targets reach the text that migrations are cut from, and no database.
#[cfg(all(feature = "testing", not(feature = "cli")))]
#[doc(hidden)]
#[allow(unused_imports, reason = "the migrator is not there to use them")]
pub mod schema {
    mod script;
    pub use script::cut;
}
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod foreign;
#[cfg(not(feature = "testing"))]
mod foreign;
#[cfg(feature = "testing")]
#[doc(hidden)]
#[allow(dead_code, reason = "the program is not there to use all of it")]
pub mod pace;
#[cfg(all(
    any(feature = "postgres", feature = "sqlite"),
    not(feature = "testing")
))]
mod pace;
#[cfg(all(feature = "cli", not(feature = "testing")))]
mod plan;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod plan;
#[cfg(feature = "cli")]
mod plural;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod quote;
#[cfg(not(feature = "testing"))]
mod quote;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod trust;
#[cfg(not(feature = "testing"))]
mod trust;

mod words;

pub use sealer::{Field, Opener, Sealer, ValueError};

// Its Rust is compiled, as every example here is.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;
