//! The contract between the engine and a database.
//! Owns the traits and types of a round trip; contains no SQL and knows nothing of the plan file,
//! of steps or of progress. Every method is one place where a run can be killed, and the fault
//! tests interrupt each of them. All SQL that the engine runs is below `store/postgres` and
//! `store/sqlite`.

pub mod access;
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
pub mod table;
pub mod transport;
pub mod trial;

use async_trait::async_trait;

use crate::crypto::KeyId;
pub use crate::error::round_trip::{Next, StoreError};
use crate::ident::{Ident, TableName};
pub use crate::keys::{AuditEntry, AuditHead};
use crate::keys::{KeyTable, Notary, RotationCounts, RotationTable};
pub use access::{Access, CellAccess, ColumnsRead, SourceColumn, Triggers};
pub use catalog::{ServerFacts, TableFacts};
pub use page::{
    Bound, HeapPosition, Horizon, KeyText, Locator, Page, PageRequest, PageRow, PassKind, Select,
    Visibility, WriteRow, Written,
};
pub use record::{
    AuditMisfit, AuditRow, FieldRecord, FieldState, Found, Gap, Holder, LaneRecord, LaneStamp,
    LaneTally, NewLane, NewQuarantine, QuarantineRecord, QuarantineState, RelationRecord, RunKind,
    RunRecord, RunState, Whereabouts,
};
pub use search::{SearchColumn, SearchForm, SearchHit, SearchList, SearchRelation, Unsearchable};
pub use survey::{Survey, Violator};
pub use switch::{IndexSwitch, LateRows, SwitchTable};
pub use table::{KeyColumn, KeyKind, Scope, Sealed, Table, TableField, UntrustedSeal};
pub use transport::{SslMode, Transport};
pub use trial::{Trial, TrialTable, Tried};

/// The result of a round trip.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Everything the engine may ask of a database.
///
/// Contract: unless it says otherwise, each method is one transaction. It is committed when the
/// method returns `Ok` and rolled back when it returns `Err`, except that after
/// [`StoreError::OutcomeUnknown`] it may be either. The methods that create or drop indexes, and
/// [`Store::end_frozen`], are several steps, each of which may be repeated. No method keeps session
/// state between calls, so the engine works through a pooler in transaction mode.
#[async_trait]
pub trait Store: KeyTable + RotationTable + Send + Sync {
    /// What the server is, and which of its settings matter to the engine.
    async fn server(&self) -> Result<ServerFacts>;

    /// Everything the catalog says about one table; `None` if there is no such relation.
    async fn table(&self, name: &TableName) -> Result<Option<TableFacts>>;

    /// The names of the tables that our role can see, without those of the server and our own: at
    /// most 10,000, for suggestions.
    async fn table_names(&self) -> Result<Vec<TableName>>;

    /// Returns an error if our own tables, or functions that run for them, belong to a role that
    /// could make our role run its code. `owner` is the role that owns them according to the plan.
    async fn check_ownership(&self, owner: Option<&Ident>) -> Result<()>;

    /// The relations that hold, or once held, sealed values of registered tables. Includes leaf
    /// partitions that are not recorded yet.
    async fn sealed_relations(&self) -> Result<Vec<RelationRecord>>;

    /// Records the relations of a registered table and the guard of each. If a relation's guard is
    /// not the one recorded last, a gap begins: its sealed values may be of an older plaintext.
    async fn note_relations(&self, table: &Table) -> Result<()>;

    /// The relations of the table that have a gap, as [`Store::note_relations`] recorded them.
    async fn gaps(&self, table: &Table) -> Result<Vec<Gap>>;

    /// Records a gap for every relation of the table.
    async fn open_gaps(&self, table_label: &str, reason: &str) -> Result<()>;

    /// Records that every sealed value of these relations was compared, and that those which
    /// differed were sealed again. A relation whose guard has changed since keeps its gap. Returns
    /// the relations that keep it.
    async fn close_gaps(&self, table_label: &str, compared: &[Gap]) -> Result<Vec<String>>;

    /// Marks fields as forgotten for good. With the last field of a table, its guard is dropped and
    /// its recorded relations are released.
    async fn forget_fields(&self, table_label: &str, columns: &[String]) -> Result<()>;

    /// Binds the label to another table, forgets the table it was bound to before, and records a
    /// gap, so that the sealed values are compared.
    async fn rebind(&self, table: &Table) -> Result<()>;

    /// Prepares for a command that writes, once our own tables exist: records and removes whatever
    /// would let writers past the guards, and replaces guards of an earlier version.
    async fn start_writing(&self) -> Result<()> {
        Ok(())
    }

    /// Records that every sealed value of the database was opened and compared. This closes what
    /// [`ServerFacts::guard_gaps`] reports.
    async fn all_verified(&self) -> Result<()> {
        Ok(())
    }

    /// The statements that [`Store::prepare`] would run now, in order; empty if nothing is missing.
    async fn ddl(&self, table: &Table) -> Result<Vec<String>>;

    /// Creates the sealed columns, the blind index columns and the guard where they are missing.
    /// Waits for locks only briefly, and tries only a bounded number of times.
    async fn prepare(&self, table: &Table) -> Result<()>;

    /// Creates the indexes for blind index lookups. Called after the main pass, which they would
    /// have slowed.
    async fn finish_indexes(&self, table: &Table) -> Result<()>;

    /// Creates, for the sweep, a partial index of the relation's rows that still need work. Returns
    /// `false` if that would take a long wait; the sweep then reads the whole relation in windows.
    async fn make_sweep_index(&self, access: &Access, relation: &str) -> Result<bool>;

    /// Drops the indexes that [`Store::make_sweep_index`] created, including those of an
    /// interrupted run. Returns the names of indexes that could not be dropped because of a long
    /// transaction on the table.
    async fn drop_sweep_index(&self, table: &Table) -> Result<Vec<String>>;

    /// Drops the sealed columns, the blind index columns and the guard (`restore --drop-sealed`);
    /// of an in-place table, only the guard.
    async fn drop_sealed(&self, table: &Table) -> Result<()>;

    /// Creates the columns that a restore writes to, where they are missing.
    async fn make_plain_columns(&self, table: &Table) -> Result<()>;

    /// A digest of the relation's identity, columns and triggers. A batch compares it before it
    /// commits; see [`BatchWriter::write`].
    async fn fingerprint(&self, access: &Access, relation: &str) -> Result<String>;

    /// The relations that hold the rows: the leaf partitions of a partitioned table, otherwise the
    /// table itself.
    async fn relations(&self, access: &Access) -> Result<Vec<String>>;

    /// Up to `pieces - 1` keys, in ascending order, that cut the relation into ranges of about
    /// equal size.
    async fn cut_by_key(&self, table: &Table, relation: &str, pieces: u32) -> Result<Vec<KeyText>>;

    /// Up to `pieces - 1` keys, in ascending order. A sample of the relation is read after each.
    async fn sample_keys(&self, table: &Table, relation: &str, pieces: u32)
    -> Result<Vec<KeyText>>;

    /// Cuts the relation into up to `pieces` ranges in storage order, and returns their bounds from
    /// the first to the last. A bound of `None` is the relation's own end. Returns `Ok(None)` if
    /// the relation cannot be read in storage order.
    ///
    /// A row that moves or is inserted during the scan may be read in no range or in two, so a scan
    /// in storage order needs another pass afterwards.
    async fn cut_by_storage(
        &self,
        access: &Access,
        relation: &str,
        pieces: u32,
        pass_kind: PassKind,
    ) -> Result<Option<Vec<Option<Bound>>>>;

    /// The present horizon of a relation, for a scan in storage order that must find later what
    /// changed since. `None` if the relation cannot be read in storage order.
    async fn horizon(&self, relation: &str) -> Result<Option<Horizon>>;

    /// The number of rows of the relation: in PostgreSQL as the statistics have it, in SQLite
    /// exact.
    async fn row_estimate(&self, table: &Table) -> Result<u64>;

    /// Looks at all rows, for a plan, without reading a value: how much is left to seal, and which
    /// rows no run can write.
    async fn survey(&self, table: &Table) -> Result<Survey>;

    /// Rows of the relation that break a constraint which applies to writes only (NOT VALID), at
    /// most `limit` for each constraint. When the server refuses such a row, it may print it in its
    /// log. Empty for a store that never does so.
    async fn violators(&self, table: &Table, relation: &str, limit: u32) -> Result<Vec<Violator>>;

    /// Whether any row of the relation needs the work that `select` names. Scans all rows, in the
    /// order that is quickest; also `true` if that would take too long.
    async fn any_left(&self, access: &Access, relation: &str, select: &Select) -> Result<bool>;

    /// All registered fields.
    async fn fields(&self) -> Result<Vec<FieldRecord>>;

    /// Registers fields. A field that is already registered keeps its entry, which takes the
    /// present names of its table and columns. Returns [`StoreError::OtherTable`] if another table
    /// has the label.
    async fn register_fields(&self, fields: &[FieldRecord]) -> Result<()>;

    /// Sets the state of fields of one table.
    async fn set_field_state(
        &self,
        table_label: &str,
        columns: &[String],
        state: FieldState,
    ) -> Result<()>;

    /// The unfinished run of a table, if there is one.
    async fn open_run(&self, table_label: &str) -> Result<Option<RunRecord>>;

    /// Begins a run with its lanes. Returns [`StoreError::Held`] if another run of the table is
    /// unfinished.
    async fn begin_run(&self, run: &RunRecord, lanes: &[NewLane]) -> Result<i64>;

    /// Adds lanes to a run: the sweeps, and a lane for each partition that was attached after it
    /// began.
    async fn add_lanes(&self, run_id: i64, lanes: &[NewLane]) -> Result<()>;

    /// Marks a run interrupted (it can be resumed) or ended. Returns its counters, summed over its
    /// lanes.
    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        error_code: Option<&str>,
    ) -> Result<LaneTally>;

    /// Ends an unfinished run for good and takes its lanes from their holders, so that it cannot be
    /// resumed. If a holder that is not in `dead` has a lease on a lane, does nothing and returns
    /// that holder.
    async fn abandon_run(
        &self,
        run_id: i64,
        error_code: &str,
        dead: &[Holder],
    ) -> Result<Option<Holder>>;

    /// Marks an interrupted run as running again.
    async fn resume_run(&self, run_id: i64) -> Result<()>;

    /// At most `limit` runs: unfinished ones first, then the newest.
    async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>>;

    /// The lanes of a run.
    async fn lanes(&self, run_id: i64) -> Result<Vec<LaneRecord>>;

    /// Claims a lane that is free: it has no holder, its lease is over, or its holder is in `dead`.
    /// A lane that `holder` itself has is claimed again. A lane of another worker of the same
    /// process is never claimed, not even after its lease, because that worker lives as long as the
    /// process. `None` if no open lane can be claimed.
    async fn claim_lane(
        &self,
        run_id: i64,
        holder: &Holder,
        dead: &[Holder],
        lease_seconds: u32,
    ) -> Result<Option<LaneRecord>>;

    /// Ends frozen sessions: engine sessions that hold a lane in an open transaction beyond their
    /// lease while the server waits for their next command. Their locks would otherwise remain.
    async fn end_frozen(&self, run_id: i64) -> Result<()>;

    /// Gives a lane back; `done` says that no work is left in it. If the lane is no longer ours,
    /// this is an error only with `done`.
    async fn release_lane(&self, stamp: &LaneStamp, done: bool) -> Result<()>;

    /// The lane's row, read once none of our transactions can change it any more. This tells
    /// whether a COMMIT of unknown outcome took effect.
    async fn lane_after_commit(&self, run_id: i64, lane_no: i32) -> Result<LaneRecord>;

    /// Opens a connection that reads pages.
    async fn reader(&self) -> Result<Box<dyn PageReader>>;

    /// Opens a connection that writes batches.
    async fn writer(&self) -> Result<Box<dyn BatchWriter>>;

    /// Opens a connection on which batches are tried and rolled back.
    async fn trial(&self) -> Result<Box<dyn Trial>>;

    /// Quarantined rows of a table, or of all tables, except those that were processed since.
    async fn quarantined(&self, table_label: Option<&str>) -> Result<Vec<QuarantineRecord>>;

    /// Quarantines rows outside a batch (verify). A row that is already quarantined is not entered
    /// twice.
    async fn add_quarantine(&self, rows: &[NewQuarantine]) -> Result<()>;

    /// Sets the state of quarantine entries.
    async fn set_quarantine_state(&self, ids: &[i64], state: QuarantineState) -> Result<()>;

    /// The end of the audit chain.
    async fn audit_head(&self) -> Result<AuditHead>;

    /// Appends the entries that `note` makes, in one transaction that locks the end of the chain,
    /// and records which key changes they are for.
    async fn note(&self, note: &dyn Notary) -> Result<()>;

    /// Appends an entry after `expected`; returns `false` if another entry was appended first.
    async fn append_audit(&self, entry: &AuditEntry, expected: &AuditHead) -> Result<bool>;

    /// The rows of the audit log in order of their number, beginning with `from`, at most `limit`.
    /// Includes rows that were not written by an appender, if they have a number.
    async fn audit_entries(&self, from: i64, limit: u32) -> Result<Vec<AuditRow>>;

    /// A fault in the audit tables that [`Store::audit_entries`] and [`Store::audit_head`] cannot
    /// show.
    async fn audit_misfit(&self) -> Result<Option<AuditMisfit>>;

    /// How many values of a relation each key seals, in a range of row keys. The server compares
    /// the first bytes of each value exactly, in one scan of the range.
    async fn census(
        &self,
        table: &Table,
        relation: &str,
        after: Option<&KeyText>,
        upto: Option<&KeyText>,
    ) -> Result<Vec<SealedCount>>;

    /// The transactions that are open now, except our own: they may still act on what they saw.
    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>>;

    /// Replaces the sealed row keys of quarantine entries by ones that were sealed again.
    async fn reseal_quarantine(&self, rows: &[Resealed]) -> Result<()>;

    /// What a search of the whole database covers now: every relation that holds rows, and every
    /// column that may hold a sealed value, including those of our own tables. Quarantine and
    /// cursors are left out, since [`Store::destroy_keys`] counts them.
    async fn search_list(&self) -> Result<SearchList>;

    /// Searches one relation for values under these keys, with one statement and so one snapshot.
    /// Takes no lock that makes a writer wait.
    async fn search(&self, place: &SearchRelation, keys: &[KeyId]) -> Result<Vec<SearchHit>>;

    /// Destroys keys for good, in one transaction. It locks the relations of `tables` against
    /// writers, lists them again, checks that no value is sealed under the keys (with `shred`, that
    /// is allowed), sets the blind indexes of the shredded tenant to NULL, and wipes the wrapped
    /// keys. If a value is still sealed under a key, it does nothing and returns the counts.
    async fn destroy_keys(&self, order: &Destruction<'_>) -> Result<Vec<SealedCount>>;

    /// How many values of a tenant are stored in plaintext.
    async fn plaintext_of(&self, table: &Table, tenant: &str) -> Result<u64>;

    /// Creates the columns that take the new blind index of each field, records them in the
    /// registry, and extends the guard, so that it sets them to NULL together with the old ones.
    /// Columns that exist are kept.
    async fn prepare_reindex(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()>;

    /// Creates the lookup indexes on the new columns without blocking writers. They are unique
    /// where the old ones are.
    async fn index_reindexed(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()>;

    /// Replaces the old columns by the new ones in one transaction over all tables, which also
    /// switches the keys and fills the last rows. Returns `false`, having done nothing, if the new
    /// index of a row cannot be computed.
    async fn switch_indexes(&self, switch: &IndexSwitch<'_>) -> Result<bool>;

    /// Sessions that hold locks on the table, described without their queries, for messages ("waits
    /// for …").
    async fn blockers(&self, table: &Table) -> Result<Vec<String>>;
}

/// Reads pages of rows in key order or in storage order, as the request's bounds say.
///
/// Contract: takes no row locks. The server makes the text of every value, and in key order the
/// order and the cursor. In storage order the store may compute the cursor from block numbers. A
/// page is one consistent snapshot. If the relation's storage is not the one that a bound names,
/// its range begins again.
#[async_trait]
pub trait PageReader: Send {
    /// Reads one window after `request.after`.
    async fn page(&mut self, access: &Access, request: &PageRequest) -> Result<Page>;

    /// Reads single rows again, if they are still the version that the locator names. Each comes
    /// with its key's text and its values of up to `request.value_bytes_max` bytes.
    async fn rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        locators: &[Locator],
    ) -> Result<Page>;

    /// Reads rows by their keys, in their present version. A row that was deleted, or needs no work
    /// any more, is missing from the page. Otherwise like [`PageReader::rows`].
    async fn current(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page>;
}

/// Writes one batch in one transaction: the rows and the cursor together.
///
/// Contract: call `begin`, then any of the others, then `commit` or `rollback`. After an `Err` the
/// transaction is rolled back, and the next call must be `begin`.
#[async_trait]
pub trait BatchWriter: Send {
    /// Opens the transaction, increments the lane's `seq` under its fence (this must change exactly
    /// one row, else [`StoreError::FenceLost`]), stores the cursor, and checks that each key the
    /// batch seals under is active (else [`StoreError::KeyNotActive`]). A store may send this with
    /// the next call, and report its errors there.
    async fn begin(
        &mut self,
        stamp: &LaneStamp,
        advance: &LaneUpdate,
        keys: &[crate::crypto::KeyId],
    ) -> Result<()>;

    /// Locks rows by their keys and reads their present version, for rows that others keep
    /// changing.
    async fn lock_rows(
        &mut self,
        access: &Access,
        request: &PageRequest,
        keys: &[KeyText],
    ) -> Result<Page>;

    /// Writes all rows whose version is unchanged, in one statement. With `skip_locked`, rows that
    /// others have locked are left out; otherwise the write waits for them. Before COMMIT, under
    /// the write's lock, which keeps DDL out, the store compares `fingerprint` and the page's
    /// storage; `write` or `commit` then returns [`StoreError::SchemaChanged`] or
    /// [`StoreError::StorageChanged`].
    async fn write(
        &mut self,
        access: &Access,
        batch: &WriteBatch<'_>,
        skip_locked: bool,
    ) -> Result<Written>;

    /// Quarantines rows in the same transaction as the cursor that passes them.
    async fn quarantine(&mut self, rows: &[NewQuarantine]) -> Result<()>;

    /// Adds to the counters of rotations for this lane.
    async fn count_rotation(&mut self, counts: &[RotationCount]) -> Result<()>;

    /// The time that this batch's messages spent on the network, estimated; zero if that cannot be
    /// told.
    fn on_the_way(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    /// Adds to the lane's counters and commits. Returns [`StoreError::OutcomeUnknown`] if no answer
    /// to COMMIT arrived.
    async fn commit(&mut self, tally: &LaneTally) -> Result<()>;

    /// Rolls the transaction back.
    async fn rollback(&mut self);
}

/// How many values of one field carry one key id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCount {
    /// The table, by its position in the request; `None` for our own tables.
    pub table: Option<usize>,
    /// The field, by its position in the table; `None` for values in our own tables.
    pub field: Option<usize>,
    /// The key; `None` if the first bytes name no key.
    pub key_id: Option<KeyId>,
    /// The number of values.
    pub values: u64,
    /// Where the values are, if a search of the whole database file found them.
    pub place: Option<String>,
}

/// A transaction that was open at the moment of the query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenTransaction {
    /// The transaction's id, which is never used again.
    pub id: String,
    /// The session, for messages: pid, application, since when; never its query.
    pub who: String,
}

/// What a rotation did to the rows of one lane that were sealed under one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RotationCount {
    /// The rotation's entry in the key history.
    pub history_id: i64,
    /// The key that the rows were sealed under.
    pub from_key_id: KeyId,
    /// The numbers of rows.
    pub counts: RotationCounts,
}

/// The row key of a quarantine entry, sealed again.
#[derive(Debug)]
pub struct Resealed {
    /// The quarantine entry.
    pub quarantine_id: i64,
    /// The sealed key that the entry held; if it holds another one by now, it is left unchanged.
    pub before: Vec<u8>,
    /// The text of the row key, sealed again.
    pub key_sealed: Vec<u8>,
    /// The key it is sealed under.
    pub key_id: KeyId,
}

/// The order to destroy keys.
pub struct Destruction<'a> {
    /// The keys. Each is deactivated, compromised or was never used; with `shred`, any state is
    /// allowed.
    pub keys: &'a [KeyId],
    /// Every table that may hold values under them.
    pub tables: &'a [Access],
    /// For crypto-shredding: the tenant whose values shall never be opened again.
    pub shred: Option<&'a str>,
    /// Who ordered it.
    pub actor: &'a str,
    /// The reason given.
    pub reason: &'a str,
    /// Makes the audit entries.
    pub note: &'a dyn Notary,
    /// The version of the data that was searched ([`SearchList::version`]). If the data has another
    /// version by now, everything is searched again. `None` if no search is required.
    pub searched: Option<i64>,
}

/// The switch of one blind index to another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSwitch {
    /// The field, by its position in the table.
    pub field: usize,
    /// The column that lookups use until the switch.
    pub column: Ident,
    /// The column that replaces it.
    pub next: Ident,
    /// Whether the index is unique.
    pub unique: bool,
    /// The number of rows whose value does not open, and which therefore get no new index.
    pub refused: u64,
}

/// What a batch writes to its lane's row, besides the counters.
#[derive(Debug, Clone, Default)]
pub struct LaneUpdate {
    /// The new cursor, encoded (and sealed if it may contain PHI); `None` leaves the old one.
    pub cursor: Option<Vec<u8>>,
    /// How long the lease lasts from now on, in seconds.
    pub lease_seconds: u32,
}

/// The rows that one batch writes.
#[derive(Debug)]
pub struct WriteBatch<'a> {
    /// The relation the rows are in.
    pub relation: &'a str,
    /// [`Store::fingerprint`] of the relation when the run began.
    pub fingerprint: &'a str,
    /// [`Page::storage`] of the page that the rows came from.
    pub storage: &'a str,
    /// The rows.
    pub rows: &'a [WriteRow],
}
