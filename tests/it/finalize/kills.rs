//! A finalize that is killed again and again, while an application seals with the library and notes in a
//! ledger what it wrote: each value opens to what the ledger says, whenever it died.

use super::{as_the_ledger_says, columns, finalize, on_both, sealed_as_saved, state};
use crate::backfill::beside;
use crate::rotate::writers::sealing_application;
use crate::support::Fixture;
use std::time::Duration;

/// How many kills; `make soak` has more.
fn kills() -> u64 {
    match std::env::var_os("PHISEAL_SOAK_SECONDS") {
        Some(_) => 20,
        None => 6,
    }
}

/// Numbers that look random; the seed is printed.
struct Draw(u64);

impl Draw {
    fn new() -> Self {
        let mut seed = [0; 8];
        getrandom::fill(&mut seed).unwrap();
        let seed = u64::from_le_bytes(seed);
        println!("seed {seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

/// Calls it until it ends by itself, killed so many times before.
async fn killed(fixture: &Fixture, draw: &mut Draw, more: &[&str], within: u64) {
    for _ in 0..kills() {
        let run = fixture.phiseal(&super::arguments(more)).spawn();
        tokio::time::sleep(Duration::from_millis(draw.below(within))).await;
        super::kill(fixture, run).await;
    }
    fixture.run(&super::arguments(more)).await.expect_code(0);
}

async fn under_a_writer(name: &str, fate: &str) {
    let ddl = "CREATE TABLE live (id bigint PRIMARY KEY, ssn text, other int);
        INSERT INTO live SELECT i * 10, 'ssn ' || i, i FROM generate_series(1, 5000) i;
        CREATE TABLE ledger (id bigint PRIMARY KEY, ssn text);
        INSERT INTO ledger SELECT id, ssn FROM live";
    let plan = format!(
        "[run]\nbatch_target_ms = 50\n{}",
        beside("public.live", &["ssn"])
    );
    let fixture = Fixture::postgres(name, ddl, &plan).await;
    fixture.backfill().await;
    let mut draw = Draw::new();
    let seconds = 2 * kills();
    let sealing = sealing_application(&fixture, seconds);
    let more = ["--plaintext", fate, "--grace", "1s"];
    killed(&fixture, &mut draw, &more, 1_500).await;
    sealing.wait().await.expect_code(0);
    as_the_ledger_says(&fixture, "public.live", "ssn", "ledger").await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    assert!(columns(&fixture, "live", "~phiseal").await.is_empty());
    if fate == "blank" {
        let left = "SELECT count(*) FROM live WHERE ssn IS NOT NULL";
        assert_eq!(super::number(&fixture, left).await, 0);
    }
    // The audit log holds the end of it, whether or not the call that reached it lived to say so.
    let actions = super::audited(&fixture).await;
    let ends = actions
        .iter()
        .filter(|action| *action == "finalize.finalized");
    assert_eq!(ends.count(), 1, "{actions:?}");
    fixture.json(&["restore"]).await;
    let differ = super::differences(&fixture, "live", "ledger", "id, ssn").await;
    assert_eq!(differ, 0, "{fate}");
    as_the_ledger_says(&fixture, "public.live", "ssn", "ledger").await;
}

#[tokio::test]
async fn dropped_under_an_application_that_seals() {
    under_a_writer("finalize_kill_drop", "drop").await;
}

#[tokio::test]
async fn blanked_under_an_application_that_seals() {
    under_a_writer("finalize_kill_blank", "blank").await;
}

on_both!(killed_at_random_moments, 3_000, alone);

async fn alone(fixture: Fixture) {
    let mut draw = Draw::new();
    for fate in ["drop", "blank", "keep"] {
        let more = ["--plaintext", fate, "--grace", "0s"];
        killed(&fixture, &mut draw, &more, 700).await;
        sealed_as_saved(&fixture, &["ssn", "note"]).await;
        fixture.json(&["restore"]).await;
        super::as_it_was(&fixture).await;
    }
    finalize(&fixture, &[], 0).await;
    sealed_as_saved(&fixture, &["ssn", "note"]).await;
    fixture.json(&["audit", "verify"]).await;
}

on_both!(undone_after_kills, 3_000, undone);

async fn undone(fixture: Fixture) {
    let mut draw = Draw::new();
    for _ in 0..kills() {
        let run = fixture
            .phiseal(&super::arguments(&["--grace", "600s"]))
            .spawn();
        tokio::time::sleep(Duration::from_millis(draw.below(900))).await;
        super::kill(&fixture, run).await;
        super::undo(&fixture).await;
        super::as_it_was(&fixture).await;
        assert_eq!(super::next_phase(&fixture).await, None);
        // It takes plaintext again.
        fixture
            .exec("UPDATE people SET ssn = 'x' WHERE id = 1")
            .await;
        fixture
            .exec("UPDATE people SET ssn = 'ssn 1' WHERE id = 1")
            .await;
        fixture.backfill().await;
    }
}
