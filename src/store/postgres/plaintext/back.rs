//! The way back: undoing a finalize that is not finished, and a plaintext column that a restore makes
//! again.
//! Owns what the column gets back of what it was. NOT NULL comes last, once every row has its value.

use super::super::PostgresStore;
use super::super::ddl_lock::{begin_briefly, patiently};
use super::super::prepare::{apply, regclass};
use super::super::relations;
use super::super::sql::{OWNERS_NAMES, SAFE_NAMES, run};
use super::constraints::{drop_statements, relations_of, set_not_null};
use super::{Held, held, lock, remake_guard, rename, set_field, to_json};
use crate::quote;
use crate::store::ledger::fields;
use crate::store::postgres::transaction::Transaction;
use crate::store::{FieldState, Result, Table};

/// See [`crate::store::Plaintext::unfreeze`].
pub(super) async fn unfreeze(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    patiently(store, &regclass(table), || try_unfreeze(store, table)).await?;
    finish(store, table).await
}

async fn try_unfreeze(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = begin_briefly(store).await?;
    lock(&mut tx, table).await?;
    run(&mut tx, relations::before_change(store, table)).await?;
    let held = held(store, &mut tx, table).await?;
    for field in &held {
        // A field that is not frozen has nothing to give back.
        if !field.record.frozen && !field.is_hidden(table) {
            continue;
        }
        if field.is_hidden(table) {
            rename(&mut tx, table, field.plain.as_ref(), &field.name).await?;
        }
        thaw(store, &mut tx, table, field, false).await?;
    }
    remake_guard(store, &mut tx, table, false).await?;
    tx.commit().await
}

/// Takes back what a freeze and the constraints changed for a field whose plaintext column is there
/// under its own name. `made` says that the column was just made: what depended on the one before went
/// with it.
async fn thaw(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    field: &Held,
    made: bool,
) -> Result<()> {
    let mut definition = field.definition()?;
    if !made {
        definition.dependents.clear();
    }
    definition.dropped = false;
    let mut statements = drop_statements(tx, table, field).await?;
    let column = format!("ALTER TABLE {} ALTER COLUMN", table.name.quoted());
    if let (Some((sealed, _)), true) = (&field.sealed, definition.not_null_carried) {
        statements.push(format!("{column} {} DROP NOT NULL", sealed.quoted()));
        definition.not_null_carried = false;
    }
    if let Some(default) = &definition.default {
        // A default may name the application's functions.
        statements.push(OWNERS_NAMES.to_owned());
        statements.push(format!(
            "{column} {} SET DEFAULT {default}",
            field.name.quoted()
        ));
        statements.push(SAFE_NAMES.to_owned());
    }
    if let Some(comment) = &definition.comment {
        statements.push(format!(
            "COMMENT ON COLUMN {}.{} IS {}",
            table.name.quoted(),
            field.name.quoted(),
            quote::literal(comment)
        ));
    }
    if !made && is_removed(field) {
        // Its statistics were switched off when it was blanked.
        statements.push(format!(
            "{column} {} SET STATISTICS -1",
            field.name.quoted()
        ));
    }
    let label = quote::literal(&field.label);
    let json = to_json(&definition)?;
    let set = format!(
        "frozen = false, plaintext_definition = {}",
        quote::literal(&json)
    );
    statements.push(set_field(store, table, &label, &set));
    for statement in statements {
        run(tx, statement).await?;
    }
    let was_removed = matches!(
        field.record.state,
        FieldState::Finalized | FieldState::Scrubbed
    );
    if was_removed {
        let labels = [field.label.clone()];
        let mut session = store.session(tx);
        fields::set_state(&mut session, &table.label, &labels, FieldState::Sealed).await?;
    }
    Ok(())
}

/// Creates the columns that a restore writes to, where they are missing, each as it was recorded; a
/// default comes after the column, since rows that are there would take it. A frozen field takes
/// plaintext again.
pub(crate) async fn make_plain_columns(store: &PostgresStore, table: &Table) -> Result<()> {
    patiently(store, &regclass(table), || try_make(store, table)).await
}

async fn try_make(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = begin_briefly(store).await?;
    let fields = held(store, &mut tx, table).await?;
    let is_done = |field: &Held| {
        let is_named = field.plain.as_ref() == Some(&field.name);
        is_named && !field.record.frozen && !is_removed(field)
    };
    if fields.iter().all(is_done) {
        return tx.commit().await;
    }
    lock(&mut tx, table).await?;
    run(&mut tx, relations::before_change(store, table)).await?;
    for (field, described) in fields.iter().zip(&table.fields) {
        // `restore --into` names another column than the registered one.
        let is_own = is_own_name(store, &mut tx, table, field).await?;
        let made = field.plain.is_none();
        if field.is_hidden(table) && is_own {
            rename(&mut tx, table, field.plain.as_ref(), &field.name).await?;
        } else if field.plain.as_ref() != Some(&field.name) {
            let collation = field.definition()?.collation;
            let collate = collation.map_or_else(String::new, |name| format!(" COLLATE {name}"));
            let base = base_of_domain(&mut tx, &described.source_type).await?;
            // A domain's own default would fill the rows that are there.
            let add = format!(
                "ALTER TABLE {table_name} ADD COLUMN {column} {}{collate} DEFAULT NULL; \
                 ALTER TABLE {table_name} ALTER COLUMN {column} DROP DEFAULT",
                base.as_ref().unwrap_or(&described.source_type),
                table_name = table.name.quoted(),
                column = field.name.quoted(),
            );
            if !is_known_type(&mut tx, &described.source_type).await? {
                // An earlier version registered the application's types without their schema.
                run(&mut tx, OWNERS_NAMES).await?;
            }
            run(&mut tx, add).await?;
            run(&mut tx, SAFE_NAMES).await?;
            if base.is_some() {
                remember_domain(store, &mut tx, table, field, &described.source_type).await?;
            }
        }
        if is_own && (field.record.frozen || is_removed(field)) {
            let now = held(store, &mut tx, table).await?;
            let now = now.iter().find(|one| one.label == field.label);
            thaw(store, &mut tx, table, now.unwrap_or(field), made).await?;
        }
    }
    remake_guard_as_recorded(store, &mut tx, table).await?;
    tx.commit().await
}

fn is_removed(field: &Held) -> bool {
    matches!(
        field.record.state,
        FieldState::Finalized | FieldState::Scrubbed
    )
}

/// Whether the column that the table names is the registered one of the field.
async fn is_own_name(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    field: &Held,
) -> Result<bool> {
    let recorded = fields::recorded(&mut store.session(tx)).await?;
    Ok(recorded.iter().any(|record| {
        record.table_label == table.label
            && record.column_label == field.label
            && (record.column_name == field.name.as_str()
                || field.record.column_name == field.name.as_str())
    }))
}

/// The type under a domain that takes no NULL: a column that is just made has nothing else.
async fn base_of_domain(tx: &mut Transaction, sql_type: &str) -> Result<Option<String>> {
    Ok(super::super::sql::scalar(
        "SELECT pg_catalog.format_type(y.typbasetype, y.typtypmod) FROM pg_catalog.pg_type AS y \
         WHERE y.oid = pg_catalog.to_regtype($1) AND y.typtype = 'd' AND (y.typnotnull \
           OR EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.contypid = y.oid \
             AND pg_catalog.pg_get_constraintdef(k.oid) ~* '\\mnull\\M'))",
    )
    .bind(sql_type.to_owned())
    .fetch_optional(&mut **tx)
    .await?)
}

/// Records the statement by which a person gives the column its domain once every row has its value.
async fn remember_domain(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    field: &Held,
    domain: &str,
) -> Result<()> {
    let mut definition = field.definition()?;
    definition.dependents.push(format!(
        "ALTER TABLE {} ALTER COLUMN {} TYPE {domain}; -- after restore --drop-sealed",
        table.name.quoted(),
        field.name.quoted()
    ));
    let set = format!(
        "plaintext_definition = {}",
        quote::literal(&to_json(&definition)?)
    );
    run(
        tx,
        set_field(store, table, &quote::literal(&field.label), &set),
    )
    .await
}

/// Whether the server finds this type: its name has a schema, or it is one of the server's own.
async fn is_known_type(tx: &mut Transaction, sql_type: &str) -> Result<bool> {
    Ok(
        super::super::sql::scalar("SELECT to_regtype($1) IS NOT NULL")
            .bind(sql_type.to_owned())
            .fetch_one(&mut **tx)
            .await?,
    )
}

/// See [`crate::store::Plaintext::finish_plain_columns`]. Also the end of an undo. Forgets what was
/// recorded.
pub(super) async fn finish(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    let mut tx = store.begin().await?;
    let held = held(store, &mut tx, table).await?;
    tx.commit().await?;
    let relations = relations_of(store, table).await?;
    let mut left = Vec::new();
    for field in &held {
        let definition = field.definition()?;
        let is_own = field.record.column_name == field.name.as_str();
        if field.record.plaintext_definition == "{}"
            || !is_own
            || field.plain.as_ref() != Some(&field.name)
        {
            continue;
        }
        if definition.not_null
            && field.sealed.is_some()
            && !set_not_null(store, table, &field.label, &field.name, &relations).await?
        {
            left.push(format!(
                "ALTER TABLE {} ALTER COLUMN {} SET NOT NULL;",
                table.name.quoted(),
                field.name.quoted()
            ));
        }
        left.extend(definition.dependents);
        let label = quote::literal(&field.label);
        let forget = set_field(store, table, &label, "plaintext_definition = '{}'");
        apply(store, table, &[forget]).await?;
    }
    Ok(left)
}

/// Makes the guard for the columns as they are now and as the registry says.
async fn remake_guard_as_recorded(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
) -> Result<()> {
    relations::record_columns(store, tx, table).await?;
    let guard = super::guard::guard_of(store, tx, table).await?;
    if !guard.fields.is_empty() {
        for statement in guard.statements() {
            run(tx, statement).await?;
        }
    }
    for statement in relations::after_change(store, table, false) {
        run(tx, statement).await?;
    }
    Ok(())
}
