//! The seam for time: by what a run measures how long something took, and how it waits.
//! Owns the trait and the real clock. [`super::Stop`] holds a run's clock, since nothing waits
//! without being stoppable. What only measures the machine does not go by it: `bench`, the samples of
//! `plan`, and the times in the log.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use async_trait::async_trait;

/// A clock that never goes back.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The time since a moment that is the same in the whole process.
    fn now(&self) -> Duration;

    /// Returns after this time.
    async fn sleep(&self, time: Duration);

    /// The time since `then`, which [`Clock::now`] returned.
    fn since(&self, then: Duration) -> Duration {
        self.now().saturating_sub(then)
    }
}

/// The clock of the system.
pub struct RealClock;

static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

#[async_trait]
impl Clock for RealClock {
    fn now(&self) -> Duration {
        BEGUN.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// A clock for tests: it stands still, and a sleep moves it on at once. Holds microseconds.
#[cfg(test)]
#[derive(Default)]
pub struct TestClock(std::sync::atomic::AtomicU64);

#[cfg(test)]
#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Duration {
        Duration::from_micros(self.0.load(std::sync::atomic::Ordering::Relaxed))
    }

    async fn sleep(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        (self.0).fetch_add(micros, std::sync::atomic::Ordering::Relaxed);
    }
}
