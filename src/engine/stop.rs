//! The request to stop: a signal sets it, and the workers check it between batches. Also holds the
//! clock of whatever may be stopped. Owns no signal handler.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::clock::{Clock, RealClock};

/// The request to stop, shared by all workers; cheap to clone.
#[derive(Clone)]
pub struct Stop {
    requested: watch::Receiver<bool>,
    // Keeps the channel open: without a sender, `sleep` would return at once.
    sender: Arc<watch::Sender<bool>>,
    clock: Arc<dyn Clock>,
}

impl Default for Stop {
    fn default() -> Self {
        Self::with_clock(Arc::new(RealClock))
    }
}

impl Stop {
    /// No request yet; waits go by this clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        let (sender, requested) = watch::channel(false);
        Self {
            requested,
            sender: Arc::new(sender),
            clock,
        }
    }

    /// The clock by which waits and times are measured.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Asks all workers to stop after their present batch.
    pub fn request(&self) {
        self.sender.send_replace(true);
    }

    /// Whether a stop was requested.
    pub fn is_requested(&self) -> bool {
        *self.requested.borrow()
    }

    /// Returns once a stop is requested.
    pub async fn requested(&self) {
        let mut requested = self.requested.clone();
        let _ = requested.wait_for(|request| *request).await;
    }

    /// Sleeps for `time`, or until a stop is requested.
    pub async fn sleep(&self, time: Duration) {
        tokio::select! {
            biased;
            () = self.requested() => {}
            () = self.clock.sleep(time) => {}
        }
    }
}
