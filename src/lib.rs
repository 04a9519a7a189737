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
//! # Sealing and opening
//! An application loads the data keys of its database, which are wrapped, with the wrapping key, which
//! never enters the database. Here they are made up:
//! ```
//! use std::sync::Arc;
//!
//! use phiseal::crypto::{IndexSpec, KeyPart, Normaliser};
//! use phiseal::keys::Keyring;
//! use phiseal::{Field, Opener, Sealer, ValueError};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let keyring = Arc::new(Keyring::throw_away(&["clinic-7"])?);
//!
//! let ssn = Field::new("public.patients", "ssn")
//!     .blind_index(IndexSpec::new(Normaliser::Digits, 256)?);
//! let sealer = Sealer::new(Arc::clone(&keyring), ssn.clone());
//! let opener = Opener::new(keyring, ssn);
//!
//! // What is stored in row 42: the sealed value, and the blind index beside it.
//! let sealed = sealer.seal("clinic-7", 42, "123-45-6789")?;
//! let stored_index = sealer.blind_index("clinic-7", "123-45-6789")?;
//!
//! // SELECT ... WHERE ssn_bidx = ANY ($1), however the number was typed.
//! assert_eq!(sealer.lookups("clinic-7", "123 45 6789")?, Vec::from_iter(stored_index));
//!
//! let opened = opener.open("clinic-7", 42, &sealed)?;
//! assert_eq!(opened.text()?, "123-45-6789");
//!
//! // In another row it does not open.
//! let refused = opener.open("clinic-7", 43, &sealed).unwrap_err();
//! assert!(matches!(refused, ValueError::DoesNotOpen { .. }));
//!
//! // A key of several columns is given in the order of registration.
//! let row = [KeyPart::from("north"), KeyPart::from(42)];
//! let sealed = sealer.seal("clinic-7", &row, "123-45-6789")?;
//! # Ok(())
//! # }
//! ```
//!
//! # In an application
//! The whole path, with sqlx and PostgreSQL; tokio-postgres and every other driver run the same SQL
//! ([`sql`]). The library brings no driver and no async runtime:
//! `phiseal = { version = "0.1", default-features = false }`.
#![cfg_attr(feature = "postgres", doc = "```no_run")]
#![cfg_attr(not(feature = "postgres"), doc = "```ignore")]
//! use phiseal::keys::{BoxError, KeyCache, KeyColumns, KeyRow, KeySource, ProviderConfig};
//! use phiseal::{Field, FieldColumns, sql};
//! use sqlx::PgPool;
//!
//! /// The application's own pool: the keys are read over it.
//! struct Keys(PgPool);
//!
//! impl KeySource for Keys {
//!     async fn key_rows(&self) -> Result<Vec<KeyRow>, BoxError> {
//!         let rows: Vec<KeyColumns> = sqlx::query_as(sql::KEYS).fetch_all(&self.0).await?;
//!         Ok(rows.into_iter().map(KeyRow::from).collect())
//!     }
//! }
//!
//! struct Patients {
//!     pool: PgPool,
//!     keys: KeyCache,
//!     ssn: Field,
//! }
//!
//! impl Patients {
//!     /// Once, when the application starts.
//!     async fn open(pool: PgPool) -> Result<Self, BoxError> {
//!         let wrapping_key = ProviderConfig::File("/etc/phiseal/wrapping.key".into()).open()?;
//!         let keys = KeyCache::open(Keys(pool.clone()), wrapping_key).await?;
//!         let ssn: FieldColumns = sqlx::query_as(sql::FIELD)
//!             .bind("public.patients")
//!             .bind("ssn")
//!             .fetch_one(&pool)
//!             .await?;
//!         Ok(Self { pool, keys, ssn: ssn.try_into()? })
//!     }
//!
//!     /// Tries once more with fresh keys if a key was rotated away just now: nothing was written then.
//!     async fn insert(&self, ssn: &str) -> Result<i64, BoxError> {
//!         match self.try_insert(ssn).await {
//!             Err(error) if is_stale(&error) => {
//!                 self.keys.reload().await?;
//!                 self.try_insert(ssn).await
//!             }
//!             done => done,
//!         }
//!     }
//!
//!     async fn try_insert(&self, ssn: &str) -> Result<i64, BoxError> {
//!         let mut tx = self.pool.begin().await?;
//!         sqlx::query(sql::SEALER).execute(&mut *tx).await?;
//!         // A value is sealed for its row, so the row's key has to be known before.
//!         let id: i64 = sqlx::query_scalar("SELECT nextval(pg_get_serial_sequence('patients', 'id'))")
//!             .fetch_one(&mut *tx)
//!             .await?;
//!         let sealer = self.keys.sealer(&self.ssn).await?;
//!         let sealed: Vec<u8> = sqlx::query_scalar(
//!             "INSERT INTO patients (id, ssn_sealed, ssn_bidx) VALUES ($1, $2, $3) RETURNING ssn_sealed",
//!         )
//!         .bind(id)
//!         .bind(sealer.seal("", id, ssn)?)
//!         .bind(sealer.blind_index("", ssn)?)
//!         .fetch_one(&mut *tx)
//!         .await?;
//!         // The database does not notice a value that was sealed for the wrong row: open it before COMMIT.
//!         self.keys.open_value(&self.ssn, "", id, &sealed).await?;
//!         tx.commit().await?;
//!         Ok(id)
//!     }
//!
//!     async fn ssn(&self, id: i64) -> Result<Option<String>, BoxError> {
//!         // Until every row is sealed, the value may still be in the plaintext column.
//!         let (sealed, plain): (Option<Vec<u8>>, Option<String>) =
//!             sqlx::query_as("SELECT ssn_sealed, ssn FROM patients WHERE id = $1")
//!                 .bind(id)
//!                 .fetch_one(&self.pool)
//!                 .await?;
//!         let Some(sealed) = sealed else {
//!             return Ok(plain);
//!         };
//!         let opened = self.keys.open_value(&self.ssn, "", id, &sealed).await?;
//!         Ok(Some(opened.text()?.to_owned()))
//!     }
//!
//!     async fn find(&self, ssn: &str) -> Result<Vec<i64>, BoxError> {
//!         let indexes = self.keys.sealer(&self.ssn).await?.lookups("", ssn)?;
//!         Ok(sqlx::query_scalar("SELECT id FROM patients WHERE ssn_bidx = ANY ($1)")
//!             .bind(indexes)
//!             .fetch_all(&self.pool)
//!             .await?)
//!     }
//! }
//!
//! fn is_stale(error: &BoxError) -> bool {
//!     let error = error.downcast_ref::<sqlx::Error>();
//!     let state = error.and_then(|error| error.as_database_error()?.code());
//!     state.is_some_and(|state| state == sql::STALE_KEY)
//! }
//! ```
//!
//! # Without an async runtime
//! The wrapping key is loaded without one ([`ProviderConfig::open`](keys::ProviderConfig::open)), and so
//! are the data keys ([`Keyring::from_rows`](keys::Keyring::from_rows)), from rows that any driver has
//! read. [`Sealer`] and [`Opener`] never wait. Take over fresh rows once a minute
//! ([`Keyring::take_over`](keys::Keyring::take_over)).
//!
//! # Errors
//! Each of this library's errors has a code, a message without any value and a hint: see
//! [`Coded`](error::Coded) and docs/ERRORS.md.

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
pub mod sql;
#[cfg(feature = "store")]
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
#[cfg(all(feature = "store", not(feature = "testing")))]
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

pub use crypto::Date;
pub use sealer::{Field, FieldColumns, Opener, Plaintext, Sealer, Value, ValueError};

// Their Rust is compiled, as every example here is.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
struct Readme;
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../docs/APPLICATIONS.md")]
struct Applications;
