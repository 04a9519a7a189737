//! Reading, counting and writing the rows of the application's tables.
//! Owns the traits of the connections that read pages and write batches, and what a batch consists of.

use async_trait::async_trait;

use super::trial::Trial;
use super::{
    Access, Bound, FormCounts, Horizon, IndexSwitch, KeyText, LaneStamp, LaneTally, Locator,
    NewQuarantine, Page, PageRequest, PassKind, Result, SearchHit, SearchList, SearchRelation,
    Select, Survey, Table, Usage, Violator, WriteRow, Written,
};
use crate::crypto::KeyId;
use crate::ident::{Ident, TableName};
use crate::keys::{Notary, RotationCounts};

/// The rows of the application's tables.
///
/// Contract: as [`Store`](super::Store).
#[async_trait]
pub trait Rows: Send + Sync {
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

    /// Looks at all rows, for a plan, without reading a value: how much is left to seal, and which
    /// rows no run can write.
    async fn survey(&self, table: &Table) -> Result<Survey>;

    /// Matches a sample of the values of these columns against every [`Form`](super::Form), in a transaction that only
    /// reads. Returns counts in the order of `columns`. The database does the matching, so no value leaves it. A table
    /// that is locked or takes longer than some seconds is an error.
    async fn forms(&self, table: &TableName, columns: &[Ident]) -> Result<Vec<FormCounts>>;

    /// Rows of the relation that break a constraint which applies to writes only (NOT VALID), at
    /// most `limit` for each constraint. When the server refuses such a row, it may print it in its
    /// log. Empty for a store that never does so.
    async fn violators(&self, table: &Table, relation: &str, limit: u32) -> Result<Vec<Violator>>;

    /// Whether any row of the relation needs the work that `select` names. Scans all rows, in the
    /// order that is quickest; also `true` if that would take too long.
    async fn any_left(&self, access: &Access, relation: &str, select: &Select) -> Result<bool>;

    /// Opens a connection that reads pages.
    async fn reader(&self) -> Result<Box<dyn PageReader>>;

    /// Opens a connection that writes batches.
    async fn writer(&self) -> Result<Box<dyn BatchWriter>>;

    /// Opens a connection on which batches are tried and rolled back.
    async fn trial(&self) -> Result<Box<dyn Trial>>;

    /// What the table's files take, and what was done to its rows.
    async fn usage(&self, table: &Table) -> Result<Usage>;

    /// How many values of a relation each key seals, in a range of row keys. The server compares
    /// the first bytes of each value exactly, in one scan of the range.
    async fn census(
        &self,
        table: &Table,
        relation: &str,
        after: Option<&KeyText>,
        upto: Option<&KeyText>,
    ) -> Result<Vec<SealedCount>>;

    /// How many values of a tenant are stored in plaintext.
    async fn plaintext_of(&self, table: &Table, tenant: &str) -> Result<u64>;

    /// What a search of the whole database covers now: every relation that holds rows, and every
    /// column that may hold a sealed value, including those of our own tables. Quarantine and
    /// cursors are left out, since [`Rows::destroy_keys`] counts them.
    async fn search_list(&self) -> Result<SearchList>;

    /// Searches one relation for values under these keys, with one statement and so one snapshot.
    /// Takes no lock that makes a writer wait.
    async fn search(&self, place: &SearchRelation, keys: &[KeyId]) -> Result<Vec<SearchHit>>;

    /// Destroys keys for good, in one transaction. It locks the relations of `tables` against
    /// writers, lists them again, checks that no value is sealed under the keys (with `shred`, that
    /// is allowed), sets the blind indexes of the shredded tenant to NULL, and wipes the wrapped
    /// keys. If a value is still sealed under a key, it does nothing and returns the counts.
    async fn destroy_keys(&self, order: &Destruction<'_>) -> Result<Vec<SealedCount>>;

    /// Replaces the old columns by the new ones in one transaction over all tables, which also
    /// switches the keys and fills the last rows. Returns `false`, having done nothing, if the new
    /// index of a row cannot be computed.
    async fn switch_indexes(&self, switch: &IndexSwitch<'_>) -> Result<bool>;
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
    /// one row, else [`StoreError::FenceLost`](crate::store::StoreError::FenceLost)), stores the cursor, and checks that each key the
    /// batch seals under is active (else [`StoreError::KeyNotActive`](crate::store::StoreError::KeyNotActive)). A store may send this with
    /// the next call, and report its errors there.
    async fn begin(
        &mut self,
        stamp: &LaneStamp,
        advance: &LaneUpdate,
        keys: &[KeyId],
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
    /// storage; `write` or `commit` then returns [`StoreError::SchemaChanged`](crate::store::StoreError::SchemaChanged) or
    /// [`StoreError::StorageChanged`](crate::store::StoreError::StorageChanged).
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

    /// Adds to the lane's counters and commits. Returns [`StoreError::OutcomeUnknown`](crate::store::StoreError::OutcomeUnknown) if no answer
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

impl SealedCount {
    /// What is left under keys that are to be destroyed, if anything is.
    pub(crate) fn left(field: Option<usize>, keys: &[KeyId], values: i64) -> Option<Self> {
        (values > 0).then(|| Self {
            table: None,
            field,
            key_id: keys.first().copied().filter(|_| keys.len() == 1),
            values: values.unsigned_abs(),
            place: None,
        })
    }
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
    /// Whether the server must have the batch on its disk before it answers. Otherwise a crash of the
    /// server may undo the batch, its rows together with the cursor.
    pub durable: bool,
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
    /// [`crate::store::Catalog::fingerprint`] of the relation when the run began.
    pub fingerprint: &'a str,
    /// [`Page::storage`] of the page that the rows came from.
    pub storage: &'a str,
    /// The rows.
    pub rows: &'a [WriteRow],
}
