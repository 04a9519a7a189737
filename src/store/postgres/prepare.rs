//! DDL on the application's tables: sealed columns, guard, indexes.
//! Owns how it waits: briefly, a bounded number of times, so that it never queues in front of the
//! application. All of it is additive but for what `restore --drop-sealed` asks for.

use std::time::Duration;

use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::fault::map;
use super::guard::{self, Guard, GuardField};
use super::sql::{query, raw};
use crate::ident::{Ident, TableName};
use crate::store::{Result, Sealed, Store, StoreError, Target};

/// Attempts at a lock, each of [`LOCK_WAIT_MS`], with a growing pause in between.
const ATTEMPTS: u32 = 12;
const LOCK_WAIT_MS: u32 = 1000;

/// The table's name as `to_regclass` takes it.
pub(super) fn regclass(target: &Target) -> String {
    target.table.quoted()
}

/// What `prepare` would run now.
pub(super) async fn missing(store: &PostgresStore, target: &Target) -> Result<Vec<String>> {
    let mut tx = store.begin().await?;
    let mut statements = missing_columns(&mut tx, target).await?;
    let guard = guard_of(store, &mut tx, target).await?;
    if !statements.is_empty() || !guard_is_there(&mut tx, &guard, target).await? {
        statements.extend(guard.statements());
    }
    statements.extend(unique_indexes(&mut tx, target).await?);
    tx.commit().await.map_err(map)?;
    Ok(statements)
}

pub(super) async fn prepare(store: &PostgresStore, target: &Target) -> Result<()> {
    // Another engine may prepare the same table at this moment: what it made is then no longer
    // missing at the next look.
    for attempt in 1.. {
        let statements = missing(store, target).await?;
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

/// Duplicate column, object, table or function, and a catalog row that somebody else just changed.
fn made_by_another(sqlstate: &str) -> bool {
    matches!(sqlstate, "42701" | "42710" | "42P07" | "42723" | "XX000")
}

/// Runs statements in one transaction, under a short lock_timeout, again where a lock is held.
async fn apply(store: &PostgresStore, statements: &[String]) -> Result<()> {
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
async fn guard_of(
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
        })
        .collect();
    let there = columns_there(tx, target).await?;
    let rows = query(format!(
        "SELECT column_name, sealed_column, blind_index_column, \
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
        let text: Option<bool> = row.try_get(3).map_err(map)?;
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
        });
    }
    fields.sort_by(|a, b| a.plain.cmp(&b.plain));
    Ok(Guard {
        schema: store.schema.clone(),
        table: target.table.quoted(),
        label: target.label.clone(),
        keys: target.keys.iter().map(|key| key.name.clone()).collect(),
        tenant: target.tenant.clone(),
        fields,
    })
}

fn ident(name: String) -> Result<Ident> {
    Ident::new(name).map_err(|_| StoreError::Unexpected {
        what: "a column name in the registry",
    })
}

/// Whether the guard is there, fires always, and is the one this program would make.
async fn guard_is_there(
    tx: &mut Transaction<'static, Postgres>,
    guard: &Guard,
    target: &Target,
) -> Result<bool> {
    let statements = guard.statements();
    let rows = query(
        "SELECT g.tgname::text, g.tgenabled::text, p.prosrc FROM pg_catalog.pg_trigger g \
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
        // The body names every field, so a plan with one field more finds another body here.
        if enabled != "A" || !statements.iter().any(|s| s.contains(&source)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Unique blind indexes stand before the first row is sealed, so that a duplicate is met at its
/// own row. The column is new and empty, so the index costs nothing to make.
async fn unique_indexes(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
) -> Result<Vec<String>> {
    let mut out = Vec::new();
    for field in target.fields.iter().filter(|f| f.index_unique) {
        if let Some(index) = &field.index {
            let name = index_name(&target.table, index)?;
            if !index_there(tx, target, &name).await? {
                out.push(format!(
                    "CREATE UNIQUE INDEX {} ON {} ({})",
                    name.quoted(),
                    target.table.quoted(),
                    index.quoted()
                ));
            }
        }
    }
    Ok(out)
}

fn index_name(table: &TableName, column: &Ident) -> Result<Ident> {
    table
        .name
        .with_suffix(&format!("_{}_phiseal", column.as_str()))
        .or_else(|_| column.with_suffix("_phiseal"))
        .map_err(|_| StoreError::Unexpected {
            what: "an index name",
        })
}

async fn index_there(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
    name: &Ident,
) -> Result<bool> {
    let row = query(
        "SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = to_regclass($1) AND c.relname = $2"
            .to_owned(),
    )
    .bind(regclass(target))
    .bind(name.as_str().to_owned())
    .fetch_optional(&mut **tx)
    .await
    .map_err(map)?;
    row.map_or(Ok(false), |row| row.try_get(0).map_err(map))
}

/// Lookup indexes on blind index columns, made after the main pass, as they would end HOT updates.
pub(super) async fn lookup_indexes(store: &PostgresStore, target: &Target) -> Result<()> {
    for field in target.fields.iter().filter(|f| !f.index_unique) {
        if let Some(index) = &field.index {
            let name = index_name(&target.table, index)?;
            let columns = format!("({})", index.quoted());
            for (leaf, name) in leaf_names(store, target, &name).await? {
                concurrently(store, target, &leaf, &name, &columns).await?;
            }
        }
    }
    Ok(())
}

/// A concurrent index stands on leaves only; each gets a name of its own.
async fn leaf_names(
    store: &PostgresStore,
    target: &Target,
    name: &Ident,
) -> Result<Vec<(String, Ident)>> {
    let leaves = store.relations(target).await?;
    if leaves.len() == 1 {
        return Ok(leaves
            .into_iter()
            .map(|leaf| (leaf, name.clone()))
            .collect());
    }
    leaves
        .into_iter()
        .enumerate()
        .map(|(i, leaf)| {
            let name = name
                .with_suffix(&format!("_{i}"))
                .map_err(|_| StoreError::Unexpected {
                    what: "an index name",
                })?;
            Ok((leaf, name))
        })
        .collect()
}

/// Makes an index without blocking writers. An invalid one left by a failure is dropped first.
async fn concurrently(
    store: &PostgresStore,
    target: &Target,
    relation: &str,
    name: &Ident,
    rest: &str,
) -> Result<()> {
    let mut tx = store.begin().await?;
    let leaf = Target {
        table: relation.parse().map_err(|_| StoreError::Unexpected {
            what: "a relation's name",
        })?,
        ..target.clone()
    };
    let there = index_there(&mut tx, &leaf, name).await?;
    tx.commit().await.map_err(map)?;
    if there {
        return Ok(());
    }
    let schema = leaf
        .table
        .schema
        .as_ref()
        .map(|s| format!("{}.", s.quoted()));
    let qualified = format!("{}{}", schema.unwrap_or_default(), name.quoted());
    let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {qualified}");
    let mut conn = super::timed_connect(&store.options).await?;
    raw(drop.clone()).execute(&mut conn).await.map_err(map)?;
    let made = raw(format!(
        "CREATE INDEX CONCURRENTLY {} ON {relation} {rest}",
        name.quoted()
    ))
    .execute(&mut conn)
    .await
    .map_err(map);
    if made.is_err() {
        let _ = raw(drop).execute(&mut conn).await;
    }
    made.map(|_| ())
}

fn sweep_name(target: &Target) -> Result<Ident> {
    target
        .table
        .name
        .with_suffix("_phiseal_sweep")
        .map_err(|_| StoreError::Unexpected {
            what: "an index name",
        })
}

/// A partial index of the rows that still need work.
pub(super) async fn make_sweep_index(store: &PostgresStore, target: &Target) -> Result<bool> {
    let keys: Vec<String> = target.keys.iter().map(|key| key.name.quoted()).collect();
    let needs: Vec<String> = target
        .fields
        .iter()
        .filter(|field| field.plain_exists)
        .map(super::select::unsealed)
        .collect();
    let rest = format!("({}) WHERE {}", keys.join(", "), needs.join(" OR "));
    for (leaf, name) in leaf_names(store, target, &sweep_name(target)?).await? {
        match concurrently(store, target, &leaf, &name, &rest).await {
            Ok(()) => {}
            Err(StoreError::Denied { .. } | StoreError::Locked | StoreError::Busy { .. }) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

pub(super) async fn drop_sweep_index(store: &PostgresStore, target: &Target) -> Result<()> {
    for (leaf, name) in leaf_names(store, target, &sweep_name(target)?).await? {
        let leaf: TableName = leaf.parse().map_err(|_| StoreError::Unexpected {
            what: "a relation's name",
        })?;
        let schema = leaf.schema.as_ref().map(|s| format!("{}.", s.quoted()));
        let mut conn = super::timed_connect(&store.options).await?;
        raw(format!(
            "DROP INDEX CONCURRENTLY IF EXISTS {}{}",
            schema.unwrap_or_default(),
            name.quoted()
        ))
        .execute(&mut conn)
        .await
        .map_err(map)?;
    }
    Ok(())
}

/// Takes sealed columns and the guard away, after a restore. What other fields of the table still
/// need is guarded again in the same transaction.
pub(super) async fn drop_sealed(store: &PostgresStore, target: &Target) -> Result<()> {
    let mut tx = store.begin().await?;
    let mut guard = guard_of(store, &mut tx, target).await?;
    let there = columns_there(&mut tx, target).await?;
    tx.commit().await.map_err(map)?;
    let mut statements = guard.drop_statements();
    let mut drops = Vec::new();
    for field in &target.fields {
        let Sealed::Beside { column, .. } = &field.sealed else {
            continue;
        };
        for column in [column].into_iter().chain(&field.index) {
            if there.iter().any(|name| name == column.as_str()) {
                drops.push(format!("DROP COLUMN {}", column.quoted()));
            }
        }
    }
    if !drops.is_empty() {
        statements.push(format!(
            "ALTER TABLE {} {}",
            target.table.quoted(),
            drops.join(", ")
        ));
    }
    guard
        .fields
        .retain(|field| !target.fields.iter().any(|gone| gone.column == field.plain));
    if !guard.fields.is_empty() {
        statements.extend(guard.statements());
    }
    apply(store, &statements).await
}

/// The columns a restore writes into, of the type the plaintext had.
pub(super) async fn make_plain_columns(store: &PostgresStore, target: &Target) -> Result<()> {
    let mut tx = store.begin().await?;
    let there = columns_there(&mut tx, target).await?;
    tx.commit().await.map_err(map)?;
    let adds: Vec<String> = target
        .fields
        .iter()
        .filter(|field| !there.iter().any(|name| name == field.column.as_str()))
        .map(|field| format!("ADD COLUMN {} {}", field.column.quoted(), field.source_type))
        .collect();
    if adds.is_empty() {
        return Ok(());
    }
    apply(
        store,
        &[format!(
            "ALTER TABLE {} {}",
            target.table.quoted(),
            adds.join(", ")
        )],
    )
    .await
}
