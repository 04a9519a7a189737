//! Tests of runs and lanes.

use crate::store::sqlite::fixture::{Fixture, run, stamp, table};
use crate::store::{Holder, LaneStamp, RunState, Store, StoreError};

fn holder(name: &str) -> Holder {
    Holder(name.to_owned())
}

#[tokio::test]
async fn a_second_run_on_a_table_is_refused_and_told_who_holds_it() {
    let mut fixture = Fixture::new("").await;
    let lane = fixture.lane(&table("t", &["id"])).await;
    let Err(StoreError::Held { table, holder }) = fixture.store.begin_run(&run("t"), &[]).await
    else {
        panic!("not refused");
    };
    assert_eq!(table, "t");
    assert!(holder.contains("here/boot/1/2/0"));
    fixture.store.begin_run(&run("u"), &[]).await.unwrap();
    fixture
        .store
        .end_run(lane.run_id, RunState::Interrupted, Some("E0504"))
        .await
        .unwrap();
    assert!(fixture.store.begin_run(&run("t"), &[]).await.is_err());
    fixture.store.resume_run(lane.run_id).await.unwrap();
    fixture
        .store
        .end_run(lane.run_id, RunState::Done, None)
        .await
        .unwrap();
    assert!(fixture.store.resume_run(lane.run_id).await.is_err());
    fixture.store.begin_run(&run("t"), &[]).await.unwrap();
}

#[tokio::test]
async fn a_lane_is_held_by_one_until_its_lease_is_over_or_its_holder_dead() {
    let mut fixture = Fixture::new("").await;
    let first = fixture.lane(&table("t", &["id"])).await;
    let (store, id) = (&fixture.store, first.run_id);
    assert!(
        store
            .claim_lane(id, &holder("b"), &[holder("c")], 60)
            .await
            .unwrap()
            .is_none()
    );
    let second = store
        .claim_lane(id, &holder("b"), &[holder("here/boot/1/2/0")], 0)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (second.fence, second.holder.as_deref()),
        (first.fence + 1, Some("b"))
    );
    // A lease of 0 seconds ends at once.
    let third = store
        .claim_lane(id, &holder("c"), &[], 60)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(third.fence, second.fence + 1);
    assert!(
        third
            .lease_left_seconds
            .is_some_and(|left| left > 50.0 && left < 61.0)
    );
}

#[tokio::test]
async fn a_lane_is_given_back_only_by_its_holder() {
    let mut fixture = Fixture::new("").await;
    let lane = fixture.lane(&table("t", &["id"])).await;
    let ours = stamp(&lane);
    let store = &fixture.store;
    store
        .release_lane(
            &LaneStamp {
                fence: ours.fence - 1,
                ..ours
            },
            true,
        )
        .await
        .unwrap();
    assert!(
        store
            .lane_after_commit(lane.run_id, 0)
            .await
            .unwrap()
            .holder
            .is_some()
    );
    store.release_lane(&ours, true).await.unwrap();
    let released = store.lane_after_commit(lane.run_id, 0).await.unwrap();
    assert!(released.done && released.holder.is_none());
    assert!(
        store
            .claim_lane(lane.run_id, &holder("b"), &[], 60)
            .await
            .unwrap()
            .is_none()
    );
    assert!(matches!(
        store.lane_after_commit(lane.run_id, 7).await,
        Err(StoreError::Missing { .. })
    ));
}

#[tokio::test]
async fn a_run_ends_with_the_sums_of_its_lanes() {
    let mut fixture = Fixture::new("").await;
    let lane = fixture.lane(&table("t", &["id"])).await;
    fixture
        .exec("UPDATE phiseal_lanes SET rows_found = 5, values_written = 9, conflicts = 1")
        .await
        .unwrap();
    let sum = fixture
        .store
        .end_run(lane.run_id, RunState::Done, None)
        .await
        .unwrap();
    assert_eq!(
        (sum.rows_found, sum.values_written, sum.conflicts),
        (5, 9, 1)
    );
    let listed = fixture.store.runs(10).await.unwrap();
    assert_eq!(listed[0].tally, sum);
    assert!(listed[0].finished_at.is_some());
    assert!(fixture.store.open_run("t").await.unwrap().is_none());
}
