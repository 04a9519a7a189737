//! Lists rows that the database refuses or that a trigger skips, so that the other rows go on. Owns
//! what is listed of them, and stops a run whose rows are all refused for one cause instead of
//! listing the whole table. [`Alike`](crate::engine::alike::Alike) counts the refusals.

use super::super::alike::{Cause, Refusals};
use super::super::error::EngineError;
use super::super::run_loop::all_refused;
use super::super::step::RowFault;
use super::super::worked_page::WorkedPage;
use super::batch::{Batch, PageWrites};
use super::{BatchEnd, CommitFailure, Committed, Committer, LockedRow, NotCommitted};
use crate::store::{NewQuarantine, Next, StoreError, Written};

/// A trigger that returns NULL or calls RAISE(IGNORE) leaves no other trace.
const SKIPPED: &str = "a trigger of the table passes over the update of the row";

impl Committer {
    /// Lists the one row of a batch that the database refuses, so that the others go on.
    pub(super) async fn refuse_row(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
        error: &StoreError,
    ) -> Result<BatchEnd, NotCommitted> {
        let (sqlstate, constraint) = match error {
            StoreError::RowRefused {
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
        self.list_row(page_writes, batch, fault).await
    }

    /// Lists the one row of a batch instead of writing it.
    async fn list_row(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
        fault: RowFault,
    ) -> Result<BatchEnd, NotCommitted> {
        let row = page_writes.row(batch.rows.start);
        let cause = cause_of(&fault);
        let listed = self
            .ctx
            .known_faults
            .list(self.ctx.run_id, &row.read, &row.key, &[fault]);
        let mut patience = self.ctx.patience();
        let end = loop {
            let error = match self.attempt(page_writes, batch, false, Some(&listed)).await {
                Ok(end) => break end,
                Err(CommitFailure::Stop(error)) => return Err(NotCommitted::Stop(error)),
                Err(CommitFailure::Store(error)) => error,
            };
            if error.next() == Next::ResolveCommit
                && let Some(end) = self.resolve_unknown_commit().await?
            {
                break end;
            }
            let pause = match error.next() {
                Next::Stop | Next::Bisect | Next::Reread => None,
                Next::Again | Next::Reconnect | Next::ResolveCommit | Next::SkipLocked => {
                    patience.after(&error)
                }
            };
            let Some(pause) = pause else {
                self.ctx.known_faults.forget(&listed);
                return Err(NotCommitted::Stop(error.into()));
            };
            self.ctx.stop.sleep(pause).await;
        };
        let tag = self.ctx.known_faults.tag(&row.key);
        self.stop_if_alike(self.ctx.alike.refused(&cause, tag))
            .await?;
        Ok(end)
    }

    /// Lists a row that was locked and read alone: refused with `error`, or skipped by a trigger.
    pub(super) async fn list_alone(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
        error: Option<&StoreError>,
    ) -> Result<LockedRow, CommitFailure> {
        let ended = match error {
            Some(error) => self.refuse_row(page_writes, batch, error).await,
            None => {
                let fault = RowFault::row(SKIPPED);
                self.list_row(page_writes, batch, fault).await
            }
        };
        match ended {
            Ok(BatchEnd::Committed(tally, _)) => Ok(LockedRow::Written(Committed {
                tally,
                ..Committed::default()
            })),
            Ok(BatchEnd::Split) | Err(NotCommitted::ReadAgain | NotCommitted::WentBack(_)) => {
                Ok(LockedRow::NotNow)
            }
            Err(NotCommitted::Stop(error)) => Err(CommitFailure::Stop(error)),
        }
    }

    /// Quarantine entries for the rows that a trigger skipped. From now on they are known faults.
    pub(super) fn list_skipped(
        &self,
        page_writes: &PageWrites,
        batch: &Batch,
        written: &Written,
    ) -> Vec<NewQuarantine> {
        (written.skipped.iter())
            .flat_map(|at| {
                let row = page_writes.row(batch.rows.start + at);
                let fault = RowFault::row(SKIPPED);
                (self.ctx.known_faults).list(self.ctx.run_id, &row.read, &row.key, &[fault])
            })
            .collect()
    }

    /// Rolls back a batch whose values a trigger rewrites each time. Returns the error that names
    /// the table's triggers.
    pub(super) async fn rewritten(&mut self) -> CommitFailure {
        self.writer.rollback().await;
        let facts = self.ctx.store.table(&self.ctx.access.table.name).await;
        let names: Vec<String> = facts
            .ok()
            .flatten()
            .iter()
            .flat_map(|table| &table.triggers)
            .filter(|trigger| trigger.update && trigger.row && trigger.enabled != 'D')
            .map(|trigger| trigger.name.clone())
            .collect();
        CommitFailure::Stop(EngineError::Rewritten {
            table: self.ctx.access.table.label.clone(),
            triggers: names.join(", "),
        })
    }

    /// Counts the rows that a committed transaction wrote and skipped. Fails once too many rows in
    /// succession were skipped.
    pub(super) async fn count_attempt(
        &mut self,
        written: &Written,
        skipped: &[NewQuarantine],
    ) -> Result<(), CommitFailure> {
        if written.rows > 0 {
            self.ctx.alike.written();
        }
        let cause = cause_of(&RowFault::row(SKIPPED));
        for row in skipped {
            let refused = self.ctx.alike.refused(&cause, row.row_tag.clone());
            if let Some(refused) = refused {
                return Err(CommitFailure::Stop(all_refused(&self.ctx, refused).await));
            }
        }
        Ok(())
    }

    /// Counts rows that no step can work on: their key, their tenant or a value is missing or
    /// unusable.
    pub(super) async fn count_unusable(&mut self, worked: &WorkedPage) -> Result<(), NotCommitted> {
        for row in &worked.rows {
            for fault in row.work.faults.iter().filter(|fault| fault.field.is_none()) {
                let tag = self.ctx.known_faults.tag(&row.key);
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
