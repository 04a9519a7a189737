//! Rows that break a constraint which was added NOT VALID: an UPDATE of one fails, and the server writes the whole
//! row, plaintext included, into its log. Those that a run would write are listed before its first batch, and so
//! never sent.
//! Owns which these are: the step itself says what it would write.

use std::sync::Arc;

use super::Engine;
use super::context::Context;
use super::error::EngineError;
use super::parcel::{self, Worked};
use super::retry::Patience;
use super::step::RowFault;
use crate::store::survey::Violator;
use crate::store::{Cursor, NewQuarantine, Page, PageRequest};

/// More rows than these, and a person has to decide: they are not listed one by one.
const LISTED_MAX: u32 = 10_000;
/// Rows that are read at a time.
const AT_A_TIME: usize = 100;
/// Of a row with a larger value nobody looks whether the run would write it.
const VALUE_BYTES_MAX: u64 = 1 << 20;
const CHECK_VIOLATION: &str = "23514";

impl Engine {
    /// Lists the rows of the table that would be written and refused. How many are new in the list.
    ///
    /// # Errors
    /// [`EngineError::Violating`] where there are too many to be listed; what the store reports.
    pub(super) async fn list_violators(&self, ctx: &Arc<Context>) -> Result<i64, EngineError> {
        let mut listed = 0;
        for relation in self.store.relations(&ctx.target).await? {
            let limit = LISTED_MAX + 1;
            let found = self.store.violators(&ctx.target, &relation, limit).await?;
            if let (true, Some(first)) = (found.len() > LISTED_MAX as usize, found.first()) {
                return Err(EngineError::Violating {
                    table: ctx.target.label.clone(),
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
        ctx: &Arc<Context>,
        relation: &str,
        violators: &[Violator],
    ) -> Result<i64, EngineError> {
        let request = PageRequest {
            value_bytes_max: ctx.settings.value_bytes_max.min(VALUE_BYTES_MAX),
            ..ctx.request(relation, ctx.step.reads().main, 0)
        };
        let keys: Vec<Cursor> = violators.iter().map(|one| one.key.clone()).collect();
        let page = self.page_of(ctx, &request, &keys).await?;
        let parcel = parcel::work(ctx, page).await?;
        let rows: Vec<NewQuarantine> = parcel
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

    async fn page_of(
        &self,
        ctx: &Context,
        request: &PageRequest,
        keys: &[Cursor],
    ) -> Result<Page, EngineError> {
        let mut patience = Patience::new(ctx.settings.patience);
        loop {
            let mut reader = self.store.reader().await?;
            match reader.current(&ctx.target, request, keys).await {
                Ok(page) => return Ok(page),
                Err(error) => patience.wait(ctx, error).await?,
            }
        }
    }
}

fn as_listed(ctx: &Context, row: &Worked, violators: &[Violator]) -> Vec<NewQuarantine> {
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
    ctx.book.list(ctx.run_id, &row.read, &row.key, &[fault])
}
