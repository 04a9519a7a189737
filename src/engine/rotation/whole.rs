//! A rotation from its beginning to its end, over all registered tables.
//! Owns whether one is begun, joined or finished, and which half of it is of cells and which of
//! blind indexes.

use std::time::Duration;

use super::outlook::Outlook;
use super::{Finish, Finished, RotationRequest};
use crate::crypto::Purpose;
use crate::engine::look::Database;
use crate::engine::preflight::RunPurpose;
use crate::engine::registered::{JobsError, Reached};
use crate::engine::search::Reach;
use crate::engine::{Engine, EngineError, Event, Job};
use crate::keys::rotation::REMAINDER;
use crate::keys::{KeyStatus, RotationRecord};

/// What [`Engine::rotate`] is to do.
pub struct Rotation<'a> {
    /// The database and the plan.
    pub database: Database<'a>,
    /// What there is to rotate.
    pub outlook: Outlook,
    /// The reason, for the record.
    pub reason: String,
    /// Make a new key in any case, as in [`RotationRequest`].
    pub new_key: bool,
    /// Work on the other tables if a table is refused; the records then stay open.
    pub keep_going: bool,
    /// How long applications may go on with the keys they have loaded.
    pub grace: Duration,
}

impl Rotation<'_> {
    /// The request to begin it.
    pub(super) fn request(&self) -> RotationRequest {
        let outlook = self.outlook.clone();
        RotationRequest {
            keys: outlook.keys,
            reason: self.reason.clone(),
            new_key: self.new_key,
            since: outlook.since,
            open: outlook.open,
        }
    }
}

/// What was done, and what could not be done.
#[derive(Debug)]
pub struct Rotated {
    /// What was finished.
    pub finished: Finished,
    /// Whether rotations were finished that had begun earlier.
    pub resumed: bool,
    /// Registered tables that no longer exist; it is unknown what is sealed in them.
    pub gone: Vec<String>,
    /// Why a table was not worked on. If there is a reason, the records stay open.
    pub refused: Option<JobsError>,
    /// How long it took.
    pub seconds: f64,
}

impl Rotated {
    /// Whether a closed record leaves values under its old key.
    #[must_use]
    pub fn leaves_values(&self) -> bool {
        let leaves = |record: &RotationRecord| record.outcome.as_deref() == Some(REMAINDER);
        self.finished.closed.iter().any(leaves)
    }

    /// The outcome of all closed records together.
    #[must_use]
    pub fn outcome(&self) -> Option<&str> {
        match self.leaves_values() {
            true => Some(REMAINDER),
            false => self.finished.closed.first()?.outcome.as_deref(),
        }
    }
}

impl Engine {
    /// Finishes the unfinished rotations, or else begins and finishes one of the outlook's keys.
    /// `None` if nothing is to be done, because another process finished it meanwhile.
    ///
    /// # Errors
    /// What refuses tables: without `keep_going`, any of them; with it, all of them. What stops a
    /// run; the same call resumes.
    pub async fn rotate(&self, rotation: &Rotation<'_>) -> Result<Option<Rotated>, JobsError> {
        let outlook = &rotation.outlook;
        let purpose = RunPurpose::Rotate {
            indexes: outlook.indexes,
        };
        let (database, events) = (&rotation.database, self.events.as_ref());
        let mut reached = match rotation.keep_going {
            true => database.able_registered(purpose, events).await?,
            false => database.all_registered(purpose, events).await?,
        };
        if reached.jobs.is_empty()
            && let Some(refused) = reached.refused.take()
        {
            return Err(refused);
        }
        let begun = self.stop.clock().now();
        let mut open = self.unfinished().await?;
        if open.is_empty() && outlook.keys.is_empty() {
            return Ok(None);
        }
        let resumed = !open.is_empty();
        if resumed {
            self.notice("finishing the rotation that was interrupted");
        } else {
            open = self.begin_noted(&reached.jobs, rotation).await?;
        }
        let (reach, grace) = (Reach::default(), rotation.grace);
        let mut rotated = self.finish_open(&open, reached, &reach, grace).await?;
        rotated.resumed = resumed;
        rotated.seconds = self.stop.clock().since(begun).as_secs_f64();
        Ok(Some(rotated))
    }

    /// Begins the rotation, and says so if it makes no new key.
    async fn begin_noted(
        &self,
        jobs: &[Job],
        rotation: &Rotation<'_>,
    ) -> Result<Vec<RotationRecord>, EngineError> {
        let request = rotation.request();
        let before = self.store.key_records().await?;
        let started = self.begin_rotation(jobs, &request).await?;
        let was_active = |record: &RotationRecord| {
            let to = (before.iter()).find(|key| Some(key.key_id) == record.to_key_id);
            to.is_some_and(|key| key.status == KeyStatus::Active)
        };
        if started.iter().any(was_active) {
            self.notice(
                "the last rotation left values behind: they are tried again, under the key that is active; --new-key makes \
                 another",
            );
        }
        Ok(started)
    }

    /// Finishes rotations that have begun: those of cell keys, then those of blind index keys.
    ///
    /// # Errors
    /// What stops a run; the same call resumes.
    pub(in crate::engine) async fn finish_open(
        &self,
        open: &[RotationRecord],
        reached: Reached,
        reach: &Reach,
        grace: Duration,
    ) -> Result<Rotated, EngineError> {
        let begun = self.stop.clock().now();
        let keys = self.store.key_records().await?;
        let is_of_cells = |record: &RotationRecord| {
            let to = keys.iter().find(|key| Some(key.key_id) == record.to_key_id);
            to.is_some_and(|key| key.purpose == Purpose::Cell)
        };
        // A record that another process has finished is reported as it is.
        let (closed, open_now): (Vec<_>, Vec<_>) =
            (open.iter().cloned()).partition(|record| record.finished_at.is_some());
        let (cells, indexes): (Vec<_>, Vec<_>) = open_now.into_iter().partition(is_of_cells);
        let mut all = Finished {
            closed,
            from: open.iter().filter_map(|one| one.from_key_id).collect(),
            ..Finished::default()
        };
        let part = |open| Finish {
            jobs: &reached.jobs,
            open,
            table_missing: !reached.gone.is_empty(),
            stays_open: reached.refused.is_some(),
            reach,
        };
        if !cells.is_empty() {
            let done = self.finish_rotation(&part(&cells)).await?;
            all.closed.extend(done.closed);
            all.done.merge(done.done);
            all.from.extend(done.from);
            all.beyond = done.beyond;
        }
        if !indexes.is_empty() {
            let done = self.finish_reindex(&part(&indexes), grace).await?;
            all.closed.extend(done.closed);
            all.done.merge(done.done);
        }
        all.closed.sort_by_key(|record| record.history_id);
        Ok(Rotated {
            finished: all,
            resumed: false,
            gone: reached.gone,
            refused: reached.refused,
            seconds: self.stop.clock().since(begun).as_secs_f64(),
        })
    }

    fn notice(&self, text: &str) {
        self.events.emit(Event::Notice {
            text: text.to_owned(),
        });
    }
}
