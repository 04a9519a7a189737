//! `finalize --undo`, at each phase, and what the application finds then.

use super::{
    as_it_was, differences, finalize, guard_says, has, next_phase, number, on_both, sealed, state,
    stopped_at, trusted, undo,
};
use crate::support::Fixture;
use std::time::Instant;

/// It takes plaintext as if there had been no finalize.
async fn takes_plaintext(fixture: &Fixture, what: &str) {
    assert_eq!(next_phase(fixture).await, None, "{what}");
    as_it_was(fixture).await;
    let write = "UPDATE people SET ssn = 'plaintext' WHERE id = 1";
    fixture.exec(write).await;
    fixture
        .exec("INSERT INTO people (id, ssn) VALUES (900, 'plaintext')")
        .await;
    let blank = "SELECT count(*) FROM people WHERE ssn_sealed IS NULL";
    assert_eq!(number(fixture, blank).await, 2, "{what}");
    fixture
        .exec("UPDATE people SET ssn = 'ssn 1' WHERE id = 1; DELETE FROM people WHERE id = 900")
        .await;
    fixture.backfill().await;
    as_it_was(fixture).await;
}

on_both!(before_the_columns_are_hidden, 60, kept);

async fn kept(fixture: Fixture) {
    finalize(&fixture, &["--plaintext", "keep"], 0).await;
    undo(&fixture).await;
    takes_plaintext(&fixture, "kept").await;
    // A second undo finds nothing, and harms nothing.
    undo(&fixture).await;
    takes_plaintext(&fixture, "undone twice").await;
}

on_both!(while_the_columns_are_hidden, 60, hidden);

async fn hidden(fixture: Fixture) {
    stopped_at(&fixture, "grace", &[]).await;
    assert!(!has(&fixture, "ssn").await && !has(&fixture, "note").await);
    // Whoever still reads the column fails at once.
    let said = fixture.refusal("SELECT ssn FROM people").await.unwrap();
    assert!(said.contains("ssn"), "{said}");
    let begun = Instant::now();
    undo(&fixture).await;
    assert!(begun.elapsed().as_secs() < 10);
    assert_eq!(fixture.refusal("SELECT ssn FROM people").await, None);
    takes_plaintext(&fixture, "hidden").await;
    assert_eq!(
        super::audited(&fixture).await,
        ["finalize.begin", "finalize.undone"]
    );
}

#[tokio::test]
async fn while_older_transactions_are_waited_for() {
    let fixture = super::postgres("undo_settle", 60).await;
    let mut holder = fixture.db().pool().begin().await.unwrap();
    let id = "SELECT txid_current()";
    sqlx::raw_sql(id).execute(&mut *holder).await.unwrap();
    stopped_at(&fixture, "settle", &[]).await;
    let write = "UPDATE people SET ssn = 'plaintext' WHERE id = 1";
    assert_eq!(guard_says(&fixture, write).await, "PS007");
    holder.rollback().await.unwrap();
    undo(&fixture).await;
    takes_plaintext(&fixture, "settle").await;
}

/// Begins to set values to NULL, and is killed once some are. `false` if it was quicker.
async fn half_blanked(fixture: &Fixture) -> bool {
    let blanks = super::arguments(&["--plaintext", "blank"]);
    let run = fixture.phiseal(&blanks).spawn();
    let gone = "SELECT count(*) FROM people WHERE ssn IS NULL";
    let deadline = Instant::now() + super::PATIENCE;
    while number(fixture, gone).await == 0 {
        assert!(Instant::now() < deadline, "nothing was set to NULL");
        tokio::time::sleep(super::LOOK).await;
    }
    super::kill(fixture, run).await;
    state(fixture, "ssn").await != "finalized"
}

on_both!(in_the_middle_of_a_blank, 20_000, half_blank);

async fn half_blank(fixture: Fixture) {
    if !half_blanked(&fixture).await {
        return;
    }
    // Some values are NULL now, and it says what brings them back.
    let said = fixture.run(&["finalize", "--undo"]).await.expect_code(0);
    assert!(said.stdout.contains("restore"), "{}", said.stdout);
    fixture.json(&["restore"]).await;
    as_it_was(&fixture).await;
    fixture
        .exec("UPDATE people SET ssn = 'plaintext' WHERE id = 1")
        .await;
}

on_both!(a_blank_that_becomes_a_drop, 20_000, blank_then_drop);

async fn blank_then_drop(fixture: Fixture) {
    if !half_blanked(&fixture).await {
        return;
    }
    finalize(&fixture, &[], 0).await;
    assert!(!has(&fixture, "ssn").await);
    super::sealed_as_saved(&fixture, &["ssn", "note"]).await;
    // Nothing of the blank is left in the way of what comes then.
    let runs = fixture.source().own("runs");
    let open = format!("SELECT count(*) FROM {runs} WHERE finished_at IS NULL");
    assert_eq!(number(&fixture, &open).await, 0);
    fixture.backfill().await;
    fixture.json(&["restore"]).await;
    as_it_was(&fixture).await;
}

/// What an application sealed meanwhile has no plaintext; NOT NULL waits for restore.
#[tokio::test]
async fn not_null_and_default_come_back_with_what_was_sealed_meanwhile() {
    let ddl = "CREATE TABLE people (id int PRIMARY KEY, ssn text NOT NULL DEFAULT 'none', note text, other int);
        INSERT INTO people SELECT i, 'ssn ' || i, 'note ' || i, i FROM generate_series(1, 60) i;
        CREATE TABLE saved AS TABLE people";
    let plan = crate::backfill::beside("public.people", &["ssn", "note"]);
    let fixture = Fixture::postgres("undo_filled", ddl, &plan).await;
    fixture.backfill().await;
    // The sealed column's own NOT NULL is the application's.
    fixture
        .exec("ALTER TABLE people ALTER ssn_sealed SET NOT NULL")
        .await;
    finalize(&fixture, &["--plaintext", "keep"], 0).await;
    let value = sealed(&fixture, "ssn", 5, "sealed by itself").await;
    let update = format!("UPDATE people SET ssn_sealed = {value} WHERE id = 5");
    fixture.exec(&trusted(&fixture, &update)).await;
    let value = sealed(&fixture, "ssn", 900, "never in plaintext").await;
    let insert = format!("INSERT INTO people (id, ssn_sealed) VALUES (900, {value})");
    fixture.exec(&trusted(&fixture, &insert)).await;
    let undone = undo(&fixture).await;
    let statements = undone["statements"].to_string();
    assert!(statements.contains("SET NOT NULL"), "{undone}");
    fixture.json(&["restore"]).await;
    fixture
        .exec(
            "UPDATE saved SET ssn = 'sealed by itself' WHERE id = 5;
             INSERT INTO saved (id, ssn) VALUES (900, 'never in plaintext')",
        )
        .await;
    let differ = differences(&fixture, "people", "saved", "id, ssn, note, other").await;
    assert_eq!(differ, 0);
    let shape =
        "SELECT string_agg(attname || ' ' || attnotnull || ' ' || atthasdef, ', ' ORDER BY attname)
        FROM pg_attribute WHERE attrelid = 'people'::regclass AND attname IN ('ssn', 'ssn_sealed')";
    let expected = "ssn true true, ssn_sealed true false";
    // Restore did it, or its statement does.
    if fixture.scalar(shape).await.as_deref() != Some(expected) {
        for sql in undone["statements"].as_array().unwrap() {
            fixture.exec(sql.as_str().unwrap()).await;
        }
    }
    assert_eq!(fixture.scalar(shape).await.as_deref(), Some(expected));
}

/// A sealed value that is NULL would take its plaintext with it. An application that means to delete
/// a value sets both to NULL.
#[tokio::test]
async fn a_value_is_deleted_with_its_plaintext_or_not_at_all() {
    let fixture = super::postgres("undo_delete", 60).await;
    finalize(&fixture, &["--plaintext", "keep", "--column", "ssn"], 0).await;
    let sealed_only = trusted(&fixture, "UPDATE people SET ssn_sealed = NULL WHERE id = 5");
    assert_eq!(guard_says(&fixture, &sealed_only).await, "PS007");
    let plain_only = trusted(&fixture, "UPDATE people SET ssn = NULL WHERE id = 5");
    assert_eq!(guard_says(&fixture, &plain_only).await, "PS007");
    let both = trusted(
        &fixture,
        "UPDATE people SET ssn = NULL, ssn_sealed = NULL WHERE id = 5",
    );
    fixture.exec(&both).await;
    fixture
        .exec("UPDATE saved SET ssn = NULL WHERE id = 5")
        .await;
    finalize(&fixture, &["--column", "ssn"], 0).await;
    // Without a plaintext, the sealed value is all there is.
    let sealed_only = trusted(&fixture, "UPDATE people SET ssn_sealed = NULL WHERE id = 6");
    fixture.exec(&sealed_only).await;
    fixture
        .exec("UPDATE saved SET ssn = NULL WHERE id = 6")
        .await;
    super::sealed_as_saved(&fixture, &["ssn"]).await;
}
