//! Counting through a table: a verification, which writes nothing but what failed.
//! Owns how every row is met once. In the order of storage that is in two parts: what was there at a
//! moment, range by range, which stands still for as long as it lives; then, in one snapshot, what
//! came since. Where places mean something else by then, or there is no such order, by keys.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::conduct::{cut_lanes, join};
use super::context::{Context, VALUE_BYTES_CEILING};
use super::error::EngineError;
use super::events::Event;
use super::pace::{Pace, ROWS_MAX};
use super::parcel;
use super::pipeline::{Range, Sink, count, work_range};
use super::report::Tallied;
use super::retry::Patience;
use super::step::{Order, Reads};
use crate::run::checkpoint::Place;
use crate::store::{Mark, Moment, PageReader, PageRequest, StoreError, Versions};

/// Counts through all rows.
///
/// # Errors
/// What stops it; it begins anew next time.
pub async fn count_through(ctx: &Arc<Context>) -> Result<Tallied, EngineError> {
    if let order @ Order::Storage(_) = ctx.step.reads().order
        && let Some(moments) = moments(ctx).await?
    {
        if let Some(done) = count_storage(ctx, order, &moments).await? {
            return Ok(done);
        }
        ctx.events.emit(Event::Waiting {
            why: "the table was rewritten meanwhile, or holds a value that cannot be read, and is begun again"
                .to_owned(),
        });
    }
    let ranges = ranges(ctx, Order::Keys).await?;
    count_ranges(ctx, ranges).await
}

/// `None` where storage was exchanged meanwhile, so that nobody knows what was met.
async fn count_storage(
    ctx: &Arc<Context>,
    order: Order,
    then: &HashMap<String, Moment>,
) -> Result<Option<Tallied>, EngineError> {
    let mut before = ranges(ctx, order).await?;
    // Where there is no storage, there was nothing.
    before.retain(|range| matches!(range.upto, Some(Mark::Heap(_))));
    for range in &mut before {
        let Some(moment) = then.get(&range.relation) else {
            return Ok(None);
        };
        range.versions = Versions::Before(moment.clone());
    }
    let mut done = count_ranges(ctx, before).await?;
    let mut since = lane_each(ctx, order).await?;
    for range in &mut since {
        let Some(moment) = then.get(&range.relation) else {
            return Ok(None);
        };
        range.versions = Versions::Since(moment.clone());
    }
    match count_since(ctx, &since).await {
        Ok(came_since) => done.merge(came_since),
        // A row that cannot be read ends the snapshot; by keys, it is found.
        Err(EngineError::Store(StoreError::Data { .. })) => return Ok(None),
        Err(error) => return Err(error),
    }
    let Some(now) = moments(ctx).await? else {
        return Ok(None);
    };
    let stayed = |(relation, moment): (&String, &Moment)| {
        now.get(relation)
            .is_some_and(|now| now.storage == moment.storage)
    };
    Ok(then.iter().all(stayed).then_some(done))
}

/// This moment, for each relation; `None` where one cannot be looked back to.
async fn moments(ctx: &Context) -> Result<Option<HashMap<String, Moment>>, EngineError> {
    let mut moments = HashMap::new();
    for relation in ctx.store.relations(&ctx.target).await? {
        match ctx.store.moment(&relation).await? {
            Some(moment) => moments.insert(relation, moment),
            None => return Ok(None),
        };
    }
    Ok(Some(moments))
}

/// The table cut into ranges, a few for each worker.
async fn ranges(ctx: &Context, order: Order) -> Result<Vec<Range>, EngineError> {
    cut(ctx, order, ctx.settings.workers).await
}

/// A range for each relation.
async fn lane_each(ctx: &Context, order: Order) -> Result<Vec<Range>, EngineError> {
    cut(ctx, order, 0).await
}

async fn cut(ctx: &Context, order: Order, workers: u32) -> Result<Vec<Range>, EngineError> {
    let (store, checkpoints) = (ctx.store.as_ref(), &ctx.checkpoints);
    let reads = Reads {
        order,
        ..ctx.step.reads()
    };
    let lanes = cut_lanes(store, &ctx.target, checkpoints, workers, &reads).await?;
    let decode = |lane_no, place, stored: Option<&Vec<u8>>| {
        stored
            .map(|bytes| checkpoints.decode(lane_no, place, bytes))
            .transpose()
    };
    lanes
        .iter()
        .map(|lane| {
            Ok(Range {
                relation: lane.relation.clone(),
                after: decode(lane.lane_no, Place::Lower, lane.lower.as_ref())?,
                upto: decode(lane.lane_no, Place::Upper, lane.upper.as_ref())?,
                versions: Versions::All,
                with_key_text: matches!(order, Order::Keys),
            })
        })
        .collect()
}

async fn count_ranges(ctx: &Arc<Context>, ranges: Vec<Range>) -> Result<Tallied, EngineError> {
    let queue = Arc::new(tokio::sync::Mutex::new(ranges.into_iter()));
    let mut workers = JoinSet::new();
    for _ in 0..ctx.settings.workers {
        let ctx = Arc::clone(ctx);
        let queue = Arc::clone(&queue);
        workers.spawn(async move {
            let mut tallied = Tallied::default();
            let pace = Arc::new(Pace::new(ctx.settings.batch_target));
            loop {
                let Some(mut range) = queue.lock().await.next() else {
                    return Ok(tallied);
                };
                tallied.lanes += 1;
                work_range(&ctx, &mut range, &mut Sink::Counting, &mut tallied, &pace).await?;
            }
        });
    }
    join(ctx, workers).await
}

/// Counts what came since a moment, in one snapshot of all relations: a row that is changed again and
/// again would else be now behind and now before the place that is looked at, and one that moves to
/// another partition in neither. Begun again where the snapshot is lost.
async fn count_since(ctx: &Arc<Context>, ranges: &[Range]) -> Result<Tallied, EngineError> {
    let mut patience = Patience::new(ctx.settings.patience);
    loop {
        match count_snapshot(ctx, ranges).await {
            Ok(done) => return Ok(done),
            Err(EngineError::Store(error)) => patience.wait(ctx, error).await?,
            Err(error) => return Err(error),
        }
    }
}

async fn count_snapshot(ctx: &Arc<Context>, ranges: &[Range]) -> Result<Tallied, EngineError> {
    let mut tallied = Tallied::default();
    // The reader keeps its snapshot from one window that looks back to the next.
    let mut reader = ctx.store.reader().await?;
    for range in ranges {
        count_range(ctx, reader.as_mut(), range, &mut tallied).await?;
    }
    Ok(tallied)
}

async fn count_range(
    ctx: &Arc<Context>,
    reader: &mut dyn PageReader,
    range: &Range,
    tallied: &mut Tallied,
) -> Result<(), EngineError> {
    let reads = ctx.step.reads();
    let mut request = PageRequest {
        after: range.after.clone(),
        upto: range.upto.clone(),
        versions: range.versions.clone(),
        ..ctx.request(&range.relation, reads.main, ROWS_MAX)
    };
    let whole = PageRequest {
        value_bytes_max: VALUE_BYTES_CEILING,
        ..request.clone()
    };
    loop {
        if ctx.stop.is_wished() {
            return Err(EngineError::Interrupted);
        }
        let mut page = reader.page(&ctx.target, &request).await?;
        let next = page.next.take();
        let large: Vec<_> = page.rows.extract_if(.., |row| row.large).collect();
        let mut pages = vec![page];
        for row in large {
            pages.push(reader.rows(&ctx.target, &whole, &[row.locator]).await?);
        }
        for page in pages {
            let parcel = parcel::work(ctx, page).await?;
            let event = count(ctx, &parcel, tallied).await?;
            ctx.events.emit(event);
        }
        match next {
            Some(next) => request.after = Some(next),
            None => return Ok(()),
        }
    }
}
