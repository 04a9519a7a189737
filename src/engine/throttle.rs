//! The seam for pacing: something that may delay a run's reads for the sake of the application.
//! Owns the trait and the throttle that never delays. Measures nothing itself.

use async_trait::async_trait;

/// Delays the reads of a run.
///
/// [`super::pages::Pages`] asks before each window, so every step, the sweep, verify and the samples
/// of `plan` respect it. Rows that are read one by one, because of their size or because they are
/// locked, belong to a window that was admitted. Not asked: `bench`, which measures reads at full
/// speed; rows that are read by their keys because they break a constraint; counts and searches by
/// the server alone.
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Returns when the next window may be read. Must return at once after a request to stop.
    async fn admit(&self);
}

/// Admits every window at once.
pub struct Unthrottled;

#[async_trait]
impl Throttle for Unthrottled {
    async fn admit(&self) {}
}
