//! Writing one batch: rows and cursor in one transaction.
//! Owns the writing connection and the order of a batch: fence, keys, rows, definition, COMMIT.
//! A transaction that failed is rolled back before the error is returned.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::PgConnection;

use super::connect::Connector;
use super::decode::decode_page;
use super::fault::of_rows;
use super::fence::{compare_sql, enter_sql, fence_sql, refusal};
use super::guard::{UNMARK, mark_sql};
use super::opening::{Opening, READ_COMMITTED};
use super::read::{key_binds, page_rows, unbounded};
use super::seal::seal_rows;
use super::select::{Cut, Rows};
use super::sql::{OWNERS_NAMES, SAFE_NAMES, TEXT_SETTINGS, raw};
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

/// Messages of the statement that writes rows: its text, then its values.
const WRITE_TRIPS: u32 = 2;

/// A connection that writes batches.
pub(super) struct Writer {
    connector: Connector,
    opening: Opening,
    schema: Ident,
    conn: Option<PgConnection>,
    /// The run and the number of the lane of the open transaction.
    lane: Option<(i64, i32)>,
    definition: Option<Definition>,
    /// Statements that go with the next message: each message waits for the network once.
    ahead: String,
    /// Statements that go with COMMIT.
    last: String,
    way: Way,
}

/// What messages of a batch spend on their way to the server and back: as many times the quickest one lately,
/// which is one with little work for the server.
#[derive(Default)]
struct Way {
    quickest: Duration,
    trips: u32,
}

/// The quickest message is forgotten slowly: by this factor for each message since.
const FORGETS: f64 = 1.02;

impl Way {
    fn took(&mut self, elapsed: Duration, trips: u32) {
        self.trips += trips;
        let one = elapsed / trips.max(1);
        let known = self.quickest.mul_f64(FORGETS);
        self.quickest = match self.quickest.is_zero() {
            true => one,
            false => known.min(one),
        };
    }
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
            ahead: String::new(),
            last: String::new(),
            way: Way::default(),
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
        self.lane = Some((stamp.run_id, stamp.lane_no));
        self.definition = None;
        self.last.clear();
        self.way.trips = 0;
        self.ahead = format!(
            "{} {TEXT_SETTINGS} {BATCH_SETTINGS} SET LOCAL phiseal.run = '{}'; \
             SET LOCAL lock_timeout = '2s'; {}",
            self.opening.begin(READ_COMMITTED),
            stamp.run_id,
            fence_sql(&self.schema, stamp, advance, keys)
        );
        Ok(())
    }

    /// Sends statements without values, behind those that wait to be sent.
    async fn send(&mut self, sql: &str, label: &str) -> Result<()> {
        let sql = format!("{} {sql}", std::mem::take(&mut self.ahead));
        if sql.trim().is_empty() {
            return Ok(());
        }
        let begun = Instant::now();
        let conn = self.conn()?;
        let sent = timed(raw(sql).execute(conn)).await;
        self.way.took(begun.elapsed(), 1);
        sent.map(|_| ()).map_err(|error| refusal(error, label))
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

    /// Adds to the counts of rotations, a row for each key that values of this lane were under. All that is
    /// spliced in are numbers.
    fn add_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let Some((run_id, lane_no)) = self.lane else {
            return Err(StoreError::Unexpected {
                what: "counts without a lane",
            });
        };
        let row = |count: &RotationCount| {
            let done = &count.counts;
            format!(
                "({run_id}, {lane_no}, {}, {}, {}, {}, {}, {})",
                count.history_id,
                count.from_key_id,
                done.rows_found,
                done.rows_resealed,
                done.conflicts,
                done.quarantined
            )
        };
        let rows: Vec<String> = counts.iter().map(row).collect();
        self.last.push_str(&format!(
            "INSERT INTO {}.rotation_counts AS c (run_id, lane_no, history_id, from_key_id, rows_found, \
               rows_resealed, conflicts, quarantined) VALUES {} \
             ON CONFLICT (run_id, lane_no, history_id, from_key_id) DO UPDATE SET \
               rows_found = c.rows_found + excluded.rows_found, \
               rows_resealed = c.rows_resealed + excluded.rows_resealed, \
               conflicts = c.conflicts + excluded.conflicts, quarantined = c.quarantined + excluded.quarantined; ",
            self.schema.quoted(),
            rows.join(", ")
        ));
        Ok(())
    }

    async fn put(
        &mut self,
        target: &Target,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written> {
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
        let (make, trips) = match change {
            Change::Restore => (restore::make_sql(target), restore::TRIPS),
            _ => (String::new(), WRITE_TRIPS),
        };
        let settings = format!(
            "SET LOCAL lock_timeout = '{locks}ms';{replica} {} {make} {names} {}",
            enter_sql(target, batch),
            mark_sql(change, &target.label)
        );
        self.send(&settings, &target.label).await?;
        let begun = Instant::now();
        let conn = self.conn()?;
        let written = if change == Change::Restore {
            restore::put(conn, target, batch, skip_locked).await?
        } else {
            seal_rows(conn, target, batch, skip_locked).await?
        };
        self.way.took(begun.elapsed(), trips);
        if target.triggers_fire {
            self.ahead = SAFE_NAMES.to_owned();
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
        let begun = self.send("", &target.label).await;
        self.undo(begun).await?;
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
        let begun = self.send("", "").await;
        self.undo(begun).await?;
        let conn = self.conn()?;
        let outcome = quarantine::insert(&schema, conn, rows).await;
        self.undo(outcome).await
    }

    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let outcome = self.add_rotation(counts);
        self.undo(outcome).await
    }

    async fn commit(&mut self, tally: &LaneTally) -> Result<()> {
        let definition = self.definition.take().unwrap_or_default();
        let sql = format!(
            "{} {UNMARK} {}{}{} {} COMMIT",
            std::mem::take(&mut self.ahead),
            definition.compare,
            std::mem::take(&mut self.last),
            self.tally_sql(tally)?,
            definition.before_commit
        );
        let begun = Instant::now();
        let conn = self.conn()?;
        let sent = timed(raw(sql).execute(conn)).await;
        self.way.took(begun.elapsed(), 1);
        match sent {
            Ok(_) => Ok(()),
            // Nobody knows whether the server heard it.
            Err(StoreError::ConnectionLost) => {
                self.conn = None;
                Err(StoreError::OutcomeUnknown)
            }
            Err(error) => {
                self.rollback().await;
                // Deferred triggers and constraints judge rows at COMMIT.
                Err(of_rows(refusal(error, &definition.label)))
            }
        }
    }

    fn on_the_way(&self) -> Duration {
        self.way.quickest * self.way.trips
    }

    async fn rollback(&mut self) {
        // Nothing was sent yet.
        if !std::mem::take(&mut self.ahead).is_empty() && self.way.trips == 0 {
            return;
        }
        if let Some(mut conn) = self.conn.take()
            && timed(raw("ROLLBACK".to_owned()).execute(&mut conn))
                .await
                .is_ok()
        {
            self.conn = Some(conn);
        }
    }
}
