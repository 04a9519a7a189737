//! Every table that the plan file or the registry names, without preflight: for whoever asks what there
//! is, and not what can be done with it.

use super::JobsError;
use super::plan;
use crate::engine::look::Database;
use crate::engine::preflight::{Refused, resolve};
use crate::plan::{TablePlan, TriggerPolicy};
use crate::store::{FieldRecord, Table, TableFacts};

/// A table with its facts.
pub struct Known {
    /// The table.
    pub table: Table,
    /// What the catalog says about it.
    pub facts: TableFacts,
    /// What the plan says about its triggers.
    pub triggers: TriggerPolicy,
}

impl Database<'_> {
    /// The tables of the plan and, if `whole`, the registered ones that it does not name. Leaves out
    /// tables that are not there.
    ///
    /// # Errors
    /// A table whose key columns phiseal cannot use, and what the store reports.
    pub async fn known(
        &self,
        registered: &[FieldRecord],
        whole: bool,
    ) -> Result<Vec<Known>, JobsError> {
        let mut plans: Vec<TablePlan> = self.planned.to_vec();
        if whole {
            let mut others = plan::of_tables(self.planned, registered)?;
            others.retain(|plan| !plan::is_gone(registered, plan));
            plans.extend(others);
        }
        let mut found: Vec<Known> = Vec::new();
        for plan in plans {
            let Some(facts) = self.store.table(&plan.name).await? else {
                continue;
            };
            let table = resolve(&plan, &facts, registered, self.dialect).map_err(Refused::from)?;
            match found.iter_mut().find(|one| one.table.name == table.name) {
                Some(one) => merge(&mut one.table, table),
                None => found.push(Known {
                    table,
                    facts,
                    triggers: plan.triggers,
                }),
            }
        }
        Ok(found)
    }
}

/// Adds the fields that only the registry has.
fn merge(table: &mut Table, other: Table) {
    for field in other.fields {
        if !table.fields.iter().any(|one| one.label == field.label) {
            table.fields.push(field);
        }
    }
}
