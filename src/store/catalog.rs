//! What the catalog says: the facts that preflight judges.
//! Owns the shapes only; the stores fill them, the checks read them. No values of rows are in here.

use crate::ident::TableName;
use crate::store::transport::Transport;

/// The server and its settings.
#[derive(Debug, Clone, Default)]
pub struct ServerFacts {
    /// `PostgreSQL 15.4`, `SQLite 3.50`.
    pub version: String,
    /// The version as a number: 150004, 3050000.
    pub version_num: i64,
    /// Database encoding, such as `UTF8`.
    pub encoding: String,
    /// A standby, or a database opened read only.
    pub read_only: bool,
    /// Our role.
    pub role: String,
    /// The role that logged in: another one than ours where the plan names a role.
    pub login: String,
    /// That role is a superuser.
    pub login_superuser: bool,
    /// Our role is a superuser.
    pub superuser: bool,
    /// `log_statement` where it is not `none`, `log_min_duration_statement` where it is not -1,
    /// `auto_explain` where it is loaded: settings that may copy statements into the server log.
    pub statement_logging: Vec<String>,
    /// Transactions of this database that are prepared now.
    pub prepared_transactions: i64,
    /// Sessions of this database, other than ours, in a transaction for over a minute.
    pub long_transactions: i64,
    /// Our role may switch the triggers of others off (`session_replication_role`).
    pub may_suppress_triggers: bool,
    /// What our role may not do with our own tables, as `INSERT on phiseal.runs`.
    pub missing_privileges: Vec<String>,
    /// Our role may not create functions in our own schema.
    pub create_denied: bool,
    /// Our own tables are installed, at the version this program needs.
    pub installed: bool,
    /// How the connection is protected; `None` where there is none, in SQLite.
    pub transport: Option<Transport>,
    /// SQLite: views and triggers, wherever in the file, that name what is not there (`view v`). While one is,
    /// no column can be dropped or renamed.
    pub broken_objects: Vec<String>,
    /// What the guards could not be relied upon for, each in one line; see [`crate::store::Store::all_verified`].
    pub guard_gaps: Vec<String>,
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

/// One relation.
#[derive(Debug, Clone, Default)]
pub struct TableFacts {
    /// Schema, empty in SQLite.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: RelationKind,
    /// The partitioned table at the top, where this is one of its partitions.
    pub root: Option<TableName>,
    /// Is a temporary table.
    pub temporary: bool,
    /// Is an unlogged table.
    pub unlogged: bool,
    /// Table access method where it is not `heap`.
    pub foreign_access_method: Option<String>,
    /// Has children by inheritance that are not partitions, or is such a child.
    pub inheritance: bool,
    /// Estimated rows (statistics); exact in SQLite.
    pub rows: i64,
    /// Bytes of the table with its TOAST and indexes.
    pub bytes: i64,
    /// Average width of a row, bytes (statistics).
    pub row_bytes: i64,
    /// Columns in order.
    pub columns: Vec<ColumnFacts>,
    /// Primary key and unique constraints or indexes, the primary key first.
    pub keys: Vec<KeyFacts>,
    /// All indexes.
    pub indexes: Vec<IndexFacts>,
    /// CHECK and EXCLUDE constraints.
    pub checks: Vec<ConstraintFacts>,
    /// Foreign keys of this table, and of others that refer to it.
    pub foreign_keys: Vec<ForeignKeyFacts>,
    /// Triggers that are not the server's own and not our guard.
    pub triggers: Vec<TriggerFacts>,
    /// Our guard's triggers, where it is installed.
    pub guard: Vec<TriggerFacts>,
    /// Rewrite rules.
    pub rules: Vec<String>,
    /// Those of them that take UPDATE statements.
    pub update_rules: Vec<String>,
    /// Is made of a composite type, which alone says what columns there are (`CREATE TABLE … OF`).
    pub typed: bool,
    /// Columns that the table has or had: one that was dropped keeps its number. Of partitions, the most.
    pub columns_ever: i64,
    /// How many there can be; 0 where nobody knows.
    pub columns_max: i64,
    /// Bytes that a page has for one row; 0 where rows may be of any length.
    pub row_bytes_max: i64,
    /// Views, generated columns and whatever else reads a column.
    pub dependents: Vec<DependentFacts>,
    /// Publications that send this table.
    pub publications: Vec<String>,
    /// REPLICA IDENTITY FULL is set.
    pub replica_identity_full: bool,
    /// Row-level security would hide rows from our role.
    pub row_security_applies: bool,
    /// What our role may not do, as `UPDATE on public.patients`.
    pub missing_privileges: Vec<String>,
    /// Our role owns the table (may add columns and triggers).
    pub owner: bool,
    /// The role that owns the table; empty in SQLite.
    pub owned_by: String,
    /// That role is a superuser.
    pub owner_is_superuser: bool,
    /// Our role is another one than the login.
    pub as_another_role: bool,
    /// What a write runs of roles that are neither superusers nor the login (`function app.f`).
    pub code_of_others: Vec<String>,
    /// Those of them that could go back from our role to the rights of the login.
    pub switching: Vec<String>,
    /// Leaf partitions; empty where the table is not partitioned.
    pub leaves: Vec<LeafFacts>,
    /// Columns of which extended statistics keep values.
    pub extended_statistics: Vec<String>,
}

/// One leaf of a partitioned table.
#[derive(Debug, Clone, Default)]
pub struct LeafFacts {
    /// Its name, quoted for SQL.
    pub relation: String,
    /// It is a foreign table.
    pub foreign: bool,
    /// Guard triggers present and firing ALWAYS.
    pub guarded: bool,
}

/// One column.
#[derive(Debug, Clone, Default)]
pub struct ColumnFacts {
    /// Name.
    pub name: String,
    /// The type as SQL would write it, with modifiers (`character varying(11)`).
    pub sql_type: String,
    /// The base type's name without modifiers (`varchar`, `int4`, `citext`), domains resolved; of an
    /// array, its element's; in SQLite the declared type in lower case.
    pub base_type: String,
    /// The base type's schema (`pg_catalog`, `public`), empty in SQLite.
    pub base_schema: String,
    /// `pg_type.typtype` of the base type: `b`, `c` composite, `e` enum, `r` range, `m` multirange.
    pub type_class: char,
    /// An array.
    pub array: bool,
    /// Is declared through a domain.
    pub domain: Option<String>,
    /// NOT NULL.
    pub not_null: bool,
    /// `n` of varchar(n), char(n).
    pub char_limit: Option<u32>,
    /// GENERATED ALWAYS AS (…).
    pub generated: bool,
    /// Has a default.
    pub has_default: bool,
    /// Our role may not UPDATE it.
    pub update_denied: bool,
    /// Distinct values by the statistics: positive a count, negative a fraction of the rows, 0
    /// unknown (as `pg_stats.n_distinct`).
    pub distinct: f64,
    /// Average bytes of a value by the statistics.
    pub width: i64,
    /// PostgreSQL: bytes of every value of a type of fixed length; -1 where it varies.
    pub fixed_bytes: i64,
    /// SQLite: the storage classes its values have (`integer`, `real`, `text`, `blob`), sorted.
    pub storage_classes: Vec<String>,
}

/// A primary key or a unique constraint or index.
#[derive(Debug, Clone, Default)]
pub struct KeyFacts {
    /// Its name.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<String>,
    /// The primary key.
    pub primary: bool,
    /// Deferrable.
    pub deferrable: bool,
    /// Partial or over expressions: no key for us.
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
    /// Columns it mentions, also in expressions and predicates.
    pub columns: Vec<String>,
}

/// A CHECK or EXCLUDE constraint.
#[derive(Debug, Clone, Default)]
pub struct ConstraintFacts {
    /// Its name.
    pub name: String,
    /// Columns it mentions.
    pub columns: Vec<String>,
}

/// A foreign key.
#[derive(Debug, Clone, Default)]
pub struct ForeignKeyFacts {
    /// Its name.
    pub name: String,
    /// Columns of THIS table that take part.
    pub columns: Vec<String>,
    /// The other table.
    pub other: String,
    /// The other table refers to this one.
    pub incoming: bool,
    /// ON UPDATE CASCADE (or SET …): a parent's change rewrites our column.
    pub on_update_cascades: bool,
}

/// A trigger.
#[derive(Debug, Clone, Default)]
pub struct TriggerFacts {
    /// Its name.
    pub name: String,
    /// BEFORE.
    pub before: bool,
    /// Fires for each row.
    pub row: bool,
    /// Fires on INSERT.
    pub insert: bool,
    /// Fires on UPDATE.
    pub update: bool,
    /// `O` origin, `D` disabled, `R` replica, `A` always.
    pub enabled: char,
}

/// Something that reads columns of the table.
#[derive(Debug, Clone, Default)]
pub struct DependentFacts {
    /// `view`, `materialized view`, `rule`, `generated column`, `policy`, `trigger` (UPDATE OF, WHEN),
    /// `function`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The columns it reads.
    pub columns: Vec<String>,
}
