//! Tests of the rotation of blind indexes.

use std::sync::Arc;

use crate::crypto::KeyId;
use crate::keys::{Handover, KeyStatus, RotationPeriod, Unnoted};
use crate::store::page::WriteCell;
use crate::store::sqlite::fixture::{Fixture, handover, ident, target, with};
use crate::store::{
    Access, CellAccess, ColumnSwitch, ColumnsRead, IndexSwitch, LateRows, PageRow, Result, Select,
    Store, StoreError, SwitchTable, Target, WriteRow,
};

const DUE: RotationPeriod = RotationPeriod::Year;

fn id(id: i64) -> KeyId {
    KeyId::new(id).unwrap()
}

/// The handover; the old key stays active until the switch.
fn keys() -> [Handover; 1] {
    [handover(id(1), id(2))]
}

fn indexed(table: &str) -> Target {
    let mut target = with(target(table, &["id"]), "age", "INTEGER", true);
    target = with(target, "ssn", "TEXT", true);
    target.fields[1].index = Some(ident("ssn_bidx"));
    target
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
async fn sealed(tables: &[&str]) -> (Fixture, Vec<Target>) {
    let mut fixture = Fixture::new("").await;
    fixture.key(1, "", true).await;
    fixture.key(2, "", false).await;
    let mut targets = Vec::new();
    for table in tables {
        let create =
            format!("CREATE TABLE {table} (id INTEGER PRIMARY KEY, ssn TEXT, age INTEGER)");
        fixture.exec(&create).await.unwrap();
        let target = indexed(table);
        fixture.register(&target).await;
        fixture.store.prepare(&target).await.unwrap();
        fixture.store.finish_indexes(&target).await.unwrap();
        let rows = format!(
            "INSERT INTO {table} (id, ssn_sealed, ssn_bidx) \
             VALUES (1, x'e70100000001aa', x'01'), (2, x'e70100000001bb', NULL)"
        );
        fixture.unguarded(&rows).await;
        targets.push(target);
    }
    (fixture, targets)
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
    let (mut fixture, targets) = sealed(&["t"]).await;
    for _ in 0..2 {
        fixture
            .store
            .prepare_reindex(&targets[0], &next(false))
            .await
            .unwrap();
        fixture
            .store
            .index_reindexed(&targets[0], &next(false))
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
    // Nothing is missing for a target that names the new column, nor for one that does not.
    let mut whole = targets[0].clone();
    whole.fields[1].index_next = Some(ident("ssn_bidx_next"));
    for target in [&targets[0], &whole] {
        assert!(fixture.store.ddl(target).await.unwrap().is_empty());
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
        let (mut fixture, targets) = sealed(&["t"]).await;
        let before = columns(&mut fixture, "t").await;
        fixture.exec(create).await.unwrap();
        let refused = fixture
            .store
            .prepare_reindex(&targets[0], &next(false))
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
            .prepare_reindex(&targets[0], &next(false))
            .await
            .unwrap();
        // An object that was created since is reported too, and nothing is switched.
        fill(&mut fixture, "t").await;
        fixture.exec(create).await.unwrap();
        let tables = [(targets[0].clone(), next(false).to_vec())];
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
        let target = indexed("t");
        fixture.register(&target).await;
        fixture.store.prepare(&target).await.unwrap();
        let refused = fixture.store.prepare_reindex(&target, &next(false)).await;
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
    tables: &[(Target, Vec<ColumnSwitch>)],
    handovers: &[Handover],
) -> Result<bool> {
    switch_with(fixture, tables, handovers, &Nothing).await
}

async fn switch_with(
    fixture: &Fixture,
    tables: &[(Target, Vec<ColumnSwitch>)],
    handovers: &[Handover],
    late: &dyn LateRows,
) -> Result<bool> {
    let table = |(target, next): &(Target, Vec<ColumnSwitch>)| SwitchTable {
        target: Arc::new(target.clone()),
        next: next.clone(),
        fill: over(target),
    };
    let tables: Vec<SwitchTable> = tables.iter().map(table).collect();
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
fn over(target: &Target) -> Access {
    Access {
        cells: vec![CellAccess::index_of(
            &target.fields[1],
            &ident("ssn_bidx_next"),
        )],
        reads: ColumnsRead {
            source: true,
            sealed: false,
            index: false,
        },
        ..Access::of(target.clone())
    }
}

#[tokio::test]
async fn rows_that_came_late_are_filled_under_the_lock() {
    let (mut fixture, targets) = sealed(&["t"]).await;
    let store = &fixture.store;
    store
        .prepare_reindex(&targets[0], &next(false))
        .await
        .unwrap();
    store
        .index_reindexed(&targets[0], &next(false))
        .await
        .unwrap();
    let tables = [(targets[0].clone(), next(false).to_vec())];
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
async fn leave_sweep_index(fixture: &Fixture, target: &Target) {
    let sweep = over(target);
    assert!(fixture.store.make_sweep_index(&sweep, "").await.unwrap());
    let select = Select::UnsealedIndexed;
    assert!(fixture.store.any_left(&sweep, "", &select).await.unwrap());
}

#[tokio::test]
async fn the_switch_changes_columns_indexes_registry_and_keys_together() {
    let (mut fixture, targets) = sealed(&["t", "u"]).await;
    for target in &targets {
        let store = &fixture.store;
        store.prepare_reindex(target, &next(true)).await.unwrap();
        store.index_reindexed(target, &next(true)).await.unwrap();
        leave_sweep_index(&fixture, target).await;
    }
    fill(&mut fixture, "t").await;
    let tables: Vec<(Target, Vec<ColumnSwitch>)> = targets
        .iter()
        .map(|target| (target.clone(), next(true).to_vec()))
        .collect();
    let schema = "SELECT coalesce(sql, name) FROM sqlite_schema ORDER BY type, name";
    let (before, now) = (fixture.rows(schema).await, keys());
    // One row of the second table lacks its index, so neither table is switched.
    let behind = switch(&fixture, &tables, &now).await;
    assert!(!behind.unwrap());
    assert_eq!(fixture.rows(schema).await, before);
    assert_eq!(fixture.keys().await, ["1 active", "2 pre_active"]);
    assert_eq!(
        noted(&mut fixture).await,
        ["t 'ssn_bidx_next' NULL", "u 'ssn_bidx_next' NULL"]
    );

    fill(&mut fixture, "u").await;
    let switched = switch(&fixture, &tables, &now).await;
    assert!(switched.unwrap());
    assert_eq!(fixture.keys().await, ["1 deactivated", "2 active"]);
    assert_eq!(noted(&mut fixture).await, ["t NULL 2", "u NULL 2"]);
    for target in &targets {
        is_switched(&mut fixture, target).await;
    }
    let late = switch(&fixture, &tables, &now).await;
    assert!(matches!(late, Err(StoreError::Unexpected { .. })));
}

/// Asserts that the new index has replaced the old one, and that the guard is that of a table
/// without a rotation.
async fn is_switched(fixture: &mut Fixture, target: &Target) {
    let table = target.table.name.as_str();
    assert_eq!(
        columns(fixture, table).await,
        ["id", "ssn", "age", "age_sealed", "ssn_sealed", "ssn_bidx"]
    );
    let rows = format!("SELECT quote(ssn_bidx) FROM {table} ORDER BY id");
    assert_eq!(fixture.rows(&rows).await, ["X'0A'", "NULL"]);
    let indexes = format!("SELECT name || ' ' || \"unique\" FROM pragma_index_list('{table}')");
    assert_eq!(
        fixture.rows(&indexes).await,
        [format!("{table}_ssn_bidx_idx 1")]
    );
    // The same holds for a target from before the switch, which names a column that is gone.
    let mut stale = target.clone();
    stale.fields[1].index_next = Some(ident("ssn_bidx_next"));
    for target in [target, &stale] {
        assert!(fixture.store.ddl(target).await.unwrap().is_empty());
    }
    let change = format!("UPDATE {table} SET ssn = 'new' WHERE id = 1");
    fixture.exec(&change).await.unwrap();
    assert_eq!(fixture.rows(&rows).await, ["NULL", "NULL"]);
}

#[tokio::test]
async fn rows_that_do_not_open_do_not_hold_the_switch_up_and_one_more_does() {
    let (fixture, targets) = sealed(&["t"]).await;
    let [index] = next(false);
    fixture
        .store
        .prepare_reindex(&targets[0], std::slice::from_ref(&index))
        .await
        .unwrap();
    for (refused, expected) in [(0, false), (1, true)] {
        let index = ColumnSwitch {
            refused,
            ..index.clone()
        };
        let tables = [(targets[0].clone(), vec![index])];
        let switched = switch(&fixture, &tables, &keys()).await;
        assert_eq!(switched.unwrap(), expected, "{refused}");
    }
}

#[tokio::test]
async fn the_key_of_a_column_is_noted_only_where_there_is_one() {
    for (tenant, handovers, expected) in [
        (true, keys().to_vec(), "t NULL NULL"),
        (
            false,
            vec![
                handover(id(1), id(2)),
                Handover {
                    from_becomes: KeyStatus::Active,
                    to_becomes: KeyStatus::PreActive,
                    ..handover(id(3), id(4))
                },
            ],
            "t NULL NULL",
        ),
    ] {
        let (mut fixture, mut targets) = sealed(&["t"]).await;
        fixture.key(3, "m", true).await;
        fixture.key(4, "m", false).await;
        targets[0].tenant = tenant.then(|| ident("age"));
        fixture
            .store
            .prepare_reindex(&targets[0], &next(false))
            .await
            .unwrap();
        fill(&mut fixture, "t").await;
        let tables = [(targets[0].clone(), next(false).to_vec())];
        let switched = switch(&fixture, &tables, &handovers).await;
        assert!(switched.unwrap());
        assert_eq!(noted(&mut fixture).await, [expected]);
    }
}

#[tokio::test]
async fn two_values_with_one_new_index_are_refused_before_the_switch() {
    let (mut fixture, targets) = sealed(&["t"]).await;
    fixture
        .store
        .prepare_reindex(&targets[0], &next(true))
        .await
        .unwrap();
    let fill = "UPDATE t SET ssn_bidx_next = x'0a'";
    fixture.unguarded(fill).await;
    let refused = fixture
        .store
        .index_reindexed(&targets[0], &next(true))
        .await;
    assert!(
        matches!(refused, Err(StoreError::RowRefused { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_is_dropped_with_its_seal_leaves_no_new_index_behind() {
    let (mut fixture, targets) = sealed(&["t"]).await;
    fixture
        .store
        .prepare_reindex(&targets[0], &next(false))
        .await
        .unwrap();
    fixture
        .store
        .index_reindexed(&targets[0], &next(false))
        .await
        .unwrap();
    let mut one = targets[0].clone();
    one.fields.remove(0);
    let restored = "UPDATE t SET ssn = 'back'";
    fixture.unguarded(restored).await;
    fixture.store.drop_sealed(&one).await.unwrap();
    assert_eq!(
        columns(&mut fixture, "t").await,
        ["id", "ssn", "age", "age_sealed"]
    );
    assert_eq!(noted(&mut fixture).await, ["t NULL NULL"]);
    // If a registered new column does not exist, the guard does not name it: that would fail every
    // write.
    let note = "UPDATE phiseal_encrypted_field_metadata SET blind_index_next = 'gone' \
        WHERE column_label = 'ssn'";
    fixture.exec(note).await.unwrap();
    fixture.store.prepare(&targets[0]).await.unwrap();
    let change = "UPDATE t SET ssn = 'new', ssn_sealed = x'00'";
    fixture.exec(change).await.unwrap();
    // The other field is guarded as before.
    fixture
        .exec("UPDATE t SET age = 7, age_sealed = x'00'")
        .await
        .unwrap();
    let rows = "SELECT quote(age_sealed) FROM t";
    assert_eq!(fixture.rows(rows).await, ["NULL", "NULL"]);
}
