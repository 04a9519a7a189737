//! Reading pages, and cutting a table into ranges.
//! Owns the reading connection and the decoding of rows. Takes no row locks; a page is one
//! statement, so one snapshot.

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgRow, PgValueFormat};
use sqlx::{PgConnection, Row, ValueRef};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::fault::map;
use super::select::{self, Cut, Layout, Rows};
use super::sql::{TEXT_SETTINGS, query, raw};
use super::{PostgresStore, heap, timed, timed_connect};
use crate::crypto::KeyPart;
use crate::store::page::PageCell;
use crate::store::{
    Cursor, KeyKind, Locator, Mark, Page, PageReader, PageRequest, PageRow, Result, Select,
    StoreError, Target, Versions,
};

/// Microseconds from 1970-01-01 to 2000-01-01, the server's epoch.
const EPOCH_2000_MICROS: i64 = 946_684_800_000_000;
/// A window of a quiet table may take long where it needs nothing; a page never waits for locks.
const READ_SETTINGS: &str =
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
    options: PgConnectOptions,
    conn: Option<PgConnection>,
    /// The connection is in a transaction whose snapshot all windows are read in.
    in_snapshot: bool,
    /// Windows that the server is still to cut.
    cut_by_server: u32,
    /// Rows that a window had room for, where that was less than was asked for.
    fitting: Option<u32>,
}

impl Reader {
    pub(super) fn new(options: PgConnectOptions, conn: PgConnection) -> Self {
        Self {
            options,
            conn: Some(conn),
            in_snapshot: false,
            cut_by_server: 0,
            fitting: None,
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
            if let Some(rows) = self.fitting {
                request.rows_max = request.rows_max.min(rows);
            }
        }
        let (rows, places) = self.read_window(target, &request, cut).await?;
        let found = match cut {
            Cut::Server => Some(decode_cut(target, &rows, &places)?),
            Cut::Reader { .. } => decode_uncut(target, &request, &rows, &places)?,
        };
        let Some(found) = found else {
            return Ok(None);
        };
        if let (true, None, Some(conn)) = (self.in_snapshot, &found.page.next, &mut self.conn) {
            timed(raw("COMMIT".to_owned()).execute(conn)).await?;
            self.in_snapshot = false;
        }
        if !cut_by_server && found.out_of_room {
            // Room for a few more, so that a window is filled again where values become smaller.
            self.fitting = Some(found.looked_at + found.looked_at / 4 + 1);
        } else if !cut_by_server {
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
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => timed_connect(&self.options).await?,
        };
        let since = matches!(request.versions, Versions::Since(_));
        if !since {
            begin(&mut conn, target, "READ COMMITTED", heap::SETTINGS).await?;
        } else if !self.in_snapshot {
            begin(&mut conn, target, "REPEATABLE READ", heap::SETTINGS).await?;
        }
        // Until this window is read: a failure gives the connection up, and its snapshot.
        self.in_snapshot = false;
        let storage = heap::Storage::now(&mut conn, &request.relation).await?;
        let window = heap::Window::new(after, request.upto.as_ref(), &storage, &request.versions)?;
        let rows = Rows::Heap(request, window.condition(&request.versions));
        let rows = page_rows(&mut conn, target, &rows, cut, binds(request)).await?;
        if !since {
            timed(raw("COMMIT".to_owned()).execute(&mut conn)).await?;
        }
        self.in_snapshot = since;
        self.conn = Some(conn);
        Ok((rows, Places::InStorage(window)))
    }

    /// One read transaction. A failed one gives its connection up, and with it its page.
    async fn read(
        &mut self,
        target: &Target,
        rows: Rows<'_>,
        cut: Cut,
        binds: Binds,
    ) -> Result<Vec<PgRow>> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => timed_connect(&self.options).await?,
        };
        let rows = read_rows(&mut conn, target, rows, cut, binds).await?;
        self.conn = Some(conn);
        Ok(rows)
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

async fn begin(
    conn: &mut PgConnection,
    target: &Target,
    isolation: &str,
    settings: &str,
) -> Result<()> {
    let begin = format!(
        "BEGIN ISOLATION LEVEL {isolation} READ ONLY; {TEXT_SETTINGS} {READ_SETTINGS} {} {settings}",
        search_path(target)
    );
    timed(raw(begin).execute(conn)).await.map(|_| ())
}

async fn read_rows(
    conn: &mut PgConnection,
    target: &Target,
    rows: Rows<'_>,
    cut: Cut,
    binds: Binds,
) -> Result<Vec<PgRow>> {
    begin(conn, target, "READ COMMITTED", "").await?;
    let rows = page_rows(conn, target, &rows, cut, binds).await?;
    timed(raw("COMMIT".to_owned()).execute(&mut *conn)).await?;
    Ok(rows)
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
    timed(statement.fetch_all(conn)).await
}

/// The server's own operators, and those of the key types' schemas: `citext > citext` must not be
/// resolved as `text > text`.
fn search_path(target: &Target) -> String {
    let mut path = vec!["pg_catalog".to_owned()];
    for key in &target.keys {
        path.extend(key.type_schema.iter().map(crate::ident::Ident::quoted));
    }
    format!("SET LOCAL search_path = {};", path.join(", "))
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
}

/// What the statement of a window binds.
fn binds(request: &PageRequest) -> Binds {
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

/// Where the rows of a window were looked for.
enum Places {
    ByKey,
    InStorage(heap::Window),
}

/// A window as it was read.
struct Found {
    page: Page,
    /// Rows that were looked at.
    looked_at: u32,
    /// It ended before its rows did, for the sake of their bytes.
    out_of_room: bool,
}

/// Rows as the engine takes them, that are no window.
pub(super) fn decode_page(target: &Target, rows: &[PgRow]) -> Result<Page> {
    decode_cut(target, rows, &Places::ByKey).map(|found| Page {
        next: None,
        ..found.page
    })
}

fn empty_page(rows: &[PgRow], places: &Places) -> Result<Page> {
    let storage = match (rows.first(), places) {
        (_, Places::InStorage(window)) => window.storage().to_owned(),
        (Some(row), Places::ByKey) => storage(row)?,
        (None, Places::ByKey) => String::new(),
    };
    Ok(Page {
        rows: Vec::with_capacity(rows.len()),
        next: None,
        storage,
    })
}

/// Rows as the engine takes them, and where the next window begins, as the server says.
fn decode_cut(target: &Target, rows: &[PgRow], places: &Places) -> Result<Found> {
    let layout = select::layout(target);
    let mut page = empty_page(rows, places)?;
    for row in rows {
        let flags = flags(row)?;
        // The row that crossed the byte limit comes before the window's last one.
        if flags & (select::LAST | select::CUT) != 0 && page.next.is_none() {
            page.next = match places {
                Places::ByKey => key_text(target, row, &layout)?.map(Mark::Key),
                Places::InStorage(window) => Some(window.behind(place_of(row)?)),
            };
        }
        if flags & select::NEED != 0 {
            page.rows.push(decode_row(target, row, &layout, flags)?);
        }
    }
    if let (None, Places::InStorage(window)) = (&page.next, places) {
        page.next = window.end();
    }
    Ok(Found {
        page,
        looked_at: u32::try_from(rows.len()).unwrap_or(u32::MAX),
        out_of_room: false,
    })
}

/// The rows of a window that the server did not cut; `None` where one is too large to be counted
/// here, or they are out of order.
fn decode_uncut(
    target: &Target,
    request: &PageRequest,
    rows: &[PgRow],
    places: &Places,
) -> Result<Option<Found>> {
    let layout = select::layout(target);
    let mut page = empty_page(rows, places)?;
    let mut bytes = 0u64;
    let mut looked_at = 0u32;
    let mut before = None;
    let mut out_of_room = false;
    for row in rows {
        looked_at += 1;
        let flags = flags(row)?;
        if flags & select::NEED != 0 {
            let row = decode_row(target, row, &layout, flags)?;
            if row.large {
                return Ok(None);
            }
            bytes = bytes.saturating_add(row.bytes);
            page.rows.push(row);
        }
        if let Places::InStorage(_) = places {
            let place = place_of(row)?;
            if before.replace(place) >= Some(place) {
                return Ok(None);
            }
        }
        out_of_room = bytes >= request.bytes_max;
        if out_of_room || looked_at == request.rows_max {
            page.next = match places {
                Places::ByKey => uncut_end(target, row, &layout)?.map(Mark::Key),
                Places::InStorage(window) => Some(window.behind(place_of(row)?)),
            };
            break;
        }
    }
    if let (None, Places::InStorage(window)) = (&page.next, places) {
        page.next = window.end();
    }
    Ok(Some(Found {
        page,
        looked_at,
        out_of_room,
    }))
}

/// The cursor behind a row of a window that the server did not cut.
fn uncut_end(target: &Target, row: &PgRow, layout: &Layout) -> Result<Option<Cursor>> {
    let mut texts = Vec::with_capacity(target.keys.len());
    for (i, column) in target.keys.iter().enumerate() {
        let sent: Option<String> = row.try_get(layout.key_texts + i).map_err(map)?;
        let text = match sent {
            Some(text) => Some(text),
            None if select::is_its_own_text(column) => {
                key_part(column.kind, raw_bytes(row, layout.key_values + i)?).and_then(|part| {
                    match part {
                        KeyPart::Int(number) => Some(number.to_string()),
                        KeyPart::Uuid(bytes) => Some(Uuid::from_bytes(bytes).to_string()),
                        KeyPart::Text(text) => Some(text),
                        _ => None,
                    }
                })
            }
            None => None,
        };
        match text {
            Some(text) => texts.push(text),
            None => return Ok(None),
        }
    }
    Ok(Some(Cursor(texts)))
}

/// The identity of the storage a row was read from.
fn storage(row: &PgRow) -> Result<String> {
    let storage: Option<String> = row.try_get(select::STORAGE).map_err(map)?;
    Ok(storage.unwrap_or_default())
}

/// A place as the server writes it, from its binary form: a block and a line in it.
fn place_text(bytes: &[u8]) -> Option<String> {
    let (block, line) = place(bytes)?;
    Some(format!("({block},{line})"))
}

fn place(bytes: &[u8]) -> Option<(u32, u16)> {
    let (block, line) = bytes.split_first_chunk::<4>()?;
    let line: [u8; 2] = line.try_into().ok()?;
    Some((u32::from_be_bytes(*block), u16::from_be_bytes(line)))
}

/// A transaction's number as the server writes it, from its binary form.
fn version_text(bytes: &[u8]) -> Option<String> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?).to_string())
}

fn place_of(row: &PgRow) -> Result<(u32, u16)> {
    raw_bytes(row, select::PLACE)?
        .and_then(place)
        .ok_or(StoreError::Unexpected {
            what: "a row without a place",
        })
}

fn locator(row: &PgRow) -> Result<Locator> {
    let place = raw_bytes(row, select::PLACE)?.and_then(place_text);
    let version = raw_bytes(row, select::VERSION)?.and_then(version_text);
    match (place, version) {
        (Some(place), Some(version)) => Ok(Locator {
            place,
            version: Zeroizing::new(version.into_bytes()),
        }),
        _ => Err(StoreError::Unexpected {
            what: "a row without place or version",
        }),
    }
}

fn flags(row: &PgRow) -> Result<i32> {
    raw_bytes(row, select::FLAGS)?
        .and_then(|bytes| Some(i32::from_be_bytes(bytes.try_into().ok()?)))
        .ok_or(StoreError::Unexpected {
            what: "a row without flags",
        })
}

fn decode_row(target: &Target, row: &PgRow, layout: &Layout, flags: i32) -> Result<PageRow> {
    let mut key = Ok(Vec::with_capacity(target.keys.len()));
    for (i, column) in target.keys.iter().enumerate() {
        if let Ok(parts) = &mut key {
            match key_part(column.kind, raw_bytes(row, layout.key_values + i)?) {
                Some(part) => parts.push(part),
                None => key = Err(column.name.as_str().to_owned()),
            }
        }
    }
    let mut cells = Vec::with_capacity(target.fields.len());
    let mut bytes = 0;
    for i in 0..target.fields.len() {
        let plain = raw_bytes(row, layout.cells + 2 * i)?;
        let sealed = raw_bytes(row, layout.cells + 2 * i + 1)?;
        bytes += (plain.map_or(0, <[u8]>::len) + sealed.map_or(0, <[u8]>::len)) as u64;
        cells.push(PageCell {
            plain: plain.map(|b| Zeroizing::new(b.to_vec())),
            sealed: sealed.map(<[u8]>::to_vec),
            unreadable: None,
        });
    }
    Ok(PageRow {
        locator: locator(row)?,
        key,
        key_text: key_text(target, row, layout)?,
        tenant: match layout.tenant {
            Some(at) => row.try_get(at).map_err(map)?,
            None => None,
        },
        cells,
        bytes,
        large: flags & select::LARGE != 0,
    })
}

fn key_text(target: &Target, row: &PgRow, layout: &Layout) -> Result<Option<Cursor>> {
    let mut parts = Vec::with_capacity(target.keys.len());
    for i in 0..target.keys.len() {
        match row
            .try_get::<Option<String>, _>(layout.key_texts + i)
            .map_err(map)?
        {
            Some(part) => parts.push(part),
            None => return Ok(None),
        }
    }
    Ok(Some(Cursor(parts)))
}

/// A column's bytes in the server's binary form, which for text and bytea are the value's own.
fn raw_bytes(row: &PgRow, at: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(at).map_err(map)?;
    if value.is_null() {
        return Ok(None);
    }
    if value.format() != PgValueFormat::Binary {
        return Err(StoreError::Unexpected {
            what: "a value in text form where binary was asked for",
        });
    }
    value
        .as_bytes()
        .map(Some)
        .map_err(|_| StoreError::Unexpected {
            what: "a value without bytes",
        })
}

/// A key value as it enters the row key; `None` where it has no fixed form.
fn key_part(kind: KeyKind, bytes: Option<&[u8]>) -> Option<KeyPart> {
    let bytes = bytes?;
    let text = || String::from_utf8(bytes.to_vec()).ok();
    match kind {
        KeyKind::Int => Some(KeyPart::Int(i64::from_be_bytes(bytes.try_into().ok()?))),
        KeyKind::Uuid => Some(KeyPart::Uuid(bytes.try_into().ok()?)),
        KeyKind::Text | KeyKind::ByClass => text().map(KeyPart::Text),
        KeyKind::Numeric => text()
            .filter(|t| t.bytes().any(|b| b.is_ascii_digit()))
            .map(KeyPart::Numeric),
        KeyKind::Date => text()
            .filter(|t| t.len() == 10 && t.as_bytes()[0].is_ascii_digit())
            .map(KeyPart::Date),
        KeyKind::Timestamp => {
            let micros = i64::from_be_bytes(bytes.try_into().ok()?);
            if micros == i64::MAX || micros == i64::MIN {
                return None;
            }
            micros
                .checked_add(EPOCH_2000_MICROS)
                .map(KeyPart::Timestamp)
        }
        KeyKind::Bytes => Some(KeyPart::Bytes(bytes.to_vec())),
        KeyKind::Bool => Some(KeyPart::Bool(bytes.first() == Some(&1))),
    }
}

/// Keys that cut a relation into ranges: quantiles of a sample of its blocks.
/// Whether any row needs work: a scan of the table, which the server may share among its workers.
pub(super) async fn any_left(
    store: &PostgresStore,
    target: &Target,
    relation: &str,
    select: &Select,
) -> Result<bool> {
    let mut tx = store.begin().await?;
    raw(format!("{TEXT_SETTINGS} {READ_SETTINGS}"))
        .execute(&mut *tx)
        .await
        .map_err(map)?;
    let mut statement = query(select::any_left(target, relation, select));
    for array in (Binds {
        texts: Vec::new(),
        arrays: Vec::new(),
    })
    .with_prefixes(select)
    .arrays
    {
        statement = statement.bind(array);
    }
    let left = match timed(statement.fetch_one(&mut *tx)).await {
        Ok(row) => row.try_get(0).map_err(map)?,
        // Too large for one look: the windows will tell.
        Err(StoreError::Busy { .. }) => true,
        Err(error) => return Err(error),
    };
    // Ended here and now: an index is made and dropped next, which waits for whoever looked at the table.
    tx.rollback().await.map_err(map)?;
    Ok(left)
}

pub(super) async fn cut(
    store: &PostgresStore,
    target: &Target,
    relation: &str,
    pieces: u32,
) -> Result<Vec<Cursor>> {
    const SAMPLE_ROWS: i64 = 20_000;
    if pieces < 2 {
        return Ok(Vec::new());
    }
    let mut tx = store.begin().await?;
    raw(format!(
        "{TEXT_SETTINGS} {} SET LOCAL statement_timeout = '60s'",
        search_path(target)
    ))
    .execute(&mut *tx)
    .await
    .map_err(map)?;
    let pages: i64 = query(
        "SELECT greatest(pg_relation_size(to_regclass($1)) / current_setting('block_size')::int8, 1)"
            .to_owned(),
    )
    .bind(relation.to_owned())
    .fetch_one(&mut *tx)
    .await
    .and_then(|row| row.try_get(0))
    .map_err(map)?;
    // About forty rows a page is enough of a guess: only the evenness of the lanes depends on it.
    let percent = (SAMPLE_ROWS as f64 / 40.0 / pages as f64 * 100.0).clamp(0.001, 100.0);
    let texts: Vec<String> = (0..target.keys.len())
        .map(|i| format!("q.key{i}::text"))
        .collect();
    let columns: Vec<String> = target
        .keys
        .iter()
        .enumerate()
        .map(|(i, key)| format!("t.{} AS key{i}", key.name.quoted()))
        .collect();
    let sql = format!(
        "SELECT {} FROM (SELECT {}, row_number() OVER (ORDER BY {keys}) AS rn, count(*) OVER () AS n \
           FROM ONLY {relation} AS t TABLESAMPLE SYSTEM ({percent:.3}) REPEATABLE (1)) AS q \
         WHERE q.rn < q.n AND q.rn % greatest(q.n / {pieces}, 1) = 0 ORDER BY q.rn LIMIT {}",
        texts.join(", "),
        columns.join(", "),
        pieces - 1,
        keys = select::key_list(target, "t"),
    );
    let rows = query(sql).fetch_all(&mut *tx).await.map_err(map)?;
    tx.commit().await.map_err(map)?;
    rows.iter()
        .map(|row| {
            (0..target.keys.len())
                .map(|i| row.try_get(i).map_err(map))
                .collect::<Result<Vec<String>>>()
                .map(Cursor)
        })
        .collect()
}
