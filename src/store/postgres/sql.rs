//! Where the PostgreSQL store declares SQL text made at run time safe (`opening.rs` does so for
//! BEGIN only).
//! Owns the functions for that, and the settings that transactions share. Such text contains
//! names, literals and bodies that went through `quote`, casts that the catalog returned quoted,
//! and our own numbers. Values are always bound. Every transaction begins with [`SAFE_NAMES`], so
//! that a name without a schema means the server's own object, never one that somebody created in
//! `public` or in a temporary schema.

use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{AssertSqlSafe, FromRow, Postgres, RawSql};

use crate::quote;
use crate::store::Result;

/// One statement with bound values, never prepared by name.
pub(crate) fn query<'q>(sql: impl Into<String>) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(sql.into())).persistent(false)
}

/// Like [`query`], for a statement whose rows are one value each.
pub(super) fn scalar<'q, T>(sql: impl Into<String>) -> QueryScalar<'q, Postgres, T, PgArguments>
where
    (T,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(AssertSqlSafe(sql.into())).persistent(false)
}

/// Like [`query`], for a statement whose rows are tuples.
pub(super) fn tuple<'q, T>(sql: impl Into<String>) -> QueryAs<'q, Postgres, T, PgArguments>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(AssertSqlSafe(sql.into())).persistent(false)
}

/// Statements without bound values, sent in one round trip.
pub(crate) fn raw(sql: impl Into<String>) -> RawSql {
    sqlx::raw_sql(AssertSqlSafe(sql.into()))
}

/// Runs statements without bound values in one round trip.
pub(crate) async fn run(conn: &mut PgConnection, sql: impl Into<String>) -> Result<()> {
    raw(sql).execute(conn).await?;
    Ok(())
}

/// The statement that makes these settings for the transaction, without its end. As one SELECT they
/// have one entry in pg_stat_statements, which keeps one for the text of each SET.
macro_rules! select_local {
    ($first:literal = $its:literal $(, $name:literal = $value:literal)* $(,)?) => {
        concat!(
            "SELECT pg_catalog.set_config('", $first, "', '", $its, "', true)",
            $(", pg_catalog.set_config('", $name, "', '", $value, "', true)",)*
        )
    };
}
pub(super) use select_local;

/// [`select_local`] as a whole statement.
macro_rules! set_local {
    ($($settings:tt)*) => {
        concat!($crate::store::postgres::sql::select_local!($($settings)*), ";")
    };
}
pub(super) use set_local;

/// How each of our transactions resolves names and reads strings, without its end. `pg_temp` is
/// listed, as the last schema, because otherwise the server searches it first for tables and types
/// (PostgreSQL documentation, "search_path").
macro_rules! safe_names {
    () => {
        $crate::store::postgres::sql::select_local!(
            "search_path" = "pg_catalog, pg_temp",
            "standard_conforming_strings" = "on",
        )
    };
}
pub(super) use safe_names;

/// [`safe_names`] as a whole statement.
pub(crate) const SAFE_NAMES: &str = concat!(safe_names!(), ";");

/// The application's own search path, with temporary objects last, for code of the table's owner
/// that our write runs. Until [`SAFE_NAMES`] is set again, every name in our statements must have
/// its schema.
pub(crate) const OWNERS_NAMES: &str = "SET LOCAL search_path TO DEFAULT; \
     SELECT pg_catalog.set_config('search_path', (SELECT pg_catalog.concat_ws(', ', pg_catalog.string_agg(\
       pg_catalog.quote_ident(name), ', ' ORDER BY place), 'pg_temp') \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place)), true);";

/// The settings of every transaction in which the server makes the text of values. With
/// `row_security` off, a row security policy raises an error instead of hiding rows
/// (docs/FORMAT.md, "Plaintext bytes").
pub(crate) const TEXT_SETTINGS: &str = set_local!(
    "DateStyle" = "ISO, YMD",
    "IntervalStyle" = "postgres",
    "TimeZone" = "UTC",
    "extra_float_digits" = "1",
    "bytea_output" = "hex",
    "row_security" = "off",
);

/// The condition that a row of `pg_stat_activity` is a session of phiseal. Their names are `phiseal`,
/// or that and a purpose: `phiseal read`, `phiseal backfill 12/3` (run and lane).
pub(super) const OURS: &str = "application_name ~ '^phiseal( |$)'";

/// A PL/pgSQL block that is run at once.
pub(super) fn block(body: &str) -> String {
    format!("DO {}; ", quote::body(&format!(" {body} ")))
}

/// A time column as RFC 3339 text, in UTC with microseconds; times of our own tables are read this
/// way.
pub(super) fn time_text(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}
