//! Tests of the column that takes a new blind index: it never holds the index of another value.

use super::{SEAL_1, SEAL_1B, outcome};
use crate::store::Catalog;
use crate::store::change::Change;
use crate::store::sqlite::fixture::{Fixture, ident, marked, table, with};
use crate::store::{TableField, UntrustedSeal};

/// Row 1 has plaintext and sealed value, row 2 only a sealed value, row 3 only plaintext.
async fn beside(recursive: bool) -> Fixture {
    let mut fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, clinic TEXT, ssn TEXT, other TEXT, \
         ssn_sealed BLOB, ssn_bidx BLOB, ssn_next BLOB)",
    )
    .await;
    fixture.key(1, "n", true).await;
    let mut table = with(table("t", &["id"]), "ssn", "TEXT", true);
    table.tenant = Some(ident("clinic"));
    table.fields[0].index = Some(ident("ssn_bidx"));
    table.fields[0].index_next = Some(ident("ssn_next"));
    table.on_untrusted_seal = Some(UntrustedSeal::Undo);
    fixture.store.prepare(&table).await.unwrap();
    let rows = format!(
        "PRAGMA recursive_triggers = {}; INSERT INTO t VALUES \
         (1, 'n', 'abc', 'o', {SEAL_1}, x'01', x'0a'), (2, 'n', NULL, 'o', {SEAL_1}, x'02', x'0b'), \
         (3, 'n', 'def', 'o', NULL, NULL, NULL)",
        i32::from(recursive)
    );
    fixture.unguarded(&rows).await;
    fixture
}

const STATE: &str = "SELECT id || ' ' || quote(ssn) || ' ' || quote(ssn_sealed IS NOT NULL) || ' ' || \
    quote(ssn_bidx) || ' ' || quote(ssn_next) FROM t ORDER BY id";

/// Asserts one row after a statement, under either setting of recursive triggers.
async fn leaves(trusted: bool, sql: &str, row: &str) {
    for recursive in [false, true] {
        let mut fixture = beside(recursive).await;
        outcome(&mut fixture, trusted, sql).await.unwrap();
        let state = fixture.rows(STATE).await;
        assert!(
            state.iter().any(|one| one == row),
            "{sql}, trusted: {trusted}, recursive: {recursive}: {state:?} without {row}"
        );
        assert!(
            fixture
                .rows("SELECT mark FROM phiseal_mark UNION ALL SELECT mark FROM phiseal_guard_mark")
                .await
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_change_of_plaintext_key_or_tenant_blanks_it_whoever_writes() {
    for trusted in [false, true] {
        for (sql, row) in [
            (
                "UPDATE t SET ssn = 'new' WHERE id = 1",
                "1 'new' 0 NULL NULL",
            ),
            ("UPDATE t SET ssn = NULL WHERE id = 1", "1 NULL 0 NULL NULL"),
            (
                "UPDATE t SET ssn = 'new' WHERE id = 2",
                "2 'new' 0 NULL NULL",
            ),
            ("UPDATE t SET id = 9 WHERE id = 1", "9 'abc' 0 NULL NULL"),
            (
                "UPDATE t SET clinic = 'm' WHERE id = 1",
                "1 'abc' 0 NULL NULL",
            ),
            (
                "UPDATE t SET ssn = 'new', ssn_next = x'0c' WHERE id = 1",
                "1 'new' 0 NULL NULL",
            ),
        ] {
            leaves(trusted, sql, row).await;
        }
    }
}

#[tokio::test]
async fn a_sealer_that_writes_or_blanks_the_seal_blanks_it() {
    for (sql, row) in [
        (
            format!("UPDATE t SET ssn_sealed = {SEAL_1B}, ssn_bidx = x'07' WHERE id = 1"),
            "1 NULL 1 X'07' NULL",
        ),
        (
            format!("UPDATE t SET ssn_sealed = {SEAL_1B}, ssn_next = x'0c' WHERE id = 2"),
            "2 NULL 1 NULL NULL",
        ),
        (
            format!(
                "UPDATE t SET ssn = 'new', ssn_sealed = {SEAL_1B}, ssn_bidx = x'07' WHERE id = 1"
            ),
            "1 'new' 1 X'07' NULL",
        ),
        (
            "UPDATE t SET ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 2".to_owned(),
            "2 NULL 0 NULL NULL",
        ),
        (
            format!("UPDATE t SET ssn_sealed = {SEAL_1B}, ssn_next = x'0c' WHERE id = 3"),
            "3 NULL 1 NULL NULL",
        ),
        (
            format!("INSERT INTO t VALUES (4, 'n', 'x', 'o', {SEAL_1}, x'09', x'0c')"),
            "4 'x' 1 X'09' NULL",
        ),
        (
            format!("INSERT OR REPLACE INTO t VALUES (1, 'n', NULL, 'o', {SEAL_1}, x'09', x'0c')"),
            "1 NULL 1 X'09' NULL",
        ),
    ] {
        leaves(true, &sql, row).await;
    }
}

#[tokio::test]
async fn what_leaves_the_seal_leaves_it_and_nobody_else_writes_it() {
    for trusted in [false, true] {
        for sql in [
            "UPDATE t SET other = 'p'",
            "UPDATE t SET ssn = ssn, ssn_sealed = ssn_sealed, ssn_next = ssn_next",
            "UPDATE t SET ssn_next = x'0c'",
            "UPDATE t SET ssn_next = NULL, other = 'p'",
        ] {
            leaves(trusted, sql, "1 'abc' 1 X'01' X'0A'").await;
            leaves(trusted, sql, "2 NULL 1 X'02' X'0B'").await;
            leaves(trusted, sql, "3 'def' 0 NULL NULL").await;
        }
        let insert = "INSERT INTO t (id, ssn, ssn_next) VALUES (4, 'x', x'0c')";
        leaves(trusted, insert, "4 'x' 0 NULL NULL").await;
    }
    // The untrusted change of the sealed value is undone, so the new index still belongs to it.
    for change in ["ssn_sealed = x'00'", "ssn_sealed = NULL, ssn_next = NULL"] {
        let sql = format!("UPDATE t SET {change}");
        leaves(false, &sql, "1 'abc' 1 X'01' X'0A'").await;
    }
    let insert = format!("INSERT INTO t VALUES (4, 'n', 'x', 'o', {SEAL_1}, x'09', x'0c')");
    leaves(false, &insert, "4 'x' 0 NULL NULL").await;
}

#[tokio::test]
async fn a_trigger_of_the_application_that_rewrites_the_plaintext_leaves_none_behind() {
    const UPPER: &str = "CREATE TRIGGER upper AFTER UPDATE ON t \
        WHEN CAST(NEW.ssn AS BLOB) <> CAST(upper(NEW.ssn) AS BLOB) \
        BEGIN UPDATE t SET ssn = upper(NEW.ssn) WHERE id = NEW.id; END";
    for recursive in [false, true] {
        for sql in [
            "UPDATE t SET ssn = 'New' WHERE id = 1",
            "UPDATE t SET ssn_next = x'0c' WHERE id = 1",
        ] {
            for first in [false, true] {
                let mut fixture = beside(recursive).await;
                let guard = fixture
                    .rows("SELECT sql FROM sqlite_schema WHERE name = '~phiseal_u_t'")
                    .await;
                fixture.exec("DROP TRIGGER \"~phiseal_u_t\"").await.unwrap();
                let order = match first {
                    true => [UPPER, guard[0].as_str()],
                    false => [guard[0].as_str(), UPPER],
                };
                fixture.exec(order[0]).await.unwrap();
                fixture.exec(order[1]).await.unwrap();
                fixture.exec(sql).await.unwrap();
                let row = &fixture.rows(STATE).await[0];
                assert!(
                    row.ends_with(" 0 NULL NULL"),
                    "{sql} {recursive} {first}: {row}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_engine_writes_it() {
    let mut fixture = beside(false).await;
    let fill = format!(
        "{}; UPDATE t SET ssn_next = x'0c', ssn_sealed = x'00' WHERE id = 1; DELETE FROM phiseal_guard_mark",
        marked(Change::Seal, "t")
    );
    fixture.exec(&fill).await.unwrap();
    assert_eq!(fixture.rows(STATE).await[0], "1 'abc' 1 X'01' X'0C'");
}

#[tokio::test]
async fn in_place_it_goes_with_any_change_of_the_column() {
    for (trusted, sql, row) in [
        (false, "UPDATE t SET ssn = 'new'", "1 'new' NULL"),
        (
            false,
            "UPDATE t SET ssn = 'ps1.5wEAAAABbbb'",
            "1 'ps1.5wEAAAABbbb' NULL",
        ),
        (
            true,
            "UPDATE t SET ssn = 'ps1.5wEAAAABbbb'",
            "1 'ps1.5wEAAAABbbb' NULL",
        ),
        (
            true,
            "UPDATE t SET id = 2, ssn = 'ps1.5wEAAAABbbb'",
            "2 'ps1.5wEAAAABbbb' NULL",
        ),
        (
            false,
            "UPDATE t SET ssn_next = x'0c'",
            "1 'ps1.5wEAAAABaaa' X'0A'",
        ),
        (
            true,
            "UPDATE t SET ssn_next = NULL",
            "1 'ps1.5wEAAAABaaa' X'0A'",
        ),
        (false, "UPDATE t SET ssn = ssn", "1 'ps1.5wEAAAABaaa' X'0A'"),
        (
            false,
            "INSERT OR REPLACE INTO t VALUES (1, 'x', x'0c')",
            "1 'x' NULL",
        ),
        (
            true,
            "INSERT OR REPLACE INTO t VALUES (1, 'ps1.5wEAAAABccc', x'0c')",
            "1 'ps1.5wEAAAABccc' NULL",
        ),
    ] {
        for recursive in [0, 1] {
            let mut fixture = Fixture::new(
                "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT COLLATE NOCASE, ssn_next BLOB)",
            )
            .await;
            fixture.key(1, "", true).await;
            let mut table = with(table("t", &["id"]), "ssn", "TEXT", false);
            let field: &mut TableField = &mut table.fields[0];
            field.index_next = Some(ident("ssn_next"));
            fixture.store.prepare(&table).await.unwrap();
            let fill = format!(
                "PRAGMA recursive_triggers = {recursive}; \
                 INSERT INTO t VALUES (1, 'ps1.5wEAAAABaaa', x'0a')"
            );
            fixture.unguarded(&fill).await;
            outcome(&mut fixture, trusted, sql).await.unwrap();
            let state = "SELECT id || ' ' || quote(ssn) || ' ' || quote(ssn_next) FROM t";
            assert_eq!(
                fixture.rows(state).await,
                [row],
                "{sql} {trusted} {recursive}"
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
