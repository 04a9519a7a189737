//! How files are cut into units, and what is known of a statement.

use super::*;

/// The units of a file, as how many statements each has; negative where it takes no
/// transaction.
fn shape(sql: &str) -> Vec<i64> {
    let count = |unit: &Unit| {
        let count = i64::try_from(unit.statements.len()).unwrap();
        if unit.transactional { count } else { -count }
    };
    Script::parse(sql)
        .unwrap()
        .units
        .iter()
        .map(count)
        .collect()
}

#[test]
fn a_file_is_one_transaction_whether_it_says_so_or_not() {
    assert_eq!(shape("CREATE TABLE a (); CREATE TABLE b ();"), [2]);
    assert_eq!(shape("BEGIN; CREATE TABLE a (); SELECT 1; COMMIT;"), [2]);
    assert_eq!(shape("START TRANSACTION; SELECT 1; END;"), [1]);
    assert_eq!(shape("SELECT 1; SELECT 2; COMMIT; SELECT 3"), [2, 1]);
    assert_eq!(shape("-- nothing\n"), Vec::<i64>::new());
    assert_eq!(shape("BEGIN; SAVEPOINT a; ROLLBACK TO a; COMMIT"), [2]);
}

#[test]
fn what_takes_no_transaction_stands_alone() {
    let sql = "SELECT 1; SELECT 2; CREATE INDEX CONCURRENTLY i ON t (a); VACUUM t; SELECT 3";
    assert_eq!(shape(sql), [2, -1, -1, 1]);
    assert_eq!(
        shape("ALTER TYPE e ADD VALUE 'x'; INSERT INTO t VALUES ('x')"),
        [1, 1]
    );
    assert_eq!(
        shape("BEGIN; SELECT 1; COMMIT; BEGIN; SELECT 2; COMMIT"),
        [1, 1]
    );
    assert_eq!(shape("DO $$ VACUUM $$; SELECT 'CONCURRENTLY'"), [2]);
    assert_eq!(shape("CREATE INDEX i ON t (\"CONCURRENTLY\")"), [1]);
}

#[test]
fn what_cannot_be_run_is_refused_with_its_line() {
    for (sql, fault) in [
        (
            "SELECT 1;\nBEGIN; SELECT 2",
            ScriptFault::NoCommit { line: 2 },
        ),
        ("BEGIN;\nBEGIN; COMMIT", ScriptFault::NoCommit { line: 1 }),
        ("\nCOMMIT; SELECT 1", ScriptFault::NoBegin { line: 2 }),
        ("BEGIN;\nROLLBACK", ScriptFault::RollsBack { line: 2 }),
        (
            "\nCOPY t FROM STDIN",
            ScriptFault::Unreadable(Unreadable::CopiesFromClient { line: 2 }),
        ),
        (
            "\nCREATE INDEX CONCURRENTLY ON t (a)",
            ScriptFault::NamelessIndex { line: 2 },
        ),
    ] {
        assert_eq!(Script::parse(sql), Err(fault), "{sql}");
    }
}

fn only(sql: &str) -> Statement {
    Script::parse(sql).unwrap().units[0].statements[0].clone()
}

#[test]
fn an_index_built_concurrently_is_known_by_name_and_table() {
    for sql in [
        "CREATE INDEX CONCURRENTLY \"I\" ON ONLY a.\"T\" (x)",
        "create unique index concurrently if not exists \"I\" on a.\"T\" (x)",
    ] {
        let found = only(sql).concurrent_index().unwrap();
        assert_eq!(
            (found.index.as_str(), found.table.as_str()),
            ("\"I\"", "a.\"T\"")
        );
    }
    assert_eq!(only("DROP INDEX CONCURRENTLY i").concurrent_index(), None);
    let plain = only("CREATE INDEX concurrently i ON t (a)").without_concurrently();
    assert_eq!(plain, "CREATE INDEX  i ON t (a)");
}

#[test]
fn a_missing_role_is_told_from_other_things_that_are_missing() {
    for sql in [
        "GRANT SELECT ON t TO app",
        "ALTER TABLE t OWNER TO app",
        "CREATE POLICY p ON t TO app",
        "DROP OWNED BY app",
        "COMMENT ON ROLE app IS 'x'",
    ] {
        assert!(only(sql).lacks_a_role("42704"), "{sql}");
        assert!(!only(sql).lacks_a_role("42P01"), "{sql}");
    }
    assert!(only("SET ROLE app").lacks_a_role("22023"));
    for sql in ["CREATE TABLE t (a missing)", "DROP TYPE t", "SET x = y"] {
        assert!(!only(sql).lacks_a_role("42704"), "{sql}");
    }
}

#[test]
fn a_table_is_made_by_the_statements_that_would_fail_on_one() {
    let made = |sql| only(sql).table_made();
    assert_eq!(made("CREATE TABLE a.b (c int)").as_deref(), Some("a.b"));
    assert_eq!(made("CREATE UNLOGGED TABLE b ()").as_deref(), Some("b"));
    assert_eq!(made("CREATE TABLE IF NOT EXISTS b ()"), None);
    assert_eq!(made("CREATE TEMP TABLE b ()"), None);
    for sql in [
        "ALTER TABLE a RENAME TO b",
        "ALTER TABLE a SET SCHEMA b",
        "DROP VIEW a",
        "DO $$ BEGIN DROP TABLE a; END $$",
        "SET search_path = b",
    ] {
        assert!(only(sql).may_free_table_names(), "{sql}");
    }
    assert!(!only("ALTER TABLE a ADD b int").may_free_table_names());
}
