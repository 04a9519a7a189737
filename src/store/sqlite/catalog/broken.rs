//! Finds views and triggers of the file that name objects which do not exist. As long as there is
//! one, SQLite drops and renames no column of any table.
//! Owns how they are found: makes the schema again in memory, without rows, and drops a column
//! there.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, Row};

use super::super::sql::{Bind, bound, query, run};
use crate::ident::Ident;
use crate::store::Result;
use crate::store::text::joined;

/// The table whose column is dropped.
const PROBE: &str = "~phiseal_probe";

/// A view or a trigger of the copied schema.
struct SchemaObject {
    kind: String,
    name: String,
}

/// The broken objects, each as `view NAME` or `trigger NAME`.
///
/// Left out are the triggers of our own tables, and guards that update the table that they are on, as all do
/// but those whose table was renamed in SQLite's legacy way. Where a table has sixty sealed columns, SQLite
/// needs half a minute to look through its guard for a column that goes.
pub(super) async fn objects(conn: &mut SqliteConnection) -> Result<Vec<String>> {
    const SCHEMA: &str = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL \
        AND type IN ('table', 'view', 'trigger') AND name NOT GLOB 'sqlite_*' \
        AND NOT (type = 'trigger' AND (tbl_name GLOB 'phiseal_*' OR name GLOB '~phiseal_*' \
            AND instr(sql, 'UPDATE \"' || replace(tbl_name, '\"', '\"\"') || '\" SET') > 0)) \
        ORDER BY type = 'table' DESC, type = 'view' DESC, rowid";
    let rows = bound(SCHEMA, []).fetch_all(&mut *conn).await?;
    let memory = SqliteConnectOptions::new()
        .in_memory(true)
        .foreign_keys(false)
        .disable_statement_logging();
    let mut scratch = memory.connect().await?;
    let (mut made, mut broken) = (Vec::new(), Vec::new());
    for row in rows {
        let kind: String = row.try_get(0)?;
        let name: String = row.try_get(1)?;
        let sql: String = row.try_get(2)?;
        let done = query(sql.clone())
            .persistent(false)
            .execute(&mut scratch)
            .await;
        match (kind.as_str(), done.is_ok()) {
            ("table", true) => {}
            // The table needs a module or collation of the application; a plain table provides its
            // columns.
            ("table", false) => stand_in(conn, &mut scratch, &name).await?,
            (_, true) => made.push(SchemaObject { kind, name }),
            (_, false) => broken.push(format!("{kind} {name}")),
        }
    }
    broken.extend(found_by_a_drop(&mut scratch, made).await?);
    scratch.close().await?;
    Ok(broken)
}

/// Drops a column, and each object that prevents it, until the column is gone; returns these
/// objects.
async fn found_by_a_drop(
    scratch: &mut SqliteConnection,
    mut objects: Vec<SchemaObject>,
) -> Result<Vec<String>> {
    let probe = Ident::new(PROBE)
        .map(|name| name.quoted())
        .unwrap_or_default();
    run(scratch, format!("CREATE TABLE {probe} (a, b)")).await?;
    let mut broken = Vec::new();
    loop {
        let dropped = query(format!("ALTER TABLE {probe} DROP COLUMN b"))
            .persistent(false)
            .execute(&mut *scratch)
            .await;
        let Err(sqlx::Error::Database(refused)) = dropped else {
            return Ok(broken);
        };
        // `error in view NAME: ...`; if the message matches two names, the longer one is meant.
        let at = (0..objects.len())
            .filter(|at| {
                let object = &objects[*at];
                let begin = format!("error in {} {}", object.kind, object.name);
                refused.message().starts_with(&begin)
            })
            .max_by_key(|at| objects[*at].name.len());
        let Some(object) = at.map(|at| objects.remove(at)) else {
            return Ok(broken);
        };
        let Ok(name) = Ident::new(object.name.clone()) else {
            return Ok(broken);
        };
        let away = format!("DROP {} IF EXISTS {}", object.kind, name.quoted());
        broken.push(format!("{} {}", object.kind, object.name));
        run(scratch, away).await?;
    }
}

/// A plain table with the columns of a table that cannot be made here.
async fn stand_in(
    conn: &mut SqliteConnection,
    scratch: &mut SqliteConnection,
    table: &str,
) -> Result<()> {
    const COLUMNS: &str = "SELECT name FROM pragma_table_xinfo(?) ORDER BY cid";
    let columns = bound(COLUMNS, [Bind::from(table)]).fetch_all(conn).await;
    // A missing module tells no columns either; then objects that use the table are reported as
    // broken, as SQLite would do.
    let names: Vec<Ident> = columns
        .unwrap_or_default()
        .iter()
        .filter_map(|row| Ident::new(row.try_get::<String, _>(0).ok()?).ok())
        .collect();
    match Ident::new(table) {
        Ok(table) if !names.is_empty() => {
            let columns = joined(&names, ", ", Ident::quoted);
            // A virtual table may have made a table of this name already.
            let create = format!("CREATE TABLE IF NOT EXISTS {} ({columns})", table.quoted());
            run(scratch, create).await
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
