//! DDL on the application's tables: sealed columns, guard, indexes.
//! Owns how it waits: briefly, a bounded number of times, so that it never queues in front of the
//! application. All of it is additive but for what `restore --drop-sealed` asks for.

use std::time::Duration;

use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::fault::map;
use super::guard::{self, Guard, GuardField};
use super::indexes::{self, Index, index_there, unique_indexes};
use super::sql::{query, raw};
use crate::ident::Ident;
use crate::quote;
use crate::store::{FieldTarget, Result, Sealed, Store, StoreError, Target};

/// Attempts at a lock, each of [`LOCK_WAIT_MS`], with a growing pause in between.
const ATTEMPTS: u32 = 12;
const LOCK_WAIT_MS: u32 = 1000;

/// The table's name as `to_regclass` takes it.
pub(super) fn regclass(target: &Target) -> String {
    target.table.quoted()
}

/// What `prepare` would run now.
pub(super) async fn missing(store: &PostgresStore, target: &Target) -> Result<Vec<String>> {
    let mut statements = missing_in_transaction(store, target).await?;
    let mut tx = store.begin().await?;
    let table = regclass(target);
    for index in unique_indexes(store, target).await.or_else(absent)? {
        if !index_there(&mut tx, &table, &index.name).await? {
            statements.push(index.create());
        }
    }
    tx.commit().await.map_err(map)?;
    Ok(statements)
}

/// A table that is not there has no leaves.
fn absent(error: StoreError) -> Result<Vec<Index>> {
    match error {
        StoreError::Missing { .. } => Ok(Vec::new()),
        error => Err(error),
    }
}

async fn missing_in_transaction(store: &PostgresStore, target: &Target) -> Result<Vec<String>> {
    let mut tx = store.begin().await?;
    let mut statements = missing_columns(&mut tx, target).await?;
    let guard = guard_of(store, &mut tx, target).await?;
    if !statements.is_empty() || !guard_is_there(&mut tx, &guard, target).await? {
        statements.extend(guard.statements());
    }
    tx.commit().await.map_err(map)?;
    Ok(statements)
}

pub(super) async fn prepare(store: &PostgresStore, target: &Target) -> Result<()> {
    // Another engine may prepare the same table at this moment: what it made is then no longer
    // missing at the next look.
    for attempt in 1.. {
        let statements = missing_in_transaction(store, target).await?;
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
    for index in unique_indexes(store, target).await? {
        indexes::concurrently(store, &index, None).await?;
    }
    // The clones on partitions fire ALWAYS only where each is told so, on some server versions.
    let leaves = store.relations(target).await?;
    let mut tx = store.begin().await?;
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
                None => {
                    return Err(StoreError::Missing {
                        what: format!("the guard on {leaf}"),
                    });
                }
            }
        }
    }
    tx.commit().await.map_err(map)?;
    apply(store, &late).await
}

/// Drops what guards of an earlier version called, once there is none left.
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
    tx.commit().await.map_err(map)
}

/// Duplicate column, object, table or function, and a catalog row that somebody else just changed.
fn made_by_another(sqlstate: &str) -> bool {
    matches!(sqlstate, "42701" | "42710" | "42P07" | "42723" | "XX000")
}

/// Runs statements in one transaction, under a short lock_timeout, again where a lock is held.
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
    tx.commit().await.map_err(map)
}

async fn columns_there(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
) -> Result<Vec<String>> {
    let rows = query(
        "SELECT attname::text FROM pg_catalog.pg_attribute \
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped"
            .to_owned(),
    )
    .bind(regclass(target))
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    rows.iter().map(|row| row.try_get(0).map_err(map)).collect()
}

async fn missing_columns(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
) -> Result<Vec<String>> {
    let there = columns_there(tx, target).await?;
    let mut adds = Vec::new();
    for field in &target.fields {
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
            target.table.quoted(),
            adds.join(", ")
        )]
    })
}

/// The guard of a table covers what is registered and what this plan adds.
pub(super) async fn guard_of(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
) -> Result<Guard> {
    let mut fields: Vec<GuardField> = target
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
    let there = columns_there(tx, target).await?;
    let rows = query(format!(
        "SELECT column_name, sealed_column, blind_index_column, blind_index_next, \
           (SELECT a.atttypid <> 'bytea'::regtype FROM pg_catalog.pg_attribute a \
            WHERE a.attrelid = to_regclass($2) AND a.attname = m.sealed_column AND NOT a.attisdropped) \
         FROM {} AS m WHERE table_label = $1 AND state NOT IN ('declared', 'restored') ORDER BY field_id",
        store.own("encrypted_field_metadata")
    ))
    .bind(target.label.clone())
    .bind(regclass(target))
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    for row in &rows {
        let plain: String = row.try_get(0).map_err(map)?;
        if !there.contains(&plain) || fields.iter().any(|f| f.plain.as_str() == plain) {
            continue;
        }
        let sealed: Option<String> = row.try_get(1).map_err(map)?;
        let text: Option<bool> = row.try_get(4).map_err(map)?;
        let sealed = match sealed {
            Some(name) => Some((ident(name)?, text.unwrap_or(false))),
            None => None,
        };
        fields.push(GuardField {
            plain: ident(plain)?,
            sealed,
            index: row
                .try_get::<Option<String>, _>(2)
                .map_err(map)?
                .map(ident)
                .transpose()?,
            next: row
                .try_get::<Option<String>, _>(3)
                .map_err(map)?
                .map(ident)
                .transpose()?,
        });
    }
    fields.sort_by(|a, b| a.plain.cmp(&b.plain));
    Ok(Guard {
        schema: store.schema.clone(),
        table: target.table.quoted(),
        owner: owner_of(tx, target).await?,
        label: target.label.clone(),
        keys: target.keys.iter().map(|key| key.name.clone()).collect(),
        tenant: target.tenant.clone(),
        fields,
    })
}

/// The owner of the table; our own role where there is no table yet, or no longer.
async fn owner_of(tx: &mut Transaction<'static, Postgres>, target: &Target) -> Result<Ident> {
    let row = query(
        "SELECT coalesce((SELECT pg_get_userbyid(c.relowner) FROM pg_catalog.pg_class c \
         WHERE c.oid = to_regclass($1)), current_user)::text"
            .to_owned(),
    )
    .bind(regclass(target))
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

/// Whether the guard is there, fires always, runs with the writer's rights, can be hung on no table by
/// others, and is the one this program would make.
async fn guard_is_there(
    tx: &mut Transaction<'static, Postgres>,
    guard: &Guard,
    target: &Target,
) -> Result<bool> {
    let statements = guard.statements();
    let rows = query(
        "SELECT g.tgname::text, g.tgenabled::text, p.prosrc, \
           NOT p.prosecdef AND NOT has_function_privilege('public', p.oid, 'EXECUTE') \
             AND has_function_privilege(c.relowner, p.oid, 'EXECUTE') \
         FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid \
         JOIN pg_catalog.pg_proc p ON p.oid = g.tgfoid \
         WHERE g.tgrelid = to_regclass($1) AND g.tgname IN ($2, $3)"
            .to_owned(),
    )
    .bind(regclass(target))
    .bind(guard::INSERT)
    .bind(guard::UPDATE)
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    if rows.len() != 2 {
        return Ok(false);
    }
    for row in &rows {
        let enabled: String = row.try_get(1).map_err(map)?;
        let source: String = row.try_get(2).map_err(map)?;
        let safe: bool = row.try_get(3).map_err(map)?;
        // The body names every field, so a plan with one field more finds another body here.
        if enabled != "A" || !safe || !statements.iter().any(|s| s.contains(&source)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes sealed columns and the guard away, after a restore. What other fields of the table still
/// need is guarded again in the same transaction.
pub(super) async fn drop_sealed(store: &PostgresStore, target: &Target) -> Result<()> {
    let mut tx = store.begin().await?;
    let mut guard = guard_of(store, &mut tx, target).await?;
    let there = columns_there(&mut tx, target).await?;
    tx.commit().await.map_err(map)?;
    let sweeps = indexes::sweep_indexes(store, target).await?;
    let mut statements = Vec::new();
    let mut drops = Vec::new();
    let mut only_copies = Vec::new();
    for field in &target.fields {
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
    let table = target.table.quoted();
    if !only_copies.is_empty() {
        // Under the lock: an application that seals may have written since the sweep looked.
        // Readers wait for a look only where columns go.
        let mode = match drops.is_empty() {
            true => "SHARE ROW EXCLUSIVE",
            false => "ACCESS EXCLUSIVE",
        };
        statements.push(format!("LOCK TABLE {table} IN {mode} MODE"));
        statements.push(super::sql::block(&format!(
            "BEGIN IF EXISTS (SELECT 1 FROM {table} WHERE {}) THEN \
             RAISE EXCEPTION USING ERRCODE = '{NOT_RESTORED}', MESSAGE = 'table'; END IF; END",
            only_copies.join(" OR ")
        )));
    }
    statements.extend(guard.drop_statements());
    statements.extend(
        sweeps
            .iter()
            .map(|name| format!("DROP INDEX IF EXISTS {name}")),
    );
    if !drops.is_empty() {
        statements.push(format!("ALTER TABLE {} {}", table, drops.join(", ")));
    }
    statements.push(format!(
        "UPDATE {} SET blind_index_next = NULL WHERE table_label = {} AND blind_index_next IS NOT NULL",
        store.own("encrypted_field_metadata"),
        quote::literal(&target.label)
    ));
    guard
        .fields
        .retain(|field| !target.fields.iter().any(|gone| gone.column == field.plain));
    if !guard.fields.is_empty() {
        statements.extend(guard.statements());
    }
    match apply(store, &statements).await {
        Err(StoreError::Refused { sqlstate }) if sqlstate == NOT_RESTORED => {
            Err(StoreError::NotRestored {
                table: target.label.clone(),
            })
        }
        other => other,
    }
}

/// What the look before a drop raises.
const NOT_RESTORED: &str = "PS105";

/// The columns a restore writes into, of the type the plaintext had.
pub(super) async fn make_plain_columns(store: &PostgresStore, target: &Target) -> Result<()> {
    let mut tx = store.begin().await?;
    let there = columns_there(&mut tx, target).await?;
    tx.commit().await.map_err(map)?;
    let missing: Vec<&FieldTarget> = (target.fields.iter())
        .filter(|field| !there.iter().any(|name| name == field.column.as_str()))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut statements = Vec::new();
    let types = missing.iter().map(|field| field.source_type.clone());
    if !types_are_found(store, types.collect()).await? {
        // An earlier version registered types of the application's without their schema.
        statements.push(super::sql::OWNERS_NAMES.to_owned());
    }
    let adds: Vec<String> = (missing.iter())
        .map(|field| format!("ADD COLUMN {} {}", field.column.quoted(), field.source_type))
        .collect();
    statements.push(format!(
        "ALTER TABLE {} {}",
        target.table.quoted(),
        adds.join(", ")
    ));
    apply(store, &statements).await
}

/// Whether each of these types has its schema, or is the server's own.
async fn types_are_found(store: &PostgresStore, types: Vec<String>) -> Result<bool> {
    let mut tx = store.begin().await?;
    let row =
        query("SELECT bool_and(to_regtype(t) IS NOT NULL) FROM unnest($1::text[]) AS t".to_owned())
            .bind(types)
            .fetch_one(&mut *tx)
            .await
            .map_err(map)?;
    tx.commit().await.map_err(map)?;
    row.try_get(0).map_err(map)
}
