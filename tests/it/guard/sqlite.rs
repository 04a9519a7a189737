//! The same promises in SQLite, under either setting of recursive triggers.

use crate::oracle::NonceLedger;
use crate::support::Ground;

const PLAN: &str = "[[table]]\nname = \"people\"\n[[table.column]]\nname = \"ssn\"\n\
    seal_into = \"ssn_sealed\"\n\
    blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }\n";
const DDL: &str =
    "CREATE TABLE people (id INTEGER PRIMARY KEY, ssn TEXT COLLATE NOCASE, other TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
    INSERT INTO people SELECT i, 'ssn ' || i, 'other' FROM n";

async fn check(ground: &Ground, what: &str) -> (usize, usize) {
    let checked = ground
        .check("people", "ssn", &mut NonceLedger::default())
        .await;
    assert!(checked.faults.is_empty(), "{what}: {:#?}", checked.faults);
    (checked.unsealed, checked.equal)
}

fn trusted(sql: &str) -> String {
    format!(
        "PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; INSERT INTO phiseal_mark (mark) VALUES ('sealer'); {sql};
         DELETE FROM phiseal_mark; COMMIT"
    )
}

#[tokio::test]
async fn stale_writers_of_sqlite_leave_no_stale_seal() {
    for recursive in ["ON", "OFF"] {
        let ground = Ground::sqlite(DDL, PLAN).await;
        ground.backfill().await;
        let stay = "SELECT id, ssn_sealed FROM people WHERE id = 2";
        for (what, sql, unsealed) in [
            (
                "ORM",
                "UPDATE people SET ssn = 'new', ssn_sealed = ssn_sealed, ssn_bidx = ssn_bidx WHERE id = 1",
                1,
            ),
            (
                "letter case",
                "UPDATE people SET ssn = 'SSN 3' WHERE id = 3",
                2,
            ),
            (
                "a copied row",
                "INSERT INTO people (id, ssn, ssn_sealed) SELECT 30, ssn, ssn_sealed FROM people WHERE id = 4",
                3,
            ),
            (
                "upsert",
                "INSERT INTO people (id, ssn, ssn_sealed) SELECT 5, 'up', ssn_sealed FROM people WHERE id = 4 ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn",
                4,
            ),
            (
                "replace",
                "INSERT OR REPLACE INTO people (id, ssn, ssn_sealed) SELECT 6, 're', ssn_sealed FROM people WHERE id = 4",
                5,
            ),
            ("key", "UPDATE people SET id = 40 WHERE id = 7", 6),
            (
                "seal alone",
                "UPDATE people SET ssn_sealed = NULL WHERE id = 8; UPDATE people SET ssn_sealed = x'00', ssn_bidx = NULL WHERE id = 9",
                6,
            ),
            (
                "another column",
                "UPDATE people SET other = 'x' WHERE id = 2",
                6,
            ),
            (
                "a sealer takes the seal away",
                &trusted("UPDATE people SET ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 10"),
                7,
            ),
        ] {
            ground
                .exec(&format!("PRAGMA recursive_triggers = {recursive}; {sql}"))
                .await;
            assert_eq!(
                check(&ground, what).await.0,
                unsealed,
                "{what}, recursive triggers {recursive}"
            );
        }
        let kept = ground.scalar(stay).await;
        assert_eq!(kept.as_deref(), Some("2"));
        let plain = ground.scalar("SELECT ssn FROM people WHERE id = 10").await;
        assert_eq!(plain.as_deref(), Some("ssn 10"), "the only copy is gone");
        ground.backfill().await;
        assert_eq!(check(&ground, "the end").await, (0, 21));
    }
}

#[tokio::test]
async fn values_without_plaintext_are_not_lost_in_sqlite() {
    let ground = Ground::sqlite(DDL, PLAN).await;
    ground.backfill().await;
    ground
        .exec(
            "BEGIN IMMEDIATE; INSERT INTO phiseal_guard_mark VALUES (-9000000000000000000, 'engine');
             UPDATE people SET ssn = NULL WHERE id = 5; DELETE FROM phiseal_guard_mark; COMMIT",
        )
        .await;
    let sealed = "SELECT ssn_sealed FROM people WHERE id = 5";
    let before = ground.scalar(sealed).await;
    for sql in [
        "UPDATE people SET id = 50 WHERE id = 5",
        "INSERT INTO people (id, ssn_sealed) SELECT 51, ssn_sealed FROM people WHERE id = 5",
    ] {
        let said = ground
            .refusal(sql)
            .await
            .unwrap_or_else(|| panic!("{sql}: went through"));
        assert!(said.contains("phiseal"), "{said}");
    }
    ground
        .exec("UPDATE people SET ssn_sealed = NULL WHERE id = 5")
        .await;
    assert_eq!(ground.scalar(sealed).await, before);
    ground
        .exec("UPDATE people SET ssn = 'new' WHERE id = 5")
        .await;
    ground.backfill().await;
    assert_eq!(check(&ground, "the end").await, (0, 20));
}
