//! The end of a label's binding to its relations.
//! Owns the SQL that forgets fields and that binds a label to another table.

use sqlx::Row;

use super::super::PostgresStore;
use super::super::ddl_lock::{begin_briefly, patiently};
use super::super::guard;
use super::super::sql::{query, raw, run};
use super::gaps::{after_change, map_second_root};
use super::guarded;
use crate::quote;
use crate::store::ledger::procedures;
use crate::store::postgres::transaction::Transaction;
use crate::store::record::GIVEN_UP;
use crate::store::{ProcedureKind, Result, Table};

/// See [`crate::store::SealedRelations::forget_fields`].
pub(crate) async fn forget(store: &PostgresStore, label: &str, columns: &[String]) -> Result<()> {
    patiently(store, label, || forget_once(store, label, columns)).await
}

async fn forget_once(store: &PostgresStore, label: &str, columns: &[String]) -> Result<()> {
    let fields = store.own("encrypted_field_metadata");
    let mut tx = begin_briefly(store).await?;
    query(format!(
        "UPDATE {fields} SET state = 'forgotten', updated_at = pg_catalog.clock_timestamp() \
         WHERE table_label = $1 AND column_label = ANY ($2)"
    ))
    .bind(label.to_owned())
    .bind(columns.to_vec())
    .execute(&mut *tx)
    .await?;
    let left = query(format!(
        "SELECT EXISTS (SELECT FROM {fields} WHERE table_label = $1 AND state <> 'forgotten')"
    ))
    .bind(label.to_owned())
    .fetch_one(&mut *tx)
    .await?;
    if !left.try_get::<bool, _>(0)? {
        leave(store, &mut tx, label).await?;
        for event in ["insert", "update"] {
            run(
                &mut tx,
                format!(
                    "DROP FUNCTION IF EXISTS {}.{}() CASCADE",
                    store.schema.quoted(),
                    guard::function_name(event, label)
                ),
            )
            .await?;
        }
    }
    for kind in ProcedureKind::ALL {
        procedures::finish_of(&mut store.session(&mut tx), kind, label, None, GIVEN_UP).await?;
    }
    tx.commit().await
}

/// Records that the label's relations are no longer its own.
async fn leave(store: &PostgresStore, tx: &mut Transaction, label: &str) -> Result<()> {
    query(format!(
        "UPDATE {} SET left_at = pg_catalog.clock_timestamp() WHERE table_label = $1 AND left_at IS NULL",
        store.own("sealed_relations")
    ))
    .bind(label.to_owned())
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// See [`crate::store::SealedRelations::rebind`]. Drops the triggers of the old table's guard; the guard of
/// the new table has the same functions.
pub(crate) async fn rebind(store: &PostgresStore, table: &Table) -> Result<()> {
    let name = table.name.quoted();
    patiently(store, &name, || rebind_once(store, table)).await
}

async fn rebind_once(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = begin_briefly(store).await?;
    let others = guarded(store, &mut tx).await?;
    let others = others.get(&guard::function_name("update", &table.label));
    for other in others
        .into_iter()
        .flatten()
        .filter(|other| **other != table.name)
    {
        for trigger in [guard::INSERT, guard::UPDATE] {
            run(
                &mut tx,
                format!(
                    "DROP TRIGGER IF EXISTS {} ON {}",
                    quote::identifier(trigger),
                    other.quoted()
                ),
            )
            .await?;
        }
    }
    leave(store, &mut tx, &table.label).await?;
    for statement in after_change(store, table, false) {
        raw(statement)
            .execute(&mut *tx)
            .await
            .map_err(map_second_root(table))?;
    }
    tx.commit().await
}
