//! The one place where SQL text made at run time is declared safe.
//! What is spliced into it: identifiers that went through `Ident::quoted`, casts read from the
//! catalog and quoted by it, and numbers of ours. Values are always bound.

use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, RawSql};

/// One statement with bound values, never prepared by name.
pub(super) fn query<'q>(sql: String) -> Query<'q, Postgres, PgArguments> {
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

/// A block of PL/pgSQL, to be run at once; quoted so that no name in it can end the quote.
pub(super) fn block(body: &str) -> String {
    let mut tag = "phiseal".to_owned();
    while body.contains(&format!("${tag}$")) {
        tag.push('_');
    }
    format!("DO ${tag}$ {body} ${tag}$; ")
}

/// RFC 3339, UTC, microseconds: how times of our own tables are read.
pub(super) fn time_text(column: &str) -> String {
    format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_in_a_block_ends_its_quote() {
        assert_eq!(block("BEGIN END"), "DO $phiseal$ BEGIN END $phiseal$; ");
        let odd = block("BEGIN PERFORM '$phiseal$'; END");
        assert!(odd.starts_with("DO $phiseal_$ ") && odd.ends_with(" $phiseal_$; "));
    }
}
