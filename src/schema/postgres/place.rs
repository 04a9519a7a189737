//! The schema of our own tables in PostgreSQL, and how a transaction of ours begins there.
//! Owns who may own it. What a transaction does is up to its caller.

use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Transaction};

use super::session::failure;
use crate::error::Coded;
use crate::ident::Ident;
use crate::quote;
use crate::schema::error::{Doing, Failure, MigrateError};
use crate::schema::set::{MigrationSet, SCHEMA_PLACEHOLDER, SetKind};
use crate::store::StoreError;
use crate::store::postgres::opening::Opening;
use crate::store::postgres::own_schema;

/// Longest identifier, in bytes: the server silently cuts what is longer.
const SCHEMA_BYTES_MAX: usize = 63;

/// Where our own tables live, and how transactions of ours there begin.
#[derive(Clone)]
pub(in crate::schema) struct Schema {
    pub name: String,
    pub quoted: String,
    pub(super) opening: Opening,
    /// The role that the plan says owns the schema.
    pub(super) owner: Option<Ident>,
}

impl Schema {
    pub fn new(name: &str) -> Result<Self, MigrateError> {
        if name.is_empty() || name.len() > SCHEMA_BYTES_MAX || name.contains('\0') {
            return Err(MigrateError::SchemaName);
        }
        Ok(Self {
            name: name.to_owned(),
            quoted: quote::identifier(name),
            opening: Opening::default(),
            owner: None,
        })
    }

    /// What begins a transaction of ours: READ COMMITTED whatever the role's default, since the history
    /// is read after the wait for the lock; the server's own names; the plan's role.
    pub fn begin(&self) -> AssertSqlSafe<String> {
        self.opening.begin_read_committed()
    }

    /// Makes a session that is nobody else's act as the plan's role.
    pub fn set_role(&self) -> String {
        let role = self.opening.role();
        role.map_or_else(String::new, |role| format!("SET ROLE {};", role.quoted()))
    }

    /// The same for the rest of a transaction.
    pub fn local_role(&self) -> String {
        let role = self.opening.role();
        role.map_or_else(
            || "SET LOCAL ROLE NONE".to_owned(),
            |role| format!("SET LOCAL ROLE {}", role.quoted()),
        )
    }

    /// A transaction that looks at a set's history, in a schema that our role can trust.
    pub(super) async fn look<'c>(
        &self,
        conn: &'c mut PgConnection,
        set: &MigrationSet,
    ) -> Result<Transaction<'c, Postgres>, Failure> {
        let failed = failure(Doing::History);
        let mut tx = conn.begin_with(self.begin()).await.map_err(failed)?;
        let name = self.ident()?;
        let ours = match set.kind {
            SetKind::Own => own_schema::check(&mut tx, &name, self.owner.as_ref()).await,
            SetKind::Platform => self.check_records(&mut tx, set).await,
        };
        ours.map_err(not_ours)?;
        Ok(tx)
    }

    /// A transaction that changes what a set made, in a schema that belongs to our role.
    pub(super) async fn change<'c>(
        &self,
        conn: &'c mut PgConnection,
        set: &MigrationSet,
    ) -> Result<Transaction<'c, Postgres>, Failure> {
        let failed = failure(Doing::History);
        let mut tx = conn.begin_with(self.begin()).await.map_err(failed)?;
        self.check_records(&mut tx, set).await.map_err(not_ours)?;
        Ok(tx)
    }

    async fn check_records(
        &self,
        tx: &mut PgConnection,
        set: &MigrationSet,
    ) -> Result<(), StoreError> {
        let name = self.ident().map_err(|_| StoreError::Unexpected {
            what: "the name of our schema",
        })?;
        let history = set.history_name();
        let records = [history.as_str(), "migration_lock"];
        let own_tables = set.kind == SetKind::Own;
        own_schema::check_for_migration(tx, &name, &records, own_tables).await
    }

    fn ident(&self) -> Result<Ident, MigrateError> {
        Ident::new(self.name.as_str()).map_err(|_| MigrateError::SchemaName)
    }

    pub fn place(&self, text: &str) -> String {
        text.replace(SCHEMA_PLACEHOLDER, &self.quoted)
    }
}

/// The meaning of a look at whom our schema belongs to.
pub(super) fn not_ours(error: StoreError) -> Failure {
    match error {
        StoreError::NotOurs { what, hint } => MigrateError::NotOurs { what, hint }.into(),
        StoreError::ConnectionLost => MigrateError::Connection {
            doing: Doing::History,
        }
        .into(),
        StoreError::Busy { .. } | StoreError::Locked => Failure::Busy,
        error => MigrateError::NotOurs {
            what: format!("whom our schema belongs to cannot be read: {error}"),
            hint: error.hint(),
        }
        .into(),
    }
}
