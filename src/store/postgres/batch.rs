//! Writing one batch: its rows and the cursor in one transaction.
//! Owns the writing connection and the order within a batch: fence, keys, rows, definition, COMMIT.
//! A transaction that fails is rolled back before the error is returned.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::PgConnection;

use super::connect::Connector;
use super::decode::decode_page;
use super::dialect::{PostgresDialect, PostgresSession, inlined};
use super::fault::of_rows;
use super::fence::{compare_sql, enter_sql, fence_sql, refusal};
use super::guard::{UNMARK, mark_sql};
use super::opening::{Opening, READ_COMMITTED};
use super::read::{key_binds, page_rows, unbounded};
use super::seal::seal_rows;
use super::select::{Cut, Rows};
use super::sql::{OWNERS_NAMES, SAFE_NAMES, TEXT_SETTINGS, raw, set_local};
use super::{restore, timed};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::store::change::Change;
use crate::store::ledger::{lanes, quarantine, rotations};
use crate::store::{
    Access, BatchWriter, KeyText, LaneStamp, LaneTally, LaneUpdate, NewQuarantine, Page,
    PageRequest, Result, RotationCount, StoreError, Triggers, WriteBatch, Written,
};

/// The settings of a batch, with this value of `synchronous_commit`. An application's triggers may
/// read `phiseal.engine`; the guard reads `phiseal.change`, which is set while rows are written. If
/// the client is gone or frozen, a timeout ends the session and frees its locks: the idle timeout if
/// the server waits for a command, the TCP timeout if nobody takes its answer. The write must be a
/// nested loop by `ctid`: a plan that scanned the whole table for each batch would make the run's
/// time grow with the square of the table. A statement that fails is logged without its values.
pub(super) fn batch_settings(synchronous_commit: &str) -> String {
    const ALWAYS: &str = set_local!(
        "phiseal.engine" = "on",
        "statement_timeout" = "60s",
        "idle_in_transaction_session_timeout" = "10s",
        "tcp_user_timeout" = "20s",
        "log_parameter_max_length_on_error" = "0",
        "jit" = "off",
        "enable_seqscan" = "off",
        "enable_hashjoin" = "off",
        "enable_mergejoin" = "off",
    );
    format!("{ALWAYS} SET LOCAL synchronous_commit TO {synchronous_commit};")
}

/// Commits wait as the role or the database says.
pub(super) const AS_USUAL: &str = "DEFAULT";

/// The number of messages of the statement that writes rows: its text, then its values.
const WRITE_TRIPS: u32 = 2;

/// A connection that writes batches.
pub(super) struct Writer {
    connector: Connector,
    opening: Opening,
    schema: Ident,
    conn: Option<PgConnection>,
    /// The run and the lane number of the open transaction.
    lane: Option<(i64, i32)>,
    definition: Option<Definition>,
    /// Statements that are sent with the next message, so that they cost no round trip of their
    /// own.
    ahead: String,
    /// Statements that are sent with COMMIT.
    last: String,
    /// The open transaction is to be on the server's disk before COMMIT is answered.
    durable: bool,
    way: TravelTime,
}

/// Estimates how long the messages of a batch spend on the network: the number of messages times
/// the quickest recent one, which is one with little work for the server.
#[derive(Default)]
struct TravelTime {
    quickest: Duration,
    trips: u32,
}

/// For each message, the time of the quickest one is raised by this factor, so that it is slowly
/// forgotten.
const FORGETS: f64 = 1.02;

impl TravelTime {
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

/// What the open transaction checks before it commits.
#[derive(Default)]
struct Definition {
    /// The statements that compare the table's definition.
    compare: String,
    /// Settings for deferred triggers, which run at COMMIT.
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
            durable: true,
            way: TravelTime::default(),
        }
    }

    fn conn(&mut self) -> Result<&mut PgConnection> {
        self.conn.as_mut().ok_or(StoreError::ConnectionLost)
    }

    /// Rolls back if `outcome` is an error. If the rollback fails too, the connection is dropped.
    async fn undo<T>(&mut self, outcome: Result<T>) -> Result<T> {
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
        if self.conn.is_none() {
            self.conn = Some(self.connector.connect("write").await?);
        }
        self.lane = Some((stamp.run_id, stamp.lane_no));
        self.definition = None;
        self.last.clear();
        self.durable = advance.durable;
        self.way.trips = 0;
        self.ahead = format!(
            "{} {TEXT_SETTINGS} {} {} {}",
            self.opening.begin(READ_COMMITTED),
            batch_settings(AS_USUAL),
            set_local!("lock_timeout" = "2s"),
            fence_sql(&self.schema, stamp, advance, keys)
        );
        Ok(())
    }

    /// Sends the statements that wait in `ahead`, and then `sql`; none of them has bound values.
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

    /// The statement that adds to the counters of the lane, whose row this transaction has locked.
    fn tally_sql(&self, tally: &LaneTally) -> Result<String> {
        let Some((run_id, lane_no)) = self.lane else {
            return Err(StoreError::unexpected("a commit without a lane"));
        };
        if *tally == LaneTally::default() {
            return Ok(String::new());
        }
        let dialect = PostgresDialect(self.schema.clone());
        let add = lanes::add_tally(&dialect, run_id, lane_no, tally);
        Ok(inlined(&add)? + ";")
    }

    /// Adds to the counters of rotations, with COMMIT.
    fn add_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let Some((run_id, lane_no)) = self.lane else {
            return Err(StoreError::unexpected("counts without a lane"));
        };
        let dialect = PostgresDialect(self.schema.clone());
        let add = rotations::add_counts(&dialect, run_id, lane_no, counts);
        self.last.push_str(&inlined(&add)?);
        self.last.push_str("; ");
        Ok(())
    }

    async fn put(
        &mut self,
        access: &Access,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written> {
        let locks = if skip_locked {
            2000
        } else {
            access.lock_timeout_ms
        };
        let replica = if access.triggers == Triggers::Suppressed {
            " SET LOCAL session_replication_role = 'replica';"
        } else {
            ""
        };
        // The application's triggers must find the same names as under its own writes.
        let change = Change::of(access, batch.rows);
        let names = if access.triggers == Triggers::Fire {
            OWNERS_NAMES
        } else {
            ""
        };
        let (make, trips) = match change {
            Change::Restore => (restore::make_sql(access), restore::TRIPS),
            _ => (String::new(), WRITE_TRIPS),
        };
        let settings = format!(
            "SELECT pg_catalog.set_config('lock_timeout', '{locks}ms', true);{replica} {} {make} {names} {}",
            enter_sql(access, batch),
            mark_sql(change, &access.table.label)
        );
        self.send(&settings, &access.table.label).await?;
        let begun = Instant::now();
        let conn = self.conn()?;
        let written = if change == Change::Restore {
            restore::put(conn, access, batch, skip_locked).await?
        } else {
            seal_rows(conn, access, batch, skip_locked).await?
        };
        self.way.took(begun.elapsed(), trips);
        if access.triggers == Triggers::Fire {
            self.ahead = SAFE_NAMES.to_owned();
        }
        self.definition = Some(Definition {
            compare: compare_sql(access, batch, self.opening.role()),
            // Deferred triggers run at COMMIT and need the same search path.
            before_commit: names,
            label: access.table.label.clone(),
        });
        Ok(written)
    }
}

#[async_trait]
impl BatchWriter for Writer {
    async fn begin(
        &mut self,
        stamp: &LaneStamp,
        advance: &LaneUpdate,
        keys: &[KeyId],
    ) -> Result<()> {
        let outcome = self.open(stamp, advance, keys).await;
        self.undo(outcome).await
    }

    async fn lock_rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let request = unbounded(request, keys.len());
        let binds = key_binds(access, &request, keys);
        let begun = self.send("", &access.table.label).await;
        self.undo(begun).await?;
        let conn = self.conn()?;
        let outcome = match page_rows(
            conn,
            access,
            &Rows::LockedKeys(&request),
            Cut::Server,
            binds,
        )
        .await
        {
            Ok(rows) => decode_page(access, &rows),
            Err(error) => Err(error),
        };
        self.undo(outcome).await
    }

    async fn write(
        &mut self,
        access: &Access,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written> {
        let outcome = self.put(access, batch, skip_locked).await;
        self.undo(outcome).await
    }

    async fn quarantine(&mut self, rows: &[NewQuarantine]) -> Result<()> {
        // What a person has to look at is not lost with the server.
        self.durable = true;
        let schema = self.schema.clone();
        let begun = self.send("", "").await;
        self.undo(begun).await?;
        let conn = self.conn()?;
        let outcome = quarantine::insert(&mut PostgresSession::new(conn, &schema), rows).await;
        self.undo(outcome).await
    }

    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let outcome = self.add_rotation(counts);
        self.undo(outcome).await
    }

    async fn commit(&mut self, tally: &LaneTally) -> Result<()> {
        let definition = self.definition.take().unwrap_or_default();
        let sql = format!(
            "{} {UNMARK} {} {}{}{} {} COMMIT",
            std::mem::take(&mut self.ahead),
            match self.durable {
                true => "",
                false => set_local!("synchronous_commit" = "off"),
            },
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
            // The server may have committed or not.
            Err(StoreError::ConnectionLost) => {
                self.conn = None;
                Err(StoreError::OutcomeUnknown)
            }
            Err(error) => {
                self.rollback().await;
                // Deferred triggers and constraints refuse rows at COMMIT.
                Err(of_rows(refusal(error, &definition.label)))
            }
        }
    }

    fn on_the_way(&self) -> Duration {
        self.way.quickest * self.way.trips
    }

    async fn rollback(&mut self) {
        // `begin` only queued its statements, so there is no transaction yet.
        if !std::mem::take(&mut self.ahead).is_empty() && self.way.trips == 0 {
            return;
        }
        if let Some(mut conn) = self.conn.take()
            && timed(raw("ROLLBACK").execute(&mut conn)).await.is_ok()
        {
            self.conn = Some(conn);
        }
    }
}
