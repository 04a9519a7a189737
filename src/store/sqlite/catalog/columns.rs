//! Reads the columns of a table, those of its primary key, and the storage classes of their values.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::super::sql::{bound, literal};
use super::{all, text, unexpected};
use crate::ident::Ident;
use crate::store::catalog::{ColumnFacts, DependentFacts, KeyFacts};
use crate::store::text::joined;
use crate::store::{Result, TableFacts};

pub(super) async fn columns(
    conn: &mut SqliteConnection,
    name: &Ident,
    facts: &mut TableFacts,
) -> Result<()> {
    const COLUMNS: &str = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL AS has_default, hidden \
        FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid";
    for row in all(conn, COLUMNS, name).await? {
        let declared = text(&row, "type")?;
        let hidden: i64 = row.try_get("hidden")?;
        facts.columns.push(ColumnFacts {
            name: text(&row, "name")?,
            base_type: declared.to_lowercase(),
            sql_type: declared,
            type_class: 'b',
            not_null: row.try_get("notnull")?,
            has_default: row.try_get("has_default")?,
            generated: hidden >= 2,
            ..ColumnFacts::default()
        });
    }
    let generated = facts.columns.iter().filter(|column| column.generated);
    facts.dependents = generated
        .map(|column| DependentFacts {
            kind: "generated column".to_owned(),
            name: column.name.clone(),
            columns: Vec::new(),
        })
        .collect();
    Ok(())
}

/// Adds an INTEGER PRIMARY KEY, which is the rowid itself and has no index.
pub(super) async fn primary_key(
    conn: &mut SqliteConnection,
    name: &Ident,
    without_rowid: bool,
    facts: &mut TableFacts,
) -> Result<()> {
    const KEY: &str = "SELECT name FROM pragma_table_xinfo(?) WHERE pk > 0 ORDER BY pk";
    let rows = all(conn, KEY, name).await?;
    let columns: Vec<String> = rows
        .iter()
        .map(|row| text(row, "name"))
        .collect::<Result<_>>()?;
    let is_rowid = !columns.is_empty() && !facts.keys.iter().any(|key| key.primary);
    if is_rowid {
        facts.keys.insert(
            0,
            KeyFacts {
                name: "rowid".to_owned(),
                columns: columns.clone(),
                primary: true,
                ..KeyFacts::default()
            },
        );
    }
    if is_rowid || without_rowid {
        for column in facts
            .columns
            .iter_mut()
            .filter(|column| columns.contains(&column.name))
        {
            column.not_null = true;
        }
    }
    Ok(())
}

/// Finds the storage classes of every column in one pass over the table: the classes of one row,
/// and of the rows that differ from it, which are usually few.
pub(super) async fn storage_classes(
    conn: &mut SqliteConnection,
    name: &Ident,
    facts: &mut TableFacts,
) -> Result<()> {
    let columns = facts
        .columns
        .iter()
        .map(|column| Ident::new(column.name.clone()).map(|name| name.quoted()));
    let columns: Vec<String> = columns
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| unexpected())?;
    let table = name.quoted();
    let classes = joined(&columns, ", ", |column| format!("typeof({column})"));
    let sql = format!("SELECT {classes} FROM {table} LIMIT 1");
    let first = bound(sql, []).fetch_optional(&mut *conn).await?;
    let Some(first) = first else {
        return Ok(());
    };
    let mut differs = Vec::with_capacity(columns.len());
    for (at, column) in facts.columns.iter_mut().enumerate() {
        let class: String = first.try_get(at)?;
        differs.push(format!("typeof({}) <> {}", columns[at], literal(&class)));
        column.storage_classes = vec![class];
    }
    let sql = format!(
        "SELECT {} FROM {table} WHERE {}",
        joined(&columns, ", ", |column| format!(
            "group_concat(DISTINCT typeof({column}))"
        )),
        differs.join(" OR "),
    );
    let row = bound(sql, []).fetch_one(conn).await?;
    for (at, column) in facts.columns.iter_mut().enumerate() {
        let more: Option<String> = row.try_get(at)?;
        let classes = &mut column.storage_classes;
        classes.extend(
            more.iter()
                .flat_map(|more| more.split(','))
                .map(str::to_owned),
        );
        classes.retain(|class| class != "null");
        classes.sort();
        classes.dedup();
    }
    Ok(())
}
