//! Patience: how long a failing round trip is tried again, and with which pauses.
//! Pauses double from 50 ms to 5 s, with jitter, so that several lanes do not come back at once.

use std::time::{Duration, Instant};

use super::context::Context;
use super::error::EngineError;
use super::events::Event;
use crate::store::{Next, StoreError};

/// The pauses of one round trip that keeps failing.
pub struct Patience {
    since: Option<Instant>,
    pause: Duration,
    limit: Duration,
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);
/// Space that is not there again within this takes a person: waiting longer only delays the news.
const DISK_FULL: Duration = Duration::from_secs(20);

impl Patience {
    /// Patience of this length, counted from the first failure.
    pub fn new(limit: Duration) -> Self {
        Self {
            since: None,
            pause: FIRST,
            limit,
        }
    }

    /// The pause before the next attempt after this failure; `None` when patience is over.
    pub fn after(&mut self, error: &StoreError) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let limit = match error {
            StoreError::DiskFull => self.limit.min(DISK_FULL),
            _ => self.limit,
        };
        if since.elapsed() >= limit {
            return None;
        }
        let pause = self.pause;
        self.pause = (self.pause * 2).min(LONGEST);
        Some(pause.mul_f64(0.5 + jitter() / 2.0))
    }

    /// Waits before a round trip that failed is tried again, and says so.
    ///
    /// # Errors
    /// The failure itself where trying again does not help or patience is over;
    /// [`EngineError::Interrupted`] where a stop is wished.
    pub async fn wait(&mut self, ctx: &Context, error: StoreError) -> Result<(), EngineError> {
        if matches!(error.next(), Next::Stop | Next::Bisect) {
            return Err(error.into());
        }
        if ctx.stop.is_wished() {
            return Err(EngineError::Interrupted);
        }
        let Some(pause) = self.after(&error) else {
            return Err(error.into());
        };
        ctx.events.emit(Event::Waiting {
            why: error.to_string(),
        });
        ctx.stop.sleep(pause).await;
        Ok(())
    }

    /// Something went through.
    pub fn renew(&mut self) {
        self.since = None;
        self.pause = FIRST;
    }
}

/// A number from 0 to 1; half where the operating system gives none.
fn jitter() -> f64 {
    let mut byte = [128u8];
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_end() {
        let mut patience = Patience::new(Duration::from_secs(3600));
        let lost = StoreError::ConnectionLost;
        let first = patience.after(&lost).unwrap();
        assert!(first >= FIRST / 2 && first <= FIRST);
        let late = (0..20)
            .filter_map(|_| patience.after(&lost))
            .last()
            .unwrap();
        assert!(late >= LONGEST / 2 && late <= LONGEST);
        assert_eq!(Patience::new(Duration::ZERO).after(&lost), None);
    }

    #[test]
    fn success_renews_patience() {
        let mut patience = Patience::new(Duration::from_secs(1));
        for _ in 0..5 {
            patience.after(&StoreError::DiskFull);
        }
        patience.renew();
        assert!(patience.after(&StoreError::DiskFull).unwrap() <= FIRST);
    }
}
