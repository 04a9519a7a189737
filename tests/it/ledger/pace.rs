//! Requests of operators to runs, and the reports of processes: what is over is not there any more, and
//! a process has one report a table.

use super::{Own, pause};
use crate::ops::on_both;
use crate::support::{Base, Fixture};
use phiseal::pace::{Pace, PaceRequestKind};
use phiseal::store::{PaceReport, PaceRequest};

on_both!(
    a_pause_holds_until_it_is_withdrawn,
    a_request_holds_for_its_seconds_by_the_database_clock,
    a_second_request_of_a_kind_replaces_the_first_and_other_tables_keep_theirs,
    requests_are_withdrawn_for_one_table_or_for_all,
    a_process_has_one_report_a_table_and_the_newest_comes_first,
    a_report_of_yesterday_goes_when_a_process_withdraws_its_own,
    no_word_is_stored_that_no_program_knows,
);

fn paused(label: &str) -> PaceRequest {
    PaceRequest {
        table_label: label.to_owned(),
        kind: PaceRequestKind::Pause,
        pace: None,
        rows_per_second_max: None,
        seconds: None,
        actor: "me@here".to_owned(),
        requested_at: String::new(),
    }
}

fn fast(label: &str, seconds: f64) -> PaceRequest {
    PaceRequest {
        kind: PaceRequestKind::Speed,
        pace: Some(Pace::Fast),
        rows_per_second_max: Some(500),
        seconds: Some(seconds),
        ..paused(label)
    }
}

fn report(process: u32, label: &str) -> PaceReport {
    PaceReport {
        holder: format!("here/boot/{process}/9/0"),
        table_label: label.to_owned(),
        kind: "backfill".to_owned(),
        run_id: Some(7),
        duty: 0.25,
        waits_for: None,
        waits_seconds: 0.0,
        rows_per_second: 1234.5,
        transactions: i64::MAX,
        seconds_ago: 0.0,
    }
}

async fn a_pause_holds_until_it_is_withdrawn(fixture: Fixture) {
    let own = Own::new(fixture).await;
    assert_eq!(own.store.pace_requests().await.unwrap(), []);
    own.store.put_pace_request(&paused("")).await.unwrap();
    let held = own.store.pace_requests().await.unwrap();
    let requested_at = held[0].requested_at.clone();
    assert!(requested_at.ends_with('Z'), "{requested_at}");
    let expected = PaceRequest {
        requested_at,
        ..paused("")
    };
    assert_eq!(held, [expected]);
    let pause = PaceRequestKind::Pause;
    let withdrawn = own.store.withdraw_pace_request(pause, None).await;
    assert_eq!(withdrawn.unwrap(), 1);
    assert_eq!(own.store.pace_requests().await.unwrap(), []);
    let again = own.store.withdraw_pace_request(pause, None).await;
    assert_eq!(again.unwrap(), 0);
}

async fn a_request_holds_for_its_seconds_by_the_database_clock(fixture: Fixture) {
    let own = Own::new(fixture).await;
    for request in [fast("t", 0.02), fast("u", 3600.5)] {
        own.store.put_pace_request(&request).await.unwrap();
    }
    pause().await;
    let held = own.store.pace_requests().await.unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    let left = held[0].seconds.unwrap();
    assert!(left > 3500.0 && left <= 3600.5, "{left}");
    assert_eq!(
        (held[0].table_label.as_str(), held[0].kind),
        ("u", PaceRequestKind::Speed)
    );
    assert_eq!(
        (held[0].pace, held[0].rows_per_second_max),
        (Some(Pace::Fast), Some(500))
    );
    // What is over was not there to be withdrawn.
    let speed = PaceRequestKind::Speed;
    let withdrawn = own.store.withdraw_pace_request(speed, None).await;
    assert_eq!(withdrawn.unwrap(), 1);
    let rows = own.read("count(*)", "pace_requests", "").await;
    assert_eq!(rows.as_deref(), Some("0"));
}

async fn a_second_request_of_a_kind_replaces_the_first_and_other_tables_keep_theirs(
    fixture: Fixture,
) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    store.put_pace_request(&fast("t", 60.0)).await.unwrap();
    store.put_pace_request(&fast("u", 60.0)).await.unwrap();
    store.put_pace_request(&paused("t")).await.unwrap();
    let slower = PaceRequest {
        pace: None,
        rows_per_second_max: Some(9),
        seconds: None,
        actor: "you@here".to_owned(),
        ..fast("t", 0.0)
    };
    store.put_pace_request(&slower).await.unwrap();
    let held = store.pace_requests().await.unwrap();
    let shown: Vec<_> = held
        .iter()
        .map(|one| (one.table_label.as_str(), one.kind, one.actor.as_str()))
        .collect();
    let (pause, speed) = (PaceRequestKind::Pause, PaceRequestKind::Speed);
    assert_eq!(
        shown,
        [
            ("t", pause, "me@here"),
            ("t", speed, "you@here"),
            ("u", speed, "me@here")
        ]
    );
    let replaced = &held[1];
    assert_eq!(
        (
            replaced.pace,
            replaced.rows_per_second_max,
            replaced.seconds
        ),
        (None, Some(9), None)
    );
}

async fn requests_are_withdrawn_for_one_table_or_for_all(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let labels = ["", "t", "u"];
    for label in labels {
        store.put_pace_request(&paused(label)).await.unwrap();
        store.put_pace_request(&fast(label, 60.0)).await.unwrap();
    }
    let pause = PaceRequestKind::Pause;
    for (label, withdrawn) in [("t", 1), ("t", 0), ("", 1), ("T", 0)] {
        let done = store.withdraw_pace_request(pause, Some(label)).await;
        assert_eq!(done.unwrap(), withdrawn, "{label:?}");
    }
    let held = store.pace_requests().await.unwrap();
    let paused: Vec<_> = held.iter().filter(|one| one.kind == pause).collect();
    assert_eq!((held.len(), paused.len()), (4, 1));
    assert_eq!(paused[0].table_label, "u");
    let rest = store.withdraw_pace_request(PaceRequestKind::Speed, None);
    assert_eq!(rest.await.unwrap(), 3);
}

async fn a_process_has_one_report_a_table_and_the_newest_comes_first(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    for one in [report(1, "t"), report(1, "u"), report(2, "t")] {
        store.report_pace(&one).await.unwrap();
        pause().await;
    }
    let waits = PaceReport {
        kind: "verify".to_owned(),
        run_id: None,
        duty: 1.0,
        waits_for: Some("paused by me since noon".to_owned()),
        waits_seconds: 1.5,
        ..report(1, "t")
    };
    store.report_pace(&waits).await.unwrap();
    let mut read = store.pace_reports().await.unwrap();
    for one in &mut read {
        assert!((0.0..60.0).contains(&one.seconds_ago), "{one:?}");
        one.seconds_ago = 0.0;
    }
    assert_eq!(read, [waits, report(2, "t"), report(1, "u")]);

    let holder = &report(1, "t").holder;
    store.withdraw_pace_report(holder, "t").await.unwrap();
    store.withdraw_pace_report(holder, "t").await.unwrap();
    let left = store.pace_reports().await.unwrap();
    let left: Vec<&str> = left.iter().map(|one| one.table_label.as_str()).collect();
    assert_eq!(left, ["t", "u"]);
}

async fn a_report_of_yesterday_goes_when_a_process_withdraws_its_own(fixture: Fixture) {
    let own = Own::new(fixture).await;
    own.store.report_pace(&report(1, "t")).await.unwrap();
    own.store.report_pace(&report(2, "t")).await.unwrap();
    let aged = match own.fixture.base {
        Base::Postgres(_) => "now() - interval '25 hours'",
        Base::Sqlite(_) => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-25 hours')",
    };
    let table = own.fixture.own("pace_reports");
    own.fixture
        .exec(&format!(
            "UPDATE {table} SET reported_at = {aged} WHERE holder LIKE '%/1/9/0'"
        ))
        .await;
    let old = own.store.pace_reports().await.unwrap();
    assert_eq!(old.len(), 2);
    assert!(old[1].seconds_ago > 80_000.0, "{old:?}");
    own.store.report_pace(&report(3, "t")).await.unwrap();
    own.store
        .withdraw_pace_report("here/boot/3/9/0", "t")
        .await
        .unwrap();
    let left = own.store.pace_reports().await.unwrap();
    let left: Vec<&str> = left.iter().map(|one| one.holder.as_str()).collect();
    assert_eq!(left, ["here/boot/2/9/0"]);
}

async fn no_word_is_stored_that_no_program_knows(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let table = own.fixture.own("pace_requests");
    for (kind, pace, rows) in [
        ("'stop'", "NULL", "NULL"),
        ("'speed'", "'slow'", "NULL"),
        ("'speed'", "NULL", "0"),
    ] {
        let insert = format!(
            "INSERT INTO {table} (table_label, kind, pace, rows_per_second_max, actor)
             VALUES ('t', {kind}, {pace}, {rows}, 'me')"
        );
        assert!(own.fixture.refusal(&insert).await.is_some(), "{insert}");
    }
}
