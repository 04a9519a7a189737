//! Lanes: held by one worker at a time, under a lease.

use super::{HOLDER, Own, TALLY, holder, is_missing, is_row_refused, new_lane, pause, run, stamp};
use crate::ops::on_both;
use crate::support::Fixture;
use phiseal::store::{LaneKind, LaneStamp, StoreError};

on_both!(
    a_lane_is_held_by_one_until_its_lease_is_over_or_its_holder_dead,
    a_holder_claims_its_own_lane_again,
    no_worker_takes_a_lane_of_its_own_process,
    workers_that_claim_at_once_get_different_lanes,
    lanes_are_claimed_in_the_order_of_their_numbers_and_keep_their_kind,
    a_lane_is_given_back_only_by_its_holder,
    a_batch_moves_its_lane_on_only_under_the_stamp_of_its_holder,
);

async fn a_lane_is_held_by_one_until_its_lease_is_over_or_its_holder_dead(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let first = own.lane_of("t").await;
    let run_id = first.run_id;
    assert_eq!((first.fence, first.seq), (1, 0));
    let (b, dead) = (holder("b"), [holder("c"), holder(HOLDER)]);
    let held = store.claim_lane(run_id, &b, &dead[..1], 60).await;
    assert!(held.unwrap().is_none());
    let second = store.claim_lane(run_id, &b, &dead, 0).await;
    let second = second.unwrap().unwrap();
    assert_eq!(
        (second.fence, second.holder.as_deref()),
        (first.fence + 1, Some("b"))
    );
    // A lease of 0 seconds ends at once.
    pause().await;
    let third = own.claim(run_id, "c", 60).await.unwrap();
    assert_eq!(
        (third.fence, third.holder.as_deref()),
        (second.fence + 1, Some("c"))
    );
    let left = third.lease_left_seconds.unwrap();
    assert!(left > 50.0 && left < 61.0, "{left}");
    assert!(own.claim(run_id, "b", 60).await.is_none());
    assert!(own.claim(99, "b", 60).await.is_none());
}

async fn a_holder_claims_its_own_lane_again(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let first = own.lane_of("t").await;
    let before = own.batch(&first, b"cursor").await;
    let again = own.claim(first.run_id, HOLDER, 60).await.unwrap();
    assert_eq!((again.fence, again.seq), (before.fence + 1, before.seq));
    assert_eq!(again.cursor.as_deref(), Some(&b"cursor"[..]));
    assert_eq!(again.tally, TALLY);
}

async fn no_worker_takes_a_lane_of_its_own_process(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let lanes = [new_lane(0, LaneKind::Range)];
    let run_id = own.store.begin_run(&run("t"), &lanes).await.unwrap();
    own.claim(run_id, "here/boot/1/2/0", 0).await.unwrap();
    pause().await;
    let lane = own.store.lane_after_commit(run_id, 0).await.unwrap();
    assert!(lane.lease_left_seconds.unwrap() < 0.0);
    assert!(own.claim(run_id, "here/boot/1/2/1", 60).await.is_none());
    // The name of this one begins alike, but it is of another process.
    assert!(own.claim(run_id, "here/boot/1/20/0", 60).await.is_some());
}

async fn workers_that_claim_at_once_get_different_lanes(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let lanes = [0, 1, 2].map(|lane_no| new_lane(lane_no, LaneKind::Range));
    let run_id = own.store.begin_run(&run("t"), &lanes).await.unwrap();
    let (a, b, c) = tokio::join!(
        own.claim(run_id, "a", 60),
        own.claim(run_id, "b", 60),
        own.claim(run_id, "c", 60)
    );
    let claimed = [a, b, c].into_iter().flatten();
    let mut numbers: Vec<i32> = claimed.map(|lane| lane.lane_no).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2]);
}

async fn lanes_are_claimed_in_the_order_of_their_numbers_and_keep_their_kind(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let (range, sweep) = (LaneKind::Range, LaneKind::Sweep);
    let lanes = [new_lane(2, range), new_lane(0, range), new_lane(1, sweep)];
    let run_id = store.begin_run(&run("t"), &lanes).await.unwrap();
    let later = [new_lane(1_000_000, range), new_lane(3, sweep)];
    store.add_lanes(run_id, &later).await.unwrap();
    // A number is used once in a run, and what came with it is not added either.
    let taken = [new_lane(4, range), new_lane(0, sweep)];
    assert!(is_row_refused(store.add_lanes(run_id, &taken).await));

    let expected = [
        (0, range),
        (1, sweep),
        (2, range),
        (3, sweep),
        (1_000_000, range),
    ];
    let listed = store.lanes(run_id).await.unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|lane| (lane.lane_no, lane.kind))
        .collect();
    assert_eq!(listed, expected);
    for (lane_no, kind) in expected {
        let name = format!("worker of {lane_no}");
        let lane = own.claim(run_id, &name, 60).await.unwrap();
        let new = new_lane(lane_no, kind);
        assert_eq!((lane.lane_no, lane.kind), (lane_no, kind));
        assert_eq!(
            (lane.run_id, lane.relation, lane.lower, lane.upper),
            (run_id, new.relation, new.lower, new.upper)
        );
        assert!(!lane.done && lane.cursor.is_none());
    }
    assert!(own.claim(run_id, "one more", 60).await.is_none());
}

async fn a_lane_is_given_back_only_by_its_holder(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let store = &own.store;
    let lane = own.lane_of("t").await;
    let lane = own.batch(&lane, b"cursor").await;
    let ours = stamp(&lane);
    let earlier = LaneStamp {
        fence: ours.fence - 1,
        ..ours
    };
    let behind = LaneStamp {
        seq: ours.seq - 1,
        ..ours
    };
    for stale in [earlier, behind] {
        store.release_lane(&stale, false).await.unwrap();
        let lost = store.release_lane(&stale, true).await;
        assert!(matches!(lost, Err(StoreError::FenceLost)), "{lost:?}");
        let now = own.lane_now(&lane).await;
        assert_eq!(stamp(&now), ours);
        assert_eq!(now.holder.as_deref(), Some(HOLDER));
        assert_eq!(now.cursor.as_deref(), Some(&b"cursor"[..]));
        assert!(!now.done && now.lower.is_some());
    }

    store.release_lane(&ours, false).await.unwrap();
    let free = own.lane_now(&lane).await;
    assert_eq!(stamp(&free), ours);
    assert_eq!((free.holder, free.lease_left_seconds), (None, None));
    assert_eq!(free.cursor.as_deref(), Some(&b"cursor"[..]));
    assert_eq!(
        (free.lower, free.upper),
        (lane.lower.clone(), lane.upper.clone())
    );
    assert!(!free.done);

    let next = own.claim(lane.run_id, "b", 60).await.unwrap();
    assert_eq!(next.fence, lane.fence + 1);
    assert_eq!(next.cursor.as_deref(), Some(&b"cursor"[..]));
    store.release_lane(&stamp(&next), true).await.unwrap();
    let done = own.lane_now(&lane).await;
    assert!(done.done && done.holder.is_none());
    assert_eq!((done.cursor, done.lower, done.upper), (None, None, None));
    assert_eq!((done.seq, done.tally), (1, TALLY));
    assert!(own.claim(lane.run_id, "b", 60).await.is_none());
    assert!(own.claim(lane.run_id, "c", 60).await.is_none());
    assert!(is_missing(store.lane_after_commit(lane.run_id, 7).await));
}

async fn a_batch_moves_its_lane_on_only_under_the_stamp_of_its_holder(fixture: Fixture) {
    let own = Own::new(fixture).await;
    let lane = own.lane_of("t").await;
    let first = own.batch(&lane, b"first").await;
    assert_eq!((first.fence, first.seq), (lane.fence, 1));
    assert_eq!(first.cursor.as_deref(), Some(&b"first"[..]));
    assert_eq!(first.tally, TALLY);
    let earlier = LaneStamp {
        fence: first.fence - 1,
        ..stamp(&first)
    };
    // The same batch again, and one of an earlier holder.
    for stale in [stamp(&lane), earlier] {
        let lost = own.try_batch(&stale, b"stale").await;
        assert!(matches!(lost, Err(StoreError::FenceLost)), "{lost:?}");
        let now = own.lane_now(&lane).await;
        assert_eq!(stamp(&now), stamp(&first));
        assert_eq!(now.cursor.as_deref(), Some(&b"first"[..]));
        assert_eq!(now.tally, TALLY);
    }
    let second = own.batch(&first, b"second").await;
    let mut twice = TALLY;
    twice += TALLY;
    assert_eq!((second.seq, second.tally), (2, twice));
}
