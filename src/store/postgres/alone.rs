//! Statements that cannot run in a transaction block, each on a connection of the pool.
//! Owns the settings of such a session: no time limit of the role or the database ends what takes
//! long, and a lock is waited for as long as the caller says. Behind a pooler another client uses
//! the session afterwards, so its settings are taken back; the connection is never used again.

use std::borrow::Cow;

use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use super::PostgresStore;
use super::sql::{raw, run};
use crate::ident::Ident;
use crate::store::Result;

/// Not every version knows all limits. Outside of a transaction the session has the role's own
/// search path, so every operator has its schema.
const NO_TIME_LIMIT: &str = "SET statement_timeout = 0; SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
     WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['transaction_timeout', \
       'idle_session_timeout', 'idle_in_transaction_session_timeout']::pg_catalog.text[])";
/// The commit of a rewrite must not wait for a standby under its lock; see `ddl_lock.rs`.
const NO_STANDBY: &str = "SET synchronous_commit = local";
const AS_BEFORE: &str = "RESET ROLE; SELECT pg_catalog.set_config(name, reset_val, false) FROM pg_catalog.pg_settings \
     WHERE name OPERATOR(pg_catalog.=) ANY (ARRAY['lock_timeout', 'statement_timeout', 'transaction_timeout', \
       'idle_session_timeout', 'idle_in_transaction_session_timeout', 'synchronous_commit']::pg_catalog.text[])";

/// A session for statements outside of a transaction block.
pub(super) struct Alone(PoolConnection<Postgres>);

impl Alone {
    /// Opens the session. It acts as `role`, or else as the login, and waits for a lock for up to
    /// `lock_wait`.
    pub(super) async fn open(
        store: &PostgresStore,
        role: Option<&Ident>,
        lock_wait: &str,
    ) -> Result<Self> {
        let mut conn = store.acquire().await?;
        conn.close_on_drop();
        let mut session = Self(conn);
        let role = role.map_or(Cow::Borrowed(""), |role| {
            Cow::Owned(format!("SET ROLE {};", role.quoted()))
        });
        let settings = format!("{NO_TIME_LIMIT}; {NO_STANDBY}; {role}");
        session.run(settings).await?;
        session.wait_at_most(lock_wait).await?;
        Ok(session)
    }

    /// Changes how long a lock is waited for.
    pub(super) async fn wait_at_most(&mut self, lock_wait: &str) -> Result<()> {
        self.run(format!("SET lock_timeout = '{lock_wait}'")).await
    }

    /// Runs one statement.
    pub(super) async fn run(&mut self, statement: impl Into<String>) -> Result<()> {
        run(&mut self.0, statement).await
    }

    /// Takes the settings back and closes the connection.
    pub(super) async fn close(mut self) {
        let _ = raw(AS_BEFORE).execute(&mut *self.0).await;
    }
}
