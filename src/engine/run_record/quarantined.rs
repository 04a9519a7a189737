//! What a run or a verification that ended does to the quarantine. Owns which entries are resolved.

use crate::engine::Engine;
use crate::engine::context::RunContext;
use crate::engine::error::EngineError;
use crate::engine::report::{FAILURES_MAX, Tallied};
use crate::store::{QuarantineState, RunKind};

impl Engine {
    /// Resolves the entries that an operator marked for retry and that this run did not list again.
    /// Returns how many rows wait for a person. A resumed run in place may have passed such a row
    /// before it was interrupted, and its sweep treats what looks sealed as sealed; so there the
    /// entries wait for the next run.
    pub(in crate::engine) async fn close_quarantine(
        &self,
        ctx: &RunContext,
        resumed: bool,
    ) -> Result<u64, EngineError> {
        let step = ctx.step.kind().as_str();
        let listed = self
            .store
            .quarantined(Some(&ctx.access.table.label))
            .await?;
        let tried: Vec<i64> = listed
            .iter()
            .filter(|row| {
                row.state == QuarantineState::Retry && ctx.known_faults.retries(row.quarantine_id)
            })
            .map(|row| row.quarantine_id)
            .collect();
        let gone_by = resumed && ctx.access.in_place();
        if !tried.is_empty() && !gone_by {
            self.store
                .set_quarantine_state(&tried, QuarantineState::Resolved)
                .await?;
        }
        Ok(listed
            .iter()
            .filter(|row| row.row.step == step && row.state == QuarantineState::Open)
            .count() as u64)
    }

    /// Resolves what an earlier verification listed and this one did not find again.
    pub(in crate::engine) async fn resolve_verified(
        &self,
        label: &str,
        done: &Tallied,
    ) -> Result<(), EngineError> {
        if done.failures.len() >= FAILURES_MAX {
            return Ok(());
        }
        let still: std::collections::HashSet<(&str, &str)> = done
            .failures
            .iter()
            .map(|f| (f.column.as_str(), f.row_tag.as_str()))
            .collect();
        let gone: Vec<i64> = self
            .store
            .quarantined(Some(label))
            .await?
            .iter()
            .filter(|row| row.row.step == RunKind::Verify.as_str())
            .filter(|row| {
                let column = row.row.column_label.as_deref().unwrap_or_default();
                !still.contains(&(column, row.row.row_tag.as_str()))
            })
            .map(|row| row.quarantine_id)
            .collect();
        if !gone.is_empty() {
            self.store
                .set_quarantine_state(&gone, QuarantineState::Resolved)
                .await?;
        }
        Ok(())
    }
}
