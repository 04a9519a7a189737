//! Marks and guards, met by the program and by a writer with a plain connection.

use super::{INDEXED, PLAN, check, phiseal, sealed};

/// What a plain `sqlite3` does: foreign keys are not checked.
const PLAIN: &str = "PRAGMA foreign_keys = OFF;";

#[tokio::test]
async fn no_writer_switches_the_guard_off_for_others() {
    let ground = sealed(PLAN).await;
    for mark in ["engine", "sealer"] {
        let said = ground
            .refusal(&format!(
                "{PLAIN} INSERT INTO phiseal_mark VALUES ('{mark}')"
            ))
            .await;
        assert!(said.is_some(), "{mark}");
    }
    ground
        .exec(&format!(
            "{PLAIN} UPDATE people SET ssn = 'changed' WHERE id = 1"
        ))
        .await;
    let seal = "SELECT ssn_sealed FROM people WHERE id = 1";
    assert_eq!(ground.scalar(seal).await, None);
    assert_eq!(check(&ground).await.0, Some(0));
    ground.backfill().await;
    phiseal(&ground, &["verify"]).run().await.expect_code(0);
}

#[tokio::test]
async fn a_mark_that_was_forced_is_told_until_every_value_is_compared() {
    let ground = sealed(PLAN).await;
    ground
        .exec(
            "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO phiseal_mark VALUES ('sealer'); \
             PRAGMA defer_foreign_keys = OFF; COMMIT",
        )
        .await;
    let (code, said) = check(&ground).await;
    assert!(
        code == Some(10) && said.contains("the mark 'sealer' stands"),
        "{said}"
    );
    let plan = phiseal(&ground, &["plan", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(plan["warnings"][0]["code"], "E0247", "{plan}");
    let compared = ground.backfill().await;
    assert_ne!(compared["values_compared"], 0, "{compared}");
    assert_eq!(
        ground
            .scalar("SELECT count(*) FROM phiseal_mark")
            .await
            .as_deref(),
        Some("0")
    );
    let (code, said) = check(&ground).await;
    assert_eq!(code, Some(0), "{said}");
    let verified = phiseal(&ground, &["verify"]).run().await.expect_code(0);
    assert!(!verified.stderr.contains("E0247"), "{}", verified.stderr);
}

#[tokio::test]
async fn a_guard_of_an_earlier_version_goes_on_and_is_replaced_by_the_next_command_that_writes() {
    let ground = sealed(PLAN).await;
    ground.exec(include_str!("../guard_of_0_1_0.sql")).await;
    let (code, said) = check(&ground).await;
    assert!(
        code == Some(10) && said.contains("the guard of table people"),
        "{said}"
    );
    // Applications write as before meanwhile.
    ground
        .exec(&format!(
            "{PLAIN} UPDATE people SET ssn = 'changed' WHERE id = 1"
        ))
        .await;
    assert_eq!(
        ground
            .scalar("SELECT ssn_sealed FROM people WHERE id = 1")
            .await,
        None
    );
    ground.backfill().await;
    assert_eq!(check(&ground).await.0, Some(0));
    let old = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name GLOB '~phiseal_*' \
        AND instr(sql, '''engine''') > 0 AND instr(sql, 'phiseal_guard_mark') = 0";
    assert_eq!(ground.scalar(old).await.as_deref(), Some("0"));
    phiseal(&ground, &["verify"]).run().await.expect_code(0);
    // A rotation meets no guard that would undo its work.
    ground.exec(include_str!("../guard_of_0_1_0.sql")).await;
    let rotated = phiseal(&ground, &["rotate", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(rotated["rows_resealed"], 3);
    phiseal(&ground, &["verify"]).run().await.expect_code(0);
}

#[tokio::test]
async fn an_ordinary_update_leaves_the_only_copy_of_a_row_whose_key_is_equal_but_for_its_case() {
    let ground = crate::support::Ground::sqlite(
        "CREATE TABLE t (code TEXT COLLATE NOCASE NOT NULL, v TEXT); \
         CREATE UNIQUE INDEX u ON t (code COLLATE BINARY); \
         INSERT INTO t VALUES ('a', 'one'), ('A', 'two'), ('b', 'three'), ('B', 'four')",
        "[[table]]\nname = \"t\"\n[[table.column]]\nname = \"v\"\nseal_into = \"v_sealed\"\n",
    )
    .await;
    ground.backfill().await;
    // As after an application that sealed by itself.
    ground
        .exec(&crate::support::marked_in_sqlite(
            "clear",
            "t",
            "UPDATE t SET v = NULL",
        ))
        .await;
    let seals = "SELECT group_concat(hex(v_sealed), ' ') FROM (SELECT v_sealed FROM t \
        WHERE code <> 'b' COLLATE BINARY ORDER BY rowid)";
    let before = ground.scalar(seals).await;
    let refused = ground
        .refusal("UPDATE t SET v_sealed = x'00' WHERE code = 'a' COLLATE BINARY")
        .await;
    assert!(refused.is_some_and(|said| said.contains("phiseal PS006: ")));
    ground
        .exec("UPDATE t SET v = 'new' WHERE code = 'b' COLLATE BINARY")
        .await;
    assert_eq!(ground.scalar(seals).await, before);
    assert_eq!(
        ground
            .scalar("SELECT v_sealed FROM t WHERE code = 'b' COLLATE BINARY")
            .await,
        None
    );
    assert_eq!(ground.backfill().await["rows_sealed"], 1);
    phiseal(&ground, &["verify"]).run().await.expect_code(0);
    let rotated = phiseal(&ground, &["rotate", "--json"])
        .run()
        .await
        .expect_code(0)
        .json();
    assert_eq!(rotated["rows_resealed"], 4);
    phiseal(&ground, &["verify"]).run().await.expect_code(0);
}

#[tokio::test]
async fn a_view_that_is_broken_is_named_before_a_rotation_of_indexes_begins() {
    let ground = sealed(INDEXED).await;
    ground
        .exec("CREATE TABLE other (a); CREATE VIEW report AS SELECT b FROM other")
        .await;
    let plan = phiseal(&ground, &["plan", "--json"])
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
        &["restore", "--drop-sealed", "--json"],
    ] {
        let refused = phiseal(&ground, args).run().await.expect_code(3).json();
        assert_eq!(refused["error"]["code"], "E0246", "{args:?}");
    }
    let rotations = "SELECT count(*) FROM phiseal_key_rotation_history";
    assert_eq!(ground.scalar(rotations).await.as_deref(), Some("0"));
    // What drops no column goes on.
    phiseal(&ground, &["rotate"]).run().await.expect_code(0);
    phiseal(&ground, &["verify"]).run().await.expect_code(0);
    ground.exec("DROP VIEW report").await;
    let args = ["rotate", "--purpose", "blind_index", "--grace", "0"];
    phiseal(&ground, &args).run().await.expect_code(0);
}
