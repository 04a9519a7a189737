//! What an older SQLite can read and write: nothing of ours in the file is newer than it.

use std::process::Command;

use super::{INDEXED, check, phiseal, sealed};
use crate::support::{Base, skipped};

/// What came to the text of SQLite's schema after 3.17, outside of names and literals. A file with one of these in
/// it cannot be opened by a library of that age, or written through its triggers.
const NEWER: [&str; 19] = [
    "STRICT",
    "IIF(",
    "RETURNING",
    "MATERIALIZED",
    "GENERATED",
    "ON CONFLICT",
    "FILTER",
    "NULLS ",
    "OVER (",
    "SQLITE_SCHEMA",
    "OCTET_LENGTH",
    "UNIXEPOCH",
    "FORMAT(",
    "CONCAT",
    "->",
    "IS DISTINCT",
    "TRUE",
    "FALSE",
    "UPDATE FROM",
];

/// SQL without comments, literals and quoted names.
fn syntax(sql: &str) -> String {
    let lines = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    let code: String = code.split('\'').step_by(2).collect();
    code.split('"')
        .step_by(2)
        .collect::<String>()
        .to_uppercase()
}

#[tokio::test]
async fn nothing_of_ours_in_the_schema_is_newer_than_sqlite_3_17() {
    let fixture = sealed(INDEXED).await;
    let Base::Sqlite(file) = &fixture.base else {
        panic!("no file");
    };
    let ours = "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND (name GLOB '*phiseal*' OR tbl_name = 'people')";
    let rows = file.rows(ours).await;
    assert!(rows.len() > 40, "{}", rows.len());
    for row in rows {
        let (name, sql) = (row[0].as_deref().unwrap(), row[1].as_deref().unwrap());
        for word in NEWER {
            assert!(!syntax(sql).contains(word), "{name} says {word}");
        }
    }
}

/// PHISEAL_OLD_SQLITE names a program that is called with a file and SQL, as `sqlite3` is, of an older library: see
/// docs/decisions/0013.
#[tokio::test]
#[ignore = "needs a program of an older SQLite in PHISEAL_OLD_SQLITE"]
async fn an_older_sqlite_reads_and_writes_through_the_guards() {
    let Some(program) = std::env::var_os("PHISEAL_OLD_SQLITE") else {
        return skipped("PHISEAL_OLD_SQLITE names no program");
    };
    let fixture = sealed(INDEXED).await;
    let Base::Sqlite(file) = &fixture.base else {
        panic!("no file");
    };
    let old = |sql: &str| {
        let done = Command::new(&program)
            .arg(file.path())
            .arg(sql)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        (String::from_utf8(done.stdout).unwrap(), said)
    };
    assert_eq!(old("SELECT count(*) FROM people").0, "3\n");
    let seal = "SELECT hex(ssn_sealed) FROM people WHERE id = 2";
    let before = old(seal).0;
    for (sql, refused) in [
        ("UPDATE people SET ssn = 'changed' WHERE id = 1", ""),
        ("UPDATE people SET ssn_sealed = x'00' WHERE id = 2", ""),
        (
            "INSERT INTO people (id, ssn, ssn_sealed) VALUES (4, 'four', x'00')",
            "",
        ),
        (
            "INSERT INTO people (id, ssn_sealed) VALUES (5, x'00')",
            "trusted writer only",
        ),
        ("INSERT INTO phiseal_mark VALUES ('sealer')", "foreign_keys"),
        (
            "PRAGMA foreign_keys = ON; INSERT INTO phiseal_mark VALUES ('sealer')",
            "FOREIGN KEY",
        ),
        (
            "PRAGMA foreign_keys = ON; BEGIN; INSERT INTO phiseal_mark VALUES ('sealer'); \
          UPDATE people SET ssn_sealed = NULL, ssn_bidx = NULL WHERE id = 3; DELETE FROM phiseal_mark; COMMIT",
            "",
        ),
        (
            "PRAGMA recursive_triggers = ON; UPDATE people SET ssn_sealed = x'00', ssn_bidx = NULL WHERE id = 2",
            "",
        ),
        (
            "UPDATE phiseal_encryption_keys SET status = 'destroyed'",
            "refused on encryption_keys",
        ),
    ] {
        let (_, said) = old(sql);
        assert!(
            said.contains(refused) && said.is_empty() == refused.is_empty(),
            "{sql}: {said}"
        );
    }
    assert_eq!(old(seal).0, before);
    let unsealed = "SELECT group_concat(id) FROM people WHERE ssn_sealed IS NULL";
    assert_eq!(old(unsealed).0, "1,3,4\n");
    assert_eq!(fixture.backfill().await["rows_sealed"], 3);
    phiseal(&fixture, &["verify"]).run().await.expect_code(0);
    assert_eq!(check(&fixture).await.0, Some(0));
    assert_eq!(old("PRAGMA integrity_check").0, "ok\n");
}
