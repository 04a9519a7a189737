//! The guard that a table should have: for the fields of the present plan, and those sealed before.
//! A plan of one column must not leave the table's other sealed columns without a guard.

use sqlx::Row;

use super::super::PostgresStore;
use super::super::prepare::{column_types, regclass};
use super::super::relations;
use super::super::sql::{query, scalar};
use super::{Guard, GuardField, Plain};
use crate::ident::Ident;
use crate::store::postgres::transaction::Transaction;
use crate::store::{
    FieldRecord, Result, Sealed, StoreError, Table, TableField, UntrustedSeal, hidden_name,
};

/// The guard that the table should have: for the registered fields and those that this plan adds.
/// Only the registry says whether a field is frozen, so that no command thaws one by making the guard
/// again.
pub(crate) async fn guard_of(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
) -> Result<Guard> {
    let there = column_types(tx, table).await?;
    let mut records: Vec<FieldRecord> = relations::present_fields(store, tx).await?;
    records.retain(|record| record.table_label == table.label && record.state.may_hold_seals());
    let mut fields = Vec::new();
    for field in &table.fields {
        let record = records.iter().find(|one| one.column_label == field.label);
        fields.extend(planned(field, record, &there, &table.label)?);
    }
    for record in &records {
        let known = |field: &GuardField| {
            field.label == record.column_label || field.name() == record.column_name
        };
        if !fields.iter().any(known) {
            fields.extend(registered(record, &there)?);
        }
    }
    fields.sort_by(|a, b| {
        a.source()
            .cmp(&b.source())
            .then_with(|| a.holder.cmp(&b.holder))
    });
    Ok(Guard {
        schema: store.schema.clone(),
        table: table.name.quoted(),
        owner: owner_of(tx, table).await?,
        label: table.label.clone(),
        keys: table.keys.iter().map(|key| key.name.clone()).collect(),
        tenant: table.tenant.clone(),
        tenant_by_settings: tenant_by_settings(tx, table).await?,
        fields,
        undoes: undoes(store, tx, table).await?,
    })
}

/// The columns of a table, each with its type.
type Columns = [(String, String)];

fn is_there(columns: &Columns, name: &str) -> bool {
    columns.iter().any(|(column, _)| column == name)
}

/// A field of the plan. Its sealed column may not be there yet. `None` if there is neither plaintext
/// nor sealed value to guard.
fn planned(
    field: &TableField,
    record: Option<&FieldRecord>,
    columns: &Columns,
    table_label: &str,
) -> Result<Option<GuardField>> {
    let hidden = hidden_name(table_label, &field.label);
    let present = record.map(|record| record.column_name.clone());
    let names = [
        Some(hidden),
        Some(field.column.as_str().to_owned()),
        present,
    ];
    let mut names = names.into_iter().flatten();
    let plain = names.find(|name| is_there(columns, name));
    let has_plain = plain.is_some();
    let plain = plain.map_or_else(|| Ok(field.column.clone()), ident)?;
    let (holder, text, plain) = match &field.sealed {
        Sealed::InPlace if has_plain => (plain, true, Plain::InPlace),
        Sealed::Beside { column, text } if has_plain => {
            (column.clone(), *text, Plain::Beside(plain))
        }
        Sealed::Beside { column, text } if is_there(columns, column.as_str()) => {
            (column.clone(), *text, Plain::Gone)
        }
        Sealed::InPlace | Sealed::Beside { .. } => return Ok(None),
    };
    Ok(Some(GuardField {
        label: field.label.clone(),
        holder,
        text,
        plain,
        index: field.index.clone(),
        next: field.index_next.clone(),
        frozen: record.is_some_and(|record| record.frozen),
    }))
}

/// A field that the plan does not name. `None` if its columns are gone.
fn registered(record: &FieldRecord, columns: &Columns) -> Result<Option<GuardField>> {
    let hidden = hidden_name(&record.table_label, &record.column_label);
    let mut names = [hidden, record.column_name.clone()].into_iter();
    let name = names.find(|name| is_there(columns, name));
    let has_plain = name.is_some();
    let plain = || ident(name.clone().unwrap_or_default());
    let (holder, text, plain) = match &record.sealed_column {
        None if has_plain => (plain()?, true, Plain::InPlace),
        Some(sealed) => {
            let kind = columns.iter().find(|(column, _)| column == sealed);
            let plain = match (kind, has_plain) {
                (_, true) => Plain::Beside(plain()?),
                (Some(_), false) => Plain::Gone,
                (None, false) => return Ok(None),
            };
            let text = kind.is_some_and(|(_, kind)| kind != "bytea");
            (ident(sealed.clone())?, text, plain)
        }
        None => return Ok(None),
    };
    let named = |name: &Option<String>| name.clone().map(ident).transpose();
    Ok(Some(GuardField {
        label: record.column_label.clone(),
        holder,
        text,
        plain,
        index: named(&record.blind_index_column)?,
        next: named(&record.blind_index_next)?,
        frozen: record.frozen,
    }))
}

/// Whether the guard undoes an untrusted change of a sealed value: as the table says, or else as
/// the present guard does.
async fn undoes(store: &PostgresStore, tx: &mut Transaction, table: &Table) -> Result<bool> {
    if let Some(way) = table.on_untrusted_seal {
        return Ok(way == UntrustedSeal::Undo);
    }
    Ok(scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname = $1 AND p.proname = $2 AND position($3 IN p.prosrc) > 0)",
    )
    .bind(store.schema.as_str().to_owned())
    .bind(super::function_name("update", &table.label))
    .bind(super::UNDONE)
    .fetch_one(&mut **tx)
    .await?)
}

/// Whether the text of the tenant depends on settings of the session (dates, bytes).
async fn tenant_by_settings(tx: &mut Transaction, table: &Table) -> Result<bool> {
    let Some(tenant) = &table.tenant else {
        return Ok(false);
    };
    Ok(scalar(
        "SELECT coalesce((SELECT coalesce(nullif(t.typbasetype, 0), t.oid) NOT IN ('text'::regtype, \
           'varchar'::regtype, 'bpchar'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, \
           'uuid'::regtype, 'bool'::regtype, 'numeric'::regtype) FROM pg_catalog.pg_attribute a \
           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
           WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped), true)",
    )
    .bind(regclass(table))
    .bind(tenant.as_str().to_owned())
    .fetch_one(&mut **tx)
    .await?)
}

/// The owner of the table; our own role if the table does not exist.
async fn owner_of(tx: &mut Transaction, table: &Table) -> Result<Ident> {
    let row = query(
        "SELECT coalesce((SELECT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c \
         WHERE c.oid = to_regclass($1)), current_user)::text",
    )
    .bind(regclass(table))
    .fetch_one(&mut **tx)
    .await?;
    ident(row.try_get(0)?)
}

fn ident(name: String) -> Result<Ident> {
    Ident::new(name).map_err(|_| StoreError::unexpected("a column name in the registry"))
}
