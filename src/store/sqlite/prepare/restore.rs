//! DDL after a restore: what is dropped then.
//! Owns the check that nothing is dropped whose plaintext does not exist.

use sqlx::sqlite::SqliteConnection;

use super::super::connect;
use super::super::dialect::SqliteSession;
use super::super::guard::{self, words::has_text_form};
use super::super::indexes;
use super::super::relations;
use super::super::sql::{run, scalar};
use super::{columns, has};
use crate::store::ledger::{fields, procedures};
use crate::store::record::RESTORED;
use crate::store::{ProcedureKind, Result, Sealed, StoreError, Table, TableField};

/// Whether a sealed value exists whose plaintext does not.
async fn holds_only_copies(conn: &mut SqliteConnection, table: &Table) -> Result<bool> {
    let there = columns(conn, table).await?;
    let mut conditions = Vec::new();
    for field in &table.fields {
        let plain = field.column.quoted();
        match &field.sealed {
            Sealed::Beside { column, .. } if has(&there, column) => {
                let sealed = column.quoted();
                conditions.push(format!("({sealed} IS NOT NULL AND {plain} IS NULL)"));
            }
            Sealed::Beside { .. } => {}
            Sealed::InPlace => conditions.push(has_text_form(&plain)),
        }
    }
    if conditions.is_empty() {
        return Ok(false);
    }
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {})",
        table.name.name.quoted(),
        conditions.join(" OR ")
    );
    Ok(scalar(sql, []).fetch_one(conn).await?)
}

/// Drops guard, sealed columns and blind indexes, including new ones that a key rotation is
/// filling.
pub(crate) async fn drop_sealed(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connect::write_transaction(conn).await?;
    let table_name = table.name.name.quoted();
    let whole = guard::with_registered(&mut transaction, table).await?;
    if holds_only_copies(&mut transaction, table).await? {
        return Err(StoreError::NotRestored {
            table: table.label.clone(),
        });
    }
    relations::before_change(&mut transaction).await?;
    let way = guard::drop_all(&mut transaction, &table.name).await?;
    let statement = format!(
        "DROP INDEX IF EXISTS {}",
        indexes::sweep_name(table)?.quoted()
    );
    run(&mut transaction, statement).await?;
    let there = columns(&mut transaction, table).await?;
    let is_named = |field: &TableField| table.fields.iter().any(|one| one.label == field.label);
    for field in whole.fields.iter().filter(|field| is_named(field)) {
        for index in field.index.iter().chain(&field.index_next) {
            let name = indexes::lookup_name(table, index)?.quoted();
            run(&mut transaction, format!("DROP INDEX IF EXISTS {name}")).await?;
        }
        if field.index_next.is_some() {
            fields::set_next(
                &mut SqliteSession(&mut *transaction),
                &table.label,
                &field.label,
                None,
                None,
            )
            .await?;
        }
        let sealed = field.sealed.beside();
        for column in sealed
            .into_iter()
            .chain(&field.index)
            .chain(&field.index_next)
            .filter(|column| has(&there, column))
        {
            let statement = format!("ALTER TABLE {table_name} DROP COLUMN {}", column.quoted());
            run(&mut transaction, statement).await?;
        }
    }
    let mut session = SqliteSession(&mut *transaction);
    let labels: Vec<String> = table.fields.iter().map(|one| one.label.clone()).collect();
    fields::set_restored(&mut session, &table.label, &labels).await?;
    let (restore, columns) = (ProcedureKind::Restore, table.column_labels());
    procedures::finish_of(
        &mut session,
        restore,
        &table.label,
        Some(&columns),
        RESTORED,
    )
    .await?;
    // Guards the other fields of the table again, in the same transaction.
    let mut rest = guard::with_registered(&mut transaction, table).await?;
    rest.fields.retain(|field| !is_named(field));
    rest.on_untrusted_seal.get_or_insert(way);
    if !rest.fields.is_empty() {
        for trigger in guard::triggers(&mut transaction, &rest).await? {
            run(&mut transaction, trigger.create).await?;
        }
    }
    relations::after_change(&mut transaction, None, false).await?;
    relations::columns_moved(&mut transaction, &table.label).await?;
    connect::commit(transaction).await
}
