//! Commits worked pages: one transaction writes a batch's rows, its quarantine entries and the
//! cursor. Does not read pages or work on rows.
//! Owns the reaction to each kind of failure. The committer repeats the batch, splits it, skips
//! locked rows, bisects it to the row that the database refuses, or reads the lane's row under a
//! lock if the outcome of a COMMIT is unknown.
//! The committer drops no row: it writes it, counts it as a conflict for the sweep, or lists it in
//! quarantine.

mod attempt;
mod batch;
mod counts;
mod locked;
mod refused;
mod unknown_commit;

use std::sync::Arc;
use std::time::Duration;

use self::batch::{Batch, PageEnd, PageWrites};
use super::context::RunContext;
use super::error::EngineError;
use super::step::StepCounts;
use super::worked_page::WorkedPage;
use crate::run::checkpoint::Slot;
use crate::store::{
    BatchWriter, Bound, LaneRecord, LaneStamp, LaneTally, NewQuarantine, Next, StoreError,
};

pub use locked::LockedRow;

/// Commits the worked pages of one lane.
pub struct Committer {
    ctx: Arc<RunContext>,
    writer: Box<dyn BatchWriter>,
    stamp: LaneStamp,
    relation: String,
    /// After a COMMIT without an answer: what the transaction counts, and the rows it missed.
    unknown: Option<(LaneTally, Vec<usize>)>,
    /// Counts of batches that were committed from a page whose other batches must be read again.
    /// The next worked page reports them.
    uncounted: LaneTally,
    /// How long messages of the present worked page spent on the network.
    on_the_way: Duration,
    /// The lane's counters when it was claimed, and what its pages reported since.
    at_claim: LaneTally,
    reported: LaneTally,
    /// Whether the server may answer a COMMIT before the batch is on its disk.
    may_be_lost: bool,
}

/// The result of committing a worked page.
#[derive(Debug, Default)]
pub struct Committed {
    /// What was added to the lane's counters.
    pub tally: LaneTally,
    /// What the step counted in the rows.
    pub seen: StepCounts,
    /// Positions in the worked page of rows that changed, were deleted or were locked after they
    /// were read.
    pub missed: Vec<usize>,
    /// How long the page's messages spent on the network, both ways.
    pub on_the_way: Duration,
}

/// Why a worked page was not committed.
pub enum NotCommitted {
    /// The table was rewritten, so the page must be read again.
    ReadAgain,
    /// The server crashed and lost batches, rows and cursor together: the lane is as this record says.
    WentBack(Box<LaneRecord>),
    /// The run must stop.
    Stop(EngineError),
}

impl<E: Into<EngineError>> From<E> for NotCommitted {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
}

impl Committer {
    /// Creates a committer for a lane that this process holds.
    pub fn new(ctx: Arc<RunContext>, writer: Box<dyn BatchWriter>, lane: &LaneRecord) -> Self {
        Self {
            ctx,
            writer,
            stamp: LaneStamp {
                run_id: lane.run_id,
                lane_no: lane.lane_no,
                fence: lane.fence,
                seq: lane.seq,
            },
            relation: lane.relation.clone(),
            unknown: None,
            uncounted: LaneTally::default(),
            on_the_way: Duration::ZERO,
            at_claim: lane.tally,
            reported: LaneTally::default(),
            may_be_lost: false,
        }
    }

    /// From now on, batches that list nothing and do not end the lane may be answered before they
    /// are on the server's disk.
    pub fn may_be_lost(&mut self) {
        self.may_be_lost = true;
    }

    /// Returns the connection, so that the next lane can use it.
    pub fn into_writer(self) -> Box<dyn BatchWriter> {
        self.writer
    }

    /// The lane's fence and sequence number after the last commit.
    pub fn stamp(&self) -> LaneStamp {
        self.stamp
    }

    /// Commits a worked page. Its batches are committed in order, and the last one moves the lane's
    /// cursor to `cursor`, if it is given. With `is_last`, all are on the server's disk afterwards.
    ///
    /// # Errors
    /// [`NotCommitted`]; batches that were committed before stay committed.
    pub async fn commit(
        &mut self,
        worked: WorkedPage,
        cursor: Option<&Bound>,
        is_last: bool,
    ) -> Result<Committed, NotCommitted> {
        let found = worked.rows.iter().filter(|row| row.needs_work()).count();
        let encode = |bound| {
            let checkpoints = &self.ctx.checkpoints;
            checkpoints.encode(self.stamp.lane_no, Slot::Cursor, bound)
        };
        let end = PageEnd {
            listed: self.list_faults(&worked),
            found: i64::try_from(found).unwrap_or(i64::MAX),
            cursor: cursor.map(encode).transpose().map_err(EngineError::from)?,
            is_last,
        };
        let page_writes = PageWrites::new(worked, end);
        self.on_the_way = Duration::ZERO;
        let mut done = Committed {
            tally: std::mem::take(&mut self.uncounted),
            ..Committed::default()
        };
        if let Err(error) = self.commit_batches(&page_writes, &mut done).await {
            self.ctx.known_faults.forget(&page_writes.end.listed);
            self.uncounted = done.tally;
            return Err(error);
        }
        self.reported += done.tally;
        let worked = page_writes.into_page();
        self.count_unusable(&worked).await?;
        done.seen = worked.seen;
        done.on_the_way = self.on_the_way;
        Ok(done)
    }

    /// Renews the lease with an empty batch.
    ///
    /// # Errors
    /// As [`Committer::commit`].
    pub async fn renew(&mut self) -> Result<(), NotCommitted> {
        let nothing = WorkedPage::empty(self.ctx.tenants.keyring.snapshot());
        // `commit` took the counts that are not reported yet. The next worked page reports them.
        self.uncounted = self.commit(nothing, None, false).await?.tally;
        self.reported -= self.uncounted;
        Ok(())
    }

    fn list_faults(&self, worked: &WorkedPage) -> Vec<NewQuarantine> {
        worked
            .rows
            .iter()
            .filter(|row| !row.work.faults.is_empty())
            .flat_map(|row| {
                self.ctx
                    .known_faults
                    .list(self.ctx.run_id, &row.read, &row.key, &row.work.faults)
            })
            .collect()
    }

    async fn commit_batches(
        &mut self,
        page_writes: &PageWrites,
        done: &mut Committed,
    ) -> Result<(), NotCommitted> {
        // A stack with the batch that closes the window at its bottom.
        let mut stack = vec![page_writes.batch(true)];
        while let Some(batch) = stack.pop() {
            match self.commit_batch(page_writes, &batch).await? {
                BatchEnd::Committed(tally, missed) => {
                    done.tally += tally;
                    done.missed
                        .extend(missed.into_iter().map(|at| page_writes.position(at)));
                }
                BatchEnd::Split => {
                    let [first, second] = batch.halves();
                    stack.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    async fn commit_batch(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
    ) -> Result<BatchEnd, NotCommitted> {
        let mut patience = self.ctx.patience();
        let mut skip_locked = false;
        let mut waiting = false;
        let mut attempts = 0u32;
        loop {
            attempts += 1;
            let error = match self.attempt(page_writes, batch, skip_locked, None).await {
                Ok(end) => {
                    if waiting {
                        self.ctx.events.emit(super::events::Event::GoingOn);
                    }
                    return Ok(end);
                }
                Err(CommitFailure::Store(error)) => error,
                Err(CommitFailure::Stop(error)) => return Err(NotCommitted::Stop(error)),
            };
            if matches!(error, StoreError::FenceLost)
                && let Some(lane) = self.went_back().await?
            {
                return Err(NotCommitted::WentBack(Box::new(lane)));
            }
            // Somebody waited for this batch; the rows that it waited for itself come later.
            skip_locked |= error.was_cancelled();
            match error.next() {
                Next::SkipLocked if !skip_locked => {
                    skip_locked = true;
                    continue;
                }
                Next::Bisect if batch.rows.len() > 1 => return Ok(BatchEnd::Split),
                Next::Bisect if batch.rows.len() == 1 => {
                    return self.refuse_row(page_writes, batch, &error).await;
                }
                Next::Again if attempts > 1 && batch.rows.len() > 64 => {
                    return Ok(BatchEnd::Split);
                }
                Next::Reread => return Err(NotCommitted::ReadAgain),
                Next::ResolveCommit => {
                    if let Some(end) = self.resolve_unknown_commit().await? {
                        return Ok(end);
                    }
                }
                Next::SkipLocked | Next::Again | Next::Reconnect => {}
                Next::Stop | Next::Bisect => return Err(NotCommitted::Stop(error.into())),
            }
            patience.wait(&self.ctx, error).await?;
            waiting = true;
        }
    }
}

enum BatchEnd {
    Committed(LaneTally, Vec<usize>),
    Split,
}

enum CommitFailure {
    Store(StoreError),
    Stop(EngineError),
}

impl From<StoreError> for CommitFailure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
