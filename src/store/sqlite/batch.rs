//! Writes batches: rows, cursor and counters in one transaction.
//! Owns how the transaction begins and ends. It holds SQLite's one write lock from the start, so
//! what it compares cannot change before it commits, and neither can the schema or a key. It sets
//! the engine's mark before each statement that writes rows, and removes all marks before it
//! commits.

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;

use super::dialect::{SqliteDialect, SqliteSession};
use super::guard::mark;
use super::read::single::current_rows;
use super::sql::{bound, run};
use super::{fault, fence, seal};
use crate::crypto::KeyId;
use crate::store::change::Change;
use crate::store::ledger::session::Session;
use crate::store::ledger::{keys, lanes, quarantine, rotations};
use crate::store::{
    Access, BatchWriter, KeyText, LaneStamp, LaneTally, LaneUpdate, NewQuarantine, Page,
    PageRequest, Result, RotationCount, StoreError, WriteBatch, Written,
};

/// A connection that writes batches.
pub(super) struct SqliteWriter {
    conn: SqliteConnection,
    open: bool,
    /// The lane of the open transaction.
    stamp: Option<LaneStamp>,
}

impl SqliteWriter {
    /// Makes a writer of a connection.
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self {
            conn,
            open: false,
            stamp: None,
        }
    }

    /// Rolls the transaction back if `outcome` is an error.
    async fn settled<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.rollback().await;
        }
        outcome
    }

    async fn open(
        &mut self,
        stamp: &LaneStamp,
        advance: &LaneUpdate,
        sealed_under: &[KeyId],
    ) -> Result<()> {
        // Set first: if this call is cancelled after BEGIN, the next one rolls back.
        self.open = true;
        run(&mut self.conn, "BEGIN IMMEDIATE").await?;
        let mut session = SqliteSession(&mut self.conn);
        lanes::advance(&mut session, stamp, advance).await?;
        keys::require_active(&mut session, sealed_under).await?;
        self.stamp = Some(*stamp);
        Ok(())
    }

    async fn write_rows(&mut self, access: &Access, batch: &WriteBatch<'_>) -> Result<Written> {
        if fence::fingerprint(&mut self.conn, &access.table).await? != batch.fingerprint {
            return Err(StoreError::SchemaChanged {
                table: access.table.name.label(),
            });
        }
        let change = Change::of(access, batch.rows);
        mark::as_engine(&mut self.conn, change, &access.table.label).await?;
        seal::write(&mut self.conn, access, batch.rows).await
    }

    async fn close(&mut self, tally: &LaneTally) -> Result<()> {
        if let Some(stamp) = self.stamp {
            let add = lanes::add_tally(&SqliteDialect, stamp.run_id, stamp.lane_no, tally);
            SqliteSession(&mut self.conn).execute(add).await?;
        }
        mark::clear(&mut self.conn).await?;
        bound("COMMIT", [])
            .execute(&mut self.conn)
            .await
            .map_err(fault::of_commit)?;
        self.open = false;
        Ok(())
    }
}

#[async_trait]
impl BatchWriter for SqliteWriter {
    async fn begin(
        &mut self,
        stamp: &LaneStamp,
        advance: &LaneUpdate,
        keys: &[KeyId],
    ) -> Result<()> {
        if self.open {
            self.rollback().await;
        }
        let outcome = self.open(stamp, advance, keys).await;
        self.settled(outcome).await
    }

    /// Locks nothing: the transaction is already the only writer.
    async fn lock_rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let outcome = current_rows(&mut self.conn, access, request, keys).await;
        self.settled(outcome).await
    }

    /// Skips no locked rows: the transaction has been the only writer since it began.
    async fn write(
        &mut self,
        access: &Access,
        batch: &WriteBatch<'_>,
        _skip_locked: bool,
    ) -> Result<Written> {
        let outcome = self.write_rows(access, batch).await;
        self.settled(outcome).await
    }

    async fn quarantine(&mut self, rows: &[NewQuarantine]) -> Result<()> {
        let outcome = quarantine::insert(&mut SqliteSession(&mut self.conn), rows).await;
        self.settled(outcome).await
    }

    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let outcome = match self.stamp {
            Some(stamp) => {
                let (run_id, lane_no) = (stamp.run_id, stamp.lane_no);
                let session = &mut SqliteSession(&mut self.conn);
                rotations::count(session, run_id, lane_no, counts).await
            }
            None => Err(StoreError::unexpected("counts without a lane")),
        };
        self.settled(outcome).await
    }

    async fn commit(&mut self, tally: &LaneTally) -> Result<()> {
        let outcome = self.close(tally).await;
        self.settled(outcome).await
    }

    async fn rollback(&mut self) {
        self.open = false;
        self.stamp = None;
        // If an error has ended the transaction already, there is nothing to roll back.
        let _ = run(&mut self.conn, "ROLLBACK").await;
    }
}

#[cfg(test)]
mod tests;
