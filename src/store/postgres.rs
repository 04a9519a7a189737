//! The PostgreSQL store: its connections and transactions, and the dispatch of each method to the
//! file that implements it.
//! Owns the time limit of a round trip; only `connect.rs` opens connections, and `lent.rs` says how
//! many. Every transaction is explicit, and READ COMMITTED, except that a verification reads the
//! rows which came since it began in REPEATABLE READ. Every setting is SET LOCAL and no statement is
//! prepared by name, so that the store works through a pooler in transaction mode.

/// Does something in a transaction of its own, and commits it:
/// `in_transaction!(store.begin(), |tx| read(tx))`.
macro_rules! in_transaction {
    ($begin:expr, |$tx:ident| $work:expr) => {{
        let mut transaction = $begin.await?;
        let $tx = &mut transaction;
        let answer = $work.await?;
        transaction.commit().await?;
        Ok(answer)
    }};
}

mod alone;
mod batch;
mod catalog;
mod census;
mod connect;
mod ddl_lock;
mod decode;
mod dialect;
pub(crate) mod fault;
mod fence;
mod forms;
mod guard;
mod heap;
mod indexes;
mod key_order;
mod lent;
pub(crate) mod opening;
pub(crate) mod own_schema;
mod pacing;
mod plaintext;
mod prepare;
mod ranges;
mod read;
mod reindex;
mod relations;
mod restore;
mod scrub;
mod seal;
mod search;
mod select;
mod sessions;
pub(crate) mod sql;
mod survey;
mod table;
mod transaction;
mod trial;
mod usage;
mod waits;
mod wanted;

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::PgPool;
use sqlx::{Connection, PgConnection};

use crate::crypto::KeyId;
use crate::error::connect_fault::Place;
use crate::ident::{Ident, TableName};
use crate::store::{
    Access, BatchWriter, Bound, Catalog, ColumnSwitch, Ddl, Destruction, Extent, FormCounts, Gap,
    Horizon, IndexSwitch, KeyText, OpenTransaction, PageReader, PassKind, RelationRecord, Result,
    Rows, SealedCount, SealedRelations, SearchHit, SearchList, SearchRelation, Select, ServerFacts,
    StoreError, Survey, Table, TableFacts, Trial, Usage, Violator,
};
use connect::Connector;
use lent::Turns;
use opening::Opening;
use waits::Notes;

/// How long one round trip may take. After that, its connection is given up.
const ROUND_TRIP_MAX: Duration = Duration::from_secs(300);

/// A PostgreSQL database with our own tables in one schema.
pub struct PostgresStore {
    connector: Connector,
    pool: PgPool,
    schema: Ident,
    opening: Opening,
    turns: Turns,
    notes: Notes,
}

impl PostgresStore {
    /// Connects to `postgres://user:password@host:port/database?parameters` (docs/CLI.md). No error shows the URL.
    ///
    /// # Errors
    /// The URL is not valid; the server cannot be reached or does not prove its identity; the login
    /// is refused, or would reveal the password.
    pub async fn connect(url: &str, schema: &Ident) -> Result<Self> {
        Self::connect_as(url, schema, None).await
    }

    /// Like [`PostgresStore::connect`], but every transaction runs as `role`. The login must be a
    /// member of it.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`]. If the role cannot be set, the first round trip returns the error.
    pub async fn connect_as(url: &str, schema: &Ident, role: Option<&Ident>) -> Result<Self> {
        let connector = Connector::new(url, None)?;
        let first = connector.connect("login").await?;
        // One real connection shows that connecting works; the pool then opens its own.
        let _ = first.close().await;
        Ok(Self {
            pool: connector.pool(),
            connector,
            schema: schema.clone(),
            opening: Opening::new(role),
            turns: Turns::default(),
            notes: Notes::default(),
        })
    }

    /// The server, the database and the user that a URL names, for messages. Connects to nothing.
    ///
    /// # Errors
    /// [`StoreError::BadUrl`].
    pub fn place_of(url: &str) -> Result<Place> {
        Connector::place_of(url)
    }

    /// Opens a connection for the migrator, which begins and ends its own transactions.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn raw_connection(url: &str) -> Result<PgConnection> {
        Self::raw_connection_to(url, None).await
    }

    /// Like [`PostgresStore::raw_connection`], but to another database of the server.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn raw_connection_to(url: &str, database: Option<&str>) -> Result<PgConnection> {
        Connector::new(url, database)?.connect("migrate").await
    }

    /// The name of one of our tables, qualified and quoted.
    fn own(&self, table: &str) -> String {
        format!("{}.{table}", self.schema.quoted())
    }
}

/// Limits the time of a round trip. If it fails, the caller drops the connection.
async fn timed<T>(work: impl Future<Output = std::result::Result<T, sqlx::Error>>) -> Result<T> {
    match tokio::time::timeout(ROUND_TRIP_MAX, work).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(StoreError::ConnectionLost),
    }
}

#[async_trait]
impl Catalog for PostgresStore {
    async fn server(&self) -> Result<ServerFacts> {
        let mut tx = self.begin().await?;
        let mut facts = catalog::server_facts(&mut tx, self.schema.as_str()).await?;
        tx.commit().await?;
        let mut tx = self.begin_as_login().await?;
        catalog::capacity(&mut tx, &mut facts).await?;
        tx.commit().await?;
        facts.transport = Some(self.connector.transport());
        Ok(facts)
    }

    async fn table(&self, name: &TableName) -> Result<Option<TableFacts>> {
        in_transaction!(self.begin(), |tx| catalog::table_facts(tx, name))
    }

    async fn table_names(&self) -> Result<Vec<TableName>> {
        in_transaction!(self.begin(), |tx| catalog::table_names(
            tx,
            self.schema.as_str()
        ))
    }

    async fn check_ownership(&self, owner: Option<&Ident>) -> Result<()> {
        let mut tx = self.begin().await?;
        own_schema::check(&mut tx, &self.schema, owner).await?;
        tx.commit().await
    }

    async fn ddl(&self, table: &Table) -> Result<Ddl> {
        prepare::missing(self, table).await
    }

    async fn prepare(&self, table: &Table) -> Result<()> {
        prepare::prepare(self, table).await
    }

    async fn finish_indexes(&self, table: &Table) -> Result<()> {
        indexes::lookup_indexes(self, table).await
    }

    async fn make_sweep_index(&self, access: &Access, relation: &str) -> Result<bool> {
        indexes::make_sweep_index(self, access, relation).await
    }

    async fn drop_sweep_index(&self, table: &Table) -> Result<Vec<String>> {
        indexes::drop_sweep_index(self, table).await
    }

    async fn drop_sealed(&self, table: &Table) -> Result<()> {
        prepare::restore::drop_sealed(self, table).await
    }

    async fn make_plain_columns(&self, table: &Table) -> Result<()> {
        plaintext::back::make_plain_columns(self, table).await
    }

    async fn prepare_reindex(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()> {
        reindex::prepare_columns(self, table, next).await
    }

    async fn index_reindexed(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()> {
        reindex::make_indexes(self, table, next).await
    }

    async fn relations(&self, access: &Access) -> Result<Vec<String>> {
        table::relations(self, &access.table, &access.scope).await
    }

    async fn fingerprint(&self, access: &Access, relation: &str) -> Result<String> {
        let mut tx = self.begin().await?;
        let print = fence::fingerprint(&mut tx, access, relation).await?;
        tx.commit().await?;
        print.ok_or_else(|| StoreError::missing(format!("table {}", access.table.label)))
    }

    async fn extents(&self, relations: &[String]) -> Result<Vec<Extent>> {
        table::extents(self, relations).await
    }

    async fn blockers(&self, table: &Table) -> Result<Vec<String>> {
        sessions::blockers(self, table).await
    }

    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>> {
        census::open_transactions(self).await
    }

    async fn end_frozen(&self, run_id: i64) -> Result<()> {
        sessions::end_frozen(self, run_id).await
    }
}

#[async_trait]
impl SealedRelations for PostgresStore {
    async fn sealed_relations(&self) -> Result<Vec<RelationRecord>> {
        relations::list(self).await
    }

    async fn note_relations(&self, table: &Table) -> Result<()> {
        relations::note(self, table).await
    }

    async fn gaps(&self, table: &Table) -> Result<Vec<Gap>> {
        relations::gaps(self, table).await
    }

    async fn open_gaps(&self, table_label: &str, reason: &str) -> Result<()> {
        relations::open_gaps(self, table_label, reason).await
    }

    async fn close_gaps(&self, table_label: &str, compared: &[Gap]) -> Result<Vec<String>> {
        relations::close_gaps(self, table_label, compared).await
    }

    async fn forget_fields(&self, table_label: &str, columns: &[String]) -> Result<()> {
        relations::forget(self, table_label, columns).await
    }

    async fn rebind(&self, table: &Table) -> Result<()> {
        relations::rebind(self, table).await
    }
}

#[async_trait]
impl Rows for PostgresStore {
    async fn cut_by_key(&self, table: &Table, relation: &str, pieces: u32) -> Result<Vec<KeyText>> {
        ranges::cut_by_key(self, table, relation, pieces).await
    }

    async fn sample_keys(
        &self,
        table: &Table,
        relation: &str,
        pieces: u32,
    ) -> Result<Vec<KeyText>> {
        ranges::cut_by_key(self, table, relation, pieces).await
    }

    async fn cut_by_storage(
        &self,
        _access: &Access,
        relation: &str,
        pieces: u32,
        pass_kind: PassKind,
    ) -> Result<Option<Vec<Option<Bound>>>> {
        let places = heap::cut_by_storage(self, relation, pieces, pass_kind).await?;
        Ok(places.map(|places| places.into_iter().map(Bound::Heap).map(Some).collect()))
    }

    async fn horizon(&self, relation: &str) -> Result<Option<Horizon>> {
        heap::horizon(self, relation).await
    }

    async fn survey(&self, table: &Table) -> Result<Survey> {
        survey::look(self, table).await
    }

    async fn forms(&self, table: &TableName, columns: &[Ident]) -> Result<Vec<FormCounts>> {
        forms::count(self, table, columns).await
    }

    async fn violators(&self, table: &Table, relation: &str, limit: u32) -> Result<Vec<Violator>> {
        survey::violators(self, table, relation, limit).await
    }

    async fn any_left(&self, access: &Access, relation: &str, select: &Select) -> Result<bool> {
        ranges::any_left(self, access, relation, select).await
    }

    async fn reader(&self) -> Result<Box<dyn PageReader>> {
        Ok(Box::new(read::Reader::new(
            self.connector.clone(),
            self.pool.clone(),
            self.turns.clone(),
            self.opening.clone(),
        )))
    }

    async fn writer(&self) -> Result<Box<dyn BatchWriter>> {
        let conn = self.connector.connect("write").await?;
        Ok(Box::new(batch::Writer::new(
            self.connector.clone(),
            self.opening.clone(),
            self.schema.clone(),
            conn,
        )))
    }

    async fn trial(&self) -> Result<Box<dyn Trial>> {
        let conn = self.connector.connect("bench").await?;
        Ok(Box::new(trial::PostgresTrial::new(
            self.connector.clone(),
            self.opening.clone(),
            conn,
        )))
    }

    async fn usage(&self, table: &Table) -> Result<Usage> {
        usage::usage(self, table).await
    }

    async fn census(
        &self,
        table: &Table,
        relation: &str,
        after: Option<&KeyText>,
        upto: Option<&KeyText>,
    ) -> Result<Vec<SealedCount>> {
        census::count(self, table, relation, after, upto).await
    }

    async fn plaintext_of(&self, table: &Table, tenant: &str) -> Result<u64> {
        census::plaintext_of(self, table, tenant).await
    }

    async fn search_list(&self) -> Result<SearchList> {
        search::list(self).await
    }

    async fn search(&self, place: &SearchRelation, keys: &[KeyId]) -> Result<Vec<SearchHit>> {
        search::search(self, place, keys).await
    }

    async fn destroy_keys(&self, order: &Destruction<'_>) -> Result<Vec<SealedCount>> {
        census::destroy(self, order).await
    }

    async fn switch_indexes(&self, order: &IndexSwitch<'_>) -> Result<bool> {
        reindex::switch(self, order).await
    }
}
