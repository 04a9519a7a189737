//! The end of keys: destroyed only where nothing in the whole database is sealed under them, out of use
//! before anything else is looked at, and written down in the transaction that changes them.

mod changes;
mod forms;
mod library;
mod places;
mod readers;
mod states;

use crate::rotate::{active, json};
use crate::support::Fixture;
use serde_json::Value;

/// The old key of a rotation.
async fn rotated(fixture: &Fixture) -> String {
    let old = active(fixture, "cell").await.to_string();
    json(fixture, &["rotate"], 0).await;
    old
}

/// What `keys destroy` answers.
async fn destroy(fixture: &Fixture, key: &str, more: &[&str], code: i32) -> Value {
    let args = ["keys", "destroy", key, "--confirm", key, "--reason", "over"];
    json(fixture, &[&args[..], more].concat(), code).await
}

/// It is refused, and these places are named.
async fn still_used(fixture: &Fixture, key: &str, places: &[&str]) {
    let refused = destroy(fixture, key, &[], 7).await;
    assert_eq!(refused["error"]["code"], "E0441", "{refused}");
    let message = refused["error"]["message"].as_str().unwrap();
    for place in places {
        assert!(message.contains(place), "{place}: {message}");
    }
}

async fn status(fixture: &Fixture, key: &str) -> String {
    let keys = fixture.source().own("encryption_keys");
    let sql = format!("SELECT status FROM {keys} WHERE key_id = {key}");
    fixture.scalar(&sql).await.unwrap()
}
