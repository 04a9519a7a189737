//! Where the time of a range goes: how long it was read, sealed and written, which overlap.
//! Said once a range, at level debug; it holds numbers only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Times of the stages of one range, in microseconds.
#[derive(Default)]
pub struct Clock {
    reading: AtomicU64,
    sealing: AtomicU64,
    writing: AtomicU64,
}

/// A stage.
#[derive(Clone, Copy)]
pub enum Stage {
    /// A window on its way from the server.
    Reading,
    /// The step, and what stands around it.
    Sealing,
    /// A batch, from BEGIN to the answer to COMMIT.
    Writing,
}

impl Clock {
    /// Adds what some work took.
    pub async fn time<T>(&self, stage: Stage, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let done = work.await;
        let micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let sum = match stage {
            Stage::Reading => &self.reading,
            Stage::Sealing => &self.sealing,
            Stage::Writing => &self.writing,
        };
        sum.fetch_add(micros, Ordering::Relaxed);
        done
    }

    /// Says so.
    pub fn say(&self) {
        let ms = |sum: &AtomicU64| sum.load(Ordering::Relaxed) / 1000;
        tracing::debug!(
            reading_ms = ms(&self.reading),
            sealing_ms = ms(&self.sealing),
            writing_ms = ms(&self.writing),
            "where the time of a range went"
        );
    }
}
