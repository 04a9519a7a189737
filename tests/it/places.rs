//! Where a registered field is, whatever ordinary life does to its table: renamed, moved, detached, made again,
//! mistyped in the plan. And what a guard that was away for a while leaves behind, and what mends it.

mod fields;
mod gaps;
mod names;
mod upgraded;

use crate::oracle::NonceLedger;
use crate::support::Fixture;
use crate::support::phiseal::Finished;

const BESIDE: &str = "
[[table]]
name = \"NAME\"
[[table.column]]
name = \"note\"
seal_into = \"note_sealed\"
";

const IN_PLACE: &str = "
[[table]]
name = \"NAME\"
[[table.column]]
name = \"note\"
in_place = \"application-reads-both-forms\"
";

const NOTES: &str = "CREATE TABLE notes (id INTEGER PRIMARY KEY, note text);
    INSERT INTO notes VALUES (1, 'plain 1'), (2, 'plain 2'), (3, 'plain 3'), (4, 'plain 4');";

/// A table `notes` of four rows, sealed, in either database.
async fn notes(name: &str, postgres: bool) -> Fixture {
    let fixture = match postgres {
        true => Fixture::postgres(name, NOTES, &plan(BESIDE, "public.notes")).await,
        false => Fixture::sqlite(NOTES, &plan(BESIDE, "notes")).await,
    };
    assert_eq!(fixture.backfill().await["values_sealed"], 4);
    fixture
}

fn plan(form: &str, table: &str) -> String {
    form.replace("NAME", table)
}

/// The name of a table as a plan has it.
fn named(fixture: &Fixture, table: &str) -> String {
    match &fixture.base {
        crate::support::Base::Postgres(_) => format!("public.{table}"),
        crate::support::Base::Sqlite(_) => table.to_owned(),
    }
}

async fn run(fixture: &Fixture, args: &[&str]) -> Finished {
    fixture.project.phiseal(args).run().await
}

/// The code and message of a refusal.
async fn refused(fixture: &Fixture, args: &[&str], exit: i32) -> (String, String) {
    let args: Vec<&str> = args.iter().copied().chain(["--json"]).collect();
    let answer = run(fixture, &args).await.expect_code(exit).json();
    let text = |field: &str| answer["error"][field].as_str().unwrap().to_owned();
    (
        text("code"),
        format!("{} {}", text("message"), text("hint")),
    )
}

/// Whether `status --check` is content, and all that it says.
async fn check(fixture: &Fixture) -> (bool, String) {
    let done = run(fixture, &["status", "--check", "--json"]).await;
    let content = done.code() == Some(0);
    assert!(content || done.code() == Some(10), "{:?}", done.code());
    (content, done.json()["attention"].to_string())
}

/// By the oracle: every value of the table is sealed and is that of its plaintext.
async fn all_sealed(fixture: &Fixture, label: &str) {
    let checked = fixture
        .check(label, "note", &mut NonceLedger::default())
        .await;
    checked.expect_all_sealed();
}
