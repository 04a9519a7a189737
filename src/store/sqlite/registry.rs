//! The registry of fields.
//! Owns its rows. Labels, and what registration fixes with them, are written once.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connection;
use super::fault;
use super::relations;
use super::statement::{bound, statement};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::store::{FieldRecord, FieldState, Result, StoreError, Whereabouts};

/// All fields, with the present names of their tables and columns.
pub(super) async fn fields(conn: &mut SqliteConnection) -> Result<Vec<FieldRecord>> {
    let rows = bound(
        "SELECT * FROM phiseal_encrypted_field_metadata ORDER BY field_id",
        [],
    )
    .fetch_all(&mut *conn)
    .await
    .map_err(fault::of)?;
    let mut fields = rows.iter().map(field_record).collect::<Result<Vec<_>>>()?;
    relations::locate(conn, &mut fields).await?;
    Ok(fields)
}

/// Registers fields. A field that is registered already keeps what was fixed, and takes its present
/// names.
pub(super) async fn register(conn: &mut SqliteConnection, fields: &[FieldRecord]) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    let mut all = follow_others(&mut transaction, fields).await?;
    all.extend(fields.iter().cloned());
    for field in &all {
        statement(
            "INSERT INTO phiseal_encrypted_field_metadata (table_label, column_label, schema_name, \
             table_name, column_name, sealed_column, blind_index_column, blind_index_normaliser, \
             blind_index_bits, tenant_column, key_columns, key_types, source_type, form, pad_to, state, \
             blind_index_key_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (table_label, column_label) DO UPDATE SET table_name = excluded.table_name, \
             column_name = excluded.column_name, sealed_column = excluded.sealed_column, \
             blind_index_column = excluded.blind_index_column, tenant_column = excluded.tenant_column, \
             key_columns = excluded.key_columns",
        )
        .bind(field.table_label.clone())
        .bind(field.column_label.clone())
        .bind(field.schema_name.clone())
        .bind(field.table_name.clone())
        .bind(field.column_name.clone())
        .bind(field.sealed_column.clone())
        .bind(field.blind_index_column.clone())
        .bind(field.blind_index_normaliser.clone())
        .bind(field.blind_index_bits)
        .bind(field.tenant_column.clone())
        .bind(list(&field.key_columns))
        .bind(list(&field.key_types))
        .bind(field.source_type.clone())
        .bind(if field.in_place { "in_place" } else { "beside" })
        .bind(i64::from(field.pad_to))
        .bind(field.state.as_str())
        .bind(field.blind_index_key_id)
        .execute(&mut *transaction)
        .await
        .map_err(fault::of)?;
    }
    connection::commit(transaction).await
}

/// The registered fields of the same tables that are not among these. A table's columns are
/// recorded for all its fields together.
async fn follow_others(
    conn: &mut SqliteConnection,
    named: &[FieldRecord],
) -> Result<Vec<FieldRecord>> {
    let is_named = |one: &FieldRecord| {
        named.iter().any(|field| {
            field.table_label == one.table_label && field.column_label == one.column_label
        })
    };
    let mut others = fields(conn).await?;
    others.retain(|one| {
        named
            .iter()
            .any(|field| field.table_label == one.table_label)
            && !is_named(one)
    });
    let mut seen: Vec<&str> = Vec::new();
    for field in named {
        if !seen.contains(&field.table_label.as_str()) {
            seen.push(&field.table_label);
            relations::follow(conn, &field.table_label, &field.table_name).await?;
        }
    }
    Ok(others)
}

/// Moves the fields of one table to a state.
pub(super) async fn set_state(
    conn: &mut SqliteConnection,
    table_label: &str,
    columns: &[String],
    state: FieldState,
) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    for column in columns {
        let moved = statement(
            "UPDATE phiseal_encrypted_field_metadata SET state = ?, \
             updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
             WHERE table_label = ? AND column_label = ?",
        )
        .bind(state.as_str())
        .bind(table_label.to_owned())
        .bind(column.clone())
        .execute(&mut *transaction)
        .await
        .map_err(fault::of)?;
        registered(moved.rows_affected())?;
    }
    connection::commit(transaction).await
}

/// Records the column that takes a field's new blind index, or that there is none any more,
/// together with the key of the present index if that is known.
pub(super) async fn set_next(
    conn: &mut SqliteConnection,
    table_label: &str,
    column_label: &str,
    next: Option<&Ident>,
    key_id: Option<KeyId>,
) -> Result<()> {
    let noted = statement(
        "UPDATE phiseal_encrypted_field_metadata SET blind_index_next = ?, \
         blind_index_key_id = coalesce(?, blind_index_key_id), \
         updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE table_label = ? AND column_label = ?",
    )
    .bind(next.map(|next| next.as_str().to_owned()))
    .bind(key_id.map(|key_id| i64::from(key_id.get())))
    .bind(table_label.to_owned())
    .bind(column_label.to_owned())
    .execute(conn)
    .await
    .map_err(fault::of)?;
    registered(noted.rows_affected())
}

fn registered(rows: u64) -> Result<()> {
    match rows {
        1 => Ok(()),
        _ => Err(StoreError::Missing {
            what: "a registered field".to_owned(),
        }),
    }
}

/// A list of names as JSON, since a name may hold any character.
fn list(names: &[String]) -> String {
    serde_json::Value::from(names).to_string()
}

fn unlist(json: &str) -> Result<Vec<String>> {
    serde_json::from_str(json).map_err(|_| unexpected())
}

fn unexpected() -> StoreError {
    StoreError::Unexpected {
        what: "a registered field of another form than this program makes",
    }
}

fn field_record(row: &SqliteRow) -> Result<FieldRecord> {
    let text = |column: &str| row.try_get::<String, _>(column).map_err(fault::of);
    let maybe = |column: &str| row.try_get::<Option<String>, _>(column).map_err(fault::of);
    let number = |column: &str| row.try_get::<i64, _>(column).map_err(fault::of);
    Ok(FieldRecord {
        table_label: text("table_label")?,
        column_label: text("column_label")?,
        schema_name: text("schema_name")?,
        table_name: text("table_name")?,
        column_name: text("column_name")?,
        sealed_column: maybe("sealed_column")?,
        blind_index_column: maybe("blind_index_column")?,
        blind_index_normaliser: maybe("blind_index_normaliser")?,
        blind_index_bits: row.try_get("blind_index_bits").map_err(fault::of)?,
        blind_index_next: maybe("blind_index_next")?,
        blind_index_key_id: row.try_get("blind_index_key_id").map_err(fault::of)?,
        tenant_column: maybe("tenant_column")?,
        key_columns: unlist(&text("key_columns")?)?,
        key_types: unlist(&text("key_types")?)?,
        source_type: text("source_type")?,
        in_place: text("form")? == "in_place",
        pad_to: u32::try_from(number("pad_to")?).map_err(|_| unexpected())?,
        state: text("state")?.parse().map_err(|()| unexpected())?,
        values_sealed: number("values_sealed")?,
        place: Whereabouts::default(),
    })
}
