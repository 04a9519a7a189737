//! The pace of runs: what is refused, when a window is open, and when it opens next: over midnight, and
//! where the clock is set.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::pace::Window;
use super::refusals::refuses;

/// A window between two times of the day, `HH:MM`.
pub(super) fn window(from: &str, until: &str, zone: &str) -> Window {
    Window {
        from: from.parse().unwrap(),
        until: until.parse().unwrap(),
        zone: TimeZone::get(zone).unwrap(),
    }
}

fn micros(time: &str) -> i64 {
    time.parse::<Timestamp>().unwrap().as_microsecond()
}

/// Of each window: a time in UTC, whether it is open, and when it opens after that.
type Cases = &'static [(&'static str, bool, &'static str)];

fn expect((from, until, zone): (&str, &str, &str), cases: Cases) {
    let window = window(from, until, zone);
    for (time, open, opens) in cases {
        let now = micros(time);
        assert_eq!(window.is_open(now), *open, "{window} at {time}");
        let next = window.opens_after(now);
        assert_eq!(next, Some(micros(opens)), "{window} after {time}");
    }
}

#[test]
fn a_window_of_one_day_is_open_from_its_first_moment_to_before_its_last() {
    expect(
        ("08:00", "17:30", "UTC"),
        &[
            ("2026-03-02T07:59:59.999999Z", false, "2026-03-02T08:00:00Z"),
            ("2026-03-02T08:00:00Z", true, "2026-03-03T08:00:00Z"),
            ("2026-03-02T17:29:59.999999Z", true, "2026-03-03T08:00:00Z"),
            ("2026-03-02T17:30:00Z", false, "2026-03-03T08:00:00Z"),
            ("2026-12-31T23:00:00Z", false, "2027-01-01T08:00:00Z"),
        ],
    );
}

#[test]
fn a_window_over_midnight_belongs_to_the_evening_and_the_morning() {
    expect(
        ("22:00", "05:00", "UTC"),
        &[
            ("2026-03-02T21:59:59Z", false, "2026-03-02T22:00:00Z"),
            ("2026-03-02T22:00:00Z", true, "2026-03-03T22:00:00Z"),
            ("2026-03-03T00:00:00Z", true, "2026-03-03T22:00:00Z"),
            ("2026-03-03T04:59:59Z", true, "2026-03-03T22:00:00Z"),
            ("2026-03-03T05:00:00Z", false, "2026-03-03T22:00:00Z"),
        ],
    );
    expect(
        ("20:00", "00:00", "UTC"),
        &[
            ("2026-03-02T23:59:59Z", true, "2026-03-03T20:00:00Z"),
            ("2026-03-03T00:00:00Z", false, "2026-03-03T20:00:00Z"),
        ],
    );
}

#[test]
fn a_window_is_of_its_time_zone_in_summer_and_in_winter() {
    expect(
        ("22:00", "05:00", "Europe/Berlin"),
        &[
            ("2026-01-15T20:59:59Z", false, "2026-01-15T21:00:00Z"),
            ("2026-07-15T19:59:59Z", false, "2026-07-15T20:00:00Z"),
            ("2026-07-15T20:00:00Z", true, "2026-07-16T20:00:00Z"),
            // The night in which the clock is set forward is an hour shorter.
            ("2026-03-28T21:00:00Z", true, "2026-03-29T20:00:00Z"),
            ("2026-03-29T02:59:59Z", true, "2026-03-29T20:00:00Z"),
            ("2026-03-29T03:00:00Z", false, "2026-03-29T20:00:00Z"),
            // The one in which it is set back is an hour longer.
            ("2026-10-24T20:00:00Z", true, "2026-10-25T21:00:00Z"),
            ("2026-10-25T03:59:59Z", true, "2026-10-25T21:00:00Z"),
            ("2026-10-25T04:00:00Z", false, "2026-10-25T21:00:00Z"),
        ],
    );
    expect(
        ("01:00", "03:00", "Asia/Kathmandu"),
        &[("2026-03-02T00:00:00Z", false, "2026-03-02T19:15:00Z")],
    );
}

#[test]
fn where_the_clock_is_set_forward_over_its_opening_a_window_opens_then() {
    // At 02:00 the clock is set to 03:00, which is 01:00 in UTC.
    expect(
        ("02:30", "05:00", "Europe/Berlin"),
        &[
            ("2026-03-29T00:59:59Z", false, "2026-03-29T01:00:00Z"),
            ("2026-03-29T01:00:00Z", true, "2026-03-30T00:30:00Z"),
        ],
    );
    // The whole window is left out.
    expect(
        ("02:00", "03:00", "Europe/Berlin"),
        &[("2026-03-28T12:00:00Z", false, "2026-03-30T00:00:00Z")],
    );
}

#[test]
fn where_the_clock_is_set_back_over_it_a_window_opens_twice() {
    // At 03:00 the clock is set to 02:00, which is 01:00 in UTC.
    expect(
        ("02:15", "02:45", "Europe/Berlin"),
        &[
            ("2026-10-25T00:00:00Z", false, "2026-10-25T00:15:00Z"),
            ("2026-10-25T00:15:00Z", true, "2026-10-25T01:15:00Z"),
            ("2026-10-25T00:45:00Z", false, "2026-10-25T01:15:00Z"),
            ("2026-10-25T01:15:00Z", true, "2026-10-26T01:15:00Z"),
        ],
    );
    // It closes before the clock is set, which opens it again.
    expect(
        ("22:00", "02:30", "Europe/Berlin"),
        &[
            ("2026-10-25T00:30:00Z", false, "2026-10-25T01:00:00Z"),
            ("2026-10-25T01:00:00Z", true, "2026-10-25T21:00:00Z"),
            ("2026-10-25T01:30:00Z", false, "2026-10-25T21:00:00Z"),
        ],
    );
}

#[test]
fn a_time_that_no_calendar_has_is_outside_of_every_window() {
    let window = window("22:00", "05:00", "UTC");
    for micros in [i64::MIN, i64::MAX] {
        assert!(!window.is_open(micros));
        assert_eq!(window.opens_after(micros), None);
    }
}

#[test]
fn a_window_is_shown_as_the_plan_file_writes_it_with_its_zone() {
    let berlin = window("22:00", "05:00", "Europe/Berlin");
    assert_eq!(berlin.to_string(), "22:00-05:00 Europe/Berlin");
    assert_eq!(
        window("00:05", "23:59", "UTC").to_string(),
        "00:05-23:59 UTC"
    );
}

#[test]
fn each_wrong_pace_is_refused_at_its_line() {
    refuses(&[
        (7, "pace = 'polit'", 7, "did you mean 'polite'?"),
        (7, "pace = 'slow'", 7, "one of: polite, fast, windowed"),
        (7, "pace = 1", 7, "'pace' must be a string, not an integer"),
        (
            7,
            "paces = 'windowed'\nwindow = '22:00-05:00'",
            7,
            "did you mean 'pace'?",
        ),
        (
            7,
            "pace = 'windowed'",
            6,
            "[run] lacks 'window' (write window = \"22:00-05:00\")",
        ),
        (
            7,
            "pace = 'windowed'\nwindows = '22:00-05:00'",
            8,
            "did you mean 'window'?",
        ),
        (
            7,
            "window = '22:00-05:00'",
            7,
            "'window' does not go with pace 'polite'",
        ),
        (
            7,
            "pace = 'fast'\nwindow = '22:00-05:00'",
            8,
            "'window' does not go with pace 'fast' (write pace = \"windowed\"",
        ),
        (
            7,
            "time_zone = 'Europe/Berlin'",
            7,
            "'time_zone' does not go with pace 'polite'",
        ),
    ]);
}

#[test]
fn each_wrong_limit_of_the_pace_is_refused_at_its_line() {
    refuses(&[
        (
            7,
            "rows_per_second_max = 0",
            7,
            "must be from 1 to 1000000000",
        ),
        (
            7,
            "rows_per_second_max = '5'",
            7,
            "must be an integer, not a string",
        ),
        (
            7,
            "wal_mb_per_second_max = 0",
            7,
            "must be from 1 to 1000000",
        ),
        (
            7,
            "replica_lag_max = 10",
            7,
            "must be a string, not an integer",
        ),
        (
            7,
            "replica_lag_max = '10'",
            7,
            "is no time: '10' (written as 10s",
        ),
        (7, "replica_lag_max = '-10s'", 7, "is no time: '-10s'"),
        (7, "replica_lag_max = '0s'", 7, "must be from 1s to 24h"),
        (7, "replica_lag_max = '25h'", 7, "must be from 1s to 24h"),
    ]);
}

#[test]
fn each_wrong_window_is_refused_at_its_line() {
    for window in [
        "22:00",
        "22-05",
        "22:00-5:00",
        "22:00 - 05:00",
        "22:00-24:00",
        "22:60-05:00",
        "+2:00-05:00",
        "22:00-05:00-06:00",
        "10pm-5am",
    ] {
        let lines = format!("pace = 'windowed'\nwindow = '{window}'");
        let says = format!("'window' cannot be '{window}' (two times of the day");
        refuses(&[(7, &lines, 8, &says)]);
    }
    let windowed = "pace = 'windowed'\nwindow = ";
    for (rest, line, says) in [
        ("'05:00-05:00'", 8, "closes when it opens"),
        ("5", 8, "'window' must be a string"),
        (
            "'22:00-05:00'\ntime_zone = 'Europe/Berln'",
            9,
            "unknown time zone 'Europe/Berln' (did you mean 'Europe/Berlin'?)",
        ),
        (
            "'22:00-05:00'\ntime_zone = 'here'",
            9,
            "an IANA name such as \"Europe/Berlin\"",
        ),
        (
            "'22:00-05:00'\ntime_zone = ''",
            9,
            "'time_zone' must not be empty",
        ),
    ] {
        refuses(&[(7, &format!("{windowed}{rest}"), line, says)]);
    }
}
