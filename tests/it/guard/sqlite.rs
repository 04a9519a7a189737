//! The same promises in SQLite, under either setting of recursive triggers.

use crate::oracle::NonceLedger;
use crate::support::{Fixture, marked_in_sqlite};

const PLAN: &str = "[[table]]\nname = \"people\"\non_untrusted_seal = \"undo\"\n[[table.column]]\nname = \"ssn\"\n\
    seal_into = \"ssn_sealed\"\n\
    blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }\n";
const DDL: &str =
    "CREATE TABLE people (id INTEGER PRIMARY KEY, ssn TEXT COLLATE NOCASE, other TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
    INSERT INTO people SELECT i, 'ssn ' || i, 'other' FROM n";

async fn check(fixture: &Fixture, what: &str) -> (usize, usize) {
    let checked = fixture
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
        let fixture = Fixture::sqlite(DDL, PLAN).await;
        fixture.backfill().await;
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
            fixture
                .exec(&format!("PRAGMA recursive_triggers = {recursive}; {sql}"))
                .await;
            assert_eq!(
                check(&fixture, what).await.0,
                unsealed,
                "{what}, recursive triggers {recursive}"
            );
        }
        let kept = fixture.scalar(stay).await;
        assert_eq!(kept.as_deref(), Some("2"));
        let plain = fixture.scalar("SELECT ssn FROM people WHERE id = 10").await;
        assert_eq!(plain.as_deref(), Some("ssn 10"), "the only copy is gone");
        fixture.backfill().await;
        assert_eq!(check(&fixture, "the end").await, (0, 21));
    }
}

#[tokio::test]
async fn values_without_plaintext_are_not_lost_in_sqlite() {
    let fixture = Fixture::sqlite(DDL, PLAN).await;
    fixture.backfill().await;
    fixture
        .exec(&marked_in_sqlite(
            "clear",
            "people",
            "UPDATE people SET ssn = NULL WHERE id = 5",
        ))
        .await;
    let sealed = "SELECT ssn_sealed FROM people WHERE id = 5";
    let before = fixture.scalar(sealed).await;
    for sql in [
        "UPDATE people SET id = 50 WHERE id = 5",
        "INSERT INTO people (id, ssn_sealed) SELECT 51, ssn_sealed FROM people WHERE id = 5",
    ] {
        let said = fixture
            .refusal(sql)
            .await
            .unwrap_or_else(|| panic!("{sql}: went through"));
        assert!(said.contains("phiseal"), "{said}");
    }
    fixture
        .exec("UPDATE people SET ssn_sealed = NULL WHERE id = 5")
        .await;
    assert_eq!(fixture.scalar(sealed).await, before);
    fixture
        .exec("UPDATE people SET ssn = 'new' WHERE id = 5")
        .await;
    fixture.backfill().await;
    assert_eq!(check(&fixture, "the end").await, (0, 20));
}

fn fires(body: &str) -> (String, String) {
    let ddl = format!("{DDL}; CREATE TRIGGER changes AFTER UPDATE ON people {body}");
    let plan = PLAN.replace(
        "on_untrusted_seal",
        "triggers = \"fire\"\non_untrusted_seal",
    );
    (ddl, plan)
}

#[tokio::test]
async fn a_trigger_that_normalises_what_is_sealed_leaves_every_value_sealed_as_it_is_then() {
    let (ddl, plan) = fires(
        "WHEN CAST(NEW.ssn AS BLOB) <> CAST(upper(NEW.ssn) AS BLOB)
         BEGIN UPDATE people SET ssn = upper(NEW.ssn) WHERE id = NEW.id; END",
    );
    let fixture = Fixture::sqlite(&ddl, &plan).await;
    fixture.backfill().await;
    assert_eq!(check(&fixture, "normalised").await, (0, 20));
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    assert_eq!(verify.expect_code(0).json()["failed"], 0);
}

#[tokio::test]
async fn a_trigger_that_changes_the_value_each_time_ends_the_run_and_is_named() {
    let (ddl, plan) = fires("BEGIN UPDATE people SET ssn = ssn || '.' WHERE id = NEW.id; END");
    let fixture = Fixture::sqlite(&ddl, &plan).await;
    let run = fixture.project.phiseal(&["backfill", "--json"]).run().await;
    let said = run.expect_code(9).json();
    assert_eq!(said["error"]["code"], "E0526", "{said}");
    assert!(
        said["error"]["message"]
            .as_str()
            .unwrap()
            .contains("changes"),
        "{said}"
    );
    assert_eq!(check(&fixture, "each time").await, (20, 0));
}

#[tokio::test]
async fn an_index_that_a_sealer_left_out_is_found_and_filled() {
    let fixture = Fixture::sqlite(DDL, PLAN).await;
    fixture.backfill().await;
    fixture
        .exec("CREATE TABLE kept AS SELECT * FROM people")
        .await;
    let index = "SELECT hex(ssn_bidx) FROM people WHERE id = 3";
    let right = fixture.scalar(index).await;
    let seal = "ssn_sealed = (SELECT ssn_sealed FROM kept WHERE id = 3)";
    fixture
        .exec(&trusted(&format!(
            "UPDATE people SET ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 3;
             UPDATE people SET {seal}, ssn = ssn WHERE id = 3"
        )))
        .await;
    assert_eq!(fixture.scalar(index).await.unwrap_or_default(), "");
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    let said = verify.expect_code(6).json();
    assert!(
        said["failures"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("no blind index"),
        "{said}"
    );
    fixture.backfill().await;
    assert_eq!(fixture.scalar(index).await, right);
    let verify = fixture.project.phiseal(&["verify", "--json"]).run().await;
    verify.expect_code(0);
}

#[tokio::test]
async fn an_untrusted_change_of_a_seal_is_refused_by_default_with_its_code() {
    let fixture = Fixture::sqlite(DDL, &PLAN.replace("on_untrusted_seal = \"undo\"\n", "")).await;
    fixture.backfill().await;
    let said = fixture
        .refusal("UPDATE people SET ssn_bidx = NULL WHERE id = 8")
        .await;
    assert!(said.is_some_and(|said| said.contains("phiseal PS006: ")));
    let fixture = Fixture::sqlite(DDL, PLAN).await;
    fixture.backfill().await;
    let said = fixture
        .refusal("UPDATE people SET ssn_bidx = NULL WHERE id = 8")
        .await;
    assert_eq!(said, None);
}
