//! Watches round trips: says what a long one waits for, and ends it once a stop is requested.
//! Owns when to look and how long a round trip may still take after the request. What is waited for
//! is asked of the store on another connection. The store's own repetitions are not known here.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::super::events::{Event, EventSink};
use super::super::stop::Stop;
use crate::store::{Result, Store, StoreError};

/// After this time, and then again and again, a round trip is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long the answer to the look may take.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How long a round trip may go on once a stop is requested. A COMMIT mostly ends in this time.
const AFTER_STOP: Duration = Duration::from_secs(3);
/// The same for each round trip after that, by which a run ends in order.
const LATER: Duration = Duration::from_millis(1500);
/// What is said if the look gets no answer.
const NO_ANSWER: &str = "a free connection, or an answer of the database";

/// Watches the round trips of a store.
pub(super) struct Watcher {
    store: Arc<dyn Store>,
    pub(super) watch: OnceLock<(Stop, Arc<dyn EventSink>)>,
    /// Held by the one that looks: what it finds holds for all round trips.
    looking: Mutex<()>,
    /// When the stop was first seen.
    stopped: OnceLock<Instant>,
}

impl Watcher {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            watch: OnceLock::new(),
            looking: Mutex::new(()),
            stopped: OnceLock::new(),
        }
    }

    /// Sets where waiting is reported and whose request to stop ends it.
    pub(super) fn watch(&self, stop: &Stop, events: &Arc<dyn EventSink>) {
        let _ = self.watch.set((stop.clone(), Arc::clone(events)));
    }

    /// Does the work of one round trip. If it does not end soon after a stop is requested, it is
    /// dropped, which closes its connection, and the result is `given_up`.
    pub(super) async fn over<T>(
        &self,
        given_up: StoreError,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let Some((stop, events)) = self.watch.get() else {
            return work.await;
        };
        let said = AtomicBool::new(false);
        let mut looks = pin!(self.looks(events.as_ref(), &said));
        let mut end = pin!(self.end(stop));
        let done = tokio::select! {
            biased;
            done = work => done,
            () = &mut end => Err(given_up),
            never = &mut looks => match never {},
        };
        self.pass_notices(events.as_ref());
        if said.load(Ordering::Relaxed) {
            events.emit(Event::GoingOn);
        }
        done
    }

    /// Says again and again what is waited for.
    async fn looks(&self, events: &dyn EventSink, said: &AtomicBool) -> Infallible {
        loop {
            sleep(LOOK_EVERY).await;
            let Ok(_looking) = self.looking.try_lock() else {
                continue;
            };
            self.pass_notices(events);
            let waits = match timeout(ANSWER_MAX, self.store.waits()).await {
                Ok(Ok(waits)) => waits,
                _ => vec![NO_ANSWER.to_owned()],
            };
            if !waits.is_empty() {
                said.store(true, Ordering::Relaxed);
                let why = waits.join("; ");
                events.emit(Event::Waiting { why });
            } else if said.swap(false, Ordering::Relaxed) {
                events.emit(Event::GoingOn);
            }
        }
    }

    fn pass_notices(&self, events: &dyn EventSink) {
        for text in self.store.notices() {
            events.emit(Event::Notice { text });
        }
    }

    /// Ends some time after a stop is requested, in which the store may cancel what takes long.
    async fn end(&self, stop: &Stop) {
        stop.requested().await;
        let stopped = self.stopped.get_or_init(Instant::now);
        let rest = AFTER_STOP.saturating_sub(stopped.elapsed()).max(LATER);
        let cancel = async {
            let _ = timeout(ANSWER_MAX, self.store.interrupt()).await;
        };
        tokio::join!(cancel, sleep(rest));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex as Locked;

    use super::*;

    /// Keeps the events.
    #[derive(Default)]
    struct Kept(Locked<Vec<Event>>);

    impl EventSink for Kept {
        fn emit(&self, event: Event) {
            self.0.lock().unwrap().push(event);
        }
    }

    /// A watcher over a SQLite file, which never says what it waits for.
    async fn watcher() -> (Watcher, Stop, Arc<Kept>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/a.db?mode=rwc", folder.path().display());
        std::fs::File::create(folder.path().join("a.db")).unwrap();
        let store = crate::store::sqlite::SqliteStore::connect(&url).await;
        let watcher = Watcher::new(Arc::new(store.unwrap()));
        let (stop, kept) = (Stop::default(), Arc::new(Kept::default()));
        let events: Arc<dyn EventSink> = kept.clone();
        watcher.watch(&stop, &events);
        (watcher, stop, kept, folder)
    }

    #[tokio::test]
    async fn a_request_to_stop_ends_a_round_trip_that_does_not_end_by_itself() {
        let (watcher, stop, kept, _folder) = watcher().await;
        let never = std::future::pending::<Result<()>>();
        let hung = watcher.over(StoreError::OutcomeUnknown, never);
        stop.request();
        let ended = timeout(AFTER_STOP * 3, hung).await.unwrap();
        assert!(matches!(ended, Err(StoreError::OutcomeUnknown)));
        assert!(kept.0.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn after_a_request_to_stop_a_round_trip_still_has_time_to_end() {
        let (watcher, stop, _kept, _folder) = watcher().await;
        stop.request();
        let short = async {
            sleep(AFTER_STOP / 10).await;
            Ok(7)
        };
        let done = watcher.over(StoreError::Interrupted, short).await;
        assert_eq!(done.unwrap(), 7);
    }

    #[tokio::test]
    async fn what_a_long_round_trip_does_not_wait_for_is_not_said() {
        let (watcher, _stop, kept, _folder) = watcher().await;
        let long = async {
            sleep(LOOK_EVERY + LOOK_EVERY / 4).await;
            Ok(())
        };
        watcher.over(StoreError::Interrupted, long).await.unwrap();
        assert!(kept.0.lock().unwrap().is_empty());
    }
}
