//! Committing parcels: rows, quarantine and cursor together, whatever the database does meanwhile.
//! Owns what happens after each kind of failure: again, smaller, around locked rows, bisected to
//! the refused row, or the lane row read under a lock where COMMIT's outcome is unknown.
//! A row is never dropped: it is written, a conflict for the sweep, or listed in quarantine.

mod counts;
mod locked;
mod refused;
mod settle;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::context::Context;
use super::error::EngineError;
use super::parcel::Parcel;
use super::retry::Patience;
use super::step::Seen;
use crate::run::checkpoint::Place;
use crate::store::{
    Advance, BatchWriter, LaneStamp, LaneTally, NewQuarantine, Next, RunKind, StoreError,
    WriteBatch, WriteRow, Written,
};

pub use locked::Alone;

/// Commits the parcels of one lane.
pub struct Committer {
    ctx: Arc<Context>,
    writer: Box<dyn BatchWriter>,
    stamp: LaneStamp,
    relation: String,
    /// What a transaction whose COMMIT was not answered would have counted and missed.
    unsettled: Option<(LaneTally, Vec<usize>)>,
    /// What was committed of a parcel whose rest has to be read again: told with the next one.
    untold: LaneTally,
    /// How long messages of the parcel at hand were on their way.
    on_the_way: Duration,
}

/// What became of a parcel.
#[derive(Debug, Default)]
pub struct Committed {
    /// Added to the lane's counters.
    pub tally: LaneTally,
    /// What was seen in the rows.
    pub seen: Seen,
    /// Positions in the parcel of rows that changed, went or were held meanwhile.
    pub missed: Vec<usize>,
    /// How long its messages were on their way to the server and back.
    pub on_the_way: Duration,
}

/// Why a parcel is not committed.
pub enum NotCommitted {
    /// The table was rewritten: the page has to be read again.
    ReadAgain,
    /// The run stops.
    Stop(EngineError),
}

impl<E: Into<EngineError>> From<E> for NotCommitted {
    fn from(error: E) -> Self {
        Self::Stop(error.into())
    }
}

/// Rows of a parcel that go in one transaction.
struct Segment {
    rows: Range<usize>,
    /// Moves the cursor and lists what the step refused.
    closes: bool,
}

/// Everything about a parcel that its segments share.
struct Load<'a> {
    parcel: &'a Parcel,
    positions: &'a [usize],
    writes: &'a [WriteRow],
    cursor: Option<Vec<u8>>,
    listed: Vec<NewQuarantine>,
    found: i64,
}

impl Committer {
    /// A committer for the lane of `stamp`, held by this process.
    pub fn new(
        ctx: Arc<Context>,
        writer: Box<dyn BatchWriter>,
        stamp: LaneStamp,
        relation: String,
    ) -> Self {
        Self {
            ctx,
            writer,
            stamp,
            relation,
            unsettled: None,
            untold: LaneTally::default(),
            on_the_way: Duration::ZERO,
        }
    }

    /// Its connection, for the next lane.
    pub fn into_writer(self) -> Box<dyn BatchWriter> {
        self.writer
    }

    /// The lane as it stands.
    pub fn stamp(&self) -> LaneStamp {
        self.stamp
    }

    /// Commits a parcel; it is worked off in order, and its last transaction moves the cursor.
    ///
    /// # Errors
    /// [`NotCommitted`]; everything committed before stays.
    pub async fn commit(&mut self, mut parcel: Parcel) -> Result<Committed, NotCommitted> {
        let (positions, writes) = parcel.take_writes();
        let listed = self.list_faults(&parcel);
        let found = parcel
            .rows
            .iter()
            .enumerate()
            .filter(|(at, row)| !row.work.faults.is_empty() || positions.binary_search(at).is_ok())
            .count();
        let cursor = match &parcel.next {
            Some(next) if parcel.closes_window => Some(
                self.ctx
                    .checkpoints
                    .encode(self.stamp.lane_no, Place::Cursor, next)
                    .map_err(EngineError::from)?,
            ),
            _ => None,
        };
        let load = Load {
            parcel: &parcel,
            positions: &positions,
            writes: &writes,
            cursor,
            listed,
            found: i64::try_from(found).unwrap_or(i64::MAX),
        };
        self.on_the_way = Duration::ZERO;
        let mut done = Committed {
            tally: std::mem::take(&mut self.untold),
            ..Committed::default()
        };
        if let Err(error) = self.commit_segments(&load, &mut done).await {
            self.ctx.book.forget(&load.listed);
            self.untold = done.tally;
            return Err(error);
        }
        self.count_unusable(&parcel).await?;
        done.seen = parcel.seen;
        done.on_the_way = self.on_the_way;
        Ok(done)
    }

    /// Renews the lease with an empty batch.
    ///
    /// # Errors
    /// As [`Committer::commit`].
    pub async fn renew(&mut self) -> Result<(), NotCommitted> {
        let parcel = Parcel {
            rows: Vec::new(),
            seen: Seen::default(),
            keys: self.ctx.tenants.keyring.snapshot(),
            next: None,
            window_rows: 0,
            closes_window: false,
            storage: String::new(),
            _large: None,
        };
        // What is still to be told is so afterwards.
        self.untold = self.commit(parcel).await?.tally;
        Ok(())
    }

    fn list_faults(&self, parcel: &Parcel) -> Vec<NewQuarantine> {
        parcel
            .rows
            .iter()
            .filter(|row| !row.work.faults.is_empty())
            .flat_map(|row| {
                self.ctx
                    .book
                    .list(self.ctx.run_id, &row.read, &row.key, &row.work.faults)
            })
            .collect()
    }

    async fn commit_segments(
        &mut self,
        load: &Load<'_>,
        done: &mut Committed,
    ) -> Result<(), NotCommitted> {
        // A stack: the segment that closes the window lies at its bottom.
        let mut stack = vec![Segment {
            rows: 0..load.writes.len(),
            closes: true,
        }];
        while let Some(segment) = stack.pop() {
            match self.commit_segment(load, &segment).await? {
                SegmentEnd::Committed(tally, missed) => {
                    done.tally += tally;
                    done.missed
                        .extend(missed.into_iter().map(|at| load.positions[at]));
                }
                SegmentEnd::Split => {
                    let middle = segment.rows.start + segment.rows.len() / 2;
                    stack.push(Segment {
                        rows: middle..segment.rows.end,
                        closes: segment.closes,
                    });
                    stack.push(Segment {
                        rows: segment.rows.start..middle,
                        closes: false,
                    });
                }
            }
        }
        Ok(())
    }

    async fn commit_segment(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
    ) -> Result<SegmentEnd, NotCommitted> {
        let mut patience = Patience::new(self.ctx.settings.patience);
        let mut skip_locked = false;
        let mut waiting = false;
        let mut attempts = 0u32;
        loop {
            attempts += 1;
            let error = match self.attempt(load, segment, skip_locked, None).await {
                Ok(end) => {
                    if waiting {
                        self.ctx.events.emit(super::events::Event::GoingOn);
                    }
                    return Ok(end);
                }
                Err(Failure::Store(error)) => error,
                Err(Failure::Stop(error)) => return Err(NotCommitted::Stop(error)),
            };
            match error.next() {
                Next::SkipLocked if !skip_locked => {
                    skip_locked = true;
                    continue;
                }
                Next::Bisect if segment.rows.len() > 1 => return Ok(SegmentEnd::Split),
                Next::Bisect if segment.rows.len() == 1 => {
                    return self.refuse_row(load, segment, &error).await;
                }
                Next::Again if attempts > 1 && segment.rows.len() > 64 => {
                    return Ok(SegmentEnd::Split);
                }
                Next::Reread => return Err(NotCommitted::ReadAgain),
                Next::Settle => {
                    if let Some(end) = self.settle().await? {
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

    /// One transaction. With `refused`, the segment's row is listed instead of written.
    async fn attempt(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        skip_locked: bool,
        refused: Option<&[NewQuarantine]>,
    ) -> Result<SegmentEnd, Failure> {
        let writes = if refused.is_some() {
            &[][..]
        } else {
            &load.writes[segment.rows.clone()]
        };
        let advance = Advance {
            cursor: load.cursor.clone().filter(|_| segment.closes),
            lease_seconds: self.ctx.settings.lease_seconds,
        };
        let mut keys = if self.ctx.step.seals() && !writes.is_empty() {
            load.parcel.seal_keys(&load.positions[segment.rows.clone()])
        } else {
            Vec::new()
        };
        let lists = refused.is_some() || (segment.closes && !load.listed.is_empty());
        keys.extend(self.ctx.own_key(advance.cursor.is_some(), lists));
        keys.sort_unstable();
        keys.dedup();
        self.writer.begin(&self.stamp, &advance, &keys).await?;
        let written = self.write(load, segment, writes, skip_locked).await?;
        let skipped = self.list_skipped(load, segment, &written);
        let ended = self
            .end_attempt(load, segment, &written, refused, &skipped)
            .await;
        match &ended {
            Ok(_) => self.count_attempt(&written, &skipped).await?,
            // Where nobody knows, too: whoever meets them again finds them listed in the table.
            Err(_) => self.ctx.book.forget(&skipped),
        }
        ended
    }

    /// Lists what is to be listed, counts, and commits.
    async fn end_attempt(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        written: &Written,
        refused: Option<&[NewQuarantine]>,
        skipped: &[NewQuarantine],
    ) -> Result<SegmentEnd, Failure> {
        let mut listed: Vec<NewQuarantine> = refused.unwrap_or_default().to_vec();
        listed.extend_from_slice(skipped);
        if segment.closes {
            listed.extend(load.listed.iter().cloned());
        }
        if !listed.is_empty() {
            self.writer.quarantine(&listed).await?;
        }
        let tally = LaneTally {
            rows_found: if segment.closes { load.found } else { 0 },
            rows_written: i64::try_from(written.rows).unwrap_or(i64::MAX),
            values_written: self.values_written(load, segment, written),
            conflicts: i64::try_from(written.missed.len() - written.skipped.len())
                .unwrap_or(i64::MAX),
            quarantined: i64::try_from(listed.len()).unwrap_or(i64::MAX),
        };
        let of_load = |rows: &[usize]| -> Vec<usize> {
            rows.iter().map(|at| segment.rows.start + at).collect()
        };
        let mut missed = of_load(&written.missed);
        let passed_over = of_load(&written.skipped);
        missed.retain(|at| !passed_over.contains(at));
        let is_listed = |at: usize| refused.is_some() || passed_over.contains(&at);
        let counts = self.rotation_counts(load, segment, &missed, is_listed);
        if !counts.is_empty() {
            self.writer.count_rotation(&counts).await?;
        }
        let committed = self.writer.commit(&tally).await;
        self.on_the_way += self.writer.on_the_way();
        match committed {
            Ok(()) => {
                self.stamp.seq += 1;
                Ok(SegmentEnd::Committed(tally, missed))
            }
            Err(StoreError::OutcomeUnknown) => {
                // Kept for `settle`: if it was committed, this is what was.
                self.unsettled = Some((tally, missed));
                Err(Failure::Store(StoreError::OutcomeUnknown))
            }
            Err(error) => Err(Failure::Store(error)),
        }
    }

    async fn write(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        writes: &[WriteRow],
        skip_locked: bool,
    ) -> Result<Written, Failure> {
        if writes.is_empty() {
            return Ok(Written::default());
        }
        let fingerprint = self
            .ctx
            .fingerprints
            .get(&self.relation)
            .cloned()
            .unwrap_or_default();
        let batch = WriteBatch {
            relation: &self.relation,
            fingerprint: &fingerprint,
            storage: &load.parcel.storage,
            rows: writes,
        };
        let written = self
            .writer
            .write(&self.ctx.target, &batch, skip_locked)
            .await?;
        // Of a restore a value that is not what was sealed would stand beside its seal, and count as done.
        if !written.rewritten.is_empty() && self.ctx.step.kind() == RunKind::Restore {
            return Err(self.rewritten().await);
        }
        for (at, stored) in &written.stored {
            let row = &load.parcel.rows[load.positions[segment.rows.start + at]];
            let good = self.ctx.step.stored_is_good(
                &row.as_row(),
                &load.parcel.keys,
                &writes[*at].cells,
                stored,
            );
            if !good {
                self.writer.rollback().await;
                return Err(Failure::Stop(EngineError::ReadBackDiffers {
                    table: self.ctx.target.label.clone(),
                    row_tag: self.ctx.book.tag(&row.key),
                }));
            }
        }
        Ok(written)
    }

    /// A trigger puts another value in each time: the batch is taken back.
    async fn rewritten(&mut self) -> Failure {
        self.writer.rollback().await;
        let facts = self.ctx.store.table(&self.ctx.target.table).await;
        let names: Vec<String> = facts
            .ok()
            .flatten()
            .iter()
            .flat_map(|table| &table.triggers)
            .filter(|trigger| trigger.update && trigger.row && trigger.enabled != 'D')
            .map(|trigger| trigger.name.clone())
            .collect();
        Failure::Stop(EngineError::Rewritten {
            table: self.ctx.target.label.clone(),
            triggers: names.join(", "),
        })
    }

    fn values_written(&self, load: &Load<'_>, segment: &Segment, written: &Written) -> i64 {
        let all: i64 = load.positions[segment.rows.clone()]
            .iter()
            .map(|at| i64::from(load.parcel.rows[*at].work.values))
            .sum();
        if written.rows == 0 {
            return 0;
        }
        let missed: i64 = written
            .missed
            .iter()
            .map(|at| {
                let at = load.positions[segment.rows.start + at];
                i64::from(load.parcel.rows[at].work.values)
            })
            .sum();
        all - missed
    }
}

enum SegmentEnd {
    Committed(LaneTally, Vec<usize>),
    Split,
}

enum Failure {
    Store(StoreError),
    Stop(EngineError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
