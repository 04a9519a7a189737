//! The sweep of one relation: passes that process the rows which the lanes did not, such as rows
//! that committed behind a cursor, conflicts and late writes.
//! Owns the passes and when they end; the committer writes the rows.
//!
//! Before each pass the sweep asks the server whether any row is left. The first pass reads windows
//! of the whole relation. If it finds rows, the sweep creates a partial index for the later passes,
//! so that a pass over a busy table takes milliseconds. The sweep locks, seals and writes a row
//! alone if two passes in a row missed it.
//!
//! If a pass finds a row that the previous pass did not miss, the application wrote that row
//! between the two: when the previous pass looked, the row was sealed or did not exist. Such a row
//! is *new*. If no row was missed twice in a row, then every row that was unsealed when the last
//! pass but one began has been sealed, and the rows that are left came later. An application that
//! writes without pause leaves new rows behind every pass. If, besides, a pass finds more than half
//! as many of them as the pass before, more passes would not help, and the sweep ends, if the step
//! allows it (a restore does not).

use std::collections::HashMap;
use std::ops::AddAssign;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::commit::{Committer, LockedRow, NotCommitted};
use super::context::{RunContext, VALUE_BYTES_CEILING};
use super::error::EngineError;
use super::events::Event;
use super::pages::Pages;
use super::pipeline::LaneRange;
use super::report::Tallied;
use super::worked_page;
use crate::crypto::{KeyId, RowKey};
use crate::store::{KeyText, Page, PageRequest, Select, Visibility};

/// A pass stops locking missed rows one by one after it found this many of them still locked.
const HELD_MAX: u32 = 3;
/// How many missed rows of a pass are remembered. If a pass misses more, the sweep assumes that one
/// of them was missed twice in a row, and goes on.
const REMEMBERED_MAX: usize = 100_000;
/// The most rows that a window of the whole relation looks at.
const WINDOW_ROWS: u32 = 20_000;
/// The most rows that a window of the partial index looks at; each of them needs work.
const INDEXED_ROWS: u32 = 500;

/// Sweeps one relation until nothing is left or, if the step allows it, until only rows are left
/// that the application wrote during the sweep.
///
/// # Errors
/// [`EngineError::NotConverging`] if rows stay locked for too long; otherwise any error that stops
/// a run.
pub async fn sweep(
    ctx: &Arc<RunContext>,
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
        renewed: ctx.stop.clock().now(),
    };
    let clock = ctx.stop.clock();
    let reads = ctx.step.reads();
    let mut select = reads.sweep.clone();
    let mut wants_index = reads.indexed_sweep;
    let mut indexed = false;
    let mut new_before = None;
    let mut stuck_since = None;
    for pass in 1.. {
        let any_left = async { Ok(ctx.store.any_left(&ctx.access, relation, &select).await?) };
        if !with_lease_renewed(ctx, sweep.committer, any_left).await? {
            ctx.events.emit(Event::Sweep { pass, found: 0 });
            break;
        }
        let Passed {
            found,
            new,
            missed_twice,
        } = sweep.pass(&select).await?;
        ctx.events.emit(Event::Sweep { pass, found });
        // All rows that are left may be in quarantine already.
        if found == 0 {
            break;
        }
        let falling = new_before.is_none_or(|before| new <= before / 2);
        if reads.ends_while_written && !missed_twice && !falling {
            sweep.tallied.still_written = true;
            break;
        }
        new_before = Some(new);
        if !missed_twice && reads.ends_while_written {
            stuck_since = None;
        } else if clock.since(*stuck_since.get_or_insert_with(|| clock.now()))
            > ctx.settings.converge_within
        {
            return Err(not_converging(ctx, found, pass).await);
        }
        if std::mem::take(&mut wants_index) {
            let made = async { Ok(ctx.store.make_sweep_index(&ctx.access, relation).await?) };
            indexed = with_lease_renewed(ctx, sweep.committer, made).await?;
            // Creating the index takes long: how many rows the application wrote meanwhile says
            // nothing about a pass through the index.
            new_before = None;
        }
        // In place, the index leaves out a plaintext that begins like a sealed value.
        select = if indexed && (sweep.missed.is_empty() || !ctx.access.in_place()) {
            Select::UnsealedIndexed
        } else {
            reads.sweep.clone()
        };
    }
    Ok(())
}

/// Awaits `work`, a round trip that may take longer than the lease, and renews the lease meanwhile;
/// otherwise another worker could claim the lane.
async fn with_lease_renewed<T>(
    ctx: &RunContext,
    committer: &mut Committer,
    work: impl Future<Output = Result<T, EngineError>>,
) -> Result<T, EngineError> {
    let third = Duration::from_secs(u64::from(ctx.settings.lease_seconds)) / 3;
    let mut work = pin!(work);
    loop {
        tokio::select! {
            answer = &mut work => return answer,
            () = ctx.stop.clock().sleep(third) => {}
        }
        // Polls the renewal to its end: dropped in the middle of a COMMIT, its outcome would be
        // unknown.
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

pub(super) async fn renew(committer: &mut Committer) -> Result<(), EngineError> {
    match committer.renew().await {
        // The next batch meets the same and acts on it.
        Ok(()) | Err(NotCommitted::ReadAgain | NotCommitted::WentBack(_)) => Ok(()),
        Err(NotCommitted::Stop(error)) => Err(error),
    }
}

struct Sweep<'a> {
    ctx: &'a Arc<RunContext>,
    committer: &'a mut Committer,
    relation: &'a str,
    tallied: &'a mut Tallied,
    /// Rows that this pass has missed so far (between passes, those of the last one): it found
    /// them, but neither wrote nor quarantined them. With the number of consecutive passes that
    /// missed each.
    missed: HashMap<RowKey, u32>,
    /// How many rows this pass tried to lock but found locked.
    held: u32,
    /// When [`Sweep::commit`] last wrote, or renewed the lease by an empty batch.
    renewed: Duration,
}

impl Sweep<'_> {
    /// Makes one pass over the relation.
    async fn pass(&mut self, select: &Select) -> Result<Passed, EngineError> {
        let range = LaneRange {
            number: -1,
            relation: self.relation.to_owned(),
            after: None,
            upto: None,
            versions: Visibility::All,
            with_key_text: true,
        };
        let request = PageRequest {
            select: select.clone(),
            rows_max: match select {
                Select::UnsealedIndexed => INDEXED_ROWS,
                _ => self.ctx.window_rows(WINDOW_ROWS),
            },
            ..range.request(self.ctx)
        };
        let mut pages = Pages::new(self.ctx.page_source(), request);
        let mut all = Counted::default();
        let before = std::mem::take(&mut self.missed);
        self.held = 0;
        loop {
            // The run may be paused for hours.
            let next = with_lease_renewed(self.ctx, self.committer, pages.next()).await?;
            let Some(streamed) = next else {
                break;
            };
            all += self.commit(streamed.page, &before).await?;
            if *select != Select::UnsealedIndexed {
                pages.request.rows_max = self.ctx.window_rows(WINDOW_ROWS);
            }
        }
        let Counted {
            found,
            new,
            missed: misses,
        } = all;
        if found > 0 && misses >= found {
            self.wait_for_holders(found).await?;
        }
        let forgotten = misses > self.missed.len() as u64;
        Ok(Passed {
            found,
            new,
            missed_twice: forgotten || self.missed.values().any(|passes| *passes > 1),
        })
    }

    async fn commit(
        &mut self,
        page: Page,
        before: &HashMap<RowKey, u32>,
    ) -> Result<Counted, EngineError> {
        let worked = worked_page::work(self.ctx, page).await?;
        let needed: Vec<usize> = (0..worked.rows.len())
            .filter(|at| worked.rows[*at].needs_work())
            .collect();
        let new = |at: &&usize| !before.contains_key(&worked.rows[**at].key);
        let mut counted = Counted {
            found: needed.len() as u64,
            new: needed.iter().filter(new).count() as u64,
            missed: 0,
        };
        if needed.is_empty() {
            // Many pages in a row may need no work, and so no batch that renews the lease.
            let third = Duration::from_secs(u64::from(self.ctx.settings.lease_seconds)) / 3;
            if self.ctx.stop.clock().since(self.renewed) > third {
                renew(self.committer).await?;
                self.renewed = self.ctx.stop.clock().now();
            }
            return Ok(counted);
        }
        self.renewed = self.ctx.stop.clock().now();
        let keys: Vec<RowKey> = worked.rows.iter().map(|row| row.key.clone()).collect();
        let texts: Vec<_> = worked
            .rows
            .iter()
            .map(|row| row.read.key_text.clone())
            .collect();
        let seal_keys: Vec<_> = (0..keys.len()).map(|at| worked.seal_keys(&[at])).collect();
        let missed = match self.committer.commit(worked, None, true).await {
            Ok(done) => {
                self.tallied.add(&done);
                self.ctx.done(0, done.tally.values_written.unsigned_abs());
                done.missed
            }
            // The next pass reads the page again.
            Err(NotCommitted::ReadAgain) => needed,
            Err(NotCommitted::WentBack(lane)) => {
                self.tallied.tally += self.committer.go_back(&lane);
                needed
            }
            Err(NotCommitted::Stop(error)) => return Err(error),
        };
        for at in missed {
            let passes = 1 + before.get(&keys[at]).copied().unwrap_or_default();
            if passes > 1
                && self.held < HELD_MAX
                && let Some(text) = &texts[at]
            {
                if self.write_locked(text, &seal_keys[at]).await? {
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

    /// Locks a row and writes its present version if it still needs work. Returns `false` if
    /// another session holds the row.
    async fn write_locked(
        &mut self,
        key: &KeyText,
        seal_keys: &[KeyId],
    ) -> Result<bool, EngineError> {
        if self.ctx.stop.is_requested() {
            return Err(EngineError::interrupted());
        }
        let main = self.ctx.step.reads().main;
        let request = PageRequest {
            value_bytes_max: VALUE_BYTES_CEILING,
            ..self.ctx.request(self.relation, main, 0)
        };
        let locked = self.committer.commit_locked(&request, key, seal_keys);
        match locked.await {
            Ok(LockedRow::Written(done)) => {
                self.tallied.add(&done);
                Ok(true)
            }
            Ok(LockedRow::Nothing) => Ok(true),
            Ok(LockedRow::NotNow) | Err(NotCommitted::ReadAgain | NotCommitted::WentBack(_)) => {
                Ok(false)
            }
            Err(NotCommitted::Stop(error)) => Err(error),
        }
    }

    /// Waits 250 ms, after a pass that missed every row it found, and reports who holds locks.
    async fn wait_for_holders(&mut self, found: u64) -> Result<(), EngineError> {
        let holders = self
            .ctx
            .store
            .blockers(&self.ctx.access.table)
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

/// The row counts of one page, or of all pages of a pass.
#[derive(Default)]
struct Counted {
    found: u64,
    /// The new ones: the previous pass had not missed them.
    new: u64,
    /// Those that were neither written nor listed.
    missed: u64,
}

impl AddAssign for Counted {
    fn add_assign(&mut self, other: Self) {
        self.found += other.found;
        self.new += other.new;
        self.missed += other.missed;
    }
}

/// The result of a pass.
struct Passed {
    /// Rows that needed work.
    found: u64,
    /// The new ones: the previous pass had not missed them.
    new: u64,
    /// Whether this pass missed a row that the previous pass had missed, too.
    missed_twice: bool,
}

async fn not_converging(ctx: &RunContext, rows: u64, passes: u64) -> EngineError {
    let holders = ctx
        .store
        .blockers(&ctx.access.table)
        .await
        .unwrap_or_default();
    EngineError::NotConverging {
        table: ctx.access.table.label.clone(),
        rows,
        passes,
        held: if holders.is_empty() {
            String::new()
        } else {
            format!("; locks are held by {}", holders.join(", "))
        },
    }
}
