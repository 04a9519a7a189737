//! A connection for the migrator, whichever database the URL names.

use sqlx::{Connection, PgConnection, SqliteConnection};

use super::EngineSchema;
use super::error::MigrateError;
use crate::ident::Ident;
use crate::store::StoreError;
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::SqliteStore;

/// A connection that migrations go over. It is not used for anything else.
pub struct Link {
    kind: Kind,
}

enum Kind {
    Postgres(Box<PgConnection>, Ident),
    Sqlite(Box<SqliteConnection>),
}

impl Link {
    /// Connects. `schema` is where our own tables live in PostgreSQL.
    ///
    /// # Errors
    /// A URL that cannot be used, or a database that cannot be reached.
    pub async fn open(url: &str, schema: &Ident) -> Result<Self, StoreError> {
        let kind = if url.starts_with("sqlite:") {
            Kind::Sqlite(Box::new(SqliteStore::raw_connection(url).await?))
        } else {
            Kind::Postgres(
                Box::new(PostgresStore::raw_connection(url).await?),
                schema.clone(),
            )
        };
        Ok(Self { kind })
    }

    /// Our own tables, over this connection.
    ///
    /// # Errors
    /// [`MigrateError::SchemaName`].
    pub fn engine(&mut self) -> Result<EngineSchema<'_>, MigrateError> {
        match &mut self.kind {
            Kind::Postgres(conn, schema) => EngineSchema::postgres(conn, schema.as_str()),
            Kind::Sqlite(conn) => Ok(EngineSchema::sqlite(conn)),
        }
    }

    /// Says goodbye to the server.
    pub async fn close(self) {
        match self.kind {
            Kind::Postgres(conn, _) => drop(conn.close().await),
            Kind::Sqlite(conn) => drop(conn.close().await),
        }
    }
}
