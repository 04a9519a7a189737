//! A parcel: one page with the work of all its rows, on its way from reading to writing.
//! Owns the call of the step on the thread pool. No database, no waiting.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::columns::same;
use super::context::Context;
use super::error::EngineError;
use super::quarantine::stand_in_key;
use super::step::{Hand, Row, RowFault, RowWork, Seen};
use crate::crypto::{KeyId, NonceBatch, Purpose, RowKey};
use crate::keys::KeySet;
use crate::store::page::PageCell;
use crate::store::{Mark, Page, PageRow, WriteRow};

/// Rows worked on by one thread in one go, with one call to the random generator.
const CHUNK_ROWS: usize = 256;

/// One page, worked on.
pub struct Parcel {
    /// The rows as they were read.
    pub rows: Vec<Worked>,
    /// What was seen in them.
    pub seen: Seen,
    /// The keys they were worked on with.
    pub keys: Arc<KeySet>,
    /// Where the next window begins, once this page is durable.
    pub next: Option<Mark>,
    /// Rows that its window looked at, at most.
    pub window_rows: u32,
    /// This page moves the cursor: the last of a window.
    pub closes_window: bool,
    /// Identity of the storage the rows were read from.
    pub storage: String,
    /// Held while a value too large to be held twice is under way.
    pub _large: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// One row, worked on.
pub struct Worked {
    /// As it was read.
    pub read: PageRow,
    /// Its row key, or one that stands in for it where it has no fixed form.
    pub key: RowKey,
    /// What is to become of it.
    pub work: RowWork,
}

impl Worked {
    /// Its tenant; empty where the table has none.
    pub fn tenant(&self) -> &str {
        self.read.tenant.as_deref().unwrap_or_default()
    }

    /// As the step sees it.
    pub fn as_row(&self) -> Row<'_> {
        Row {
            read: &self.read,
            key: &self.key,
            tenant: self.tenant(),
        }
    }
}

impl Parcel {
    /// The keys that the rows at these positions were sealed under.
    pub fn seal_keys(&self, positions: &[usize]) -> Vec<KeyId> {
        let tenants = distinct(positions.iter().map(|at| self.rows[*at].tenant()));
        let mut ids = BTreeSet::new();
        for tenant in tenants {
            for purpose in [Purpose::Cell, Purpose::BlindIndex] {
                ids.extend(self.keys.active(tenant, purpose).map(|key| key.key_id()));
            }
        }
        ids.into_iter().collect()
    }

    /// Takes the rows to write out of the parcel, with their positions.
    pub fn take_writes(&mut self) -> (Vec<usize>, Vec<WriteRow>) {
        let mut positions = Vec::new();
        let mut writes = Vec::new();
        for (at, row) in self.rows.iter_mut().enumerate() {
            if !row.work.write.is_empty() {
                positions.push(at);
                writes.push(WriteRow {
                    locator: std::mem::take(&mut row.read.locator),
                    cells: std::mem::take(&mut row.work.write),
                });
            }
        }
        (positions, writes)
    }
}

/// Works on all rows of a page. Rows that are listed already are left alone.
///
/// # Errors
/// A tenant whose keys cannot be had, or no random bytes.
pub async fn work(ctx: &Arc<Context>, page: Page) -> Result<Parcel, EngineError> {
    let keys = if ctx.step.seals() {
        let tenants = distinct(page.rows.iter().filter_map(|row| tenant_of(ctx, row).ok()));
        ctx.tenants.ready(&tenants, ctx.blind_index()).await?
    } else {
        ctx.tenants.keyring.snapshot()
    };
    let shared = Arc::clone(ctx);
    let set = Arc::clone(&keys);
    let (rows, seen) = tokio::task::spawn_blocking(move || work_rows(&shared, &set, page.rows))
        .await
        .map_err(|_| EngineError::Worker)??;
    Ok(Parcel {
        rows,
        seen,
        keys,
        next: page.next,
        window_rows: 0,
        closes_window: true,
        storage: page.storage,
        _large: None,
    })
}

fn work_rows(
    ctx: &Context,
    keys: &KeySet,
    rows: Vec<PageRow>,
) -> Result<(Vec<Worked>, Seen), EngineError> {
    let fields = ctx.target.fields.len();
    let mut out: Vec<Option<PageRow>> = rows.into_iter().map(Some).collect();
    let chunks: Result<Vec<(Vec<Worked>, Seen)>, EngineError> = out
        .par_chunks_mut(CHUNK_ROWS)
        .map(|chunk| {
            let nonces = match ctx.step.seals() {
                true => chunk.len() * fields,
                false => 0,
            };
            let nonces = NonceBatch::draw(nonces).map_err(|_| EngineError::NoRandomness)?;
            let mut hand = Hand::new(nonces);
            let worked = chunk
                .iter_mut()
                .filter_map(Option::take)
                .map(|row| work_row(ctx, keys, row, &mut hand))
                .collect();
            Ok((worked, hand.seen))
        })
        .collect();
    let mut rows = Vec::with_capacity(out.len());
    let mut seen = Seen::default();
    for (worked, in_them) in chunks? {
        rows.extend(worked);
        seen.add(&in_them);
    }
    Ok((rows, seen))
}

/// Tenants, each once. Rows of one often lie together, and most tables have none: a row like the one
/// before it is not looked up.
fn distinct<'a>(tenants: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    let mut before = None;
    for tenant in tenants {
        if !before
            .replace(tenant)
            .is_some_and(|before| same(before, tenant))
        {
            all.insert(tenant);
        }
    }
    all
}

/// The tenant of a row; `Err` where the table has tenants and this row names none.
fn tenant_of<'a>(ctx: &Context, row: &'a PageRow) -> Result<&'a str, ()> {
    match (&ctx.target.tenant, row.tenant.as_deref()) {
        (None, _) => Ok(""),
        (Some(_), Some(tenant)) if !tenant.is_empty() => Ok(tenant),
        (Some(_), _) => Err(()),
    }
}

fn work_row(ctx: &Context, keys: &KeySet, read: PageRow, hand: &mut Hand) -> Worked {
    let encoded = match &read.key {
        Ok(parts) => RowKey::encode(parts).map_err(|error| error.to_string()),
        Err(column) => Err(format!(
            "key column {column} holds a value without a fixed form"
        )),
    };
    let (key, mut fault) = match encoded {
        Ok(key) => (key, None),
        Err(why) => (stand_in_key(&read), Some(why)),
    };
    if tenant_of(ctx, &read).is_err() {
        fault = Some("the row names no tenant".to_owned());
    }
    if read.large {
        fault = Some("a value is larger than 512 MiB".to_owned());
    }
    if read.refused.is_some() {
        fault = Some("the database cannot read a value of the row".to_owned());
    }
    let mut work = match fault {
        Some(why) => refused(&read, why, &mut hand.seen),
        None => {
            let row = Row {
                read: &read,
                key: &key,
                tenant: read.tenant.as_deref().unwrap_or_default(),
            };
            ctx.step.work(&row, keys, hand)
        }
    };
    if ctx.book.knows(&key, None) {
        // The database refused this row; only an operator's retry sends it again.
        work.write.clear();
        work.values = 0;
    }
    work.faults
        .retain(|fault| !ctx.book.knows(&key, fault.field));
    Worked { read, key, work }
}

/// A row that no step can work on: whatever it holds counts as not done.
fn refused(read: &PageRow, why: String, seen: &mut Seen) -> RowWork {
    let count =
        |of: fn(&PageCell) -> bool| read.cells.iter().filter(|cell| of(cell)).count() as u64;
    let unread = u64::from(read.refused.is_some());
    seen.failed += count(|cell| cell.sealed.is_some()) + unread;
    seen.unsealed += count(|cell| cell.sealed.is_none() && cell.plain.is_some());
    RowWork {
        faults: vec![RowFault {
            sqlstate: read.refused.clone(),
            ..RowFault::row(why)
        }],
        ..RowWork::default()
    }
}
