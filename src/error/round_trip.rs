//! Errors of a round trip to a database, and what to do next about each.
//! Owns the classes; stands below keys and stores, which both speak of them. Carries SQLSTATE, table, column and constraint only: the MESSAGE and DETAIL of
//! a database error quote values, and never leave the stores.

use crate::error::tls_fault::TlsFault;
use crate::error::{Coded, Exit};

/// Why a round trip failed. Never holds a value, a key or a password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No connection could be made.
    #[error("cannot connect to the database ({reason})")]
    Unreachable {
        /// A class such as `connection refused`, never the URL.
        reason: String,
    },
    /// The URL cannot be used.
    #[error("the database URL cannot be used: {reason}")]
    BadUrl {
        /// What is wrong with it, never the URL.
        reason: String,
    },
    /// Authentication or authorisation to connect was refused.
    #[error("the database refused the login (SQLSTATE {sqlstate})")]
    LoginRefused {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// The server has no TLS, and `sslmode` does not allow a session without.
    #[error("the server at {host} has no TLS, and sslmode={mode} does not go without")]
    NoTls {
        /// The host, as the URL names it.
        host: String,
        /// The mode in force.
        mode: &'static str,
    },
    /// The TLS handshake failed: somebody else may be answering.
    #[error("no TLS with the server at {host}: {fault}")]
    Tls {
        /// The host, as the URL names it.
        host: String,
        /// Why.
        fault: TlsFault,
    },
    /// The server asks for a login that would hand over the password, or that the URL excludes.
    #[error(
        "the server at {host} asks for {method}, which this connection does not allow; nothing was sent"
    )]
    LoginMethod {
        /// The host, as the URL names it.
        host: String,
        /// What it asks for.
        method: &'static str,
    },
    /// The connection was lost before COMMIT was sent: nothing was written.
    #[error("the connection was lost")]
    ConnectionLost,
    /// The connection was lost after COMMIT was sent.
    #[error("the connection was lost during COMMIT, its outcome is unknown")]
    OutcomeUnknown,
    /// Somebody holds a row or table lock we will not wait for.
    #[error("a lock was not granted in time")]
    Locked,
    /// Deadlock, serialization failure, timeout or shortage: the same batch may go again, smaller.
    #[error("the database was too busy or short of something (SQLSTATE {sqlstate})")]
    Busy {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// No space is left for the database.
    #[error("the database has no space left")]
    DiskFull,
    /// Some value in the batch is refused (SQLSTATE class 22 or 23).
    #[error("the database refused a value (SQLSTATE {sqlstate}{})", constraint.as_ref().map(|c| format!(", constraint {c}")).unwrap_or_default())]
    Data {
        /// SQLSTATE.
        sqlstate: String,
        /// The constraint's name.
        constraint: Option<String>,
    },
    /// The lane is no longer ours.
    #[error("the lane was taken over by another process")]
    FenceLost,
    /// A key the batch seals under is not active.
    #[error("a key of this batch is no longer active")]
    KeyNotActive,
    /// The table is not what preflight saw.
    #[error("the definition of table {table} changed during the run")]
    SchemaChanged {
        /// The table.
        table: String,
    },
    /// The table was rewritten between reading and writing: read the page again.
    #[error("the storage of table {table} was rewritten")]
    StorageChanged {
        /// The table.
        table: String,
    },
    /// Another run works on the table.
    #[error("another run works on table {table}: {holder}")]
    Held {
        /// The table's label.
        table: String,
        /// Who.
        holder: String,
    },
    /// Something that must exist does not (a table, a column, our own schema).
    #[error("{what} does not exist")]
    Missing {
        /// What.
        what: String,
    },
    /// Something that is not ours would be lost.
    #[error("{what} stands in the way")]
    InTheWay {
        /// What.
        what: String,
    },
    /// A second table would be registered under one label.
    #[error("label {label} belongs to table {table}: nothing was registered")]
    OtherTable {
        /// The label.
        label: String,
        /// The table that has it.
        table: String,
    },
    /// Sealed columns would be dropped that hold the only copy of a value.
    #[error("values of table {table} are sealed whose plaintext is not there: nothing was dropped")]
    NotRestored {
        /// The table's label.
        table: String,
    },
    /// Our role may not do this.
    #[error("permission denied (SQLSTATE {sqlstate})")]
    Denied {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// The role that the plan names cannot be set.
    #[error("the login may not act as the role {role} of the plan (SQLSTATE {sqlstate})")]
    RoleRefused {
        /// The role's name.
        role: String,
        /// SQLSTATE.
        sqlstate: String,
    },
    /// Code of the table went back to the login's rights.
    #[error("code of table {table} changed the role that the batch runs as: nothing was written")]
    RoleChanged {
        /// The table.
        table: String,
    },
    /// Our schema, or something in it, belongs to somebody we do not trust.
    #[error("{what}")]
    NotOurs {
        /// What belongs to whom.
        what: String,
        /// What mends it.
        hint: String,
    },
    /// The server is a standby or the transaction is read only.
    #[error("the database is read only")]
    ReadOnly,
    /// What the database gave back cannot be ours.
    #[error("unexpected answer from the database: {what}")]
    Unexpected {
        /// Which answer.
        what: &'static str,
    },
    /// Any other refusal.
    #[error("the database refused the statement (SQLSTATE {sqlstate})")]
    Refused {
        /// SQLSTATE, or the code of SQLite.
        sqlstate: String,
    },
}

/// What to do about a failed round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The same again after a pause, in a smaller batch.
    Again,
    /// The same again on a new connection.
    Reconnect,
    /// Read the lane row under a lock and decide.
    Settle,
    /// Go around the rows that somebody holds.
    SkipLocked,
    /// Find the row that is refused, and go on with the others.
    Bisect,
    /// Read the page again.
    Reread,
    /// Stop: a person has to look.
    Stop,
}

/// Of a server that answers, and has no database of the URL's name.
pub const NO_SUCH_DATABASE: &str = "the server has no database of that name";

impl StoreError {
    /// Whether a first connection may succeed in a moment: a server, or a pooler, is being started.
    pub fn may_pass_soon(&self) -> bool {
        match self {
            Self::Unreachable { reason } => reason != NO_SUCH_DATABASE,
            Self::ConnectionLost => true,
            _ => false,
        }
    }

    /// What to do next. Unknown means stop.
    pub fn next(&self) -> Next {
        match self {
            Self::Unreachable { .. } | Self::ConnectionLost => Next::Reconnect,
            Self::OutcomeUnknown => Next::Settle,
            Self::Locked => Next::SkipLocked,
            Self::Busy { .. } | Self::DiskFull => Next::Again,
            Self::Data { .. } => Next::Bisect,
            Self::StorageChanged { .. } => Next::Reread,
            Self::BadUrl { .. }
            | Self::LoginRefused { .. }
            | Self::NoTls { .. }
            | Self::Tls { .. }
            | Self::LoginMethod { .. }
            | Self::FenceLost
            | Self::KeyNotActive
            | Self::SchemaChanged { .. }
            | Self::Held { .. }
            | Self::Missing { .. }
            | Self::InTheWay { .. }
            | Self::OtherTable { .. }
            | Self::NotRestored { .. }
            | Self::Denied { .. }
            | Self::RoleRefused { .. }
            | Self::RoleChanged { .. }
            | Self::NotOurs { .. }
            | Self::ReadOnly
            | Self::Unexpected { .. }
            | Self::Refused { .. } => Next::Stop,
        }
    }
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "E0501",
            Self::BadUrl { .. } => "E0502",
            Self::LoginRefused { .. } => "E0503",
            Self::ConnectionLost => "E0504",
            Self::OutcomeUnknown => "E0505",
            Self::Locked => "E0506",
            Self::Busy { .. } => "E0507",
            Self::DiskFull => "E0508",
            Self::Data { .. } => "E0509",
            Self::Denied { .. } => "E0510",
            Self::RoleRefused { .. } => "E0540",
            Self::RoleChanged { .. } => "E0541",
            Self::NotOurs { .. } => "E0542",
            Self::ReadOnly => "E0511",
            Self::Missing { .. } => "E0512",
            Self::Unexpected { .. } => "E0513",
            Self::Refused { .. } => "E0514",
            Self::InTheWay { .. } => "E0516",
            Self::NotRestored { .. } => "E0517",
            Self::OtherTable { .. } => "E0523",
            Self::NoTls { .. } => "E0530",
            Self::Tls { .. } => "E0531",
            Self::LoginMethod { .. } => "E0532",
            Self::FenceLost => "E0601",
            Self::Held { .. } => "E0602",
            Self::KeyNotActive => "E0420",
            Self::SchemaChanged { .. } => "E0220",
            Self::StorageChanged { .. } => "E0221",
        }
    }

    fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } | Self::ConnectionLost | Self::OutcomeUnknown => {
                "check that the server runs and can be reached, then run the command again: it resumes"
            }
            Self::BadUrl { .. } => {
                "give a URL such as postgres://user@host:5432/name or sqlite:///path/to/file.db; its parameters are in docs/CLI.md"
            }
            Self::LoginRefused { .. } => "check the user, the password and pg_hba.conf",
            Self::NoTls { .. } => {
                "turn TLS on at the server (ssl = on); sslmode=disable or prefer in the URL goes without, and then whoever is on the way reads and changes all that is sent, plaintext included"
            }
            Self::Tls { fault, .. } => fault.hint(),
            Self::LoginMethod { .. } => {
                "use sslmode=verify-full, or scram-sha-256 at the server (password_encryption, pg_hba.conf); or, knowing that whoever answers gets the password, allow the method in the URL: require_auth=password, md5 or none"
            }
            Self::Locked => {
                "a long transaction holds the table: see `phiseal status`, end it, run the command again"
            }
            Self::Busy { .. } => "run the command again: it resumes",
            Self::DiskFull => "free space on the server, then run the command again: it resumes",
            Self::Data { .. } => "see `phiseal quarantine list`",
            Self::FenceLost => {
                "this process was held up longer than its lease; run the command again to join the others"
            }
            Self::KeyNotActive => {
                "the key was rotated or suspended meanwhile; run the command again to go on under the active one"
            }
            Self::SchemaChanged { .. } => {
                "see `phiseal plan`; when the new definition is meant, run the command again"
            }
            Self::StorageChanged { .. } => "run the command again",
            Self::Held { .. } => "let it finish, or stop it and run the command again; see `phiseal status`",
            Self::Missing { .. } => "our own tables are made by `phiseal migrate up`; see `phiseal plan` for the rest",
            Self::Denied { .. } => "see `phiseal plan` for the privileges that are needed",
            Self::InTheWay { .. } => {
                "drop it now and make it again afterwards: the column it stands on is replaced"
            }
            Self::OtherTable { .. } => {
                "a label is one table's: give this table another label in the plan; if it was made to take the other's place, `phiseal fields rebind`"
            }
            Self::NotRestored { .. } => {
                "some application seals meanwhile: stop it, then run the command again"
            }
            Self::RoleRefused { role, .. } => {
                return format!(
                    "GRANT {} to the login, or correct `role` in the [database] section of the plan",
                    crate::quote::identifier(role)
                );
            }
            Self::RoleChanged { .. } => {
                "find the trigger or function that says SET ROLE, and log in as the owner of the table instead"
            }
            Self::NotOurs { hint, .. } => hint,
            Self::ReadOnly => "connect to the primary",
            Self::Unexpected { .. } | Self::Refused { .. } => {
                "look the SQLSTATE up; if it is not explained by the server's state, report it"
            }
        }
        .to_owned()
    }

    fn exit(&self) -> Exit {
        match self {
            Self::Unreachable { .. }
            | Self::LoginRefused { .. }
            | Self::NoTls { .. }
            | Self::Tls { .. }
            | Self::LoginMethod { .. }
            | Self::ConnectionLost
            | Self::OutcomeUnknown
            | Self::Locked
            | Self::Busy { .. }
            | Self::DiskFull
            | Self::ReadOnly
            | Self::Refused { .. } => Exit::Unreachable,
            Self::BadUrl { .. } => Exit::Usage,
            Self::Data { .. } | Self::NotRestored { .. } => Exit::Unverified,
            Self::FenceLost | Self::Held { .. } => Exit::Held,
            Self::KeyNotActive => Exit::Keys,
            Self::SchemaChanged { .. }
            | Self::StorageChanged { .. }
            | Self::Missing { .. }
            | Self::InTheWay { .. }
            | Self::OtherTable { .. }
            | Self::RoleRefused { .. }
            | Self::RoleChanged { .. }
            | Self::NotOurs { .. }
            | Self::Denied { .. } => Exit::Refused,
            Self::Unexpected { .. } => Exit::Bug,
        }
    }
}
