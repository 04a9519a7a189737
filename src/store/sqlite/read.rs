//! Windows of rows in the order of keys, or of rowids.
//! Owns where a window ends, which of its rows are wanted, how large they are, and how they are
//! read: in one statement if no value is long (`read/packed.rs`). Uses one read transaction, so one
//! snapshot; locks no row.

mod packed;
pub(super) mod single;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::connect;
use super::decode::{CellsRead, ReadRow};
use super::indexes;
use super::key_range::KeyRange;
use super::key_value::{self, KeyValue};
use super::select::Shape;
use super::sql::{Bind, bound, scalar};
use crate::store::{
    Access, Bound, KeyText, Locator, Page, PageReader, PageRequest, PageRow, Result, Select,
    StoreError,
};
use packed::RowSelection;
use single::{current_rows, unchanged_rows};

/// A connection that reads pages.
pub(super) struct SqliteReader {
    conn: SqliteConnection,
    whole: Whole,
}

/// Whether windows are read with one statement, and how many rows at most.
struct Whole {
    rows_max: usize,
    /// How many windows are read row by row before this is tried again.
    pause: u32,
}

impl Whole {
    /// The pause after a window that cannot be read with one statement.
    const PAUSE: u32 = 16;
    /// Windows of fewer rows are not worth it.
    const ROWS_MIN: usize = 500;
    /// Several windows are in memory at once. At 20,000 rows of one short value they took 260 MB
    /// together, at 10,000 rows 180 MB, and hardly more time.
    const ROWS_MAX: usize = 10_000;

    const fn new() -> Self {
        Self {
            rows_max: Self::ROWS_MAX,
            pause: 0,
        }
    }
}

impl SqliteReader {
    /// Makes a reader of a connection.
    pub(super) fn new(conn: SqliteConnection) -> Self {
        Self {
            conn,
            whole: Whole::new(),
        }
    }
}

#[async_trait]
impl PageReader for SqliteReader {
    async fn page(&mut self, access: &Access, request: &PageRequest) -> Result<Page> {
        let mut snapshot = connect::read_transaction(&mut self.conn).await?;
        let page = page(&mut snapshot, &mut self.whole, access, request).await?;
        snapshot.rollback().await?;
        Ok(page)
    }

    async fn rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        locators: &[Locator],
    ) -> Result<Page> {
        let mut snapshot = connect::read_transaction(&mut self.conn).await?;
        let page = unchanged_rows(&mut snapshot, access, request, locators).await?;
        snapshot.rollback().await?;
        Ok(page)
    }

    async fn current(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let mut snapshot = connect::read_transaction(&mut self.conn).await?;
        let page = current_rows(&mut snapshot, access, request, keys).await?;
        snapshot.rollback().await?;
        Ok(page)
    }
}

/// Reads a window in a transaction that is open.
pub(super) async fn window(
    conn: &mut SqliteConnection,
    access: &Access,
    request: &PageRequest,
) -> Result<Page> {
    page(conn, &mut Whole::new(), access, request).await
}

/// Where a window ends, in its order.
enum End {
    Key(Vec<KeyValue>),
    Row(i64),
}

impl End {
    /// The bound after it; `None` after the greatest rowid.
    fn bound(&self) -> Option<Bound> {
        match self {
            Self::Key(key) => Some(Bound::Key(key_value::cursor(key))),
            Self::Row(rowid) => rowid.checked_add(1).map(Bound::Row),
        }
    }
}

async fn page(
    conn: &mut SqliteConnection,
    whole: &mut Whole,
    access: &Access,
    request: &PageRequest,
) -> Result<Page> {
    let shape = Shape::read(conn, access).await?;
    let reading = CellsRead::new(&shape, access, request);
    let window = usize::try_from(request.rows_max.max(1)).unwrap_or(usize::MAX);
    let (mut range, by_row) = match (&request.after, shape.rowid.name) {
        (Some(Bound::Row(first)), Some(name)) => (KeyRange::of_rows(name, *first), Some(name)),
        (Some(Bound::Row(_)), None) => {
            return Err(StoreError::unexpected(
                "a row number of a table that has none",
            ));
        }
        (after, _) => {
            let after = after.as_ref().and_then(Bound::key);
            let upto = request.upto.as_ref().and_then(Bound::key);
            (KeyRange::new(conn, &shape, after, upto).await?, None)
        }
    };
    let asked = Asked {
        access,
        request,
        shape: &shape,
        reading: &reading,
        wanted: shape.wanted(&request.select)?,
        order: by_row.map_or_else(|| shape.order(), str::to_owned),
        by_row,
        window,
    };
    // With the sweep's index the window counts wanted rows. Without it, it counts all rows, so that
    // a nearly finished table does not become one page.
    if request.select == Select::UnsealedIndexed && by_row.is_none() {
        let index = indexes::sweep_index(conn, access).await?;
        return row_by_row(conn, &asked, &range, index.as_deref(), None).await;
    }
    if let Some(page) = in_one_go(conn, whole, &asked, &range).await? {
        return Ok(page);
    }
    let end = match by_row {
        None => window_end(conn, &shape, &range, window)
            .await?
            .map(End::Key),
        Some(name) => last_row(conn, &shape, &range, name, window)
            .await?
            .map(End::Row),
    };
    match &end {
        Some(End::Key(key)) => range.end_at(&shape, key),
        Some(End::Row(rowid)) => range.end_at_row(&asked.order, *rowid),
        None => {}
    }
    row_by_row(conn, &asked, &range, None, end).await
}

/// Reads a range row by row, as many rows as fit.
async fn row_by_row(
    conn: &mut SqliteConnection,
    asked: &Asked<'_>,
    range: &KeyRange,
    index: Option<&str>,
    end: Option<End>,
) -> Result<Page> {
    let Asked {
        request,
        shape,
        reading,
        window,
        ..
    } = *asked;
    let from = format!(
        "FROM {}{} WHERE {} ORDER BY {}",
        shape.table,
        index
            .map(|name| format!(" INDEXED BY {name}"))
            .unwrap_or_default(),
        range.sql(&asked.wanted),
        asked.order,
    );
    let sql = format!("SELECT {} {from} LIMIT {window}", reading.size(shape));
    let sizes = bound(sql, range.again()).fetch_all(&mut *conn).await?;
    let mut bytes = 0_u64;
    let mut count = 0_usize;
    for row in &sizes {
        let size: i64 = row.try_get(0)?;
        bytes = bytes.saturating_add(u64::try_from(size).unwrap_or(0));
        if count > 0 && bytes > request.bytes_max {
            break;
        }
        count += 1;
    }
    // A window that counts wanted rows has no other end.
    let only_wanted = request.select == Select::UnsealedIndexed && asked.by_row.is_none();
    let cut = count < sizes.len() || (only_wanted && count == window);
    let sql = format!("SELECT {} {from} LIMIT {count}", reading.select_list(shape));
    let rows = bound(sql, range.again()).fetch_all(&mut *conn).await?;
    let rows = rows
        .iter()
        .map(|row| ReadRow::decode(row, shape, reading))
        .collect::<Result<Vec<_>>>()?;
    let is_whole_window = end.is_some() && !cut;
    let end = match (rows.last(), asked.by_row) {
        (Some(last), None) if cut => Some(End::Key(last.key.clone())),
        (Some(last), Some(_)) if cut => last.rowid.map(End::Row),
        _ => end,
    };
    let rows = rows
        .into_iter()
        .map(|row| row.into_page_row(asked.access, shape));
    let mut page = page_of(rows.collect(), end.and_then(|end| end.bound()));
    if is_whole_window {
        page.looked_at = window as u64;
    }
    Ok(page)
}

/// What a page is to hold.
struct Asked<'a> {
    access: &'a Access,
    request: &'a PageRequest,
    shape: &'a Shape,
    reading: &'a CellsRead,
    wanted: String,
    /// The `ORDER BY` of the rows.
    order: String,
    /// The name of the rowid, if rows are ordered by it.
    by_row: Option<&'static str>,
    /// How many rows to look at.
    window: usize,
}

/// Reads a window with one statement; `None` if a value in it is too long for that.
async fn in_one_go(
    conn: &mut SqliteConnection,
    whole: &mut Whole,
    asked: &Asked<'_>,
    range: &KeyRange,
) -> Result<Option<Page>> {
    let Asked { by_row, window, .. } = *asked;
    if whole.pause > 0 {
        whole.pause -= 1;
        return Ok(None);
    }
    let (shape, columns) = (asked.shape, asked.reading.columns(asked.shape).len());
    let mut rows = window.min(whole.rows_max);
    while rows == window || rows >= Whole::ROWS_MIN {
        let mut range = range.clone();
        let end = match by_row {
            Some(_) => None,
            None => window_end(conn, shape, &range, rows).await?,
        };
        if let Some(end) = &end {
            range.end_at(shape, end);
        }
        let mut binds = range.again();
        let tail = match by_row {
            Some(name) => {
                binds.push(Bind::from(i64::try_from(rows).unwrap_or(i64::MAX)));
                format!("{} ORDER BY {name} LIMIT ?", range.sql("1"))
            }
            None => format!("{} ORDER BY {}", range.sql("1"), asked.order),
        };
        // A limit at which all values together are no more than a window may hold.
        let fair = asked.request.bytes_max / (rows as u64 * columns.max(1) as u64).max(1);
        let looked = RowSelection {
            range: tail,
            binds,
            wanted: asked.wanted.clone(),
            bytes_max: fair.min(asked.request.value_bytes_max),
        };
        if let Some(read) = packed::read(conn, shape, asked.reading, looked).await? {
            whole.rows_max = rows.saturating_mul(2).min(Whole::ROWS_MAX);
            let end = match by_row {
                Some(_) => read
                    .last
                    .filter(|_| usize::try_from(read.count) == Ok(rows))
                    .map(End::Row),
                None => end.map(End::Key),
            };
            let rows = read
                .rows
                .into_iter()
                .map(|row| row.into_page_row(asked.access, shape));
            let next = end.and_then(|end| end.bound());
            return Ok(Some(Page {
                looked_at: read.count.unsigned_abs(),
                ..page_of(rows.collect(), next)
            }));
        }
        rows /= 4;
    }
    whole.pause = Whole::PAUSE;
    Ok(None)
}

/// A page of these rows. It names no place in the storage, since rows are found by key.
pub(super) fn page_of(rows: Vec<PageRow>, next: Option<Bound>) -> Page {
    Page {
        looked_at: rows.len() as u64,
        rows,
        next,
        storage: String::new(),
    }
}

/// The last key of a full window; `None` if the range ends before the window is full.
pub(super) async fn window_end(
    conn: &mut SqliteConnection,
    shape: &Shape,
    range: &KeyRange,
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
    let row = bound(sql, range.again()).fetch_optional(conn).await?;
    row.map(|row| {
        (0..shape.keys.len())
            .map(|column| KeyValue::read(&row, column))
            .collect()
    })
    .transpose()
}

/// The last rowid of a full window.
async fn last_row(
    conn: &mut SqliteConnection,
    shape: &Shape,
    range: &KeyRange,
    name: &str,
    window: usize,
) -> Result<Option<i64>> {
    let sql = format!(
        "SELECT {name} FROM {} WHERE {} ORDER BY {name} LIMIT 1 OFFSET {}",
        shape.table,
        range.sql("1"),
        window - 1,
    );
    Ok(scalar(sql, range.again()).fetch_optional(conn).await?)
}

#[cfg(test)]
mod tests;
