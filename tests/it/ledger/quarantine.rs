//! The quarantine: a row is entered once, and what a person decided stays.

use super::{Own, id, run};
use crate::ops::on_both;
use crate::support::Fixture;
use phiseal::store::{NewQuarantine, QuarantineRecord, QuarantineState, Resealed};

on_both!(
    a_row_is_entered_once_however_often_it_fails,
    a_row_that_is_tried_again_and_fails_is_open_again,
    a_verification_keeps_the_step_of_an_open_entry,
    a_row_that_a_person_skipped_stays_skipped,
    a_resolved_entry_is_not_listed_and_its_row_may_be_entered_anew,
    the_state_of_many_entries_is_set_at_once,
    a_row_key_is_sealed_again_only_if_it_is_still_the_one_before,
    entries_are_listed_by_table_in_the_order_of_their_numbers,
    entries_are_counted_by_what_they_have_in_common,
);

const TAG: &str = "00112233aabbccdd";

/// A value of the row [`TAG`] that this step could not process.
fn value(step: &str) -> NewQuarantine {
    NewQuarantine {
        run_id: None,
        table_label: "t".to_owned(),
        column_label: Some("ssn".to_owned()),
        row_tag: TAG.to_owned(),
        key_sealed: b"sealed key".to_vec(),
        key_id: 1,
        step: step.to_owned(),
        reason: "too long".to_owned(),
        sqlstate: None,
        constraint_name: None,
    }
}

async fn add(own: &Own, rows: &[NewQuarantine]) {
    own.store.add_quarantine(rows).await.unwrap();
}

async fn set(own: &Own, ids: &[i64], state: QuarantineState) {
    own.store.set_quarantine_state(ids, state).await.unwrap();
}

async fn all(own: &Own) -> Vec<QuarantineRecord> {
    own.store.quarantined(None).await.unwrap()
}

/// The one entry that is listed.
async fn only(own: &Own) -> QuarantineRecord {
    let mut listed = all(own).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    listed.remove(0)
}

async fn a_row_is_entered_once_however_often_it_fails(fixture: Fixture) {
    let own = Own::new(fixture).await;
    assert!(all(&own).await.is_empty());
    add(&own, &[value("backfill")]).await;
    let first = only(&own).await;
    assert_eq!(
        format!("{:?}", first.row),
        format!("{:?}", value("backfill"))
    );
    assert_eq!(first.state, QuarantineState::Open);
    assert!(first.created_at.ends_with('Z') && first.resolved_at.is_none());

    let run_id = own.store.begin_run(&run("t"), &[]).await.unwrap();
    let newest = NewQuarantine {
        run_id: Some(run_id),
        key_sealed: b"sealed later".to_vec(),
        key_id: 2,
        reason: "refused".to_owned(),
        sqlstate: Some("23514".to_owned()),
        constraint_name: Some("ssn_length".to_owned()),
        ..value("rotate")
    };
    add(&own, &[value("compare"), newest.clone()]).await;
    let entry = only(&own).await;
    assert_eq!(format!("{:?}", entry.row), format!("{newest:?}"));
    assert_eq!(entry.state, QuarantineState::Open);
    assert_eq!(
        (entry.quarantine_id, entry.created_at),
        (first.quarantine_id, first.created_at)
    );

    // Another value, the whole row, another row and another table are other entries.
    let column = |label: Option<&str>| NewQuarantine {
        column_label: label.map(str::to_owned),
        ..value("backfill")
    };
    let other_row = NewQuarantine {
        row_tag: "ffffffffffffffff".to_owned(),
        ..value("backfill")
    };
    let other_table = NewQuarantine {
        table_label: "u".to_owned(),
        ..value("backfill")
    };
    let others = [column(Some("dob")), column(None), other_row, other_table];
    for _ in 0..2 {
        add(&own, &others).await;
        assert_eq!(all(&own).await.len(), 5);
    }
}

async fn a_row_that_is_tried_again_and_fails_is_open_again(fixture: Fixture) {
    let own = Own::new(fixture).await;
    add(&own, &[value("backfill")]).await;
    let first = only(&own).await;
    set(&own, &[first.quarantine_id], QuarantineState::Retry).await;
    assert_eq!(only(&own).await.state, QuarantineState::Retry);
    add(&own, &[value("rotate")]).await;
    let entry = only(&own).await;
    assert_eq!(entry.quarantine_id, first.quarantine_id);
    assert_eq!(entry.state, QuarantineState::Open);
    assert_eq!(entry.row.step, "rotate");
}

async fn a_verification_keeps_the_step_of_an_open_entry(fixture: Fixture) {
    let own = Own::new(fixture).await;
    for (step, kept) in [
        ("backfill", "backfill"),
        ("verify", "backfill"),
        ("rotate", "rotate"),
        ("verify", "rotate"),
    ] {
        let row = NewQuarantine {
            reason: format!("seen by {step}"),
            ..value(step)
        };
        add(&own, &[row]).await;
        let entry = only(&own).await;
        assert_eq!(entry.row.step, kept);
        assert_eq!(entry.row.reason, format!("seen by {step}"));
        assert_eq!(entry.state, QuarantineState::Open);
    }
}

async fn a_row_that_a_person_skipped_stays_skipped(fixture: Fixture) {
    let own = Own::new(fixture).await;
    add(&own, &[value("backfill")]).await;
    let first = only(&own).await;
    set(&own, &[first.quarantine_id], QuarantineState::Skipped).await;
    for step in ["backfill", "verify"] {
        add(&own, &[value(step)]).await;
        let entry = only(&own).await;
        assert_eq!(entry.quarantine_id, first.quarantine_id);
        assert_eq!(entry.state, QuarantineState::Skipped);
        assert!(entry.resolved_at.is_none());
    }
}

async fn a_resolved_entry_is_not_listed_and_its_row_may_be_entered_anew(fixture: Fixture) {
    let own = Own::new(fixture).await;
    add(&own, &[value("backfill")]).await;
    let first = only(&own).await;
    set(&own, &[first.quarantine_id], QuarantineState::Resolved).await;
    assert!(all(&own).await.is_empty());
    assert!(own.store.quarantined(Some("t")).await.unwrap().is_empty());
    add(&own, &[value("rotate")]).await;
    let second = only(&own).await;
    assert_ne!(second.quarantine_id, first.quarantine_id);
    assert_eq!(second.state, QuarantineState::Open);
    assert_eq!(second.row.step, "rotate");
    let kept = format!(
        "WHERE quarantine_id = {} AND state = 'resolved' AND resolved_at IS NOT NULL",
        first.quarantine_id
    );
    let step = own.read("step", "quarantine", &kept).await;
    assert_eq!(step.as_deref(), Some("backfill"));
}

async fn the_state_of_many_entries_is_set_at_once(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let rows: Vec<_> = (0..1_100)
        .map(|number| NewQuarantine {
            row_tag: format!("{number:016x}"),
            ..value("backfill")
        })
        .collect();
    add(&own, &rows).await;
    let listed = all(&own).await;
    assert_eq!(listed.len(), rows.len());
    let (kept, others) = listed.split_first().unwrap();
    let ids: Vec<i64> = others.iter().map(|entry| entry.quarantine_id).collect();
    set(&own, &[], QuarantineState::Resolved).await;
    set(&own, &ids, QuarantineState::Retry).await;
    for entry in all(&own).await {
        let expected = match entry.quarantine_id == kept.quarantine_id {
            true => QuarantineState::Open,
            false => QuarantineState::Retry,
        };
        assert_eq!(entry.state, expected, "{}", entry.quarantine_id);
    }
    set(&own, &ids, QuarantineState::Resolved).await;
    assert_eq!(only(&own).await.quarantine_id, kept.quarantine_id);
}

async fn a_row_key_is_sealed_again_only_if_it_is_still_the_one_before(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let second = NewQuarantine {
        column_label: None,
        key_sealed: b"another key".to_vec(),
        ..value("backfill")
    };
    add(&own, &[value("backfill"), second]).await;
    let listed = all(&own).await;
    let skipped = listed[0].quarantine_id;
    set(&own, &[skipped], QuarantineState::Skipped).await;
    let sealed_again = |entry: &QuarantineRecord, before: &[u8]| Resealed {
        quarantine_id: entry.quarantine_id,
        before: before.to_vec(),
        key_sealed: b"sealed again".to_vec(),
        key_id: id(8),
    };
    let resealed = [
        sealed_again(&listed[0], b"sealed key"),
        sealed_again(&listed[1], b"sealed key"),
    ];
    // The second time, the first entry holds another key than before, too.
    for _ in 0..2 {
        own.store.reseal_quarantine(&resealed).await.unwrap();
        let now = all(&own).await;
        assert_eq!(now[0].row.key_sealed, b"sealed again");
        assert_eq!(
            (now[0].row.key_id, now[0].state),
            (8, QuarantineState::Skipped)
        );
        assert_eq!(now[1].row.key_sealed, b"another key");
        assert_eq!(
            (now[1].row.key_id, now[1].state),
            (1, QuarantineState::Open)
        );
    }
    own.store.reseal_quarantine(&[]).await.unwrap();
}

async fn entries_are_listed_by_table_in_the_order_of_their_numbers(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let of = |table: &str, tag: &str| NewQuarantine {
        table_label: table.to_owned(),
        row_tag: tag.repeat(16),
        ..value("backfill")
    };
    let rows = [of("u", "3"), of("t", "2"), of("u", "1")];
    add(&own, &rows).await;
    for (table, tags) in [
        (None, vec!["3", "2", "1"]),
        (Some("u"), vec!["3", "1"]),
        (Some("t"), vec!["2"]),
        (Some("nowhere"), vec![]),
    ] {
        let listed = own.store.quarantined(table).await.unwrap();
        let listed: Vec<&str> = listed.iter().map(|entry| &entry.row.row_tag[..1]).collect();
        assert_eq!(listed, tags, "{table:?}");
    }
}

async fn entries_are_counted_by_what_they_have_in_common(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let empty = own.store.quarantine_summary(&[], 10).await.unwrap();
    assert_eq!((empty.entries(), empty.first.len()), (0, 0));
    let of = |table: &str, tag: u32, column: Option<&str>, reason: &str| NewQuarantine {
        table_label: table.to_owned(),
        column_label: column.map(str::to_owned),
        row_tag: format!("{tag:016x}"),
        reason: reason.to_owned(),
        ..value("backfill")
    };
    add(
        &own,
        &[
            of("t", 1, Some("ssn"), "too long"),
            of("t", 2, Some("ssn"), "too long"),
            of("t", 2, Some("dob"), "too long"),
            of("u", 3, None, "no tenant"),
            of("u", 4, Some("ssn"), "too long"),
            of("it's", 5, Some("ssn"), "too long"),
        ],
    )
    .await;
    let listed = all(&own).await;
    set(&own, &[listed[0].quarantine_id], QuarantineState::Skipped).await;
    set(&own, &[listed[5].quarantine_id], QuarantineState::Resolved).await;

    let found = own.store.quarantine_summary(&[], 3).await.unwrap();
    assert_eq!(found.entries(), 5);
    let counts: Vec<(&str, Option<&str>, QuarantineState, u64)> = (found.counts.iter())
        .map(|one| {
            let column = one.column_label.as_deref();
            (one.table_label.as_str(), column, one.state, one.entries)
        })
        .collect();
    let mut expected = vec![
        ("t", Some("dob"), QuarantineState::Open, 1),
        ("t", Some("ssn"), QuarantineState::Open, 1),
        ("t", Some("ssn"), QuarantineState::Skipped, 1),
        ("u", Some("ssn"), QuarantineState::Open, 1),
        ("u", None, QuarantineState::Open, 1),
    ];
    let sorted = |counts: &mut Vec<(_, _, QuarantineState, _)>| {
        counts.sort_by_key(|(table, column, state, _)| (*table, *column, state.as_str()));
    };
    let mut counts = counts;
    sorted(&mut counts);
    sorted(&mut expected);
    assert_eq!(counts, expected);
    assert!(
        found
            .counts
            .iter()
            .all(|one| one.key_id == 1 && one.step == "backfill")
    );
    let rows: Vec<(&str, u64)> = (found.open_rows.iter())
        .map(|one| (one.table_label.as_str(), one.rows))
        .collect();
    assert_eq!(rows, [("t", 1), ("u", 2)]);
    // Those that wait for a person come first.
    let first: Vec<i64> = found.first.iter().map(|one| one.quarantine_id).collect();
    let ids: Vec<i64> = listed.iter().map(|one| one.quarantine_id).collect();
    assert_eq!(first, ids[1..4]);

    let labels = ["t".to_owned(), "it's".to_owned()];
    let found = own.store.quarantine_summary(&labels, 0).await.unwrap();
    assert_eq!(
        (found.entries(), found.first.len(), found.open_rows.len()),
        (3, 0, 1)
    );
}
