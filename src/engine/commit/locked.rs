//! Commits one row at a time, locked before it is read: the sweep does this with rows that keep
//! changing. Owns this transaction; the sweep decides which rows need it.

use std::sync::Arc;

use super::super::worked_page;
use super::batch::{Batch, PageEnd, PageWrites};
use super::{BatchEnd, CommitFailure, Committed, Committer, NotCommitted};
use crate::crypto::KeyId;
use crate::store::{KeyText, LaneTally, LaneUpdate, Next, PageRequest};

/// The result for a row that was locked before it was read.
pub enum LockedRow {
    /// The row was written, or listed in quarantine.
    Written(Committed),
    /// The row is gone, or needs no work any more.
    Nothing,
    /// Another session holds the row, or the row needs what this transaction cannot do.
    NotNow,
}

impl Committer {
    /// Locks one row by its key, works on its present version, and writes it in the same
    /// transaction.
    ///
    /// # Errors
    /// As [`Committer::commit`].
    pub async fn commit_locked(
        &mut self,
        request: &PageRequest,
        key: &KeyText,
        seal_keys: &[KeyId],
    ) -> Result<LockedRow, NotCommitted> {
        match self.locked_attempt(request, key, seal_keys).await {
            Ok(LockedRow::Written(done)) => {
                self.reported += done.tally;
                Ok(LockedRow::Written(done))
            }
            Ok(done) => Ok(done),
            Err(CommitFailure::Stop(error)) => Err(NotCommitted::Stop(error)),
            Err(CommitFailure::Store(error)) => match error.next() {
                // The next pass of the sweep finds the row again.
                Next::SkipLocked | Next::Again | Next::Reconnect | Next::Reread | Next::Bisect => {
                    Ok(LockedRow::NotNow)
                }
                Next::ResolveCommit => Ok(match self.resolve_unknown_commit().await? {
                    Some(BatchEnd::Committed(tally, _)) => {
                        self.reported += tally;
                        LockedRow::Written(Committed {
                            tally,
                            ..Committed::default()
                        })
                    }
                    Some(BatchEnd::Split) | None => LockedRow::NotNow,
                }),
                Next::Stop => Err(NotCommitted::Stop(error.into())),
            },
        }
    }

    async fn locked_attempt(
        &mut self,
        request: &PageRequest,
        key: &KeyText,
        seal_keys: &[KeyId],
    ) -> Result<LockedRow, CommitFailure> {
        let advance = LaneUpdate {
            durable: true,
            cursor: None,
            lease_seconds: self.ctx.settings.lease_seconds,
        };
        self.writer.begin(&self.stamp, &advance, seal_keys).await?;
        let ctx = Arc::clone(&self.ctx);
        let page = self
            .writer
            .lock_rows(&ctx.access, request, std::slice::from_ref(key))
            .await?;
        let worked = match worked_page::work(&ctx, page).await {
            Ok(worked) => worked,
            Err(error) => {
                self.writer.rollback().await;
                return Err(CommitFailure::Stop(error));
            }
        };
        let page_writes = PageWrites::new(worked, PageEnd::default());
        let batch = page_writes.batch(false);
        let writes = page_writes.writes(&batch);
        // If the row's tenant has changed, the row would be sealed under a key that this
        // transaction does not hold. The next pass finds it again.
        let held = |id: &KeyId| !self.ctx.step.seals() || seal_keys.contains(id);
        if writes.is_empty() || !page_writes.seal_keys(&batch).iter().all(held) {
            self.writer.rollback().await;
            let done = writes.is_empty() && page_writes.listed_only().next().is_none();
            return Ok(if done {
                LockedRow::Nothing
            } else {
                LockedRow::NotNow
            });
        }
        self.write_alone(&page_writes, &batch).await
    }

    /// Writes the locked row. Lists it if the database refuses it or a trigger skips the update.
    async fn write_alone(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
    ) -> Result<LockedRow, CommitFailure> {
        let written = match self
            .write(page_writes, batch, page_writes.writes(batch), false)
            .await
        {
            Err(CommitFailure::Store(error)) if error.next() == Next::Bisect => {
                return self.list_alone(page_writes, batch, Some(&error)).await;
            }
            written => written?,
        };
        // The row is locked, so only a trigger can have changed the value.
        if !written.rewritten.is_empty() {
            return Err(self.rewritten().await);
        }
        if written.rows == 0 {
            self.writer.rollback().await;
            return self.list_alone(page_writes, batch, None).await;
        }
        let tally = LaneTally {
            rows_written: i64::try_from(written.rows).unwrap_or(i64::MAX),
            values_written: page_writes.values_written(batch, &written),
            ..LaneTally::default()
        };
        let missed: Vec<usize> = written.missed.clone();
        let counts = self.rotation_counts(page_writes, batch, &missed, |_| false);
        if !counts.is_empty() {
            self.writer.count_rotation(&counts).await?;
        }
        if let Err(error) = self.writer.commit(&tally).await {
            if error.next() == Next::Bisect {
                return self.list_alone(page_writes, batch, Some(&error)).await;
            }
            self.unknown = Some((tally, Vec::new()));
            return Err(CommitFailure::Store(error));
        }
        self.stamp.seq += 1;
        Ok(LockedRow::Written(Committed {
            tally,
            ..Committed::default()
        }))
    }
}
