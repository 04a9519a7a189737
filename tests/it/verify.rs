//! `phiseal verify`: what does not open is counted, tagged and listed, and the rest is still opened.

use crate::backfill::beside;
use crate::live::Application;
use crate::oracle::{Cell, KeyPart, row_key, seal};
use crate::support::{Fixture, formless, unguarded};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SQL: &str = "CREATE TABLE people (id int PRIMARY KEY, clinic text NOT NULL, ssn text, mail text);
    INSERT INTO people SELECT i, 'k' || i % 2, 'ssn ' || i, 'mail ' || i FROM generate_series(1, 1200) i;";

async fn sealed(tenants: bool) -> Fixture {
    let mut plan = beside("public.people", &["ssn", "mail"]);
    if tenants {
        plan = plan.replacen(
            "\"public.people\"\n",
            "\"public.people\"\ntenant_column = \"clinic\"\n",
            1,
        );
    }
    let fixture = Fixture::postgres("verify", SQL, &plan).await;
    fixture.json(&["backfill"]).await;
    fixture
}

// As a database owner does who means to pass the guard.
async fn forge(fixture: &Fixture, statements: &str) {
    forge_in(fixture, "people", statements).await;
}

async fn forge_in(fixture: &Fixture, table: &str, statements: &str) {
    fixture.db().exec(&formless(table)).await;
    fixture.db().exec(&unguarded(table, statements)).await;
}

#[tokio::test]
async fn damaged_and_moved_values_are_counted_and_the_others_still_opened() {
    let fixture = sealed(false).await;
    forge(
        &fixture,
        "UPDATE people SET ssn_sealed = set_byte(ssn_sealed, 20, get_byte(ssn_sealed, 20) # 1) WHERE id = 3;
         UPDATE people SET ssn_sealed = substr(ssn_sealed, 1, octet_length(ssn_sealed) - 1) WHERE id = 4;
         UPDATE people SET ssn_sealed = substr(ssn_sealed, 1, 10) WHERE id = 5;
         UPDATE people SET ssn_sealed = '' WHERE id = 6;
         UPDATE people p SET ssn_sealed = q.ssn_sealed FROM people q WHERE p.id IN (7, 8) AND q.id = 15 - p.id;
         UPDATE people SET ssn_sealed = mail_sealed, mail_sealed = ssn_sealed WHERE id = 9;
         UPDATE people SET ssn_sealed = set_byte(ssn_sealed, 1, 2) WHERE id = 10;
         UPDATE people SET ssn_sealed = set_byte(ssn_sealed, 5, get_byte(ssn_sealed, 5) # 1) WHERE id = 11;
         UPDATE people SET mail = 'other' WHERE id = 12",
    )
    .await;
    let found = fixture.json_code(&["verify"], 6).await;
    let failed = 4 + 2 + 2 + 1 + 1 + 1;
    assert_eq!(
        (&found["failed"], &found["unsealed"]),
        (&failed.into(), &0.into()),
        "{found}"
    );
    assert_eq!(found["values_verified"], 2400 - failed);
    let by_key = found["keys"].as_object().unwrap();
    assert_eq!(
        by_key.values().map(|v| v.as_i64().unwrap()).sum::<i64>(),
        2400 - failed
    );
    let failures = found["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 11);
    for failure in failures {
        assert_eq!(failure["table"], "public.people");
        assert!(matches!(failure["column"].as_str(), Some("ssn" | "mail")));
        let tag = failure["row_tag"].as_str().unwrap();
        assert!(
            tag.len() == 16 && tag.chars().all(|c| c.is_ascii_hexdigit()),
            "{tag}"
        );
        assert!(!failure["reason"].as_str().unwrap().is_empty());
    }
    // Each is listed, and leads to its row.
    let listed = fixture.json(&["quarantine", "list"]).await;
    assert_eq!(listed.as_array().map(Vec::len), Some(11));
    let mut rows = 0;
    let mut tags: Vec<&str> = failures
        .iter()
        .map(|f| f["row_tag"].as_str().unwrap())
        .collect();
    tags.sort_unstable();
    tags.dedup();
    for tag in &tags {
        let file = fixture.project.dir().join(format!("{tag}.txt"));
        let name = file.to_str().unwrap();
        let args = ["quarantine", "show", tag, "--output", name];
        fixture.phiseal(&args).run().await.expect_code(0);
        let text = fs::read_to_string(file).unwrap();
        rows += usize::from((3..=12).any(|id| {
            text.split(|c: char| !c.is_ascii_digit())
                .any(|n| n == id.to_string())
        }));
    }
    assert_eq!((tags.len(), rows), (10, 10));
}

#[tokio::test]
async fn a_value_moved_to_another_tenant_does_not_open() {
    let fixture = sealed(true).await;
    assert_eq!(
        fixture.json(&["verify"]).await["keys"]
            .as_object()
            .unwrap()
            .len(),
        2
    );
    forge(&fixture, "UPDATE people SET clinic = 'k1' WHERE id = 2; UPDATE people SET clinic = 'k0' WHERE id = 3").await;
    let found = fixture.json_code(&["verify"], 6).await;
    assert_eq!(
        (&found["failed"], &found["unsealed"]),
        (&4.into(), &0.into())
    );
    assert_eq!(found["values_verified"], 2396);
}

#[tokio::test]
async fn rows_that_wait_to_be_sealed_are_counted_apart_from_failures() {
    let fixture = sealed(false).await;
    fixture.db().exec("UPDATE people SET ssn = 'changed' WHERE id <= 5; INSERT INTO people VALUES (2000, 'k', 'new', NULL)").await;
    let found = fixture.json_code(&["verify"], 6).await;
    assert_eq!(
        (&found["failed"], &found["unsealed"]),
        (&0.into(), &6.into())
    );
    assert_eq!(found["values_verified"], 2400 - 5);
    fixture.json(&["backfill"]).await;
    let found = fixture.json(&["verify"]).await;
    assert_eq!(
        (&found["values_verified"], &found["rows_verified"]),
        (&2401.into(), &1201.into())
    );
}

#[tokio::test]
async fn what_was_mended_is_no_longer_listed() {
    let fixture = sealed(false).await;
    forge(
        &fixture,
        "CREATE TABLE kept AS TABLE people; UPDATE people SET ssn_sealed = '\\x00' WHERE id = 3",
    )
    .await;
    fixture.json_code(&["verify"], 6).await;
    forge(
        &fixture,
        "UPDATE people p SET ssn_sealed = k.ssn_sealed FROM kept k WHERE p.id = 3 AND k.id = 3",
    )
    .await;
    assert_eq!(fixture.json(&["verify"]).await["failed"], 0);
    let open = "SELECT count(*) FROM phiseal.quarantine WHERE state = 'open'";
    assert_eq!(fixture.db().count(open).await, 0);
}

/// A table that takes more than a moment, in many blocks.
const LARGE: &str = "CREATE TABLE people (id int PRIMARY KEY, clinic text NOT NULL, ssn text);
    INSERT INTO people SELECT i, repeat('k', 150), 'ssn ' || i FROM generate_series(1, 40000) i;";

async fn large() -> Fixture {
    let fixture = Fixture::postgres("verify", LARGE, &beside("public.people", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    fixture
}

/// A statement again and again, with a pause, until told to stop.
async fn again_and_again(
    fixture: &Fixture,
    sql: &'static str,
) -> (Arc<AtomicBool>, tokio::task::JoinHandle<()>) {
    let stop = Arc::new(AtomicBool::new(false));
    let pool = fixture.db().pool().clone();
    let told = Arc::clone(&stop);
    let task = tokio::spawn(async move {
        while !told.load(Ordering::Relaxed) {
            sqlx::raw_sql(sql).execute(&pool).await.unwrap();
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    });
    (stop, task)
}

#[tokio::test]
async fn a_row_that_is_changed_all_the_time_is_looked_at_wherever_it_goes() {
    let fixture = large().await;
    forge(
        &fixture,
        "UPDATE people SET ssn_sealed = set_byte(ssn_sealed, 20, get_byte(ssn_sealed, 20) # 1) WHERE id = 3",
    )
    .await;
    let mut application = Application::new();
    application.does(fixture.db().pool(), Duration::from_millis(1), |n| {
        format!(
            "UPDATE people SET clinic = clinic WHERE id = 3 OR id % 997 = {}",
            n % 997
        )
    });
    let (stop, vacuum) = again_and_again(&fixture, "VACUUM people").await;
    for _ in 0..5 {
        let found = fixture.json_code(&["verify"], 6).await;
        // It may be met again behind its last version.
        assert!(found["failed"].as_u64().unwrap() >= 1, "{found}");
        assert!(
            found["rows_verified"].as_u64().unwrap() >= 39_999,
            "{found}"
        );
        assert_eq!(found["unsealed"], 0);
    }
    stop.store(true, Ordering::Relaxed);
    vacuum.await.unwrap();
    assert!(application.stop().await > 20);
    let found = fixture.json_code(&["verify"], 6).await;
    assert_eq!(
        (&found["failed"], &found["rows_verified"]),
        (&1.into(), &39_999.into())
    );
}

#[tokio::test]
async fn a_table_rewritten_meanwhile_is_verified_whole() {
    let fixture = large().await;
    let (stop, rewrites) = again_and_again(&fixture, "VACUUM FULL people").await;
    for _ in 0..5 {
        assert_eq!(fixture.json(&["verify"]).await["rows_verified"], 40_000);
    }
    stop.store(true, Ordering::Relaxed);
    rewrites.await.unwrap();
}

#[tokio::test]
async fn rows_younger_than_an_old_transaction_are_counted_once() {
    let fixture = Fixture::postgres("verify", LARGE, &beside("public.people", &["ssn"])).await;
    let mut old = fixture.db().pool().begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE of_an_old_transaction (i int)")
        .execute(&mut *old)
        .await
        .unwrap();
    fixture.json(&["backfill"]).await;
    let found = fixture.json(&["verify"]).await;
    assert_eq!(
        (&found["rows_verified"], &found["values_verified"]),
        (&40_000.into(), &40_000.into())
    );
    old.rollback().await.unwrap();
}

#[tokio::test]
async fn large_values_that_are_changed_all_the_time_are_opened_as_they_were() {
    let sql =
        "CREATE TABLE people (id int PRIMARY KEY, clinic text NOT NULL DEFAULT 'k', ssn text);
        INSERT INTO people SELECT i, 'k', repeat('ssn', 1000) || i FROM generate_series(1, 400) i;";
    let plan = format!(
        "[run]\nvalue_bytes_max = \"1KiB\"\n{}",
        beside("public.people", &["ssn"])
    );
    let fixture = Fixture::postgres("verify_large", sql, &plan).await;
    fixture.json(&["backfill"]).await;
    let mut application = Application::new();
    application.does(fixture.db().pool(), Duration::from_millis(1), |n| {
        format!("UPDATE people SET clinic = clinic WHERE id % 4 = {}", n % 4)
    });
    // In the order of storage; then by keys, since places change their meaning all the time.
    for rewritten in [false, true] {
        let rewrites = match rewritten {
            true => Some(again_and_again(&fixture, "VACUUM FULL people").await),
            false => None,
        };
        for _ in 0..3 {
            let found = fixture.json(&["verify"]).await;
            assert!(found["rows_verified"].as_u64().unwrap() >= 400, "{found}");
        }
        if let Some((stop, task)) = rewrites {
            stop.store(true, Ordering::Relaxed);
            task.await.unwrap();
        }
    }
    assert!(application.stop().await > 10);
}

#[tokio::test]
async fn young_rows_without_a_fixed_key_are_listed_each_by_its_own() {
    let sql = "CREATE TABLE visits (day date PRIMARY KEY, ssn text);
        INSERT INTO visits VALUES ('2024-02-29', 'ssn 1');";
    let fixture = Fixture::postgres("verify", sql, &beside("public.visits", &["ssn"])).await;
    fixture.json(&["backfill"]).await;
    // What comes while it is under way is younger than what a verification begins with.
    let mut old = fixture.db().pool().begin().await.unwrap();
    sqlx::raw_sql("CREATE TABLE of_an_old_transaction (i int)")
        .execute(&mut *old)
        .await
        .unwrap();
    forge_in(
        &fixture,
        "visits",
        "INSERT INTO visits SELECT date '0044-03-15 BC' + i, NULL, v.ssn_sealed \
         FROM visits v, generate_series(1, 5) i",
    )
    .await;
    let found = fixture.json_code(&["verify"], 6).await;
    assert_eq!(found["failed"], 5, "{found}");
    let tags = "SELECT count(DISTINCT row_tag) FROM phiseal.quarantine WHERE state = 'open'";
    assert_eq!(fixture.db().count(tags).await, 5);
    old.rollback().await.unwrap();
}

/// Values that an application sealed itself, well-formed and not as their fields are registered: each is
/// found, and says what is wrong with it.
#[tokio::test]
async fn what_an_application_sealed_in_another_form_is_found() {
    let sql = "CREATE TABLE people (id int PRIMARY KEY, born date, ssn text, note text)";
    let plan = "[[table]]\nname = \"public.people\"\n[[table.column]]\nname = \"born\"\nseal_into = \"born_sealed\"\n\
        [[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
        blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256 }\n\
        [[table.column]]\nname = \"note\"\nseal_into = \"note_sealed\"\npad_to = 32\n";
    let fixture = Fixture::postgres("verify_forms", sql, plan).await;
    fixture.json(&["backfill"]).await;
    let keys = fixture.keys().await;
    let (key_id, key) = (keys.keys.iter())
        .find(|(_, key)| key.purpose == "cell" && key.status == "active")
        .unwrap();
    let sealed = |id: i64, column: &str, plain: &str, pad_to: u32| {
        let row_key = row_key(&[KeyPart::Int(id)]);
        let cell = Cell {
            tenant: "",
            table: "public.people",
            column,
            row_key: &row_key,
        };
        let mut nonce = [0; 12];
        getrandom::fill(&mut nonce).unwrap();
        let key = key.key.as_ref().unwrap();
        let value = seal(&cell, key, *key_id, nonce, plain.as_bytes(), pad_to as _);
        format!("'\\x{}'", hex::encode(value))
    };
    let cases = [
        ("born", "02/29/2024", 0, "NULL", "not a date"),
        ("born", "2024-02-29", 16, "NULL", "is not to be"),
        ("note", "a note", 0, "NULL", "is to be"),
        ("note", "a note", 48, "NULL", "another length"),
        ("ssn", "123", 0, "NULL", "no blind index"),
        ("ssn", "none", 0, "'\\x00'", "gives none"),
        (
            "ssn",
            "123",
            0,
            "'\\x00112233445566778899aabbccddeeff'",
            "another length",
        ),
        (
            "ssn",
            "123",
            0,
            "decode(repeat('00', 32), 'hex')",
            "not that of the value",
        ),
        // And as they should be.
        ("born", "2024-02-29", 0, "NULL", ""),
        ("note", "a note", 32, "NULL", ""),
        ("ssn", "none", 0, "NULL", ""),
    ];
    let mut reasons = Vec::new();
    for (id, (column, plain, pad_to, index, reason)) in (1i64..).zip(cases) {
        let value = sealed(id, column, plain, pad_to);
        let sql = format!(
            "BEGIN; SET LOCAL phiseal.sealer = 'on';
             INSERT INTO people (id, {column}_sealed, ssn_bidx) VALUES ({id}, {value}, {index}); COMMIT"
        );
        fixture.db().exec(&sql).await;
        reasons.extend((!reason.is_empty()).then_some(reason));
    }
    let found = fixture.json_code(&["verify"], 6).await;
    assert_eq!(found["failed"], reasons.len(), "{found}");
    assert_eq!(found["values_verified"], cases.len() - reasons.len());
    let failures = found["failures"].as_array().unwrap();
    for reason in reasons {
        let said =
            |failure: &serde_json::Value| failure["reason"].as_str().unwrap().contains(reason);
        assert!(failures.iter().any(said), "{reason}: {failures:?}");
    }
}
