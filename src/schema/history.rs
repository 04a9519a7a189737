//! What is applied, what is next, and how the two are told apart.
//! Owns the decisions. Runs nothing and asks no database.
//! No step is chosen while an applied migration was changed or is unknown.

use std::borrow::Cow;

use super::error::MigrateError;
use super::set::{Migration, MigrationSet, Version};

/// A migration as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its number.
    pub version: Version,
    /// Its name, of the file's.
    pub name: String,
    /// When it was applied, RFC 3339 in UTC; `None` while it is pending.
    pub applied_at: Option<String>,
    /// Where it stands.
    pub state: MigrationState,
}

/// Where a migration stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrationState {
    /// Applied as it is.
    Applied,
    /// Not yet applied.
    Pending,
    /// Applied, but the file has been changed since.
    ChecksumDiffers,
    /// Applied by a program that knows more.
    Unknown,
}

/// Where the migrator is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    UpToLast,
    UpTo(Version),
    DownOne,
    DownTo(Version),
}

/// A row of the history table.
pub(super) struct Applied {
    pub version: Version,
    pub name: String,
    pub checksum: Vec<u8>,
    pub applied_at: String,
}

/// The next thing to do, in one transaction.
pub(super) enum Step<'s> {
    Apply(&'s Migration),
    Undo(&'s Migration),
}

/// The next step towards `goal`; `None` once it is reached. `applied` is in order.
pub(super) fn next_step<'s>(
    set: &'s MigrationSet,
    applied: &[Applied],
    goal: Goal,
) -> Result<Option<Step<'s>>, MigrateError> {
    for row in applied {
        match state_of(set, row) {
            MigrationState::ChecksumDiffers => {
                return Err(MigrateError::ChecksumDiffers {
                    version: row.version,
                });
            }
            MigrationState::Unknown => {
                return Err(MigrateError::UnknownApplied {
                    version: row.version,
                });
            }
            MigrationState::Applied | MigrationState::Pending => {}
        }
    }
    let pending = set
        .migrations
        .iter()
        .find(|m| !applied.iter().any(|row| row.version == m.version));
    let newest = applied.last().and_then(|row| set.find(row.version));
    Ok(match goal {
        Goal::UpToLast => pending.map(Step::Apply),
        Goal::UpTo(to) => pending.filter(|m| m.version <= to).map(Step::Apply),
        Goal::DownOne => newest.map(Step::Undo),
        Goal::DownTo(to) => newest.filter(|m| m.version > to).map(Step::Undo),
    })
}

/// Refuses a goal that names no migration; 0 is the state before the first.
pub(super) fn check_goal(set: &MigrationSet, goal: Goal) -> Result<(), MigrateError> {
    match goal {
        Goal::UpTo(version) if set.find(version).is_none() => {
            Err(MigrateError::NoSuchVersion { version })
        }
        Goal::DownTo(version) if version != 0 && set.find(version).is_none() => {
            Err(MigrateError::NoSuchVersion { version })
        }
        Goal::UpToLast | Goal::UpTo(_) | Goal::DownOne | Goal::DownTo(_) => Ok(()),
    }
}

/// Every migration of the set or the history, in order.
pub(super) fn statuses(set: &MigrationSet, applied: &[Applied]) -> Vec<MigrationStatus> {
    let mut statuses: Vec<MigrationStatus> = applied
        .iter()
        .map(|row| MigrationStatus {
            version: row.version,
            name: row.name.clone(),
            applied_at: Some(row.applied_at.clone()),
            state: state_of(set, row),
        })
        .collect();
    for migration in &set.migrations {
        if !applied.iter().any(|row| row.version == migration.version) {
            statuses.push(MigrationStatus {
                version: migration.version,
                name: Cow::into_owned(migration.name.clone()),
                applied_at: None,
                state: MigrationState::Pending,
            });
        }
    }
    statuses.sort_by_key(|status| status.version);
    statuses
}

fn state_of(set: &MigrationSet, row: &Applied) -> MigrationState {
    match set.find(row.version) {
        None => MigrationState::Unknown,
        Some(migration) if migration.checksum() != row.checksum => MigrationState::ChecksumDiffers,
        Some(_) => MigrationState::Applied,
    }
}
