//! Rows that the database refuses, or that a trigger passes over: they are listed, and the others go on.
//! Owns what is listed of them, and that a table which refuses every row alike is not listed as a whole.

use super::super::alike::{Cause, Refusals};
use super::super::conduct::all_refused;
use super::super::parcel::Parcel;
use super::super::retry::Patience;
use super::super::step::RowFault;
use super::{Alone, Committed, Committer, Failure, Load, NotCommitted, Segment, SegmentEnd};
use crate::store::{NewQuarantine, Next, StoreError, Written};

/// A trigger that returns NULL, or says RAISE(IGNORE), leaves no other trace.
const SKIPPED: &str = "a trigger of the table passes over the update of the row";

impl Committer {
    /// The database refuses this one row: it is listed, and the others go on.
    pub(super) async fn refuse_row(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        error: &StoreError,
    ) -> Result<SegmentEnd, NotCommitted> {
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
        self.list_row(load, segment, fault).await
    }

    /// Lists the one row of a segment instead of writing it.
    async fn list_row(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        fault: RowFault,
    ) -> Result<SegmentEnd, NotCommitted> {
        let row = &load.parcel.rows[load.positions[segment.rows.start]];
        let cause = cause_of(&fault);
        let listed = self
            .ctx
            .book
            .list(self.ctx.run_id, &row.read, &row.key, &[fault]);
        let mut patience = Patience::new(self.ctx.settings.patience);
        let end = loop {
            let error = match self.attempt(load, segment, false, Some(&listed)).await {
                Ok(end) => break end,
                Err(Failure::Stop(error)) => return Err(NotCommitted::Stop(error)),
                Err(Failure::Store(error)) => error,
            };
            if error.next() == Next::Settle
                && let Some(end) = self.settle().await?
            {
                break end;
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
        };
        let tag = self.ctx.book.tag(&row.key);
        self.stop_if_alike(self.ctx.alike.refused(&cause, tag))
            .await?;
        Ok(end)
    }

    /// The same of a row that was locked and read by itself.
    pub(super) async fn list_alone(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        error: Option<&StoreError>,
    ) -> Result<Alone, Failure> {
        let ended = match error {
            Some(error) => self.refuse_row(load, segment, error).await,
            None => {
                let fault = RowFault::row(SKIPPED);
                self.list_row(load, segment, fault).await
            }
        };
        match ended {
            Ok(SegmentEnd::Committed(tally, _)) => Ok(Alone::Written(Committed {
                tally,
                ..Committed::default()
            })),
            Ok(SegmentEnd::Split) | Err(NotCommitted::ReadAgain) => Ok(Alone::NotNow),
            Err(NotCommitted::Stop(error)) => Err(Failure::Stop(error)),
        }
    }

    /// What is to be listed of rows that a trigger passed over; they are known from now on.
    pub(super) fn list_skipped(
        &self,
        load: &Load<'_>,
        segment: &Segment,
        written: &Written,
    ) -> Vec<NewQuarantine> {
        (written.skipped.iter())
            .flat_map(|at| {
                let row = &load.parcel.rows[load.positions[segment.rows.start + at]];
                let fault = RowFault::row(SKIPPED);
                (self.ctx.book).list(self.ctx.run_id, &row.read, &row.key, &[fault])
            })
            .collect()
    }

    /// A transaction that wrote rows is committed.
    pub(super) async fn count_attempt(
        &mut self,
        written: &Written,
        skipped: &[NewQuarantine],
    ) -> Result<(), Failure> {
        if written.rows > 0 {
            self.ctx.alike.written();
        }
        let cause = cause_of(&RowFault::row(SKIPPED));
        for row in skipped {
            let refused = self.ctx.alike.refused(&cause, row.row_tag.clone());
            if let Some(refused) = refused {
                return Err(Failure::Stop(all_refused(&self.ctx, refused).await));
            }
        }
        Ok(())
    }

    /// Rows that no step can work on, for want of a key, a tenant or a value that can be read.
    pub(super) async fn count_unusable(&mut self, parcel: &Parcel) -> Result<(), NotCommitted> {
        for row in &parcel.rows {
            for fault in row.work.faults.iter().filter(|fault| fault.field.is_none()) {
                let tag = self.ctx.book.tag(&row.key);
                let refused = self.ctx.alike.refused(&cause_of(fault), tag);
                self.stop_if_alike(refused).await?;
            }
        }
        Ok(())
    }

    async fn stop_if_alike(&mut self, refused: Option<Refusals>) -> Result<(), NotCommitted> {
        match refused {
            Some(refused) => Err(NotCommitted::Stop(all_refused(&self.ctx, refused).await)),
            None => Ok(()),
        }
    }
}

fn cause_of(fault: &RowFault) -> Cause {
    Cause {
        reason: fault.reason.clone(),
        sqlstate: fault.sqlstate.clone(),
        constraint: fault.constraint.clone(),
    }
}
