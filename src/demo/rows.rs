//! Made-up rows for the tables of a migration set, the same ones in every run.
//! Owns which table is filled after which, what each row refers to, and what stands in it. The
//! tables are learnt from the catalog, so a set that gains a table or a column is filled all the
//! same; what a value looks like is chosen by the names and types met there.
//! Always holds: every value depends on the seed, the table, the row and the column alone, every
//! foreign key names a row that is there, and nothing in it was ever anybody's.

mod check;
mod links;
mod order;
mod postgres;
mod recipe;
mod values;

use sqlx::{Connection, PgConnection};

use crate::ident::{Ident, TableName};
use crate::store::postgres::PostgresStore;
use crate::store::{Result, StoreError};
use links::Links;
use recipe::Recipe;

/// The seed of the demo.
pub const SEED: u64 = 0x7068_6973_6561_6c32;

/// Rows in one statement.
const BATCH: usize = 1_000;

/// One table, as the catalog has it.
#[derive(Debug, Clone, Default)]
struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    pub foreign_keys: Vec<ForeignKey>,
    /// The columns of each unique index, of its expressions too; the primary key first.
    pub uniques: Vec<Vec<usize>>,
    /// What each CHECK constraint says.
    pub checks: Vec<String>,
    /// The largest value of each serial column before anything was put in.
    pub serials: Vec<i64>,
}

impl Table {
    /// The first column of the primary key.
    pub fn primary(&self) -> Option<usize> {
        self.uniques.first()?.first().copied()
    }
}

/// One column.
#[derive(Debug, Clone)]
struct Column {
    pub name: String,
    /// The type as SQL writes it.
    pub sql_type: String,
    pub kind: Kind,
    pub not_null: bool,
    /// Filled from a sequence.
    pub serial: bool,
    /// Marked as PHI.
    pub phi: bool,
}

/// What sort of value a column takes.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Text {
        max: Option<usize>,
    },
    Integer {
        max: i64,
    },
    Decimal {
        /// Digits in all and after the point, where the type limits them.
        digits: Option<(u32, u32)>,
    },
    Boolean,
    Date,
    Timestamp,
    Time,
    Interval,
    Uuid,
    Json,
    Bytes,
    Inet,
    Enum(Vec<String>),
    Array(Box<Kind>),
    /// Made by the database, or of a type nothing is made for.
    Other,
}

/// A foreign key; the columns are numbers in their tables.
#[derive(Debug, Clone)]
struct ForeignKey {
    pub columns: Vec<usize>,
    pub target: usize,
    pub refs: Vec<usize>,
}

/// A table that was filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// Its name.
    pub table: String,
    /// How many rows were put in: fewer than asked for where a unique constraint has no room.
    pub rows: u64,
}

/// A database that holds a migration set.
pub struct SampleSet {
    conn: PgConnection,
}

impl SampleSet {
    /// Makes an empty database on the server of `url`.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn create_database(url: &str, name: &Ident) -> Result<()> {
        let mut conn = PostgresStore::raw_connection(url).await?;
        let made = postgres::create_database(&mut conn, name).await;
        let _ = conn.close().await;
        made
    }

    /// Removes a database, and whoever is still connected to it.
    ///
    /// # Errors
    /// What the server refuses.
    pub async fn drop_database(url: &str, name: &Ident) -> Result<()> {
        let mut conn = PostgresStore::raw_connection(url).await?;
        let gone = postgres::drop_database(&mut conn, name).await;
        let _ = conn.close().await;
        gone
    }

    /// Connects to the database that holds the set, in its current schema.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`].
    pub async fn open(url: &str) -> Result<Self> {
        Ok(Self {
            conn: PostgresStore::raw_connection(url).await?,
        })
    }

    /// Puts `rows` rows into each table, parents first, and brings the statistics up to date.
    /// `told` hears of each table once it is filled.
    ///
    /// # Errors
    /// What the database refuses; a set whose foreign keys go around in a circle.
    pub async fn fill(
        &mut self,
        rows: usize,
        seed: u64,
        told: &mut (dyn FnMut(&Filled) + Send),
    ) -> Result<Vec<Filled>> {
        let tables = postgres::tables(&mut self.conn).await?;
        let order = order::order(&tables).ok_or(StoreError::Unexpected {
            what: "foreign keys that go around in a circle",
        })?;
        let mut links = Links::new(&tables, seed);
        let mut done = Vec::new();
        for step in order {
            let recipe = Recipe::new(&tables, &step, rows, &links);
            links.join(&recipe);
            let put = self.fill_table(&tables, &recipe, &mut links).await?;
            let filled = Filled {
                table: tables
                    .get(step.table)
                    .map(|t| t.name.clone())
                    .unwrap_or_default(),
                rows: put,
            };
            told(&filled);
            done.push(filled);
        }
        postgres::settle(&mut self.conn, &tables).await?;
        Ok(done)
    }

    async fn fill_table(
        &mut self,
        tables: &[Table],
        recipe: &Recipe,
        links: &mut Links<'_>,
    ) -> Result<u64> {
        let Some(table) = tables.get(recipe.table) else {
            return Ok(0);
        };
        let columns = recipe.columns(table);
        let mut put = 0;
        let mut first = 0;
        while first < recipe.rows {
            let last = recipe.rows.min(first + BATCH);
            let rows: Vec<_> = (first..last).map(|row| recipe.row(links, row)).collect();
            put += postgres::insert(&mut self.conn, table, &columns, rows).await?;
            first = last;
        }
        if put < recipe.rows as u64 {
            // Rows that were there before took some of the places.
            let keys = (0..recipe.rows)
                .map(|row| recipe.key(table, links, row))
                .collect();
            let there = postgres::found(&mut self.conn, table, keys).await?;
            links.keep(recipe.table, there);
        }
        Ok(put)
    }

    /// How many rows of a table have a value in any of these columns, and how many values there
    /// are in each.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn count(&mut self, table: &TableName, columns: &[Ident]) -> Result<(u64, Vec<u64>)> {
        postgres::count(&mut self.conn, table, columns).await
    }

    /// The first row of a table whose columns all have values, as text, shortened by the server to
    /// `characters`.
    ///
    /// # Errors
    /// What the database refuses.
    pub async fn look(
        &mut self,
        table: &TableName,
        columns: &[Ident],
        characters: i32,
    ) -> Result<Option<Vec<String>>> {
        postgres::look(&mut self.conn, table, columns, characters).await
    }

    /// Closes the connection.
    pub async fn close(self) {
        // What was asked for is done; a connection that ends badly changes nothing.
        let _ = self.conn.close().await;
    }
}
