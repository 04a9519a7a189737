//! What nobody knows whether the database did it.

use super::super::retry::Patience;
use super::{Committer, NotCommitted, SegmentEnd};
use crate::store::{Next, StoreError};

impl Committer {
    /// Decides what an unknown COMMIT did, by the lane row read under a lock.
    pub(super) async fn settle(&mut self) -> Result<Option<SegmentEnd>, NotCommitted> {
        let mut patience = Patience::new(self.ctx.settings.patience);
        let lane = loop {
            match self
                .ctx
                .store
                .settle_lane(self.stamp.run_id, self.stamp.lane_no)
                .await
            {
                Ok(lane) => break lane,
                Err(error) if error.next() == Next::Stop => return Err(error.into()),
                Err(error) => match patience.after(&error) {
                    Some(pause) => self.ctx.stop.sleep(pause).await,
                    None => return Err(error.into()),
                },
            }
        };
        let unsettled = self.unsettled.take();
        if lane.fence != self.stamp.fence {
            return Err(StoreError::FenceLost.into());
        }
        if lane.seq == self.stamp.seq {
            return Ok(None);
        }
        match unsettled {
            Some((tally, missed)) if lane.seq == self.stamp.seq + 1 => {
                self.stamp.seq += 1;
                Ok(Some(SegmentEnd::Committed(tally, missed)))
            }
            _ => Err(StoreError::FenceLost.into()),
        }
    }
}
