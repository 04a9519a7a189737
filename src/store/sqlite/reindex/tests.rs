//! Tests of the rotation of blind indexes.

mod switched;

use crate::store::{Catalog, Rows};
use std::sync::Arc;

use crate::crypto::KeyId;
use crate::keys::{Handover, KeyStatus, RotationPeriod, Unnoted};
use crate::store::page::WriteCell;
use crate::store::sqlite::fixture::{Fixture, handover, ident, table, with};
use crate::store::{
    Access, CellAccess, ColumnSwitch, ColumnsRead, IndexSwitch, LateRows, PageRow, Result, Select,
    StoreError, SwitchTable, Table, WriteRow,
};

const DUE: RotationPeriod = RotationPeriod::Year;

fn id(id: i64) -> KeyId {
    KeyId::new(id).unwrap()
}

/// The handover; the old key stays active until the switch.
fn keys() -> [Handover; 1] {
    [handover(id(1), id(2))]
}

fn indexed(table_name: &str) -> Table {
    let mut table = with(table(table_name, &["id"]), "age", "INTEGER", true);
    table = with(table, "ssn", "TEXT", true);
    table.fields[1].index = Some(ident("ssn_bidx"));
    table
}

fn next(unique: bool) -> [ColumnSwitch; 1] {
    [ColumnSwitch {
        field: 1,
        column: ident("ssn_bidx"),
        next: ident("ssn_bidx_next"),
        unique,
        refused: 0,
    }]
}

/// Tables sealed beside, registered and guarded, with two rows, the second without an index.
async fn sealed(tables: &[&str]) -> (Fixture, Vec<Table>) {
    let mut fixture = Fixture::new("").await;
    fixture.key(1, "", true).await;
    fixture.key(2, "", false).await;
    let mut sealed_tables = Vec::new();
    for table_name in tables {
        let create =
            format!("CREATE TABLE {table_name} (id INTEGER PRIMARY KEY, ssn TEXT, age INTEGER)");
        fixture.exec(&create).await.unwrap();
        let table = indexed(table_name);
        fixture.register(&table).await;
        fixture.store.prepare(&table).await.unwrap();
        fixture.store.finish_indexes(&table).await.unwrap();
        let rows = format!(
            "INSERT INTO {table_name} (id, ssn_sealed, ssn_bidx) \
             VALUES (1, x'e70100000001aa', x'01'), (2, x'e70100000001bb', NULL)"
        );
        fixture.unguarded(&rows).await;
        sealed_tables.push(table);
    }
    (fixture, sealed_tables)
}

async fn fill(fixture: &mut Fixture, table: &str) {
    let fill = format!("UPDATE {table} SET ssn_bidx_next = x'0a' WHERE id = 1");
    fixture.unguarded(&fill).await;
}

async fn columns(fixture: &mut Fixture, table: &str) -> Vec<String> {
    let names = format!("SELECT name FROM pragma_table_info('{table}')");
    fixture.rows(&names).await
}

async fn noted(fixture: &mut Fixture) -> Vec<String> {
    let rows = "SELECT table_label || ' ' || quote(blind_index_next) || ' ' || quote(blind_index_key_id) \
        FROM phiseal_encrypted_field_metadata WHERE column_label = 'ssn' ORDER BY field_id";
    fixture.rows(rows).await
}

#[tokio::test]
async fn new_columns_are_made_once_noted_and_blanked_with_the_old() {
    let (mut fixture, sealed_tables) = sealed(&["t"]).await;
    for _ in 0..2 {
        fixture
            .store
            .prepare_reindex(&sealed_tables[0], &next(false))
            .await
            .unwrap();
        fixture
            .store
            .index_reindexed(&sealed_tables[0], &next(false))
            .await
            .unwrap();
        fill(&mut fixture, "t").await;
    }
    let made = columns(&mut fixture, "t").await;
    assert_eq!(
        made.iter().filter(|name| *name == "ssn_bidx_next").count(),
        1
    );
    assert_eq!(noted(&mut fixture).await, ["t 'ssn_bidx_next' NULL"]);
    // Nothing is missing for a table that names the new column, nor for one that does not.
    let mut whole = sealed_tables[0].clone();
    whole.fields[1].index_next = Some(ident("ssn_bidx_next"));
    for table in [&sealed_tables[0], &whole] {
        assert!(fixture.store.ddl(table).await.unwrap().is_empty());
    }
    fixture
        .exec("UPDATE t SET ssn = 'new' WHERE id = 1")
        .await
        .unwrap();
    let row =
        "SELECT quote(ssn_sealed) || quote(ssn_bidx) || quote(ssn_bidx_next) FROM t WHERE id = 1";
    assert_eq!(fixture.rows(row).await, ["NULLNULLNULL"]);
}

#[tokio::test]
async fn what_stands_on_the_old_column_and_is_not_ours_is_in_the_way() {
    for (create, drop) in [
        ("CREATE INDEX mine ON t (age, ssn_bidx)", "DROP INDEX mine"),
        (
            "CREATE INDEX mine ON t (hex(\"SSN_bidx\"))",
            "DROP INDEX mine",
        ),
        (
            "CREATE INDEX mine ON t (age) WHERE ssn_bidx IS NULL",
            "DROP INDEX mine",
        ),
        (
            "CREATE VIEW mine AS SELECT ssn_bidx FROM t",
            "DROP VIEW mine",
        ),
        (
            "CREATE TRIGGER mine AFTER UPDATE OF ssn_bidx ON t BEGIN SELECT 1; END",
            "DROP TRIGGER mine",
        ),
    ] {
        let (mut fixture, sealed_tables) = sealed(&["t"]).await;
        let before = columns(&mut fixture, "t").await;
        fixture.exec(create).await.unwrap();
        let refused = fixture
            .store
            .prepare_reindex(&sealed_tables[0], &next(false))
            .await;
        let Err(StoreError::InTheWay { what }) = refused else {
            panic!("{create}: {refused:?}");
        };
        assert!(what.ends_with("mine on t"), "{what}");
        assert_eq!(columns(&mut fixture, "t").await, before);
        assert_eq!(noted(&mut fixture).await, ["t NULL NULL"]);
        fixture.exec(drop).await.unwrap();
        fixture
            .store
            .prepare_reindex(&sealed_tables[0], &next(false))
            .await
            .unwrap();
        // An object that was created since is reported too, and nothing is switched.
        fill(&mut fixture, "t").await;
        fixture.exec(create).await.unwrap();
        let tables = [(sealed_tables[0].clone(), next(false).to_vec())];
        let refused = switch(&fixture, &tables, &keys()).await;
        assert!(
            matches!(refused, Err(StoreError::InTheWay { .. })),
            "{refused:?}"
        );
        assert_eq!(fixture.keys().await, ["1 active", "2 pre_active"]);
    }
}

#[tokio::test]
async fn a_unique_constraint_a_check_and_a_column_of_the_application_are_in_the_way() {
    for (more, what) in [
        (", UNIQUE (ssn_bidx)", "index sqlite_autoindex_t_1 on t"),
        (
            ", CHECK (length(ssn_bidx) > 0)",
            "a CHECK constraint of table t on t",
        ),
        (", ssn_bidx_next TEXT", "column ssn_bidx_next on t"),
    ] {
        let column = if more.contains("TEXT") { more } else { "" };
        let constraint = if more.contains("TEXT") { "" } else { more };
        let mut fixture = Fixture::new(&format!(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT, age INTEGER, ssn_bidx BLOB{column}{constraint})"
        ))
        .await;
        let table = indexed("t");
        fixture.register(&table).await;
        fixture.store.prepare(&table).await.unwrap();
        let refused = fixture.store.prepare_reindex(&table, &next(false)).await;
        assert!(
            matches!(&refused, Err(StoreError::InTheWay { what: told }) if told == what),
            "{refused:?}"
        );
    }
}

/// Fills no row, so rows still lack their index.
struct Nothing;

impl LateRows for Nothing {
    fn fill(&self, _: usize, _: Vec<PageRow>) -> Result<Vec<WriteRow>> {
        Ok(Vec::new())
    }
}

/// Fills every row with the same index.
struct Seven;

impl LateRows for Seven {
    fn fill(&self, _: usize, rows: Vec<PageRow>) -> Result<Vec<WriteRow>> {
        let fill = |row: PageRow| WriteRow {
            locator: row.locator,
            cells: vec![WriteCell::Seal {
                sealed: vec![7],
                index: None,
            }],
        };
        Ok(rows.into_iter().map(fill).collect())
    }
}

async fn switch(
    fixture: &Fixture,
    tables: &[(Table, Vec<ColumnSwitch>)],
    handovers: &[Handover],
) -> Result<bool> {
    switch_with(fixture, tables, handovers, &Nothing).await
}

async fn switch_with(
    fixture: &Fixture,
    tables: &[(Table, Vec<ColumnSwitch>)],
    handovers: &[Handover],
    late: &dyn LateRows,
) -> Result<bool> {
    let one = |(table, next): &(Table, Vec<ColumnSwitch>)| SwitchTable {
        table: Arc::new(table.clone()),
        next: next.clone(),
        fill: over(table),
    };
    let tables: Vec<SwitchTable> = tables.iter().map(one).collect();
    let order = IndexSwitch {
        tables: &tables,
        handovers,
        due: DUE,
        actor: "me",
        note: &Unnoted,
        late,
    };
    fixture.store.switch_indexes(&order).await
}

/// How rows are filled: from the sealed column into the new index column.
fn over(table: &Table) -> Access {
    Access {
        cells: vec![CellAccess::index_of(
            &table.fields[1],
            &ident("ssn_bidx_next"),
        )],
        reads: ColumnsRead {
            source: true,
            sealed: false,
            index: false,
        },
        ..Access::of(table.clone())
    }
}

#[tokio::test]
async fn rows_that_came_late_are_filled_under_the_lock() {
    let (mut fixture, sealed_tables) = sealed(&["t"]).await;
    let store = &fixture.store;
    store
        .prepare_reindex(&sealed_tables[0], &next(false))
        .await
        .unwrap();
    store
        .index_reindexed(&sealed_tables[0], &next(false))
        .await
        .unwrap();
    let tables = [(sealed_tables[0].clone(), next(false).to_vec())];
    assert!(!switch(&fixture, &tables, &keys()).await.unwrap());
    assert!(
        switch_with(&fixture, &tables, &keys(), &Seven)
            .await
            .unwrap()
    );
    let rows = "SELECT DISTINCT hex(ssn_bidx) FROM t WHERE ssn_bidx IS NOT NULL";
    assert_eq!(fixture.rows(rows).await, ["07"]);
}

/// Leaves the sweep's index over the new column, as a killed run would.
async fn leave_sweep_index(fixture: &Fixture, table: &Table) {
    let sweep = over(table);
    assert!(fixture.store.make_sweep_index(&sweep, "").await.unwrap());
    let select = Select::UnsealedIndexed;
    assert!(fixture.store.any_left(&sweep, "", &select).await.unwrap());
}
