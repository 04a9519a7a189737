//! Reads facts of the file and of a table from the catalog.
//! Owns the pragmas and their decoding. Reads no value of a row, only storage classes and counts.

mod relations;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connection::{self, FileOpener};
use super::schema_text::mentions;
use super::shape::{Shape, joined};
use super::statement::{Bind, bound, literal};
use super::{broken, fault, mark};
use crate::ident::{Ident, TableName};
use crate::store::catalog::{ColumnFacts, DependentFacts, IndexFacts, KeyFacts, RelationKind};
use crate::store::{
    Access, Result, Sealed, Select, ServerFacts, StoreError, Survey, Table, TableFacts,
};

/// The most columns that a table can have in a library with the default limits
/// (sqlite.org/limits.html).
const COLUMNS_MAX: i64 = 2000;

/// phiseal's own tables, all of which must exist.
const OWN_TABLES: [&str; 15] = [
    "phiseal_encryption_keys",
    "phiseal_key_rotation_history",
    "phiseal_key_transition_entries",
    "phiseal_encrypted_field_metadata",
    "phiseal_runs",
    "phiseal_lanes",
    "phiseal_procedures",
    "phiseal_quarantine",
    "phiseal_audit_log",
    "phiseal_audit_head",
    "phiseal_mark",
    "phiseal_guard_mark",
    "phiseal_guard_gaps",
    "phiseal_sealed_relations",
    "phiseal_end_of_tables",
];

/// Facts of the library and the file.
pub(super) async fn server(
    conn: &mut SqliteConnection,
    opener: &FileOpener,
) -> Result<ServerFacts> {
    let version: String = one(conn, "SELECT sqlite_version()").await?;
    let encoding: String = one(conn, "SELECT encoding FROM pragma_encoding").await?;
    let names = OWN_TABLES.map(literal).join(", ");
    let sql =
        format!("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ({names})");
    let own: i64 = one(conn, &sql).await?;
    let number = version.split('.').fold(0_i64, |number, part| {
        number * 1000 + part.parse::<i64>().unwrap_or(0)
    });
    let installed = usize::try_from(own) == Ok(OWN_TABLES.len());
    Ok(ServerFacts {
        guard_gaps: match installed {
            true => mark::gaps(conn).await?,
            false => Vec::new(),
        },
        version: format!("SQLite {version}"),
        version_num: number,
        // Spelled as PostgreSQL does.
        encoding: encoding.replace("UTF-", "UTF"),
        read_only: opener.is_read_only(conn).await?,
        broken_objects: broken::objects(conn).await?,
        installed,
        ..ServerFacts::default()
    })
}

async fn one<T>(conn: &mut SqliteConnection, sql: &str) -> Result<T>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>,
{
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

/// The number of rows in a table.
pub(super) async fn row_count(conn: &mut SqliteConnection, table: &Ident) -> Result<u64> {
    let count: i64 = one(conn, &format!("SELECT count(*) FROM {}", table.quoted())).await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Counts the rows that are still to be sealed; counts nothing if sealed columns do not exist yet.
pub(super) async fn survey(conn: &mut SqliteConnection, table: &Table) -> Result<Survey> {
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
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    let (needs, of): (i64, i64) = (
        row.try_get(0).map_err(fault::of)?,
        row.try_get(1).map_err(fault::of)?,
    );
    Ok(Survey {
        left: (of > 0).then(|| needs as f64 / of as f64),
        ..Survey::default()
    })
}

/// Facts of one table or view; `None` if there is none of that name.
pub(super) async fn table(
    conn: &mut SqliteConnection,
    name: &TableName,
) -> Result<Option<TableFacts>> {
    let mut snapshot = connection::read_transaction(conn).await?;
    let facts = table_facts(&mut snapshot, &name.name).await?;
    snapshot.rollback().await.map_err(fault::of)?;
    Ok(facts)
}

/// The names of tables, without SQLite's own and phiseal's.
pub(super) async fn table_names(conn: &mut SqliteConnection) -> Result<Vec<TableName>> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' \
               AND name NOT GLOB 'sqlite_*' AND name NOT GLOB 'phiseal_*' ORDER BY 1 LIMIT 10000";
    let rows = bound(sql, []).fetch_all(conn).await.map_err(fault::of)?;
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
    let without_rowid: bool = listed.try_get("wr").map_err(fault::of)?;
    let mut facts = TableFacts {
        name: name.as_str().to_owned(),
        kind,
        owner: true,
        ..TableFacts::default()
    };
    columns(conn, &name, &mut facts).await?;
    if kind != RelationKind::Table {
        return Ok(Some(facts));
    }
    let schema = schema(conn).await?;
    let own = schema
        .iter()
        .find(|object| object.kind == "table" && object.name == name.as_str());
    let create = own.map(|object| object.sql.clone()).unwrap_or_default();
    indexes(conn, &name, &schema, &mut facts).await?;
    primary_key(conn, &name, without_rowid, &mut facts).await?;
    relations::foreign_keys(conn, &name, &schema, &mut facts).await?;
    relations::read_schema(&schema, &create, &mut facts);
    storage_classes(conn, &name, &mut facts).await?;
    facts.columns_ever = i64::try_from(facts.columns.len()).unwrap_or(i64::MAX);
    facts.columns_max = COLUMNS_MAX;
    facts.rows = i64::try_from(row_count(conn, &name).await?).unwrap_or(i64::MAX);
    facts.bytes = bytes(conn, &facts).await?;
    facts.row_bytes = facts.bytes / facts.rows.max(1);
    Ok(Some(facts))
}

async fn all(conn: &mut SqliteConnection, sql: &str, name: &Ident) -> Result<Vec<SqliteRow>> {
    bound(sql, [Bind::Text(name.as_str().to_owned())])
        .fetch_all(conn)
        .await
        .map_err(fault::of)
}

fn text(row: &SqliteRow, column: &str) -> Result<String> {
    let text: Option<String> = row.try_get(column).map_err(fault::of)?;
    Ok(text.unwrap_or_default())
}

fn unexpected() -> StoreError {
    StoreError::Unexpected {
        what: "a name in the catalog that is no identifier",
    }
}

async fn columns(conn: &mut SqliteConnection, name: &Ident, facts: &mut TableFacts) -> Result<()> {
    const COLUMNS: &str = "SELECT name, type, \"notnull\", dflt_value IS NOT NULL AS has_default, hidden \
        FROM pragma_table_xinfo(?) WHERE hidden <> 1 ORDER BY cid";
    for row in all(conn, COLUMNS, name).await? {
        let declared = text(&row, "type")?;
        let hidden: i64 = row.try_get("hidden").map_err(fault::of)?;
        facts.columns.push(ColumnFacts {
            name: text(&row, "name")?,
            base_type: declared.to_lowercase(),
            sql_type: declared,
            type_class: 'b',
            not_null: row.try_get("notnull").map_err(fault::of)?,
            has_default: row.try_get("has_default").map_err(fault::of)?,
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
    .await
    .map_err(fault::of)?;
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

async fn indexes(
    conn: &mut SqliteConnection,
    name: &Ident,
    schema: &[SchemaObject],
    facts: &mut TableFacts,
) -> Result<()> {
    const INDEXES: &str = "SELECT list.name, list.\"unique\", list.origin, list.partial, info.name AS column_name \
        FROM pragma_index_list(?) AS list, pragma_index_xinfo(list.name) AS info \
        WHERE info.key ORDER BY list.origin = 'pk' DESC, list.seq, info.seqno";
    for row in all(conn, INDEXES, name).await? {
        let index = text(&row, "name")?;
        // NULL for an expression.
        let column: Option<String> = row.try_get("column_name").map_err(fault::of)?;
        let unique: bool = row.try_get("unique").map_err(fault::of)?;
        let partial: bool = row.try_get("partial").map_err(fault::of)?;
        if facts.indexes.last().is_none_or(|last| last.name != index) {
            facts.indexes.push(IndexFacts {
                name: index.clone(),
                method: "btree".to_owned(),
                unique,
                columns: Vec::new(),
            });
            if unique {
                facts.keys.push(KeyFacts {
                    name: index.clone(),
                    primary: text(&row, "origin")? == "pk",
                    partial,
                    ..KeyFacts::default()
                });
            }
        }
        if let Some(last) = facts.indexes.last_mut() {
            last.columns.extend(column.clone());
        }
        if let Some(key) = facts.keys.last_mut().filter(|_| unique) {
            key.partial |= column.is_none();
            key.columns.extend(column);
        }
    }
    // Expressions and conditions of indexes mention columns that no pragma lists.
    for index in 0..facts.indexes.len() {
        let object = schema
            .iter()
            .find(|object| object.kind == "index" && object.name == facts.indexes[index].name);
        let body = object.and_then(|object| object.sql.split_once('('));
        for column in body
            .map(|(_, body)| mentioned(facts, body))
            .unwrap_or_default()
        {
            if !facts.indexes[index].columns.contains(&column) {
                facts.indexes[index].columns.push(column);
            }
        }
    }
    Ok(())
}

/// Adds an INTEGER PRIMARY KEY, which is the rowid itself and has no index.
async fn primary_key(
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
async fn storage_classes(
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
    let first = bound(sql, [])
        .fetch_optional(&mut *conn)
        .await
        .map_err(fault::of)?;
    let Some(first) = first else {
        return Ok(());
    };
    let mut differs = Vec::with_capacity(columns.len());
    for (at, column) in facts.columns.iter_mut().enumerate() {
        let class: String = first.try_get(at).map_err(fault::of)?;
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
    let row = bound(sql, []).fetch_one(conn).await.map_err(fault::of)?;
    for (at, column) in facts.columns.iter_mut().enumerate() {
        let more: Option<String> = row.try_get(at).map_err(fault::of)?;
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

/// The bytes of the pages of the table and its indexes.
async fn bytes(conn: &mut SqliteConnection, facts: &TableFacts) -> Result<i64> {
    let names = std::iter::once(&facts.name).chain(facts.indexes.iter().map(|index| &index.name));
    let names: Vec<&String> = names.collect();
    let sql = format!(
        "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE aggregate = TRUE AND name IN ({})",
        vec!["?"; names.len()].join(", "),
    );
    let row = bound(sql, names.into_iter().map(|name| Bind::Text(name.clone())))
        .fetch_one(conn)
        .await
        .map_err(fault::of)?;
    row.try_get(0).map_err(fault::of)
}

#[cfg(test)]
mod tests;
