//! The migrator: step after step towards a goal, each step one transaction.
//! Owns the order of work and the patience with locks. Writes no SQL.
//! A step reads the history under the migrators' lock, so two migrators never do the same twice.

use std::time::Duration;

use super::error::{Failure, MigrateError};
use super::history::{self, Applied, Goal, MigrationStatus, Way};
use super::postgres::PgDatabase;
use super::set::{Migration, MigrationSet, SetKind, Version};

/// How often a step is tried when a lock is not granted.
pub(super) const LOCK_ATTEMPTS: u32 = 12;

/// How long PostgreSQL waits for a lock in one attempt. Short, because whoever asks for the same
/// lock after us waits behind us.
pub(super) const LOCK_TIMEOUT_MS: u32 = 1_000;

/// Pause after the first attempt; twice as long after each one more, up to [`LOCK_PAUSE_MAX`].
const LOCK_PAUSE: Duration = Duration::from_millis(100);

/// Another migrator is waited for in looks this far apart: ten minutes, for its migrations may be
/// long.
const OTHER_MIGRATOR_PAUSE: Duration = Duration::from_millis(200);
const OTHER_MIGRATOR_LOOKS: u32 = 3_000;

/// In these pauses the application gets its turn.
const LOCK_PAUSE_MAX: Duration = Duration::from_secs(2);

/// What the migrator asks of a database.
///
/// Contract: each method is one transaction, undone when it returns `Err`, that leaves no session
/// state behind; but for a step whose file cannot be one, which says how far it came.
pub(super) trait Database {
    /// The history in order of versions; `None` where no migrator has been yet. Changes nothing.
    async fn applied(&mut self, set: &MigrationSet) -> Result<Option<Vec<Applied>>, Failure>;

    /// Makes the history table and what the migrators' lock needs, where they are missing.
    async fn make_history(&mut self, set: &MigrationSet) -> Result<(), Failure>;

    /// The tables that the set's pending migrations up to `to` would make and that are there.
    /// What is there is asked first and the history afterwards, so that another migrator's table
    /// comes with its record. Changes nothing.
    async fn tables_in_the_way(
        &mut self,
        set: &MigrationSet,
        to: Option<Version>,
    ) -> Result<Vec<String>, Failure>;

    /// Takes the migrators' lock, reads the history, asks [`history::next_step`] and does it,
    /// together with its history row. Before an undoing, looks at the set's guards under locks
    /// that keep writers out until the commit. Returns the version; `None` at the goal.
    async fn step(&mut self, set: &MigrationSet, goal: Goal) -> Result<Option<Version>, Failure>;
}

/// Tries what asks for locks until it is done, refused, or was tried [`LOCK_ATTEMPTS`] times.
macro_rules! patiently {
    ($work:expr) => {{
        let mut attempt = 0;
        let mut waited = 0;
        loop {
            match $work.await {
                Ok(done) => break done,
                Err(Failure::Held) if waited < OTHER_MIGRATOR_LOOKS => {
                    if waited == 0 {
                        tracing::info!("another migrator is at work: waiting for it");
                    }
                    tokio::time::sleep(OTHER_MIGRATOR_PAUSE).await;
                    waited += 1;
                }
                Err(Failure::Held) => return Err(MigrateError::LockTimeout { attempts: waited }),
                Err(Failure::Stop(error)) => return Err(error),
                Err(Failure::Busy) if attempt + 1 < LOCK_ATTEMPTS => {
                    tokio::time::sleep(pause_after(attempt)).await;
                    attempt += 1;
                }
                Err(Failure::Busy) => {
                    return Err(MigrateError::LockTimeout {
                        attempts: LOCK_ATTEMPTS,
                    });
                }
            }
        }
    }};
}

/// A migration that is applied or undone on the way to a goal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepTold {
    /// Its number on this way, from 1.
    pub number: usize,
    /// How many there are, as far as was known before the first.
    pub of: usize,
    /// Its version as its file has it, and its name.
    pub name: String,
    /// Whether it is committed; otherwise it begins.
    pub done: bool,
}

/// Goes to `goal` and returns the versions applied or undone, in order; each is `told` when it begins and
/// once it is committed.
pub(super) async fn reach(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
    mut told: impl FnMut(StepTold),
) -> Result<Vec<Version>, MigrateError> {
    check(database, set, goal).await?;
    // Whatever is wrong with a step is said by the step itself.
    let planned = planned(database, set, goal).await.unwrap_or_default();
    let mut done = Vec::new();
    loop {
        if let Some((migration, _)) = planned.get(done.len()) {
            told(step_told(&done, &planned, migration, false));
        }
        match patient_step(database, set, goal).await {
            Ok(Some(version)) => {
                if let Some(migration) = set.find(version) {
                    told(step_told(&done, &planned, migration, true));
                }
                done.push(version);
            }
            Ok(None) => break,
            Err(error) => return Err(stopped(set, goal, done, error)),
        }
        if goal == Goal::DownOne {
            break;
        }
    }
    Ok(done)
}

fn step_told(
    before: &[Version],
    planned: &[(&Migration, Way)],
    migration: &Migration,
    done: bool,
) -> StepTold {
    let number = before.len() + 1;
    let label = history::label(migration.version, &migration.name);
    StepTold {
        number,
        of: planned.len().max(number),
        name: match label.ends_with(migration.name.as_ref()) {
            true => label,
            false => format!("{label} {}", migration.name),
        },
        done,
    }
}

/// With the file that failed, and what was done before it; both are known here alone.
fn stopped(
    set: &MigrationSet,
    goal: Goal,
    done: Vec<Version>,
    error: MigrateError,
) -> MigrateError {
    if set.kind == SetKind::Own {
        return error;
    }
    let undoing = matches!(goal, Goal::DownOne | Goal::DownTo(_));
    let failed = error.version().and_then(|version| set.find(version));
    let file = failed.map(|migration| match undoing {
        true => migration.files.down.clone(),
        false => migration.files.up.clone(),
    });
    let file = file.filter(|file| !file.is_empty());
    if file.is_none() && done.is_empty() {
        return error;
    }
    MigrateError::Stopped {
        file,
        done,
        undoing,
        error: Box::new(error),
    }
}

/// What is refused before the first step.
async fn check(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
) -> Result<(), MigrateError> {
    history::check_goal(set, goal)?;
    let to = match goal {
        Goal::UpToLast => None,
        Goal::UpTo(to) => Some(to),
        Goal::Just(_) | Goal::DownOne | Goal::DownTo(_) => return Ok(()),
    };
    let applied = patiently!(database.applied(set)).unwrap_or_default();
    history::check_order(set, &applied, goal)?;
    history::check_texts(set, &applied, to)?;
    refuse_tables_in_the_way(database, set, goal).await
}

/// The steps that [`reach`] would take, in order. Changes nothing.
pub(super) async fn steps<'s>(
    database: &mut impl Database,
    set: &'s MigrationSet,
    goal: Goal,
) -> Result<Vec<(&'s Migration, Way)>, MigrateError> {
    check(database, set, goal).await?;
    planned(database, set, goal).await
}

async fn planned<'s>(
    database: &mut impl Database,
    set: &'s MigrationSet,
    goal: Goal,
) -> Result<Vec<(&'s Migration, Way)>, MigrateError> {
    let mut applied = patiently!(database.applied(set)).unwrap_or_default();
    let mut steps = Vec::new();
    while let Some(step) = history::next_step(set, &applied, goal)? {
        let (migration, way) = (step.migration, step.progress.way);
        steps.push((migration, way));
        applied.retain(|row| row.version != migration.version);
        if way == Way::Up {
            let order = applied
                .iter()
                .map(|row| row.order)
                .max()
                .unwrap_or_default()
                + 1;
            applied.push(Applied::now(migration, order));
            applied.sort_by_key(|row| row.version);
        }
        if goal == Goal::DownOne {
            break;
        }
    }
    Ok(steps)
}

/// Whether what is pending up to `to` can be applied.
pub(super) async fn check_texts(
    database: &mut impl Database,
    set: &MigrationSet,
    to: Option<Version>,
) -> Result<(), MigrateError> {
    let applied = patiently!(database.applied(set)).unwrap_or_default();
    history::check_texts(set, &applied, to)
}

/// Writes migrations down as applied, under the migrators' lock.
pub(super) async fn adopt(
    database: &mut PgDatabase<'_>,
    set: &MigrationSet,
    migrations: &[&Migration],
) -> Result<(), MigrateError> {
    if patiently!(database.applied(set)).is_none() {
        patiently!(database.make_history(set));
    }
    patiently!(database.adopt(set, migrations));
    Ok(())
}

/// What is applied and what is not.
pub(super) async fn status(
    database: &mut impl Database,
    set: &MigrationSet,
) -> Result<Vec<MigrationStatus>, MigrateError> {
    let applied = patiently!(database.applied(set));
    Ok(history::statuses(set, &applied.unwrap_or_default()))
}

async fn patient_step(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
) -> Result<Option<Version>, MigrateError> {
    Ok(patiently!(one_attempt(database, set, goal)))
}

/// Said before the first migration, not after half of them.
async fn refuse_tables_in_the_way(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
) -> Result<(), MigrateError> {
    let to = match goal {
        Goal::UpToLast => None,
        Goal::UpTo(to) => Some(to),
        Goal::Just(_) | Goal::DownOne | Goal::DownTo(_) => return Ok(()),
    };
    let tables = patiently!(database.tables_in_the_way(set, to));
    if tables.is_empty() {
        Ok(())
    } else {
        Err(MigrateError::TablesExist { tables })
    }
}

/// What to wait after the attempt of this number, from 0.
pub(super) fn pause_after(attempt: u32) -> Duration {
    LOCK_PAUSE
        .saturating_mul(2_u32.saturating_pow(attempt))
        .min(LOCK_PAUSE_MAX)
}

async fn one_attempt(
    database: &mut impl Database,
    set: &MigrationSet,
    goal: Goal,
) -> Result<Option<Version>, Failure> {
    if database.applied(set).await?.is_none() {
        match goal {
            Goal::UpToLast | Goal::UpTo(_) | Goal::Just(_) => database.make_history(set).await?,
            Goal::DownOne | Goal::DownTo(_) => return Ok(None),
        }
    }
    database.step(set, goal).await
}
