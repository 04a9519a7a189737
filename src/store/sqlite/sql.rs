//! Statements and the values bound to them.
//! Owns the one place that passes SQL text made at run time to the driver. Every identifier in it
//! went through [`crate::ident::Ident::quoted`], and every value is bound.

use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Sqlite};

use super::fault;
use crate::store::Result;

/// A statement whose text a module of this store has made.
pub(crate) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// A value to bind under its own storage class.
#[derive(Clone)]
pub(crate) enum Bind {
    /// NULL.
    Null,
    /// INTEGER.
    Integer(i64),
    /// REAL.
    Real(f64),
    /// TEXT.
    Text(String),
    /// BLOB.
    Blob(Vec<u8>),
}

impl Bind {
    /// A BLOB, or NULL for `None`.
    pub(crate) fn blob(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::Null, |bytes| Self::Blob(bytes.to_vec()))
    }

    /// Adds the value to a statement.
    pub(crate) fn onto(self, statement: Statement) -> Statement {
        match self {
            Self::Null => statement.bind(None::<i64>),
            Self::Integer(value) => statement.bind(value),
            Self::Real(value) => statement.bind(value),
            Self::Text(value) => statement.bind(value),
            Self::Blob(value) => statement.bind(value),
        }
    }
}

/// A text as an SQL literal, for the body of a trigger, where nothing can be bound.
pub(super) fn literal(text: &str) -> String {
    crate::quote::sqlite_literal(text)
}

/// A statement that is prepared and stays prepared for the next use of its text.
pub(super) fn statement(sql: impl Into<String>) -> Statement {
    sqlx::query(AssertSqlSafe(sql.into()))
}

/// A statement with its values.
pub(crate) fn bound(sql: impl Into<String>, binds: impl IntoIterator<Item = Bind>) -> Statement {
    binds
        .into_iter()
        .fold(statement(sql), |statement, bind| bind.onto(statement))
}

/// Runs a statement that is not worth keeping prepared (DDL, transaction control).
pub(crate) async fn run(conn: &mut SqliteConnection, sql: impl Into<String>) -> Result<()> {
    statement(sql)
        .persistent(false)
        .execute(conn)
        .await
        .map(|_| ())
        .map_err(fault::of)
}
