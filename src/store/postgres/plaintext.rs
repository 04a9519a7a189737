//! Taking the plaintext of sealed fields out of a table, and giving its column back.
//! Owns the transactions of the freeze, of hiding and of the removal. Which constraints there are is
//! in `plaintext/constraints.rs`, what depends on a column in `plaintext/dependents.rs`, and the way
//! back in `plaintext/back.rs`.

pub(super) mod back;
mod constraints;
mod dependents;
mod give_up;
mod statistics;

use async_trait::async_trait;
use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::committed;
use super::guard::{self, Guard};
use super::prepare::{begin_briefly, column_types, guard_is_there, patiently, regclass};
use super::relations;
use super::sql::{query, run, scalar, tuple};
use crate::ident::Ident;
use crate::quote;
use crate::store::ledger::{fields, procedures};
use crate::store::text::joined;
use crate::store::{
    Dependent, FieldRecord, FieldState, FrozenState, KeyText, OpenTransaction, PlainDefinition,
    Plaintext, ProcedureKind, Removal, Result, Sealed, StoreError, Table, TableField, UnsealedRows,
    hidden_name,
};
pub(super) use constraints::form_of_new;

#[async_trait]
impl Plaintext for PostgresStore {
    async fn writers(&self, table: &Table) -> Result<Vec<OpenTransaction>> {
        writers(self, table).await
    }

    async fn unsealed(&self, table: &Table) -> Result<Vec<UnsealedRows>> {
        unsealed(self, table).await
    }

    async fn plaintext_dependents(&self, table: &Table) -> Result<Vec<Dependent>> {
        in_transaction!(self.begin(), |tx| dependents::of(self, tx, table))
    }

    async fn freeze(&self, table: &Table) -> Result<()> {
        patiently(|| try_freeze(self, table)).await
    }

    async fn unfreeze(&self, table: &Table) -> Result<Vec<String>> {
        back::unfreeze(self, table).await
    }

    async fn frozen_state(&self, table: &Table) -> Result<FrozenState> {
        in_transaction!(self.begin(), |tx| frozen_state(tx, table))
    }

    async fn give_up(&self, table: &Table, field: Option<usize>, key: &KeyText) -> Result<bool> {
        patiently(|| give_up::try_give_up(self, table, field, key)).await
    }

    async fn constrain(&self, table: &Table, blank: bool) -> Result<()> {
        constraints::constrain(self, table, blank).await
    }

    async fn hide(&self, table: &Table, state: &FrozenState) -> Result<Option<FrozenState>> {
        patiently(|| try_hide(self, table, state)).await
    }

    async fn remove_plaintext(
        &self,
        table: &Table,
        removal: Removal,
        state: &FrozenState,
    ) -> Result<bool> {
        if is_removed(self, table).await? {
            return Ok(true);
        }
        patiently(|| try_remove(self, table, removal, state)).await
    }

    async fn forget_statistics(&self, table: &Table) -> Result<Vec<String>> {
        statistics::forget(self, table).await
    }

    async fn finish_plain_columns(&self, table: &Table) -> Result<Vec<String>> {
        back::finish(self, table).await
    }
}

/// A field of the table, and where its columns are now.
struct Held {
    label: String,
    /// The name that its plaintext column should have.
    name: Ident,
    /// The name that it has; `None` if it is not there.
    plain: Option<Ident>,
    /// The sealed column, and whether it is a text column; `None` in place.
    sealed: Option<(Ident, bool)>,
    index: Option<Ident>,
    record: FieldRecord,
}

impl Held {
    /// The plaintext column beside the sealed value.
    fn beside(&self) -> Option<(&Ident, &Ident)> {
        match (&self.plain, &self.sealed) {
            (Some(plain), Some((sealed, _))) => Some((plain, sealed)),
            _ => None,
        }
    }

    fn definition(&self) -> Result<PlainDefinition> {
        serde_json::from_str(&self.record.plaintext_definition)
            .map_err(|_| StoreError::unexpected("the definition of a plaintext column"))
    }

    fn is_hidden(&self, table: &Table) -> bool {
        let hidden = hidden_name(&table.label, &self.label);
        self.plain
            .as_ref()
            .is_some_and(|name| name.as_str() == hidden)
    }
}

/// The fields of the table as they are now.
async fn held(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<Vec<Held>> {
    let there = column_types(tx, table).await?;
    let is_there = |name: &Ident| there.iter().any(|(column, _)| column == name.as_str());
    let records = relations::present_fields(store, tx).await?;
    let mut out = Vec::new();
    for field in &table.fields {
        let record = records
            .iter()
            .find(|one| one.table_label == table.label && one.column_label == field.label)
            .ok_or_else(|| StoreError::missing("a registered field"))?;
        let hidden = name(hidden_name(&table.label, &field.label))?;
        let present = name(record.column_name.clone())?;
        if is_there(&hidden) && is_there(&field.column) && hidden != field.column {
            return Err(StoreError::InTheWay {
                what: format!(
                    "{}.{}, made again beside the hidden column,",
                    table.label,
                    field.column.as_str()
                ),
            });
        }
        let plain = [&hidden, &field.column, &present]
            .into_iter()
            .find(|name| is_there(name));
        out.push(Held {
            label: field.label.clone(),
            name: field.column.clone(),
            plain: plain.cloned(),
            sealed: match &field.sealed {
                Sealed::Beside { column, text } => Some((column.clone(), *text)),
                Sealed::InPlace => None,
            },
            index: field.index.clone(),
            record: record.clone(),
        });
    }
    Ok(out)
}

fn name(text: String) -> Result<Ident> {
    Ident::new(text).map_err(|_| StoreError::unexpected("a column name in the registry"))
}

/// The table and all its partitions, those that hold rows first.
const TREE: &str = "(SELECT t.relid, t.level, t.isleaf FROM pg_catalog.pg_partition_tree(to_regclass($1)) AS t \
     UNION ALL SELECT to_regclass($1), 0, true WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_tree(to_regclass($1))))";

async fn writers(store: &PostgresStore, table: &Table) -> Result<Vec<OpenTransaction>> {
    // The login sees more of other sessions than a role without rights of its own.
    let mut tx = store.begin_as_login().await?;
    let rows: Vec<(String, String)> = tuple(format!(
        "SELECT DISTINCT coalesce(a.backend_xid::text, ''), 'role ' || coalesce(a.usename, '?') || \
           coalesce(', application ' || nullif(a.application_name, ''), '') \
         FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid \
         WHERE l.granted AND l.locktype = 'relation' AND l.mode = 'RowExclusiveLock' \
           AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
           AND l.relation IN (SELECT relid FROM {TREE} AS tree) \
           AND a.pid <> pg_backend_pid() AND a.application_name <> 'phiseal' LIMIT 100"
    ))
    .bind(regclass(table))
    .fetch_all(&mut *tx)
    .await?;
    committed(tx).await?;
    let transaction = |(id, who)| OpenTransaction { id, who };
    Ok(rows.into_iter().map(transaction).collect())
}

async fn unsealed(store: &PostgresStore, table: &Table) -> Result<Vec<UnsealedRows>> {
    let mut tx = store.begin().await?;
    let held = held(store, &mut tx, table).await?;
    let conditions: Vec<String> = held.iter().filter_map(is_unsealed).collect();
    if conditions.is_empty() {
        return committed(tx).await.map(|()| Vec::new());
    }
    run(
        &mut tx,
        "SET LOCAL statement_timeout = 0; SET LOCAL row_security = off",
    )
    .await?;
    let rows: Vec<(String, i64)> = tuple(format!(
        "SELECT t.xmin::text, count(*) FROM {} AS t WHERE {} GROUP BY 1 ORDER BY 2 DESC LIMIT 1000",
        table.name.quoted(),
        conditions.join(" OR ")
    ))
    .fetch_all(&mut *tx)
    .await?;
    committed(tx).await?;
    let rows = rows.into_iter().map(|(transaction, rows)| UnsealedRows {
        transaction,
        rows: rows.unsigned_abs(),
    });
    Ok(rows.collect())
}

/// The condition that a row `t` has a plaintext of this field that is not sealed.
fn is_unsealed(field: &Held) -> Option<String> {
    let plain = format!("t.{}", field.plain.as_ref()?.quoted());
    Some(match &field.sealed {
        Some((sealed, _)) => {
            format!("({plain} IS NOT NULL AND t.{} IS NULL)", sealed.quoted())
        }
        None => format!(
            "({plain} IS NOT NULL AND NOT {})",
            guard::looks_sealed(&plain)
        ),
    })
}

/// The guard of the table, with these fields frozen or not.
async fn guard_with(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
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
async fn lock(tx: &mut Transaction<'static, Postgres>, table: &Table) -> Result<()> {
    let sql = format!(
        "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
        table.name.quoted()
    );
    run(tx, sql).await
}

/// Runs statements that change the guard, and records the guard that came of it.
async fn change_guard(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
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
    committed(tx).await
}

/// Gives hidden columns their names back.
async fn show(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<()> {
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
async fn frozen_state(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<FrozenState> {
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
    committed(tx).await?;
    Ok(Some(state))
}

async fn rename(
    tx: &mut Transaction<'static, Postgres>,
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
    tx: &mut Transaction<'static, Postgres>,
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

/// Whether an earlier call removed the plaintext, but did not hear of it.
async fn is_removed(store: &PostgresStore, table: &Table) -> Result<bool> {
    let mut tx = store.begin().await?;
    let held = held(store, &mut tx, table).await?;
    committed(tx).await?;
    Ok(held
        .iter()
        .all(|field| field.record.state == FieldState::Finalized))
}

async fn try_remove(
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
    committed(tx).await?;
    Ok(true)
}

/// Looks once more, under the lock, for what depends on the columns: what was made since the freeze is
/// recorded, too, or refuses the removal. Says in the record that the columns were dropped.
async fn record_late(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
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

fn to_json(definition: &PlainDefinition) -> Result<String> {
    serde_json::to_string(definition)
        .map_err(|_| StoreError::unexpected("a definition that is no JSON"))
}

/// Drops the plaintext columns beside sealed values. Never with CASCADE: the server refuses while
/// something of the application depends on one.
async fn drop_columns(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
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

/// One value of a query about the table, whose name is bound as `$1`.
async fn texts_of(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
    sql: String,
) -> Result<Vec<String>> {
    Ok(scalar(sql)
        .bind(regclass(table))
        .fetch_all(&mut **tx)
        .await?)
}
