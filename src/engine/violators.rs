//! Lists rows that break a constraint which was added NOT VALID. An UPDATE of such a row fails, and
//! the server writes the whole row, plaintext included, into its log. So the rows that a run would
//! write are listed before its first batch, and never sent. Owns which rows these are; the step
//! says what it would write.

use std::sync::Arc;

use super::Engine;
use super::context::RunContext;
use super::error::EngineError;
use super::pages::Pages;
use super::step::RowFault;
use super::worked_page::{self, WorkedRow};
use crate::store::survey::Violator;
use crate::store::{KeyText, NewQuarantine, PageRequest};

/// If there are more such rows than this, the run stops instead of listing them one by one.
const LISTED_MAX: u32 = 10_000;
/// How many rows are read at a time.
const AT_A_TIME: usize = 100;
/// A row with a larger value is listed without checking whether the run would write it.
const VALUE_BYTES_MAX: u64 = 1 << 20;
const CHECK_VIOLATION: &str = "23514";

impl Engine {
    /// Lists the rows of the table that the run would write and the database would refuse. Returns
    /// how many new entries there are.
    ///
    /// # Errors
    /// [`EngineError::Violating`] if there are too many to list; any error of the store.
    pub(super) async fn list_violators(&self, ctx: &Arc<RunContext>) -> Result<i64, EngineError> {
        let mut listed = 0;
        for relation in self.store.relations(&ctx.access).await? {
            let limit = LISTED_MAX + 1;
            let found = self
                .store
                .violators(&ctx.access.table, &relation, limit)
                .await?;
            if let (true, Some(first)) = (found.len() > LISTED_MAX as usize, found.first()) {
                return Err(EngineError::Violating {
                    table: ctx.access.table.label.clone(),
                    constraint: first.constraint.clone(),
                    rows: LISTED_MAX,
                });
            }
            for some in found.chunks(AT_A_TIME) {
                listed += self.list_some(ctx, &relation, some).await?;
            }
        }
        Ok(listed)
    }

    async fn list_some(
        &self,
        ctx: &Arc<RunContext>,
        relation: &str,
        violators: &[Violator],
    ) -> Result<i64, EngineError> {
        let request = PageRequest {
            value_bytes_max: ctx.settings.value_bytes_max.min(VALUE_BYTES_MAX),
            ..ctx.request(relation, ctx.step.reads().main, 0)
        };
        let keys: Vec<KeyText> = violators.iter().map(|one| one.key.clone()).collect();
        let mut pages = Pages::new(ctx.page_source(), request);
        let worked = worked_page::work(ctx, pages.with_keys(&keys).await?).await?;
        let rows: Vec<NewQuarantine> = worked
            .rows
            .iter()
            .filter(|row| row.read.large || !row.work.write.is_empty())
            .flat_map(|row| as_listed(ctx, row, violators))
            .collect();
        if !rows.is_empty() {
            self.store.add_quarantine(&rows).await?;
        }
        Ok(i64::try_from(rows.len()).unwrap_or(i64::MAX))
    }
}

fn as_listed(ctx: &RunContext, row: &WorkedRow, violators: &[Violator]) -> Vec<NewQuarantine> {
    let constraint = violators
        .iter()
        .find(|one| row.read.key_text.as_ref() == Some(&one.key))
        .map(|one| one.constraint.clone());
    let fault = RowFault {
        field: None,
        reason:
            "the row breaks a constraint that was added NOT VALID, so that no update of it is taken"
                .to_owned(),
        sqlstate: Some(CHECK_VIOLATION.to_owned()),
        constraint,
    };
    ctx.known_faults
        .list(ctx.run_id, &row.read, &row.key, &[fault])
}
