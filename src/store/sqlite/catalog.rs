//! Reads facts of the file and of a table from the catalog.
//! Owns the pragmas and their decoding. Reads no value of a row, only storage classes and counts.

mod broken;
mod columns;
mod constraints;
mod dependents;
pub(super) mod schema_text;
pub(super) mod server;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connect;
use super::sql::{Bind, bound, scalar};
use crate::ident::{Ident, TableName};
use crate::store::catalog::RelationKind;
use crate::store::{Extent, Result, StoreError, TableFacts};
use schema_text::mentions;

/// The most columns that a table can have in a library with the default limits
/// (sqlite.org/limits.html).
const COLUMNS_MAX: i64 = 2000;

pub(super) async fn one<T>(conn: &mut SqliteConnection, sql: &str) -> Result<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite> + Send + Unpin,
{
    Ok(scalar(sql, []).fetch_one(conn).await?)
}

/// The number of rows in a table.
pub(super) async fn row_count(conn: &mut SqliteConnection, table: &Ident) -> Result<u64> {
    let count: i64 = one(conn, &format!("SELECT count(*) FROM {}", table.quoted())).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Implements [`crate::store::Catalog::extents`].
pub(super) async fn extents(
    conn: &mut SqliteConnection,
    relations: &[String],
) -> Result<Vec<Extent>> {
    let mut extents = Vec::new();
    for relation in relations {
        // The name may come from our own tables: it is parsed and quoted again.
        let Ok(TableName { name, .. }) = relation.parse::<TableName>() else {
            continue;
        };
        let is_there =
            "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE";
        if all(conn, is_there, &name).await?.is_empty() {
            continue;
        }
        extents.push(Extent {
            relation: relation.clone(),
            rows: row_count(conn, &name).await?,
            blocks: None,
        });
    }
    Ok(extents)
}

/// Facts of one table or view; `None` if there is none of that name.
pub(super) async fn table(
    conn: &mut SqliteConnection,
    name: &TableName,
) -> Result<Option<TableFacts>> {
    let mut snapshot = connect::read_transaction(conn).await?;
    let facts = table_facts(&mut snapshot, &name.name).await?;
    snapshot.rollback().await?;
    Ok(facts)
}

/// The names of tables, without SQLite's own and phiseal's.
pub(super) async fn table_names(conn: &mut SqliteConnection) -> Result<Vec<TableName>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' \
               AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'phiseal_*' ORDER BY 1 LIMIT 10000";
    let rows = bound(sql, []).fetch_all(conn).await?;
    let name = |row: &SqliteRow| {
        Ok(TableName {
            schema: None,
            name: Ident::new(text(row, "name")?).map_err(|_| unexpected())?,
        })
    };
    rows.iter().map(name).collect()
}

async fn table_facts(conn: &mut SqliteConnection, name: &Ident) -> Result<Option<TableFacts>> {
    let listed = all(
        conn,
        "SELECT name, type, wr FROM pragma_table_list(?) WHERE schema = 'main'",
        name,
    )
    .await?;
    let Some(listed) = listed.first() else {
        return Ok(None);
    };
    let kind = match text(listed, "type")?.as_str() {
        "table" => RelationKind::Table,
        "view" => RelationKind::View,
        _ => RelationKind::Other,
    };
    // The catalog's own spelling, which the other queries need.
    let name = Ident::new(text(listed, "name")?).map_err(|_| unexpected())?;
    let without_rowid: bool = listed.try_get("wr")?;
    let mut facts = TableFacts {
        name: name.as_str().to_owned(),
        kind,
        owner: true,
        ..TableFacts::default()
    };
    columns::columns(conn, &name, &mut facts).await?;
    if kind != RelationKind::Table {
        return Ok(Some(facts));
    }
    let schema = schema(conn).await?;
    let own = schema
        .iter()
        .find(|object| object.kind == "table" && object.name == name.as_str());
    let create = own.map(|object| object.sql.clone()).unwrap_or_default();
    constraints::indexes(conn, &name, &schema, &mut facts).await?;
    columns::primary_key(conn, &name, without_rowid, &mut facts).await?;
    constraints::foreign_keys(conn, &name, &schema, &mut facts).await?;
    constraints::checks_of(&create, &mut facts);
    dependents::read_schema(&schema, &create, &mut facts);
    columns::storage_classes(conn, &name, &mut facts).await?;
    facts.columns_ever = i64::try_from(facts.columns.len()).unwrap_or(i64::MAX);
    facts.columns_max = COLUMNS_MAX;
    facts.rows = i64::try_from(row_count(conn, &name).await?).unwrap_or(i64::MAX);
    facts.bytes = bytes(conn, &facts).await?;
    facts.row_bytes = facts.bytes / facts.rows.max(1);
    Ok(Some(facts))
}

pub(super) async fn all(
    conn: &mut SqliteConnection,
    sql: &str,
    name: &Ident,
) -> Result<Vec<SqliteRow>> {
    let statement = bound(sql, [Bind::from(name.as_str())]);
    Ok(statement.fetch_all(conn).await?)
}

pub(super) fn text(row: &SqliteRow, column: &str) -> Result<String> {
    let text: Option<String> = row.try_get(column)?;
    Ok(text.unwrap_or_default())
}

fn unexpected() -> StoreError {
    StoreError::unexpected("a name in the catalog that is no identifier")
}

/// One object of `sqlite_schema`.
struct SchemaObject {
    kind: String,
    name: String,
    table: String,
    sql: String,
}

async fn schema(conn: &mut SqliteConnection) -> Result<Vec<SchemaObject>> {
    let rows = bound(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name",
        [],
    )
    .fetch_all(conn)
    .await?;
    let object = |row: &SqliteRow| {
        Ok(SchemaObject {
            kind: text(row, "type")?,
            name: text(row, "name")?,
            table: text(row, "tbl_name")?,
            sql: text(row, "sql")?,
        })
    };
    rows.iter().map(object).collect()
}

fn mentioned(facts: &TableFacts, sql: &str) -> Vec<String> {
    let columns = facts
        .columns
        .iter()
        .filter(|column| mentions(sql, &column.name));
    columns.map(|column| column.name.clone()).collect()
}

/// The bytes of the whole file, without its journal or log.
pub(super) async fn file_bytes(conn: &mut SqliteConnection) -> Result<i64> {
    let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
    Ok(scalar(sql.to_owned(), std::iter::empty::<Bind>())
        .fetch_one(conn)
        .await?)
}

/// The bytes of the pages of the table and its indexes.
async fn bytes(conn: &mut SqliteConnection, facts: &TableFacts) -> Result<i64> {
    let names = std::iter::once(&facts.name).chain(facts.indexes.iter().map(|index| &index.name));
    let names: Vec<&String> = names.collect();
    let sql = format!(
        "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name IN ({})",
        vec!["?"; names.len()].join(", "),
    );
    Ok(
        scalar(sql, names.into_iter().map(|name| Bind::from(name.clone())))
            .fetch_one(conn)
            .await?,
    )
}

#[cfg(test)]
mod tests;
