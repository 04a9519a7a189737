//! The run of a table that is followed: one for a day, done between its sweeps and opened again by
//! the next. Owns how it is recorded, and how other commands wait for it.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Follower, Sealing};
use crate::engine::error::EngineError;
use crate::engine::{Engine, job_digest, run_loop};
use crate::error::Coded;
use crate::run::holder::Process;
use crate::store::{FieldState, LaneKind, LaneRecord, LaneStamp, RunRecord, RunState, StoreError};

/// How long one run is opened again. So the audit log has two entries a day and table.
const RUN_LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// How long other commands wait for such a run to be done, and how often they look.
const WAIT_FOR_IT: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

impl Engine {
    /// Opens the run of a follower again, or begins one; `None` if another run of the table is
    /// unfinished.
    pub(super) async fn open_following_run(
        &self,
        follower: &mut Follower,
    ) -> Result<Option<i64>, EngineError> {
        let clock = self.stop.clock();
        let is_old = |begun: Duration| clock.since(begun) > RUN_LASTS;
        if (follower.run.as_ref()).is_some_and(|(_, begun)| is_old(*begun)) {
            self.note_following_end(follower).await?;
        }
        if let Some((run, _)) = &follower.run {
            match self.store.reopen_run(run).await {
                Ok(true) => return Ok(Some(run.run_id)),
                // Somebody gave it up.
                Ok(false) => follower.run = None,
                Err(StoreError::Held { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        let Some(run) = self.new_following_run(follower).await? else {
            return Ok(None);
        };
        let run_id = run.run_id;
        follower.run = Some((run, clock.now()));
        self.renew_context(follower).await?;
        Ok(Some(run_id))
    }

    async fn new_following_run(
        &self,
        follower: &Follower,
    ) -> Result<Option<RunRecord>, EngineError> {
        let mut run = self.new_run(&follower.job, follower.ctx.step.as_ref());
        let mut params: Value = serde_json::from_str(&run.params).unwrap_or_default();
        params["follow"] = json!(true);
        run.params = params.to_string();
        // The lane is of the whole table. A backfill that takes the run over after a crash works on it
        // like on any other.
        let lanes: Vec<_> = (follower.relations.first().iter())
            .map(|relation| run_loop::whole(relation, 0, LaneKind::Range))
            .collect();
        match self.store.begin_run(&run, &lanes).await {
            Ok(run_id) => {
                self.note("backfill.begin", &run, None).await?;
                Ok(Some(RunRecord { run_id, ..run }))
            }
            // An earlier attempt of our own, or a follower that was killed, may have left one.
            Err(StoreError::Held { .. } | StoreError::OutcomeUnknown) => {
                self.orphan(follower, &run).await
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The unfinished run of a follower that nobody has.
    async fn orphan(
        &self,
        follower: &Follower,
        ours: &RunRecord,
    ) -> Result<Option<RunRecord>, EngineError> {
        let label = &follower.job.table.label;
        let open = self.store.open_run(label).await?.filter(is_followers);
        let Some(run) = open.filter(|run| {
            run.kind == ours.kind && job_digest::is_of(&run.digest, &follower.ctx.access, None)
        }) else {
            return Ok(None);
        };
        let lanes = self.store.lanes(run.run_id).await?;
        let is_free = |lane: &LaneRecord| {
            lane.holder
                .as_ref()
                .is_none_or(|holder| follower.ctx.process.is_dead(holder))
        };
        let is_orphan = lanes.iter().all(is_free) && lanes.iter().any(|lane| !lane.done);
        Ok(is_orphan.then_some(run))
    }

    /// Ends the run until the next look finds rows. After a failure it ends for good, and after a stop
    /// in the middle a backfill resumes it.
    pub(super) async fn close_following_run(
        &self,
        follower: &mut Follower,
        run_id: i64,
        stamp: Option<LaneStamp>,
        outcome: &Result<Sealing, EngineError>,
    ) -> Result<(), EngineError> {
        let Err(error) = outcome else {
            self.store.end_run(run_id, RunState::Done, None).await?;
            return Ok(());
        };
        follower.run = None;
        let state = match error {
            EngineError::Interrupted { .. } => RunState::Interrupted,
            _ => RunState::Failed,
        };
        // Best effort: the error says more.
        if let Some(stamp) = stamp {
            let _ = self.store.release_lane(&stamp, false).await;
        }
        let _ = self.store.end_run(run_id, state, Some(error.code())).await;
        Ok(())
    }

    /// Leaves a run whose lane another process has, and which that process will end; or, if all its
    /// lanes are done, ends it again.
    pub(super) async fn leave_run(
        &self,
        follower: &mut Follower,
        run_id: i64,
    ) -> Result<(), EngineError> {
        follower.run = None;
        let lanes = self.store.lanes(run_id).await?;
        if lanes.iter().all(|lane| lane.done) {
            self.store.end_run(run_id, RunState::Done, None).await?;
        }
        Ok(())
    }

    /// Writes the end of a follower's run into the audit log, with all that it did.
    pub(super) async fn note_following_end(
        &self,
        follower: &mut Follower,
    ) -> Result<(), EngineError> {
        let Some((mut run, _)) = follower.run.take() else {
            return Ok(());
        };
        // It is done already; this returns its counters.
        run.tally = (self.store)
            .end_run(run.run_id, RunState::Done, None)
            .await?;
        self.note("backfill.end", &run, Some(run.run_id)).await
    }

    /// Once nothing is left: what the application wrote during the backfill is sealed, too.
    pub(super) async fn settle(&self, follower: &mut Follower) -> Result<(), EngineError> {
        if std::mem::replace(&mut follower.settled, true)
            || self.close_quarantine(&follower.ctx, true).await? > 0
        {
            return Ok(());
        }
        let (label, ours) = (&follower.job.table.label, follower.job.labels());
        let fields = self.store.fields().await?.into_iter();
        let sealing: Vec<String> = fields
            .filter(|field| field.table_label == *label && field.state == FieldState::Sealing)
            .map(|field| field.column_label)
            .filter(|column| ours.contains(column))
            .collect();
        if !sealing.is_empty() {
            self.store
                .set_field_state(label, &sealing, FieldState::Sealed)
                .await?;
        }
        Ok(())
    }

    /// The unfinished run of a table, once it is not one of a living follower: such a run is done
    /// within seconds. Waits ten seconds at most.
    pub(in crate::engine) async fn open_run_of_others(
        &self,
        label: &str,
    ) -> Result<Option<RunRecord>, EngineError> {
        let clock = self.stop.clock();
        let begun = clock.now();
        loop {
            let open = self.store.open_run(label).await?;
            let Some(run) = open.as_ref().filter(|run| is_followers(run)) else {
                return Ok(open);
            };
            let lanes = self.store.lanes(run.run_id).await?;
            let this = Process::this();
            let is_dead = |lane: &LaneRecord| {
                (lane.holder.as_ref()).is_some_and(|holder| this.is_dead(holder))
            };
            let is_over = run.state != RunState::Running || lanes.iter().any(is_dead);
            if is_over || clock.since(begun) > WAIT_FOR_IT || self.stop.is_requested() {
                return Ok(open);
            }
            self.stop.sleep(LOOK_AGAIN).await;
        }
    }
}

fn is_followers(run: &RunRecord) -> bool {
    let params: Value = serde_json::from_str(&run.params).unwrap_or_default();
    params["follow"] == json!(true)
}
