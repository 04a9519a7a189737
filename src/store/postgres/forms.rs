//! Matches a sample of a table's values against forms. Owns the size of the sample, its time limit, and how a picture
//! becomes a regular expression. The server evaluates the forms in a read-only transaction and answers with counts.

use sqlx::Row;

use super::sql::{TEXT_SETTINGS, query, run, scalar, set_local};
use super::{PostgresStore, timed};
use crate::ident::{Ident, TableName};
use crate::quote;
use crate::store::Result;
use crate::store::forms::{self, FormCounts, FormDialect, SAMPLE_CHARACTERS_MAX, SAMPLE_ROWS_MAX};
use crate::store::text::joined;

/// About how many blocks of a table are read.
const BLOCKS: i64 = 200;
/// How many columns one statement looks at.
const COLUMNS_AT_ONCE: usize = 16;
/// A sample is not worth a long wait: a table that is locked or slow is judged without one.
const SAMPLE_SETTINGS: &str = set_local!("statement_timeout" = "3s", "lock_timeout" = "1s");

/// The blocks of a table with its partitions.
const SIZE: &str = "
    SELECT (greatest(pg_relation_size(to_regclass($1)),
                     (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree(to_regclass($1))))
            / current_setting('block_size')::int8)::int8";

/// Matches the values of these columns, in their order.
pub(super) async fn count(
    store: &PostgresStore,
    table: &TableName,
    columns: &[Ident],
) -> Result<Vec<FormCounts>> {
    let mut tx = store.begin().await?;
    run(
        &mut tx,
        format!("SET TRANSACTION READ ONLY; {TEXT_SETTINGS} {SAMPLE_SETTINGS}"),
    )
    .await?;
    let size = scalar(SIZE).bind(table.quoted());
    let blocks: Option<i64> = size.fetch_one(&mut *tx).await?;
    let sample = sample(blocks.unwrap_or_default());
    let mut all = Vec::with_capacity(columns.len());
    for part in columns.chunks(COLUMNS_AT_ONCE) {
        let row = timed(query(statement(table, part, &sample)).fetch_one(&mut *tx)).await?;
        for at in 0..part.len() {
            let counts: Vec<i64> = row.try_get(at)?;
            let counts: Vec<u64> = counts.iter().map(|count| count.unsigned_abs()).collect();
            all.push(match counts.as_slice() {
                [values, distinct, matching @ ..] => FormCounts::new(*values, *distinct, matching),
                _ => FormCounts::default(),
            });
        }
    }
    tx.rollback().await?;
    Ok(all)
}

/// The clause that reads about [`BLOCKS`] blocks of a table.
fn sample(blocks: i64) -> String {
    match blocks > BLOCKS {
        true => format!(
            " TABLESAMPLE SYSTEM ({:.6})",
            BLOCKS as f64 / blocks as f64 * 100.0
        ),
        false => String::new(),
    }
}

fn statement(table: &TableName, columns: &[Ident], sample: &str) -> String {
    let counts = |at: usize| forms::columns(&Regex, &format!("s.c{at}")).join(", ");
    let counted: Vec<String> = (0..columns.len())
        .map(|at| format!("ARRAY[{}]::int8[]", counts(at)))
        .collect();
    let columns: Vec<(usize, &Ident)> = columns.iter().enumerate().collect();
    let texts = joined(&columns, ", ", |(at, column)| {
        format!(
            "nullif(btrim(left(t.{}::text, {SAMPLE_CHARACTERS_MAX})), '') COLLATE \"C\" AS c{at}",
            column.quoted()
        )
    });
    format!(
        "SELECT {} FROM (SELECT {texts} FROM {} AS t{sample} LIMIT {SAMPLE_ROWS_MAX}) AS s",
        counted.join(", "),
        table.quoted()
    )
}

/// Forms as regular expressions of PostgreSQL.
struct Regex;

impl FormDialect for Regex {
    fn like(&self, text: &str, picture: &str) -> String {
        format!("({text} ~ {})", quote::literal(&regex(picture)))
    }

    fn only(&self, text: &str, set: &str) -> String {
        format!("({text} ~ {})", quote::literal(&format!("^[{set}]+$")))
    }

    fn years_ago(&self, years: u32) -> String {
        format!("to_char(now() AT TIME ZONE 'UTC' - interval '{years} years', 'YYYY-MM-DD')")
    }
}

fn regex(picture: &str) -> String {
    let mut regex = String::from("^");
    for character in picture.chars() {
        match character {
            '9' => regex.push_str("[0-9]"),
            'A' => regex.push_str("[A-Za-z]"),
            '?' => regex.push('.'),
            '*' => regex.push_str(".*"),
            other if other.is_ascii_alphanumeric() || other == ' ' => regex.push(other),
            other => regex.extend(['\\', other]),
        }
    }
    regex.push('$');
    regex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_means_itself_but_for_its_wildcards() {
        assert_eq!(regex("$2?$*"), "^\\$2.\\$.*$");
        assert_eq!(regex("A9.9*"), "^[A-Za-z][0-9]\\.[0-9].*$");
    }

    #[test]
    fn only_a_large_table_is_read_in_part() {
        assert_eq!(sample(BLOCKS), "");
        assert_eq!(sample(1_000_000), " TABLESAMPLE SYSTEM (0.020000)");
    }
}
