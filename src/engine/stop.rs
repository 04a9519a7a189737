//! The wish to stop: set by a signal, looked at between batches.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// Shared by everything that works; cheap to clone.
#[derive(Clone)]
pub struct Stop {
    wished: watch::Receiver<bool>,
    // Kept so that a run without a signal handler does not look stopped.
    sender: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        let (sender, wished) = watch::channel(false);
        Self {
            wished,
            sender: Arc::new(sender),
        }
    }
}

impl Stop {
    /// Asks everybody to stop after the batch at hand.
    pub fn wish(&self) {
        self.sender.send_replace(true);
    }

    /// Whether somebody asked.
    pub fn is_wished(&self) -> bool {
        *self.wished.borrow()
    }

    /// Sleeps, but not past the wish to stop.
    pub async fn sleep(&self, time: Duration) {
        let mut wished = self.wished.clone();
        let _ = tokio::time::timeout(time, wished.wait_for(|wish| *wish)).await;
    }
}
