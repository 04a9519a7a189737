//! Our indexes on the application's tables: those for lookups by blind index; those that a run needs
//! for a time are in `indexes/sweep.rs`.
//! Owns how indexes are created: concurrently, so that no writer waits, and on leaf partitions,
//! since PostgreSQL cannot do so on a partitioned table. Also owns what a build waits for.

mod sweep;

use std::time::Duration;

use super::PostgresStore;
use super::alone::Alone;
use super::sql::scalar;
use super::{table, waits};
use crate::ident::{Ident, IdentError, TableName};
use crate::store::postgres::transaction::Transaction;
use crate::store::{Result, Scope, StoreError, Table};
pub(super) use sweep::{drop_sweep_index, make_look_index, make_sweep_index, sweep_indexes};

/// How long an index of the sweep waits for each transaction that blocks it.
const LOCK_WAIT: &str = "5s";
/// How long an index for lookups waits for each older transaction.
const OLD_TRANSACTION_MAX: &str = "10min";
/// How long the removal of an index waits that is of no use: less than a command has to end in once
/// it is asked to stop.
const DROP_WAIT: &str = "1s";
/// The pause between two looks at who uses a table.
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
pub(super) async fn missing(tx: &mut Transaction, index: &Index) -> Result<Vec<String>> {
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
        concurrently(store, &index, Wait::InTheOpen).await?;
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

pub(super) async fn index_there(tx: &mut Transaction, table: &str, name: &Ident) -> Result<bool> {
    Ok(validity(tx, table, name).await? == Some(true))
}

/// Whether an index is valid; `None` if there is none of this name.
async fn validity(tx: &mut Transaction, table: &str, name: &Ident) -> Result<Option<bool>> {
    Ok(scalar(
        "SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         WHERE i.indrelid = to_regclass($1) AND c.relname = $2",
    )
    .bind(table.to_owned())
    .bind(name.as_str().to_owned())
    .fetch_optional(&mut **tx)
    .await?)
}

/// Creates the lookup indexes that are not unique. Leaves those on relations that our role does not
/// own to the owner: preflight has said so.
pub(super) async fn lookup_indexes(store: &PostgresStore, table: &Table) -> Result<()> {
    for index in lookups(store, table, false).await? {
        if is_ours(store, &index.relation).await? {
            concurrently(store, &index, Wait::InTheOpen).await?;
        }
    }
    Ok(())
}

/// Whether our role has the rights of the relation's owner.
async fn is_ours(store: &PostgresStore, relation: &str) -> Result<bool> {
    in_transaction!(store.begin(), |tx| {
        scalar(
        "SELECT pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c WHERE c.oid = to_regclass($1)"
    )
    .bind(relation.to_owned())
    .fetch_one(&mut **tx)
    })
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

/// How an index waits for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Not for long: the sweep can do without its index.
    Briefly,
    /// For a vacuum of the table as long as it takes, and for each older transaction up to a limit;
    /// the operator is told.
    InTheOpen,
}

impl Wait {
    fn lock_wait(self) -> &'static str {
        match self {
            Self::Briefly => LOCK_WAIT,
            Self::InTheOpen => OLD_TRANSACTION_MAX,
        }
    }
}

/// Creates an index without blocking writers. Drops an invalid index of an earlier failure first.
///
/// # Errors
/// [`StoreError::Locked`] or, where it waits in the open, [`StoreError::IndexWaits`] if an older
/// transaction does not end.
pub(super) async fn concurrently(store: &PostgresStore, index: &Index, wait: Wait) -> Result<()> {
    let leaf: TableName = index
        .relation
        .parse()
        .map_err(|_| StoreError::unexpected("a relation's name"))?;
    let schema = leaf.schema.as_ref().map(|s| format!("{}.", s.quoted()));
    let qualified = format!("{}{}", schema.unwrap_or_default(), index.name.quoted());
    let mut tx = store.begin().await?;
    let valid = validity(&mut tx, &index.relation, &index.name).await?;
    tx.commit().await?;
    match valid {
        Some(true) => return Ok(()),
        Some(false) => store.notes.tell(format!(
            "index {qualified} is INVALID, as an attempt to build it left it; it is dropped and built again"
        )),
        None => {}
    }
    if wait == Wait::InTheOpen {
        until_maintained(store, &index.relation).await?;
    }
    let drop = format!("DROP INDEX CONCURRENTLY IF EXISTS {qualified}");
    let mut session = Alone::open(store, None, wait.lock_wait()).await?;
    let made = remake(store, &mut session, index, &qualified, (&drop, valid)).await;
    if made.is_err() {
        // Whoever held the build up may hold this up, too.
        let dropped = match session.wait_at_most(DROP_WAIT).await {
            Ok(()) => session.run(drop).await,
            Err(error) => Err(error),
        };
        if dropped.is_err() {
            store.notes.tell(format!(
                "index {qualified} may be left INVALID; the next run drops it"
            ));
        }
    }
    session.close().await;
    match (made, wait) {
        (
            Err(Failed {
                error: StoreError::Locked,
                held_by,
            }),
            Wait::InTheOpen,
        ) => Err(StoreError::IndexWaits {
            index: qualified,
            who: held_by.unwrap_or_else(|| "see pg_stat_activity".to_owned()),
        }),
        (made, _) => made.map_err(|failed| failed.error),
    }
}

/// Why an index was not built.
struct Failed {
    error: StoreError,
    /// Who was last seen to hold it up.
    held_by: Option<String>,
}

/// Drops the index if it is there, and creates it.
async fn remake(
    store: &PostgresStore,
    session: &mut Alone,
    index: &Index,
    qualified: &str,
    (drop, valid): (&str, Option<bool>),
) -> std::result::Result<(), Failed> {
    let create = index.create();
    let mut statements = vec![(format!("the build of index {qualified}"), create.as_str())];
    if valid.is_some() {
        statements.insert(0, (format!("the removal of index {qualified}"), drop));
    }
    for (what, statement) in statements {
        let note = store.notes.running(what, statement);
        session.run(statement).await.map_err(|error| Failed {
            error,
            held_by: note.held_by(),
        })?;
    }
    Ok(())
}

/// Waits until nobody vacuums or analyses the relation: an index build would wait for a vacuum, and
/// end one that the server began by itself.
async fn until_maintained(store: &PostgresStore, relation: &str) -> Result<()> {
    let note = store.notes.open("");
    loop {
        let who = waits::maintainers(store, relation).await?;
        if who.is_empty() {
            return Ok(());
        }
        note.say(format!("the vacuum of {relation}: {}", who.join("; ")));
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
