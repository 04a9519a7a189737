//! Trial batches: writes that are measured and rolled back.
//! Owns the types and the contract; the stores own the statements.

use std::time::Duration;

use async_trait::async_trait;

use super::{Access, Result, WriteRow};

/// Where a batch is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialTable {
    /// In a temporary table with the relation's columns and indexes and with copies of the rows. It
    /// has no triggers and writes no WAL.
    Copy,
    /// In the relation itself.
    Table,
}

/// The result of a trial batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tried {
    /// Rows that were written.
    pub rows: u64,
    /// How long the writing statement took, including the network.
    pub took: Duration,
    /// In the relation itself: the bytes by which its files and indexes grew meanwhile.
    pub grown_bytes: u64,
    /// In the relation itself: the bytes of WAL that the server wrote meanwhile, for any session.
    pub wal_bytes: u64,
}

/// A connection that tries batches.
///
/// Contract: every call is a transaction of its own that is always rolled back. It changes nothing
/// in the database and adds no column to the relation. In SQLite, a trial in the relation holds the
/// write lock.
#[async_trait]
pub trait Trial: Send {
    /// How long the server takes to answer a statement that does nothing; zero if there is no
    /// server.
    async fn round_trip(&mut self) -> Result<Duration>;

    /// Writes those rows of one batch that are unchanged, and rolls back. In the relation, it waits
    /// briefly for rows that others have locked, and then leaves them out.
    async fn write(
        &mut self,
        access: &Access,
        relation: &str,
        rows: Vec<WriteRow>,
        place: TrialTable,
    ) -> Result<Tried>;
}
