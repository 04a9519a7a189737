//! The registry of fields, `encrypted_field_metadata`.
//! Owns its SQL. A label in it is never freed for another table.

use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::committed;
use super::fault::map;
use super::relations;
use super::sql::query;
use crate::store::{FieldRecord, FieldState, Result, StoreError, Whereabouts};

const COLUMNS: &str = "table_label, column_label, schema_name, table_name, column_name, sealed_column, \
     blind_index_column, blind_index_normaliser, blind_index_bits::int4, \
     blind_index_next, blind_index_key_id::int8, tenant_column, key_columns, key_types, \
     source_type, form, pad_to::int8, state, values_sealed::int8";

pub(super) async fn fields(store: &PostgresStore) -> Result<Vec<FieldRecord>> {
    let mut tx = store.begin().await?;
    let fields = fields_now(store, &mut tx).await?;
    committed(tx).await?;
    Ok(fields)
}

/// All registered fields, with the names that their tables and columns have now.
pub(super) async fn fields_now(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
) -> Result<Vec<FieldRecord>> {
    let rows = query(format!(
        "SELECT {COLUMNS} FROM {} ORDER BY table_label, field_id",
        store.own("encrypted_field_metadata")
    ))
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    let mut fields = rows.iter().map(decode).collect::<Result<Vec<_>>>()?;
    relations::locate(store, tx, &mut fields).await?;
    Ok(fields)
}

pub(super) async fn register(store: &PostgresStore, fields: &[FieldRecord]) -> Result<()> {
    let sql = format!(
        "INSERT INTO {} AS m (table_label, column_label, schema_name, table_name, column_name, sealed_column, \
           blind_index_column, blind_index_normaliser, blind_index_bits, tenant_column, key_columns, key_types, \
           source_type, form, pad_to, state, blind_index_key_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17::int8) \
         ON CONFLICT (table_label, column_label) DO UPDATE SET schema_name = excluded.schema_name, \
           table_name = excluded.table_name, column_name = excluded.column_name, \
           sealed_column = excluded.sealed_column, blind_index_column = excluded.blind_index_column, \
           tenant_column = excluded.tenant_column, key_columns = excluded.key_columns, \
           updated_at = clock_timestamp() \
         WHERE (m.schema_name, m.table_name, m.column_name, m.sealed_column, m.blind_index_column, m.tenant_column, \
             m.key_columns) IS DISTINCT FROM (excluded.schema_name, excluded.table_name, excluded.column_name, \
             excluded.sealed_column, excluded.blind_index_column, excluded.tenant_column, excluded.key_columns)",
        store.own("encrypted_field_metadata")
    );
    let mut tx = store.begin().await?;
    let mut all = follow_others(store, &mut tx, fields).await?;
    all.extend(fields.iter().cloned());
    for field in &all {
        query(sql.clone())
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
            .bind(json(&field.key_columns))
            .bind(json(&field.key_types))
            .bind(field.source_type.clone())
            .bind(if field.in_place { "in_place" } else { "beside" })
            .bind(field.pad_to.cast_signed())
            .bind(field.state.as_str())
            .bind(field.blind_index_key_id)
            .execute(&mut *tx)
            .await
            .map_err(map)?;
    }
    committed(tx).await
}

/// The other registered fields of the same tables, with their present names: a table's columns are
/// recorded for all its fields together.
async fn follow_others(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    fields: &[FieldRecord],
) -> Result<Vec<FieldRecord>> {
    let is_named = |one: &FieldRecord| {
        fields.iter().any(|field| {
            field.table_label == one.table_label && field.column_label == one.column_label
        })
    };
    let mut labels: Vec<&str> = Vec::new();
    for field in fields {
        if !labels.contains(&field.table_label.as_str()) {
            labels.push(&field.table_label);
        }
    }
    let mut others = fields_now(store, tx).await?;
    others.retain(|one| labels.contains(&one.table_label.as_str()) && !is_named(one));
    for label in labels {
        if let Some(field) = fields.iter().find(|field| field.table_label == label) {
            let table = relations::table_name(field.schema_name.clone(), field.table_name.clone())?;
            relations::follow(store, tx, label, &table).await?;
        }
    }
    Ok(others)
}

pub(super) async fn set_state(
    store: &PostgresStore,
    table_label: &str,
    columns: &[String],
    state: FieldState,
) -> Result<()> {
    let mut tx = store.begin().await?;
    query(format!(
        "UPDATE {} SET state = $3, updated_at = clock_timestamp() \
         WHERE table_label = $1 AND column_label = ANY ($2) AND state <> $3",
        store.own("encrypted_field_metadata")
    ))
    .bind(table_label.to_owned())
    .bind(columns.to_vec())
    .bind(state.as_str())
    .execute(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await
}

fn json(names: &[String]) -> String {
    serde_json::Value::from(names.to_vec()).to_string()
}

fn names(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|_| StoreError::Unexpected {
        what: "a list of key columns that is not JSON",
    })
}

fn decode(row: &PgRow) -> Result<FieldRecord> {
    let form: String = row.try_get("form").map_err(map)?;
    let state: String = row.try_get("state").map_err(map)?;
    let pad_to: i64 = row.try_get("pad_to").map_err(map)?;
    Ok(FieldRecord {
        table_label: row.try_get("table_label").map_err(map)?,
        column_label: row.try_get("column_label").map_err(map)?,
        schema_name: row.try_get("schema_name").map_err(map)?,
        table_name: row.try_get("table_name").map_err(map)?,
        column_name: row.try_get("column_name").map_err(map)?,
        sealed_column: row.try_get("sealed_column").map_err(map)?,
        blind_index_column: row.try_get("blind_index_column").map_err(map)?,
        blind_index_normaliser: row.try_get("blind_index_normaliser").map_err(map)?,
        blind_index_bits: row.try_get("blind_index_bits").map_err(map)?,
        blind_index_next: row.try_get("blind_index_next").map_err(map)?,
        blind_index_key_id: row.try_get("blind_index_key_id").map_err(map)?,
        tenant_column: row.try_get("tenant_column").map_err(map)?,
        key_columns: names(&row.try_get::<String, _>("key_columns").map_err(map)?)?,
        key_types: names(&row.try_get::<String, _>("key_types").map_err(map)?)?,
        source_type: row.try_get("source_type").map_err(map)?,
        in_place: form == "in_place",
        pad_to: u32::try_from(pad_to).unwrap_or_default(),
        state: state.parse().map_err(|()| StoreError::Unexpected {
            what: "a state of a field this version does not know",
        })?,
        values_sealed: row.try_get("values_sealed").map_err(map)?,
        place: Whereabouts::default(),
    })
}
