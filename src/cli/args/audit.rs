//! The arguments of `audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Check the whole chain of entries; needs the wrapping key
    Verify {
        /// A value that `audit head` printed earlier: finds entries that were deleted at the end, too
        #[arg(long, value_name = "HEAD")]
        head: Option<String>,
    },
    /// Print the number and the MAC of the last entry, to be saved elsewhere for `verify --head`
    Head,
    /// List the entries, the newest last; needs no key and checks nothing
    List(AuditList),
    /// Write all entries to a file, so that another program can check them; needs no key
    Export {
        /// The file; must not exist. `-` is standard output
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct AuditList {
    /// Only entries from this time on, in UTC: 2026-07-01 or 2026-07-01T12:00
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only entries up to this time; a date means the end of that day
    #[arg(long, value_name = "TIME", value_parser = until)]
    pub until: Option<Timestamp>,
    /// Only this action, such as key.create, or all of a kind, such as key (may be given several
    /// times)
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// The newest N of these entries
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub limit: u32,
}

const FORM: &str = "a time is written as 2026-07-01, 2026-07-01T12:00 or 2026-07-01T12:00:00+02:00";

fn since(text: &str) -> Result<Timestamp, String> {
    time(text, |day| day.at(0, 0, 0, 0))
}

fn until(text: &str) -> Result<Timestamp, String> {
    time(text, |day| day.at(23, 59, 59, 999_999_999))
}

/// A time; `of_day` says which one a date without a time means.
fn time(text: &str, of_day: fn(Date) -> DateTime) -> Result<Timestamp, String> {
    let bad = |_| FORM.to_owned();
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let time = match text.contains(':') {
        true => text.parse::<DateTime>().map_err(bad)?,
        false => of_day(text.parse::<Date>().map_err(bad)?),
    };
    TimeZone::UTC.to_timestamp(time).map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_means_its_whole_day_and_a_time_without_a_zone_is_utc() {
        for (text, first, last) in [
            (
                "2026-07-01",
                "2026-07-01T00:00:00Z",
                "2026-07-01T23:59:59.999999999Z",
            ),
            (
                "2026-07-01T12:30",
                "2026-07-01T12:30:00Z",
                "2026-07-01T12:30:00Z",
            ),
            (
                "2026-07-01T12:30:00+02:00",
                "2026-07-01T10:30:00Z",
                "2026-07-01T10:30:00Z",
            ),
        ] {
            assert_eq!(since(text), Ok(first.parse().unwrap()), "{text}");
            assert_eq!(until(text), Ok(last.parse().unwrap()), "{text}");
        }
        for bad in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-07-01T25:00",
            "01.07.2026",
        ] {
            assert_eq!(since(bad), Err(FORM.to_owned()), "{bad}");
        }
    }
}
