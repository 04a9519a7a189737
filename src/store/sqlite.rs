//! The SQLite store: one file, one writer.
//! Owns the connections. Readers of pages and writers of batches have connections of their own;
//! everything else shares one. SQLite has no row versions, so rows are compared by their values;
//! and it has no row locks, so a batch holds the one write lock from its first statement to its
//! last.

mod audit;
mod batch;
mod broken;
mod bulk;
mod census;
pub(crate) mod connection;
mod ddl;
mod facts;
pub(crate) mod fault;
mod guard;
mod guarded;
mod key_table;
mod key_value;
mod ledger;
mod mark;
mod packed;
mod paging;
mod range;
mod registry;
mod reindex;
mod relations;
mod rotation;
mod row;
mod runs;
mod schema_text;
mod search;
mod shape;
mod single;
pub(crate) mod statement;
mod trial;
mod update;
mod value;
mod version;

use async_trait::async_trait;

pub use self::connection::Access;
use crate::crypto::KeyId;
use crate::ident::{Ident, TableName};
use crate::keys::{KeyRecord, KeyTable, NewKey, Notary, RotationPeriod};
use crate::store::{
    AuditEntry, AuditHead, AuditMisfit, AuditRow, BatchWriter, Bound, ColumnSwitch, Destruction,
    FieldRecord, FieldState, Gap, Holder, Horizon, IndexSwitch, KeyText, LaneRecord, LaneStamp,
    LaneTally, NewLane, NewQuarantine, OpenTransaction, PageReader, PassKind, QuarantineRecord,
    QuarantineState, RelationRecord, Resealed, Result, RunRecord, RunState, SealedCount, SearchHit,
    SearchList, SearchRelation, Select, ServerFacts, Store, Survey, Table, TableFacts, Trial,
    Violator, access,
};

/// A SQLite database file.
pub struct SqliteStore {
    opener: connection::FileOpener,
    control: connection::Control,
}

impl SqliteStore {
    /// Opens the file that a URL names, to write to it; its journal mode stays as it is. The URL is
    /// `sqlite:///abs/path` or `sqlite://rel/path`, and the file must exist unless the URL ends
    /// with `?mode=rwc`.
    ///
    /// # Errors
    /// [`crate::store::StoreError::BadUrl`] if the URL names no file, `Unreachable` if the file is
    /// missing or cannot be opened, `Refused` if it is no database.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::open(url, Access::Write).await
    }

    /// Opens the file that a URL names, as [`SqliteStore::connect`] does, with the given access.
    ///
    /// # Errors
    /// As [`SqliteStore::connect`]; `Busy` if the file is in use and its journal mode is to change.
    pub async fn open(url: &str, access: Access) -> Result<Self> {
        let opener = connection::FileOpener::new(url, access)?;
        let conn = opener.open().await?;
        Ok(Self {
            opener,
            control: connection::Control::new(conn),
        })
    }

    /// A connection for the migrator, which makes its own transactions.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn raw_connection(url: &str, access: Access) -> Result<sqlx::SqliteConnection> {
        connection::FileOpener::new(url, access)?.open().await
    }
}

/// The name of a table as runs record it.
fn relation_name(table: &TableName) -> String {
    table.name.quoted()
}

#[async_trait]
impl KeyTable for SqliteStore {
    async fn key_records(&self) -> Result<Vec<KeyRecord>> {
        key_table::records(&mut *self.control.lock().await, None).await
    }

    async fn key_records_by_id(&self, ids: &[KeyId]) -> Result<Vec<KeyRecord>> {
        key_table::records(&mut *self.control.lock().await, Some(ids)).await
    }

    async fn insert_keys(&self, new: &[NewKey]) -> Result<Vec<KeyId>> {
        key_table::insert(&mut *self.control.lock().await, new).await
    }

    async fn activate_keys(
        &self,
        ids: &[KeyId],
        due: RotationPeriod,
        note: &dyn Notary,
    ) -> Result<()> {
        key_table::activate(&mut *self.control.lock().await, ids, due, note).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn server(&self) -> Result<ServerFacts> {
        facts::server(&mut *self.control.lock().await, &self.opener).await
    }

    async fn table(&self, name: &TableName) -> Result<Option<TableFacts>> {
        facts::table(&mut *self.control.lock().await, name).await
    }

    async fn table_names(&self) -> Result<Vec<TableName>> {
        facts::table_names(&mut *self.control.lock().await).await
    }

    async fn check_ownership(&self, _owner: Option<&Ident>) -> Result<()> {
        // A SQLite file has no roles: whoever may write it may change all of it.
        Ok(())
    }

    async fn sealed_relations(&self) -> Result<Vec<RelationRecord>> {
        relations::list(&mut *self.control.lock().await).await
    }

    async fn note_relations(&self, table: &Table) -> Result<()> {
        relations::note(&mut *self.control.lock().await, table).await
    }

    async fn gaps(&self, table: &Table) -> Result<Vec<Gap>> {
        relations::gaps(&mut *self.control.lock().await, table).await
    }

    async fn open_gaps(&self, table_label: &str, reason: &str) -> Result<()> {
        relations::open_gaps(&mut *self.control.lock().await, table_label, reason).await
    }

    async fn close_gaps(&self, table_label: &str, compared: &[Gap]) -> Result<Vec<String>> {
        relations::close_gaps(&mut *self.control.lock().await, table_label, compared).await
    }

    async fn forget_fields(&self, table_label: &str, columns: &[String]) -> Result<()> {
        relations::forget(&mut *self.control.lock().await, table_label, columns).await
    }

    async fn rebind(&self, table: &Table) -> Result<()> {
        relations::rebind(&mut *self.control.lock().await, table).await
    }

    async fn start_writing(&self) -> Result<()> {
        mark::start_writing(&mut *self.control.lock().await).await
    }

    async fn all_verified(&self) -> Result<()> {
        mark::verified(&mut *self.control.lock().await).await
    }

    async fn ddl(&self, table: &Table) -> Result<Vec<String>> {
        ddl::missing(&mut *self.control.lock().await, table).await
    }

    async fn prepare(&self, table: &Table) -> Result<()> {
        ddl::prepare(&mut *self.control.lock().await, table).await
    }

    async fn finish_indexes(&self, table: &Table) -> Result<()> {
        ddl::finish_indexes(&mut *self.control.lock().await, table).await
    }

    async fn make_sweep_index(&self, access: &access::Access, _relation: &str) -> Result<bool> {
        ddl::make_sweep_index(&mut *self.control.lock().await, access)
            .await
            .map(|()| true)
    }

    async fn drop_sweep_index(&self, table: &Table) -> Result<Vec<String>> {
        ddl::drop_sweep_index(&mut *self.control.lock().await, table).await?;
        Ok(Vec::new())
    }

    async fn drop_sealed(&self, table: &Table) -> Result<()> {
        ddl::drop_sealed(&mut *self.control.lock().await, table).await
    }

    async fn make_plain_columns(&self, table: &Table) -> Result<()> {
        ddl::make_plain_columns(&mut *self.control.lock().await, table).await
    }

    async fn fingerprint(&self, access: &access::Access, _relation: &str) -> Result<String> {
        ddl::fingerprint(&mut *self.control.lock().await, &access.table).await
    }

    async fn relations(&self, access: &access::Access) -> Result<Vec<String>> {
        Ok(vec![relation_name(&access.table.name)])
    }

    /// Makes one lane: with a single writer, a second lane would gain nothing.
    async fn cut_by_key(
        &self,
        _target: &Table,
        _relation: &str,
        _pieces: u32,
    ) -> Result<Vec<KeyText>> {
        Ok(Vec::new())
    }

    async fn sample_keys(
        &self,
        table: &Table,
        _relation: &str,
        pieces: u32,
    ) -> Result<Vec<KeyText>> {
        trial::sample_keys(&mut *self.control.lock().await, table, pieces).await
    }

    async fn cut_by_storage(
        &self,
        access: &access::Access,
        _relation: &str,
        _pieces: u32,
        _visits: PassKind,
    ) -> Result<Option<Vec<Option<Bound>>>> {
        let first = paging::first_row(&mut *self.control.lock().await, access).await?;
        Ok(first.map(|first| vec![Some(first), None]))
    }

    async fn horizon(&self, _relation: &str) -> Result<Option<Horizon>> {
        Ok(None)
    }

    async fn row_estimate(&self, table: &Table) -> Result<u64> {
        facts::row_count(&mut *self.control.lock().await, &table.name.name).await
    }

    /// Always empty: SQLite checks a constraint for all rows when it is made, and writes no log of
    /// violations.
    async fn violators(&self, _: &Table, _: &str, _: u32) -> Result<Vec<Violator>> {
        Ok(Vec::new())
    }

    async fn survey(&self, table: &Table) -> Result<Survey> {
        facts::survey(&mut *self.control.lock().await, table).await
    }

    async fn any_left(
        &self,
        access: &access::Access,
        _relation: &str,
        select: &Select,
    ) -> Result<bool> {
        paging::any_left(&mut *self.control.lock().await, access, select).await
    }

    async fn fields(&self) -> Result<Vec<FieldRecord>> {
        registry::fields(&mut *self.control.lock().await).await
    }

    async fn register_fields(&self, fields: &[FieldRecord]) -> Result<()> {
        registry::register(&mut *self.control.lock().await, fields).await
    }

    async fn set_field_state(
        &self,
        table_label: &str,
        columns: &[String],
        state: FieldState,
    ) -> Result<()> {
        registry::set_state(&mut *self.control.lock().await, table_label, columns, state).await
    }

    async fn open_run(&self, table_label: &str) -> Result<Option<RunRecord>> {
        runs::open_run(&mut *self.control.lock().await, table_label).await
    }

    async fn begin_run(&self, run: &RunRecord, lanes: &[NewLane]) -> Result<i64> {
        runs::begin_run(&mut *self.control.lock().await, run, lanes).await
    }

    async fn add_lanes(&self, run_id: i64, lanes: &[NewLane]) -> Result<()> {
        runs::add_lanes(&mut *self.control.lock().await, run_id, lanes).await
    }

    async fn end_run(
        &self,
        run_id: i64,
        state: RunState,
        error_code: Option<&str>,
    ) -> Result<LaneTally> {
        runs::end_run(&mut *self.control.lock().await, run_id, state, error_code).await
    }

    async fn abandon_run(
        &self,
        run_id: i64,
        error_code: &str,
        dead: &[Holder],
    ) -> Result<Option<Holder>> {
        runs::abandon(&mut *self.control.lock().await, run_id, error_code, dead).await
    }

    async fn resume_run(&self, run_id: i64) -> Result<()> {
        runs::resume_run(&mut *self.control.lock().await, run_id).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunRecord>> {
        runs::runs(&mut *self.control.lock().await, limit).await
    }

    async fn lanes(&self, run_id: i64) -> Result<Vec<LaneRecord>> {
        runs::lanes(&mut *self.control.lock().await, run_id).await
    }

    async fn claim_lane(
        &self,
        run_id: i64,
        holder: &Holder,
        dead: &[Holder],
        lease_seconds: u32,
    ) -> Result<Option<LaneRecord>> {
        let mut conn = self.control.lock().await;
        runs::claim_lane(&mut conn, run_id, holder, dead, lease_seconds).await
    }

    /// Does nothing: SQLite cannot end another connection's transaction.
    async fn end_frozen(&self, _: i64) -> Result<()> {
        Ok(())
    }

    async fn release_lane(&self, stamp: &LaneStamp, done: bool) -> Result<()> {
        runs::release_lane(&mut *self.control.lock().await, stamp, done).await
    }

    async fn lane_after_commit(&self, run_id: i64, lane_no: i32) -> Result<LaneRecord> {
        runs::lane_after_commit(&mut *self.control.lock().await, run_id, lane_no).await
    }

    async fn reader(&self) -> Result<Box<dyn PageReader>> {
        let conn = self.opener.open().await?;
        Ok(Box::new(paging::SqliteReader::new(conn)))
    }

    async fn writer(&self) -> Result<Box<dyn BatchWriter>> {
        let conn = self.opener.open().await?;
        Ok(Box::new(batch::SqliteWriter::new(conn)))
    }

    async fn trial(&self) -> Result<Box<dyn Trial>> {
        let conn = self.opener.open().await?;
        Ok(Box::new(trial::SqliteTrial::new(conn)))
    }

    async fn quarantined(&self, table_label: Option<&str>) -> Result<Vec<QuarantineRecord>> {
        ledger::quarantined(&mut *self.control.lock().await, table_label).await
    }

    async fn add_quarantine(&self, rows: &[NewQuarantine]) -> Result<()> {
        ledger::add_quarantine(&mut *self.control.lock().await, rows).await
    }

    async fn set_quarantine_state(&self, ids: &[i64], state: QuarantineState) -> Result<()> {
        ledger::set_quarantine_state(&mut *self.control.lock().await, ids, state).await
    }

    async fn audit_head(&self) -> Result<AuditHead> {
        audit::head(&mut *self.control.lock().await).await
    }

    async fn note(&self, note: &dyn Notary) -> Result<()> {
        let mut conn = self.control.lock().await;
        let mut transaction = connection::write_transaction(&mut conn).await?;
        let before = audit::newest_change(&mut transaction).await?;
        audit::note(&mut transaction, note, &[], before).await?;
        connection::commit(transaction).await
    }

    async fn append_audit(&self, entry: &AuditEntry, expected: &AuditHead) -> Result<bool> {
        audit::append(&mut *self.control.lock().await, entry, expected).await
    }

    async fn audit_entries(&self, from: i64, limit: u32) -> Result<Vec<AuditRow>> {
        audit::entries(&mut *self.control.lock().await, from, limit).await
    }

    async fn audit_misfit(&self) -> Result<Option<AuditMisfit>> {
        audit::misfit(&mut *self.control.lock().await).await
    }

    /// Uses a connection of its own, since it may take a while.
    async fn census(
        &self,
        table: &Table,
        _relation: &str,
        after: Option<&KeyText>,
        upto: Option<&KeyText>,
    ) -> Result<Vec<SealedCount>> {
        let mut conn = self.opener.open().await?;
        census::count(&mut conn, table, after, upto).await
    }

    /// Always empty. SQLite has one writer, and what a writer has read is still true when it
    /// commits, so there is nothing to wait for.
    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>> {
        Ok(Vec::new())
    }

    async fn reseal_quarantine(&self, rows: &[Resealed]) -> Result<()> {
        census::reseal_quarantine(&mut *self.control.lock().await, rows).await
    }

    /// Uses the connection that destroys keys: its version changes when others commit, and not when
    /// it writes itself.
    async fn search_list(&self) -> Result<SearchList> {
        search::list(&mut *self.control.lock().await).await
    }

    async fn search(&self, place: &SearchRelation, keys: &[KeyId]) -> Result<Vec<SearchHit>> {
        search::search(&mut *self.control.lock().await, place, keys).await
    }

    async fn destroy_keys(&self, order: &Destruction<'_>) -> Result<Vec<SealedCount>> {
        census::destroy(&mut *self.control.lock().await, order).await
    }

    async fn plaintext_of(&self, table: &Table, tenant: &str) -> Result<u64> {
        census::plaintext_of(&mut *self.control.lock().await, table, tenant).await
    }

    async fn prepare_reindex(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()> {
        reindex::prepare_columns(&mut *self.control.lock().await, table, next).await
    }

    async fn index_reindexed(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()> {
        reindex::make_indexes(&mut *self.control.lock().await, table, next).await
    }

    async fn switch_indexes(&self, order: &IndexSwitch<'_>) -> Result<bool> {
        reindex::switch(&mut *self.control.lock().await, order).await
    }

    /// Always empty: SQLite does not tell which connection holds its lock.
    async fn blockers(&self, _target: &Table) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod batch_fixture;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
