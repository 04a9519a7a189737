//! Tests of windows that are read with one statement, and of the order of rowids.

use super::{prepared, small, walk};
use crate::store::Rows;
use crate::store::sqlite::fixture::{Fixture, access, ident, request, table, with};
use crate::store::sqlite::read;
use crate::store::{Bound, PageRequest, PassKind, Select, Table};

/// All parts of a row that the engine or the store uses.
fn all_of(row: &crate::store::PageRow) -> String {
    let cells: Vec<_> = row
        .cells
        .iter()
        .map(|cell| {
            (
                cell.plain.as_ref().map(|plain| plain.to_vec()),
                &cell.sealed,
                cell.unreadable,
            )
        })
        .collect();
    let locator = (&row.locator.place, row.locator.version.to_vec());
    let text = row.key_text.as_ref().map(|text| &text.0);
    format!(
        "{locator:?} {:?} {text:?} {:?} {cells:?} {} {}",
        row.key, row.tenant, row.bytes, row.large
    )
}

const EVERY_CLASS: &str = "CREATE TABLE t (id PRIMARY KEY, clinic, ssn, ssn_sealed BLOB, age INTEGER, age_sealed TEXT); \
    INSERT INTO t VALUES ('a', 'n', 'x', NULL, 1, NULL), (1, 2, 'caf\u{e9}' || char(0) || '!', x'00ff', NULL, 'ps1.'), \
      (x'00', NULL, NULL, NULL, NULL, NULL), (NULL, 'n', -9223372036854775808, NULL, 5, NULL), \
      ('', x'01', x'', NULL, NULL, NULL), (CAST(x'ff' AS TEXT), '', CAST(x'fe' AS TEXT), NULL, 'word', NULL), \
      ('r\"~w', 'n', '', NULL, 0, '')";

#[tokio::test]
async fn a_window_read_whole_is_the_window_read_row_by_row() {
    let mut table = with(table("t", &["id"]), "ssn", "", true);
    table = with(table, "age", "INTEGER", true);
    table.tenant = Some(ident("clinic"));
    let mut fixture = prepared(EVERY_CLASS, &table).await;
    for select in [Select::Unsealed, Select::Any, Select::Sealed] {
        for after in [None, Some(Bound::Row(i64::MIN)), Some(Bound::Row(3))] {
            let request = PageRequest {
                after,
                ..request(select.clone())
            };
            let mut pages = Vec::new();
            for pause in [0, 1] {
                let mut whole = read::Whole {
                    pause,
                    ..read::Whole::new()
                };
                let page = read::page(&mut fixture.app, &mut whole, &access(&table), &request)
                    .await
                    .unwrap();
                // The page was read in the way that this test meant.
                assert_eq!(whole.rows_max == read::Whole::ROWS_MAX, pause == 1);
                let rows: Vec<String> = page.rows.iter().map(all_of).collect();
                assert!(!rows.is_empty());
                pages.push((rows, page.next));
            }
            assert_eq!(pages[0], pages[1], "{select:?}");
        }
    }
}

#[tokio::test]
async fn a_window_with_a_real_or_a_long_value_is_read_row_by_row() {
    let table = with(table("t", &["id"]), "ssn", "", true);
    for value in ["0.1", "hex(zeroblob(9000))"] {
        let schema = format!(
            "CREATE TABLE t (id TEXT PRIMARY KEY, ssn); INSERT INTO t VALUES ('a', 'x'), ('b', {value})"
        );
        let mut fixture = prepared(&schema, &table).await;
        let request = PageRequest {
            bytes_max: 10_000,
            ..request(Select::Unsealed)
        };
        let mut whole = read::Whole::new();
        let page = read::page(&mut fixture.app, &mut whole, &access(&table), &request)
            .await
            .unwrap();
        assert_eq!(whole.pause, read::Whole::PAUSE);
        let (first, rest) = (page.rows.len(), page.next.is_some());
        // The long value does not fit beside the other one.
        assert_eq!(
            (first, rest),
            if value == "0.1" {
                (2, false)
            } else {
                (1, true)
            }
        );
    }
}

/// The bound before the first row, if the table has an order of storage.
async fn first_row(fixture: &Fixture, table: &Table) -> Option<Bound> {
    let bounds = fixture
        .store
        .cut_by_storage(&access(table), "", 4, PassKind::Rewriting)
        .await
        .unwrap()?;
    assert_eq!((bounds.len(), &bounds[1]), (2, &None));
    bounds[0].clone()
}

#[tokio::test]
async fn by_rowid_every_row_is_met_once_in_the_order_of_storage() {
    let table = with(table("t", &["id"]), "ssn", "TEXT", true);
    let schema = "CREATE TABLE t (id TEXT PRIMARY KEY, ssn TEXT); INSERT INTO t (rowid, id, ssn) VALUES \
        (9223372036854775807, 'a', 'x'), (-9223372036854775808, 'd', 'x'), (5, 'b', 'x'), (-1, 'c', 'x'), (6, 'e', NULL)";
    let mut fixture = prepared(schema, &table).await;
    assert_eq!(
        first_row(&fixture, &table).await,
        Some(Bound::Row(i64::MIN))
    );
    for rows_max in [1, 2, 3, 100] {
        for bytes_max in [1, 1 << 20] {
            let mut request = PageRequest {
                bytes_max,
                ..small(rows_max)
            };
            request.after = Some(Bound::Row(i64::MIN));
            assert_eq!(
                walk(&mut fixture, &table, request.clone()).await,
                ["d", "c", "b", "a"]
            );
            request.after = Some(Bound::Row(0));
            assert_eq!(walk(&mut fixture, &table, request).await, ["b", "a"]);
        }
    }
}

#[tokio::test]
async fn there_is_no_order_of_storage_where_a_column_shows_the_rowid_or_none_is_there() {
    let table = with(table("t", &["id"]), "ssn", "TEXT", true);
    for (schema, there) in [
        ("CREATE TABLE t (id TEXT PRIMARY KEY, ssn TEXT)", true),
        (
            "CREATE TABLE t (id TEXT PRIMARY KEY, RowId TEXT, ssn TEXT)",
            true,
        ),
        (
            "CREATE TABLE t (id INTEGER PRIMARY KEY DESC, ssn TEXT)",
            true,
        ),
        (
            "CREATE TABLE t (id TEXT PRIMARY KEY, rowid, oid, _rowid_, ssn TEXT)",
            false,
        ),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT)", false),
        (
            "CREATE TABLE t (mrn INTEGER PRIMARY KEY, id TEXT UNIQUE, ssn TEXT)",
            false,
        ),
        (
            "CREATE TABLE t (id TEXT PRIMARY KEY, ssn TEXT) WITHOUT ROWID",
            false,
        ),
    ] {
        let fixture = Fixture::new(schema).await;
        let first = first_row(&fixture, &table).await;
        assert_eq!(first.is_some(), there, "{schema}");
    }
}
