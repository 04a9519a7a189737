//! Reading pages.
//! Owns the connection that a page is read on and its snapshot, and decides who cuts a window to
//! size: the reader, or the server if rows are large. Takes no row locks. A page is one statement
//! and so one snapshot.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use sqlx::PgConnection;
use sqlx::postgres::{PgPool, PgRow};

use super::connect::Connector;
use super::decode::{Places, decode_cut, decode_page, decode_uncut};
use super::fault::of_rows;
use super::lent::{Lent, Turns};
use super::opening::Opening;
use super::select::{self, Cut, Rows};
use super::sql::{TEXT_SETTINGS, query, raw, set_local};
use super::{heap, timed};
use crate::store::{
    Access, Bound, KeyText, Locator, Page, PageReader, PageRequest, Result, Select, StoreError,
    Visibility,
};

/// The statement timeout is long, since a window with no rows to return may take long; a page never
/// waits for locks beyond 5 seconds.
pub(super) const READ_SETTINGS: &str = set_local!(
    "jit" = "off",
    "statement_timeout" = "240s",
    "lock_timeout" = "5s",
);

/// The reader cuts windows itself as long as no row has more bytes than this. What it then discards
/// for lack of room is at most one page, which is read again.
const ROW_BYTES_MAX: u64 = 2048;
/// After a window with a larger row, the server cuts this many windows.
const WINDOWS_CUT_BY_SERVER: u32 = 8;
/// More rows than any window has.
const ROWS_ANY: u32 = 1_000_000;

/// Reads pages, each in a transaction of its own on a connection of the pool. A verification keeps a
/// connection instead: it has no writer, and reads many pages in one snapshot.
pub(super) struct Reader {
    connector: Connector,
    pool: PgPool,
    turns: Turns,
    opening: Opening,
    own: Option<PgConnection>,
    /// The own connection is in a transaction that keeps one snapshot for all windows.
    in_snapshot: bool,
    /// The number of next windows that the server cuts.
    cut_by_server: u32,
    /// The number of rows that fit into a window, if that was less than the request's limit.
    fitting: Option<u32>,
    /// The shortest time in which the server answered: about the network's round trip.
    answers_take: Option<Duration>,
}

/// The connection that a page is read on.
enum PageConnection {
    Own(PgConnection),
    Lent(Lent),
}

impl PageConnection {
    fn conn(&mut self) -> Result<&mut PgConnection> {
        match self {
            Self::Own(conn) => Ok(conn),
            Self::Lent(lent) => lent.conn(),
        }
    }
}

impl Reader {
    pub(super) fn new(connector: Connector, pool: PgPool, turns: Turns, opening: Opening) -> Self {
        Self {
            connector,
            pool,
            turns,
            opening,
            own: None,
            in_snapshot: false,
            cut_by_server: 0,
            fitting: None,
            answers_take: None,
        }
    }

    /// Reads one window, cut by the server or by the reader. `None` if the reader cannot cut it,
    /// because a row is too large or the rows are out of order.
    async fn window(
        &mut self,
        access: &Access,
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
        // Do not ask for more rows than fit: the server adds up the sizes of all of them, whoever
        // cuts.
        if let Some(rows) = self.fitting {
            request.rows_max = request.rows_max.min(rows);
        }
        let (rows, places) = self.read_window(access, &request, cut).await?;
        let found = match cut {
            Cut::Server => Some(decode_cut(access, &rows, &places)?),
            Cut::Reader { .. } => decode_uncut(access, &request, &rows, &places)?,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        if found.out_of_room {
            // A few more than fitted, so that windows grow again when values become smaller.
            let looked_at = u32::try_from(found.page.looked_at).unwrap_or(ROWS_ANY);
            self.fitting = Some(looked_at + looked_at / 4 + 1);
        } else {
            let fitting = self.fitting.map(|rows| rows.saturating_mul(2));
            self.fitting = fitting.filter(|rows| *rows < ROWS_ANY);
        }
        Ok(Some(found.page))
    }

    /// Reads the rows of a window in one transaction; also returns whether that was in key order or
    /// in storage order.
    async fn read_window(
        &mut self,
        access: &Access,
        request: &PageRequest,
        cut: Cut,
    ) -> Result<(Vec<PgRow>, Places)> {
        let Some(Bound::Heap(after)) = &request.after else {
            let rows = self
                .read(access, Rows::Window(request), cut, binds(request))
                .await?;
            return Ok((rows, Places::ByKey));
        };
        let isolation = match request.versions {
            Visibility::Since(_) => "REPEATABLE READ",
            Visibility::All | Visibility::Before(_) => "READ COMMITTED",
        };
        let keeps = isolation == "REPEATABLE READ";
        let is_verification = !matches!(request.versions, Visibility::All);
        let (mut taken, in_snapshot) = self.connection(is_verification, keeps).await?;
        let conn = taken.conn()?;
        let begin = match in_snapshot {
            true => String::new(),
            false => begin_sql(&self.opening, isolation, heap::SETTINGS),
        };
        let asked = Instant::now();
        let storage = heap::Storage::now(conn, &begin, &request.relation).await?;
        let took = self
            .answers_take
            .map_or(asked.elapsed(), |known| known.min(asked.elapsed()));
        self.answers_take = Some(took);
        let (upto, versions) = (request.upto.as_ref(), &request.versions);
        let window = heap::Window::new(after, upto, &storage, versions, took)?;
        let rows = Rows::Heap(request, window.condition(&request.versions));
        let rows = page_rows(conn, access, &rows, cut, binds(request)).await?;
        self.done_with(taken, keeps).await?;
        Ok((rows, Places::InStorage(window)))
    }

    /// Runs a page statement in a transaction of its own. It uses the kept snapshot instead if the
    /// rows are named by their versions, or are to be those younger than a horizon.
    async fn read(
        &mut self,
        access: &Access,
        rows: Rows<'_>,
        cut: Cut,
        binds: Binds,
    ) -> Result<Vec<PgRow>> {
        let since = matches!(rows, Rows::Window(request) if matches!(request.versions, Visibility::Since(_)));
        let joins = since || matches!(rows, Rows::ByVersion(_));
        let is_verification =
            matches!(rows, Rows::Window(request) if !matches!(request.versions, Visibility::All));
        let (mut taken, in_snapshot) = self.connection(is_verification, joins).await?;
        let conn = taken.conn()?;
        if !in_snapshot {
            let (isolation, settings) = match since {
                true => ("REPEATABLE READ", heap::SETTINGS),
                false => ("READ COMMITTED", ""),
            };
            let begin = begin_sql(&self.opening, isolation, settings);
            timed(raw(begin).execute(&mut *conn)).await?;
        }
        let rows = page_rows(conn, access, &rows, cut, binds).await?;
        self.done_with(taken, in_snapshot || since).await?;
        Ok(rows)
    }

    /// Takes a connection for a page, and says whether it is in its snapshot, which ends here unless
    /// `keeps_snapshot`. A caller that fails does not put the connection back, so a failure ends
    /// both.
    async fn connection(
        &mut self,
        is_verification: bool,
        keeps_snapshot: bool,
    ) -> Result<(PageConnection, bool)> {
        let in_snapshot = std::mem::take(&mut self.in_snapshot);
        let Some(mut conn) = self.own.take() else {
            let taken = match is_verification {
                true => PageConnection::Own(self.connector.connect("read").await?),
                false => PageConnection::Lent(
                    Lent::take(&self.pool, &self.turns, &self.connector).await?,
                ),
            };
            return Ok((taken, false));
        };
        if in_snapshot && !keeps_snapshot {
            timed(raw("COMMIT").execute(&mut conn)).await?;
        }
        Ok((PageConnection::Own(conn), in_snapshot && keeps_snapshot))
    }

    /// Ends the page's transaction, unless its snapshot is kept, and puts the connection back.
    async fn done_with(&mut self, mut taken: PageConnection, keeps_snapshot: bool) -> Result<()> {
        if !keeps_snapshot {
            timed(raw("COMMIT").execute(taken.conn()?)).await?;
        }
        match taken {
            PageConnection::Own(conn) => self.own = Some(conn),
            PageConnection::Lent(lent) => lent.give_back(),
        }
        self.in_snapshot = keeps_snapshot;
        Ok(())
    }
}

/// The values that a page statement binds.
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
            Select::Unsealed
            | Select::UnsealedIndexed
            | Select::Any
            | Select::Plaintext
            | Select::Sealed => {}
        }
        self
    }
}

fn begin_sql(opening: &Opening, isolation: &str, settings: &str) -> String {
    let begin = opening.begin(&format!("ISOLATION LEVEL {isolation} READ ONLY"));
    format!("{begin} {TEXT_SETTINGS} {READ_SETTINGS} {settings}")
}

/// Runs a page statement in a transaction that is already open.
pub(super) async fn page_rows(
    conn: &mut PgConnection,
    access: &Access,
    rows: &Rows<'_>,
    cut: Cut,
    binds: Binds,
) -> Result<Vec<PgRow>> {
    let mut statement = query(select::page(access, rows, cut));
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
    async fn page(&mut self, access: &Access, request: &PageRequest) -> Result<Page> {
        if self.cut_by_server == 0 {
            if let Some(page) = self.window(access, request, false).await? {
                return Ok(page);
            }
            self.cut_by_server = WINDOWS_CUT_BY_SERVER;
        }
        self.cut_by_server -= 1;
        let page = self.window(access, request, true).await?;
        page.ok_or(StoreError::unexpected("a window out of order"))
    }

    async fn rows(
        &mut self,
        access: &Access,
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
            .read(access, Rows::ByVersion(&request), Cut::Server, binds)
            .await?;
        decode_page(access, &rows)
    }

    async fn current(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page> {
        let request = unbounded(request, keys.len());
        let binds = key_binds(access, &request, keys);
        let rows = self
            .read(access, Rows::Keys(&request), Cut::Server, binds)
            .await?;
        decode_page(access, &rows)
    }
}

/// The values to bind for rows that are named by their keys.
pub(super) fn key_binds(access: &Access, request: &PageRequest, keys: &[KeyText]) -> Binds {
    let column = |i: usize| {
        keys.iter()
            .filter_map(|key| key.0.get(i).cloned())
            .collect()
    };
    Binds {
        texts: Vec::new(),
        arrays: (0..access.table.keys.len()).map(column).collect(),
    }
    .with_prefixes(&request.select)
}

/// The values to bind for a window.
pub(super) fn binds(request: &PageRequest) -> Binds {
    let texts = [&request.after, &request.upto]
        .into_iter()
        .flatten()
        .filter_map(Bound::key)
        .flat_map(|cursor| cursor.0.iter().cloned())
        .collect();
    Binds {
        texts,
        arrays: Vec::new(),
    }
    .with_prefixes(&request.select)
}

/// The same request for rows that are named one by one: without the limits of a window, and with
/// the text of every key.
pub(super) fn unbounded(request: &PageRequest, rows: usize) -> PageRequest {
    PageRequest {
        rows_max: u32::try_from(rows).unwrap_or(u32::MAX).saturating_add(1),
        bytes_max: i64::MAX.unsigned_abs(),
        with_key_text: true,
        ..request.clone()
    }
}

/// The places and versions of rows, as the two arrays that the server takes.
pub(super) fn split<'a>(
    locators: impl Iterator<Item = &'a Locator>,
) -> Result<(Vec<&'a str>, Vec<&'a str>)> {
    let mut places = Vec::with_capacity(locators.size_hint().0);
    let mut versions = Vec::with_capacity(locators.size_hint().0);
    for locator in locators {
        places.push(locator.place.as_str());
        versions.push(
            std::str::from_utf8(&locator.version)
                .map_err(|_| StoreError::unexpected("a row version of another store"))?,
        );
    }
    Ok((places, versions))
}
