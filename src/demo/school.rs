//! The school of `phiseal demo`: a table of made-up students, in either database.
//! Owns that table, from its making to its removal, and what an application would ask of it. The
//! engine knows nothing of it, and it nothing of keys: what it reads back is as it is stored.

mod postgres;
mod sqlite;

use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::ident::{Ident, TableName};
use crate::store::postgres::PostgresStore;
use crate::store::sqlite::{Access, SqliteStore};
use crate::store::{Result, StoreError};

/// The table's name.
const STUDENTS: &str = "students";

/// A student as the application wrote it: plaintext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Student {
    /// The primary key.
    pub id: i64,
    /// First name; stays plaintext.
    pub first_name: String,
    /// Last name; stays plaintext.
    pub last_name: String,
    /// `YYYY-MM-DD`.
    pub date_of_birth: String,
    /// Nine digits, with or without separators, or nothing.
    pub ssn: Option<String>,
    /// A telephone number, or nothing.
    pub guardian_phone: Option<String>,
    /// Any text, or nothing.
    pub medical_notes: Option<String>,
}

/// The same student as it is stored once it is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedStudent {
    /// The primary key.
    pub id: i64,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The envelope beside the date of birth.
    pub date_of_birth: Option<Vec<u8>>,
    /// The envelope beside the number.
    pub ssn: Option<Vec<u8>>,
    /// The blind index of the number.
    pub ssn_index: Option<Vec<u8>>,
    /// What stands in the column itself: sealed text.
    pub guardian_phone: Option<String>,
    /// The envelope beside the notes.
    pub medical_notes: Option<Vec<u8>>,
}

/// The columns of a [`SealedStudent`], in the order they are read.
const SEALED_COLUMNS: &str = "id, first_name, last_name, date_of_birth_sealed, \
     ssn_sealed, ssn_bidx, guardian_phone, medical_notes_sealed";

/// One connection to the school.
pub struct School {
    place: Place,
    table: TableName,
}

enum Place {
    Postgres { conn: PgConnection, schema: Ident },
    Sqlite(SqliteConnection),
}

impl School {
    /// A school in a SQLite file; made where `url` ends with `?mode=rwc`.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub async fn in_sqlite(url: &str) -> Result<Self> {
        Ok(Self {
            place: Place::Sqlite(SqliteStore::raw_connection(url, Access::WriteInWal).await?),
            table: TableName {
                schema: None,
                name: students()?,
            },
        })
    }

    /// A school in a schema of a PostgreSQL database.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn in_postgres(url: &str, schema: Ident) -> Result<Self> {
        Ok(Self {
            place: Place::Postgres {
                conn: PostgresStore::raw_connection(url).await?,
                schema: schema.clone(),
            },
            table: TableName {
                schema: Some(schema),
                name: students()?,
            },
        })
    }

    /// Makes the table, and in PostgreSQL its schema: neither may be there.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn build(&mut self) -> Result<()> {
        match &mut self.place {
            Place::Postgres { conn, schema } => postgres::build(conn, schema, &self.table).await,
            Place::Sqlite(conn) => sqlite::build(conn, &self.table).await,
        }
    }

    /// Stores students, in one transaction.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn enroll(&mut self, students: &[Student]) -> Result<()> {
        match &mut self.place {
            Place::Postgres { conn, .. } => postgres::enroll(conn, &self.table, students).await,
            Place::Sqlite(conn) => sqlite::enroll(conn, &self.table, students).await,
        }
    }

    /// Brings the statistics up to date, as autovacuum would in time.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn analyze(&mut self) -> Result<()> {
        match &mut self.place {
            Place::Postgres { conn, .. } => postgres::analyze(conn, &self.table).await,
            Place::Sqlite(conn) => sqlite::analyze(conn, &self.table).await,
        }
    }

    /// Up to `limit` students after the one of this id, sealed, in the order of their ids.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn page(&mut self, after: i64, limit: i64) -> Result<Vec<SealedStudent>> {
        let sql = format!(
            "SELECT {SEALED_COLUMNS} FROM {} WHERE id > $1 ORDER BY id LIMIT $2",
            self.table.quoted()
        );
        match &mut self.place {
            Place::Postgres { conn, .. } => postgres::page(conn, sql, after, limit).await,
            Place::Sqlite(conn) => sqlite::page(conn, sql, after, limit).await,
        }
    }

    /// The query by which an application finds a student by number, `$1` being its blind index.
    pub fn find_sql(&self) -> String {
        format!(
            "SELECT id, first_name, last_name FROM {} WHERE ssn_bidx = $1",
            self.table.label()
        )
    }

    /// Asks [`School::find_sql`]: id, first and last name.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn find(&mut self, index: &[u8]) -> Result<Vec<(i64, String, String)>> {
        let sql = self.find_sql();
        match &mut self.place {
            Place::Postgres { conn, .. } => postgres::find(conn, sql, index).await,
            Place::Sqlite(conn) => sqlite::find(conn, sql, index).await,
        }
    }

    /// Removes what [`School::build`] made, and with it the schema of our own tables that the demo
    /// was given. A SQLite file is for its owner to remove.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn demolish(&mut self, own: &Ident) -> Result<()> {
        match &mut self.place {
            Place::Postgres { conn, schema } => postgres::demolish(conn, &[schema, own]).await,
            Place::Sqlite(_) => Ok(()),
        }
    }

    /// Closes the connection.
    pub async fn close(self) {
        // What was asked for is done; a connection that ends badly changes nothing.
        let _ = match self.place {
            Place::Postgres { conn, .. } => conn.close().await,
            Place::Sqlite(conn) => conn.close().await,
        };
    }
}

fn students() -> Result<Ident> {
    Ident::new(STUDENTS).map_err(|_| StoreError::Unexpected {
        what: "the name of the demo's table",
    })
}
