//! What every integration test stands on: databases, the program under test, plan and key files.
//! Each test gets a database of its own and leaves nothing behind, whichever way it ends.

pub mod cluster;
pub mod database;
pub mod dump;
pub mod examples;
pub mod fixture;

pub mod marks;
pub mod phiseal;
pub mod project;
pub mod proxy;
pub mod sqlite;
pub mod standby;

pub use database::{database, database_with};
pub use fixture::{Base, Fixture};
pub use marks::{formless, marked, marked_in_sqlite, unguarded};
pub use phiseal::Phiseal;
pub use project::Project;
pub use sqlite::sqlite;

/// Says that a test cannot run on this machine, and why. Where every test must run (CI=true), it fails.
pub fn skipped(why: &str) {
    let all_must_run = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(!all_must_run, "SKIPPED, and CI=true: {why}");
    eprintln!("SKIPPED: {why}");
}

/// Rows of a query, every value as the text the database itself gives; NULL is `None`.
pub type Rows = Vec<Vec<Option<String>>>;
