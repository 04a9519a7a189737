//! How the tables of one database are: fields, runs, lanes, keys, pace and quarantine, and what of them
//! needs a person. Owns what is gathered; what it means is in `reasons`. Needs no key.

#[cfg(test)]
pub mod fixture;
pub mod reasons;

use std::collections::{BTreeSet, HashMap, HashSet};

pub use reasons::Reason;

use super::census::{self, Census};
use super::look::Database;
use super::registered::JobsError;
use super::{coverage, under_way};
use crate::keys::{KeyRecord, RotationRecord};
use crate::store::{
    Extent, FieldRecord, LaneRecord, PaceReport, PaceRequest, ProcedureRecord, QuarantineSummary,
    RelationRecord, RunRecord, RunState, Store, Transport,
};

/// The most runs that are gathered; unfinished runs come first.
const RUNS_MAX: u32 = 20;
/// The most rotations that are gathered.
const ROTATIONS_MAX: u32 = 10;
/// The most procedures that are gathered.
const PROCEDURES_MAX: u32 = 10;
/// The most quarantine entries that are gathered.
pub const QUARANTINE_MAX: u32 = 1000;
/// Tables of up to this many rows are counted in any case.
pub(super) const CENSUS_ROWS_MAX: u64 = 1_000_000;

/// How much is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// What needs no scan of a table and no long list: for a screen that is drawn every few seconds.
    Counts,
    /// Also the first quarantine entries, and the values under each key where the tables are small.
    Lists,
    /// Also the values under each key, whatever the size of the tables.
    Census,
}

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
    /// What is in quarantine.
    pub quarantine: QuarantineSummary,
    /// The share that is done of each unfinished run, 0 to 1, by its number; where it can be told
    /// without a key.
    pub shares: HashMap<i64, f64>,
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
    /// keys in any case.
    ///
    /// # Errors
    /// What the store reports; with [`Depth::Census`], also a table that cannot be counted.
    pub async fn gather(
        database: &Database<'_>,
        labels: Option<&HashSet<String>>,
        depth: Depth,
    ) -> Result<Self, JobsError> {
        let (store, server) = (database.store, database.server);
        let asked = |label: &String| labels.is_none_or(|labels| labels.contains(label));
        let mut fields = store.fields().await?;
        fields.retain(|field| asked(&field.table_label));
        let mut runs = store.runs(RUNS_MAX).await?;
        runs.retain(|run| asked(&run.table_label));
        let listed = match depth {
            Depth::Counts => 0,
            Depth::Lists | Depth::Census => QUARANTINE_MAX,
        };
        let quarantine = match labels {
            Some(labels) if labels.is_empty() => QuarantineSummary::default(),
            labels => {
                let labels: Vec<String> = labels.into_iter().flatten().cloned().collect();
                store.quarantine_summary(&labels, listed).await?
            }
        };
        let mut lanes = Vec::new();
        let mut shares = HashMap::new();
        for run in runs.iter().filter(|run| is_unfinished(run)) {
            let of_run = store.lanes(run.run_id).await?;
            shares.extend(share(store, &of_run).await.map(|share| (run.run_id, share)));
            lanes.extend(of_run);
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
            shares,
            rotations,
            procedures,
            relations,
            guard_gaps: server.guard_gaps.clone(),
            now: store.audit_head().await?.now,
            transport: server.transport.clone(),
            census: count(database, depth).await?,
        })
    }

    /// What needs a person; empty if all is well.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        reasons::of(self)
    }
}

/// The share of a run that is done; `None` if it has no ranges, or our role may not see its table.
async fn share(store: &dyn Store, lanes: &[LaneRecord]) -> Option<f64> {
    let relations: BTreeSet<&String> = lanes.iter().map(|lane| &lane.relation).collect();
    let relations: Vec<String> = relations.into_iter().cloned().collect();
    let extents = store.extents(&relations).await.ok()?;
    coverage::of_lanes(lanes, &extents)
}

/// The census, if it was asked for or the tables are small.
async fn count(database: &Database<'_>, depth: Depth) -> Result<Option<Census>, JobsError> {
    match depth {
        Depth::Counts => Ok(None),
        // A failed census that nobody asked for does not stop the rest.
        Depth::Lists => Ok(try_count(database, false).await.ok().flatten()),
        Depth::Census => try_count(database, true).await,
    }
}

async fn try_count(database: &Database<'_>, asked: bool) -> Result<Option<Census>, JobsError> {
    let tables = database.counted().await?;
    let mut rows = 0;
    for access in &tables {
        let relations = database.store.relations(access).await?;
        rows += Extent::rows(&database.store.extents(&relations).await?);
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
