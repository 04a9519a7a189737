//! How the tables of one database are: fields, runs, lanes, keys and quarantine, and what of them
//! needs a person. Owns what is gathered; what it means is in `reasons`. Needs no key.

#[cfg(test)]
pub mod fixture;
pub mod reasons;

use std::collections::HashSet;

pub use reasons::Reason;

use super::census::Census;
use crate::keys::{KeyRecord, RotationRecord};
use crate::store::{
    FieldRecord, LaneRecord, QuarantineRecord, RelationRecord, RunRecord, RunState, ServerFacts,
    Store, StoreError, Transport,
};

/// The most runs that are gathered; unfinished runs come first.
const RUNS_MAX: u32 = 20;
/// The most rotations that are gathered.
const ROTATIONS_MAX: u32 = 10;

/// What is known of the registered tables.
pub struct Health {
    /// The registered fields.
    pub fields: Vec<FieldRecord>,
    /// The runs, the unfinished ones first.
    pub runs: Vec<RunRecord>,
    /// The lanes of unfinished runs.
    pub lanes: Vec<LaneRecord>,
    /// All keys.
    pub keys: Vec<KeyRecord>,
    /// The rows and values in quarantine.
    pub quarantine: Vec<QuarantineRecord>,
    /// Rotations and rewraps, the unfinished ones first.
    pub rotations: Vec<RotationRecord>,
    /// Values by key id, if they were counted.
    pub census: Option<Census>,
    /// The relations of registered tables.
    pub relations: Vec<RelationRecord>,
    /// Why the guards cannot be relied upon, one reason each.
    pub guard_gaps: Vec<String>,
    /// The server's time.
    pub now: String,
    /// How the connection was made; `None` in SQLite.
    pub transport: Option<Transport>,
}

impl Health {
    /// Reads what is known of the tables in `labels`, or of all tables if it is `None`. Reads all
    /// keys in any case, and takes no census.
    ///
    /// # Errors
    /// What the store reports.
    pub async fn gather(
        store: &dyn Store,
        server: ServerFacts,
        labels: Option<&HashSet<String>>,
    ) -> Result<Self, StoreError> {
        let asked = |label: &String| labels.is_none_or(|labels| labels.contains(label));
        let mut fields = store.fields().await?;
        fields.retain(|field| asked(&field.table_label));
        let mut runs = store.runs(RUNS_MAX).await?;
        runs.retain(|run| asked(&run.table_label));
        let mut quarantine = store.quarantined(None).await?;
        quarantine.retain(|record| asked(&record.row.table_label));
        let mut lanes = Vec::new();
        for run in runs.iter().filter(|run| is_unfinished(run)) {
            lanes.extend(store.lanes(run.run_id).await?);
        }
        let keys = store.key_records().await?;
        let rotations = store.rotations(ROTATIONS_MAX).await?;
        let mut relations = store.sealed_relations().await?;
        relations.retain(|one| asked(&one.table_label));
        Ok(Self {
            fields,
            runs,
            lanes,
            keys,
            quarantine,
            rotations,
            census: None,
            relations,
            guard_gaps: server.guard_gaps,
            now: store.audit_head().await?.now,
            transport: server.transport,
        })
    }

    /// What needs a person; empty if all is well.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        reasons::of(self)
    }
}

fn is_unfinished(run: &RunRecord) -> bool {
    match run.state {
        RunState::Running | RunState::Interrupted => true,
        RunState::Done | RunState::Failed => false,
    }
}
