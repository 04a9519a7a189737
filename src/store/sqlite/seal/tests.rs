//! Tests of the writing statement: which rows count as unchanged, and what it writes.

use sqlx::Row;

use super::UpdateLayout;
use crate::store::page::WriteCell;
use crate::store::sqlite::batch_fixture::{
    BatchFixture, TABLE, TALLY, beside, number_and_blob, seal, sealed,
};
use crate::store::sqlite::fixture::{access, ident, request, stamp, table, with};
use crate::store::sqlite::select::Shape;
use crate::store::sqlite::version::{self, SeenCell};
use crate::store::{Select, WriteRow};

#[tokio::test]
async fn a_row_that_changed_or_went_is_missed_by_any_change_of_its_bytes() {
    for (change, missed) in [
        ("UPDATE t SET ssn = 'ABC' WHERE id = 1", vec![0]),
        ("UPDATE t SET age = 9 WHERE id = 2", vec![1]),
        ("UPDATE t SET age = '7x' WHERE id = 1", vec![0]),
        (
            "UPDATE t SET ssn = CAST('abc' AS BLOB) WHERE id = 1",
            vec![0],
        ),
        ("UPDATE t SET age = 0 WHERE id = 3", vec![2]),
        ("UPDATE t SET ssn = NULL WHERE id = 3", vec![2]),
        ("UPDATE t SET id = 4 WHERE id = 2", vec![1]),
        ("DELETE FROM t", vec![0, 1, 2]),
        ("UPDATE t SET ssn = ssn", vec![]),
    ] {
        let mut bench = BatchFixture::new(TABLE, beside()).await;
        let rows = sealed(bench.read(Select::Unsealed).await);
        bench.fixture.exec(change).await.unwrap();
        bench.begin(stamp(&bench.lane)).await.unwrap();
        let written = bench.write(&rows).await.unwrap();
        assert_eq!(written.missed, missed, "{change}");
        assert_eq!(written.rows, 3 - missed.len() as u64);
        bench.writer.commit(&TALLY).await.unwrap();
    }
}

#[tokio::test]
async fn a_key_that_changed_only_in_case_and_a_tenant_that_changed_are_missed() {
    let schema = "CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, clinic TEXT, ssn TEXT, age INTEGER); \
        INSERT INTO t VALUES ('a', 'n', 'x', 1), ('b', 'n', 'x', 1), ('c', 'n', 'x', 1)";
    let mut table = beside();
    table.tenant = Some(ident("clinic"));
    let mut bench = BatchFixture::new(schema, table).await;
    let rows = sealed(bench.read(Select::Unsealed).await);
    bench
        .fixture
        .exec("UPDATE t SET id = 'A' WHERE id = 'a'; UPDATE t SET clinic = 'N' WHERE id = 'b'")
        .await
        .unwrap();
    bench.begin(stamp(&bench.lane)).await.unwrap();
    let written = bench.write(&rows).await.unwrap();
    assert_eq!(written.missed, [0, 1]);
}

#[tokio::test]
async fn a_seal_that_came_meanwhile_is_not_overwritten() {
    let mut bench = BatchFixture::new(TABLE, beside()).await;
    let rows = sealed(bench.read(Select::Unsealed).await);
    let update = "UPDATE t SET ssn_sealed = x'01' WHERE id = 2";
    bench.fixture.unguarded(update).await;
    bench.begin(stamp(&bench.lane)).await.unwrap();
    assert_eq!(bench.write(&rows).await.unwrap().missed, [1]);
}

#[tokio::test]
async fn in_place_what_is_stored_is_given_back() {
    let table = with(table("t", &["id"]), "age", "INTEGER", true);
    let table = with(table, "ssn", "TEXT", false);
    let mut bench = BatchFixture::new(TABLE, table).await;
    let rows: Vec<WriteRow> = bench
        .read(Select::Unsealed)
        .await
        .into_iter()
        .map(|row| WriteRow {
            cells: vec![seal(b"\xe7age"), seal(b"ps1.5wEAAAABabc")],
            locator: row.locator,
        })
        .collect();
    bench
        .fixture
        .exec("UPDATE t SET ssn = 'ABC' WHERE id = 1")
        .await
        .unwrap();
    bench.begin(stamp(&bench.lane)).await.unwrap();
    let written = bench.write(&rows).await.unwrap();
    assert_eq!(written.missed, [0]);
    let mut stored: Vec<_> = written
        .stored
        .iter()
        .map(|(at, values)| {
            assert!(values[0].is_none());
            (*at, values[1].as_ref().unwrap().to_vec())
        })
        .collect();
    stored.sort();
    assert_eq!(
        stored,
        [
            (1, b"ps1.5wEAAAABabc".to_vec()),
            (2, b"ps1.5wEAAAABabc".to_vec())
        ]
    );
    bench.writer.commit(&TALLY).await.unwrap();
    let classes = bench
        .fixture
        .rows("SELECT group_concat(DISTINCT typeof(ssn)) FROM t")
        .await;
    assert_eq!(classes, ["text"]);
}

#[tokio::test]
async fn a_restore_gives_back_every_storage_class() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC, n_sealed BLOB, b BLOB, b_sealed BLOB); \
        INSERT INTO t VALUES (1, -3, x'01', x'00ff', x'01'), (2, 0.1, x'01', x'', x'01'), (3, 'text', x'01', NULL, NULL)";
    BatchFixture::new(schema, number_and_blob())
        .await
        .restores(3)
        .await;
}

#[tokio::test]
async fn rows_of_more_parameters_than_a_statement_takes_are_all_written_by_key() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT, age INTEGER, pad TEXT) WITHOUT ROWID; \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) \
        INSERT INTO t SELECT i, 'ssn ' || i, i, '' FROM n";
    let mut bench = BatchFixture::new(schema, beside()).await;
    let mut request = request(Select::Unsealed);
    request.rows_max = 10_000;
    let rows = sealed(bench.fixture.page(&bench.table, &request).await.rows);
    bench.begin(stamp(&bench.lane)).await.unwrap();
    assert_eq!(bench.write(&rows).await.unwrap().rows, 5000);
    bench.writer.commit(&TALLY).await.unwrap();
    assert!(
        bench
            .read(Select::Unsealed)
            .await
            .iter()
            .all(|row| row.cells[0].plain.is_none())
    );
}

#[tokio::test]
async fn the_rows_of_a_batch_are_found_by_their_key() {
    for (key, rest) in [
        ("INTEGER", ""),
        ("INTEGER", "WITHOUT ROWID"),
        ("TEXT COLLATE NOCASE", ""),
    ] {
        let schema = format!(
            "CREATE TABLE t (id {key} PRIMARY KEY NOT NULL, ssn TEXT, age INTEGER) {rest}; \
             INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2)"
        );
        let mut bench = BatchFixture::new(&schema, beside()).await;
        let rows = sealed(bench.read(Select::Unsealed).await);
        let table = bench.table.clone();
        let shape = Shape::read(&mut bench.fixture.app, &access(&table))
            .await
            .unwrap();
        let rows: Vec<&WriteRow> = rows.iter().collect();
        let seen: Vec<Vec<SeenCell<'_>>> = rows
            .iter()
            .map(|row| version::unpack(&row.locator.version).unwrap().columns)
            .collect();
        let layout = UpdateLayout::new(&shape, &rows, &seen).unwrap();
        let plan = format!(
            "EXPLAIN QUERY PLAN {}",
            layout.sql(rows.len(), &layout.assignments())
        );
        let steps = sqlx::query(sqlx::AssertSqlSafe(plan))
            .fetch_all(&mut bench.fixture.app)
            .await
            .unwrap();
        let steps: Vec<String> = steps.iter().map(|step| step.get("detail")).collect();
        assert!(
            steps.iter().any(|step| step.starts_with("SEARCH t USING")),
            "{key} {rest}: {steps:?}"
        );
        assert!(
            !steps.iter().any(|step| step.starts_with("SCAN t")),
            "{steps:?}"
        );
    }
}

#[tokio::test]
async fn a_cleared_plaintext_is_gone_and_its_sealed_value_stays() {
    // The many rows are written by rowid in one statement, the few by key.
    for (schema, rows) in [(CLEARED, 40), (CLEARED, 5), (&*without_rowid(), 40)] {
        let schema = schema.replace("i < 40", &format!("i < {rows}"));
        let mut bench = BatchFixture::new(&schema, beside()).await;
        let writes: Vec<WriteRow> = (bench.read(Select::Plaintext).await.into_iter())
            .enumerate()
            .map(|(at, row)| WriteRow {
                cells: vec![
                    WriteCell::Clear,
                    match at % 2 {
                        0 => WriteCell::Keep,
                        _ => WriteCell::Clear,
                    },
                ],
                locator: row.locator,
            })
            .collect();
        assert_eq!(writes.len(), rows);
        let change = "UPDATE t SET ssn = 'changed', ssn_sealed = x'02' WHERE id = 3";
        bench.fixture.unguarded(change).await;
        bench.begin(stamp(&bench.lane)).await.unwrap();
        assert_eq!(bench.write(&writes).await.unwrap().missed, [2]);
        bench.writer.commit(&TALLY).await.unwrap();
        let wrong = "SELECT quote(id) FROM t WHERE ssn_sealed IS NULL OR age_sealed IS NULL \
            OR (ssn IS NOT NULL) <> (id = 3) OR (age IS NOT NULL) <> (id % 2 = 1)";
        assert_eq!(bench.fixture.rows(wrong).await, Vec::<String>::new());
        let left = bench.read(Select::Plaintext).await.len();
        assert_eq!(
            left,
            rows.div_ceil(2),
            "rows with an age, and the changed one"
        );
    }
}

const CLEARED: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT, ssn_sealed BLOB, age INTEGER, age_sealed BLOB); \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
    INSERT INTO t SELECT i, 'ssn ' || i, x'01', i, x'01' FROM n";

fn without_rowid() -> String {
    CLEARED.replace("age_sealed BLOB)", "age_sealed BLOB) WITHOUT ROWID")
}
