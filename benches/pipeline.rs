//! A backfill of 100,000 rows on a private PostgreSQL, beside a plain `UPDATE` that writes a
//! constant of the same size into the same kind of table, in the same run.
//!
//! The table has a uuid key, eleven columns, about 250 bytes a row and three more indexes; one text
//! column is sealed into a new bytea column. Each sample works on a fresh copy.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a benchmark that cannot be set up has nothing to report; the cluster has more than is used here"
)]

#[path = "../tests/it/support/cluster.rs"]
mod cluster;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use phiseal::crypto::{Purpose, WrappingKey};
use phiseal::engine::preflight::Dialect;
use phiseal::engine::{Engine, Job, NoEvents, Settings, Stop, Tenants};
use phiseal::ident::Ident;
use phiseal::keys::{Issuer, Keyring, LocalProvider, RotationPeriod};
use phiseal::plan::Plan;
use phiseal::schema::Link;
use phiseal::store::Store;
use phiseal::store::postgres::PostgresStore;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::runtime::Runtime;

const ROWS: u64 = 100_000;
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

struct Bench {
    url: String,
    store: Arc<dyn Store>,
    tenants: Arc<Tenants>,
}

fn pipeline(criterion: &mut Criterion) {
    let cluster = cluster::Cluster::start();
    let runtime = Runtime::new().expect("a runtime");
    let bench = runtime.block_on(set_up(&cluster.url("postgres")));
    let mut group = criterion.benchmark_group("pipeline");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(10))
        .throughput(Throughput::Elements(ROWS));
    group.bench_function("plain update", |bencher| {
        bencher.iter_custom(|samples| runtime.block_on(sum(samples, || floor(&bench))));
    });
    for (name, lanes) in [("one lane", 1), ("two lanes", 2), ("three lanes", 3)] {
        group.bench_function(name, |bencher| {
            bencher
                .iter_custom(|samples| runtime.block_on(sum(samples, || backfill(&bench, lanes))));
        });
    }
    group.finish();
}

async fn sum<F: Future<Output = Duration>>(samples: u64, mut work: impl FnMut() -> F) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..samples {
        total += work().await;
    }
    total
}

async fn set_up(url: &str) -> Bench {
    let schema = Ident::new("phiseal").expect("a name");
    let mut link = Link::open(url, &schema).await.expect("connects");
    link.engine()
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

async fn exec(url: &str, sql: &str) {
    let mut conn = PgConnection::connect(url).await.expect("connects");
    for statement in sql.split(';').filter(|s| !s.trim().is_empty()) {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
            .execute(&mut conn)
            .await
            .expect("runs");
    }
    conn.close().await.expect("closes");
}

/// A fresh copy of the table, its pages written out.
async fn fresh(url: &str) {
    exec(
        url,
        "DROP TABLE IF EXISTS students; CREATE TABLE students AS SELECT * FROM template; \
         ALTER TABLE students ADD PRIMARY KEY (id); CREATE INDEX ON students (school_id); \
         CREATE INDEX ON students (last); CREATE INDEX ON students (created_at); \
         VACUUM ANALYZE students; CHECKPOINT",
    )
    .await;
}

async fn floor(bench: &Bench) -> Duration {
    fresh(&bench.url).await;
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

async fn backfill(bench: &Bench, lanes: u32) -> Duration {
    fresh(&bench.url).await;
    let plan = Plan::parse("bench.toml", PLAN).expect("a plan");
    let table = &plan.tables[0];
    let facts = bench
        .store
        .table(&table.name)
        .await
        .expect("reads")
        .expect("is there");
    let registered = bench.store.fields().await.expect("reads");
    let job = Job::resolve(table, &facts, &registered, Dialect::Postgres).expect("resolves");
    let engine = Engine {
        store: Arc::clone(&bench.store),
        tenants: Arc::clone(&bench.tenants),
        settings: Settings {
            workers: lanes,
            batch_target: plan.run.batch_target,
            batch_bytes_max: plan.run.batch_bytes_max,
            value_bytes_max: plan.run.value_bytes_max,
            lease_seconds: 15,
            patience: Duration::from_secs(30),
        },
        events: Arc::new(NoEvents),
        stop: Stop::default(),
    };
    let begun = Instant::now();
    let report = engine.backfill(&job).await.expect("seals");
    let elapsed = begun.elapsed();
    assert_eq!(report.done.tally.rows_written.unsigned_abs(), ROWS);
    elapsed
}

criterion_group!(benches, pipeline);
criterion_main!(benches);
