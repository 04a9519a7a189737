//! What all parts of one run over one table share. Owns these values, not what is done with them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::alike::Alike;
use super::columns::Columns;
use super::coverage::{Coverage, percent};
use super::error::EngineError;
use super::events::{Event, EventSink};
use super::pages::PageSource;
use super::quarantine::KnownFaults;
use super::retry::Patience;
use super::step::Step;
use super::stop::Stop;
use super::tenants::Tenants;
use super::throttle::Throttle;
use crate::crypto::KeyId;
use crate::plan::pace::PaceSettings;
use crate::run::checkpoint::Checkpoints;
use crate::run::holder::Process;
use crate::store::{Access, PageRequest, Select, Store};

/// A window of so many rows that need no work takes a few milliseconds.
const WINDOW_ROWS_SHORT: u32 = 1000;

/// The limits of a run. They may differ when an interrupted run is resumed.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// How many lanes this process works on at once.
    pub workers: u32,
    /// How long a batch should take.
    pub batch_target: Duration,
    /// The most bytes of values in a window.
    pub batch_bytes_max: u64,
    /// Rows with a value of more bytes than this are worked on one at a time.
    pub value_bytes_max: u64,
    /// How long a claim of a lane lasts without renewal, in seconds.
    pub lease_seconds: u32,
    /// How long a failing round trip is repeated.
    pub patience: Duration,
    /// How fast runs go, and when.
    pub pace: PaceSettings,
    /// How long the sweep goes on with rows that stay locked before the run gives up.
    pub converge_within: Duration,
}

/// The largest value that is processed, 512 MiB: a server sends at most 1 GiB in one message, and
/// the text form is a third longer.
pub const VALUE_BYTES_CEILING: u64 = 512 << 20;

/// The shared state of one run over one table.
pub struct RunContext {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The table, and the columns that the step reads and writes.
    pub access: Arc<Access>,
    /// The step that works on its rows.
    pub step: Arc<dyn Step>,
    /// The derived keys of its columns.
    pub columns: Arc<Columns>,
    /// The keyring, which also issues keys for new tenants.
    pub tenants: Arc<Tenants>,
    /// Encodes and decodes stored bounds.
    pub checkpoints: Checkpoints,
    /// The limits of the run.
    pub settings: RunSettings,
    /// Where events go.
    pub events: Arc<dyn EventSink>,
    /// The request to stop.
    pub stop: Stop,
    /// Admits each window that is read.
    pub throttle: Arc<dyn Throttle>,
    /// The rows and values that are in quarantine.
    pub known_faults: KnownFaults,
    /// How much of the table is done.
    pub coverage: Coverage,
    /// The rows that were refused since a row was last written.
    pub alike: Alike,
    /// The definition of each relation when the run began.
    pub fingerprints: HashMap<String, String>,
    /// The rotation that replaces each superseded key; empty for other runs.
    pub rotations: HashMap<KeyId, i64>,
    /// This process, as a holder of lanes.
    pub process: Process,
    /// The run's id; `None` for a verification, which is not recorded in `runs`.
    pub run_id: Option<i64>,
    /// Whether anything is written to the database; a verification may only read it.
    pub records: bool,
}

impl RunContext {
    /// Where the pages of this run come from.
    pub fn page_source(&self) -> PageSource {
        PageSource {
            store: Arc::clone(&self.store),
            access: Arc::clone(&self.access),
            events: Arc::clone(&self.events),
            stop: self.stop.clone(),
            throttle: Arc::clone(&self.throttle),
            patience: Some(self.settings.patience),
        }
    }

    /// Reports what was committed or verified.
    pub fn done(&self, rows: u64, values: u64) {
        self.events.emit(Event::Batch {
            rows,
            values,
            share: self.coverage.share(),
        });
    }

    /// The error of a run that was told to stop, with how much is done.
    pub fn interrupted(&self) -> EngineError {
        match self.coverage.share() {
            Some(share) => EngineError::Interrupted {
                done: Some(format!(
                    "{} % of {} done",
                    // Whatever share the lanes are, the last pass was not made.
                    percent(share).min(99),
                    self.access.table.label
                )),
            },
            None => EngineError::interrupted(),
        }
    }

    /// How many rows a window looks at whose size does not follow from the time of batches: at most
    /// `most`, and few while an application is active.
    pub fn window_rows(&self, most: u32) -> u32 {
        let target = self.settings.batch_target;
        let most = most.min(self.throttle.window_rows_max());
        match self.throttle.batch_target(target) < target {
            true => most.min(WINDOW_ROWS_SHORT),
            false => most,
        }
    }

    /// The patience with a round trip that fails.
    pub fn patience(&self) -> Patience {
        Patience::by(self.stop.clock(), self.settings.patience)
    }

    /// A request for a window from the start of a relation, for the caller to narrow.
    pub fn request(&self, relation: &str, select: Select, rows_max: u32) -> PageRequest {
        PageRequest {
            relation: relation.to_owned(),
            after: None,
            upto: None,
            rows_max,
            bytes_max: self.settings.batch_bytes_max,
            value_bytes_max: self.settings.value_bytes_max,
            select,
            with_key_text: false,
            versions: crate::store::Visibility::All,
        }
    }

    /// The engine's own key, if a batch seals anything with it: a cursor that may be PHI, or the
    /// row keys of quarantine entries. It must then be active.
    pub fn own_key(&self, cursor: bool, lists: bool) -> Option<KeyId> {
        let seals = lists || (cursor && self.checkpoints.seals());
        seals
            .then(|| self.tenants.own().ok().map(|key| key.key_id()))
            .flatten()
    }

    /// Whether sealing needs a blind index key.
    pub fn blind_index(&self) -> bool {
        self.columns
            .fields()
            .iter()
            .any(|field| field.index.is_some())
    }
}
