//! Reads the catalogs of PostgreSQL 13 to 18 into the facts that preflight judges.
//! Owns the order of the reads; the statements are in the submodules. Judges nothing, needs no
//! extension and no superuser, and takes no lock beyond that of a plain read. The caller wraps each
//! function in one transaction, so that all reads go to one backend.

mod capacity;
mod code;
mod columns;
mod constraints;
mod dependents;
mod relation;
mod server;
mod triggers;

use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Decode, Postgres, Row, Type};

use super::sql;
use crate::ident::TableName;
use crate::store::{ServerFacts, StoreError, TableFacts};

/// What the server is; `schema` is the schema of our own tables.
///
/// # Errors
/// Those of the round trips.
pub(super) async fn server_facts(
    conn: &mut PgConnection,
    schema: &str,
) -> Result<ServerFacts, StoreError> {
    server::read(conn, schema).await
}

/// Adds what the server must have for a run; the caller's transaction has the rights of the login.
///
/// # Errors
/// Those of the round trips.
pub(super) async fn capacity(
    conn: &mut PgConnection,
    facts: &mut ServerFacts,
) -> Result<(), StoreError> {
    capacity::read(conn, facts).await
}

/// Everything the catalog says about one relation; `None` if no relation has this name. A name
/// without a schema is looked up in the search path.
///
/// # Errors
/// Those of the round trips.
pub(super) async fn table_facts(
    conn: &mut PgConnection,
    name: &TableName,
) -> Result<Option<TableFacts>, StoreError> {
    let Some((tree, mut facts)) = relation::read(conn, name).await? else {
        return Ok(None);
    };
    facts.columns = columns::columns(conn, &tree).await?;
    facts.keys = columns::keys(conn, &tree).await?;
    facts.indexes = constraints::indexes(conn, &tree).await?;
    facts.checks = constraints::checks(conn, &tree).await?;
    facts.foreign_keys = constraints::foreign_keys(conn, &tree).await?;
    (facts.guard, facts.triggers) = triggers::triggers(conn, &tree).await?;
    facts.leaves = triggers::leaves(conn, &tree).await?;
    let rules = dependents::rules(conn, &tree).await?;
    let update_rules = rules.iter().filter(|(_, updates)| *updates);
    facts.update_rules = update_rules.map(|(name, _)| name.clone()).collect();
    facts.rules = rules.into_iter().map(|(name, _)| name).collect();
    (facts.dependents, facts.extended_statistics) = dependents::dependents(conn, &tree).await?;
    let code = code::of_others(conn, &tree).await?;
    if facts.as_another_role {
        let switching = code.iter().filter(|(_, switches)| *switches);
        facts.switching = switching.map(|(name, _)| name.clone()).collect();
    }
    facts.code_of_others = code.into_iter().map(|(name, _)| name).collect();
    relation::measure(conn, &tree, &mut facts).await?;
    Ok(Some(facts))
}

/// The names of tables, without those of the server and those in `schema`, which is our own.
///
/// # Errors
/// Those of the round trip.
pub(super) async fn table_names(
    conn: &mut PgConnection,
    schema: &str,
) -> Result<Vec<TableName>, StoreError> {
    relation::names(conn, schema).await
}

/// A relation with its partitions of all levels.
struct Tree {
    /// The relation that was asked for.
    root: Oid,
    /// The relation and all its partitions.
    members: Vec<Oid>,
    /// Its leaf partitions; empty if it is not partitioned.
    leaves: Vec<Oid>,
}

impl Tree {
    /// The relations that hold rows.
    fn with_rows(&self) -> &[Oid] {
        if self.leaves.is_empty() {
            &self.members
        } else {
            &self.leaves
        }
    }
}

/// A statement of a submodule; its text is constant.
fn query(statement: &'static str) -> Query<'static, Postgres, PgArguments> {
    sql::query(statement.to_owned())
}

/// One value of a catalog row.
fn get<'r, T>(row: &'r PgRow, column: &'static str) -> Result<T, StoreError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    Ok(row.try_get(column)?)
}

/// The first character of a one-letter catalog code.
fn letter(row: &PgRow, column: &'static str) -> Result<char, StoreError> {
    Ok(get::<&str>(row, column)?.chars().next().unwrap_or(' '))
}

/// A placeholder for the condition that trigger `t` belongs to the guard.
const OF_THE_GUARD: &str = "{t is of the guard}";

/// All rows of a statement whose only parameters are the tree's root and its members.
async fn rows_of_tree(
    conn: &mut PgConnection,
    tree: &Tree,
    statement: &'static str,
) -> Result<Vec<PgRow>, StoreError> {
    let statement = statement.replace(OF_THE_GUARD, super::guard::IS_GUARD);
    let statement = sql::query(statement).bind(tree.root).bind(&tree.members);
    Ok(statement.fetch_all(conn).await?)
}
