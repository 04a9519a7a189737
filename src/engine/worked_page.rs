//! A worked page: one page after the step has worked on all its rows. Owns the calls of the step on
//! the thread pool. Does not use the database, except that new tenants get keys, and does not
//! commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::columns::same;
use super::context::RunContext;
use super::error::EngineError;
use super::quarantine::stand_in_key;
use super::step::{Flaw, RowFault, RowView, RowWork, StepCounts, ThreadScratch};
use crate::crypto::{KeyId, NonceBatch, Purpose, RowKey};
use crate::keys::KeySet;
use crate::store::{Page, PageRow};

/// The most rows that a thread works on with one call of the random generator.
const CHUNK_ROWS: usize = 256;

/// A page after the step has worked on each row.
pub struct WorkedPage {
    /// The rows, in the order of the page.
    pub rows: Vec<WorkedRow>,
    /// What the step counted in them.
    pub seen: StepCounts,
    /// The keys that the step used.
    pub keys: Arc<KeySet>,
    /// The identity of the storage that the rows were read from.
    pub storage: String,
}

/// A row after the step has worked on it.
pub struct WorkedRow {
    /// The row as it was read.
    pub read: PageRow,
    /// Its row key, or a substitute if its key has no fixed form.
    pub key: RowKey,
    /// What the step decided.
    pub work: RowWork,
}

impl WorkedRow {
    /// Its tenant; empty if the table has no tenants.
    pub fn tenant(&self) -> &str {
        self.read.tenant.as_deref().unwrap_or_default()
    }

    /// Whether the row is to be written or listed.
    pub fn needs_work(&self) -> bool {
        !self.work.write.is_empty() || !self.work.faults.is_empty()
    }

    /// The row as the step sees it.
    pub fn as_row(&self) -> RowView<'_> {
        RowView {
            read: &self.read,
            key: &self.key,
            tenant: self.tenant(),
        }
    }
}

impl WorkedPage {
    /// A page without rows.
    pub fn empty(keys: Arc<KeySet>) -> Self {
        Self {
            rows: Vec::new(),
            seen: StepCounts::default(),
            keys,
            storage: String::new(),
        }
    }

    /// The active keys of the tenants of the rows at these positions; these sealed the rows'
    /// values.
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
}

/// Works on all rows of a page. A row that is listed as a whole is not written.
///
/// # Errors
/// A tenant's keys are unavailable, or the system gives no random bytes.
pub async fn work(ctx: &Arc<RunContext>, page: Page) -> Result<WorkedPage, EngineError> {
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
    Ok(WorkedPage {
        rows,
        seen,
        keys,
        storage: page.storage,
    })
}

fn work_rows(
    ctx: &RunContext,
    keys: &KeySet,
    rows: Vec<PageRow>,
) -> Result<(Vec<WorkedRow>, StepCounts), EngineError> {
    let fields = ctx.access.cells.len();
    let mut out: Vec<Option<PageRow>> = rows.into_iter().map(Some).collect();
    let chunks: Result<Vec<(Vec<WorkedRow>, StepCounts)>, EngineError> = out
        .par_chunks_mut(CHUNK_ROWS)
        .map(|chunk| {
            let nonces = match ctx.step.seals() {
                true => chunk.len() * fields,
                false => 0,
            };
            let nonces = NonceBatch::draw(nonces).map_err(|_| EngineError::NoRandomness)?;
            let mut scratch = ThreadScratch::new(nonces);
            let worked = chunk
                .iter_mut()
                .filter_map(Option::take)
                .map(|row| work_row(ctx, keys, row, &mut scratch))
                .collect();
            Ok((worked, scratch.seen))
        })
        .collect();
    let mut rows = Vec::with_capacity(out.len());
    let mut seen = StepCounts::default();
    for (worked, in_them) in chunks? {
        rows.extend(worked);
        seen.add(&in_them);
    }
    Ok((rows, seen))
}

/// The distinct tenants. Rows of a tenant often lie together and most tables have no tenants, so a
/// tenant equal to the one before it is not looked up.
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

/// Returns a row's tenant; `Err` if the table has tenants and the row names none.
fn tenant_of<'a>(ctx: &RunContext, row: &'a PageRow) -> Result<&'a str, ()> {
    match (&ctx.access.table.tenant, row.tenant.as_deref()) {
        (None, _) => Ok(""),
        (Some(_), Some(tenant)) if !tenant.is_empty() => Ok(tenant),
        (Some(_), _) => Err(()),
    }
}

fn work_row(
    ctx: &RunContext,
    keys: &KeySet,
    read: PageRow,
    scratch: &mut ThreadScratch,
) -> WorkedRow {
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
        Some(why) => refused(&read, why, &mut scratch.seen),
        None => {
            let row = RowView {
                read: &read,
                key: &key,
                tenant: read.tenant.as_deref().unwrap_or_default(),
            };
            ctx.step.row(&row, keys, scratch)
        }
    };
    if ctx.known_faults.knows(&key, None) {
        // The row is in quarantine; only an operator's retry sends it again.
        work.write.clear();
        work.values = 0;
    }
    work.faults
        .retain(|fault| !ctx.known_faults.knows(&key, fault.field));
    WorkedRow { read, key, work }
}

/// The work for a row that no step can work on: its values count as not done.
fn refused(read: &PageRow, why: String, seen: &mut StepCounts) -> RowWork {
    for (field, cell) in read.cells.iter().enumerate() {
        match (&cell.sealed, &cell.plain) {
            (Some(_), _) => seen.flaw(Some(field), Flaw::Row),
            (None, Some(_)) => seen.flaw(Some(field), Flaw::Unsealed),
            (None, None) => {}
        }
    }
    if read.refused.is_some() {
        seen.flaw(None, Flaw::Row);
    }
    RowWork {
        faults: vec![RowFault {
            sqlstate: read.refused.clone(),
            ..RowFault::row(why)
        }],
        ..RowWork::default()
    }
}
