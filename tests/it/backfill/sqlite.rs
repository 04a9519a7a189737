//! The same on SQLite: tables with and without a rowid, values of each storage class.

use super::beside;
use crate::support::Fixture;

#[tokio::test]
async fn a_table_with_a_rowid_and_values_of_each_class() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, weight REAL, n INTEGER, scan BLOB, other TEXT);
        WITH RECURSIVE i(x) AS (SELECT -50 UNION ALL SELECT x + 1 FROM i WHERE x < 450)
        INSERT INTO t SELECT x * 3, CASE WHEN x % 7 = 0 THEN NULL WHEN x % 5 = 0 THEN ''
            ELSE 'O''Brien 🩺' || char(10) || x END, x / 7.0, x * 1000003,
            CASE WHEN x % 2 THEN zeroblob(x + 50) ELSE x'e70100ff' END, 'kept' FROM i;
        INSERT INTO t VALUES (9223372036854775807, 'last', 1e22, -9223372036854775808, x'', 'kept'),
            (-9223372036854775807, 'first', -0.0, 0, NULL, 'kept');
        CREATE TABLE saved AS SELECT * FROM t;";
    let columns = ["name", "weight", "n", "scan"];
    let fixture = Fixture::sqlite(sql, &beside("t", &columns)).await;
    let done = fixture.json_code(&["backfill"], 0).await;
    assert_eq!(done["rows_sealed"], 503);
    let values = "SELECT count(name) + count(weight) + count(n) + count(scan) FROM saved";
    let values = fixture.file().scalar(values).await.unwrap();
    let opened = fixture.expect_sealed("t", &columns, "saved").await;
    assert_eq!(opened.to_string(), values);
    let changed = "SELECT count(*) FROM (SELECT id, name, weight, n, scan, other FROM t EXCEPT SELECT * FROM saved)";
    assert_eq!(fixture.file().scalar(changed).await.as_deref(), Some("0"));
    let sealed = "SELECT group_concat(hex(name_sealed) || hex(scan_sealed)) FROM (SELECT * FROM t ORDER BY id)";
    let before = fixture.file().scalar(sealed).await;
    assert_eq!(fixture.json_code(&["backfill"], 0).await["rows_found"], 0);
    assert!(
        fixture.file().scalar(sealed).await == before,
        "rows were sealed again"
    );
    let verified = fixture.json_code(&["verify"], 0).await;
    assert_eq!(verified["values_verified"].to_string(), values);
}

#[tokio::test]
async fn a_composite_key_without_a_rowid_and_a_text_key_that_ignores_case() {
    let sql = "CREATE TABLE visits (ward TEXT NOT NULL, no INTEGER NOT NULL, note TEXT,
            PRIMARY KEY (ward, no)) WITHOUT ROWID;
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 600)
        INSERT INTO visits SELECT 'W' || x % 11, x * x % 1009 * 1000 + x, 'note ' || x FROM i;
        CREATE TABLE people (mail TEXT NOT NULL COLLATE NOCASE PRIMARY KEY, name TEXT);
        INSERT INTO people VALUES ('B@x', 'b'), ('a@X', 'a'), ('Ç@x', 'c'), ('', 'empty'), ('z@x', NULL);
        CREATE TABLE saved_visits AS SELECT * FROM visits; CREATE TABLE saved_people AS SELECT * FROM people;";
    let plan = beside("visits", &["note"]) + &beside("people", &["name"]);
    let fixture = Fixture::sqlite(sql, &plan).await;
    assert_eq!(
        fixture.json_code(&["backfill"], 0).await["values_sealed"],
        604
    );
    assert_eq!(
        fixture
            .expect_sealed("visits", &["note"], "saved_visits")
            .await,
        600
    );
    assert_eq!(
        fixture
            .expect_sealed("people", &["name"], "saved_people")
            .await,
        4
    );
}

#[tokio::test]
async fn in_place_with_a_neighbour_that_has_a_blind_index() {
    let sql = "CREATE TABLE t (id TEXT PRIMARY KEY NOT NULL, ssn TEXT, note TEXT);
        WITH RECURSIVE i(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM i WHERE x < 300)
        INSERT INTO t SELECT 'id' || x, printf('%03d-%02d-%04d', x, x % 90, x), CASE x % 4 WHEN 0 THEN NULL
            WHEN 1 THEN 'ps1.garbage' || x ELSE 'note ' || x END FROM i;
        CREATE TABLE saved AS SELECT * FROM t;";
    let plan = "[[table]]\nname = \"t\"\n[[table.column]]\nname = \"ssn\"\nseal_into = \"ssn_sealed\"\n\
        blind_index = { column = \"ssn_bidx\", normalise = \"digits\", bits = 256, unique = true }\n\
        [[table.column]]\nname = \"note\"\nin_place = \"application-reads-both-forms\"\n";
    let fixture = Fixture::sqlite(sql, plan).await;
    assert_eq!(
        fixture.json_code(&["backfill"], 0).await["values_sealed"],
        525
    );
    assert_eq!(
        fixture.expect_sealed("t", &["ssn", "note"], "saved").await,
        525
    );
    // A stale seal never stays: the guard blanks it, the next run seals the new value.
    let change = "UPDATE t SET ssn = '999-99-9999', note = 'new' WHERE id = 'id2'";
    fixture.file().exec(change).await;
    fixture
        .file()
        .exec(&change.replace("UPDATE t", "UPDATE saved"))
        .await;
    let blank = "SELECT ssn_sealed IS NULL AND ssn_bidx IS NULL FROM t WHERE id = 'id2'";
    assert_eq!(fixture.file().scalar(blank).await.as_deref(), Some("1"));
    assert_eq!(
        fixture.json_code(&["backfill"], 0).await["values_sealed"],
        2
    );
    assert_eq!(
        fixture.expect_sealed("t", &["ssn", "note"], "saved").await,
        525
    );
}

#[tokio::test]
async fn a_value_its_column_cannot_give_back_is_quarantined() {
    let sql = "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT);
        INSERT INTO t VALUES (1, 'good'), (2, CAST(x'ff41' AS TEXT)), (3, 'good too');";
    let fixture = Fixture::sqlite(sql, &beside("t", &["name"])).await;
    let done = fixture.json_code(&["backfill"], 6).await;
    assert_eq!(
        (&done["rows_sealed"], &done["quarantined"]),
        (&2.into(), &1.into())
    );
    let left = "SELECT group_concat(id) FROM t WHERE name_sealed IS NULL";
    assert_eq!(fixture.file().scalar(left).await.as_deref(), Some("2"));
}
