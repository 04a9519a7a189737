//! Marks and guards, met by the program and by a writer with a plain connection.

use super::{INDEXED, PLAN, check, phiseal, sealed};

/// What a plain `sqlite3` does: foreign keys are not checked.
const PLAIN: &str = "PRAGMA foreign_keys = OFF;";

#[tokio::test]
async fn no_writer_switches_the_guard_off_for_others() {
    let fixture = sealed(PLAN).await;
    for mark in ["engine", "sealer"] {
        let said = fixture
            .refusal(&format!(
                "{PLAIN} INSERT INTO phiseal_mark VALUES ('{mark}')"
            ))
            .await;
        assert!(said.is_some(), "{mark}");
    }
    fixture
        .exec(&format!(
            "{PLAIN} UPDATE people SET ssn = 'changed' WHERE id = 1"
        ))
        .await;
    let seal = "SELECT ssn_sealed FROM people WHERE id = 1";
    assert_eq!(fixture.scalar(seal).await, None);
    assert_eq!(check(&fixture).await.0, Some(0));
    fixture.backfill().await;
    phiseal(&fixture, &["verify"]).run().await.expect_code(0);
}

#[tokio::test]
async fn a_mark_that_was_forced_is_told_until_every_value_is_compared() {
    let fixture = sealed(PLAN).await;
    fixture
        .exec(
            "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO phiseal_mark VALUES ('sealer'); \
             PRAGMA defer_foreign_keys = OFF; COMMIT",
        )
        .await;
    let (code, said) = check(&fixture).await;
    assert!(
        code == Some(10) && said.contains("the mark 'sealer' stands"),
        "{said}"
    );
    let plan = phiseal(&fixture, &["plan", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(plan["warnings"][0]["code"], "E0247", "{plan}");
    let compared = fixture.backfill().await;
    assert_ne!(compared["values_compared"], 0, "{compared}");
    assert_eq!(
        fixture
            .scalar("SELECT count(*) FROM phiseal_mark")
            .await
            .as_deref(),
        Some("0")
    );
    let (code, said) = check(&fixture).await;
    assert_eq!(code, Some(0), "{said}");
    let verified = phiseal(&fixture, &["verify"]).run().await.expect_code(0);
    assert!(!verified.stderr.contains("E0247"), "{}", verified.stderr);
}

#[tokio::test]
async fn a_guard_of_an_earlier_version_goes_on_and_is_replaced_by_the_next_command_that_writes() {
    let fixture = sealed(PLAN).await;
    fixture.exec(include_str!("../guard_of_0_1_0.sql")).await;
    let (code, said) = check(&fixture).await;
    assert!(
        code == Some(10) && said.contains("the guard of table people"),
        "{said}"
    );
    // Applications write as before meanwhile.
    fixture
        .exec(&format!(
            "{PLAIN} UPDATE people SET ssn = 'changed' WHERE id = 1"
        ))
        .await;
    assert_eq!(
        fixture
            .scalar("SELECT ssn_sealed FROM people WHERE id = 1")
            .await,
        None
    );
    fixture.backfill().await;
    assert_eq!(check(&fixture).await.0, Some(0));
    let old = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '~phiseal_*' \
        AND instr(sql, '''engine''') > 0 AND instr(sql, 'phiseal_guard_mark') = 0";
    assert_eq!(fixture.scalar(old).await.as_deref(), Some("0"));
    phiseal(&fixture, &["verify"]).run().await.expect_code(0);
    // A rotation meets no guard that would undo its work.
    fixture.exec(include_str!("../guard_of_0_1_0.sql")).await;
    let rotated = phiseal(&fixture, &["rotate", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(rotated["rows_resealed"], 3);
    phiseal(&fixture, &["verify"]).run().await.expect_code(0);
}

#[tokio::test]
async fn an_ordinary_update_leaves_the_only_copy_of_a_row_whose_key_is_equal_but_for_its_case() {
    let fixture = crate::support::Fixture::sqlite(
        "CREATE TABLE t (code TEXT COLLATE NOCASE NOT NULL, v TEXT); \
         CREATE UNIQUE INDEX u ON t (code COLLATE BINARY); \
         INSERT INTO t VALUES ('a', 'one'), ('A', 'two'), ('b', 'three'), ('B', 'four')",
        "[[table]]\nname = \"t\"\n[[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n",
    )
    .await;
    fixture.backfill().await;
    // As after an application that sealed by itself.
    fixture
        .exec(&crate::support::marked_in_sqlite(
            "clear",
            "t",
            "UPDATE t SET v = NULL",
        ))
        .await;
    let seals = "SELECT group_concat(hex(v_sealed), ' ') FROM (SELECT v_sealed FROM t \
        WHERE code <> 'b' COLLATE BINARY ORDER BY rowid)";
    let before = fixture.scalar(seals).await;
    let refused = fixture
        .refusal("UPDATE t SET v_sealed = x'00' WHERE code = 'a' COLLATE BINARY")
        .await;
    assert!(refused.is_some_and(|said| said.contains("phiseal PS006: ")));
    fixture
        .exec("UPDATE t SET v = 'new' WHERE code = 'b' COLLATE BINARY")
        .await;
    assert_eq!(fixture.scalar(seals).await, before);
    assert_eq!(
        fixture
            .scalar("SELECT v_sealed FROM t WHERE code = 'b' COLLATE BINARY")
            .await,
        None
    );
    assert_eq!(fixture.backfill().await["rows_sealed"], 1);
    phiseal(&fixture, &["verify"]).run().await.expect_code(0);
    let rotated = phiseal(&fixture, &["rotate", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(rotated["rows_resealed"], 4);
    phiseal(&fixture, &["verify"]).run().await.expect_code(0);
}

#[tokio::test]
async fn a_view_that_is_broken_is_named_before_a_rotation_of_indexes_begins() {
    let fixture = sealed(INDEXED).await;
    fixture
        .exec("CREATE TABLE other (a); CREATE VIEW report AS SELECT b FROM other")
        .await;
    let plan = phiseal(&fixture, &["plan", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    let warning = &plan["warnings"][0];
    assert_eq!(warning["code"], "E0246", "{plan}");
    assert!(
        warning["message"].as_str().unwrap().contains("view report"),
        "{plan}"
    );
    for args in [
        &[
            "rotate",
            "--purpose",
            "blind_index",
            "--grace",
            "0",
            "--json",
        ][..],
        &["restore", "--drop-sealed", "--yes", "--json"],
    ] {
        let refused = phiseal(&fixture, args).run().await.expect_code(3).json();
        assert_eq!(refused["error"]["code"], "E0246", "{args:?}");
    }
    let rotations = "SELECT count(*) FROM phiseal_key_rotation_history";
    assert_eq!(fixture.scalar(rotations).await.as_deref(), Some("0"));
    // What drops no column goes on.
    phiseal(&fixture, &["rotate"]).run().await.expect_code(0);
    phiseal(&fixture, &["verify"]).run().await.expect_code(0);
    fixture.exec("DROP VIEW report").await;
    let args = ["rotate", "--purpose", "blind_index", "--grace", "0"];
    phiseal(&fixture, &args).run().await.expect_code(0);
}
