//! Writing one batch: rows and cursor in one transaction.
//! Owns the writing connection and the order of a batch: fence, keys, rows, definition, COMMIT.
//! A transaction that failed is rolled back before the error is returned.

use async_trait::async_trait;
use sqlx::PgConnection;

use super::connect::Connector;
use super::decode::decode_page;
use super::fence::{compare_sql, enter_sql, fence_sql, refusal};
use super::guard::{UNMARK, mark_sql};
use super::opening::{Opening, READ_COMMITTED};
use super::read::{key_binds, page_rows, unbounded};
use super::seal::seal_rows;
use super::select::{Cut, Rows};
use super::sql::{OWNERS_NAMES, SAFE_NAMES, TEXT_SETTINGS, query, raw};
use super::{quarantine, restore, timed};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::store::change::Change;
use crate::store::{
    Advance, BatchWriter, Cursor, LaneStamp, LaneTally, NewQuarantine, Page, PageRequest, Result,
    RotationCount, StoreError, Target, WriteBatch, Written,
};

/// The batch's own settings. Triggers of others may look at `phiseal.engine`; the guard looks at the mark
/// that stands while rows are written. Where a client is gone or frozen, the idle timeout ends what it keeps locked
/// if the server waits for a command, the TCP one if it has an answer that nobody takes. Nested loops by `ctid` are what the write must be: a plan that scans
/// the table once for each batch would make the whole quadratic.
pub(super) const BATCH_SETTINGS: &str = "SET LOCAL phiseal.engine = 'on'; SET LOCAL statement_timeout = '60s'; SET LOCAL synchronous_commit TO DEFAULT; \
     SET LOCAL idle_in_transaction_session_timeout = '10s'; SET LOCAL tcp_user_timeout = '20s'; \
     SET LOCAL jit = off; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;";

/// A connection that writes batches.
pub(super) struct Writer {
    connector: Connector,
    opening: Opening,
    schema: Ident,
    conn: Option<PgConnection>,
    /// The run and the number of the lane of the open transaction.
    lane: Option<(i64, i32)>,
    definition: Option<Definition>,
}

/// What the open transaction compares before it commits.
#[derive(Default)]
struct Definition {
    /// The statements that compare.
    compare: String,
    /// Settings for code that fires at COMMIT.
    before_commit: &'static str,
    /// The table's label.
    label: String,
}

impl Writer {
    pub(super) fn new(
        connector: Connector,
        opening: Opening,
        schema: Ident,
        conn: PgConnection,
    ) -> Self {
        Self {
            connector,
            opening,
            schema,
            conn: Some(conn),
            lane: None,
            definition: None,
        }
    }

    fn conn(&mut self) -> Result<&mut PgConnection> {
        self.conn.as_mut().ok_or(StoreError::ConnectionLost)
    }

    /// Rolls back after a failure; a connection that cannot even do that is given up.
    async fn undo<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.rollback().await;
        }
        outcome
    }

    async fn open(&mut self, stamp: &LaneStamp, advance: &Advance, keys: &[KeyId]) -> Result<()> {
        if self.conn.is_none() {
            self.conn = Some(self.connector.connect().await?);
        }
        let conn = self.conn.as_mut().ok_or(StoreError::ConnectionLost)?;
        self.lane = Some((stamp.run_id, stamp.lane_no));
        self.definition = None;
        let begin = format!(
            "{} {TEXT_SETTINGS} {BATCH_SETTINGS} SET LOCAL phiseal.run = '{}'; \
             SET LOCAL lock_timeout = '2s'; {}",
            self.opening.begin(READ_COMMITTED),
            stamp.run_id,
            fence_sql(&self.schema, stamp, advance, keys)
        );
        match timed(raw(begin).execute(&mut *conn)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(refusal(error, "")),
        }
    }

    /// Adds to the counters of the lane, whose row this transaction holds.
    fn tally_sql(&self, tally: &LaneTally) -> Result<String> {
        let Some((run_id, lane_no)) = self.lane else {
            return Err(StoreError::Unexpected {
                what: "a commit without a lane",
            });
        };
        if *tally == LaneTally::default() {
            return Ok(String::new());
        }
        Ok(format!(
            "UPDATE {}.lanes SET rows_found = rows_found + {}, rows_written = rows_written + {}, \
             values_written = values_written + {}, conflicts = conflicts + {}, quarantined = quarantined + {} \
             WHERE run_id = {run_id} AND lane_no = {lane_no};",
            self.schema.quoted(),
            tally.rows_found,
            tally.rows_written,
            tally.values_written,
            tally.conflicts,
            tally.quarantined
        ))
    }

    /// Adds to the counts of rotations, a row for each key that values of this lane were under.
    async fn add_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let Some((run_id, lane_no)) = self.lane else {
            return Err(StoreError::Unexpected {
                what: "counts without a lane",
            });
        };
        let sql = format!(
            "INSERT INTO {}.rotation_counts AS c (run_id, lane_no, history_id, from_key_id, rows_found, \
               rows_resealed, conflicts, quarantined) \
             SELECT $1, $2, n.* FROM unnest($3::int8[], $4::int4[], $5::int8[], $6::int8[], $7::int8[], $8::int8[]) AS n \
             ON CONFLICT (run_id, lane_no, history_id, from_key_id) DO UPDATE SET \
               rows_found = c.rows_found + excluded.rows_found, \
               rows_resealed = c.rows_resealed + excluded.rows_resealed, \
               conflicts = c.conflicts + excluded.conflicts, quarantined = c.quarantined + excluded.quarantined",
            self.schema.quoted()
        );
        let numbers = |of: fn(&RotationCount) -> i64| counts.iter().map(of).collect::<Vec<i64>>();
        let statement = query(sql)
            .bind(run_id)
            .bind(lane_no)
            .bind(numbers(|c| c.history_id))
            .bind(
                counts
                    .iter()
                    .map(|c| c.from_key_id.get().cast_signed())
                    .collect::<Vec<i32>>(),
            )
            .bind(numbers(|c| c.counts.rows_found))
            .bind(numbers(|c| c.counts.rows_resealed))
            .bind(numbers(|c| c.counts.conflicts))
            .bind(numbers(|c| c.counts.quarantined));
        timed(statement.execute(self.conn()?)).await.map(|_| ())
    }

    async fn put(
        &mut self,
        target: &Target,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written> {
        let conn = self.conn()?;
        let locks = if skip_locked {
            2000
        } else {
            target.lock_timeout_ms
        };
        let replica = if target.suppress_triggers {
            " SET LOCAL session_replication_role = 'replica';"
        } else {
            ""
        };
        // Triggers that fire look their names up as under the application's own writes.
        let change = Change::of(target, batch.rows);
        let names = if target.triggers_fire {
            OWNERS_NAMES
        } else {
            ""
        };
        let settings = format!(
            "SET LOCAL lock_timeout = '{locks}ms';{replica} {} {names} {}",
            enter_sql(target, batch),
            mark_sql(change, &target.label)
        );
        timed(raw(settings).execute(&mut *conn))
            .await
            .map_err(|error| refusal(error, &target.label))?;
        let written = if change == Change::Restore {
            restore::put(conn, target, batch, skip_locked).await?
        } else {
            seal_rows(conn, target, batch, skip_locked).await?
        };
        if target.triggers_fire {
            timed(raw(SAFE_NAMES.to_owned()).execute(self.conn()?)).await?;
        }
        self.definition = Some(Definition {
            compare: compare_sql(target, batch, self.opening.role()),
            // Deferred triggers fire at COMMIT.
            before_commit: names,
            label: target.label.clone(),
        });
        Ok(written)
    }
}

#[async_trait]
impl BatchWriter for Writer {
    async fn begin(&mut self, stamp: &LaneStamp, advance: &Advance, keys: &[KeyId]) -> Result<()> {
        let outcome = self.open(stamp, advance, keys).await;
        self.undo(outcome).await
    }

    async fn lock_rows(
        &mut self,
        target: &Target,
        request: &PageRequest,
        keys: &[Cursor],
    ) -> Result<Page> {
        let request = unbounded(request, keys.len());
        let binds = key_binds(target, &request, keys);
        let conn = self.conn()?;
        let outcome = match page_rows(
            conn,
            target,
            &Rows::LockedKeys(&request),
            Cut::Server,
            binds,
        )
        .await
        {
            Ok(rows) => decode_page(target, &rows),
            Err(error) => Err(error),
        };
        self.undo(outcome).await
    }

    async fn write(
        &mut self,
        target: &Target,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written> {
        let outcome = self.put(target, batch, skip_locked).await;
        self.undo(outcome).await
    }

    async fn quarantine(&mut self, rows: &[NewQuarantine]) -> Result<()> {
        let schema = self.schema.clone();
        let conn = self.conn()?;
        let outcome = quarantine::insert(&schema, conn, rows).await;
        self.undo(outcome).await
    }

    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let outcome = self.add_rotation(counts).await;
        self.undo(outcome).await
    }

    async fn commit(&mut self, tally: &LaneTally) -> Result<()> {
        let definition = self.definition.take().unwrap_or_default();
        let sql = format!(
            "{UNMARK} {}{} {} COMMIT",
            definition.compare,
            self.tally_sql(tally)?,
            definition.before_commit
        );
        let conn = self.conn()?;
        match timed(raw(sql).execute(conn)).await {
            Ok(_) => Ok(()),
            // Nobody knows whether the server heard it.
            Err(StoreError::ConnectionLost) => {
                self.conn = None;
                Err(StoreError::OutcomeUnknown)
            }
            Err(error) => {
                self.rollback().await;
                Err(refusal(error, &definition.label))
            }
        }
    }

    async fn rollback(&mut self) {
        if let Some(mut conn) = self.conn.take()
            && timed(raw("ROLLBACK".to_owned()).execute(&mut conn))
                .await
                .is_ok()
        {
            self.conn = Some(conn);
        }
    }
}
