//! How each of our transactions begins.
//! Owns the settings that make names, strings and rights mean the same, whatever the role, the
//! database or a pooler's earlier client has set. Knows nothing of the transaction's purpose.
//! Between an opening and its COMMIT, a name without a schema finds only the server's own
//! functions, operators and types, and each statement has the rights of the plan's role, if the
//! plan names one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::AssertSqlSafe;

use super::sql::safe_names;
use crate::ident::Ident;
use crate::store::StoreError;

/// READ COMMITTED, whatever the role's default is.
pub(crate) const READ_COMMITTED: &str = "ISOLATION LEVEL READ COMMITTED";

/// What every transaction sets, as one statement, since a command begins a hundred transactions. Names
/// without a schema are not safe before it, so each has its own. It removes the time limits that the role or the
/// database sets for applications, as far as this server knows them, since a large table takes long. A
/// transaction that needs a limit sets its own. JIT compilation is off: it added 9 seconds to reading
/// the catalogs. Where the server can, it looks every two seconds whether we are still there, so that
/// no statement goes on after the program.
const SETTINGS: &str = concat!(
    safe_names!(),
    ", pg_catalog.set_config('lock_timeout', '0', true), \
       pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true), \
       pg_catalog.set_config('jit', 'off', true), \
       CASE WHEN pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL \
         THEN pg_catalog.set_config('transaction_timeout', '0', true) END, \
       CASE WHEN pg_catalog.current_setting('client_connection_check_interval', true) IS NOT NULL \
         AND pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0 \
         THEN pg_catalog.set_config('client_connection_check_interval', '2s', true) END;"
);

/// Comes before every other setting, so that the limit which it removes does not end them.
const NO_STATEMENT_LIMIT: &str = "SET LOCAL statement_timeout = 0;";

/// How transactions begin. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opening {
    role: Option<Ident>,
    /// How many transactions this and its clones have begun.
    begun: Arc<AtomicU64>,
}

impl Opening {
    /// Every transaction runs as `role`, the plan's `[database] role`, if there is one.
    pub(crate) fn new(role: Option<&Ident>) -> Self {
        Self {
            role: role.cloned(),
            begun: Arc::default(),
        }
    }

    /// How many transactions this and its clones have begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// The statements that begin a transaction. `mode` is its isolation level, with READ ONLY if it
    /// only reads.
    pub(crate) fn begin(&self, mode: &str) -> String {
        format!("BEGIN {mode}; {}", self.settings())
    }

    /// The settings for a transaction that has already begun.
    pub(crate) fn settings(&self) -> String {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let common = format!("{NO_STATEMENT_LIMIT} {SETTINGS}");
        match &self.role {
            Some(role) => format!("{common} SET LOCAL ROLE {};", role.quoted()),
            None => common,
        }
    }

    /// Like [`Opening::begin`], for transactions that the driver begins.
    pub(crate) fn begin_read_committed(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.begin(READ_COMMITTED))
    }

    /// Like [`Opening::begin_read_committed`], but as the role that logged in, for what only its
    /// rights allow (ending its own sessions). A statement of such a transaction must not run code
    /// of a table's owner.
    pub(crate) fn begin_as_login() -> AssertSqlSafe<String> {
        AssertSqlSafe(Self::default().begin(READ_COMMITTED))
    }

    /// The role that every statement must still run as when a batch commits.
    pub(crate) fn role(&self) -> Option<&Ident> {
        self.role.as_ref()
    }

    /// Translates an error of [`Opening::begin`].
    pub(super) fn refusal(&self, error: StoreError) -> StoreError {
        // SET ROLE raises 22023 (invalid parameter value) for an unknown role, and 42501 if the
        // login is not a member of the role (PostgreSQL documentation, "SET ROLE").
        match (&self.role, error) {
            (
                Some(role),
                StoreError::Denied { sqlstate } | StoreError::RowRefused { sqlstate, .. },
            ) => StoreError::RoleRefused {
                role: role.as_str().to_owned(),
                sqlstate,
            },
            (_, error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_role_of_the_plan_is_set_in_every_transaction() {
        let plain = Opening::default().begin(READ_COMMITTED);
        assert!(plain.starts_with(
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; \
             SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true)"
        ));
        assert!(plain.contains("lock_timeout"));
        assert!(!plain.contains("ROLE"));
        let role = Ident::new("o\"wner").unwrap();
        let begin = Opening::new(Some(&role)).begin(READ_COMMITTED);
        assert!(begin.ends_with(" SET LOCAL ROLE \"o\"\"wner\";"), "{begin}");
    }
}
