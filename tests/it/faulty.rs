//! A fault at every round trip: the Nth call to the database fails, for every N until a run ends
//! without one (every seventh N in `make test`, each in `make soak`), and the same run, or the next,
//! must finish what it began. SQLite tests itself in this way. The oracle, not the engine, judges.

mod store;

use crate::oracle::{FieldCheck, NonceLedger};
use crate::support::{Base, Fixture, marked, marked_in_sqlite};
use phiseal::engine::patient::PatientStore;
use phiseal::engine::preflight::Dialect;
use phiseal::engine::{
    Engine, EngineError, Job, NoEvents, RunSettings, Stop, TableReport, Tenants,
};
use phiseal::error::Coded;
use phiseal::ident::Ident;
use phiseal::keys::Keyring;
use phiseal::plan::Plan;
use phiseal::store::postgres::PostgresStore;
use phiseal::store::sqlite::SqliteStore;
use phiseal::store::{PageRequest, PassKind, Select, Store, Visibility};
use std::sync::Arc;
use std::time::Duration;
use store::{Fault, FaultyStore, Kind};

const ROWS: u32 = 60;

/// A small table, and what an engine on it takes.
struct Small {
    fixture: Fixture,
    table: String,
    plan: Plan,
    store: Arc<dyn Store>,
    dialect: Dialect,
    ledger: NonceLedger,
    /// What happens to the table between a crash and the next run.
    meanwhile: &'static str,
}

impl Small {
    async fn postgres(name: &str) -> Self {
        let ddl = format!(
            "CREATE TABLE t (id int PRIMARY KEY, a text, b text);
             CREATE TABLE saved AS SELECT i AS id, 'value ' || i AS a,
                CASE WHEN i % 5 <> 0 THEN repeat('ab', i % 7) END AS b
                FROM generate_series(1, {ROWS}) i;
             INSERT INTO t TABLE saved"
        );
        let fixture = Fixture::postgres(name, &ddl, &tables("public.t")).await;
        let schema = Ident::new("phiseal").unwrap();
        let store = PostgresStore::connect(&fixture.url(), &schema).await;
        Self::on(
            fixture,
            "public.t",
            Arc::new(store.unwrap()),
            Dialect::Postgres,
        )
    }

    async fn sqlite() -> Self {
        Self::sqlite_with_key("INTEGER").await
    }

    /// Gone through by its rowids, which are turned about after a crash: what the run has not done
    /// is then behind its cursor.
    async fn sqlite_by_rowid() -> Self {
        Self {
            meanwhile: "UPDATE t SET rowid = 1000 - rowid",
            ..Self::sqlite_with_key("TEXT NOT NULL").await
        }
    }

    async fn sqlite_with_key(key: &str) -> Self {
        let ddl = format!(
            "CREATE TABLE t (id {key} PRIMARY KEY, a TEXT, b TEXT);
             CREATE TABLE saved (id {key} PRIMARY KEY, a TEXT, b TEXT);
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})
             INSERT INTO saved SELECT i, 'value ' || i,
                CASE WHEN i % 5 <> 0 THEN substr('ababababababab', 1, 2 * (i % 7)) END FROM n;
             INSERT INTO t SELECT * FROM saved"
        );
        let fixture = Fixture::sqlite(&ddl, &tables("t")).await;
        let store = SqliteStore::connect(&fixture.url()).await.unwrap();
        Self::on(fixture, "t", Arc::new(store), Dialect::Sqlite)
    }

    fn on(fixture: Fixture, table: &str, store: Arc<dyn Store>, dialect: Dialect) -> Self {
        let text = std::fs::read_to_string(fixture.project.plan_file()).unwrap();
        Self {
            fixture,
            table: table.to_owned(),
            plan: Plan::parse("phiseal.toml", &text).unwrap(),
            store,
            dialect,
            ledger: NonceLedger::default(),
            meanwhile: "",
        }
    }

    fn own(&self, table: &str) -> String {
        self.fixture.source().own(table)
    }

    /// A fresh process, as far as the engine knows.
    async fn run(&self, store: Arc<dyn Store>) -> Result<TableReport, EngineError> {
        let store: Arc<dyn Store> = Arc::new(PatientStore::new(store, Duration::from_secs(5)));
        let provider = self.plan.keys.provider.resolve(&|_| None).unwrap();
        let provider = provider.open().unwrap();
        let records = self.store.key_records().await.unwrap();
        let keyring = Keyring::load(&records, &provider).await.unwrap();
        let engine = Engine {
            tenants: Arc::new(Tenants {
                keyring: Arc::new(keyring),
                provider: Arc::new(provider),
                store: Arc::clone(&store),
                actor: "test".to_owned(),
                due: self.plan.keys.rotate_every,
            }),
            store,
            settings: RunSettings {
                workers: 1,
                batch_target: Duration::from_millis(50),
                batch_bytes_max: 300,
                value_bytes_max: 1 << 20,
                lease_seconds: 1,
                pace: phiseal::plan::pace::PaceSettings {
                    pace: phiseal::pace::Pace::Fast,
                    ..Default::default()
                },
                patience: Duration::from_secs(5),
                converge_within: Duration::from_secs(5),
            },
            events: Arc::new(NoEvents),
            stop: Stop::default(),
        };
        engine.backfill(&self.job().await).await
    }

    /// The job of the plan's table, as it is now.
    async fn job(&self) -> Job {
        let facts = self.store.table(&self.plan.tables[0].name).await.unwrap();
        let registered = self.store.fields().await.unwrap();
        let job = Job::resolve(
            &self.plan.tables[0],
            &facts.unwrap(),
            &registered,
            self.dialect,
        );
        job.unwrap()
    }

    /// The table as it was before the first run, and no run of it.
    async fn reset(&self) {
        let (runs, lanes) = (self.own("runs"), self.own("lanes"));
        let again = "INSERT INTO t (id, a, b) SELECT id, a, b FROM saved";
        self.fixture
            .exec(&match self.fixture.base {
                Base::Postgres(_) => {
                    format!("TRUNCATE t; DELETE FROM {lanes}; DELETE FROM {runs}; {again}")
                }
                Base::Sqlite(_) => {
                    format!("DELETE FROM t; DELETE FROM {lanes}; DELETE FROM {runs}; {again}")
                }
            })
            .await;
    }

    /// A crashed process' lease runs out; nobody waits for it here.
    async fn leases_run_out(&self) {
        let lanes = self.own("lanes");
        let past = match self.fixture.base {
            Base::Postgres(_) => "clock_timestamp() - interval '1 second'",
            Base::Sqlite(_) => "'2001-01-01T00:00:00.000Z'",
        };
        let sql = format!("UPDATE {lanes} SET lease_until = {past} WHERE holder IS NOT NULL");
        self.fixture.exec(&sql).await;
    }

    async fn number(&self, sql: &str) -> i64 {
        let value = self.fixture.scalar(sql).await;
        value.and_then(|v| v.parse().ok()).expect(sql)
    }

    /// Everything that must hold once a run has ended well.
    async fn judge(&mut self, what: &str) {
        let keys = self.fixture.keys().await;
        for column in ["a", "b"] {
            let check = FieldCheck::against(keys.field(&self.table, column), "saved", column);
            let source = self.fixture.source();
            let checked = keys.check(source, &check, &mut self.ledger).await;
            assert!(checked.faults.is_empty(), "{what}: {:#?}", checked.faults);
            assert_eq!(checked.unsealed, 0, "{what}: {checked:?}");
            assert_eq!(checked.rows, ROWS as usize, "{what}");
        }
        let repeats = (self.ledger.cell_repeats, self.ledger.key_repeats);
        assert_eq!(repeats, (0, 0), "{what}: a nonce was used twice");
        let changed = "SELECT count(*) FROM t JOIN saved USING (id) WHERE t.a <> saved.a \
             OR coalesce(t.b, '-') <> coalesce(saved.b, '-')";
        assert_eq!(self.number(changed).await, 0, "{what}: plaintext changed");
        let (runs, lanes) = (self.own("runs"), self.own("lanes"));
        let rows = self
            .number(&format!("SELECT sum(rows_written) FROM {lanes}"))
            .await;
        assert_eq!(rows, i64::from(ROWS), "{what}: rows written, by the lanes");
        let rows = self
            .number(&format!("SELECT sum(rows_written) FROM {runs}"))
            .await;
        assert_eq!(rows, i64::from(ROWS), "{what}: rows written, by the runs");
        let open = format!("SELECT count(*) FROM {runs} WHERE finished_at IS NULL");
        assert_eq!(self.number(&open).await, 0, "{what}: a run is left open");
        let again = self.run(Arc::clone(&self.store)).await.unwrap();
        let (found, written) = (again.done.tally.rows_found, again.done.tally.rows_written);
        assert_eq!((found, written), (0, 0), "{what}: the second run");
    }

    /// A fault at every call (`make soak`), or at every seventh one, until a run ends without one; how
    /// many calls a run makes.
    async fn every_call(&mut self, kind: Kind, crash: bool) -> u64 {
        let stride = match std::env::var_os("PHISEAL_SOAK_SECONDS") {
            Some(_) => 1,
            None => 7,
        };
        for at in (1..).step_by(stride) {
            self.reset().await;
            let fault = Fault::new(kind, at, crash);
            let faulty = FaultyStore {
                inner: Arc::clone(&self.store),
                fault: Arc::clone(&fault),
            };
            let first = self.run(Arc::new(faulty)).await;
            let Some(call) = fault.met() else {
                first.unwrap();
                return at - 1;
            };
            let what = format!("{kind:?} at call {at} ({call}), crash {crash}");
            if let Err(error) = first {
                let code = error.code();
                assert!(crash, "{what}: {code} {error}");
                self.leases_run_out().await;
                if !self.meanwhile.is_empty() {
                    self.fixture.exec(self.meanwhile).await;
                }
                let resumed = self.run(Arc::clone(&self.store)).await;
                resumed.unwrap_or_else(|e| panic!("{what}: resumed: {} {e}", e.code()));
            }
            self.judge(&what).await;
        }
        unreachable!()
    }
}

fn tables(name: &str) -> String {
    format!(
        "[[table]]\nname = \"{name}\"\n\
         [[table.column]]\nname = \"a\"\nseal_into = \"a_sealed\"\n\
         [[table.column]]\nname = \"b\"\nseal_into = \"b_sealed\"\n"
    )
}

async fn everything(small: &mut Small, kinds: &[(Kind, bool)]) {
    for (kind, crash) in kinds {
        let calls = small.every_call(*kind, *crash).await;
        let least = if matches!(kind, Kind::Data | Kind::Locked) {
            3
        } else {
            30
        };
        assert!(calls >= least, "only {calls} calls were hit by {kind:?}");
    }
}

const LOST: [(Kind, bool); 2] = [(Kind::LostBefore, false), (Kind::LostAfter, false)];
const CRASH: [(Kind, bool); 2] = [(Kind::LostBefore, true), (Kind::LostAfter, true)];
const REFUSED: [(Kind, bool); 3] = [
    (Kind::Busy, false),
    (Kind::Locked, false),
    (Kind::Data, false),
];

#[tokio::test]
async fn a_connection_lost_at_any_call_is_made_again_and_the_run_ends_well_on_postgres() {
    everything(&mut Small::postgres("faulty_lost").await, &LOST).await;
}

#[tokio::test]
async fn a_crash_at_any_call_is_resumed_on_postgres() {
    everything(&mut Small::postgres("faulty_crash").await, &CRASH).await;
}

#[tokio::test]
async fn shortage_locks_and_refused_batches_are_gone_through_on_postgres() {
    everything(&mut Small::postgres("faulty_busy").await, &REFUSED).await;
}

#[tokio::test]
async fn a_connection_lost_at_any_call_is_made_again_and_the_run_ends_well_on_sqlite() {
    everything(&mut Small::sqlite().await, &LOST).await;
    everything(&mut Small::sqlite_by_rowid().await, &LOST).await;
}

#[tokio::test]
async fn a_crash_at_any_call_is_resumed_on_sqlite() {
    everything(&mut Small::sqlite().await, &CRASH).await;
    everything(&mut Small::sqlite_by_rowid().await, &CRASH).await;
}

#[tokio::test]
async fn shortage_locks_and_refused_batches_are_gone_through_on_sqlite() {
    everything(&mut Small::sqlite().await, &REFUSED).await;
}

/// A seal that came after the sweep of a restore, from an application that seals, is the only copy.
async fn only_copies_are_kept(small: Small, blanked: &str) {
    small.run(Arc::clone(&small.store)).await.unwrap();
    let job = small.job().await;
    small.fixture.exec(blanked).await;
    let refused = small.store.drop_sealed(&job.table).await.unwrap_err();
    assert_eq!(refused.code(), "E0517");
    let sealed = "SELECT count(*) FROM t WHERE a_sealed IS NOT NULL";
    assert_eq!(small.number(sealed).await, i64::from(ROWS));
    small
        .fixture
        .exec("UPDATE t SET a = 'again' WHERE id = 3")
        .await;
    small.store.drop_sealed(&job.table).await.unwrap();
}

#[tokio::test]
async fn sealed_columns_with_the_only_copy_of_a_value_are_not_dropped_on_postgres() {
    let small = Small::postgres("drop_only").await;
    let blanked = marked("clear", "public.t", "UPDATE t SET a = NULL WHERE id = 3");
    only_copies_are_kept(small, &blanked).await;
}

#[tokio::test]
async fn sealed_columns_with_the_only_copy_of_a_value_are_not_dropped_on_sqlite() {
    let small = Small::sqlite().await;
    let blanked = marked_in_sqlite("clear", "t", "UPDATE t SET a = NULL WHERE id = 3");
    only_copies_are_kept(small, &blanked).await;
}

/// In place, a value that is sealed is its only copy; here all are, since nothing was restored.
async fn sealed_in_place_is_kept(
    fixture: Fixture,
    table: &str,
    store: Arc<dyn Store>,
    dialect: Dialect,
) {
    let small = Small::on(fixture, table, store, dialect);
    small.run(Arc::clone(&small.store)).await.unwrap();
    let job = small.job().await;
    let refused = small.store.drop_sealed(&job.table).await.unwrap_err();
    assert_eq!(refused.code(), "E0517");
    // Not sealed, though it begins so.
    small.fixture.exec("UPDATE t SET a = 'ps1.note'").await;
    small.store.drop_sealed(&job.table).await.unwrap();
}

fn in_place(name: &str) -> String {
    format!(
        "[[table]]\nname = \"{name}\"\n[[table.column]]\nname = \"a\"\n\
         in_place = \"application-reads-both-forms\"\n"
    )
}

#[tokio::test]
async fn the_guard_of_values_sealed_in_place_is_not_dropped_on_postgres() {
    let sql =
        "CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, NULL)";
    let fixture = Fixture::postgres("drop_in_place", sql, &in_place("public.t")).await;
    let schema = Ident::new("phiseal").unwrap();
    let store = PostgresStore::connect(&fixture.url(), &schema)
        .await
        .unwrap();
    sealed_in_place_is_kept(fixture, "public.t", Arc::new(store), Dialect::Postgres).await;
}

#[tokio::test]
async fn the_guard_of_values_sealed_in_place_is_not_dropped_on_sqlite() {
    let sql =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'x'), (2, NULL)";
    let fixture = Fixture::sqlite(sql, &in_place("t")).await;
    let store = SqliteStore::connect(&fixture.url()).await.unwrap();
    sealed_in_place_is_kept(fixture, "t", Arc::new(store), Dialect::Sqlite).await;
}

/// Three partitions, of which the middle one is empty.
async fn partitioned(name: &str) -> Small {
    let ddl = "CREATE TABLE t (id int, part text, a text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
        CREATE TABLE t_archive PARTITION OF t FOR VALUES IN ('archive');
        CREATE TABLE t_empty PARTITION OF t FOR VALUES IN ('empty');
        CREATE TABLE t_live PARTITION OF t FOR VALUES IN ('live');
        INSERT INTO t VALUES (1, 'archive', 'value 1'), (2, 'live', 'value 2')";
    let tables = "[[table]]\nname = \"public.t\"\n[[table.column]]\nname = \"a\"\nseal_into = \"a_sealed\"\n";
    let fixture = Fixture::postgres(name, ddl, tables).await;
    let schema = Ident::new("phiseal").unwrap();
    let store = PostgresStore::connect(&fixture.url(), &schema).await;
    Small::on(
        fixture,
        "public.t",
        Arc::new(store.unwrap()),
        Dialect::Postgres,
    )
}

/// Runs, and does something while the server takes long to say, for the `at`th time, whether anything
/// is left.
async fn meanwhile(small: &Small, at: u64, sql: &str) -> TableReport {
    let fault = Fault::new(Kind::Slow, at, false);
    let slow: Arc<dyn Store> = Arc::new(FaultyStore {
        inner: Arc::clone(&small.store),
        fault: Arc::clone(&fault),
    });
    let done = async {
        while fault.met().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        small.fixture.exec(sql).await;
    };
    let (ended, ()) = tokio::join!(small.run(slow), done);
    ended.unwrap()
}

#[tokio::test]
async fn a_row_that_moves_to_a_partition_that_was_swept_is_sealed() {
    let small = partitioned("faulty_moved").await;
    // Asked for both that hold rows, and then in the sweeps of all three: this is the second one.
    let moved =
        "UPDATE t SET a = 'changed' WHERE id = 2; UPDATE t SET part = 'archive' WHERE id = 2";
    meanwhile(&small, 4, moved).await;
    let sealed = "SELECT count(*) FROM t_archive WHERE a_sealed IS NOT NULL";
    assert_eq!(small.number(sealed).await, 2);
}

#[tokio::test]
async fn what_is_to_be_tried_again_while_a_run_goes_on_waits_for_the_next() {
    let small = Small::postgres("faulty_retry").await;
    small.run(Arc::clone(&small.store)).await.unwrap();
    let refused = "ALTER TABLE t ADD CONSTRAINT c CHECK (id <> 7 OR a_sealed IS NULL) NOT VALID;
        UPDATE t SET a = a || '!'";
    small.fixture.exec(refused).await;
    // In the sweep; the row was refused before.
    let retried = "ALTER TABLE t DROP CONSTRAINT c; UPDATE phiseal.quarantine SET state = 'retry'";
    meanwhile(&small, 2, retried).await;
    let left = "SELECT count(*) FROM t WHERE a_sealed IS NULL";
    let state = "SELECT string_agg(state, ',') FROM phiseal.quarantine";
    assert_eq!(small.number(left).await, 1);
    assert_eq!(small.fixture.scalar(state).await.as_deref(), Some("retry"));
    small.run(Arc::clone(&small.store)).await.unwrap();
    assert_eq!(small.number(left).await, 0);
    assert_eq!(
        small.fixture.scalar(state).await.as_deref(),
        Some("resolved")
    );
}

#[tokio::test]
async fn a_row_that_stays_held_stops_the_run_which_names_the_holder_and_is_resumed() {
    let mut small = Small::postgres("faulty_held").await;
    // The guard is there already: nobody waits for it. All plaintext is the application's again.
    small.run(Arc::clone(&small.store)).await.unwrap();
    small.reset().await;
    let mut held = small.fixture.db().pool().begin().await.unwrap();
    let lock = "SET application_name = 'night job'; SELECT FROM t WHERE id IN (7, 8) FOR UPDATE";
    sqlx::raw_sql(lock).execute(&mut *held).await.unwrap();
    let error = small.run(Arc::clone(&small.store)).await.unwrap_err();
    assert_eq!(error.code(), "E0606", "{error}");
    let said = error.to_string();
    assert!(said.contains("converge: 2 rows"), "{said}");
    assert!(said.contains("night job"), "{said}");
    let sealed = "SELECT count(*) FROM t WHERE a_sealed IS NOT NULL";
    assert_eq!(small.number(sealed).await, i64::from(ROWS) - 2);
    held.rollback().await.unwrap();
    small.run(Arc::clone(&small.store)).await.unwrap();
    small.judge("released").await;
}

#[tokio::test]
async fn a_sweep_keeps_its_lane_while_the_server_takes_long() {
    let small = Small::postgres("faulty_slow").await;
    // The second time it is asked is in the sweep; a lease is one second.
    let fault = Fault::new(Kind::Slow, 2, false);
    let slow: Arc<dyn Store> = Arc::new(FaultyStore {
        inner: Arc::clone(&small.store),
        fault: Arc::clone(&fault),
    });
    let held = async {
        while fault.met().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(store::SLOW / 2).await;
        // Renewed since, as seen at one of these moments: a busy machine may renew late.
        let sql = "SELECT count(*) FROM phiseal.lanes WHERE state = 'open' AND lease_until > clock_timestamp()";
        let mut held = 0;
        for _ in 0..5 {
            held = held.max(small.number(sql).await);
            tokio::time::sleep(store::SLOW / 15).await;
        }
        held
    };
    let (ended, held) = tokio::join!(small.run(slow), held);
    assert_eq!(held, 1);
    assert_eq!(fault.met(), Some("any_left"));
    assert_eq!(ended.unwrap().done.tally.rows_written, i64::from(ROWS));
}

#[tokio::test]
async fn what_came_since_a_moment_is_read_in_one_snapshot_of_all_partitions() {
    let small = partitioned("since").await;
    small.run(Arc::clone(&small.store)).await.unwrap();
    let access = small.job().await.access();
    let mut then = Vec::new();
    for relation in small.store.relations(&access).await.unwrap() {
        then.push((
            small.store.horizon(&relation).await.unwrap().unwrap(),
            relation,
        ));
    }
    assert_eq!(then.len(), 3);
    // Changed since, and then moved while the partitions are looked at one after another.
    small.fixture.exec("UPDATE t SET a = a || '!'").await;
    let mut reader = small.store.reader().await.unwrap();
    let mut met = 0;
    for (horizon, relation) in then {
        let bounds = small
            .store
            .cut_by_storage(&access, &relation, 1, PassKind::Looking)
            .await
            .unwrap();
        let (after, upto) = match bounds {
            Some(bounds) => (bounds[0].clone(), bounds[1].clone()),
            None => (None, None),
        };
        let request = PageRequest {
            relation,
            select: Select::Any,
            after,
            upto,
            rows_max: 100,
            bytes_max: 1 << 20,
            value_bytes_max: 1 << 20,
            with_key_text: false,
            versions: Visibility::Since(horizon),
        };
        met += reader.page(&access, &request).await.unwrap().rows.len();
        small
            .fixture
            .exec("UPDATE t SET part = 'archive' WHERE id = 2")
            .await;
    }
    assert_eq!(met, 2);
}

#[tokio::test]
async fn what_was_committed_before_the_rest_was_read_again_is_counted() {
    let small = Small::postgres("faulty_halved").await;
    let fault = Fault::new(Kind::Halved, 1, false);
    let halved: Arc<dyn Store> = Arc::new(FaultyStore {
        inner: Arc::clone(&small.store),
        fault: Arc::clone(&fault),
    });
    let done = small.run(halved).await.unwrap().done.tally;
    assert_eq!(fault.met(), Some("write"));
    assert_eq!(done.rows_written, i64::from(ROWS));
    assert_eq!(done.values_written, sealed_values());
}

/// Every fifth row has no second value.
fn sealed_values() -> i64 {
    i64::from(ROWS + ROWS - ROWS / 5)
}
