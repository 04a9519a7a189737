//! DDL on the application's tables: sealed columns and the guard.
//! Owns the statements that add them, which run in one transaction; `indexes.rs` has the indexes.

pub(super) mod restore;

use sqlx::sqlite::SqliteConnection;

use super::connect;
use super::guard;
use super::relations;
use super::sql::{Bind, run, scalar};
use crate::ident::Ident;
use crate::store::{Result, Sealed, StoreError, Table};

/// The statements that are still needed before a table can be sealed.
pub(super) async fn missing(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    let table_name = table.name.name.quoted();
    let there = columns(conn, table).await?;
    let is_missing = |column: &Ident| !has(&there, column);
    let mut statements = Vec::new();
    for field in &table.fields {
        if let Sealed::Beside { column, text } = &field.sealed
            && is_missing(column)
        {
            let form = if *text { "TEXT" } else { "BLOB" };
            statements.push(format!(
                "ALTER TABLE {table_name} ADD COLUMN {} {form}",
                column.quoted()
            ));
        }
        if let Some(index) = field.index.as_ref().filter(|index| is_missing(index)) {
            statements.push(format!(
                "ALTER TABLE {table_name} ADD COLUMN {} BLOB",
                index.quoted()
            ));
        }
    }
    let whole = guard::with_registered(conn, table).await?;
    statements.extend(guard::missing(conn, &whole).await?);
    Ok(statements)
}

/// Creates what is missing before a table can be sealed.
pub(super) async fn prepare(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connect::write_transaction(conn).await?;
    let fresh = relations::is_fresh(&mut transaction, table).await?;
    relations::before_change(&mut transaction).await?;
    for statement in missing(&mut transaction, table).await? {
        run(&mut transaction, statement).await?;
    }
    relations::after_change(&mut transaction, Some(table), fresh).await?;
    relations::note_marks(&mut transaction).await?;
    connect::commit(transaction).await
}

pub(super) async fn columns(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    let name = table.name.name.as_str().to_owned();
    let names: Vec<String> = scalar("SELECT name FROM pragma_table_xinfo(?)", [Bind::from(name)])
        .fetch_all(conn)
        .await?;
    match names.is_empty() {
        true => Err(StoreError::missing(format!("table {}", table.name))),
        false => Ok(names),
    }
}

/// Whether a column is in the list; SQLite ignores the case of ASCII letters in names.
pub(super) fn has(columns: &[String], column: &Ident) -> bool {
    columns
        .iter()
        .any(|name| name.eq_ignore_ascii_case(column.as_str()))
}
