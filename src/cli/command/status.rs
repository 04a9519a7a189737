//! `phiseal status`: fields, runs, lanes, keys and quarantine, and what of them needs a person.
//! Needs no wrapping key, so that a monitor can run it.

mod attention;
mod rendering;

pub use rendering::{run_object, runs_text};

use std::collections::HashSet;

use super::registered;
use crate::cli::args::{Global, Status};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::engine::census::{self, Census};
use crate::error::{Exit, Fault};
use crate::keys::{KeyRecord, RotationRecord};
use crate::store::{
    FieldRecord, LaneRecord, QuarantineRecord, RelationRecord, RunRecord, RunState, Store,
    Transport,
};

/// The most runs that are shown; unfinished runs come first.
const RUNS_MAX: u32 = 20;
/// The most rotations that are shown.
const ROTATIONS_MAX: u32 = 10;
/// Tables of up to this many rows are counted each time; larger ones only with `--census`.
const CENSUS_ROWS_MAX: u64 = 1_000_000;

/// Everything that the status reports.
struct Facts {
    fields: Vec<FieldRecord>,
    runs: Vec<RunRecord>,
    /// The lanes of unfinished runs.
    lanes: Vec<LaneRecord>,
    keys: Vec<KeyRecord>,
    quarantine: Vec<QuarantineRecord>,
    /// Rotations and rewraps, the unfinished ones first.
    rotations: Vec<RotationRecord>,
    /// Values by key id, if they were counted.
    census: Option<Census>,
    /// The relations of registered tables.
    relations: Vec<RelationRecord>,
    /// Why the guards cannot be relied upon, one reason each.
    guard_gaps: Vec<String>,
    /// The server's time.
    now: String,
    /// How the connection was made; `None` in SQLite.
    transport: Option<Transport>,
}

impl Facts {
    /// Whether this database has recorded relations of the table.
    fn is_recorded(&self, label: &str) -> bool {
        self.relations.iter().any(|one| one.table_label == label)
    }
}

pub async fn run(global: &Global, args: &Status, output: Output) -> Result<Exit, Fault> {
    let (session, server) = Session::installed(global, !global.table.is_empty()).await?;
    let labels = session.labels(global).await?;
    let mut facts = gather(session.store.as_ref(), labels.as_ref()).await?;
    facts.guard_gaps = server.guard_gaps;
    facts.census = count(&session, args.census).await?;
    facts.transport = server.transport;
    let attention = attention::reasons(&facts);
    output.result(
        &rendering::object(&facts, &attention),
        &rendering::text(&facts, &attention),
    );
    Ok(if args.check && !attention.is_empty() {
        Exit::Attention
    } else {
        Exit::Done
    })
}

/// Reads the facts about the tables in `labels`, or about all tables if it is `None`. Always reads
/// all keys.
async fn gather(store: &dyn Store, labels: Option<&HashSet<String>>) -> Result<Facts, Fault> {
    let asked = |label: &String| labels.is_none_or(|labels| labels.contains(label));
    let mut fields = store.fields().await?;
    fields.retain(|field| asked(&field.table_label));
    let mut runs = store.runs(RUNS_MAX).await?;
    runs.retain(|run| asked(&run.table_label));
    let mut quarantine = store.quarantined(None).await?;
    quarantine.retain(|record| asked(&record.row.table_label));
    let mut lanes = Vec::new();
    for run in runs.iter().filter(|run| unfinished(run)) {
        lanes.extend(store.lanes(run.run_id).await?);
    }
    Ok(Facts {
        fields,
        runs,
        lanes,
        keys: store.key_records().await?,
        quarantine,
        rotations: store.rotations(ROTATIONS_MAX).await?,
        census: None,
        relations: {
            let mut relations = store.sealed_relations().await?;
            relations.retain(|one| asked(&one.table_label));
            relations
        },
        guard_gaps: Vec::new(),
        now: store.audit_head().await?.now,
        transport: None,
    })
}

/// The census, if it was asked for or the tables are small.
async fn count(session: &Session, asked: bool) -> Result<Option<Census>, Fault> {
    match try_count(session, asked).await {
        Err(error) if asked => Err(error),
        // A failed census that nobody asked for does not stop the rest of the status.
        counted => Ok(counted.ok().flatten()),
    }
}

async fn try_count(session: &Session, asked: bool) -> Result<Option<Census>, Fault> {
    let tables = registered::counted(session).await?;
    let mut rows = 0;
    for access in &tables {
        rows += session.store.row_estimate(&access.table).await?;
    }
    if !asked && rows > CENSUS_ROWS_MAX {
        return Ok(None);
    }
    Ok(Some(census::take(session.store.as_ref(), &tables).await?))
}

fn unfinished(run: &RunRecord) -> bool {
    match run.state {
        RunState::Running | RunState::Interrupted => true,
        RunState::Done | RunState::Failed => false,
    }
}
