//! Rows that break a constraint which was added NOT VALID: an UPDATE of one fails, and the server writes the whole
//! row, plaintext included, into its log. They are listed before the first batch, and so never sent.
//! Owns that nothing but their keys is read.

use super::Engine;
use super::conduct::patiently;
use super::context::Context;
use super::error::EngineError;
use super::quarantine::stand_in_key;
use super::step::RowFault;
use crate::crypto::RowKey;
use crate::store::survey::Violator;
use crate::store::{Cursor, NewQuarantine, PageRequest, PageRow, StoreError};

/// More rows than these, and a person has to decide: they are not listed one by one.
const LISTED_MAX: u32 = 10_000;
/// Rows that are read and listed at a time.
const AT_A_TIME: usize = 500;
const CHECK_VIOLATION: &str = "23514";

impl Engine {
    /// Lists the rows of the table that need work and would be refused so. How many are new in the list.
    ///
    /// # Errors
    /// [`EngineError::Violating`] where there are too many to be listed; what the store reports.
    pub(super) async fn list_violators(&self, ctx: &Context) -> Result<i64, EngineError> {
        let mut listed = 0;
        for relation in patiently(ctx, || self.store.relations(&ctx.target)).await? {
            let limit = LISTED_MAX + 1;
            let found =
                patiently(ctx, || self.store.violators(&ctx.target, &relation, limit)).await?;
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
        ctx: &Context,
        relation: &str,
        violators: &[Violator],
    ) -> Result<i64, EngineError> {
        let request = PageRequest {
            with_plain: false,
            with_sealed: false,
            with_index: false,
            ..ctx.request(relation, ctx.step.reads().main, 0)
        };
        let keys: Vec<Cursor> = violators.iter().map(|one| one.key.clone()).collect();
        let page = patiently(ctx, || async {
            let mut reader = self.store.reader().await?;
            reader.current(&ctx.target, &request, &keys).await
        })
        .await?;
        let rows: Vec<NewQuarantine> = page
            .rows
            .iter()
            .flat_map(|row| as_listed(ctx, row, violators))
            .collect();
        if !rows.is_empty() {
            patiently(ctx, || self.store.add_quarantine(&rows)).await?;
        }
        i64::try_from(rows.len()).map_err(|_| {
            StoreError::Unexpected {
                what: "more rows than were asked for",
            }
            .into()
        })
    }
}

fn as_listed(ctx: &Context, row: &PageRow, violators: &[Violator]) -> Vec<NewQuarantine> {
    let key = match &row.key {
        Ok(parts) => RowKey::encode(parts).unwrap_or_else(|_| stand_in_key(row)),
        Err(_) => stand_in_key(row),
    };
    let constraint = violators
        .iter()
        .find(|one| row.key_text.as_ref() == Some(&one.key))
        .map(|one| one.constraint.clone());
    let fault = RowFault {
        field: None,
        reason:
            "the row breaks a constraint that was added NOT VALID, so that no update of it is taken"
                .to_owned(),
        sqlstate: Some(CHECK_VIOLATION.to_owned()),
        constraint,
    };
    ctx.book.list(ctx.run_id, row, &key, &[fault])
}
