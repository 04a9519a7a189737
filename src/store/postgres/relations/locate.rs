//! What the tables and columns of registered fields are called now.
//! Owns how they are found: by their numbers, else by their guard, else by their recorded names.

use super::super::PostgresStore;
use super::super::guard;
use super::super::sql::{query, scalar};
use crate::ident::{Ident, TableName};
use crate::store::ledger::fields;
use crate::store::plaintext::{HIDDEN, hidden_name};
use crate::store::{FieldRecord, Found, Result, StoreError};
use sqlx::{PgConnection, Row};
use std::collections::HashMap;

use super::{DATABASE, RecordedRelation, columns_of, seen, table_name};

/// All registered fields, with the names that their tables and columns have now.
pub(crate) async fn present_fields(
    store: &PostgresStore,
    conn: &mut PgConnection,
) -> Result<Vec<FieldRecord>> {
    let mut fields = fields::recorded(&mut store.session(&mut *conn)).await?;
    locate(store, conn, &mut fields).await?;
    Ok(fields)
}

/// Gives each field the names that its table and columns have now.
pub(crate) async fn locate(
    store: &PostgresStore,
    conn: &mut PgConnection,
    fields: &mut [FieldRecord],
) -> Result<()> {
    let roots: HashMap<String, RecordedRelation> = seen(store, conn)
        .await?
        .into_iter()
        .filter(|seen| seen.record.root)
        .map(|seen| (seen.record.table_label.clone(), seen))
        .collect();
    let guarded = guarded(store, conn).await?;
    for field in fields {
        match roots.get(&field.table_label) {
            Some(root) => by_number(field, root),
            None => by_guard(
                field,
                guarded.get(&guard::function_name("update", &field.table_label)),
            ),
        }
        if field.place.found == Found::Named && !is_there(conn, field).await? {
            field.place.found = Found::Gone;
        }
        // In a restored dump the numbers are not known, but a hidden column keeps its hidden name.
        let hidden = hidden_name(&field.table_label, &field.column_label);
        if field.frozen
            && matches!(field.place.found, Found::Guarded | Found::Named)
            && has_column(conn, field, &hidden).await?
        {
            field.column_name = hidden;
        }
    }
    Ok(())
}

/// Whether the field's table has a column of this name.
async fn has_column(conn: &mut PgConnection, field: &FieldRecord, name: &str) -> Result<bool> {
    Ok(scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND NOT a.attisdropped)",
    )
    .bind(field.schema_name.clone())
    .bind(field.table_name.clone())
    .bind(name.to_owned())
    .fetch_one(&mut *conn)
    .await?)
}

/// Whether a table with the field's recorded name exists.
async fn is_there(conn: &mut PgConnection, field: &FieldRecord) -> Result<bool> {
    Ok(scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p'))",
    )
    .bind(field.schema_name.clone())
    .bind(field.table_name.clone())
    .fetch_one(&mut *conn)
    .await?)
}

fn by_number(field: &mut FieldRecord, root: &RecordedRelation) {
    let Some(now) = &root.record.now else {
        field.place.found = Found::Gone;
        return;
    };
    field.place.found = Found::Known;
    move_to(field, now);
    let is_dropped = |name: &String| matches!(root.columns.get(name), Some(None));
    let dropped = is_dropped(&field.column_name);
    field.place.holder_dropped =
        is_dropped(field.sealed_column.as_ref().unwrap_or(&field.column_name));
    let mut renames = std::mem::take(&mut field.place.renames);
    let mut follow = |name: &mut String| {
        if let Some(Some(now)) = root.columns.get(name.as_str())
            && now != name
        {
            // A hidden column was renamed by phiseal itself.
            if !now.starts_with(HIDDEN) {
                renames.push((name.clone(), now.clone()));
            }
            name.clone_from(now);
        }
    };
    follow(&mut field.column_name);
    // `blind_index_next` keeps its name, because the switch gives that column's number another
    // name.
    let others = [
        &mut field.sealed_column,
        &mut field.blind_index_column,
        &mut field.tenant_column,
    ];
    others.into_iter().flatten().for_each(&mut follow);
    field.key_columns.iter_mut().for_each(follow);
    field.place.plain_dropped = dropped;
    field.place.renames = renames;
}

fn by_guard(field: &mut FieldRecord, tables: Option<&Vec<TableName>>) {
    match tables.map(Vec::as_slice) {
        None | Some([]) => {}
        Some([one]) => {
            field.place.found = Found::Guarded;
            move_to(field, one);
        }
        Some(several) => field.place.found = Found::Several(several.to_vec()),
    }
}

fn move_to(field: &mut FieldRecord, now: &TableName) {
    let schema = now.schema.as_ref().map_or("", Ident::as_str);
    if field.schema_name != schema || field.table_name != now.name.as_str() {
        let was = table_name(field.schema_name.clone(), field.table_name.clone());
        field.place.renames.push((
            was.map_or_else(|_| field.table_name.clone(), |was| was.label()),
            now.label(),
        ));
        schema.clone_into(&mut field.schema_name);
        now.name.as_str().clone_into(&mut field.table_name);
    }
}

/// The tables and partitioned roots that have a guard of ours, by the name of its function. This
/// finds a renamed table, since its triggers stay with it.
pub(super) async fn guarded(
    store: &PostgresStore,
    conn: &mut PgConnection,
) -> Result<HashMap<String, Vec<TableName>>> {
    let rows = query(
        "SELECT DISTINCT p.proname::text, n.nspname::text, c.relname::text FROM pg_catalog.pg_trigger g \
         JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid JOIN pg_catalog.pg_namespace o ON o.oid = p.pronamespace \
         WHERE g.tgname = $1 AND g.tgparentid = 0 AND o.nspname = $2 ORDER BY 1, 2, 3",
    )
    .bind(guard::UPDATE)
    .bind(store.schema.as_str().to_owned())
    .fetch_all(&mut *conn)
    .await?;
    let mut tables: HashMap<String, Vec<TableName>> = HashMap::new();
    for row in &rows {
        let name = table_name(row.try_get(1)?, row.try_get(2)?)?;
        tables.entry(row.try_get(0)?).or_default().push(name);
    }
    Ok(tables)
}

/// Returns an error if the label belongs to another table. Otherwise records the present names of
/// the table and its columns. Dropped columns keep their recorded names and numbers.
pub(crate) async fn follow(
    store: &PostgresStore,
    conn: &mut PgConnection,
    label: &str,
    table: &TableName,
) -> Result<()> {
    let root = seen(store, conn)
        .await?
        .into_iter()
        .find(|seen| seen.record.root && seen.record.table_label == label);
    let Some(root) = root else { return Ok(()) };
    if root.record.now.as_ref() != Some(table) {
        return Err(StoreError::OtherTable {
            label: label.to_owned(),
            table: root.record.now.unwrap_or(root.record.recorded).label(),
        });
    }
    query(format!(
        "UPDATE {} AS r SET schema_name = n.nspname, table_name = c.relname, \
           columns = (r.columns::pg_catalog.jsonb || {}::pg_catalog.jsonb)::pg_catalog.text \
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE c.oid = r.relation::pg_catalog.oid AND r.table_label = $1 AND r.left_at IS NULL AND r.database = {DATABASE}",
        store.own("sealed_relations"),
        columns_of("c.oid"),
    ))
    .bind(label.to_owned())
    .execute(&mut *conn)
    .await?;
    Ok(())
}
