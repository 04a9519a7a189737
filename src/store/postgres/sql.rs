//! The one place where SQL text made at run time is declared safe.
//! What is spliced into it: names, literals and bodies that went through `quote`, casts read from the
//! catalog and quoted by it, and numbers of ours. Values are always bound.
//! Every transaction begins with [`SAFE_NAMES`], so that a name without a schema means the server's
//! own object, and never one that somebody made in `public` or in a temporary schema.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, RawSql};

use crate::quote;

/// One statement with bound values, never prepared by name.
pub(crate) fn query<'q>(sql: String) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(sql)).persistent(false)
}

/// Statements without values, in one round trip.
pub(crate) fn raw(sql: String) -> RawSql {
    sqlx::raw_sql(AssertSqlSafe(sql))
}

/// How names and strings are read in every transaction of ours. `pg_temp` stands last by name: where
/// it is not named, the server looks for tables and types there first (PostgreSQL documentation,
/// "search_path").
pub(crate) const SAFE_NAMES: &str = "SET LOCAL search_path = pg_catalog, pg_temp; \
     SET LOCAL standard_conforming_strings = on;";

/// The application's own search path, temporary objects last, for code of the table's owner that a write of ours runs. Until
/// [`SAFE_NAMES`] is set again, every name in a statement of ours must have its schema.
pub(crate) const OWNERS_NAMES: &str = "SET LOCAL search_path TO DEFAULT; \
     SELECT pg_catalog.set_config('search_path', (SELECT pg_catalog.concat_ws(', ', pg_catalog.string_agg(\
       pg_catalog.quote_ident(name), ', ' ORDER BY place), 'pg_temp') \
     FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS path (name, place)), true);";

/// Settings of every transaction in which the server makes the text of values, and in which a
/// policy is to raise an error instead of hiding rows (docs/FORMAT.md, "Plaintext bytes").
pub(crate) const TEXT_SETTINGS: &str = "SET LOCAL DateStyle = 'ISO, YMD'; \
     SET LOCAL IntervalStyle = 'postgres'; SET LOCAL TimeZone = 'UTC'; \
     SET LOCAL extra_float_digits = 1; SET LOCAL bytea_output = 'hex'; \
     SET LOCAL row_security = off;";

/// A block of PL/pgSQL, to be run at once.
pub(super) fn block(body: &str) -> String {
    format!("DO {}; ", quote::body(&format!(" {body} ")))
}

/// RFC 3339, UTC, microseconds: how times of our own tables are read.
pub(super) fn time_text(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}
