//! Rates, the time left, and what is told of waits.

use super::*;

fn after(begun: Instant, seconds: u64) -> Instant {
    begun + Duration::from_secs(seconds)
}

fn begun(total: u64) -> (Counts, Instant) {
    let (mut counts, now) = (Counts::default(), Instant::now());
    counts.begin("backfill", "t", total, now);
    counts.resume(0, 0.0, now);
    (counts, now)
}

/// The seconds left, rounded.
fn left(counts: &Counts, now: Instant) -> f64 {
    counts.left(now).unwrap().as_secs_f64().round()
}

#[test]
fn a_wait_is_told_once_however_its_numbers_change() {
    let mut counts = Counts::default();
    let begun = Instant::now();
    assert!(counts.wait("standby b is 14 s behind", begun));
    assert!(!counts.wait("standby b is 9 s behind", after(begun, 5)));
    let waits = counts.waits(after(begun, 6));
    assert_eq!(
        waits,
        Some(("standby b is 9 s behind", Duration::from_secs(6)))
    );
    assert!(counts.wait("a lock on t", after(begun, 7)));
    assert_eq!(counts.go_on(after(begun, 9)), Some(Duration::from_secs(2)));
    assert_eq!(counts.go_on(after(begun, 9)), None);
}

#[test]
fn waits_that_take_turns_are_told_once_a_minute_each_and_pauses_always() {
    let mut counts = Counts::default();
    let begun = Instant::now();
    let mut told = Vec::new();
    for second in 0..=125 {
        let why = ["session 7 waits for us", "standby b is behind"][second as usize % 2];
        if counts.wait(why, after(begun, second)) {
            told.push(second);
        }
    }
    assert_eq!(told, [0, 1, 60, 61, 120, 121]);
    for second in [130, 133, 136] {
        assert!(counts.wait("paused by me", after(begun, second)));
        assert_eq!(
            counts.go_on(after(begun, second + 2)),
            Some(Duration::from_secs(2))
        );
    }
    // What was not told to begin is not told to end.
    assert!(!counts.wait("standby b is behind", after(begun, 140)));
    assert_eq!(counts.go_on(after(begun, 150)), None);
}

#[test]
fn a_wait_is_told_again_once_a_minute() {
    let mut counts = Counts::default();
    let begun = Instant::now();
    counts.wait("paused", begun);
    let told: Vec<u64> = (1..=200)
        .filter(|seconds| counts.still_waits(after(begun, *seconds)).is_some())
        .collect();
    assert_eq!(told, [60, 120, 180]);
}

#[test]
fn where_something_is_done_the_run_does_not_wait() {
    let mut counts = Counts::default();
    let begun = Instant::now();
    counts.wait("lane 3", begun);
    counts.add(1, 1, None, begun);
    assert_eq!(counts.waits(after(begun, 70)), None);
    assert_eq!(counts.still_waits(after(begun, 70)), None);
    // The same worker says so again: that is no news, and its time begins again.
    assert!(!counts.wait("lane 3", after(begun, 80)));
    let waits = counts.waits(after(begun, 81));
    assert_eq!(waits, Some(("lane 3", Duration::from_secs(1))));
}

#[test]
fn the_end_of_a_short_wait_is_not_told() {
    let mut counts = Counts::default();
    let begun = Instant::now();
    counts.wait("the connection", begun);
    assert_eq!(counts.go_on(begun + Duration::from_millis(900)), None);
}

#[test]
fn a_line_is_due_every_ten_seconds_from_the_beginning_of_a_table() {
    let (mut counts, begun) = begun(9);
    let told: Vec<u64> = (0..=31)
        .filter(|seconds| counts.is_line_due(after(begun, *seconds)))
        .collect();
    assert_eq!(told, [10, 20, 30]);
}

#[test]
fn the_time_left_follows_the_pace_of_the_last_half_minute() {
    let (mut counts, begun) = begun(1000);
    assert_eq!(counts.left(begun), None);
    // One percent a second, then a tenth of that.
    for second in 1..=50_u32 {
        let share = f64::from(second) / 100.0;
        counts.add(10, 10, Some(share), after(begun, second.into()));
    }
    assert_eq!(left(&counts, after(begun, 50)), 50.0);
    assert_eq!(counts.percent(), Some(50));
    for second in 51..=100_u32 {
        let share = 0.5 + f64::from(second - 50) / 1000.0;
        counts.add(1, 1, Some(share), after(begun, second.into()));
    }
    assert_eq!(left(&counts, after(begun, 100)), 450.0);
    assert!((counts.rate(after(begun, 100)) - 1.0).abs() < 0.01);
}

#[test]
fn a_wait_does_not_count_as_slow_work() {
    let (mut counts, begun) = begun(1000);
    for second in 1..=10_u32 {
        let share = f64::from(second) / 100.0;
        counts.add(10, 10, Some(share), after(begun, second.into()));
    }
    counts.wait("paused by me", after(begun, 10));
    assert!(counts.go_on(after(begun, 1000)).is_some());
    assert_eq!(counts.left(after(begun, 1000)), None);
    counts.add(30, 30, Some(0.13), after(begun, 1003));
    assert_eq!(left(&counts, after(begun, 1003)), 87.0);
}

#[test]
fn the_rows_to_expect_come_from_what_was_found_and_not_from_old_statistics() {
    let (mut counts, begun) = begun(1_000_000);
    counts.add(10, 10, Some(0.01), begun);
    assert_eq!(counts.rows_expected(), 1_000_000);
    counts.add(240, 240, Some(0.25), begun);
    assert_eq!((counts.rows_found(), counts.rows_expected()), (250, 1000));
    let mut resumed = Counts::default();
    resumed.begin("backfill", "t", 3, begun);
    resumed.resume(400, 0.4, begun);
    assert_eq!((resumed.rows_found(), resumed.rows_expected()), (400, 1000));
    assert_eq!(resumed.percent(), Some(40));
}
