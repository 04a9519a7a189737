//! The engine's mark: which table it is about to write, and what it changes there.
//! Owns the actions and the part of the mark that names the table. How a store says the mark is the
//! store's own. The guard lets exactly that change of that table pass, and nothing that a trigger makes
//! of it on the way.

use sha2::{Digest, Sha256};

use super::page::WriteCell;
use super::{Target, WriteRow};

/// What the engine is about to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Sealed values and blind indexes beside the plaintext; plaintext, key and tenant stay.
    Seal,
    /// The same, and columns sealed in place take a value in sealed form.
    InPlace,
    /// Plaintext is written where there was none; in place, where there was a sealed value.
    Restore,
    /// Plaintext becomes NULL where a sealed value stays. No step does this yet.
    #[allow(
        dead_code,
        reason = "the guard knows it before the step that needs it is there"
    )]
    Clear,
}

impl Change {
    /// What a batch of these rows changes.
    pub(crate) fn of(target: &Target, rows: &[WriteRow]) -> Self {
        let opens = |row: &WriteRow| {
            row.cells
                .iter()
                .any(|cell| matches!(cell, WriteCell::Open(_)))
        };
        if rows.iter().any(opens) {
            Self::Restore
        } else if target.in_place() {
            Self::InPlace
        } else {
            Self::Seal
        }
    }

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Seal => "seal",
            Self::InPlace => "in_place",
            Self::Restore => "restore",
            Self::Clear => "clear",
        }
    }
}

/// Names a table by its label, which is unique and never changes: the first 8 bytes of its SHA-256.
pub(crate) fn label_digest(label: &str) -> [u8; 8] {
    let mut first = [0; 8];
    first.copy_from_slice(&Sha256::digest(label.as_bytes())[..8]);
    first
}
