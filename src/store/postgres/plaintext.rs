//! Taking the plaintext of sealed fields out of a table, and giving its column back.
//! Owns the transactions of the freeze and of hiding; the removal is in `plaintext/remove.rs`. Which
//! constraints there are is in `plaintext/constraints.rs`, what depends on a column in `plaintext/dependents.rs`, and the way
//! back in `plaintext/back.rs`.

pub(super) mod back;
mod constraints;
mod dependents;
mod give_up;
mod held;
mod remove;
mod seen;
mod statistics;

use async_trait::async_trait;
use sqlx::Row;

use super::PostgresStore;
use super::ddl_lock::{begin_briefly, patiently};
use super::guard::{self, Guard};
use super::prepare::{guard_is_there, regclass};
use super::relations;
use super::sql::{query, run, scalar};
use crate::ident::Ident;
use crate::quote;
use crate::store::postgres::transaction::Transaction;
use crate::store::{
    Dependent, FrozenState, KeyText, OpenTransaction, PlainDefinition, Plaintext, Removal, Result,
    StoreError, Table, TableField, UnsealedRows, hidden_name,
};
pub(super) use constraints::form_of_new;
use held::{Held, held, name};

#[async_trait]
impl Plaintext for PostgresStore {
    async fn writers(&self, table: &Table) -> Result<Vec<OpenTransaction>> {
        seen::writers(self, table).await
    }

    async fn unsealed(&self, table: &Table) -> Result<Vec<UnsealedRows>> {
        seen::unsealed(self, table).await
    }

    async fn plaintext_dependents(&self, table: &Table) -> Result<Vec<Dependent>> {
        in_transaction!(self.begin(), |tx| dependents::of(self, tx, table))
    }

    async fn freeze(&self, table: &Table) -> Result<()> {
        patiently(self, &regclass(table), || try_freeze(self, table)).await
    }

    async fn unfreeze(&self, table: &Table) -> Result<Vec<String>> {
        back::unfreeze(self, table).await
    }

    async fn frozen_state(&self, table: &Table) -> Result<FrozenState> {
        in_transaction!(self.begin(), |tx| frozen_state(tx, table))
    }

    async fn give_up(&self, table: &Table, field: Option<usize>, key: &KeyText) -> Result<bool> {
        let name = regclass(table);
        patiently(self, &name, || {
            give_up::try_give_up(self, table, field, key)
        })
        .await
    }

    async fn constrain(&self, table: &Table, blank: bool) -> Result<()> {
        constraints::constrain(self, table, blank).await
    }

    async fn hide(&self, table: &Table, state: &FrozenState) -> Result<Option<FrozenState>> {
        patiently(self, &regclass(table), || try_hide(self, table, state)).await
    }

    async fn remove_plaintext(
        &self,
        table: &Table,
        removal: Removal,
        state: &FrozenState,
    ) -> Result<bool> {
        if remove::is_removed(self, table).await? {
            return Ok(true);
        }
        let name = regclass(table);
        patiently(self, &name, || {
            remove::try_remove(self, table, removal, state)
        })
        .await
    }

    async fn forget_statistics(&self, table: &Table) -> Result<Vec<String>> {
        statistics::forget(self, table).await
    }

    async fn finish_plain_columns(&self, table: &Table) -> Result<Vec<String>> {
        back::finish(self, table).await
    }
}

/// The table and all its partitions, those that hold rows first.
const TREE: &str = "(SELECT t.relid, t.level, t.isleaf FROM pg_catalog.pg_partition_tree(to_regclass($1)) AS t \
     UNION ALL SELECT to_regclass($1), 0, true WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(to_regclass($1))))";

/// The guard of the table, with these fields frozen or not.
async fn guard_with(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    frozen: bool,
) -> Result<Guard> {
    let mut guard = guard::guard_of(store, tx, table).await?;
    let ours = |label: &str| table.fields.iter().any(|field| field.label == label);
    for field in guard.fields.iter_mut().filter(|field| ours(&field.label)) {
        field.frozen = frozen;
    }
    Ok(guard)
}

/// Locks the table against everybody.
async fn lock(tx: &mut Transaction, table: &Table) -> Result<()> {
    let sql = format!(
        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        table.name.quoted()
    );
    run(tx, sql).await
}

/// Runs statements that change the guard, and records the guard that came of it.
async fn change_guard(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    statements: Vec<String>,
) -> Result<()> {
    run(tx, relations::before_change(store, table)).await?;
    for statement in statements {
        run(tx, statement).await?;
    }
    for statement in relations::after_change(store, table, false) {
        run(tx, statement).await?;
    }
    Ok(())
}

async fn try_freeze(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = begin_briefly(store).await?;
    lock(&mut tx, table).await?;
    show(store, &mut tx, table).await?;
    let held = held(store, &mut tx, table).await?;
    let mut statements = Vec::new();
    for field in &held {
        let recorded = field.record.plaintext_definition != "{}";
        let definition = dependents::definition(store, &mut tx, table, field).await?;
        let label = quote::literal(&field.label);
        if !recorded {
            let json = to_json(&definition)?;
            statements.push(set_field(
                store,
                table,
                &label,
                &format!("plaintext_definition = {}", quote::literal(&json)),
            ));
        }
        if let (Some((plain, _)), true) = (
            field.beside(),
            definition.default.is_some() || definition.not_null,
        ) {
            statements.push(format!(
                "ALTER TABLE {table_name} ALTER COLUMN {plain} DROP DEFAULT, ALTER COLUMN {plain} DROP NOT NULL",
                table_name = table.name.quoted(),
                plain = plain.quoted(),
            ));
        }
        if !field.record.frozen {
            statements.push(set_field(store, table, &label, "frozen = true"));
        }
    }
    let guard = guard_with(store, &mut tx, table, true).await?;
    if !guard_is_there(&mut tx, &guard, table).await? {
        statements.extend(guard.statements());
    }
    change_guard(store, &mut tx, table, statements).await?;
    tx.commit().await
}

/// Gives hidden columns their names back.
async fn show(store: &PostgresStore, tx: &mut Transaction, table: &Table) -> Result<()> {
    let fields = held(store, tx, table).await?;
    let hidden: Vec<&Held> = (fields.iter())
        .filter(|field| field.is_hidden(table))
        .collect();
    if hidden.is_empty() {
        return Ok(());
    }
    run(tx, relations::before_change(store, table)).await?;
    for field in hidden {
        rename(tx, table, field.plain.as_ref(), &field.name).await?;
    }
    remake_guard(store, tx, table, true).await
}

/// The statement that changes what the registry says of one field; `label` is a literal.
fn set_field(store: &PostgresStore, table: &Table, label: &str, set: &str) -> String {
    format!(
        "UPDATE {} SET {set}, updated_at = clock_timestamp() WHERE table_label = {} AND column_label = {label}",
        store.own("encrypted_field_metadata"),
        quote::literal(&table.label),
    )
}

/// See [`FrozenState`]. A column is compared by number and type, a guard by what identifies it.
async fn frozen_state(tx: &mut Transaction, table: &Table) -> Result<FrozenState> {
    let hidden = |field: &TableField| hidden_name(&table.label, &field.label);
    let bound: Vec<String> = (table.keys.iter().map(|key| &key.name))
        .chain(&table.tenant)
        .chain(table.fields.iter().map(|field| &field.column))
        .chain(
            table
                .fields
                .iter()
                .filter_map(|field| field.sealed.beside()),
        )
        .map(|name| name.as_str().to_owned())
        .chain(table.fields.iter().map(hidden))
        .collect();
    let row = query(format!(
        "SELECT md5(string_agg(tree.relid::oid || ' ' || {guard} || ' ' || coalesce((SELECT \
           string_agg(a.attname || ':' || a.attnum || ':' || a.atttypid || ':' || a.atttypmod, ',' ORDER BY a.attnum) \
             FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = tree.relid AND a.attname = ANY ($2) \
               AND NOT a.attisdropped), ''), ';' ORDER BY tree.relid::oid)) FROM {TREE} AS tree \
         JOIN pg_catalog.pg_class AS c ON c.oid = tree.relid",
        guard = relations::guard_identity("tree.relid"),
    ))
    .bind(regclass(table))
    .bind(bound)
    .fetch_one(&mut **tx)
    .await?;
    Ok(FrozenState {
        guard: row.try_get::<Option<String>, _>(0)?.unwrap_or_default(),
        constraints: constraints::state(tx, table).await?,
    })
}

/// Whether two states are the same where it matters: the guard always, the constraints once there are
/// some.
fn is_same(expected: &FrozenState, now: &FrozenState) -> bool {
    expected.guard == now.guard
        && !expected.constraints.is_empty()
        && expected.constraints == now.constraints
}

async fn try_hide(
    store: &PostgresStore,
    table: &Table,
    state: &FrozenState,
) -> Result<Option<FrozenState>> {
    let mut tx = begin_briefly(store).await?;
    lock(&mut tx, table).await?;
    if !is_same(state, &frozen_state(&mut tx, table).await?) {
        return Ok(None);
    }
    let shown: Vec<Held> = (held(store, &mut tx, table).await?.into_iter())
        .filter(|field| field.beside().is_some() && !field.is_hidden(table))
        .collect();
    if shown.is_empty() {
        return Ok(Some(state.clone()));
    }
    run(&mut tx, relations::before_change(store, table)).await?;
    for field in &shown {
        let hidden = name(hidden_name(&table.label, &field.label))?;
        rename(&mut tx, table, field.plain.as_ref(), &hidden).await?;
    }
    remake_guard(store, &mut tx, table, true).await?;
    let guard = guard::guard_of(store, &mut tx, table).await?;
    let watched = shown.iter().all(|field| guard.watches(&field.label));
    if !watched {
        return Err(StoreError::unexpected("a hidden column without its guard"));
    }
    let state = frozen_state(&mut tx, table).await?;
    tx.commit().await?;
    Ok(Some(state))
}

async fn rename(
    tx: &mut Transaction,
    table: &Table,
    from: Option<&Ident>,
    to: &Ident,
) -> Result<()> {
    let Some(from) = from else { return Ok(()) };
    let sql = format!(
        "ALTER TABLE {} RENAME COLUMN {} TO {}",
        table.name.quoted(),
        from.quoted(),
        to.quoted()
    );
    run(tx, sql).await
}

/// Makes the guard for the columns as they are now, and records it.
async fn remake_guard(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    frozen: bool,
) -> Result<()> {
    // A renamed column is recorded under its number before the guard asks for its name.
    relations::record_columns(store, tx, table).await?;
    let guard = guard_with(store, tx, table, frozen).await?;
    let statements = match guard.fields.is_empty() {
        true => guard.drop_statements(),
        false => guard.statements(),
    };
    for statement in statements {
        run(tx, statement).await?;
    }
    for statement in relations::after_change(store, table, false) {
        run(tx, statement).await?;
    }
    Ok(())
}

/// One value of a query about the table, whose name is bound as `$1`.
async fn texts_of(tx: &mut Transaction, table: &Table, sql: String) -> Result<Vec<String>> {
    Ok(scalar(sql)
        .bind(regclass(table))
        .fetch_all(&mut **tx)
        .await?)
}

fn to_json(definition: &PlainDefinition) -> Result<String> {
    serde_json::to_string(definition)
        .map_err(|_| StoreError::unexpected("a definition that is no JSON"))
}
