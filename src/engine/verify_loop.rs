//! The loop of a verification: reads every row once and counts, and writes nothing but quarantine
//! entries for what failed. The step judges each row.
//! Owns how each row is read exactly once. In storage order there are two parts: first, range by
//! range, the row versions older than the horizon, which do not move while they live; then, in one
//! snapshot, all others. The loop reads by key if the table has no storage order, if its storage is
//! replaced meanwhile, or if a value cannot be read.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::context::RunContext;
use super::error::EngineError;
use super::events::Event;
use super::pages::{PageSource, Pages};
use super::pipeline::{LaneRange, Sink, count, work_range};
use super::report::Tallied;
use super::run_loop::{cut_lanes, join};
use super::step::{ReadOrder, Reads};
use super::throttle::Unthrottled;
use super::window_size::{ROWS_MAX, WindowSize};
use super::worked_page;
use crate::run::checkpoint::Slot;
use crate::store::{Bound, Extent, Horizon, PageReader, PageRequest, StoreError, Visibility};

/// The share of the work that is done once the first part has ended: the second one scans the same
/// blocks, but opens few rows.
const SINCE_BEGINS: f64 = 0.9;

/// Reads all rows and counts.
///
/// # Errors
/// Any error that stops it; the next verification starts from the beginning.
pub async fn verify_loop(
    ctx: &Arc<RunContext>,
    extents: &[Extent],
) -> Result<Tallied, EngineError> {
    if let order @ ReadOrder::Storage(_) = ctx.step.reads().order
        && let Some(horizons) = horizons(ctx).await?
    {
        if let Some(done) = count_storage(ctx, order, &horizons, extents).await? {
            return Ok(done);
        }
        ctx.events.emit(Event::Notice {
            text: format!(
                "{} was rewritten meanwhile, or holds a value that the server cannot read: starting again, by key",
                ctx.access.table.label
            ),
        });
    }
    let ranges = ranges(ctx, ReadOrder::Keys).await?;
    ctx.coverage.begin_ranges(&ranges, extents, 0.0..1.0);
    count_ranges(ctx, ranges).await
}

/// Reads in storage order. `None` if the table must be read by key instead: its storage was
/// replaced, a partition was added, or a value cannot be read.
async fn count_storage(
    ctx: &Arc<RunContext>,
    order: ReadOrder,
    then: &HashMap<String, Horizon>,
    extents: &[Extent],
) -> Result<Option<Tallied>, EngineError> {
    let mut before = ranges(ctx, order).await?;
    // A relation that had no storage had no rows.
    before.retain(|range| matches!(range.upto, Some(Bound::Heap(_))));
    for range in &mut before {
        let Some(horizon) = then.get(&range.relation) else {
            return Ok(None);
        };
        range.versions = Visibility::Before(horizon.clone());
    }
    let both = (0.0..SINCE_BEGINS, SINCE_BEGINS..1.0);
    ctx.coverage.begin_ranges(&before, extents, both.0);
    let mut done = count_ranges(ctx, before).await?;
    let mut since = range_each(ctx, order).await?;
    for range in &mut since {
        let Some(horizon) = then.get(&range.relation) else {
            return Ok(None);
        };
        range.versions = Visibility::Since(horizon.clone());
    }
    ctx.coverage.begin_ranges(&since, extents, both.1);
    match count_since(ctx, &since).await {
        Ok(came_since) => done.merge(came_since),
        // A row that cannot be read ends the snapshot; reading by key can isolate it.
        Err(EngineError::Store(StoreError::RowRefused { .. })) => return Ok(None),
        Err(error) => return Err(error),
    }
    let Some(now) = horizons(ctx).await? else {
        return Ok(None);
    };
    let stayed = |(relation, horizon): (&String, &Horizon)| {
        now.get(relation)
            .is_some_and(|now| now.storage == horizon.storage)
    };
    Ok(then.iter().all(stayed).then_some(done))
}

/// The present horizon of each relation; `None` if one of them has no storage order.
async fn horizons(ctx: &RunContext) -> Result<Option<HashMap<String, Horizon>>, EngineError> {
    let mut horizons = HashMap::new();
    for relation in ctx.store.relations(&ctx.access).await? {
        match ctx.store.horizon(&relation).await? {
            Some(horizon) => horizons.insert(relation, horizon),
            None => return Ok(None),
        };
    }
    Ok(Some(horizons))
}

/// Cuts the table into ranges, a few for each worker.
async fn ranges(ctx: &RunContext, order: ReadOrder) -> Result<Vec<LaneRange>, EngineError> {
    cut(ctx, order, ctx.settings.workers).await
}

/// Makes one range of each relation.
async fn range_each(ctx: &RunContext, order: ReadOrder) -> Result<Vec<LaneRange>, EngineError> {
    cut(ctx, order, 0).await
}

async fn cut(
    ctx: &RunContext,
    order: ReadOrder,
    workers: u32,
) -> Result<Vec<LaneRange>, EngineError> {
    let (store, checkpoints) = (ctx.store.as_ref(), &ctx.checkpoints);
    let reads = Reads {
        order,
        ..ctx.step.reads()
    };
    let lanes = cut_lanes(store, &ctx.access, checkpoints, workers, &reads).await?;
    let decode = |lane_no, place, stored: Option<&Vec<u8>>| {
        stored
            .map(|bytes| checkpoints.decode(lane_no, place, bytes))
            .transpose()
    };
    lanes
        .iter()
        .map(|lane| {
            Ok(LaneRange {
                number: lane.lane_no,
                relation: lane.relation.clone(),
                after: decode(lane.lane_no, Slot::Lower, lane.lower.as_ref())?,
                upto: decode(lane.lane_no, Slot::Upper, lane.upper.as_ref())?,
                versions: Visibility::All,
                with_key_text: matches!(order, ReadOrder::Keys),
            })
        })
        .collect()
}

async fn count_ranges(
    ctx: &Arc<RunContext>,
    ranges: Vec<LaneRange>,
) -> Result<Tallied, EngineError> {
    let queue = Arc::new(tokio::sync::Mutex::new(ranges.into_iter()));
    let mut workers = JoinSet::new();
    for _ in 0..ctx.settings.workers {
        let ctx = Arc::clone(ctx);
        let queue = Arc::clone(&queue);
        workers.spawn(async move {
            let mut tallied = Tallied::default();
            let window_size = Arc::new(WindowSize::default());
            loop {
                let Some(mut range) = queue.lock().await.next() else {
                    return Ok(tallied);
                };
                tallied.lanes += 1;
                work_range(
                    &ctx,
                    &mut range,
                    &mut Sink::Counting,
                    &mut tallied,
                    &window_size,
                )
                .await?;
            }
        });
    }
    join(ctx, workers).await
}

/// Counts the row versions made since the horizons, in one snapshot of all relations. In several
/// snapshots, a row that changes again and again could always be on the other side of the present
/// position, and a row that moves to another partition could be missed in both. Starts again if the
/// snapshot is lost.
async fn count_since(ctx: &Arc<RunContext>, ranges: &[LaneRange]) -> Result<Tallied, EngineError> {
    let mut patience = ctx.patience();
    loop {
        match count_snapshot(ctx, ranges).await {
            Ok(done) => return Ok(done),
            Err(EngineError::Store(error)) => patience.wait(ctx, error).await?,
            Err(error) => return Err(error),
        }
    }
}

async fn count_snapshot(
    ctx: &Arc<RunContext>,
    ranges: &[LaneRange],
) -> Result<Tallied, EngineError> {
    let mut tallied = Tallied::default();
    // The reader keeps its snapshot from one window with [`Visibility::Since`] to the next.
    let mut reader = ctx.store.reader().await?;
    for range in ranges {
        reader = count_range(ctx, reader, range, &mut tallied).await?;
    }
    Ok(tallied)
}

/// Counts one range through this reader, and returns the reader, which still holds its snapshot.
async fn count_range(
    ctx: &Arc<RunContext>,
    reader: Box<dyn PageReader>,
    range: &LaneRange,
    tallied: &mut Tallied,
) -> Result<Box<dyn PageReader>, EngineError> {
    // Another connection would have another snapshot, so a failed read is not repeated here.
    // It does not rest either: while a snapshot is held, vacuum removes no dead rows of the application.
    let source = PageSource {
        patience: None,
        throttle: Arc::new(Unthrottled),
        ..ctx.page_source()
    };
    let request = PageRequest {
        rows_max: ROWS_MAX,
        ..range.request(ctx)
    };
    let mut pages = Pages::through(source, request, reader);
    while let Some(streamed) = pages.next().await? {
        let (looked_at, next) = (streamed.page.looked_at, streamed.page.next.clone());
        let worked = worked_page::work(ctx, streamed.page).await?;
        let (rows, values) = count(ctx, &worked, tallied).await?;
        if streamed.closes_window {
            ctx.coverage.moved(range.number, next.as_ref(), looked_at);
        }
        ctx.done(rows, values);
    }
    pages.into_reader().ok_or(EngineError::Worker)
}
