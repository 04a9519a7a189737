//! The run loop over one table: cuts or finds its lanes, works on them, adds sweeps, and ends. Owns
//! the distribution of lanes. Workers of this process and of processes on other hosts claim lanes
//! in the same way; nothing else coordinates them. Does not own the run's record.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::alike::Refusals;
use super::commit::Committer;
use super::context::RunContext;
use super::error::EngineError;
use super::events::Event;
use super::pipeline::{LaneRange, Sink, work_range};
use super::report::Tallied;
use super::step::{ReadOrder, Reads};
use super::sweep::sweep;
use super::window_size::WindowSize;
use crate::run::checkpoint::{Checkpoints, Slot};
use crate::run::holder;
use crate::store::{
    Access, BatchWriter, Bound, Holder, LaneKind, LaneRecord, LaneStamp, NewLane, Next, PassKind,
    Select, Store, StoreError,
};

/// A table is cut into up to this many lanes for each worker, so that no worker is idle near the
/// end.
const LANES_PER_WORKER: u64 = 4;
/// A worker gets more than one lane only if each has at least this many rows. A small lane has
/// small windows, and each window costs a COMMIT.
const ROWS_PER_SPARE_LANE: u64 = 50_000;
/// A table with fewer rows than this is one lane.
const ROWS_PER_LANE_MIN: u64 = 20_000;

/// Cuts a table into lanes: ranges in storage order if the step allows it and the store can, else
/// ranges of keys. In storage order, a relation without a row that needs work gets one empty range:
/// the main pass would find nothing, and the sweep looks once more anyway.
///
/// # Errors
/// Any error of the store.
pub async fn cut_lanes(
    store: &dyn Store,
    access: &Access,
    checkpoints: &Checkpoints,
    workers: u32,
    reads: &Reads,
) -> Result<Vec<NewLane>, EngineError> {
    let relations = store.relations(access).await?;
    let rows = store.row_estimate(&access.table).await?;
    let wanted = lanes_wanted(rows, workers);
    let pieces = u32::try_from(wanted.div_ceil((relations.len() as u64).max(1))).unwrap_or(1);
    let mut lanes = Vec::new();
    for relation in relations {
        let mut places = match reads.order {
            ReadOrder::Storage(pass_kind) => {
                store
                    .cut_by_storage(access, &relation, pieces, pass_kind)
                    .await?
            }
            ReadOrder::Keys => None,
        };
        if let (
            ReadOrder::Storage(PassKind::Growing | PassKind::Rewriting),
            Some([first @ Some(Bound::Heap(_)), ..]),
        ) = (reads.order, places.as_deref())
            && is_done(store, access, &relation, &reads.sweep).await?
        {
            places = Some(vec![first.clone(), first.clone()]);
        }
        // Each lane goes from one bound to the next. In key order, the first lane has no lower
        // bound and the last one no upper bound.
        let bounds: Vec<Option<Bound>> = match places {
            Some(places) => places,
            None => {
                let keys = store.cut_by_key(&access.table, &relation, pieces).await?;
                let keys = keys.into_iter().map(Bound::Key).map(Some);
                [None].into_iter().chain(keys).chain([None]).collect()
            }
        };
        for bound in bounds.windows(2) {
            let lane_no = lane_number(lanes.len());
            lanes.push(NewLane {
                lane_no,
                kind: LaneKind::Range,
                relation: relation.clone(),
                lower: encode(checkpoints, lane_no, Slot::Lower, bound[0].as_ref())?,
                upper: encode(checkpoints, lane_no, Slot::Upper, bound[1].as_ref())?,
            });
        }
    }
    Ok(lanes)
}

/// How many lanes to cut a table of `rows` rows into. For 0 workers it is 0, which gives one lane
/// for each relation.
fn lanes_wanted(rows: u64, workers: u32) -> u64 {
    let workers = u64::from(workers);
    let each = (rows / (workers * ROWS_PER_SPARE_LANE).max(1)).clamp(1, LANES_PER_WORKER);
    (workers * each).min(rows / ROWS_PER_LANE_MIN + 1)
}

/// Whether no row of a relation needs work. This only saves time: after a transient error the
/// answer is `false`, and the relation is read.
async fn is_done(
    store: &dyn Store,
    access: &Access,
    relation: &str,
    sweep: &Select,
) -> Result<bool, EngineError> {
    match store.any_left(access, relation, sweep).await {
        Ok(any_left) => Ok(!any_left),
        Err(error) if matches!(error.next(), Next::Stop | Next::Bisect) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

fn lane_number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn encode(
    checkpoints: &Checkpoints,
    lane_no: i32,
    place: Slot,
    bound: Option<&Bound>,
) -> Result<Option<Vec<u8>>, EngineError> {
    Ok(bound
        .map(|bound| checkpoints.encode(lane_no, place, bound))
        .transpose()?)
}

/// Works on a recorded run until nothing is left to do.
///
/// # Errors
/// Any error that stops the run, which can be resumed.
pub async fn run_loop(ctx: &Arc<RunContext>, run_id: i64) -> Result<Tallied, EngineError> {
    let mut tallied = Tallied::default();
    let mut lane_wait = LaneWait::default();
    loop {
        work_lanes(ctx, run_id, &mut tallied).await?;
        if ctx.stop.is_requested() {
            return Err(EngineError::Interrupted);
        }
        let lanes = ctx.store.lanes(run_id).await?;
        let open: Vec<&LaneRecord> = lanes.iter().filter(|lane| !lane.done).collect();
        if open.is_empty() {
            if !add_lanes(ctx, run_id, &lanes).await? {
                let sweeps = lanes.iter().filter(|lane| lane.kind == LaneKind::Sweep);
                wind_up(ctx, sweeps.count(), &mut tallied).await?;
                return Ok(tallied);
            }
        } else {
            // A frozen process can hold its lane's row lock beyond its lease. Best effort: it may
            // recover.
            let _ = ctx.store.end_frozen(run_id).await;
            lane_wait.wait(ctx, &open, tallied.lanes > 0).await?;
        }
    }
}

/// Runs after the last sweep. Asks the server whether a row is left, if a sweep ended while the
/// application was writing or another process ran one of the sweeps. Drops the indexes of the
/// sweeps, including those that an interrupted run left.
async fn wind_up(
    ctx: &Arc<RunContext>,
    sweeps: usize,
    tallied: &mut Tallied,
) -> Result<(), EngineError> {
    let reads = ctx.step.reads();
    let not_seen = reads.ends_while_written && tallied.sweeps < sweeps;
    if std::mem::take(&mut tallied.still_written) || not_seen {
        for relation in ctx.store.relations(&ctx.access).await? {
            let done = is_done(ctx.store.as_ref(), &ctx.access, &relation, &reads.sweep).await?;
            tallied.still_written |= !done;
        }
    }
    if reads.indexed_sweep {
        tallied.indexes_left = ctx.store.drop_sweep_index(&ctx.access.table).await?;
    }
    Ok(())
}

/// Waits for all workers. The first failure asks the others to stop after their batch.
pub(super) async fn join(
    ctx: &RunContext,
    mut workers: JoinSet<Result<Tallied, EngineError>>,
) -> Result<Tallied, EngineError> {
    let mut all = Tallied::default();
    let mut failure: Option<EngineError> = None;
    while let Some(ended) = workers.join_next().await {
        match ended
            .map_err(|_| EngineError::Worker)
            .and_then(|outcome| outcome)
        {
            Ok(tallied) => all.merge(tallied),
            Err(error) => {
                if failure.is_none() || matches!(failure, Some(EngineError::Interrupted)) {
                    failure = Some(error);
                }
                ctx.stop.request();
            }
        }
    }
    failure.map_or(Ok(all), Err)
}

/// Claims lanes and works on them with all workers of this process, until no lane can be claimed.
async fn work_lanes(
    ctx: &Arc<RunContext>,
    run_id: i64,
    tallied: &mut Tallied,
) -> Result<(), EngineError> {
    let mut workers = JoinSet::new();
    for number in 0..ctx.settings.workers {
        let ctx = Arc::clone(ctx);
        workers.spawn(async move {
            let mut tallied = Tallied::default();
            let window_size = Arc::new(WindowSize::new(ctx.settings.batch_target));
            let holder = ctx.process.worker(number);
            let mut writer = None;
            while !ctx.stop.is_requested() {
                let Some(lane) = claim(&ctx, run_id, &holder).await? else {
                    break;
                };
                tallied.lanes += 1;
                work_lane(&ctx, lane, &mut tallied, &window_size, &mut writer).await?;
            }
            Ok(tallied)
        });
    }
    tallied.merge(join(ctx, workers).await?);
    Ok(())
}

async fn claim(
    ctx: &RunContext,
    run_id: i64,
    holder: &Holder,
) -> Result<Option<LaneRecord>, EngineError> {
    let dead: Vec<Holder> = ctx
        .store
        .lanes(run_id)
        .await?
        .into_iter()
        .filter(|lane| !lane.done)
        .filter_map(|lane| lane.holder)
        .filter(|name| ctx.process.is_dead(name))
        .map(Holder)
        .collect();
    let lease = ctx.settings.lease_seconds;
    Ok(ctx.store.claim_lane(run_id, holder, &dead, lease).await?)
}

async fn work_lane(
    ctx: &Arc<RunContext>,
    lane: LaneRecord,
    tallied: &mut Tallied,
    window_size: &Arc<WindowSize>,
    kept: &mut Option<Box<dyn BatchWriter>>,
) -> Result<(), EngineError> {
    let stamp = LaneStamp {
        run_id: lane.run_id,
        lane_no: lane.lane_no,
        fence: lane.fence,
        seq: lane.seq,
    };
    // With a distant server, a new connection for each lane would cost about a second.
    let writer = match kept.take() {
        Some(writer) => writer,
        None => ctx.store.writer().await?,
    };
    let mut committer = Committer::new(Arc::clone(ctx), writer, stamp, lane.relation.clone());
    let (outcome, stamp) = if lane.kind == LaneKind::Sweep {
        let outcome = sweep(ctx, &mut committer, &lane.relation, tallied).await;
        tallied.sweeps += usize::from(outcome.is_ok());
        let stamp = committer.stamp();
        *kept = outcome.is_ok().then(|| committer.into_writer());
        (outcome, stamp)
    } else {
        let mut range = LaneRange::left(ctx, &lane)?;
        let mut sink = Sink::Committed(committer);
        let outcome = work_range(ctx, &mut range, &mut sink, tallied, window_size).await;
        let stamp = match sink {
            Sink::Committed(committer) => {
                let stamp = committer.stamp();
                *kept = outcome.is_ok().then(|| committer.into_writer());
                stamp
            }
            Sink::Counting => stamp,
        };
        (outcome, stamp)
    };
    match outcome {
        Ok(()) => Ok(ctx.store.release_lane(&stamp, true).await?),
        Err(error) => {
            // Releases the lane at once, so that the next worker need not wait for the lease. Best
            // effort.
            let _ = ctx.store.release_lane(&stamp, false).await;
            Err(error)
        }
    }
}

/// Adds what is left to do when all lanes are done: a lane for each partition that was attached
/// meanwhile, and a sweep of each relation. With several relations, each is swept again after all
/// were swept once, since a row may have moved from one not yet swept to one already swept. Returns
/// `false` if the sweeps are done, too.
async fn add_lanes(
    ctx: &Arc<RunContext>,
    run_id: i64,
    lanes: &[LaneRecord],
) -> Result<bool, EngineError> {
    let relations = ctx.store.relations(&ctx.access).await?;
    let mut known: HashMap<&str, (bool, u32)> = HashMap::new();
    for lane in lanes {
        let entry = known.entry(lane.relation.as_str()).or_default();
        if lane.kind == LaneKind::Sweep {
            entry.1 += 1;
        } else {
            entry.0 = true;
        }
    }
    let mut number = lanes.iter().map(|lane| lane.lane_no).max().unwrap_or(-1);
    let done = |relation: &String| known.get(relation.as_str()).map_or(0, |known| known.1);
    let rounds = if relations.len() > 1 { 2 } else { 1 };
    let round = relations.iter().map(done).min().unwrap_or(rounds);
    let mut new = Vec::new();
    for relation in &relations {
        let (sealed, swept) = known.get(relation.as_str()).copied().unwrap_or_default();
        if !sealed && ctx.fingerprints.contains_key(relation) {
            number += 1;
            new.push(whole(relation, number, LaneKind::Range));
        } else if !sealed {
            // The partition was attached after this process started, so its definition was never
            // checked.
            return Err(StoreError::SchemaChanged {
                table: ctx.access.table.label.clone(),
            }
            .into());
        }
        if swept == round && round < rounds {
            number += 1;
            new.push(whole(relation, number, LaneKind::Sweep));
        }
    }
    if new.is_empty() {
        return Ok(false);
    }
    match ctx.store.add_lanes(run_id, &new).await {
        // Another process added the same lanes first.
        Ok(()) | Err(StoreError::RowRefused { .. } | StoreError::OutcomeUnknown) => Ok(true),
        Err(error) if error.next() == Next::Stop => Err(error.into()),
        Err(_) => Ok(true),
    }
}

fn whole(relation: &str, lane_no: i32, kind: LaneKind) -> NewLane {
    NewLane {
        lane_no,
        kind,
        relation: relation.to_owned(),
        lower: None,
        upper: None,
    }
}

/// Waiting for lanes that other workers hold.
#[derive(Default)]
struct LaneWait {
    since: Option<Duration>,
    leases: HashMap<i32, f64>,
}

impl LaneWait {
    /// Waits half a second. If this process got no lane at all, fails with
    /// [`EngineError::LanesHeld`] once a holder renews its lease, or the time of a lease is over.
    async fn wait(
        &mut self,
        ctx: &RunContext,
        open: &[&LaneRecord],
        worked: bool,
    ) -> Result<(), EngineError> {
        let clock = ctx.stop.clock();
        let since = *self.since.get_or_insert_with(|| clock.now());
        let holder = open
            .iter()
            .find_map(|lane| lane.holder.as_deref())
            .map_or_else(|| "nobody".to_owned(), holder::describe);
        let renewed = open.iter().any(|lane| {
            let left = lane.lease_left_seconds.unwrap_or_default();
            self.leases
                .insert(lane.lane_no, left)
                .is_some_and(|before| left > before)
        });
        // [`Store::end_frozen`] ends a frozen holder some seconds after its lease.
        let lease = Duration::from_secs(u64::from(ctx.settings.lease_seconds) + 10);
        if !worked && (renewed || clock.since(since) > lease) {
            return Err(EngineError::LanesHeld {
                table: ctx.access.table.label.clone(),
                holder,
            });
        }
        ctx.events.emit(Event::Waiting {
            why: format!("{} lanes held by {holder}", open.len()),
        });
        ctx.stop.sleep(Duration::from_millis(500)).await;
        Ok(())
    }
}

/// Returns the error for a table that refuses all rows for one cause, naming the triggers that may
/// be that cause.
pub(super) async fn all_refused(ctx: &RunContext, refused: Refusals) -> EngineError {
    let facts = ctx.store.table(&ctx.access.table.name).await.ok().flatten();
    let names: Vec<String> = facts
        .iter()
        .flat_map(|table| &table.triggers)
        .filter(|trigger| trigger.update && trigger.row && trigger.enabled != 'D')
        .map(|trigger| trigger.name.clone())
        .collect();
    EngineError::AllRefused {
        table: ctx.access.table.label.clone(),
        refused: Box::new(refused),
        triggers: match names.is_empty() {
            true => String::new(),
            false => format!(" (triggers of the table: {})", names.join(", ")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_have_few_lanes_and_large_ones_some_to_spare() {
        for (rows, workers, lanes) in [
            (0, 4, 1),
            (1_000_000, 0, 0),
            (19_999, 4, 1),
            (60_000, 4, 4),
            (100_000, 1, 2),
            (100_000, 2, 2),
            (1_000_000, 2, 8),
            (1_000_000_000, 8, 32),
        ] {
            assert_eq!(
                lanes_wanted(rows, workers),
                lanes,
                "{rows} rows, {workers} workers"
            );
        }
    }
}
