//! The removal of the plaintext, in one transaction.
//! Owns the last look under the lock, and what is recorded of the columns.

use super::super::PostgresStore;
use super::super::ddl_lock::begin_briefly;
use super::super::guard;
use super::super::relations;
use super::super::sql::run;
use super::{
    Held, dependents, frozen_state, held, is_same, lock, remake_guard, set_field, to_json,
};
use crate::ident::Ident;
use crate::quote;
use crate::store::ledger::{fields, procedures};
use crate::store::postgres::transaction::Transaction;
use crate::store::text::joined;
use crate::store::{FieldState, FrozenState, ProcedureKind, Removal, Result, StoreError, Table};

/// Whether an earlier call removed the plaintext, but did not hear of it.
pub(super) async fn is_removed(store: &PostgresStore, table: &Table) -> Result<bool> {
    let mut tx = store.begin().await?;
    let held = held(store, &mut tx, table).await?;
    tx.commit().await?;
    Ok(held
        .iter()
        .all(|field| field.record.state == FieldState::Finalized))
}

pub(super) async fn try_remove(
    store: &PostgresStore,
    table: &Table,
    removal: Removal,
    state: &FrozenState,
) -> Result<bool> {
    let mut tx = begin_briefly(store).await?;
    lock(&mut tx, table).await?;
    if !is_same(state, &frozen_state(&mut tx, table).await?) {
        return Ok(false);
    }
    let held = held(store, &mut tx, table).await?;
    if removal == Removal::Dropped {
        record_late(store, &mut tx, table, &held).await?;
        run(&mut tx, relations::before_change(store, table)).await?;
        drop_columns(store, &mut tx, table, &held).await?;
        remake_guard(store, &mut tx, table, true).await?;
    }
    let labels: Vec<String> = held.iter().map(|field| field.label.clone()).collect();
    let mut session = store.session(&mut tx);
    fields::set_state(&mut session, &table.label, &labels, FieldState::Finalized).await?;
    procedures::finish_of(
        &mut session,
        ProcedureKind::Finalize,
        &table.label,
        Some(&table.column_labels()),
        crate::store::record::FINALIZED,
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Looks once more, under the lock, for what depends on the columns: what was made since the freeze is
/// recorded, too, or refuses the removal. Says in the record that the columns were dropped.
async fn record_late(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    held: &[Held],
) -> Result<()> {
    for one in dependents::of(store, tx, table).await? {
        if one.blocks {
            return Err(StoreError::InTheWay {
                what: format!(
                    "{} {}, on a plaintext column of {},",
                    one.kind, one.name, table.label
                ),
            });
        }
    }
    for field in held.iter().filter(|field| field.beside().is_some()) {
        let mut definition = field.definition()?;
        let now = dependents::definition(store, tx, table, field).await?;
        for statement in now.dependents {
            // The server quotes a hidden name, and not always the column's own.
            let bare = |sql: &String| sql.chars().filter(|c| *c != '"').collect::<String>();
            let is_known = definition
                .dependents
                .iter()
                .any(|one| bare(one) == bare(&statement));
            if !is_known {
                definition.dependents.push(statement);
            }
        }
        definition.dropped = true;
        let set = format!(
            "plaintext_definition = {}",
            quote::literal(&to_json(&definition)?)
        );
        let label = quote::literal(&field.label);
        run(tx, set_field(store, table, &label, &set)).await?;
    }
    Ok(())
}

/// Drops the plaintext columns beside sealed values. Never with CASCADE: the server refuses while
/// something of the application depends on one.
async fn drop_columns(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    held: &[Held],
) -> Result<()> {
    let columns: Vec<&Ident> = held
        .iter()
        .filter_map(|field| field.beside().map(|(plain, _)| plain))
        .collect();
    if columns.is_empty() {
        return Ok(());
    }
    // The guard's conditions name the columns.
    let guard = guard::guard_of(store, tx, table).await?;
    for statement in guard.drop_statements() {
        run(tx, statement).await?;
    }
    let drops = joined(columns, ", ", |column| {
        format!("DROP COLUMN {}", column.quoted())
    });
    let sql = format!("ALTER TABLE {} {drops}", table.name.quoted());
    run(tx, sql).await.map_err(|error| match error {
        StoreError::Refused { sqlstate } if sqlstate == "2BP01" => StoreError::InTheWay {
            what: format!(
                "an object that depends on a plaintext column of {}",
                table.label
            ),
        },
        other => other,
    })
}
