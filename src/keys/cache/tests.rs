use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::crypto::Purpose;
use crate::error::Coded;
use crate::keys::fake;
use crate::keys::{KeyRecord, KeyStatus, LocalProvider};

const KEY: i64 = 7;

/// Rows that a test changes, and how often they were asked for.
#[derive(Default)]
struct Rows {
    rows: std::sync::Mutex<Vec<KeyRow>>,
    asked: AtomicUsize,
    fails: AtomicBool,
}

#[derive(Clone)]
struct Shared(Arc<Rows>);

impl KeySource for Shared {
    async fn key_rows(&self) -> Result<Vec<KeyRow>, BoxError> {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        match self.0.fails.load(Ordering::SeqCst) {
            true => Err("the pool is closed".into()),
            false => Ok(self.0.rows.lock().unwrap().clone()),
        }
    }
}

impl Shared {
    fn asked(&self) -> usize {
        self.0.asked.load(Ordering::SeqCst)
    }

    fn add(&self, record: KeyRecord) {
        self.0.rows.lock().unwrap().push(record.into());
    }

    fn fails(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }
}

async fn active(provider: &LocalProvider, id: i64) -> KeyRecord {
    fake::record(provider, id, &fake::key_for(""), KeyStatus::Active).await
}

async fn opened() -> (KeyCache, Shared) {
    let (provider, source) = (fake::provider(), Shared(Arc::default()));
    source.add(active(&provider, KEY).await);
    let cache = KeyCache::open(source.clone(), provider).await.unwrap();
    (cache, source)
}

fn id(number: i64) -> KeyId {
    KeyId::new(number).unwrap()
}

/// Makes the keys look as if they had been loaded so long ago.
async fn age(cache: &KeyCache, seconds: u64) {
    let begun = Instant::now().checked_sub(Duration::from_secs(seconds));
    let none = [];
    let renewed = (cache.keyring).renew(begun.unwrap(), &none, cache.provider.as_ref());
    renewed.await.unwrap();
    assert!(cache.keyring.age() >= Duration::from_secs(seconds));
}

#[tokio::test]
async fn keys_are_loaded_once_and_again_when_they_are_old() {
    let (cache, source) = opened().await;
    let keyring = cache.keyring().await.unwrap();
    assert!(keyring.active("", Purpose::Cell).is_some());
    assert_eq!(source.asked(), 1);
    age(&cache, 44).await;
    cache.keyring().await.unwrap();
    assert_eq!(source.asked(), 1);
    age(&cache, 45).await;
    cache.keyring().await.unwrap();
    cache.keyring().await.unwrap();
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn while_keys_are_under_a_minute_old_a_failing_database_stops_nobody() {
    let (cache, source) = opened().await;
    source.fails(true);
    age(&cache, 50).await;
    let keyring = cache.keyring().await.unwrap();
    assert!(keyring.active("", Purpose::Cell).is_some());
    assert_eq!(source.asked(), 2);
    age(&cache, 60).await;
    let refused = cache.keyring().await.unwrap_err();
    assert_eq!(refused.code(), "E0328");
    source.fails(false);
    assert!(cache.keyring().await.is_ok());
}

#[tokio::test]
async fn while_one_task_loads_the_others_go_on_with_the_keys_they_have() {
    let (cache, source) = opened().await;
    age(&cache, 50).await;
    let cache = Arc::new(cache);
    let mut tasks = Vec::new();
    for _ in 0..10 {
        let cache = Arc::clone(&cache);
        tasks.push(tokio::spawn(async move { cache.keyring().await.map(drop) }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(source.asked(), 2);
}

#[tokio::test]
async fn a_key_that_was_made_since_is_found_by_one_more_load() {
    let (provider, source) = (fake::provider(), Shared(Arc::default()));
    let made = active(&provider, 9).await;
    let cache = KeyCache::open(source.clone(), provider).await.unwrap();
    let unknown = cache.openable(id(9)).await.unwrap_err();
    assert_eq!((unknown.code(), source.asked()), ("E0427", 2));
    source.add(made);
    assert_eq!(cache.openable(id(9)).await.unwrap().key_id(), id(9));
    assert_eq!(source.asked(), 3);
    cache.openable(id(9)).await.unwrap();
    assert_eq!(source.asked(), 3);
}

#[tokio::test]
async fn the_error_of_the_source_is_its_cause_and_that_of_a_store_keeps_its_code() {
    let (cache, source) = opened().await;
    source.fails(true);
    let refused = cache.reload().await.unwrap_err();
    assert_eq!(refused.code(), "E0328");
    assert!(!refused.message().contains("pool"), "{}", refused.message());
    let cause = std::error::Error::source(&refused).unwrap();
    assert_eq!(cause.to_string(), "the pool is closed");
    let lost = load_error(Box::new(StoreError::ConnectionLost));
    assert_eq!(lost.code(), "E0504");
}

/// No runtime is there.
#[test]
fn keys_are_loaded_without_an_async_runtime() {
    let provider = fake::provider();
    let record = block_on(active(&provider, KEY));
    let keyring = Keyring::from_rows(vec![record.clone().into()], &provider).unwrap();
    assert!(keyring.active("", Purpose::Cell).is_some());
    let mut superseded = record;
    superseded.status = KeyStatus::Deactivated;
    let other = block_on(active(&provider, 9));
    let rows = vec![superseded.into(), other.into()];
    keyring.take_over(rows, &provider).unwrap();
    assert_eq!(keyring.active("", Purpose::Cell).unwrap().key_id(), id(9));
    let foreign = block_on(active(&fake::provider(), 11));
    let refused = keyring.take_over(vec![foreign.into()], &provider);
    assert_eq!(refused.unwrap_err().code(), "E0421");
}
