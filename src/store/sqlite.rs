//! The SQLite store: one file, one writer.
//! Owns the connections. Readers of pages and writers of batches have connections of their own;
//! everything else shares one. SQLite has no row versions, so rows are compared by their values;
//! and it has no row locks, so a batch holds the one write lock from its first statement to its
//! last.

mod batch;
mod catalog;
mod census;
pub(crate) mod connect;
mod decode;
mod dialect;
pub(crate) mod fault;
mod fence;
mod forms;
mod guard;
mod indexes;
mod key_range;
mod key_value;
mod plaintext;
mod prepare;
mod ranges;
mod read;
mod reindex;
mod relations;
mod scrub;
mod seal;
mod search;
mod select;
pub(crate) mod sql;
mod survey;
mod table_text;
mod trial;
mod value;
mod version;
mod wanted;

use async_trait::async_trait;

pub use self::connect::Access;
use crate::crypto::KeyId;
use crate::error::connect_fault::Place;
use crate::ident::{Ident, TableName};
use crate::store::access;
use crate::store::{
    BatchWriter, Bound, Catalog, ColumnSwitch, Ddl, Destruction, Extent, FormCounts, Gap, Horizon,
    IndexSwitch, KeyText, OpenTransaction, Pacing, PageReader, PassKind, RelationRecord, Result,
    Rows, SealedCount, SealedRelations, SearchHit, SearchList, SearchRelation, Select, ServerFacts,
    Survey, Table, TableFacts, Trial, Usage, Violator, Waits,
};

/// A SQLite database file.
pub struct SqliteStore {
    opener: connect::FileOpener,
    control: connect::Control,
}

impl SqliteStore {
    /// Opens the file that a URL names, to write to it; its journal mode stays as it is. The URL is
    /// `sqlite:///abs/path` or `sqlite://rel/path`, and the file must exist unless the URL ends
    /// with `?mode=rwc`.
    ///
    /// # Errors
    /// [`crate::store::StoreError::BadUrl`] if the URL names no file, `Unreachable` if the file is
    /// missing, cannot be opened or is no database.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::open(url, Access::Write).await
    }

    /// Opens the file that a URL names, as [`SqliteStore::connect`] does, with the given access.
    ///
    /// # Errors
    /// As [`SqliteStore::connect`]; `Busy` if the file is in use and its journal mode is to change.
    pub async fn open(url: &str, access: Access) -> Result<Self> {
        let opener = connect::FileOpener::new(url, access)?;
        let conn = opener.open().await?;
        Ok(Self {
            opener,
            control: connect::Control::new(conn),
        })
    }

    /// The file that a URL names, for messages.
    ///
    /// # Errors
    /// [`crate::store::StoreError::BadUrl`].
    pub fn place_of(url: &str) -> Result<Place> {
        Ok(connect::FileOpener::new(url, Access::Look)?.place())
    }

    /// A connection for the migrator, which makes its own transactions.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn raw_connection(url: &str, access: Access) -> Result<sqlx::SqliteConnection> {
        connect::FileOpener::new(url, access)?.open().await
    }
}

/// The name of a table as runs record it.
fn relation_name(table: &TableName) -> String {
    table.name.quoted()
}

/// SQLite does not tell what a connection waits for.
impl Waits for SqliteStore {}

#[async_trait]
impl Catalog for SqliteStore {
    async fn server(&self) -> Result<ServerFacts> {
        catalog::server::server(&mut *self.control.lock().await, &self.opener).await
    }

    async fn table(&self, name: &TableName) -> Result<Option<TableFacts>> {
        catalog::table(&mut *self.control.lock().await, name).await
    }

    async fn table_names(&self) -> Result<Vec<TableName>> {
        catalog::table_names(&mut *self.control.lock().await).await
    }

    async fn check_ownership(&self, _owner: Option<&Ident>) -> Result<()> {
        // A SQLite file has no roles: whoever may write it may change all of it.
        Ok(())
    }

    async fn start_writing(&self) -> Result<()> {
        guard::mark::start_writing(&mut *self.control.lock().await).await
    }

    async fn ddl(&self, table: &Table) -> Result<Ddl> {
        let together = prepare::missing(&mut *self.control.lock().await, table).await?;
        Ok(Ddl {
            together,
            ..Ddl::default()
        })
    }

    async fn prepare(&self, table: &Table) -> Result<()> {
        prepare::prepare(&mut *self.control.lock().await, table).await
    }

    async fn finish_indexes(&self, table: &Table) -> Result<()> {
        indexes::finish_indexes(&mut *self.control.lock().await, table).await
    }

    async fn make_sweep_index(&self, access: &access::Access, _relation: &str) -> Result<bool> {
        indexes::make_sweep_index(&mut *self.control.lock().await, access)
            .await
            .map(|()| true)
    }

    async fn drop_sweep_index(&self, table: &Table) -> Result<Vec<String>> {
        indexes::drop_sweep_index(&mut *self.control.lock().await, table).await?;
        Ok(Vec::new())
    }

    async fn drop_sealed(&self, table: &Table) -> Result<()> {
        prepare::restore::drop_sealed(&mut *self.control.lock().await, table).await
    }

    async fn make_plain_columns(&self, table: &Table) -> Result<()> {
        plaintext::back::make_plain_columns(&mut *self.control.lock().await, table).await
    }

    async fn prepare_reindex(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()> {
        reindex::prepare_columns(&mut *self.control.lock().await, table, next).await
    }

    async fn index_reindexed(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()> {
        reindex::make_indexes(&mut *self.control.lock().await, table, next).await
    }

    async fn relations(&self, access: &access::Access) -> Result<Vec<String>> {
        Ok(vec![relation_name(&access.table.name)])
    }

    async fn fingerprint(&self, access: &access::Access, _relation: &str) -> Result<String> {
        fence::fingerprint(&mut *self.control.lock().await, &access.table).await
    }

    async fn extents(&self, relations: &[String]) -> Result<Vec<Extent>> {
        catalog::extents(&mut *self.control.lock().await, relations).await
    }

    /// Always empty: SQLite does not tell which connection holds its lock.
    async fn blockers(&self, _target: &Table) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Always empty. SQLite has one writer, and what a writer has read is still true when it
    /// commits, so there is nothing to wait for.
    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>> {
        Ok(Vec::new())
    }

    /// Does nothing: SQLite cannot end another connection's transaction.
    async fn end_frozen(&self, _: i64) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl SealedRelations for SqliteStore {
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

    async fn all_verified(&self) -> Result<()> {
        guard::mark::verified(&mut *self.control.lock().await).await
    }

    async fn forget_fields(&self, table_label: &str, columns: &[String]) -> Result<()> {
        relations::forget(&mut *self.control.lock().await, table_label, columns).await
    }

    async fn rebind(&self, table: &Table) -> Result<()> {
        relations::rebind(&mut *self.control.lock().await, table).await
    }
}

/// SQLite keeps no statistics, so runs are paced by requests and limits only.
#[async_trait]
impl Pacing for SqliteStore {}

#[async_trait]
impl Rows for SqliteStore {
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
        ranges::sample_keys(&mut *self.control.lock().await, table, pieces).await
    }

    async fn cut_by_storage(
        &self,
        access: &access::Access,
        _relation: &str,
        _pieces: u32,
        _visits: PassKind,
    ) -> Result<Option<Vec<Option<Bound>>>> {
        let first = ranges::first_row(&mut *self.control.lock().await, access).await?;
        Ok(first.map(|first| vec![Some(first), None]))
    }

    async fn horizon(&self, _relation: &str) -> Result<Option<Horizon>> {
        Ok(None)
    }

    async fn survey(&self, table: &Table) -> Result<Survey> {
        survey::look(&mut *self.control.lock().await, table).await
    }

    async fn forms(&self, table: &TableName, columns: &[Ident]) -> Result<Vec<FormCounts>> {
        forms::count(&mut *self.control.lock().await, table, columns).await
    }

    /// Always empty: SQLite checks a constraint for all rows when it is made, and writes no log of
    /// violations.
    async fn violators(&self, _: &Table, _: &str, _: u32) -> Result<Vec<Violator>> {
        Ok(Vec::new())
    }

    async fn any_left(
        &self,
        access: &access::Access,
        _relation: &str,
        select: &Select,
    ) -> Result<bool> {
        ranges::any_left(&mut *self.control.lock().await, access, select).await
    }

    async fn reader(&self) -> Result<Box<dyn PageReader>> {
        let conn = self.opener.open().await?;
        Ok(Box::new(read::SqliteReader::new(conn)))
    }

    async fn writer(&self) -> Result<Box<dyn BatchWriter>> {
        let conn = self.opener.open().await?;
        Ok(Box::new(batch::SqliteWriter::new(conn)))
    }

    async fn trial(&self) -> Result<Box<dyn Trial>> {
        let conn = self.opener.open().await?;
        Ok(Box::new(trial::SqliteTrial::new(conn)))
    }

    async fn usage(&self, _table: &Table) -> Result<Usage> {
        let mut conn = self.control.lock().await;
        Ok(Usage {
            table_bytes: catalog::file_bytes(&mut conn).await?.unsigned_abs(),
            ..Usage::default()
        })
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

    async fn plaintext_of(&self, table: &Table, tenant: &str) -> Result<u64> {
        census::plaintext_of(&mut *self.control.lock().await, table, tenant).await
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

    async fn switch_indexes(&self, order: &IndexSwitch<'_>) -> Result<bool> {
        reindex::switch(&mut *self.control.lock().await, order).await
    }
}

#[cfg(test)]
mod batch_fixture;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
