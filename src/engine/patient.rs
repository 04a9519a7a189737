//! A store that repeats every round trip which fails for a reason that may pass, and watches each one
//! (`patient/watcher.rs`). Owns after which failures a call may be repeated. Batches and pages are
//! watched and not repeated here: their callers know more about their state.

mod watched;
mod watcher;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::clock::{Clock, RealClock};
use super::events::{Event, EventSink};
use super::retry::Patience;
use super::stop::Stop;
use crate::crypto::KeyId;
use crate::ident::{Ident, TableName};
use crate::keys::note::ChangeRow;
use crate::keys::{
    AuditEntry, AuditHead, Handover, KeyRecord, KeyStatus, KeyTable, KeyTransition, NewKey, Notary,
    Rewrapped, RotationEnd, RotationPeriod, RotationRecord, RotationTable,
};
use crate::pace::PaceRequestKind;
use crate::store::{
    Access, Activity, AuditMisfit, AuditRow, AuditTable, BatchWriter, Bound, Catalog, ColumnSwitch,
    Conditions, Ddl, Dependent, Destruction, Extent, FieldRecord, FieldState, FormCounts,
    FrozenState, Gap, Holder, Horizon, IndexSwitch, Keeper, KeyText, LaneRecord, LaneStamp,
    LaneTally, Ledger, Method, NewLane, NewQuarantine, Next, OpenTransaction, PaceReport,
    PaceRequest, PaceTable, Pacing, PageReader, PassKind, Plaintext, ProcedureKind,
    ProcedureRecord, Procedures, QuarantineRecord, QuarantineState, QuarantineSummary,
    RelationRecord, Removal, Resealed, Result, Rows, RunRecord, RunState, ScrubFacts, ScrubStep,
    Scrubbing, SealedCount, SealedRelations, SearchHit, SearchList, SearchRelation, Select,
    ServerFacts, Store, StoreError, StoredFile, StoredRelation, Survey, Table, TableFacts, Trial,
    UnsealedRows, Usage, Violator, Waits,
};
use watched::{WatchedReader, WatchedWriter};
use watcher::Watcher;

/// Wraps any store and repeats failed round trips.
pub struct PatientStore {
    inner: Arc<dyn Store>,
    limit: Duration,
    watcher: Arc<Watcher>,
}

/// After which failures a round trip may be repeated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RetryKind {
    /// The call changes nothing: repeated after any failure that may pass, also after a lock
    /// timeout.
    Look,
    /// Repeating the call changes nothing more: repeated even if the outcome is unknown. The call
    /// itself handles locks.
    Repeatable,
    /// Repeated only if the call was certainly not done.
    Once,
}

impl PatientStore {
    /// Repeats each round trip for up to `limit`, counted from its first failure.
    pub fn new(inner: Arc<dyn Store>, limit: Duration) -> Self {
        Self {
            watcher: Arc::new(Watcher::new(Arc::clone(&inner))),
            inner,
            limit,
        }
    }

    /// Sets where waiting is reported and whose request to stop ends it. Only the first call
    /// counts.
    pub fn watch(&self, stop: &Stop, events: &Arc<dyn EventSink>) {
        self.watcher.watch(stop, events);
    }

    async fn again<T, F>(&self, kind: RetryKind, mut work: impl FnMut() -> F + Send) -> Result<T>
    where
        T: Send,
        F: Future<Output = Result<T>> + Send,
    {
        // What a call did that is given up while it commits is not known.
        let given_up = match kind {
            RetryKind::Once => StoreError::OutcomeUnknown,
            RetryKind::Look | RetryKind::Repeatable => StoreError::Interrupted,
        };
        let watch = self.watcher.watch.get();
        let mut patience = match watch {
            Some((stop, _)) => Patience::by(stop.clock(), self.limit),
            None => Patience::new(self.limit),
        };
        let mut waited = false;
        loop {
            let error = match self.watcher.over(given_up.clone(), work()).await {
                Ok(answer) => {
                    if let (true, Some((_, events))) = (waited, watch) {
                        events.emit(Event::GoingOn);
                    }
                    return Ok(answer);
                }
                Err(error) => error,
            };
            let may_pass = match error.next() {
                Next::Again | Next::Reconnect => true,
                Next::ResolveCommit => kind != RetryKind::Once,
                Next::SkipLocked => kind == RetryKind::Look,
                Next::Bisect | Next::Reread | Next::Stop => false,
            };
            if !may_pass {
                return Err(error);
            }
            if watch.is_some_and(|(stop, _)| stop.is_requested()) {
                return Err(StoreError::Interrupted);
            }
            let Some(pause) = patience.after(&error) else {
                return Err(error);
            };
            waited = true;
            match watch {
                Some((stop, events)) => {
                    events.emit(Event::Waiting {
                        why: error.to_string(),
                    });
                    stop.sleep(pause).await;
                }
                None => RealClock.sleep(pause).await,
            }
        }
    }
}

macro_rules! patient {
    ($seam:ident: $($kind:ident $call:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+ $({ $($more:tt)* })?) => {
        #[async_trait]
        impl $seam for PatientStore {
            $(async fn $call(&self, $($arg: $type),*) -> Result<$answer> {
                self.again(RetryKind::$kind, || self.inner.$call($($arg),*)).await
            })+
            $($($more)*)?
        }
    };
}

patient! { KeyTable:
    Look key_records() -> Vec<KeyRecord>;
    Look key_records_by_id(ids: &[KeyId]) -> Vec<KeyRecord>;
    Once insert_keys(new: &[NewKey]) -> Vec<KeyId>;
    Once activate_keys(ids: &[KeyId], due: RotationPeriod, note: &dyn Notary) -> ();
}

patient! { RotationTable:
    Once move_key(key_id: KeyId, from: KeyStatus, to: KeyStatus, actor: &str, reason: &str, note: &dyn Notary) -> bool;
    Once hand_over(handovers: &[Handover], due: RotationPeriod, actor: &str, note: &dyn Notary) -> bool;
    Look key_changes(from: i64, limit: u32) -> Vec<ChangeRow>;
    Look key_transitions(ids: &[KeyId]) -> Vec<KeyTransition>;
    Look rotations(limit: u32) -> Vec<RotationRecord>;
    Once begin_rotations(handovers: &[Handover], due: RotationPeriod, actor: &str, note: &dyn Notary) -> Option<Vec<i64>>;
    Repeatable finish_rotations(ends: &[RotationEnd], note: &dyn Notary) -> Vec<RotationRecord>;
    Repeatable begin_rewrap(from_kek_refs: &str, to_kek_ref: &str, reason: &str, actor: &str) -> RotationRecord;
    Once rewrap_keys(history_id: i64, keys: &[Rewrapped], note: &dyn Notary) -> u64;
    Repeatable finish_rewrap(history_id: i64, note: &dyn Notary) -> RotationRecord;
}

/// Signals are not repeated: one that comes late says nothing.
#[async_trait]
impl Pacing for PatientStore {
    async fn activity(&self, table: &Table) -> Result<Option<Activity>> {
        self.inner.activity(table).await
    }

    async fn conditions(&self, table: &Table) -> Result<Option<Conditions>> {
        self.inner.conditions(table).await
    }

    async fn probe(&self, writes: bool) -> Result<Option<Duration>> {
        self.inner.probe(writes).await
    }

    async fn give_way(&self, ours: &[i32]) -> Result<()> {
        self.inner.give_way(ours).await
    }

    fn transactions_begun(&self) -> u64 {
        self.inner.transactions_begun()
    }
}

patient! { Catalog:
    Look server() -> ServerFacts;
    Look table(name: &TableName) -> Option<TableFacts>;
    Look table_names() -> Vec<TableName>;
    Look check_ownership(owner: Option<&Ident>) -> ();
    Repeatable start_writing() -> ();
    Look ddl(table: &Table) -> Ddl;
    Repeatable prepare(table: &Table) -> ();
    Repeatable finish_indexes(table: &Table) -> ();
    Repeatable make_sweep_index(access: &Access, relation: &str) -> bool;
    Repeatable drop_sweep_index(table: &Table) -> Vec<String>;
    Repeatable drop_sealed(table: &Table) -> ();
    Repeatable make_plain_columns(table: &Table) -> ();
    Look fingerprint(access: &Access, relation: &str) -> String;
    Look relations(access: &Access) -> Vec<String>;
    Look extents(relations: &[String]) -> Vec<Extent>;
    Repeatable end_frozen(run_id: i64) -> ();
    Look open_transactions() -> Vec<OpenTransaction>;
    Repeatable prepare_reindex(table: &Table, next: &[ColumnSwitch]) -> ();
    Repeatable index_reindexed(table: &Table, next: &[ColumnSwitch]) -> ();
    Look blockers(table: &Table) -> Vec<String>;
}

patient! { SealedRelations:
    Look sealed_relations() -> Vec<RelationRecord>;
    Repeatable note_relations(table: &Table) -> ();
    Look gaps(table: &Table) -> Vec<Gap>;
    Repeatable open_gaps(table_label: &str, reason: &str) -> ();
    Repeatable close_gaps(table_label: &str, compared: &[Gap]) -> Vec<String>;
    Repeatable forget_fields(table_label: &str, columns: &[String]) -> ();
    Once rebind(table: &Table) -> ();
    Repeatable all_verified() -> ();
}

patient! { Rows:
    Look cut_by_key(table: &Table, relation: &str, pieces: u32) -> Vec<KeyText>;
    Look sample_keys(table: &Table, relation: &str, pieces: u32) -> Vec<KeyText>;
    Look cut_by_storage(access: &Access, relation: &str, pieces: u32, pass_kind: PassKind) -> Option<Vec<Option<Bound>>>;
    Look horizon(relation: &str) -> Option<Horizon>;
    Look survey(table: &Table) -> Survey;
    Look violators(table: &Table, relation: &str, limit: u32) -> Vec<Violator>;
    Look any_left(access: &Access, relation: &str, select: &Select) -> bool;
    Look trial() -> Box<dyn Trial>;
    Look usage(table: &Table) -> Usage;
    Look census(table: &Table, relation: &str, after: Option<&KeyText>, upto: Option<&KeyText>) -> Vec<SealedCount>;
    Look search_list() -> SearchList;
    Look search(place: &SearchRelation, keys: &[KeyId]) -> Vec<SearchHit>;
    Once destroy_keys(order: &Destruction<'_>) -> Vec<SealedCount>;
    Look plaintext_of(table: &Table, tenant: &str) -> u64;
    Once switch_indexes(switch: &IndexSwitch<'_>) -> bool;
    {
        /// Not repeated: a table that is busy is judged without its values.
        async fn forms(&self, table: &TableName, columns: &[Ident]) -> Result<Vec<FormCounts>> {
            self.inner.forms(table, columns).await
        }

        async fn reader(&self) -> Result<Box<dyn PageReader>> {
            let reader = self.again(RetryKind::Look, || self.inner.reader()).await?;
            Ok(Box::new(WatchedReader::new(&self.watcher, reader)))
        }

        async fn writer(&self) -> Result<Box<dyn BatchWriter>> {
            let writer = self.again(RetryKind::Look, || self.inner.writer()).await?;
            Ok(Box::new(WatchedWriter::new(&self.watcher, writer)))
        }
    }
}

patient! { Plaintext:
    Look writers(table: &Table) -> Vec<OpenTransaction>;
    Look unsealed(table: &Table) -> Vec<UnsealedRows>;
    Look plaintext_dependents(table: &Table) -> Vec<Dependent>;
    Repeatable freeze(table: &Table) -> ();
    Repeatable unfreeze(table: &Table) -> Vec<String>;
    Look frozen_state(table: &Table) -> FrozenState;
    Repeatable give_up(table: &Table, field: Option<usize>, key: &KeyText) -> bool;
    Repeatable constrain(table: &Table, blank: bool) -> ();
    Repeatable hide(table: &Table, state: &FrozenState) -> Option<FrozenState>;
    Repeatable remove_plaintext(table: &Table, removal: Removal, state: &FrozenState) -> bool;
    Repeatable forget_statistics(table: &Table) -> Vec<String>;
    Repeatable finish_plain_columns(table: &Table) -> Vec<String>;
}

patient! { Scrubbing:
    Look scrub_facts(table: &Table) -> ScrubFacts;
    Look row_horizon() -> String;
    Look keepers(horizon: &str) -> Vec<Keeper>;
    Repeatable rewrite_seconds(relation: &StoredRelation) -> Option<f64>;
    Repeatable rewrite(relation: &StoredRelation, method: Method) -> String;
    Repeatable scrub_step(step: &ScrubStep) -> ();
    Repeatable checkpoint() -> ();
    Repeatable switch_log() -> ();
    Look log_files() -> Option<Vec<String>>;
    Look stored_files(table: &Table) -> Vec<StoredFile>;
    Look file_chunk(path: &str, from: u64, bytes: u32) -> Zeroizing<Vec<u8>>;
}

patient! { Ledger:
    Look fields() -> Vec<FieldRecord>;
    Repeatable register_fields(fields: &[FieldRecord]) -> ();
    Repeatable set_field_state(table_label: &str, columns: &[String], state: FieldState) -> ();
    Look open_run(table_label: &str) -> Option<RunRecord>;
    Once begin_run(run: &RunRecord, lanes: &[NewLane]) -> i64;
    Once add_lanes(run_id: i64, lanes: &[NewLane]) -> ();
    Repeatable end_run(run_id: i64, state: RunState, error_code: Option<&str>) -> LaneTally;
    Repeatable abandon_run(run_id: i64, error_code: &str, dead: &[Holder]) -> Option<Holder>;
    Repeatable resume_run(run_id: i64) -> ();
    Repeatable reopen_run(run: &RunRecord) -> bool;
    Look runs(limit: u32) -> Vec<RunRecord>;
    Look lanes(run_id: i64) -> Vec<LaneRecord>;
    Repeatable claim_lane(run_id: i64, holder: &Holder, dead: &[Holder], lease_seconds: u32) -> Option<LaneRecord>;
    Repeatable release_lane(stamp: &LaneStamp, done: bool) -> ();
    Repeatable lane_after_commit(run_id: i64, lane_no: i32) -> LaneRecord;
    Look quarantined(table_label: Option<&str>) -> Vec<QuarantineRecord>;
    Look quarantine_summary(table_labels: &[String], first: u32) -> QuarantineSummary;
    Repeatable add_quarantine(rows: &[NewQuarantine]) -> ();
    Repeatable set_quarantine_state(ids: &[i64], state: QuarantineState) -> ();
    Repeatable reseal_quarantine(rows: &[Resealed]) -> ();
}

patient! { Procedures:
    Repeatable begin_procedure(kind: ProcedureKind, table_label: &str, columns: &str, phase: &str, params: &str, actor: &str) -> ProcedureRecord;
    Repeatable set_phase(procedure_id: i64, from: &str, to: &str, params: Option<&str>) -> ();
    Look seconds_in_phase(procedure_id: i64) -> f64;
    Repeatable set_report(procedure_id: i64, report: &str) -> ();
    Repeatable finish_procedure(procedure_id: i64, outcome: &str) -> ();
    Look procedures(limit: u32) -> Vec<ProcedureRecord>;
}

patient! { PaceTable:
    Look pace_requests() -> Vec<PaceRequest>;
    Repeatable put_pace_request(request: &PaceRequest) -> ();
    Repeatable withdraw_pace_request(kind: PaceRequestKind, table_label: Option<&str>) -> u64;
    Repeatable report_pace(report: &PaceReport) -> ();
    Repeatable withdraw_pace_report(holder: &str, table_label: &str) -> ();
    Look pace_reports() -> Vec<PaceReport>;
}

patient! { AuditTable:
    Look audit_head() -> AuditHead;
    Repeatable note(note: &dyn Notary) -> ();
    Once append_audit(entry: &AuditEntry, expected: &AuditHead) -> bool;
    Look audit_entries(from: i64, limit: u32) -> Vec<AuditRow>;
    Look audit_misfit() -> Option<AuditMisfit>;
}

#[async_trait]
impl Waits for PatientStore {
    async fn waits(&self) -> Result<Vec<String>> {
        self.inner.waits().await
    }

    async fn interrupt(&self) -> Result<()> {
        self.inner.interrupt().await
    }

    fn notices(&self) -> Vec<String> {
        self.inner.notices()
    }
}
