//! Windows of rows in key order.
//! Owns the three statements of a page: where the window ends, which rows of it are wanted and how
//! large they are, and those rows. One read transaction, so one snapshot; no row is locked.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::connection;
use super::ddl;
use super::fault;
use super::key_value::{self, KeyValue};
use super::row::{ReadRow, Reading};
use super::shape::{Shape, joined};
use super::statement::{Bind, bound};
use super::version;
use crate::store::{
    Cursor, Locator, Mark, Page, PageReader, PageRequest, PageRow, Result, Select, Target,
};

/// A connection that reads pages.
pub(super) struct SqliteReader {
    conn: SqliteConnection,
}

impl SqliteReader {
    /// Takes a connection over.
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self { conn }
    }
}

#[async_trait]
impl PageReader for SqliteReader {
    async fn page(&mut self, target: &Target, request: &PageRequest) -> Result<Page> {
        let mut snapshot = connection::read_transaction(&mut self.conn).await?;
        let page = page(&mut snapshot, target, request).await?;
        snapshot.rollback().await.map_err(fault::of)?;
        Ok(page)
    }

    async fn rows(
        &mut self,
        target: &Target,
        request: &PageRequest,
        locators: &[Locator],
    ) -> Result<Page> {
        let mut snapshot = connection::read_transaction(&mut self.conn).await?;
        let page = unchanged_rows(&mut snapshot, target, request, locators).await?;
        snapshot.rollback().await.map_err(fault::of)?;
        Ok(page)
    }
}

/// A range of keys as a condition.
pub(super) struct Range {
    conditions: Vec<String>,
    binds: Vec<Bind>,
    nulls: Option<String>,
}

impl Range {
    /// Keys greater than `after`, up to `upto`.
    pub(super) async fn new(
        conn: &mut SqliteConnection,
        shape: &Shape,
        after: Option<&Cursor>,
        upto: Option<&Cursor>,
    ) -> Result<Self> {
        let key = |cursor: Option<&Cursor>| {
            let key = cursor.map(|cursor| key_value::values(cursor, shape.keys.len()));
            key.transpose()
        };
        let (after, upto) = (key(after)?, key(upto)?);
        let mut range = Self {
            conditions: Vec::new(),
            binds: Vec::new(),
            nulls: None,
        };
        // NULL keys come first in the index's order: past them there are none to look for.
        if after
            .as_ref()
            .is_none_or(|key| key.contains(&KeyValue::Null))
        {
            range.nulls = null_keys(conn, shape).await?;
        }
        if let Some(after) = &after {
            let (condition, binds) = shape.beyond(">", after);
            range.conditions.push(condition);
            range.binds.extend(binds);
        }
        if let Some(upto) = &upto {
            range.end_at(shape, upto);
        }
        Ok(range)
    }

    /// Ends the range at a key.
    pub(super) fn end_at(&mut self, shape: &Shape, key: &[KeyValue]) {
        let (condition, binds) = shape.beyond("<=", key);
        self.conditions.push(match &self.nulls {
            // NULL is not less than anything to `<=`, and the row must not be passed over unseen.
            Some(nulls) => format!("({nulls} OR {condition})"),
            None => condition,
        });
        self.binds.extend(binds);
    }

    /// The binds, once more.
    pub(super) fn again(&self) -> Vec<Bind> {
        self.binds.iter().map(Bind::again).collect()
    }

    /// The condition, and one more.
    pub(super) fn sql(&self, more: &str) -> String {
        let conditions = self.conditions.iter().map(String::as_str);
        conditions.chain([more]).collect::<Vec<_>>().join(" AND ")
    }
}

/// Whether any row needs work.
pub(super) async fn any_left(
    conn: &mut SqliteConnection,
    target: &Target,
    select: &Select,
) -> Result<bool> {
    let shape = Shape::read(conn, target).await?;
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {})",
        shape.table,
        shape.wanted(select)?
    );
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

async fn page(conn: &mut SqliteConnection, target: &Target, request: &PageRequest) -> Result<Page> {
    let shape = Shape::read(conn, target).await?;
    let reading = Reading::new(&shape, request);
    let after = request.after.as_ref().and_then(Mark::key);
    let upto = request.upto.as_ref().and_then(Mark::key);
    let mut range = Range::new(conn, &shape, after, upto).await?;
    let wanted = shape.wanted(&request.select)?;
    let window = usize::try_from(request.rows_max.max(1)).unwrap_or(usize::MAX);
    // By the sweep's index the window is of wanted rows; without it, of whatever is there, so that a
    // nearly finished table does not make one page of the whole rest.
    let only_wanted = request.select == Select::UnsealedIndexed;
    let (index, end) = match only_wanted {
        true => (ddl::sweep_index(conn, target).await?, None),
        false => (None, window_end(conn, &shape, &range, window).await?),
    };
    if let Some(end) = &end {
        range.end_at(&shape, end);
    }
    let from = format!(
        "FROM {}{} WHERE {} ORDER BY {}",
        shape.table,
        index
            .as_deref()
            .map(|name| format!(" INDEXED BY {name}"))
            .unwrap_or_default(),
        range.sql(&wanted),
        shape.order(),
    );
    let sql = format!("SELECT {} {from} LIMIT {window}", reading.size(&shape));
    let sizes = bound(sql, range.again())
        .fetch_all(&mut *conn)
        .await
        .map_err(fault::of)?;
    let mut bytes = 0_u64;
    let mut count = 0_usize;
    for row in &sizes {
        let size: i64 = row.try_get(0).map_err(fault::of)?;
        bytes = bytes.saturating_add(u64::try_from(size).unwrap_or(0));
        if count > 0 && bytes > request.bytes_max {
            break;
        }
        count += 1;
    }
    let cut = count < sizes.len() || (only_wanted && count == window);
    let sql = format!(
        "SELECT {} {from} LIMIT {count}",
        reading.select_list(&shape)
    );
    let rows = bound(sql, range.again())
        .fetch_all(&mut *conn)
        .await
        .map_err(fault::of)?;
    let rows = rows
        .iter()
        .map(|row| ReadRow::decode(row, &shape, &reading))
        .collect::<Result<Vec<_>>>()?;
    let next = match rows.last() {
        Some(last) if cut => Some(key_value::cursor(&last.key)),
        _ => end.as_deref().map(key_value::cursor),
    };
    let rows = rows
        .into_iter()
        .map(|row| row.into_page_row(target, &shape));
    Ok(page_of(rows.collect(), next))
}

/// Rows are found by key, so a page names no storage: it may change as it likes.
pub(super) fn page_of(rows: Vec<PageRow>, next: Option<Cursor>) -> Page {
    Page {
        rows,
        next: next.map(Mark::Key),
        storage: String::new(),
    }
}

/// The condition for keys with a NULL in them, if there are any.
async fn null_keys(conn: &mut SqliteConnection, shape: &Shape) -> Result<Option<String>> {
    let condition = joined(&shape.keys, " OR ", |key| format!("{} IS NULL", key.column));
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {condition})",
        shape.table
    );
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    let exist: bool = row.try_get(0).map_err(fault::of)?;
    Ok(exist.then(|| format!("({condition})")))
}

/// The last key of a full window; `None` where the range ends before it is full.
pub(super) async fn window_end(
    conn: &mut SqliteConnection,
    shape: &Shape,
    range: &Range,
    window: usize,
) -> Result<Option<Vec<KeyValue>>> {
    let sql = format!(
        "SELECT {} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
        shape.key_columns(),
        shape.table,
        range.sql("1"),
        shape.order(),
        window - 1,
    );
    let row = bound(sql, range.again())
        .fetch_optional(conn)
        .await
        .map_err(fault::of)?;
    row.map(|row| {
        (0..shape.keys.len())
            .map(|column| KeyValue::read(&row, column))
            .collect()
    })
    .transpose()
}

/// The rows of these locators that are still what they were.
async fn unchanged_rows(
    conn: &mut SqliteConnection,
    target: &Target,
    request: &PageRequest,
    locators: &[Locator],
) -> Result<Page> {
    let shape = Shape::read(conn, target).await?;
    let reading = Reading::new(&shape, request);
    let mut rows = Vec::with_capacity(locators.len());
    for locator in locators {
        let seen = version::unpack(&locator.version)?;
        let key = key_value::unplace(&locator.place)?;
        if let Some(row) = row_at(conn, &shape, &reading, "1", &key).await?
            && row.is_still(&seen)
        {
            rows.push(row.into_page_row(target, &shape));
        }
    }
    Ok(page_of(rows, None))
}

/// The row of a key, whatever it holds now; `None` if there is none with this key, byte for byte, or
/// it is not wanted.
pub(super) async fn row_at(
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

#[cfg(test)]
mod tests;
