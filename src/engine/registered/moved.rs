//! Registered tables that are not where they were: partitions that outlived their table, several
//! tables under one label, and a table to which a label is to move.

use super::{JobsError, KEYS, plan, with_detached};
use crate::engine::Job;
use crate::engine::look::Database;
use crate::engine::preflight::{Preflight, Refused, RunPurpose, check};
use crate::ident::TableName;
use crate::plan::TriggerPolicy;
use crate::store::{FieldRecord, Found, StoreError, Whereabouts};

impl Database<'_> {
    /// The job of registered fields as if `to` were their table.
    ///
    /// # Errors
    /// What preflight for a verification refuses about the table; [`JobsError::NothingSealed`]; and
    /// what the store reports.
    pub async fn job_at(&self, fields: &[FieldRecord], to: &TableName) -> Result<Job, JobsError> {
        let label = fields.first().map_or("", |field| &field.table_label);
        let facts = self.store.table(to).await?;
        let mut moved = self.store.fields().await?;
        for field in moved.iter_mut().filter(|field| field.table_label == label) {
            field.place = Whereabouts::default();
            if let Some(facts) = &facts {
                field.schema_name.clone_from(&facts.schema);
                field.table_name.clone_from(&facts.name);
            }
        }
        let ours: Vec<&FieldRecord> = moved
            .iter()
            .filter(|field| field.table_label == label && field.state.may_hold_seals())
            .collect();
        if ours.is_empty() {
            let label = label.to_owned();
            return Err(JobsError::NothingSealed { label });
        }
        let mut plan = plan::of_table(label, &ours, None)?;
        plan.name = to.clone();
        plan.triggers = TriggerPolicy::Fire;
        let findings = check(&Preflight {
            server: self.server,
            table: facts.as_ref(),
            plan: &plan,
            registered: &moved,
            keys: KEYS,
            purpose: RunPurpose::Verify,
            dialect: self.dialect,
        });
        match (facts, Refused::among([&findings])) {
            (Some(facts), None) => {
                let job = Job::resolve(&plan, &facts, &moved, self.dialect);
                Ok(job.map_err(Refused::from)?)
            }
            (_, refused) => Err(refused.unwrap_or(Refused(Vec::new())).into()),
        }
    }

    /// Jobs for the tables, except `but`, that may hold sealed values of these fields: the table that has
    /// their label, or all tables that have their guard if there are several.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn holders(
        &self,
        fields: &[FieldRecord],
        but: Option<&TableName>,
    ) -> Result<Vec<Job>, StoreError> {
        let Some(first) = fields.first() else {
            return Ok(Vec::new());
        };
        let tables = match &first.place.found {
            Found::Gone => self.survivors(&first.table_label).await?,
            Found::Several(tables) => tables.clone(),
            Found::Known | Found::Guarded | Found::Named => vec![plan::table_of(first)?],
        };
        let mut jobs = Vec::new();
        for table in tables.iter().filter(|table| but != Some(*table)) {
            // A table that cannot be verified has none of the columns, so nothing is sealed in it.
            if let Ok(job) = self.job_at(fields, table).await {
                jobs.push(with_detached(job));
            }
        }
        Ok(jobs)
    }

    /// Jobs for the partitions that were detached from a table that no longer exists, one job each.
    pub(super) async fn orphans(&self, registered: &[FieldRecord]) -> Result<Vec<Job>, JobsError> {
        let mut labels: Vec<&str> = registered
            .iter()
            .filter(|field| field.place.found == Found::Gone && field.state.may_hold_seals())
            .map(|field| field.table_label.as_str())
            .collect();
        labels.dedup();
        let mut jobs = Vec::new();
        for label in labels {
            let fields: Vec<FieldRecord> = registered
                .iter()
                .filter(|field| field.table_label == label)
                .cloned()
                .collect();
            for leaf in self.survivors(label).await? {
                jobs.push(self.job_at(&fields, &leaf).await?);
            }
        }
        Ok(jobs)
    }

    /// The relations with this label that still exist.
    async fn survivors(&self, label: &str) -> Result<Vec<TableName>, StoreError> {
        let relations = self.store.sealed_relations().await?;
        let ours = relations.into_iter().filter(|one| one.table_label == label);
        Ok(ours.filter_map(|one| one.now).collect())
    }
}
