//! What one look at a table that is followed reads, and the sweep that seals what it found.
//! Owns neither when to look nor the run's record.

use std::sync::Arc;

use super::Follower;
use crate::engine::commit::Committer;
use crate::engine::context::RunContext;
use crate::engine::error::EngineError;
use crate::engine::events::{Event, EventSink};
use crate::engine::pages::Pages;
use crate::engine::report::Tallied;
use crate::engine::sweep::sweep;
use crate::engine::{run_loop, worked_page};
use crate::store::{LaneRecord, LaneStamp, PageRequest, Select};

/// The most rows that a look reads at a time through the index, and without it.
const LOOK_ROWS: u32 = 500;
const LOOK_ROWS_UNINDEXED: u32 = 20_000;

/// How many rows of a relation need work: none, or those of the first page that has any.
pub(super) async fn late_rows(ctx: &Arc<RunContext>, relation: &str) -> Result<u64, EngineError> {
    let select = ctx.step.reads().sweep;
    if !(ctx.store.any_left(&ctx.access, relation, &select)).await? {
        return Ok(0);
    }
    let rows_max = match select {
        Select::UnsealedIndexed => LOOK_ROWS,
        _ => LOOK_ROWS_UNINDEXED,
    };
    let request = PageRequest {
        with_key_text: true,
        ..ctx.request(relation, select, rows_max)
    };
    let mut pages = Pages::new(ctx.page_source(), request);
    while let Some(streamed) = pages.next().await? {
        let worked = worked_page::work(ctx, streamed.page).await?;
        let rows = worked.rows.iter().filter(|row| row.needs_work()).count();
        if rows > 0 {
            return Ok(rows as u64);
        }
    }
    // What is left is in quarantine.
    Ok(0)
}

/// Sweeps these relations under the run's lane. Also returns the lane as it was left; `None` if it
/// could not be claimed.
pub(super) async fn sweep_late(
    follower: &mut Follower,
    run_id: i64,
    relations: &[String],
) -> (Result<(), EngineError>, Option<LaneStamp>) {
    let ctx = Arc::clone(&follower.ctx);
    let lane = match run_loop::claim(&ctx, run_id, &ctx.process.worker(0)).await {
        Ok(Some(lane)) => lane,
        Ok(None) => return (Ok(()), None),
        Err(error) => return (Err(error), None),
    };
    let mut stamp = LaneStamp {
        run_id: lane.run_id,
        lane_no: lane.lane_no,
        fence: lane.fence,
        seq: lane.seq,
    };
    let mut tallied = Tallied::default();
    let mut outcome = Ok(());
    for relation in relations {
        let writer = match follower.writer.take() {
            Some(writer) => Ok(writer),
            None => ctx.store.writer().await,
        };
        let writer = match writer {
            Ok(writer) => writer,
            Err(error) => {
                outcome = Err(error.into());
                break;
            }
        };
        let lane = LaneRecord {
            relation: relation.clone(),
            seq: stamp.seq,
            ..lane.clone()
        };
        let mut committer = Committer::new(Arc::clone(&ctx), writer, &lane);
        outcome = sweep(&ctx, &mut committer, relation, &mut tallied).await;
        stamp = committer.stamp();
        if outcome.is_err() {
            break;
        }
        follower.writer = Some(committer.into_writer());
    }
    // Whether rows are left, the next look tells.
    tallied.still_written = false;
    follower.done.merge(tallied);
    (outcome, Some(stamp))
}

/// Passes on what a run waits for, and nothing else: its other events would come twice a second.
pub(super) struct Waits(pub(super) Arc<dyn EventSink>);

impl EventSink for Waits {
    fn emit(&self, event: Event) {
        if matches!(event, Event::Waiting { .. } | Event::GoingOn) {
            self.0.emit(event);
        }
    }
}
