//! Our own tables: fields, runs, lanes, quarantine, audit, keys and rotations.
//! Owns the trait [`Ledger`] and its one implementation for every store that has `PresentNames`: one
//! transaction for each method; the other traits are in the files of their tables. The functions in the files below take the caller's transaction, so that
//! a batch, a switch or a destruction keeps its rows, cursor, quarantine and audit entry together. A
//! database differs only in its `dialect::Dialect`.

pub(crate) mod audit;
pub(crate) mod dialect;
pub(crate) mod fields;
mod key_changes;
pub(crate) mod keys;
pub(crate) mod lanes;
mod pace;
pub(crate) mod procedures;
pub(crate) mod quarantine;
pub(crate) mod rotations;
pub(crate) mod runs;
pub(crate) mod session;

use async_trait::async_trait;

use super::{
    FieldRecord, FieldState, Holder, LaneRecord, LaneStamp, LaneTally, NewLane, NewQuarantine,
    QuarantineRecord, QuarantineState, QuarantineSummary, Resealed, Result, RunRecord, RunState,
};
pub use audit::AuditTable;
pub use procedures::Procedures;
use session::{OwnTables, OwnTransaction, in_transaction};

/// The registry of fields, the runs with their lanes, and the quarantine.
///
/// Contract: as [`Store`](super::Store).
#[async_trait]
pub trait Ledger: Send + Sync {
    /// All registered fields.
    async fn fields(&self) -> Result<Vec<FieldRecord>>;

    /// Registers fields. A field that is already registered keeps its entry, which takes the
    /// present names of its table and columns. Returns [`StoreError::OtherTable`](crate::store::StoreError::OtherTable) if another table
    /// has the label.
    async fn register_fields(&self, fields: &[FieldRecord]) -> Result<()>;

    /// Sets the state of fields of one table.
    async fn set_field_state(
        &self,
        table_label: &str,
        columns: &[String],
        state: FieldState,
    ) -> Result<()>;

    /// The unfinished run of a table, if there is one.
    async fn open_run(&self, table_label: &str) -> Result<Option<RunRecord>>;

    /// Begins a run with its lanes. Returns [`StoreError::Held`](crate::store::StoreError::Held) if another run of the table is
    /// unfinished.
    async fn begin_run(&self, run: &RunRecord, lanes: &[NewLane]) -> Result<i64>;

    /// Adds lanes to a run: the sweeps, and a lane for each partition that was attached after it
    /// began.
    async fn add_lanes(&self, run_id: i64, lanes: &[NewLane]) -> Result<()>;

    /// Marks a run interrupted (it can be resumed) or ended. Returns its counters, summed over its
    /// lanes.
    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        error_code: Option<&str>,
    ) -> Result<LaneTally>;

    /// Ends an unfinished run for good and takes its lanes from their holders, so that it cannot be
    /// resumed. If a holder that is not in `dead` has a lease on a lane, does nothing and returns
    /// that holder.
    async fn abandon_run(
        &self,
        run_id: i64,
        error_code: &str,
        dead: &[Holder],
    ) -> Result<Option<Holder>>;

    /// Marks an interrupted run as running again.
    async fn resume_run(&self, run_id: i64) -> Result<()>;

    /// Makes a run that is done an unfinished one again, with the lanes that it left open; does
    /// nothing to an unfinished one. Returns `false` if the run failed.
    ///
    /// # Errors
    /// [`StoreError::Held`](super::StoreError::Held) if the table has another unfinished run.
    async fn reopen_run(&self, run: &RunRecord) -> Result<bool>;

    /// At most `limit` runs: unfinished ones first, then the newest.
    async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>>;

    /// The lanes of a run.
    async fn lanes(&self, run_id: i64) -> Result<Vec<LaneRecord>>;

    /// Claims a lane that is free: it has no holder, its lease is over, or its holder is in `dead`.
    /// A lane that `holder` itself has is claimed again. A lane of another worker of the same
    /// process is never claimed, not even after its lease, because that worker lives as long as the
    /// process. `None` if no open lane can be claimed.
    async fn claim_lane(
        &self,
        run_id: i64,
        holder: &Holder,
        dead: &[Holder],
        lease_seconds: u32,
    ) -> Result<Option<LaneRecord>>;

    /// Gives a lane back; `done` says that no work is left in it. If the lane is no longer ours,
    /// this is an error only with `done`.
    async fn release_lane(&self, stamp: &LaneStamp, done: bool) -> Result<()>;

    /// The lane's row, read once none of our transactions can change it any more. This tells
    /// whether a COMMIT of unknown outcome took effect.
    async fn lane_after_commit(&self, run_id: i64, lane_no: i32) -> Result<LaneRecord>;

    /// Quarantined rows of a table, or of all tables, except those that were processed since.
    async fn quarantined(&self, table_label: Option<&str>) -> Result<Vec<QuarantineRecord>>;

    /// What is in quarantine of these tables, of all tables if none is named: counts, and at most
    /// `first` entries. The server counts, since there may be hundreds of thousands.
    async fn quarantine_summary(
        &self,
        table_labels: &[String],
        first: u32,
    ) -> Result<QuarantineSummary>;

    /// Quarantines rows outside a batch (verify). A row that is already quarantined is not entered
    /// twice.
    async fn add_quarantine(&self, rows: &[NewQuarantine]) -> Result<()>;

    /// Sets the state of quarantine entries.
    async fn set_quarantine_state(&self, ids: &[i64], state: QuarantineState) -> Result<()>;

    /// Replaces the sealed row keys of quarantine entries by ones that were sealed again.
    async fn reseal_quarantine(&self, rows: &[Resealed]) -> Result<()>;
}

/// Where the registry of fields needs to know what the tables are called now.
#[async_trait]
pub(crate) trait PresentNames: OwnTables {
    /// Gives each field the present names of its table and columns, and says how they were found.
    async fn locate(
        &self,
        transaction: &mut Self::Transaction,
        fields: &mut [FieldRecord],
    ) -> Result<()>;

    /// Records that the table of this label, and its columns, are now called as the field says.
    async fn follow(
        &self,
        transaction: &mut Self::Transaction,
        label: &str,
        field: &FieldRecord,
    ) -> Result<()>;
}

async fn present_fields<S: PresentNames>(
    store: &S,
    transaction: &mut S::Transaction,
) -> Result<Vec<FieldRecord>> {
    let mut fields = fields::recorded(transaction).await?;
    store.locate(transaction, &mut fields).await?;
    Ok(fields)
}

#[async_trait]
impl<S: PresentNames> Ledger for S {
    async fn fields(&self) -> Result<Vec<FieldRecord>> {
        in_transaction!(self.begin_read(), |session| present_fields(self, session))
    }

    async fn register_fields(&self, fields: &[FieldRecord]) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        let registered = present_fields(self, &mut transaction).await?;
        let mut all = fields::others_of_same_tables(registered, fields);
        all.extend(fields.iter().cloned());
        let mut followed: Vec<&str> = Vec::new();
        for field in fields {
            if !followed.contains(&field.table_label.as_str()) {
                followed.push(&field.table_label);
                self.follow(&mut transaction, &field.table_label, field)
                    .await?;
            }
        }
        fields::register(&mut transaction, &all).await?;
        transaction.commit().await
    }

    async fn set_field_state(
        &self,
        table_label: &str,
        columns: &[String],
        state: FieldState,
    ) -> Result<()> {
        in_transaction!(self.begin_write(), |session| fields::set_state(
            session,
            table_label,
            columns,
            state
        ))
    }

    async fn open_run(&self, table_label: &str) -> Result<Option<RunRecord>> {
        in_transaction!(self.begin_read(), |session| runs::open_run(
            session,
            table_label
        ))
    }

    async fn begin_run(&self, run: &RunRecord, lanes: &[NewLane]) -> Result<i64> {
        in_transaction!(self.begin_write(), |session| runs::begin(
            session, run, lanes
        ))
    }

    async fn add_lanes(&self, run_id: i64, lanes: &[NewLane]) -> Result<()> {
        in_transaction!(self.begin_write(), |session| lanes::insert(
            session, run_id, lanes
        ))
    }

    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        error_code: Option<&str>,
    ) -> Result<LaneTally> {
        in_transaction!(self.begin_write(), |session| runs::end(
            session, run_id, state, error_code
        ))
    }

    async fn abandon_run(
        &self,
        run_id: i64,
        error_code: &str,
        dead: &[Holder],
    ) -> Result<Option<Holder>> {
        in_transaction!(self.begin_write(), |session| runs::abandon(
            session, run_id, error_code, dead
        ))
    }

    async fn resume_run(&self, run_id: i64) -> Result<()> {
        in_transaction!(self.begin_write(), |session| runs::resume(session, run_id))
    }

    async fn reopen_run(&self, run: &RunRecord) -> Result<bool> {
        in_transaction!(self.begin_write(), |session| runs::reopen(session, run))
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>> {
        in_transaction!(self.begin_read(), |session| runs::list(session, limit))
    }

    async fn lanes(&self, run_id: i64) -> Result<Vec<LaneRecord>> {
        in_transaction!(self.begin_read(), |session| lanes::list(session, run_id))
    }

    async fn claim_lane(
        &self,
        run_id: i64,
        holder: &Holder,
        dead: &[Holder],
        lease_seconds: u32,
    ) -> Result<Option<LaneRecord>> {
        in_transaction!(self.begin_write(), |session| lanes::claim(
            session,
            run_id,
            holder,
            dead,
            lease_seconds
        ))
    }

    async fn release_lane(&self, stamp: &LaneStamp, done: bool) -> Result<()> {
        in_transaction!(self.begin_write(), |session| lanes::release(
            session, stamp, done
        ))
    }

    async fn lane_after_commit(&self, run_id: i64, lane_no: i32) -> Result<LaneRecord> {
        in_transaction!(self.begin_write(), |session| lanes::after_commit(
            session, run_id, lane_no
        ))
    }

    async fn quarantined(&self, table_label: Option<&str>) -> Result<Vec<QuarantineRecord>> {
        in_transaction!(self.begin_read(), |session| quarantine::list(
            session,
            table_label
        ))
    }

    async fn quarantine_summary(
        &self,
        table_labels: &[String],
        first: u32,
    ) -> Result<QuarantineSummary> {
        in_transaction!(self.begin_read(), |session| quarantine::summary(
            session,
            table_labels,
            first
        ))
    }

    async fn add_quarantine(&self, rows: &[NewQuarantine]) -> Result<()> {
        in_transaction!(self.begin_write(), |session| quarantine::insert(
            session, rows
        ))
    }

    async fn set_quarantine_state(&self, ids: &[i64], state: QuarantineState) -> Result<()> {
        in_transaction!(self.begin_write(), |session| quarantine::set_state(
            session, ids, state
        ))
    }

    async fn reseal_quarantine(&self, rows: &[Resealed]) -> Result<()> {
        in_transaction!(self.begin_write(), |session| quarantine::reseal(
            session, rows
        ))
    }
}
