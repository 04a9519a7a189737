//! Errors of a round trip to a database, and what to do next about each.
//! Owns the classes of errors; keys and stores both use them. An error carries only SQLSTATE,
//! table, column and constraint. The MESSAGE and DETAIL of a database error may quote values and
//! never leave the stores.

use crate::error::tls_fault::TlsFault;
use crate::error::{Coded, Exit};

/// Why a round trip failed. Never holds a value, a key or a password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// No connection could be opened.
    #[error("cannot connect to the database ({reason})")]
    Unreachable {
        /// A class such as `connection refused`, never the URL.
        reason: String,
    },
    /// The URL is not valid.
    #[error("the database URL cannot be used: {reason}")]
    BadUrl {
        /// What is wrong with it, never the URL.
        reason: String,
    },
    /// The server refused the login.
    #[error("the database refused the login (SQLSTATE {sqlstate})")]
    LoginRefused {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// The server has no TLS, but `sslmode` requires it.
    #[error("the server at {host} has no TLS, and sslmode={mode} does not go without")]
    NoTls {
        /// The host, as the URL names it.
        host: String,
        /// The mode in force.
        mode: &'static str,
    },
    /// The TLS handshake failed; another machine may be answering.
    #[error("no TLS with the server at {host}: {fault}")]
    Tls {
        /// The host, as the URL names it.
        host: String,
        /// The cause.
        fault: TlsFault,
    },
    /// The server asks for a login method that would reveal the password, or that the URL excludes.
    #[error(
        "the server at {host} asks for {method}, which this connection does not allow; nothing was sent"
    )]
    LoginMethod {
        /// The host, as the URL names it.
        host: String,
        /// The method it asks for.
        method: &'static str,
    },
    /// The connection was lost before COMMIT was sent, so nothing was written.
    #[error("the connection was lost")]
    ConnectionLost,
    /// The connection was lost after COMMIT was sent, so the batch may have been written.
    #[error("the connection was lost during COMMIT, its outcome is unknown")]
    OutcomeUnknown,
    /// Another transaction holds a row or table lock beyond our lock timeout.
    #[error("a lock was not granted in time")]
    Locked,
    /// Deadlock, serialization failure, timeout or shortage: the same batch may be tried again,
    /// smaller.
    #[error("the database was too busy or short of something (SQLSTATE {sqlstate})")]
    Busy {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// No space is left for the database.
    #[error("the database has no space left")]
    DiskFull,
    /// The database refused a value of the batch (usually SQLSTATE class 22 or 23).
    #[error("the database refused a value (SQLSTATE {sqlstate}{})", constraint.as_ref().map(|c| format!(", constraint {c}")).unwrap_or_default())]
    RowRefused {
        /// SQLSTATE.
        sqlstate: String,
        /// The constraint's name.
        constraint: Option<String>,
    },
    /// Another worker has claimed the lane.
    #[error("the lane was taken over by another process")]
    FenceLost,
    /// A key that the batch seals under is not active.
    #[error("a key of this batch is no longer active")]
    KeyNotActive,
    /// The table's definition is no longer the one that preflight saw.
    #[error("the definition of table {table} changed during the run")]
    SchemaChanged {
        /// The table.
        table: String,
    },
    /// The table was rewritten between reading and writing; the page must be read again.
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
        /// Who holds it.
        holder: String,
    },
    /// Something that must exist does not (a table, a column, our own schema).
    #[error("{what} does not exist")]
    Missing {
        /// What is missing.
        what: String,
    },
    /// An object of the application prevents a change, because it would be lost.
    #[error("{what} stands in the way")]
    InTheWay {
        /// The object.
        what: String,
    },
    /// A second table was to be registered under a label.
    #[error("label {label} belongs to table {table}: nothing was registered")]
    OtherTable {
        /// The label.
        label: String,
        /// The table that has the label.
        table: String,
    },
    /// The sealed columns to be dropped hold the only copy of a value.
    #[error("values of table {table} are sealed whose plaintext is not there: nothing was dropped")]
    NotRestored {
        /// The table's label.
        table: String,
    },
    /// Our role lacks a right.
    #[error("permission denied (SQLSTATE {sqlstate})")]
    Denied {
        /// SQLSTATE.
        sqlstate: String,
    },
    /// The login cannot act as the role that the plan names.
    #[error("the login may not act as the role {role} of the plan (SQLSTATE {sqlstate})")]
    RoleRefused {
        /// The role's name.
        role: String,
        /// SQLSTATE.
        sqlstate: String,
    },
    /// Code of the table switched back to the login's rights.
    #[error("code of table {table} changed the role that the batch runs as: nothing was written")]
    RoleChanged {
        /// The table.
        table: String,
    },
    /// Our schema, or an object in it, belongs to a role that we do not trust.
    #[error("{what}")]
    NotOurs {
        /// What belongs to which role.
        what: String,
        /// What to do about it.
        hint: String,
    },
    /// The server is a standby, or the transaction is read only.
    #[error("the database is read only")]
    ReadOnly,
    /// The database returned something that this program never wrote.
    #[error("unexpected answer from the database: {what}")]
    Unexpected {
        /// What was unexpected.
        what: &'static str,
    },
    /// Any other refusal.
    #[error("the database refused the statement (SQLSTATE {sqlstate})")]
    Refused {
        /// The SQLSTATE, or SQLite's error code.
        sqlstate: String,
    },
}

/// What to do about a failed round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try the same again after a pause, in a smaller batch.
    Again,
    /// Try the same again on a new connection.
    Reconnect,
    /// Read the lane's row under a lock, and decide by it.
    ResolveCommit,
    /// Leave out the rows that others have locked.
    SkipLocked,
    /// Find the refused row by splitting the batch, and continue with the others.
    Bisect,
    /// Read the page again.
    Reread,
    /// Stop, since a person has to look.
    Stop,
}

/// The reason of [`StoreError::Unreachable`] if the server has no database of the URL's name.
pub const NO_SUCH_DATABASE: &str = "the server has no database of that name";

impl StoreError {
    /// Whether a first connection may succeed soon, because a server or a pooler is starting.
    pub fn may_pass_soon(&self) -> bool {
        match self {
            Self::Unreachable { reason } => reason != NO_SUCH_DATABASE,
            Self::ConnectionLost => true,
            _ => false,
        }
    }

    /// What to do next. For an error of unknown cause: stop.
    pub fn next(&self) -> Next {
        match self {
            Self::Unreachable { .. } | Self::ConnectionLost => Next::Reconnect,
            Self::OutcomeUnknown => Next::ResolveCommit,
            Self::Locked => Next::SkipLocked,
            Self::Busy { .. } | Self::DiskFull => Next::Again,
            Self::RowRefused { .. } => Next::Bisect,
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
            Self::RowRefused { .. } => "E0509",
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
            Self::RowRefused { .. } => "see `phiseal quarantine list`",
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
                "an application may have sealed meanwhile: stop it; or a row is in quarantine: `phiseal quarantine list`; then run the command again"
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
            Self::Unexpected { .. } => "report this, with the log",
            Self::Refused { .. } => {
                "look the SQLSTATE up; if the server's state does not explain it, report it"
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
            Self::RowRefused { .. } | Self::NotRestored { .. } => Exit::Unverified,
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
