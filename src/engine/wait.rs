//! Waits until transactions have ended that were open at a moment. After that, no transaction still
//! acts on the state that a key had before. Owns the time limit and the names that are reported.

use std::time::Duration;

use super::error::EngineError;
use super::events::{Event, EventSink};
use super::stop::Stop;
use crate::store::{OpenTransaction, Store};

/// The pause between two looks at the open transactions.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many transactions a message names; it gives the number of the others.
const NAMED_MAX: usize = 5;

/// A wait with its limit and where it is reported.
pub struct Waiting<'a> {
    /// The database.
    pub store: &'a dyn Store,
    /// Where the wait is reported.
    pub events: &'a dyn EventSink,
    /// The request to stop.
    pub stop: &'a Stop,
    /// How long to wait before giving up.
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

    /// Waits until these transactions have ended.
    pub(super) async fn until_gone(
        &self,
        before: &mut Vec<OpenTransaction>,
    ) -> Result<(), EngineError> {
        let begun = self.stop.clock().now();
        while !before.is_empty() {
            let now = self.store.open_transactions().await?;
            before.retain(|one| now.iter().any(|other| other.id == one.id));
            if before.is_empty() {
                self.events.emit(Event::GoingOn);
                break;
            }
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
            }
            let who = names(before.iter().map(|one| one.who.as_str()));
            if self.stop.clock().since(begun) >= self.patience {
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

/// Names those who are waited for in a message, at most [`NAMED_MAX`] of them.
pub(super) fn names<'a>(who: impl ExactSizeIterator<Item = &'a str>) -> String {
    let all = who.len();
    let mut names = who.take(NAMED_MAX).collect::<Vec<_>>().join("; ");
    if all > NAMED_MAX {
        names.push_str(&format!("; {} more", all - NAMED_MAX));
    }
    names
}
