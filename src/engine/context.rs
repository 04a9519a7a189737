//! What everything that works on one table of one run shares.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::alike::Alike;
use super::columns::Columns;
use super::events::EventSink;
use super::quarantine::Book;
use super::step::Step;
use super::stop::Stop;
use super::tenants::Tenants;
use crate::crypto::KeyId;
use crate::run::checkpoint::Checkpoints;
use crate::run::holder::Process;
use crate::store::{PageRequest, Select, Store, Target};

/// Limits of a run; may change between an interruption and its resumption.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Lanes worked on at once by this process.
    pub workers: u32,
    /// How long a batch is to take.
    pub batch_target: Duration,
    /// Bytes of values in a window.
    pub batch_bytes_max: u64,
    /// Larger values are worked on one at a time.
    pub value_bytes_max: u64,
    /// How long a lane is held without a sign of life, seconds.
    pub lease_seconds: u32,
    /// How long a failing database is waited for.
    pub patience: Duration,
    /// How long rows that somebody holds are swept before the run gives up.
    pub converge_within: Duration,
}

/// The largest value that is worked on at all: a server sends no more than 1 GiB in one message,
/// and the text form takes a third more.
pub const VALUE_BYTES_CEILING: u64 = 512 << 20;

/// One table of one run.
pub struct Context {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The table.
    pub target: Arc<Target>,
    /// What is done to its rows.
    pub step: Arc<dyn Step>,
    /// Its derived keys.
    pub columns: Arc<Columns>,
    /// The keys, and the issuing of more.
    pub tenants: Arc<Tenants>,
    /// Stored cursors.
    pub checkpoints: Checkpoints,
    /// Limits.
    pub settings: Settings,
    /// Who wants to know.
    pub events: Arc<dyn EventSink>,
    /// The wish to stop.
    pub stop: Stop,
    /// Rows known to be bad.
    pub book: Book,
    /// Rows that the database refused since it took one.
    pub alike: Alike,
    /// The definition of each relation when the run began.
    pub fingerprints: HashMap<String, String>,
    /// The rotation that each older key is left by; empty for other runs.
    pub rotations: HashMap<KeyId, i64>,
    /// This process.
    pub process: Process,
    /// The run's number; `None` for a verification, which leaves no trace in `runs`.
    pub run_id: Option<i64>,
}

impl Context {
    /// A window of a relation from its start, to be narrowed.
    pub fn request(&self, relation: &str, select: Select, rows_max: u32) -> PageRequest {
        let reads = self.step.reads();
        PageRequest {
            relation: relation.to_owned(),
            after: None,
            upto: None,
            rows_max,
            bytes_max: self.settings.batch_bytes_max,
            value_bytes_max: self.settings.value_bytes_max,
            select,
            with_plain: reads.plain,
            with_sealed: reads.sealed,
            with_index: reads.index,
            with_key_text: false,
            versions: crate::store::Versions::All,
        }
    }

    /// The key of what is ours in a batch, which must be active as long as it seals anything: a
    /// cursor that may be PHI, the keys of rows that are listed.
    pub fn own_key(&self, cursor: bool, lists: bool) -> Option<KeyId> {
        let seals = lists || (cursor && self.checkpoints.seals());
        seals
            .then(|| self.tenants.own().ok().map(|key| key.key_id()))
            .flatten()
    }

    /// Whether sealing takes a blind index key.
    pub fn blind_index(&self) -> bool {
        self.columns
            .fields()
            .iter()
            .any(|field| field.index.is_some())
    }
}
