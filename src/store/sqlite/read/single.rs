//! Reads single rows by their keys: if they are unchanged, or as they are now.

use sqlx::sqlite::SqliteConnection;

use super::super::decode::{CellsRead, ReadRow};
use super::super::key_value::{self, KeyValue};
use super::super::select::Shape;
use super::super::sql::bound;
use super::super::version;
use super::page_of;
use crate::store::text::joined;
use crate::store::{Access, KeyText, Locator, Page, PageRequest, Result};

/// The rows of these locators that are unchanged since they were read.
pub(super) async fn unchanged_rows(
    conn: &mut SqliteConnection,
    access: &Access,
    request: &PageRequest,
    locators: &[Locator],
) -> Result<Page> {
    let shape = Shape::read(conn, access).await?;
    let reading = CellsRead::new(&shape, access, request);
    let mut rows = Vec::with_capacity(locators.len());
    for locator in locators {
        let seen = version::unpack(&locator.version)?.columns;
        let key = key_value::unplace(&locator.place)?;
        if let Some(row) = row_at(conn, &shape, &reading, "1", &key).await?
            && row.is_still(&seen)
        {
            rows.push(row.into_page_row(access, &shape));
        }
    }
    Ok(page_of(rows, None))
}

/// Whether the row of a locator is unchanged since it was read.
pub(crate) async fn is_unchanged(
    conn: &mut SqliteConnection,
    shape: &Shape,
    locator: &Locator,
) -> Result<bool> {
    let seen = version::unpack(&locator.version)?.columns;
    let key = key_value::unplace(&locator.place)?;
    let row = row_at(conn, shape, &CellsRead::as_seen(&seen), "1", &key).await?;
    Ok(row.is_some_and(|row| row.is_still(&seen)))
}

/// Rows by their keys, as they are now.
pub(crate) async fn current_rows(
    conn: &mut SqliteConnection,
    access: &Access,
    request: &PageRequest,
    keys: &[KeyText],
) -> Result<Page> {
    let shape = Shape::read(conn, access).await?;
    let reading = CellsRead::new(&shape, access, request);
    let wanted = shape.wanted(&request.select)?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let key = key_value::values(key, shape.keys.len())?;
        if let Some(row) = row_at(conn, &shape, &reading, &wanted, &key).await? {
            rows.push(row.into_page_row(access, &shape));
        }
    }
    Ok(page_of(rows, None))
}

/// The present row of a key; `None` if no row has this key, byte for byte, or the row is not
/// wanted.
async fn row_at(
    conn: &mut SqliteConnection,
    shape: &Shape,
    reading: &CellsRead,
    wanted: &str,
    key: &[KeyValue],
) -> Result<Option<ReadRow>> {
    let pairs: Vec<_> = shape.keys.iter().zip(key).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE {wanted} AND {}",
        reading.select_list(shape),
        shape.table,
        joined(&pairs, " AND ", |(column, value)| {
            format!("{} IS {}", column.ordered(), value.placeholder())
        }),
    );
    let found = bound(sql, key.iter().map(KeyValue::bind))
        .fetch_all(conn)
        .await?;
    for row in &found {
        let row = ReadRow::decode(row, shape, reading)?;
        if row.key == key {
            return Ok(Some(row));
        }
    }
    Ok(None)
}
