//! The fields that a table's guard must cover: those of the present plan, and those sealed before.
//! A plan of one column must not leave the table's other sealed columns without a guard.

use sqlx::sqlite::SqliteConnection;

use super::super::relations;
use super::super::sql::{Bind, scalar};
use crate::ident::Ident;
use crate::store::plaintext::HIDDEN;
use crate::store::{FieldRecord, Result, Sealed, StoreError, Table, TableField};

/// Adds to `table` the registered fields that it does not name, and the columns that
/// the registry says take a new blind index. Leaves out columns that do not exist, since a trigger
/// that names one would fail every write to the table. A plaintext column that is hidden is found
/// under its hidden name.
pub(crate) async fn with_registered(conn: &mut SqliteConnection, table: &Table) -> Result<Table> {
    let mut whole = table.clone();
    if !registry_is_there(conn).await? {
        return Ok(whole);
    }
    for record in relations::present_fields(conn).await? {
        if record.table_label != table.label {
            continue;
        }
        let is_hidden = record.column_name.starts_with(HIDDEN);
        let named = whole.fields.iter_mut().find(|field| {
            field.column.as_str() == record.column_name
                || (is_hidden && field.label == record.column_label)
        });
        if let Some(field) = named {
            field.index_next = next(&record)?;
            field.column = name(&record.column_name)?;
            continue;
        }
        if record.state.may_hold_seals() {
            whole.fields.extend(field(conn, table, &record).await?);
        }
    }
    for field in &mut whole.fields {
        if let Some(next) = &field.index_next
            && declared_type(conn, table, next.as_str()).await?.is_none()
        {
            field.index_next = None;
        }
        let plain = declared_type(conn, table, field.column.as_str()).await?;
        field.plain_exists = plain.is_some();
    }
    whole.fields.sort_by(|a, b| a.column.cmp(&b.column));
    Ok(whole)
}

/// The labels of a table's fields that take no plaintext any more.
pub(super) async fn frozen(conn: &mut SqliteConnection, table_label: &str) -> Result<Vec<String>> {
    const FROZEN: &str = "SELECT column_label FROM phiseal_encrypted_field_metadata \
        WHERE table_label = ? AND frozen ORDER BY 1";
    if !registry_is_there(conn).await? {
        return Ok(Vec::new());
    }
    let labels = scalar(FROZEN, [Bind::from(table_label)]);
    Ok(labels.fetch_all(conn).await?)
}

/// The column that takes the new blind index of a field.
fn next(record: &FieldRecord) -> Result<Option<Ident>> {
    record.blind_index_next.as_deref().map(name).transpose()
}

fn name(text: &str) -> Result<Ident> {
    Ident::new(text).map_err(|_| StoreError::unexpected("a column name in the registry"))
}

async fn registry_is_there(conn: &mut SqliteConnection) -> Result<bool> {
    let count: i64 = scalar(
        "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'phiseal_encrypted_field_metadata'",
        [],
    )
    .fetch_one(conn)
    .await?;
    Ok(count > 0)
}

/// The field with those of its columns that exist; `None` if the column of its sealed values does
/// not.
async fn field(
    conn: &mut SqliteConnection,
    table: &Table,
    record: &FieldRecord,
) -> Result<Option<TableField>> {
    let column = record.sealed_column.as_ref().unwrap_or(&record.column_name);
    let Some(kind) = declared_type(conn, table, column).await? else {
        return Ok(None);
    };
    let sealed = match &record.sealed_column {
        None => Sealed::InPlace,
        Some(column) => Sealed::Beside {
            column: name(column)?,
            text: kind.contains("text") || kind.contains("char"),
        },
    };
    let plain = declared_type(conn, table, &record.column_name).await?;
    let index = match &record.blind_index_column {
        Some(index) => declared_type(conn, table, index).await?.map(|_| index),
        None => None,
    };
    Ok(Some(TableField {
        column: name(&record.column_name)?,
        label: record.column_label.clone(),
        source_type: record.source_type.clone(),
        plain_is_bytes: false,
        plain_is_varlena_text: true,
        sealed,
        index: index.map(|index| name(index)).transpose()?,
        index_next: next(record)?,
        index_unique: false,
        plain_exists: plain.is_some(),
    }))
}

/// The declared type of a column in lower case; `None` if there is no such column.
async fn declared_type(
    conn: &mut SqliteConnection,
    table: &Table,
    column: &str,
) -> Result<Option<String>> {
    let table_name = table.name.name.as_str().to_owned();
    Ok(scalar(
        "SELECT lower(type) FROM pragma_table_xinfo(?) WHERE name = ?",
        [Bind::from(table_name), Bind::from(column)],
    )
    .fetch_optional(conn)
    .await?)
}
