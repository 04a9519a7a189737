//! The engine's mark: it tells the guard which table the engine is about to write to, and what it
//! changes there.
//! Owns the kinds of change and the digest that names the table. Each store owns how it sets the
//! mark. The guard allows exactly this change of this table, but not what an application's trigger
//! makes of it.

use sha2::{Digest, Sha256};

use super::page::WriteCell;
use super::{Access, WriteRow};

/// What the engine is about to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Sealed values and blind indexes beside the plaintext are written; plaintext, key and tenant
    /// stay.
    Seal,
    /// Like `Seal`, and columns that are sealed in place take a sealed value.
    InPlace,
    /// Plaintext is written where there was none, or, in place, where there was a sealed value.
    Restore,
    /// A plaintext with a sealed value is set to NULL.
    Clear,
}

impl Change {
    /// The change that a batch of these rows makes.
    pub(crate) fn of(access: &Access, rows: &[WriteRow]) -> Self {
        let any = |is: fn(&WriteCell) -> bool| rows.iter().flat_map(|row| &row.cells).any(is);
        if any(|cell| matches!(cell, WriteCell::Open(_))) {
            Self::Restore
        } else if any(|cell| matches!(cell, WriteCell::Clear)) {
            Self::Clear
        } else if access.in_place() {
            Self::InPlace
        } else {
            Self::Seal
        }
    }

    /// The word for this change in the mark.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::InPlace => "in_place",
            Self::Restore => "restore",
            Self::Clear => "clear",
        }
    }
}

/// Identifies a table by its label, which is unique and never changes: the first 8 bytes of the
/// label's SHA-256.
pub(crate) fn label_digest(label: &str) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(label.as_bytes())[..8]);
    first
}
