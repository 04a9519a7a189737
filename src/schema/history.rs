//! What is applied, what is next, and how the two are told apart.
//! Owns the decisions. Runs nothing and asks no database.
//! No step is chosen while an applied migration was changed or is unknown.

mod progress;

use std::borrow::Cow;

pub(super) use self::progress::{Progress, Way};
use super::error::MigrateError;
use super::script::Script;
use super::set::{Migration, MigrationSet, Version};
use super::version::{is_repeatable, shown};
use crate::words::word_enum;

/// A migration as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationStatus {
    /// Its number.
    pub version: Version,
    /// The same as its file has it.
    pub label: String,
    /// Its name, of the file's.
    pub name: String,
    /// When it was applied, RFC 3339 in UTC; `None` while it is pending.
    pub applied_at: Option<String>,
    /// Where it stands.
    pub state: MigrationState,
}

word_enum! {
    /// Where a migration stands.
    MigrationState {
        /// Applied as it is.
        Applied = "applied",
        /// Not yet applied.
        Pending = "pending",
        /// Applied, but the file has been changed since.
        ChecksumDiffers = "checksum_differs",
        /// Applied by a program that knows more.
        Unknown = "unknown",
        /// Applied up to a statement that failed; going up goes on from there.
        PartlyApplied = "partly_applied",
        /// Undone up to a statement that failed; going down goes on from there.
        PartlyUndone = "partly_undone",
    }
}

/// Where the migrator is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    UpToLast,
    UpTo(Version),
    /// Up by this one alone.
    Just(Version),
    DownOne,
    DownTo(Version),
}

/// A row of the history table.
pub(super) struct Applied {
    pub version: Version,
    pub name: String,
    pub checksum: Vec<u8>,
    pub applied_at: String,
    /// Its place in the order in which they were applied.
    pub order: i64,
    /// `None` once it is applied as a whole.
    pub progress: Option<Progress>,
}

impl Applied {
    /// As its row would be once it is applied.
    pub fn now(migration: &Migration, order: i64) -> Self {
        Self {
            order,
            version: migration.version,
            name: migration.name.to_string(),
            checksum: migration.checksum(),
            applied_at: String::new(),
            progress: None,
        }
    }
}

impl Applied {
    fn is_partly_undone(&self) -> bool {
        let progress = self.progress.as_ref();
        progress.is_some_and(|progress| progress.way == Way::Down)
    }
}

/// The next thing to do, and how far it was done before.
pub(super) struct Step<'s> {
    pub migration: &'s Migration,
    pub progress: Progress,
    /// What the history has of it; a failure of the first unit leaves that.
    pub recorded: Option<Progress>,
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
            MigrationState::Applied
            | MigrationState::Pending
            | MigrationState::PartlyApplied
            | MigrationState::PartlyUndone => {}
        }
    }
    match goal {
        Goal::UpToLast => {
            let next = next_up(set, applied, |_| true)?;
            Ok(next.or_else(|| next_repeatable(set, applied)))
        }
        Goal::UpTo(to) => next_up(set, applied, |version| version <= to),
        Goal::Just(one) => next_up(set, applied, |version| version == one),
        Goal::DownOne => match last_applied(applied) {
            Some(last) => next_down(set, applied, |version| version == last.version),
            None => Ok(None),
        },
        Goal::DownTo(to) => next_down(set, applied, |version| version > to),
    }
}

/// Those with a version, as they were applied; one that is undone in part counts as the last.
fn last_applied(applied: &[Applied]) -> Option<&Applied> {
    let versioned = applied.iter().filter(|row| !is_repeatable(row.version));
    versioned.max_by_key(|row| (row.is_partly_undone(), row.order))
}

/// The oldest migration that is not applied as a whole.
fn next_up<'s>(
    set: &'s MigrationSet,
    applied: &[Applied],
    wanted: impl Fn(Version) -> bool,
) -> Result<Option<Step<'s>>, MigrateError> {
    let row_of = |version| applied.iter().find(|row| row.version == version);
    let next = set
        .migrations
        .iter()
        .filter(|m| !m.is_repeatable() && wanted(m.version))
        .find(|m| row_of(m.version).is_none_or(|row| row.progress.is_some()));
    let Some(migration) = next else {
        return Ok(None);
    };
    let recorded = row_of(migration.version).and_then(|row| row.progress.clone());
    match recorded.as_ref().map(|progress| progress.way) {
        Some(Way::Down) => Err(MigrateError::PartlyUndone {
            version: migration.version,
        }),
        Some(Way::Up) | None => Ok(Some(Step {
            migration,
            progress: recorded.clone().unwrap_or(Progress::none(Way::Up)),
            recorded,
        })),
    }
}

/// Refuses what [`next_step`] would apply behind a newer one; asked before the first step, since an
/// undoing that is redone is newer ones' too.
pub(super) fn check_order(
    set: &MigrationSet,
    applied: &[Applied],
    goal: Goal,
) -> Result<(), MigrateError> {
    let to = match goal {
        Goal::UpToLast => Version::MAX,
        Goal::UpTo(to) => to,
        Goal::Just(_) | Goal::DownOne | Goal::DownTo(_) => return Ok(()),
    };
    let known = applied
        .iter()
        .map(|row| row.version)
        .filter(|v| set.find(*v).is_some());
    let Some(newest) = known.max() else {
        return Ok(());
    };
    let older = |m: &&Migration| {
        !m.is_repeatable()
            && m.version < newest.min(to.saturating_add(1))
            && !applied.iter().any(|row| row.version == m.version)
    };
    let versions: Vec<Version> = set
        .migrations
        .iter()
        .filter(older)
        .map(|m| m.version)
        .collect();
    if versions.is_empty() || set.allowed.out_of_order {
        return Ok(());
    }
    Err(MigrateError::OutOfOrder { versions, newest })
}

/// What cannot be applied of what is pending, up to `to`, with every fault. What is applied as a
/// whole is not looked at: it is not run again.
pub(super) fn check_texts(
    set: &MigrationSet,
    applied: &[Applied],
    to: Option<Version>,
) -> Result<(), MigrateError> {
    let pending = |m: &&Migration| {
        let row = applied.iter().find(|row| row.version == m.version);
        to.is_none_or(|to| m.version <= to && !m.is_repeatable())
            && row.is_none_or(|row| row.progress.is_some() || due(m, row))
    };
    let pending = set.migrations.iter().filter(pending);
    let faults: Vec<String> = pending.flat_map(|m| m.faults.iter().cloned()).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(MigrateError::Folder { faults })
}

/// The next of those that are run whenever their text changes.
fn next_repeatable<'s>(set: &'s MigrationSet, applied: &[Applied]) -> Option<Step<'s>> {
    let row_of = |version| applied.iter().find(|row| row.version == version);
    let mut repeatable = set.migrations.iter().filter(|m| m.is_repeatable());
    let next = repeatable.find(|m| row_of(m.version).is_none_or(|row| due(m, row)))?;
    let recorded = row_of(next.version);
    let changed = recorded.is_some_and(|row| !next.is_of(&row.checksum));
    let progress = recorded
        .and_then(|row| row.progress.clone())
        .filter(|_| !changed);
    Some(Step {
        migration: next,
        progress: progress.clone().unwrap_or(Progress::none(Way::Up)),
        recorded: progress,
    })
}

/// Whether it is to be run once more.
fn due(migration: &Migration, row: &Applied) -> bool {
    migration.is_repeatable() && (row.progress.is_some() || !migration.is_of(&row.checksum))
}

/// The last applied of those wanted, if there is a way back from all of them.
fn next_down<'s>(
    set: &'s MigrationSet,
    applied: &[Applied],
    wanted: impl Fn(Version) -> bool,
) -> Result<Option<Step<'s>>, MigrateError> {
    let mut rows: Vec<&Applied> = applied
        .iter()
        .filter(|row| !is_repeatable(row.version) && wanted(row.version))
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.is_partly_undone(), row.order)));
    let mut next = None;
    for row in rows {
        let Some(migration) = set.find(row.version) else {
            return Err(MigrateError::UnknownApplied {
                version: row.version,
            });
        };
        if migration.down.is_none() {
            return Err(MigrateError::NoWayBack {
                version: row.version,
            });
        }
        let begun = row.progress.clone();
        let begun = begun.filter(|progress| progress.way == Way::Down);
        next.get_or_insert(Step {
            migration,
            progress: begun.unwrap_or(Progress::none(Way::Down)),
            recorded: row.progress.clone(),
        });
    }
    Ok(next)
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
        Goal::UpToLast | Goal::UpTo(_) | Goal::Just(_) | Goal::DownOne | Goal::DownTo(_) => Ok(()),
    }
}

/// Every migration of the set or the history, in order.
pub(super) fn statuses(set: &MigrationSet, applied: &[Applied]) -> Vec<MigrationStatus> {
    let mut statuses: Vec<MigrationStatus> = applied
        .iter()
        .map(|row| MigrationStatus {
            version: row.version,
            label: label(row.version, &row.name),
            name: row.name.clone(),
            applied_at: Some(row.applied_at.clone()),
            state: state_of(set, row),
        })
        .collect();
    for migration in &set.migrations {
        if !applied.iter().any(|row| row.version == migration.version) {
            statuses.push(MigrationStatus {
                version: migration.version,
                label: label(migration.version, &migration.name),
                name: Cow::into_owned(migration.name.clone()),
                applied_at: None,
                state: MigrationState::Pending,
            });
        }
    }
    statuses.sort_by(|a, b| {
        let key = |s: &MigrationStatus| (is_repeatable(s.version), s.version.max(0));
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
    });
    statuses
}

/// A version as its file has it; one that is repeated has a name alone.
pub(super) fn label(of: Version, name: &str) -> String {
    if is_repeatable(of) {
        format!("R__{name}")
    } else {
        shown(of)
    }
}

fn state_of(set: &MigrationSet, row: &Applied) -> MigrationState {
    match set.find(row.version) {
        // A repeatable file that was taken away leaves what it made, as in Flyway.
        None if is_repeatable(row.version) => MigrationState::Applied,
        None => MigrationState::Unknown,
        Some(migration) if due(migration, row) => MigrationState::Pending,
        Some(migration) if !migration.is_of(&row.checksum) && !mended(migration, row) => {
            MigrationState::ChecksumDiffers
        }
        Some(_) => match row.progress.as_ref().map(|progress| progress.way) {
            None => MigrationState::Applied,
            Some(Way::Up) => MigrationState::PartlyApplied,
            Some(Way::Down) => MigrationState::PartlyUndone,
        },
    }
}

/// Whether only what was not yet done of a file has changed.
fn mended(migration: &Migration, row: &Applied) -> bool {
    row.progress
        .as_ref()
        .filter(|progress| progress.way == Way::Up)
        .is_some_and(|progress| {
            Script::of(&migration.up)
                .is_ok_and(|script| script.digest(progress.units) == progress.digest)
        })
}
