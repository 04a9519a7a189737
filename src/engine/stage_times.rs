//! How long a range was read, sealed and written; these times overlap. Owns the sums, which are
//! logged once for each range at debug level. The log holds numbers only.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// The time spent in each stage of one range, in microseconds.
#[derive(Default)]
pub struct StageTimes {
    reading: AtomicU64,
    sealing: AtomicU64,
    writing: AtomicU64,
}

/// A stage of the pipeline.
#[derive(Clone, Copy)]
pub enum Stage {
    /// Waiting for a window from the server.
    Reading,
    /// The step, and the calls around it.
    Sealing,
    /// A batch, from BEGIN to the answer to COMMIT.
    Writing,
}

impl StageTimes {
    /// Awaits `work` and adds its time to a stage.
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

    /// Logs the times.
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
