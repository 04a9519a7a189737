//! The arguments of `status`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::value::duration;

#[derive(Debug, Args)]
pub struct Status {
    /// Show this list instead of the overview
    #[arg(value_enum, value_name = "PART")]
    pub part: Option<StatusPart>,
    /// Print what is wrong, one line each, and nothing else; exit with 10 if anything is
    #[arg(long, conflicts_with_all = ["part", "watch"])]
    pub check: bool,
    /// Show it again and again, until stopped
    #[arg(long)]
    pub watch: bool,
    /// With --watch: the time between two looks
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = interval, requires = "watch")]
    pub interval: Duration,
    /// Count the values under each key, whatever the size of the tables
    #[arg(long, conflicts_with = "watch")]
    pub census: bool,
}

/// A list of `status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusPart {
    /// Registered fields: their tables, states and health
    Fields,
    /// Runs, their lanes, the processes at work, and what is asked of them
    Runs,
    /// Data keys, with the values under each
    Keys,
    /// Rotations, and procedures of several phases
    Rotations,
    /// What could not be processed, counted by reason
    Quarantine,
}

/// A time between two looks.
fn interval(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        time if time.is_zero() => Err("an interval is at least 1s".to_owned()),
        time => Ok(time),
    }
}
