//! How every transaction of ours begins.
//! Owns the settings that make a name, a string and a privilege mean the same whatever the role, the
//! database or a pooler's earlier client set. Knows nothing of what the transaction is for.
//! Always holds: a statement between an opening and its COMMIT finds only the server's own functions,
//! operators and types by a name without a schema, and runs with the rights of the plan's role, if
//! the plan names one.

use sqlx::AssertSqlSafe;

use super::sql::SAFE_NAMES;
use crate::ident::Ident;
use crate::store::StoreError;

/// READ COMMITTED, whatever the role's default is.
pub(crate) const READ_COMMITTED: &str = "ISOLATION LEVEL READ COMMITTED";

/// No limit that the role or the database has set for applications, where this server knows it: a large table takes
/// its time. Where a limit is needed, the transaction sets its own. Nor does the server compile: looking through its
/// catalogs took 9 seconds of that.
const NO_LIMITS: &str = "SELECT pg_catalog.set_config(name, '0', true) FROM pg_catalog.unnest(ARRAY['statement_timeout', \
     'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout']) AS limits(name) \
     WHERE pg_catalog.current_setting(name, true) <> '0'; SET LOCAL jit = off;";

/// How transactions begin; cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Opening {
    role: Option<Ident>,
}

impl Opening {
    /// `role` is the plan's `[database] role`: every transaction runs as this role.
    pub(crate) fn new(role: Option<&Ident>) -> Self {
        Self {
            role: role.cloned(),
        }
    }

    /// The statements that begin a transaction; `mode` is its isolation level, and READ ONLY if so.
    pub(crate) fn begin(&self, mode: &str) -> String {
        format!("BEGIN {mode}; {}", self.settings())
    }

    /// The settings of a transaction that has begun.
    pub(crate) fn settings(&self) -> String {
        match &self.role {
            Some(role) => format!("{SAFE_NAMES} {NO_LIMITS} SET LOCAL ROLE {};", role.quoted()),
            None => format!("{SAFE_NAMES} {NO_LIMITS}"),
        }
    }

    /// The same, for the driver's own transactions.
    pub(crate) fn begin_read_committed(&self) -> AssertSqlSafe<String> {
        AssertSqlSafe(self.begin(READ_COMMITTED))
    }

    /// The same as the role that logged in, for what only its rights allow (to end a session of its
    /// own). No statement of such a transaction may run code of a table's owner.
    pub(crate) fn begin_as_login() -> AssertSqlSafe<String> {
        AssertSqlSafe(Self::default().begin(READ_COMMITTED))
    }

    /// The role that every statement must still run as when a batch commits.
    pub(crate) fn role(&self) -> Option<&Ident> {
        self.role.as_ref()
    }

    /// The meaning of an error of [`Opening::begin`].
    pub(super) fn refusal(&self, error: StoreError) -> StoreError {
        // Unknown roles are invalid parameter values, 22023; a role that the login is no member of,
        // 42501 (PostgreSQL documentation, "SET ROLE").
        match (&self.role, error) {
            (Some(role), StoreError::Denied { sqlstate } | StoreError::Data { sqlstate, .. }) => {
                StoreError::RoleRefused {
                    role: role.as_str().to_owned(),
                    sqlstate,
                }
            }
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
            "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = pg_catalog, pg_temp;"
        ));
        assert!(plain.contains("statement_timeout"));
        assert!(!plain.contains("ROLE"));
        let role = Ident::new("o\"wner").unwrap();
        let begin = Opening::new(Some(&role)).begin(READ_COMMITTED);
        assert!(begin.ends_with(" SET LOCAL ROLE \"o\"\"wner\";"), "{begin}");
    }
}
