//! Tests of the guard with sealed columns beside: every statement under both settings of recursive
//! triggers.

mod engine;
mod frozen;
mod in_place;
mod marks;
mod next;
mod renamed;
mod rows;

use crate::store::Catalog;
use crate::store::UntrustedSeal;
use crate::store::sqlite::fixture::{Fixture, ident, table, with};

const SEAL_1: &str = "x'e70100000001aa'";
const SEAL_1B: &str = "x'e70200000001bb'";
const SEAL_2: &str = "x'e70100000002cc'";

/// A guarded table sealed beside, with an active key 1 and a key 2 that is not active. Row 1 has
/// plaintext and sealed value, row 2 only a sealed value.
async fn beside(recursive: bool) -> Fixture {
    let mut fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, clinic TEXT, ssn TEXT COLLATE NOCASE, note, other TEXT, \
         ssn_sealed BLOB, ssn_bidx BLOB)",
    )
    .await;
    fixture.key(1, "n", true).await;
    fixture.key(2, "n", false).await;
    let mut table = with(table("t", &["id"]), "ssn", "TEXT", true);
    table.tenant = Some(ident("clinic"));
    table.fields[0].index = Some(ident("ssn_bidx"));
    table.on_untrusted_seal = Some(UntrustedSeal::Undo);
    fixture.store.prepare(&table).await.unwrap();
    let pragma = format!("PRAGMA recursive_triggers = {}", i32::from(recursive));
    fixture.exec(&pragma).await.unwrap();
    let rows = format!(
        "INSERT INTO t VALUES \
         (1, 'n', 'abc', NULL, 'o', {SEAL_1}, x'01'), (2, 'n', NULL, NULL, 'o', {SEAL_1}, x'02')"
    );
    fixture.unguarded(&rows).await;
    fixture
}

async fn state(fixture: &mut Fixture) -> Vec<String> {
    let select = "SELECT id || ' ' || quote(ssn) || ' ' || \
        iif(ssn_sealed IS NULL, '-', lower(hex(ssn_sealed))) || ' ' || \
        iif(ssn_bidx IS NULL, '-', lower(hex(ssn_bidx))) FROM t ORDER BY id";
    fixture.rows(select).await
}

/// Asserts the rows after a statement, untrusted or as a sealer, under either setting of recursive
/// triggers.
async fn leaves(trusted: bool, sql: &str, expected: &[&str]) {
    for recursive in [false, true] {
        let mut fixture = beside(recursive).await;
        outcome(&mut fixture, trusted, sql).await.unwrap();
        assert_eq!(
            state(&mut fixture).await,
            expected,
            "{sql}, recursive: {recursive}"
        );
        assert!(
            fixture
                .rows("SELECT mark FROM phiseal_mark UNION ALL SELECT mark FROM phiseal_guard_mark")
                .await
                .is_empty(),
            "{sql}"
        );
        let others = fixture
            .rows("SELECT DISTINCT other FROM t WHERE id < 3")
            .await;
        assert_eq!(others, ["o"], "{sql}");
    }
}

async fn outcome(fixture: &mut Fixture, trusted: bool, sql: &str) -> Result<(), sqlx::Error> {
    if !trusted {
        return fixture.exec(sql).await;
    }
    let marked = format!(
        "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO phiseal_mark VALUES ('sealer'); {sql}; DELETE FROM phiseal_mark; COMMIT"
    );
    let outcome = fixture.exec(&marked).await;
    if outcome.is_err() {
        fixture.exec("ROLLBACK").await.unwrap();
    }
    outcome
}

async fn is_refused(trusted: bool, sql: &str) {
    for recursive in [false, true] {
        let mut fixture = beside(recursive).await;
        let before = state(&mut fixture).await;
        let error = outcome(&mut fixture, trusted, sql).await.unwrap_err();
        let code = error
            .as_database_error()
            .and_then(|error| error.code())
            .map(String::from);
        assert_eq!(code.as_deref(), Some("1811"), "{sql}");
        assert_eq!(state(&mut fixture).await, before, "{sql}");
    }
}

const ROW_1: &str = "1 'abc' e70100000001aa 01";
const ROW_2: &str = "2 NULL e70100000001aa 02";

#[tokio::test]
async fn a_change_of_plaintext_blanks_the_seal_and_its_index() {
    leaves(
        false,
        "UPDATE t SET ssn = 'new' WHERE id = 1",
        &["1 'new' - -", ROW_2],
    )
    .await;
    leaves(
        false,
        "UPDATE t SET ssn = 'ABC' WHERE id = 1",
        &["1 'ABC' - -", ROW_2],
    )
    .await;
    leaves(
        false,
        "UPDATE t SET ssn = CAST('abc' AS BLOB) WHERE id = 1",
        &["1 X'616263' - -", ROW_2],
    )
    .await;
    leaves(
        false,
        "UPDATE t SET ssn = NULL WHERE id = 1",
        &["1 NULL - -", ROW_2],
    )
    .await;
    leaves(
        false,
        "UPDATE t SET ssn = 'x' WHERE id = 2",
        &[ROW_1, "2 'x' - -"],
    )
    .await;
    leaves(
        false,
        "INSERT INTO t (id, clinic, ssn, other) VALUES (1, 'n', 'up', 'o') \
         ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn",
        &["1 'up' - -", ROW_2],
    )
    .await;
}

#[tokio::test]
async fn a_writer_that_puts_back_every_column_it_loaded_changes_no_seal() {
    let stale =
        format!("UPDATE t SET ssn = 'new', ssn_sealed = {SEAL_1}, ssn_bidx = x'01' WHERE id = 1");
    leaves(false, &stale, &["1 'new' - -", ROW_2]).await;
    leaves(
        false,
        "UPDATE t SET ssn = ssn, other = other",
        &[ROW_1, ROW_2],
    )
    .await;
}

#[tokio::test]
async fn an_untrusted_change_of_the_seal_alone_is_undone() {
    for change in [
        format!("ssn_sealed = {SEAL_1B}"),
        "ssn_sealed = NULL".to_owned(),
        "ssn_bidx = x'ff'".to_owned(),
        "ssn_sealed = NULL, ssn_bidx = NULL".to_owned(),
    ] {
        leaves(false, &format!("UPDATE t SET {change}"), &[ROW_1, ROW_2]).await;
    }
}

#[tokio::test]
async fn an_untrusted_insert_carries_no_seal() {
    let insert = format!("INSERT INTO t VALUES (3, 'n', 'x', NULL, 'o', {SEAL_1}, x'09')");
    leaves(false, &insert, &[ROW_1, ROW_2, "3 'x' - -"]).await;
    leaves(
        false,
        &insert
            .replace("(3", "(1")
            .replace("INSERT", "INSERT OR REPLACE"),
        &["1 'x' - -", ROW_2],
    )
    .await;
    let plain = "INSERT INTO t (id, clinic, ssn, other) VALUES (3, 'n', 'x', 'o')";
    leaves(false, plain, &[ROW_1, ROW_2, "3 'x' - -"]).await;
}

#[tokio::test]
async fn a_new_key_or_tenant_blanks_the_seal_while_the_plaintext_is_there() {
    leaves(
        false,
        "UPDATE t SET id = 3 WHERE id = 1",
        &[ROW_2, "3 'abc' - -"],
    )
    .await;
    leaves(
        false,
        "UPDATE t SET clinic = 'N' WHERE id = 1",
        &["1 'abc' - -", ROW_2],
    )
    .await;
    leaves(
        false,
        "UPDATE t SET id = 3, ssn = 'x' WHERE id = 2",
        &[ROW_1, "3 'x' - -"],
    )
    .await;
}

#[tokio::test]
async fn a_new_key_or_tenant_is_refused_once_the_plaintext_is_gone() {
    for trusted in [false, true] {
        is_refused(trusted, "UPDATE t SET id = 3 WHERE id = 2").await;
        is_refused(trusted, "UPDATE t SET clinic = 'N' WHERE id = 2").await;
    }
    is_refused(
        false,
        &format!("UPDATE t SET id = 3, ssn_sealed = {SEAL_1B} WHERE id = 2"),
    )
    .await;
    leaves(
        true,
        &format!("UPDATE t SET id = 3, ssn_sealed = {SEAL_1B} WHERE id = 2"),
        &[ROW_1, "3 NULL e70200000001bb -"],
    )
    .await;
}

#[tokio::test]
async fn a_sealer_is_kept_if_it_seals_under_an_active_key() {
    let both =
        format!("UPDATE t SET ssn = 'new', ssn_sealed = {SEAL_1B}, ssn_bidx = x'07' WHERE id = 1");
    leaves(true, &both, &["1 'new' e70200000001bb 07", ROW_2]).await;
    let insert = format!("INSERT INTO t VALUES (3, 'n', 'x', NULL, 'o', {SEAL_1}, x'09')");
    leaves(true, &insert, &[ROW_1, ROW_2, "3 'x' e70100000001aa 09"]).await;
}

#[tokio::test]
async fn a_sealer_that_writes_the_seal_alone_clears_the_plaintext_and_one_that_takes_it_away_does_not()
 {
    let seal = format!("UPDATE t SET ssn_sealed = {SEAL_1B} WHERE id = 1");
    leaves(true, &seal, &["1 NULL e70200000001bb -", ROW_2]).await;
    leaves(
        true,
        "UPDATE t SET ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 1",
        &["1 'abc' - -", ROW_2],
    )
    .await;
    leaves(
        true,
        "UPDATE t SET ssn_bidx = x'07' WHERE id = 1",
        &["1 'abc' e70100000001aa 07", ROW_2],
    )
    .await;
}

#[tokio::test]
async fn a_sealer_that_writes_the_plaintext_alone_leaves_no_stale_seal() {
    leaves(
        true,
        "UPDATE t SET ssn = 'new' WHERE id = 1",
        &["1 'new' - -", ROW_2],
    )
    .await;
}

#[tokio::test]
async fn a_sealer_is_refused_under_any_other_key() {
    for seal in [
        SEAL_2,
        "x'e70100000003cc'",
        "x'00'",
        "x'e70300000001'",
        "'text'",
    ] {
        is_refused(
            true,
            &format!("UPDATE t SET ssn = 'new', ssn_sealed = {seal} WHERE id = 1"),
        )
        .await;
        is_refused(
            true,
            &format!("UPDATE t SET ssn_sealed = {seal} WHERE id = 2"),
        )
        .await;
        is_refused(
            true,
            &format!("INSERT INTO t VALUES (3, 'n', 'x', NULL, 'o', {seal}, NULL)"),
        )
        .await;
    }
    // The key is active, but belongs to another tenant.
    is_refused(
        true,
        &format!("INSERT INTO t VALUES (3, 'm', 'x', NULL, 'o', {SEAL_1}, NULL)"),
    )
    .await;
}

#[tokio::test]
async fn a_trigger_of_the_application_that_rewrites_the_plaintext_leaves_no_stale_seal() {
    for recursive in [false, true] {
        for sql in [
            "UPDATE t SET ssn = 'New' WHERE id = 1",
            "UPDATE t SET ssn_sealed = x'00' WHERE id = 1",
            "UPDATE t SET ssn_sealed = NULL, ssn = 'abc' WHERE id = 1",
        ] {
            for order in [true, false] {
                let mut fixture = beside(false).await;
                // Triggers fire in no guaranteed order, so both orders of creation are tried.
                if order {
                    let guard = fixture
                        .rows("SELECT sql FROM sqlite_schema WHERE name = '~phiseal_u_t'")
                        .await;
                    fixture.exec("DROP TRIGGER \"~phiseal_u_t\"").await.unwrap();
                    fixture.exec(UPPER).await.unwrap();
                    fixture.exec(&guard[0]).await.unwrap();
                } else {
                    fixture.exec(UPPER).await.unwrap();
                }
                fixture
                    .exec(&format!(
                        "PRAGMA recursive_triggers = {}",
                        i32::from(recursive)
                    ))
                    .await
                    .unwrap();
                fixture.exec(sql).await.unwrap();
                let row = &state(&mut fixture).await[0];
                assert!(
                    row.contains("- ") && !row.contains("abc"),
                    "{sql} {recursive} {order}: {row}"
                );
                assert!(
                    fixture
                        .rows("SELECT mark FROM phiseal_mark UNION ALL SELECT mark FROM phiseal_guard_mark")
                        .await
                        .is_empty()
                );
            }
        }
    }
}

const UPPER: &str = "CREATE TRIGGER upper AFTER UPDATE ON t WHEN CAST(NEW.ssn AS BLOB) <> CAST(upper(NEW.ssn) AS BLOB) \
    BEGIN UPDATE t SET ssn = upper(NEW.ssn) WHERE id = NEW.id; END";

#[tokio::test]
async fn numbers_that_differ_in_the_last_digit_or_in_class_are_changes() {
    let mut fixture = Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY, n)").await;
    fixture
        .store
        .prepare(&with(table("t", &["id"]), "n", "NUMERIC", true))
        .await
        .unwrap();
    for (from, to) in [
        ("1.0", "1.0000000000000002"),
        ("1", "1.0"),
        ("'1'", "1"),
        ("x'31'", "'1'"),
        ("'a'", "'a '"),
    ] {
        let row = format!("DELETE FROM t; INSERT INTO t VALUES (1, {from}, x'01')");
        fixture.unguarded(&row).await;
        let change = format!("UPDATE t SET n = {to}");
        fixture.exec(&change).await.unwrap();
        assert_eq!(
            fixture.rows("SELECT quote(n_sealed) FROM t").await,
            ["NULL"],
            "{from} to {to}"
        );
    }
}

#[tokio::test]
async fn a_row_without_rowid_and_with_a_composite_key_is_guarded() {
    let mut fixture = Fixture::new(
        "CREATE TABLE t (a TEXT COLLATE NOCASE, b INTEGER, ssn TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
    )
    .await;
    fixture
        .store
        .prepare(&with(table("t", &["a", "b"]), "ssn", "TEXT", true))
        .await
        .unwrap();
    fixture
        .unguarded(
            "INSERT INTO t VALUES ('x', 1, 'p', x'01'), ('x', 2, 'p', x'02'), ('y', 1, 'p', x'03')",
        )
        .await;
    let changes =
        "UPDATE t SET ssn = 'q' WHERE a = 'x' AND b = 1; UPDATE t SET a = 'Y' WHERE a = 'y'";
    fixture.exec(changes).await.unwrap();
    let seals = fixture
        .rows("SELECT quote(ssn_sealed) FROM t ORDER BY a, b")
        .await;
    assert_eq!(seals, ["NULL", "X'02'", "NULL"]);
}
