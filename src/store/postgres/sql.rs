//! The one place where SQL text made at run time is declared safe.
//! What is spliced into it: identifiers that went through `Ident::quoted`, casts read from the
//! catalog and quoted by it, and numbers of ours. Values are always bound.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, RawSql};

/// One statement with bound values, never prepared by name.
pub(super) fn query(sql: String) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false)
}

/// Statements without values, in one round trip.
pub(super) fn raw(sql: String) -> RawSql {
    sqlx::raw_sql(AssertSqlSafe(sql))
}

/// Settings of every transaction in which the server makes the text of values, and in which a
/// policy is to raise an error instead of hiding rows (docs/FORMAT.md, "Plaintext bytes").
pub(super) const TEXT_SETTINGS: &str = "SET LOCAL DateStyle = 'ISO, YMD'; \
     SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; \
     SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; \
     SET LOCAL row_security = off;";

/// A text as an SQL literal, for the few places that take no bound value (DDL, SET).
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// RFC 3339, UTC, microseconds: how times of our own tables are read.
pub(super) fn time_text(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}
