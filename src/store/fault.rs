//! Translates the drivers' errors into ours.
//! Owns what is not an answer of a database: lost connections, and rows that cannot be decoded. What
//! a database answers is translated in `postgres/fault.rs` and `sqlite/fault.rs`.

use sqlx::error::DatabaseError;

use super::StoreError;
#[cfg(feature = "postgres")]
use super::postgres;
#[cfg(feature = "sqlite")]
use super::sqlite;
use crate::error::connect_fault::ConnectFault;

impl StoreError {
    /// What our own code or tables should not have made.
    pub(crate) const fn unexpected(what: &'static str) -> Self {
        Self::Unexpected { what }
    }

    /// Something that should exist.
    pub(crate) fn missing(what: impl Into<String>) -> Self {
        Self::Missing { what: what.into() }
    }
}

/// The error of a statement. A COMMIT that fails may have taken effect, so each store commits by a
/// function of its own.
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(answer) => of_answer(answer.as_ref()),
            // The connection's worker thread has ended, and its transaction with it.
            sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::BeginFailed
            | sqlx::Error::PoolClosed => Self::ConnectionLost,
            sqlx::Error::PoolTimedOut => Self::unreachable(ConnectFault::NoneFree),
            sqlx::Error::Configuration(_) => Self::BadUrl {
                reason: "not a SQLite URL this program understands".to_owned(),
            },
            sqlx::Error::RowNotFound => Self::unexpected("a row of our own is missing"),
            _ => Self::unexpected("a column of another form than asked for"),
        }
    }
}

fn of_answer(answer: &dyn DatabaseError) -> StoreError {
    #[cfg(feature = "postgres")]
    if answer
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
        .is_some()
    {
        return postgres::fault::of_answer(answer);
    }
    #[cfg(feature = "sqlite")]
    if answer
        .try_downcast_ref::<sqlx::sqlite::SqliteError>()
        .is_some()
    {
        return sqlite::fault::of_answer(answer);
    }
    StoreError::unexpected("an answer of another database")
}
