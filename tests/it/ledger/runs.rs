//! Runs: one at a time on a table, and ended once.

use super::{HOLDER, Own, TALLY, holder, is_missing, is_row_refused, new_lane, pause, run, stamp};
use crate::ops::on_both;
use crate::support::Fixture;
use phiseal::store::{LaneKind, LaneTally, RunKind, RunRecord, RunState, StoreError};

on_both!(
    a_second_run_on_a_table_is_refused_and_told_who_holds_it,
    of_two_runs_that_begin_at_once_one_is_refused,
    a_run_is_read_back_as_it_began,
    a_run_ends_once_with_the_sums_of_its_lanes,
    the_end_of_a_run_clears_cursors_and_bounds_and_an_interruption_keeps_them,
    a_run_is_given_up_only_when_no_living_holder_is_left,
    a_run_is_given_up_after_the_lease_of_its_holder,
    unfinished_runs_are_listed_first_and_then_the_newest,
);

async fn a_second_run_on_a_table_is_refused_and_told_who_holds_it(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let lane = own.lane_of("t").await;
    let Err(StoreError::Held { table, holder }) = store.begin_run(&run("t"), &[]).await else {
        panic!("not refused");
    };
    assert_eq!(table, "t");
    assert!(holder.contains(HOLDER), "{holder}");
    store.begin_run(&run("u"), &[]).await.unwrap();

    let interrupted = store.end_run(lane.run_id, RunState::Interrupted, Some("E0504"));
    interrupted.await.unwrap();
    let open = store.open_run("t").await.unwrap().unwrap();
    assert_eq!(
        (open.run_id, open.state),
        (lane.run_id, RunState::Interrupted)
    );
    assert_eq!(open.error_code.as_deref(), Some("E0504"));
    assert!(open.finished_at.is_none());
    let second = store.begin_run(&run("t"), &[]).await;
    assert!(matches!(second, Err(StoreError::Held { .. })), "{second:?}");

    store.resume_run(lane.run_id).await.unwrap();
    let open = store.open_run("t").await.unwrap().unwrap();
    assert_eq!((open.state, open.error_code), (RunState::Running, None));
    let done = store.end_run(lane.run_id, RunState::Done, None).await;
    done.unwrap();
    assert!(is_missing(store.resume_run(lane.run_id).await));
    assert!(is_missing(store.resume_run(99).await));
    assert!(store.open_run("t").await.unwrap().is_none());
    store.begin_run(&run("t"), &[]).await.unwrap();
}

async fn of_two_runs_that_begin_at_once_one_is_refused(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let new = run("t");
    let lanes = [new_lane(0, LaneKind::Range)];
    let (one, other) = tokio::join!(
        own.store.begin_run(&new, &lanes),
        own.store.begin_run(&new, &lanes)
    );
    let refused: Vec<_> = [one, other].into_iter().filter_map(Result::err).collect();
    assert!(
        matches!(refused.as_slice(), [StoreError::Held { .. }]),
        "{refused:?}"
    );
    assert_eq!(own.store.runs(9).await.unwrap().len(), 1);
}

async fn a_run_is_read_back_as_it_began(fixture: Fixture) {
    let own = Own::new(fixture).await;
    for kind in [
        RunKind::Backfill,
        RunKind::Compare,
        RunKind::Rotate,
        RunKind::Reindex,
        RunKind::Restore,
        RunKind::Finalize,
    ] {
        let new = RunRecord {
            kind,
            ..run(kind.as_str())
        };
        let run_id = own.store.begin_run(&new, &[]).await.unwrap();
        let open = own.store.open_run(kind.as_str()).await.unwrap().unwrap();
        assert!(open.started_at.ends_with('Z'), "{}", open.started_at);
        let expected = RunRecord {
            run_id,
            started_at: open.started_at.clone(),
            ..new
        };
        assert_eq!(format!("{open:?}"), format!("{expected:?}"));
    }
    // A verification is no run.
    let verify = RunRecord {
        kind: RunKind::Verify,
        ..run("t")
    };
    assert!(is_row_refused(own.store.begin_run(&verify, &[]).await));
    assert!(own.store.open_run("t").await.unwrap().is_none());
}

async fn a_run_ends_once_with_the_sums_of_its_lanes(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let lane = own.lane_of("t").await;
    let run_id = lane.run_id;
    let second = [new_lane(1, LaneKind::Sweep)];
    store.add_lanes(run_id, &second).await.unwrap();
    let second = own.claim(run_id, "there/boot/1/2/0", 60).await.unwrap();
    for lane in [&lane, &second] {
        own.batch(lane, b"cursor").await;
    }
    let mut expected = TALLY;
    expected += TALLY;

    let sum = store.end_run(run_id, RunState::Done, None).await.unwrap();
    assert_eq!(sum, expected);
    let listed = store.runs(10).await.unwrap();
    assert_eq!(listed[0].tally, sum);
    assert!(listed[0].finished_at.is_some());
    assert!(store.open_run("t").await.unwrap().is_none());

    let again = store.end_run(run_id, RunState::Failed, Some("E0504")).await;
    assert_eq!(again.unwrap(), sum);
    let after = store.runs(10).await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{listed:?}"));
    assert!(is_missing(store.end_run(99, RunState::Done, None).await));

    let empty = store.begin_run(&run("empty"), &[]).await.unwrap();
    let nothing = store.end_run(empty, RunState::Failed, Some("E0504")).await;
    assert_eq!(nothing.unwrap(), LaneTally::default());
}

async fn the_end_of_a_run_clears_cursors_and_bounds_and_an_interruption_keeps_them(
    fixture: Fixture,
) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let lane = own.lane_of("t").await;
    let before = own.batch(&lane, b"cursor").await;
    let interrupted = store.end_run(lane.run_id, RunState::Interrupted, None);
    assert_eq!(interrupted.await.unwrap(), TALLY);
    let kept = store.lanes(lane.run_id).await.unwrap().remove(0);
    assert_eq!(kept.cursor.as_deref(), Some(&b"cursor"[..]));
    assert_eq!((&kept.lower, &kept.upper), (&before.lower, &before.upper));
    assert!(kept.lower.is_some() && kept.upper.is_some());
    assert_eq!(kept.holder.as_deref(), Some(HOLDER));

    let done = store.end_run(lane.run_id, RunState::Done, None).await;
    assert_eq!(done.unwrap(), TALLY);
    let cleared = store.lanes(lane.run_id).await.unwrap().remove(0);
    assert_eq!(
        (cleared.cursor, cleared.lower, cleared.upper),
        (None, None, None)
    );
    assert_eq!((cleared.holder, cleared.lease_left_seconds), (None, None));
    assert_eq!((cleared.seq, cleared.tally), (1, TALLY));
}

async fn a_run_is_given_up_only_when_no_living_holder_is_left(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let lane = own.lane_of("t").await;
    let second = [new_lane(1, LaneKind::Range)];
    store.add_lanes(lane.run_id, &second).await.unwrap();
    let living = "there/boot/1/2/0";
    let second = own.claim(lane.run_id, living, 60).await.unwrap();
    let lane = own.batch(&lane, b"cursor").await;

    let (dead, both) = ([holder(HOLDER)], [holder(HOLDER), holder(living)]);
    let kept = store.abandon_run(lane.run_id, "E0601", &dead).await;
    assert_eq!(kept.unwrap(), Some(holder(living)));
    let kept = store.abandon_run(lane.run_id, "E0601", &[]).await;
    assert_eq!(kept.unwrap(), Some(holder(HOLDER)));
    let now = own.lane_now(&lane).await;
    assert_eq!(
        (now.fence, now.holder.as_deref()),
        (lane.fence, Some(HOLDER))
    );
    assert_eq!(now.cursor.as_deref(), Some(&b"cursor"[..]));
    assert!(store.open_run("t").await.unwrap().is_some());

    let ended = store.abandon_run(lane.run_id, "E0601", &both).await;
    assert_eq!(ended.unwrap(), None);
    let run = store.runs(1).await.unwrap().remove(0);
    assert_eq!((run.state, run.tally), (RunState::Failed, TALLY));
    assert_eq!(run.error_code.as_deref(), Some("E0601"));
    assert!(run.finished_at.is_some());
    let lanes = store.lanes(lane.run_id).await.unwrap();
    for (now, before) in lanes.iter().zip([&lane, &second]) {
        assert!(now.done && now.holder.is_none() && now.lease_left_seconds.is_none());
        assert_eq!((&now.cursor, &now.lower, &now.upper), (&None, &None, &None));
        assert_eq!(now.fence, before.fence + 1);
        let late = store.release_lane(&stamp(before), true).await;
        assert!(matches!(late, Err(StoreError::FenceLost)), "{late:?}");
    }
    // Once it has ended, there is nothing to give up.
    assert!(is_missing(
        store.abandon_run(lane.run_id, "E0602", &both).await
    ));
    assert!(is_missing(store.resume_run(lane.run_id).await));
    assert_eq!(own.lane_now(&lane).await.fence, lane.fence + 1);
    let run = store.runs(1).await.unwrap().remove(0);
    assert_eq!(run.error_code.as_deref(), Some("E0601"));
}

async fn a_run_is_given_up_after_the_lease_of_its_holder(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let lanes = [new_lane(0, LaneKind::Range)];
    let run_id = own.store.begin_run(&run("t"), &lanes).await.unwrap();
    own.claim(run_id, HOLDER, 0).await.unwrap();
    pause().await;
    let ended = own.store.abandon_run(run_id, "E0601", &[]).await;
    assert_eq!(ended.unwrap(), None);
    assert!(own.store.open_run("t").await.unwrap().is_none());
}

async fn unfinished_runs_are_listed_first_and_then_the_newest(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let mut ids = Vec::new();
    for (table, state) in [
        ("a", Some(RunState::Done)),
        ("b", None),
        ("c", Some(RunState::Failed)),
        ("d", Some(RunState::Interrupted)),
    ] {
        let run_id = own.store.begin_run(&run(table), &[]).await.unwrap();
        if let Some(state) = state {
            own.store.end_run(run_id, state, None).await.unwrap();
        }
        ids.push(run_id);
    }
    let order = [ids[3], ids[1], ids[2], ids[0]];
    for limit in [0, 1, 3, 9] {
        let runs = own.store.runs(limit).await.unwrap();
        let listed: Vec<i64> = runs.iter().map(|run| run.run_id).collect();
        let most = order.len().min(limit as usize);
        assert_eq!(listed, order[..most], "{limit}");
    }
}
