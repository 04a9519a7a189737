//! What `make bench-live` makes of its figures: lines of the load's log, percentiles, slices, ratios
//! and marks.

#[path = "../../benches/live/figures.rs"]
#[allow(dead_code, reason = "the benchmark uses all of it")]
mod figures;

use crate::compare::record;
use figures::{Latency, Live, Run, Slice, Transaction, percentile};
use record::{Mark, marks_table};

#[test]
fn a_transaction_counts_from_when_it_was_to_begin() {
    let line = "3 41 250000 0 1700000010 500000 1200";
    let one = Transaction::of_line(line).unwrap();
    assert!((one.intended - 1_700_000_010.25).abs() < 1e-5, "{one:?}");
    assert!((one.latency_ms - 250.0).abs() < 1e-9);
    for failed in [
        "3 42 skipped 0 1700000010 500000",
        "3 43 failed 0 1700000010 1",
        "",
    ] {
        assert_eq!(Transaction::of_line(failed), None, "{failed}");
    }
}

#[test]
fn a_percentile_is_a_number_that_was_measured() {
    let hundred: Vec<f64> = (1..=100).rev().map(f64::from).collect();
    assert_eq!(percentile(hundred.clone(), 50), 50.0);
    assert_eq!(percentile(hundred.clone(), 99), 99.0);
    assert_eq!(percentile(hundred, 100), 100.0);
    assert_eq!(percentile(vec![7.0], 99), 7.0);
    assert_eq!(percentile(vec![1.0, 2.0], 99), 2.0);
    assert_eq!(percentile(Vec::new(), 99), 0.0);
}

// Slices of ten seconds, every second one working, and a transaction in each tenth of a second.
fn run(working_ms: f64, resting_ms: f64) -> (Run, Vec<Transaction>) {
    let mut run = Run {
        name: "polite_20".to_owned(),
        percent: 20,
        commands: 1,
        ..Run::default()
    };
    let mut all = Vec::new();
    for at in 0..4_u32 {
        let (begin, working) = (f64::from(at) * 10.0, at % 2 == 1);
        run.slices.push(Slice {
            working,
            begin,
            end: begin + 10.0,
            whole: working,
            rows: if working { 5000 } else { 0 },
            p99_ms: 0.0,
        });
        for tenth in 0..100_u32 {
            all.push(Transaction {
                intended: begin + 0.05 + f64::from(tenth) / 10.0,
                latency_ms: if working { working_ms } else { resting_ms },
            });
        }
    }
    (run, all)
}

#[test]
fn slices_with_and_without_the_engine_are_compared_without_their_edges() {
    let (mut run, mut all) = run(3.0, 2.0);
    // A stall at the edge of a working slice, and one in its middle.
    all[100].latency_ms = 1000.0;
    all[150].latency_ms = 30.0;
    run.fill(&all, 1.0);
    assert_eq!(
        (run.working.transactions, run.resting.transactions),
        (160, 160)
    );
    assert_eq!((run.working.p50, run.resting.p99), (3.0, 2.0));
    assert_eq!(run.working.worst_second, 30.0);
    assert_eq!(run.resting.worst_second, 2.0);
    assert_eq!(run.ratio(), Some(1.5));
    assert_eq!(run.rows_per_second(), Some(500.0));
    assert_eq!(run.least_progress(), Some(500.0));
    assert_eq!(run.slices[0].p99_ms, 2.0);
    assert_eq!(run.slices[1].p99_ms, 30.0);
}

#[test]
fn a_second_with_few_transactions_is_not_the_worst() {
    let slice = Slice {
        begin: 0.0,
        end: 2.0,
        ..Slice::default()
    };
    let one = |intended, latency_ms| Transaction {
        intended,
        latency_ms,
    };
    let mut all: Vec<Transaction> = (0..20).map(|at| one(f64::from(at) / 20.0, 1.0)).collect();
    all.push(one(1.5, 500.0));
    let latency = Latency::of(std::iter::once(&slice), &all, 0.0);
    assert_eq!((latency.worst_second, latency.transactions), (1.0, 21));
}

#[test]
fn progress_is_judged_where_there_was_work_all_the_time() {
    let (mut run, _) = run(3.0, 2.0);
    (run.slices[1].rows, run.slices[1].whole) = (10, false);
    assert_eq!(run.least_progress(), Some(500.0));
    run.slices[3].whole = false;
    assert_eq!(run.least_progress(), None);
}

#[test]
fn a_rest_in_which_the_engine_wrote_says_nothing() {
    let (mut run, mut all) = run(3.0, 2.0);
    run.slices[0].rows = 1;
    all[50].latency_ms = 100.0;
    run.fill(&all, 1.0);
    assert_eq!((run.resting.transactions, run.resting.p99), (80, 2.0));
}

#[test]
fn noise_is_what_odd_and_even_slices_differ_by_where_nothing_works() {
    let (mut run, all) = run(2.2, 2.0);
    run.commands = 0;
    for slice in &mut run.slices {
        (slice.working, slice.rows) = (false, 0);
    }
    run.fill(&all, 1.0);
    assert_eq!(run.least_progress(), None);
    let live = Live {
        runs: vec![run],
        ..Live::default()
    };
    let noise: Vec<f64> = live.idle(20).filter_map(Run::ratio).collect();
    assert!((noise[0] - 1.1).abs() < 1e-9, "{noise:?}");
    assert_eq!(live.idle(40).count(), 0);
}

#[test]
fn a_mark_of_the_live_load_is_reached_by_figures_or_not_at_all() {
    let of = |working_ms, rows| {
        let (mut run, all) = run(working_ms, 2.0);
        run.slices[3].rows = rows;
        run.fill(&all, 1.0);
        Live {
            runs: vec![run],
            ..Live::default()
        }
    };
    let reached = |live: &Live, what: &str| {
        let marks = live.marks();
        let mark = marks.iter().find(|mark| mark.what.contains(what));
        mark.map(Mark::is_reached)
    };
    let good = of(2.3, 100);
    assert_eq!(reached(&good, "at 20 %"), Some(true));
    assert_eq!(reached(&good, "progress"), Some(true));
    assert_eq!(reached(&good, "lost"), Some(true));
    assert_eq!(reached(&good, "at 40 %"), None);
    assert_eq!(reached(&good, "fast"), None);
    let mut bad = of(2.5, 0);
    bad.runs[0].updates_lost = -1;
    assert_eq!(reached(&bad, "at 20 %"), Some(false));
    assert_eq!(reached(&bad, "progress"), Some(false));
    assert_eq!(reached(&bad, "lost"), Some(false));
    assert!(marks_table(&bad.marks()).contains("| not reached |"));
}

#[test]
fn a_run_reacts_within_a_second_and_is_fast_alone() {
    let mut live = Live::default();
    live.alone.insert("polite".to_owned(), vec![95.0]);
    live.alone.insert("fast".to_owned(), vec![100.0]);
    let slow = Run {
        slowest_reaction: 1.2,
        ..Run::default()
    };
    live.runs = vec![Run::default(), slow];
    let marks = live.marks();
    let reached = |what: &str| {
        let mark = marks.iter().find(|mark| mark.what.contains(what));
        mark.map(Mark::is_reached)
    };
    assert_eq!(reached("slowest `pause`"), Some(false));
    assert_eq!(reached("nobody else there, of `pace"), Some(true));
}

#[test]
fn the_fast_pace_may_lose_what_the_rounds_before_differ_by() {
    let of = |fast: f64| {
        let mut live = Live::default();
        live.alone
            .insert("before".to_owned(), vec![90.0, 100.0, 110.0]);
        live.alone.insert("fast".to_owned(), vec![fast]);
        live.marks().last().unwrap().is_reached()
    };
    assert!(of(91.0));
    assert!(!of(89.0));
}

#[test]
fn a_live_record_is_read_back() {
    let (run, _) = run(3.0, 2.0);
    let live = Live {
        rows: 7,
        runs: vec![run],
        ..Live::default()
    };
    let text = serde_json::to_string(&live).unwrap();
    let back: Live = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (back.rows, back.run("polite_20").unwrap().slices.len()),
        (7, 4)
    );
}
