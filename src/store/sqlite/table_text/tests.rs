//! Tests of the cutting, with the texts that are hardest to read.

use super::TableText;
use super::column::{is_same, nullable, parts};
use crate::store::sqlite::fixture::ident;

const HARD: &str = "CREATE TABLE \"a (\"\"b\"( -- the key, first
    id INTEGER PRIMARY KEY AUTOINCREMENT, /* , ssn ( */
    [the ssn] TEXT NOT NULL DEFAULT 'it''s, (' COLLATE NOCASE CHECK ([the ssn] <> ')'), -- ssn, ours
    `na``me` VARCHAR(10, 2) DEFAULT (upper(')' || ',')),
    twice TEXT GENERATED ALWAYS AS (id || ',') STORED,
    CONSTRAINT one UNIQUE (\"The SSN\", id) CHECK (id > 0)
    , CHECK (length([the ssn]) < 20 AND ')' <> ''), UNIQUE (twice) ON CONFLICT REPLACE
) STRICT";

#[test]
fn a_hard_text_is_cut_at_its_columns_and_constraints() {
    let text = TableText::read(HARD).unwrap();
    let names: Vec<&str> = text.columns().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "the ssn", "na`me", "twice"]);
    assert_eq!(
        text.declaration("THE SSN").unwrap(),
        "TEXT NOT NULL DEFAULT 'it''s, (' COLLATE NOCASE CHECK ([the ssn] <> ')')"
    );
    let constraints: Vec<&str> = text.constraints().map(|(_, text)| text).collect();
    assert_eq!(
        constraints,
        [
            "CONSTRAINT one UNIQUE (\"The SSN\", id)",
            "CHECK (id > 0)",
            "CHECK (length([the ssn]) < 20 AND ')' <> '')",
            "UNIQUE (twice) ON CONFLICT REPLACE",
        ]
    );
}

#[test]
fn a_column_goes_with_its_constraints_and_the_rest_stays() {
    let text = TableText::read(HARD).unwrap().without("the ssn").unwrap();
    let names: Vec<&str> = text.columns().map(|(name, _)| name).collect();
    assert_eq!(names, ["id", "na`me", "twice"]);
    let constraints: Vec<&str> = text.constraints().map(|(_, text)| text).collect();
    assert_eq!(
        constraints,
        ["CHECK (id > 0)", "UNIQUE (twice) ON CONFLICT REPLACE"]
    );
    assert!(
        text.sql()
            .starts_with("CREATE TABLE \"a (\"\"b\"( -- the key, first\n")
    );
    assert!(text.sql().contains("/* , ssn ( */") && !text.sql().contains("ours"));
    assert!(text.sql().ends_with(") STRICT"));
    assert!(
        text.named(&ident("n"))
            .starts_with("CREATE TABLE \"n\" ( -- the key, first")
    );
}

#[test]
fn the_first_the_last_and_the_only_other_column_can_go() {
    for (sql, column, left) in [
        ("CREATE TABLE t(ssn, id)", "ssn", "CREATE TABLE t(id)"),
        ("CREATE TABLE t(id, ssn TEXT)", "ssn", "CREATE TABLE t(id)"),
        (
            "CREATE TABLE t(id -- key\n, ssn TEXT -- last\n)",
            "ssn",
            "CREATE TABLE t(id -- key\n -- last\n)",
        ),
        (
            "CREATE TABLE t(id, ssn, UNIQUE(ssn), PRIMARY KEY(id)) WITHOUT ROWID",
            "ssn",
            "CREATE TABLE t(id, PRIMARY KEY(id)) WITHOUT ROWID",
        ),
        (
            "CREATE TABLE t(id, ssn, FOREIGN KEY (ssn) REFERENCES u (x))",
            "ssn",
            "CREATE TABLE t(id)",
        ),
    ] {
        let text = TableText::read(sql).unwrap().without(column).unwrap();
        assert_eq!(text.sql(), left);
    }
}

#[test]
fn a_declaration_is_cut_into_its_parts() {
    let declaration = "VARCHAR (11) CONSTRAINT \"not\" NOT NULL ON CONFLICT FAIL DEFAULT unique \
        UNIQUE CONSTRAINT d DEFAULT -1 REFERENCES u (x) ON DELETE SET NULL ON UPDATE SET DEFAULT \
        NOT DEFERRABLE COLLATE NOCASE CHECK (x NOT NULL)";
    let parts = parts(declaration).unwrap();
    let kinds: Vec<&str> = parts.iter().map(|part| part.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "",
            "NOT",
            "DEFAULT",
            "UNIQUE",
            "DEFAULT",
            "REFERENCES",
            "COLLATE",
            "CHECK"
        ]
    );
    assert_eq!(
        parts[1].text,
        "CONSTRAINT \"not\" NOT NULL ON CONFLICT FAIL"
    );
    assert_eq!(parts[4].text, "CONSTRAINT d DEFAULT -1");
    assert_eq!(
        nullable("TEXT NOT NULL DEFAULT (1 + (2)) COLLATE NOCASE").unwrap(),
        "TEXT COLLATE NOCASE"
    );
    assert_eq!(nullable("TEXT COLLATE NOCASE"), None);
    assert_eq!(nullable("NOT NULL").unwrap(), "");
}

#[test]
fn a_text_that_is_more_than_a_declaration_or_no_table_is_not_read() {
    for text in [
        "TEXT; DROP TABLE t",
        "TEXT, b",
        "TEXT)",
        "TEXT DEFAULT (1",
        "'x",
    ] {
        assert!(parts(text).is_none(), "{text}");
    }
    for sql in [
        "CREATE TABLE t",
        "CREATE VIRTUAL TABLE t USING x(a)",
        "CREATE TABLE t(a",
    ] {
        assert!(TableText::read(sql).is_err(), "{sql}");
    }
    assert!(is_same("TEXT  NOT NULL /* x */", "TEXT NOT NULL"));
}
