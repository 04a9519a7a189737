//! Our indexes on the application's tables: those for lookups by blind index, and the one for the
//! sweep.
//! Owns their names and how they are created and dropped.

use sqlx::sqlite::SqliteConnection;

use super::connect;
use super::select::Shape;
use super::sql::{Bind, run, scalar};
use crate::ident::Ident;
use crate::store::text::joined;
use crate::store::{Access, Result, Select, StoreError, Table};

/// Creates the lookup indexes of blind indexes.
pub(super) async fn finish_indexes(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connect::write_transaction(conn).await?;
    for field in &table.fields {
        if let Some(index) = &field.index {
            let statement = lookup_statement(table, index, field.index_unique)?;
            run(&mut transaction, statement).await?;
        }
    }
    connect::commit(transaction).await
}

/// The statement that creates the lookup index of a column.
pub(super) fn lookup_statement(table: &Table, column: &Ident, unique: bool) -> Result<String> {
    let unique = if unique { "UNIQUE " } else { "" };
    Ok(format!(
        "CREATE {unique}INDEX IF NOT EXISTS {} ON {} ({})",
        lookup_name(table, column)?.quoted(),
        table.name.name.quoted(),
        column.quoted(),
    ))
}

/// Creates the sweep's index, if it is not there.
pub(super) async fn make_sweep_index(conn: &mut SqliteConnection, access: &Access) -> Result<()> {
    if sweep_index(conn, access).await?.is_some() {
        return Ok(());
    }
    let mut transaction = connect::write_transaction(conn).await?;
    let wanted = sweep_statement(&mut transaction, access).await?;
    run(
        &mut transaction,
        format!(
            "DROP INDEX IF EXISTS {}",
            sweep_name(&access.table)?.quoted()
        ),
    )
    .await?;
    run(&mut transaction, wanted).await?;
    connect::commit(transaction).await
}

/// Drops the sweep's index.
pub(super) async fn drop_sweep_index(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let name = sweep_name(table)?;
    // Most runs made none, and need not wait for a writer.
    if schema_sql(conn, "index", name.as_str()).await?.is_none() {
        return Ok(());
    }
    run(conn, format!("DROP INDEX IF EXISTS {}", name.quoted())).await
}

/// The quoted name of the sweep's index, if it exists and was made for exactly these fields.
pub(super) async fn sweep_index(
    conn: &mut SqliteConnection,
    access: &Access,
) -> Result<Option<String>> {
    let name = sweep_name(&access.table)?;
    match schema_sql(conn, "index", name.as_str()).await? {
        Some(sql) if sql == sweep_statement(conn, access).await? => Ok(Some(name.quoted())),
        _ => Ok(None),
    }
}

async fn sweep_statement(conn: &mut SqliteConnection, access: &Access) -> Result<String> {
    let shape = Shape::read(conn, access).await?;
    Ok(format!(
        "CREATE INDEX {} ON {} ({}) WHERE {}",
        sweep_name(&access.table)?.quoted(),
        shape.table,
        shape.order(),
        shape.wanted(&Select::UnsealedIndexed)?,
    ))
}

pub(super) fn sweep_name(table: &Table) -> Result<Ident> {
    index_name(format!("phiseal_sweep_{}", table.name.name.as_str()))
}

/// The name of a lookup index. Index names are unique in a whole SQLite database, so it contains
/// the table's name.
pub(super) fn lookup_name(table: &Table, index: &Ident) -> Result<Ident> {
    let name = [table.name.name.as_str(), index.as_str(), "idx"];
    index_name(joined(&name, "_", |part| (*part).to_owned()))
}

fn index_name(name: String) -> Result<Ident> {
    Ident::new(name).map_err(|_| StoreError::unexpected("names too long to name an index after"))
}

async fn schema_sql(conn: &mut SqliteConnection, kind: &str, name: &str) -> Result<Option<String>> {
    let binds = [Bind::from(kind), Bind::from(name)];
    Ok(scalar(
        "SELECT sql FROM sqlite_schema WHERE type = ? AND name = ?",
        binds,
    )
    .fetch_optional(conn)
    .await?)
}
