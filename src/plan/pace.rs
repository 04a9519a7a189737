//! The pace of runs: `[run] pace`, its limits, and the window of the day.
//! Owns when a window is open. Does not know what time it is.

use std::fmt;
use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::pace::Pace;

/// How fast runs go, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaceSettings {
    /// How much of the server a run takes.
    pub pace: Pace,
    /// The most rows in a second, of one process.
    pub rows_per_second_max: Option<u64>,
    /// The most bytes that the server's write-ahead log may grow by in a second.
    pub wal_bytes_per_second_max: Option<u64>,
    /// How far a standby may be behind before runs wait for it.
    pub replica_lag_max: Duration,
    /// The window of [`Pace::Windowed`].
    pub window: Option<Window>,
}

impl Default for PaceSettings {
    fn default() -> Self {
        Self {
            pace: Pace::Polite,
            rows_per_second_max: None,
            wal_bytes_per_second_max: None,
            replica_lag_max: Duration::from_secs(10),
            window: None,
        }
    }
}

/// A part of every day in a time zone; it may go over midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// When it opens.
    pub from: Time,
    /// When it closes.
    pub until: Time,
    /// The time zone of both.
    pub zone: TimeZone,
}

impl Window {
    /// Whether the window is open at a time, given in microseconds since 1970.
    #[must_use]
    pub fn is_open(&self, micros: i64) -> bool {
        let Ok(now) = Timestamp::from_microsecond(micros) else {
            return false;
        };
        let time = now.to_zoned_datetime(self.zone.clone()).time();
        if self.from <= self.until {
            (self.from..self.until).contains(&time)
        } else {
            time >= self.from || time < self.until
        }
    }

    /// When the window opens next after a time, in microseconds since 1970. Where the clock is set forward
    /// over that time of the day, it is when the clock is set.
    #[must_use]
    pub fn opens_after(&self, micros: i64) -> Option<i64> {
        const DAYS: i64 = 3;
        let now = Timestamp::from_microsecond(micros).ok()?;
        let today = now.to_zoned_datetime(self.zone.clone()).date();
        let days = (0..=DAYS).filter_map(|days| today.checked_add(days.days()).ok());
        let by_clock = days.flat_map(|day| {
            let opens = self.zone.to_ambiguous_timestamp(day.to_datetime(self.from));
            // Two where the clock is set back over it.
            [opens.earlier().ok(), opens.later().ok()]
        });
        let clock_is_set = self.zone.following(now).take(2);
        by_clock
            .flatten()
            .chain(clock_is_set.map(|transition| transition.timestamp()))
            .map(Timestamp::as_microsecond)
            .filter(|opens| *opens > micros && self.is_open(*opens) && !self.is_open(*opens - 1))
            .min()
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let zone = self.zone.iana_name().unwrap_or("UTC");
        let (from, until) = (self.from.strftime("%H:%M"), self.until.strftime("%H:%M"));
        write!(f, "{from}-{until} {zone}")
    }
}
