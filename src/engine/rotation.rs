//! Finishes a key rotation: re-seals every value that is sealed under a superseded key. How a
//! rotation begins is in `begin`, what there is to rotate in `outlook`, what it would do in `ahead`, and the way from beginning
//! to end in `whole`.
//! Owns the safe order. In `begin`, the new key is stored and read back, and one transaction
//! activates it and deactivates the old key. Here, the run loop re-seals everything older; the
//! rotation waits for older transactions; a census counts the values that are left; the record is
//! closed. After an interruption at any point the open record says what is still to be done. Until
//! it is closed no new rotation of that key begins: another request joins it.

mod ahead;
mod begin;
mod notes;
mod outlook;
pub(super) mod superseded;
mod whole;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;

use super::census::{self, Census};
use super::error::EngineError;
use super::events::Event;
use super::report::Tallied;
use super::retry::Patience;
use super::search::{Reach, Searched};
use super::steps::rotate::Rotate;
use super::wait::Waiting;
use super::{Engine, Job};
use crate::crypto::KeyId;
use crate::keys::rotation::{COMPLETE, REMAINDER};
use crate::keys::{KeyRecord, RotationEnd, RotationKind, RotationRecord};
use crate::store::{Access, Next, OpenTransaction, RunKind, Select, StoreError};
use superseded::{KeyIndex, older_keys, rotation_of_each};

pub use ahead::RotationAhead;
pub use begin::RotationRequest;
pub use outlook::{KeySelection, Outlook};
pub use whole::{Rotated, Rotation};

/// At most this many rounds over the tables after the first one. Each is needed because somebody
/// wrote values under a superseded key meanwhile.
const ROUNDS_MAX: u32 = 10;

/// What [`Engine::finish_rotation`] is to finish.
#[derive(Debug, Clone, Copy)]
pub struct Finish<'a> {
    /// The registered tables that can be worked on.
    pub jobs: &'a [Job],
    /// The open rotation records.
    pub open: &'a [RotationRecord],
    /// A registered table does not exist, so its values could not be counted.
    pub table_missing: bool,
    /// A registered table could not be worked on, so the records stay open.
    pub stays_open: bool,
    /// How far the database is searched for values under a compromised key.
    pub reach: &'a Reach,
}

/// What [`Engine::finish_rotation`] has done.
#[derive(Debug, Default)]
pub struct Finished {
    /// The records that were closed.
    pub closed: Vec<RotationRecord>,
    /// The counts of this invocation.
    pub done: Tallied,
    /// The keys that the open records replace, and every other superseded key under which this
    /// invocation met values or the census still counts some.
    pub from: BTreeSet<KeyId>,
    /// What the search of the whole database found under compromised keys.
    pub beyond: Beyond,
}

/// What a search of the whole database found; `None` if none was made.
#[derive(Debug, Default)]
pub struct Beyond(pub Option<Searched>);

impl Beyond {
    /// Whether values are left in some place, or a place could not be searched.
    fn leaves_values(&self) -> bool {
        let left = |found: &Searched| !(found.hits.is_empty() && found.closed.is_empty());
        self.0.as_ref().is_some_and(left)
    }
}

impl Engine {
    /// The rotation records that are not finished, without rewraps.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn unfinished(&self) -> Result<Vec<RotationRecord>, EngineError> {
        let mut records = self.store.rotations(0).await?;
        records.retain(outlook::is_unfinished);
        Ok(records)
    }

    /// Finishes rotations that have begun: re-seals, waits for older transactions, takes a census,
    /// closes the records. If a table fails, or another run on it is unfinished, the other tables
    /// are still processed. In that case, and if `stays_open` is set, the records stay open.
    ///
    /// # Errors
    /// What stops a run; if several tables failed, the most serious error. The same call resumes.
    pub async fn finish_rotation(&self, finish: &Finish<'_>) -> Result<Finished, EngineError> {
        let open = finish.open;
        self.reload().await?;
        let mut jobs = Vec::new();
        let mut blocked = None;
        for job in finish.jobs {
            // A guard of an earlier version would undo what this run writes. `prepare` also records
            // new partitions.
            match self.store.prepare(&job.table).await {
                Ok(()) => jobs.push(job.clone()),
                Err(error) => self.passed_over(job, error.into(), &mut blocked)?,
            }
        }
        let records = self.store.key_records().await?;
        let old = older_keys(&records, open);
        let mut finished = Finished::default();
        let mut open_before = self.store.open_transactions().await?;
        for round in 0.. {
            for job in std::mem::take(&mut jobs) {
                if round == 0 || self.is_any_left(&job, &old).await? {
                    match self.reseal(&job, &old, &records, open).await {
                        Ok(done) => finished.done.merge(done),
                        Err(error) => {
                            self.passed_over(&job, error, &mut blocked)?;
                            continue;
                        }
                    }
                }
                jobs.push(job);
            }
            if round > 0 && open_before.is_empty() {
                break;
            }
            self.wait_until_gone(&mut open_before).await?;
            if round >= ROUNDS_MAX {
                return Err(EngineError::Unending {
                    what: "the rotation",
                    rounds: round,
                });
            }
            if !self.anything_to_do(&jobs, &old).await? {
                break;
            }
        }
        self.reseal_quarantine(&old).await?;
        if let Some(blocked) = blocked {
            return Err(blocked);
        }
        let tables: Vec<Access> = jobs.iter().map(Job::access).collect();
        let census = census::take(self.store.as_ref(), &tables).await?;
        self.search_compromised(finish, &mut finished).await?;
        if !finish.stays_open {
            let missed = finish.table_missing || finished.beyond.leaves_values();
            finished.closed = self.close(open, &records, &census, missed).await?;
        }
        finished.from = open
            .iter()
            .filter_map(|record| record.from_key_id)
            .chain(old.into_iter().filter(|id| census.contains_key(id)))
            .chain(finished.done.seen.under.iter().copied())
            .collect();
        Ok(finished)
    }

    /// Reports that a table failed. The other tables go on, unless the error would stop them too.
    pub(super) fn passed_over(
        &self,
        job: &Job,
        error: EngineError,
        blocked: &mut Option<EngineError>,
    ) -> Result<(), EngineError> {
        let ends_all = error.ends_all();
        if !ends_all {
            self.table_failed(job, &error);
        }
        let worst = match blocked.take() {
            Some(other) => other.worse(error),
            None => error,
        };
        if ends_all {
            return Err(worst);
        }
        *blocked = Some(worst);
        Ok(())
    }

    /// Searches the whole database for values under the compromised keys.
    pub(super) async fn search_compromised(
        &self,
        finish: &Finish<'_>,
        finished: &mut Finished,
    ) -> Result<(), EngineError> {
        let keys: Vec<KeyId> = finish
            .open
            .iter()
            .filter(|record| record.kind == RotationKind::Compromise)
            .filter_map(|record| record.from_key_id)
            .collect();
        if !keys.is_empty() && !finish.reach.registered_only {
            finished.beyond = Beyond(Some(self.search(&keys, finish.reach).await?));
        }
        Ok(())
    }

    /// Waits until every transaction that is open now has ended.
    ///
    /// # Errors
    /// As [`Waiting::outlive_all`].
    pub async fn outlive_transactions(&self) -> Result<(), EngineError> {
        self.waiting().outlive_all().await
    }

    pub(super) async fn wait_until_gone(
        &self,
        before: &mut Vec<OpenTransaction>,
    ) -> Result<(), EngineError> {
        self.waiting().until_gone(before).await
    }

    fn waiting(&self) -> Waiting<'_> {
        Waiting {
            store: self.store.as_ref(),
            events: self.events.as_ref(),
            stop: &self.stop,
            patience: self.settings.patience,
        }
    }

    /// Loads the keys again from the key table.
    pub(super) async fn reload(&self) -> Result<(), EngineError> {
        let records = self.store.key_records().await?;
        self.tenants
            .keyring
            .refresh(&records, self.tenants.provider.as_ref())
            .await
            .map_err(EngineError::Keys)
    }

    /// Pauses after a lock was not granted; returns the error if a retry cannot help or took too
    /// long.
    pub(super) async fn wait_for(
        &self,
        error: &StoreError,
        patience: &mut Patience,
    ) -> Result<(), EngineError> {
        if matches!(error.next(), Next::Stop | Next::Bisect) {
            return Err(error.clone().into());
        }
        if self.stop.is_requested() {
            return Err(EngineError::interrupted());
        }
        let who = self.store.open_transactions().await.unwrap_or_default();
        let Some(pause) = patience.after(error) else {
            return Err(match who.first() {
                Some(first) => EngineError::OldTransaction {
                    who: first.who.clone(),
                },
                None => error.clone().into(),
            });
        };
        self.events.emit(Event::Waiting {
            why: who.first().map_or_else(
                || error.to_string(),
                |first| format!("{error}: {}", first.who),
            ),
        });
        self.stop.sleep(pause).await;
        Ok(())
    }

    async fn reseal(
        &self,
        job: &Job,
        old: &[KeyId],
        records: &[KeyRecord],
        open: &[RotationRecord],
    ) -> Result<Tallied, EngineError> {
        let step = Rotate::new(job, old);
        let rotations = rotation_of_each(records, open);
        let report = self.run(job, Arc::new(step), rotations).await?;
        let mut done = report.done;
        done.resumed |= report.resumed;
        Ok(done)
    }

    async fn is_any_left(&self, job: &Job, old: &[KeyId]) -> Result<bool, EngineError> {
        let select = Select::SealedUnder { keys: old.into() };
        let access = job.access();
        for relation in self.store.relations(&access).await? {
            if self.store.any_left(&access, &relation, &select).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether more values are left under superseded keys than the quarantine lists.
    async fn anything_to_do(&self, jobs: &[Job], old: &[KeyId]) -> Result<bool, EngineError> {
        for job in jobs {
            if !self.is_any_left(job, old).await? {
                continue;
            }
            let mut left = 0;
            for count in census::of_table(self.store.as_ref(), &job.access()).await? {
                if count.key_id.is_some_and(|id| old.contains(&id)) {
                    left += count.values;
                }
            }
            let listed = self.store.quarantined(Some(&job.table.label)).await?;
            let listed = listed.iter().filter(|row| {
                row.row.step == RunKind::Rotate.as_str() && row.row.column_label.is_some()
            });
            if left > listed.count() as u64 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn close(
        &self,
        open: &[RotationRecord],
        records: &[KeyRecord],
        census: &Census,
        missed: bool,
    ) -> Result<Vec<RotationRecord>, EngineError> {
        let key_index = KeyIndex::new(records);
        let left = |id: &KeyId| census.get(id).copied().unwrap_or_default();
        let ends: Vec<RotationEnd> = open
            .iter()
            .map(|one| {
                let older = key_index.older(one);
                let counts: BTreeMap<String, u64> = older
                    .iter()
                    .chain(&one.to_key_id)
                    .map(|id| (id.to_string(), left(id)))
                    .collect();
                RotationEnd {
                    history_id: one.history_id,
                    census: json!(counts).to_string(),
                    outcome: if missed || older.iter().any(|id| left(id) > 0) {
                        REMAINDER
                    } else {
                        COMPLETE
                    },
                }
            })
            .collect();
        let note = self.rotation_note("rotate.end");
        Ok(self.store.finish_rotations(&ends, &note).await?)
    }

    /// Seals again the row keys in quarantine that are sealed under superseded keys.
    async fn reseal_quarantine(&self, old: &[KeyId]) -> Result<(), EngineError> {
        let own = self.tenants.own()?;
        let rows: Vec<_> = self
            .store
            .quarantined(None)
            .await?
            .iter()
            .filter(|row| KeyId::new(row.row.key_id).is_some_and(|id| old.contains(&id)))
            .filter_map(|row| super::quarantine::reseal(&self.tenants.keyring, &own, row))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        Ok(self.store.reseal_quarantine(&rows).await?)
    }
}
