//! Searches a whole file for values under given keys.
//! Owns which tables and columns are searched, and the one statement for each table. A column may
//! hold values of any class, so the statement tests the class of each value. Shadow tables of
//! virtual tables are searched as tables; a virtual table itself is not, since reading it runs its
//! module.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::connect::read_transaction;
use super::sql::{Bind, bound, literal, scalar};
use crate::crypto::KeyId;
use crate::quote;
use crate::store::search::needles;
use crate::store::text::joined;
use crate::store::{
    Result, SearchColumn, SearchForm, SearchHit, SearchList, SearchRelation, Select, StoreError,
};

/// The tables to search: not SQLite's own, and not those of phiseal in which destruction counts
/// only what is still needed.
const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
    AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT IN ('phiseal_quarantine', 'phiseal_lanes') ORDER BY name";

/// What there is to search, and the version of the data when it was listed.
pub(super) async fn list(conn: &mut SqliteConnection) -> Result<SearchList> {
    let version = version(conn).await?;
    let mut snapshot = read_transaction(conn).await?;
    let places = places(&mut snapshot).await?;
    snapshot.rollback().await?;
    Ok(SearchList {
        places,
        version: Some(version),
        ..SearchList::default()
    })
}

/// A number that changes once another connection has committed a change.
pub(super) async fn version(conn: &mut SqliteConnection) -> Result<i64> {
    Ok(scalar("PRAGMA data_version", []).fetch_one(conn).await?)
}

async fn places(conn: &mut SqliteConnection) -> Result<Vec<SearchRelation>> {
    let tables: Vec<String> = scalar(TABLES, []).fetch_all(&mut *conn).await?;
    let mut places = Vec::with_capacity(tables.len());
    for name in tables {
        let columns: Vec<String> = scalar(
            "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
            [Bind::from(name.clone())],
        )
        .fetch_all(&mut *conn)
        .await?;
        let column = |name| SearchColumn {
            name,
            form: SearchForm::ByClass,
        };
        places.push(SearchRelation {
            id: quote::identifier(&name),
            name,
            columns: columns.into_iter().map(column).collect(),
        });
    }
    Ok(places)
}

/// Searches one table, in one statement and so in one snapshot.
pub(super) async fn search(
    conn: &mut SqliteConnection,
    place: &SearchRelation,
    keys: &[KeyId],
) -> Result<Vec<SearchHit>> {
    if place.columns.is_empty() {
        return Ok(Vec::new());
    }
    let sums = joined(&place.columns, ", ", |column| {
        format!(
            "count(*) FILTER (WHERE {})",
            holds(&quote::identifier(&column.name), keys)
        )
    });
    let sql = format!("SELECT {sums} FROM {}", place.id);
    let row = match bound(sql, []).persistent(false).fetch_one(conn).await {
        Ok(row) => row,
        Err(error) => match error.into() {
            // The table was dropped meanwhile, with all its values.
            StoreError::Missing { .. } => return Ok(Vec::new()),
            error => return Err(error),
        },
    };
    let mut hits = Vec::new();
    for (at, column) in place.columns.iter().enumerate() {
        let values: i64 = row.try_get(at)?;
        if values > 0 {
            hits.push(SearchHit {
                place: format!("{}.{}", place.name, column.name),
                values: values.unsigned_abs(),
            });
        }
    }
    Ok(hits)
}

/// Searches all tables, in a transaction that is open.
pub(super) async fn everything(
    conn: &mut SqliteConnection,
    keys: &[KeyId],
) -> Result<Vec<SearchHit>> {
    let mut hits = Vec::new();
    for place in places(conn).await? {
        hits.extend(search(conn, &place, keys).await?);
    }
    Ok(hits)
}

/// The condition that a value is, or contains, one sealed under these keys. It tests the first
/// bytes of a BLOB, and looks in text and bytes for the text form, base64 and hex digits (JSON in
/// text or as bytes).
fn holds(column: &str, keys: &[KeyId]) -> String {
    let first: Vec<_> = Select::prefixes(keys).collect();
    let needles = needles(keys);
    let in_text = joined(&needles, " OR ", |needle| {
        format!("instr({column}, {}) > 0", literal(needle))
    });
    let in_bytes = joined(&needles, " OR ", |needle| {
        format!("instr({column}, x'{}') > 0", hex::encode(needle))
    });
    let first = joined(&first, ", ", |first| format!("x'{}'", hex::encode(first)));
    format!(
        "CASE typeof({column}) WHEN 'text' THEN {in_text} \
         WHEN 'blob' THEN substr({column}, 1, 6) IN ({first}) OR {in_bytes} ELSE 0 END"
    )
}
