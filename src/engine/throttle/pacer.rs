//! The throttle of a run.
//! Owns the gate that windows pass, the rests between them and the limit of rows a second. The
//! observer opens and closes the gate.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use super::observer::Observer;
use super::{Admission, Throttle, Work, duty};
use crate::engine::stop::Stop;
use crate::store::Store;

/// While a run rests between windows, a batch takes at most about this long. Shorter ones spend most of
/// it on their own round trips, and at the same share of the time the application's tail is the same
/// (docs/decisions/0030).
const SHORT_BATCH: Duration = Duration::from_millis(20);

/// How long a run that has ended waits for its observer.
const END_MAX: Duration = Duration::from_secs(3);

/// Whether windows are admitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Gate {
    /// None is.
    Closed,
    /// They are, in this share of the time.
    Open { duty: f64 },
}

impl Gate {
    /// Whether a run would notice the difference.
    pub fn differs(self, other: Self) -> bool {
        match (self, other) {
            (Self::Open { duty }, Self::Open { duty: other }) => {
                (duty - other).abs() > other * 0.05 || (duty >= 1.0) != (other >= 1.0)
            }
            _ => self != other,
        }
    }
}

/// What admissions and the observer share.
pub(super) struct Shared {
    pub gate: watch::Sender<Gate>,
    pub stop: Stop,
    /// One window at a time while the run rests between them.
    turn: Arc<Semaphore>,
    /// Wakes the probe at the beginning of a window.
    pub begun: Notify,
    /// Whether the run has ended.
    ended: watch::Sender<bool>,
    state: Mutex<State>,
}

/// How long a run works before it rests for the first time: a small table is done by then.
const BEFORE_FIRST_REST: Duration = Duration::from_millis(300);

#[derive(Default)]
struct State {
    /// For how long the run has worked without resting for it.
    worked_freely: Duration,
    /// No window before this moment of the process's clock.
    rests_until: Duration,
    /// The most rows in a second, and when the next row is due.
    rows_per_second_max: Option<u64>,
    next_row: Duration,
    /// Windows that are worked on.
    working: usize,
    rows: u64,
    /// The database's clock less the process's, in microseconds.
    offset: Option<i64>,
    /// Whether an application is active, so that batches are short.
    batches_short: bool,
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is nothing more to watch.
    pub fn is_over(&self) -> bool {
        *self.ended.borrow() || self.stop.is_requested()
    }

    /// Sleeps for a time, or until there is nothing more to watch.
    pub async fn sleep(&self, time: Duration) {
        let mut ended = self.ended.subscribe();
        tokio::select! {
            _ = ended.wait_for(|ended| *ended) => {}
            () = self.stop.sleep(time) => {}
        }
    }

    pub fn now(&self) -> Duration {
        self.stop.clock().now()
    }

    /// The database's present time, in microseconds since 1970; `None` before it was asked.
    pub fn micros(&self) -> Option<i64> {
        let now = i64::try_from(self.now().as_micros()).unwrap_or(i64::MAX);
        self.state().offset.map(|offset| now + offset)
    }

    /// Sets the database's clock to what it said just now.
    pub fn set_micros(&self, micros: i64) {
        let now = i64::try_from(self.now().as_micros()).unwrap_or(i64::MAX);
        self.state().offset = Some(micros - now);
    }

    pub fn limit_rows(&self, rows_per_second_max: Option<u64>) {
        self.state().rows_per_second_max = rows_per_second_max;
    }

    pub fn shorten_batches(&self, batches_short: bool) {
        self.state().batches_short = batches_short;
    }

    /// How many rows were admitted so far.
    pub fn rows(&self) -> u64 {
        self.state().rows
    }

    /// Whether a window is worked on.
    pub fn is_working(&self) -> bool {
        self.state().working > 0
    }

    /// How long the next window has to wait, by rests and limits.
    fn wait(&self, duty: f64) -> Duration {
        let state = self.state();
        let row = (state.rows_per_second_max).map_or(Duration::ZERO, |_| state.next_row);
        let rest = match duty < 1.0 {
            true => state.rests_until,
            false => Duration::ZERO,
        };
        row.max(rest).saturating_sub(self.now())
    }

    /// Waits until the gate may have changed, at most for a time.
    async fn changed(&self, gate: &mut watch::Receiver<Gate>, wait: Duration) {
        tokio::select! {
            biased;
            () = self.stop.requested() => {}
            _ = gate.changed() => {}
            () = self.stop.sleep(wait) => {}
        }
    }
}

/// A window that is worked on; dropped once its rows are committed.
struct Window {
    shared: Arc<Shared>,
    begun: Duration,
    duty: f64,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Work for Window {
    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    fn rows(&self, rows: u64) {
        let now = self.shared.now();
        let mut state = self.shared.state();
        state.rows += rows;
        if let Some(limit) = state.rows_per_second_max {
            let takes = Duration::from_secs_f64(rows as f64 / limit.max(1) as f64);
            state.next_row = state.next_row.max(now) + takes;
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let now = self.shared.now();
        let worked = now.saturating_sub(self.begun);
        let mut state = self.shared.state();
        let rest = match state.worked_freely < BEFORE_FIRST_REST {
            true => Duration::ZERO,
            false => duty::rest_after(worked, self.duty),
        };
        state.worked_freely += worked;
        state.working = state.working.saturating_sub(1);
        state.rests_until = state.rests_until.max(now + rest);
    }
}

/// The throttle of one run over one table. Its tasks end when it is dropped.
pub struct Pacer {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    store: Arc<dyn Store>,
    holder: String,
    table_label: String,
    /// Whether the run reports its pace.
    reports: bool,
}

impl Pacer {
    /// Begins to watch the server; the gate opens after the first look.
    pub fn start(observer: Observer) -> Self {
        let shared = Arc::new(Shared {
            gate: watch::Sender::new(Gate::Closed),
            stop: observer.stop.clone(),
            turn: Arc::new(Semaphore::new(1)),
            begun: Notify::new(),
            ended: watch::Sender::new(false),
            state: Mutex::default(),
        });
        let (store, holder) = (Arc::clone(&observer.store), observer.holder.clone());
        let table_label = observer.access.table.label.clone();
        let reports = observer.records;
        let tasks = observer.start(&shared);
        Self {
            shared,
            tasks: Mutex::new(tasks),
            store,
            holder,
            table_label,
            reports,
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.iter() {
            task.abort();
        }
    }
}

#[async_trait]
impl Throttle for Pacer {
    async fn admit(&self) -> Admission {
        let shared = &self.shared;
        let mut gate = shared.gate.subscribe();
        loop {
            if shared.stop.is_requested() {
                return Admission::default();
            }
            let Gate::Open { duty } = *gate.borrow_and_update() else {
                shared.changed(&mut gate, Duration::from_secs(60)).await;
                continue;
            };
            let turn = match duty < 1.0 {
                true => {
                    let turn = Arc::clone(&shared.turn);
                    tokio::select! {
                        turn = turn.acquire_owned() => turn.ok(),
                        () = shared.changed(&mut gate, Duration::from_secs(60)) => continue,
                    }
                }
                false => None,
            };
            let slice = shared.micros().and_then(duty::resting_for);
            let wait = match slice.filter(|_| duty < 1.0) {
                Some(slice) => slice.max(shared.wait(duty)),
                None => shared.wait(duty),
            };
            if !wait.is_zero() {
                shared.changed(&mut gate, wait).await;
                continue;
            }
            shared.state().working += 1;
            shared.begun.notify_one();
            return Admission(Some(Arc::new(Window {
                shared: Arc::clone(shared),
                begun: shared.now(),
                duty,
                _turn: turn,
            })));
        }
    }

    fn batch_target(&self, target: Duration) -> Duration {
        match self.shared.state().batches_short {
            true => target.min(SHORT_BATCH),
            false => target,
        }
    }

    fn window_rows_max(&self) -> u32 {
        // Four windows a second, so that rows come evenly.
        let limit = self.shared.state().rows_per_second_max;
        limit.map_or(u32::MAX, |rows| {
            u32::try_from(rows / 4).unwrap_or(u32::MAX).max(1)
        })
    }

    async fn end(&self) {
        self.shared.ended.send_replace(true);
        let tasks = {
            let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *tasks)
        };
        for mut task in tasks {
            // A task that is aborted amid a round trip costs a connection.
            if tokio::time::timeout(END_MAX, &mut task).await.is_err() {
                task.abort();
            }
        }
        if !self.reports {
            return;
        }
        let withdrawn = (self.store).withdraw_pace_report(&self.holder, &self.table_label);
        // Best effort: a report that is old does not count.
        let _ = tokio::time::timeout(END_MAX, withdrawn).await;
    }
}
