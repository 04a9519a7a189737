//! The way to a PostgreSQL server: who may answer, what it may ask for, what a URL may say.
//! The real program against a server with TLS, and against servers that lie.

mod authority;
mod hostile;
mod logins;
pub mod server;
mod urls;

use crate::support::Phiseal;
use crate::support::phiseal::Finished;
use serde_json::Value;

/// A name that is not this machine's, whatever it resolves to: URLs give its address beside it.
pub const NAME: &str = "db.phiseal.test";

/// A URL of that name on a port of this machine.
pub fn remote(login: &str, port: u16, more: &str) -> String {
    format!("postgres://{login}@{NAME}:{port}/postgres?hostaddr=127.0.0.1{more}")
}

/// A URL of this machine.
pub fn local(login: &str, port: u16, more: &str) -> String {
    format!("postgres://{login}@127.0.0.1:{port}/postgres?{more}")
}

/// A command that needs nothing but a connection. The authorities of its system are one, whose key is
/// gone and which signed nothing.
pub fn connects(url: &str) -> Phiseal {
    let system = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls/system.pem");
    Phiseal::new(["migrate", "status", "--json", "--database-url", url])
        .cwd(&std::env::temp_dir())
        .env("SSL_CERT_FILE", system)
}

/// Runs it; it must succeed.
pub async fn accepted(url: &str) {
    connects(url).run().await.expect_code(0);
}

/// Runs it; it must fail with this code, and say nothing of the password.
pub async fn refused(url: &str, code: &str) -> Value {
    refusal(&connects(url).run().await, code)
}

#[track_caller]
pub fn refusal(done: &Finished, code: &str) -> Value {
    let exit = if code == "E0502" { 2 } else { 4 };
    assert_eq!(done.code(), Some(exit), "{done:?}");
    let error = done.json()["error"].clone();
    assert_eq!(error["code"], code, "{error}");
    let hint = error["hint"].as_str().unwrap_or_default();
    assert!(!hint.is_empty(), "{error}");
    silent(done);
    error
}

/// What every password of these tests holds.
pub const CANARY: &str = "canary47";

#[track_caller]
pub fn silent(done: &Finished) {
    for text in [&done.stdout, &done.stderr] {
        assert!(!text.contains(CANARY), "{text}");
    }
}
