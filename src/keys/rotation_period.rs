//! How often keys are rotated.
//! Owns the notation of the period and its limits. Computes no date: the database server does, from
//! its own clock, so that all hosts agree. Periods begin at 00:00 UTC.

use std::fmt;
use std::str::FromStr;

/// The time between two rotations: a calendar period, or a number of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RotationPeriod {
    /// Due on the first day of the next calendar month.
    Month,
    /// Due on the first day of the next calendar quarter.
    Quarter,
    /// Due on the first day of the next calendar year.
    Year,
    /// Due this many days after activation, 1 to [`RotationPeriod::DAYS_MAX`].
    Days(u32),
}

/// A text that is not a [`RotationPeriod`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rotation period is month, quarter, year, or a number of days from 1d to 3650d")]
pub struct BadRotationPeriod;

impl RotationPeriod {
    /// The longest period in days, ten years.
    pub const DAYS_MAX: u32 = 3650;
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
