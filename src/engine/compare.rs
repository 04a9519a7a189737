//! Compares sealed values with their plaintext where a gap left them unguarded, and seals those
//! again that differ.
//! Owns when a comparison is due and when a gap is closed: once every registered field of the table
//! was compared, and the same guard was valid from before the first row until after the last.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::census;
use super::error::EngineError;
use super::report::TableReport;
use super::steps::backfill::Backfill;
use super::{Engine, Job, job_digest};
use crate::store::{Access, Gap, QuarantineState, RunKind, RunState, Scope};

/// How often a table is compared again because its gaps were not closed.
const ROUNDS: u32 = 3;
/// The server's counters of written rows lag by about a second.
const COUNTERS_ARE_LATE: Duration = Duration::from_millis(1200);
/// The `error_code` of a comparing run that a newer one replaced.
const SUPERSEDED: &str = "superseded";

impl Engine {
    /// Compares the relations of a table that have a gap; `None` if there is none.
    ///
    /// # Errors
    /// What stops the run. Everything committed stays, and the same call resumes.
    pub(super) async fn compare(&self, job: &Job) -> Result<Option<TableReport>, EngineError> {
        let mut all: Option<TableReport> = None;
        for _ in 0..ROUNDS {
            let Some((report, left)) = self.compare_once(job).await? else {
                break;
            };
            match &mut all {
                Some(all) => {
                    all.seconds += report.seconds;
                    all.open_quarantine = report.open_quarantine;
                    all.done.merge(report.done);
                }
                None => all = Some(report),
            }
            if left.is_empty() {
                break;
            }
            // Writing to a detached partition moved the counters by which its changes are detected.
            self.stop.sleep(COUNTERS_ARE_LATE).await;
            self.store.note_relations(&job.table).await?;
        }
        Ok(all)
    }

    /// One run over the relations that have a gap now; also returns those whose gap stays open.
    async fn compare_once(
        &self,
        job: &Job,
    ) -> Result<Option<(TableReport, Vec<String>)>, EngineError> {
        let gaps = self.store.gaps(&job.table).await?;
        let mut compared = job.clone();
        compared.compared = digest(&gaps);
        self.end_superseded(&compared).await?;
        if gaps.is_empty() {
            return Ok(None);
        }
        if !job.table.fields.iter().any(|field| field.plain_exists) {
            // There is no plaintext left that could be newer than a sealed value.
            self.end_gaps(job, &gaps, 0).await?;
            return Ok(None);
        }
        let relations = gaps.iter().map(|gap| gap.relation.clone()).collect();
        compared.scope = Scope::Only(relations);
        let step = Backfill::new(&compared, &self.tenants.keyring.snapshot(), true);
        let report = self.run(&compared, Arc::new(step), HashMap::new()).await?;
        let left = self.end_gaps(job, &gaps, report.open_quarantine).await?;
        Ok(Some((report, left)))
    }

    /// Ends an interrupted comparing run if the guard has changed since: it did not see all that is
    /// to be compared.
    async fn end_superseded(&self, job: &Job) -> Result<(), EngineError> {
        let open = self.store.open_run(&job.table.label).await?;
        let access = job.access();
        let is_ours = |digest: &str| job_digest::is_of(digest, &access, job.compared.as_deref());
        let open = open.filter(|run| run.kind == RunKind::Compare && !is_ours(&run.digest));
        if let Some(run) = open {
            self.store
                .end_run(run.run_id, RunState::Failed, Some(SUPERSEDED))
                .await?;
        }
        Ok(())
    }

    /// Closes gaps after every sealed value was compared; returns the relations whose gap stays
    /// open. A value in quarantine does not keep a gap open, since it is listed there.
    pub(super) async fn end_gaps(
        &self,
        job: &Job,
        gaps: &[Gap],
        listed: u64,
    ) -> Result<Vec<String>, EngineError> {
        if gaps.is_empty() || !self.covers_all(job).await? {
            return Ok(Vec::new());
        }
        let left = self.store.close_gaps(&job.table.label, gaps).await?;
        if listed == 0 && left.is_empty() {
            self.resolve_mended(job).await?;
        }
        Ok(left)
    }

    /// Whether the job names every field of the table that may hold sealed values.
    async fn covers_all(&self, job: &Job) -> Result<bool, EngineError> {
        let labels = job.labels();
        let registered = self.store.fields().await?;
        let facts = self.store.table(&job.table.name).await?;
        let is_there = |name: &String| {
            let columns = facts.iter().flat_map(|facts| &facts.columns);
            columns.into_iter().any(|column| column.name == *name)
        };
        Ok(registered
            .iter()
            .filter(|field| field.table_label == job.table.label && field.state.may_hold_seals())
            .filter(|field| is_there(field.sealed_column.as_ref().unwrap_or(&field.column_name)))
            .all(|field| labels.contains(&field.column_label)))
    }

    /// Resolves the quarantine entries that verifications made, since their values have now been
    /// opened and compared.
    async fn resolve_mended(&self, job: &Job) -> Result<(), EngineError> {
        let listed = self.store.quarantined(Some(&job.table.label)).await?;
        let verified: Vec<i64> = listed
            .iter()
            .filter(|row| row.row.step == RunKind::Verify.as_str())
            .map(|row| row.quarantine_id)
            .collect();
        if !verified.is_empty() {
            self.store
                .set_quarantine_state(&verified, QuarantineState::Resolved)
                .await?;
        }
        Ok(())
    }

    /// Refuses if values of these tables are sealed under keys that do not exist or may not open:
    /// they cannot be checked.
    ///
    /// # Errors
    /// [`KeyError::Unknown`](crate::keys::KeyError::Unknown), or another error about a key that may
    /// not open.
    pub async fn refuse_missing_keys(&self, jobs: &[Job]) -> Result<(), EngineError> {
        let tables: Vec<Access> = jobs.iter().map(Job::access).collect();
        let keys = self.tenants.keyring.snapshot();
        for key_id in census::take(self.store.as_ref(), &tables)
            .await?
            .into_keys()
        {
            keys.openable(key_id)?;
        }
        Ok(())
    }

    /// Whether a backfill of the table was interrupted; it must be finished before values are
    /// compared.
    pub(super) async fn is_half_filled(&self, job: &Job) -> Result<bool, EngineError> {
        let open = self.store.open_run(&job.table.label).await?;
        Ok(open.is_some_and(|run| run.kind == RunKind::Backfill))
    }
}

/// A digest of the gaps; an interrupted comparing run resumes only if it is the same.
fn digest(gaps: &[Gap]) -> Option<String> {
    let mut digest = Sha256::new();
    for gap in gaps {
        for text in [&gap.relation, &gap.guard] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
    }
    Some(hex::encode(digest.finalize()))
}
