//! The arguments of `speed`, and the pace that a run is started with.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Command;
use super::value::duration;
use crate::pace::Pace;

/// The longest time that a request holds.
const PERIOD_MAX: Duration = Duration::from_secs(366 * 86_400);

#[derive(Debug, Args)]
pub struct Speed {
    /// The pace; `plan` withdraws the request
    #[arg(value_enum, value_name = "PACE")]
    pub pace: Option<SpeedArg>,
    /// At most this many rows a second, in each process
    #[arg(long, value_name = "N", value_parser = super::value::whole_number(1_i64, 1_000_000_000))]
    pub rows_per_second: Option<i64>,
    /// How long the request holds [default: 24h]
    #[arg(long = "for", value_name = "TIME", value_parser = period)]
    pub period: Option<Duration>,
}

/// What is asked of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SpeedArg {
    /// Leave room for applications
    Polite,
    /// Use all of the server
    Fast,
    /// What the plan file says
    Plan,
}

/// How fast this command's runs go, over the plan.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PaceArg {
    /// Leave room for applications
    Polite,
    /// Use all of the server
    Fast,
}

impl Command {
    /// The pace that is given for the runs of this command.
    pub fn pace(&self) -> Option<Pace> {
        let going = match self {
            Self::Backfill(args) => &args.going,
            Self::Verify(args) => &args.going,
            Self::Rotate(args) => &args.going,
            Self::Finalize(args) => &args.going,
            Self::Restore(args) => &args.going,
            _ => return None,
        };
        going.pace.map(|pace| match pace {
            PaceArg::Polite => Pace::Polite,
            PaceArg::Fast => Pace::Fast,
        })
    }
}

/// A time for which a request may hold.
fn period(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    match period.is_zero() || period > PERIOD_MAX {
        true => Err("write a time from 1s to 366 days, such as 8h".to_owned()),
        false => Ok(period),
    }
}
