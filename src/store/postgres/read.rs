//! Reading pages.
//! Owns the reading connection, its snapshot, and who cuts a window: the reader, or the server where
//! rows are large. Takes no row locks; a page is one statement, so one snapshot.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::PgConnection;
use sqlx::postgres::PgRow;

use super::connect::Connector;
use super::decode::{Places, decode_cut, decode_page, decode_uncut};
use super::fault::of_rows;
use super::opening::Opening;
use super::select::{self, Cut, Rows};
use super::sql::{TEXT_SETTINGS, query, raw};
use super::{heap, timed};
use crate::store::{
    Cursor, Locator, Mark, Page, PageReader, PageRequest, Result, Select, StoreError, Target,
    Versions,
};

/// A window of a quiet table may take long where it needs nothing; a page never waits for locks.
pub(super) const READ_SETTINGS: &str =
    "SET LOCAL jit = off; SET LOCAL statement_timeout = '240s'; SET LOCAL lock_timeout = '5s';";

/// Rows up to this many bytes may come in any number that a window has: what the reader then leaves
/// out for want of room is a page at most, and is read again.
const ROW_BYTES_MAX: u64 = 2048;
/// Windows that the server cuts after one whose rows were larger.
const WINDOWS_CUT_BY_SERVER: u32 = 8;
/// As many rows as no window has.
const ROWS_ANY: u32 = 1_000_000;

/// A connection that reads pages.
pub(super) struct Reader {
    connector: Connector,
    opening: Opening,
    conn: Option<PgConnection>,
    /// The connection is in a transaction whose snapshot all windows are read in.
    in_snapshot: bool,
    /// Windows that the server is still to cut.
    cut_by_server: u32,
    /// Rows that a window had room for, where that was less than was asked for.
    fitting: Option<u32>,
    /// The quickest answer of the server: about what the network takes.
    answers_take: Option<Duration>,
}

impl Reader {
    pub(super) fn new(connector: Connector, opening: Opening, conn: PgConnection) -> Self {
        Self {
            connector,
            opening,
            conn: Some(conn),
            in_snapshot: false,
            cut_by_server: 0,
            fitting: None,
            answers_take: None,
        }
    }

    /// A window, cut by the server or here. `None` where a row in it is too large to be counted
    /// here, or the rows did not come in order.
    async fn window(
        &mut self,
        target: &Target,
        request: &PageRequest,
        cut_by_server: bool,
    ) -> Result<Option<Page>> {
        let mut request = request.clone();
        let mut cut = Cut::Server;
        if !cut_by_server {
            let row_bytes_max = ROW_BYTES_MAX
                .min(request.value_bytes_max)
                .min(request.bytes_max);
            cut = Cut::Reader { row_bytes_max };
        }
        // The server sums up every row of the window, whoever cuts it.
        if let Some(rows) = self.fitting {
            request.rows_max = request.rows_max.min(rows);
        }
        let (rows, places) = self.read_window(target, &request, cut).await?;
        let found = match cut {
            Cut::Server => Some(decode_cut(target, &rows, &places)?),
            Cut::Reader { .. } => decode_uncut(target, &request, &rows, &places)?,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        if found.out_of_room {
            // Room for a few more, so that a window is filled again where values become smaller.
            self.fitting = Some(found.looked_at + found.looked_at / 4 + 1);
        } else {
            let fitting = self.fitting.map(|rows| rows.saturating_mul(2));
            self.fitting = fitting.filter(|rows| *rows < ROWS_ANY);
        }
        Ok(Some(found.page))
    }

    /// The rows of a window in one transaction, and the places they were looked for in.
    async fn read_window(
        &mut self,
        target: &Target,
        request: &PageRequest,
        cut: Cut,
    ) -> Result<(Vec<PgRow>, Places)> {
        let Some(Mark::Heap(after)) = &request.after else {
            let rows = self
                .read(target, Rows::Window(request), cut, binds(request))
                .await?;
            return Ok((rows, Places::ByKey));
        };
        let isolation = match request.versions {
            Versions::Since(_) => "REPEATABLE READ",
            Versions::All | Versions::Before(_) => "READ COMMITTED",
        };
        let keeps = isolation == "REPEATABLE READ";
        let (mut conn, in_snapshot) = self.connection(keeps).await?;
        let begin = match in_snapshot {
            true => String::new(),
            false => begin_sql(&self.opening, isolation, heap::SETTINGS),
        };
        let asked = Instant::now();
        let storage = heap::Storage::now(&mut conn, &begin, &request.relation).await?;
        let took = self
            .answers_take
            .map_or(asked.elapsed(), |known| known.min(asked.elapsed()));
        self.answers_take = Some(took);
        let (upto, versions) = (request.upto.as_ref(), &request.versions);
        let window = heap::Window::new(after, upto, &storage, versions, took)?;
        let rows = Rows::Heap(request, window.condition(&request.versions));
        let rows = page_rows(&mut conn, target, &rows, cut, binds(request)).await?;
        if !keeps {
            timed(raw("COMMIT".to_owned()).execute(&mut conn)).await?;
        }
        self.in_snapshot = keeps;
        self.conn = Some(conn);
        Ok((rows, Places::InStorage(window)))
    }

    /// Rows in a transaction of their own; in the snapshot, where they are named one by one or came
    /// since a moment.
    async fn read(
        &mut self,
        target: &Target,
        rows: Rows<'_>,
        cut: Cut,
        binds: Binds,
    ) -> Result<Vec<PgRow>> {
        let since =
            matches!(rows, Rows::Window(request) if matches!(request.versions, Versions::Since(_)));
        let joins = since || matches!(rows, Rows::Versions(_));
        let (mut conn, in_snapshot) = self.connection(joins).await?;
        if !in_snapshot {
            let (isolation, settings) = match since {
                true => ("REPEATABLE READ", heap::SETTINGS),
                false => ("READ COMMITTED", ""),
            };
            let begin = begin_sql(&self.opening, isolation, settings);
            timed(raw(begin).execute(&mut conn)).await?;
        }
        let rows = page_rows(&mut conn, target, &rows, cut, binds).await?;
        let stays = in_snapshot || since;
        if !stays {
            timed(raw("COMMIT".to_owned()).execute(&mut conn)).await?;
        }
        self.in_snapshot = stays;
        self.conn = Some(conn);
        Ok(rows)
    }

    /// The connection, and whether it is in its snapshot, which ends here unless it is kept. Whoever
    /// fails does not give it back: a failure ends connection and snapshot.
    async fn connection(&mut self, keeps_snapshot: bool) -> Result<(PgConnection, bool)> {
        let in_snapshot = std::mem::take(&mut self.in_snapshot);
        let Some(mut conn) = self.conn.take() else {
            return Ok((self.connector.connect().await?, false));
        };
        if in_snapshot && !keeps_snapshot {
            timed(raw("COMMIT".to_owned()).execute(&mut conn)).await?;
        }
        Ok((conn, in_snapshot && keeps_snapshot))
    }
}

/// What a page statement binds.
pub(super) struct Binds {
    pub texts: Vec<String>,
    pub arrays: Vec<Vec<String>>,
}

impl Binds {
    pub(super) fn with_prefixes(mut self, select: &Select) -> Self {
        match select {
            Select::UnsealedSweep { sealed_prefixes } => self.arrays.push(sealed_prefixes.clone()),
            Select::SealedUnder { keys } => {
                self.arrays
                    .push(Select::prefixes(keys).map(hex::encode).collect());
                self.arrays.push(Select::text_prefixes(keys).collect());
            }
            Select::Unsealed | Select::UnsealedIndexed | Select::Any | Select::Sealed => {}
        }
        self
    }
}

fn begin_sql(opening: &Opening, isolation: &str, settings: &str) -> String {
    let begin = opening.begin(&format!("ISOLATION LEVEL {isolation} READ ONLY"));
    format!("{begin} {TEXT_SETTINGS} {READ_SETTINGS} {settings}")
}

/// Runs a page statement inside a transaction that is open already.
pub(super) async fn page_rows(
    conn: &mut PgConnection,
    target: &Target,
    rows: &Rows<'_>,
    cut: Cut,
    binds: Binds,
) -> Result<Vec<PgRow>> {
    let mut statement = query(select::page(target, rows, cut));
    for text in binds.texts {
        statement = statement.bind(text);
    }
    for array in binds.arrays {
        statement = statement.bind(array);
    }
    timed(statement.fetch_all(conn)).await.map_err(of_rows)
}

#[async_trait]
impl PageReader for Reader {
    async fn page(&mut self, target: &Target, request: &PageRequest) -> Result<Page> {
        if self.cut_by_server == 0 {
            if let Some(page) = self.window(target, request, false).await? {
                return Ok(page);
            }
            self.cut_by_server = WINDOWS_CUT_BY_SERVER;
        }
        self.cut_by_server -= 1;
        let page = self.window(target, request, true).await?;
        page.ok_or(StoreError::Unexpected {
            what: "a window out of order",
        })
    }

    async fn rows(
        &mut self,
        target: &Target,
        request: &PageRequest,
        locators: &[Locator],
    ) -> Result<Page> {
        let request = unbounded(request, locators.len());
        let (places, versions) = split(locators.iter())?;
        let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect();
        let binds = Binds {
            texts: Vec::new(),
            arrays: vec![owned(places), owned(versions)],
        }
        .with_prefixes(&request.select);
        let rows = self
            .read(target, Rows::Versions(&request), Cut::Server, binds)
            .await?;
        decode_page(target, &rows)
    }

    async fn current(
        &mut self,
        target: &Target,
        request: &PageRequest,
        keys: &[Cursor],
    ) -> Result<Page> {
        let request = unbounded(request, keys.len());
        let binds = key_binds(target, &request, keys);
        let rows = self
            .read(target, Rows::Keys(&request), Cut::Server, binds)
            .await?;
        decode_page(target, &rows)
    }
}

/// What a statement about rows named by their keys binds.
pub(super) fn key_binds(target: &Target, request: &PageRequest, keys: &[Cursor]) -> Binds {
    let column = |i: usize| {
        keys.iter()
            .filter_map(|key| key.0.get(i).cloned())
            .collect()
    };
    Binds {
        texts: Vec::new(),
        arrays: (0..target.keys.len()).map(column).collect(),
    }
    .with_prefixes(&request.select)
}

/// What the statement of a window binds.
pub(super) fn binds(request: &PageRequest) -> Binds {
    let texts = [&request.after, &request.upto]
        .into_iter()
        .flatten()
        .filter_map(Mark::key)
        .flat_map(|cursor| cursor.0.iter().cloned())
        .collect();
    Binds {
        texts,
        arrays: Vec::new(),
    }
    .with_prefixes(&request.select)
}

/// The same request for rows named one by one: no window, and key texts for all.
pub(super) fn unbounded(request: &PageRequest, rows: usize) -> PageRequest {
    PageRequest {
        rows_max: u32::try_from(rows).unwrap_or(u32::MAX).saturating_add(1),
        bytes_max: i64::MAX.unsigned_abs(),
        with_key_text: true,
        ..request.clone()
    }
}

/// Places and versions as the arrays the server takes.
pub(super) fn split<'a>(
    locators: impl Iterator<Item = &'a Locator>,
) -> Result<(Vec<&'a str>, Vec<&'a str>)> {
    let mut places = Vec::with_capacity(locators.size_hint().0);
    let mut versions = Vec::with_capacity(locators.size_hint().0);
    for locator in locators {
        places.push(locator.place.as_str());
        versions.push(std::str::from_utf8(&locator.version).map_err(|_| {
            StoreError::Unexpected {
                what: "a row version of another store",
            }
        })?);
    }
    Ok((places, versions))
}
