//! Partial indexes that a run needs for a time: of the rows that still need work, for the sweep, and
//! of those that forbid a removal, for the last look under a strong lock.
//! Owns their names, by which the next run finds what an interrupted one left.

use sha2::{Digest, Sha256};

use super::super::alone::Alone;
use super::super::sql::scalar;
use super::super::{PostgresStore, prepare, wanted};
use super::{DROP_WAIT, Index, LOOK_AGAIN, Wait, concurrently, index_there, leaf_names};
use crate::ident::Ident;
use crate::store::text::joined;
use crate::store::{Access, Result, Scope, StoreError, Table};

/// The end of the names of the sweep's indexes, before a digest; on a partition a number follows.
const SWEEP: &str = "_phiseal_sweep";
/// The partitions of a table, and the table itself. Binds its name.
const LEAVES: &str =
    "SELECT relid FROM pg_partition_tree(to_regclass($1)) UNION SELECT to_regclass($1)::oid";
/// The number of checks whether transactions have left a table.
const LOOKS: u32 = 10;

/// An index's columns and condition, and a name for it on each leaf: the digest gives an index with
/// other columns, left by an earlier run, another name.
async fn partial(
    store: &PostgresStore,
    table: &Table,
    scope: &Scope,
    condition: &str,
) -> Result<Vec<Index>> {
    let keys = joined(&table.keys, ", ", |key| key.name.quoted());
    let rest = format!("({keys}) WHERE {condition}");
    let digest = hex::encode(&Sha256::digest(rest.as_bytes())[..4]);
    let named = |ending: &str| (table.name.name).with_suffix(&format!("{SWEEP}_{digest}{ending}"));
    let names: Vec<(String, Ident)> = leaf_names(store, table, scope, named).await?;
    let index = |(relation, name)| Index {
        relation,
        name,
        unique: false,
        rest: rest.clone(),
    };
    Ok(names.into_iter().map(index).collect())
}

/// Creates an index of the rows that a condition names, on every relation of the table. Whoever then
/// looks for such rows under a strong lock need not read the table. The condition's names and
/// operators have their schemas, since the index outlives our transactions.
pub(in crate::store::postgres) async fn make_look_index(
    store: &PostgresStore,
    table: &Table,
    condition: &str,
) -> Result<()> {
    for index in partial(store, table, &Scope::Attached, condition).await? {
        concurrently(store, &index, Wait::InTheOpen).await?;
    }
    Ok(())
}

/// Creates the sweep's partial index of a relation's rows that still need work; see
/// [`crate::store::Catalog::make_sweep_index`].
pub(in crate::store::postgres) async fn make_sweep_index(
    store: &PostgresStore,
    access: &Access,
    relation: &str,
) -> Result<bool> {
    let table = &access.table;
    let needs = joined(
        access.cells.iter().filter(|field| field.source.exists),
        " OR ",
        wanted::unsealed,
    );
    let indexes = partial(store, table, &access.scope, &needs).await?;
    for index in indexes.into_iter().filter(|one| one.relation == relation) {
        let mut tx = store.begin().await?;
        let there = index_there(&mut tx, &index.relation, &index.name).await?;
        tx.commit().await?;
        if there {
            continue;
        }
        if !is_quiet(store, table).await? || is_vacuumed(store, relation).await? {
            return Ok(false);
        }
        match concurrently(store, &index, Wait::Briefly).await {
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
pub(in crate::store::postgres) async fn drop_sweep_index(
    store: &PostgresStore,
    table: &Table,
) -> Result<Vec<String>> {
    let there = sweep_indexes(store, table).await?;
    if there.is_empty() {
        return Ok(there);
    }
    let mut session = Alone::open(store, None, DROP_WAIT).await?;
    for name in there {
        let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
        match session.run(drop).await {
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
    session.close().await;
    sweep_indexes(store, table).await
}

/// The names of the sweep's existing indexes, valid or not, quoted.
pub(in crate::store::postgres) async fn sweep_indexes(
    store: &PostgresStore,
    table: &Table,
) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE i.indrelid IN ({LEAVES}) AND c.relname ~ '{SWEEP}(_[0-9a-f]{{8}})?(_[0-9]+)?$' ORDER BY 1"
    );
    in_transaction!(store.begin(), |tx| scalar(sql)
        .bind(prepare::regclass(table))
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
            .bind(prepare::regclass(table))
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        let still = before.get_or_insert_with(|| now.clone());
        still.retain(|one| now.contains(one));
        if still.is_empty() {
            return Ok(true);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(false)
}

/// Whether a vacuum is at work on the relation's indexes, as far as our role may see it. It would
/// begin with them anew later.
async fn is_vacuumed(store: &PostgresStore, relation: &str) -> Result<bool> {
    in_transaction!(store.begin(), |tx| scalar(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum \
         WHERE relid = to_regclass($1) AND phase LIKE '%indexes%')",
    )
    .bind(relation.to_owned())
    .fetch_one(&mut **tx))
}
