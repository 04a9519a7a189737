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
