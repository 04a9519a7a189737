//! DDL on the application's tables: sealed columns, guard, indexes.
//! Owns how DDL waits for locks: briefly and a bounded number of times, so that the application's
//! statements do not queue behind it for long. All of it adds something, except what `restore
//! --drop-sealed` drops.

use std::time::Duration;

use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::committed;
use super::fault::map;
use super::guard::{self, Guard, GuardField};
use super::indexes::{self, Index, index_there, unique_indexes};
use super::relations;
use super::sql::{query, raw};
use super::table;
use crate::ident::Ident;
use crate::quote;
use crate::store::{Result, Scope, Sealed, StoreError, Table, TableField, UntrustedSeal};

/// The number of attempts to get a lock. Each waits [`LOCK_WAIT_MS`], and the pauses between them
/// grow.
const ATTEMPTS: u32 = 12;
const LOCK_WAIT_MS: u32 = 1000;

/// The table's name in the form that `to_regclass` takes.
pub(super) fn regclass(table: &Table) -> String {
    table.name.quoted()
}

/// The statements that `prepare` would run now.
pub(super) async fn missing(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    let mut statements = missing_in_transaction(store, table).await?;
    let mut tx = store.begin().await?;
    let table_name = regclass(table);
    for index in unique_indexes(store, table).await.or_else(absent)? {
        if !index_there(&mut tx, &table_name, &index.name).await? {
            statements.push(index.create());
        }
    }
    committed(tx).await?;
    Ok(statements)
}

/// A table that does not exist has no leaves and so no indexes.
fn absent(error: StoreError) -> Result<Vec<Index>> {
    match error {
        StoreError::Missing { .. } => Ok(Vec::new()),
        error => Err(error),
    }
}

async fn missing_in_transaction(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    let mut tx = store.begin().await?;
    let columns = missing_columns(&mut tx, table).await?;
    let guard = guard_of(store, &mut tx, table).await?;
    let mut statements = Vec::new();
    // Without plaintext columns no guard is needed, since no sealed value can be older than its
    // plaintext.
    let guarded = guard.fields.is_empty() || guard_is_there(&mut tx, &guard, table).await?;
    if !columns.is_empty() || !guarded {
        let no_seals_yet = relations::has_no_seals(&mut tx, store, table).await?;
        // The lock comes first, so that nobody writes between the check of the present guard and
        // its replacement. It is at once the strongest: to raise a weaker one could deadlock with
        // an application that holds a weak lock (`SELECT … FOR UPDATE`) and is about to write.
        statements.push(format!(
            "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
            table.name.quoted()
        ));
        let noted = |statement: &String| relations::if_allowed(store, statement);
        statements.push(noted(&relations::before_change(store, table)));
        statements.extend(columns);
        if !guard.fields.is_empty() {
            statements.extend(guard.statements());
        }
        let after = relations::after_change(store, table, no_seals_yet);
        statements.extend(after.iter().map(noted));
    }
    committed(tx).await?;
    Ok(statements)
}

pub(super) async fn prepare(store: &PostgresStore, table: &Table) -> Result<()> {
    // Another engine may prepare the same table at the same time. What it created is then no longer
    // missing when this loop looks again.
    for attempt in 1.. {
        let statements = missing_in_transaction(store, table).await?;
        match apply(store, &statements).await {
            Err(StoreError::Refused { sqlstate })
                if attempt < ATTEMPTS && made_by_another(&sqlstate) =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            outcome => {
                outcome?;
                break;
            }
        }
    }
    retire_old_function(store).await?;
    for index in unique_indexes(store, table).await? {
        indexes::concurrently(store, &index, None).await?;
    }
    // Some server versions do not copy ENABLE ALWAYS to the triggers of partitions, so it is set on
    // each.
    // A detached leaf needs no guard and no index of ours.
    let leaves = table::relations(store, table, &Scope::Attached).await?;
    let mut tx = store.begin().await?;
    let bare = guard_of(store, &mut tx, table).await?.fields.is_empty();
    let mut late = Vec::new();
    for leaf in &leaves {
        for name in [guard::INSERT, guard::UPDATE] {
            let row = query(
                "SELECT tgenabled::text FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2"
                    .to_owned(),
            )
            .bind(leaf.clone())
            .bind(name)
            .fetch_optional(&mut *tx)
            .await
            .map_err(map)?;
            match row {
                Some(row) if row.try_get::<String, _>(0).map_err(map)? == "A" => {}
                Some(_) => late.push(format!(
                    "ALTER TABLE {leaf} ENABLE ALWAYS TRIGGER \"{name}\""
                )),
                None if bare => {}
                None => {
                    return Err(StoreError::Missing {
                        what: format!("the guard on {leaf}"),
                    });
                }
            }
        }
    }
    committed(tx).await?;
    if late.is_empty() {
        return relations::note(store, table).await;
    }
    late.insert(0, relations::before_change(store, table));
    late.extend(relations::after_change(store, table, false));
    apply(store, &late).await
}

/// Drops a function that guards of an earlier version called, once no such guard is left.
async fn retire_old_function(store: &PostgresStore) -> Result<()> {
    let mut tx = store.begin().await?;
    let row = query(
        "SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
           WHERE n.nspname = $1 AND p.proname = 'guard_require_active' \
             AND pg_has_role(p.proowner, 'USAGE')) \
         AND NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
           WHERE n.nspname = $1 AND p.proname ~ '^guard_(insert|update)_' \
             AND position('guard_require_active' IN p.prosrc) > 0)"
            .to_owned(),
    )
    .bind(store.schema.as_str().to_owned())
    .fetch_one(&mut *tx)
    .await
    .map_err(map)?;
    if row.try_get(0).map_err(map)? {
        raw(format!(
            "DROP FUNCTION IF EXISTS {}.guard_require_active(bigint, text)",
            store.schema.quoted()
        ))
        .execute(&mut *tx)
        .await
        .map_err(map)?;
    }
    committed(tx).await
}

/// The SQLSTATEs of a duplicate column, object, table or function, and of a catalog row that
/// another transaction has just changed.
fn made_by_another(sqlstate: &str) -> bool {
    matches!(sqlstate, "42701" | "42710" | "42P07" | "42723" | "XX000")
}

/// Runs statements in one transaction with a short lock_timeout; tries again if a lock is not
/// available.
pub(super) async fn apply(store: &PostgresStore, statements: &[String]) -> Result<()> {
    if statements.is_empty() {
        return Ok(());
    }
    let mut pause = Duration::from_millis(100);
    for attempt in 1.. {
        match try_apply(store, statements).await {
            Err(StoreError::Locked | StoreError::Busy { .. }) if attempt < ATTEMPTS => {
                tracing::info!(attempt, "waiting for a lock on the table");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            other => return other,
        }
    }
    Ok(())
}

async fn try_apply(store: &PostgresStore, statements: &[String]) -> Result<()> {
    let mut tx = store.begin().await?;
    raw(format!("SET LOCAL lock_timeout = '{LOCK_WAIT_MS}ms'"))
        .execute(&mut *tx)
        .await
        .map_err(map)?;
    for statement in statements {
        raw(statement.clone())
            .execute(&mut *tx)
            .await
            .map_err(map)?;
    }
    committed(tx).await
}

pub(super) async fn columns_there(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<Vec<String>> {
    let columns = column_types(tx, table).await?;
    Ok(columns.into_iter().map(|(name, _)| name).collect())
}

/// The table's columns, each with its type.
async fn column_types(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<Vec<(String, String)>> {
    let rows = query(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_catalog.pg_attribute \
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
            .to_owned(),
    )
    .bind(regclass(table))
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    rows.iter()
        .map(|row| Ok((row.try_get(0).map_err(map)?, row.try_get(1).map_err(map)?)))
        .collect()
}

async fn missing_columns(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<Vec<String>> {
    let there = columns_there(tx, table).await?;
    let mut adds = Vec::new();
    for field in &table.fields {
        let sealed = match &field.sealed {
            Sealed::Beside { column, .. } => Some(column),
            Sealed::InPlace => None,
        };
        for column in sealed.into_iter().chain(&field.index) {
            if !there.iter().any(|name| name == column.as_str()) {
                adds.push(format!("ADD COLUMN {} bytea", column.quoted()));
            }
        }
    }
    Ok(if adds.is_empty() {
        Vec::new()
    } else {
        vec![format!(
            "ALTER TABLE {} {}",
            table.name.quoted(),
            adds.join(", ")
        )]
    })
}

/// The guard that the table should have: for the registered fields and those that this plan adds.
pub(super) async fn guard_of(
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
    let row = query(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
         WHERE n.nspname = $1 AND p.proname = $2 AND position($3 IN p.prosrc) > 0)"
            .to_owned(),
    )
    .bind(store.schema.as_str().to_owned())
    .bind(guard::function_name("update", &table.label))
    .bind(guard::UNDONE)
    .fetch_one(&mut **tx)
    .await
    .map_err(map)?;
    row.try_get(0).map_err(map)
}

/// Whether the text of the tenant depends on settings of the session (dates, bytes).
async fn tenant_by_settings(
    tx: &mut Transaction<'static, Postgres>,
    table: &Table,
) -> Result<bool> {
    let Some(tenant) = &table.tenant else {
        return Ok(false);
    };
    let row = query(
        "SELECT coalesce((SELECT coalesce(nullif(t.typbasetype, 0), t.oid) NOT IN ('text'::regtype, \
           'varchar'::regtype, 'bpchar'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, \
           'uuid'::regtype, 'bool'::regtype, 'numeric'::regtype) FROM pg_catalog.pg_attribute a \
           JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
           WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped), true)"
            .to_owned(),
    )
    .bind(regclass(table))
    .bind(tenant.as_str().to_owned())
    .fetch_one(&mut **tx)
    .await
    .map_err(map)?;
    row.try_get(0).map_err(map)
}

/// The owner of the table; our own role if the table does not exist.
async fn owner_of(tx: &mut Transaction<'static, Postgres>, table: &Table) -> Result<Ident> {
    let row = query(
        "SELECT coalesce((SELECT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c \
         WHERE c.oid = to_regclass($1)), current_user)::text"
            .to_owned(),
    )
    .bind(regclass(table))
    .fetch_one(&mut **tx)
    .await
    .map_err(map)?;
    ident(row.try_get(0).map_err(map)?)
}

fn ident(name: String) -> Result<Ident> {
    Ident::new(name).map_err(|_| StoreError::Unexpected {
        what: "a column name in the registry",
    })
}

/// Whether the table has exactly the guard that this program would create, and whether it always
/// fires, runs with the writer's rights, and cannot be used by others in a trigger of their own.
async fn guard_is_there(
    tx: &mut Transaction<'static, Postgres>,
    guard: &Guard,
    table: &Table,
) -> Result<bool> {
    let statements = guard.statements();
    let rows = query(format!(
        "SELECT t.tgname::text, t.tgenabled::text, p.prosrc, \
           NOT p.prosecdef AND NOT has_function_privilege('public', p.oid, 'EXECUTE') \
             AND has_function_privilege(c.relowner, p.oid, 'EXECUTE'), t.tgargs \
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
         JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid \
         WHERE t.tgrelid = to_regclass($1) AND {}",
        guard::IS_GUARD
    ))
    .bind(regclass(table))
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    if rows.len() != guard.triggers() {
        return Ok(false);
    }
    for row in &rows {
        let name: String = row.try_get(0).map_err(map)?;
        let enabled: String = row.try_get(1).map_err(map)?;
        let source: String = row.try_get(2).map_err(map)?;
        let safe: bool = row.try_get(3).map_err(map)?;
        let arguments: Vec<u8> = row.try_get(4).map_err(map)?;
        let fires = match name.as_str() {
            guard::INSERT | guard::UPDATE => enabled == "A",
            _ => enabled != "D" && enabled != "R",
        };
        // The function's body names every field, so it differs if the plan has one more field. The
        // argument stands for the condition, whose text the catalog does not keep.
        if !fires
            || !safe
            || !guard.has_trigger(&name, &arguments)
            || !statements.iter().any(|s| s.contains(&source))
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Drops the sealed columns and the guard, after a restore. If other fields of the table need a
/// guard, it is created again in the same transaction.
pub(super) async fn drop_sealed(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = store.begin().await?;
    let mut guard = guard_of(store, &mut tx, table).await?;
    let there = columns_there(&mut tx, table).await?;
    committed(tx).await?;
    let sweeps = indexes::sweep_indexes(store, table).await?;
    let mut statements = Vec::new();
    let mut drops = Vec::new();
    let mut only_copies = Vec::new();
    for field in &table.fields {
        let Sealed::Beside { column, .. } = &field.sealed else {
            only_copies.push(guard::looks_sealed(&field.column.quoted()));
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
    if !only_copies.is_empty() {
        // The check is repeated under the lock, because an application that seals may have written
        // since the sweep. Readers wait only if columns are dropped. Rows that a row security
        // policy hides are counted too.
        statements.push(lock_for_look(&table_name, drops.is_empty()));
        statements.push(super::sql::block(&format!(
            "BEGIN IF EXISTS (SELECT 1 FROM {table_name} WHERE {}) THEN \
             RAISE EXCEPTION USING ERRCODE = '{NOT_RESTORED}', MESSAGE = 'table'; END IF; END",
            only_copies.join(" OR ")
        )));
    }
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
        "UPDATE {} SET blind_index_next = NULL WHERE table_label = {} AND blind_index_next IS NOT NULL",
        store.own("encrypted_field_metadata"),
        quote::literal(&table.label)
    ));
    guard
        .fields
        .retain(|field| !table.fields.iter().any(|gone| gone.column == field.plain));
    if !guard.fields.is_empty() {
        statements.extend(guard.statements());
    }
    statements.extend(relations::after_change(store, table, false));
    match apply(store, &statements).await {
        Err(StoreError::Refused { sqlstate }) if sqlstate == NOT_RESTORED => {
            Err(StoreError::NotRestored {
                table: table.label.clone(),
            })
        }
        other => other,
    }
}

/// The lock for this check. Readers wait if columns are dropped.
fn lock_for_look(table: &str, columns_stay: bool) -> String {
    let mode = match columns_stay {
        true => "EXCLUSIVE",
        false => "ACCESS EXCLUSIVE",
    };
    format!("LOCK TABLE {table} IN {mode} MODE; SET LOCAL row_security = off")
}

/// The SQLSTATE that the check before a drop raises.
const NOT_RESTORED: &str = "PS105";

/// Creates the columns that a restore writes to, with the type that the plaintext had.
pub(super) async fn make_plain_columns(store: &PostgresStore, table: &Table) -> Result<()> {
    let mut tx = store.begin().await?;
    let there = columns_there(&mut tx, table).await?;
    committed(tx).await?;
    let missing: Vec<&TableField> = (table.fields.iter())
        .filter(|field| !there.iter().any(|name| name == field.column.as_str()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut statements = Vec::new();
    let types = missing.iter().map(|field| field.source_type.clone());
    if !types_are_found(store, types.collect()).await? {
        // An earlier version registered the application's types without their schema.
        statements.push(super::sql::OWNERS_NAMES.to_owned());
    }
    let adds: Vec<String> = (missing.iter())
        .map(|field| format!("ADD COLUMN {} {}", field.column.quoted(), field.source_type))
        .collect();
    statements.push(format!(
        "ALTER TABLE {} {}",
        table.name.quoted(),
        adds.join(", ")
    ));
    apply(store, &statements).await
}

/// Whether the server finds each of these types: its name has a schema, or it is one of the
/// server's own.
async fn types_are_found(store: &PostgresStore, types: Vec<String>) -> Result<bool> {
    let mut tx = store.begin().await?;
    let row =
        query("SELECT bool_and(to_regtype(t) IS NOT NULL) FROM unnest($1::text[]) AS t".to_owned())
            .bind(types)
            .fetch_one(&mut *tx)
            .await
            .map_err(map)?;
    committed(tx).await?;
    row.try_get(0).map_err(map)
}
