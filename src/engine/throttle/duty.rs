//! Which share of the time a run works while an application is active, and when it rests.
//! Owns the rule, as pure functions of measured times, and the plan of resting slices.
//!
//! The signal is paired, so that no threshold in milliseconds has to be guessed: a probe (a small
//! transaction) is timed while the run works and while it rests, and only the ratio counts. What
//! changes with the time of day is in both.

use std::collections::VecDeque;
use std::time::Duration;

/// By how much the run may lengthen the mean small transaction, as a share of it. Measured on two
/// cores (docs/decisions/0030): at 0.04 the 99th percentile stays within its noise.
const ALLOWED: f64 = 0.04;
/// Up to this slowdown the run works all the time: the tail of the application is within 1.2 ×
/// even if every transaction meets a batch.
const HARMLESS: f64 = 0.06;
/// The share before anything was measured.
pub(super) const FIRST: f64 = 0.02;
/// The run never works less, so that it makes progress.
const LEAST: f64 = 0.01;
/// How many samples of each kind are kept.
const KEPT: usize = 60;
/// How many samples of each kind say something.
const ENOUGH: usize = 20;
/// A sample counts as at most this many times the median of the samples at rest, so that one stall
/// of the disk does not decide.
const OUTLIER: f64 = 10.0;
/// How much the share may grow from one decision to the next.
const GROWTH: f64 = 1.25;

/// The times of the probe.
#[derive(Debug, Default)]
pub(super) struct Samples {
    working: VecDeque<f64>,
    resting: VecDeque<f64>,
}

impl Samples {
    /// Adds the time of a probe.
    pub(super) fn add(&mut self, took: Duration, while_working: bool) {
        let kept = match while_working {
            true => &mut self.working,
            false => &mut self.resting,
        };
        kept.push_back(took.as_secs_f64());
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }

    /// By how much a probe takes longer while the run works, as a share: 0.5 for half as long again.
    /// `None` while there are too few samples.
    pub(super) fn slowdown(&self) -> Option<f64> {
        if self.working.len() < ENOUGH || self.resting.len() < ENOUGH {
            return None;
        }
        let limit = median(&self.resting) * OUTLIER;
        let resting = mean(&self.resting, limit);
        (resting > 0.0).then(|| mean(&self.working, limit) / resting - 1.0)
    }
}

#[allow(clippy::cast_precision_loss, reason = "at most KEPT samples")]
fn mean(samples: &VecDeque<f64>, limit: f64) -> f64 {
    samples.iter().map(|sample| sample.min(limit)).sum::<f64>() / samples.len().max(1) as f64
}

fn median(samples: &VecDeque<f64>) -> f64 {
    let mut sorted: Vec<f64> = samples.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The share of the time in which the run works next, from the present share and the slowdown that
/// a transaction meets while it works. Of all transactions, about that share meets a batch, so the
/// mean grows by the product of both.
pub(super) fn next(now: f64, slowdown: Option<f64>) -> f64 {
    let wanted = match slowdown {
        None => FIRST,
        Some(slowdown) if slowdown <= HARMLESS => 1.0,
        Some(slowdown) => ALLOWED / (slowdown - HARMLESS),
    };
    wanted.clamp(LEAST, 1.0).min((now * GROWTH).max(FIRST))
}

/// How long to rest after work of this length.
pub(super) fn rest_after(work: Duration, duty: f64) -> Duration {
    let rest = work.as_secs_f64() * (1.0 - duty) / duty.max(LEAST);
    Duration::from_secs_f64(rest.clamp(0.0, LONGEST_REST))
}

/// A rest is no longer than this, in seconds: after one long window the run goes on soon.
const LONGEST_REST: f64 = 5.0;

/// A period of the database's clock, in microseconds: work, then a slice in which all processes rest
/// and the probe is timed without them.
const PERIOD: i64 = 10_000_000;
/// The slice of rest at the end of each period.
const SLICE: i64 = 1_500_000;
/// Every sixth slice is longer, since work goes on after its end: checkpoints, vacuum.
const LONG_SLICE: i64 = 4_000_000;
const LONG_EVERY: i64 = 6;
/// What is measured sooner after the last batch is not counted as rest.
const SETTLES: i64 = 200_000;

/// How long the slice of rest goes on that this moment of the database's clock is in; `None` while
/// runs may work.
pub(super) fn resting_for(micros: i64) -> Option<Duration> {
    let (period, within) = (micros.div_euclid(PERIOD), micros.rem_euclid(PERIOD));
    let slice = match period.rem_euclid(LONG_EVERY) {
        0 => LONG_SLICE,
        _ => SLICE,
    };
    (within >= PERIOD - slice)
        .then(|| Duration::from_micros(u64::try_from(PERIOD - within).unwrap_or_default()))
}

/// Whether a probe at this moment is timed at rest: in a slice of rest, not at its beginning.
pub(super) fn is_at_rest(micros: i64) -> bool {
    resting_for(micros).is_some() && resting_for(micros - SETTLES).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_follows_from_the_slowdown() {
        // From a share that allows any growth.
        for (slowdown, share) in [
            (None, 0.02),
            (Some(-0.3), 1.0),
            (Some(0.0), 1.0),
            (Some(0.06), 1.0),
            (Some(0.10), 1.0),
            (Some(0.16), 0.4),
            (Some(0.46), 0.1),
            (Some(1.06), 0.04),
            (Some(2.06), 0.02),
            (Some(4.06), 0.01),
            (Some(100.0), 0.01),
            (Some(f64::INFINITY), 0.01),
        ] {
            let next = next(1.0, slowdown);
            assert!((next - share).abs() < 1e-9, "{slowdown:?}: {next}");
        }
    }

    #[test]
    fn the_share_falls_at_once_and_grows_step_by_step() {
        assert!((next(1.0, Some(2.06)) - 0.02).abs() < 1e-9);
        let mut share = FIRST;
        for _ in 0..4 {
            let grown = next(share, Some(0.0));
            assert!((grown / share - GROWTH).abs() < 1e-9, "{share} {grown}");
            share = grown;
        }
        assert!(next(LEAST, Some(0.0)) >= FIRST);
    }

    #[test]
    fn the_slowdown_compares_means_and_bears_a_stall() {
        let mut samples = Samples::default();
        let ms = Duration::from_millis;
        for _ in 0..ENOUGH {
            samples.add(ms(2), false);
            assert_eq!(samples.slowdown(), None);
        }
        for _ in 0..ENOUGH {
            samples.add(ms(3), true);
        }
        let half = samples.slowdown().unwrap();
        assert!((half - 0.5).abs() < 1e-9, "{half}");
        // One probe in sixty that took two seconds counts as twenty milliseconds.
        for _ in 0..KEPT - 1 {
            samples.add(ms(3), true);
        }
        samples.add(ms(2000), true);
        let stalled = samples.slowdown().unwrap();
        assert!(stalled > 0.5 && stalled < 0.7, "{stalled}");
    }

    #[test]
    fn rests_keep_the_share_and_end() {
        let ms = Duration::from_millis;
        assert_eq!(rest_after(ms(10), 1.0), Duration::ZERO);
        assert_eq!(rest_after(ms(10), 0.5), ms(10));
        assert_eq!(rest_after(ms(10), 0.02), ms(490));
        assert_eq!(rest_after(ms(60_000), 0.01), ms(5000));
    }

    #[test]
    fn all_processes_rest_in_the_same_slices_and_some_are_long() {
        assert_eq!(resting_for(PERIOD + 5_000_000), None);
        let rest = resting_for(PERIOD + 9_000_000).unwrap();
        assert_eq!(rest, Duration::from_secs(1));
        assert_eq!(resting_for(PERIOD + 7_000_000), None);
        assert!(resting_for(LONG_EVERY * PERIOD + 7_000_000).is_some());
        assert!(!is_at_rest(PERIOD + 8_600_000));
        assert!(is_at_rest(PERIOD + 8_800_000));
        // At least a twentieth of the time is rest.
        let rests = (0..LONG_EVERY * 100)
            .filter(|tenth| resting_for(tenth * PERIOD / 100).is_some())
            .count();
        assert!((30..=150).contains(&rests), "{rests}");
    }
}
