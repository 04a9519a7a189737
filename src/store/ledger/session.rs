//! One transaction on our own tables: statements with their values, and rows as types.
//! Owns the seam between `store/ledger` and a driver. A store implements [`Session`] for its
//! connection, and [`OwnTables`] to begin transactions; the ledger's functions take a session, so that
//! a caller may do several things in one transaction.

use std::str::FromStr;

use async_trait::async_trait;
use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::dialect::Dialect;
use crate::crypto::KeyId;
use crate::error::round_trip::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// A value to bind to a statement, under its own type. `None` is NULL.
#[derive(Clone)]
pub(crate) enum Bind {
    /// Text.
    Text(Option<String>),
    /// An integer.
    Integer(Option<i64>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
    /// A number of seconds.
    Real(f64),
    /// True or false.
    Bool(bool),
}

macro_rules! bind_from {
    ($($type:ty => |$value:ident| $make:expr),+ $(,)?) => {
        $(impl From<$type> for Bind {
            fn from($value: $type) -> Self {
                $make
            }
        })+
    };
}

impl Bind {
    /// NULL, where the type does not matter (SQLite).
    #[cfg(feature = "sqlite")]
    pub(crate) const NULL: Self = Self::Integer(None);
}

bind_from! {
    String => |text| Self::Text(Some(text)),
    &str => |text| Self::Text(Some(text.to_owned())),
    &String => |text| Self::Text(Some(text.clone())),
    &Option<String> => |text| Self::Text(text.clone()),
    Option<&str> => |text| Self::Text(text.map(str::to_owned)),
    i64 => |number| Self::Integer(Some(number)),
    i32 => |number| Self::Integer(Some(number.into())),
    u32 => |number| Self::Integer(Some(number.into())),
    Option<i64> => |number| Self::Integer(number),
    Option<i32> => |number| Self::Integer(number.map(i64::from)),
    KeyId => |id| Self::Integer(Some(id.get().into())),
    Option<KeyId> => |id| Self::Integer(id.map(|id| id.get().into())),
    Vec<u8> => |bytes| Self::Bytes(Some(bytes)),
    Option<&[u8]> => |bytes| Self::Bytes(bytes.map(<[u8]>::to_vec)),
    &Vec<u8> => |bytes| Self::Bytes(Some(bytes.clone())),
    &Option<Vec<u8>> => |bytes| Self::Bytes(bytes.clone()),
    f64 => |number| Self::Real(number),
    bool => |truth| Self::Bool(truth),
}

/// One statement with its values, the first of which is `$1`.
pub(crate) struct Statement {
    /// The text. It contains names, numbers and words of this program only; all else is bound.
    pub(crate) sql: String,
    /// The values.
    pub(crate) values: Vec<Bind>,
}

/// Makes a statement without values.
pub(crate) fn statement(sql: impl Into<String>) -> Statement {
    Statement {
        sql: sql.into(),
        values: Vec::new(),
    }
}

impl Statement {
    /// Adds the next value.
    pub(crate) fn bind(mut self, value: impl Into<Bind>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Appends a row of values to the text, as `($1, $2, …)`, after a comma unless it is the first.
    pub(crate) fn row(mut self, values: impl IntoIterator<Item = Bind>) -> Self {
        let is_first = self.sql.ends_with("VALUES");
        let mut separator = if is_first { " (" } else { ", (" };
        for value in values {
            self.values.push(value);
            self.sql.push_str(separator);
            self.sql.push('$');
            self.sql.push_str(&self.values.len().to_string());
            separator = ", ";
        }
        self.sql.push(')');
        self
    }

    /// Appends text.
    pub(crate) fn then(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }
}

/// How many rows of `columns` values one statement takes: PostgreSQL allows 65,535 values and SQLite
/// 32,766.
pub(crate) const fn rows_at_once(columns: usize) -> usize {
    30_000 / columns
}

/// Ids as a list for `IN (…)`. The text takes only numbers.
pub(crate) fn id_list(ids: impl IntoIterator<Item = impl Into<i64>>) -> String {
    let ids: Vec<String> = ids.into_iter().map(|id| id.into().to_string()).collect();
    match ids.is_empty() {
        true => "NULL".to_owned(),
        false => ids.join(", "),
    }
}

/// A transaction on our own tables.
///
/// Contract: a statement that fails returns an error without its text or a value. After an error the
/// caller gives the transaction up.
#[async_trait]
pub(crate) trait Session: Send {
    /// The SQL of this database.
    type Dialect: Dialect;

    /// The SQL of this database.
    fn dialect(&self) -> &Self::Dialect;

    /// Runs a statement; returns how many rows it changed.
    async fn execute(&mut self, statement: Statement) -> Result<u64>;

    /// Runs a statement and returns its rows.
    async fn fetch<T: OwnRow>(&mut self, statement: Statement) -> Result<Vec<T>>;

    /// Limits how long the following statements wait for a lock, where the database has such a limit.
    async fn limit_lock_wait(&mut self, seconds: u32) -> Result<()>;

    /// The number of the newest row of `key_transitions`, for [`Dialect::is_ours`]. Call it before the
    /// first change; 0 where the database tells a transaction's own rows by itself.
    async fn newest_change(&mut self) -> Result<i64>;

    /// Runs a statement and returns its first row, if there is one.
    async fn fetch_optional<T: OwnRow>(&mut self, statement: Statement) -> Result<Option<T>> {
        Ok(self.fetch(statement).await?.into_iter().next())
    }

    /// Runs a statement and returns its first row. `what` says which row is missing.
    async fn fetch_one<T: OwnRow>(&mut self, statement: Statement, what: &str) -> Result<T> {
        let row = self.fetch_optional(statement).await?;
        row.ok_or_else(|| StoreError::missing(what))
    }
}

/// A session that owns its transaction. Dropped without [`OwnTransaction::commit`], the transaction is
/// rolled back.
#[async_trait]
pub(crate) trait OwnTransaction: Session {
    /// Commits. [`StoreError::OutcomeUnknown`] if no answer arrived.
    async fn commit(self) -> Result<()>;
}

/// A store whose own tables `store/ledger` reads and writes.
#[async_trait]
pub(crate) trait OwnTables: Send + Sync {
    /// Its transactions.
    type Transaction: OwnTransaction;

    /// Begins a transaction that only reads.
    async fn begin_read(&self) -> Result<Self::Transaction>;

    /// Begins a transaction that may write.
    async fn begin_write(&self) -> Result<Self::Transaction>;
}

/// Does something in a transaction of its own, and commits it:
/// `in_transaction!(store.begin_read(), |session| read(session))`.
macro_rules! in_transaction {
    ($begin:expr, |$session:ident| $work:expr) => {{
        let mut transaction = $begin.await?;
        let $session = &mut transaction;
        let answer = $work.await?;
        transaction.commit().await?;
        Ok(answer)
    }};
}
pub(crate) use in_transaction;

#[cfg(feature = "postgres")]
pub(crate) trait FromPostgres: for<'r> FromRow<'r, sqlx::postgres::PgRow> {}
#[cfg(feature = "postgres")]
impl<T: for<'r> FromRow<'r, sqlx::postgres::PgRow>> FromPostgres for T {}
#[cfg(not(feature = "postgres"))]
pub(crate) trait FromPostgres {}
#[cfg(not(feature = "postgres"))]
impl<T> FromPostgres for T {}

#[cfg(feature = "sqlite")]
pub(crate) trait FromSqlite: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow> {}
#[cfg(feature = "sqlite")]
impl<T: for<'r> FromRow<'r, sqlx::sqlite::SqliteRow>> FromSqlite for T {}
#[cfg(not(feature = "sqlite"))]
pub(crate) trait FromSqlite {}
#[cfg(not(feature = "sqlite"))]
impl<T> FromSqlite for T {}

/// A row of our own tables that every store can decode. [`own_row!`] implements it.
pub(crate) trait OwnRow: FromPostgres + FromSqlite + Send + Unpin {
    /// What a row is called if this version cannot read it.
    const WHAT: &'static str;
}

/// Decodes rows from each driver: `own_row!(Type, "what it is called", |row| Type { … })`.
macro_rules! own_row {
    ($type:ty, $what:literal, |$row:ident| $decode:expr) => {
        #[cfg(feature = "postgres")]
        impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for $type {
            fn from_row($row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
                Ok($decode)
            }
        }

        #[cfg(feature = "sqlite")]
        impl sqlx::FromRow<'_, sqlx::sqlite::SqliteRow> for $type {
            fn from_row($row: &sqlx::sqlite::SqliteRow) -> sqlx::Result<Self> {
                Ok($decode)
            }
        }

        impl $crate::store::ledger::session::OwnRow for $type {
            const WHAT: &'static str = $what;
        }
    };
}
pub(crate) use own_row;

/// One number.
pub(crate) struct Number(pub(crate) i64);
own_row!(Number, "a number", |row| Self(row.try_get(0)?));

/// One text.
pub(crate) struct Text(pub(crate) String);
own_row!(Text, "a text", |row| Self(row.try_get(0)?));

/// A column that holds one of a fixed set of words.
pub(crate) fn word<'r, R: Row, T: FromStr>(row: &'r R, column: &'static str) -> sqlx::Result<T>
where
    String: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| unknown(column))
}

/// Like [`word`], for a column that may be NULL.
pub(crate) fn optional_word<'r, R: Row, T: FromStr>(
    row: &'r R,
    column: &'static str,
) -> sqlx::Result<Option<T>>
where
    Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    let text: Option<String> = row.try_get(column)?;
    text.map(|text| text.parse().map_err(|_| unknown(column)))
        .transpose()
}

/// A column that holds a key id, or NULL.
pub(crate) fn optional_key<'r, R: Row>(
    row: &'r R,
    column: &'static str,
) -> sqlx::Result<Option<KeyId>>
where
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    let id: Option<i64> = row.try_get(column)?;
    id.map(|id| KeyId::new(id).ok_or_else(|| unknown(column)))
        .transpose()
}

/// A column that holds a key id.
pub(crate) fn key<'r, R: Row>(row: &'r R, column: &'static str) -> sqlx::Result<KeyId>
where
    Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
    &'static str: ColumnIndex<R>,
{
    optional_key(row, column)?.ok_or_else(|| unknown(column))
}

/// The error of a column whose content this version does not know.
pub(crate) fn unknown(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: "unknown content".into(),
    }
}
