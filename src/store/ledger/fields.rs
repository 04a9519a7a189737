//! The registry of fields, `encrypted_field_metadata`.
//! Owns its SQL. Labels, and what registration fixes with them, are written once; a label is never
//! freed for another table.

use sqlx::Row;

use super::dialect::Dialect;
use super::procedures;
use super::session::{Session, own_row, statement, unknown, word};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::store::record::GIVEN_UP;
use crate::store::{FieldRecord, FieldState, ProcedureKind, Result, StoreError, Whereabouts};

const COLUMNS: &str = "table_label, column_label, schema_name, table_name, column_name, sealed_column, \
     blind_index_column, blind_index_normaliser, blind_index_bits, blind_index_next, \
     CAST(blind_index_key_id AS bigint) AS blind_index_key_id, tenant_column, key_columns, key_types, \
     source_type, form = 'in_place' AS in_place, CAST(pad_to AS bigint) AS pad_to, state, frozen, \
     plaintext_definition, values_sealed";

/// What registration may change of a field that is registered already: its present names.
const NAMES: [&str; 7] = [
    "schema_name",
    "table_name",
    "column_name",
    "sealed_column",
    "blind_index_column",
    "tenant_column",
    "key_columns",
];

/// All fields, with the names under which they were recorded.
pub(crate) async fn recorded<S: Session>(session: &mut S) -> Result<Vec<FieldRecord>> {
    let table = session.dialect().table("encrypted_field_metadata");
    let sql = format!("SELECT {COLUMNS} FROM {table} ORDER BY table_label, field_id");
    session.fetch(statement(sql)).await
}

/// Registers fields. A field that is registered already takes the present names.
pub(crate) async fn register<S: Session>(session: &mut S, fields: &[FieldRecord]) -> Result<()> {
    let table = session.dialect().table("encrypted_field_metadata");
    let now = session.dialect().now();
    let list = |prefix: &str| {
        let names: Vec<String> = NAMES.iter().map(|name| format!("{prefix}{name}")).collect();
        names.join(", ")
    };
    let set: Vec<String> = NAMES
        .iter()
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    let sql = format!(
        "INSERT INTO {table} AS m (table_label, column_label, schema_name, table_name, column_name, \
           sealed_column, blind_index_column, blind_index_normaliser, blind_index_bits, tenant_column, \
           key_columns, key_types, source_type, form, pad_to, state, blind_index_key_id) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) \
         ON CONFLICT (table_label, column_label) DO UPDATE SET {}, updated_at = {now} \
         WHERE ({}) IS DISTINCT FROM ({})",
        set.join(", "),
        list("m."),
        list("excluded."),
    );
    for field in fields {
        let statement = statement(sql.clone())
            .bind(&field.table_label)
            .bind(&field.column_label)
            .bind(&field.schema_name)
            .bind(&field.table_name)
            .bind(&field.column_name)
            .bind(&field.sealed_column)
            .bind(&field.blind_index_column)
            .bind(&field.blind_index_normaliser)
            .bind(field.blind_index_bits)
            .bind(&field.tenant_column)
            .bind(json(&field.key_columns))
            .bind(json(&field.key_types))
            .bind(&field.source_type)
            .bind(if field.in_place { "in_place" } else { "beside" })
            .bind(field.pad_to)
            .bind(field.state.as_str())
            .bind(field.blind_index_key_id);
        session.execute(statement).await?;
    }
    Ok(())
}

/// The other registered fields of the tables of these fields: a table's present names are recorded for
/// all its fields together.
pub(crate) fn others_of_same_tables(
    registered: Vec<FieldRecord>,
    fields: &[FieldRecord],
) -> Vec<FieldRecord> {
    let is_other = |one: &FieldRecord| {
        let mut same_table = fields
            .iter()
            .filter(|field| field.table_label == one.table_label)
            .peekable();
        same_table.peek().is_some()
            && same_table.all(|field| field.column_label != one.column_label)
    };
    registered.into_iter().filter(is_other).collect()
}

/// Sets the state of fields of one table. Every field must be registered, and its present state must
/// allow the new one ([`FieldState::may_become`]).
pub(crate) async fn set_state<S: Session>(
    session: &mut S,
    table_label: &str,
    columns: &[String],
    state: FieldState,
) -> Result<()> {
    let from: Vec<String> = FieldState::ALL
        .iter()
        .filter(|from| from.may_become(state))
        .map(|from| format!("'{from}'"))
        .collect();
    let sql = format!(
        "UPDATE {} SET state = $3, updated_at = CASE WHEN state = $3 THEN updated_at ELSE {} END \
         WHERE table_label = $1 AND column_label = $2 AND state IN ({})",
        session.dialect().table("encrypted_field_metadata"),
        session.dialect().now(),
        from.join(", "),
    );
    for column in columns {
        let statement = statement(sql.clone())
            .bind(table_label)
            .bind(column)
            .bind(state.as_str());
        if session.execute(statement).await? != 1 {
            return Err(refused_move(session, table_label, column).await?);
        }
    }
    if state == FieldState::Sealing {
        // What is sealed again is not restored any more.
        let restore = ProcedureKind::Restore;
        procedures::finish_of(session, restore, table_label, None, GIVEN_UP).await?;
    }
    if !matches!(state, FieldState::Scrubbed | FieldState::Declared) {
        // What was rewritten before holds plaintext again, or did so until now.
        let scrub = ProcedureKind::Scrub;
        procedures::finish_of(session, scrub, table_label, None, GIVEN_UP).await?;
    }
    Ok(())
}

/// Sets the state of fields of one table to restored, as far as they are registered.
#[cfg(feature = "sqlite")]
pub(crate) async fn set_restored<S: Session>(
    session: &mut S,
    table_label: &str,
    columns: &[String],
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET state = '{}', updated_at = {} WHERE table_label = $1 AND column_label = $2",
        session.dialect().table("encrypted_field_metadata"),
        FieldState::Restored,
        session.dialect().now(),
    );
    for column in columns {
        let update = statement(sql.clone()).bind(table_label).bind(column);
        session.execute(update).await?;
    }
    Ok(())
}

/// Why the state of a field was not set.
async fn refused_move<S: Session>(
    session: &mut S,
    table_label: &str,
    column: &str,
) -> Result<StoreError> {
    let fields = recorded(session).await?;
    let is_registered = fields
        .iter()
        .any(|field| field.table_label == table_label && field.column_label == column);
    registered(u64::from(is_registered))?;
    Ok(StoreError::FieldMoved {
        field: format!("{table_label}.{column}"),
    })
}

/// Records the column that takes a field's new blind index, or that there is none any more, together
/// with the key of the present index if that is known.
pub(crate) async fn set_next<S: Session>(
    session: &mut S,
    table_label: &str,
    column_label: &str,
    next: Option<&Ident>,
    key_id: Option<KeyId>,
) -> Result<()> {
    let sql = format!(
        "UPDATE {} SET blind_index_next = $3, blind_index_key_id = coalesce($4, blind_index_key_id), \
         updated_at = {} WHERE table_label = $1 AND column_label = $2",
        session.dialect().table("encrypted_field_metadata"),
        session.dialect().now(),
    );
    let statement = statement(sql)
        .bind(table_label)
        .bind(column_label)
        .bind(next.map(Ident::as_str))
        .bind(key_id);
    registered(session.execute(statement).await?)
}

fn registered(rows: u64) -> Result<()> {
    match rows {
        1 => Ok(()),
        _ => Err(StoreError::missing("a registered field")),
    }
}

/// A list of names as JSON, since a name may hold any character.
fn json(names: &[String]) -> String {
    serde_json::Value::from(names.to_vec()).to_string()
}

fn names(text: &str) -> sqlx::Result<Vec<String>> {
    serde_json::from_str(text).map_err(|_| unknown("key_columns"))
}

own_row!(
    FieldRecord,
    "a registered field of another form than this program makes",
    |row| FieldRecord {
        table_label: row.try_get("table_label")?,
        column_label: row.try_get("column_label")?,
        schema_name: row.try_get("schema_name")?,
        table_name: row.try_get("table_name")?,
        column_name: row.try_get("column_name")?,
        sealed_column: row.try_get("sealed_column")?,
        blind_index_column: row.try_get("blind_index_column")?,
        blind_index_normaliser: row.try_get("blind_index_normaliser")?,
        blind_index_bits: row.try_get("blind_index_bits")?,
        blind_index_next: row.try_get("blind_index_next")?,
        blind_index_key_id: row.try_get("blind_index_key_id")?,
        tenant_column: row.try_get("tenant_column")?,
        key_columns: names(row.try_get("key_columns")?)?,
        key_types: names(row.try_get("key_types")?)?,
        source_type: row.try_get("source_type")?,
        in_place: row.try_get("in_place")?,
        pad_to: u32::try_from(row.try_get::<i64, _>("pad_to")?).map_err(|_| unknown("pad_to"))?,
        state: word(row, "state")?,
        frozen: row.try_get("frozen")?,
        plaintext_definition: row.try_get("plaintext_definition")?,
        values_sealed: row.try_get("values_sealed")?,
        place: Whereabouts::default(),
    }
);
