//! SQLite: what a command does to the file, whom the guards let past, and what an older program can read.

mod files;
mod marks;
mod schema;

use crate::support::{Fixture, Phiseal};

const PEOPLE: &str = "CREATE TABLE people (id INTEGER PRIMARY KEY, ssn TEXT);
    INSERT INTO people VALUES (1, 'one'), (2, 'two'), (3, 'three')";
const PLAN: &str =
    "[[table]]\nname = \"people\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";
const INDEXED: &str = "[[table]]\nname = \"people\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
    blind_index = { column = \"ssn_bidx\", normalise = \"exact\", bits = 256 }\n";

/// The people, sealed.
async fn sealed(plan: &str) -> Fixture {
    let fixture = Fixture::sqlite(PEOPLE, plan).await;
    fixture.backfill().await;
    fixture
}

fn phiseal(fixture: &Fixture, args: &[&str]) -> Phiseal {
    fixture.project.phiseal(args)
}

/// How `status --check` ends, and what it says.
async fn check(fixture: &Fixture) -> (Option<i32>, String) {
    let done = phiseal(fixture, &["status", "--check"]).run().await;
    (done.status.code(), done.stdout)
}
