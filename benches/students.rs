//! The table that runs are measured on, and what it takes to run on it without the command line.
//!
//! 100,000 students: a uuid key, eleven columns, about 250 bytes a row and three more indexes; one
//! text column is sealed into a new bytea column. Each sample works on a fresh copy.

#![allow(
    dead_code,
    reason = "shared by two benchmarks, of which each uses a part"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use phiseal::crypto::{Purpose, WrappingKey};
use phiseal::engine::preflight::Dialect;
use phiseal::engine::{Engine, Job, NoEvents, RunSettings, Stop, Tenants};
use phiseal::ident::Ident;
use phiseal::keys::{Issuer, Keyring, LocalProvider, RotationPeriod};
use phiseal::pace::Pace;
use phiseal::plan::Plan;
use phiseal::plan::pace::PaceSettings;
use phiseal::schema::{Link, SetChoice};
use phiseal::store::Store;
use phiseal::store::postgres::PostgresStore;
use phiseal::store::sqlite::Access;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Rows of the table.
pub const ROWS: u64 = 100_000;
/// As long as an envelope of eleven bytes.
const CONSTANT_BYTES: usize = 45;

const PLAN: &str = r#"
    [database]
    url = "env:UNUSED"
    [keys]
    provider = "env"
    variable = "UNUSED"
    [[table]]
    name = "public.students"
    [[table.column]]
    name = "ssn"
    seal_into = "ssn_sealed"
"#;

/// A server with a migrated database, keys and a template of the table.
pub struct Bench {
    pub url: String,
    pub store: Arc<dyn Store>,
    pub tenants: Arc<Tenants>,
}

/// The time of so many samples.
pub async fn sum<F: Future<Output = Duration>>(
    samples: u64,
    mut work: impl FnMut() -> F,
) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..samples {
        total += work().await;
    }
    total
}

/// Migrates, makes the template and a key.
pub async fn set_up(url: &str) -> Bench {
    let schema = Ident::new("phiseal").expect("a name");
    let own = SetChoice::Own;
    let mut link = Link::open(url, &schema, own, Access::Write)
        .await
        .expect("connects");
    link.migrations(own)
        .expect("a schema")
        .up(None)
        .await
        .expect("migrates");
    link.close().await;
    exec(
        url,
        "CREATE TABLE template AS SELECT gen_random_uuid() AS id, i % 50 AS school_id, 'First' || i AS first, \
           'Last' || i AS last, lpad((i % 1000)::text, 3, '0') || '-12-' || lpad((i % 10000)::text, 4, '0') AS ssn, \
           date '2005-01-01' + i % 4000 AS dob, repeat('n', 100) AS notes, '+1 555 ' || i AS phone, \
           i || ' Main Street' AS address, true AS active, now() AS created_at \
         FROM generate_series(1, 100000) AS i",
    )
    .await;
    let store: Arc<dyn Store> = Arc::new(
        PostgresStore::connect(url, &schema)
            .await
            .expect("connects"),
    );
    let provider = Arc::new(LocalProvider::new(
        WrappingKey::generate().expect("random bytes"),
    ));
    let issuer = Issuer {
        table: store.as_ref(),
        provider: provider.as_ref(),
        actor: "bench",
        reason: None,
        due: RotationPeriod::Quarter,
        scribe: &phiseal::keys::Unnoted,
    };
    issuer.issue("", Purpose::Cell).await.expect("a key");
    let records = store.key_records().await.expect("records");
    let keyring = Keyring::load(&records, provider.as_ref())
        .await
        .expect("loads");
    Bench {
        url: url.to_owned(),
        tenants: Arc::new(Tenants {
            keyring: Arc::new(keyring),
            provider,
            store: Arc::clone(&store),
            actor: "bench".to_owned(),
            due: RotationPeriod::Quarter,
        }),
        store,
    }
}

/// Runs statements, each by itself.
pub async fn exec(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.expect("connects");
    for statement in sql.split(';').filter(|s| !s.trim().is_empty()) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut conn)
            .await
            .expect("runs");
    }
    conn.close().await.expect("closes");
}

/// A fresh copy of the table, its pages written out. It is another table than the last copy, which is forgotten
/// with its field, as `phiseal fields forget` does.
pub async fn fresh(bench: &Bench) {
    let field = ["ssn".to_owned()];
    let forgotten = bench.store.forget_fields("public.students", &field);
    forgotten.await.expect("forgets");
    exec(
        &bench.url,
        "DROP TABLE IF EXISTS students; CREATE TABLE students AS SELECT * FROM template; \
         ALTER TABLE students ADD PRIMARY KEY (id); CREATE INDEX ON students (school_id); \
         CREATE INDEX ON students (last); CREATE INDEX ON students (created_at); \
         VACUUM ANALYZE students; CHECKPOINT",
    )
    .await;
}

/// One plain `UPDATE` that writes a constant as long as an envelope.
pub async fn floor(bench: &Bench) -> Duration {
    fresh(bench).await;
    exec(
        &bench.url,
        "ALTER TABLE students ADD COLUMN ssn_sealed bytea",
    )
    .await;
    let constant = "e7".repeat(CONSTANT_BYTES);
    let begun = Instant::now();
    exec(
        &bench.url,
        &format!("UPDATE students SET ssn_sealed = '\\x{constant}'"),
    )
    .await;
    begun.elapsed()
}

/// The job of the table as it is now.
pub async fn job(bench: &Bench) -> Job {
    let plan = Plan::parse("bench.toml", PLAN).expect("a plan");
    let table = &plan.tables[0];
    let facts = bench
        .store
        .table(&table.name)
        .await
        .expect("reads")
        .expect("is there");
    let registered = bench.store.fields().await.expect("reads");
    Job::resolve(table, &facts, &registered, Dialect::Postgres).expect("resolves")
}

/// An engine that works on so many lanes at once.
pub fn engine(bench: &Bench, lanes: u32) -> Engine {
    let plan = Plan::parse("bench.toml", PLAN).expect("a plan");
    Engine {
        store: Arc::clone(&bench.store),
        tenants: Arc::clone(&bench.tenants),
        settings: RunSettings {
            workers: lanes,
            batch_target: plan.run.batch_target,
            batch_bytes_max: plan.run.batch_bytes_max,
            value_bytes_max: plan.run.value_bytes_max,
            lease_seconds: 15,
            patience: Duration::from_secs(30),
            pace: PaceSettings {
                pace: Pace::Fast,
                ..PaceSettings::default()
            },
            converge_within: Duration::from_secs(60),
        },
        events: Arc::new(NoEvents),
        stop: Stop::default(),
    }
}

/// A backfill of a fresh copy.
pub async fn backfill(bench: &Bench, lanes: u32) -> Duration {
    fresh(bench).await;
    let job = job(bench).await;
    let engine = engine(bench, lanes);
    let begun = Instant::now();
    let report = engine.backfill(&job).await.expect("seals");
    let elapsed = begun.elapsed();
    assert_eq!(report.done.tally.rows_written.unsigned_abs(), ROWS);
    elapsed
}
