//! Our own tables, as every store has to keep them: each test runs on PostgreSQL and on SQLite, through
//! the traits of the store and with the same assertions. What a trait does not show is read by SQL.
//! Owns the database of such a test, and the made-up keys, runs, lanes and audit entries in it.

mod audit;
mod fields;
mod keys;
mod lanes;
mod pace;
mod procedures;
mod quarantine;
mod rewrap;
mod rotations;
mod runs;

use crate::support::{Base, Fixture};
use phiseal::crypto::{KeyId, Purpose};
use phiseal::ident::Ident;
use phiseal::keys::{
    AuditEntry, AuditHead, ChangeRow, Handover, KeyStatus, NewKey, Notary, RotationKind,
    RotationPeriod, RotationRecord, Unnoted,
};
use phiseal::store::postgres::PostgresStore;
use phiseal::store::sqlite::SqliteStore;
use phiseal::store::{
    Holder, LaneKind, LaneRecord, LaneStamp, LaneTally, LaneUpdate, NewLane, RunKind, RunRecord,
    RunState, Store, StoreError,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// When the keys of these tests are due.
const DUE: RotationPeriod = RotationPeriod::Year;

/// The wrapping key of every made-up key.
const WRAPPING_KEY: &str = "wk:0123456789abcdef";

/// The worker that has the lane of [`Own::lane_of`].
const HOLDER: &str = "here/boot/1/2/0";

/// What a batch of these tests counts.
const TALLY: LaneTally = LaneTally {
    rows_found: 5,
    rows_written: 4,
    values_written: 9,
    conflicts: 1,
    quarantined: 2,
};

/// A database with our own tables and no key, and the store that is judged.
struct Own {
    store: Arc<dyn Store>,
    fixture: Fixture,
}

impl Own {
    async fn new(fixture: Fixture) -> Self {
        let fixture = fixture.migrated().await;
        let url = fixture.url();
        let store: Arc<dyn Store> = match &fixture.base {
            Base::Postgres(_) => {
                let schema = Ident::new("phiseal").unwrap();
                Arc::new(PostgresStore::connect(&url, &schema).await.unwrap())
            }
            Base::Sqlite(_) => Arc::new(SqliteStore::connect(&url).await.unwrap()),
        };
        Self { store, fixture }
    }

    /// Keys 1 and 3 are active, of two tenants; 2 and 4 are to follow them.
    async fn with_four_keys(fixture: Fixture) -> Self {
        let own = Self::new(fixture).await;
        for (number, tenant) in [(1, "n"), (2, "n"), (3, "m"), (4, "m")] {
            own.key(number, tenant, number % 2 == 1).await;
        }
        own
    }

    /// Makes a key of a tenant, and activates it if `active` is set.
    async fn key(&self, number: i64, tenant: &str, active: bool) -> KeyId {
        let taken = self.store.insert_keys(&[new_key(number, tenant)]).await;
        assert!(taken.unwrap().is_empty());
        let key_id = id(number);
        if active {
            let activated = self.store.activate_keys(&[key_id], DUE, &Unnoted).await;
            activated.unwrap();
        }
        key_id
    }

    /// Every key with its state.
    async fn states(&self) -> Vec<String> {
        let records = self.store.key_records().await.unwrap();
        let state = records.iter().map(|key| (key.key_id, key.status));
        state.map(|(id, status)| format!("{id} {status}")).collect()
    }

    /// A run of a table with one lane, which [`HOLDER`] has claimed.
    async fn lane_of(&self, table: &str) -> LaneRecord {
        let lanes = [new_lane(0, LaneKind::Range)];
        let run_id = self.store.begin_run(&run(table), &lanes).await.unwrap();
        self.claim(run_id, HOLDER, 60).await.unwrap()
    }

    /// Claims a lane, while no holder is known to be dead.
    async fn claim(&self, run_id: i64, name: &str, lease_seconds: u32) -> Option<LaneRecord> {
        let holder = holder(name);
        let claimed = self.store.claim_lane(run_id, &holder, &[], lease_seconds);
        claimed.await.unwrap()
    }

    /// Commits a batch that writes no row; the lane as it is then.
    async fn batch(&self, lane: &LaneRecord, cursor: &[u8]) -> LaneRecord {
        self.try_batch(&stamp(lane), cursor).await.unwrap();
        self.lane_now(lane).await
    }

    /// A store may find out at COMMIT only that the lane is no longer as the stamp says.
    async fn try_batch(&self, stamp: &LaneStamp, cursor: &[u8]) -> Result<(), StoreError> {
        let advance = LaneUpdate {
            durable: true,
            cursor: Some(cursor.to_vec()),
            lease_seconds: 60,
        };
        let mut writer = self.store.writer().await.unwrap();
        writer.begin(stamp, &advance, &[]).await?;
        writer.commit(&TALLY).await
    }

    async fn lane_now(&self, lane: &LaneRecord) -> LaneRecord {
        let now = self.store.lane_after_commit(lane.run_id, lane.lane_no);
        now.await.unwrap()
    }

    /// The number and the MAC at the end of the audit chain.
    async fn head(&self) -> (i64, Vec<u8>) {
        let head = self.store.audit_head().await.unwrap();
        (head.entry_id, head.mac)
    }

    /// The first value of the first row of `SELECT … FROM` one of our own tables, and the rest.
    async fn read(&self, select: &str, table: &str, rest: &str) -> Option<String> {
        let table = self.fixture.own(table);
        let sql = format!("SELECT {select} FROM {table} {rest}");
        self.fixture.scalar(&sql).await
    }
}

/// Until a lease of no seconds is over.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn id(number: i64) -> KeyId {
    KeyId::new(number).unwrap()
}

/// A key of a tenant, whose version is its number.
fn new_key(number: i64, tenant: &str) -> NewKey {
    NewKey {
        key_id: id(number),
        tenant: tenant.to_owned(),
        purpose: Purpose::Cell,
        version: i32::try_from(number).unwrap(),
        algorithm: "AES-256-GCM".to_owned(),
        kek_ref: WRAPPING_KEY.to_owned(),
        wrapped_key: vec![1; 64],
        check_value: vec![2; 32],
        created_by: "maker".to_owned(),
        reason: None,
    }
}

/// A handover from an active key to one that was never used.
fn handover(from: i64, to: i64) -> Handover {
    Handover {
        from: id(from),
        from_is: KeyStatus::Active,
        from_becomes: KeyStatus::Deactivated,
        to: id(to),
        to_is: KeyStatus::PreActive,
        to_becomes: KeyStatus::Active,
        kind: RotationKind::Rotate,
        reason: "due".to_owned(),
    }
}

fn run(table: &str) -> RunRecord {
    RunRecord {
        run_id: 0,
        kind: RunKind::Backfill,
        table_label: table.to_owned(),
        digest: "digest".to_owned(),
        state: RunState::Running,
        params: r#"{"batch": 1}"#.to_owned(),
        started_at: String::new(),
        finished_at: None,
        actor: "me".to_owned(),
        tally: LaneTally::default(),
        error_code: None,
    }
}

fn new_lane(lane_no: i32, kind: LaneKind) -> NewLane {
    NewLane {
        lane_no,
        kind,
        relation: "public.t".to_owned(),
        lower: Some(format!("above {lane_no}").into_bytes()),
        upper: Some(format!("up to {lane_no}").into_bytes()),
    }
}

fn holder(name: &str) -> Holder {
    Holder(name.to_owned())
}

fn stamp(lane: &LaneRecord) -> LaneStamp {
    LaneStamp {
        run_id: lane.run_id,
        lane_no: lane.lane_no,
        fence: lane.fence,
        seq: lane.seq,
    }
}

/// The entry that follows a head.
fn entry_after(head: &AuditHead, action: &str) -> AuditEntry {
    let entry_id = head.entry_id + 1;
    AuditEntry {
        entry_id,
        at: head.now.clone(),
        actor: "me".to_owned(),
        action: action.to_owned(),
        subject: r#"{"what": "made up"}"#.to_owned(),
        key_id: 7,
        prev_mac: head.mac.clone(),
        mac: format!("mac {entry_id}").into_bytes(),
    }
}

/// Makes one entry whenever it is asked, and keeps what it was told.
#[derive(Default)]
struct Clerk {
    told: Mutex<Vec<Told>>,
}

/// What a notary is told.
#[derive(Debug)]
struct Told {
    changes: Vec<ChangeRow>,
    records: Vec<RotationRecord>,
}

impl Clerk {
    /// What it was told since this was last asked.
    fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

impl Notary for Clerk {
    fn entries(
        &self,
        head: &AuditHead,
        changes: &[ChangeRow],
        records: &[RotationRecord],
    ) -> Vec<AuditEntry> {
        self.told.lock().unwrap().push(Told {
            changes: changes.to_vec(),
            records: records.to_vec(),
        });
        vec![entry_after(head, "noted")]
    }
}

fn is_missing<T>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Missing { .. }))
}

/// Whether a value was refused: by a constraint, or by a trigger in its place.
fn is_row_refused<T>(answer: Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::RowRefused { .. }))
}
