//! What `make bench` makes of its figures: medians, ratios, marks, and the comparison of two runs.

#[path = "../../benches/compare/record.rs"]
#[allow(dead_code, reason = "the benchmarks use all of it")]
pub(crate) mod record;
#[path = "../../benches/compare/regress.rs"]
mod regress;

use record::{Mark, Record, Sample};

// Each contestant with its rates, a round each.
fn record(contestants: &[(&str, &[f64])]) -> Record {
    let mut record = Record::default();
    for (name, rates) in contestants {
        for (round, rate) in (0..).zip(*rates) {
            record.samples.push(Sample {
                contestant: (*name).to_owned(),
                round,
                rows: 1000,
                seconds: 1000.0 / rate,
                wal_bytes: None,
                peak_bytes: Some(150_000_000),
                cpu_seconds: None,
                server_cpu_seconds: None,
            });
        }
    }
    record
}

#[test]
fn a_ratio_is_the_median_of_those_of_the_rounds() {
    let of = record(&[
        ("floor", &[100.0, 200.0, 50.0]),
        ("auto", &[150.0, 260.0, 100.0]),
    ]);
    assert_eq!(of.ratio("auto", "floor"), Some(1.5));
    assert_eq!(of.ratio("verify", "floor"), None);
    assert_eq!(record::median(vec![3.0, 1.0]), Some(2.0));
}

#[test]
fn a_mark_is_reached_by_figures_or_not_at_all() {
    let mut of = record(&[
        ("floor", &[100.0]),
        ("lanes_1", &[104.0]),
        ("auto", &[170.0]),
    ]);
    of.shares.insert("sealing".to_owned(), 10.5);
    let marks = of.marks();
    let reached = |what: &str| {
        let mark = marks.iter().find(|mark| mark.what.contains(what));
        mark.map(Mark::is_reached)
    };
    assert_eq!(reached("one lane"), Some(false));
    assert_eq!(reached("`auto` lanes, of the floor"), Some(true));
    assert_eq!(reached("sealing"), Some(false));
    assert_eq!(reached("memory"), Some(true));
    assert_eq!(reached("verify"), None);
}

#[test]
fn the_loss_of_a_tenth_of_a_ratio_is_found_and_noise_is_not() {
    let old = record(&[
        ("floor", &[100.0]),
        ("auto", &[160.0]),
        ("sqlite_floor", &[1000.0]),
        ("sqlite", &[900.0]),
    ]);
    // A machine twice as fast loses nothing.
    let faster = record(&[
        ("floor", &[200.0]),
        ("auto", &[300.0]),
        ("sqlite_floor", &[2000.0]),
        ("sqlite", &[1850.0]),
    ]);
    let (lines, losses) = regress::compare(&old, &faster);
    assert_eq!((lines.len(), losses.len()), (2, 0), "{losses:?}");
    let worse = record(&[
        ("floor", &[100.0]),
        ("auto", &[143.0]),
        ("sqlite_floor", &[1000.0]),
    ]);
    let (_, losses) = regress::compare(&old, &worse);
    assert_eq!(losses.len(), 2, "{losses:?}");
    assert!(losses[0].starts_with("auto:") && losses[1].contains("not measured now"));
}

#[test]
fn saved_runs_are_read_back_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let save = |name: &str, rate: f64| {
        let path = dir.path().join(name);
        let of = record(&[("floor", &[100.0]), ("auto", &[rate])]);
        std::fs::write(&path, serde_json::to_string(&of).unwrap()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (old, same, worse) = (save("a", 150.0), save("b", 149.0), save("c", 120.0));
    assert!(regress::run(&old, &same));
    assert!(!regress::run(&old, &worse));
}
