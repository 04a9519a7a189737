//! Matches a sample of a table's values against forms: rows of its beginning and of its end. Owns the choice of the
//! rows and how a picture becomes a pattern of GLOB.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::select::rowid;
use super::sql::{bound, literal};
use crate::ident::{Ident, TableName};
use crate::store::Result;
use crate::store::forms::{self, FormCounts, FormDialect, SAMPLE_CHARACTERS_MAX, SAMPLE_ROWS_MAX};
use crate::store::text::joined;

/// How many columns one statement looks at: a result has at most 2000 (sqlite.org/limits.html).
const COLUMNS_AT_ONCE: usize = 8;

/// Matches the values of these columns, in their order.
pub(super) async fn count(
    conn: &mut SqliteConnection,
    table: &TableName,
    columns: &[Ident],
) -> Result<Vec<FormCounts>> {
    let rowid = rowid(conn, table.name.as_str()).await?.name;
    let rows = rows(&table.name.quoted(), rowid);
    let mut all = Vec::with_capacity(columns.len());
    for part in columns.chunks(COLUMNS_AT_ONCE) {
        let row = bound(statement(part, &rows), [])
            .fetch_one(&mut *conn)
            .await?;
        let mut counts = Vec::with_capacity(row.len());
        for at in 0..row.len() {
            counts.push(row.try_get::<i64, _>(at)?.unsigned_abs());
        }
        let a_column = counts.len() / part.len();
        all.extend(counts.chunks(a_column).map(|counts| match counts {
            [values, distinct, matching @ ..] => FormCounts::new(*values, *distinct, matching),
            _ => FormCounts::default(),
        }));
    }
    Ok(all)
}

/// The FROM clause of the rows that are looked at.
fn rows(table: &str, rowid: Option<&str>) -> String {
    let half = SAMPLE_ROWS_MAX / 2;
    let Some(rowid) = rowid else {
        return format!("{table} LIMIT {SAMPLE_ROWS_MAX}");
    };
    let end = |order: &str| {
        format!("SELECT * FROM (SELECT {rowid} FROM {table} ORDER BY {rowid} {order} LIMIT {half})")
    };
    format!(
        "{table} WHERE {rowid} IN ({} UNION {}) LIMIT {SAMPLE_ROWS_MAX}",
        end("ASC"),
        end("DESC")
    )
}

fn statement(columns: &[Ident], rows: &str) -> String {
    let counted: Vec<String> = (0..columns.len())
        .flat_map(|at| forms::columns(&Glob, &format!("c{at}")))
        .collect();
    let columns: Vec<(usize, &Ident)> = columns.iter().enumerate().collect();
    let texts = joined(&columns, ", ", |(at, column)| {
        let column = column.quoted();
        format!(
            "CASE WHEN typeof({column}) <> 'blob' \
             THEN nullif(trim(substr(CAST({column} AS TEXT), 1, {SAMPLE_CHARACTERS_MAX})), '') END AS c{at}"
        )
    });
    format!(
        "SELECT {} FROM (SELECT {texts} FROM {rows})",
        counted.join(", ")
    )
}

/// Forms as patterns of GLOB.
struct Glob;

impl FormDialect for Glob {
    fn like(&self, text: &str, picture: &str) -> String {
        format!("({text} GLOB {})", literal(&pattern(picture)))
    }

    fn only(&self, text: &str, set: &str) -> String {
        format!(
            "({text} <> '' AND {text} NOT GLOB {})",
            literal(&format!("*[^{set}]*"))
        )
    }

    fn years_ago(&self, years: u32) -> String {
        format!("date('now', '-{years} years')")
    }
}

fn pattern(picture: &str) -> String {
    let mut pattern = String::new();
    for character in picture.chars() {
        match character {
            '9' => pattern.push_str("[0-9]"),
            'A' => pattern.push_str("[A-Za-z]"),
            '[' => pattern.push_str("[[]"),
            other => pattern.push(other),
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_means_itself_but_for_its_wildcards() {
        assert_eq!(pattern("$2?$*"), "$2?$*");
        assert_eq!(pattern("A9[9"), "[A-Za-z][0-9][[][0-9]");
    }

    #[test]
    fn a_table_without_a_rowid_is_read_from_its_beginning() {
        assert_eq!(rows("\"t\"", None), "\"t\" LIMIT 1000");
        assert!(rows("\"t\"", Some("oid")).contains("ORDER BY oid DESC LIMIT 500"));
    }
}
