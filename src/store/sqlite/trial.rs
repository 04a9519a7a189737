//! Trials: batches that are written and rolled back, and the keys at which a sample is read.
//! Owns the temporary copy in memory, which is created, filled and written in one transaction that
//! never commits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::guard::mark;
use super::key_value::{self, KeyValue};
use super::seal;
use super::select::Shape;
use super::sql::{Bind, bound, run, tuple};
use crate::ident::{Ident, TableName};
use crate::store::change::Change;
use crate::store::text::joined;
use crate::store::{Access, Result, StoreError, Table, Trial, TrialTable, Tried, WriteRow};

/// The name of the temporary copy.
const COPY: &str = "~phiseal_bench";
/// The most parameters of one statement; SQLite's own limit is 32,766.
const PARAMETERS_MAX: usize = 8_000;

/// A connection that tries batches.
pub(super) struct SqliteTrial {
    conn: SqliteConnection,
}

impl SqliteTrial {
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self { conn }
    }
}

#[async_trait]
impl Trial for SqliteTrial {
    async fn round_trip(&mut self) -> Result<Duration> {
        Ok(Duration::ZERO)
    }

    async fn write(
        &mut self,
        access: &Access,
        _relation: &str,
        rows: Vec<WriteRow>,
        place: TrialTable,
    ) -> Result<Tried> {
        let conn = &mut self.conn;
        let tried = match place {
            TrialTable::Copy => in_copy(conn, access, &rows).await,
            TrialTable::Table => in_table(conn, access, &rows).await,
        };
        // If an error has ended the transaction already, there is nothing to roll back.
        let undone = run(conn, "ROLLBACK").await;
        match tried {
            Ok(tried) => undone.map(|()| tried),
            Err(error) => Err(error),
        }
    }
}

async fn in_table(
    conn: &mut SqliteConnection,
    access: &Access,
    rows: &[WriteRow],
) -> Result<Tried> {
    run(conn, "BEGIN IMMEDIATE").await?;
    // Sets the engine's mark for the guard. Before installation there are neither marks nor guards.
    const MARKED: &str =
        "SELECT count(*) FROM main.sqlite_schema WHERE name = 'phiseal_guard_mark'";
    let row = bound(MARKED, []).fetch_one(&mut *conn).await?;
    if row.try_get::<i64, _>(0)? > 0 {
        mark::as_engine(conn, Change::of(access, rows), &access.table.label).await?;
    }
    put(conn, access, rows).await
}

async fn in_copy(conn: &mut SqliteConnection, access: &Access, rows: &[WriteRow]) -> Result<Tried> {
    run(conn, "BEGIN").await?;
    let shape = Shape::read(conn, access).await?;
    let columns = columns(conn, &access.table.name.name).await?;
    let copy = TableName {
        schema: None,
        name: Ident::new(COPY).map_err(|_| StoreError::unexpected("the name of the copy"))?,
    };
    let name = copy.name.quoted();
    run(
        conn,
        format!(
            "CREATE TEMPORARY TABLE {name} ({})",
            definitions(access, &columns).join(", ")
        ),
    )
    .await?;
    for index in indexes(conn, &access.table.name.name, &columns).await? {
        run(conn, index).await?;
    }
    fill(conn, &shape, &columns, &name, rows).await?;
    let copy = Access {
        table: Arc::new(Table {
            name: copy,
            ..access.table.as_ref().clone()
        }),
        ..access.clone()
    };
    put(conn, &copy, rows).await
}

async fn put(conn: &mut SqliteConnection, access: &Access, rows: &[WriteRow]) -> Result<Tried> {
    let begun = Instant::now();
    let written = seal::write(conn, access, rows).await?;
    Ok(Tried {
        rows: written.rows,
        took: begun.elapsed(),
        ..Tried::default()
    })
}

/// A column that is stored.
struct StoredColumn {
    name: Ident,
    declared: String,
    /// Whether it is a key that is the rowid itself.
    rowid: bool,
}

async fn columns(conn: &mut SqliteConnection, table: &Ident) -> Result<Vec<StoredColumn>> {
    const COLUMNS: &str = "SELECT name, type, pk, (SELECT count(*) FROM pragma_table_xinfo(?1) AS p WHERE p.pk > 0) \
        FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid";
    let rows = tuple(COLUMNS, [Bind::from(table.as_str())]);
    let column = |(name, declared, place, keys): (String, String, i64, i64)| {
        Ok(StoredColumn {
            rowid: place == 1 && keys == 1 && declared.eq_ignore_ascii_case("INTEGER"),
            name: Ident::new(name).map_err(|_| StoreError::unexpected("the name of a column"))?,
            declared,
        })
    };
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(column).collect()
}

/// The columns of the copy: those of the table, and those that a backfill would add.
fn definitions(access: &Access, columns: &[StoredColumn]) -> Vec<String> {
    let mut out: Vec<String> = columns
        .iter()
        .map(|column| {
            let key = if column.rowid { " PRIMARY KEY" } else { "" };
            format!(
                "{} {}{key}",
                column.name.quoted(),
                affinity(&column.declared)
            )
        })
        .collect();
    let missing = |name: &&Ident| !columns.iter().any(|column| column.name == **name);
    for field in &access.table.fields {
        let sealed = field.sealed.beside();
        out.extend(
            sealed
                .into_iter()
                .chain(&field.index)
                .filter(missing)
                .map(|column| format!("{} BLOB", column.quoted())),
        );
    }
    out
}

/// A type of the same affinity (sqlite.org/datatype3.html, 3.1), so that the declared text is not
/// used in a statement.
fn affinity(declared: &str) -> &'static str {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    match () {
        () if has(&["INT"]) => "INTEGER",
        () if has(&["CHAR", "CLOB", "TEXT"]) => "TEXT",
        () if declared.is_empty() || has(&["BLOB"]) => "BLOB",
        () if has(&["REAL", "FLOA", "DOUB"]) => "REAL",
        () => "NUMERIC",
    }
}

/// The statements that create the table's indexes over plain columns on the copy.
async fn indexes(
    conn: &mut SqliteConnection,
    table: &Ident,
    columns: &[StoredColumn],
) -> Result<Vec<String>> {
    const INDEXES: &str = "SELECT list.seq, list.\"unique\", info.name, info.coll \
        FROM pragma_index_list(?) AS list, pragma_index_xinfo(list.name) AS info \
        WHERE NOT list.partial AND info.key ORDER BY list.seq, info.seqno";
    // The name is NULL for an expression.
    let rows: Vec<(i64, bool, Option<String>, String)> =
        tuple(INDEXES, [Bind::from(table.as_str())])
            .fetch_all(conn)
            .await?;
    let mut indexes: Vec<(i64, bool, Option<Vec<String>>)> = Vec::new();
    for (seq, unique, name, collation) in rows {
        let part = columns
            .iter()
            .find(|column| Some(column.name.as_str()) == name.as_deref())
            .and_then(|column| {
                let collation = Ident::new(collation).ok()?;
                Some(format!(
                    "{} COLLATE {}",
                    column.name.quoted(),
                    collation.quoted()
                ))
            });
        if indexes.last().is_none_or(|(last, ..)| *last != seq) {
            indexes.push((seq, unique, Some(Vec::new())));
        }
        if let Some((.., parts)) = indexes.last_mut() {
            *parts = parts.take().zip(part).map(|(mut parts, part)| {
                parts.push(part);
                parts
            });
        }
    }
    let statement = |(seq, unique, parts): (i64, bool, Option<Vec<String>>)| {
        let unique = if unique { "UNIQUE " } else { "" };
        let parts = parts?.join(", ");
        Some(format!(
            "CREATE {unique}INDEX temp.\"{COPY}_{seq}\" ON \"{COPY}\" ({parts})"
        ))
    };
    Ok(indexes.into_iter().filter_map(statement).collect())
}

/// Copies the rows by their keys.
async fn fill(
    conn: &mut SqliteConnection,
    shape: &Shape,
    columns: &[StoredColumn],
    copy: &str,
    rows: &[WriteRow],
) -> Result<()> {
    let keys = shape.keys.len();
    let mut names: Vec<String> = columns.iter().map(|column| column.name.quoted()).collect();
    // Copies the rowids too, by which a batch finds its rows.
    let hidden = shape.rowid.name.filter(|_| !shape.rowid.shown);
    names.extend(hidden.map(str::to_owned));
    let pairs: Vec<_> = shape.keys.iter().enumerate().collect();
    let place = format!("({})", vec!["?"; keys].join(", "));
    for chunk in rows.chunks((PARAMETERS_MAX / keys.max(1)).max(1)) {
        let mut binds = Vec::with_capacity(chunk.len() * keys);
        for row in chunk {
            let key = key_value::unplace(&row.locator.place)?;
            binds.extend(key.iter().map(KeyValue::bind));
        }
        let sql = format!(
            "WITH \"~v\"({}) AS (VALUES {}) INSERT INTO {copy} ({}) SELECT {} FROM \"~v\" AS v CROSS JOIN main.{} AS t WHERE {}",
            joined(&pairs, ", ", |(at, _)| format!("k{at}")),
            vec![place.as_str(); chunk.len()].join(", "),
            names.join(", "),
            joined(&names, ", ", |name| format!("t.{name}")),
            shape.table,
            seal::same_key(shape).join(" AND "),
        );
        bound(sql, binds).execute(&mut *conn).await?;
    }
    Ok(())
}
