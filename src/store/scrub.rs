//! Taking old plaintext out of the database's own files: what is known of them, and short actions.
//! Owns the trait and its types. What is done in which order, and what a report says, is the
//! engine's (`engine/scrub.rs`). Nothing here holds a value, except what [`Scrubbing::file_chunk`]
//! reads.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Table;
use crate::words::word_enum;

/// The actions by which plaintext leaves the files of a database.
///
/// Contract: as [`Store`](super::Store), except that a rewrite is no transaction of ours. Each
/// action may be repeated. A lock that others would queue behind is waited for only briefly; then
/// the action fails with [`StoreError::Locked`](super::StoreError::Locked), having done nothing.
#[async_trait]
pub trait Scrubbing: Send + Sync {
    /// What is known of the files of a table, and what our login may do about them.
    async fn scrub_facts(&self, table: &Table) -> super::Result<ScrubFacts>;

    /// The present moment, in the store's own form: row versions that are older are to leave.
    async fn row_horizon(&self) -> super::Result<String>;

    /// What still sees row versions older than that moment, so that a rewrite would keep them.
    async fn keepers(&self, horizon: &str) -> super::Result<Vec<Keeper>>;

    /// How long a rewrite that blocks everybody takes, in seconds, by a sample; `None` if no
    /// sample can be taken.
    async fn rewrite_seconds(&self, relation: &StoredRelation) -> super::Result<Option<f64>>;

    /// Rewrites a relation with its indexes; returns what its storage is now.
    ///
    /// # Errors
    /// [`StoreError::NotRewritten`](super::StoreError::NotRewritten) if the server or the program
    /// left it as it was.
    async fn rewrite(&self, relation: &StoredRelation, method: Method) -> super::Result<String>;

    /// Does one of the steps of [`ScrubFacts::steps`].
    ///
    /// # Errors
    /// As [`Scrubbing::rewrite`].
    async fn scrub_step(&self, step: &ScrubStep) -> super::Result<()>;

    /// Writes all changed pages to the files, and lets the log go that is not needed any more.
    async fn checkpoint(&self) -> super::Result<()>;

    /// Ends the present segment of the log: the server fills its rest with zeros.
    async fn switch_log(&self) -> super::Result<()>;

    /// The files of the log that exist now; `None` if our login may not list them.
    async fn log_files(&self) -> super::Result<Option<Vec<String>>>;

    /// The files that may hold old plaintext of the table.
    async fn stored_files(&self, table: &Table) -> super::Result<Vec<StoredFile>>;

    /// Reads a file, at most `bytes` from the byte `from` on; nothing at its end, or if it is gone.
    async fn file_chunk(
        &self,
        path: &str,
        from: u64,
        bytes: u32,
    ) -> super::Result<Zeroizing<Vec<u8>>>;
}

word_enum! {
    /// How a relation is rewritten.
    Method {
        /// `REPACK (CONCURRENTLY)`, from PostgreSQL 19: nobody waits, but for a moment at its end.
        Repack = "repack",
        /// The program and extension pg_repack: as above, but the program comes from elsewhere.
        PgRepack = "pg_repack",
        /// `VACUUM FULL`: nobody reads or writes the table meanwhile.
        VacuumFull = "vacuum-full",
        /// `VACUUM` of SQLite: the whole file, and nobody writes it meanwhile.
        Vacuum = "vacuum",
    }
}

impl Method {
    /// Whether the application waits for as long as it takes.
    pub fn blocks(self) -> bool {
        matches!(self, Self::VacuumFull | Self::Vacuum)
    }
}

/// What is known before a scrub.
#[derive(Debug, Clone, Default)]
pub struct ScrubFacts {
    /// The database's clock: RFC 3339, UTC.
    pub now: String,
    /// `PostgreSQL 15.4`, `SQLite 3.50`.
    pub server: String,
    /// The version as a number: 150004, 3050000.
    pub version_num: i64,
    /// The relations that hold the rows of the table. In SQLite one, which is the file.
    pub relations: Vec<StoredRelation>,
    /// Why pg_repack cannot be used; `None` if it can.
    pub no_pg_repack: Option<String>,
    /// What else holds values, each with the step that clears it.
    pub steps: Vec<ScrubStep>,
    /// The write-ahead log.
    pub log: LogFacts,
    /// Why our login may not read the files; `None` if it may.
    pub unread: Option<String>,
    /// Phiseal's constraints on the table.
    pub constraints: Vec<StoredConstraint>,
    /// What was found configured that copies data elsewhere.
    pub estate: Vec<EstateFact>,
}

/// A relation with its storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredRelation {
    /// Its name, qualified and quoted; in SQLite the name of the file.
    pub name: String,
    /// Whether it is a whole SQLite file.
    pub whole_file: bool,
    /// Neither unlogged nor temporary.
    pub permanent: bool,
    /// It has a primary key or a replica identity.
    pub has_key: bool,
    /// Whether our role may rewrite it.
    pub allowed: bool,
    /// The numbers of the files of its rows and of its TOAST table; others after a rewrite.
    pub storage: String,
    /// The size of its rows, with their TOAST table.
    pub row_bytes: u64,
    /// The size of its indexes.
    pub index_bytes: u64,
}

/// What sees old row versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper {
    /// Who it is, without its query.
    pub who: String,
    /// Whether it keeps rows of the server's own catalogs only.
    pub catalogs_only: bool,
}

/// A step that clears one place where the server keeps values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScrubStep {
    /// What is cleared.
    pub kind: StepKind,
    /// The name of the object, as its statement has it.
    pub object: String,
    /// The statement, for a person.
    pub statement: String,
    /// Whose right it takes.
    pub needs: String,
    /// Whether we have the right.
    pub allowed: bool,
}

/// What a [`ScrubStep`] clears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// A catalog of statistics.
    Catalog,
    /// A materialized view that reads the plaintext column.
    View,
    /// The texts of statements.
    Statements,
}

/// What is known of the write-ahead log.
#[derive(Debug, Clone, Default)]
pub struct LogFacts {
    /// How many files of it exist; `None` if our login may not list them.
    pub files: Option<u64>,
    /// The size of each.
    pub file_bytes: u64,
    /// The statements for a person, in order, each with the right that it takes.
    pub statements: Vec<(String, String)>,
    /// The rights that are missing; empty if we may do it.
    pub missing: Vec<String>,
    /// What keeps old log, each named.
    pub keepers: Vec<String>,
}

/// One of phiseal's constraints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredConstraint {
    /// Its name.
    pub name: String,
    /// The relation that it is on.
    pub relation: String,
    /// Whether it was proven for all rows.
    pub validated: bool,
}

/// Something that copies data to a place which a scrub does not reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EstateFact {
    /// What: `archive`, `replicas`, `slots`, `server log` …
    pub what: String,
    /// What was found.
    pub found: String,
}

/// A file that may hold old plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// Its path, as the store reads it.
    pub path: String,
    /// What it is: `table public.people`, `log` …
    pub what: String,
}
