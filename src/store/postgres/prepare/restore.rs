//! DDL after a restore: what is dropped then.
//! Owns the check that nothing is dropped whose plaintext does not exist.

use super::super::PostgresStore;
use super::super::guard;
use super::super::indexes;
use super::super::relations;
use super::{apply, columns_there};
use crate::quote;
use crate::store::record::RESTORED;
use crate::store::text::joined;
use crate::store::{FieldState, ProcedureKind, Result, Sealed, StoreError, Table};

/// Drops the sealed columns and the guard, after a restore. If other fields of the table need a
/// guard, it is created again in the same transaction.
pub(crate) async fn drop_sealed(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = store.begin().await?;
    let mut guard = guard::guard_of(store, &mut tx, table).await?;
    let there = columns_there(&mut tx, table).await?;
    tx.commit().await?;
    let mut statements = Vec::new();
    let mut drops = Vec::new();
    let mut only_copies = Vec::new();
    for field in &table.fields {
        let Sealed::Beside { column, .. } = &field.sealed else {
            only_copies.push(looks_sealed(&field.column.quoted()));
            continue;
        };
        if there.iter().any(|name| name == column.as_str()) {
            let (sealed, plain) = (column.quoted(), field.column.quoted());
            only_copies.push(format!("({sealed} IS NOT NULL AND {plain} IS NULL)"));
        }
        for column in [column]
            .into_iter()
            .chain(&field.index)
            .chain(&field.index_next)
        {
            if there.iter().any(|name| name == column.as_str()) {
                drops.push(format!("DROP COLUMN {}", column.quoted()));
            }
        }
    }
    let table_name = table.name.quoted();
    let only_copies = only_copies.join(" OR ");
    if !only_copies.is_empty() {
        // The check is under the lock, because an application that seals may have written since the
        // sweep. Readers wait only if columns are dropped. Rows that a row security policy hides are
        // counted too. The index, whose build reads the table without a lock that anybody waits
        // for, has what came since its build, too, so the check does not read the table.
        indexes::make_look_index(store, table, &only_copies).await?;
        statements.push(lock_for_look(&table_name, drops.is_empty()));
        statements.push(super::super::sql::block(&format!(
            "BEGIN IF EXISTS (SELECT 1 FROM {table_name} WHERE {only_copies}) THEN \
             RAISE EXCEPTION USING ERRCODE = '{NOT_RESTORED}', MESSAGE = 'table'; END IF; END"
        )));
    }
    let sweeps = indexes::sweep_indexes(store, table).await?;
    statements.push(relations::before_change(store, table));
    statements.extend(guard.drop_statements());
    statements.extend(
        sweeps
            .iter()
            .map(|name| format!("DROP INDEX IF EXISTS {name}")),
    );
    if !drops.is_empty() {
        statements.push(format!("ALTER TABLE {} {}", table_name, drops.join(", ")));
    }
    statements.push(format!(
        "UPDATE {} SET blind_index_next = NULL WHERE table_label = {} AND column_label IN ({}) \
         AND blind_index_next IS NOT NULL",
        store.own("encrypted_field_metadata"),
        quote::literal(&table.label),
        joined(&table.fields, ", ", |field| quote::literal(&field.label)),
    ));
    statements.extend(end_statements(store, table));
    guard
        .fields
        .retain(|field| !table.fields.iter().any(|gone| gone.label == field.label));
    if !guard.fields.is_empty() {
        statements.extend(guard.statements());
    }
    statements.extend(relations::after_change(store, table, false));
    let dropped = apply(store, table, &statements).await;
    let dropped = dropped.map_err(|error| not_restored(error, table));
    if matches!(dropped, Err(StoreError::NotRestored { .. })) {
        indexes::drop_sweep_index(store, table).await?;
    }
    dropped
}

/// Translates what the look under the lock raises.
fn not_restored(error: StoreError, table: &Table) -> StoreError {
    match error {
        StoreError::Refused { sqlstate } if sqlstate == NOT_RESTORED => StoreError::NotRestored {
            table: table.label.clone(),
        },
        other => other,
    }
}

/// The statements that record the end of a restore: the state of the fields and of the procedure.
fn end_statements(store: &PostgresStore, table: &Table) -> [String; 2] {
    let label = quote::literal(&table.label);
    let columns: Vec<String> = table
        .fields
        .iter()
        .map(|field| quote::literal(&field.label))
        .collect();
    [
        format!(
            "UPDATE {} SET state = '{}', updated_at = clock_timestamp() \
             WHERE table_label = {label} AND column_label IN ({})",
            store.own("encrypted_field_metadata"),
            FieldState::Restored,
            columns.join(", "),
        ),
        format!(
            "UPDATE {} SET finished_at = clock_timestamp(), outcome = '{RESTORED}' \
             WHERE kind = '{}' AND table_label = {label} AND columns = {} AND finished_at IS NULL",
            store.own("procedures"),
            ProcedureKind::Restore,
            quote::literal(&table.column_labels()),
        ),
    ]
}

/// The lock for this check. Readers wait if columns are dropped.
fn lock_for_look(table: &str, columns_stay: bool) -> String {
    let mode = match columns_stay {
        true => "EXCLUSIVE",
        false => "ACCESS EXCLUSIVE",
    };
    // Old statistics may say that nearly every row is looked for, and then the server would not use
    // the index.
    format!(
        "LOCK TABLE {table} IN {mode} MODE; SET LOCAL row_security = off; SET LOCAL enable_seqscan = off"
    )
}

/// As the guard has it, with the schema of its operator.
fn looks_sealed(column: &str) -> String {
    guard::looks_sealed(column).replacen(" ~ ", " OPERATOR(pg_catalog.~) ", 1)
}

/// The SQLSTATE that the check before a drop raises.
const NOT_RESTORED: &str = "PS105";
