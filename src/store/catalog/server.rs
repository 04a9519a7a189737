//! Facts about the server, which preflight judges.

use super::Standbys;
use crate::foreign::Foreign;
use crate::store::Right;
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
    /// Whether it is a standby, or a database opened read only.
    pub read_only: bool,
    /// The name of the database; empty in SQLite.
    pub database: String,
    /// The role that owns the schema of our own tables; empty if there is no such schema.
    pub own_owner: String,
    /// Our role.
    pub role: String,
    /// The role that logged in; not our role if the plan names one.
    pub login: String,
    /// Whether that role is a superuser.
    pub login_superuser: bool,
    /// Whether our role is a superuser.
    pub superuser: bool,
    /// Settings that may copy statements into the server's log: `log_statement` if not `none`,
    /// `log_min_duration_statement` if not -1, `auto_explain` if loaded.
    pub statement_logging: Vec<String>,
    /// What of a batch the server logs.
    pub batch_log: BatchLog,
    /// The number of prepared transactions of this database.
    pub prepared_transactions: i64,
    /// The number of sessions of this database, except ours, that have been in a transaction for
    /// over a minute.
    pub long_transactions: i64,
    /// Whether our role may switch off the application's triggers (`session_replication_role`).
    pub may_suppress_triggers: bool,
    /// Rights on our own tables that our role lacks, of those that a run needs.
    pub missing_rights: Vec<Right>,
    /// Whether our role may write to none of our own tables.
    pub reads_only: bool,
    /// The right to create functions in our own schema, if our role lacks it.
    pub create_denied: Option<Right>,
    /// The right to create our own schema, if it does not exist and our role lacks it.
    pub schema_denied: Option<Right>,
    /// Whether our own tables are installed, in the version that this program needs.
    pub installed: bool,
    /// How the connection is protected; `None` in SQLite.
    pub transport: Option<Transport>,
    /// SQLite: views and triggers anywhere in the file that name something which does not exist
    /// (`view v`). As long as there is one, no column can be dropped or renamed.
    pub broken_objects: Vec<String>,
    /// Why the guards could not be relied on for a time, one message each; see
    /// [`crate::store::SealedRelations::all_verified`].
    pub guard_gaps: Vec<String>,
    /// How many connections our login may have at the moment, with those that it has; `None` in
    /// SQLite.
    pub connections_free: Option<i64>,
    /// The limit that leaves no more: `max_connections` …
    pub connections_limit: String,
    /// How many connections the command uses at most; 0 if that is not known.
    pub connections_needed: u32,
    /// Whom a COMMIT waits for; `None` if for nobody.
    pub standbys: Option<Standbys>,
}

impl ServerFacts {
    /// Why a verification records nothing in the database; `None` if it does.
    pub fn unrecorded(&self) -> Option<String> {
        if self.read_only {
            return Some("the database takes no writes".to_owned());
        }
        let role = Foreign(&self.role);
        (self.reads_only).then(|| format!("the role {role} may only read phiseal's tables"))
    }
}

/// What of a batch the server logs. A batch leaves its values out of the log if its role may say so.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchLog {
    /// Statements that take at least so many milliseconds are logged
    /// (`log_min_duration_statement`); `None` if that is off.
    pub from_ms: Option<u64>,
    /// The settings for which the server logs a batch with its bound values however short it is, such
    /// as `log_statement = all`; empty if it does not.
    pub with_values: Vec<String>,
}
