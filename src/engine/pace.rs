//! Pace: how many rows a window looks at, so that a batch takes its target time.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// The window size of one lane.
pub struct Pace {
    rows: AtomicU32,
    target: Duration,
    far: AtomicBool,
}

const ROWS_FIRST: u32 = 1000;
const ROWS_MIN: u32 = 50;
/// No window looks at more rows.
pub const ROWS_MAX: u32 = 20_000;

impl Pace {
    /// A pace towards batches of this length.
    pub fn new(target: Duration) -> Self {
        Self {
            rows: AtomicU32::new(ROWS_FIRST),
            target,
            far: AtomicBool::new(false),
        }
    }

    /// Rows for the next window.
    pub fn rows(&self) -> u32 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Whether a good part of the batches' time goes by on the way to the server.
    pub fn is_far(&self) -> bool {
        self.far.load(Ordering::Relaxed)
    }

    /// Of a batch that took so long in all, messages were on the way for so long.
    pub fn on_the_way(&self, way: Duration, in_all: Duration) {
        self.far.store(way > in_all / 5, Ordering::Relaxed);
    }

    /// The server worked this long on a batch of `rows`: at most four times or half as many next time, so that
    /// one odd batch does not spoil the next.
    pub fn took(&self, rows: u32, elapsed: Duration) {
        let now = f64::from(self.rows());
        let factor = self.target.as_secs_f64() / elapsed.as_secs_f64().max(0.000_1);
        let next = (f64::from(rows) * factor).clamp(now * 0.5, now * 4.0);
        // In range by the clamp.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the range of window sizes just before"
        )]
        let next = next.clamp(f64::from(ROWS_MIN), f64::from(ROWS_MAX)) as u32;
        self.rows.store(next, Ordering::Relaxed);
    }

    /// A batch failed for want of something: half as many.
    pub fn slower(&self) {
        self.rows
            .store((self.rows() / 2).max(ROWS_MIN), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_settles_where_a_batch_takes_its_target_time() {
        let pace = Pace::new(Duration::from_millis(250));
        for _ in 0..20 {
            // 20 microseconds a row.
            pace.took(pace.rows(), Duration::from_micros(20) * pace.rows());
        }
        assert!((12_000..=13_000).contains(&pace.rows()), "{}", pace.rows());
    }

    #[test]
    fn pace_stays_within_its_bounds() {
        let pace = Pace::new(Duration::from_millis(250));
        for _ in 0..20 {
            pace.took(pace.rows(), Duration::from_secs(60));
        }
        assert_eq!(pace.rows(), ROWS_MIN);
        for _ in 0..20 {
            pace.took(pace.rows(), Duration::ZERO);
        }
        assert_eq!(pace.rows(), ROWS_MAX);
        pace.slower();
        assert_eq!(pace.rows(), ROWS_MAX / 2);
    }
}
