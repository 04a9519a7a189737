//! Tests that a guard changes the row that was written, whatever the collation of its key.

use crate::store::Catalog;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::store::UntrustedSeal;
use crate::store::sqlite::fixture::{Fixture, table, with};

/// A table with two pairs of keys that are equal under the column's collation. The second of each
/// pair has a sealed value whose plaintext is gone.
async fn pairs(create: &str, keys: &[&str], recursive: bool) -> Fixture {
    let mut fixture = Fixture::new(create).await;
    fixture.key(1, "", true).await;
    let mut table = with(table("t", keys), "v", "TEXT", true);
    table.on_untrusted_seal = Some(UntrustedSeal::Undo);
    fixture.store.prepare(&table).await.unwrap();
    let rows = "INSERT INTO t (code, v, v_sealed) VALUES ('a', 'one', x'e70100000001aa'), \
        ('A', NULL, x'e70100000001bb'), ('b ', 'three', x'e70100000001cc'), ('b', NULL, x'e70100000001dd')";
    fixture.unguarded(rows).await;
    let pragma = format!("PRAGMA recursive_triggers = {}", i32::from(recursive));
    fixture.exec(&pragma).await.unwrap();
    fixture
}

const OTHERS: &str = "SELECT quote(code) || quote(v) || quote(v_sealed) FROM t \
    WHERE v IS NULL ORDER BY CAST(code AS BLOB)";
const COPIES: [&str; 2] = ["'A'NULLX'E70100000001BB'", "'b'NULLX'E70100000001DD'"];

const TABLES: [(&str, &[&str]); 6] = [
    (
        "CREATE TABLE t (code TEXT COLLATE NOCASE NOT NULL, v TEXT); \
         CREATE UNIQUE INDEX u ON t (code COLLATE BINARY)",
        &["code"],
    ),
    (
        "CREATE TABLE t (code TEXT COLLATE RTRIM NOT NULL, v TEXT, UNIQUE (code COLLATE BINARY))",
        &["code"],
    ),
    (
        "CREATE TABLE t (code TEXT COLLATE NOCASE NOT NULL, v TEXT, PRIMARY KEY (code COLLATE BINARY)) WITHOUT ROWID",
        &["code"],
    ),
    (
        "CREATE TABLE t (code TEXT COLLATE RTRIM NOT NULL, v TEXT, PRIMARY KEY (code COLLATE BINARY)) WITHOUT ROWID",
        &["code"],
    ),
    // Columns have taken every name of the rowid.
    (
        "CREATE TABLE t (code TEXT COLLATE NOCASE NOT NULL, rowid TEXT, _rowid_ TEXT, oid TEXT, v TEXT); \
         CREATE UNIQUE INDEX u ON t (code COLLATE BINARY)",
        &["code"],
    ),
    // A column has taken one name of the rowid, which still has others.
    (
        "CREATE TABLE t (code TEXT COLLATE NOCASE NOT NULL, rowid TEXT DEFAULT 'x', v TEXT); \
         CREATE UNIQUE INDEX u ON t (code COLLATE BINARY)",
        &["code"],
    ),
];

#[tokio::test]
async fn no_statement_touches_another_row_whose_key_is_equal_under_the_columns_collation() {
    for (create, keys) in TABLES {
        for recursive in [false, true] {
            for sql in [
                "UPDATE t SET v = 'new' WHERE code = 'a' COLLATE BINARY",
                "UPDATE t SET v = NULL, v_sealed = NULL, v = 'x' WHERE code = 'b ' COLLATE BINARY",
                "UPDATE t SET v_sealed = x'00' WHERE code = 'a' COLLATE BINARY",
                "UPDATE t SET v = upper(v) WHERE v IS NOT NULL",
                "UPDATE OR REPLACE t SET v = 'new' WHERE code = 'a' COLLATE BINARY",
                "UPDATE OR REPLACE t SET code = 'c' WHERE code = 'a' COLLATE BINARY",
                "UPDATE OR FAIL t SET v = 'new' WHERE code = 'b ' COLLATE BINARY",
                "INSERT OR REPLACE INTO t (code, v, v_sealed) VALUES ('a', 'new', x'00')",
                "REPLACE INTO t (code, v) VALUES ('b ', 'new')",
                "INSERT INTO t (code, v, v_sealed) VALUES ('a', 'new', x'00') \
                 ON CONFLICT (code COLLATE BINARY) DO UPDATE SET v = excluded.v, v_sealed = excluded.v_sealed",
                "INSERT OR IGNORE INTO t (code, v, v_sealed) VALUES ('a', 'new', x'00'), ('d', 'new', x'00')",
                "DELETE FROM t WHERE code = 'a' COLLATE BINARY",
            ] {
                let mut fixture = pairs(create, keys, recursive).await;
                fixture.exec(sql).await.unwrap();
                assert_eq!(
                    fixture.rows(OTHERS).await,
                    COPIES,
                    "{create}: {sql}, {recursive}"
                );
                // A row that was inserted again, or moved, has no sealed value from before.
                let stale = "SELECT code FROM t WHERE v IN ('new', 'x', 'ONE', 'THREE') AND v_sealed IS NOT NULL \
                    UNION ALL SELECT code FROM t WHERE code = 'c' AND v_sealed IS NOT NULL \
                    UNION ALL SELECT code FROM t WHERE v_sealed = x'00'";
                assert!(
                    fixture.rows(stale).await.is_empty(),
                    "{create}: {sql}, {recursive}"
                );
                let marks =
                    "SELECT mark FROM phiseal_mark UNION ALL SELECT mark FROM phiseal_guard_mark";
                assert!(fixture.rows(marks).await.is_empty(), "{create}: {sql}");
            }
        }
    }
}

#[tokio::test]
async fn a_guard_works_where_the_schema_is_not_trusted_and_where_the_file_is_attached() {
    let (create, keys) = TABLES[0];
    let mut fixture = pairs(create, keys, true).await;
    let change =
        "PRAGMA trusted_schema = OFF; UPDATE t SET v = 'new' WHERE code = 'a' COLLATE BINARY";
    fixture.exec(change).await.unwrap();
    assert_eq!(fixture.rows(OTHERS).await, COPIES);
    let path = fixture.dir.path().join("clinic.db").display().to_string();
    // The guard must not use tables of the same names in the main file.
    let attached = format!(
        "ATTACH '{path}' AS clinic; \
         UPDATE clinic.t SET v = 'newer' WHERE code = 'b ' COLLATE BINARY"
    );
    let mut other = SqliteConnectOptions::new()
        .filename(fixture.dir.path().join("other.db"))
        .create_if_missing(true)
        .connect()
        .await
        .unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "CREATE TABLE t (code, v, v_sealed); CREATE TABLE phiseal_guard_mark (id, mark); {attached}"
    )))
    .execute(&mut other)
    .await
    .unwrap();
    let sealed = "SELECT quote(v_sealed) FROM t WHERE v IN ('new', 'newer')";
    assert_eq!(fixture.rows(sealed).await, ["NULL", "NULL"]);
    assert_eq!(fixture.rows(OTHERS).await, COPIES);
}
