//! Data keys: how they are made, stored in wrapped form, loaded and looked up.
//! Owns key records, key states, the interface to wrapping keys and the issuing of new keys, which an
//! application does not do: the feature `store` adds it. Does not own the key table (the stores do) or
//! the sealing of values (`crypto` does).
//! A data key is in memory only after its check value was compared, and in the table only wrapped.

mod blocking;
mod cache;
#[cfg(feature = "cli")]
mod due;
pub mod error;
pub(crate) mod examine;
#[cfg(feature = "store")]
pub mod issue;
pub mod key;
pub mod keyring;
pub mod lifecycle;
#[cfg(feature = "store")]
pub mod note;
pub mod provider;
#[cfg(feature = "store")]
mod rewrap;
#[cfg(feature = "store")]
pub mod rotation;
pub mod rotation_period;
mod row;
#[cfg(feature = "store")]
mod table;
mod throw_away;
mod turn;

#[cfg(feature = "store")]
#[cfg(test)]
pub(crate) mod fake;

pub use cache::{KEYS_AGE_MAX, KeyCache, LoadError};
#[cfg(feature = "cli")]
pub use due::Due;
pub use error::KeyError;
#[cfg(feature = "cli")]
pub(crate) use examine::examine;
pub use examine::{KeyCheck, KeyFault, KeyFaults};
#[cfg(feature = "store")]
pub use issue::Issuer;
pub use key::{Key, KeyFor, KeyRecord, NewKey};
pub use keyring::{KeySet, Keyring};
pub use lifecycle::{KeyStatus, UnknownKeyStatus};
#[cfg(feature = "store")]
pub use note::{AuditEntry, AuditHead, ChangeRow, Notary, Scribe, Unnoted};
pub use provider::{
    Answer, KeyProvider, LocalProvider, ProviderConfig, ProviderSet, write_new_wrapping_key,
};
#[cfg(feature = "store")]
pub use rewrap::Rewrap;
#[cfg(feature = "store")]
pub use rotation::{
    Handover, KeyTransition, Rewrapped, RotationCounts, RotationEnd, RotationKind, RotationRecord,
    RotationTable,
};
pub use rotation_period::{BadRotationPeriod, RotationPeriod};
pub use row::{BoxError, KeyColumns, KeyRow, KeySource};
#[cfg(feature = "store")]
pub use table::KeyTable;
pub use throw_away::throw_away;
