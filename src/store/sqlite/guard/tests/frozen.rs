//! Tests of the guard of fields whose plaintext is being removed, or is gone.

use super::outcome;
use crate::store::change::Change;
use crate::store::sqlite::fixture::{Fixture, ident, marked, table, with};
use crate::store::{Catalog, Plaintext, Table, UntrustedSeal};

/// A sealed value of the right length, under key 1.
fn seal(last: &str) -> String {
    format!("x'e70100000001{}{last}'", "aa".repeat(27))
}

fn described() -> Table {
    let mut table = with(table("t", &["id"]), "ssn", "TEXT", true);
    table.tenant = Some(ident("clinic"));
    table.fields[0].index = Some(ident("ssn_bidx"));
    table
}

/// A frozen table. Row 1 has plaintext and sealed value, row 2 only a sealed value, row 3 neither.
async fn frozen(recursive: bool) -> Fixture {
    let mut fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, clinic TEXT, ssn TEXT COLLATE NOCASE, other TEXT, \
         ssn_sealed BLOB, ssn_bidx BLOB)",
    )
    .await;
    fixture.key(1, "n", true).await;
    let table = described();
    fixture.store.prepare(&table).await.unwrap();
    fixture.register(&table).await;
    fixture
        .unguarded(&format!(
            "INSERT INTO t VALUES (1, 'n', 'abc', 'o', {s}, x'01'), (2, 'n', NULL, 'o', {s}, x'02'), \
             (3, 'n', NULL, 'o', NULL, NULL)",
            s = seal("01")
        ))
        .await;
    fixture.store.freeze(&table).await.unwrap();
    let pragma = format!("PRAGMA recursive_triggers = {}", i32::from(recursive));
    fixture.exec(&pragma).await.unwrap();
    fixture
}

const ROWS: &str = "SELECT id || ' ' || clinic || ' ' || quote(ssn) || ' ' || \
    iif(ssn_sealed IS NULL, '-', lower(hex(substr(ssn_sealed, 34)))) FROM t ORDER BY id";

async fn is_refused(trusted: bool, sql: &str, code: &str) {
    for recursive in [false, true] {
        let mut fixture = frozen(recursive).await;
        let before = fixture.rows(ROWS).await;
        let error = outcome(&mut fixture, trusted, sql)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("phiseal {code}: ")),
            "{sql}: {error}"
        );
        assert!(!error.contains("abc") && !error.contains("new"), "{error}");
        assert_eq!(fixture.rows(ROWS).await, before, "{sql}");
    }
}

async fn leaves(trusted: bool, sql: &str, expected: &[&str]) {
    for recursive in [false, true] {
        let mut fixture = frozen(recursive).await;
        outcome(&mut fixture, trusted, sql).await.unwrap();
        assert_eq!(fixture.rows(ROWS).await, expected, "{sql}, {recursive}");
    }
}

const ROW_1: &str = "1 n 'abc' 01";
const ROW_2: &str = "2 n NULL 01";
const ROW_3: &str = "3 n NULL -";

#[tokio::test]
async fn a_frozen_field_takes_no_plaintext_by_any_statement() {
    for trusted in [false, true] {
        for sql in [
            "INSERT INTO t (id, clinic, ssn) VALUES (4, 'n', 'new')",
            "INSERT OR REPLACE INTO t (id, clinic, ssn) VALUES (1, 'n', 'new')",
            "INSERT OR IGNORE INTO t (id, clinic, ssn) VALUES (4, 'n', 'new')",
            "INSERT INTO t (id, clinic, ssn) SELECT id + 10, clinic, ssn FROM t",
            "INSERT INTO t (id, clinic, ssn) VALUES (1, 'n', 'new') ON CONFLICT (id) DO UPDATE SET ssn = excluded.ssn",
            "UPDATE t SET ssn = 'new' WHERE id = 1",
            "UPDATE t SET ssn = 'ABC' WHERE id = 1",
            "UPDATE t SET ssn = 'new' WHERE id = 3",
            "UPDATE OR REPLACE t SET ssn = 'new' WHERE id = 2",
            "UPDATE t SET ssn = NULL WHERE id = 1",
            "REPLACE INTO t (id, clinic, ssn) SELECT id, clinic, ssn FROM t",
        ] {
            is_refused(trusted, sql, "PS007").await;
        }
    }
    let both = format!(
        "UPDATE t SET ssn = 'new', ssn_sealed = {} WHERE id = 1",
        seal("02")
    );
    is_refused(true, &both, "PS007").await;
    is_refused(false, &both, "PS007").await;
    let insert = format!(
        "INSERT INTO t VALUES (4, 'n', 'new', 'o', {}, x'04')",
        seal("02")
    );
    is_refused(true, &insert, "PS007").await;
}

#[tokio::test]
async fn a_sealer_writes_the_sealed_value_alone_and_deletes_both() {
    let s = seal("02");
    leaves(
        true,
        &format!("UPDATE t SET ssn_sealed = {s} WHERE id = 1"),
        &["1 n NULL 02", ROW_2, ROW_3],
    )
    .await;
    leaves(
        true,
        &format!("UPDATE t SET ssn = NULL, ssn_sealed = {s} WHERE id = 1"),
        &["1 n NULL 02", ROW_2, ROW_3],
    )
    .await;
    leaves(
        true,
        "UPDATE t SET ssn = NULL, ssn_sealed = NULL WHERE id = 1",
        &["1 n NULL -", ROW_2, ROW_3],
    )
    .await;
    leaves(
        true,
        "UPDATE t SET ssn_sealed = NULL WHERE id = 2",
        &[ROW_1, "2 n NULL -", ROW_3],
    )
    .await;
    leaves(
        true,
        &format!("INSERT INTO t VALUES (4, 'n', NULL, 'o', {s}, x'04')"),
        &[ROW_1, ROW_2, ROW_3, "4 n NULL 02"],
    )
    .await;
    leaves(
        false,
        "INSERT INTO t (id, clinic, other) VALUES (4, 'n', 'x'); UPDATE t SET other = 'x', ssn = ssn",
        &[ROW_1, ROW_2, ROW_3, "4 n NULL -"],
    )
    .await;
    is_refused(true, "UPDATE t SET ssn_sealed = NULL WHERE id = 1", "PS007").await;
    is_refused(
        true,
        "UPDATE t SET ssn_sealed = x'e70100000001aa' WHERE id = 1",
        "PS002",
    )
    .await;
}

#[tokio::test]
async fn a_frozen_row_keeps_its_key_and_tenant_unless_it_is_sealed_again() {
    for trusted in [false, true] {
        for row in ["1", "2"] {
            is_refused(
                trusted,
                &format!("UPDATE t SET id = 9 WHERE id = {row}"),
                "PS004",
            )
            .await;
            is_refused(
                trusted,
                &format!("UPDATE t SET clinic = 'N' WHERE id = {row}"),
                "PS004",
            )
            .await;
        }
    }
    leaves(
        true,
        &format!(
            "UPDATE t SET id = 9, ssn_sealed = {} WHERE id = 1",
            seal("02")
        ),
        &[ROW_2, ROW_3, "9 n NULL 02"],
    )
    .await;
    leaves(
        false,
        "UPDATE t SET id = 9 WHERE id = 3",
        &[ROW_1, ROW_2, "9 n NULL -"],
    )
    .await;
}

#[tokio::test]
async fn the_engine_clears_a_frozen_plaintext_and_seals_what_is_there() {
    for recursive in [false, true] {
        let mut fixture = frozen(recursive).await;
        for (change, sql) in [
            (
                Change::Seal,
                format!("UPDATE t SET ssn_sealed = {} WHERE id = 1", seal("03")),
            ),
            (
                Change::Clear,
                "UPDATE t SET ssn = NULL WHERE id = 1".to_owned(),
            ),
        ] {
            let sql = format!(
                "{}; {sql}; DELETE FROM phiseal_guard_mark",
                marked(change, "t")
            );
            fixture.exec(&sql).await.unwrap();
        }
        assert_eq!(fixture.rows(ROWS).await, ["1 n NULL 03", ROW_2, ROW_3]);
    }
}

#[tokio::test]
async fn no_other_command_thaws_a_frozen_field_and_a_trigger_does_not_either() {
    for recursive in [false, true] {
        let mut fixture = frozen(recursive).await;
        let mut table = described();
        table.on_untrusted_seal = Some(UntrustedSeal::Undo);
        fixture.store.prepare(&table).await.unwrap();
        table.fields.clear();
        fixture.store.prepare(&table).await.unwrap();
        fixture
            .exec(
                "CREATE TRIGGER fills AFTER UPDATE ON t WHEN NEW.other = 'fill' AND NEW.ssn IS NULL BEGIN \
                   UPDATE t SET ssn = 'new' WHERE id = NEW.id; END; \
                   CREATE TRIGGER fills_new AFTER INSERT ON t WHEN NEW.other = 'fill' BEGIN \
                   UPDATE t SET ssn = 'new' WHERE id = NEW.id; END",
            )
            .await
            .unwrap();
        for (trusted, sql) in [
            (false, "UPDATE t SET other = 'fill' WHERE id = 2".to_owned()),
            (false, "UPDATE t SET other = 'fill' WHERE id = 3".to_owned()),
            (
                false,
                "INSERT INTO t (id, clinic, other) VALUES (4, 'n', 'fill')".to_owned(),
            ),
            (
                true,
                format!(
                    "UPDATE t SET other = 'fill', ssn_sealed = {} WHERE id = 2",
                    seal("02")
                ),
            ),
            (
                true,
                format!(
                    "INSERT INTO t VALUES (4, 'n', NULL, 'fill', {}, NULL)",
                    seal("02")
                ),
            ),
        ] {
            let error = outcome(&mut fixture, trusted, &sql)
                .await
                .unwrap_err()
                .to_string();
            assert!(error.contains("phiseal PS007: "), "{sql}: {error}");
        }
        assert_eq!(fixture.rows(ROWS).await, [ROW_1, ROW_2, ROW_3]);
    }
}

#[tokio::test]
async fn a_frozen_field_in_place_takes_only_what_has_the_form() {
    let good = format!("ps1.5wEAAAAB{}", "a".repeat(38));
    let mut fixture = Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT)").await;
    fixture.key(1, "", true).await;
    let table = with(table("t", &["id"]), "ssn", "TEXT", false);
    fixture.store.prepare(&table).await.unwrap();
    fixture.register(&table).await;
    fixture
        .exec(&format!("INSERT INTO t VALUES (1, '{good}'), (2, NULL)"))
        .await
        .unwrap();
    fixture.store.freeze(&table).await.unwrap();
    for value in [
        "'new'",
        "'ps1.5wEAAAAB'",
        "x'00'",
        "7",
        "'ps1. a note that is long enough to be taken for a value'",
    ] {
        for trusted in [false, true] {
            for sql in [
                format!("UPDATE t SET ssn = {value} WHERE id = 1"),
                format!("UPDATE t SET ssn = {value} WHERE id = 2"),
                format!("INSERT INTO t VALUES (3, {value})"),
                format!("INSERT OR REPLACE INTO t VALUES (1, {value})"),
            ] {
                let error = outcome(&mut fixture, trusted, &sql)
                    .await
                    .unwrap_err()
                    .to_string();
                assert!(error.contains("phiseal PS00"), "{sql}: {error}");
            }
        }
    }
    assert!(
        outcome(&mut fixture, false, "UPDATE t SET id = 9 WHERE id = 1")
            .await
            .is_err()
    );
    fixture
        .exec(&format!(
            "UPDATE t SET ssn = '{good}b' WHERE id = 2; INSERT INTO t VALUES (3, '{good}'); UPDATE t SET ssn = NULL WHERE id = 1"
        ))
        .await
        .unwrap();
}
