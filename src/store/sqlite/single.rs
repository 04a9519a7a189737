//! Rows read one by one, found by their keys: as long as they are what they were, or as they are now.

use sqlx::sqlite::SqliteConnection;

use super::fault;
use super::key_value::{self, KeyValue};
use super::paging::page_of;
use super::row::{ReadRow, Reading};
use super::shape::{Shape, joined};
use super::statement::bound;
use super::version;
use crate::store::{Cursor, Locator, Page, PageRequest, Result, Target};

/// The rows of these locators that are still what they were.
pub(super) async fn unchanged_rows(
    conn: &mut SqliteConnection,
    target: &Target,
    request: &PageRequest,
    locators: &[Locator],
) -> Result<Page> {
    let shape = Shape::read(conn, target).await?;
    let reading = Reading::new(&shape, request);
    let mut rows = Vec::with_capacity(locators.len());
    for locator in locators {
        let seen = version::unpack(&locator.version)?.columns;
        let key = key_value::unplace(&locator.place)?;
        if let Some(row) = row_at(conn, &shape, &reading, "1", &key).await?
            && row.is_still(&seen)
        {
            rows.push(row.into_page_row(target, &shape));
        }
    }
    Ok(page_of(rows, None))
}

/// Whether the row of a locator is still what it was.
pub(super) async fn is_unchanged(
    conn: &mut SqliteConnection,
    shape: &Shape,
    locator: &Locator,
) -> Result<bool> {
    let seen = version::unpack(&locator.version)?.columns;
    let key = key_value::unplace(&locator.place)?;
    let row = row_at(conn, shape, &Reading::as_seen(&seen), "1", &key).await?;
    Ok(row.is_some_and(|row| row.is_still(&seen)))
}

/// Rows by their keys, as they are now.
pub(super) async fn current_rows(
    conn: &mut SqliteConnection,
    target: &Target,
    request: &PageRequest,
    keys: &[Cursor],
) -> Result<Page> {
    let shape = Shape::read(conn, target).await?;
    let reading = Reading::new(&shape, request);
    let wanted = shape.wanted(&request.select)?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let key = key_value::values(key, shape.keys.len())?;
        if let Some(row) = row_at(conn, &shape, &reading, &wanted, &key).await? {
            rows.push(row.into_page_row(target, &shape));
        }
    }
    Ok(page_of(rows, None))
}

/// The row of a key, whatever it holds now; `None` if there is none with this key, byte for byte, or
/// it is not wanted.
async fn row_at(
    conn: &mut SqliteConnection,
    shape: &Shape,
    reading: &Reading,
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
        .await
        .map_err(fault::of)?;
    for row in &found {
        let row = ReadRow::decode(row, shape, reading)?;
        if row.key == key {
            return Ok(Some(row));
        }
    }
    Ok(None)
}
