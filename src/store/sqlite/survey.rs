//! Looks at all rows of a table before a run: how much is left to do.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::catalog::{all, text};
use super::select::Shape;
use super::sql::bound;
use crate::store::{Access, Result, Sealed, Select, Survey, Table};

/// Counts the rows that are still to be sealed; counts nothing if sealed columns do not exist yet.
pub(super) async fn look(conn: &mut SqliteConnection, table: &Table) -> Result<Survey> {
    let table_name = &table.name.name;
    let there = all(conn, "SELECT name FROM pragma_table_xinfo(?)", table_name).await?;
    let there: Vec<String> = there
        .iter()
        .map(|row| text(row, "name"))
        .collect::<Result<_>>()?;
    let made = table.fields.iter().all(|field| match &field.sealed {
        Sealed::Beside { column, .. } => there.iter().any(|name| name == column.as_str()),
        Sealed::InPlace => true,
    });
    if !made {
        return Ok(Survey::default());
    }
    let shape = Shape::read(conn, &Access::of(table.clone())).await?;
    let sql = format!(
        "SELECT count(*) FILTER (WHERE {}), count(*) FROM {}",
        shape.wanted(&Select::UnsealedIndexed)?,
        shape.table
    );
    let row = bound(sql, []).fetch_one(conn).await?;
    let (needs, of): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
    Ok(Survey {
        left: (of > 0).then(|| needs as f64 / of as f64),
        ..Survey::default()
    })
}
