//! Indexes of ours on the application's tables: lookups by blind index, and the sweep's own. Made
//! and dropped concurrently, so that no writer waits; on leaves, since a partitioned table has none.

use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::fault::map;
use super::sql::{query, raw};
use crate::ident::{Ident, TableName};
use crate::store::{Result, Store, StoreError, Target};

/// Unique blind indexes stand before the first row is sealed, so that a duplicate is met at its
/// own row.
pub(super) async fn unique_indexes(store: &PostgresStore, target: &Target) -> Result<Vec<Index>> {
    let mut out = Vec::new();
    for field in target.fields.iter().filter(|f| f.index_unique) {
        if let Some(index) = &field.index {
            out.extend(indexes_of(store, target, index, true).await?);
        }
    }
    Ok(out)
}

/// An index that is made without blocking writers.
pub(super) struct Index {
    relation: String,
    pub(super) name: Ident,
    unique: bool,
    /// Columns and predicate.
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
}

/// The lookup index of a blind index column, on each leaf.
async fn indexes_of(
    store: &PostgresStore,
    target: &Target,
    column: &Ident,
    unique: bool,
) -> Result<Vec<Index>> {
    let name = index_name(&target.table, column)?;
    let leaves = leaf_names(store, target, &name).await?;
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

/// Makes the lookup index of one column.
pub(super) async fn lookup_index(
    store: &PostgresStore,
    target: &Target,
    column: &Ident,
    unique: bool,
) -> Result<()> {
    for index in indexes_of(store, target, column, unique).await? {
        concurrently(store, &index).await?;
    }
    Ok(())
}

pub(super) fn index_name(table: &TableName, column: &Ident) -> Result<Ident> {
    table
        .name
        .with_suffix(&format!("_{}_phiseal", column.as_str()))
        .or_else(|_| column.with_suffix("_phiseal"))
        .map_err(|_| StoreError::Unexpected {
            what: "an index name",
        })
}

pub(super) async fn index_there(
    tx: &mut Transaction<'static, Postgres>,
    table: &str,
    name: &Ident,
) -> Result<bool> {
    let row = query(
        "SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = to_regclass($1) AND c.relname = $2"
            .to_owned(),
    )
    .bind(table.to_owned())
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
            lookup_index(store, target, index, false).await?;
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
    suffixes(&leaves)
        .into_iter()
        .map(|(leaf, suffix)| {
            let name = name
                .with_suffix(&suffix)
                .map_err(|_| StoreError::Unexpected {
                    what: "an index name",
                })?;
            Ok((leaf, name))
        })
        .collect()
}

/// What sets the names of the leaves' indexes apart.
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

/// Makes an index without blocking writers. An invalid one left by a failure is dropped first.
pub(super) async fn concurrently(store: &PostgresStore, index: &Index) -> Result<()> {
    let name = &index.name;
    let mut tx = store.begin().await?;
    let there = index_there(&mut tx, &index.relation, name).await?;
    tx.commit().await.map_err(map)?;
    if there {
        return Ok(());
    }
    let leaf: TableName = index.relation.parse().map_err(|_| StoreError::Unexpected {
        what: "a relation's name",
    })?;
    let schema = leaf.schema.as_ref().map(|s| format!("{}.", s.quoted()));
    let qualified = format!("{}{}", schema.unwrap_or_default(), name.quoted());
    let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {qualified}");
    let mut conn = super::timed_connect(&store.options).await?;
    raw(drop.clone()).execute(&mut conn).await.map_err(map)?;
    let made = raw(index.create()).execute(&mut conn).await.map_err(map);
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
        .map(super::wanted::unsealed)
        .collect();
    let rest = format!("({}) WHERE {}", keys.join(", "), needs.join(" OR "));
    for (relation, name) in leaf_names(store, target, &sweep_name(target)?).await? {
        let index = Index {
            relation,
            name,
            unique: false,
            rest: rest.clone(),
        };
        match concurrently(store, &index).await {
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
