//! Finds out what became of batches: of a COMMIT without an answer, and of those that a crash of the
//! server took along. Owns that decision; the caller repeats the batch, or goes on from the lane.

use super::{BatchEnd, Committer, NotCommitted};
use crate::store::{LaneRecord, LaneTally, Next, StoreError};

impl Committer {
    /// Goes on from what the server still has of the lane. Returns what to add to the counts that
    /// were reported.
    pub fn go_back(&mut self, lane: &LaneRecord) -> LaneTally {
        self.stamp.seq = lane.seq;
        self.unknown = None;
        self.uncounted = LaneTally::default();
        let kept = lane.tally - self.at_claim;
        let correction = kept - self.reported;
        self.reported = kept;
        correction
    }

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
