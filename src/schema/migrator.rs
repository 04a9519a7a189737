//! The migrator: step after step towards a goal, each step one transaction.
//! Owns the order of work and the patience with locks. Writes no SQL.
//! A step reads the history under the migrators' lock, so two migrators never do the same twice.

use std::time::Duration;

use super::error::{Failure, MigrateError};
use super::history::{self, Applied, Goal, MigrationStatus};
use super::set::{MigrationSet, Version};

/// How often a step is tried when a lock is not granted.
const LOCK_ATTEMPTS: u32 = 5;

/// How long PostgreSQL waits for a lock in one attempt. Short, because whoever asks for the same
/// lock after us waits behind us.
pub(super) const LOCK_TIMEOUT_MS: u32 = 2_000;

/// Pause after the first attempt; twice as long after each one more.
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// What the migrator asks of a database.
///
/// Contract: each method is one transaction, undone when it returns `Err`, that leaves no session
/// state behind.
pub(super) trait Database {
    /// The history in order of versions; `None` where no migrator has been yet. Changes nothing.
    async fn applied(&mut self, set: &MigrationSet) -> Result<Option<Vec<Applied>>, Failure>;

    /// Makes the history table and what the migrators' lock needs, where they are missing.
    async fn make_history(&mut self, set: &MigrationSet) -> Result<(), Failure>;

    /// Takes the migrators' lock, reads the history, asks [`history::next_step`] and does it,
    /// together with its history row. Before an undoing, looks at the set's guards under locks
    /// that keep writers out until the commit. Returns the version; `None` at the goal.
    async fn step(&mut self, set: &MigrationSet, goal: Goal) -> Result<Option<Version>, Failure>;
}

/// Goes to `goal` and returns the versions applied or undone, in order.
pub(super) async fn reach(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
) -> Result<Vec<Version>, MigrateError> {
    history::check_goal(set, goal)?;
    let mut done = Vec::new();
    while let Some(version) = patient_step(database, set, goal).await? {
        done.push(version);
        if goal == Goal::DownOne {
            break;
        }
    }
    Ok(done)
}

/// What is applied and what is not.
pub(super) async fn status(
    database: &mut impl Database,
    set: &MigrationSet,
) -> Result<Vec<MigrationStatus>, MigrateError> {
    for attempt in 0..LOCK_ATTEMPTS {
        match database.applied(set).await {
            Ok(applied) => return Ok(history::statuses(set, &applied.unwrap_or_default())),
            Err(Failure::Busy) => tokio::time::sleep(LOCK_PAUSE * 2_u32.pow(attempt)).await,
            Err(Failure::Stop(error)) => return Err(error),
        }
    }
    Err(MigrateError::LockTimeout {
        attempts: LOCK_ATTEMPTS,
    })
}

async fn patient_step(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
) -> Result<Option<Version>, MigrateError> {
    for attempt in 0..LOCK_ATTEMPTS {
        match one_attempt(database, set, goal).await {
            Ok(version) => return Ok(version),
            Err(Failure::Busy) => tokio::time::sleep(LOCK_PAUSE * 2_u32.pow(attempt)).await,
            Err(Failure::Stop(error)) => return Err(error),
        }
    }
    Err(MigrateError::LockTimeout {
        attempts: LOCK_ATTEMPTS,
    })
}

async fn one_attempt(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
) -> Result<Option<Version>, Failure> {
    if database.applied(set).await?.is_none() {
        match goal {
            Goal::UpToLast | Goal::UpTo(_) => database.make_history(set).await?,
            Goal::DownOne | Goal::DownTo(_) => return Ok(None),
        }
    }
    database.step(set, goal).await
}
