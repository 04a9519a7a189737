//! A store that fails one call, before or after it took effect, and from then on perhaps every call.
//! Counts every round trip of the store, its readers and its writers, and keeps their contract: an
//! error of a writer has rolled its transaction back.

use async_trait::async_trait;
use phiseal::crypto::KeyId;
use phiseal::ident::{Ident, TableName};
use phiseal::keys::{
    ChangeRow, Handover, KeyRecord, KeyStatus, KeyTable, KeyTransition, NewKey, Notary, Rewrapped,
    RotationEnd, RotationPeriod, RotationRecord, RotationTable,
};
use phiseal::pace::PaceRequestKind;
use phiseal::store::*;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

/// What goes wrong at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The connection is lost before the call took effect; at COMMIT nobody knows.
    LostBefore,
    /// It took effect, and the answer is lost.
    LostAfter,
    /// Deadlock, timeout, shortage.
    Busy,
    /// A lock is not granted; only where a batch is written.
    Locked,
    /// A value is refused; only where a batch is written.
    Data,
    /// A value of a whole batch is refused, so that it is written in halves; between these the table
    /// is rewritten.
    Halved,
    /// It takes [`SLOW`]; only where it is asked whether anything is left.
    Slow,
}

/// Longer than a lease.
pub const SLOW: Duration = Duration::from_secs(3);

/// The fault to come, and what came of it.
pub struct Fault {
    pub kind: Kind,
    /// The call it hits, from 1.
    pub at: u64,
    /// Every later call fails too.
    pub crash: bool,
    calls: AtomicU64,
    crashed: AtomicBool,
    met: Mutex<Option<&'static str>>,
}

impl Fault {
    pub fn new(kind: Kind, at: u64, crash: bool) -> Arc<Self> {
        Arc::new(Self {
            kind,
            at,
            crash,
            calls: AtomicU64::new(0),
            crashed: AtomicBool::new(false),
            met: Mutex::new(None),
        })
    }

    /// The name of the call that was hit.
    pub fn met(&self) -> Option<&'static str> {
        *self.met.lock().unwrap()
    }

    fn error(&self, call: &'static str) -> StoreError {
        match self.kind {
            Kind::LostAfter => StoreError::OutcomeUnknown,
            Kind::LostBefore if call == "commit" => StoreError::OutcomeUnknown,
            Kind::LostBefore | Kind::Slow => StoreError::ConnectionLost,
            Kind::Busy => StoreError::Busy {
                sqlstate: "40P01".to_owned(),
            },
            Kind::Locked => StoreError::Locked,
            Kind::Halved if self.calls.load(Ordering::SeqCst) > 1 => StoreError::StorageChanged {
                table: "t".to_owned(),
            },
            Kind::Data | Kind::Halved => StoreError::RowRefused {
                sqlstate: "22001".to_owned(),
                constraint: None,
            },
        }
    }

    /// Whether this call goes through, fails before its effect, or after it.
    fn meet(&self, call: &'static str) -> Meet {
        if self.crashed.load(Ordering::SeqCst) {
            return Meet::Before(StoreError::Refused {
                sqlstate: "crashed".to_owned(),
            });
        }
        let only = match self.kind {
            Kind::Locked | Kind::Data | Kind::Halved => Some("write"),
            Kind::Slow => Some("any_left"),
            _ => None,
        };
        if only.is_some_and(|only| only != call) {
            return Meet::Pass;
        }
        let now = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        // The first half goes through.
        let again = self.kind == Kind::Halved && now == self.at + 2;
        if now != self.at && !again {
            return Meet::Pass;
        }
        *self.met.lock().unwrap() = Some(call);
        self.crashed.store(self.crash, Ordering::SeqCst);
        match self.kind {
            Kind::LostAfter => Meet::After(self.error(call)),
            Kind::Slow => Meet::Slow,
            _ => Meet::Before(self.error(call)),
        }
    }

    async fn through<T>(
        &self,
        call: &'static str,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        match self.meet(call) {
            Meet::Pass => work.await,
            Meet::Before(error) => Err(error),
            Meet::After(error) => work.await.and(Err(error)),
            Meet::Slow => {
                tokio::time::sleep(SLOW).await;
                work.await
            }
        }
    }
}

enum Meet {
    Pass,
    Slow,
    Before(StoreError),
    After(StoreError),
}

/// Any store, with the fault.
pub struct FaultyStore {
    pub inner: Arc<dyn Store>,
    pub fault: Arc<Fault>,
}

macro_rules! through {
    ($seam:ident: $($call:ident($($arg:ident: $type:ty),*) -> $answer:ty;)+ $({ $($more:tt)* })?) => {
        #[async_trait]
        impl $seam for FaultyStore {
            $(async fn $call(&self, $($arg: $type),*) -> Result<$answer> {
                self.fault.through(stringify!($call), self.inner.$call($($arg),*)).await
            })+
            $($($more)*)?
        }
    };
}

/// Looks at waits, and takes notices, beside the round trips that are counted.
#[async_trait]
impl Waits for FaultyStore {
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

through! { KeyTable:
    key_records() -> Vec<KeyRecord>;
    key_records_by_id(ids: &[KeyId]) -> Vec<KeyRecord>;
    insert_keys(new: &[NewKey]) -> Vec<KeyId>;
    activate_keys(ids: &[KeyId], due: RotationPeriod, note: &dyn Notary) -> ();
}

through! { RotationTable:
    move_key(key_id: KeyId, from: KeyStatus, to: KeyStatus, actor: &str, reason: &str, note: &dyn Notary) -> bool;
    hand_over(handovers: &[Handover], due: RotationPeriod, actor: &str, note: &dyn Notary) -> bool;
    key_changes(from: i64, limit: u32) -> Vec<ChangeRow>;
    key_transitions(ids: &[KeyId]) -> Vec<KeyTransition>;
    rotations(limit: u32) -> Vec<RotationRecord>;
    begin_rotations(handovers: &[Handover], due: RotationPeriod, actor: &str, note: &dyn Notary) -> Option<Vec<i64>>;
    finish_rotations(ends: &[RotationEnd], note: &dyn Notary) -> Vec<RotationRecord>;
    begin_rewrap(from_kek_refs: &str, to_kek_ref: &str, reason: &str, actor: &str) -> RotationRecord;
    rewrap_keys(history_id: i64, keys: &[Rewrapped], note: &dyn Notary) -> u64;
    finish_rewrap(history_id: i64, note: &dyn Notary) -> RotationRecord;
}

through! { Catalog:
    server() -> ServerFacts;
    table(name: &TableName) -> Option<TableFacts>;
    table_names() -> Vec<TableName>;
    check_ownership(owner: Option<&Ident>) -> ();
    ddl(table: &Table) -> Ddl;
    prepare(table: &Table) -> ();
    finish_indexes(table: &Table) -> ();
    make_sweep_index(access: &Access, relation: &str) -> bool;
    drop_sweep_index(table: &Table) -> Vec<String>;
    drop_sealed(table: &Table) -> ();
    make_plain_columns(table: &Table) -> ();
    fingerprint(access: &Access, relation: &str) -> String;
    relations(access: &Access) -> Vec<String>;
    extents(relations: &[String]) -> Vec<Extent>;
    end_frozen(run_id: i64) -> ();
    start_writing() -> ();
    open_transactions() -> Vec<OpenTransaction>;
    prepare_reindex(table: &Table, next: &[ColumnSwitch]) -> ();
    index_reindexed(table: &Table, next: &[ColumnSwitch]) -> ();
    blockers(table: &Table) -> Vec<String>;
}

through! { SealedRelations:
    sealed_relations() -> Vec<RelationRecord>;
    note_relations(table: &Table) -> ();
    gaps(table: &Table) -> Vec<Gap>;
    open_gaps(table_label: &str, reason: &str) -> ();
    close_gaps(table_label: &str, compared: &[Gap]) -> Vec<String>;
    forget_fields(table_label: &str, columns: &[String]) -> ();
    rebind(table: &Table) -> ();
    all_verified() -> ();
}

through! { Rows:
    cut_by_key(table: &Table, relation: &str, pieces: u32) -> Vec<KeyText>;
    sample_keys(table: &Table, relation: &str, pieces: u32) -> Vec<KeyText>;
    cut_by_storage(access: &Access, relation: &str, pieces: u32, pass_kind: PassKind) -> Option<Vec<Option<Bound>>>;
    horizon(relation: &str) -> Option<Horizon>;
    survey(table: &Table) -> Survey;
    forms(table: &TableName, columns: &[Ident]) -> Vec<FormCounts>;
    violators(table: &Table, relation: &str, limit: u32) -> Vec<Violator>;
    any_left(access: &Access, relation: &str, select: &Select) -> bool;
    census(table: &Table, relation: &str, after: Option<&KeyText>, upto: Option<&KeyText>) -> Vec<SealedCount>;
    search_list() -> SearchList;
    search(place: &SearchRelation, keys: &[KeyId]) -> Vec<SearchHit>;
    destroy_keys(order: &Destruction<'_>) -> Vec<SealedCount>;
    usage(table: &Table) -> Usage;
    plaintext_of(table: &Table, tenant: &str) -> u64;
    switch_indexes(switch: &IndexSwitch<'_>) -> bool;
    {
        async fn reader(&self) -> Result<Box<dyn PageReader>> {
            let fault = Arc::clone(&self.fault);
            let inner = self.fault.through("reader", self.inner.reader()).await?;
            Ok(Box::new(FaultyReader { inner, fault }))
        }

        async fn writer(&self) -> Result<Box<dyn BatchWriter>> {
            let fault = Arc::clone(&self.fault);
            let inner = self.fault.through("writer", self.inner.writer()).await?;
            Ok(Box::new(FaultyWriter { inner, fault }))
        }

        async fn trial(&self) -> Result<Box<dyn Trial>> {
            self.fault.through("trial", self.inner.trial()).await
        }
    }
}

through! { Ledger:
    fields() -> Vec<FieldRecord>;
    register_fields(fields: &[FieldRecord]) -> ();
    set_field_state(table_label: &str, columns: &[String], state: FieldState) -> ();
    open_run(table_label: &str) -> Option<RunRecord>;
    begin_run(run: &RunRecord, lanes: &[NewLane]) -> i64;
    add_lanes(run_id: i64, lanes: &[NewLane]) -> ();
    end_run(run_id: i64, state: RunState, error_code: Option<&str>) -> LaneTally;
    abandon_run(run_id: i64, error_code: &str, dead: &[Holder]) -> Option<Holder>;
    resume_run(run_id: i64) -> ();
    reopen_run(run: &RunRecord) -> bool;
    runs(limit: u32) -> Vec<RunRecord>;
    lanes(run_id: i64) -> Vec<LaneRecord>;
    claim_lane(run_id: i64, holder: &Holder, dead: &[Holder], lease_seconds: u32) -> Option<LaneRecord>;
    release_lane(stamp: &LaneStamp, done: bool) -> ();
    lane_after_commit(run_id: i64, lane_no: i32) -> LaneRecord;
    quarantined(table_label: Option<&str>) -> Vec<QuarantineRecord>;
    quarantine_summary(table_labels: &[String], first: u32) -> QuarantineSummary;
    add_quarantine(rows: &[NewQuarantine]) -> ();
    set_quarantine_state(ids: &[i64], state: QuarantineState) -> ();
    reseal_quarantine(rows: &[Resealed]) -> ();
}

through! { Plaintext:
    writers(table: &Table) -> Vec<OpenTransaction>;
    unsealed(table: &Table) -> Vec<UnsealedRows>;
    plaintext_dependents(table: &Table) -> Vec<Dependent>;
    freeze(table: &Table) -> ();
    unfreeze(table: &Table) -> Vec<String>;
    frozen_state(table: &Table) -> FrozenState;
    give_up(table: &Table, field: Option<usize>, key: &KeyText) -> bool;
    constrain(table: &Table, blank: bool) -> ();
    hide(table: &Table, state: &FrozenState) -> Option<FrozenState>;
    remove_plaintext(table: &Table, removal: Removal, state: &FrozenState) -> bool;
    forget_statistics(table: &Table) -> Vec<String>;
    finish_plain_columns(table: &Table) -> Vec<String>;
}

through! { Scrubbing:
    scrub_facts(table: &Table) -> ScrubFacts;
    row_horizon() -> String;
    keepers(horizon: &str) -> Vec<Keeper>;
    rewrite_seconds(relation: &StoredRelation) -> Option<f64>;
    rewrite(relation: &StoredRelation, method: Method) -> String;
    scrub_step(step: &ScrubStep) -> ();
    checkpoint() -> ();
    switch_log() -> ();
    log_files() -> Option<Vec<String>>;
    stored_files(table: &Table) -> Vec<StoredFile>;
    file_chunk(path: &str, from: u64, bytes: u32) -> Zeroizing<Vec<u8>>;
}

through! { Procedures:
    begin_procedure(kind: ProcedureKind, table_label: &str, columns: &str, phase: &str, params: &str, actor: &str) -> ProcedureRecord;
    set_phase(procedure_id: i64, from: &str, to: &str, params: Option<&str>) -> ();
    seconds_in_phase(procedure_id: i64) -> f64;
    set_report(procedure_id: i64, report: &str) -> ();
    finish_procedure(procedure_id: i64, outcome: &str) -> ();
    procedures(limit: u32) -> Vec<ProcedureRecord>;
}

/// The signals for a run's pace come from a task of its own, at no fixed moment: they are not counted
/// and do not fail.
#[async_trait]
impl Pacing for FaultyStore {}

#[async_trait]
impl PaceTable for FaultyStore {
    async fn pace_requests(&self) -> Result<Vec<PaceRequest>> {
        self.inner.pace_requests().await
    }

    async fn put_pace_request(&self, request: &PaceRequest) -> Result<()> {
        self.inner.put_pace_request(request).await
    }

    async fn withdraw_pace_request(
        &self,
        kind: PaceRequestKind,
        table_label: Option<&str>,
    ) -> Result<u64> {
        self.inner.withdraw_pace_request(kind, table_label).await
    }

    async fn report_pace(&self, report: &PaceReport) -> Result<()> {
        self.inner.report_pace(report).await
    }

    async fn withdraw_pace_report(&self, holder: &str, table_label: &str) -> Result<()> {
        self.inner.withdraw_pace_report(holder, table_label).await
    }

    async fn pace_reports(&self) -> Result<Vec<PaceReport>> {
        self.inner.pace_reports().await
    }
}

through! { AuditTable:
    audit_head() -> AuditHead;
    note(note: &dyn Notary) -> ();
    append_audit(entry: &AuditEntry, expected: &AuditHead) -> bool;
    audit_entries(from: i64, limit: u32) -> Vec<AuditRow>;
    audit_misfit() -> Option<AuditMisfit>;
}

struct FaultyReader {
    inner: Box<dyn PageReader>,
    fault: Arc<Fault>,
}

#[async_trait]
impl PageReader for FaultyReader {
    async fn page(&mut self, access: &Access, request: &PageRequest) -> Result<Page> {
        let work = self.inner.page(access, request);
        self.fault.through("page", work).await
    }

    async fn rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        locators: &[Locator],
    ) -> Result<Page> {
        let work = self.inner.rows(access, request, locators);
        self.fault.through("rows", work).await
    }

    async fn current(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let work = self.inner.current(access, request, keys);
        self.fault.through("current", work).await
    }
}

struct FaultyWriter {
    inner: Box<dyn BatchWriter>,
    fault: Arc<Fault>,
}

impl FaultyWriter {
    async fn undone<T>(&mut self, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            self.inner.rollback().await;
        }
        outcome
    }
}

#[async_trait]
impl BatchWriter for FaultyWriter {
    async fn begin(
        &mut self,
        stamp: &LaneStamp,
        advance: &LaneUpdate,
        keys: &[KeyId],
    ) -> Result<()> {
        let work = self.inner.begin(stamp, advance, keys);
        let outcome = self.fault.through("begin", work).await;
        self.undone(outcome).await
    }

    async fn lock_rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let work = self.inner.lock_rows(access, request, keys);
        let outcome = self.fault.through("lock_rows", work).await;
        self.undone(outcome).await
    }

    async fn write(
        &mut self,
        access: &Access,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written> {
        let work = self.inner.write(access, batch, skip_locked);
        let outcome = self.fault.through("write", work).await;
        self.undone(outcome).await
    }

    async fn quarantine(&mut self, rows: &[NewQuarantine]) -> Result<()> {
        let work = self.inner.quarantine(rows);
        let outcome = self.fault.through("quarantine", work).await;
        self.undone(outcome).await
    }

    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()> {
        let work = self.inner.count_rotation(counts);
        let outcome = self.fault.through("count_rotation", work).await;
        self.undone(outcome).await
    }

    async fn commit(&mut self, tally: &LaneTally) -> Result<()> {
        let work = self.inner.commit(tally);
        let outcome = self.fault.through("commit", work).await;
        self.undone(outcome).await
    }

    async fn rollback(&mut self) {
        self.inner.rollback().await;
    }
}
