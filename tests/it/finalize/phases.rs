//! The procedure: it goes on where it stopped, one process at a time, tells of itself in status and the
//! audit log, and a dry run changes nothing.

use super::{
    arguments, audited, finalize, has, next_phase, number, on_both, sealed_as_saved, state,
    stopped_at, until_phase,
};
use crate::support::dump::{ran, text_of};
use crate::support::{Base, Fixture};
use rustix::process::Signal;
use std::time::{Duration, Instant};

on_both!(a_grace_period_that_was_stopped_goes_on, 60, goes_on);

async fn goes_on(fixture: Fixture) {
    stopped_at(&fixture, "grace", &[]).await;
    let status = fixture.json(&["status"]).await;
    let procedure = &status["procedures"][0];
    let shown = ["kind", "table", "phase"]
        .map(|key| procedure[key].as_str().unwrap_or_default().to_owned());
    let table = fixture.table("people");
    assert_eq!(shown, ["finalize", table.as_str(), "grace"], "{status}");
    let done = finalize(&fixture, &[], 0).await;
    assert_eq!(done["tables"][0]["resumed"], true, "{done}");
    // What the earlier call verified is what this one says.
    assert_eq!(done["tables"][0]["values_verified"], 100, "{done}");
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    assert_eq!(next_phase(&fixture).await, None);
    let actions = [
        "finalize.begin",
        "finalize.resume",
        "finalize.remove",
        "finalize.finalized",
    ];
    assert_eq!(audited(&fixture).await, actions);
}

on_both!(
    an_interrupt_in_the_grace_period_ends_the_call,
    60,
    interrupted
);

async fn interrupted(fixture: Fixture) {
    let mut run = fixture.phiseal(&arguments(&["--grace", "600s"])).spawn();
    until_phase(&fixture, "grace").await;
    run.signal(Signal::INT);
    run.wait().await.expect_code(5);
    assert_eq!(next_phase(&fixture).await.as_deref(), Some("grace"));
    finalize(&fixture, &[], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

on_both!(two_calls_at_once_finalize_once, 60, two);

async fn two(fixture: Fixture) {
    let first = fixture
        .phiseal(&arguments(&["--grace", "3s", "--json"]))
        .spawn();
    until_phase(&fixture, "grace").await;
    finalize(&fixture, &[], 0).await;
    let first = first.wait().await;
    // It ends too: the other did what it waited for, or has taken it over.
    assert!(matches!(first.code(), Some(0 | 8)), "{first:?}");
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    let ended = audited(&fixture).await;
    let ended = ended
        .iter()
        .filter(|action| *action == "finalize.finalized");
    assert_eq!(ended.count(), 1);
    assert!(!has(&fixture, "ssn").await);
}

on_both!(two_calls_from_the_beginning_harm_nothing, 2_000, race);

async fn race(fixture: Fixture) {
    let args = arguments(&["--grace", "0s", "--json"]);
    let runs = [
        fixture.phiseal(&args).spawn(),
        fixture.phiseal(&args).spawn(),
    ];
    for run in runs {
        let run = run.wait().await;
        assert!(matches!(run.code(), Some(0 | 8)), "{run:?}");
    }
    finalize(&fixture, &[], 0).await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    assert_eq!(next_phase(&fixture).await, None);
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

/// Whoever wins: the fields are frozen only while a finalize of them is open or over.
#[tokio::test]
async fn an_undo_beside_a_finalize_leaves_no_field_frozen_alone() {
    let fixture = super::postgres("finalize_undo_race", 60).await;
    for _ in 0..6 {
        stopped_at(&fixture, "grace", &[]).await;
        let finalize = fixture.phiseal(&arguments(&["--grace", "0s"])).spawn();
        let undo = fixture.phiseal(&["finalize", "--undo"]).spawn();
        undo.wait().await;
        finalize.wait().await;
        let frozen = "SELECT count(*) FROM phiseal.encrypted_field_metadata WHERE frozen AND state <> 'finalized'";
        if next_phase(&fixture).await.is_none() {
            assert_eq!(
                number(&fixture, frozen).await,
                0,
                "frozen, and nothing is open"
            );
        } else {
            super::undo(&fixture).await;
        }
        if !has(&fixture, "ssn").await {
            fixture.json(&["restore"]).await;
        }
        fixture.backfill().await;
        super::as_it_was(&fixture).await;
    }
}

/// Everything that a schema dump shows, and the registry.
async fn everything(fixture: &Fixture) -> String {
    match &fixture.base {
        Base::Postgres(db) => {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("dump").display().to_string();
            // Newer programs write a key of their own into each dump.
            let said = ran("pg_dump", &["-f", &file, &db.url()]).await;
            assert_eq!(said, "");
            let text = std::fs::read_to_string(file).unwrap();
            let kept = text.lines().filter(|line| {
                !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict")
            });
            kept.collect::<Vec<_>>().join("\n")
        }
        Base::Sqlite(file) => text_of(file).await,
    }
}

on_both!(a_dry_run_changes_nothing, 60, dry);

async fn dry(fixture: Fixture) {
    let before = everything(&fixture).await;
    for fate in ["drop", "blank", "keep"] {
        let args = [
            "finalize",
            "--dry-run",
            "--observe",
            "0s",
            "--plaintext",
            fate,
            "--json",
        ];
        let said = fixture.run(&args).await.expect_code(0).json();
        assert_eq!(said["would_refuse"], false, "{said}");
    }
    let after = everything(&fixture).await;
    assert!(before == after, "a dry run changed something");
    assert!(
        !fixture
            .run(&["finalize", "--dry-run", "--observe", "0s"])
            .await
            .stdout
            .is_empty()
    );
}

/// Another fate than that of the call that was stopped.
#[tokio::test]
async fn a_call_may_want_another_fate_than_the_one_that_was_stopped() {
    let fixture = super::postgres("finalize_fates", 60).await;
    stopped_at(&fixture, "grace", &[]).await;
    finalize(&fixture, &["--plaintext", "keep"], 0).await;
    super::as_it_was(&fixture).await;
    stopped_at(&fixture, "grace", &[]).await;
    finalize(&fixture, &["--plaintext", "blank"], 0).await;
    assert!(has(&fixture, "ssn").await);
    let left = "SELECT count(*) FROM people WHERE ssn IS NOT NULL OR note IS NOT NULL";
    assert_eq!(number(&fixture, left).await, 0);
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

/// A long reader holds up the finalize, and never those who come after it for long.
#[tokio::test]
async fn a_reader_that_holds_the_table_does_not_hold_up_the_application() {
    let fixture = super::postgres("finalize_lock", 60).await;
    let mut reader = fixture.db().pool().begin().await.unwrap();
    let read = "SELECT count(*) FROM people";
    sqlx::raw_sql(read).execute(&mut *reader).await.unwrap();
    let run = fixture.phiseal(&arguments(&["--grace", "0s"])).spawn();
    until_phase(&fixture, "freeze").await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        // Below deadlock_timeout: the finalize has given up its place in the queue by then.
        let write =
            "BEGIN; SET LOCAL statement_timeout = '950ms'; UPDATE people SET other = 0; COMMIT";
        fixture.exec(write).await;
    }
    reader.rollback().await.unwrap();
    run.wait().await.expect_code(0);
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}

/// A transaction with an older snapshot meets the guard as it is now.
#[tokio::test]
async fn an_older_snapshot_writes_no_plaintext_past_the_freeze() {
    let fixture = super::postgres("finalize_snapshot", 60).await;
    let mut old = fixture.db().pool().acquire().await.unwrap();
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_catalog.pg_class";
    sqlx::raw_sql(begin).execute(&mut *old).await.unwrap();
    stopped_at(&fixture, "settle", &[]).await;
    let write = "UPDATE people SET ssn = 'plaintext' WHERE id = 3";
    let refused = sqlx::raw_sql(write).execute(&mut *old).await.unwrap_err();
    let code = refused
        .as_database_error()
        .unwrap()
        .code()
        .unwrap()
        .into_owned();
    assert_eq!(code, "PS007");
    sqlx::raw_sql("ROLLBACK").execute(&mut *old).await.unwrap();
    finalize(&fixture, &[], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
}
