//! phiseal beside what its users would run instead, in one run on one machine, and its growth.
//!
//! `make bench` compares; `make bench-growth` measures how cost grows; `make bench-compare` compares
//! two saved runs. A private PostgreSQL server with fsync on, the real program, a fresh copy of the
//! table for each. The contestants alternate, and each is divided by the floor of its own round.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `PHISEAL_BENCH` | `compare` or `growth` | `compare` |
//! | `PHISEAL_BENCH_ROWS` | rows of the table; with `growth`, the most | 1000000; 10000000 |
//! | `PHISEAL_BENCH_ROUNDS` | how often each runs | 3; 1 |
//! | `PHISEAL_BENCH_ONLY` | names of contestants, or charts of `growth`, with commas between | all |
//!
//! What is measured is written to target/bench; a whole run of at least a million rows also goes to
//! docs/BENCHMARKS.md and docs/benchmarks.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    dead_code,
    reason = "a benchmark that cannot be set up has nothing to report; the cluster has more than is used here"
)]

mod chart;
#[path = "../../tests/it/support/cluster.rs"]
mod cluster;
mod common;
mod contestants;
mod fixture;
mod growth;
mod machine;
mod page;
mod program;
mod record;
mod regress;
mod shares;

use std::path::Path;
use std::process::ExitCode;

use common::{ROWS_WORTH_A_PAGE, named_in, number, save, setting, target};
use contestants::{CONTESTANTS, Contestant, Kind, Stage};
use fixture::Fixture;
use record::Record;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| !arg.starts_with("--"))
        .collect();
    if args.iter().any(|arg| arg == "--test" || arg == "--list") {
        // Whoever asks whether the benchmarks run at all does not mean half an hour.
        return ExitCode::SUCCESS;
    }
    match words[..] {
        ["regress", old, new] => {
            return if regress::run(old, new) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
        ["pages"] => page::write_all(&target()),
        [] if setting("PHISEAL_BENCH").as_deref() == Some("growth") => {
            block_on(growth::run(&target()));
        }
        [] => block_on(compare(&target())),
        _ => {
            eprintln!("usage: compare [regress OLD.json NEW.json | pages]");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Runtime::new().unwrap().block_on(work);
}

/// Whether something is to run.
fn chosen(name: &str) -> bool {
    named_in("PHISEAL_BENCH_ONLY", name)
}

async fn compare(target: &Path) {
    let rows = number("PHISEAL_BENCH_ROWS", ROWS_WORTH_A_PAGE);
    let rounds = number("PHISEAL_BENCH_ROUNDS", 3) as u32;
    let fixture = Fixture::start();
    let mut record = Record {
        rows,
        rounds,
        machine: machine::machine(),
        versions: machine::versions(&fixture).await,
        settings: fixture.settings().await.into_iter().collect(),
        ..Record::default()
    };
    fixture.template("students", &fixture::students(rows)).await;
    fixture
        .template("tenth", &fixture::students(rows / 10))
        .await;
    if chosen("partitioned") {
        fixture
            .template("students_in_parts", &fixture::students_in_parts(rows))
            .await;
    }
    let sqlite = fixture.dir().join("template.db");
    if chosen("sqlite") {
        contestants::sqlite_template(&sqlite, rows).await;
    }
    let mut stage = Stage {
        fixture: &fixture,
        rows,
        sqlite: &sqlite,
        scripts: contestants::scripts(target),
        left: None,
    };
    for round in 0..rounds {
        for one in order(round).filter(|one| chosen(one.name)) {
            match stage.measure(one, round).await {
                Ok(sample) => {
                    println!(
                        "round {round}: {:<18} {:>8.2} s {:>9.0} rows/s",
                        one.name,
                        sample.seconds,
                        sample.rate()
                    );
                    record.samples.push(sample);
                }
                Err(why) => {
                    println!("round {round}: {:<18} skipped: {why}", one.name);
                    record.skipped.insert(one.name.to_owned(), why);
                }
            }
            save(&target.join("compare.json"), &record);
        }
    }
    if chosen("shares") {
        record.shares = shares::measure(&fixture, rows).await;
    }
    save(&target.join("compare.json"), &record);
    println!("\n{}", page::table(&record));
    println!("{}", page::marks(&record, None));
    let whole = setting("PHISEAL_BENCH_ONLY").is_none() && rounds >= 3;
    if whole && rows >= ROWS_WORTH_A_PAGE {
        page::write_all(target);
    }
}

/// The contestants of a round, each time beginning with another, so that none is always the first or
/// the last; those that go on where another ended stay behind it.
fn order(round: u32) -> impl Iterator<Item = &'static Contestant> {
    let mut groups: Vec<Vec<&'static Contestant>> = Vec::new();
    for one in &CONTESTANTS {
        match groups.last_mut() {
            Some(group) if matches!(one.kind, Kind::After(_)) => group.push(one),
            _ => groups.push(vec![one]),
        }
    }
    let shift = round as usize * groups.len() / 3;
    groups.rotate_left(shift % CONTESTANTS.len());
    groups.into_iter().flatten()
}
