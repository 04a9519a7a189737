//! Works on one lane from its cursor to its end. Reading, sealing and writing overlap, connected by
//! bounded queues. Owns the order: worked pages of a lane are committed in the order in which they
//! were read. If one fails, the pages that were read ahead are discarded. Does not own commits or
//! the choice of lanes.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::commit::{Committer, NotCommitted};
use super::context::RunContext;
use super::error::EngineError;
use super::pages::Pages;
use super::report::Tallied;
use super::stage_times::{Stage, StageTimes};
use super::sweep::renew;
use super::throttle::Admission;
use super::window_size::WindowSize;
use super::worked_page::{self, WorkedPage};
use crate::run::checkpoint::Slot;
use crate::store::{Bound, LaneRecord, LaneTally, Page, PageRequest, Visibility};

/// Where the worked pages of a lane go.
pub enum Sink {
    /// Into the database, together with the lane's cursor.
    Committed(Box<Committer>),
    /// Nowhere: a verification only counts, and lists what failed.
    Counting,
}

/// A lane's range, with its bounds decoded.
#[derive(Clone)]
pub struct LaneRange {
    /// The number by which [`Coverage`](super::coverage::Coverage) knows it: that of its lane.
    pub number: i32,
    /// The relation to read.
    pub relation: String,
    /// The range begins after this bound.
    pub after: Option<Bound>,
    /// The range ends with this bound.
    pub upto: Option<Bound>,
    /// Which row versions are read.
    pub versions: Visibility,
    /// Whether rows come with the text of their keys; as for rows that are read by themselves.
    pub with_key_text: bool,
}

impl LaneRange {
    /// The request for the range's first window, for the step's main pass.
    pub fn request(&self, ctx: &RunContext) -> PageRequest {
        PageRequest {
            after: self.after.clone(),
            upto: self.upto.clone(),
            versions: self.versions.clone(),
            with_key_text: self.with_key_text,
            ..ctx.request(&self.relation, ctx.step.reads().main, 0)
        }
    }

    /// Returns the part of a lane that is not done yet.
    ///
    /// # Errors
    /// A stored bound that cannot be decoded.
    pub fn left(ctx: &RunContext, lane: &LaneRecord) -> Result<Self, EngineError> {
        let decode = |place: Slot, stored: &Option<Vec<u8>>| {
            stored
                .as_ref()
                .map(|bytes| ctx.checkpoints.decode(lane.lane_no, place, bytes))
                .transpose()
        };
        let lower = decode(Slot::Lower, &lane.lower)?;
        Ok(Self {
            number: lane.lane_no,
            relation: lane.relation.clone(),
            after: decode(Slot::Cursor, &lane.cursor)?.or(lower),
            upto: decode(Slot::Upper, &lane.upper)?,
            versions: Visibility::All,
            with_key_text: false,
        })
    }
}

/// Works on a range to its end. `range.after` follows what is committed.
///
/// # Errors
/// Any error that stops the run. Everything committed stays.
pub async fn work_range(
    ctx: &Arc<RunContext>,
    range: &mut LaneRange,
    sink: &mut Sink,
    tallied: &mut Tallied,
    window_size: &Arc<WindowSize>,
) -> Result<(), EngineError> {
    loop {
        let mut stages = PageStages::start(ctx, range.clone(), window_size);
        let outcome = drain(ctx, range, sink, tallied, &mut stages, window_size).await;
        stages.times.say();
        stages.end().await;
        match outcome {
            Ok(()) => return Ok(()),
            Err(NotCommitted::ReadAgain) => {
                window_size.slower();
                ctx.stop.sleep(Duration::from_millis(200)).await;
            }
            Err(NotCommitted::WentBack(lane)) => {
                let Sink::Committed(committer) = sink else {
                    return Err(EngineError::Worker);
                };
                *range = LaneRange::left(ctx, &lane)?;
                tallied.tally += committer.go_back(&lane);
            }
            Err(NotCommitted::Stop(error)) => return Err(error),
        }
        if ctx.stop.is_requested() {
            return Err(EngineError::interrupted());
        }
    }
}

/// The first window of a range has its size halved this many times, each later one once less.
const FIRST_WINDOWS_SMALLER: u32 = 3;

/// The two stages before the writer: one task reads pages, one seals their values.
struct PageStages {
    times: Arc<StageTimes>,
    worked_pages: mpsc::Receiver<Result<InWindow<WorkedPage>, EngineError>>,
    tasks: Vec<JoinHandle<()>>,
}

impl PageStages {
    fn start(ctx: &Arc<RunContext>, range: LaneRange, window_size: &Arc<WindowSize>) -> Self {
        let (pages_in, mut pages) = mpsc::channel(1);
        let (worked_in, worked_pages) = mpsc::channel(1);
        let times = Arc::new(StageTimes::default());
        let reading = tokio::spawn(read(
            Arc::clone(ctx),
            range,
            Arc::clone(window_size),
            Arc::clone(&times),
            pages_in,
        ));
        let ctx = Arc::clone(ctx);
        let sealing_times = Arc::clone(&times);
        let sealing = tokio::spawn(async move {
            while let Some(item) = pages.recv().await {
                let worked = match item {
                    Ok(InWindow { page, window }) => sealing_times
                        .time(Stage::Sealing, worked_page::work(&ctx, page))
                        .await
                        .map(|page| InWindow { page, window }),
                    Err(error) => Err(error),
                };
                let failed = worked.is_err();
                if worked_in.send(worked).await.is_err() || failed {
                    return;
                }
            }
        });
        Self {
            times,
            worked_pages,
            tasks: vec![reading, sealing],
        }
    }

    /// Discards the pages that were read ahead and waits until both tasks have ended.
    async fn end(mut self) {
        self.worked_pages.close();
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

async fn drain(
    ctx: &Arc<RunContext>,
    range: &mut LaneRange,
    sink: &mut Sink,
    tallied: &mut Tallied,
    stages: &mut PageStages,
    window_size: &WindowSize,
) -> Result<(), NotCommitted> {
    let mut looked_at = 0;
    loop {
        if ctx.stop.is_requested() {
            return Err(EngineError::interrupted().into());
        }
        let Some(worked) = next_page(ctx, sink, stages).await? else {
            return Err(EngineError::Worker.into());
        };
        let InWindow {
            page: worked,
            window,
        } = worked?;
        let begun = ctx.stop.clock().now();
        let mut on_the_way = Duration::ZERO;
        looked_at += window.looked_at;
        let (rows, values) = match sink {
            Sink::Committed(committer) => {
                let done = stages
                    .times
                    .time(
                        Stage::Writing,
                        committer.commit(worked, window.next.as_ref(), window.is_last()),
                    )
                    .await?;
                tallied.add(&done);
                on_the_way = done.on_the_way;
                let LaneTally {
                    rows_found,
                    values_written,
                    ..
                } = done.tally;
                (rows_found.unsigned_abs(), values_written.unsigned_abs())
            }
            Sink::Counting => count(ctx, &worked, tallied).await?,
        };
        if window.closed {
            // Network time does not depend on the window size, so it does not count here.
            let took = ctx.stop.clock().since(begun);
            window_size.on_the_way(on_the_way, took);
            let target = ctx.throttle.batch_target(ctx.settings.batch_target);
            window_size.took(window.rows, took.saturating_sub(on_the_way), target);
            let looked_at = std::mem::take(&mut looked_at);
            (ctx.coverage).moved(range.number, window.next.as_ref(), looked_at);
        }
        ctx.done(rows, values);
        if window.closed {
            match window.next {
                Some(next) => range.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// The next worked page. Renews the lease meanwhile: a run may be paused for hours, and keeps its
/// lanes.
async fn next_page(
    ctx: &RunContext,
    sink: &mut Sink,
    stages: &mut PageStages,
) -> Result<Option<Result<InWindow<WorkedPage>, EngineError>>, NotCommitted> {
    let Sink::Committed(committer) = sink else {
        return Ok(stages.worked_pages.recv().await);
    };
    let third = Duration::from_secs(u64::from(ctx.settings.lease_seconds)) / 3;
    loop {
        tokio::select! {
            biased;
            worked = stages.worked_pages.recv() => return Ok(worked),
            () = ctx.stop.sleep(third) => {}
        }
        if ctx.stop.is_requested() {
            return Err(EngineError::interrupted().into());
        }
        renew(committer).await?;
    }
}

/// Counts the values of a verified worked page, and lists those that failed in the quarantine, if
/// this verification records anything. Returns how many rows and values were opened.
///
/// # Errors
/// Any error of the store.
pub async fn count(
    ctx: &RunContext,
    worked: &WorkedPage,
    tallied: &mut Tallied,
) -> Result<(u64, u64), EngineError> {
    let mut listed = Vec::new();
    for row in worked.rows.iter().filter(|row| !row.work.faults.is_empty()) {
        tallied.failed_row(ctx, row);
        if ctx.records {
            let faults = &row.work.faults;
            listed.extend(ctx.known_faults.list(None, &row.read, &row.key, faults));
        }
    }
    if !listed.is_empty() {
        ctx.store.add_quarantine(&listed).await?;
    }
    tallied.saw(&worked.seen);
    Ok((worked.rows.len() as u64, worked.seen.values_opened()))
}

/// A page on its way through the stages.
struct InWindow<P> {
    page: P,
    window: Window,
}

impl Window {
    /// Whether the page is the last one of its range.
    fn is_last(&self) -> bool {
        self.closed && self.next.is_none()
    }
}

/// The window of a page.
struct Window {
    /// The most rows that it looked at.
    rows: u32,
    /// How many rows of it the page stands for.
    looked_at: u64,
    /// Whether the page is its last one.
    closed: bool,
    /// Where the next window begins, after the last page: the lane's cursor once that is committed.
    next: Option<Bound>,
    /// A permit for a page with a large value; only one such page is in the stages at a time.
    _large: Option<OwnedSemaphorePermit>,
    /// Ends the throttle's window once the page is committed.
    _admission: Admission,
}

async fn read(
    ctx: Arc<RunContext>,
    range: LaneRange,
    window_size: Arc<WindowSize>,
    times: Arc<StageTimes>,
    out: mpsc::Sender<Result<InWindow<Page>, EngineError>>,
) {
    if let Err(error) = read_pages(&ctx, range, &window_size, &times, &out).await {
        let _ = out.send(Err(error)).await;
    }
}

async fn read_pages(
    ctx: &Arc<RunContext>,
    range: LaneRange,
    window_size: &WindowSize,
    times: &StageTimes,
    out: &mpsc::Sender<Result<InWindow<Page>, EngineError>>,
) -> Result<(), EngineError> {
    let mut pages = Pages::new(ctx.page_source(), range.request(ctx));
    let one_large = Arc::new(Semaphore::new(1));
    // No batch is written before the first window was read, so the first windows are small; not on a
    // slow network, where each window costs a round trip.
    let mut smaller = match window_size.is_far() {
        true => 0,
        false => FIRST_WINDOWS_SMALLER,
    };
    let mut window_rows = 0;
    loop {
        let large = if pages.large_left() > 0 {
            // Only one row that is larger than a window is in memory at a time.
            let permit = Arc::clone(&one_large).acquire_owned().await;
            Some(permit.map_err(|_| EngineError::Worker)?)
        } else {
            let target = ctx.throttle.batch_target(ctx.settings.batch_target);
            window_rows = (window_size.rows_for(target) >> smaller).max(1);
            window_rows = window_rows.min(ctx.throttle.window_rows_max());
            smaller = smaller.saturating_sub(1);
            pages.request.rows_max = window_rows;
            None
        };
        let Some(mut streamed) = times.time(Stage::Reading, pages.next()).await? else {
            return Ok(());
        };
        let item = InWindow {
            window: Window {
                rows: window_rows,
                looked_at: streamed.page.looked_at,
                closed: streamed.closes_window,
                next: streamed.page.next.take(),
                _large: large,
                _admission: streamed.admission,
            },
            page: streamed.page,
        };
        if out.send(Ok(item)).await.is_err() {
            return Ok(());
        }
    }
}
