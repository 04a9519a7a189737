//! Tests of the switch itself: what it replaces together, and what keeps it back.

use super::*;

#[tokio::test]
async fn the_switch_changes_columns_indexes_registry_and_keys_together() {
    let (mut fixture, sealed_tables) = sealed(&["t", "u"]).await;
    for table in &sealed_tables {
        let store = &fixture.store;
        store.prepare_reindex(table, &next(true)).await.unwrap();
        store.index_reindexed(table, &next(true)).await.unwrap();
        leave_sweep_index(&fixture, table).await;
    }
    fill(&mut fixture, "t").await;
    let tables: Vec<(Table, Vec<ColumnSwitch>)> = sealed_tables
        .iter()
        .map(|table| (table.clone(), next(true).to_vec()))
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
    for table in &sealed_tables {
        is_switched(&mut fixture, table).await;
    }
    let late = switch(&fixture, &tables, &now).await;
    assert!(matches!(late, Err(StoreError::Unexpected { .. })));
}

/// Asserts that the new index has replaced the old one, and that the guard is that of a table
/// without a rotation.
async fn is_switched(fixture: &mut Fixture, table: &Table) {
    let table_name = table.name.name.as_str();
    assert_eq!(
        columns(fixture, table_name).await,
        ["id", "ssn", "age", "age_sealed", "ssn_sealed", "ssn_bidx"]
    );
    let rows = format!("SELECT quote(ssn_bidx) FROM {table_name} ORDER BY id");
    assert_eq!(fixture.rows(&rows).await, ["X'0A'", "NULL"]);
    let indexes =
        format!("SELECT name || ' ' || \"unique\" FROM pragma_index_list('{table_name}')");
    assert_eq!(
        fixture.rows(&indexes).await,
        [format!("{table_name}_ssn_bidx_idx 1")]
    );
    // The same holds for a table from before the switch, which names a column that is gone.
    let mut stale = table.clone();
    stale.fields[1].index_next = Some(ident("ssn_bidx_next"));
    for table in [table, &stale] {
        assert!(fixture.store.ddl(table).await.unwrap().is_empty());
    }
    let change = format!("UPDATE {table_name} SET ssn = 'new' WHERE id = 1");
    fixture.exec(&change).await.unwrap();
    assert_eq!(fixture.rows(&rows).await, ["NULL", "NULL"]);
}

#[tokio::test]
async fn rows_that_do_not_open_do_not_hold_the_switch_up_and_one_more_does() {
    let (fixture, sealed_tables) = sealed(&["t"]).await;
    let [index] = next(false);
    fixture
        .store
        .prepare_reindex(&sealed_tables[0], std::slice::from_ref(&index))
        .await
        .unwrap();
    for (refused, expected) in [(0, false), (1, true)] {
        let index = ColumnSwitch {
            refused,
            ..index.clone()
        };
        let tables = [(sealed_tables[0].clone(), vec![index])];
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
        let (mut fixture, mut sealed_tables) = sealed(&["t"]).await;
        fixture.key(3, "m", true).await;
        fixture.key(4, "m", false).await;
        sealed_tables[0].tenant = tenant.then(|| ident("age"));
        fixture
            .store
            .prepare_reindex(&sealed_tables[0], &next(false))
            .await
            .unwrap();
        fill(&mut fixture, "t").await;
        let tables = [(sealed_tables[0].clone(), next(false).to_vec())];
        let switched = switch(&fixture, &tables, &handovers).await;
        assert!(switched.unwrap());
        assert_eq!(noted(&mut fixture).await, [expected]);
    }
}

#[tokio::test]
async fn two_values_with_one_new_index_are_refused_before_the_switch() {
    let (mut fixture, sealed_tables) = sealed(&["t"]).await;
    fixture
        .store
        .prepare_reindex(&sealed_tables[0], &next(true))
        .await
        .unwrap();
    let fill = "UPDATE t SET ssn_bidx_next = x'0a'";
    fixture.unguarded(fill).await;
    let refused = fixture
        .store
        .index_reindexed(&sealed_tables[0], &next(true))
        .await;
    assert!(
        matches!(refused, Err(StoreError::RowRefused { .. })),
        "{refused:?}"
    );
}

#[tokio::test]
async fn what_is_dropped_with_its_seal_leaves_no_new_index_behind() {
    let (mut fixture, sealed_tables) = sealed(&["t"]).await;
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
    let mut one = sealed_tables[0].clone();
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
    fixture.store.prepare(&sealed_tables[0]).await.unwrap();
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
