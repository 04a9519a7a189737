//! One row at a time, locked before it is worked on: what the sweep does with rows that never rest.

use std::sync::Arc;

use super::super::parcel;
use super::{Committed, Committer, Failure, Load, NotCommitted, Segment, SegmentEnd};
use crate::crypto::KeyId;
use crate::store::{Advance, Cursor, LaneTally, Next, PageRequest};

impl Committer {
    /// Locks one row by its key, works on what it is now, and writes it in the same transaction.
    /// `None` where the row is gone or needs nothing any more, or somebody holds it.
    ///
    /// # Errors
    /// As [`Committer::commit`].
    pub async fn commit_locked(
        &mut self,
        request: &PageRequest,
        key: &Cursor,
        seal_keys: &[KeyId],
    ) -> Result<Option<Committed>, NotCommitted> {
        match self.locked_attempt(request, key, seal_keys).await {
            Ok(done) => Ok(done),
            Err(Failure::Stop(error)) => Err(NotCommitted::Stop(error)),
            Err(Failure::Store(error)) => match error.next() {
                // The row stays for the next pass of the sweep.
                Next::SkipLocked | Next::Again | Next::Reconnect | Next::Reread | Next::Bisect => {
                    Ok(None)
                }
                Next::Settle => Ok(self.settle().await?.map(|end| Committed {
                    tally: match end {
                        SegmentEnd::Committed(tally, _) => tally,
                        SegmentEnd::Split => LaneTally::default(),
                    },
                    ..Committed::default()
                })),
                Next::Stop => Err(NotCommitted::Stop(error.into())),
            },
        }
    }

    async fn locked_attempt(
        &mut self,
        request: &PageRequest,
        key: &Cursor,
        seal_keys: &[KeyId],
    ) -> Result<Option<Committed>, Failure> {
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
            return Ok(None);
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
        let written = self.write(&load, &segment, &writes, false).await?;
        let tally = LaneTally {
            rows_written: i64::try_from(written.rows).unwrap_or(i64::MAX),
            values_written: self.values_written(&load, &segment, &written),
            ..LaneTally::default()
        };
        let missed: Vec<usize> = written.missed.clone();
        let counts = self.rotation_counts(&load, &segment, &missed, false);
        if !counts.is_empty() {
            self.writer.count_rotation(&counts).await?;
        }
        if let Err(error) = self.writer.commit(&tally).await {
            self.unsettled = Some((tally, Vec::new()));
            return Err(Failure::Store(error));
        }
        self.stamp.seq += 1;
        Ok(Some(Committed {
            tally,
            ..Committed::default()
        }))
    }
}
