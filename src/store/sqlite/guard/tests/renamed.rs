//! Tests of guards whose table was renamed, and of a new table with an old table's name.

use crate::store::Catalog;
use crate::store::Table;
use crate::store::sqlite::fixture::{Fixture, table, with};

fn of(table_name: &str) -> Table {
    with(table(table_name, &["id"]), "v", "TEXT", true)
}

async fn sealed() -> Fixture {
    let mut fixture = Fixture::new("CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)").await;
    fixture.register(&of("t")).await;
    fixture.store.prepare(&of("t")).await.unwrap();
    fixture
        .unguarded("INSERT INTO t VALUES (1, 'one', x'01'), (2, NULL, x'02')")
        .await;
    fixture
}

async fn of_row_1(fixture: &mut Fixture, table: &str) -> Vec<String> {
    fixture
        .rows(&format!(
            "SELECT quote(v) || quote(v_sealed) FROM {table} WHERE id = 1"
        ))
        .await
}

const GUARDS: &str = "SELECT name || ' on ' || tbl_name FROM sqlite_schema WHERE type = 'trigger' \
    AND name GLOB '~phiseal_*' ORDER BY 1";

#[tokio::test]
async fn a_guard_of_a_table_renamed_the_old_way_refuses_and_leaves_the_new_table_of_its_name_alone()
{
    let mut fixture = sealed().await;
    let renamed = "PRAGMA legacy_alter_table = ON; ALTER TABLE t RENAME TO told; \
        CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT, v_sealed BLOB); INSERT INTO t VALUES (1, 'other', x'0a'), (3, 'x', x'0b')";
    fixture.exec(renamed).await.unwrap();
    let refused = fixture
        .exec("UPDATE told SET v = 'new' WHERE id = 1")
        .await
        .unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("the guard of this table names another"),
        "{refused}"
    );
    assert!(
        fixture
            .exec("INSERT INTO told VALUES (3, 'x', x'03')")
            .await
            .is_err()
    );
    assert_eq!(of_row_1(&mut fixture, "t").await, ["'other'X'0A'"]);
    // A write that does not concern sealed values succeeds.
    fixture
        .exec("UPDATE told SET id = id; INSERT INTO told (id, v) VALUES (4, 'x')")
        .await
        .unwrap();

    let gaps = fixture.store.server().await.unwrap().guard_gaps;
    assert!(
        gaps.len() == 1 && gaps[0].contains("table told"),
        "{gaps:?}"
    );
    fixture.store.start_writing().await.unwrap();
    assert!(fixture.store.server().await.unwrap().guard_gaps.is_empty());
    fixture
        .exec("UPDATE told SET v = 'new' WHERE id = 1")
        .await
        .unwrap();
    assert_eq!(of_row_1(&mut fixture, "told").await, ["'new'NULL"]);
    assert_eq!(of_row_1(&mut fixture, "t").await, ["'other'X'0A'"]);
}

#[tokio::test]
async fn a_new_table_gets_a_guard_of_its_own_and_the_renamed_one_keeps_its() {
    for legacy in ["ON", "OFF"] {
        let mut fixture = sealed().await;
        let renamed = format!(
            "PRAGMA legacy_alter_table = {legacy}; ALTER TABLE t RENAME TO told; \
             CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)"
        );
        fixture.exec(&renamed).await.unwrap();
        // The new table needs another label: the renamed table keeps the old one.
        let mut other = of("t");
        assert!(fixture.store.prepare(&other).await.is_err());
        other.label = "other".to_owned();
        fixture.store.prepare(&other).await.unwrap();
        assert_eq!(
            fixture.rows(GUARDS).await,
            [
                "~phiseal_i_t on told",
                "~phiseal_i_t~2 on t",
                "~phiseal_u_t on told",
                "~phiseal_u_t~2 on t"
            ]
        );
        assert!(fixture.store.ddl(&other).await.unwrap().is_empty());
        fixture
            .unguarded("INSERT INTO t VALUES (1, 'one', x'01')")
            .await;
        fixture.exec("UPDATE t SET v = 'new'").await.unwrap();
        assert_eq!(of_row_1(&mut fixture, "t").await, ["'new'NULL"]);
        assert_eq!(of_row_1(&mut fixture, "told").await, ["'one'X'01'"]);
        // Dropping the sealed columns of one table drops its guard, and not the other's.
        fixture.store.drop_sealed(&other).await.unwrap();
        assert_eq!(
            fixture.rows(GUARDS).await,
            ["~phiseal_i_t on told", "~phiseal_u_t on told"]
        );
    }
}

#[tokio::test]
async fn a_renamed_table_is_prepared_under_its_new_name_with_one_guard() {
    let mut fixture = sealed().await;
    fixture
        .exec("ALTER TABLE t RENAME TO \"ta\"\"ble\"")
        .await
        .unwrap();
    assert!(fixture.store.server().await.unwrap().guard_gaps.is_empty());
    fixture
        .exec("UPDATE \"ta\"\"ble\" SET v = 'new' WHERE id = 1")
        .await
        .unwrap();
    assert_eq!(of_row_1(&mut fixture, "\"ta\"\"ble\"").await, ["'new'NULL"]);
    let mut renamed = of("ta\"ble");
    renamed.label = "t".to_owned();
    fixture.store.prepare(&renamed).await.unwrap();
    assert_eq!(
        fixture.rows(GUARDS).await,
        [
            "~phiseal_i_ta\"ble on ta\"ble",
            "~phiseal_u_ta\"ble on ta\"ble"
        ]
    );
    fixture
        .unguarded("UPDATE \"ta\"\"ble\" SET v_sealed = x'01'")
        .await;
    fixture
        .exec("UPDATE \"ta\"\"ble\" SET v = 'newer' WHERE id = 1")
        .await
        .unwrap();
    assert_eq!(
        of_row_1(&mut fixture, "\"ta\"\"ble\"").await,
        ["'newer'NULL"]
    );
}

#[tokio::test]
async fn names_of_any_characters_are_guarded() {
    for name in [
        "it's",
        "a\"b",
        "semi;colon",
        "$phiseal$",
        "new\nline",
        "back\\slash",
        "percent%s",
    ] {
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        let create = format!("CREATE TABLE {quoted} (id INTEGER PRIMARY KEY, {quoted} TEXT)");
        let mut fixture = Fixture::new(&create).await;
        let table = with(table(name, &["id"]), name, "TEXT", true);
        fixture.store.prepare(&table).await.unwrap();
        assert!(
            fixture.store.ddl(&table).await.unwrap().is_empty(),
            "{name}"
        );
        let sealed = format!("\"{}_sealed\"", name.replace('"', "\"\""));
        fixture
            .unguarded(&format!("INSERT INTO {quoted} VALUES (1, 'one', x'01')"))
            .await;
        fixture
            .exec(&format!("UPDATE {quoted} SET {quoted} = 'new'"))
            .await
            .unwrap();
        let rows = fixture
            .rows(&format!(
                "SELECT quote({quoted}) || quote({sealed}) FROM {quoted}"
            ))
            .await;
        assert_eq!(rows, ["'new'NULL"], "{name}");
    }
}
