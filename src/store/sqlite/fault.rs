//! Maps SQLite's result codes to [`StoreError`]. A message of SQLite never leaves this file, since
//! it may quote values and the text of a statement; only names of tables and columns in a
//! constraint's message do.

use sqlx::error::DatabaseError;

use crate::error::connect_fault::ConnectFault;
use crate::store::StoreError;

/// The error that SQLite answers with.
pub(in crate::store) fn of_answer(answer: &dyn DatabaseError) -> StoreError {
    let code = answer.code().and_then(|code| code.parse::<i32>().ok());
    of_code(code.unwrap_or(1), answer.message())
}

/// The error of a failed COMMIT. A write error may come after the commit record was written.
pub(super) fn of_commit(error: sqlx::Error) -> StoreError {
    match error.into() {
        StoreError::ConnectionLost => StoreError::OutcomeUnknown,
        StoreError::Refused { sqlstate } if sqlstate.starts_with("SQLITE_IOERR") => {
            StoreError::OutcomeUnknown
        }
        known => known,
    }
}

/// The error of a failed statement that writes rows: a function or trigger that fails in it
/// concerns the row.
pub(super) fn of_rows(error: sqlx::Error) -> StoreError {
    match error.into() {
        StoreError::Refused { sqlstate } if sqlstate.starts_with("SQLITE_ERROR") => {
            StoreError::RowRefused {
                sqlstate,
                constraint: None,
            }
        }
        other => other,
    }
}

/// Maps a result code. `code` is the extended code; its low byte is the primary one.
fn of_code(code: i32, message: &str) -> StoreError {
    let sqlstate = name(code);
    match code & 0xff {
        3 | 23 => StoreError::Denied { sqlstate },
        5 | 6 | 7 | 15 | 17 => StoreError::Busy { sqlstate },
        8 => StoreError::ReadOnly,
        13 => StoreError::DiskFull,
        14 => StoreError::unreachable(ConnectFault::FileDenied),
        // Errors raised by a guard begin with its codes.
        19 if message.starts_with("phiseal PS002: ") => StoreError::KeyNotActive,
        19 if message.starts_with("phiseal PS005: ") => StoreError::Refused {
            sqlstate: "PS005".to_owned(),
        },
        18 | 20 => StoreError::RowRefused {
            sqlstate,
            constraint: None,
        },
        19 => StoreError::RowRefused {
            sqlstate,
            constraint: constraint(code, message),
        },
        1 if message.starts_with("no such table: phiseal_") => {
            StoreError::missing("a table of our own")
        }
        1 if message.starts_with("no such table") => StoreError::missing("a table"),
        1 if message.starts_with("no such column") => StoreError::missing("a column"),
        _ => StoreError::Refused { sqlstate },
    }
}

/// The name of a constraint: for UNIQUE, PRIMARY KEY or NOT NULL its columns. SQLite names a CHECK
/// by its expression, and a trigger's message is free text, so for these only the kind is given.
fn constraint(code: i32, message: &str) -> Option<String> {
    match code >> 8 {
        1 => Some("check".to_owned()),
        3 => Some("foreign key".to_owned()),
        7 => Some("trigger".to_owned()),
        5 | 6 | 8 => message
            .split_once("constraint failed: ")
            .map(|(_, columns)| columns.to_owned()),
        _ => None,
    }
}

fn name(code: i32) -> String {
    let primary = match code & 0xff {
        1 => "ERROR",
        2 => "INTERNAL",
        3 => "PERM",
        4 => "ABORT",
        5 => "BUSY",
        6 => "LOCKED",
        7 => "NOMEM",
        8 => "READONLY",
        9 => "INTERRUPT",
        10 => "IOERR",
        11 => "CORRUPT",
        13 => "FULL",
        14 => "CANTOPEN",
        15 => "PROTOCOL",
        17 => "SCHEMA",
        18 => "TOOBIG",
        19 => "CONSTRAINT",
        20 => "MISMATCH",
        21 => "MISUSE",
        23 => "AUTH",
        26 => "NOTADB",
        _ => return format!("SQLITE_{code}"),
    };
    match code >> 8 {
        0 => format!("SQLITE_{primary}"),
        detail => format!("SQLITE_{primary}_{detail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Next;

    #[test]
    fn each_result_code_leads_to_the_right_next_step() {
        for (code, next) in [
            (5, Next::Again),
            (517, Next::Again),
            (6, Next::Again),
            (13, Next::Again),
            (8, Next::Stop),
            (10, Next::Stop),
            (11, Next::Stop),
            (26, Next::Stop),
            (14, Next::Reconnect),
            (1299, Next::Bisect),
            (9996, Next::Stop),
        ] {
            assert_eq!(of_code(code, "").next(), next, "{code}");
        }
    }

    #[test]
    fn a_guard_is_known_by_the_beginning_of_its_message() {
        for (message, next) in [
            (
                "phiseal PS002: the value is not sealed under an active key",
                Next::Stop,
            ),
            (
                "phiseal PS005: the guard of this table names another",
                Next::Stop,
            ),
            (
                "phiseal PS006: a sealed value is changed by a trusted writer only",
                Next::Bisect,
            ),
            ("refused", Next::Bisect),
        ] {
            assert_eq!(of_code(1811, message).next(), next, "{message}");
        }
    }

    #[test]
    fn a_constraint_is_named_by_its_columns_and_never_by_its_message() {
        let unique = of_code(2067, "UNIQUE constraint failed: patients.mrn");
        assert!(unique.to_string().contains("patients.mrn"));
        for (code, message) in [
            (275, "CHECK constraint failed: ssn <> '123-45-6789'"),
            (1811, "refused 123-45-6789"),
            (1, "near \"123-45-6789\": syntax error"),
        ] {
            assert!(!of_code(code, message).to_string().contains("6789"));
        }
    }
}
