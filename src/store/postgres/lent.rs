//! Connections of the pool, how long to wait for one, and the transactions on them.
//! Owns the size of the pool, and that a connection in an unknown state never goes back to it.
//!
//! A run uses one connection a lane for its batches, and these: at most lanes + 3. Nothing may hold
//! a connection of the pool while it waits for another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, PgConnection, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::Connector;
use super::opening::Opening;
use super::{PostgresStore, ROUND_TRIP_MAX};
use crate::store::postgres::transaction::Transaction;
use crate::store::{Result, StoreError};

/// The greatest number of open connections in the pool.
pub(super) const POOL_MAX: u32 = 3;
/// How many of them read pages at a time. The last is for short statements.
const READING_MAX: usize = 2;
/// How long to wait for a connection as long as all of them are in use.
const BUSY_MAX: Duration = Duration::from_secs(60);

impl PostgresStore {
    /// Begins a transaction with the rights of the plan's role.
    pub(super) async fn begin(&self) -> Result<Transaction> {
        let begun = self.begin_with(self.opening.begin_read_committed());
        begun.await.map_err(|error| self.opening.refusal(error))
    }

    /// A transaction with the rights of the login; see [`Opening::begin_as_login`].
    pub(super) async fn begin_as_login(&self) -> Result<Transaction> {
        self.begin_with(Opening::begin_as_login()).await
    }

    async fn begin_with(&self, sql: AssertSqlSafe<String>) -> Result<Transaction> {
        let acquired = once_free(&self.pool, || self.pool.acquire()).await;
        let begun = match acquired {
            Ok(conn) => Transaction::begin(conn, sql.0).await,
            Err(error) => Err(error),
        };
        begun.map_err(|error| self.connector.explain(error))
    }

    /// A connection of the pool, outside of a transaction.
    pub(super) async fn acquire(&self) -> Result<PoolConnection<Postgres>> {
        let acquired = once_free(&self.pool, || self.pool.acquire()).await;
        acquired.map_err(|error| self.connector.explain(error))
    }
}

/// Whose turn it is to read a page. Clones share the turns.
#[derive(Clone)]
pub(super) struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(READING_MAX)))
    }
}

impl Turns {
    /// Waits for a turn.
    async fn next(&self) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.0).acquire_owned();
        match tokio::time::timeout(ROUND_TRIP_MAX, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(StoreError::ConnectionLost),
        }
    }
}

/// A connection of the pool, for one page. It goes back only by [`Lent::give_back`]; otherwise it is
/// closed, and the server rolls back.
pub(super) struct Lent {
    conn: Option<PoolConnection<Postgres>>,
    _turn: OwnedSemaphorePermit,
}

impl Lent {
    /// Waits for a turn, and takes a connection.
    ///
    /// # Errors
    /// No connection could be opened, or none was free in time.
    pub(super) async fn take(pool: &PgPool, turns: &Turns, connector: &Connector) -> Result<Self> {
        let turn = turns.next().await?;
        let acquired = once_free(pool, || pool.acquire()).await;
        let conn = acquired.map_err(|error| connector.explain(error))?;
        Ok(Self {
            conn: Some(conn),
            _turn: turn,
        })
    }

    pub(super) fn conn(&mut self) -> Result<&mut PgConnection> {
        self.conn.as_deref_mut().ok_or(StoreError::ConnectionLost)
    }

    /// Gives the connection back. It must not be in a transaction.
    pub(super) fn give_back(mut self) {
        drop(self.conn.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(conn) = &mut self.conn {
            conn.close_on_drop();
        }
    }
}

/// Takes something out of the pool. The pool's own limit is for a server that does not answer; a
/// connection that is in use is waited for longer.
pub(super) async fn once_free<T, F>(
    pool: &PgPool,
    mut take: impl FnMut() -> F,
) -> std::result::Result<T, sqlx::Error>
where
    F: Future<Output = std::result::Result<T, sqlx::Error>>,
{
    let begun = Instant::now();
    loop {
        let all_in_use = || pool.size() >= POOL_MAX && pool.num_idle() == 0;
        match take().await {
            Err(sqlx::Error::PoolTimedOut) if all_in_use() && begun.elapsed() < BUSY_MAX => {}
            outcome => return outcome,
        }
    }
}
