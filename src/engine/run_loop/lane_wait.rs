//! Waiting for lanes that other workers hold. Owns how long that may take.

use std::collections::HashMap;
use std::time::Duration;

use crate::engine::context::RunContext;
use crate::engine::error::EngineError;
use crate::engine::events::Event;
use crate::run::holder;
use crate::store::LaneRecord;

/// Waiting for lanes that other workers hold.
#[derive(Default)]
pub(super) struct LaneWait {
    since: Option<Duration>,
    leases: HashMap<i32, f64>,
}

impl LaneWait {
    /// Waits half a second. If this process got no lane at all, fails with
    /// [`EngineError::LanesHeld`] once a holder renews its lease, or the time of a lease is over.
    pub(super) async fn wait(
        &mut self,
        ctx: &RunContext,
        open: &[&LaneRecord],
        worked: bool,
    ) -> Result<(), EngineError> {
        let clock = ctx.stop.clock();
        let since = *self.since.get_or_insert_with(|| clock.now());
        let holder = open
            .iter()
            .find_map(|lane| lane.holder.as_deref())
            .map_or_else(|| "nobody".to_owned(), holder::describe);
        let renewed = open.iter().any(|lane| {
            let left = lane.lease_left_seconds.unwrap_or_default();
            self.leases
                .insert(lane.lane_no, left)
                .is_some_and(|before| left > before)
        });
        // `Catalog::end_frozen` ends a frozen holder some seconds after its lease.
        let lease = Duration::from_secs(u64::from(ctx.settings.lease_seconds) + 10);
        if !worked && (renewed || clock.since(since) > lease) {
            return Err(EngineError::LanesHeld {
                table: ctx.access.table.label.clone(),
                holder,
            });
        }
        ctx.events.emit(Event::Waiting {
            why: format!("the rest of the table, which {holder} works on"),
        });
        ctx.stop.sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}
