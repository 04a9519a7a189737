//! Tests of the census and of destruction.

use super::count_by;
use crate::crypto::envelope::{Suite, header};
use crate::crypto::{KeyId, text};
use crate::keys::{KeyStatus, RotationPeriod, RotationTable, Unnoted};
use crate::store::sqlite::fixture::{Fixture, access, handover, ident, table, with};
use crate::store::{
    Access, Destruction, KeyText, NewQuarantine, QuarantineState, Resealed, RunState, Sealed,
    SealedCount, StoreError, Table,
};
use crate::store::{Catalog, Ledger, Rows};

fn id(id: i64) -> KeyId {
    KeyId::new(id).unwrap()
}

fn blob(key: i64, suite: Suite) -> String {
    format!("x'{}aabb'", hex::encode(header(id(key), suite)))
}

fn sealed_text(key: i64, suite: Suite) -> String {
    format!("'{}xyz'", text::prefix(id(key), suite))
}

/// Three columns: sealed beside as bytes, beside as text with a case-insensitive collation, and in
/// place.
fn three() -> Table {
    let table = with(table("t", &["id"]), "a", "TEXT", true);
    let mut table = with(with(table, "b", "TEXT", true), "c", "TEXT", false);
    table.fields[1].sealed = Sealed::Beside {
        column: ident("b_sealed"),
        text: true,
    };
    table
}

const THREE: &str = "CREATE TABLE t (id INTEGER PRIMARY KEY, a, b, a_sealed BLOB, \
    b_sealed TEXT COLLATE NOCASE, c TEXT COLLATE NOCASE)";

async fn filled() -> Fixture {
    let mut fixture = Fixture::new(THREE).await;
    let (plain, padded) = (Suite::Plain, Suite::Padded);
    let rows = [
        // In base64, key 7 has the letter H where key 33 has h.
        (blob(7, plain), sealed_text(7, plain), sealed_text(7, plain)),
        (
            blob(7, padded),
            sealed_text(33, plain),
            sealed_text(33, padded),
        ),
        (
            blob(33, plain),
            sealed_text(33, padded),
            "'plain'".to_owned(),
        ),
        (
            "x'e703'".to_owned(),
            "'PS1.5wEAAAAH'".to_owned(),
            "'ps1.'".to_owned(),
        ),
        ("'text'".to_owned(), blob(7, plain), "NULL".to_owned()),
        ("NULL".to_owned(), "NULL".to_owned(), "x'00'".to_owned()),
    ];
    for (at, (a, b, c)) in rows.iter().enumerate() {
        let insert = format!("INSERT INTO t VALUES ({at}, 'p', NULL, {a}, {b}, {c})");
        fixture.exec(&insert).await.unwrap();
    }
    fixture
}

fn summed(counts: &[SealedCount]) -> Vec<(usize, u32, u64)> {
    let one = |count: &SealedCount| {
        let key = count.key_id.map_or(0, KeyId::get);
        (count.field.unwrap(), key, count.values)
    };
    counts.iter().map(one).collect()
}

const ALL: [(usize, u32, u64); 9] = [
    (0, 0, 2),
    (0, 7, 2),
    (0, 33, 1),
    (1, 0, 2),
    (1, 7, 1),
    (1, 33, 2),
    (2, 0, 1),
    (2, 7, 1),
    (2, 33, 1),
];

#[tokio::test]
async fn values_of_every_form_are_counted_by_key_and_keys_that_differ_in_case_apart() {
    let fixture = filled().await;
    let table = three();
    let counts = fixture.store.census(&table, "", None, None).await.unwrap();
    assert_eq!(summed(&counts), ALL);
    // The counts do not depend on the number of windows.
    let mut conn = fixture.store.opener.open().await.unwrap();
    for window in 1..8 {
        let counts = count_by(&mut conn, &table, None, None, window).await;
        assert_eq!(summed(&counts.unwrap()), ALL, "{window}");
    }
    assert!(fixture.store.open_transactions().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_census_counts_the_keys_above_one_bound_and_up_to_the_other() {
    let fixture = filled().await;
    let mut table = three();
    table.fields.truncate(1);
    let bound = |id: i64| Some(KeyText(vec![format!("i:{id}")]));
    for (after, upto, expected) in [
        (None, bound(0), vec![(0, 7, 1)]),
        (bound(0), bound(2), vec![(0, 7, 1), (0, 33, 1)]),
        (bound(2), None, vec![(0, 0, 2)]),
        (bound(9), None, vec![]),
    ] {
        let counts = fixture
            .store
            .census(&table, "", after.as_ref(), upto.as_ref())
            .await
            .unwrap();
        assert_eq!(summed(&counts), expected, "{after:?} {upto:?}");
    }
    table.fields.clear();
    assert!(
        fixture
            .store
            .census(&table, "", None, None)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn rows_whose_key_is_null_are_counted_once() {
    let mut fixture = Fixture::new(
        "CREATE TABLE t (k TEXT UNIQUE, a, a_sealed BLOB); \
         INSERT INTO t VALUES (NULL, 1, x'00'), (NULL, 1, x'00'), (NULL, 1, x'00'), ('x', 1, x'00')",
    )
    .await;
    fixture.exec("ANALYZE").await.unwrap();
    let table = with(table("t", &["k"]), "a", "", true);
    let mut conn = fixture.store.opener.open().await.unwrap();
    for window in 1..6 {
        let counts = count_by(&mut conn, &table, None, None, window).await;
        assert_eq!(summed(&counts.unwrap()), [(0, 0, 4)], "{window}");
    }
}

fn listed(key: i64) -> NewQuarantine {
    NewQuarantine {
        run_id: None,
        table_label: "t".to_owned(),
        column_label: None,
        row_tag: "0123456789abcdef".to_owned(),
        key_sealed: vec![1, 2],
        key_id: key,
        step: "rotate".to_owned(),
        reason: "does not open".to_owned(),
        sqlstate: None,
        constraint_name: None,
    }
}

#[tokio::test]
async fn a_listed_key_is_sealed_again_if_it_is_still_what_it_was() {
    let fixture = Fixture::new("").await;
    let store = &fixture.store;
    store.add_quarantine(&[listed(7)]).await.unwrap();
    let number = store.quarantined(None).await.unwrap()[0].quarantine_id;
    for (before, after) in [(vec![9], (vec![1, 2], 7)), (vec![1, 2], (vec![3, 4], 33))] {
        let again = Resealed {
            quarantine_id: number,
            before,
            key_sealed: vec![3, 4],
            key_id: id(33),
        };
        store.reseal_quarantine(&[again]).await.unwrap();
        let row = store.quarantined(None).await.unwrap().remove(0).row;
        assert_eq!((row.key_sealed, row.key_id), after);
    }
}

/// A rotation from key 7 to key 33, both without a tenant.
async fn rotated(schema: &str) -> Fixture {
    let mut fixture = Fixture::new(schema).await;
    let (old, new) = (
        fixture.key(7, "", true).await,
        fixture.key(33, "", false).await,
    );
    fixture
        .store
        .begin_rotations(&[handover(old, new)], RotationPeriod::Year, "me", &Unnoted)
        .await
        .unwrap();
    fixture
}

fn order<'a>(keys: &'a [KeyId], tables: &'a [Access]) -> Destruction<'a> {
    Destruction {
        keys,
        tables,
        shred: None,
        actor: "me",
        reason: "over",
        note: &Unnoted,
        searched: None,
    }
}

const KEYS: &str = "SELECT key_id || ' ' || status || ' ' || (wrapped_key IS NULL) || ' ' || \
    coalesce(reason, '-') FROM phiseal_encryption_keys ORDER BY key_id";

#[tokio::test]
async fn a_key_is_destroyed_only_once_nothing_is_sealed_under_it() {
    let mut fixture = rotated(THREE).await;
    let (keys, tables) = ([id(7)], [access(&three())]);
    let order = order(&keys, &tables);
    let before = ["7 deactivated 0 due", "33 active 0 -"];
    let under = |key| {
        [
            ("a_sealed", blob(key, Suite::Padded)),
            ("b_sealed", sealed_text(key, Suite::Plain)),
            ("c", sealed_text(key, Suite::Plain)),
        ]
    };
    for (field, (column, value)) in under(7).into_iter().enumerate() {
        let other = &under(33)[field].1;
        let insert = format!(
            "DELETE FROM t; INSERT INTO t (id, {column}) VALUES (1, {value}), (2, {other})"
        );
        fixture.exec(&insert).await.unwrap();
        let left = fixture.store.destroy_keys(&order).await.unwrap();
        assert_eq!(summed(&left), [(field, 7, 1)], "{column}");
        assert_eq!(fixture.rows(KEYS).await, before, "{column}");
    }
    fixture.exec("DELETE FROM t WHERE id = 1").await.unwrap();

    fixture.store.add_quarantine(&[listed(7)]).await.unwrap();
    let left = fixture.store.destroy_keys(&order).await.unwrap();
    let one = SealedCount {
        table: None,
        field: None,
        key_id: Some(id(7)),
        values: 1,
        place: None,
    };
    assert_eq!(left, std::slice::from_ref(&one));
    assert_eq!(fixture.rows(KEYS).await, before);
    let number = fixture.store.quarantined(None).await.unwrap()[0].quarantine_id;
    fixture
        .store
        .set_quarantine_state(&[number], QuarantineState::Resolved)
        .await
        .unwrap();

    let lane = fixture.lane(&tables[0].table).await;
    let cursor = format!(
        "UPDATE phiseal_lanes SET cursor = {}",
        blob(7, Suite::Plain)
    );
    fixture.exec(&cursor).await.unwrap();
    assert_eq!(fixture.store.destroy_keys(&order).await.unwrap(), [one]);
    assert_eq!(fixture.rows(KEYS).await, before);
    let done = fixture
        .store
        .end_run(lane.run_id, RunState::Done, None)
        .await;
    done.unwrap();

    assert!(fixture.store.destroy_keys(&order).await.unwrap().is_empty());
    let after = ["7 destroyed 1 over", "33 active 0 -"];
    assert_eq!(fixture.rows(KEYS).await, after);
    let told = fixture.store.key_transitions(&[id(7)]).await.unwrap();
    let last = told.last().unwrap();
    assert_eq!((last.to, last.actor.as_str()), (KeyStatus::Destroyed, "me"));
    // Destroying it again succeeds and changes nothing.
    assert!(fixture.store.destroy_keys(&order).await.unwrap().is_empty());
    assert_eq!(fixture.rows(KEYS).await, after);
}

#[tokio::test]
async fn a_key_in_use_is_not_destroyed_and_no_other_with_it() {
    let mut fixture = rotated(THREE).await;
    let (keys, tables) = ([id(7), id(33)], [access(&three())]);
    let refused = fixture.store.destroy_keys(&order(&keys, &tables)).await;
    assert!(
        matches!(refused, Err(StoreError::RowRefused { .. })),
        "{refused:?}"
    );
    assert_eq!(fixture.keys().await, ["7 deactivated", "33 active"]);
}

#[tokio::test]
async fn of_a_destroyed_key_no_copy_is_left_in_the_file_or_its_log() {
    let mut fixture = rotated(THREE).await;
    let wrapped = [0x5a_u8; 64];
    let wrap = format!(
        "UPDATE phiseal_encryption_keys SET wrapped_key = x'{}' WHERE key_id = 7",
        hex::encode(wrapped)
    );
    fixture.exec(&wrap).await.unwrap();
    let holds = |fixture: &Fixture| {
        ["clinic.db", "clinic.db-wal"].iter().any(|name| {
            let bytes = std::fs::read(fixture.dir.path().join(name)).unwrap_or_default();
            bytes.windows(wrapped.len()).any(|window| window == wrapped)
        })
    };
    assert!(holds(&fixture));
    let (keys, tables) = ([id(7)], [access(&three())]);
    let left = fixture.store.destroy_keys(&order(&keys, &tables)).await;
    assert!(left.unwrap().is_empty());
    assert!(!holds(&fixture));
}

#[tokio::test]
async fn a_shredded_tenant_loses_its_keys_and_its_blind_indexes_and_no_other_tenant_does() {
    let mut fixture = Fixture::new(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, clinic COLLATE NOCASE, a TEXT, a_sealed BLOB, \
         a_bidx BLOB, a_next BLOB)",
    )
    .await;
    for (key, tenant) in [(1, "n"), (2, "n"), (3, "N")] {
        fixture.key(key, tenant, key != 2).await;
    }
    let mut table = with(table("t", &["id"]), "a", "TEXT", true);
    table.tenant = Some(ident("clinic"));
    table.fields[0].index = Some(ident("a_bidx"));
    table.fields[0].index_next = Some(ident("a_next"));
    fixture.store.prepare(&table).await.unwrap();
    let insert = "INSERT INTO t VALUES \
        (1, 'n', NULL, x'e70100000001', x'01', x'02'), (2, 'N', NULL, x'e70100000003', x'01', x'02'), \
        (3, 'n', NULL, x'e70100000001', NULL, NULL), (4, x'6e', NULL, x'00', x'01', x'02')";
    fixture.unguarded(insert).await;
    let plain = "INSERT INTO t (id, clinic, a) VALUES (5, 'n', 'p'), (6, 'N', 'p'), (7, 'n', 'p')";
    fixture.exec(plain).await.unwrap();
    for (tenant, values) in [("n", 2), ("N", 1), ("m", 0)] {
        let there = fixture.store.plaintext_of(&table, tenant).await;
        assert_eq!(there.unwrap(), values, "{tenant}");
    }
    let (keys, tables) = ([id(1), id(2)], [access(&table)]);
    let order = Destruction {
        shred: Some("n"),
        ..order(&keys, &tables)
    };
    assert!(fixture.store.destroy_keys(&order).await.unwrap().is_empty());
    let rows = "SELECT id || ' ' || hex(a_sealed) || ' ' || quote(a_bidx) || ' ' || quote(a_next) FROM t \
        WHERE id < 5 ORDER BY id";
    assert_eq!(
        fixture.rows(rows).await,
        [
            "1 E70100000001 NULL NULL",
            "2 E70100000003 X'01' X'02'",
            "3 E70100000001 NULL NULL",
            "4 00 X'01' X'02'",
        ]
    );
    assert_eq!(
        fixture.rows(KEYS).await,
        ["1 destroyed 1 over", "2 destroyed 1 over", "3 active 0 -"]
    );
    let path: Vec<_> = fixture.store.key_transitions(&[id(1)]).await.unwrap();
    let path: Vec<_> = path.iter().map(|one| one.to).collect();
    assert_eq!(
        path[path.len() - 2..],
        [KeyStatus::Deactivated, KeyStatus::Destroyed]
    );
    assert!(
        fixture
            .rows("SELECT mark FROM phiseal_mark UNION ALL SELECT mark FROM phiseal_guard_mark")
            .await
            .is_empty()
    );
}
