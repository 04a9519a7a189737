//! Cuts a table into lanes. Owns how many lanes there are, and their bounds.

use crate::engine::error::EngineError;
use crate::engine::step::{ReadOrder, Reads};
use crate::run::checkpoint::{Checkpoints, Slot};
use crate::store::{Access, Bound, Extent, LaneKind, NewLane, Next, PassKind, Select, Store};

/// A table is cut into up to this many lanes for each worker, so that no worker is idle near the
/// end.
const LANES_PER_WORKER: u64 = 4;
/// A worker gets more than one lane only if each has at least this many rows. A small lane has
/// small windows, and each window costs a COMMIT.
const ROWS_PER_SPARE_LANE: u64 = 50_000;
/// A table with fewer rows than this is one lane.
const ROWS_PER_LANE_MIN: u64 = 20_000;

/// Cuts a table into lanes: ranges in storage order if the step allows it and the store can, else
/// ranges of keys. In storage order, a relation without a row that needs work gets one empty range:
/// the main pass would find nothing, and the sweep looks once more anyway.
///
/// # Errors
/// Any error of the store.
pub async fn cut_lanes(
    store: &dyn Store,
    access: &Access,
    checkpoints: &Checkpoints,
    workers: u32,
    reads: &Reads,
) -> Result<Vec<NewLane>, EngineError> {
    let relations = store.relations(access).await?;
    let rows = Extent::rows(&store.extents(&relations).await?);
    let wanted = lanes_wanted(rows, workers);
    let pieces = u32::try_from(wanted.div_ceil((relations.len() as u64).max(1))).unwrap_or(1);
    let mut lanes = Vec::new();
    for relation in relations {
        let mut places = match reads.order {
            ReadOrder::Storage(pass_kind) => {
                store
                    .cut_by_storage(access, &relation, pieces, pass_kind)
                    .await?
            }
            ReadOrder::Keys => None,
        };
        if let (ReadOrder::Storage(PassKind::Rewriting), Some([first @ Some(Bound::Heap(_)), ..])) =
            (reads.order, places.as_deref())
            && is_done(store, access, &relation, &reads.sweep).await?
        {
            places = Some(vec![first.clone(), first.clone()]);
        }
        // Each lane goes from one bound to the next. In key order, the first lane has no lower
        // bound and the last one no upper bound.
        let bounds: Vec<Option<Bound>> = match places {
            Some(places) => places,
            None => {
                let keys = store.cut_by_key(&access.table, &relation, pieces).await?;
                let keys = keys.into_iter().map(Bound::Key).map(Some);
                [None].into_iter().chain(keys).chain([None]).collect()
            }
        };
        for bound in bounds.windows(2) {
            let lane_no = lane_number(lanes.len());
            lanes.push(NewLane {
                lane_no,
                kind: LaneKind::Range,
                relation: relation.clone(),
                lower: encode(checkpoints, lane_no, Slot::Lower, bound[0].as_ref())?,
                upper: encode(checkpoints, lane_no, Slot::Upper, bound[1].as_ref())?,
            });
        }
    }
    Ok(lanes)
}

/// How many lanes to cut a table of `rows` rows into. For 0 workers it is 0, which gives one lane
/// for each relation.
fn lanes_wanted(rows: u64, workers: u32) -> u64 {
    let workers = u64::from(workers);
    let each = (rows / (workers * ROWS_PER_SPARE_LANE).max(1)).clamp(1, LANES_PER_WORKER);
    (workers * each).min(rows / ROWS_PER_LANE_MIN + 1)
}

/// Whether no row of a relation needs work. This only saves time: after a transient error the
/// answer is `false`, and the relation is read.
pub(super) async fn is_done(
    store: &dyn Store,
    access: &Access,
    relation: &str,
    sweep: &Select,
) -> Result<bool, EngineError> {
    match store.any_left(access, relation, sweep).await {
        Ok(any_left) => Ok(!any_left),
        Err(error) if matches!(error.next(), Next::Stop | Next::Bisect) => Err(error.into()),
        Err(_) => Ok(false),
    }
}

fn lane_number(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

fn encode(
    checkpoints: &Checkpoints,
    lane_no: i32,
    place: Slot,
    bound: Option<&Bound>,
) -> Result<Option<Vec<u8>>, EngineError> {
    Ok(bound
        .map(|bound| checkpoints.encode(lane_no, place, bound))
        .transpose()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_have_few_lanes_and_large_ones_some_to_spare() {
        for (rows, workers, lanes) in [
            (0, 4, 1),
            (1_000_000, 0, 0),
            (19_999, 4, 1),
            (60_000, 4, 4),
            (100_000, 1, 2),
            (100_000, 2, 2),
            (1_000_000, 2, 8),
            (1_000_000_000, 8, 32),
        ] {
            assert_eq!(
                lanes_wanted(rows, workers),
                lanes,
                "{rows} rows, {workers} workers"
            );
        }
    }
}
