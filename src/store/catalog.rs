//! What the catalog says, and DDL: facts that preflight judges, and the objects that a run needs.
//! Owns the trait and the types of the facts: the stores fill them, and the checks read them. They
//! hold no values of rows.

mod server;
mod table;

use async_trait::async_trait;

use crate::ident::{Ident, TableName};
use crate::store::{Access, ColumnSwitch, OpenTransaction, Result, Table};
pub use server::{BatchLog, ServerFacts};
pub use table::{
    ColumnFacts, ConstraintFacts, DependentFacts, ForeignKeyFacts, IndexFacts, KeyFacts, LeafFacts,
    OwnedRelation, RelationKind, TableFacts, TriggerFacts,
};

/// Facts about the server and its tables, and the columns, indexes and guards that a run needs.
///
/// Contract: as [`Store`](crate::store::Store). The methods that create or drop columns or indexes, and
/// [`Catalog::end_frozen`], are several steps, each of which may be repeated; the last step of
/// [`Catalog::drop_sealed`] is one transaction.
#[async_trait]
pub trait Catalog: Send + Sync {
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

    /// Prepares for a command that writes, once our own tables exist: records and removes whatever
    /// would let writers past the guards, and replaces guards of an earlier version.
    async fn start_writing(&self) -> Result<()> {
        Ok(())
    }

    /// The statements that [`Catalog::prepare`] would run now, and those that
    /// [`Catalog::finish_indexes`] will; empty if nothing is missing.
    async fn ddl(&self, table: &Table) -> Result<Ddl>;

    /// Creates the sealed columns, the blind index columns and the guard where they are missing.
    /// Waits for locks only briefly, and tries only a bounded number of times.
    async fn prepare(&self, table: &Table) -> Result<()>;

    /// Creates the indexes for blind index lookups. Called after the main pass, which they would
    /// have slowed.
    async fn finish_indexes(&self, table: &Table) -> Result<()>;

    /// Creates, for the sweep, a partial index of the relation's rows that still need work. Returns
    /// `false` if that would take a long wait; the sweep then reads the whole relation in windows.
    async fn make_sweep_index(&self, access: &Access, relation: &str) -> Result<bool>;

    /// Drops the indexes that [`Catalog::make_sweep_index`] created, including those of an
    /// interrupted run. Returns the names of indexes that could not be dropped because of a long
    /// transaction on the table.
    async fn drop_sweep_index(&self, table: &Table) -> Result<Vec<String>>;

    /// Drops the sealed columns, the blind index columns and the guard (`restore --drop-sealed`); of
    /// an in-place table, only the guard. The same transaction sets the fields' state to restored and
    /// ends the procedure.
    async fn drop_sealed(&self, table: &Table) -> Result<()>;

    /// Creates the columns that a restore writes to, where they are missing.
    async fn make_plain_columns(&self, table: &Table) -> Result<()>;

    /// Creates the columns that take the new blind index of each field, records them in the
    /// registry, and extends the guard, so that it sets them to NULL together with the old ones.
    /// Columns that exist are kept.
    async fn prepare_reindex(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()>;

    /// Creates the lookup indexes on the new columns without blocking writers. They are unique
    /// where the old ones are.
    async fn index_reindexed(&self, table: &Table, next: &[ColumnSwitch]) -> Result<()>;

    /// The relations that hold the rows: the leaf partitions of a partitioned table, otherwise the
    /// table itself.
    async fn relations(&self, access: &Access) -> Result<Vec<String>>;

    /// A digest of the relation's identity, columns and triggers. A batch compares it before it
    /// commits; see [`BatchWriter::write`](crate::store::BatchWriter::write).
    async fn fingerprint(&self, access: &Access, relation: &str) -> Result<String>;

    /// How large each of these relations is, which [`Catalog::relations`] named. Leaves out one that is
    /// gone.
    async fn extents(&self, relations: &[String]) -> Result<Vec<Extent>>;

    /// Sessions that hold locks on the table, described without their queries, for messages ("waits
    /// for …").
    async fn blockers(&self, table: &Table) -> Result<Vec<String>>;

    /// The transactions that are open now, except our own: they may still act on what they saw.
    async fn open_transactions(&self) -> Result<Vec<OpenTransaction>>;

    /// Ends frozen sessions: engine sessions that hold a lane in an open transaction beyond their
    /// lease while the server waits for their next command. Their locks would otherwise remain.
    async fn end_frozen(&self, run_id: i64) -> Result<()>;
}

/// How large a relation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// The relation, as [`Catalog::relations`] names it.
    pub relation: String,
    /// The number of its rows: in PostgreSQL as the statistics have it, in SQLite exact.
    pub rows: u64,
    /// The number of its blocks, without TOAST and indexes; `None` where a scan does not go by blocks
    /// (SQLite).
    pub blocks: Option<u64>,
}

impl Extent {
    /// The rows of all relations together.
    pub fn rows(extents: &[Self]) -> u64 {
        extents.iter().map(|one| one.rows).sum()
    }
}

/// The statements that a table needs, each list in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ddl {
    /// Before the first row is sealed, in one transaction.
    pub together: Vec<String>,
    /// Before the first row is sealed, each outside of a transaction, after `together`.
    pub alone: Vec<String>,
    /// After the backfill, each outside of a transaction. The backfill makes these indexes itself if
    /// its role owns the table.
    pub later: Vec<String>,
}

impl Ddl {
    /// Whether nothing is missing before the first row is sealed.
    pub fn is_empty(&self) -> bool {
        self.together.is_empty() && self.alone.is_empty()
    }
}

/// The synchronous standbys, whose confirmation a COMMIT waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standbys {
    /// How many must confirm.
    pub asked: u32,
    /// How many are there that can; `None` if our role may not see that.
    pub there: Option<i64>,
}
