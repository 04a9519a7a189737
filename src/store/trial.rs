//! Writing that is only tried: to learn how long it takes, and to leave nothing behind.
//! Owns the shapes and the contract; the stores own the statements.

use std::time::Duration;

use async_trait::async_trait;

use super::{Result, Target, WriteRow};

/// Where a batch is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialPlace {
    /// In a temporary table with the columns and indexes of the relation and copies of the rows. It
    /// has no triggers, and writes no log.
    Copy,
    /// In the relation itself.
    Table,
}

/// What became of a batch that was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// Rows that were written.
    pub rows: u64,
    /// How long the writing statement took, its way to the server and back included.
    pub took: Duration,
    /// In the relation itself: bytes by which its files and indexes grew meanwhile.
    pub grown_bytes: u64,
    /// In the relation itself: bytes of log that the server wrote meanwhile, for whomever.
    pub wal_bytes: u64,
}

/// A connection on which batches are tried.
///
/// Contract: every call is a transaction of its own that is rolled back, whatever it met; nothing
/// of the database is changed, no column is added to the relation. In SQLite a trial in the relation
/// holds the one write lock.
#[async_trait]
pub trait Trial: Send {
    /// How long the server takes to answer a statement that does nothing; zero where there is no
    /// server.
    async fn round_trip(&mut self) -> Result<Duration>;

    /// Writes the rows of one batch that are still what was read, and takes it back. In the
    /// relation, rows that somebody else holds are waited for briefly, then left out.
    async fn write(
        &mut self,
        target: &Target,
        relation: &str,
        rows: Vec<WriteRow>,
        place: TrialPlace,
    ) -> Result<Tried>;
}
