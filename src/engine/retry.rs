//! Patience: how long a failing round trip is repeated, and with which pauses. Owns the pauses; the
//! error itself says whether a retry helps. Pauses double from 50 ms to 5 s, with jitter, so that
//! lanes do not retry all at once.

use std::sync::Arc;
use std::time::Duration;

use super::clock::{Clock, RealClock};
use super::context::RunContext;
use super::error::EngineError;
use super::events::{Event, EventSink};
use super::stop::Stop;
use crate::store::{Next, StoreError};

/// The pauses of one round trip that keeps failing.
pub struct Patience {
    clock: Arc<dyn Clock>,
    since: Option<Duration>,
    pause: Duration,
    limit: Duration,
}

const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(5);
/// If the disk is full for longer than this, a person must act, and waiting only delays the
/// message.
const DISK_FULL: Duration = Duration::from_secs(20);

impl Patience {
    /// Starts with a patience of `limit`, counted from the first failure, by the system's clock.
    pub fn new(limit: Duration) -> Self {
        Self::by(&(Arc::new(RealClock) as Arc<dyn Clock>), limit)
    }

    /// The same by another clock.
    pub fn by(clock: &Arc<dyn Clock>, limit: Duration) -> Self {
        Self {
            clock: Arc::clone(clock),
            since: None,
            pause: FIRST,
            limit,
        }
    }

    /// The pause before the next attempt after this failure; `None` once patience is over.
    pub fn after(&mut self, error: &StoreError) -> Option<Duration> {
        let since = *self.since.get_or_insert_with(|| self.clock.now());
        let limit = match error {
            StoreError::DiskFull => self.limit.min(DISK_FULL),
            _ => self.limit,
        };
        if self.clock.since(since) >= limit {
            return None;
        }
        let pause = self.pause;
        self.pause = (self.pause * 2).min(LONGEST);
        Some(pause.mul_f64(0.5 + jitter() / 2.0))
    }

    /// Waits before a failed round trip is repeated, and emits an event.
    ///
    /// # Errors
    /// The failure itself if a retry does not help or patience is over;
    /// [`EngineError::Interrupted`] if a stop was requested.
    pub async fn wait(&mut self, ctx: &RunContext, error: StoreError) -> Result<(), EngineError> {
        self.pause(&ctx.stop, ctx.events.as_ref(), error).await
    }

    /// The same where there is no run.
    ///
    /// # Errors
    /// As [`Patience::wait`].
    pub async fn pause(
        &mut self,
        stop: &Stop,
        events: &dyn EventSink,
        error: StoreError,
    ) -> Result<(), EngineError> {
        if matches!(error.next(), Next::Stop | Next::Bisect) {
            return Err(error.into());
        }
        if stop.is_requested() {
            return Err(EngineError::interrupted());
        }
        let Some(pause) = self.after(&error) else {
            return Err(error.into());
        };
        events.emit(Event::Waiting {
            why: error.to_string(),
        });
        stop.sleep(pause).await;
        Ok(())
    }

    /// Starts again after a success.
    pub fn renew(&mut self) {
        self.since = None;
        self.pause = FIRST;
    }
}

/// A random number from 0 to 1; one half if the operating system gives none.
fn jitter() -> f64 {
    let mut byte = [128u8];
    let _ = getrandom::fill(&mut byte);
    f64::from(byte[0]) / 255.0
}

#[cfg(test)]
mod tests {
    use super::super::clock::TestClock;
    use super::super::events::NoEvents;
    use super::*;

    fn stop() -> Stop {
        Stop::with_clock(Arc::new(TestClock::default()))
    }

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

    /// How long a round trip is repeated that always fails with this error.
    async fn patient_for(limit: Duration, error: StoreError) -> Duration {
        let stop = stop();
        let mut patience = Patience::by(stop.clock(), limit);
        while patience
            .pause(&stop, &NoEvents, error.clone())
            .await
            .is_ok()
        {}
        stop.clock().now()
    }

    #[tokio::test]
    async fn patience_is_over_after_its_limit_and_sooner_if_the_disk_is_full() {
        let minutes = Duration::from_secs(120);
        let lost = patient_for(minutes, StoreError::ConnectionLost).await;
        assert!(lost >= minutes && lost < minutes + LONGEST, "{lost:?}");
        let full = patient_for(minutes, StoreError::DiskFull).await;
        assert!(full >= DISK_FULL && full < DISK_FULL + LONGEST, "{full:?}");
        let short = patient_for(DISK_FULL / 10, StoreError::DiskFull).await;
        assert!(short < DISK_FULL / 2, "{short:?}");
    }

    #[tokio::test]
    async fn a_request_to_stop_ends_patience_at_once() {
        let stop = stop();
        stop.request();
        let mut patience = Patience::by(stop.clock(), Duration::from_secs(120));
        let ended = patience
            .pause(&stop, &NoEvents, StoreError::ConnectionLost)
            .await;
        assert!(matches!(ended, Err(EngineError::Interrupted { .. })));
        stop.sleep(LONGEST).await;
        assert_eq!(stop.clock().now(), Duration::ZERO);
    }
}
