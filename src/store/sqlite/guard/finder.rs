//! The condition by which a guard's statements find the row that its trigger was fired for. Uses
//! the rowid, which no collation affects. Without one it uses the primary key, under the collations
//! of its index, by which no two rows are equal, and also byte for byte.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::words::differ;
use crate::ident::Ident;
use crate::store::sqlite::select::{collations, rowid};
use crate::store::sqlite::sql::{Bind, bound};
use crate::store::text::joined;
use crate::store::{Result, StoreError, Table};

/// The condition that finds the row of `NEW` in the table.
pub(super) async fn this_row(conn: &mut SqliteConnection, table: &Table) -> Result<String> {
    let table_name = table.name.name.as_str();
    if let Some(name) = rowid(conn, table_name).await?.name {
        return Ok(format!("{name} = NEW.{name}"));
    }
    let mut keys = primary_key(conn, table_name).await?;
    if keys.is_empty() {
        // Columns have taken every name of the rowid.
        keys = table.keys.iter().map(|key| key.name.clone()).collect();
    }
    let names: Vec<&str> = keys.iter().map(Ident::as_str).collect();
    let collations = collations(conn, table_name, &names).await?;
    let pairs: Vec<_> = keys.iter().zip(collations).collect();
    Ok(joined(&pairs, " AND ", |(key, collation)| {
        let key = key.quoted();
        let collate = collation
            .as_ref()
            .map(|collation| format!(" COLLATE {}", collation.quoted()))
            .unwrap_or_default();
        // The first comparison finds the row by the index, the second excludes any other row.
        format!(
            "{key} = NEW.{key}{collate} AND NOT {}",
            differ(&key, &format!("NEW.{key}"))
        )
    }))
}

async fn primary_key(conn: &mut SqliteConnection, table: &str) -> Result<Vec<Ident>> {
    const KEY: &str = "SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk";
    let rows = bound(KEY, [Bind::from(table)]).fetch_all(conn).await?;
    let name = |row: &sqlx::sqlite::SqliteRow| {
        let name: String = row.try_get(0)?;
        Ident::new(name).map_err(|_| StoreError::unexpected("the name of a key column"))
    };
    rows.iter().map(name).collect()
}
