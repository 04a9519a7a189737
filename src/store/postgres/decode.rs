//! Decodes the rows of a page from the server's binary form.
//! Owns the meaning of each byte, and where a window that the reader cuts ends. Compares no values.

use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Row, ValueRef};
use zeroize::Zeroizing;

use super::heap;
use super::select::{self, Layout};
use crate::crypto::KeyPart;
use crate::store::page::PageCell;
use crate::store::{
    Access, Bound, KeyKind, KeyText, Locator, Page, PageRequest, PageRow, Result, StoreError,
};

/// Microseconds from 1970-01-01 to 2000-01-01, the server's epoch.
const EPOCH_2000_MICROS: i64 = 946_684_800_000_000;

/// The order in which a window's rows were read.
pub(super) enum Places {
    ByKey,
    InStorage(heap::Window),
}

/// A window as it was read.
pub(super) struct ReadWindow {
    pub(super) page: Page,
    /// The window ended early because its bytes were used up.
    pub(super) out_of_room: bool,
}

/// Decodes rows that are not from a window.
pub(super) fn decode_page(access: &Access, rows: &[PgRow]) -> Result<Page> {
    decode_cut(access, rows, &Places::ByKey).map(|found| Page {
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
        looked_at: 0,
        next: None,
        storage,
    })
}

/// Decodes a window that the server cut, and takes the beginning of the next one from its flags.
pub(super) fn decode_cut(access: &Access, rows: &[PgRow], places: &Places) -> Result<ReadWindow> {
    let layout = select::layout(access);
    let mut page = empty_page(rows, places)?;
    let mut out_of_room = false;
    for row in rows {
        let flags = flags(row)?;
        out_of_room |= flags & select::CUT != 0;
        // The row that used up the bytes comes before the window's last row, so the first flag
        // decides.
        if flags & (select::LAST | select::CUT) != 0 && page.next.is_none() {
            page.next = match places {
                Places::ByKey => Some(Bound::Key(cursor(access, row, &layout)?)),
                Places::InStorage(window) => Some(window.behind(place_of(row)?)),
            };
        }
        if flags & select::NEED != 0 {
            page.rows.push(decode_row(access, row, &layout, flags)?);
        }
    }
    if let (None, Places::InStorage(window)) = (&page.next, places) {
        page.next = window.end();
    }
    page.looked_at = rows.len() as u64;
    Ok(ReadWindow { page, out_of_room })
}

/// Decodes a window and cuts it here. `None` if a row is too large to be counted here, or the rows
/// are out of order.
pub(super) fn decode_uncut(
    access: &Access,
    request: &PageRequest,
    rows: &[PgRow],
    places: &Places,
) -> Result<Option<ReadWindow>> {
    let layout = select::layout(access);
    let mut page = empty_page(rows, places)?;
    let mut bytes = 0u64;
    let mut before = None;
    let mut out_of_room = false;
    for row in rows {
        page.looked_at += 1;
        let flags = flags(row)?;
        if flags & select::NEED != 0 {
            let row = decode_row(access, row, &layout, flags)?;
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
        if out_of_room || page.looked_at == u64::from(request.rows_max) {
            page.next = match places {
                Places::ByKey => Some(Bound::Key(cursor(access, row, &layout)?)),
                Places::InStorage(window) => Some(window.behind(place_of(row)?)),
            };
            break;
        }
    }
    if let (None, Places::InStorage(window)) = (&page.next, places) {
        page.next = window.end();
    }
    Ok(Some(ReadWindow { page, out_of_room }))
}

/// The bound after the row at which a window ends. A key with a NULL makes no bound and is an
/// error, since the rest of the range would otherwise count as done.
fn cursor(access: &Access, row: &PgRow, layout: &Layout) -> Result<KeyText> {
    key_text(access, row, layout)?.ok_or(StoreError::unexpected("a row whose key holds a NULL"))
}

/// The identity of the storage that the row was read from.
fn storage(row: &PgRow) -> Result<String> {
    let storage: Option<String> = row.try_get(select::STORAGE)?;
    Ok(storage.unwrap_or_default())
}

/// A place as the server prints it, from its binary form: a block number and a line number.
fn place_text(bytes: &[u8]) -> Option<String> {
    let (block, line) = place(bytes)?;
    Some(format!("({block},{line})"))
}

fn place(bytes: &[u8]) -> Option<(u32, u16)> {
    let (block, line) = bytes.split_first_chunk::<4>()?;
    let line: [u8; 2] = line.try_into().ok()?;
    Some((u32::from_be_bytes(*block), u16::from_be_bytes(line)))
}

/// A transaction number as the server prints it, from its binary form.
fn version_text(bytes: &[u8]) -> Option<String> {
    Some(u32::from_be_bytes(bytes.try_into().ok()?).to_string())
}

fn place_of(row: &PgRow) -> Result<(u32, u16)> {
    raw_bytes(row, select::PLACE)?
        .and_then(place)
        .ok_or(StoreError::unexpected("a row without a place"))
}

fn locator(row: &PgRow) -> Result<Locator> {
    let place = raw_bytes(row, select::PLACE)?.and_then(place_text);
    let version = raw_bytes(row, select::VERSION)?.and_then(version_text);
    match (place, version) {
        (Some(place), Some(version)) => Ok(Locator {
            place,
            version: Zeroizing::new(version.into_bytes()),
        }),
        _ => Err(StoreError::unexpected("a row without place or version")),
    }
}

fn flags(row: &PgRow) -> Result<i32> {
    raw_bytes(row, select::FLAGS)?
        .and_then(|bytes| Some(i32::from_be_bytes(bytes.try_into().ok()?)))
        .ok_or(StoreError::unexpected("a row without flags"))
}

fn decode_row(access: &Access, row: &PgRow, layout: &Layout, flags: i32) -> Result<PageRow> {
    let mut key = Ok(Vec::with_capacity(access.table.keys.len()));
    for (i, column) in access.table.keys.iter().enumerate() {
        if let Ok(parts) = &mut key {
            match key_part(column.kind, raw_bytes(row, layout.key_values + i)?) {
                Some(part) => parts.push(part),
                None => key = Err(column.name.as_str().to_owned()),
            }
        }
    }
    let mut cells = Vec::with_capacity(access.cells.len());
    let mut bytes = 0;
    let mut index_at = layout.cells + 2 * access.cells.len();
    for i in 0..access.cells.len() {
        let plain = raw_bytes(row, layout.cells + 2 * i)?;
        let sealed = raw_bytes(row, layout.cells + 2 * i + 1)?;
        bytes += (plain.map_or(0, <[u8]>::len) + sealed.map_or(0, <[u8]>::len)) as u64;
        let index = match access.cells[i].index.is_some() && index_at < row.len() {
            true => raw_bytes(row, index_at)?,
            false => None,
        };
        index_at += usize::from(access.cells[i].index.is_some());
        cells.push(PageCell {
            plain: plain.map(|b| Zeroizing::new(b.to_vec())),
            sealed: sealed.map(<[u8]>::to_vec),
            index: index.map(<[u8]>::to_vec),
            unreadable: None,
        });
    }
    Ok(PageRow {
        locator: locator(row)?,
        key,
        key_text: key_text(access, row, layout)?,
        tenant: match layout.tenant {
            Some(at) => row.try_get(at)?,
            None => None,
        },
        cells,
        bytes,
        large: flags & select::LARGE != 0,
        refused: None,
    })
}

fn key_text(access: &Access, row: &PgRow, layout: &Layout) -> Result<Option<KeyText>> {
    let mut parts = Vec::with_capacity(access.table.keys.len());
    for i in 0..access.table.keys.len() {
        match row.try_get::<Option<String>, _>(layout.key_texts + i)? {
            Some(part) => parts.push(part),
            None => return Ok(None),
        }
    }
    Ok(Some(KeyText(parts)))
}

/// The bytes of a column in the server's binary form. For text and bytea these are the value's own
/// bytes.
fn raw_bytes(row: &PgRow, at: usize) -> Result<Option<&[u8]>> {
    let value = row.try_get_raw(at)?;
    if value.is_null() {
        return Ok(None);
    }
    if value.format() != PgValueFormat::Binary {
        return Err(StoreError::unexpected(
            "a value in text form where binary was asked for",
        ));
    }
    value
        .as_bytes()
        .map(Some)
        .map_err(|_| StoreError::unexpected("a value without bytes"))
}

/// The part of the row key for one key value; `None` if the value has no fixed form.
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
