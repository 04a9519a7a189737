//! How a rotation begins: new keys are made and proven, and one transaction makes them active.
//! Owns the rule that two processes which begin the same rotation at once begin one: the second
//! joins the first.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::error::EngineError;
use super::super::{Engine, Job};
use super::superseded::superseded_keys;
use crate::crypto::{KeyId, Purpose};
use crate::keys::rotation::REMAINDER;
use crate::keys::{
    Due, Handover, Issuer, Key, KeyError, KeyFor, KeyRecord, KeyStatus, RotationKind,
    RotationRecord, Unnoted,
};
use crate::run::holder::{self, Process};
use crate::store::RunKind;

/// A request to rotate keys.
#[derive(Debug, Clone)]
pub struct RotationRequest {
    /// The tenants and purposes whose keys are rotated; each must have an active key.
    pub keys: Vec<KeyFor>,
    /// The reason, for the record.
    pub reason: String,
    /// Make a new key in any case. If this is false and the last rotation left values behind, they
    /// are re-sealed under the key that is active now, and no new key is made.
    pub new_key: bool,
    /// The `history_id` of the newest record when the request was made, or 0. If the rotation that
    /// made the active key has a higher `history_id`, another process began it after this request
    /// was made, and this request joins it. (A number and not a time, since clocks jump.)
    pub since: i64,
    /// Records that were unfinished when the request was made. The request joins them, even if
    /// another process finishes them first.
    pub open: BTreeSet<i64>,
}

impl Engine {
    /// Makes new keys, proves them, and begins the rotation to them, with one record for each key.
    /// If another process has just begun the same rotation, returns its records.
    ///
    /// # Errors
    /// A key that may not seal, a live run of another kind, what issuing a key reports.
    pub async fn begin_rotation(
        &self,
        jobs: &[Job],
        order: &RotationRequest,
    ) -> Result<Vec<RotationRecord>, EngineError> {
        self.refuse_live_runs(jobs).await?;
        let mut patience = self.patience();
        let mut olds: Option<BTreeSet<KeyId>> = None;
        loop {
            let records = self.store.key_records().await?;
            let froms = superseded_keys(&records, order)?;
            let fresh = self.begun_since(&froms, order).await?;
            if !fresh.is_empty() {
                return self.join_and_begin(jobs, &records, order, fresh).await;
            }
            let ids: BTreeSet<KeyId> = froms.iter().map(|from| from.key_id).collect();
            // Another process has rotated these keys since the first attempt: join its rotation.
            if let Some(first) = &olds
                && *first != ids
            {
                return self.joined(first).await;
            }
            olds.get_or_insert(ids);
            let Some((handovers, keys)) = self.handovers(&froms, order).await? else {
                continue;
            };
            // The audit entry is made under the new key.
            let note = self.rotation_note("rotate.begin").under(&keys);
            let (due, actor) = (self.tenants.due, &self.tenants.actor);
            let begun = self
                .store
                .begin_rotations(&handovers, due, actor, &note)
                .await;
            match begun {
                Ok(Some(ids)) => {
                    self.reload().await?;
                    return self.by_number(&ids).await;
                }
                Ok(None) => return self.joined(&olds.unwrap_or_default()).await,
                Err(error) => self.wait_for(&error, &mut patience).await?,
            }
        }
    }

    /// Refuses if a live worker holds a lane of a run of another kind: that run would fail, since
    /// its key is no longer active. An interrupted run does not matter: the old key still opens
    /// values, and when the run resumes it seals under the new key.
    pub(super) async fn refuse_live_runs(&self, jobs: &[Job]) -> Result<(), EngineError> {
        let this = Process::this();
        for job in jobs {
            let open = self.open_run_of_others(&job.table.label).await?;
            let Some(run) =
                open.filter(|run| !matches!(run.kind, RunKind::Rotate | RunKind::Reindex))
            else {
                continue;
            };
            let lanes = self.store.lanes(run.run_id).await?;
            let live = lanes
                .iter()
                .filter(|lane| lane.lease_left_seconds.is_some_and(|left| left > 0.0))
                .filter_map(|lane| lane.holder.as_deref())
                .find(|name| !this.is_dead(name));
            if let Some(name) = live {
                return Err(EngineError::OtherRun {
                    kind: run.kind.to_string(),
                    table: run.table_label,
                    why: format!("it is under way, held by {}", holder::describe(name)),
                });
            }
        }
        Ok(())
    }

    /// Rotations to the currently active keys that another process began after the request was
    /// made, or that were unfinished then.
    async fn begun_since(
        &self,
        froms: &[KeyRecord],
        order: &RotationRequest,
    ) -> Result<Vec<RotationRecord>, EngineError> {
        let active: BTreeSet<KeyId> = froms.iter().map(|from| from.key_id).collect();
        let limit = u32::try_from(froms.len()).unwrap_or(u32::MAX);
        let mut records = self.store.rotations(limit.saturating_add(10)).await?;
        records.retain(|record| {
            record.to_key_id.is_some_and(|to| active.contains(&to))
                && (record.finished_at.is_none()
                    || record.history_id > order.since
                    || order.open.contains(&record.history_id))
        });
        Ok(records)
    }

    /// Joins these rotations, and begins the rest of the request.
    async fn join_and_begin(
        &self,
        jobs: &[Job],
        records: &[KeyRecord],
        order: &RotationRequest,
        mut joined: Vec<RotationRecord>,
    ) -> Result<Vec<RotationRecord>, EngineError> {
        self.reload().await?;
        let taken: BTreeSet<KeyId> = joined.iter().filter_map(|one| one.to_key_id).collect();
        let is_taken = |whom: &KeyFor| {
            records.iter().any(|record| {
                taken.contains(&record.key_id)
                    && record.tenant == whom.tenant
                    && record.purpose == whom.purpose
            })
        };
        let mut rest = order.clone();
        rest.keys.retain(|whom| !is_taken(whom));
        if !rest.keys.is_empty() {
            joined.extend(Box::pin(self.begin_rotation(jobs, &rest)).await?);
        }
        Ok(joined)
    }

    /// The handovers from old to new keys, and the new keys; `None` if the key table changed
    /// meanwhile.
    async fn handovers(
        &self,
        froms: &[KeyRecord],
        order: &RotationRequest,
    ) -> Result<Option<(Vec<Handover>, Vec<Arc<Key>>)>, EngineError> {
        let issuer = Issuer {
            table: self.store.as_ref(),
            provider: self.tenants.provider.as_ref(),
            actor: &self.tenants.actor,
            reason: Some(&order.reason),
            due: self.tenants.due,
            scribe: &Unnoted,
        };
        let again = self.remainders(froms, order).await?;
        let (left, froms): (Vec<&KeyRecord>, Vec<&KeyRecord>) =
            (froms.iter()).partition(|from| again.iter().any(|one| one.to == from.key_id));
        let keys = self.tenants.keyring.snapshot();
        let taking = left
            .iter()
            .filter_map(|key| keys.active(&key.tenant, key.purpose));
        let mut signers: Vec<Arc<Key>> = taking.cloned().collect();
        let mut handovers = again;
        if froms.is_empty() {
            return Ok(Some((handovers, signers)));
        }
        let froms: Vec<KeyRecord> = froms.into_iter().cloned().collect();
        let Some(successors) = issuer.successors(&froms).await? else {
            return Ok(None);
        };
        for (from, to) in froms.iter().zip(&successors) {
            // The old blind index key stays active until the new column is filled: see `reindex`.
            let later = from.purpose == Purpose::BlindIndex;
            handovers.push(Handover {
                from: from.key_id,
                from_is: from.status,
                from_becomes: if later {
                    from.status
                } else {
                    KeyStatus::Deactivated
                },
                to: to.key_id(),
                to_is: KeyStatus::PreActive,
                to_becomes: if later {
                    KeyStatus::PreActive
                } else {
                    KeyStatus::Active
                },
                kind: RotationKind::Rotate,
                reason: order.reason.clone(),
            });
        }
        signers.extend(successors);
        Ok(Some((handovers, signers)))
    }

    /// Handovers to the key that is already active, where the last rotation to it left values
    /// behind and the key is not due. The values that are left go to that key, and no new key is
    /// made.
    pub(super) async fn remainders(
        &self,
        froms: &[KeyRecord],
        order: &RotationRequest,
    ) -> Result<Vec<Handover>, EngineError> {
        let mut handovers = Vec::new();
        if order.new_key {
            return Ok(handovers);
        }
        let now = self.store.audit_head().await?.now;
        let keys = self.store.key_records().await?;
        let rotations = self.store.rotations(u32::MAX).await?;
        for key in froms.iter().filter(|key| key.purpose == Purpose::Cell) {
            let is_due = matches!(Due::of(key, &now), Some(Due::Overdue(_) | Due::Unreadable));
            let last = (rotations.iter())
                .filter(|one| one.to_key_id == Some(key.key_id))
                .max_by_key(|one| one.history_id)
                .filter(|one| one.outcome.as_deref() == Some(REMAINDER) && !is_due);
            let from =
                last.and_then(|one| keys.iter().find(|key| Some(key.key_id) == one.from_key_id));
            // If the old key was compromised, `keys compromise` deals with its values.
            let Some(from) = from.filter(|from| from.status == KeyStatus::Deactivated) else {
                continue;
            };
            handovers.push(Handover {
                from: from.key_id,
                from_is: from.status,
                from_becomes: from.status,
                to: key.key_id,
                to_is: key.status,
                to_becomes: key.status,
                kind: RotationKind::Rotate,
                reason: order.reason.clone(),
            });
        }
        Ok(handovers)
    }

    /// The rotations that another process began from these keys.
    async fn joined(&self, from: &BTreeSet<KeyId>) -> Result<Vec<RotationRecord>, EngineError> {
        self.reload().await?;
        let limit = u32::try_from(from.len())
            .unwrap_or(u32::MAX)
            .saturating_add(10);
        let records = self.store.rotations(limit).await?;
        let ours: Vec<RotationRecord> = records
            .into_iter()
            .filter(|record| record.from_key_id.is_some_and(|id| from.contains(&id)))
            .collect();
        if ours.is_empty() {
            return Err(KeyError::NoneActive {
                purpose: Purpose::Cell,
            }
            .into());
        }
        Ok(ours)
    }

    pub(in crate::engine) async fn by_number(
        &self,
        ids: &[i64],
    ) -> Result<Vec<RotationRecord>, EngineError> {
        let ids: BTreeSet<i64> = ids.iter().copied().collect();
        let mut records = self.store.rotations(0).await?;
        records.retain(|record| ids.contains(&record.history_id));
        records.sort_by_key(|record| record.history_id);
        Ok(records)
    }
}
