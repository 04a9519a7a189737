//! The search of a whole file for values under a key.
//! Owns which tables and columns there are, and the one statement that each is gone through by. A column
//! holds whatever was put into it, so what a value is is asked of each. Shadow tables of virtual tables
//! are tables; a virtual table itself is not gone through, since reading it runs its module.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::connection::read_transaction;
use super::fault;
use super::shape::joined;
use super::statement::{Bind, bound, literal};
use crate::crypto::KeyId;
use crate::quote;
use crate::store::search::needles;
use crate::store::{
    Result, SearchColumn, SearchForm, SearchHit, SearchList, SearchPlace, Select, StoreError,
};

/// Tables, less SQLite's own and those of ours in which what is left is counted by what it is for.
const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
    AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT IN ('phiseal_quarantine', 'phiseal_lanes') ORDER BY name";

/// What there is to search, and the version of the data that it was listed at.
pub(super) async fn list(conn: &mut SqliteConnection) -> Result<SearchList> {
    let version = version(conn).await?;
    let mut snapshot = read_transaction(conn).await?;
    let places = places(&mut snapshot).await?;
    snapshot.rollback().await.map_err(fault::of)?;
    Ok(SearchList {
        places,
        version: Some(version),
        ..SearchList::default()
    })
}

/// A number that is another one once somebody else has committed something.
pub(super) async fn version(conn: &mut SqliteConnection) -> Result<i64> {
    let row = bound("PRAGMA data_version", [])
        .fetch_one(conn)
        .await
        .map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

async fn places(conn: &mut SqliteConnection) -> Result<Vec<SearchPlace>> {
    let tables = bound(TABLES, [])
        .fetch_all(&mut *conn)
        .await
        .map_err(fault::of)?;
    let mut places = Vec::with_capacity(tables.len());
    for table in &tables {
        let name: String = table.try_get(0).map_err(fault::of)?;
        let rows = bound(
            "SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid",
            [Bind::Text(name.clone())],
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(fault::of)?;
        let columns = rows
            .iter()
            .map(|row| {
                Ok(SearchColumn {
                    name: row.try_get(0).map_err(fault::of)?,
                    form: SearchForm::ByClass,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        places.push(SearchPlace {
            id: quote::identifier(&name),
            name,
            columns,
        });
    }
    Ok(places)
}

/// Searches one table, in one statement and so in one snapshot.
pub(super) async fn search(
    conn: &mut SqliteConnection,
    place: &SearchPlace,
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
        Err(error) => match fault::of(error) {
            // It was dropped meanwhile, with all that was in it.
            StoreError::Missing { .. } => return Ok(Vec::new()),
            error => return Err(error),
        },
    };
    let mut hits = Vec::new();
    for (at, column) in place.columns.iter().enumerate() {
        let values: i64 = row.try_get(at).map_err(fault::of)?;
        if values > 0 {
            hits.push(SearchHit {
                place: format!("{}.{}", place.name, column.name),
                values: values.unsigned_abs(),
            });
        }
    }
    Ok(hits)
}

/// All of it, in a transaction that is open.
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

/// Whether a value is, or holds, one under these keys: bytes by the first of them, and both by what stands
/// within them, in the text form, in base64 or in hex digits (JSON in text or as bytes).
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
