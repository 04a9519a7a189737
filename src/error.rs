//! What every public error tells its reader: a code, a hint and an exit status.
//! Owns the exit numbers scripts rely on. Does not own any single error: those
//! live in their modules, which implement [`Coded`].
//! Always holds: a code never changes its meaning, and no message holds a value.
//!
//! Codes: E01xx usage and plan file, E02xx preflight, E03xx sealing, opening and
//! verification, E04xx keys, E05xx database, E06xx runs, lanes and leases,
//! E07xx migrations, E09xx faults of the program.

mod coded;
pub mod connect_fault;
pub(crate) mod io_fault;
pub mod round_trip;
pub(crate) mod sqlstate;
pub mod tls_fault;

use std::fmt;
use std::process::ExitCode;

pub(crate) use coded::coded;

use crate::foreign::Foreign;

/// An error a user may meet: it has an entry in docs/ERRORS.md.
pub trait Coded: std::error::Error {
    /// The code, `E0101` and so on; stable for ever.
    fn code(&self) -> &'static str;

    /// What is shown of it: its text, as one line. What has several lines makes sure of each.
    fn message(&self) -> String {
        Foreign(&self.to_string()).to_string()
    }

    /// What to do next, in one sentence without a full stop.
    fn hint(&self) -> String;

    /// The status the program ends with because of this error.
    fn exit(&self) -> Exit;
}

/// How the program ends; the numbers are an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done, nothing to do, or not due.
    Done,
    /// A fault of the program itself.
    Bug,
    /// Wrong usage or a wrong plan file.
    Usage,
    /// Preflight refused.
    Refused,
    /// The database is unreachable, or lost for good.
    Unreachable,
    /// Interrupted by a signal; running again resumes.
    Interrupted,
    /// Verification failed, or rows are left in quarantine.
    Unverified,
    /// Key trouble.
    Keys,
    /// Another run holds what this one needs.
    Held,
    /// The application writes faster than the sweep seals.
    NotConverging,
    /// `status --check`: due, overdue, or something needs a person.
    Attention,
}

impl Exit {
    /// The number the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unreachable => 4,
            Self::Interrupted => 5,
            Self::Unverified => 6,
            Self::Keys => 7,
            Self::Held => 8,
            Self::NotConverging => 9,
            Self::Attention => 10,
        }
    }

    /// How serious it is, where several things ended each in its own way: a fault of the program comes before
    /// trouble with keys and database, that before rows that are left, and that before what only has to wait.
    pub const fn weight(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Attention => 1,
            Self::Interrupted => 2,
            Self::Held => 3,
            Self::NotConverging => 4,
            Self::Unverified => 5,
            Self::Refused => 6,
            Self::Usage => 7,
            Self::Unreachable => 8,
            Self::Keys => 9,
            Self::Bug => 10,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// A public error on its way out: all that is shown, and nothing else.
///
/// Made from any [`Coded`] error by `?`. Its message is that error's [`Coded::message`];
/// the chain of causes is left behind, since the message of a database error
/// quotes values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// `E0101` and so on.
    pub code: &'static str,
    /// What happened, and where; may be of several lines.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// How the program ends.
    pub exit: Exit,
}

impl<E: Coded> From<E> for Fault {
    fn from(error: E) -> Self {
        Self {
            code: error.code(),
            message: error.message(),
            hint: Foreign(&error.hint()).to_string(),
            exit: error.exit(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "error[{}]: {}\nhint: {}",
            self.code, self.message, self.hint
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open patients.ssn in row 9f2c41d07a33b8e1")]
    struct Unopened(#[source] std::io::Error);

    impl Coded for Unopened {
        fn code(&self) -> &'static str {
            "E0302"
        }
        fn hint(&self) -> String {
            "list every such row with `phiseal verify`".to_owned()
        }
        fn exit(&self) -> Exit {
            Exit::Unverified
        }
    }

    #[test]
    fn exit_numbers_are_those_scripts_rely_on() {
        let all = [
            Exit::Done,
            Exit::Bug,
            Exit::Usage,
            Exit::Refused,
            Exit::Unreachable,
            Exit::Interrupted,
            Exit::Unverified,
            Exit::Keys,
            Exit::Held,
            Exit::NotConverging,
            Exit::Attention,
        ];
        let numbers: Vec<u8> = all.into_iter().map(Exit::number).collect();
        assert_eq!(numbers, (0..=10).collect::<Vec<u8>>());
    }

    #[test]
    fn a_fault_shows_code_message_and_hint_but_not_the_cause() {
        let fault = Fault::from(Unopened(std::io::Error::other("123-45-6789")));
        assert_eq!(
            fault.to_string(),
            "error[E0302]: cannot open patients.ssn in row 9f2c41d07a33b8e1\n\
             hint: list every such row with `phiseal verify`"
        );
        assert_eq!(fault.exit.number(), 6);
    }
}
