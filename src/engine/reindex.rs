//! The rotation of a blind index key: a new column is filled beside the old, then takes its place.
//! Owns the order: columns and guard; fill by the run loop; indexes; the grace in which every
//! application learns of the new key; one switch of columns and keys over all tables; and, after
//! the grace once more, a check of every index, for what was written by those who did not know yet.
//! Until the switch a lookup under the old key finds everything, and from then on one under the new.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::columns::Columns;
use super::error::EngineError;
use super::events::Event;
use super::report::Tallied;
use super::retry::Patience;
use super::steps::reindex::{Change, Reindex as ReindexStep, fields};
use super::{Engine, FieldSpec, Job};
use crate::ident::Ident;
use crate::keys::rotation::COMPLETE;
use crate::keys::{
    Handover, Key, KeyError, KeyRecord, KeyStatus, RotationEnd, RotationKind, RotationRecord,
    examine,
};
use crate::store::{Reindex, RunKind, StoreError, Target};

/// How long an application may go on with the keys it has.
pub const GRACE: Duration = Duration::from_secs(60);
/// How often the switch is tried after rows were written in between.
const SWITCHES_MAX: u32 = 50;

/// The changes of a rotation, by tenant, and what they count for.
struct Plan {
    changes: Arc<HashMap<String, Change>>,
    rotations: HashMap<crate::crypto::KeyId, i64>,
    handovers: Vec<Handover>,
    switched: bool,
}

impl Engine {
    /// Finishes rotations of blind index keys.
    ///
    /// # Errors
    /// What stops a run; the same call resumes.
    pub async fn finish_reindex(
        &self,
        jobs: &[Job],
        open: &[RotationRecord],
        grace: Duration,
    ) -> Result<(Vec<RotationRecord>, Tallied), EngineError> {
        self.reload().await?;
        let plan = self.plan_of(open).await?;
        let begun = Instant::now();
        let mut done = Tallied::default();
        let indexed: Vec<Job> = jobs
            .iter()
            .filter(|job| job.target.fields.iter().any(|field| field.index.is_some()))
            .cloned()
            .collect();
        if !plan.switched {
            let mut tables = Vec::new();
            for job in &indexed {
                tables.push((self.fill(job, &plan, &mut done).await?, job));
            }
            self.wait_grace(begun, grace).await?;
            self.switch(&tables, &plan, open, &mut done).await?;
            self.reload().await?;
        }
        let switched = Instant::now();
        if !indexed.is_empty() {
            let mut before = self.store.open_transactions().await?;
            self.wait_grace(switched, grace).await?;
            self.wait_until_gone(&mut before).await?;
        }
        for job in &indexed {
            let columns = indexes_of(&job.target);
            done.merge(self.work(job, &columns, &plan, true).await?);
        }
        let ends: Vec<RotationEnd> = open
            .iter()
            .map(|one| RotationEnd {
                history_id: one.history_id,
                census: "{}".to_owned(),
                outcome: COMPLETE,
            })
            .collect();
        let closed = self.store.finish_rotations(&ends).await?;
        self.note_rotations("rotate.end", &closed).await?;
        Ok((closed, done))
    }

    /// What the open records mean: the two keys of each tenant, and whether they changed already.
    async fn plan_of(&self, open: &[RotationRecord]) -> Result<Plan, EngineError> {
        let records = self.store.key_records().await?;
        let mut plan = Plan {
            changes: Arc::default(),
            rotations: HashMap::new(),
            handovers: Vec::new(),
            switched: true,
        };
        let mut changes = HashMap::new();
        let by_id: HashMap<_, _> = records.iter().map(|one| (one.key_id, one)).collect();
        for rotation in open {
            let find = |id: Option<crate::crypto::KeyId>| {
                let id = id.ok_or(StoreError::Unexpected {
                    what: "a rotation without its keys",
                })?;
                let found = by_id.get(&id).copied();
                found.ok_or(EngineError::from(KeyError::Unknown { key_id: id }))
            };
            let (from, to) = (find(rotation.from_key_id)?, find(rotation.to_key_id)?);
            let key = self.key_of(to).await?;
            plan.rotations.insert(from.key_id, rotation.history_id);
            plan.handovers.push(handover(rotation, from, to));
            changes.insert(
                from.tenant.clone(),
                Change {
                    from: from.key_id,
                    to: key,
                },
            );
        }
        // In the registry, a column on its way is noted until the switch.
        let fields = self.store.fields().await?;
        let under_way = fields.iter().any(|field| field.blind_index_next.is_some());
        let waiting = plan
            .handovers
            .iter()
            .any(|handover| handover.to_is == KeyStatus::PreActive);
        let never_filled = open.iter().any(|one| one.kind == RotationKind::Compromise)
            && !fields.iter().any(|field| {
                plan.handovers
                    .iter()
                    .any(|h| field.blind_index_key_id == Some(i64::from(h.to.get())))
            });
        plan.switched = !(under_way || waiting || never_filled);
        plan.changes = Arc::new(changes);
        Ok(plan)
    }

    /// A key in whatever state: the one that is to take over is not active yet.
    async fn key_of(&self, record: &KeyRecord) -> Result<Arc<Key>, EngineError> {
        let provider = self.tenants.provider.as_ref();
        Ok(Arc::new(examine(record, provider).await?))
    }

    /// Makes the new columns of a table and fills them.
    async fn fill(
        &self,
        job: &Job,
        plan: &Plan,
        done: &mut Tallied,
    ) -> Result<(Target, Vec<Reindex>), EngineError> {
        let next = next_of(&job.target)?;
        self.store.prepare_reindex(&job.target, &next).await?;
        let mut target = job.target.clone();
        for index in &next {
            target.fields[index.field].index_next = Some(index.next.clone());
        }
        let columns: Vec<(usize, Ident)> = next
            .iter()
            .map(|index| (index.field, index.next.clone()))
            .collect();
        done.merge(self.work(job, &columns, plan, false).await?);
        self.store.index_reindexed(&target, &next).await?;
        Ok((target, next))
    }

    /// One run over the indexes of a table.
    async fn work(
        &self,
        job: &Job,
        columns: &[(usize, Ident)],
        plan: &Plan,
        check: bool,
    ) -> Result<Tallied, EngineError> {
        let job = over_indexes(job, columns);
        let target = Arc::new(job.target.clone());
        let keys = Arc::new(Columns::new(&job.target.label, job.fields.clone()));
        let step = ReindexStep::new(Arc::clone(&keys), Arc::clone(&plan.changes), check);
        let rotations = plan.rotations.clone();
        let report = self
            .run(&job, target, keys, Arc::new(step), rotations)
            .await?;
        let mut done = report.done;
        done.resumed |= report.resumed;
        Ok(done)
    }

    /// Switches all tables and keys at once; rows written in between are filled first.
    async fn switch(
        &self,
        tables: &[((Target, Vec<Reindex>), &Job)],
        plan: &Plan,
        open: &[RotationRecord],
        done: &mut Tallied,
    ) -> Result<(), EngineError> {
        let mut patience = Patience::new(self.settings.patience);
        for _ in 0..SWITCHES_MAX {
            let mut all = Vec::new();
            for ((target, next), _) in tables {
                let refused = self.refused(&target.label).await?;
                let next = next
                    .iter()
                    .map(|index| Reindex {
                        refused,
                        ..index.clone()
                    })
                    .collect();
                all.push((target.clone(), next));
            }
            let (due, actor) = (self.tenants.due, &self.tenants.actor);
            match self
                .store
                .switch_indexes(&all, &plan.handovers, due, actor)
                .await
            {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    for ((_, next), job) in tables {
                        let columns: Vec<(usize, Ident)> = next
                            .iter()
                            .map(|index| (index.field, index.next.clone()))
                            .collect();
                        done.merge(self.work(job, &columns, plan, false).await?);
                    }
                }
                Err(error) => {
                    // The answer to a COMMIT may be what was lost.
                    if self.plan_of(open).await.is_ok_and(|now| now.switched) {
                        return Ok(());
                    }
                    self.wait_for(&error, &mut patience).await?;
                }
            }
        }
        Err(EngineError::NotConverging {
            table: "blind index".to_owned(),
            rows: 0,
            passes: u64::from(SWITCHES_MAX),
            held: String::new(),
        })
    }

    /// Rows of a table whose values do not open, and which get no new index.
    async fn refused(&self, label: &str) -> Result<u64, EngineError> {
        let listed = self.store.quarantined(Some(label)).await?;
        let refused = listed
            .iter()
            .filter(|row| row.row.step == RunKind::Reindex.as_str());
        Ok(refused.count() as u64)
    }

    /// Waits until applications have loaded the keys again.
    async fn wait_grace(&self, since: Instant, grace: Duration) -> Result<(), EngineError> {
        while let Some(left) = grace.checked_sub(since.elapsed()) {
            if self.stop.is_wished() {
                return Err(EngineError::Interrupted);
            }
            self.events.emit(Event::Waiting {
                why: format!(
                    "applications load their keys again within {} s",
                    left.as_secs() + 1
                ),
            });
            self.stop.sleep(left.min(Duration::from_secs(1))).await;
        }
        self.events.emit(Event::GoingOn);
        Ok(())
    }
}

/// What the keys of a rotation become at the switch.
fn handover(rotation: &RotationRecord, from: &KeyRecord, to: &KeyRecord) -> Handover {
    Handover {
        from: from.key_id,
        from_is: from.status,
        from_becomes: match from.status {
            KeyStatus::Active => KeyStatus::Deactivated,
            other => other,
        },
        to: to.key_id,
        to_is: to.status,
        to_becomes: KeyStatus::Active,
        kind: rotation.kind,
        reason: rotation.reason.clone(),
    }
}

/// The blind indexes of a target, by field.
fn indexes_of(target: &Target) -> Vec<(usize, Ident)> {
    target
        .fields
        .iter()
        .enumerate()
        .filter_map(|(at, field)| field.index.clone().map(|index| (at, index)))
        .collect()
}

/// The new columns, named after those they replace.
fn next_of(target: &Target) -> Result<Vec<Reindex>, EngineError> {
    indexes_of(target)
        .into_iter()
        .map(|(field, column)| {
            let next = column.with_suffix("_next").map_err(|_| {
                EngineError::from(StoreError::Unexpected {
                    what: "a column name too long to name another after it",
                })
            })?;
            Ok(Reindex {
                field,
                unique: target.fields[field].index_unique,
                column,
                next,
                refused: 0,
            })
        })
        .collect()
}

/// The job whose plaintext is the sealed column and whose sealed column is the index.
fn over_indexes(job: &Job, columns: &[(usize, Ident)]) -> Job {
    let mut over = job.clone();
    over.target.fields = fields(&job.target, columns);
    over.fields = columns
        .iter()
        .map(|(at, _)| FieldSpec {
            ..job.fields[*at].clone()
        })
        .collect();
    over.records.clear();
    over
}
