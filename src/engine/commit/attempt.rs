//! One attempt at a batch: begin, write its rows, list what was refused, count, commit.
//! Owns the order of these statements. What an error means for the batch is decided by the caller.

use super::batch::{Batch, PageWrites};
use super::{BatchEnd, CommitFailure, Committer};
use crate::engine::error::EngineError;
use crate::store::{
    LaneTally, LaneUpdate, NewQuarantine, RunKind, StoreError, WriteBatch, WriteRow, Written,
};

impl Committer {
    /// Runs one transaction. With `refused`, it lists the batch's row instead of writing it.
    pub(super) async fn attempt(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
        skip_locked: bool,
        refused: Option<&[NewQuarantine]>,
    ) -> Result<BatchEnd, CommitFailure> {
        let writes = if refused.is_some() {
            &[][..]
        } else {
            page_writes.writes(batch)
        };
        let advance = LaneUpdate {
            durable: !self.may_be_lost || page_writes.end.is_last,
            cursor: page_writes.end.cursor.clone().filter(|_| batch.closes),
            lease_seconds: self.ctx.settings.lease_seconds,
        };
        let mut keys = if self.ctx.step.seals() && !writes.is_empty() {
            page_writes.seal_keys(batch)
        } else {
            Vec::new()
        };
        let lists = refused.is_some() || (batch.closes && !page_writes.end.listed.is_empty());
        keys.extend(self.ctx.own_key(advance.cursor.is_some(), lists));
        keys.sort_unstable();
        keys.dedup();
        self.writer.begin(&self.stamp, &advance, &keys).await?;
        let written = self.write(page_writes, batch, writes, skip_locked).await?;
        let skipped = self.list_skipped(page_writes, batch, &written);
        let ended = self
            .end_attempt(page_writes, batch, &written, refused, &skipped)
            .await;
        match &ended {
            Ok(_) => self.count_attempt(&written, &skipped).await?,
            // Forgets them also if the outcome of COMMIT is unknown. If it did commit, the entries
            // are in the table, and listing them again adds nothing.
            Err(_) => self.ctx.known_faults.forget(&skipped),
        }
        ended
    }

    /// Lists the faults, counts, and commits.
    async fn end_attempt(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
        written: &Written,
        refused: Option<&[NewQuarantine]>,
        skipped: &[NewQuarantine],
    ) -> Result<BatchEnd, CommitFailure> {
        let mut listed: Vec<NewQuarantine> = refused.unwrap_or_default().to_vec();
        listed.extend_from_slice(skipped);
        if batch.closes {
            listed.extend(page_writes.end.listed.iter().cloned());
        }
        if !listed.is_empty() {
            self.writer.quarantine(&listed).await?;
        }
        let tally = LaneTally {
            rows_found: if batch.closes {
                page_writes.end.found
            } else {
                0
            },
            rows_written: i64::try_from(written.rows).unwrap_or(i64::MAX),
            values_written: page_writes.values_written(batch, written),
            conflicts: i64::try_from(written.missed.len() - written.skipped.len())
                .unwrap_or(i64::MAX),
            quarantined: i64::try_from(listed.len()).unwrap_or(i64::MAX),
        };
        let in_page = |rows: &[usize]| -> Vec<usize> {
            rows.iter().map(|at| batch.rows.start + at).collect()
        };
        let mut missed = in_page(&written.missed);
        let skipped = in_page(&written.skipped);
        missed.retain(|at| !skipped.contains(at));
        let is_listed = |at: usize| refused.is_some() || skipped.contains(&at);
        let counts = self.rotation_counts(page_writes, batch, &missed, is_listed);
        if !counts.is_empty() {
            self.writer.count_rotation(&counts).await?;
        }
        let committed = self.writer.commit(&tally).await;
        self.on_the_way += self.writer.on_the_way();
        match committed {
            Ok(()) => {
                self.stamp.seq += 1;
                Ok(BatchEnd::Committed(tally, missed))
            }
            Err(StoreError::OutcomeUnknown) => {
                // For `resolve_unknown_commit`: what was counted, if the transaction was committed.
                self.unknown = Some((tally, missed));
                Err(CommitFailure::Store(StoreError::OutcomeUnknown))
            }
            Err(error) => Err(CommitFailure::Store(error)),
        }
    }

    pub(super) async fn write(
        &mut self,
        page_writes: &PageWrites,
        batch: &Batch,
        writes: &[WriteRow],
        skip_locked: bool,
    ) -> Result<Written, CommitFailure> {
        if writes.is_empty() {
            return Ok(Written::default());
        }
        let fingerprint = self
            .ctx
            .fingerprints
            .get(&self.relation)
            .cloned()
            .unwrap_or_default();
        let to_write = WriteBatch {
            relation: &self.relation,
            fingerprint: &fingerprint,
            storage: &page_writes.page().storage,
            rows: writes,
        };
        let written = self
            .writer
            .write(&self.ctx.access, &to_write, skip_locked)
            .await?;
        // In a restore, a value that a trigger rewrote would stay beside its sealed value and count
        // as restored. A plaintext that a trigger writes again would be cleared for ever.
        let ends_here = matches!(self.ctx.step.kind(), RunKind::Restore | RunKind::Finalize);
        if !written.rewritten.is_empty() && ends_here {
            return Err(self.rewritten().await);
        }
        for (at, stored) in &written.stored {
            let row = page_writes.row(batch.rows.start + at);
            let good = self.ctx.step.stored_is_good(
                &row.as_row(),
                &page_writes.page().keys,
                &writes[*at].cells,
                stored,
            );
            if !good {
                self.writer.rollback().await;
                return Err(CommitFailure::Stop(EngineError::ReadBackDiffers {
                    table: self.ctx.access.table.label.clone(),
                    row_tag: self.ctx.known_faults.tag(&row.key),
                }));
            }
        }
        Ok(written)
    }
}
