//! The audit tables: an entry follows the head that its maker saw, and names the changes of keys.

use super::{Clerk, DUE, Own, entry_after, id, is_missing, is_row_refused};
use crate::ops::on_both;
use crate::support::{Base, Fixture};
use phiseal::keys::{AuditEntry, AuditHead, ChangeRow, Notary, RotationRecord, Unnoted};
use phiseal::store::{AuditMisfit, AuditRow};

on_both!(
    an_entry_is_appended_only_after_the_head_that_its_maker_saw,
    of_two_entries_for_the_same_place_one_is_appended,
    an_entry_that_is_refused_does_not_move_the_head,
    entries_are_read_from_a_number_on_and_up_to_a_limit,
    a_change_of_a_key_is_named_by_the_first_entry_that_follows_it,
    a_change_of_a_key_whose_entry_is_refused_is_not_made,
    a_row_that_no_program_wrote_is_listed_without_its_content,
    a_number_that_is_doubled_or_missing_and_a_missing_head_are_found,
);

/// Appends this many entries; the entries.
async fn append(own: &Own, entries: usize) -> Vec<AuditEntry> {
    let mut appended = Vec::new();
    for number in 0..entries {
        let head = own.store.audit_head().await.unwrap();
        let entry = entry_after(&head, &format!("action {number}"));
        assert!(own.store.append_audit(&entry, &head).await.unwrap());
        appended.push(entry);
    }
    appended
}

fn row(entry: &AuditEntry) -> AuditRow {
    AuditRow {
        entry_id: entry.entry_id,
        entry: Some(entry.clone()),
    }
}

/// The numbers of the rows that are listed.
async fn numbers(own: &Own) -> Vec<i64> {
    let rows = own.store.audit_entries(i64::MIN, 99).await.unwrap();
    rows.iter().map(|row| row.entry_id).collect()
}

async fn an_entry_is_appended_only_after_the_head_that_its_maker_saw(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let empty = store.audit_head().await.unwrap();
    assert_eq!((empty.entry_id, empty.mac.len()), (0, 0));
    assert!(empty.now.ends_with('Z'), "{}", empty.now);
    let first = entry_after(&empty, "first");
    assert!(store.append_audit(&first, &empty).await.unwrap());
    assert_eq!(own.head().await, (1, first.mac.clone()));

    let head = store.audit_head().await.unwrap();
    assert!(head.now >= empty.now);
    let second = entry_after(&head, "second");
    let other_mac = AuditHead {
        mac: b"another".to_vec(),
        ..head.clone()
    };
    let other_number = AuditHead {
        entry_id: 2,
        ..head.clone()
    };
    for stale in [&empty, &other_mac, &other_number] {
        let appended = store.append_audit(&second, stale).await;
        assert!(!appended.unwrap(), "{stale:?}");
        assert_eq!(own.head().await, (1, first.mac.clone()));
        assert_eq!(store.audit_entries(1, 9).await.unwrap(), [row(&first)]);
    }
    assert!(store.append_audit(&second, &head).await.unwrap());
    assert_eq!(own.head().await, (2, second.mac.clone()));
    let both = [row(&first), row(&second)];
    assert_eq!(store.audit_entries(1, 9).await.unwrap(), both);
}

async fn of_two_entries_for_the_same_place_one_is_appended(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let head = own.store.audit_head().await.unwrap();
    let (one, other) = (entry_after(&head, "one"), entry_after(&head, "other"));
    let (one, other) = tokio::join!(
        own.store.append_audit(&one, &head),
        own.store.append_audit(&other, &head)
    );
    assert_ne!(one.unwrap(), other.unwrap());
    assert_eq!(numbers(&own).await, [1]);
}

async fn an_entry_that_is_refused_does_not_move_the_head(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let first = append(&own, 1).await.remove(0);
    let head = own.store.audit_head().await.unwrap();
    let taken = AuditEntry {
        entry_id: 1,
        ..entry_after(&head, "second")
    };
    assert!(is_row_refused(own.store.append_audit(&taken, &head).await));
    assert_eq!(own.head().await, (1, first.mac.clone()));
    assert_eq!(own.store.audit_entries(1, 9).await.unwrap(), [row(&first)]);
}

async fn entries_are_read_from_a_number_on_and_up_to_a_limit(fixture: Fixture) {
    let own = Own::new(fixture).await;
    assert!(own.store.audit_entries(1, 9).await.unwrap().is_empty());
    let rows: Vec<_> = append(&own, 5).await.iter().map(row).collect();
    for (from, limit, expected) in [
        (1, 9, &rows[..]),
        (i64::MIN, 9, &rows[..]),
        (2, 3, &rows[1..4]),
        (5, 9, &rows[4..]),
        (6, 9, &rows[5..]),
        (1, 0, &rows[..0]),
    ] {
        let listed = own.store.audit_entries(from, limit).await.unwrap();
        assert_eq!(listed, expected, "{from}, {limit}");
    }
}

async fn a_change_of_a_key_is_named_by_the_first_entry_that_follows_it(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let clerk = Clerk::default();
    own.key(1, "n", false).await;
    // A notary that makes no entry leaves the change to the next one.
    own.store.note(&Unnoted).await.unwrap();
    assert_eq!(own.head().await.0, 0);
    let activated = own.store.activate_keys(&[id(1)], DUE, &clerk).await;
    activated.unwrap();
    let told = clerk.told().remove(0);
    assert!(told.records.is_empty());
    let changes: Vec<_> = told
        .changes
        .iter()
        .map(|change| {
            (
                change.is_making(),
                change.columns[2].as_deref(),
                change.ours,
            )
        })
        .collect();
    assert_eq!(
        changes,
        [
            (true, Some("pre_active"), false),
            (false, Some("active"), true)
        ]
    );
    assert_eq!(own.head().await.0, 1);

    own.store.note(&clerk).await.unwrap();
    assert!(clerk.told().remove(0).changes.is_empty());
    assert_eq!(own.head().await.0, 2);
    for (entry, named) in [(1, "2"), (2, "0")] {
        let of_entry = format!("WHERE entry_id = {entry}");
        let count = own.read("count(*)", "key_transition_entries", &of_entry);
        assert_eq!(count.await.as_deref(), Some(named), "{entry}");
    }
    let listed = own.store.audit_entries(1, 9).await.unwrap();
    assert!(listed.iter().all(|row| row.entry.is_some()), "{listed:?}");
}

/// Makes an entry whose number is taken.
struct Mistaken;

impl Notary for Mistaken {
    fn entries(&self, head: &AuditHead, _: &[ChangeRow], _: &[RotationRecord]) -> Vec<AuditEntry> {
        vec![AuditEntry {
            entry_id: 1,
            ..entry_after(head, "mistaken")
        }]
    }
}

async fn a_change_of_a_key_whose_entry_is_refused_is_not_made(fixture: Fixture) {
    let own = Own::new(fixture).await;
    append(&own, 2).await;
    let head = own.head().await;
    own.key(1, "n", false).await;
    let activated = own.store.activate_keys(&[id(1)], DUE, &Mistaken).await;
    assert!(is_row_refused(activated));
    assert_eq!(own.states().await, ["1 pre_active"]);
    assert_eq!(own.head().await, head);
    assert_eq!(numbers(&own).await, [1, 2]);
    let named = own.read("count(*)", "key_transition_entries", "").await;
    assert_eq!(named.as_deref(), Some("0"));
}

/// Without the constraints and triggers that keep strange rows out.
async fn lay_open(own: &Own) {
    let sql = match own.fixture.base {
        Base::Postgres(_) => {
            "ALTER TABLE phiseal.audit_log DISABLE TRIGGER USER, DROP CONSTRAINT audit_log_pkey, \
                 ALTER entry_id DROP NOT NULL, ALTER actor DROP NOT NULL; \
             ALTER TABLE phiseal.audit_head DISABLE TRIGGER USER"
        }
        Base::Sqlite(_) => {
            "CREATE TABLE log AS SELECT * FROM phiseal_audit_log; DROP TABLE phiseal_audit_log; \
             CREATE TABLE phiseal_audit_log (entry_id, at, actor, action, subject, key_id, prev_mac, mac); \
             INSERT INTO phiseal_audit_log SELECT * FROM log; \
             DROP TRIGGER phiseal_audit_head_kept"
        }
    };
    own.fixture.exec(sql).await;
}

async fn a_row_that_no_program_wrote_is_listed_without_its_content(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let rows: Vec<_> = append(&own, 3).await.iter().map(row).collect();
    lay_open(&own).await;
    assert_eq!(own.store.audit_entries(1, 9).await.unwrap(), rows);
    let log = own.fixture.own("audit_log");
    let change = format!("UPDATE {log} SET actor = NULL WHERE entry_id = 2");
    own.fixture.exec(&change).await;
    let strange = AuditRow {
        entry_id: 2,
        entry: None,
    };
    let expected = [rows[0].clone(), strange, rows[2].clone()];
    assert_eq!(own.store.audit_entries(1, 9).await.unwrap(), expected);
    assert_eq!(own.store.audit_misfit().await.unwrap(), None);
}

async fn a_number_that_is_doubled_or_missing_and_a_missing_head_are_found(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    assert_eq!(store.audit_misfit().await.unwrap(), None);
    append(&own, 2).await;
    assert_eq!(store.audit_misfit().await.unwrap(), None);
    lay_open(&own).await;
    assert_eq!(store.audit_misfit().await.unwrap(), None);

    let (log, head) = (own.fixture.own("audit_log"), own.fixture.own("audit_head"));
    let copy = |number: &str| {
        format!(
            "INSERT INTO {log} (entry_id, at, actor, action, subject, key_id, prev_mac, mac) \
             SELECT {number}, at, actor, action, subject, key_id, prev_mac, mac FROM {log} WHERE entry_id = 1"
        )
    };
    own.fixture.exec(&copy("2")).await;
    let misfit = store.audit_misfit().await.unwrap();
    assert_eq!(misfit, Some(AuditMisfit::Twice(2)));
    assert_eq!(numbers(&own).await, [1, 2, 2]);
    // A row without a number is in no list.
    own.fixture.exec(&copy("NULL")).await;
    let misfit = store.audit_misfit().await.unwrap();
    assert_eq!(misfit, Some(AuditMisfit::Unnumbered));
    assert_eq!(numbers(&own).await, [1, 2, 2]);

    let less = format!("DELETE FROM {log} WHERE entry_id IS NULL OR entry_id = 2");
    own.fixture.exec(&less).await;
    assert_eq!(store.audit_misfit().await.unwrap(), None);
    own.fixture.exec(&format!("DELETE FROM {head}")).await;
    let misfit = store.audit_misfit().await.unwrap();
    assert_eq!(misfit, Some(AuditMisfit::Head));
    assert!(is_missing(store.audit_head().await));
}
