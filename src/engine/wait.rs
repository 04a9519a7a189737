//! Waiting for transactions that were open at a moment: whatever one of them saw of a key before its
//! state changed, nobody acts on it once they are gone. Owns the limit, and that each is named.

use std::time::{Duration, Instant};

use super::error::EngineError;
use super::events::{Event, EventSink};
use super::stop::Stop;
use crate::store::{OpenTransaction, Store};

/// Between two looks at transactions that are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Transactions that are named; of the others, how many.
const NAMED_MAX: usize = 5;

/// Who waits, and for how long.
pub struct Waiting<'a> {
    /// The database.
    pub store: &'a dyn Store,
    /// Who wants to know.
    pub events: &'a dyn EventSink,
    /// The wish to stop.
    pub stop: &'a Stop,
    /// How long a transaction may take.
    pub patience: Duration,
}

impl Waiting<'_> {
    /// Waits until every transaction that is open now has ended.
    ///
    /// # Errors
    /// [`EngineError::OldTransaction`] with those that do not end, [`EngineError::Interrupted`].
    pub async fn outlive_all(&self) -> Result<(), EngineError> {
        let mut open = self.store.open_transactions().await?;
        self.until_gone(&mut open).await
    }

    /// Waits until these are gone.
    pub(super) async fn until_gone(
        &self,
        before: &mut Vec<OpenTransaction>,
    ) -> Result<(), EngineError> {
        let begun = Instant::now();
        while !before.is_empty() {
            let now = self.store.open_transactions().await?;
            before.retain(|one| now.iter().any(|other| other.id == one.id));
            if before.is_empty() {
                self.events.emit(Event::GoingOn);
                break;
            }
            if self.stop.is_wished() {
                return Err(EngineError::Interrupted);
            }
            let who = names(before);
            if begun.elapsed() >= self.patience {
                return Err(EngineError::OldTransaction { who });
            }
            self.events.emit(Event::Waiting {
                why: format!("an older transaction: {who}"),
            });
            self.stop.sleep(LOOK_EVERY).await;
        }
        Ok(())
    }
}

/// Whose transactions they are; of very many, some.
fn names(open: &[OpenTransaction]) -> String {
    let named = open.iter().take(NAMED_MAX).map(|one| one.who.as_str());
    let mut names = named.collect::<Vec<_>>().join("; ");
    if open.len() > NAMED_MAX {
        names.push_str(&format!("; {} more", open.len() - NAMED_MAX));
    }
    names
}
