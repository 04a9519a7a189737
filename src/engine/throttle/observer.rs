//! Watches the server, the requests of operators and the probe, and opens or closes a run's gate.
//! Owns how often each is asked, and what the run says about itself. The judgement is in `stops.rs`,
//! `activity.rs` and `duty.rs`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::task::JoinHandle;

use super::activity::{Count, Counts};
use super::duty::{self, Samples};
use super::pacer::{Gate, Shared};
use super::stops::{STALE, Stops};
use super::wanted::Wanted;
use crate::engine::events::{Event, EventSink};
use crate::engine::stop::Stop;
use crate::pace::Pace;
use crate::plan::pace::PaceSettings;
use crate::store::{Access, PaceReport, Result, RunKind, Store, WaitingSession};

/// The pause between two looks at the server's activity.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The same for a table that is followed all day.
pub const LOOK_SELDOM: Duration = Duration::from_secs(1);
/// How often requests are read, the share of time is set, and the conditions are read, at most.
const REQUESTS_EVERY: Duration = Duration::from_millis(500);
const DUTY_EVERY: Duration = Duration::from_secs(1);
const CONDITIONS_EVERY: Duration = Duration::from_secs(2);
/// A look that takes longer has failed.
const LOOK_MAX: Duration = Duration::from_secs(5);
/// A wait that is shorter is not spoken of.
const SAID_AFTER: Duration = Duration::from_secs(1);
/// The pause between two probes.
const PROBE_EVERY: Duration = Duration::from_millis(100);
/// After so many failures, what does not work is said.
const FAILS_OFTEN: u32 = 4;
const NOT_SEEN: &str = "the server does not tell how busy it is, so runs rest as if it were; `phiseal speed fast` ends that";
const NO_PROBE: &str = "the probe of the pace fails, so runs rest as much as at their beginning; `phiseal speed fast` ends that";
/// A report of another process that is older does not count.
const LIVE: f64 = 5.0;

/// What is watched, and for which run.
pub struct Observer {
    /// The database; its methods must not repeat what failed.
    pub store: Arc<dyn Store>,
    /// The pace that the plan wants.
    pub settings: PaceSettings,
    /// Receives what the run waits for.
    pub events: Arc<dyn EventSink>,
    /// The request to stop.
    pub stop: Stop,
    /// The table.
    pub access: Arc<Access>,
    /// The kind of run.
    pub kind: RunKind,
    /// The run; `None` for a verification.
    pub run_id: Option<i64>,
    /// This process.
    pub holder: String,
    /// The pause between two looks.
    pub look_every: Duration,
    /// Whether anything is written to the database. If not, the probe only reads, and the run does
    /// not report its pace.
    pub records: bool,
}

impl Observer {
    /// Starts to watch, and to probe.
    pub(super) fn start(self, shared: &Arc<Shared>) -> Vec<JoinHandle<()>> {
        let samples = Arc::new(Mutex::new(Samples::default()));
        let probing = probe(
            Arc::clone(&self.store),
            Arc::clone(&self.events),
            Arc::clone(shared),
            Arc::clone(&samples),
            self.records,
        );
        let watching = watch(self, Arc::clone(shared), samples);
        vec![tokio::spawn(watching), tokio::spawn(probing)]
    }
}

/// What is known so far.
struct Known {
    wanted: Wanted,
    counts: Counts,
    stops: Stops,
    idle: bool,
    duty: f64,
    /// Processes of phiseal that report, this one included.
    processes: usize,
    their_transactions: u64,
    activity_at: Option<Duration>,
    looks_failed: u32,
    conditions_at: Option<Duration>,
    activity_stop: Option<String>,
    conditions_stop: Option<String>,
    /// Why the gate is closed, and since when.
    closed: Option<(String, Duration)>,
    said: bool,
    reported: Option<String>,
    rows_before: (Duration, u64),
}

async fn watch(observer: Observer, shared: Arc<Shared>, samples: Arc<Mutex<Samples>>) {
    let now = shared.now();
    let mut known = Known {
        wanted: Wanted::of(&observer.settings, &[], ""),
        counts: Counts::default(),
        stops: Stops::default(),
        idle: false,
        duty: duty::FIRST,
        processes: 1,
        their_transactions: 0,
        activity_at: None,
        looks_failed: 0,
        conditions_at: None,
        activity_stop: None,
        conditions_stop: None,
        closed: None,
        said: false,
        reported: None,
        rows_before: (now, 0),
    };
    let mut due = [now; 3];
    while !shared.is_over() {
        let now = shared.now();
        let mut is_due = |at: usize, every: Duration| {
            let is_due = now >= due[at];
            if is_due {
                due[at] = now + every;
            }
            is_due
        };
        let looks = is_due(1, CONDITIONS_EVERY);
        if is_due(0, REQUESTS_EVERY) {
            observer.requests(&mut known).await;
        }
        observer.activity(&mut known, &shared).await;
        if looks {
            observer.conditions(&mut known, shared.now()).await;
        }
        if is_due(2, DUTY_EVERY) {
            let samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
            known.duty = duty::next(known.duty, samples.slowdown());
        }
        observer.decide(&mut known, &shared);
        observer.say(&mut known, &shared);
        let waits = known.closed.as_ref().map(|(why, _)| why.clone());
        if looks || waits != known.reported {
            observer.report(&mut known, &shared, waits).await;
        }
        shared.sleep(observer.look_every).await;
    }
}

/// Awaits a look, not for long; `None` if it failed.
async fn quickly<T>(look: impl Future<Output = Result<T>>) -> Option<T> {
    tokio::time::timeout(LOOK_MAX, look).await.ok()?.ok()
}

impl Observer {
    fn label(&self) -> &str {
        &self.access.table.label
    }

    async fn requests(&self, known: &mut Known) {
        if let Some(requests) = quickly(self.store.pace_requests()).await {
            known.wanted = Wanted::of(&self.settings, &requests, self.label());
        }
    }

    async fn activity(&self, known: &mut Known, shared: &Shared) {
        let looked = quickly(self.store.activity(&self.access.table)).await;
        let now = shared.now();
        match looked {
            Some(Some(activity)) => {
                shared.set_micros(activity.micros);
                known.activity_at = Some(now);
                let ours = self.store.transactions_begun() + known.their_transactions;
                known.idle = known.counts.add(Count {
                    at: now,
                    other_sessions: activity.other_sessions,
                    server: activity.transactions,
                    ours,
                    in_company: known.processes > 1,
                });
                known.activity_stop = known.stops.of_activity(&self.settings, &activity, now);
                if known.wanted.pace != Pace::Fast {
                    self.give_way(&known.stops.late).await;
                }
            }
            // A database without such signals.
            Some(None) => {
                shared.set_micros(system_micros());
                known.idle = true;
            }
            None => {
                known.looks_failed += 1;
                if known.activity_at.is_none() && known.looks_failed == FAILS_OFTEN {
                    say_once(self.events.as_ref(), NOT_SEEN);
                }
            }
        }
    }

    /// Gives up the batches that another session has waited for.
    async fn give_way(&self, late: &[WaitingSession]) {
        let ours: Vec<i32> = late.iter().filter_map(|one| one.ours).collect();
        if !ours.is_empty() {
            let _ = quickly(self.store.give_way(&ours)).await;
        }
    }

    async fn conditions(&self, known: &mut Known, now: Duration) {
        let Some(Some(conditions)) = quickly(self.store.conditions(&self.access.table)).await
        else {
            return;
        };
        known.conditions_at = Some(now);
        known.conditions_stop = known.stops.of_conditions(&self.settings, &conditions, now);
        for signal in &conditions.not_readable {
            let text = format!("the pace does not depend on {signal}: the role may not read it");
            say_once(self.events.as_ref(), &text);
        }
    }

    /// Opens or closes the gate.
    fn decide(&self, known: &mut Known, shared: &Shared) {
        let now = shared.now();
        let stale = |at: Option<Duration>| at.is_some_and(|at| now.saturating_sub(at) > STALE);
        let is_stale = stale(known.activity_at) || stale(known.conditions_at);
        let micros = shared.micros().unwrap_or_else(system_micros);
        let why = (known.wanted.stop(&self.settings, micros))
            .or_else(|| is_stale.then(|| "the server does not say how it is".to_owned()))
            .or_else(|| known.activity_stop.clone())
            .or_else(|| known.conditions_stop.clone());
        shared.limit_rows(known.wanted.rows_per_second_max);
        let full = known.idle || known.wanted.pace == Pace::Fast;
        shared.shorten_batches(!full);
        #[allow(clippy::cast_precision_loss, reason = "a few processes")]
        let duty = match full {
            true => 1.0,
            false => known.duty / known.processes as f64,
        };
        known.closed = why.map(|why| match known.closed.take() {
            Some((_, since)) => (why, since),
            None => (why, now),
        });
        let gate = match known.closed {
            Some(_) => Gate::Closed,
            None => Gate::Open { duty },
        };
        if gate.differs(*shared.gate.borrow()) {
            shared.gate.send_replace(gate);
            if let Gate::Open { duty } = gate {
                self.events.emit(Event::Paced { duty });
            }
        }
    }

    /// Tells what the run waits for, once that is worth a word.
    fn say(&self, known: &mut Known, shared: &Shared) {
        match &known.closed {
            Some((why, since)) => {
                let waited = shared.now().saturating_sub(*since);
                if known.wanted.paused.is_some() || waited >= SAID_AFTER {
                    self.events.emit(Event::Waiting { why: why.clone() });
                    known.said = true;
                }
            }
            None if std::mem::take(&mut known.said) => self.events.emit(Event::GoingOn),
            None => {}
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "a rate")]
    async fn report(&self, known: &mut Known, shared: &Shared, waits: Option<String>) {
        let (now, rows) = (shared.now(), shared.rows());
        let (then, before) = known.rows_before;
        let seconds = now.saturating_sub(then).as_secs_f64();
        let rows_per_second = match seconds > 0.0 {
            true => rows.saturating_sub(before) as f64 / seconds,
            false => 0.0,
        };
        if seconds >= 1.0 {
            known.rows_before = (now, rows);
        }
        let duty = match *shared.gate.borrow() {
            Gate::Open { duty } => duty,
            Gate::Closed => 0.0,
        };
        let since = known.closed.as_ref().map_or(now, |(_, since)| *since);
        let report = PaceReport {
            holder: self.holder.clone(),
            table_label: self.label().to_owned(),
            kind: self.kind.to_string(),
            run_id: self.run_id,
            duty,
            waits_for: waits.clone(),
            waits_seconds: now.saturating_sub(since).as_secs_f64(),
            rows_per_second,
            transactions: i64::try_from(self.store.transactions_begun()).unwrap_or(i64::MAX),
            seconds_ago: 0.0,
        };
        if !self.records || quickly(self.store.report_pace(&report)).await.is_some() {
            known.reported = waits;
        }
        if let Some(reports) = quickly(self.store.pace_reports()).await {
            let others: Vec<_> = (reports.iter())
                .filter(|one| one.seconds_ago < LIVE && one.holder != self.holder)
                .collect();
            let holders: BTreeSet<&str> = others.iter().map(|one| one.holder.as_str()).collect();
            known.processes = 1 + holders.len();
            let transactions = |holder: &&str| {
                let of = others.iter().filter(|one| one.holder == **holder);
                of.map(|one| one.transactions).max().unwrap_or_default()
            };
            let theirs: i64 = holders.iter().map(transactions).sum();
            known.their_transactions = theirs.unsigned_abs();
        }
    }
}

/// Times small transactions while the run works and while it rests.
async fn probe(
    store: Arc<dyn Store>,
    events: Arc<dyn EventSink>,
    shared: Arc<Shared>,
    samples: Arc<Mutex<Samples>>,
    writes: bool,
) {
    let mut fails = 0;
    loop {
        shared.sleep(PROBE_EVERY).await;
        let gate = *shared.gate.borrow();
        let paced = matches!(gate, Gate::Open { duty } if duty < 1.0);
        if shared.is_over() {
            return;
        }
        let Some(micros) = shared.micros().filter(|_| paced) else {
            continue;
        };
        let at_rest = duty::is_at_rest(micros);
        if !at_rest {
            // A probe that says something about work begins with a window.
            tokio::select! {
                () = shared.begun.notified() => {}
                () = shared.sleep(LOOK_EVERY) => continue,
            }
        }
        let Some(Some(took)) = quickly(store.probe(writes)).await else {
            fails += 1;
            if fails == FAILS_OFTEN {
                say_once(events.as_ref(), NO_PROBE);
            }
            continue;
        };
        if at_rest && shared.is_working() {
            continue;
        }
        let mut samples = samples.lock().unwrap_or_else(PoisonError::into_inner);
        samples.add(took, !at_rest);
    }
}

/// What has been said in this process.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Says something, if it was not said yet.
fn say_once(events: &dyn EventSink, text: &str) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.insert(text.to_owned()) {
        events.emit(Event::Notice {
            text: text.to_owned(),
        });
    }
}

/// The time of this host, in microseconds since 1970.
fn system_micros() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
