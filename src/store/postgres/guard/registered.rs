//! The guard that a table should have: for the fields of the present plan, and those sealed before.
//! A plan of one column must not leave the table's other sealed columns without a guard.

use sqlx::{Postgres, Row, Transaction};

use super::super::PostgresStore;
use super::super::prepare::{column_types, regclass};
use super::super::relations;
use super::super::sql::{query, scalar};
use super::{Guard, GuardField};
use crate::ident::Ident;
use crate::store::{Result, Sealed, StoreError, Table, UntrustedSeal};

/// The guard that the table should have: for the registered fields and those that this plan adds.
pub(crate) async fn guard_of(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<Guard> {
    let mut fields: Vec<GuardField> = table
        .fields
        .iter()
        .filter(|field| field.plain_exists)
        .map(|field| GuardField {
            plain: field.column.clone(),
            sealed: match &field.sealed {
                Sealed::Beside { column, text } => Some((column.clone(), *text)),
                Sealed::InPlace => None,
            },
            index: field.index.clone(),
            next: field.index_next.clone(),
        })
        .collect();
    let there = column_types(tx, table).await?;
    for record in relations::present_fields(store, tx).await? {
        let plain = &record.column_name;
        let known = fields.iter().any(|field| field.plain.as_str() == plain);
        if record.table_label != table.label || !record.state.may_hold_seals() || known {
            continue;
        }
        let is_there = |name: &String| there.iter().any(|(column, _)| column == name);
        if !is_there(plain) {
            continue;
        }
        let sealed = match &record.sealed_column {
            Some(name) => {
                let kind = there.iter().find(|(column, _)| column == name);
                Some((
                    ident(name.clone())?,
                    kind.is_some_and(|(_, kind)| kind != "bytea"),
                ))
            }
            None => None,
        };
        let named = |name: &Option<String>| name.clone().map(ident).transpose();
        fields.push(GuardField {
            plain: ident(plain.clone())?,
            sealed,
            index: named(&record.blind_index_column)?,
            next: named(&record.blind_index_next)?,
        });
    }
    fields.sort_by(|a, b| a.plain.cmp(&b.plain));
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

/// Whether the guard undoes an untrusted change of a sealed value: as the table says, or else as
/// the present guard does.
async fn undoes(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<bool> {
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
async fn tenant_by_settings(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<bool> {
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
async fn owner_of(tx: &mut Transaction<'static, Postgres>, table: &Table) -> Result<Ident> {
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
