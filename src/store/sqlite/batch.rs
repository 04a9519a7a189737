//! Writes batches: rows, cursor and counters in one transaction.
//! Owns how the transaction begins and ends. It holds SQLite's one write lock from the start, so
//! what it compares cannot change before it commits, and neither can the schema or a key. It sets
//! the engine's mark before each statement that writes rows, and removes all marks before it
//! commits.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::shape::joined;
use super::single::current_rows;
use super::statement::{Bind, bound, run};
use super::{ddl, fault, ledger, mark, update};
use crate::crypto::KeyId;
use crate::store::change::Change;
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
        keys: &[KeyId],
    ) -> Result<()> {
        // Set first: if this call is cancelled after BEGIN, the next one rolls back.
        self.open = true;
        run(&mut self.conn, "BEGIN IMMEDIATE").await?;
        advance_lane(&mut self.conn, stamp, advance).await?;
        self.stamp = Some(*stamp);
        require_active(&mut self.conn, keys).await
    }

    async fn write_rows(&mut self, access: &Access, batch: &WriteBatch<'_>) -> Result<Written> {
        if ddl::fingerprint(&mut self.conn, &access.table).await? != batch.fingerprint {
            return Err(StoreError::SchemaChanged {
                table: access.table.name.label(),
            });
        }
        let change = Change::of(access, batch.rows);
        mark::as_engine(&mut self.conn, change, &access.table.label).await?;
        update::write(&mut self.conn, access, batch.rows).await
    }

    async fn close(&mut self, tally: &LaneTally) -> Result<()> {
        if let Some(stamp) = self.stamp {
            add_tally(&mut self.conn, &stamp, tally).await?;
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
        let outcome = ledger::insert_quarantine(&mut self.conn, rows).await;
        self.settled(outcome).await
    }

    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let outcome = match self.stamp {
            Some(stamp) => add_rotation(&mut self.conn, &stamp, counts).await,
            None => Err(StoreError::Unexpected {
                what: "counts without a lane",
            }),
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

async fn advance_lane(
    conn: &mut SqliteConnection,
    stamp: &LaneStamp,
    advance: &LaneUpdate,
) -> Result<()> {
    const ADVANCE: &str = "UPDATE phiseal_lanes SET seq = seq + 1, cursor = coalesce(?, cursor), \
        lease_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ? || ' seconds'), \
        updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
        WHERE run_id = ? AND lane_no = ? AND fence = ? AND seq = ? AND state = 'open'";
    let binds = [
        Bind::blob(advance.cursor.as_deref()),
        Bind::Integer(i64::from(advance.lease_seconds)),
        Bind::Integer(stamp.run_id),
        Bind::Integer(i64::from(stamp.lane_no)),
        Bind::Integer(stamp.fence),
        Bind::Integer(stamp.seq),
    ];
    let done = bound(ADVANCE, binds)
        .execute(conn)
        .await
        .map_err(fault::of)?;
    match done.rows_affected() {
        1 => Ok(()),
        _ => Err(StoreError::FenceLost),
    }
}

async fn add_tally(
    conn: &mut SqliteConnection,
    stamp: &LaneStamp,
    tally: &LaneTally,
) -> Result<()> {
    const ADD: &str = "UPDATE phiseal_lanes SET rows_found = rows_found + ?, \
        rows_written = rows_written + ?, values_written = values_written + ?, \
        conflicts = conflicts + ?, quarantined = quarantined + ? WHERE run_id = ? AND lane_no = ?";
    let binds = [
        tally.rows_found,
        tally.rows_written,
        tally.values_written,
        tally.conflicts,
        tally.quarantined,
        stamp.run_id,
        i64::from(stamp.lane_no),
    ];
    let added = bound(ADD, binds.map(Bind::Integer)).execute(conn).await;
    added.map(|_| ()).map_err(fault::of)
}

/// Adds to the counts of rotations, in one row for each superseded key of the lane's values.
async fn add_rotation(
    conn: &mut SqliteConnection,
    stamp: &LaneStamp,
    counts: &[RotationCount],
) -> Result<()> {
    const ADD: &str = "INSERT INTO phiseal_rotation_counts AS c (run_id, lane_no, history_id, \
        from_key_id, rows_found, rows_resealed, conflicts, quarantined) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
        ON CONFLICT (run_id, lane_no, history_id, from_key_id) DO UPDATE SET \
        rows_found = c.rows_found + excluded.rows_found, \
        rows_resealed = c.rows_resealed + excluded.rows_resealed, \
        conflicts = c.conflicts + excluded.conflicts, quarantined = c.quarantined + excluded.quarantined";
    for one in counts {
        let binds = [
            stamp.run_id,
            i64::from(stamp.lane_no),
            one.history_id,
            i64::from(one.from_key_id.get()),
            one.counts.rows_found,
            one.counts.rows_resealed,
            one.counts.conflicts,
            one.counts.quarantined,
        ];
        bound(ADD, binds.map(Bind::Integer))
            .execute(&mut *conn)
            .await
            .map_err(fault::of)?;
    }
    Ok(())
}

async fn require_active(conn: &mut SqliteConnection, keys: &[KeyId]) -> Result<()> {
    let sql = format!(
        "SELECT count(*) FROM phiseal_encryption_keys WHERE status = 'active' AND key_id IN ({})",
        joined(keys, ", ", KeyId::to_string),
    );
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    let active: i64 = row.try_get(0).map_err(fault::of)?;
    let mut wanted: Vec<u32> = keys.iter().map(|key| key.get()).collect();
    wanted.sort_unstable();
    wanted.dedup();
    match usize::try_from(active) == Ok(wanted.len()) {
        true => Ok(()),
        false => Err(StoreError::KeyNotActive),
    }
}

#[cfg(test)]
mod tests;
