//! A rotation of 100,000 rows beside a backfill of them and a plain `UPDATE` of a constant, in one
//! run; and a rotation in which one row in a hundred is under the older key, which costs a scan and
//! not a rewrite. One lane each.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    dead_code,
    reason = "a benchmark that cannot be set up has nothing to report; the cluster has more than is used here"
)]

#[path = "../tests/it/support/cluster.rs"]
mod cluster;
#[path = "students.rs"]
mod students;

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use phiseal::crypto::{KeyId, Purpose};
use phiseal::engine::rotation::{Finish, RotationRequest};
use phiseal::engine::search::Reach;
use phiseal::keys::{KeyFor, RotationRecord};
use students::{Bench, ROWS, backfill, engine, exec, floor, job, set_up, sum};
use tokio::runtime::Runtime;

fn rotate(criterion: &mut Criterion) {
    let cluster = cluster::Cluster::start();
    let runtime = Runtime::new().expect("a runtime");
    let bench = runtime.block_on(set_up(&cluster.url("postgres")));
    let mut group = criterion.benchmark_group("rotate");
    group
        .sample_size(10)
        .warm_up_time(Duration::from_millis(1))
        .measurement_time(Duration::from_secs(10))
        .throughput(Throughput::Elements(ROWS));
    group.bench_function("plain update", |bencher| {
        bencher.iter_custom(|samples| runtime.block_on(sum(samples, || floor(&bench))));
    });
    group.bench_function("backfill", |bencher| {
        bencher.iter_custom(|samples| runtime.block_on(sum(samples, || backfill(&bench, 1))));
    });
    group.bench_function("rotate", |bencher| {
        bencher.iter_custom(|samples| runtime.block_on(sum(samples, || all(&bench))));
    });
    group.bench_function("rotate, 1 % old", |bencher| {
        bencher.iter_custom(|samples| runtime.block_on(sum(samples, || one_percent(&bench))));
    });
    group.finish();
}

/// Everything is under one key, and goes to the next.
async fn all(bench: &Bench) -> Duration {
    backfill(bench, 1).await;
    settle(bench).await;
    let (elapsed, _) = rotation(bench, None, ROWS).await;
    elapsed
}

/// One row in a hundred is under a key that was rotated away, and is found compromised.
async fn one_percent(bench: &Bench) -> Duration {
    backfill(bench, 1).await;
    exec(
        &bench.url,
        "DROP TABLE IF EXISTS old; CREATE TABLE old AS \
           SELECT id, ssn_sealed FROM students WHERE get_byte(uuid_send(id), 0) < 3; \
         DELETE FROM old WHERE id NOT IN (SELECT id FROM old LIMIT 1000)",
    )
    .await;
    let (_, record) = rotation(bench, None, ROWS).await;
    exec(
        &bench.url,
        "ALTER TABLE students DISABLE TRIGGER \"~phiseal_u\"; \
         UPDATE students AS s SET ssn_sealed = o.ssn_sealed FROM old AS o WHERE o.id = s.id; \
         ALTER TABLE students ENABLE ALWAYS TRIGGER \"~phiseal_u\"",
    )
    .await;
    settle(bench).await;
    let (elapsed, _) = rotation(bench, record.from_key_id, 1000).await;
    elapsed
}

async fn settle(bench: &Bench) {
    exec(&bench.url, "VACUUM ANALYZE students; CHECKPOINT").await;
}

async fn rotation(
    bench: &Bench,
    compromised: Option<KeyId>,
    rows: u64,
) -> (Duration, RotationRecord) {
    let jobs = [job(bench).await];
    let engine = engine(bench, 1);
    let order = RotationRequest {
        keys: vec![KeyFor {
            tenant: String::new(),
            purpose: Purpose::Cell,
        }],
        reason: "bench".to_owned(),
        new_key: false,
        since: i64::MAX,
        open: std::collections::BTreeSet::new(),
    };
    let begun = Instant::now();
    let open = match compromised {
        None => engine.begin_rotation(&jobs, &order).await.expect("begins"),
        Some(key_id) => {
            let declared = engine.declare_compromised(key_id, "bench").await;
            declared.expect("begins").open
        }
    };
    let finish = Finish {
        jobs: &jobs,
        open: &open,
        table_missing: false,
        stays_open: false,
        // What is measured is the sealing.
        reach: &Reach {
            registered_only: true,
            ..Reach::default()
        },
    };
    let finished = engine.finish_rotation(&finish).await.expect("ends");
    let elapsed = begun.elapsed();
    assert_eq!(finished.done.tally.rows_written.unsigned_abs(), rows);
    (elapsed, finished.closed[0].clone())
}

criterion_group!(benches, rotate);
criterion_main!(benches);
