//! Rotation: one key version takes over from another, and every value follows.
//! Owns the order that is safe (how one begins is in `begin`): the new key is durable and proven; one transaction makes it active
//! and the old one deactivated; everything older is re-sealed by the one run loop; older
//! transactions are waited for; a census proves what is left; the record is closed. Interrupted
//! anywhere, the open record says what is to be finished, and nothing new is begun before.

mod begin;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::census::{self, Census};
use super::columns::Columns;
use super::error::EngineError;
use super::events::Event;
use super::report::Tallied;
use super::retry::Patience;
use super::steps::rotate::Rotate;
use super::{Engine, FieldSpec, Job};
use crate::crypto::KeyId;
use crate::keys::rotation::{COMPLETE, REMAINDER};
use crate::keys::{KeyFor, KeyRecord, RotationEnd, RotationKind, RotationRecord};
use crate::run::audit;
use crate::store::{Next, OpenTransaction, RunKind, Select, StoreError, Target};
use whose::{Whose, older_keys, rotation_of_each};

/// How often a table is worked on again because something older was written meanwhile.
const ROUNDS_MAX: u32 = 10;
/// Between two looks at transactions that are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What is to be rotated, and why.
#[derive(Debug, Clone)]
pub struct Order {
    /// Whose keys; each must have an active one, but for a compromised one.
    pub keys: Vec<KeyFor>,
    /// Rotation or compromise.
    pub kind: RotationKind,
    /// The compromised key.
    pub compromised: Option<KeyId>,
    /// Why, for the record.
    pub reason: String,
    /// The newest record when it was given, 0 for none: a rotation with a later one is this one,
    /// begun by another process. A number and not a time, since clocks jump.
    pub since: i64,
    /// Records that were unfinished when it was given: it joins these, also where another process
    /// finishes them before it gets there.
    pub open: BTreeSet<i64>,
}

/// What a rotation did.
#[derive(Debug)]
pub struct RotationReport {
    /// Its records, closed.
    pub records: Vec<RotationRecord>,
    /// What this invocation did.
    pub done: Tallied,
    /// It finished what was begun before.
    pub resumed: bool,
    /// Older keys under which values were left at the beginning of this invocation, or now.
    pub from: BTreeSet<KeyId>,
    /// How long it took, seconds.
    pub seconds: f64,
}

impl Engine {
    /// The rotations that are unfinished.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn unfinished(&self) -> Result<Vec<RotationRecord>, EngineError> {
        let records = self.store.rotations(0).await?;
        Ok(records
            .into_iter()
            .filter(|record| record.finished_at.is_none() && record.kind != RotationKind::Rewrap)
            .collect())
    }

    /// Finishes rotations that are begun: re-seals, waits, counts, closes the records.
    ///
    /// # Errors
    /// What stops a run; the same call resumes.
    pub async fn finish_rotation(
        &self,
        jobs: &[Job],
        open: &[RotationRecord],
    ) -> Result<(Vec<RotationRecord>, Tallied, BTreeSet<KeyId>), EngineError> {
        self.reload().await?;
        let records = self.store.key_records().await?;
        let old = older_keys(&records, open);
        let mut done = Tallied::default();
        let jobs: Vec<Job> = jobs.iter().map(without_indexes).collect();
        let mut open_before = self.store.open_transactions().await?;
        for round in 0.. {
            for job in &jobs {
                if round == 0 || self.is_any_left(job, &old).await? {
                    done.merge(self.reseal(job, &old, &records, open).await?);
                }
            }
            if round > 0 && open_before.is_empty() {
                break;
            }
            self.wait_until_gone(&mut open_before).await?;
            if round >= ROUNDS_MAX {
                return Err(EngineError::NotConverging {
                    table: "rotation".to_owned(),
                    rows: 0,
                    passes: u64::from(round),
                    held: String::new(),
                });
            }
            if !self.anything_to_do(&jobs, &old).await? {
                break;
            }
        }
        self.reseal_quarantine(&old).await?;
        let targets: Vec<Target> = jobs.iter().map(|job| job.target.clone()).collect();
        let census = census::take(self.store.as_ref(), &targets).await?;
        let closed = self.close(open, &records, &census).await?;
        let from = open
            .iter()
            .filter_map(|record| record.from_key_id)
            .chain(old.into_iter().filter(|id| census.contains_key(id)))
            .chain(done.seen.under.iter().copied())
            .collect();
        Ok((closed, done, from))
    }

    /// Waits until every transaction that is open now has ended: whatever one of them saw of a key before
    /// its state changed, nobody acts on it any more.
    ///
    /// # Errors
    /// [`EngineError::OldTransaction`] with the one that does not end, [`EngineError::Interrupted`].
    pub async fn outlive_transactions(&self) -> Result<(), EngineError> {
        let mut open = self.store.open_transactions().await?;
        self.wait_until_gone(&mut open).await
    }

    /// What is left of a transaction's time before it is given up: named, not waited for without end.
    pub(super) async fn wait_until_gone(
        &self,
        before: &mut Vec<OpenTransaction>,
    ) -> Result<(), EngineError> {
        let begun = Instant::now();
        loop {
            if before.is_empty() {
                return Ok(());
            }
            let now = self.store.open_transactions().await?;
            before.retain(|one| now.iter().any(|other| other.id == one.id));
            let Some(first) = before.first() else {
                self.events.emit(Event::GoingOn);
                return Ok(());
            };
            if self.stop.is_wished() {
                return Err(EngineError::Interrupted);
            }
            if begun.elapsed() >= self.settings.patience {
                return Err(EngineError::OldTransaction {
                    who: first.who.clone(),
                });
            }
            self.events.emit(Event::Waiting {
                why: format!("an older transaction: {}", first.who),
            });
            self.stop.sleep(LOOK_EVERY).await;
        }
    }

    /// Takes over what the key table says now.
    pub(super) async fn reload(&self) -> Result<(), EngineError> {
        let records = self.store.key_records().await?;
        self.tenants
            .keyring
            .refresh(&records, self.tenants.provider.as_ref())
            .await
            .map_err(EngineError::Keys)
    }

    /// Waits a little where a lock was not granted.
    pub(super) async fn wait_for(
        &self,
        error: &StoreError,
        patience: &mut Patience,
    ) -> Result<(), EngineError> {
        if matches!(error.next(), Next::Stop | Next::Bisect) {
            return Err(error.clone().into());
        }
        if self.stop.is_wished() {
            return Err(EngineError::Interrupted);
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
        let target = Arc::new(job.target.clone());
        let columns = Arc::new(Columns::new(&job.target.label, job.fields.clone()));
        let step = Rotate::new(Arc::clone(&target), Arc::clone(&columns), old);
        let rotations = rotation_of_each(records, open);
        let report = self
            .run(job, target, columns, Arc::new(step), rotations)
            .await?;
        let mut done = report.done;
        done.resumed |= report.resumed;
        Ok(done)
    }

    async fn is_any_left(&self, job: &Job, old: &[KeyId]) -> Result<bool, EngineError> {
        let select = Select::SealedUnder { keys: old.into() };
        for relation in self.store.relations(&job.target).await? {
            if self.store.any_left(&job.target, &relation, &select).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether more is left than the rows that are listed.
    async fn anything_to_do(&self, jobs: &[Job], old: &[KeyId]) -> Result<bool, EngineError> {
        for job in jobs {
            if !self.is_any_left(job, old).await? {
                continue;
            }
            let mut left = 0;
            for count in census::of_table(self.store.as_ref(), &job.target).await? {
                if count.key_id.is_some_and(|id| old.contains(&id)) {
                    left += count.values;
                }
            }
            let listed = self.store.quarantined(Some(&job.target.label)).await?;
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
    ) -> Result<Vec<RotationRecord>, EngineError> {
        let whose = Whose::new(records);
        let left = |id: &KeyId| census.get(id).copied().unwrap_or_default();
        let ends: Vec<RotationEnd> = open
            .iter()
            .map(|one| {
                let older = whose.older(one);
                let counts: BTreeMap<String, u64> = older
                    .iter()
                    .chain(&one.to_key_id)
                    .map(|id| (id.to_string(), left(id)))
                    .collect();
                RotationEnd {
                    history_id: one.history_id,
                    census: json!(counts).to_string(),
                    outcome: if older.iter().any(|id| left(id) > 0) {
                        REMAINDER
                    } else {
                        COMPLETE
                    },
                }
            })
            .collect();
        let closed = self.store.finish_rotations(&ends).await?;
        self.note_rotations("rotate.end", &closed).await?;
        Ok(closed)
    }

    /// Writes rotations down in the audit chain: each by itself, or, of many tenants, together.
    pub(super) async fn note_rotations(
        &self,
        action: &str,
        records: &[RotationRecord],
    ) -> Result<(), EngineError> {
        const EACH_MAX: usize = 20;
        if records.len() <= EACH_MAX {
            for record in records {
                self.note_rotation(action, record).await?;
            }
            return Ok(());
        }
        let ids = || records.iter().map(|record| record.history_id);
        let sum = |of: fn(&RotationRecord) -> i64| records.iter().map(of).sum::<i64>();
        let subject = json!({
            "rotations": records.len(),
            "history_ids": [ids().min(), ids().max()],
            "kind": records.first().map(|record| record.kind.as_str()),
            "reason": records.first().map(|record| record.reason.as_str()),
            "rows_found": sum(|one| one.counts.rows_found),
            "rows_resealed": sum(|one| one.counts.rows_resealed),
            "conflicts": sum(|one| one.counts.conflicts),
            "quarantined": sum(|one| one.counts.quarantined),
            "remainders": records
                .iter()
                .filter(|one| one.outcome.as_deref() == Some(REMAINDER))
                .count(),
        });
        self.append(action, &subject).await
    }

    async fn note_rotation(
        &self,
        action: &str,
        record: &RotationRecord,
    ) -> Result<(), EngineError> {
        let subject = json!({
            "history_id": record.history_id,
            "kind": record.kind.as_str(),
            "from_key_id": record.from_key_id.map(|id| id.get()),
            "to_key_id": record.to_key_id.map(|id| id.get()),
            "reason": record.reason,
            "rows_found": record.counts.rows_found,
            "rows_resealed": record.counts.rows_resealed,
            "conflicts": record.counts.conflicts,
            "quarantined": record.counts.quarantined,
            "outcome": record.outcome,
        });
        self.append(action, &subject).await
    }

    async fn append(&self, action: &str, subject: &serde_json::Value) -> Result<(), EngineError> {
        let (store, keyring) = (self.store.as_ref(), &self.tenants.keyring);
        audit::append(store, keyring, &self.tenants.actor, action, subject).await?;
        Ok(())
    }

    /// Row keys in quarantine that are sealed under older keys.
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

/// A job that leaves blind indexes alone: a value sealed again keeps its index.
fn without_indexes(job: &Job) -> Job {
    let mut job = job.clone();
    for field in &mut job.target.fields {
        field.index = None;
        field.index_next = None;
    }
    job.fields = job
        .fields
        .into_iter()
        .map(|spec| FieldSpec {
            index: None,
            ..spec
        })
        .collect();
    job
}
