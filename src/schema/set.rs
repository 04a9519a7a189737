//! A set of migrations: numbered SQL files, and what forbids undoing them.
//! Owns the texts and their checksums. Knows nothing of databases or of what is applied.
//! Versions are positive, unique and ascending.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

use super::error::{MigrateError, Refusal};
use super::script::Script;
use super::version;

/// The number of a migration; its file's name begins with it.
pub type Version = i64;

/// Stands in PostgreSQL files for the quoted name of the schema they go to. Never written within
/// a comment, a string or a function's body, where a name could end what it stands in.
pub(super) const SCHEMA_PLACEHOLDER: &str = "{{schema}}";

impl Script {
    /// The script of a text that was checked when its set was read.
    pub fn of(text: &str) -> Result<Self, MigrateError> {
        Self::parse(text).map_err(|fault| MigrateError::Folder {
            faults: vec![fault.to_string()],
        })
    }
}

/// Migrations that belong together and share one history.
pub(super) struct MigrationSet {
    /// Of `[a-z0-9_]`; part of the history table's name.
    pub name: String,
    pub kind: SetKind,
    pub migrations: Vec<Migration>,
    /// Looked at in each transaction that undoes one.
    pub down_guards: &'static [DownGuard],
    pub allowed: Allowed,
}

/// What is done only because somebody said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowed {
    /// Applying a migration that is older than one that is applied.
    pub out_of_order: bool,
    /// Undoing what drops tables with rows, or sealed columns.
    pub drop_data: bool,
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
    /// The names of its files; empty where they are not the operator's.
    pub files: Files,
    /// The checksum that is written down, and the others that mean the same text.
    pub checksums: Vec<Vec<u8>>,
    /// Why it cannot be applied. One that is applied already is not looked at again.
    pub faults: Vec<String>,
}

/// Which files a migration was read from.
#[derive(Debug, Clone, Default)]
pub(super) struct Files {
    pub up: String,
    /// The same where one file holds both ways.
    pub down: String,
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
    /// One that this program carries.
    pub fn embedded(
        version: Version,
        name: &'static str,
        up: &'static str,
        down: &'static str,
    ) -> Self {
        Self {
            version,
            name: Cow::Borrowed(name),
            up: Cow::Borrowed(up),
            down: Some(Cow::Borrowed(down)),
            files: Files::default(),
            checksums: vec![Sha256::digest(up.as_bytes()).to_vec()],
            faults: Vec::new(),
        }
    }

    /// SHA-256 of the file that was applied, as it lies in the repository: neither the name of the
    /// schema nor a repaired way back changes it.
    pub fn checksum(&self) -> Vec<u8> {
        self.checksums.first().cloned().unwrap_or_default()
    }

    /// Whether that is the checksum of its text, be it with other ends of lines.
    pub fn is_of(&self, checksum: &[u8]) -> bool {
        self.checksums.iter().any(|own| own == checksum)
    }

    /// Whether it is run again whenever its text changes, behind all others.
    pub const fn is_repeatable(&self) -> bool {
        version::is_repeatable(self.version)
    }

    /// Whether its way up changes rows, which no look at the catalog can tell.
    ///
    /// # Errors
    /// [`MigrateError::Folder`] where the file cannot be cut into statements.
    pub fn changes_rows(&self) -> Result<bool, MigrateError> {
        Ok(Script::of(&self.up)?.changes_rows())
    }
}

/// The checksums of a text: as it is, and as it would be with the other ends of lines, with a byte
/// order mark and without one.
pub(super) fn checksums(text: &str) -> Vec<Vec<u8>> {
    let plain = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let with_cr = plain.replace('\n', "\r\n");
    [
        text.to_owned(),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{with_cr}"),
        plain,
        with_cr,
    ]
    .iter()
    .map(|text| Sha256::digest(text.as_bytes()).to_vec())
    .collect()
}
