//! Tests of batches: what is committed together, and what makes a batch fail or roll back.

use crate::store::sqlite::batch_fixture::{BatchFixture, TABLE, TALLY, beside, sealed};
use crate::store::sqlite::fixture::{access, request, stamp};
use crate::store::{Catalog, Ledger, Rows};
use crate::store::{LaneStamp, NewQuarantine, Select, StoreError, WriteBatch};

#[tokio::test]
async fn rows_and_cursor_are_committed_together() {
    let mut bench = BatchFixture::new(TABLE, beside()).await;
    let rows = sealed(bench.read(Select::Unsealed).await);
    bench.begin(stamp(&bench.lane)).await.unwrap();
    let written = bench.write(&rows).await.unwrap();
    assert_eq!((written.rows, written.missed.len()), (3, 0));
    bench.writer.commit(&TALLY).await.unwrap();
    assert_eq!(
        bench.state().await,
        [
            "'abc' 7 X'E77365616C6564'",
            "'def' 8 X'E77365616C6564'",
            "'ghi' NULL X'E77365616C6564'",
        ]
    );
    let lane = bench.lane_now().await;
    assert_eq!(
        (lane.seq, lane.cursor.as_deref(), lane.tally),
        (1, Some(&b"cursor"[..]), TALLY)
    );
    assert!(
        bench
            .fixture
            .rows("SELECT mark FROM phiseal_guard_mark")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_batch_that_is_rolled_back_leaves_nothing() {
    let mut bench = BatchFixture::new(TABLE, beside()).await;
    let before = bench.state().await;
    let rows = sealed(bench.read(Select::Unsealed).await);
    bench.begin(stamp(&bench.lane)).await.unwrap();
    bench.write(&rows).await.unwrap();
    bench.writer.quarantine(&[quarantined()]).await.unwrap();
    bench.writer.rollback().await;
    assert_eq!(bench.state().await, before);
    assert_eq!(bench.lane_now().await.seq, 0);
    assert!(
        bench
            .fixture
            .store
            .quarantined(None)
            .await
            .unwrap()
            .is_empty()
    );
    // The next begin rolls back an open transaction, and so does closing its connection.
    bench.begin(stamp(&bench.lane)).await.unwrap();
    bench.write(&rows).await.unwrap();
    bench.begin(stamp(&bench.lane)).await.unwrap();
    drop(std::mem::replace(
        &mut bench.writer,
        bench.fixture.store.writer().await.unwrap(),
    ));
    assert_eq!(bench.lane_now().await.seq, 0);
    assert_eq!(bench.state().await, before);
}

fn quarantined() -> NewQuarantine {
    NewQuarantine {
        run_id: None,
        table_label: "t".to_owned(),
        column_label: Some("ssn".to_owned()),
        row_tag: "0123456789abcdef".to_owned(),
        key_sealed: vec![1],
        key_id: 1,
        step: "backfill".to_owned(),
        reason: "unreadable".to_owned(),
        sqlstate: None,
        constraint_name: None,
    }
}

#[tokio::test]
async fn a_lane_that_moved_on_or_was_taken_over_refuses_the_batch() {
    let mut bench = BatchFixture::new(TABLE, beside()).await;
    let ours = stamp(&bench.lane);
    for wrong in [
        LaneStamp {
            fence: ours.fence + 1,
            ..ours
        },
        LaneStamp {
            seq: ours.seq + 1,
            ..ours
        },
        LaneStamp {
            run_id: ours.run_id + 1,
            ..ours
        },
    ] {
        assert!(matches!(
            bench.begin(wrong).await,
            Err(StoreError::FenceLost)
        ));
        assert_eq!(bench.lane_now().await.seq, 0);
    }
    bench.begin(ours).await.unwrap();
    bench.writer.commit(&TALLY).await.unwrap();
    assert!(matches!(
        bench.begin(ours).await,
        Err(StoreError::FenceLost)
    ));
}

#[tokio::test]
async fn a_batch_under_a_key_that_is_not_active_does_not_begin() {
    let mut bench = BatchFixture::new(TABLE, beside()).await;
    let update = "UPDATE phiseal_encryption_keys SET status = 'suspended'";
    bench.fixture.exec(update).await.unwrap();
    assert!(matches!(
        bench.begin(stamp(&bench.lane)).await,
        Err(StoreError::KeyNotActive)
    ));
    assert_eq!(bench.lane_now().await.seq, 0);
}

#[tokio::test]
async fn a_table_that_is_not_what_it_was_is_not_written() {
    for change in [
        "ALTER TABLE t ADD COLUMN x",
        "DROP TRIGGER \"~phiseal_u_t\"",
    ] {
        let mut bench = BatchFixture::new(TABLE, beside()).await;
        let rows = sealed(bench.read(Select::Unsealed).await);
        let fingerprint = bench
            .fixture
            .store
            .fingerprint(&access(&bench.table), "")
            .await
            .unwrap();
        bench.fixture.exec(change).await.unwrap();
        bench.begin(stamp(&bench.lane)).await.unwrap();
        let batch = WriteBatch {
            relation: "",
            fingerprint: &fingerprint,
            storage: "",
            rows: &rows,
        };
        let refused = bench
            .writer
            .write(&access(&bench.table), &batch, false)
            .await;
        assert!(
            matches!(refused, Err(StoreError::SchemaChanged { .. })),
            "{change}"
        );
        assert_eq!(bench.lane_now().await.seq, 0);
    }
}

#[tokio::test]
async fn a_refused_value_rolls_the_whole_batch_back_and_names_the_constraint() {
    let schema = "CREATE TABLE t (id INTEGER PRIMARY KEY, ssn TEXT, age INTEGER, ssn_sealed BLOB UNIQUE); \
        INSERT INTO t VALUES (1, 'abc', 7, NULL), (2, 'def', 8, NULL)";
    let mut bench = BatchFixture::new(schema, beside()).await;
    let rows = sealed(bench.read(Select::Unsealed).await);
    bench.begin(stamp(&bench.lane)).await.unwrap();
    let Err(StoreError::RowRefused { constraint, .. }) = bench.write(&rows).await else {
        panic!("not refused");
    };
    assert_eq!(constraint.as_deref(), Some("t.ssn_sealed"));
    assert_eq!(bench.lane_now().await.seq, 0);
}

#[tokio::test]
async fn locked_rows_are_read_as_they_are_now_and_then_written() {
    let mut bench = BatchFixture::new(TABLE, beside()).await;
    let rows = bench.read(Select::Unsealed).await;
    let keys: Vec<_> = rows.into_iter().map(|row| row.key_text.unwrap()).collect();
    bench
        .fixture
        .exec("UPDATE t SET ssn = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2")
        .await
        .unwrap();
    bench.begin(stamp(&bench.lane)).await.unwrap();
    let now = bench
        .writer
        .lock_rows(&access(&bench.table), &request(Select::Unsealed), &keys)
        .await
        .unwrap()
        .rows;
    assert_eq!(now.len(), 2);
    assert_eq!(now[0].cells[0].plain.as_ref().unwrap().as_slice(), b"new");
    let written = bench.write(&sealed(now)).await.unwrap();
    assert_eq!((written.rows, written.missed.len()), (2, 0));
}
