//! The run loop over one table: cuts or finds its lanes, works on them, adds sweeps, and ends. Owns
//! the distribution of lanes. Workers of this process and of processes on other hosts claim lanes
//! in the same way; nothing else coordinates them. Does not own the run's record.

mod cut;
mod lane_wait;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::alike::Refusals;
use super::commit::Committer;
use super::context::RunContext;
use super::error::EngineError;
use super::pipeline::{LaneRange, Sink, work_range};
use super::report::Tallied;
use super::sweep::sweep;
use super::window_size::WindowSize;
use crate::store::{BatchWriter, Holder, LaneKind, LaneRecord, NewLane, Next, StoreError};
pub(super) use cut::cut_lanes;
use cut::is_done;
use lane_wait::LaneWait;

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
            return Err(EngineError::interrupted());
        }
        let lanes = ctx.store.lanes(run_id).await?;
        ctx.coverage.refresh(&lanes);
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
                if failure.is_none() || matches!(failure, Some(EngineError::Interrupted { .. })) {
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
            let window_size = Arc::new(WindowSize::default());
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

/// Claims a free lane of a run.
pub(super) async fn claim(
    ctx: &RunContext,
    run_id: i64,
    holder: &Holder,
) -> Result<Option<LaneRecord>, EngineError> {
    let lanes = ctx.store.lanes(run_id).await?;
    ctx.coverage.refresh(&lanes);
    let dead: Vec<Holder> = lanes
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
    // With a distant server, a new connection for each lane would cost about a second.
    let writer = match kept.take() {
        Some(writer) => writer,
        None => ctx.store.writer().await?,
    };
    let mut committer = Committer::new(Arc::clone(ctx), writer, &lane);
    let stamp = committer.stamp();
    let (outcome, stamp) = if lane.kind == LaneKind::Sweep {
        let outcome = sweep(ctx, &mut committer, &lane.relation, tallied).await;
        tallied.sweeps += usize::from(outcome.is_ok());
        let stamp = committer.stamp();
        *kept = outcome.is_ok().then(|| committer.into_writer());
        (outcome, stamp)
    } else {
        let mut range = LaneRange::left(ctx, &lane)?;
        committer.may_be_lost();
        let mut sink = Sink::Committed(Box::new(committer));
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

/// A lane of a whole relation.
pub(super) fn whole(relation: &str, lane_no: i32, kind: LaneKind) -> NewLane {
    NewLane {
        lane_no,
        kind,
        relation: relation.to_owned(),
        lower: None,
        upper: None,
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
