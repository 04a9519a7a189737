//! Finds out what a COMMIT without an answer did. Owns that decision; the caller repeats the batch.

use super::{BatchEnd, Committer, NotCommitted};
use crate::store::{Next, StoreError};

impl Committer {
    /// Decides by the lane's row, read under a lock. `None`: the transaction was not committed.
    pub(super) async fn resolve_unknown_commit(
        &mut self,
    ) -> Result<Option<BatchEnd>, NotCommitted> {
        let mut patience = self.ctx.patience();
        let lane = loop {
            match self
                .ctx
                .store
                .lane_after_commit(self.stamp.run_id, self.stamp.lane_no)
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
        let unknown = self.unknown.take();
        if lane.fence != self.stamp.fence {
            return Err(StoreError::FenceLost.into());
        }
        if lane.seq == self.stamp.seq {
            return Ok(None);
        }
        match unknown {
            Some((tally, missed)) if lane.seq == self.stamp.seq + 1 => {
                self.stamp.seq += 1;
                Ok(Some(BatchEnd::Committed(tally, missed)))
            }
            _ => Err(StoreError::FenceLost.into()),
        }
    }
}
