//! The engine: one run loop over a database that it knows only through traits. Owns paging, lanes,
//! batches, retries, the sweep and reports. Backfill, verify, restore, rotate and reindex are steps
//! of the run loop. The engine names no database driver and prints nothing. Rows and cursor commit
//! together, so a crash at any instant loses nothing and repeats nothing.

pub mod ahead;
pub mod alike;
pub mod bench;
pub mod census;
pub mod clock;
pub mod closing;
pub mod columns;
pub mod commit;
mod compare;
pub mod compromise;
pub mod context;
pub mod coverage;
pub mod destroy;
pub mod error;
pub mod estimate;
pub mod events;
pub mod failures;
pub mod finalize;
mod follow;
pub mod health;
mod job_digest;
pub mod look;
pub mod pages;
pub mod patient;
pub mod phi;
pub mod pipeline;
pub mod preflight;
pub mod procedure;
pub mod quarantine;
pub mod registered;
pub mod reindex;
pub mod report;
mod restore;
pub mod retry;
pub mod rotation;
pub mod run_loop;
mod run_record;
mod sample;
pub mod scrub;
pub mod search;
mod stage_times;
pub mod step;
pub mod steps;
pub mod stop;
pub mod sweep;
pub mod tenants;
pub mod throttle;
pub mod under_way;
mod verification;
mod verify_loop;
mod violators;
pub mod wait;
pub mod window_size;
pub mod worked_page;

use std::collections::HashMap;
use std::sync::Arc;

pub use columns::FieldSpec;
pub use context::RunSettings;
pub use error::EngineError;
pub use events::{Event, EventSink, NoEvents};
pub use failures::Failures;
pub use report::{Failure, TableReport, Tallied, Total};
pub use stop::Stop;
pub use tenants::Tenants;

use columns::Columns;
use preflight::{Dialect, Finding};
use retry::Patience;
use step::Step;
use steps::backfill::Backfill;
use steps::clear::Clear;
use steps::reindex::Reindex;

use crate::crypto::IndexSpec;
use crate::ident::Ident;
use crate::plan::{TablePlan, TriggerPolicy};
use crate::store::{
    Access, FieldRecord, FieldState, Scope, Store, StoreError, Table, TableFacts, Triggers,
};

/// How long a write waits for a lock, in milliseconds. It is short, since the sweep processes rows
/// that are locked, and other statements would queue behind the wait.
const LOCK_TIMEOUT_MS: u32 = 150;

/// One table to work on, resolved from the plan, the catalog and the registry.
#[derive(Debug, Clone)]
pub struct Job {
    /// The table.
    pub table: Arc<Table>,
    /// Which of its relations are worked on.
    pub scope: Scope,
    /// What happens to its own UPDATE triggers.
    pub triggers: Triggers,
    /// How to seal each field, in the table's order.
    pub fields: Vec<FieldSpec>,
    /// The registry's rows for these fields.
    pub records: Vec<FieldRecord>,
    /// For a comparing run: a digest of the gaps that it compares and of their guards.
    pub compared: Option<String>,
}

impl Job {
    /// Resolves one table of a plan to its job. Preflight must have accepted the table.
    ///
    /// # Errors
    /// The refusal, if the table has no row key.
    pub fn resolve(
        plan: &TablePlan,
        facts: &TableFacts,
        registered: &[FieldRecord],
        dialect: Dialect,
    ) -> Result<Self, Finding> {
        let table = preflight::resolve(plan, facts, registered, dialect)?;
        let fields = plan
            .columns
            .iter()
            .zip(&table.fields)
            .map(|(column, field)| FieldSpec {
                label: field.label.clone(),
                pad_to: column.pad_to,
                index: column
                    .blind_index
                    .as_ref()
                    .and_then(|index| IndexSpec::new(index.normaliser, index.bits).ok()),
            })
            .collect();
        let records = preflight::records(&table, plan);
        Ok(Self {
            table: Arc::new(table),
            scope: Scope::Attached,
            triggers: match plan.triggers {
                TriggerPolicy::Refuse => Triggers::None,
                TriggerPolicy::Suppress => Triggers::Suppressed,
                TriggerPolicy::Fire => Triggers::Fire,
            },
            fields,
            records,
            compared: None,
        })
    }

    /// Reads and writes all columns of the fields in their own roles, for a step to narrow.
    pub fn access(&self) -> Access {
        Access {
            scope: self.scope.clone(),
            triggers: self.triggers,
            lock_timeout_ms: LOCK_TIMEOUT_MS,
            ..Access::of(Arc::clone(&self.table))
        }
    }

    /// The blind index columns, each with the position of its field.
    fn indexes(&self) -> Vec<(usize, Ident)> {
        (self.table.fields.iter().enumerate())
            .filter_map(|(at, field)| Some((at, field.index.clone()?)))
            .collect()
    }

    /// The derived keys of the fields.
    fn columns(&self) -> Arc<Columns> {
        Arc::new(Columns::new(&self.table.label, self.fields.clone()))
    }

    /// Keeps only the fields for which `kept` holds `true` at their position, or holds nothing.
    pub fn keep(&mut self, kept: &[bool]) {
        let is_kept = |at: usize| kept.get(at).copied().unwrap_or(true);
        let labels: Vec<String> = (self.fields.iter().enumerate())
            .filter(|(at, _)| is_kept(*at))
            .map(|(_, field)| field.label.clone())
            .collect();
        self.fields.retain(|field| labels.contains(&field.label));
        Arc::make_mut(&mut self.table)
            .fields
            .retain(|field| labels.contains(&field.label));
        self.records
            .retain(|record| labels.contains(&record.column_label));
    }

    fn labels(&self) -> Vec<String> {
        self.fields
            .iter()
            .map(|field| field.label.clone())
            .collect()
    }
}

/// Runs steps on the tables of one database.
pub struct Engine {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The keyring, which also issues keys for new tenants.
    pub tenants: Arc<Tenants>,
    /// The limits of a run.
    pub settings: RunSettings,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// The request to stop.
    pub stop: Stop,
}

impl Engine {
    /// The patience with a round trip that fails.
    fn patience(&self) -> Patience {
        Patience::by(self.stop.clock(), self.settings.patience)
    }

    /// Seals every plaintext of the job's fields, or resumes an interrupted backfill. Also compares
    /// the sealed values of gaps with their plaintext: before the backfill, or after one that it
    /// resumes.
    ///
    /// # Errors
    /// Any error that stops the run. Everything committed stays, and the same call resumes.
    pub async fn backfill(&self, job: &Job) -> Result<TableReport, EngineError> {
        self.tenants.own()?;
        self.store.register_fields(&job.records).await?;
        self.store.prepare(&job.table).await?;
        let mut compared = None;
        if !self.is_half_filled(job).await? {
            compared = self.compare(job).await?;
        }
        let mut report = self.seal_table(job).await?;
        if compared.is_none() {
            compared = self.compare(job).await?;
        }
        report.compared = compared.map(Box::new);
        Ok(report)
    }

    async fn seal_table(&self, job: &Job) -> Result<TableReport, EngineError> {
        let label = &job.table.label;
        let sealing = self.move_fields(job, FieldState::Sealing).await?;
        let fill = Arc::new(Reindex::filling(job));
        // An interrupted fill of indexes is an unfinished run of its own, which must end first.
        let open = self.store.open_run(label).await?;
        if open.is_some_and(|open| job_digest::is_of(&open.digest, fill.access(), None)) {
            self.run(job, Arc::clone(&fill) as _, HashMap::new())
                .await?;
        }
        let step = Backfill::new(job, &self.tenants.keyring.snapshot(), false);
        let usage = self.usage(&job.table).await;
        let mut report = self.run(job, Arc::new(step), HashMap::new()).await?;
        if self.lacks_indexes(fill.access()).await? {
            report.open_quarantine = self.run(job, fill, HashMap::new()).await?.open_quarantine;
        }
        self.store.finish_indexes(&job.table).await?;
        // With the indexes that were made after the run.
        report.done.closing = self.closing(&job.table, usage).await;
        if report.open_quarantine == 0 && !report.done.still_written {
            self.set_states(label, &sealing, FieldState::Sealed).await?;
        }
        Ok(report)
    }

    /// Sets the state of those fields of the job that may have it, and returns their labels. The others
    /// stay what they are: a field without plaintext is not sealed again, and one that was restored is
    /// not verified.
    async fn move_fields(&self, job: &Job, state: FieldState) -> Result<Vec<String>, StoreError> {
        let label = &job.table.label;
        let registered = self.store.fields().await?;
        let may_become = |name: &String| {
            registered.iter().any(|record| {
                &record.table_label == label
                    && &record.column_label == name
                    && record.state.may_become(state)
            })
        };
        let labels: Vec<String> = job.labels().into_iter().filter(may_become).collect();
        self.set_states(label, &labels, state).await?;
        Ok(labels)
    }

    async fn set_states(
        &self,
        label: &str,
        fields: &[String],
        state: FieldState,
    ) -> Result<(), StoreError> {
        match fields.is_empty() {
            true => Ok(()),
            false => self.store.set_field_state(label, fields, state).await,
        }
    }

    /// Sets every plaintext beside a sealed value to NULL once the sealed value has opened to it, or
    /// resumes an interrupted run that does. Whatever does not open to its plaintext, or is not
    /// sealed, stays and is in quarantine afterwards.
    ///
    /// # Errors
    /// Any error that stops the run. Everything committed stays, and the same call resumes.
    pub(crate) async fn blank(&self, job: &Job) -> Result<TableReport, EngineError> {
        // It seals the row keys of quarantine entries.
        self.tenants.own()?;
        self.run(job, Arc::new(Clear::new(job)), HashMap::new())
            .await
    }

    /// Counts the unresolved quarantine entries about the job's columns or about whole rows.
    async fn listed(&self, job: &Job) -> Result<u64, EngineError> {
        let labels = job.labels();
        let listed = self.store.quarantined(Some(&job.table.label)).await?;
        let ours = listed.iter().filter(|record| {
            let column = record.row.column_label.as_ref();
            column.is_none_or(|column| labels.contains(column))
        });
        Ok(ours.count() as u64)
    }
}
