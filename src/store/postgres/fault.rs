//! Translates the driver's errors into ours, and owns what may pass on from an error: only the
//! SQLSTATE and the constraint's name. MESSAGE and DETAIL may quote values (`invalid input syntax
//! for type date: "…"`).

use std::io::{self, ErrorKind};
use std::sync::Arc;

use sqlx::error::DatabaseError;

use crate::error::connect_fault::{ConnectFault, PasswordSource, Place};
use crate::error::io_fault;
use crate::store::StoreError;

/// The error that the server answers with.
pub(in crate::store) fn of_answer(answer: &dyn DatabaseError) -> StoreError {
    by_state(sqlstate(answer), answer.constraint().map(str::to_owned))
}

/// Translates the error of opening a session. `password` says where the password came from.
pub(super) fn connecting(error: sqlx::Error, password: PasswordSource) -> StoreError {
    StoreError::unreachable(match error {
        sqlx::Error::Database(error) => {
            let sqlstate = sqlstate(error.as_ref());
            match sqlstate.as_str() {
                "3D000" => ConnectFault::NoDatabase,
                "42501" => ConnectFault::MayNotConnect,
                "53300" => ConnectFault::Full,
                "57P03" => ConnectFault::NotNow,
                state if state.starts_with("28") => {
                    return StoreError::LoginRefused {
                        place: Arc::new(Place::Unknown),
                        sqlstate,
                        password,
                    };
                }
                _ => ConnectFault::Answered { sqlstate },
            }
        }
        sqlx::Error::PoolTimedOut => ConnectFault::NoneFree,
        sqlx::Error::Io(error) => of_socket(&error),
        // The driver reads messages of the server that are none.
        sqlx::Error::Protocol(_) => ConnectFault::NotPostgres,
        _ => ConnectFault::Closed,
    })
}

/// Translates the error of taking a connection out of the pool and beginning a transaction on it: of
/// opening the session, if there was none, or of the statement.
pub(super) fn beginning(error: sqlx::Error, password: PasswordSource) -> StoreError {
    let refused = match &error {
        sqlx::Error::Database(error) => {
            let state = sqlstate(error.as_ref());
            state.starts_with("28") || matches!(state.as_str(), "3D000" | "53300")
        }
        sqlx::Error::PoolTimedOut => true,
        _ => false,
    };
    match refused {
        true => connecting(error, password),
        false => error.into(),
    }
}

/// Translates the error of a Unix socket.
pub(super) fn of_socket(error: &io::Error) -> ConnectFault {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ConnectFault::NoSocket,
        ErrorKind::PermissionDenied => ConnectFault::SocketDenied,
        _ => of_network(error),
    }
}

/// Translates the error of a connection to another process or machine.
pub(super) fn of_network(error: &io::Error) -> ConnectFault {
    match error.kind() {
        ErrorKind::ConnectionRefused => ConnectFault::Refused,
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => ConnectFault::NoRoute,
        ErrorKind::InvalidData => ConnectFault::NotPostgres,
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => ConnectFault::Closed,
        _ => ConnectFault::System {
            reason: io_fault::words(error),
        },
    }
}

/// The SQLSTATE of an error, if it is five letters and digits, else "unknown". Before
/// authentication anyone may have sent it, and it is printed on a terminal.
fn sqlstate(error: &dyn DatabaseError) -> String {
    let state = error.code().unwrap_or_default();
    if state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        state.into_owned()
    } else {
        "unknown".to_owned()
    }
}

fn by_state(sqlstate: String, constraint: Option<String>) -> StoreError {
    let class = sqlstate.get(..2).unwrap_or_default();
    match (class, sqlstate.as_str()) {
        (_, "55P03") => StoreError::Locked,
        (_, "25006") => StoreError::ReadOnly,
        (_, "42501") => StoreError::Denied { sqlstate },
        (_, "42P01") => StoreError::missing("a table"),
        (_, "42703") => StoreError::missing("a column"),
        (_, "3F000") => StoreError::missing("the schema of our own tables"),
        (_, "53100") => StoreError::DiskFull,
        // 57014: a statement timeout, or the run gave up its batch because another session waited.
        (_, "57014" | "40001" | "40P01" | "55006") | ("53" | "58", _) => {
            StoreError::Busy { sqlstate }
        }
        // The server ended the session: idle in transaction, shutdown, restart.
        ("08", _) | (_, "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03") => {
            StoreError::ConnectionLost
        }
        // Raised by a guard, in a trigger chain that our write started. PS003, PS004 and PS006
        // concern one row only.
        (_, "PS002") => StoreError::KeyNotActive,
        ("22" | "23", _) | (_, "PS003" | "PS004" | "PS006") => StoreError::RowRefused {
            sqlstate,
            constraint,
        },
        _ => StoreError::Refused { sqlstate },
    }
}

/// The classes of errors that are not the fault of a row: the connection, transaction and session
/// states, rights, resources, locks, operators, the configuration, and what our own functions raise
/// (PostgreSQL documentation, "PostgreSQL Error Codes").
const NOT_OF_A_ROW: [&str; 20] = [
    "00", "01", "02", "03", "08", "0B", "0L", "0P", "25", "28", "2D", "34", "3B", "40", "53", "55",
    "57", "58", "F0", "PS",
];

/// Translates the error of a statement that reads or writes rows: unless its class says otherwise,
/// a row is at fault. A trigger may raise any SQLSTATE, and the server reports a damaged value as
/// an internal error.
pub(super) fn of_rows(error: StoreError) -> StoreError {
    match error {
        StoreError::Refused { sqlstate } if is_of_a_row(&sqlstate) => StoreError::RowRefused {
            sqlstate,
            constraint: None,
        },
        other => other,
    }
}

fn is_of_a_row(sqlstate: &str) -> bool {
    let class = sqlstate.get(..2).unwrap_or_default();
    !class.is_empty() && sqlstate != "unknown" && !NOT_OF_A_ROW.contains(&class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Next;

    #[test]
    fn what_a_trigger_raises_or_a_value_causes_is_of_its_row_and_nothing_else_is() {
        let next = |sqlstate: &str| of_rows(by_state(sqlstate.to_owned(), None)).next();
        for of_a_row in [
            "P0001", "P0004", "54000", "22P05", "22021", "23514", "44000", "XX001", "XX000",
            "42883", "0A000", "27000", "ABC12",
        ] {
            assert_eq!(next(of_a_row), Next::Bisect, "{of_a_row}");
        }
        for other in [
            "42501", "25006", "28000", "55000", "57014", "PS001", "PS103", "53200", "08006",
            "unknown",
        ] {
            assert_ne!(next(other), Next::Bisect, "{other}");
        }
    }

    #[test]
    fn a_refusal_of_a_guard_is_of_its_row_and_one_of_our_own_tables_ends_the_run() {
        for (sqlstate, next) in [
            ("PS001", Next::Stop),
            ("PS002", Next::Stop),
            ("PS003", Next::Bisect),
            ("PS004", Next::Bisect),
            ("PS005", Next::Stop),
            ("PS006", Next::Bisect),
        ] {
            assert_eq!(
                by_state(sqlstate.to_owned(), None).next(),
                next,
                "{sqlstate}"
            );
        }
    }
}
