//! What a restore or a rotation would do to the registered tables, for `--dry-run`.
//! Owns what is counted and estimated of a table; what a rotation would do with keys is in `rotation/ahead.rs`, what a
//! destruction would find in `destroy/ahead.rs`. Changes nothing, and needs no lock.

use super::census;
use super::estimate::{Conditions, Estimate, Rewrite, rewrite};
use super::health::CENSUS_ROWS_MAX;
use super::{Engine, EngineError, Job};
use crate::crypto::KeyId;
use crate::store::catalog::TableFacts;
use crate::store::{Extent, FieldState, RunKind, SealedCount, TableField};

/// What would be done to one table.
#[derive(Debug)]
pub struct TableAhead {
    /// Its label.
    pub table: String,
    /// The labels of its columns.
    pub columns: Vec<String>,
    /// Rows of the table, by its statistics.
    pub rows: u64,
    /// Sealed values that would be opened; `None` where the table is too large to count them.
    pub values: Option<u64>,
    /// How long it takes and what it leaves behind.
    pub estimate: Estimate,
}

/// What a restore would do to one table.
#[derive(Debug)]
pub struct RestoreAhead {
    /// The table.
    pub table: TableAhead,
    /// Plaintext columns that would be made.
    pub makes: Vec<String>,
    /// Columns that would be dropped at the end.
    pub drops: Vec<String>,
    /// Rows in quarantine, which keep the sealed columns from being dropped.
    pub quarantined: u64,
    /// What would refuse the restore.
    pub refused: Option<EngineError>,
}

impl Engine {
    /// What a restore of the job would do. It reads in key order, whatever `on` says.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn look_before_restore(
        &self,
        job: &Job,
        drop_sealed: bool,
        on: Conditions<'_>,
    ) -> Result<RestoreAhead, EngineError> {
        let label = &job.table.label;
        let mut refused = self.refuse_open_finalize(label).await.err();
        let open = self.store.open_run(label).await?;
        if let Some(run) = open.filter(|run| run.kind != RunKind::Restore) {
            refused.get_or_insert(EngineError::OtherRun {
                kind: run.kind.to_string(),
                table: label.clone(),
                why: "it is not finished".to_owned(),
            });
        }
        let registered = self.store.fields().await?;
        let is_gone = |field: &&TableField| {
            let state = registered
                .iter()
                .find(|record| record.table_label == *label && record.column_label == field.label);
            let removed = state.is_some_and(|record| {
                matches!(record.state, FieldState::Finalized | FieldState::Scrubbed)
            });
            removed || !field.plain_exists
        };
        let fields = &job.table.fields;
        let gone: Vec<&TableField> = fields.iter().filter(is_gone).collect();
        let names = |field: &&TableField| field.column.as_str().to_owned();
        let counts = self.sealed_in(job).await?;
        let facts = self.store.table(&job.table.name).await?.unwrap_or_default();
        let rows = match gone.is_empty() {
            true => 0,
            false => most(&counts, job, |_| true, &facts),
        };
        let bytes = sealed_bytes(&facts, &gone);
        let run = Rewrite {
            rows,
            written: bytes,
            grown: bytes,
            indexes: 0,
        };
        let mut drops = Vec::new();
        if drop_sealed {
            let beside = |field: &TableField| field.sealed.beside().cloned();
            let all = fields
                .iter()
                .flat_map(|field| [beside(field), field.index.clone()]);
            drops = all.flatten().map(|name| name.as_str().to_owned()).collect();
        }
        let on = Conditions {
            key_order: true,
            ..on
        };
        Ok(RestoreAhead {
            table: ahead(job, &facts, total(&counts, |_| true), run, on),
            makes: (gone.iter())
                .filter(|field| !field.plain_exists)
                .map(names)
                .collect(),
            drops,
            quarantined: self.listed(job).await?,
            refused,
        })
    }

    /// How many values of a table each key seals; `None` if the table is too large to count them for a look.
    pub(super) async fn sealed_in(
        &self,
        job: &Job,
    ) -> Result<Option<Vec<SealedCount>>, EngineError> {
        let relations = self.store.relations(&job.access()).await?;
        let rows = Extent::rows(&self.store.extents(&relations).await?);
        if rows > CENSUS_ROWS_MAX {
            return Ok(None);
        }
        Ok(Some(
            census::of_table(self.store.as_ref(), &job.access()).await?,
        ))
    }
}

/// A table with what would be done to it.
pub(super) fn ahead(
    job: &Job,
    facts: &TableFacts,
    values: Option<u64>,
    run: Rewrite,
    on: Conditions<'_>,
) -> TableAhead {
    TableAhead {
        table: job.table.label.clone(),
        columns: job.fields.iter().map(|field| field.label.clone()).collect(),
        rows: facts.rows.max(0).unsigned_abs(),
        values,
        estimate: rewrite(facts, run, on),
    }
}

/// The values under the keys that are meant, if they were counted.
pub(super) fn total(
    counts: &Option<Vec<SealedCount>>,
    meant: impl Fn(KeyId) -> bool,
) -> Option<u64> {
    let under = |count: &&SealedCount| count.key_id.is_some_and(&meant);
    let counts = counts.as_ref()?;
    Some(counts.iter().filter(under).map(|count| count.values).sum())
}

/// The rows with such values: as many as the field with the most has, or else all.
pub(super) fn most(
    counts: &Option<Vec<SealedCount>>,
    job: &Job,
    meant: impl Fn(KeyId) -> bool,
    facts: &TableFacts,
) -> u64 {
    let Some(counts) = counts else {
        return facts.rows.max(0).unsigned_abs();
    };
    let of = |at: usize| {
        let here = counts.iter().filter(|count| count.field == Some(at));
        here.filter(|count| count.key_id.is_some_and(&meant))
            .map(|count| count.values)
            .sum()
    };
    (0..job.fields.len()).map(of).max().unwrap_or(0)
}

/// The bytes that the sealed values of these fields have in a row, by the statistics.
pub(super) fn sealed_bytes(facts: &TableFacts, fields: &[&TableField]) -> f64 {
    let width = |field: &&TableField| {
        let column = field.sealed.beside().unwrap_or(&field.column);
        let found = facts.columns.iter().find(|one| one.name == column.as_str());
        found.map_or(0.0, |one| one.width as f64)
    };
    fields.iter().map(width).sum()
}
