//! The throttle of a run: what delays its reads for the sake of the application and the server.
//! Owns the trait, and the throttle that never delays. `pacer.rs` has the one of runs: `observer.rs`
//! watches the server, `wanted.rs` what the
//! operator asked for, `stops.rs` says what else stops a run, `duty.rs` which share of the time it works,
//! `activity.rs` whether anybody else is active.

mod activity;
mod duty;
mod observer;
mod pacer;
mod stops;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use observer::{LOOK_EVERY, LOOK_SELDOM, Observer};
pub use pacer::Pacer;

/// Delays the reads of a run.
///
/// [`super::pages::Pages`] asks before each window, so every step, the sweep, verify and the samples
/// of `plan` respect it. Rows that are read one by one, because of their size or because they are
/// locked, belong to a window that was admitted. Not asked: `bench`, which measures reads at full
/// speed; rows that are read by their keys because they break a constraint; counts and searches by
/// the server alone.
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Returns when the next window may be read. What it returns is kept until the rows of the window
    /// are committed: while a run rests between windows, the next one is not admitted before. Must
    /// return at once after a request to stop.
    async fn admit(&self) -> Admission;

    /// How long a batch should take, if the plan wants `target`.
    fn batch_target(&self, target: Duration) -> Duration {
        target
    }

    /// The most rows that a window may hold.
    fn window_rows_max(&self) -> u32 {
        u32::MAX
    }

    /// The run has ended.
    async fn end(&self) {}
}

/// A window that was admitted. Its work ends when the last clone is dropped.
#[derive(Clone, Default)]
pub struct Admission(Option<Arc<dyn Work>>);

/// The work on a window, which ends when this is dropped.
trait Work: Send + Sync {
    /// Notes that the window holds rows.
    fn rows(&self, rows: u64);
}

impl Admission {
    /// Notes how many rows the window holds.
    pub fn rows(&self, rows: usize) {
        if let Some(work) = &self.0 {
            work.rows(rows as u64);
        }
    }
}

/// Admits every window at once.
pub struct Unthrottled;

#[async_trait]
impl Throttle for Unthrottled {
    async fn admit(&self) -> Admission {
        Admission::default()
    }
}
