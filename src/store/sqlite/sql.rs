//! Statements, and how their values are bound.
//! Owns the one place that passes SQL text made at run time to the driver. Every identifier in it
//! went through [`crate::ident::Ident::quoted`], and every value is bound.

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::sqlite::{
    SqliteArguments, SqliteArgumentsBuffer, SqliteConnection, SqliteRow, SqliteTypeInfo,
};
use sqlx::{AssertSqlSafe, Encode, FromRow, Sqlite, Type};

use crate::store::StoreError;
pub(crate) use crate::store::ledger::session::Bind;

type Result<T, E = StoreError> = std::result::Result<T, E>;

/// A statement whose text a module of this store has made.
pub(crate) type Statement = Query<'static, Sqlite, SqliteArguments>;

impl Type<Sqlite> for Bind {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
}

impl Encode<'_, Sqlite> for Bind {
    fn encode(self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        match self {
            Self::Text(value) => Encode::<Sqlite>::encode(value, buffer),
            Self::Integer(value) => Encode::<Sqlite>::encode(value, buffer),
            Self::Bytes(value) => Encode::<Sqlite>::encode(value, buffer),
            Self::Real(value) => Encode::<Sqlite>::encode(value, buffer),
            Self::Bool(value) => Encode::<Sqlite>::encode(value, buffer),
        }
    }

    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        self.clone().encode(buffer)
    }
}

/// A text as an SQL literal, for the body of a trigger, where nothing can be bound.
pub(super) fn literal(text: &str) -> String {
    crate::quote::sqlite_literal(text)
}

/// A statement that is prepared and stays prepared for the next use of its text.
pub(super) fn query(sql: impl Into<String>) -> Statement {
    sqlx::query(AssertSqlSafe(sql.into()))
}

/// A statement with its values.
pub(crate) fn bound(sql: impl Into<String>, binds: impl IntoIterator<Item = Bind>) -> Statement {
    binds.into_iter().fold(query(sql), Query::bind)
}

/// Like [`bound`], for a statement whose rows are one value each.
pub(super) fn scalar<T>(
    sql: impl Into<String>,
    binds: impl IntoIterator<Item = Bind>,
) -> QueryScalar<'static, Sqlite, T, SqliteArguments>
where
    (T,): for<'r> FromRow<'r, SqliteRow>,
{
    let statement = sqlx::query_scalar(AssertSqlSafe(sql.into()));
    binds.into_iter().fold(statement, QueryScalar::bind)
}

/// Like [`bound`], for a statement whose rows are tuples.
pub(super) fn tuple<T>(
    sql: impl Into<String>,
    binds: impl IntoIterator<Item = Bind>,
) -> QueryAs<'static, Sqlite, T, SqliteArguments>
where
    T: for<'r> FromRow<'r, SqliteRow>,
{
    let statement = sqlx::query_as(AssertSqlSafe(sql.into()));
    binds.into_iter().fold(statement, QueryAs::bind)
}

/// Runs a statement that is not worth keeping prepared (DDL, transaction control).
pub(crate) async fn run(conn: &mut SqliteConnection, sql: impl Into<String>) -> Result<()> {
    query(sql).persistent(false).execute(conn).await?;
    Ok(())
}
