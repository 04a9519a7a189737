//! Preflight over the tables of a plan, and the jobs of those that it does not refuse.
//! Owns which facts preflight gets. What it makes of them is in `preflight`.

use super::error::EngineError;
use super::preflight::{
    Dialect, Findings, KeysHave, Preflight, Refused, RunPurpose, check, label_of,
};
use super::{Job, Store};
use crate::crypto::Purpose;
use crate::keys::KeyStatus;
use crate::plan::TablePlan;
use crate::store::catalog::TableFacts;
use crate::store::{FieldRecord, FieldState, Sealed, ServerFacts, StoreError};

/// A database and the plan for it.
#[derive(Clone, Copy)]
pub struct Database<'a> {
    /// The database.
    pub store: &'a dyn Store,
    /// The tables of the plan.
    pub planned: &'a [TablePlan],
    /// Facts of the server.
    pub server: &'a ServerFacts,
    /// The kind of database.
    pub dialect: Dialect,
}

/// One table with the facts and findings about it.
pub struct Looked {
    /// The plan for the table.
    pub plan: TablePlan,
    /// Its facts; `None` if there is no such table.
    pub facts: Option<TableFacts>,
    /// What preflight found.
    pub findings: Findings,
}

/// Tables with their findings, and the registered fields.
pub struct Look {
    /// The tables.
    pub tables: Vec<Looked>,
    /// All registered fields, of all tables.
    pub registered: Vec<FieldRecord>,
    /// The kind of database.
    pub dialect: Dialect,
}

impl Database<'_> {
    /// Runs preflight over all tables of the plan.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn look(&self, purpose: RunPurpose) -> Result<Look, StoreError> {
        let active = self.active_keys().await?;
        self.look_with(purpose, &active).await
    }

    /// As [`Database::look`] for a backfill, but treats phiseal's own tables and all keys as
    /// present.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn look_beforehand(&self) -> Result<Look, StoreError> {
        let keys = [Purpose::Cell, Purpose::BlindIndex];
        if self.server.installed {
            return self.look_with(RunPurpose::Backfill, &keys).await;
        }
        let server = ServerFacts {
            installed: true,
            missing_rights: Vec::new(),
            create_denied: None,
            ..self.server.clone()
        };
        let installed = Database {
            server: &server,
            ..*self
        };
        // phiseal's tables do not exist yet, so no registered fields are read.
        let backfill = RunPurpose::Backfill;
        installed.look_over(backfill, &keys, Vec::new()).await
    }

    async fn look_with(&self, purpose: RunPurpose, active: &[Purpose]) -> Result<Look, StoreError> {
        let registered = match self.server.installed {
            true => self.store.fields().await?,
            false => Vec::new(),
        };
        self.look_over(purpose, active, registered).await
    }

    async fn look_over(
        &self,
        purpose: RunPurpose,
        active: &[Purpose],
        registered: Vec<FieldRecord>,
    ) -> Result<Look, StoreError> {
        let mut tables = Vec::new();
        for plan in self.planned {
            let facts = self.store.table(&plan.name).await?;
            let tenants = plan.tenant_column.is_some();
            let keys = KeysHave {
                // A tenant's keys are made when its first row is read; sealing our cursors needs a
                // cell key in any case.
                cell: active.contains(&Purpose::Cell),
                blind_index: tenants || active.contains(&Purpose::BlindIndex),
            };
            let findings = check(&Preflight {
                server: self.server,
                table: facts.as_ref(),
                plan,
                registered: &registered,
                keys,
                purpose,
                dialect: self.dialect,
            });
            tables.push(Looked {
                plan: plan.clone(),
                facts,
                findings,
            });
        }
        refuse_shared_labels(&mut tables, &registered);
        Ok(Look {
            tables,
            registered,
            dialect: self.dialect,
        })
    }

    async fn active_keys(&self) -> Result<Vec<Purpose>, StoreError> {
        if !self.server.installed {
            return Ok(Vec::new());
        }
        let records = self.store.key_records().await?;
        let active = records
            .into_iter()
            .filter(|key| key.tenant.is_empty() && key.status == KeyStatus::Active);
        Ok(active.map(|key| key.purpose).collect())
    }
}

/// Refuses two tables of one plan with the same label: two partitions of one table, or a repeated
/// label.
fn refuse_shared_labels(tables: &mut [Looked], registered: &[FieldRecord]) {
    let labels: Vec<Option<String>> = tables
        .iter()
        .map(|table| Some(label_of(&table.plan, table.facts.as_ref()?, registered)))
        .collect();
    for at in 0..tables.len() {
        let Some(label) = &labels[at] else { continue };
        let Some(first) = labels[..at]
            .iter()
            .position(|one| one.as_ref() == Some(label))
        else {
            continue;
        };
        let other = tables[first].plan.name.label();
        let Looked { plan, findings, .. } = &mut tables[at];
        findings.refuse(
            "E0241",
            plan,
            None,
            format!("label {label} is that of table {other} in this plan, too"),
            "one label is one table's: name the partitioned table instead of its partitions, or give each table a label \
             of its own",
        );
    }
}

impl Look {
    /// The job of each table.
    ///
    /// # Errors
    /// All refusals at once.
    pub fn jobs(&self) -> Result<Vec<Job>, Refused> {
        match Refused::among(self.tables.iter().map(|table| &table.findings)) {
            Some(refused) => Err(refused),
            None => self.able(),
        }
    }

    /// The jobs of the tables that are not refused, and the refusals of each other table.
    ///
    /// # Errors
    /// All refusals at once if every table is refused.
    pub fn jobs_of_able(&self) -> Result<(Vec<Job>, Vec<Refused>), Refused> {
        let jobs = self.able()?;
        if jobs.is_empty() {
            return Ok((self.jobs()?, Vec::new()));
        }
        let refused = self.tables.iter();
        let refused = refused.filter_map(|table| Refused::among([&table.findings]));
        Ok((jobs, refused.collect()))
    }

    fn able(&self) -> Result<Vec<Job>, Refused> {
        let able = self.tables.iter().filter(|table| !table.findings.refused());
        able.filter_map(|table| Some(self.job(&table.plan, table.facts.as_ref()?)))
            .collect()
    }

    /// The job of one table.
    ///
    /// # Errors
    /// The refusal, if the table has no row key.
    pub fn job(&self, plan: &TablePlan, facts: &TableFacts) -> Result<Job, Refused> {
        Ok(Job::resolve(plan, facts, &self.registered, self.dialect)?)
    }

    /// The jobs with only those registered fields that may hold sealed values. Leaves out restored
    /// fields, and tables that have no other. With `dropping`, a restored field that was sealed in
    /// place stays if its table has others, since what belongs to it is dropped with theirs.
    ///
    /// # Errors
    /// A field that was never sealed; the first restored field if all were restored.
    pub fn sealed_only(&self, jobs: Vec<Job>, dropping: bool) -> Result<Vec<Job>, EngineError> {
        let mut sealed = Vec::new();
        let mut restored = None;
        for mut job in jobs {
            let mut kept = Vec::with_capacity(job.fields.len());
            let mut holds_any = false;
            for (field, place) in job.fields.iter().zip(&job.table.fields) {
                let record = self.registered.iter().find(|record| {
                    record.table_label == job.table.label && record.column_label == field.label
                });
                let state = record.map(|record| record.state);
                let holds = state.is_some_and(FieldState::may_hold_seals);
                if !holds {
                    let place = format!("{}.{}", job.table.label, field.label);
                    let error = EngineError::NotRegistered { place };
                    if state != Some(FieldState::Restored) {
                        return Err(error);
                    }
                    restored.get_or_insert(error);
                }
                holds_any |= holds;
                kept.push(holds || dropping && place.sealed == Sealed::InPlace);
            }
            job.keep(&kept);
            if holds_any {
                sealed.push(job);
            }
        }
        match restored {
            Some(error) if sealed.is_empty() => Err(error),
            _ => Ok(sealed),
        }
    }
}
