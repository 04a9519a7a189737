//! A backfill of 100,000 rows on a private PostgreSQL, beside a plain `UPDATE` that writes a
//! constant of the same size into the same kind of table, in the same run.

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

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use students::{ROWS, backfill, floor, set_up, sum};
use tokio::runtime::Runtime;

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

criterion_group!(benches, pipeline);
criterion_main!(benches);
