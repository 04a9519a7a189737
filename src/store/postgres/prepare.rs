//! DDL on the application's tables: sealed columns, guard, indexes.
//! Owns which statements are missing, and their order. All of it adds something, except what
//! `prepare/restore.rs` drops. How DDL waits for locks is in `ddl_lock.rs`.

pub(super) mod restore;

use std::time::Duration;

use super::PostgresStore;
use super::ddl_lock::{begin_briefly, patiently};
use super::guard::{self, Guard};
use super::indexes::{self, Index, Wait};
use super::plaintext;
use super::relations;
use super::sql::{run, scalar, tuple};
use super::table;
use crate::ident::Ident;
use crate::store::postgres::transaction::Transaction;
use crate::store::{Ddl, Result, Scope, StoreError, Table};

/// How often statements are made anew because another engine ran some of them meanwhile, and the
/// pause before.
const REPEATS: u32 = 14;
const REPEAT_AFTER: Duration = Duration::from_millis(100);

/// The table's name in the form that `to_regclass` takes.
pub(super) fn regclass(table: &Table) -> String {
    table.name.quoted()
}

/// The statements that `prepare` would run now, and those of the lookup indexes.
pub(super) async fn missing(store: &PostgresStore, table: &Table) -> Result<Ddl> {
    let together = missing_in_transaction(store, table).await?;
    let (mut alone, mut later) = (Vec::new(), Vec::new());
    for (unique, statements) in [(true, &mut alone), (false, &mut later)] {
        let mut tx = store.begin().await?;
        for index in indexes::lookups(store, table, unique)
            .await
            .or_else(absent)?
        {
            statements.extend(indexes::missing(&mut tx, &index).await?);
        }
        tx.commit().await?;
    }
    Ok(Ddl {
        together,
        alone,
        later,
    })
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
    let guard = guard::guard_of(store, &mut tx, table).await?;
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
    tx.commit().await?;
    Ok(statements)
}

pub(super) async fn prepare(store: &PostgresStore, table: &Table) -> Result<()> {
    // Another engine may prepare the same table at the same time. What it created is then no longer
    // missing when this loop looks again.
    for attempt in 1.. {
        let statements = missing_in_transaction(store, table).await?;
        match apply(store, table, &statements).await {
            Err(StoreError::Refused { sqlstate })
                if attempt < REPEATS && made_by_another(&sqlstate) =>
            {
                tokio::time::sleep(REPEAT_AFTER).await;
            }
            outcome => {
                outcome?;
                break;
            }
        }
    }
    retire_old_function(store).await?;
    for index in indexes::lookups(store, table, true).await? {
        indexes::concurrently(store, &index, Wait::InTheOpen).await?;
    }
    // Some server versions do not copy ENABLE ALWAYS to the triggers of partitions, so it is set on
    // each.
    // A detached leaf needs no guard and no index of ours.
    let leaves = table::relations(store, table, &Scope::Attached).await?;
    let mut tx = store.begin().await?;
    let bare = guard::guard_of(store, &mut tx, table)
        .await?
        .fields
        .is_empty();
    let mut late = Vec::new();
    for leaf in &leaves {
        for name in [guard::INSERT, guard::UPDATE] {
            let enabled: Option<String> = scalar(
                "SELECT tgenabled::text FROM pg_catalog.pg_trigger WHERE tgrelid = to_regclass($1) AND tgname = $2",
            )
            .bind(leaf.clone())
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?;
            match enabled.as_deref() {
                Some("A") => {}
                Some(_) => late.push(format!(
                    "ALTER TABLE {leaf} ENABLE ALWAYS TRIGGER \"{name}\""
                )),
                None if bare => {}
                None => {
                    return Err(StoreError::missing(format!("the guard on {leaf}")));
                }
            }
        }
    }
    tx.commit().await?;
    if late.is_empty() {
        return relations::note(store, table).await;
    }
    late.insert(0, relations::before_change(store, table));
    late.extend(relations::after_change(store, table, false));
    apply(store, table, &late).await
}

/// Drops a function that guards of an earlier version called, once no such guard is left.
async fn retire_old_function(store: &PostgresStore) -> Result<()> {
    let mut tx = store.begin().await?;
    let yes: bool = scalar(
        "SELECT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
           WHERE n.nspname = $1 AND p.proname = 'guard_require_active' \
             AND pg_has_role(p.proowner, 'USAGE')) \
         AND NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace \
           WHERE n.nspname = $1 AND p.proname ~ '^guard_(insert|update)_' \
             AND position('guard_require_active' IN p.prosrc) > 0)",
    )
    .bind(store.schema.as_str().to_owned())
    .fetch_one(&mut *tx)
    .await?;
    if yes {
        run(
            &mut tx,
            format!(
                "DROP FUNCTION IF EXISTS {}.guard_require_active(bigint, text)",
                store.schema.quoted()
            ),
        )
        .await?;
    }
    tx.commit().await
}

/// The SQLSTATEs of a duplicate column, object, table or function, and of a catalog row that
/// another transaction has just changed.
fn made_by_another(sqlstate: &str) -> bool {
    matches!(sqlstate, "42701" | "42710" | "42P07" | "42723" | "XX000")
}

/// Runs statements in one transaction, which waits for the table's lock only briefly; tries again if
/// the lock is not granted.
pub(super) async fn apply(
    store: &PostgresStore,
    table: &Table,
    statements: &[String],
) -> Result<()> {
    match statements {
        [] => Ok(()),
        statements => patiently(store, &regclass(table), || try_apply(store, statements)).await,
    }
}

async fn try_apply(store: &PostgresStore, statements: &[String]) -> Result<()> {
    let mut tx = begin_briefly(store).await?;
    for statement in statements {
        run(&mut tx, statement.clone()).await?;
    }
    tx.commit().await
}

pub(super) async fn columns_there(tx: &mut Transaction, table: &Table) -> Result<Vec<String>> {
    let columns = column_types(tx, table).await?;
    Ok(columns.into_iter().map(|(name, _)| name).collect())
}

/// The table's columns, each with its type.
pub(super) async fn column_types(
    tx: &mut Transaction,
    table: &Table,
) -> Result<Vec<(String, String)>> {
    Ok(tuple(
        "SELECT attname::text, format_type(atttypid, NULL) FROM pg_catalog.pg_attribute \
         WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
    )
    .bind(regclass(table))
    .fetch_all(&mut **tx)
    .await?)
}

async fn missing_columns(tx: &mut Transaction, table: &Table) -> Result<Vec<String>> {
    let there = columns_there(tx, table).await?;
    let (mut adds, mut checks) = (Vec::new(), Vec::new());
    // A table could not be attached as a partition any more if it has not the constraint, too.
    let is_partitioned: bool = scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = to_regclass($1) AND relkind <> 'r')",
    )
    .bind(regclass(table))
    .fetch_one(&mut **tx)
    .await?;
    let is_missing = |column: &Ident| !there.iter().any(|name| name == column.as_str());
    for field in &table.fields {
        let sealed = field.sealed.beside();
        for column in sealed
            .into_iter()
            .chain(&field.index)
            .filter(|one| is_missing(one))
        {
            adds.push(format!("ADD COLUMN {} bytea", column.quoted()));
        }
        if let Some(column) = sealed.filter(|column| !is_partitioned && is_missing(column)) {
            checks.extend(plaintext::form_of_new(table, field, column));
        }
    }
    if adds.is_empty() {
        return Ok(Vec::new());
    }
    let mut statements = vec![format!(
        "ALTER TABLE {} {}",
        table.name.quoted(),
        adds.join(", ")
    )];
    statements.extend(checks);
    Ok(statements)
}

/// Whether the table has exactly the guard that this program would create, and whether it always
/// fires, runs with the writer's rights, and cannot be used by others in a trigger of their own.
pub(super) async fn guard_is_there(
    tx: &mut Transaction,
    guard: &Guard,
    table: &Table,
) -> Result<bool> {
    let statements = guard.statements();
    let rows: Vec<(String, String, String, bool, Vec<u8>)> = tuple(format!(
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
    .await?;
    if rows.len() != guard.triggers() {
        return Ok(false);
    }
    for (name, enabled, source, safe, arguments) in rows {
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
