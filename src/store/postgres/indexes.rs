//! Our indexes on the application's tables: those for lookups by blind index, and those for the
//! sweep.
//! Owns their names and how they are created and dropped: concurrently, so that no writer waits,
//! and on leaf partitions, since PostgreSQL cannot do so on a partitioned table.

use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};

use super::PostgresStore;
use super::committed;
use super::sql::{raw, run, scalar};
use super::table;
use crate::ident::{Ident, IdentError, TableName};
use crate::store::text::joined;
use crate::store::{Access, Result, Scope, StoreError, Table};

/// The end of the names of the sweep's indexes, before a digest; on a partition a number follows.
const SWEEP: &str = "_phiseal_sweep";
/// The partitions of a table, and the table itself. Binds its name.
const LEAVES: &str =
    "SELECT relid FROM pg_partition_tree(to_regclass($1)) UNION SELECT to_regclass($1)::oid";
/// How long creating the sweep's index waits for each transaction that blocks it.
const LOCK_TIMEOUT: &str = "5s";
/// The number of checks whether transactions have left a table, and the pause between them.
const LOOKS: u32 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The lookup indexes, either those that are unique or the others. Unique ones are created before
/// the first row is sealed, so that a duplicate is refused at its own row; the others after the main
/// pass, because they would prevent HOT updates.
pub(super) async fn lookups(
    store: &PostgresStore,
    table: &Table,
    unique: bool,
) -> Result<Vec<Index>> {
    let mut out = Vec::new();
    for field in table.fields.iter().filter(|f| f.index_unique == unique) {
        if let Some(index) = &field.index {
            out.extend(indexes_of(store, table, index, unique).await?);
        }
    }
    Ok(out)
}

/// The statements that create an index, without the invalid one that a failure left; none if it is
/// there.
pub(super) async fn missing(
    tx: &mut Transaction<'static, Postgres>,
    index: &Index,
) -> Result<Vec<String>> {
    Ok(match validity(tx, &index.relation, &index.name).await? {
        Some(true) => Vec::new(),
        Some(false) => vec![index.drop()?, index.create()],
        None => vec![index.create()],
    })
}

/// An index that is created without blocking writers.
pub(super) struct Index {
    relation: String,
    pub(super) name: Ident,
    unique: bool,
    /// The SQL after the relation's name: columns and predicate.
    rest: String,
}

impl Index {
    pub(super) fn create(&self) -> String {
        format!(
            "CREATE {}INDEX CONCURRENTLY {} ON {} {}",
            if self.unique { "UNIQUE " } else { "" },
            self.name.quoted(),
            self.relation,
            self.rest
        )
    }

    fn drop(&self) -> Result<String> {
        let leaf: TableName =
            (self.relation.parse()).map_err(|_| StoreError::unexpected("a relation's name"))?;
        let schema = leaf.schema.as_ref().map(|s| format!("{}.", s.quoted()));
        Ok(format!(
            "DROP INDEX CONCURRENTLY IF EXISTS {}{}",
            schema.unwrap_or_default(),
            self.name.quoted()
        ))
    }
}

/// The lookup indexes of a blind index column, one on each leaf.
async fn indexes_of(
    store: &PostgresStore,
    table: &Table,
    column: &Ident,
    unique: bool,
) -> Result<Vec<Index>> {
    let name = index_name(&table.name, column)?;
    let leaves = leaf_names(store, table, &Scope::Attached, |ending| {
        name.with_suffix(ending)
    })
    .await?;
    Ok(leaves
        .into_iter()
        .map(|(relation, name)| Index {
            relation,
            name,
            unique,
            rest: format!("({})", column.quoted()),
        })
        .collect())
}

/// Creates the lookup indexes of one column.
pub(super) async fn lookup_index(
    store: &PostgresStore,
    table: &Table,
    column: &Ident,
    unique: bool,
) -> Result<()> {
    for index in indexes_of(store, table, column, unique).await? {
        concurrently(store, &index, None).await?;
    }
    Ok(())
}

pub(super) fn index_name(table: &TableName, column: &Ident) -> Result<Ident> {
    table
        .name
        .with_suffix(&format!("_{}_phiseal", column.as_str()))
        .or_else(|_| column.with_suffix("_phiseal"))
        .map_err(|_| StoreError::unexpected("an index name"))
}

pub(super) async fn index_there(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    name: &Ident,
) -> Result<bool> {
    Ok(validity(tx, table, name).await? == Some(true))
}

/// Whether an index is valid; `None` if there is none of this name.
async fn validity(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    name: &Ident,
) -> Result<Option<bool>> {
    Ok(scalar(
        "SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = to_regclass($1) AND c.relname = $2",
    )
    .bind(table.to_owned())
    .bind(name.as_str().to_owned())
    .fetch_optional(&mut **tx)
    .await?)
}

/// Creates the lookup indexes that are not unique.
pub(super) async fn lookup_indexes(store: &PostgresStore, table: &Table) -> Result<()> {
    for index in lookups(store, table, false).await? {
        concurrently(store, &index, None).await?;
    }
    Ok(())
}

/// The leaves, each with the name of its index. CREATE INDEX CONCURRENTLY works only on leaves, and
/// each index needs its own name.
async fn leaf_names(
    store: &PostgresStore,
    table: &Table,
    scope: &Scope,
    name: impl Fn(&str) -> std::result::Result<Ident, IdentError>,
) -> Result<Vec<(String, Ident)>> {
    let leaves = table::relations(store, table, scope).await?;
    suffixes(&leaves)
        .into_iter()
        .map(|(leaf, suffix)| {
            let name = name(&suffix).map_err(|_| StoreError::unexpected("an index name"))?;
            Ok((leaf, name))
        })
        .collect()
}

/// The leaves, each with the suffix that makes the name of its index unique.
pub(super) fn suffixes(leaves: &[String]) -> Vec<(String, String)> {
    let one = leaves.len() == 1;
    leaves
        .iter()
        .enumerate()
        .map(|(i, leaf)| {
            let suffix = if one { String::new() } else { format!("_{i}") };
            (leaf.clone(), suffix)
        })
        .collect()
}

/// Creates an index without blocking writers. Waits for each older transaction up to
/// `lock_timeout`, or without a limit. Drops an invalid index of an earlier failure first.
pub(super) async fn concurrently(
    store: &PostgresStore,
    index: &Index,
    lock_timeout: Option<&str>,
) -> Result<()> {
    let mut tx = store.begin().await?;
    let there = index_there(&mut tx, &index.relation, &index.name).await?;
    committed(tx).await?;
    if there {
        return Ok(());
    }
    let drop = index.drop()?;
    let mut conn = store.connector.connect("index").await?;
    wait_at_most(&mut conn, lock_timeout).await?;
    run(&mut conn, drop.clone()).await?;
    let made = run(&mut conn, index.create()).await;
    if made.is_err() {
        let _ = raw(drop).execute(&mut conn).await;
    }
    wait_as_before(&mut conn, lock_timeout).await;
    made
}

/// Creates the sweep's partial index of a relation's rows that still need work; see
/// [`crate::store::Catalog::make_sweep_index`].
pub(super) async fn make_sweep_index(
    store: &PostgresStore,
    access: &Access,
    relation: &str,
) -> Result<bool> {
    let table = &access.table;
    let keys = joined(&table.keys, ", ", |key| key.name.quoted());
    let needs = joined(
        access.cells.iter().filter(|field| field.source.exists),
        " OR ",
        super::wanted::unsealed,
    );
    let rest = format!("({}) WHERE {}", keys, needs);
    // The digest gives an index with other columns, left by an earlier run, another name.
    let digest = hex::encode(&Sha256::digest(rest.as_bytes())[..4]);
    let named = |ending: &str| (table.name.name).with_suffix(&format!("{SWEEP}_{digest}{ending}"));
    let names = leaf_names(store, table, &access.scope, named).await?;
    for (relation, name) in names.into_iter().filter(|(leaf, _)| leaf == relation) {
        let mut tx = store.begin().await?;
        let there = index_there(&mut tx, &relation, &name).await?;
        committed(tx).await?;
        if there {
            continue;
        }
        if !is_quiet(store, table).await? {
            return Ok(false);
        }
        let index = Index {
            relation,
            name,
            unique: false,
            rest: rest.clone(),
        };
        match concurrently(store, &index, Some(LOCK_TIMEOUT)).await {
            Ok(()) => {}
            Err(StoreError::Denied { .. } | StoreError::Locked | StoreError::Busy { .. }) => {
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Drops the sweep's indexes, including those of other runs. Returns those that still exist
/// afterwards.
pub(super) async fn drop_sweep_index(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    let there = sweep_indexes(store, table).await?;
    if there.is_empty() {
        return Ok(there);
    }
    let mut conn = store.connector.connect("index").await?;
    wait_at_most(&mut conn, Some(LOCK_TIMEOUT)).await?;
    for name in there {
        let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
        match run(&mut conn, drop).await {
            // A transaction reads the table, or another process drops the index.
            Ok(())
            | Err(
                StoreError::Denied { .. }
                | StoreError::Locked
                | StoreError::Busy { .. }
                | StoreError::Missing { .. },
            ) => {}
            Err(error) => return Err(error),
        }
    }
    wait_as_before(&mut conn, Some(LOCK_TIMEOUT)).await;
    sweep_indexes(store, table).await
}

/// The names of the sweep's existing indexes, valid or not, quoted.
pub(super) async fn sweep_indexes(store: &PostgresStore, table: &Table) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indrelid IN ({LEAVES}) AND c.relname ~ '{SWEEP}(_[0-9a-f]{{8}})?(_[0-9]+)?$' ORDER BY 1"
    );
    in_transaction!(store.begin(), |tx| scalar(sql)
        .bind(super::prepare::regclass(table))
        .fetch_all(&mut **tx))
}

/// Whether no other transaction has used the table throughout the checks. An index could be neither
/// created nor dropped before such a transaction ends. VACUUM does not count, because autovacuum
/// gives way.
async fn is_quiet(store: &PostgresStore, table: &Table) -> Result<bool> {
    let sql = format!(
        "SELECT DISTINCT virtualtransaction FROM pg_catalog.pg_locks \
         WHERE relation IN ({LEAVES}) AND granted AND pid <> pg_backend_pid() \
           AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
           AND mode <> 'ShareUpdateExclusiveLock'"
    );
    let mut before: Option<Vec<String>> = None;
    for _ in 0..LOOKS {
        let mut tx = store.begin().await?;
        let now: Vec<String> = scalar(sql.clone())
            .bind(super::prepare::regclass(table))
            .fetch_all(&mut *tx)
            .await?;
        committed(tx).await?;
        let still = before.get_or_insert_with(|| now.clone());
        still.retain(|one| now.contains(one));
        if still.is_empty() {
            return Ok(true);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(false)
}

async fn wait_at_most(conn: &mut PgConnection, lock_timeout: Option<&str>) -> Result<()> {
    if let Some(time) = lock_timeout {
        let set = format!("SET lock_timeout = '{time}'");
        run(conn, set).await?;
    }
    Ok(())
}

/// Behind a pooler, another client uses the session afterwards.
async fn wait_as_before(conn: &mut PgConnection, lock_timeout: Option<&str>) {
    if lock_timeout.is_some() {
        let _ = raw("RESET lock_timeout").execute(conn).await;
    }
}
