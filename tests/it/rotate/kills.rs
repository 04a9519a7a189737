//! A rotation that is killed again and again: the next one finishes it, and begins no other.

use super::{active, all_under, json, number, on_both, postgres};
use crate::oracle::NonceLedger;
use crate::support::{Fixture, marked};
use rustix::process::Signal;
use std::time::Duration;

#[tokio::test]
async fn killed_at_many_moments_it_ends_with_one_record_and_every_value_under_one_key() {
    let ddl = "CREATE TABLE visits (clinic int, id uuid, ssn text, PRIMARY KEY (clinic, id));
         INSERT INTO visits SELECT i % 7 - 3, md5(i::text)::uuid, lpad(i::text, 9, '0')
            FROM generate_series(1, 100000) i;
         CREATE TABLE saved AS TABLE visits";
    let plan = "[run]\nbatch_target_ms = 50\n[[table]]\nname = \"public.visits\"\n\
         [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n";
    let fixture = Fixture::postgres("rotate_kill", ddl, plan).await;
    fixture.backfill().await;
    // Before and after the plaintext is gone: half of it is.
    fixture
        .exec(&marked(
            "clear",
            "public.visits",
            "UPDATE visits SET ssn = NULL WHERE clinic > 0",
        ))
        .await;
    let before = active(&fixture, "cell").await;
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    let mut state = u64::from_le_bytes(seed);
    println!("seed {state}");
    for kill in 0..12 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let wait = if kill == 0 { 0 } else { (state >> 33) % 600 };
        let mut run = fixture.project.phiseal(&["rotate"]).spawn();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        run.signal(Signal::KILL);
        run.wait().await;
    }
    fixture.db().settled().await;
    let open = "SELECT count(*) FROM phiseal.key_rotation_history WHERE finished_at IS NULL";
    if number(&fixture, open).await == 1 || active(&fixture, "cell").await == before {
        let done = json(&fixture, &["rotate"], 0).await;
        assert_eq!(done["outcome"], "complete", "{done}");
    }
    let after = active(&fixture, "cell").await;
    assert_ne!(after, before);
    let ledger = &mut NonceLedger::default();
    let checked = fixture
        .check_against(("public.visits", "ssn"), "saved", ledger)
        .await;
    checked.expect_all_sealed();
    assert_eq!(
        (checked.rows, checked.opened, checked.equal),
        (100_000, 100_000, 100_000)
    );
    assert_eq!(
        checked
            .keys
            .keys()
            .map(|id| i64::from(*id))
            .collect::<Vec<_>>(),
        [after]
    );
    assert_eq!((ledger.cell_repeats, ledger.key_repeats), (0, 0));
    // One record, and its counts are those of all invocations together.
    let history = "SELECT count(*) || ' ' || sum(rows_found) || ' ' || sum(rows_resealed) || ' ' || max(outcome)
        FROM phiseal.key_rotation_history";
    assert_eq!(
        fixture.scalar(history).await.unwrap(),
        "1 100000 100000 complete"
    );
    let versions = "SELECT count(*) FROM phiseal.encryption_keys WHERE purpose = 'cell'";
    assert_eq!(number(&fixture, versions).await, 2);
    json(&fixture, &["audit", "verify"], 0).await;
}

on_both!(
    an_interrupt_ends_it_and_the_next_one_finishes_the_same_rotation,
    30_000,
    interrupted
);

async fn interrupted(fixture: Fixture) {
    let before = active(&fixture, "cell").await;
    let mut run = fixture.project.phiseal(&["rotate", "--json"]).spawn();
    let written = format!(
        "SELECT coalesce(sum(rows_resealed), 0) FROM {}",
        fixture.source().own("rotation_counts")
    );
    let deadline = std::time::Instant::now() + Duration::from_secs(120);
    while number(&fixture, &written).await < 200 {
        assert!(
            std::time::Instant::now() < deadline,
            "nothing was re-sealed"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    run.signal(Signal::INT);
    let ended = run.wait().await;
    if ended.code() != Some(0) {
        assert_eq!(ended.expect_code(5).json()["exit_code"], 5);
        let check = fixture.project.phiseal(&["status", "--check"]).run().await;
        check.expect_code(10);
        let done = json(&fixture, &["rotate"], 0).await;
        assert_eq!(done["resumed"], true, "{done}");
        assert_eq!(done["from_key_ids"][0], before);
    }
    all_under(&fixture, active(&fixture, "cell").await).await;
    let history = format!(
        "SELECT count(*) FROM {}",
        fixture.source().own("key_rotation_history")
    );
    assert_eq!(number(&fixture, &history).await, 1);
}

#[tokio::test]
async fn a_reindex_killed_again_and_again_switches_once_and_no_lookup_fails() {
    let fixture = postgres("reindex_kill", 30_000).await;
    let find = "SELECT count(*) FROM patients WHERE ssn_bidx IS NOT NULL";
    assert_eq!(number(&fixture, find).await, 30_000);
    for wait in [60, 250, 400, 700, 900] {
        let args = ["rotate", "--purpose", "blind_index", "--grace", "0"];
        let mut run = fixture.project.phiseal(&args).spawn();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        run.signal(Signal::KILL);
        run.wait().await;
        fixture.db().settled().await;
        // Whenever it died, every row is found under the key that is active.
        indexes_are_of_the_active_key(&fixture).await;
    }
    let args = ["rotate", "--purpose", "blind_index", "--grace", "0"];
    json(&fixture, &args, 0).await;
    indexes_are_of_the_active_key(&fixture).await;
    let columns = "SELECT count(*) FROM information_schema.columns
        WHERE table_name = 'patients' AND column_name LIKE 'ssn\\_bidx%'";
    assert_eq!(number(&fixture, columns).await, 1);
    let open = "SELECT count(*) FROM phiseal.key_rotation_history WHERE finished_at IS NULL";
    assert_eq!(number(&fixture, open).await, 0);
}

async fn indexes_are_of_the_active_key(fixture: &Fixture) {
    let checked = fixture
        .check_against(
            ("public.patients", "ssn"),
            "saved",
            &mut NonceLedger::default(),
        )
        .await;
    checked.expect_all_sealed();
    assert_eq!(checked.indexes, 30_000);
}
