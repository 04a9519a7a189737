//! How the tables of one database are: fields, runs, lanes, keys, pace and quarantine, and what of them
//! needs a person. Owns what is gathered; what it means is in `reasons`. Needs no key.

#[cfg(test)]
pub mod fixture;
pub mod reasons;

use std::collections::HashSet;

pub use reasons::Reason;

use super::census::{self, Census};
use super::look::Database;
use super::registered::JobsError;
use super::under_way;
use crate::keys::{KeyRecord, RotationRecord};
use crate::store::{
    FieldRecord, LaneRecord, PaceReport, PaceRequest, ProcedureRecord, QuarantineRecord,
    RelationRecord, RunRecord, RunState, Transport,
};

/// The most runs that are gathered; unfinished runs come first.
const RUNS_MAX: u32 = 20;
/// The most rotations that are gathered.
const ROTATIONS_MAX: u32 = 10;
/// The most procedures that are gathered.
const PROCEDURES_MAX: u32 = 10;
/// Tables of up to this many rows are counted in any case.
pub(super) const CENSUS_ROWS_MAX: u64 = 1_000_000;

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
    /// Procedures of several phases, the unfinished ones first.
    pub procedures: Vec<ProcedureRecord>,
    /// What the processes that live report, the newest first.
    pub pace: Vec<PaceReport>,
    /// What operators ask of runs.
    pub requests: Vec<PaceRequest>,
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
    /// keys in any case. Counts the values of small tables, or of all tables with `census`.
    ///
    /// # Errors
    /// What the store reports; with `census`, also a table that cannot be counted.
    pub async fn gather(
        database: &Database<'_>,
        labels: Option<&HashSet<String>>,
        census: bool,
    ) -> Result<Self, JobsError> {
        let (store, server) = (database.store, database.server);
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
        let mut procedures = store.procedures(PROCEDURES_MAX).await?;
        procedures.retain(|one| asked(&one.table_label));
        let mut relations = store.sealed_relations().await?;
        relations.retain(|one| asked(&one.table_label));
        let mut pace = under_way::live(store.pace_reports().await?);
        pace.retain(|one| asked(&one.table_label));
        let mut requests = store.pace_requests().await?;
        requests.retain(|one| one.table_label.is_empty() || asked(&one.table_label));
        Ok(Self {
            pace,
            requests,
            fields,
            runs,
            lanes,
            keys,
            quarantine,
            rotations,
            procedures,
            relations,
            guard_gaps: server.guard_gaps.clone(),
            now: store.audit_head().await?.now,
            transport: server.transport.clone(),
            census: count(database, census).await?,
        })
    }

    /// What needs a person; empty if all is well.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        reasons::of(self)
    }
}

/// The census, if it was asked for or the tables are small.
async fn count(database: &Database<'_>, asked: bool) -> Result<Option<Census>, JobsError> {
    match try_count(database, asked).await {
        Err(error) if asked => Err(error),
        // A failed census that nobody asked for does not stop the rest.
        counted => Ok(counted.ok().flatten()),
    }
}

async fn try_count(database: &Database<'_>, asked: bool) -> Result<Option<Census>, JobsError> {
    let tables = database.counted().await?;
    let mut rows = 0;
    for access in &tables {
        rows += database.store.row_estimate(&access.table).await?;
    }
    if !asked && rows > CENSUS_ROWS_MAX {
        return Ok(None);
    }
    Ok(Some(census::take(database.store, &tables).await?))
}

/// Whether a run can still be worked on.
pub(super) fn is_unfinished(run: &RunRecord) -> bool {
    match run.state {
        RunState::Running | RunState::Interrupted => true,
        RunState::Done | RunState::Failed => false,
    }
}
