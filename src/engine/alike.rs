//! Counts rows that the database refuses one after another for the same cause. One refused row is a
//! fault of that row. If every row is refused alike, the cause is not in the rows, and the run
//! stops before it lists the whole table. Owns the count, not the reaction to it. Values that do
//! not open are not counted here.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use crate::error::sqlstate;

/// This many refusals for one cause, with no row written between them, stop a run.
pub const ALIKE_MAX: usize = 1000;

/// Why the database refused a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The cause in words.
    pub reason: String,
    /// The SQLSTATE, or SQLite's error code.
    pub sqlstate: Option<String>,
    /// The name of the constraint, if one refused the row.
    pub constraint: Option<String>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if let Some(sqlstate) = &self.sqlstate {
            write!(f, ", {}", sqlstate::shown(sqlstate))?;
        }
        match &self.constraint {
            Some(constraint) => write!(f, ", constraint {constraint}"),
            None => Ok(()),
        }
    }
}

/// The refusals since a row was last written, in all lanes of this process.
#[derive(Default)]
pub struct Alike(Mutex<State>);

#[derive(Default)]
struct State {
    cause: Option<Cause>,
    tags: Vec<String>,
    any_written: bool,
}

/// Refusals for one cause.
#[derive(Debug, Clone)]
pub struct Refusals {
    /// Their cause.
    pub cause: Cause,
    /// The tags of the refused rows.
    pub tags: Vec<String>,
}

impl Alike {
    /// Notes that rows were written, and starts the count again.
    pub fn written(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state = State {
            any_written: true,
            ..State::default()
        };
    }

    /// Counts a refused row. Returns the refusals since a row was last written once there are
    /// [`ALIKE_MAX`] of them.
    pub fn refused(&self, cause: &Cause, tag: String) -> Option<Refusals> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.cause.as_ref() != Some(cause) {
            state.cause = Some(cause.clone());
            state.tags.clear();
        }
        state.tags.push(tag);
        (state.tags.len() >= ALIKE_MAX).then(|| Refusals {
            cause: cause.clone(),
            tags: state.tags.clone(),
        })
    }

    /// Returns the refusals of a run that wrote no row, if there are several, all for one cause.
    pub fn of_all(&self) -> Option<Refusals> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cause = state.cause.clone().filter(|_| !state.any_written)?;
        (state.tags.len() > 1).then(|| Refusals {
            cause,
            tags: state.tags.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(sqlstate: &str) -> Cause {
        Cause {
            reason: "refused".to_owned(),
            sqlstate: Some(sqlstate.to_owned()),
            constraint: None,
        }
    }

    #[test]
    fn a_thousand_refusals_alike_stop_a_run_and_a_written_row_or_another_cause_begins_the_count_anew()
     {
        let alike = Alike::default();
        for at in 1..ALIKE_MAX {
            assert!(alike.refused(&cause("P0001"), at.to_string()).is_none());
        }
        assert!(alike.refused(&cause("23514"), String::new()).is_none());
        for at in 1..ALIKE_MAX {
            assert!(alike.refused(&cause("P0001"), at.to_string()).is_none());
        }
        alike.written();
        assert!(alike.refused(&cause("P0001"), String::new()).is_none());
        for at in 2..ALIKE_MAX {
            assert!(alike.refused(&cause("P0001"), at.to_string()).is_none());
        }
        let refused = alike.refused(&cause("P0001"), "last".to_owned()).unwrap();
        assert_eq!(
            (refused.cause, refused.tags.len()),
            (cause("P0001"), ALIKE_MAX)
        );
    }

    #[test]
    fn a_run_that_wrote_nothing_is_judged_by_all_of_its_refusals() {
        let alike = Alike::default();
        assert!(alike.of_all().is_none());
        alike.refused(&cause("P0001"), "a".to_owned());
        assert!(alike.of_all().is_none(), "one row is one row");
        alike.refused(&cause("P0001"), "b".to_owned());
        assert_eq!(alike.of_all().unwrap().tags, ["a", "b"]);
        alike.written();
        alike.refused(&cause("P0001"), "c".to_owned());
        alike.refused(&cause("P0001"), "d".to_owned());
        assert!(alike.of_all().is_none());
    }
}
