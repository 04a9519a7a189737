//! What a rotation would do, for `--dry-run`. Owns which keys it would replace and which values it would seal again.
//! Changes nothing.

use std::collections::BTreeSet;

use super::superseded::superseded_keys;
use super::whole::Rotation;
use crate::crypto::{KeyId, Purpose};
use crate::engine::ahead::{TableAhead, ahead, most, sealed_bytes, total};
use crate::engine::estimate::{Conditions, Rewrite};
use crate::engine::preflight::RunPurpose;
use crate::engine::registered::JobsError;
use crate::engine::{Engine, Job};
use crate::keys::{KeyRecord, KeyStatus, RotationRecord};
use crate::store::TableField;

/// What a rotation would do.
pub struct RotationAhead {
    /// Unfinished rotations, which would be finished; then none is begun.
    pub open: Vec<RotationRecord>,
    /// The keys that would get a successor.
    pub keys: Vec<KeyRecord>,
    /// Active keys that would stay: the values that the last rotation to them left behind are tried again.
    pub again: Vec<KeyRecord>,
    /// The tables whose values would be sealed again.
    pub tables: Vec<TableAhead>,
    /// Registered tables that no longer exist.
    pub gone: Vec<String>,
    /// What would refuse the rotation, or keep it from being finished.
    pub refused: Option<JobsError>,
}

impl Engine {
    /// What [`Engine::rotate`] would do.
    ///
    /// # Errors
    /// What the store reports, and a key that may not seal.
    pub async fn look_before_rotation(
        &self,
        rotation: &Rotation<'_>,
        on: Conditions<'_>,
    ) -> Result<RotationAhead, JobsError> {
        let indexes = rotation.outlook.indexes;
        let (database, events) = (&rotation.database, self.events.as_ref());
        let purpose = RunPurpose::Rotate { indexes };
        let reached = database.able_registered(purpose, events).await?;
        let records = self.store.key_records().await?;
        let mut found = RotationAhead {
            open: self.unfinished().await?,
            keys: Vec::new(),
            again: Vec::new(),
            tables: Vec::new(),
            gone: reached.gone,
            refused: reached.refused,
        };
        if found.open.is_empty() {
            let request = rotation.request();
            if let Err(error) = self.refuse_live_runs(&reached.jobs).await {
                found.refused.get_or_insert(error.into());
            }
            let froms = superseded_keys(&records, &request)?;
            let again = self.remainders(&froms, &request).await?;
            let stays = |key: &KeyRecord| again.iter().any(|one| one.to == key.key_id);
            (found.again, found.keys) = froms.into_iter().partition(stays);
        }
        let old = found.replaced(&records);
        for job in &reached.jobs {
            found
                .tables
                .push(self.table_ahead(job, &old, indexes, on).await?);
        }
        Ok(found)
    }

    async fn table_ahead(
        &self,
        job: &Job,
        old: &BTreeSet<KeyId>,
        indexes: bool,
        on: Conditions<'_>,
    ) -> Result<TableAhead, JobsError> {
        let counts = self.sealed_in(job).await?;
        let facts = self
            .store
            .table(&job.table.name)
            .await
            .map_err(JobsError::from)?;
        let facts = facts.unwrap_or_default();
        let fields: Vec<&TableField> = job.table.fields.iter().collect();
        let indexed = fields.iter().filter(|field| field.index.is_some()).count();
        let meant = |key: KeyId| old.contains(&key);
        let (rows, written, indexed) = match indexes {
            // The new index is of every row, whatever key its value is sealed under.
            true if indexed == 0 => (0, 0.0, 0),
            true => (
                most(&counts, job, |_| true, &facts),
                INDEX_BYTES * indexed as f64,
                indexed,
            ),
            false => (
                most(&counts, job, meant, &facts),
                sealed_bytes(&facts, &fields),
                0,
            ),
        };
        let values = match indexes {
            true => None,
            false => total(&counts, meant),
        };
        let run = Rewrite {
            rows,
            written,
            grown: if indexes { written } else { 0.0 },
            indexes: indexed,
        };
        Ok(ahead(job, &facts, values, run, on))
    }
}

/// Bytes of a blind index in its row.
const INDEX_BYTES: f64 = 33.0;

impl RotationAhead {
    /// The keys whose values would be sealed again.
    fn replaced(&self, records: &[KeyRecord]) -> BTreeSet<KeyId> {
        let to = self.open.iter().filter_map(|record| record.to_key_id);
        let to: BTreeSet<KeyId> = to.chain(self.again.iter().map(|key| key.key_id)).collect();
        let stay = records.iter().filter(|key| to.contains(&key.key_id));
        let rotated = stay
            .chain(&self.keys)
            .filter(|key| key.purpose == Purpose::Cell);
        let tenants: BTreeSet<&str> = rotated.map(|key| key.tenant.as_str()).collect();
        records
            .iter()
            .filter(|key| key.purpose == Purpose::Cell && key.status.may_open())
            .filter(|key| key.status != KeyStatus::PreActive && !to.contains(&key.key_id))
            .filter(|key| tenants.contains(key.tenant.as_str()))
            .map(|key| key.key_id)
            .collect()
    }
}
