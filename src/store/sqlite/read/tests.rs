//! Tests of paging: order, windows, cursors, sizes, and values that cannot be read.

mod whole;

use crate::crypto::KeyPart;
use crate::store::sqlite::fixture::{Fixture, access, request, table, with};
use crate::store::{Bound, KeyText, Page, PageRequest, Select, Table};
use crate::store::{Catalog, Rows};

/// Reads every page and returns the keys as text.
async fn walk(fixture: &mut Fixture, table: &Table, mut request: PageRequest) -> Vec<String> {
    let mut keys = Vec::new();
    for _ in 0..1000 {
        let page = fixture.page(table, &request).await;
        keys.extend(
            page.rows
                .iter()
                .map(|row| text(row.key_text.as_ref().unwrap())),
        );
        match page.next {
            Some(next) => request.after = Some(next),
            None => return keys,
        }
    }
    panic!("paging does not end");
}

/// The values of a key's text, without their classes.
fn text(cursor: &KeyText) -> String {
    let parts = cursor.0.iter().map(|part| part.split_once(':').unwrap().1);
    parts.collect::<Vec<_>>().join("|")
}

fn small(rows_max: u32) -> PageRequest {
    PageRequest {
        rows_max,
        ..request(Select::Unsealed)
    }
}

async fn prepared(schema: &str, table: &Table) -> Fixture {
    let fixture = Fixture::new(schema).await;
    fixture.store.prepare(table).await.unwrap();
    fixture
}

#[tokio::test]
async fn every_row_is_met_once_whatever_the_window_and_the_key() {
    let p = |keys: &[&str]| with(table("t", keys), "ssn", "TEXT", true);
    for (schema, keys, expected) in [
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT); INSERT INTO t VALUES \
             (-9223372036854775808, 'a'), (-1, 'b'), (0, 'c'), (9223372036854775807, 'd')",
            &["id"][..],
            vec!["-9223372036854775808", "-1", "0", "9223372036854775807"],
        ),
        (
            "CREATE TABLE t (a TEXT COLLATE NOCASE, b INTEGER, ssn TEXT, PRIMARY KEY (a, b)); \
             INSERT INTO t VALUES ('B', 1, 'x'), ('a', 2, 'x'), ('b', 0, 'x'), ('A', -3, 'x'), ('', 9, 'x')",
            &["a", "b"],
            vec!["|9", "A|-3", "a|2", "b|0", "B|1"],
        ),
        (
            // The index has another collation than the column, under which two rows are equal.
            "CREATE TABLE t (a TEXT COLLATE NOCASE, ssn TEXT, PRIMARY KEY (a COLLATE BINARY)); \
             INSERT INTO t VALUES ('a', 'x'), ('A', 'x'), ('b', 'x'), ('B', 'x')",
            &["a"],
            vec!["A", "B", "a", "b"],
        ),
        (
            "CREATE TABLE t (a BLOB, b TEXT, ssn TEXT, PRIMARY KEY (b, a)) WITHOUT ROWID; \
             INSERT INTO t VALUES (x'00', 'z', 'x'), (x'ff', 'y', 'x'), (x'', 'z', 'x')",
            &["b", "a"],
            vec!["y|ff", "z|", "z|00"],
        ),
        (
            "CREATE TABLE t (a UNIQUE NOT NULL, ssn TEXT); \
             INSERT INTO t VALUES ('1', 'x'), (1, 'x'), (x'31', 'x'), (-5, 'x')",
            &["a"],
            vec!["-5", "1", "1", "31"],
        ),
    ] {
        let table = p(keys);
        let mut fixture = prepared(schema, &table).await;
        for rows_max in [1, 2, 3, 100] {
            let met = walk(&mut fixture, &table, small(rows_max)).await;
            assert_eq!(met, expected, "{schema} by {rows_max}");
        }
    }
}

#[tokio::test]
async fn a_cursor_resumes_after_its_key_and_stops_at_the_upper_one() {
    let table = with(table("t", &["a", "b"]), "ssn", "TEXT", true);
    let schema = "CREATE TABLE t (a TEXT, b INTEGER, ssn TEXT, PRIMARY KEY (a, b)); \
        INSERT INTO t VALUES ('a', 1, 'x'), ('a', 2, 'x'), ('b', 1, 'x'), ('b', 2, 'x')";
    let mut fixture = prepared(schema, &table).await;
    let mut request = small(2);
    request.after = Some(Bound::Key(KeyText(vec![
        "t:a".to_owned(),
        "i:1".to_owned(),
    ])));
    request.upto = Some(Bound::Key(KeyText(vec![
        "t:b".to_owned(),
        "i:1".to_owned(),
    ])));
    assert_eq!(walk(&mut fixture, &table, request).await, ["a|2", "b|1"]);
}

#[tokio::test]
async fn a_page_is_found_by_the_index_and_never_sorted() {
    for (schema, keys) in [
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT)",
            &["id"][..],
        ),
        (
            "CREATE TABLE t (a TEXT COLLATE NOCASE, b INTEGER, ssn TEXT, PRIMARY KEY (a, b))",
            &["a", "b"],
        ),
        (
            "CREATE TABLE t (a TEXT COLLATE NOCASE, ssn TEXT, PRIMARY KEY (a COLLATE BINARY))",
            &["a"],
        ),
    ] {
        let table = with(table("t", keys), "ssn", "TEXT", true);
        let mut fixture = prepared(schema, &table).await;
        let shape = super::Shape::read(&mut fixture.app, &access(&table))
            .await
            .unwrap();
        let key: Vec<_> = keys.iter().map(|_| super::KeyValue::Integer(1)).collect();
        let sql = format!(
            "EXPLAIN QUERY PLAN SELECT 1 FROM t WHERE {} AND {} ORDER BY {}",
            shape.beyond(">", &key).0.replace('?', "1"),
            shape.beyond("<=", &key).0.replace('?', "1"),
            shape.order(),
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .fetch_all(&mut fixture.app)
            .await
            .unwrap();
        let plan: Vec<String> = rows.iter().map(|row| sqlx::Row::get(row, 3)).collect();
        assert_eq!(plan.len(), 1, "{schema}: {plan:?}");
        assert!(
            plan[0].starts_with("SEARCH") && plan[0].contains('<') && plan[0].contains('>'),
            "{plan:?}"
        );
    }
}

#[tokio::test]
async fn a_nearly_finished_table_is_passed_window_by_window() {
    let table = with(table("t", &["id"]), "ssn", "TEXT", true);
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT, ssn_sealed BLOB); \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
        INSERT INTO t SELECT i, CASE i WHEN 90 THEN 'x' END, NULL FROM n";
    let mut fixture = prepared(schema, &table).await;
    let first = fixture.page(&table, &small(50)).await;
    assert!(first.rows.is_empty());
    assert_eq!(
        first.next,
        Some(Bound::Key(KeyText(vec!["i:50".to_owned()])))
    );
    assert_eq!(walk(&mut fixture, &table, small(50)).await, ["90"]);
}

#[tokio::test]
async fn the_sweep_goes_by_its_index_past_all_that_is_sealed() {
    let table = with(table("t", &["id"]), "ssn", "TEXT", true);
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT, ssn_sealed BLOB); \
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) \
        INSERT INTO t SELECT i, CASE WHEN i > 96 THEN 'x' END, NULL FROM n";
    let mut fixture = prepared(schema, &table).await;
    assert!(
        fixture
            .store
            .make_sweep_index(&access(&table), "")
            .await
            .unwrap()
    );
    let sweep = |rows_max| PageRequest {
        select: Select::UnsealedIndexed,
        ..small(rows_max)
    };
    let first = fixture.page(&table, &sweep(3)).await;
    assert_eq!(first.rows.len(), 3);
    assert_eq!(
        walk(&mut fixture, &table, sweep(3)).await,
        ["97", "98", "99", "100"]
    );
    fixture.store.drop_sweep_index(&table).await.unwrap();
    assert_eq!(walk(&mut fixture, &table, sweep(3)).await.len(), 4);
}

#[tokio::test]
async fn a_page_ends_at_its_bytes_and_holds_at_least_one_row() {
    let table = with(table("t", &["id"]), "note", "TEXT", true);
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT); \
        INSERT INTO t VALUES (1, hex(zeroblob(50))), (2, hex(zeroblob(50))), (3, 'x')";
    let mut fixture = prepared(schema, &table).await;
    let mut request = small(100);
    request.bytes_max = 150;
    let page = fixture.page(&table, &request).await;
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].bytes, 100);
    assert_eq!(page.next, Some(Bound::Key(KeyText(vec!["i:1".to_owned()]))));
    request.bytes_max = 1;
    assert_eq!(walk(&mut fixture, &table, request).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_large_value_is_left_out_and_read_alone() {
    let table = with(table("t", &["id"]), "note", "TEXT", true);
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT); \
        INSERT INTO t VALUES (1, hex(zeroblob(5000))), (2, 'x')";
    let mut fixture = prepared(schema, &table).await;
    let mut request = small(100);
    request.value_bytes_max = 9999;
    let page = fixture.page(&table, &request).await;
    let large: Vec<bool> = page.rows.iter().map(|row| row.large).collect();
    assert_eq!(large, [true, false]);
    assert!(page.rows[0].cells[0].plain.is_none());
    let locators = [page.rows[0].locator.clone()];
    let mut reader = fixture.store.reader().await.unwrap();
    request.value_bytes_max = 1 << 29;
    let rows = reader
        .rows(&access(&table), &request, &locators)
        .await
        .unwrap()
        .rows;
    assert_eq!(rows[0].cells[0].plain.as_ref().unwrap().len(), 10_000);
    assert!(!rows[0].large);
    fixture
        .exec("UPDATE t SET note = 'short' WHERE id = 1")
        .await
        .unwrap();
    assert!(
        reader
            .rows(&access(&table), &request, &locators)
            .await
            .unwrap()
            .rows
            .is_empty()
    );
    let keys = [1, 2, 3].map(|id| KeyText(vec![format!("i:{id}")]));
    let rows = reader
        .current(&access(&table), &request, &keys)
        .await
        .unwrap()
        .rows;
    let now: Vec<_> = rows.iter().map(|row| row.cells[0].plain.as_ref()).collect();
    assert_eq!(now.len(), 2);
    assert_eq!(now[0].unwrap().as_slice(), b"short");
    assert_eq!(now[1].unwrap().as_slice(), b"x");
}

async fn one_page(schema: &str, source_type: &str) -> Page {
    let table = with(table("t", &["id"]), "c", source_type, true);
    let mut fixture = prepared(schema, &table).await;
    fixture.page(&table, &small(100)).await
}

#[tokio::test]
async fn bytes_are_those_of_the_format_for_every_storage_class() {
    let page = one_page(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c NUMERIC); INSERT INTO t VALUES \
         (1, -9223372036854775808), (2, 0.1), (3, 'caf\u{e9} \u{1f600}'), (4, ''), (5, 1e22), (6, NULL)",
        "NUMERIC",
    )
    .await;
    let plain: Vec<_> = page
        .rows
        .iter()
        .map(|row| {
            assert_eq!(
                row.cells[0].unreadable,
                None,
                "{:?}",
                row.key_text.as_ref().unwrap().0
            );
            String::from_utf8(row.cells[0].plain.as_ref().unwrap().to_vec()).unwrap()
        })
        .collect();
    assert_eq!(
        plain,
        [
            "-9223372036854775808",
            "0.10000000000000001",
            "caf\u{e9} \u{1f600}",
            "",
            "1.0e+22"
        ]
    );
}

#[tokio::test]
async fn a_value_that_could_not_be_given_back_is_marked_and_has_no_bytes() {
    let page = one_page(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c TEXT); INSERT INTO t VALUES \
         (1, x'0102'), (2, CAST(x'ff41' AS TEXT)), (3, 'x')",
        "TEXT",
    )
    .await;
    let unreadable: Vec<bool> = page
        .rows
        .iter()
        .map(|row| row.cells[0].unreadable.is_some())
        .collect();
    assert_eq!(unreadable, [true, true, false]);
    assert!(page.rows[0].cells[0].plain.is_none() && page.rows[1].cells[0].plain.is_none());
    // SQLite's text of this number is that of the next smaller one.
    let page = one_page(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c REAL); INSERT INTO t VALUES (1, 1e300), (2, 98.6)",
        "REAL",
    )
    .await;
    assert!(page.rows[0].cells[0].unreadable.is_some());
    assert_eq!(page.rows[1].cells[0].unreadable, None);
    let page = one_page(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c BLOB); INSERT INTO t VALUES (1, 'text'), (2, 5), (3, x'00')",
        "BLOB",
    )
    .await;
    let unreadable: Vec<bool> = page
        .rows
        .iter()
        .map(|row| row.cells[0].unreadable.is_some())
        .collect();
    assert_eq!(unreadable, [true, true, false]);
}

#[tokio::test]
async fn keys_without_a_fixed_form_are_named_and_passed() {
    let table = with(table("t", &["a"]), "ssn", "TEXT", true);
    let schema = "CREATE TABLE t (a UNIQUE, ssn TEXT); INSERT INTO t VALUES \
        (NULL, 'x'), (1.5, 'x'), (2, 'x'), (CAST(x'ff' AS TEXT), 'x'), (x'00', 'x')";
    let mut fixture = prepared(schema, &table).await;
    let page = fixture.page(&table, &small(100)).await;
    let keys: Vec<_> = page.rows.into_iter().map(|row| row.key).collect();
    assert!(
        keys == [
            Err("a".to_owned()),
            Err("a".to_owned()),
            Ok(vec![KeyPart::Int(2)]),
            Err("a".to_owned()),
            Ok(vec![KeyPart::Bytes(vec![0])]),
        ]
    );
    assert_eq!(walk(&mut fixture, &table, small(1)).await.len(), 5);
}

#[tokio::test]
async fn in_place_the_sweep_passes_what_carries_a_known_prefix() {
    let table = with(table("t", &["id"]), "ssn", "TEXT", false);
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT COLLATE NOCASE); INSERT INTO t VALUES \
        (1, 'ps1.5wEAAAABxx'), (2, 'ps1.5weaaaabxx'), (3, 'plain'), (4, NULL)";
    let mut fixture = prepared(schema, &table).await;
    assert!(
        fixture
            .store
            .make_sweep_index(&access(&table), "")
            .await
            .unwrap()
    );
    let sealed_prefixes = vec!["ps1.5wEAAAAB".to_owned()];
    for (select, expected) in [
        (Select::UnsealedSweep { sealed_prefixes }, vec!["2", "3"]),
        (Select::Unsealed, vec!["1", "2", "3"]),
        (Select::UnsealedIndexed, vec!["3"]),
        (Select::Sealed, vec!["1", "2"]),
        (Select::Any, vec!["1", "2", "3"]),
    ] {
        let met = walk(&mut fixture, &table, request(select.clone())).await;
        assert_eq!(met, expected, "{select:?}");
    }
    let bad = request(Select::UnsealedSweep {
        sealed_prefixes: vec!["' OR 1".to_owned()],
    });
    let mut reader = fixture.store.reader().await.unwrap();
    assert!(reader.page(&access(&table), &bad).await.is_err());
}

#[tokio::test]
async fn the_tenant_is_its_text_and_a_blob_is_none() {
    let mut table = with(table("t", &["id"]), "ssn", "TEXT", true);
    table.tenant = Some(crate::store::sqlite::fixture::ident("clinic"));
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, clinic, ssn TEXT); INSERT INTO t VALUES \
        (1, 'north', 'x'), (2, 7, 'x'), (3, NULL, 'x'), (4, x'6e', 'x')";
    let mut fixture = prepared(schema, &table).await;
    let page = fixture.page(&table, &small(100)).await;
    let tenants: Vec<_> = page.rows.iter().map(|row| row.tenant.as_deref()).collect();
    assert_eq!(tenants, [Some("north"), Some("7"), None, None]);
}
