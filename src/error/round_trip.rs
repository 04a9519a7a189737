//! Errors of a round trip to a database, and what to do next about each.
//! Owns the classes of errors; keys and stores both use them. An error carries only SQLSTATE,
//! table, column and constraint. The MESSAGE and DETAIL of a database error may quote values and
//! never leave the stores.

use std::sync::Arc;

use crate::error::coded;
use crate::error::connect_fault::{ConnectFault, PasswordSource, Place, login_hint, login_refused};
use crate::error::sqlstate::shown;
use crate::error::tls_fault::TlsFault;

coded! {
    /// Why a round trip failed. Never holds a value, a key or a password.
    #[derive(Debug, Clone, thiserror::Error)]
    pub enum StoreError, exit: Unreachable {
        /// No connection could be opened.
        Unreachable {
            /// Where it was to go.
            place: Arc<Place>,
            /// Why it could not.
            fault: ConnectFault,
        } = "E0501"("cannot {} {place}: {fault}", ConnectFault::verb(place)),
            hint: fault.hint(place);
        /// The URL is not valid.
        BadUrl {
            /// What is wrong with it, never the URL.
            reason: String,
        } = "E0502"("the database URL cannot be used: {reason}"), exit: Usage,
            hint: "give a URL such as postgres://user@host:5432/name or sqlite:///path/to/file.db; its parameters are in docs/CLI.md";
        /// The server refused the login.
        LoginRefused {
            /// The server, the database and the user.
            place: Arc<Place>,
            /// SQLSTATE.
            sqlstate: String,
            /// Where the password came from.
            password: PasswordSource,
        } = "E0503"("cannot log in to {place}: {} ({})", login_refused(sqlstate), shown(sqlstate)),
            hint: login_hint(sqlstate, *password);
        /// The server has no TLS, but `sslmode` requires it.
        NoTls {
            /// The server, the database and the user.
            place: Arc<Place>,
            /// The mode in force.
            mode: &'static str,
        } = "E0530"("cannot connect to {place}: the server has no TLS, and sslmode={mode} needs it"),
            hint: "turn TLS on at the server (ssl = on); sslmode=disable or prefer in the URL goes without, and then whoever is on the way reads and changes all that is sent, plaintext included";
        /// The TLS handshake failed; another machine may be answering.
        Tls {
            /// The server, the database and the user.
            place: Arc<Place>,
            /// The cause.
            fault: TlsFault,
        } = "E0531"("cannot connect to {place}: no TLS with the server: {fault}"),
            hint: fault.hint();
        /// The server asks for a login method that would reveal the password, or that the URL excludes.
        LoginMethod {
            /// The server, the database and the user.
            place: Arc<Place>,
            /// The method it asks for.
            method: &'static str,
        } = "E0532"("cannot log in to {place}: the server asks for {method}, which this connection does not allow; nothing was sent"),
            hint: "use sslmode=verify-full, or scram-sha-256 at the server (password_encryption, pg_hba.conf); or, knowing that whoever answers gets the password, allow the method in the URL: require_auth=password, md5 or none";
        /// The connection was lost before COMMIT was sent, so nothing was written.
        ConnectionLost = "E0504"("the connection was lost"),
            hint: "check that the server runs and can be reached, then run the command again: it resumes";
        /// The connection was lost after COMMIT was sent, so the batch may have been written.
        OutcomeUnknown = "E0505"("the connection was lost during COMMIT, its outcome is unknown"),
            hint: "check that the server runs and can be reached, then run the command again: it resumes";
        /// Another transaction holds a row or table lock beyond our lock timeout.
        Locked = "E0506"("a lock was not granted in time"),
            hint: "a long transaction holds the table: see `phiseal status`, end it, run the command again";
        /// Deadlock, serialization failure, timeout or shortage: the same batch may be tried again,
        /// smaller.
        Busy {
            /// SQLSTATE.
            sqlstate: String,
        } = "E0507"("the database was too busy or short of something ({})", shown(sqlstate)),
            hint: "run the command again: it resumes";
        /// No space is left for the database.
        DiskFull = "E0508"("the database has no space left"),
            hint: "free space on the server, then run the command again: it resumes";
        /// The database refused a value of the batch (usually SQLSTATE class 22 or 23).
        RowRefused {
            /// SQLSTATE.
            sqlstate: String,
            /// The constraint's name.
            constraint: Option<String>,
        } = "E0509"("the database refused a value ({}{})", shown(sqlstate),
            constraint.as_ref().map(|c| format!(", constraint {c}")).unwrap_or_default()), exit: Unverified,
            hint: "see `phiseal quarantine list`";
        /// Another worker has claimed the lane.
        FenceLost = "E0601"("the lane was taken over by another process"), exit: Held,
            hint: "this process was held up longer than its lease; run the command again to join the others";
        /// A key that the batch seals under is not active.
        KeyNotActive = "E0420"("a key of this batch is no longer active"), exit: Keys,
            hint: "the key was rotated or suspended meanwhile; run the command again to go on under the active one";
        /// The table's definition is no longer the one that preflight saw.
        SchemaChanged {
            /// The table.
            table: String,
        } = "E0220"("the definition of table {table} changed during the run"), exit: Refused,
            hint: "see `phiseal plan`; when the new definition is meant, run the command again";
        /// The table was rewritten between reading and writing; the page must be read again.
        StorageChanged {
            /// The table.
            table: String,
        } = "E0221"("the storage of table {table} was rewritten"), exit: Refused,
            hint: "run the command again";
        /// Another run works on the table.
        Held {
            /// The table's label.
            table: String,
            /// Who holds it.
            holder: String,
        } = "E0602"("another run works on table {table}: {holder}"), exit: Held,
            hint: "let it finish, or stop it and run the command again; see `phiseal status`";
        /// Another command has moved a field to a state from which this one's does not follow.
        FieldMoved {
            /// The labels of its table and column.
            field: String,
        } = "E0609"("another command has changed the state of field {field} meanwhile"), exit: Held,
            hint: "see `phiseal fields list`, and run the command again if it still applies";
        /// Something that must exist does not (a table, a column, our own schema).
        Missing {
            /// What is missing.
            what: String,
        } = "E0512"("{what} does not exist"), exit: Refused,
            hint: "our own tables are made by `phiseal migrate up`; see `phiseal plan` for the rest";
        /// An object of the application prevents a change, because it would be lost.
        InTheWay {
            /// The object.
            what: String,
        } = "E0516"("{what} stands in the way"), exit: Refused,
            hint: "drop it now and make it again afterwards: the column it stands on is replaced";
        /// A second table was to be registered under a label.
        OtherTable {
            /// The label.
            label: String,
            /// The table that has the label.
            table: String,
        } = "E0523"("label {label} belongs to table {table}: nothing was registered"), exit: Refused,
            hint: "a label is one table's: give this table another label in the plan; if it was made to take the other's place, `phiseal fields rebind`";
        /// The sealed columns to be dropped hold the only copy of a value.
        NotRestored {
            /// The table's label.
            table: String,
        } = "E0517"("values of table {table} are sealed whose plaintext is not there: nothing was dropped"), exit: Unverified,
            hint: "an application may have sealed meanwhile: stop it; or a row is in quarantine: `phiseal quarantine list`; then run the command again";
        /// Plaintext is there that is not sealed, or something in the place of a sealed value.
        NotSealed {
            /// The table's label.
            table: String,
        } = "E0543"("table {table} holds plaintext that is not sealed, or what is no sealed value: nothing was dropped"), exit: Unverified,
            hint: "`phiseal verify` lists what is wrong; then run the command again";
        /// A relation was to be rewritten and was left as it was.
        NotRewritten {
            /// The relation.
            relation: String,
            /// What left it.
            why: String,
        } = "E0626"("{relation} was not rewritten: {why}"), exit: Refused,
            hint: "see the server's log; `phiseal scrub --dry-run` shows the rights that are needed, and `--method` takes another way";
        /// A transaction that is older than an index does not end.
        IndexWaits {
            /// The index.
            index: String,
            /// Whose transaction it is.
            who: String,
        } = "E0546"("index {index} was not built, because an older transaction does not end: {who}"), exit: NotConverging,
            hint: "end it, or wait, then run the command again: only the index is left to be built";
        /// A request to stop ended a wait.
        Interrupted = "E0545"("interrupted"), exit: Interrupted,
            hint: "run the same command again: it resumes";
        /// Our role lacks a right.
        Denied {
            /// SQLSTATE.
            sqlstate: String,
        } = "E0510"("permission denied ({})", shown(sqlstate)), exit: Refused,
            hint: "the server's log names the object: its owner or a superuser grants phiseal's role the right, or makes the change; a policy of row-level security refuses so, too";
        /// The login cannot act as the role that the plan names.
        RoleRefused {
            /// The role's name.
            role: String,
            /// SQLSTATE.
            sqlstate: String,
        } = "E0540"("the login may not act as the role {role} of the plan ({})", shown(sqlstate)), exit: Refused,
            hint: format!(
                        "GRANT {} to the login, or correct `role` in the [database] section of the plan",
                        crate::quote::identifier(role)
                    );
        /// Code of the table switched back to the login's rights.
        RoleChanged {
            /// The table.
            table: String,
        } = "E0541"("code of table {table} changed the role that the batch runs as: nothing was written"), exit: Refused,
            hint: "find the trigger or function that says SET ROLE, and log in as the owner of the table instead";
        /// Our schema, or an object in it, belongs to a role that we do not trust.
        NotOurs {
            /// What belongs to which role.
            what: String,
            /// What to do about it.
            hint: String,
        } = "E0542"("{what}"), exit: Refused,
            hint: hint;
        /// The server is a standby, or the transaction is read only.
        ReadOnly = "E0511"("the database is read only"),
            hint: "connect to the primary server; for an SQLite file, see that the file and its folder may be written";
        /// The database returned something that this program never wrote.
        Unexpected {
            /// What was unexpected.
            what: &'static str,
        } = "E0513"("unexpected answer from the database: {what}"), exit: Bug,
            hint: "report this, with the log";
        /// Any other refusal.
        Refused {
            /// The SQLSTATE, or SQLite's error code.
            sqlstate: String,
        } = "E0514"("the database refused the statement ({})", shown(sqlstate)),
            hint: "if the server's log does not explain it, report it";
    }
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

impl StoreError {
    /// No connection, and where it was to go is not known here.
    pub(crate) fn unreachable(fault: ConnectFault) -> Self {
        Self::Unreachable {
            place: Arc::new(Place::Unknown),
            fault,
        }
    }

    /// The same error, with the place that was not known where it was met.
    pub(crate) fn at(mut self, known: &Arc<Place>) -> Self {
        if let Self::Unreachable { place, .. } | Self::LoginRefused { place, .. } = &mut self
            && **place == Place::Unknown
        {
            *place = Arc::clone(known);
        }
        self
    }

    /// Whether the server answers, but has no connection left.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Unreachable { fault, .. } if *fault == ConnectFault::Full)
    }

    /// Whether a first connection may succeed soon, because a server or a pooler is starting.
    pub fn may_pass_soon(&self) -> bool {
        match self {
            Self::Unreachable { fault, .. } => fault.may_pass_soon(),
            Self::ConnectionLost => true,
            _ => false,
        }
    }

    /// Whether the server cancelled the statement: after a time limit, or because another session
    /// waited for it.
    pub fn was_cancelled(&self) -> bool {
        matches!(self, Self::Busy { sqlstate } if sqlstate == "57014")
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
            | Self::FieldMoved { .. }
            | Self::Missing { .. }
            | Self::InTheWay { .. }
            | Self::OtherTable { .. }
            | Self::NotRestored { .. }
            | Self::NotSealed { .. }
            | Self::NotRewritten { .. }
            | Self::IndexWaits { .. }
            | Self::Interrupted
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
