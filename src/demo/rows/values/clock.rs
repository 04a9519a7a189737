//! Days and times. Each row has a moment of its own, in school hours; every date and time of the
//! row stands so many minutes before or after it, by name, so that none ends before it begins.

use jiff::Timestamp;
use rand::RngExt;

use super::at::Topic;
use super::make::Make;
use super::{At, fits};

/// In seconds; what is longer is in minutes.
const MINUTE: i64 = 60;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const YEAR: i64 = 366 * DAY;

/// 2024-01-08, in days since 1970.
const FIRST_DAY: i64 = 19_730;
/// Moments fall within so many days.
const DAYS: i64 = 860;

/// What a name means, in minutes from the moment of the row. The first that fits counts.
const STAGES: [(&str, i64); 79] = [
    ("*edition*", -2 * YEAR),
    ("*manufactured*", -YEAR),
    ("*hire*", -YEAR),
    ("*enroll*", -YEAR),
    ("*admitted*", -30 * DAY),
    ("*diagnosed*", -30 * DAY),
    ("*issued*", -20 * DAY),
    ("*onset*", -3 * DAY),
    ("discovered*", -DAY),
    ("*period_start*", -90 * DAY),
    ("*period_end*", 0),
    ("*retain_until*", 8 * YEAR),
    ("*purge*", 8 * YEAR),
    ("*destroy*", 8 * YEAR),
    ("*deleted*", 200 * DAY),
    ("next_*", 60 * DAY),
    ("*_next_*", 60 * DAY),
    ("*expir*", YEAR),
    ("*valid_until*", YEAR),
    ("*valid_to*", YEAR),
    ("*_until", 180 * DAY),
    ("*_to", 180 * DAY),
    ("*_through", 180 * DAY),
    ("*end_date*", 180 * DAY),
    ("*ends_*", 180 * DAY),
    ("*ended_*", 90 * DAY),
    ("*discharged*", 90 * DAY),
    ("*withdrawn*", 90 * DAY),
    ("*revoked*", 90 * DAY),
    ("*discontinued*", 90 * DAY),
    ("*target*", 90 * DAY),
    ("*review*_on", 90 * DAY),
    ("*review*_date", 90 * DAY),
    ("*review*", 2 * DAY),
    ("*follow_up*", 14 * DAY),
    ("*due*", 30 * DAY),
    ("*deadline*", 30 * DAY),
    ("*notify_by*", 50 * DAY),
    ("*notified*", 5 * DAY),
    ("*remind*", 2 * DAY),
    ("*escalate*", 4 * HOUR),
    ("*resolved*", 6 * HOUR),
    ("*closed*", 7 * HOUR),
    ("*paid*", 21 * DAY),
    ("*adjudicat*", 20 * DAY),
    ("*responded*", 19 * DAY),
    ("*response*", 19 * DAY),
    ("*delivery*", 7 * DAY),
    ("expected*", 7 * DAY),
    ("*received*", 6 * DAY),
    ("*picked_up*", 5 * DAY),
    ("*dispensed*", 4 * DAY),
    ("*filled*", 4 * DAY),
    ("*approved*", 3 * DAY),
    ("*verified*", 3 * DAY),
    ("*published*", 3 * DAY),
    ("*signed*", 2 * HOUR),
    ("*completed*", 3 * HOUR),
    ("*finished*", 3 * HOUR),
    ("*checked_out*", 75),
    ("*left_*", 75),
    ("*check_out*", 75),
    ("*updated*", 25),
    ("*synced*", 24),
    ("*submitted*", 23),
    ("*read*", 40),
    ("*acknowledg*", 45),
    ("*delivered*", 35),
    ("*failed*", 34),
    ("*sent*", 32),
    ("*attempt*", 31),
    ("*triggered*", 21),
    ("*raised*", 22),
    ("*created*", 20),
    ("*reported*", 20),
    ("*collected*", 5),
    ("*login*", 2 * DAY),
    ("*_changed*", DAY),
    ("*cancelled*", 12 * HOUR),
];

/// How a column of a type without a time of day is made.
pub fn date(column: &str) -> Make {
    if fits("*birth*", column) {
        return Make::BirthDate;
    }
    Make::Date {
        minutes: stage(column),
        apart: false,
    }
}

pub fn moment(column: &str) -> Make {
    Make::Moment {
        minutes: stage(column),
        apart: false,
    }
}

fn stage(column: &str) -> i64 {
    let found = STAGES.iter().find(|(pattern, _)| fits(pattern, column));
    found.map_or(0, |(_, minutes)| *minutes)
}

/// The moment of the row, in minutes since 1970, UTC.
fn moment_of(at: &At) -> i64 {
    let mut dice = at.by(Topic::Time);
    let day = FIRST_DAY + dice.random_range(0..DAYS);
    // Monday to Friday: day 0 was a Thursday.
    let weekday = (day + 3) % 7;
    let day = if weekday > 4 { day - 2 } else { day };
    day * DAY + 13 * HOUR + dice.random_range(0..8 * HOUR)
}

/// The day of the row, for texts.
pub fn day(at: &At) -> String {
    day_text(moment_of(at).div_euclid(DAY))
}

pub fn date_text(at: &At, minutes: i64, apart: bool) -> String {
    let day = if apart {
        FIRST_DAY - 20_000 + at.row.cast_signed()
    } else {
        (moment_of(at) + minutes).div_euclid(DAY)
    };
    day_text(day)
}

pub fn moment_text(at: &At, minutes: i64, apart: bool) -> String {
    let second = if apart {
        FIRST_DAY * DAY * MINUTE + at.row.cast_signed()
    } else {
        (moment_of(at) + minutes) * MINUTE
    };
    text(second, "%Y-%m-%d %H:%M:%S+00")
}

pub fn birth_date(at: &At) -> String {
    let days = i64::from(at.age()) * 365 + at.by(Topic::Person).random_range(0..365);
    day_text(FIRST_DAY - days)
}

/// A day since 1970 as text.
fn day_text(day: i64) -> String {
    text(day * DAY * MINUTE, "%Y-%m-%d")
}

/// A second since 1970 as text, in UTC.
fn text(second: i64, format: &str) -> String {
    let time = Timestamp::from_second(second).unwrap_or_default();
    time.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::{Draw, fingerprint};
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        assert_eq!(day_text(0), "1970-01-01");
        assert_eq!(day_text(FIRST_DAY), "2024-01-08");
        assert_eq!(day_text(19_782), "2024-02-29");
        assert_eq!(day_text(-1), "1969-12-31");
    }

    #[test]
    fn nothing_ends_before_it_begins() {
        let pairs = [
            ("starts_on", "ends_on"),
            ("checked_in_at", "checked_out_at"),
            ("created_at", "updated_at"),
            ("sent_at", "delivered_at"),
            ("delivered_at", "read_at"),
            ("started_at", "finished_at"),
            ("discovered_at", "notified_at"),
            ("admitted_on", "discharged_on"),
            ("granted_at", "withdrawn_at"),
            ("effective_on", "expires_on"),
        ];
        for (first, then) in pairs {
            assert!(stage(first) < stage(then), "{first} {then}");
        }
    }

    #[test]
    fn children_were_born_before_anything_happened_to_them() {
        let draw = Draw::new(3, "students");
        for row in 0..500 {
            let at = At::new(&draw, row, fingerprint("x"));
            assert!(birth_date(&at) < date_text(&at, -YEAR, false));
        }
    }
}
