//! What the catalog says, and DDL: facts that preflight judges, and the objects that a run needs.
//! Owns the trait and the types of the facts: the stores fill them, and the checks read them. They
//! hold no values of rows.

mod server;

use async_trait::async_trait;

use crate::ident::{Ident, TableName};
use crate::store::{Access, ColumnSwitch, OpenTransaction, Result, Right, Table};
pub use server::{BatchLog, ServerFacts};

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

/// The kind of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RelationKind {
    /// An ordinary table.
    #[default]
    Table,
    /// A partitioned table (the root).
    Partitioned,
    /// One partition of a partitioned table.
    Partition,
    /// A view.
    View,
    /// A materialised view.
    MaterializedView,
    /// A foreign table.
    Foreign,
    /// Anything else.
    Other,
}

/// What the catalog says about one relation.
#[derive(Debug, Clone, Default)]
pub struct TableFacts {
    /// Schema, empty in SQLite.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: RelationKind,
    /// If this is a partition: the partitioned table at the top.
    pub root: Option<TableName>,
    /// Whether it is a temporary table.
    pub temporary: bool,
    /// Whether it is an unlogged table.
    pub unlogged: bool,
    /// The table access method, if it is not `heap`.
    pub foreign_access_method: Option<String>,
    /// Whether it has children by inheritance that are not partitions, or is such a child.
    pub inheritance: bool,
    /// The number of rows: estimated from the statistics, exact in SQLite.
    pub rows: i64,
    /// The size of the table with its TOAST and indexes, in bytes.
    pub bytes: i64,
    /// The size of the rows' pages alone, without TOAST and indexes, in bytes; 0 in SQLite.
    pub heap_bytes: i64,
    /// The average size of a row from the statistics, in bytes.
    pub row_bytes: i64,
    /// Columns in order.
    pub columns: Vec<ColumnFacts>,
    /// The primary key, then the unique constraints and indexes.
    pub keys: Vec<KeyFacts>,
    /// All indexes.
    pub indexes: Vec<IndexFacts>,
    /// CHECK and EXCLUDE constraints.
    pub checks: Vec<ConstraintFacts>,
    /// Foreign keys of this table, and those of other tables that refer to it.
    pub foreign_keys: Vec<ForeignKeyFacts>,
    /// Triggers, except the server's own and those of our guard.
    pub triggers: Vec<TriggerFacts>,
    /// The triggers of our guard, if it is installed.
    pub guard: Vec<TriggerFacts>,
    /// Rewrite rules.
    pub rules: Vec<String>,
    /// Rewrite rules for UPDATE.
    pub update_rules: Vec<String>,
    /// Whether its columns come from a composite type (`CREATE TABLE … OF`).
    pub typed: bool,
    /// The number of columns that the table has or had, since a dropped column keeps its number.
    /// For partitions, the greatest such number.
    pub columns_ever: i64,
    /// The greatest possible number of columns; 0 if unknown.
    pub columns_max: i64,
    /// The bytes that a block has for one row; 0 if rows may have any length.
    pub row_bytes_max: i64,
    /// Views, generated columns and other objects that read a column.
    pub dependents: Vec<DependentFacts>,
    /// Publications that include this table.
    pub publications: Vec<String>,
    /// Whether REPLICA IDENTITY FULL is set.
    pub replica_identity_full: bool,
    /// Whether row-level security would hide rows from our role.
    pub row_security_applies: bool,
    /// Rights that our role lacks: `SELECT` and `UPDATE`, each by itself, and `USAGE` on the schema.
    pub missing_rights: Vec<Right>,
    /// Whether our role owns the table, so that it may add columns and triggers.
    pub owner: bool,
    /// The role that owns the table; empty in SQLite.
    pub owned_by: String,
    /// The table itself, then all its partitions; empty in SQLite.
    pub relations: Vec<OwnedRelation>,
    /// Columns that our role may not read, `ctid` and `xmin` among them.
    pub unreadable_columns: Vec<String>,
    /// Whether it has row-level security, for whoever it applies to.
    pub row_security: bool,
    /// The sequences of its serial and identity columns.
    pub sequences: Vec<TableName>,
    /// Whether that role is a superuser.
    pub owner_is_superuser: bool,
    /// Whether our role is not the login.
    pub as_another_role: bool,
    /// Code that a write runs and that belongs to roles which are neither superusers nor the login
    /// (`function app.f`).
    pub code_of_others: Vec<String>,
    /// Those of them that could switch from our role back to the rights of the login.
    pub switching: Vec<String>,
    /// Leaf partitions; empty if the table is not partitioned.
    pub leaves: Vec<LeafFacts>,
    /// Columns whose values extended statistics keep.
    pub extended_statistics: Vec<String>,
}

/// A table or partition, and who owns it.
#[derive(Debug, Clone)]
pub struct OwnedRelation {
    /// Its name.
    pub name: TableName,
    /// The role that owns it.
    pub owner: String,
    /// Whether that role is a superuser.
    pub owner_is_superuser: bool,
}

/// One leaf of a partitioned table.
#[derive(Debug, Clone, Default)]
pub struct LeafFacts {
    /// Its name, quoted for SQL.
    pub relation: String,
    /// Whether it is a foreign table.
    pub foreign: bool,
    /// Whether it has the guard's triggers and they always fire (ENABLE ALWAYS).
    pub guarded: bool,
}

/// One column.
#[derive(Debug, Clone, Default)]
pub struct ColumnFacts {
    /// Name.
    pub name: String,
    /// The type as SQL writes it, with modifiers (`character varying(11)`).
    pub sql_type: String,
    /// The base type's name without modifiers (`varchar`, `int4`, `citext`), with domains resolved.
    /// For an array, that of its elements; in SQLite the declared type in lower case.
    pub base_type: String,
    /// The base type's schema (`pg_catalog`, `public`), empty in SQLite.
    pub base_schema: String,
    /// `pg_type.typtype` of the base type: `b`, `c` composite, `e` enum, `r` range, `m` multirange.
    pub type_class: char,
    /// Whether it is an array.
    pub array: bool,
    /// The domain that it is declared with.
    pub domain: Option<String>,
    /// NOT NULL.
    pub not_null: bool,
    /// `n` of varchar(n), char(n).
    pub char_limit: Option<u32>,
    /// GENERATED ALWAYS AS (…).
    pub generated: bool,
    /// Whether it has a default.
    pub has_default: bool,
    /// Whether our role lacks the right to UPDATE it.
    pub update_denied: bool,
    /// The number of distinct values from the statistics, as in `pg_stats.n_distinct`: positive is
    /// a count, negative a fraction of the rows, 0 unknown.
    pub distinct: f64,
    /// The average size of a value from the statistics, in bytes.
    pub width: i64,
    /// PostgreSQL: the size of every value if the type has a fixed length, in bytes; -1 if it
    /// varies.
    pub fixed_bytes: i64,
    /// SQLite: the storage classes of its values (`integer`, `real`, `text`, `blob`), sorted.
    pub storage_classes: Vec<String>,
}

/// A primary key or a unique constraint or index.
#[derive(Debug, Clone, Default)]
pub struct KeyFacts {
    /// Its name.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<String>,
    /// Whether it is the primary key.
    pub primary: bool,
    /// Deferrable.
    pub deferrable: bool,
    /// Whether it is partial or over expressions, so that it cannot be a row key.
    pub partial: bool,
}

/// An index.
#[derive(Debug, Clone, Default)]
pub struct IndexFacts {
    /// Its name.
    pub name: String,
    /// Access method (`btree`, `gin`).
    pub method: String,
    /// Unique.
    pub unique: bool,
    /// The columns it uses, including those in expressions and predicates.
    pub columns: Vec<String>,
    /// Its size in bytes; 0 in SQLite.
    pub bytes: i64,
    /// Whether neighbours in it are neighbours in the table, too.
    pub follows_storage: bool,
}

/// A CHECK or EXCLUDE constraint.
#[derive(Debug, Clone, Default)]
pub struct ConstraintFacts {
    /// Its name.
    pub name: String,
    /// The columns it uses.
    pub columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone, Default)]
pub struct ForeignKeyFacts {
    /// Its name.
    pub name: String,
    /// The columns of THIS table that take part.
    pub columns: Vec<String>,
    /// The other table.
    pub other: String,
    /// Whether the other table refers to this one.
    pub incoming: bool,
    /// ON UPDATE CASCADE (or SET …): a change of the parent row rewrites our column.
    pub on_update_cascades: bool,
}

/// A trigger.
#[derive(Debug, Clone, Default)]
pub struct TriggerFacts {
    /// Its name.
    pub name: String,
    /// Whether it fires BEFORE.
    pub before: bool,
    /// Whether it fires for each row.
    pub row: bool,
    /// Whether it fires on INSERT.
    pub insert: bool,
    /// Whether it fires on UPDATE.
    pub update: bool,
    /// `O` origin, `D` disabled, `R` replica, `A` always.
    pub enabled: char,
}

/// An object that reads columns of the table.
#[derive(Debug, Clone, Default)]
pub struct DependentFacts {
    /// `view`, `materialized view`, `rule`, `generated column`, `policy`, `function`, `trigger`
    /// (UPDATE OF, WHEN).
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The columns it reads.
    pub columns: Vec<String>,
}
