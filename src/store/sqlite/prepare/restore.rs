//! DDL around a restore: the columns that it writes into, and what is dropped after it.
//! Owns the check that nothing is dropped whose plaintext does not exist. A column's declared type is
//! the only text of these statements that is not quoted.

use sqlx::sqlite::SqliteConnection;

use super::super::connect;
use super::super::dialect::SqliteSession;
use super::super::guard;
use super::super::indexes;
use super::super::relations;
use super::super::sql::{run, scalar};
use super::{columns, has};
use crate::store::ledger::{fields, procedures};
use crate::store::record::RESTORED;
use crate::store::{ProcedureKind, Result, Sealed, StoreError, Table, TableField};

/// The condition that a value could be in text form: `ps1.`, then base64 of at least 34 bytes, which
/// begin with 0xE7, suite 1 or 2, and a key id below 2^31.
fn could_be_sealed(column: &str) -> String {
    format!(
        "(typeof({column}) = 'text' AND length({column}) >= 50 AND {column} GLOB 'ps1.5w[EFIJ]*')"
    )
}

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
            Sealed::InPlace => conditions.push(could_be_sealed(&plain)),
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
    let is_named = |field: &TableField| table.fields.iter().any(|one| one.column == field.column);
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

/// Creates the columns that a restore writes into.
pub(crate) async fn make_plain_columns(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = connect::write_transaction(conn).await?;
    let there = columns(&mut transaction, table).await?;
    for field in table
        .fields
        .iter()
        .filter(|field| !has(&there, &field.column))
    {
        let statement = format!(
            "ALTER TABLE {} ADD COLUMN {} {}",
            table.name.name.quoted(),
            field.column.quoted(),
            declared_type(field)?,
        );
        run(&mut transaction, statement).await?;
    }
    connect::commit(transaction).await
}

/// The declared type, if it consists of words and numbers only: other text could be more than a
/// type.
fn declared_type(field: &TableField) -> Result<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" _(),+-.".contains(&byte);
    match field.source_type.bytes().all(plain) && !field.source_type.contains("--") {
        true => Ok(&field.source_type),
        false => Err(StoreError::unexpected(
            "a source type that is more than a type",
        )),
    }
}
