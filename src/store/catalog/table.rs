//! What the catalog says about one relation: its columns, keys, indexes, constraints, triggers and what
//! depends on it. Only types: the stores fill them, and the checks read them.

use crate::ident::TableName;
use crate::store::Right;

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
