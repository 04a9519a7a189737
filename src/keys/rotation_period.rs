//! How often keys are rotated, and when a key is due.
//! Owns the notation of the period, its limits, and the day on which a key is due. Asks no clock: the time is the
//! database server's, so that all hosts agree. Periods are those of the calendar and begin at 00:00 UTC.

use std::fmt;
use std::str::FromStr;

/// The time between two rotations: a calendar period, or a number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationPeriod {
    /// Due on the first day of the next calendar month.
    Month,
    /// Due on the first day of the next calendar quarter: 1 January, 1 April, 1 July, 1 October.
    Quarter,
    /// Due on the first day of the next calendar year.
    Year,
    /// Due this many days after the day of activation, 1 to [`RotationPeriod::DAYS_MAX`].
    Days(u32),
}

/// A text that is not a [`RotationPeriod`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rotation period is month, quarter, year, or a number of days from 1d to 3650d")]
pub struct BadRotationPeriod;

impl RotationPeriod {
    /// The longest period in days, ten years.
    pub const DAYS_MAX: u32 = 3650;

    /// When a key is due that becomes active at `now`: `2026-04-01T00:00:00.000Z`.
    ///
    /// A key that becomes active shortly before the turn of a calendar period, when the key before it would have been
    /// called due, counts for the next period: one made on 30 September is due on 1 January.
    ///
    /// `now` is RFC 3339 in UTC; `None` if it has another form.
    #[must_use]
    pub fn due_after(self, now: &str) -> Option<String> {
        let today = day_number(now)?;
        let due = match self {
            Self::Month => self.turn_after(today, 1),
            Self::Quarter => self.turn_after(today, 3),
            Self::Year => self.turn_after(today, 12),
            Self::Days(days) => today + i64::from(days),
        };
        let (year, month, day) = date(due);
        Some(format!("{year:04}-{month:02}-{day:02}T00:00:00.000Z"))
    }

    /// The first day of a period of so many months that begins after `today`, or after the next one if that begins soon.
    fn turn_after(self, today: i64, months: i64) -> i64 {
        let (year, month, _) = date(today + self.lead_days());
        let passed = year * 12 + month - 1;
        let next = (passed / months + 1) * months;
        days_before(next / 12, next % 12 + 1)
    }

    /// How many days before its turn a calendar period takes no key any more: as long as a key of a whole period is
    /// called due beforehand.
    const fn lead_days(self) -> i64 {
        match self {
            Self::Month => 5,
            Self::Quarter | Self::Year => 14,
            Self::Days(_) => 0,
        }
    }
}

/// The days from 1970-01-01 to the day of an RFC 3339 text.
fn day_number(text: &str) -> Option<i64> {
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok().map(i64::from);
    let (year, month, day) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    let number = days_before(year, month) + day - 1;
    (date(number) == (year, month, day) && text.get(10..11) == Some("T")).then_some(number)
}

/// The days from 1970-01-01 to the first day of a month, in the Gregorian calendar.
fn days_before(year: i64, month: i64) -> i64 {
    // Years that begin in March end with the leap day.
    let year = if month <= 2 { year - 1 } else { year };
    let months = (month + 9) % 12;
    let leaps = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leaps + (months * 153 + 2) / 5 - 719_468
}

/// The year, month and day that is so many days after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    // Never too early, and too late only by what the leap days make; the loop takes that back.
    let mut year = 1970 + days.div_euclid(365);
    while days_before(year, 1) > days {
        year -= 1;
    }
    let mut month = 12;
    while days_before(year, month) > days {
        month -= 1;
    }
    (year, month, days - days_before(year, month) + 1)
}

impl fmt::Display for RotationPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month => f.write_str("month"),
            Self::Quarter => f.write_str("quarter"),
            Self::Year => f.write_str("year"),
            Self::Days(days) => write!(f, "{days}d"),
        }
    }
}

impl FromStr for RotationPeriod {
    type Err = BadRotationPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "month" => Ok(Self::Month),
            "quarter" => Ok(Self::Quarter),
            "year" => Ok(Self::Year),
            other => {
                let digits = other.strip_suffix('d').ok_or(BadRotationPeriod)?;
                // `u32::from_str` would accept a leading plus sign.
                if !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(BadRotationPeriod);
                }
                match digits.parse() {
                    Ok(days @ 1..=Self::DAYS_MAX) => Ok(Self::Days(days)),
                    Ok(_) | Err(_) => Err(BadRotationPeriod),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_reads_back() {
        for period in [
            RotationPeriod::Month,
            RotationPeriod::Quarter,
            RotationPeriod::Year,
            RotationPeriod::Days(1),
            RotationPeriod::Days(90),
            RotationPeriod::Days(3650),
        ] {
            assert_eq!(period.to_string().parse(), Ok(period));
        }
    }

    #[test]
    fn a_key_is_due_at_the_next_turn_that_is_not_too_near() {
        use RotationPeriod::{Days, Month, Quarter, Year};
        for (period, now, due) in [
            (Month, "2024-12-27T00:00:00Z", "2025-02-01"),
            (Month, "2024-12-26T23:59:59.999999Z", "2025-01-01"),
            (Month, "2024-12-31T23:59:59Z", "2025-02-01"),
            (Month, "2024-01-31T12:00:00Z", "2024-03-01"),
            // 2024 is a leap year, 2023 is none, and neither is 2100.
            (Month, "2024-02-24T12:00:00Z", "2024-03-01"),
            (Month, "2024-02-25T12:00:00Z", "2024-04-01"),
            (Month, "2023-02-23T12:00:00Z", "2023-03-01"),
            (Month, "2023-02-24T12:00:00Z", "2023-04-01"),
            (Month, "2100-02-24T12:00:00Z", "2100-04-01"),
            (Quarter, "2024-01-01T00:00:00Z", "2024-04-01"),
            (Quarter, "2024-03-17T23:59:59Z", "2024-04-01"),
            (Quarter, "2024-03-18T00:00:00Z", "2024-07-01"),
            (Quarter, "2024-03-31T23:59:59Z", "2024-07-01"),
            (Quarter, "2024-09-16T23:59:59Z", "2024-10-01"),
            (Quarter, "2024-09-30T00:00:00Z", "2025-01-01"),
            (Quarter, "2024-11-30T12:00:00Z", "2025-01-01"),
            (Quarter, "2024-12-18T00:00:00Z", "2025-04-01"),
            (Year, "2024-02-29T12:00:00Z", "2025-01-01"),
            (Year, "2024-12-17T12:00:00Z", "2025-01-01"),
            (Year, "2024-12-18T12:00:00Z", "2026-01-01"),
            (Days(1), "2024-02-28T23:59:59Z", "2024-02-29"),
            (Days(1), "2023-12-31T00:00:00Z", "2024-01-01"),
            (Days(90), "2024-01-01T12:00:00Z", "2024-03-31"),
            (Days(3650), "2024-01-01T12:00:00Z", "2033-12-29"),
        ] {
            let expected = format!("{due}T00:00:00.000Z");
            assert_eq!(period.due_after(now), Some(expected), "{period} {now}");
        }
    }

    #[test]
    fn a_time_of_another_form_gives_no_day() {
        for text in [
            "",
            "soon",
            "2024-02-30T00:00:00Z",
            "2024-13-01T00:00:00Z",
            "2024-01-01 00:00:00",
        ] {
            assert_eq!(RotationPeriod::Quarter.due_after(text), None, "{text}");
        }
    }

    #[test]
    fn periods_without_a_bound_or_unit_are_refused() {
        for text in [
            "",
            "d",
            "0d",
            "3651d",
            "90",
            "+9d",
            "-1d",
            "99999999999d",
            "Quarter",
            "90 d",
        ] {
            assert_eq!(
                text.parse::<RotationPeriod>(),
                Err(BadRotationPeriod),
                "{text}"
            );
        }
    }
}
