//! The request to stop: a signal sets it, and the workers check it between batches. Owns no signal
//! handler.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// The request to stop, shared by all workers; cheap to clone.
#[derive(Clone)]
pub struct Stop {
    requested: watch::Receiver<bool>,
    // Keeps the channel open: without a sender, `sleep` would return at once.
    sender: Arc<watch::Sender<bool>>,
}

impl Default for Stop {
    fn default() -> Self {
        let (sender, requested) = watch::channel(false);
        Self {
            requested,
            sender: Arc::new(sender),
        }
    }
}

impl Stop {
    /// Asks all workers to stop after their present batch.
    pub fn request(&self) {
        self.sender.send_replace(true);
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Sleeps for `time`, or until a stop is requested.
    pub async fn sleep(&self, time: Duration) {
        let mut requested = self.requested.clone();
        let _ = tokio::time::timeout(time, requested.wait_for(|request| *request)).await;
    }
}
