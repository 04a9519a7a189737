//! Finds out what a COMMIT without an answer did. Owns that decision; the caller repeats the batch.

use super::{BatchEnd, Committer, NotCommitted};
use crate::store::{LaneRecord, Next, StoreError};

impl Committer {
    /// Decides by the lane's row, read under a lock. `None`: the transaction was not committed.
    pub(super) async fn resolve_unknown_commit(
        &mut self,
    ) -> Result<Option<BatchEnd>, NotCommitted> {
        let lane = self.stored_lane().await?;
        let unknown = self.unknown.take();
        if lane.fence != self.stamp.fence {
            return Err(StoreError::FenceLost.into());
        }
        if self.is_behind(&lane) {
            return Err(NotCommitted::WentBack(Box::new(lane)));
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

    /// The lane, if the server crashed and lost batches of ours; `None` if another worker has it.
    pub(super) async fn went_back(&mut self) -> Result<Option<LaneRecord>, NotCommitted> {
        let lane = self.stored_lane().await?;
        Ok(Some(lane).filter(|lane| lane.fence == self.stamp.fence && self.is_behind(lane)))
    }

    /// Whether this process still has the lane, but the server has fewer of its batches than it
    /// confirmed. A standby that took over may have lost the claim as well, so the holder counts,
    /// not the fence alone.
    fn is_behind(&self, lane: &LaneRecord) -> bool {
        let ours = (lane.holder.as_deref()).is_some_and(|holder| self.ctx.process.is_ours(holder));
        ours && lane.seq < self.stamp.seq
    }

    /// The lane's row once no transaction can be changing it.
    async fn stored_lane(&mut self) -> Result<LaneRecord, NotCommitted> {
        let mut patience = self.ctx.patience();
        loop {
            match self
                .ctx
                .store
                .lane_after_commit(self.stamp.run_id, self.stamp.lane_no)
                .await
            {
                Ok(lane) => return Ok(lane),
                Err(error) if error.next() == Next::Stop => return Err(error.into()),
                Err(error) => match patience.after(&error) {
                    Some(pause) => self.ctx.stop.sleep(pause).await,
                    None => return Err(error.into()),
                },
            }
        }
    }
}
