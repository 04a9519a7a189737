//! The sweep: rows that committed behind the cursor, conflicts and late writes, until a pass finds
//! none, or only what was written while it went on.
//! Owns its passes: the server is asked whether anything is left at all; if so, one pass goes over
//! windows of the whole relation, exact; where that found anything, through a partial index, so
//! that a pass over a busy table takes milliseconds. A row that two passes running missed is locked,
//! sealed and written alone.
//!
//! A row that a pass finds, and that the pass before had not missed, was written by the application
//! between the two: it was sealed or not there when the pass before looked. Such rows are *fresh*. So
//! where no row is owed, that is missed twice running, all that was unsealed when the last pass but
//! one began has been sealed, and what is left is later than that. An application that writes without
//! rest leaves some behind every pass; where that are no fewer than the time before, a pass more would
//! leave as many, and the sweep is over.

use std::collections::HashMap;
use std::ops::AddAssign;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::commit::{Alone, Committer, NotCommitted};
use super::context::{Context, VALUE_BYTES_CEILING};
use super::error::EngineError;
use super::events::Event;
use super::parcel;
use super::pipeline::{Range, Windows};
use super::report::Tallied;
use crate::crypto::{KeyId, RowKey};
use crate::store::{Cursor, Page, PageRequest, Select, Versions};

/// Rows in a pass that are waited for, each by itself, though somebody holds them.
const HELD_MAX: u32 = 3;
/// Rows remembered as missed by a pass; where there are more, some count as missed twice.
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
    let mut sweep = Sweep {
        ctx,
        committer,
        relation,
        tallied,
        missed: HashMap::new(),
        held: 0,
        renewed: Instant::now(),
    };
    let reads = ctx.step.reads();
    let mut select = reads.sweep.clone();
    let mut wants_index = reads.indexed_sweep;
    let mut indexed = false;
    let mut fresh_before = None;
    let mut stuck_since = None;
    for pass in 1.. {
        let any_left = async { Ok(ctx.store.any_left(&ctx.target, relation, &select).await?) };
        if !keeping(ctx, sweep.committer, any_left).await? {
            ctx.events.emit(Event::Sweep { pass, found: 0 });
            break;
        }
        let Passed { found, fresh, owed } = sweep.pass(&select).await?;
        ctx.events.emit(Event::Sweep { pass, found });
        // Of what is left, all may be listed already.
        if found == 0 {
            break;
        }
        let falling = fresh_before.is_none_or(|before| fresh <= before / 2);
        if reads.ends_beside_writers && !owed && !falling {
            sweep.tallied.still_written = true;
            break;
        }
        fresh_before = Some(fresh);
        if !owed && reads.ends_beside_writers {
            stuck_since = None;
        } else if stuck_since.get_or_insert_with(Instant::now).elapsed()
            > ctx.settings.converge_within
        {
            return Err(not_converging(ctx, found, pass).await);
        }
        if std::mem::take(&mut wants_index) {
            let made = async { Ok(ctx.store.make_sweep_index(&ctx.target, relation).await?) };
            indexed = keeping(ctx, sweep.committer, made).await?;
            // What was written while it was made says nothing of a pass by it.
            fresh_before = None;
        }
        // In place, a plaintext that begins as a sealed value does is not in the index.
        select = if indexed && (sweep.missed.is_empty() || !ctx.target.in_place()) {
            Select::UnsealedIndexed
        } else {
            reads.sweep.clone()
        };
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
    /// Rows that the last pass, or this one, found and neither wrote nor listed: how many passes
    /// running.
    missed: HashMap<RowKey, u32>,
    /// Rows of this pass that were waited for in vain.
    held: u32,
    /// When the lease was last renewed, by a batch or without one.
    renewed: Instant,
}

impl Sweep<'_> {
    /// One pass over the relation.
    async fn pass(&mut self, select: &Select) -> Result<Passed, EngineError> {
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
        let mut all = Counted::default();
        let before = std::mem::take(&mut self.missed);
        self.held = 0;
        loop {
            if self.ctx.stop.is_wished() {
                return Err(EngineError::Interrupted);
            }
            let mut page = windows.next().await?;
            let end = page.next.is_none();
            let large: Vec<_> = page.rows.extract_if(.., |row| row.large).collect();
            all += self.commit(page, &before).await?;
            // One at a time, each gone before the next is read.
            for row in &large {
                let page = windows.single(row).await?;
                all += self.commit(page, &before).await?;
            }
            if end {
                break;
            }
        }
        let Counted {
            found,
            fresh,
            missed: misses,
        } = all;
        if found > 0 && misses >= found {
            self.wait(found).await?;
        }
        let forgotten = misses > self.missed.len() as u64;
        Ok(Passed {
            found,
            fresh,
            owed: forgotten || self.missed.values().any(|passes| *passes > 1),
        })
    }

    async fn commit(
        &mut self,
        page: Page,
        before: &HashMap<RowKey, u32>,
    ) -> Result<Counted, EngineError> {
        let mut parcel = parcel::work(self.ctx, page).await?;
        parcel.next = None;
        parcel.closes_window = false;
        let wanted =
            |row: &super::parcel::Worked| !row.work.write.is_empty() || !row.work.faults.is_empty();
        let needed: Vec<usize> = (0..parcel.rows.len())
            .filter(|at| wanted(&parcel.rows[*at]))
            .collect();
        let fresh = |at: &&usize| !before.contains_key(&parcel.rows[**at].key);
        let mut counted = Counted {
            found: needed.len() as u64,
            fresh: needed.iter().filter(fresh).count() as u64,
            missed: 0,
        };
        if needed.is_empty() {
            // Many pages may need nothing, and the lease goes on.
            let third = Duration::from_secs(u64::from(self.ctx.settings.lease_seconds)) / 3;
            if self.renewed.elapsed() > third {
                renew(self.committer).await?;
                self.renewed = Instant::now();
            }
            return Ok(counted);
        }
        self.renewed = Instant::now();
        let keys: Vec<RowKey> = parcel.rows.iter().map(|row| row.key.clone()).collect();
        let texts: Vec<_> = parcel
            .rows
            .iter()
            .map(|row| row.read.key_text.clone())
            .collect();
        let seal_keys: Vec<_> = (0..keys.len()).map(|at| parcel.seal_keys(&[at])).collect();
        let missed = match self.committer.commit(parcel).await {
            Ok(done) => {
                self.tallied.add(&done);
                self.ctx.events.emit(Event::Batch {
                    rows: 0,
                    values: done.tally.values_written.unsigned_abs(),
                });
                done.missed
            }
            // The next pass reads it again.
            Err(NotCommitted::ReadAgain) => needed,
            Err(NotCommitted::Stop(error)) => return Err(error),
        };
        for at in missed {
            let passes = 1 + before.get(&keys[at]).copied().unwrap_or_default();
            if passes > 1
                && self.held < HELD_MAX
                && let Some(text) = &texts[at]
            {
                if self.alone(text, &seal_keys[at]).await? {
                    continue;
                }
                self.held += 1;
            }
            counted.missed += 1;
            if self.missed.len() < REMEMBERED_MAX {
                self.missed.insert(keys[at].clone(), passes);
            }
        }
        Ok(counted)
    }

    /// Locks a row, and writes it as it is then, where it still needs that; `false` where somebody
    /// holds it.
    async fn alone(&mut self, key: &Cursor, seal_keys: &[KeyId]) -> Result<bool, EngineError> {
        if self.ctx.stop.is_wished() {
            return Err(EngineError::Interrupted);
        }
        let main = self.ctx.step.reads().main;
        let request = PageRequest {
            value_bytes_max: VALUE_BYTES_CEILING,
            ..self.ctx.request(self.relation, main, 0)
        };
        let locked = self.committer.commit_locked(&request, key, seal_keys);
        match locked.await {
            Ok(Alone::Written(done)) => {
                self.tallied.add(&done);
                Ok(true)
            }
            Ok(Alone::Nothing) => Ok(true),
            Ok(Alone::NotNow) | Err(NotCommitted::ReadAgain) => Ok(false),
            Err(NotCommitted::Stop(error)) => Err(error),
        }
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

/// What became of a page of a pass, or of all.
#[derive(Default)]
struct Counted {
    /// Rows that needed work.
    found: u64,
    /// Of these, rows that the pass before had not missed.
    fresh: u64,
    /// Of these, rows neither written nor listed.
    missed: u64,
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.fresh += other.fresh;
        self.missed += other.missed;
    }
}

/// What became of a pass.
struct Passed {
    /// Rows that needed work.
    found: u64,
    /// Of these, rows that the pass before had not missed.
    fresh: u64,
    /// A row was missed, and had been by the pass before.
    owed: bool,
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
