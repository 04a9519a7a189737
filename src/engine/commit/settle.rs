//! What the database refused, and what nobody knows whether it did.

use super::super::retry::Patience;
use super::super::step::RowFault;
use super::{Committer, Failure, Load, NotCommitted, Segment, SegmentEnd};
use crate::store::{Next, StoreError};

impl Committer {
    /// The database refuses this one row: it is listed, and the others go on.
    pub(super) async fn refuse_row(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        error: &StoreError,
    ) -> Result<SegmentEnd, NotCommitted> {
        let row = &load.parcel.rows[load.positions[segment.rows.start]];
        let (sqlstate, constraint) = match error {
            StoreError::Data {
                sqlstate,
                constraint,
            } => (Some(sqlstate.clone()), constraint.clone()),
            _ => (None, None),
        };
        let fault = RowFault {
            field: None,
            reason: "the database refused the row".to_owned(),
            sqlstate,
            constraint,
        };
        let listed = self
            .ctx
            .book
            .list(self.ctx.run_id, &row.read, &row.key, &[fault]);
        let mut patience = Patience::new(self.ctx.settings.patience);
        loop {
            let error = match self.attempt(load, segment, false, Some(&listed)).await {
                Ok(end) => return Ok(end),
                Err(Failure::Stop(error)) => return Err(NotCommitted::Stop(error)),
                Err(Failure::Store(error)) => error,
            };
            if error.next() == Next::Settle
                && let Some(end) = self.settle().await?
            {
                return Ok(end);
            }
            let pause = match error.next() {
                Next::Stop | Next::Bisect | Next::Reread => None,
                Next::Again | Next::Reconnect | Next::Settle | Next::SkipLocked => {
                    patience.after(&error)
                }
            };
            let Some(pause) = pause else {
                self.ctx.book.forget(&listed);
                return Err(NotCommitted::Stop(error.into()));
            };
            self.ctx.stop.sleep(pause).await;
        }
    }

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
