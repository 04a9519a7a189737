//! Tests of marks: they count on one connection in one transaction, and a committed mark lets no
//! writer past the guard.

use super::{ROW_1, ROW_2, SEAL_1B, beside, leaves, outcome, state};
use crate::store::change::Change;
use crate::store::sqlite::fixture::marked;
use crate::store::{Catalog, SealedRelations};

const STALE: &str = "UPDATE t SET ssn = 'new' WHERE id = 1";

#[tokio::test]
async fn a_mark_is_taken_only_where_it_cannot_be_committed() {
    for mark in ["sealer", "engine"] {
        let insert = format!("INSERT INTO phiseal_mark VALUES ('{mark}')");
        for (foreign_keys, begin, end) in [
            ("OFF", "", ""),
            ("OFF", "BEGIN;", "; COMMIT"),
            ("ON", "", ""),
            ("ON", "BEGIN;", "; COMMIT"),
            ("ON", "SAVEPOINT s;", "; RELEASE s"),
            ("ON", "BEGIN;", "; PRAGMA foreign_keys = OFF; COMMIT"),
            (
                "ON",
                "BEGIN; INSERT INTO phiseal_mark VALUES ('guard'); UPDATE phiseal_mark SET mark = 'sealer';",
                "; COMMIT",
            ),
            (
                "ON",
                "BEGIN; INSERT OR IGNORE INTO phiseal_mark_never VALUES ('sealer');",
                "; COMMIT",
            ),
        ] {
            let mut fixture = beside(false).await;
            let sql = format!("PRAGMA foreign_keys = {foreign_keys}; {begin} {insert}{end}");
            assert!(fixture.exec(&sql).await.is_err(), "{sql}");
            let _ = fixture.exec("ROLLBACK").await;
            fixture.exec(STALE).await.unwrap();
            assert_eq!(state(&mut fixture).await, ["1 'new' - -", ROW_2], "{sql}");
        }
    }
}

#[tokio::test]
async fn a_committed_mark_of_the_engine_or_a_guard_is_nothing_to_any_writer() {
    let forged = format!(
        "{}; {}; PRAGMA foreign_keys = OFF; INSERT INTO phiseal_mark VALUES ('guard')",
        marked(Change::Seal, "t"),
        marked(Change::Clear, "t").replace("'engine'", "'guard'"),
    );
    for recursive in [false, true] {
        for (sql, rows) in [
            (STALE.to_owned(), ["1 'new' - -", ROW_2]),
            (
                format!("UPDATE t SET ssn_sealed = {SEAL_1B}"),
                [ROW_1, ROW_2],
            ),
            (
                "UPDATE t SET ssn_sealed = NULL, ssn_bidx = NULL".to_owned(),
                [ROW_1, ROW_2],
            ),
        ] {
            let mut fixture = beside(recursive).await;
            let mut store = fixture.store.opener.open().await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(forged.as_str()))
                .execute(&mut store)
                .await
                .unwrap();
            fixture.exec(&sql).await.unwrap();
            assert_eq!(state(&mut fixture).await, rows, "{sql}");
            // Nor on its own connection, once that has inserted another row.
            let own = format!(
                "INSERT INTO t (id, ssn, clinic, other) VALUES (9, 'x', 'n', 'o'); {sql}; DELETE FROM t WHERE id = 9"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(own))
                .execute(&mut store)
                .await
                .unwrap();
            assert_eq!(state(&mut fixture).await, rows, "{sql}");
        }
    }
    // The table of marks accepts no number that could be an application's rowid.
    let mut fixture = beside(false).await;
    let small = "INSERT INTO phiseal_guard_mark VALUES (5, 'engine')";
    assert!(fixture.exec(small).await.is_err());
}

#[tokio::test]
async fn what_a_statement_that_fails_half_way_leaves_of_a_guards_mark_is_nothing() {
    for recursive in [false, true] {
        let mut fixture = beside(recursive).await;
        let fail = "CREATE TRIGGER fail AFTER UPDATE OF ssn_sealed ON t WHEN NEW.ssn_sealed IS NULL AND NEW.ssn = 'fail' \
            BEGIN SELECT RAISE(FAIL, 'no'); END";
        fixture.exec(fail).await.unwrap();
        let left = fixture
            .exec("UPDATE OR FAIL t SET ssn = 'fail' WHERE id = 1")
            .await;
        assert!(left.is_err());
        fixture.exec("DROP TRIGGER fail").await.unwrap();
        let alone = format!("UPDATE t SET ssn_sealed = {SEAL_1B}, ssn_bidx = NULL WHERE id = 2");
        fixture.exec(&alone).await.unwrap();
        assert_eq!(state(&mut fixture).await[1], ROW_2);
        fixture.store.start_writing().await.unwrap();
        assert!(
            fixture
                .rows("SELECT mark FROM phiseal_guard_mark")
                .await
                .is_empty()
        );
        assert!(fixture.store.server().await.unwrap().guard_gaps.is_empty());
    }
}

#[tokio::test]
async fn a_mark_ends_with_its_transaction_and_its_savepoint() {
    let mut fixture = beside(false).await;
    let seal = format!("UPDATE t SET ssn_sealed = {SEAL_1B} WHERE id = 2");
    let undone = format!(
        "PRAGMA foreign_keys = ON; BEGIN; SAVEPOINT s; INSERT INTO phiseal_mark VALUES ('sealer'); \
         ROLLBACK TO s; {seal}; COMMIT"
    );
    fixture.exec(&undone).await.unwrap();
    assert_eq!(state(&mut fixture).await, [ROW_1, ROW_2]);
    let after = format!(
        "BEGIN; INSERT INTO phiseal_mark VALUES ('sealer'); DELETE FROM phiseal_mark; COMMIT; {seal}"
    );
    fixture.exec(&after).await.unwrap();
    assert_eq!(state(&mut fixture).await, [ROW_1, ROW_2]);
    outcome(&mut fixture, true, &seal).await.unwrap();
    assert_eq!(
        state(&mut fixture).await,
        [ROW_1, "2 NULL e70200000001bb -"]
    );
}

#[tokio::test]
async fn one_mark_covers_inserts_and_updates_of_a_transaction() {
    let sql = format!(
        "INSERT INTO t VALUES (3, 'n', NULL, NULL, 'o', {SEAL_1B}, x'03'), (4, 'n', NULL, NULL, 'o', {SEAL_1B}, x'04'); \
         UPDATE t SET ssn_sealed = {SEAL_1B} WHERE id = 2"
    );
    let sealed = [
        "2 NULL e70200000001bb -",
        "3 NULL e70200000001bb 03",
        "4 NULL e70200000001bb 04",
    ];
    leaves(true, &sql, &[&[ROW_1], &sealed[..]].concat()).await;
}

/// SQLite drops pending foreign key checks when `defer_foreign_keys` is switched off in a
/// transaction.
const FORCED: &str = "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO phiseal_mark VALUES ('sealer'); \
    PRAGMA defer_foreign_keys = OFF; COMMIT; PRAGMA foreign_keys = OFF";

#[tokio::test]
async fn a_mark_that_was_committed_by_force_lets_nobody_past() {
    for recursive in [false, true] {
        for foreign_keys in ["OFF", "ON"] {
            let mut fixture = beside(recursive).await;
            let mut forger = fixture.store.opener.open().await.unwrap();
            sqlx::raw_sql(FORCED).execute(&mut forger).await.unwrap();
            let marks = "SELECT mark FROM phiseal_mark";
            assert_eq!(fixture.rows(marks).await, ["sealer"]);
            let pragma = format!("PRAGMA foreign_keys = {foreign_keys}");
            fixture.exec(&pragma).await.unwrap();
            for sql in [
                format!("UPDATE t SET ssn_sealed = {SEAL_1B}"),
                format!("UPDATE t SET ssn = 'new', ssn_sealed = {SEAL_1B} WHERE id = 1"),
                format!("INSERT INTO t VALUES (3, 'n', 'x', NULL, 'o', {SEAL_1B}, x'03')"),
                format!(
                    "INSERT OR IGNORE INTO t VALUES (3, 'n', NULL, NULL, 'o', {SEAL_1B}, x'03')"
                ),
            ] {
                assert!(fixture.exec(&sql).await.is_err(), "{sql} {foreign_keys}");
                let whole = format!("BEGIN; {sql}; COMMIT");
                assert!(
                    fixture.exec(&whole).await.is_err(),
                    "{whole} {foreign_keys}"
                );
                let _ = fixture.exec("ROLLBACK").await;
                assert_eq!(state(&mut fixture).await, [ROW_1, ROW_2], "{sql}");
            }
            // The guard treats a writer of plaintext only as always.
            fixture.exec(STALE).await.unwrap();
            assert_eq!(state(&mut fixture).await, ["1 'new' - -", ROW_2]);
        }
    }
}

#[tokio::test]
async fn a_mark_that_was_committed_by_force_is_noted_and_told_until_all_is_verified() {
    let mut fixture = beside(false).await;
    fixture.exec(FORCED).await.unwrap();
    let gaps = fixture.store.server().await.unwrap().guard_gaps;
    assert!(
        gaps.len() == 1 && gaps[0].contains("'sealer' stands"),
        "{gaps:?}"
    );
    fixture.store.start_writing().await.unwrap();
    assert!(
        fixture
            .rows("SELECT mark FROM phiseal_mark")
            .await
            .is_empty()
    );
    let gaps = fixture.store.server().await.unwrap().guard_gaps;
    assert!(
        gaps.len() == 1 && gaps[0].contains("'sealer' stood"),
        "{gaps:?}"
    );
    fixture.store.all_verified().await.unwrap();
    assert!(fixture.store.server().await.unwrap().guard_gaps.is_empty());
}
