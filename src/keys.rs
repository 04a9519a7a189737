//! Data keys: how they are made, stored in wrapped form, loaded and looked up.
//! Owns key records, key states, the interface to wrapping keys and the issuing of new keys. Does
//! not own the key table (the stores do) or the sealing of values (`crypto` does).
//! A data key is in memory only after its check value was compared, and in the table only wrapped.

mod cache;
#[cfg(feature = "cli")]
mod due;
pub mod error;
pub(crate) mod examine;
pub mod issue;
pub mod key;
pub mod keyring;
pub mod lifecycle;
pub mod note;
pub mod provider;
mod rewrap;
pub mod rotation;
pub mod rotation_period;
mod throw_away;

#[cfg(test)]
pub(crate) mod fake;

pub use cache::{KEYS_AGE_MAX, KeyCache, LoadError};
#[cfg(feature = "cli")]
pub use due::Due;
pub use error::KeyError;
#[cfg(feature = "cli")]
pub(crate) use examine::examine;
pub use examine::{KeyCheck, KeyFault, KeyFaults};
pub use issue::{Issuer, KeyFor};
pub use key::{Key, KeyRecord, KeyTable, NewKey};
pub use keyring::{KeySet, Keyring};
pub use lifecycle::{KeyStatus, UnknownKeyStatus};
pub use note::{AuditEntry, AuditHead, ChangeRow, Notary, Scribe, Unnoted};
pub use provider::{
    KeyProvider, LocalProvider, ProviderConfig, ProviderSet, write_new_wrapping_key,
};
pub use rewrap::Rewrap;
pub use rotation::{
    Handover, KeyTransition, Rewrapped, RotationCounts, RotationEnd, RotationKind, RotationRecord,
    RotationTable,
};
pub use rotation_period::{BadRotationPeriod, RotationPeriod};
pub use throw_away::throw_away;
