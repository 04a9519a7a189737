//! Tests of rows written by their rowids: which are missed, and that each row gets its own values.

use crate::store::page::WriteCell;
use crate::store::sqlite::batch_fixture::{BatchFixture, TALLY, beside, number_and_blob, seal};
use crate::store::sqlite::fixture::{ident, request, stamp, table, with};
use crate::store::sqlite::{key_value, key_value::KeyValue};
use crate::store::{PageRow, Select, Table, WriteRow};

/// Plaintexts of every class and of many lengths, some with NUL bytes; a sixth of them are NULL.
const ROWS: &str = "CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, ssn, age INTEGER); \
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) \
    INSERT INTO t (rowid, id, ssn, age) SELECT 7 * i, 'key ' || i, \
      CASE i % 6 WHEN 0 THEN NULL WHEN 1 THEN 'a' || substr('bcdefgh', 1, i % 7) WHEN 2 THEN 'c' || i \
      WHEN 3 THEN 'nul' || char(0) || i WHEN 4 THEN 'b' || i WHEN 5 THEN '' END, \
      CASE i % 3 WHEN 0 THEN NULL ELSE i END FROM n";

/// Each row with sealed values that contain its key.
fn named(rows: Vec<PageRow>) -> Vec<WriteRow> {
    let cell = |field: &str, key: &str, there: bool| match there {
        true => seal(format!("{field} of {key}").as_bytes()),
        false => WriteCell::Keep,
    };
    rows.into_iter()
        .map(|row| {
            let key = key_value::unplace(&row.locator.place).unwrap();
            let [KeyValue::Text(key)] = &key[..] else {
                panic!("a key of another kind")
            };
            WriteRow {
                cells: vec![
                    cell("ssn", key, row.cells[0].plain.is_some()),
                    cell("age", key, row.cells[1].plain.is_some()),
                ],
                locator: row.locator,
            }
        })
        .collect()
}

async fn read(bench: &mut BatchFixture) -> Vec<PageRow> {
    let mut request = request(Select::Unsealed);
    request.rows_max = 1000;
    bench.fixture.page(&bench.table, &request).await.rows
}

/// The rows whose sealed values are wrong.
const WRONG: &str = "SELECT id FROM t WHERE \
    ssn_sealed IS NOT CASE WHEN ssn IS NOT NULL THEN CAST('ssn of ' || id AS BLOB) END \
    OR age_sealed IS NOT CASE WHEN age IS NOT NULL THEN CAST('age of ' || id AS BLOB) END ORDER BY id";

#[tokio::test]
async fn every_row_gets_its_own_values_and_one_that_changed_gets_none() {
    for (change, missed) in [
        ("UPDATE t SET age = age", &[][..]),
        (
            "UPDATE t SET ssn = 'changed' WHERE id = 'key 7'",
            &["key 7"],
        ),
        (
            "UPDATE t SET ssn = CAST(ssn AS BLOB) WHERE id = 'key 10'",
            &["key 10"],
        ),
        (
            "UPDATE t SET age = age + 0.5 WHERE id = 'key 8'",
            &["key 8"],
        ),
        ("UPDATE t SET ssn = 'nul' WHERE id = 'key 9'", &["key 9"]),
        (
            "UPDATE t SET ssn = NULL WHERE id IN ('key 1', 'key 296')",
            &["key 1", "key 296"],
        ),
        ("UPDATE t SET age = 1 WHERE id = 'key 4'", &["key 4"]),
        ("UPDATE t SET id = 'KEY 5' WHERE id = 'key 5'", &["KEY 5"]),
        // This row is then found by its key.
        ("UPDATE t SET rowid = 5 WHERE id = 'key 5'", &[]),
        (
            "DELETE FROM t WHERE id = 'key 2'; INSERT INTO t (rowid, id, ssn, age) VALUES (14, 'new', 2, 2)",
            &["new"],
        ),
    ] {
        let mut bench = BatchFixture::new(ROWS, beside()).await;
        let rows = read(&mut bench).await;
        // A row in which both values are NULL needs no write.
        assert_eq!(rows.len(), 250);
        bench.fixture.exec(change).await.unwrap();
        bench.begin(stamp(&bench.lane)).await.unwrap();
        let written = bench.write(&named(rows)).await.unwrap();
        bench.writer.commit(&TALLY).await.unwrap();
        assert_eq!(written.missed.len(), missed.len(), "{change}");
        assert_eq!(written.rows as usize, 250 - missed.len(), "{change}");
        assert_eq!(bench.fixture.rows(WRONG).await, missed, "{change}");
    }
}

#[tokio::test]
async fn a_seal_that_came_meanwhile_is_kept_among_many() {
    let mut bench = BatchFixture::new(ROWS, beside()).await;
    let rows = named(read(&mut bench).await);
    let update = "UPDATE t SET ssn_sealed = x'01' WHERE id = 'key 100'";
    bench.fixture.unguarded(update).await;
    bench.begin(stamp(&bench.lane)).await.unwrap();
    assert_eq!(bench.write(&rows).await.unwrap().missed.len(), 1);
    bench.writer.commit(&TALLY).await.unwrap();
    assert_eq!(bench.fixture.rows(WRONG).await, ["key 100"]);
}

async fn all_are_written(schema: &str, table: Table) {
    let mut bench = BatchFixture::new(schema, table).await;
    let rows = named(read(&mut bench).await);
    let count = rows.len() as u64;
    bench.begin(stamp(&bench.lane)).await.unwrap();
    assert_eq!(bench.write(&rows).await.unwrap().rows, count, "{schema}");
    bench.writer.commit(&TALLY).await.unwrap();
    assert!(bench.fixture.rows(WRONG).await.is_empty(), "{schema}");
}

#[tokio::test]
async fn rowids_of_any_size_and_under_any_name_are_found() {
    let extreme = ROWS.replace(
        "7 * i",
        "CASE i WHEN 1 THEN -9223372036854775808 \
        WHEN 2 THEN 9223372036854775807 ELSE -i END",
    );
    all_are_written(&extreme, beside()).await;
    let named = "CREATE TABLE t (id TEXT PRIMARY KEY, rowid, oid, ssn, age INTEGER); \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) \
        INSERT INTO t SELECT 'key ' || i, 1, 2, 'ssn', i FROM n";
    all_are_written(named, beside()).await;
    all_are_written(
        &named
            .replace("oid,", "oid, _rowid_,")
            .replace("1, 2,", "1, 2, 3,"),
        beside(),
    )
    .await;
    let without = named.replace("age INTEGER)", "age INTEGER) WITHOUT ROWID");
    all_are_written(&without, beside()).await;
}

#[tokio::test]
async fn a_blind_index_and_a_tenant_go_with_their_row() {
    let mut table = with(table("t", &["id"]), "ssn", "TEXT", true);
    table.fields[0].index = Some(ident("ssn_bidx"));
    table.tenant = Some(ident("clinic"));
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, clinic TEXT, ssn TEXT); \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) \
        INSERT INTO t SELECT i, 'clinic ' || (i % 3), 'ssn ' || i FROM n";
    let mut bench = BatchFixture::new(schema, table).await;
    let rows = bench.read(Select::Unsealed).await;
    let rows: Vec<WriteRow> = rows
        .into_iter()
        .enumerate()
        .map(|(at, row)| WriteRow {
            cells: vec![WriteCell::Seal {
                sealed: format!("sealed {}", at + 1).into_bytes(),
                index: (at % 2 == 0).then(|| format!("index {}", at + 1).into_bytes()),
            }],
            locator: row.locator,
        })
        .collect();
    bench
        .fixture
        .exec("UPDATE t SET clinic = 'CLINIC 1' WHERE id = 1")
        .await
        .unwrap();
    bench.begin(stamp(&bench.lane)).await.unwrap();
    assert_eq!(bench.write(&rows).await.unwrap().missed, [0]);
    bench.writer.commit(&TALLY).await.unwrap();
    let wrong = "SELECT quote(id) FROM t WHERE ssn_sealed IS NOT CAST('sealed ' || id AS BLOB) \
        OR ssn_bidx IS NOT CASE id % 2 WHEN 1 THEN CAST('index ' || id AS BLOB) END";
    assert_eq!(bench.fixture.rows(wrong).await, ["1"]);
}

#[tokio::test]
async fn many_rows_are_restored_in_the_class_they_had() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC, n_sealed BLOB, b BLOB, b_sealed BLOB); \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90) \
        INSERT INTO t SELECT i, CASE i % 3 WHEN 0 THEN -i WHEN 1 THEN 'text ' || i ELSE i + 0.5 END, x'01', \
          CASE i % 2 WHEN 0 THEN zeroblob(i) END, x'01' FROM n";
    BatchFixture::new(schema, number_and_blob())
        .await
        .restores(90)
        .await;
}
