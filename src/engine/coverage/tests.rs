//! Shares by blocks and by rows.

use super::*;
use crate::store::LaneTally;

fn extent(relation: &str, rows: u64, blocks: Option<u64>) -> Extent {
    Extent {
        relation: relation.to_owned(),
        rows,
        blocks,
    }
}

fn heap(block: u32, pass: u8, first: u32) -> Option<Vec<u8>> {
    let place = HeapPosition {
        block,
        pass,
        ..HeapPosition::begin("1", first, 2)
    };
    Some(serde_json::to_vec(&place).unwrap())
}

fn lane(number: i32, relation: &str, from: u32, upto: u32, at: Option<(u32, u8)>) -> LaneRecord {
    LaneRecord {
        relation: relation.to_owned(),
        lower: heap(from, 0, from),
        upper: heap(upto, 0, upto),
        cursor: at.and_then(|(block, pass)| heap(block, pass, from)),
        ..keys(number, relation, 0, false)
    }
}

fn keys(number: i32, relation: &str, rows_found: i64, done: bool) -> LaneRecord {
    LaneRecord {
        run_id: 1,
        lane_no: number,
        kind: LaneKind::Range,
        relation: relation.to_owned(),
        lower: None,
        upper: None,
        cursor: None,
        seq: 0,
        fence: 0,
        holder: None,
        lease_left_seconds: None,
        done,
        tally: LaneTally {
            rows_found,
            ..LaneTally::default()
        },
    }
}

fn percent(lanes: &[LaneRecord], extents: &[Extent]) -> f64 {
    (of_lanes(lanes, extents).unwrap() * 100.0).round()
}

#[test]
fn in_storage_order_blocks_count_whatever_the_statistics_say_of_rows() {
    // 1000 blocks in two ranges, each in two passes; the last range is open.
    let open = |lane: LaneRecord| LaneRecord {
        upper: heap(HeapPosition::OPEN, 0, 1000),
        ..lane
    };
    let lanes = [
        lane(0, "t", 0, 500, Some((250, 1))),
        open(lane(1, "t", 500, 0, None)),
    ];
    let whole = [open(lane(0, "t", 0, 0, Some((500, 0))))];
    for rows in [0, 7, 1_000_000_000] {
        // 600 blocks of new versions that the run has added meanwhile are no work that is left.
        for blocks in [1000, 1600] {
            let extents = [extent("t", rows, Some(blocks))];
            assert_eq!(percent(&lanes, &extents), 38.0);
            assert_eq!(percent(&whole, &extents), 25.0);
        }
    }
    // A range is not done before it ends, though the blocks that were added are read, too.
    let beyond = [open(lane(0, "t", 0, 0, Some((1500, 1))))];
    assert_eq!(percent(&beyond, &[extent("t", 7, Some(1600))]), 99.0);
    // A relation that was rewritten meanwhile begins again, and is as large as it is.
    let rewritten = LaneRecord {
        cursor: serde_json::to_vec(&HeapPosition {
            block: 400,
            ..HeapPosition::begin("2", 0, 1)
        })
        .ok(),
        ..open(lane(0, "t", 0, 0, None))
    };
    assert_eq!(percent(&[rewritten], &[extent("t", 7, Some(1600))]), 25.0);
}

#[test]
fn relations_count_by_their_size() {
    let lanes = [
        lane(0, "small", 0, HeapPosition::OPEN, Some((10, 1))),
        lane(1, "large", 0, HeapPosition::OPEN, None),
    ];
    let extents = [
        extent("small", 10, Some(10)),
        extent("large", 990, Some(990)),
    ];
    assert_eq!(percent(&lanes, &extents), 1.0);
}

#[test]
fn in_key_order_rows_count_and_a_range_that_ends_corrects_the_estimate() {
    let extents = [extent("t", 1000, None)];
    let lanes = [keys(0, "t", 250, false), keys(1, "t", 0, false)];
    assert_eq!(percent(&lanes, &extents), 25.0);
    // Far more rows than was estimated do not make a range complete.
    assert_eq!(percent(&[keys(0, "t", 5000, false)], &extents), 99.0);
    let lanes = [keys(0, "t", 3, true), keys(1, "t", 0, false)];
    assert_eq!(percent(&lanes, &extents), 50.0);
    assert_eq!(
        percent(&[keys(0, "t", 0, true)], &[extent("t", 0, None)]),
        100.0
    );
}

#[test]
fn the_share_never_falls_and_takes_over_what_others_did() {
    let coverage = Coverage::default();
    assert_eq!(coverage.share(), None);
    let extents = [extent("t", 100, Some(100))];
    let lanes = |at| {
        [
            lane(0, "t", 0, 50, at),
            lane(1, "t", 50, HeapPosition::OPEN, None),
        ]
    };
    coverage.begin(&lanes(None), &extents);
    assert_eq!(coverage.share(), Some(0.0));
    let next = Bound::Heap(HeapPosition {
        block: 75,
        pass: 1,
        ..HeapPosition::begin("1", 50, 2)
    });
    coverage.moved(1, Some(&next), 10);
    assert_eq!(coverage.share(), Some(0.375));
    // Another process works on the other lane, and the record of ours is older.
    coverage.refresh(&lanes(Some((25, 1))));
    assert_eq!(coverage.share(), Some(0.75));
    coverage.moved(1, Some(&Bound::Heap(HeapPosition::begin("2", 50, 2))), 0);
    assert_eq!(coverage.share(), Some(0.75));
    coverage.moved(0, None, 0);
    coverage.moved(1, None, 0);
    assert_eq!(coverage.share(), Some(1.0));
    coverage.moved(9, None, 0);
}
