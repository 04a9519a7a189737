//! One lane, worked from its cursor to its end: reading, sealing and writing overlap through
//! bounded queues.
//! Owns the order: parcels of a lane are committed as they were read. A failure discards what was
//! read ahead; pages die with their connection.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

use super::clock::{Clock, Stage};
use super::commit::{Committer, NotCommitted};
use super::context::{Context, VALUE_BYTES_CEILING};
use super::error::EngineError;
use super::events::Event;
use super::pace::Pace;
use super::parcel::{self, Parcel};
use super::report::Tallied;
use super::retry::Patience;
use crate::run::checkpoint::Place;
use crate::store::{
    Cursor, LaneRecord, Locator, Mark, Page, PageReader, PageRequest, PageRow, StoreError, Versions,
};

/// Where the parcels of a lane go.
pub enum Sink {
    /// Into the database, with a checkpoint.
    Durable(Committer),
    /// Nowhere: a verification only counts, and lists what failed.
    Counting,
}

/// A lane's range, decoded.
#[derive(Clone)]
pub struct Range {
    /// The relation.
    pub relation: String,
    /// Begin behind this.
    pub after: Option<Mark>,
    /// End with this.
    pub upto: Option<Mark>,
    /// Which versions of rows are looked at.
    pub versions: Versions,
    /// Rows come with their keys' text: see [`Windows::single`].
    pub with_key_text: bool,
}

impl Range {
    /// The part of a lane that is still to be done.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub fn left(ctx: &Context, lane: &LaneRecord) -> Result<Self, EngineError> {
        let decode = |place: Place, stored: &Option<Vec<u8>>| {
            stored
                .as_ref()
                .map(|bytes| ctx.checkpoints.decode(lane.lane_no, place, bytes))
                .transpose()
        };
        let lower = decode(Place::Lower, &lane.lower)?;
        Ok(Self {
            relation: lane.relation.clone(),
            after: decode(Place::Cursor, &lane.cursor)?.or(lower),
            upto: decode(Place::Upper, &lane.upper)?,
            versions: Versions::All,
            with_key_text: false,
        })
    }
}

/// Works a range to its end; `range.after` follows what is committed.
///
/// # Errors
/// What stops the run. Everything committed stays.
pub async fn work_range(
    ctx: &Arc<Context>,
    range: &mut Range,
    sink: &mut Sink,
    tallied: &mut Tallied,
    pace: &Arc<Pace>,
) -> Result<(), EngineError> {
    loop {
        let mut stages = Stages::start(ctx, range.clone(), pace);
        let outcome = drain(ctx, range, sink, tallied, &mut stages, pace).await;
        stages.clock.say();
        stages.end().await;
        match outcome {
            Ok(()) => return Ok(()),
            Err(NotCommitted::ReadAgain) => {
                pace.slower();
                ctx.stop.sleep(std::time::Duration::from_millis(200)).await;
            }
            Err(NotCommitted::Stop(error)) => return Err(error),
        }
        if ctx.stop.is_wished() {
            return Err(EngineError::Interrupted);
        }
    }
}

/// The first window of a range is this many halvings smaller than the pace, the next one less.
const FIRST_WINDOWS_SMALLER: u32 = 3;

/// The stages before the writer: one reads, one seals.
struct Stages {
    clock: Arc<Clock>,
    parcels: mpsc::Receiver<Result<Parcel, EngineError>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Stages {
    fn start(ctx: &Arc<Context>, range: Range, pace: &Arc<Pace>) -> Self {
        let (pages_in, mut pages) = mpsc::channel(1);
        let (parcels_in, parcels) = mpsc::channel(1);
        let clock = Arc::new(Clock::default());
        let reading = tokio::spawn(read(
            Arc::clone(ctx),
            range,
            Arc::clone(pace),
            Arc::clone(&clock),
            pages_in,
        ));
        let ctx = Arc::clone(ctx);
        let sealed_by = Arc::clone(&clock);
        let sealing = tokio::spawn(async move {
            while let Some(item) = pages.recv().await {
                let parcel = match item {
                    Ok(Read {
                        page,
                        window_rows,
                        closes_window,
                        large,
                    }) => sealed_by
                        .time(Stage::Sealing, parcel::work(&ctx, page))
                        .await
                        .map(|parcel| Parcel {
                            window_rows,
                            closes_window,
                            _large: large,
                            ..parcel
                        }),
                    Err(error) => Err(error),
                };
                let failed = parcel.is_err();
                if parcels_in.send(parcel).await.is_err() || failed {
                    return;
                }
            }
        });
        Self {
            clock,
            parcels,
            tasks: vec![reading, sealing],
        }
    }

    /// Discards what was read ahead and waits for the stages to be gone.
    async fn end(mut self) {
        self.parcels.close();
        for task in self.tasks {
            task.abort();
            let _ = task.await;
        }
    }
}

async fn drain(
    ctx: &Arc<Context>,
    range: &mut Range,
    sink: &mut Sink,
    tallied: &mut Tallied,
    stages: &mut Stages,
    pace: &Pace,
) -> Result<(), NotCommitted> {
    loop {
        if ctx.stop.is_wished() {
            return Err(EngineError::Interrupted.into());
        }
        let Some(parcel) = stages.parcels.recv().await else {
            return Err(EngineError::Worker.into());
        };
        let parcel = parcel?;
        let next = parcel.next.clone();
        let (window_rows, closes_window) = (parcel.window_rows, parcel.closes_window);
        let begun = Instant::now();
        let mut on_the_way = Duration::ZERO;
        let event = match sink {
            Sink::Durable(committer) => {
                let done = stages
                    .clock
                    .time(Stage::Writing, committer.commit(parcel))
                    .await?;
                tallied.add(&done);
                on_the_way = done.on_the_way;
                Event::Batch {
                    rows: done.tally.rows_found.unsigned_abs(),
                    values: done.tally.values_written.unsigned_abs(),
                }
            }
            Sink::Counting => count(ctx, &parcel, tallied).await?,
        };
        if closes_window {
            // A larger window makes the way no longer.
            let took = begun.elapsed();
            pace.on_the_way(on_the_way, took);
            pace.took(window_rows, took.saturating_sub(on_the_way));
        }
        ctx.events.emit(event);
        if closes_window {
            match next {
                Some(next) => range.after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// Counts a verified parcel, and lists what failed.
///
/// # Errors
/// What the store reports.
pub async fn count(
    ctx: &Context,
    parcel: &Parcel,
    tallied: &mut Tallied,
) -> Result<Event, EngineError> {
    let mut listed = Vec::new();
    for row in parcel.rows.iter().filter(|row| !row.work.faults.is_empty()) {
        tallied.failed_row(ctx, row);
        listed.extend(ctx.book.list(None, &row.read, &row.key, &row.work.faults));
    }
    if !listed.is_empty() {
        ctx.store.add_quarantine(&listed).await?;
    }
    tallied.saw(&parcel.seen);
    Ok(Event::Batch {
        rows: parcel.rows.len() as u64,
        values: parcel.seen.values_opened(),
    })
}

/// A page on its way to the step.
struct Read {
    page: Page,
    window_rows: u32,
    closes_window: bool,
    large: Option<tokio::sync::OwnedSemaphorePermit>,
}

async fn read(
    ctx: Arc<Context>,
    range: Range,
    pace: Arc<Pace>,
    clock: Arc<Clock>,
    out: mpsc::Sender<Result<Read, EngineError>>,
) {
    if let Err(error) = read_windows(&ctx, range, &pace, &clock, &out).await {
        let _ = out.send(Err(error)).await;
    }
}

async fn read_windows(
    ctx: &Arc<Context>,
    range: Range,
    pace: &Pace,
    clock: &Clock,
    out: &mpsc::Sender<Result<Read, EngineError>>,
) -> Result<(), EngineError> {
    let mut windows = Windows::new(ctx, range).await?;
    let one_large = Arc::new(Semaphore::new(1));
    // Nothing is written until the first window is read, so the first ones are small, unless each costs its way.
    let mut smaller = match pace.is_far() {
        true => 0,
        false => FIRST_WINDOWS_SMALLER,
    };
    loop {
        let rows = (pace.rows() >> smaller).max(1);
        smaller = smaller.saturating_sub(1);
        windows.request.rows_max = rows;
        let mut page = clock.time(Stage::Reading, windows.next()).await?;
        let large: Vec<PageRow> = page.rows.extract_if(.., |row| row.large).collect();
        let end = page.next.clone();
        let closes = large.is_empty();
        if !send(out, rows, page, closes, None).await {
            return Ok(());
        }
        let count = large.len();
        for (at, row) in large.into_iter().enumerate() {
            // Values beyond what a window holds are under way one at a time.
            let Ok(permit) = Arc::clone(&one_large).acquire_owned().await else {
                return Err(EngineError::Worker);
            };
            let mut single = windows.single(&row).await?;
            let last = at + 1 == count;
            single.next = end.clone().filter(|_| last);
            if !send(out, rows, single, last, Some(permit)).await {
                return Ok(());
            }
        }
        if end.is_none() {
            return Ok(());
        }
    }
}

async fn send(
    out: &mpsc::Sender<Result<Read, EngineError>>,
    window_rows: u32,
    page: Page,
    closes_window: bool,
    large: Option<tokio::sync::OwnedSemaphorePermit>,
) -> bool {
    out.send(Ok(Read {
        page,
        window_rows,
        closes_window,
        large,
    }))
    .await
    .is_ok()
}

/// Windows of a range, read one after another, through failures of the connection.
pub struct Windows {
    ctx: Arc<Context>,
    reader: Option<Box<dyn PageReader>>,
    /// The next window.
    pub request: PageRequest,
    /// Rows that a window may look at while a row that cannot be read is looked for.
    narrow: Option<u32>,
    /// Rows come without their values.
    without_values: bool,
}

/// What is read in one round trip.
enum Wanted<'a> {
    Window,
    Version(&'a Locator),
    Current(&'a Cursor),
}

impl Windows {
    /// The windows of a range for the step's main pass.
    ///
    /// # Errors
    /// No connection for reading.
    pub async fn new(ctx: &Arc<Context>, range: Range) -> Result<Self, EngineError> {
        let mut request = ctx.request(&range.relation, ctx.step.reads().main, 0);
        request.after = range.after;
        request.upto = range.upto;
        request.versions = range.versions;
        request.with_key_text = range.with_key_text;
        Ok(Self {
            ctx: Arc::clone(ctx),
            reader: None,
            request,
            narrow: None,
            without_values: false,
        })
    }

    /// Reads the next window and moves on behind it. Where the database cannot read a value in it, the window
    /// is halved until that row stands alone: it comes without values, and says so.
    ///
    /// # Errors
    /// What does not get better by trying again.
    pub async fn next(&mut self) -> Result<Page, EngineError> {
        let wanted = self.request.rows_max;
        let mut rows = self.narrow.map_or(wanted, |narrow| narrow.min(wanted));
        let page = loop {
            self.request.rows_max = rows;
            match self.read(&Wanted::Window).await {
                Err(EngineError::Store(StoreError::Data { .. })) if rows > 1 => rows /= 2,
                Err(EngineError::Store(StoreError::Data { sqlstate, .. })) => {
                    break self.refused(&Wanted::Window, &sqlstate).await;
                }
                read => break read,
            }
        };
        self.request.rows_max = wanted;
        self.narrow = (rows < wanted).then(|| rows.saturating_mul(2));
        let page = page?;
        if let Some(next) = &page.next {
            self.request.after = Some(next.clone());
        }
        Ok(page)
    }

    /// Reads one row whole; it stays marked large only where it is above the ceiling. Where it changed
    /// meanwhile, it comes as it is now if the text of its key is known, and else not at all.
    ///
    /// # Errors
    /// As [`Windows::next`].
    pub async fn single(&mut self, row: &PageRow) -> Result<Page, EngineError> {
        let version = Wanted::Version(&row.locator);
        let page = match self.read(&version).await {
            Err(EngineError::Store(StoreError::Data { sqlstate, .. })) => {
                self.refused(&version, &sqlstate).await
            }
            read => read,
        }?;
        match &row.key_text {
            // What is looked for at a moment is met elsewhere once it changed.
            Some(key) if page.rows.is_empty() && self.request.versions == Versions::All => {
                self.read(&Wanted::Current(key)).await
            }
            _ => Ok(page),
        }
    }

    /// The same rows without the values, of which the database cannot read one.
    async fn refused(&mut self, wanted: &Wanted<'_>, sqlstate: &str) -> Result<Page, EngineError> {
        self.without_values = true;
        let page = self.read(wanted).await;
        self.without_values = false;
        let mut page = page?;
        for row in page.rows.iter_mut().filter(|row| row.large) {
            row.large = false;
            row.refused = Some(sqlstate.to_owned());
        }
        Ok(page)
    }

    async fn read(&mut self, wanted: &Wanted<'_>) -> Result<Page, EngineError> {
        let mut patience = Patience::new(self.ctx.settings.patience);
        loop {
            match self.attempt(wanted).await {
                Ok(page) => return Ok(page),
                Err(error) => {
                    self.reader = None;
                    patience.wait(&self.ctx, error).await?;
                }
            }
        }
    }

    async fn attempt(&mut self, wanted: &Wanted<'_>) -> Result<Page, StoreError> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => self.ctx.store.reader().await?,
        };
        let limited = |value_bytes_max| PageRequest {
            value_bytes_max,
            ..self.request.clone()
        };
        let whole = || match self.without_values {
            true => limited(0),
            false => limited(VALUE_BYTES_CEILING),
        };
        let target = &self.ctx.target;
        let page = match wanted {
            Wanted::Window if self.without_values => reader.page(target, &limited(0)).await?,
            Wanted::Window => reader.page(target, &self.request).await?,
            Wanted::Version(locator) => {
                let locators = std::slice::from_ref(*locator);
                reader.rows(target, &whole(), locators).await?
            }
            Wanted::Current(key) => {
                let keys = std::slice::from_ref(*key);
                reader.current(target, &whole(), keys).await?
            }
        };
        self.reader = Some(reader);
        Ok(page)
    }
}
