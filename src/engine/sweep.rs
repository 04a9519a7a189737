//! The sweep: rows that committed behind the cursor, conflicts and late writes, until a pass finds
//! none.
//! Owns its passes: first the server is asked whether anything is left at all; if so, one pass goes
//! over windows of the whole relation, exact; where that found anything, through a partial index, so that a pass over a busy table takes milliseconds. A row
//! that conflicted three times is locked, sealed and written alone. A row that this sweep wrote and
//! finds again was changed later: where it is all that a pass finds, and the pass wrote it, the
//! sweep is over, so that an application which writes one row without rest cannot hold a run.

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::{Committer, NotCommitted};
use super::conduct::patiently;
use super::context::{Context, VALUE_BYTES_CEILING};
use super::error::EngineError;
use super::events::Event;
use super::parcel::{self, Parcel};
use super::pipeline::{Range, Windows};
use super::report::Tallied;
use crate::crypto::RowKey;
use crate::store::{PageRequest, Select, Versions};

/// After so many conflicts a row is locked before it is read.
const CONFLICTS_MAX: u32 = 3;
/// Without a pass that finds nothing, the sweep gives up after this long.
const CONVERGE_WITHIN: Duration = Duration::from_secs(300);
/// Rows remembered as sealed by this sweep; beyond that a row found again counts as new.
const REMEMBERED_MAX: usize = 100_000;
/// Rows of a window of all rows.
const WINDOW_ROWS: u32 = 20_000;
/// Rows of a window that the partial index gives, each of which needs work.
const INDEXED_ROWS: u32 = 500;

/// Sweeps one relation until nothing is left.
///
/// # Errors
/// [`EngineError::NotConverging`], and what stops a run.
pub async fn sweep(
    ctx: &Arc<Context>,
    committer: &mut Committer,
    relation: &str,
    tallied: &mut Tallied,
) -> Result<(), EngineError> {
    let reads = ctx.step.reads();
    let mut sweep = Sweep {
        ctx,
        committer,
        relation,
        tallied,
        conflicts: HashMap::new(),
        sealed: HashSet::new(),
    };
    let mut select = reads.sweep.clone();
    let mut indexed = false;
    let begun = Instant::now();
    let any_left = patiently(ctx, || ctx.store.any_left(&ctx.target, relation, &select));
    if !keeping(ctx, sweep.committer, any_left).await? {
        ctx.events.emit(Event::Sweep { pass: 1, found: 0 });
        return Ok(());
    }
    for pass in 1.. {
        let Counted {
            found,
            first,
            written,
        } = sweep.pass(&select).await?;
        ctx.events.emit(Event::Sweep { pass, found });
        // A row that is held now is not done, though this sweep sealed it before.
        if first == 0 && written >= found {
            break;
        }
        if begun.elapsed() > CONVERGE_WITHIN {
            return Err(not_converging(ctx, found, pass).await);
        }
        if !indexed && reads.indexed_sweep {
            let made = patiently(ctx, || ctx.store.make_sweep_index(&ctx.target));
            indexed = keeping(ctx, sweep.committer, made).await?;
        }
        if indexed {
            select = Select::UnsealedIndexed;
        }
    }
    if indexed {
        patiently(ctx, || ctx.store.drop_sweep_index(&ctx.target)).await?;
    }
    Ok(())
}

/// Waits for a round trip that may take longer than the lease, which is renewed meanwhile: another
/// worker would take the lane.
async fn keeping<T>(
    ctx: &Context,
    committer: &mut Committer,
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let third = Duration::from_secs(u64::from(ctx.settings.lease_seconds)) / 3;
    let mut work = pin!(work);
    loop {
        tokio::select! {
            answer = &mut work => return answer,
            () = tokio::time::sleep(third) => {}
        }
        // Both to their ends: what is given up in the middle of a COMMIT, nobody knows of.
        let mut renewal = pin!(renew(committer));
        let mut answer = None;
        loop {
            tokio::select! {
                early = &mut work, if answer.is_none() => answer = Some(early),
                renewed = &mut renewal => break renewed?,
            }
        }
        if let Some(answer) = answer {
            return answer;
        }
    }
}

async fn renew(committer: &mut Committer) -> Result<(), EngineError> {
    match committer.renew().await {
        Ok(()) | Err(NotCommitted::ReadAgain) => Ok(()),
        Err(NotCommitted::Stop(error)) => Err(error),
    }
}

struct Sweep<'a> {
    ctx: &'a Arc<Context>,
    committer: &'a mut Committer,
    relation: &'a str,
    tallied: &'a mut Tallied,
    conflicts: HashMap<RowKey, u32>,
    /// Rows that this sweep wrote, or listed.
    sealed: HashSet<RowKey>,
}

impl Sweep<'_> {
    /// One pass; the number of rows that needed work, and of those this sweep had not sealed yet.
    async fn pass(&mut self, select: &Select) -> Result<Counted, EngineError> {
        let range = Range {
            relation: self.relation.to_owned(),
            after: None,
            upto: None,
            versions: Versions::All,
            with_key_text: true,
        };
        let mut windows = Windows::new(self.ctx, range).await?;
        windows.request.select = select.clone();
        windows.request.rows_max = if *select == Select::UnsealedIndexed {
            INDEXED_ROWS
        } else {
            WINDOW_ROWS
        };
        let mut found = 0;
        let mut first = 0;
        let mut written = 0;
        loop {
            if self.ctx.stop.is_wished() {
                return Err(EngineError::Interrupted);
            }
            let mut page = windows.next().await?;
            let end = page.next.is_none();
            let large: Vec<_> = page.rows.extract_if(.., |row| row.large).collect();
            let mut pages = vec![page];
            for row in &large {
                pages.push(windows.single(row).await?);
            }
            for page in pages {
                let parcel = parcel::work(self.ctx, page).await?;
                let counted = self.commit(parcel).await?;
                found += counted.found;
                first += counted.first;
                written += counted.written;
            }
            if end {
                break;
            }
        }
        if found > 0 && written == 0 {
            self.wait(found).await?;
        }
        Ok(Counted {
            found,
            first,
            written,
        })
    }

    async fn commit(&mut self, mut parcel: Parcel) -> Result<Counted, EngineError> {
        parcel.next = None;
        parcel.closes_window = false;
        let wanted =
            |row: &super::parcel::Worked| !row.work.write.is_empty() || !row.work.faults.is_empty();
        let needed: Vec<bool> = parcel.rows.iter().map(wanted).collect();
        let mut counted = Counted::default();
        for (row, _) in parcel
            .rows
            .iter()
            .zip(&needed)
            .filter(|(_, needed)| **needed)
        {
            counted.found += 1;
            counted.first += u64::from(!self.sealed.contains(&row.key));
        }
        if counted.found == 0 {
            return Ok(counted);
        }
        let keys: Vec<RowKey> = parcel.rows.iter().map(|row| row.key.clone()).collect();
        let texts: Vec<_> = parcel
            .rows
            .iter()
            .map(|row| row.read.key_text.clone())
            .collect();
        let seal_keys: Vec<_> = (0..keys.len()).map(|at| parcel.seal_keys(&[at])).collect();
        let done = match self.committer.commit(parcel).await {
            Ok(done) => done,
            // The next pass reads it again.
            Err(NotCommitted::ReadAgain) => return Ok(counted),
            Err(NotCommitted::Stop(error)) => return Err(error),
        };
        counted.written = (done.tally.rows_written + done.tally.quarantined).unsigned_abs();
        if self.sealed.len() < REMEMBERED_MAX {
            let through = |at: &usize| needed[*at] && !done.missed.contains(at);
            let keys = (0..keys.len()).filter(through).map(|at| keys[at].clone());
            self.sealed.extend(keys);
        }
        self.tallied.add(&done);
        self.ctx.events.emit(Event::Batch {
            rows: 0,
            values: done.tally.values_written.unsigned_abs(),
        });
        for at in done.missed {
            let conflicts = self.conflicts.entry(keys[at].clone()).or_default();
            *conflicts += 1;
            if *conflicts >= CONFLICTS_MAX
                && let Some(text) = &texts[at]
            {
                let main = self.ctx.step.reads().main;
                let request = PageRequest {
                    value_bytes_max: VALUE_BYTES_CEILING,
                    ..self.ctx.request(self.relation, main, 0)
                };
                match self
                    .committer
                    .commit_locked(&request, text, &seal_keys[at])
                    .await
                {
                    Ok(Some(done)) => {
                        counted.written += done.tally.rows_written.unsigned_abs();
                        self.sealed.insert(keys[at].clone());
                        self.tallied.add(&done);
                    }
                    Ok(None) | Err(NotCommitted::ReadAgain) => {}
                    Err(NotCommitted::Stop(error)) => return Err(error),
                }
            }
        }
        Ok(counted)
    }

    /// Everything that is left is held by somebody: wait a little, and say for whom.
    async fn wait(&mut self, found: u64) -> Result<(), EngineError> {
        let holders = self
            .ctx
            .store
            .blockers(&self.ctx.target)
            .await
            .unwrap_or_default();
        let who = holders
            .first()
            .cloned()
            .unwrap_or_else(|| "the application".to_owned());
        self.ctx.events.emit(Event::Waiting {
            why: format!("{found} rows held by {who}"),
        });
        self.ctx.stop.sleep(Duration::from_millis(250)).await;
        renew(self.committer).await
    }
}

/// What became of a page of a pass.
#[derive(Default)]
struct Counted {
    /// Rows that needed work.
    found: u64,
    /// Of these, rows this sweep had not sealed before.
    first: u64,
    /// Rows written or listed.
    written: u64,
}

async fn not_converging(ctx: &Context, rows: u64, passes: u64) -> EngineError {
    let holders = ctx.store.blockers(&ctx.target).await.unwrap_or_default();
    EngineError::NotConverging {
        table: ctx.target.label.clone(),
        rows,
        passes,
        held: if holders.is_empty() {
            String::new()
        } else {
            format!("; locks are held by {}", holders.join(", "))
        },
    }
}
