//! Partitioned tables: every leaf, whatever is attached, detached or made meanwhile.

use super::{
    columns, differences, finalize, guard_says, hidden, number, state, stopped_at, until_phase,
};
use crate::backfill::beside;
use crate::support::Fixture;

const DDL: &str = "CREATE TABLE people (id int PRIMARY KEY, ssn text NOT NULL, note text, other int) PARTITION BY RANGE (id);
    CREATE TABLE people_a PARTITION OF people FOR VALUES FROM (0) TO (20);
    CREATE TABLE people_b PARTITION OF people FOR VALUES FROM (20) TO (1000) PARTITION BY RANGE (id);
    CREATE TABLE people_ba PARTITION OF people_b FOR VALUES FROM (20) TO (40);
    CREATE TABLE people_bb PARTITION OF people_b FOR VALUES FROM (40) TO (1000);
    INSERT INTO people SELECT i, 'ssn ' || i, 'note ' || i, i FROM generate_series(1, 60) i;
    CREATE TABLE saved AS TABLE people";
const TREE: [&str; 5] = ["people", "people_a", "people_b", "people_ba", "people_bb"];

async fn partitioned(name: &str) -> Fixture {
    let plan = beside("public.people", &["ssn", "note"]);
    let fixture = Fixture::postgres(name, DDL, &plan).await;
    fixture.backfill().await;
    fixture
}

/// phiseal's constraints that are not validated.
const NOT_VALID: &str =
    "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'phiseal\\_%' AND NOT convalidated";

#[tokio::test]
async fn every_leaf_is_finalized_and_restored() {
    let fixture = partitioned("finalize_leaves").await;
    for fate in ["drop", "blank", "keep", "drop"] {
        finalize(&fixture, &["--plaintext", fate], 0).await;
        assert_eq!(number(&fixture, NOT_VALID).await, 0, "{fate}");
        for relation in TREE {
            let left = columns(&fixture, relation, "ssn").await;
            assert_eq!(
                left.len() == 1,
                fate == "drop",
                "{fate} {relation}: {left:?}"
            );
            let filled = format!(
                "SELECT count(*) FROM pg_attribute WHERE attrelid = '{relation}'::regclass
                 AND attname = 'ssn_sealed' AND attnotnull"
            );
            assert_eq!(number(&fixture, &filled).await, 1, "{fate} {relation}");
        }
        if fate == "blank" {
            let left = "SELECT count(*) FROM people WHERE ssn IS NOT NULL OR note IS NOT NULL";
            assert_eq!(number(&fixture, left).await, 0);
        }
        fixture
            .expect_sealed("public.people", &["ssn", "note"], "saved")
            .await;
        if fate == "keep" {
            continue;
        }
        fixture.json(&["restore"]).await;
        let differ = differences(&fixture, "people", "saved", "id, ssn, note, other").await;
        assert_eq!(differ, 0, "{fate}");
        for relation in TREE {
            let not_null = format!(
                "SELECT count(*) FROM pg_attribute WHERE attrelid = '{relation}'::regclass
                 AND attname = 'ssn' AND attnotnull"
            );
            assert_eq!(number(&fixture, &not_null).await, 1, "{fate} {relation}");
        }
    }
    fixture.json(&["restore"]).await;
    fixture.json(&["restore", "--drop-sealed", "--yes"]).await;
    let left = "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'phiseal\\_%'";
    assert_eq!(number(&fixture, left).await, 0);
}

/// As a job does that makes the next month's partition.
#[tokio::test]
async fn a_partition_that_is_made_meanwhile_is_finalized_too() {
    let fixture = partitioned("finalize_next").await;
    let make = "CREATE TABLE people_next PARTITION OF people FOR VALUES FROM (1000) TO (2000)";
    stopped_at(&fixture, "grace", &[]).await;
    fixture.exec(make).await;
    finalize(&fixture, &[], 0).await;
    for relation in TREE.into_iter().chain(["people_next"]) {
        let left = columns(&fixture, relation, "~phiseal").await;
        assert!(left.is_empty(), "{relation}: {left:?}");
    }
    // And one that is made between two finalizes.
    fixture.json(&["restore"]).await;
    let later = "CREATE TABLE people_later PARTITION OF people FOR VALUES FROM (2000) TO (3000)";
    fixture.exec(later).await;
    finalize(&fixture, &["--plaintext", "blank"], 0).await;
    assert_eq!(state(&fixture, "ssn").await, "finalized");
    assert_eq!(number(&fixture, NOT_VALID).await, 0);
}

#[tokio::test]
async fn a_partition_that_is_attached_with_plaintext_is_verified_first() {
    let fixture = partitioned("finalize_attached").await;
    let mut holder = fixture.db().pool().begin().await.unwrap();
    let id = "SELECT txid_current()";
    sqlx::raw_sql(id).execute(&mut *holder).await.unwrap();
    stopped_at(&fixture, "settle", &[]).await;
    let attach = "CREATE TABLE people_x (LIKE people INCLUDING ALL);
        INSERT INTO people_x (id, ssn, note, other) VALUES (1500, 'ssn 1500', 'note', 0);
        ALTER TABLE people ATTACH PARTITION people_x FOR VALUES FROM (1000) TO (2000);
        INSERT INTO saved SELECT id, ssn, note, other FROM people_x";
    fixture.exec(attach).await;
    holder.rollback().await.unwrap();
    finalize(&fixture, &[], 0).await;
    fixture
        .expect_sealed("public.people", &["ssn", "note"], "saved")
        .await;
    assert!(
        !columns(&fixture, "people_x", "ssn")
            .await
            .contains(&"ssn".to_owned())
    );
}

#[tokio::test]
async fn a_partition_that_was_detached_and_changed_meanwhile_is_verified_again() {
    let fixture = partitioned("finalize_reattached").await;
    stopped_at(&fixture, "grace", &["--column", "ssn"]).await;
    let column = hidden(&fixture, "people").await;
    let change = format!(
        "ALTER TABLE people_b DETACH PARTITION people_bb;
         UPDATE people_bb SET {column} = 'changed' WHERE id = 45;
         ALTER TABLE people_b ATTACH PARTITION people_bb FOR VALUES FROM (40) TO (1000)"
    );
    fixture.exec(&change).await;
    let code = super::refusal(&fixture, &["--column", "ssn"], 6).await;
    assert_eq!(code, "E0613");
    let kept = fixture.scalar("SELECT ssn FROM people WHERE id = 45").await;
    assert_eq!(kept.as_deref(), Some("changed"));
}

#[tokio::test]
async fn a_partition_that_is_detached_with_its_plaintext_is_not_passed_over() {
    let fixture = partitioned("finalize_detached").await;
    stopped_at(&fixture, "grace", &["--column", "ssn"]).await;
    fixture
        .exec("ALTER TABLE people_b DETACH PARTITION people_bb")
        .await;
    let arguments = super::arguments(&["--grace", "0s", "--column", "ssn"]);
    let run = fixture.run(&arguments).await;
    let left = columns(&fixture, "people_bb", "~phiseal").await;
    if run.code() == Some(0) && !left.is_empty() {
        // It may end for the table, but says where plaintext is left, then and later.
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains("people_bb"), "{said}");
        fixture.run(&["status", "--check"]).await.expect_code(10);
    }
}

/// A leaf of its own guard: what is written to it directly is refused too.
#[tokio::test]
async fn a_frozen_leaf_takes_no_plaintext_either() {
    let fixture = partitioned("finalize_leaf").await;
    let run = fixture
        .phiseal(&super::arguments(&["--grace", "600s"]))
        .spawn();
    until_phase(&fixture, "grace").await;
    let names = columns(&fixture, "people_a", "~phiseal_hidden_").await;
    for name in names {
        let write = format!("UPDATE people_a SET \"{name}\" = 'plaintext' WHERE id = 5");
        assert_eq!(guard_says(&fixture, &write).await, "PS007");
    }
    super::kill(&fixture, run).await;
    finalize(&fixture, &[], 0).await;
}
