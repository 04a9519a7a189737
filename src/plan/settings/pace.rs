//! The keys of `[run]` that say how fast runs go, and when.
//! Owns their ranges, which of them go together, and how a time span is written.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::super::faults::Faults;
use super::super::pace::{PaceSettings, Window};
use super::super::reader::{At, Section, shown, suggestion};
use crate::pace::Pace;

const PACES: &[&str] = &["polite", "fast", "windowed"];
const ROWS_PER_SECOND: (u64, u64) = (1, 1_000_000_000);
const WAL_MIB_PER_SECOND: (u64, u64) = (1, 1_000_000);
const REPLICA_LAG: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(86_400));

/// Parses a time span as the command line and the plan file write it: `90s`, `10m` or `1h30m`.
pub fn duration(text: &str) -> Option<Duration> {
    let parsed: SignedDuration = text.parse().ok()?;
    Duration::try_from(parsed).ok()
}

/// The pace of runs, as `[run]` has it.
pub(super) fn pace(section: &Section<'_>, faults: &mut Faults) -> PaceSettings {
    let defaults = PaceSettings::default();
    let word = word(section, faults);
    let window = window(section, word, faults);
    let rows = section.integer("rows_per_second_max", ROWS_PER_SECOND, faults);
    let wal = section.integer("wal_mb_per_second_max", WAL_MIB_PER_SECOND, faults);
    PaceSettings {
        pace: word.unwrap_or(defaults.pace),
        rows_per_second_max: rows,
        wal_bytes_per_second_max: wal.map(|mib| mib << 20),
        replica_lag_max: lag(section, faults).unwrap_or(defaults.replica_lag_max),
        window,
    }
}

/// The word of `pace`; the default where the key is absent, `None` where it is at fault.
fn word(section: &Section<'_>, faults: &mut Faults) -> Option<Pace> {
    if !section.means("pace") {
        return Some(PaceSettings::default().pace);
    }
    let text = section.text("pace", faults)?;
    let pace = text.value.parse().ok();
    if pace.is_none() {
        let message = format!("unknown pace {}", shown(text.value));
        faults.wrong(text.at, message, suggestion(text.value, PACES));
    }
    pace
}

/// The window of `pace = "windowed"`. Any other pace has none.
fn window(section: &Section<'_>, pace: Option<Pace>, faults: &mut Faults) -> Option<Window> {
    match pace {
        Some(Pace::Windowed) => section.require("window", "window = \"22:00-05:00\"", faults),
        Some(other) => {
            for key in ["window", "time_zone"] {
                if section.has(key) {
                    let message = format!("'{key}' does not go with pace '{other}'");
                    let hint = "write pace = \"windowed\", or leave it out";
                    faults.wrong(section.place(key), message, hint);
                }
            }
            return None;
        }
        None => {}
    }
    let span = section
        .text("window", faults)
        .map(|text| span(text, faults));
    let zone = match section.text("time_zone", faults) {
        Some(text) => zone(text, faults),
        None => Some(TimeZone::UTC),
    };
    let (from, until) = span??;
    Some(Window {
        from,
        until,
        zone: zone?,
    })
}

/// When a window opens and closes: `22:00-05:00`.
fn span(text: At<&str>, faults: &mut Faults) -> Option<(Time, Time)> {
    let times = text.value.split_once('-');
    let times = times.and_then(|(from, until)| Some((time_of_day(from)?, time_of_day(until)?)));
    match times {
        None => {
            let message = format!("'window' cannot be {}", shown(text.value));
            let hint = "two times of the day, 00:00 to 23:59, such as \"22:00-05:00\"";
            faults.wrong(text.at, message, hint);
            None
        }
        Some((from, until)) if from == until => {
            let message = "'window' closes when it opens".to_owned();
            let hint = "write another end; for all day, pace = \"polite\"";
            faults.wrong(text.at, message, hint);
            None
        }
        times => times,
    }
}

/// A time of the day, with two digits for hour and minute.
fn time_of_day(text: &str) -> Option<Time> {
    let two = |digits: &str| {
        let are_two = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        are_two.then(|| digits.parse::<i8>().ok()).flatten()
    };
    let (hour, minute) = text.split_once(':')?;
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}

/// A time zone by its IANA name.
fn zone(text: At<&str>, faults: &mut Faults) -> Option<TimeZone> {
    let zone = TimeZone::get(text.value).ok();
    if zone.is_none() {
        let message = format!("unknown time zone {}", shown(text.value));
        let hint = match nearest_zone(text.value) {
            Some(name) => format!("did you mean '{name}'?"),
            None => "an IANA name such as \"Europe/Berlin\"".to_owned(),
        };
        faults.wrong(text.at, message, hint);
    }
    zone
}

/// The time zone whose name is most like this one, if any is.
fn nearest_zone(name: &str) -> Option<String> {
    const NAME_MAX: usize = 40;
    if name.len() > NAME_MAX {
        return None;
    }
    let name = name.to_lowercase();
    let names = jiff::tz::db().available().map(|zone| zone.to_string());
    let distances = names.map(|zone| (strsim::osa_distance(&name, &zone.to_lowercase()), zone));
    let near = distances.filter(|(distance, zone)| *distance <= (zone.len() / 3).max(1));
    near.min().map(|(_, zone)| zone)
}

/// How far a standby may be behind.
fn lag(section: &Section<'_>, faults: &mut Faults) -> Option<Duration> {
    let text = section.text("replica_lag_max", faults)?;
    let lag = duration(text.value);
    let (least, most) = REPLICA_LAG;
    let within = lag.filter(|lag| (least..=most).contains(lag));
    if within.is_none() {
        let (message, hint) = match lag {
            Some(_) => ("'replica_lag_max' must be from 1s to 24h".to_owned(), ""),
            None => (
                format!("'replica_lag_max' is no time: {}", shown(text.value)),
                "written as 10s, 2m or 1h30m",
            ),
        };
        faults.wrong(text.at, message, hint);
    }
    within
}
