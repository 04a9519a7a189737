//! The contract between the engine and a database.
//! Owns the traits and types of a round trip; knows nothing of the plan file, of steps or of progress.
//! Every method is one place where a run can be killed, and the fault tests interrupt each that a
//! backfill calls. The SQL on our own tables is in `ledger`, all other SQL that the engine runs in
//! `postgres` and `sqlite`.

pub mod access;
pub mod catalog;
pub(crate) mod change;
mod fault;
pub mod forms;
pub mod grants;
pub mod ledger;
pub mod locate;
pub mod own_tables;
pub mod pacing;
pub mod page;
pub mod plaintext;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod record;
pub mod relations;
pub mod right;
pub mod rows;
pub mod scrub;
pub mod search;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod survey;
pub mod switch;
pub mod table;
mod text;
pub mod transport;
pub mod trial;
mod url;
pub mod usage;
pub mod waits;

pub use crate::error::round_trip::{Next, StoreError};
pub use crate::keys::{AuditEntry, AuditHead};
use crate::keys::{KeyTable, RotationTable};
pub use crate::pace::{Pace, PaceRequestKind};
pub use access::{Access, CellAccess, ColumnsRead, SourceColumn, Triggers};
pub use catalog::{Catalog, Ddl, Extent, ServerFacts, TableFacts};
pub use forms::{Form, FormCounts};
pub use ledger::{AuditTable, Ledger, Procedures};
pub use pacing::{
    Activity, Conditions, PaceReport, PaceRequest, PaceTable, Pacing, Replica, WaitingSession,
};
pub use page::{
    Bound, HeapPosition, Horizon, KeyText, Locator, Page, PageRequest, PageRow, PassKind, Select,
    Visibility, WriteRow, Written,
};
pub use plaintext::{
    Dependent, FrozenState, PlainDefinition, Plaintext, Removal, UnsealedRows, constraint_name,
    hidden_name,
};
pub use record::{
    AuditMisfit, AuditRow, FieldRecord, FieldState, Found, Gap, Holder, LaneKind, LaneRecord,
    LaneStamp, LaneTally, NewLane, NewQuarantine, OpenRows, ProcedureKind, ProcedureRecord,
    QuarantineCount, QuarantineRecord, QuarantineState, QuarantineSummary, RelationRecord, RunKind,
    RunRecord, RunState, Whereabouts,
};
pub use relations::SealedRelations;
pub use right::{Right, Securable};
pub use rows::{
    BatchWriter, ColumnSwitch, Destruction, LaneUpdate, OpenTransaction, PageReader, Resealed,
    RotationCount, Rows, SealedCount, WriteBatch,
};
pub use scrub::{
    EstateFact, Keeper, LogFacts, Method, ScrubFacts, ScrubStep, Scrubbing, StepKind,
    StoredConstraint, StoredFile, StoredRelation,
};
pub use search::{SearchColumn, SearchForm, SearchHit, SearchList, SearchRelation, Unsearchable};
pub use survey::{Survey, Violator};
pub use switch::{IndexSwitch, LateRows, SwitchTable};
pub use table::{KeyColumn, KeyKind, Scope, Sealed, Table, TableField, UntrustedSeal};
pub use transport::{SslMode, Transport};
pub use trial::{Trial, TrialTable, Tried};
pub use usage::{Counters, Usage};
pub use waits::Waits;

/// The result of a round trip.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Everything the engine may ask of a database.
///
/// Contract, as for every trait of a store: unless it says otherwise, each method is one transaction. It
/// is committed when the method returns `Ok` and rolled back when it returns `Err`, except that after
/// [`StoreError::OutcomeUnknown`] it may be either. No method keeps session state between calls, so the
/// engine works through a pooler in transaction mode.
pub trait Store:
    Catalog
    + SealedRelations
    + Rows
    + Plaintext
    + Scrubbing
    + Ledger
    + Procedures
    + PaceTable
    + AuditTable
    + KeyTable
    + RotationTable
    + Pacing
    + Waits
{
}

impl<S> Store for S where
    S: Catalog
        + SealedRelations
        + Rows
        + Plaintext
        + Scrubbing
        + Ledger
        + Procedures
        + PaceTable
        + AuditTable
        + KeyTable
        + RotationTable
        + Pacing
        + Waits
{
}
