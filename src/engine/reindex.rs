//! The rotation of blind index keys: a new column is filled, then takes the place of the old one.
//! Owns the order of the steps: make columns and guard; fill them with the run loop; make indexes;
//! wait a grace period, in which every application loads the new key; switch columns and keys of
//! all tables in one transaction; wait the grace period again; check every index, since an
//! application may have written under the old key until then. Before the switch, a lookup under the
//! old key finds every row; after it, a lookup under the new key does.

mod late;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use self::late::Late;
use super::error::EngineError;
use super::events::Event;
use super::report::Tallied;
use super::rotation::{Finish, Finished};
use super::steps::reindex::{IndexKeyChange, Reindex as ReindexStep};
use super::{Engine, Job};
use crate::ident::Ident;
use crate::keys::rotation::{COMPLETE, REMAINDER};
use crate::keys::{
    Handover, Key, KeyError, KeyRecord, KeyStatus, RotationEnd, RotationKind, RotationRecord,
    examine,
};
use crate::run::audit::Note;
use crate::store::{
    Access, ColumnSwitch, IndexSwitch, RunKind, Scope, Select, StoreError, SwitchTable, Table,
};

/// How long an application may use the keys that it has loaded.
pub const GRACE: Duration = Duration::from_secs(60);
/// How often the switch is tried again because rows were written meanwhile.
const SWITCHES_MAX: u32 = 50;

/// The key changes of the open rotations, by tenant, and the rotation that each old key counts for.
struct ReindexPlan {
    changes: Arc<HashMap<String, IndexKeyChange>>,
    rotations: HashMap<crate::crypto::KeyId, i64>,
    handovers: Vec<Handover>,
    switched: bool,
}

/// A table whose new columns are there and filled.
struct Filled<'a> {
    job: &'a Job,
    /// The table with its new columns.
    table: Arc<Table>,
    next: Vec<ColumnSwitch>,
}

impl Engine {
    /// Finishes rotations of blind index keys.
    ///
    /// # Errors
    /// What stops a run; the same call resumes.
    pub async fn finish_reindex(
        &self,
        finish: &Finish<'_>,
        grace: Duration,
    ) -> Result<Finished, EngineError> {
        let (jobs, open) = (finish.jobs, finish.open);
        self.reload().await?;
        let plan = self.plan_of(open).await?;
        let begun = self.stop.clock().now();
        let mut done = Tallied::default();
        // A detached partition keeps its columns: lookups through the table do not reach it.
        let attached = |job: &Job| Job {
            scope: Scope::Attached,
            ..job.clone()
        };
        let indexed: Vec<Job> = jobs
            .iter()
            .filter(|job| !job.indexes().is_empty())
            .map(attached)
            .collect();
        if !plan.switched {
            let mut tables = Vec::new();
            let mut blocked = None;
            for job in &indexed {
                match self.fill(job, &plan, &mut done).await {
                    Ok(filled) => tables.push(filled),
                    Err(error) => self.passed_over(job, error, &mut blocked)?,
                }
            }
            if let Some(blocked) = blocked {
                // The switch covers all tables at once, so it cannot leave this one out.
                return Err(blocked);
            }
            self.wait_grace(begun, grace).await?;
            if finish.stays_open {
                // The switch covers all tables at once, so it has to wait for those that were
                // refused.
                return Ok(Finished {
                    done,
                    ..Finished::default()
                });
            }
            self.switch(&tables, &plan, open, &mut done).await?;
            self.reload().await?;
        }
        let switched = self.stop.clock().now();
        if !indexed.is_empty() {
            let mut before = self.store.open_transactions().await?;
            self.wait_grace(switched, grace).await?;
            self.wait_until_gone(&mut before).await?;
        }
        for job in &indexed {
            done.merge(self.work(job, &job.indexes(), &plan, true).await?);
        }
        let ends: Vec<RotationEnd> = open
            .iter()
            .map(|one| RotationEnd {
                history_id: one.history_id,
                census: "{}".to_owned(),
                outcome: if finish.table_missing {
                    REMAINDER
                } else {
                    COMPLETE
                },
            })
            .collect();
        let note = self.rotation_note("rotate.end");
        let closed = self.store.finish_rotations(&ends, &note).await?;
        Ok(Finished {
            closed,
            done,
            ..Finished::default()
        })
    }

    /// Reads from the open records which key replaces which for each tenant, and whether the switch
    /// has been made.
    async fn plan_of(&self, open: &[RotationRecord]) -> Result<ReindexPlan, EngineError> {
        let records = self.store.key_records().await?;
        let mut plan = ReindexPlan {
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
                IndexKeyChange {
                    from: from.key_id,
                    to: key,
                },
            );
        }
        // The registry names the new column of a field until the switch.
        let fields = self.store.fields().await?;
        let under_way = fields.iter().any(|field| field.blind_index_next.is_some());
        let waiting = plan
            .handovers
            .iter()
            .any(|handover| handover.to_is == KeyStatus::PreActive);
        let compromised = |one: &RotationRecord| {
            let from = one.from_key_id.and_then(|id| by_id.get(&id));
            one.kind == RotationKind::Compromise
                || from.is_some_and(|from| from.status == KeyStatus::Compromised)
        };
        let never_filled = open.iter().any(compromised)
            && !fields.iter().any(|field| {
                plan.handovers
                    .iter()
                    .any(|h| field.blind_index_key_id == Some(i64::from(h.to.get())))
            });
        plan.switched = !(under_way || waiting || never_filled);
        plan.changes = Arc::new(changes);
        Ok(plan)
    }

    /// Unwraps a key in any state: the new key is not active yet.
    async fn key_of(&self, record: &KeyRecord) -> Result<Arc<Key>, EngineError> {
        let provider = self.tenants.provider.as_ref();
        Ok(Arc::new(examine(record, provider).await?))
    }

    /// Makes the new columns of a table and fills them.
    async fn fill<'a>(
        &self,
        job: &'a Job,
        plan: &ReindexPlan,
        done: &mut Tallied,
    ) -> Result<Filled<'a>, EngineError> {
        let next = next_of(job)?;
        self.store.prepare_reindex(&job.table, &next).await?;
        let table = Arc::new(job.table.with_next(&next));
        done.merge(self.work(job, &columns_of(&next), plan, false).await?);
        self.store.index_reindexed(&table, &next).await?;
        Ok(Filled { job, table, next })
    }

    /// Whether a row that should have a blind index lacks one. (A value that normalises to nothing
    /// has none.)
    pub(super) async fn lacks_indexes(&self, missing: &Access) -> Result<bool, EngineError> {
        if missing.cells.is_empty() {
            return Ok(false);
        }
        for relation in self.store.relations(missing).await? {
            let left = self.store.any_left(missing, &relation, &Select::Unsealed);
            if left.await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One run over the index columns of a table.
    async fn work(
        &self,
        job: &Job,
        columns: &[(usize, Ident)],
        plan: &ReindexPlan,
        check: bool,
    ) -> Result<Tallied, EngineError> {
        let step = ReindexStep::new(job, columns, Arc::clone(&plan.changes), check);
        let rotations = plan.rotations.clone();
        let report = self.run(job, Arc::new(step), rotations).await?;
        let mut done = report.done;
        done.resumed |= report.resumed;
        Ok(done)
    }

    /// Switches all tables and keys in one transaction, after filling the rows that were written
    /// meanwhile.
    async fn switch(
        &self,
        tables: &[Filled<'_>],
        plan: &ReindexPlan,
        open: &[RotationRecord],
        done: &mut Tallied,
    ) -> Result<(), EngineError> {
        let mut patience = self.patience();
        self.fill_again(tables, plan, done).await?;
        for _ in 0..SWITCHES_MAX {
            // The last rows are filled under the lock, with the keys loaded here.
            self.reload().await?;
            let late = Late::new(tables, plan, self.tenants.keyring.snapshot());
            let mut all = Vec::new();
            for (at, Filled { table, next, .. }) in tables.iter().enumerate() {
                let refused = self.refused(&table.label).await?;
                let next = next
                    .iter()
                    .map(|index| ColumnSwitch {
                        refused,
                        ..index.clone()
                    })
                    .collect();
                all.push(SwitchTable {
                    table: table.clone(),
                    next,
                    fill: late.access(at),
                });
            }
            let note = self.switch_note(plan);
            let switch = IndexSwitch {
                tables: &all,
                handovers: &plan.handovers,
                due: self.tenants.due,
                actor: &self.tenants.actor,
                note: &note,
                late: &late,
            };
            match self.store.switch_indexes(&switch).await {
                Ok(true) => return Ok(()),
                // Rows are left without a new index: the run fills them, or lists in quarantine
                // those whose value does not open.
                Ok(false) => self.fill_again(tables, plan, done).await?,
                Err(error) => {
                    // The COMMIT may have succeeded and only its answer been lost.
                    if self.plan_of(open).await.is_ok_and(|now| now.switched) {
                        return Ok(());
                    }
                    self.wait_for(&error, &mut patience).await?;
                }
            }
        }
        Err(EngineError::Unending {
            what: "the switch of the blind index",
            rounds: SWITCHES_MAX,
        })
    }

    /// Fills the rows that were written since the last pass, so that few are left to fill under the
    /// lock.
    async fn fill_again(
        &self,
        tables: &[Filled<'_>],
        plan: &ReindexPlan,
        done: &mut Tallied,
    ) -> Result<(), EngineError> {
        for Filled { job, next, .. } in tables {
            let columns = columns_of(next);
            done.merge(self.work(job, &columns, plan, false).await?);
        }
        Ok(())
    }

    /// The audit entry about the keys that change at the switch.
    fn switch_note(&self, plan: &ReindexPlan) -> Note<'static> {
        let ids = |of: fn(&Handover) -> crate::crypto::KeyId| -> Vec<u32> {
            plan.handovers.iter().map(|one| of(one).get()).collect()
        };
        let subject =
            json!({ "from_key_ids": ids(|one| one.from), "to_key_ids": ids(|one| one.to) });
        let (keyring, actor) = (&self.tenants.keyring, &self.tenants.actor);
        Note::new(keyring, actor, "rotate.switch", subject)
    }

    /// The number of rows in quarantine whose values do not open, and which therefore get no new
    /// index.
    async fn refused(&self, label: &str) -> Result<u64, EngineError> {
        let listed = self.store.quarantined(Some(label)).await?;
        let refused = listed
            .iter()
            .filter(|row| row.row.step == RunKind::Reindex.as_str());
        Ok(refused.count() as u64)
    }

    /// Waits until applications have loaded the keys again.
    async fn wait_grace(&self, since: Duration, grace: Duration) -> Result<(), EngineError> {
        while let Some(left) = grace.checked_sub(self.stop.clock().since(since)) {
            if self.stop.is_requested() {
                return Err(EngineError::interrupted());
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

/// The new column of each field.
fn columns_of(next: &[ColumnSwitch]) -> Vec<(usize, Ident)> {
    next.iter()
        .map(|index| (index.field, index.next.clone()))
        .collect()
}

/// What the two keys of a rotation become at the switch.
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

/// The new columns, named after those that they replace.
fn next_of(job: &Job) -> Result<Vec<ColumnSwitch>, EngineError> {
    job.indexes()
        .into_iter()
        .map(|(field, column)| {
            let next = column.with_suffix("_next").map_err(|_| {
                EngineError::from(StoreError::Unexpected {
                    what: "a column name too long to name another after it",
                })
            })?;
            Ok(ColumnSwitch {
                field,
                unique: job.table.fields[field].index_unique,
                column,
                next,
                refused: 0,
            })
        })
        .collect()
}
