//! A set of migrations: numbered SQL files, and what forbids undoing them.
//! Owns the texts and their checksums. Knows nothing of databases or of what is applied.
//! Versions are positive, unique and ascending.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::error::{MigrateError, Refusal};
use super::script::Script;

/// The number of a migration; its file's name begins with it.
pub type Version = i64;

/// Stands in PostgreSQL files for the quoted name of the schema they go to. Never written within
/// a comment, a string or a function's body, where a name could end what it stands in.
pub(super) const SCHEMA_PLACEHOLDER: &str = "{{schema}}";

/// Migrations that belong together and share one history.
pub(super) struct MigrationSet {
    /// Of `[a-z0-9_]`; part of the history table's name.
    pub name: String,
    pub kind: SetKind,
    pub migrations: Vec<Migration>,
    /// Looked at in each transaction that undoes one.
    pub down_guards: &'static [DownGuard],
}

/// Whose tables a set makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetKind {
    /// Ours: the files name our schema by [`SCHEMA_PLACEHOLDER`], and the history stays for good.
    Own,
    /// A platform's: the files go where the search path leads, and nothing of ours is left once
    /// all is undone.
    Platform,
}

pub(super) struct Migration {
    pub version: Version,
    pub name: Cow<'static, str>,
    pub up: Cow<'static, str>,
    /// `None` where there is no way back.
    pub down: Option<Cow<'static, str>>,
}

/// Rows whose existence forbids undoing anything of a set.
pub(super) struct DownGuard {
    /// The migration that makes the table; before it there is nothing to look at.
    pub since: Version,
    pub table: &'static str,
    /// An SQL condition on its rows.
    pub holds: &'static str,
    pub refusal: Refusal,
}

impl MigrationSet {
    pub fn find(&self, version: Version) -> Option<&Migration> {
        self.migrations.iter().find(|m| m.version == version)
    }

    pub fn history_name(&self) -> String {
        format!("migrations_{}", self.name)
    }
}

impl Migration {
    /// SHA-256 of the file that was applied, as it lies in the repository: neither the name of the
    /// schema nor a repaired way back changes it.
    pub fn checksum(&self) -> Vec<u8> {
        Sha256::digest(self.up.as_bytes()).to_vec()
    }

    /// Whether its way up changes rows, which no look at the catalog can tell.
    ///
    /// # Errors
    /// [`MigrateError::Folder`] where the file cannot be cut into statements.
    pub fn changes_rows(&self) -> Result<bool, MigrateError> {
        Ok(Script::of(&self.up)?.changes_rows())
    }
}
