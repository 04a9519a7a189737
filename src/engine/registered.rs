//! Jobs for every registered table, whether or not the plan file names it: a rotation or a
//! destruction concerns all sealed values.
//! Owns which tables are reached, and why others are not. How a table's plan is made from the
//! registry is in `plan`, the jobs of tables that are not where they were are in `moved`.

mod known;
mod moved;
mod plan;

use super::look::{Database, Look, Looked};
use super::preflight::{KeysHave, Preflight, Refused, RunPurpose, check};
use super::{EngineError, Event, EventSink, Job};
use crate::error::coded;
use crate::foreign::Foreign;
use crate::ident::TableName;
use crate::store::{Access, FieldRecord, Scope, StoreError, TableFacts};

pub use known::Known;
pub use plan::name_of;

/// The registered tables that may hold sealed values, under their present names.
pub struct Reached {
    /// The tables that can be worked on.
    pub jobs: Vec<Job>,
    /// Why the other tables cannot.
    pub refused: Option<JobsError>,
    /// Tables that no longer exist; it is unknown where their rows went.
    pub gone: Vec<String>,
}

coded! {
    /// Why there is no job for a registered table.
    #[derive(Debug, thiserror::Error)]
    pub enum JobsError, exit: Refused {
        /// The store reports an error.
        Store(#[from] error: StoreError) = error(transparent);
        /// The work on the jobs failed.
        Engine(#[from] error: EngineError) = error(transparent);
        /// Preflight refuses.
        Refused(#[from] error: Refused) = error(transparent);
        /// Several tables have the guard of one label.
        Ambiguous {
            /// The label.
            label: String,
            /// The tables.
            tables: Vec<TableName>,
        } = "E0241"("several tables carry the guard of label {label}: {}", names(.tables)),
            hint: "say which is the one of the label with `phiseal fields rebind`";
        /// No field of the label may hold sealed values.
        NothingSealed {
            /// The label.
            label: String,
        } = "E0253"("nothing of label {label} is sealed"), exit: Usage,
            hint: "forget it (`phiseal fields forget`), and give the table a label of its own in the plan";
    }
}

fn names(tables: &[TableName]) -> String {
    let names: Vec<String> = tables.iter().map(TableName::label).collect();
    names.join(", ")
}

/// What every check of preflight may assume here: the keys are issued when they are needed.
const KEYS: KeysHave = KeysHave {
    cell: true,
    blind_index: true,
};

impl Database<'_> {
    /// Jobs for all registered tables.
    ///
    /// # Errors
    /// All refusals at once, and what the store reports.
    pub async fn all_registered(
        &self,
        purpose: RunPurpose,
        events: &dyn EventSink,
    ) -> Result<Reached, JobsError> {
        let (look, gone) = self.look_registered(purpose, events).await?;
        let jobs = look.jobs()?.into_iter().map(with_detached);
        let mut jobs: Vec<Job> = jobs.collect();
        jobs.extend(self.orphans(&look.registered).await?);
        Ok(Reached {
            jobs,
            refused: None,
            gone,
        })
    }

    /// Jobs for those registered tables that can be worked on.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn able_registered(
        &self,
        purpose: RunPurpose,
        events: &dyn EventSink,
    ) -> Result<Reached, JobsError> {
        let (look, gone) = self.look_registered(purpose, events).await?;
        let findings = look.tables.iter().map(|table| &table.findings);
        let mut refused = Refused::among(findings).map(JobsError::from);
        let mut jobs = match self.orphans(&look.registered).await {
            Ok(orphans) => orphans,
            Err(error) => {
                refused = refused.or(Some(error));
                Vec::new()
            }
        };
        let able = look.tables.iter().filter(|table| !table.findings.refused());
        for (plan, facts) in able.filter_map(|table| Some((&table.plan, table.facts.as_ref()?))) {
            match look.job(plan, facts) {
                Ok(job) => jobs.push(with_detached(job)),
                Err(error) => refused = refused.or(Some(error.into())),
            }
        }
        Ok(Reached {
            jobs,
            refused,
            gone,
        })
    }

    /// The job of one registered field and the facts of its table, without preflight: for values that
    /// do not come from the table. `None` if the table is gone.
    ///
    /// # Errors
    /// The table has no longer the row key that its values are bound to; and what the store reports.
    pub async fn one_field(
        &self,
        field: &FieldRecord,
    ) -> Result<Option<(Job, TableFacts)>, JobsError> {
        let plan = plan::of_table(&field.table_label, &[field], None)?;
        let Some(facts) = self.store.table(&plan.name).await? else {
            return Ok(None);
        };
        let job = Job::resolve(&plan, &facts, std::slice::from_ref(field), self.dialect);
        Ok(Some((job.map_err(Refused::from)?, facts)))
    }

    /// The registered tables without preflight, for counting only.
    ///
    /// # Errors
    /// A table whose key columns phiseal cannot use, and what the store reports.
    pub async fn counted(&self) -> Result<Vec<Access>, JobsError> {
        let registered = self.store.fields().await?;
        let mut jobs = Vec::new();
        for mut plan in plan::of_tables(self.planned, &registered)? {
            if plan::is_gone(&registered, &plan) {
                continue;
            }
            if let Some(facts) = self.store.table(&plan.name).await? {
                plan::without_dropped(&mut plan, &registered);
                if plan.columns.is_empty() {
                    continue;
                }
                let job = Job::resolve(&plan, &facts, &registered, self.dialect);
                jobs.push(with_detached(job.map_err(Refused::from)?));
            }
        }
        jobs.extend(self.orphans(&registered).await?);
        Ok(jobs.iter().map(Job::access).collect())
    }

    /// Runs preflight over the registered tables; also returns those that are gone.
    async fn look_registered(
        &self,
        purpose: RunPurpose,
        events: &dyn EventSink,
    ) -> Result<(Look, Vec<String>), JobsError> {
        let registered = self.store.fields().await?;
        let mut tables = Vec::new();
        let mut gone = Vec::new();
        for mut plan in plan::of_tables(self.planned, &registered)? {
            let facts = match plan::is_gone(&registered, &plan) {
                true => None,
                false => self.store.table(&plan.name).await?,
            };
            let Some(facts) = facts else {
                let text = format!(
                    "warning: table {} is registered and not there any more",
                    plan.name.label()
                );
                events.emit(Event::Notice { text });
                gone.push(plan.label.unwrap_or_else(|| plan.name.label()));
                continue;
            };
            for column in plan::without_dropped(&mut plan, &registered) {
                let text = format!(
                    "warning: column {} of table {} is registered, and what held its sealed values was dropped; if that is \
                     meant: phiseal fields forget",
                    Foreign(column.as_str()),
                    plan.name.label()
                );
                events.emit(Event::Notice { text });
            }
            if plan.columns.is_empty() {
                continue;
            }
            let findings = check(&Preflight {
                server: self.server,
                table: Some(&facts),
                plan: &plan,
                registered: &registered,
                keys: KEYS,
                purpose,
                dialect: self.dialect,
            });
            tables.push(Looked {
                plan,
                facts: Some(facts),
                findings,
            });
        }
        let look = Look {
            tables,
            registered,
            dialect: self.dialect,
        };
        Ok((look, gone))
    }
}

/// Lets a job include partitions that were detached.
fn with_detached(mut job: Job) -> Job {
    job.scope = Scope::Detached;
    job
}
