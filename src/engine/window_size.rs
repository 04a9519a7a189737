//! Chooses how many rows a window looks at, so that a batch takes its target time. Owns that
//! number, not the windows.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// The window size of one worker.
pub struct WindowSize {
    rows: AtomicU32,
    far: AtomicBool,
    /// The target of the last batch, in microseconds.
    target: AtomicU64,
}

const ROWS_FIRST: u32 = 1000;
const ROWS_MIN: u32 = 50;
/// The largest window size, in rows.
pub const ROWS_MAX: u32 = 20_000;

impl Default for WindowSize {
    /// Starts with 1000 rows.
    fn default() -> Self {
        Self {
            rows: AtomicU32::new(ROWS_FIRST),
            far: AtomicBool::new(false),
            target: AtomicU64::new(0),
        }
    }
}

impl WindowSize {
    /// The size of the next window, in rows.
    pub fn rows(&self) -> u32 {
        self.rows.load(Ordering::Relaxed)
    }

    /// The size of the next window, in rows, for a batch that should take `target`. If that is less
    /// than it was, the size falls at once as well.
    pub fn rows_for(&self, target: Duration) -> u32 {
        let micros = u64::try_from(target.as_micros()).unwrap_or(u64::MAX);
        let before = self.target.swap(micros, Ordering::Relaxed);
        if before > micros {
            let rows = u64::from(self.rows()) * micros / before;
            let rows = u32::try_from(rows).unwrap_or(ROWS_MAX).max(ROWS_MIN);
            self.rows.store(rows, Ordering::Relaxed);
        }
        self.rows()
    }

    /// Whether the last batch spent more than a fifth of its time on the network.
    pub fn is_far(&self) -> bool {
        self.far.load(Ordering::Relaxed)
    }

    /// Notes that a batch took `in_all`, of which its messages spent `way` on the network.
    pub fn on_the_way(&self, way: Duration, in_all: Duration) {
        self.far.store(way > in_all / 5, Ordering::Relaxed);
    }

    /// Notes that the server worked for `elapsed` on a batch of `rows` rows that should take `target`. The size grows at most
    /// fourfold and shrinks at most to half, so that one odd batch does not spoil the next.
    pub fn took(&self, rows: u32, elapsed: Duration, target: Duration) {
        let now = f64::from(self.rows());
        let factor = target.as_secs_f64() / elapsed.as_secs_f64().max(0.000_1);
        let next = (f64::from(rows) * factor).clamp(now * 0.5, now * 4.0);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to the range of window sizes just before"
        )]
        let next = next.clamp(f64::from(ROWS_MIN), f64::from(ROWS_MAX)) as u32;
        self.rows.store(next, Ordering::Relaxed);
    }

    /// Halves the size after a page had to be read again.
    pub fn slower(&self) {
        self.rows
            .store((self.rows() / 2).max(ROWS_MIN), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(250);

    #[test]
    fn pace_settles_where_a_batch_takes_its_target_time() {
        let window_size = WindowSize::default();
        for _ in 0..20 {
            // 20 microseconds a row.
            window_size.took(
                window_size.rows(),
                Duration::from_micros(20) * window_size.rows(),
                TARGET,
            );
        }
        assert!(
            (12_000..=13_000).contains(&window_size.rows()),
            "{}",
            window_size.rows()
        );
    }

    #[test]
    fn pace_stays_within_its_bounds() {
        let window_size = WindowSize::default();
        for _ in 0..20 {
            window_size.took(window_size.rows(), Duration::from_secs(60), TARGET);
        }
        assert_eq!(window_size.rows(), ROWS_MIN);
        for _ in 0..20 {
            window_size.took(window_size.rows(), Duration::ZERO, TARGET);
        }
        assert_eq!(window_size.rows(), ROWS_MAX);
        window_size.slower();
        assert_eq!(window_size.rows(), ROWS_MAX / 2);
    }

    #[test]
    fn a_shorter_target_makes_the_next_window_smaller_at_once() {
        let window_size = WindowSize::default();
        assert_eq!(window_size.rows_for(TARGET), ROWS_FIRST);
        assert_eq!(window_size.rows_for(TARGET / 5), ROWS_FIRST / 5);
        assert_eq!(window_size.rows_for(TARGET), ROWS_FIRST / 5);
        assert_eq!(window_size.rows_for(TARGET / 250), ROWS_MIN);
    }
}
