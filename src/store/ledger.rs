//! Our own tables: fields, runs, lanes, quarantine, audit, keys and rotations.
//! Owns the traits, and their one implementation for every store that has [`OwnTables`]: one
//! transaction for each method. The functions in the files below take the caller's transaction, so that
//! a batch, a switch or a destruction keeps its rows, cursor, quarantine and audit entry together. A
//! database differs only in its [`Dialect`](dialect::Dialect).

pub(crate) mod audit;
pub(crate) mod dialect;
pub(crate) mod fields;
pub(crate) mod keys;
pub(crate) mod lanes;
pub(crate) mod procedures;
pub(crate) mod quarantine;
pub(crate) mod rotations;
pub(crate) mod runs;
pub(crate) mod session;

use async_trait::async_trait;

use super::{
    AuditEntry, AuditHead, AuditMisfit, AuditRow, FieldRecord, FieldState, Holder, LaneRecord,
    LaneStamp, LaneTally, NewLane, NewQuarantine, ProcedureKind, ProcedureRecord, QuarantineRecord,
    QuarantineState, Resealed, Result, RunRecord, RunState,
};
use crate::crypto::KeyId;
use crate::keys::{
    ChangeRow, Handover, KeyRecord, KeyStatus, KeyTable, KeyTransition, NewKey, Notary, Rewrapped,
    RotationEnd, RotationPeriod, RotationRecord, RotationTable,
};
use session::{OwnTables, OwnTransaction, Session};

/// How long a change of keys waits for another one before it fails and is tried again.
const KEY_WAIT_SECONDS: u32 = 2;

/// The registry of fields, the runs with their lanes, and the quarantine.
///
/// Contract: as [`Store`](super::Store).
#[async_trait]
pub trait Ledger: Send + Sync {
    /// All registered fields.
    async fn fields(&self) -> Result<Vec<FieldRecord>>;

    /// Registers fields. A field that is already registered keeps its entry, which takes the
    /// present names of its table and columns. Returns [`StoreError::OtherTable`] if another table
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

    /// Begins a run with its lanes. Returns [`StoreError::Held`] if another run of the table is
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

    /// Quarantines rows outside a batch (verify). A row that is already quarantined is not entered
    /// twice.
    async fn add_quarantine(&self, rows: &[NewQuarantine]) -> Result<()>;

    /// Sets the state of quarantine entries.
    async fn set_quarantine_state(&self, ids: &[i64], state: QuarantineState) -> Result<()>;

    /// Replaces the sealed row keys of quarantine entries by ones that were sealed again.
    async fn reseal_quarantine(&self, rows: &[Resealed]) -> Result<()>;
}

/// The phases of long procedures.
///
/// Contract: as [`Store`](super::Store).
#[async_trait]
pub trait Procedures: Send + Sync {
    /// Begins a procedure in this phase, or returns the unfinished one of this kind and subject.
    async fn begin_procedure(
        &self,
        kind: ProcedureKind,
        subject: &str,
        phase: &str,
        params: &str,
        actor: &str,
    ) -> Result<ProcedureRecord>;

    /// Moves an unfinished procedure from one phase to another, with new parameters if there are any.
    /// Returns an error if it is in neither phase.
    async fn set_phase(
        &self,
        procedure_id: i64,
        from: &str,
        to: &str,
        params: Option<&str>,
    ) -> Result<()>;

    /// Ends a procedure; one that has ended keeps its outcome.
    async fn finish_procedure(&self, procedure_id: i64, outcome: &str) -> Result<()>;

    /// Procedures, the newest first, at most `limit`. Unfinished ones come before all others, and are
    /// returned whatever the limit.
    async fn procedures(&self, limit: u32) -> Result<Vec<ProcedureRecord>>;
}

/// The audit log. `run::audit` makes and checks the chain.
///
/// Contract: as [`Store`](super::Store).
#[async_trait]
pub trait AuditTable: Send + Sync {
    /// The end of the audit chain.
    async fn audit_head(&self) -> Result<AuditHead>;

    /// Appends the entries that `note` makes, in one transaction that locks the end of the chain,
    /// and records which key changes they are for.
    async fn note(&self, note: &dyn Notary) -> Result<()>;

    /// Appends an entry after `expected`; returns `false` if another entry was appended first.
    async fn append_audit(&self, entry: &AuditEntry, expected: &AuditHead) -> Result<bool>;

    /// The rows of the audit log in order of their number, beginning with `from`, at most `limit`.
    /// Includes rows that were not written by an appender, if they have a number.
    async fn audit_entries(&self, from: i64, limit: u32) -> Result<Vec<AuditRow>>;

    /// A fault in the audit tables that [`Store::audit_entries`] and [`Store::audit_head`] cannot
    /// show.
    async fn audit_misfit(&self) -> Result<Option<AuditMisfit>>;
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
        let mut transaction = self.begin_read().await?;
        let fields = present_fields(self, &mut transaction).await?;
        transaction.commit().await?;
        Ok(fields)
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
        let mut transaction = self.begin_write().await?;
        fields::set_state(&mut transaction, table_label, columns, state).await?;
        transaction.commit().await
    }

    async fn open_run(&self, table_label: &str) -> Result<Option<RunRecord>> {
        let mut transaction = self.begin_read().await?;
        let answer = runs::open_run(&mut transaction, table_label).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn begin_run(&self, run: &RunRecord, lanes: &[NewLane]) -> Result<i64> {
        let mut transaction = self.begin_write().await?;
        let answer = runs::begin(&mut transaction, run, lanes).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn add_lanes(&self, run_id: i64, lanes: &[NewLane]) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        lanes::insert(&mut transaction, run_id, lanes).await?;
        transaction.commit().await
    }

    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        error_code: Option<&str>,
    ) -> Result<LaneTally> {
        let mut transaction = self.begin_write().await?;
        let answer = runs::end(&mut transaction, run_id, state, error_code).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn abandon_run(
        &self,
        run_id: i64,
        error_code: &str,
        dead: &[Holder],
    ) -> Result<Option<Holder>> {
        let mut transaction = self.begin_write().await?;
        let answer = runs::abandon(&mut transaction, run_id, error_code, dead).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn resume_run(&self, run_id: i64) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        runs::resume(&mut transaction, run_id).await?;
        transaction.commit().await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>> {
        let mut transaction = self.begin_read().await?;
        let answer = runs::list(&mut transaction, limit).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn lanes(&self, run_id: i64) -> Result<Vec<LaneRecord>> {
        let mut transaction = self.begin_read().await?;
        let answer = lanes::list(&mut transaction, run_id).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn claim_lane(
        &self,
        run_id: i64,
        holder: &Holder,
        dead: &[Holder],
        lease_seconds: u32,
    ) -> Result<Option<LaneRecord>> {
        let mut transaction = self.begin_write().await?;
        let answer = lanes::claim(&mut transaction, run_id, holder, dead, lease_seconds).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn release_lane(&self, stamp: &LaneStamp, done: bool) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        lanes::release(&mut transaction, stamp, done).await?;
        transaction.commit().await
    }

    async fn lane_after_commit(&self, run_id: i64, lane_no: i32) -> Result<LaneRecord> {
        let mut transaction = self.begin_write().await?;
        let answer = lanes::after_commit(&mut transaction, run_id, lane_no).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn quarantined(&self, table_label: Option<&str>) -> Result<Vec<QuarantineRecord>> {
        let mut transaction = self.begin_read().await?;
        let answer = quarantine::list(&mut transaction, table_label).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn add_quarantine(&self, rows: &[NewQuarantine]) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        quarantine::insert(&mut transaction, rows).await?;
        transaction.commit().await
    }

    async fn set_quarantine_state(&self, ids: &[i64], state: QuarantineState) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        quarantine::set_state(&mut transaction, ids, state).await?;
        transaction.commit().await
    }

    async fn reseal_quarantine(&self, rows: &[Resealed]) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        quarantine::reseal(&mut transaction, rows).await?;
        transaction.commit().await
    }
}

#[async_trait]
impl<S: OwnTables> Procedures for S {
    async fn begin_procedure(
        &self,
        kind: ProcedureKind,
        subject: &str,
        phase: &str,
        params: &str,
        actor: &str,
    ) -> Result<ProcedureRecord> {
        let mut transaction = self.begin_write().await?;
        let record =
            procedures::begin(&mut transaction, kind, subject, phase, params, actor).await?;
        transaction.commit().await?;
        Ok(record)
    }

    async fn set_phase(
        &self,
        procedure_id: i64,
        from: &str,
        to: &str,
        params: Option<&str>,
    ) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        procedures::set_phase(&mut transaction, procedure_id, from, to, params).await?;
        transaction.commit().await
    }

    async fn finish_procedure(&self, procedure_id: i64, outcome: &str) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        procedures::finish(&mut transaction, procedure_id, outcome).await?;
        transaction.commit().await
    }

    async fn procedures(&self, limit: u32) -> Result<Vec<ProcedureRecord>> {
        let mut transaction = self.begin_read().await?;
        let records = procedures::list(&mut transaction, limit).await?;
        transaction.commit().await?;
        Ok(records)
    }
}

#[async_trait]
impl<S: OwnTables> AuditTable for S {
    async fn audit_head(&self) -> Result<AuditHead> {
        let mut transaction = self.begin_read().await?;
        let answer = audit::head(&mut transaction).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn note(&self, note: &dyn Notary) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await
    }

    async fn append_audit(&self, entry: &AuditEntry, expected: &AuditHead) -> Result<bool> {
        let mut transaction = self.begin_write().await?;
        if !audit::append(&mut transaction, entry, expected).await? {
            return Ok(false);
        }
        transaction.commit().await?;
        Ok(true)
    }

    async fn audit_entries(&self, from: i64, limit: u32) -> Result<Vec<AuditRow>> {
        let mut transaction = self.begin_read().await?;
        let answer = audit::entries(&mut transaction, from, limit).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn audit_misfit(&self) -> Result<Option<AuditMisfit>> {
        let mut transaction = self.begin_read().await?;
        let answer = audit::misfit(&mut transaction).await?;
        transaction.commit().await?;
        Ok(answer)
    }
}

#[async_trait]
impl<S: OwnTables> KeyTable for S {
    async fn key_records(&self) -> Result<Vec<KeyRecord>> {
        let mut transaction = self.begin_read().await?;
        let answer = keys::records(&mut transaction, None).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn key_records_by_id(&self, ids: &[KeyId]) -> Result<Vec<KeyRecord>> {
        let mut transaction = self.begin_read().await?;
        let answer = keys::records(&mut transaction, Some(ids)).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn insert_keys(&self, new: &[NewKey]) -> Result<Vec<KeyId>> {
        let mut transaction = self.begin_write().await?;
        let answer = keys::insert(&mut transaction, new).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn activate_keys(
        &self,
        ids: &[KeyId],
        due: RotationPeriod,
        note: &dyn Notary,
    ) -> Result<()> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        keys::activate(&mut transaction, ids, due).await?;
        audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await
    }
}

#[async_trait]
impl<S: OwnTables> RotationTable for S {
    async fn move_key(
        &self,
        key_id: KeyId,
        from: KeyStatus,
        to: KeyStatus,
        actor: &str,
        reason: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let (mut transaction, before) = begin_key_change(self).await?;
        if !keys::set_status(&mut transaction, key_id, from, to, actor, reason).await? {
            return Ok(false);
        }
        audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn hand_over(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<bool> {
        let (mut transaction, before) = begin_key_change(self).await?;
        if !keys::hand_over(&mut transaction, handovers, due, actor).await? {
            return Ok(false);
        }
        audit::note(&mut transaction, note, &[], before).await?;
        transaction.commit().await?;
        Ok(true)
    }

    async fn key_changes(&self, from: i64, limit: u32) -> Result<Vec<ChangeRow>> {
        let mut transaction = self.begin_read().await?;
        let answer = audit::changes(&mut transaction, from, limit).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn key_transitions(&self, ids: &[KeyId]) -> Result<Vec<KeyTransition>> {
        let mut transaction = self.begin_read().await?;
        let answer = rotations::transitions(&mut transaction, ids).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn rotations(&self, limit: u32) -> Result<Vec<RotationRecord>> {
        let mut transaction = self.begin_read().await?;
        let answer = rotations::list(&mut transaction, limit).await?;
        transaction.commit().await?;
        Ok(answer)
    }

    async fn begin_rotations(
        &self,
        handovers: &[Handover],
        due: RotationPeriod,
        actor: &str,
        note: &dyn Notary,
    ) -> Result<Option<Vec<i64>>> {
        let (mut transaction, before) = begin_key_change(self).await?;
        if !keys::hand_over(&mut transaction, handovers, due, actor).await? {
            return Ok(None);
        }
        let Some(numbers) = rotations::open(&mut transaction, handovers, actor).await? else {
            return Ok(None);
        };
        let records = rotations::of_numbers(&mut transaction, &numbers).await?;
        audit::note(&mut transaction, note, &records, before).await?;
        transaction.commit().await?;
        Ok(Some(numbers))
    }

    async fn finish_rotations(
        &self,
        ends: &[RotationEnd],
        note: &dyn Notary,
    ) -> Result<Vec<RotationRecord>> {
        let numbers: Vec<i64> = ends.iter().map(|end| end.history_id).collect();
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        let closed = rotations::close(&mut transaction, ends).await?;
        let records = rotations::of_numbers(&mut transaction, &numbers).await?;
        // A rotation that was closed before has its audit entry already.
        let mut ours = records.clone();
        ours.retain(|record| closed.contains(&record.history_id));
        if !ours.is_empty() {
            audit::note(&mut transaction, note, &ours, before).await?;
        }
        transaction.commit().await?;
        Ok(records)
    }

    async fn begin_rewrap(
        &self,
        from_kek_refs: &str,
        to_kek_ref: &str,
        reason: &str,
        actor: &str,
    ) -> Result<RotationRecord> {
        let mut transaction = self.begin_write().await?;
        let record =
            rotations::open_rewrap(&mut transaction, from_kek_refs, to_kek_ref, reason, actor)
                .await?;
        transaction.commit().await?;
        Ok(record)
    }

    async fn rewrap_keys(
        &self,
        history_id: i64,
        keys: &[Rewrapped],
        note: &dyn Notary,
    ) -> Result<u64> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        let stored = keys::rewrap(&mut transaction, keys).await?;
        rotations::count_rewrapped(&mut transaction, history_id, stored).await?;
        if stored > 0 {
            let records = rotations::of_numbers(&mut transaction, &[history_id]).await?;
            audit::note(&mut transaction, note, &records, before).await?;
        }
        transaction.commit().await?;
        Ok(stored)
    }

    async fn finish_rewrap(&self, history_id: i64, note: &dyn Notary) -> Result<RotationRecord> {
        let mut transaction = self.begin_write().await?;
        let before = transaction.newest_change().await?;
        let was_open = rotations::close_rewrap(&mut transaction, history_id).await?;
        let mut records = rotations::of_numbers(&mut transaction, &[history_id]).await?;
        if was_open {
            audit::note(&mut transaction, note, &records, before).await?;
        }
        transaction.commit().await?;
        Ok(records.remove(0))
    }
}

/// Begins a transaction that changes keys.
async fn begin_key_change<S: OwnTables>(store: &S) -> Result<(S::Transaction, i64)> {
    let mut transaction = store.begin_write().await?;
    transaction.limit_lock_wait(KEY_WAIT_SECONDS).await?;
    let before = transaction.newest_change().await?;
    Ok((transaction, before))
}
