//! A transaction on a connection of the pool.
//! Owns that only a connection without an open transaction goes back to the pool. The driver's own
//! type does not roll back where BEGIN took effect and a setting after it failed: the server would
//! then refuse the next transaction on that connection (SQLSTATE 25P02).

use std::ops::{Deref, DerefMut};

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::sql::raw;
use crate::store::{Result, StoreError};

/// An open transaction. If it is dropped before it has ended, its connection is closed, and the
/// server rolls back.
pub(crate) struct Transaction {
    conn: PoolConnection<Postgres>,
    open: bool,
}

impl Transaction {
    /// Sends `begin`, a BEGIN and the settings of the transaction, in one round trip.
    ///
    /// # Errors
    /// The server refuses one of the statements, or the connection is lost.
    pub(super) async fn begin(
        conn: PoolConnection<Postgres>,
        begin: String,
    ) -> std::result::Result<Self, sqlx::Error> {
        let mut begun = Self { conn, open: true };
        raw(begin).execute(&mut *begun).await?;
        Ok(begun)
    }

    /// Commits.
    ///
    /// # Errors
    /// [`StoreError::OutcomeUnknown`] if the connection ends before the answer arrives, or the error
    /// of what the server does at COMMIT, such as a deferred trigger.
    pub(super) async fn commit(self) -> Result<()> {
        self.end("COMMIT").await.map_err(|error| match error {
            StoreError::ConnectionLost => StoreError::OutcomeUnknown,
            other => other,
        })
    }

    /// Rolls back, and waits until the server has done so.
    ///
    /// # Errors
    /// The connection is lost.
    pub(super) async fn rollback(self) -> Result<()> {
        self.end("ROLLBACK").await
    }

    async fn end(mut self, statement: &str) -> Result<()> {
        raw(statement).execute(&mut *self).await?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.open {
            self.conn.close_on_drop();
        }
    }
}

impl Deref for Transaction {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Transaction {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}
