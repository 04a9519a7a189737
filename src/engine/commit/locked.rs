//! One row at a time, locked before it is worked on: what the sweep does with rows that never rest.

use std::sync::Arc;

use super::super::parcel;
use super::{Committed, Committer, Failure, Load, NotCommitted, Segment, SegmentEnd};
use crate::crypto::KeyId;
use crate::store::{Advance, Cursor, LaneTally, Next, PageRequest, WriteRow};

/// What became of a row that was locked before it was read.
pub enum Alone {
    /// It is written.
    Written(Committed),
    /// It is gone, or needs nothing any more.
    Nothing,
    /// Somebody holds it, or it needs what this transaction cannot do.
    NotNow,
}

impl Committer {
    /// Locks one row by its key, works on what it is now, and writes it in the same transaction.
    ///
    /// # Errors
    /// As [`Committer::commit`].
    pub async fn commit_locked(
        &mut self,
        request: &PageRequest,
        key: &Cursor,
        seal_keys: &[KeyId],
    ) -> Result<Alone, NotCommitted> {
        match self.locked_attempt(request, key, seal_keys).await {
            Ok(done) => Ok(done),
            Err(Failure::Stop(error)) => Err(NotCommitted::Stop(error)),
            Err(Failure::Store(error)) => match error.next() {
                // The row stays for the next pass of the sweep.
                Next::SkipLocked | Next::Again | Next::Reconnect | Next::Reread | Next::Bisect => {
                    Ok(Alone::NotNow)
                }
                Next::Settle => Ok(match self.settle().await? {
                    Some(SegmentEnd::Committed(tally, _)) => Alone::Written(Committed {
                        tally,
                        ..Committed::default()
                    }),
                    Some(SegmentEnd::Split) | None => Alone::NotNow,
                }),
                Next::Stop => Err(NotCommitted::Stop(error.into())),
            },
        }
    }

    async fn locked_attempt(
        &mut self,
        request: &PageRequest,
        key: &Cursor,
        seal_keys: &[KeyId],
    ) -> Result<Alone, Failure> {
        let advance = Advance {
            cursor: None,
            lease_seconds: self.ctx.settings.lease_seconds,
        };
        self.writer.begin(&self.stamp, &advance, seal_keys).await?;
        let ctx = Arc::clone(&self.ctx);
        let page = self
            .writer
            .lock_rows(&ctx.target, request, std::slice::from_ref(key))
            .await?;
        let mut parcel = match parcel::work(&ctx, page).await {
            Ok(parcel) => parcel,
            Err(error) => {
                self.writer.rollback().await;
                return Err(Failure::Stop(error));
            }
        };
        let (positions, writes) = parcel.take_writes();
        // A row whose tenant changed since would be sealed under a key that this transaction does
        // not hold: the next pass meets it again.
        let held = |id: &KeyId| !self.ctx.step.seals() || seal_keys.contains(id);
        if writes.is_empty() || !parcel.seal_keys(&positions).iter().all(held) {
            self.writer.rollback().await;
            let done =
                writes.is_empty() && parcel.rows.iter().all(|row| row.work.faults.is_empty());
            return Ok(if done { Alone::Nothing } else { Alone::NotNow });
        }
        let load = Load {
            parcel: &parcel,
            positions: &positions,
            writes: &writes,
            cursor: None,
            listed: Vec::new(),
            found: 0,
        };
        let segment = Segment {
            rows: 0..writes.len(),
            closes: false,
        };
        self.write_alone(&load, &segment, &writes).await
    }

    /// Writes the row that is locked; where the database refuses it, or a trigger passes over it, lists it.
    async fn write_alone(
        &mut self,
        load: &Load<'_>,
        segment: &Segment,
        writes: &[WriteRow],
    ) -> Result<Alone, Failure> {
        let written = match self.write(load, segment, writes, false).await {
            Err(Failure::Store(error)) if error.next() == Next::Bisect => {
                return self.list_alone(load, segment, Some(&error)).await;
            }
            written => written?,
        };
        // Nobody else can have written: the row was read under its lock.
        if !written.rewritten.is_empty() {
            return Err(self.rewritten().await);
        }
        if written.rows == 0 {
            self.writer.rollback().await;
            return self.list_alone(load, segment, None).await;
        }
        let tally = LaneTally {
            rows_written: i64::try_from(written.rows).unwrap_or(i64::MAX),
            values_written: self.values_written(load, segment, &written),
            ..LaneTally::default()
        };
        let missed: Vec<usize> = written.missed.clone();
        let counts = self.rotation_counts(load, segment, &missed, |_| false);
        if !counts.is_empty() {
            self.writer.count_rotation(&counts).await?;
        }
        if let Err(error) = self.writer.commit(&tally).await {
            if error.next() == Next::Bisect {
                return self.list_alone(load, segment, Some(&error)).await;
            }
            self.unsettled = Some((tally, Vec::new()));
            return Err(Failure::Store(error));
        }
        self.stamp.seq += 1;
        Ok(Alone::Written(Committed {
            tally,
            ..Committed::default()
        }))
    }
}
