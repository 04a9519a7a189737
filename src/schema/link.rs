//! Connections for the migrator, whichever database the URL names.

use sqlx::{Connection, PgConnection, SqliteConnection};

use super::error::MigrateError;
use super::{Migrations, SetChoice};
use crate::ident::Ident;
use crate::store::StoreError;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::{Access, SqliteStore};

/// Connections that migrations go over. They are not used for anything else.
pub struct Link {
    kind: Kind,
}

enum Kind {
    Postgres {
        conn: Box<PgConnection>,
        worker: Option<Box<PgConnection>>,
        schema: Ident,
        role: Option<Ident>,
        owner: Option<Ident>,
    },
    Sqlite(Box<SqliteConnection>),
}

impl Link {
    /// Connects. `schema` is where our own tables live in PostgreSQL, `access` what is done to a file of SQLite.
    ///
    /// # Errors
    /// A URL that cannot be used, or a database that cannot be reached.
    pub async fn open(
        url: &str,
        schema: &Ident,
        choice: SetChoice<'_>,
        access: Access,
    ) -> Result<Self, StoreError> {
        let kind = if url.starts_with("sqlite:") {
            Kind::Sqlite(Box::new(SqliteStore::raw_connection(url, access).await?))
        } else {
            Kind::Postgres {
                conn: Box::new(PostgresStore::raw_connection(url).await?),
                worker: match choice {
                    SetChoice::Own => None,
                    SetChoice::Platform(_) | SetChoice::Folder { .. } => {
                        Some(Box::new(PostgresStore::raw_connection(url).await?))
                    }
                },
                schema: schema.clone(),
                role: None,
                owner: None,
            }
        };
        Ok(Self { kind })
    }

    /// The same, acting as `role`, in a schema that belongs to `owner`, where the plan names them.
    #[must_use]
    pub fn acting_as(mut self, as_role: Option<&Ident>, of_owner: Option<&Ident>) -> Self {
        if let Kind::Postgres { role, owner, .. } = &mut self.kind {
            *role = as_role.cloned();
            *owner = of_owner.cloned();
        }
        self
    }

    /// The migrations of `choice`, over these connections.
    ///
    /// # Errors
    /// [`MigrateError::SchemaName`], a set that cannot be run, and
    /// [`MigrateError::NeedsPostgres`] for any but our own tables in SQLite.
    pub fn migrations(&mut self, choice: SetChoice<'_>) -> Result<Migrations<'_>, MigrateError> {
        match &mut self.kind {
            Kind::Postgres {
                conn,
                worker: Some(worker),
                schema,
                role,
                owner,
            } => Ok(
                Migrations::of_platform(conn, worker, schema.as_str(), choice)?
                    .acting_as(role.as_ref(), owner.as_ref()),
            ),
            Kind::Postgres {
                conn,
                worker: None,
                schema,
                role,
                owner,
            } => Ok(Migrations::own_in_postgres(conn, schema.as_str())?
                .acting_as(role.as_ref(), owner.as_ref())),
            Kind::Sqlite(conn) => match choice {
                SetChoice::Own => Ok(Migrations::own_in_sqlite(conn)),
                SetChoice::Platform(_) | SetChoice::Folder { .. } => {
                    Err(MigrateError::NeedsPostgres)
                }
            },
        }
    }

    /// Says goodbye to the server.
    pub async fn close(self) {
        match self.kind {
            Kind::Postgres { conn, worker, .. } => {
                drop(conn.close().await);
                if let Some(worker) = worker {
                    drop(worker.close().await);
                }
            }
            Kind::Sqlite(conn) => drop(conn.close().await),
        }
    }
}
