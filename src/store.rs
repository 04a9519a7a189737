//! The database seam: what the engine asks of a database, without a word of SQL.
//! Owns the contract of a round trip. Every method here is one place where a run can be killed,
//! and every fault test goes through it. Knows nothing of the plan file, of steps or of progress.
//! All SQL that the engine runs is written below `store/postgres` and `store/sqlite`, and nowhere else.

pub mod catalog;
pub(crate) mod change;
pub mod locate;
pub mod page;
#[cfg(feature = "postgres")]
pub mod postgres;
pub mod record;
pub mod search;
#[cfg(feature = "sqlite")]
pub mod sqlite;
pub mod survey;
pub mod switch;
pub mod target;
pub mod transport;
pub mod trial;

use async_trait::async_trait;

use crate::crypto::KeyId;
pub use crate::error::round_trip::{Next, StoreError};
use crate::ident::{Ident, TableName};
pub use crate::keys::{AuditEntry, AuditHead};
use crate::keys::{KeyTable, Notary, RotationCounts, RotationTable};
pub use catalog::{ServerFacts, TableFacts};
pub use page::{
    Cursor, HeapPlace, Locator, Mark, Moment, Page, PageRequest, PageRow, Select, Versions, Visits,
    WriteRow, Written,
};
pub use record::{
    AuditMisfit, AuditRow, FieldRecord, FieldState, Found, Gap, Holder, LaneRecord, LaneStamp,
    LaneTally, NewLane, NewQuarantine, QuarantineRecord, QuarantineState, RelationRecord, RunKind,
    RunRecord, RunState, Whereabouts,
};
pub use search::{SearchColumn, SearchForm, SearchHit, SearchList, SearchPlace, Unsearchable};
pub use survey::{Survey, Violator};
pub use switch::{IndexSwitch, LateRows, SwitchTable};
pub use target::{FieldTarget, KeyColumn, KeyKind, Scope, Sealed, Target, UntrustedSeal};
pub use transport::{SslMode, Transport};
pub use trial::{Trial, TrialPlace, Tried};

/// The result of a round trip.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Everything the engine may ask of a database.
///
/// Contract: each method is one transaction, committed when it returns `Ok` and undone when it
/// returns `Err`, except where [`StoreError::OutcomeUnknown`] says that nobody knows. No method
/// keeps session state between calls, so that a transaction-mode pooler may stand in between.
#[async_trait]
pub trait Store: KeyTable + RotationTable + Send + Sync {
    /// What the server is, and what in its settings matters to us.
    async fn server(&self) -> Result<ServerFacts>;

    /// Everything the catalog says about one table; `None` where there is no such relation.
    async fn table(&self, name: &TableName) -> Result<Option<TableFacts>>;

    /// The names of the tables that our role can see, less the server's own and ours; at most
    /// 10,000 of them, for suggestions.
    async fn table_names(&self) -> Result<Vec<TableName>>;

    /// Refuses where our own tables, or what they run, belong to a role that could make ours run its
    /// code. `owner` is the role that the plan says owns them.
    async fn check_ownership(&self, owner: Option<&Ident>) -> Result<()>;

    /// The relations that hold, or once held, sealed values of registered tables, as they are now; also
    /// leaves of them that nobody has recorded yet.
    async fn sealed_relations(&self) -> Result<Vec<RelationRecord>>;

    /// Records the relations of a registered table and the guard of each. One whose guard is not the one
    /// recorded last has a gap from now on: its seals may be of an older plaintext.
    async fn note_relations(&self, target: &Target) -> Result<()>;

    /// The relations of the target that are to be compared, as [`Store::note_relations`] left them.
    async fn gaps(&self, target: &Target) -> Result<Vec<Gap>>;

    /// Notes that every relation of the table is to be compared.
    async fn open_gaps(&self, table_label: &str, reason: &str) -> Result<()>;

    /// Notes that every seal of these relations was compared, and those that differed sealed again; one
    /// whose guard is another one by now keeps its gap. The relations that keep it.
    async fn close_gaps(&self, table_label: &str, compared: &[Gap]) -> Result<Vec<String>>;

    /// Ends fields for good; where none is left of the table, its guard and its relations go with them.
    async fn forget_fields(&self, table_label: &str, columns: &[String]) -> Result<()>;

    /// Makes another table the one of this label, and forgets the one before; its seals are to be compared.
    async fn rebind(&self, target: &Target) -> Result<()>;

    /// Before a command writes, once our own tables are there: whatever would let writers past the guards is
    /// noted and taken away, and guards of an earlier version are replaced.
    async fn start_writing(&self) -> Result<()> {
        Ok(())
    }

    /// Every sealed value of the database was opened and compared: what the guards missed meanwhile is
    /// known to be right (see [`ServerFacts::guard_gaps`]).
    async fn all_verified(&self) -> Result<()> {
        Ok(())
    }

    /// The statements that [`Store::prepare`] would run now, in order; empty when all is there.
    async fn ddl(&self, target: &Target) -> Result<Vec<String>>;

    /// Makes the sealed columns, the blind index columns and the guard, where they are missing.
    /// Waits for locks only briefly, a bounded number of times.
    async fn prepare(&self, target: &Target) -> Result<()>;

    /// After the main pass: indexes that would have slowed it (blind index lookups).
    async fn finish_indexes(&self, target: &Target) -> Result<()>;

    /// A partial index of a relation's rows that still need work, for the sweep; `false` where it could
    /// not be made without waiting long, and the sweep must go through windows of the whole table.
    async fn make_sweep_index(&self, target: &Target, relation: &str) -> Result<bool>;

    /// Drops what [`Store::make_sweep_index`] made, also what an interrupted run left. The names of
    /// those that are still there, because a transaction has looked at the table for long.
    async fn drop_sweep_index(&self, target: &Target) -> Result<Vec<String>>;

    /// Drops the sealed and blind index columns and the guard (`restore --drop-sealed`), or only
    /// the guard of an in-place table.
    async fn drop_sealed(&self, target: &Target) -> Result<()>;

    /// Makes the columns that a restore writes into, where they are missing.
    async fn make_plain_columns(&self, target: &Target) -> Result<()>;

    /// A digest of the relation's identity, columns and triggers. A batch compares it before it
    /// commits; see [`BatchWriter::write`].
    async fn fingerprint(&self, target: &Target, relation: &str) -> Result<String>;

    /// The relations that hold the rows: the leaves of a partitioned table, else the table itself.
    async fn relations(&self, target: &Target) -> Result<Vec<String>>;

    /// Up to `pieces - 1` keys that cut the relation into ranges of about equal size, ascending.
    async fn cut(&self, target: &Target, relation: &str, pieces: u32) -> Result<Vec<Cursor>>;

    /// Up to `pieces - 1` keys, ascending, after which samples of the relation are read.
    async fn places(&self, target: &Target, relation: &str, pieces: u32) -> Result<Vec<Cursor>>;

    /// The same in the order of storage: the bounds of up to `pieces` ranges, from the first to the
    /// last; a bound that is `None` is the relation's own end. No bounds at all, `Ok(None)`, where the
    /// relation cannot be gone through in that order.
    ///
    /// Rows that move meanwhile, or come later, may be met in no range, or twice: whoever goes
    /// through it this way needs another look afterwards.
    async fn cut_storage(
        &self,
        target: &Target,
        relation: &str,
        pieces: u32,
        visits: Visits,
    ) -> Result<Option<Vec<Option<Mark>>>>;

    /// This moment, for whoever goes through a relation in the order of storage and looks back at
    /// what came since. `None` where there is no such order.
    async fn moment(&self, relation: &str) -> Result<Option<Moment>>;

    /// Rows in the relation as the statistics have it; exact in SQLite.
    async fn row_estimate(&self, target: &Target) -> Result<u64>;

    /// A look at all rows, for a plan: what is left to seal, and which rows no run can write. Reads no value.
    async fn survey(&self, target: &Target) -> Result<Survey>;

    /// Rows of the relation that break a constraint which holds for writes only (NOT VALID), at most `limit` of
    /// each: the server would show such a row in its log when it refuses it. None where it never does so.
    async fn violators(&self, target: &Target, relation: &str, limit: u32)
    -> Result<Vec<Violator>>;

    /// Whether any row of the relation needs the work that `select` names: one look at all rows, in
    /// the order that is quickest. `true` also where that would take too long to find out.
    async fn any_left(&self, target: &Target, relation: &str, select: &Select) -> Result<bool>;

    /// All registered fields.
    async fn fields(&self) -> Result<Vec<FieldRecord>>;

    /// Registers fields that are not registered yet; one that is keeps what it has, and takes the names that
    /// its table and columns have now. [`StoreError::OtherTable`] where another table has the label.
    async fn register_fields(&self, fields: &[FieldRecord]) -> Result<()>;

    /// Moves the fields of one table to a state.
    async fn set_field_state(
        &self,
        table_label: &str,
        columns: &[String],
        state: FieldState,
    ) -> Result<()>;

    /// The unfinished run of a table, if there is one.
    async fn open_run(&self, table_label: &str) -> Result<Option<RunRecord>>;

    /// Begins a run with its lanes. Refused with [`StoreError::Held`] where another is unfinished.
    async fn begin_run(&self, run: &RunRecord, lanes: &[NewLane]) -> Result<i64>;

    /// Adds lanes to a run (a partition attached meanwhile).
    async fn add_lanes(&self, run_id: i64, lanes: &[NewLane]) -> Result<()>;

    /// Marks a run interrupted (it can be resumed) or ended, with its counts summed from its lanes.
    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        error_code: Option<&str>,
    ) -> Result<LaneTally>;

    /// Ends an unfinished run for good, and takes its lanes from whoever has them: nobody goes on with it. The
    /// holder of a lane, and nothing done, where one that is not among `dead` has a lease.
    async fn abandon_run(
        &self,
        run_id: i64,
        error_code: &str,
        dead: &[Holder],
    ) -> Result<Option<Holder>>;

    /// Marks an interrupted run as running again.
    async fn resume_run(&self, run_id: i64) -> Result<()>;

    /// The newest runs first, with what is still unfinished.
    async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>>;

    /// The lanes of a run.
    async fn lanes(&self, run_id: i64) -> Result<Vec<LaneRecord>>;

    /// Takes a lane nobody holds: its lease is over, or its holder is one of `dead`. One that `holder` itself
    /// has is its own still, and what other workers of its process hold is theirs, lease or not: they live as
    /// long as it does. `None` when every open lane is held by somebody else.
    async fn claim_lane(
        &self,
        run_id: i64,
        holder: &Holder,
        dead: &[Holder],
        lease_seconds: u32,
    ) -> Result<Option<LaneRecord>>;

    /// Ends sessions of engines that hold a lane in an open transaction beyond their lease and have kept
    /// the server waiting for them: frozen ones, whose locks would else stay for as long as they do.
    async fn end_frozen(&self, run_id: i64) -> Result<()>;

    /// Gives a lane back (`done` says that nothing is left in it). Silent when it is no longer ours.
    async fn release_lane(&self, stamp: &LaneStamp, done: bool) -> Result<()>;

    /// What the lane row says once no transaction of ours can still be changing it; used to decide
    /// what an unknown COMMIT did.
    async fn settle_lane(&self, run_id: i64, lane_no: i32) -> Result<LaneRecord>;

    /// A connection that reads pages. Pages die with it.
    async fn reader(&self) -> Result<Box<dyn PageReader>>;

    /// A connection that writes batches.
    async fn writer(&self) -> Result<Box<dyn BatchWriter>>;

    /// A connection on which batches are tried and taken back.
    async fn trial(&self) -> Result<Box<dyn Trial>>;

    /// Quarantined rows of a table, or of all tables, less those that went through.
    async fn quarantined(&self, table_label: Option<&str>) -> Result<Vec<QuarantineRecord>>;

    /// Records rows that could not be processed, outside a batch (verify). A row that is already
    /// listed stays listed once.
    async fn add_quarantine(&self, rows: &[NewQuarantine]) -> Result<()>;

    /// Changes the state of listed rows.
    async fn set_quarantine_state(&self, ids: &[i64], state: QuarantineState) -> Result<()>;

    /// Where the audit chain ends.
    async fn audit_head(&self) -> Result<AuditHead>;

    /// Appends the entries that `note` makes, in one transaction that holds the end of the chain, and
    /// notes which changes of keys they name.
    async fn note(&self, note: &dyn Notary) -> Result<()>;

    /// Appends an entry after `expected`; `false` where another one came first.
    async fn append_audit(&self, entry: &AuditEntry, expected: &AuditHead) -> Result<bool>;

    /// The rows of the audit log in order, from this number on, at most `limit`: all that have a number,
    /// whether an appender wrote them or not.
    async fn audit_entries(&self, from: i64, limit: u32) -> Result<Vec<AuditRow>>;

    /// What stands in the audit tables and [`Store::audit_entries`] and [`Store::audit_head`] cannot show.
    async fn audit_misfit(&self) -> Result<Option<AuditMisfit>>;

    /// How many values each key seals in a range of keys of a relation, by the first bytes of each
    /// value, compared exactly and in the server. One scan of the range.
    async fn census(
        &self,
        target: &Target,
        relation: &str,
        after: Option<&Cursor>,
        upto: Option<&Cursor>,
    ) -> Result<Vec<SealedCount>>;

    /// The transactions that are open now, our own apart: who might still act on what they saw.
    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>>;

    /// Puts quarantined row keys, sealed again, in the place of the old ones.
    async fn reseal_quarantine(&self, rows: &[Resealed]) -> Result<()>;

    /// What a search of the whole database goes through now: every relation that holds rows, and every
    /// column in which a sealed value may stand, our own tables' included, less quarantine and cursors,
    /// which [`Store::destroy_keys`] counts.
    async fn search_list(&self) -> Result<SearchList>;

    /// Searches one relation for values under these keys: one statement, one snapshot, and no lock that
    /// keeps a writer waiting.
    async fn search(&self, place: &SearchPlace, keys: &[KeyId]) -> Result<Vec<SearchHit>>;

    /// Destroys keys for good, in one transaction: the relations of `targets` are locked against
    /// writers and listed anew, nothing may be sealed under the keys any more (or `shred` says that this does not
    /// matter), blind indexes of the shredded tenant are set NULL, and the wrapped keys are wiped.
    /// Where something is still sealed, nothing is done and the counts are given.
    async fn destroy_keys(&self, order: &Destruction<'_>) -> Result<Vec<SealedCount>>;

    /// How many values of a tenant are there in plaintext.
    async fn plaintext_of(&self, target: &Target, tenant: &str) -> Result<u64>;

    /// Makes the columns that take the new blind index of each of the fields, notes them in the
    /// registry, and makes the guard blank them with the old ones. Those there already stay.
    async fn prepare_reindex(&self, target: &Target, next: &[Reindex]) -> Result<()>;

    /// Makes the lookup indexes (unique where the old ones are) on the new columns, without
    /// blocking writers.
    async fn index_reindexed(&self, target: &Target, next: &[Reindex]) -> Result<()>;

    /// Puts the new columns in the place of the old ones, in one transaction over all tables, in
    /// which also the keys change, and the last rows are filled: `false`, and nothing done, where
    /// the new index of a row cannot be made.
    async fn switch_indexes(&self, switch: &IndexSwitch<'_>) -> Result<bool>;

    /// Sessions that hold locks on the table, named without their queries, for "waits for …".
    async fn blockers(&self, target: &Target) -> Result<Vec<String>>;
}

/// Reads pages of rows in key order, or in that of storage, as the request's marks say.
///
/// Contract: takes no row locks; the text of every value, the order and the cursor are the
/// server's; a page is one consistent snapshot. Where the storage is another one than that of a
/// mark, its range is begun again.
#[async_trait]
pub trait PageReader: Send {
    /// Reads one window after `request.after`.
    async fn page(&mut self, target: &Target, request: &PageRequest) -> Result<Page>;

    /// Reads single rows of a window again, with their key's text and values of up to
    /// `request.value_bytes_max` bytes, if they are still the version that the locator names.
    async fn rows(
        &mut self,
        target: &Target,
        request: &PageRequest,
        locators: &[Locator],
    ) -> Result<Page>;

    /// Reads rows by their keys, whatever they hold now; one that is gone, or needs nothing any more,
    /// is missing. Otherwise as [`PageReader::rows`].
    async fn current(
        &mut self,
        target: &Target,
        request: &PageRequest,
        keys: &[Cursor],
    ) -> Result<Page>;
}

/// Writes one batch in one transaction, rows and cursor together.
///
/// Contract: `begin`, any number of the others, then `commit` or `rollback`; any `Err` has rolled
/// the transaction back, and the next call must be `begin`.
#[async_trait]
pub trait BatchWriter: Send {
    /// Opens the transaction, moves the lane's `seq` on by one under its fence (exactly one row,
    /// else [`StoreError::FenceLost`]), stores the cursor, and holds the keys that the batch seals
    /// under: each must be active, else [`StoreError::KeyNotActive`].
    async fn begin(
        &mut self,
        stamp: &LaneStamp,
        advance: &Advance,
        keys: &[crate::crypto::KeyId],
    ) -> Result<()>;

    /// Locks rows that keep changing under us, by their keys, and reads what they are now.
    async fn lock_rows(
        &mut self,
        target: &Target,
        request: &PageRequest,
        keys: &[Cursor],
    ) -> Result<Page>;

    /// Writes all rows whose version is unchanged, in one statement. With `skip_locked`, rows that
    /// somebody else holds are left out instead of waited for. Compares `fingerprint` and the page's
    /// storage after the write, whose lock keeps DDL out ([`StoreError::SchemaChanged`]).
    async fn write(
        &mut self,
        target: &Target,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written>;

    /// Lists rows that could not be processed, in the same transaction as the cursor that passes
    /// them.
    async fn quarantine(&mut self, rows: &[NewQuarantine]) -> Result<()>;

    /// Adds to what rotations found and re-sealed in this lane.
    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()>;

    /// How long the messages of this batch were on their way to the server and back, as far as that can be told.
    fn on_the_way(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    /// Adds to the lane's counters and commits. [`StoreError::OutcomeUnknown`] when the answer
    /// never came.
    async fn commit(&mut self, tally: &LaneTally) -> Result<()>;

    /// Gives the transaction up.
    async fn rollback(&mut self);
}

/// How many values of one field carry one key id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCount {
    /// The table, by its position in what was asked for; `None` for our own.
    pub table: Option<usize>,
    /// The field, by its position in the target; `None` for what is sealed in our own tables.
    pub field: Option<usize>,
    /// The key; `None` where the first bytes name none.
    pub key_id: Option<KeyId>,
    /// How many.
    pub values: u64,
    /// Where, for what a search of the whole file found.
    pub place: Option<String>,
}

/// A transaction that was open when it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction {
    /// Its name, never used again by another one.
    pub id: String,
    /// Whose it is, for messages: pid, application, since when; never its query.
    pub who: String,
}

/// What a rotation did to the rows of one lane, by the key they were sealed under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationCount {
    /// The rotation.
    pub history_id: i64,
    /// The key.
    pub from_key_id: KeyId,
    /// How many rows.
    pub counts: RotationCounts,
}

/// A quarantined row's key, sealed again.
#[derive(Debug)]
pub struct Resealed {
    /// Its entry.
    pub quarantine_id: i64,
    /// What the entry held: another value by now is left alone.
    pub before: Vec<u8>,
    /// The key's text, sealed.
    pub key_sealed: Vec<u8>,
    /// Under which key.
    pub key_id: KeyId,
}

/// What is to be destroyed.
pub struct Destruction<'a> {
    /// The keys, all deactivated, compromised or never used; with `shred` in any state.
    pub keys: &'a [KeyId],
    /// Every table that may hold values under them.
    pub targets: &'a [Target],
    /// Crypto-shredding: the tenant whose values shall not open again.
    pub shred: Option<&'a str>,
    /// Who.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Writes it down.
    pub note: &'a dyn Notary,
    /// The version of the data that was searched ([`SearchList::version`]): where it is another by
    /// now, all is searched again. `None` where nothing is to be.
    pub searched: Option<i64>,
}

/// A blind index on its way to another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reindex {
    /// The field, by its position in the target.
    pub field: usize,
    /// The column that is looked up until the switch.
    pub column: Ident,
    /// The column that takes its place.
    pub next: Ident,
    /// The index is unique.
    pub unique: bool,
    /// So many rows hold a value that does not open, and stay without the new index.
    pub refused: u64,
}

/// What the lane row is to say once the batch is committed.
#[derive(Debug, Clone, Default)]
pub struct Advance {
    /// The new cursor, encoded (and sealed where it may be PHI); `None` leaves it.
    pub cursor: Option<Vec<u8>>,
    /// How long the lease is to last from now, in seconds.
    pub lease_seconds: u32,
}

/// Rows of one batch that are to be written.
#[derive(Debug)]
pub struct WriteBatch<'a> {
    /// The relation the rows are in.
    pub relation: &'a str,
    /// What [`Store::fingerprint`] said of it when the run began.
    pub fingerprint: &'a str,
    /// [`Page::storage`] of the page the rows came from.
    pub storage: &'a str,
    /// The rows.
    pub rows: &'a [WriteRow],
}
