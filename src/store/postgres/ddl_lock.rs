//! How DDL waits for its lock: briefly and a bounded number of times, so that the application's
//! statements do not queue behind it.
//! Owns the number and the pauses of the attempts, what is said meanwhile, and how DDL commits.
//!
//! A transaction that holds a strong lock commits without waiting for a standby, because everybody
//! would wait for the table as long as the standby is away. The lock is given back, and then a
//! COMMIT without a lock waits in its place. A standby receives the log in order: once it has this
//! COMMIT, or any later one, it has the DDL too.

use std::time::Duration;

use super::PostgresStore;
use super::sql::{query, run, set_local};
use super::waits;
use crate::store::postgres::transaction::Transaction;
use crate::store::{Result, StoreError};

/// The number of attempts to get a lock. With the pauses between them, they last two minutes: an
/// application that always has a transaction open on the table leaves few gaps of this length.
const ATTEMPTS: u32 = 60;
/// How long an attempt waits: below the server's `deadlock_timeout` (1 s by default), so that in a
/// deadlock phiseal gives up and never the application, and short enough for whoever queues behind.
pub(super) const LOCK_WAIT: &str = "200ms";
/// The pauses between attempts double from the first to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Begins a transaction that waits for a lock only briefly, and for no standby.
pub(super) async fn begin_briefly(store: &PostgresStore) -> Result<Transaction> {
    let mut tx = store.begin().await?;
    run(
        &mut tx,
        format!(
            "SELECT pg_catalog.set_config('lock_timeout', '{LOCK_WAIT}', true); {}",
            set_local!("synchronous_commit" = "local")
        ),
    )
    .await?;
    Ok(tx)
}

/// Tries something again that waits for a lock on a table only briefly, with growing pauses.
pub(super) async fn patiently<T, F>(
    store: &PostgresStore,
    table_name: &str,
    mut once: impl FnMut() -> F,
) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let note = store.notes.open("");
    let mut pauses = pauses();
    for attempt in 1.. {
        let error = match once().await {
            Ok(done) => {
                drop(note);
                settle(store).await?;
                return Ok(done);
            }
            Err(error @ (StoreError::Locked | StoreError::Busy { .. })) => error,
            Err(error) => return Err(error),
        };
        let Some(pause) = pauses.next() else {
            return Err(error);
        };
        tracing::info!(attempt, "waiting for a lock on the table");
        note.say(waits_for(store, table_name, &error, attempt + 1).await);
        tokio::time::sleep(pause).await;
    }
    Err(StoreError::Locked)
}

/// The pauses after each attempt but the last.
fn pauses() -> impl Iterator<Item = Duration> {
    let doubled = |pause: &Duration| Some((*pause * 2).min(LONGEST_PAUSE));
    std::iter::successors(Some(FIRST_PAUSE), doubled).take(ATTEMPTS as usize - 1)
}

async fn waits_for(
    store: &PostgresStore,
    table_name: &str,
    error: &StoreError,
    attempt: u32,
) -> String {
    if !matches!(error, StoreError::Locked) {
        return format!("{error}, attempt {attempt}");
    }
    let holders = waits::holders(store, table_name).await.unwrap_or_default();
    let held = match holders.is_empty() {
        true => String::new(),
        false => format!(": {}", holders.join("; ")),
    };
    format!("a lock on {table_name}, attempt {attempt}{held}")
}

/// Waits, without a lock, until the standby has what was committed, as far as the server's settings
/// ask for that.
pub(super) async fn settle(store: &PostgresStore) -> Result<()> {
    let mut tx = store.begin().await?;
    // Only a transaction with a number of its own has a COMMIT that a standby must have.
    query("SELECT pg_current_xact_id()::text")
        .fetch_all(&mut *tx)
        .await?;
    tx.commit().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_lasts_for_about_two_minutes() {
        let waits = Duration::from_millis(200) * ATTEMPTS;
        let all = pauses().sum::<Duration>() + waits;
        assert!(all > Duration::from_secs(110), "{all:?}");
        assert!(all < Duration::from_secs(130), "{all:?}");
        assert!(pauses().max() == Some(LONGEST_PAUSE));
    }
}
