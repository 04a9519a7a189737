//! What undoing a migration would take away for good: tables that hold rows, and sealed columns.
//! Owns how that is found: the statements are run, what is gone is looked at, and all of it is undone;
//! so it does not matter how a file says it (CASCADE, DROP SCHEMA, a block of code). A table that goes
//! is counted under the lock that its DROP takes.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::super::error::{Doing, Failure};
use super::super::script::Script;
use super::{Schema, failure, run, search_where_tables_go};

/// A table, or a sealed column of one.
struct Held {
    table: i64,
    /// 0 for the table as a whole.
    column: i64,
    /// Qualified and quoted.
    table_name: String,
    /// Quoted.
    column_name: String,
}

/// What the units of `script` behind the first `done` would take away, a line each. Leaves the
/// transaction as it was, but for locks on what is lost.
pub(super) async fn of_undoing(
    tx: &mut PgConnection,
    own: &Schema,
    script: &Script,
    done: usize,
) -> Result<Vec<String>, Failure> {
    let failed = failure(Doing::Comparing);
    let before = held(tx, own).await?;
    run(tx, "SAVEPOINT phiseal_look".to_owned())
        .await
        .map_err(failed)?;
    try_statements(tx, script, done).await?;
    let after = still_there(tx).await?;
    let back = "ROLLBACK TO SAVEPOINT phiseal_look; RELEASE SAVEPOINT phiseal_look";
    run(tx, back.to_owned()).await.map_err(failed)?;
    let mut losses = Vec::new();
    for gone in before
        .iter()
        .filter(|held| !after.contains(&(held.table, held.column)))
    {
        let rows = counted(tx, gone, script.is_atomic()).await?;
        let what = match gone.column {
            0 => format!("table {}", gone.table_name),
            _ => format!("sealed column {}.{}", gone.table_name, gone.column_name),
        };
        match (rows, gone.column) {
            (Some(0), 0) => {}
            (Some(1), 0) => losses.push(format!("{what}: 1 row")),
            (Some(rows), 0) => losses.push(format!("{what}: {rows} rows")),
            (Some(1), _) => losses.push(format!("{what}: 1 value")),
            (Some(rows), _) => losses.push(format!("{what}: {rows} values")),
            (None, _) => losses.push(format!("{what}: this role may not count its rows")),
        }
    }
    Ok(losses)
}

/// Runs the statements, so that what the next migration undoes is found as it would be then.
pub(super) async fn undo_for_the_next(
    tx: &mut PgConnection,
    script: &Script,
) -> Result<(), Failure> {
    try_statements(tx, script, 0).await
}

/// Up to the first that fails: the undoing itself will say why. What takes no transaction is run
/// without the word that says so.
async fn try_statements(
    tx: &mut PgConnection,
    script: &Script,
    done: usize,
) -> Result<(), Failure> {
    let failed = failure(Doing::Comparing);
    search_where_tables_go(tx).await.map_err(failed)?;
    let statements = script
        .units
        .iter()
        .skip(done)
        .flat_map(|unit| &unit.statements);
    for statement in statements.filter(|statement| !statement.is_maintenance()) {
        run(tx, "SAVEPOINT phiseal_statement".to_owned())
            .await
            .map_err(failed)?;
        let tried = run(tx, statement.without_concurrently()).await;
        let end = match &tried {
            Ok(()) => "RELEASE SAVEPOINT phiseal_statement",
            Err(_) => {
                "ROLLBACK TO SAVEPOINT phiseal_statement; RELEASE SAVEPOINT phiseal_statement"
            }
        };
        run(tx, end.to_owned()).await.map_err(failed)?;
        match tried.map_err(failed) {
            Ok(()) => {}
            Err(busy @ Failure::Busy) => return Err(busy),
            Err(_) => break,
        }
    }
    Ok(())
}

/// All ordinary tables but ours, and the columns that hold sealed values.
async fn held(tx: &mut PgConnection, own: &Schema) -> Result<Vec<Held>, Failure> {
    let failed = failure(Doing::Comparing);
    let registry = format!("{}.encrypted_field_metadata", own.quoted);
    let registered: bool = sqlx::query_scalar("SELECT pg_catalog.to_regclass($1) IS NOT NULL")
        .bind(&registry)
        .persistent(false)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
    let mut sql = TABLES.to_owned();
    if registered {
        sql.push_str(&SEALED.replace("{registry}", &registry));
    }
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(&own.name)
        .persistent(false)
        .fetch_all(&mut *tx)
        .await
        .map_err(failed)?;
    let held = |row: &sqlx::postgres::PgRow| {
        Ok(Held {
            table: row.try_get(0)?,
            column: row.try_get(1)?,
            table_name: row.try_get(2)?,
            column_name: row.try_get(3)?,
        })
    };
    let held: Result<Vec<Held>, sqlx::Error> = rows.iter().map(held).collect();
    held.map_err(failed)
}

const TABLES: &str = "
    SELECT c.oid::pg_catalog.int8, 0::pg_catalog.int8,
           pg_catalog.format('%I.%I', n.nspname, c.relname), ''
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
      AND n.nspname OPERATOR(pg_catalog.<>) $1
      AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
      AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'";

/// From the first sealed value to the last that was given back.
const SEALED: &str = "
    UNION ALL
    SELECT c.oid::pg_catalog.int8, a.attnum::pg_catalog.int8,
           pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.quote_ident(a.attname)
    FROM {registry} AS f
    JOIN pg_catalog.pg_namespace AS n
        ON n.nspname::pg_catalog.text OPERATOR(pg_catalog.=) f.schema_name
    JOIN pg_catalog.pg_class AS c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
        AND c.relname::pg_catalog.text OPERATOR(pg_catalog.=) f.table_name
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid
        AND a.attname::pg_catalog.text
            OPERATOR(pg_catalog.=) COALESCE(f.sealed_column, f.column_name)
        AND NOT a.attisdropped
    WHERE f.state OPERATOR(pg_catalog.<>) ALL (ARRAY['declared', 'restored', 'forgotten'])";

async fn still_there(tx: &mut PgConnection) -> Result<BTreeSet<(i64, i64)>, Failure> {
    let failed = failure(Doing::Comparing);
    let rows = sqlx::query(
        "SELECT a.attrelid::pg_catalog.int8, a.attnum::pg_catalog.int8
         FROM pg_catalog.pg_attribute AS a
         WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
         UNION ALL SELECT c.oid::pg_catalog.int8, 0 FROM pg_catalog.pg_class AS c",
    )
    .persistent(false)
    .fetch_all(tx)
    .await
    .map_err(failed)?;
    let pair = |row: &sqlx::postgres::PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
    let pairs: Result<BTreeSet<(i64, i64)>, sqlx::Error> = rows.iter().map(pair).collect();
    pairs.map_err(failed)
}

/// How many rows or values there are; `None` where that is not ours to see. The lock stays only where
/// this transaction does the undoing itself.
async fn counted(
    tx: &mut PgConnection,
    gone: &Held,
    keep_lock: bool,
) -> Result<Option<i64>, Failure> {
    let failed = failure(Doing::Comparing);
    let table = &gone.table_name;
    run(tx, "SAVEPOINT phiseal_count".to_owned())
        .await
        .map_err(failed)?;
    let lock =
        format!("LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE; SET LOCAL row_security = off");
    let counted = match run(tx, lock).await {
        Err(error) => Err(error),
        Ok(()) => {
            let what = match gone.column {
                0 => "*",
                _ => gone.column_name.as_str(),
            };
            let sql = AssertSqlSafe(format!("SELECT pg_catalog.count({what}) FROM ONLY {table}"));
            sqlx::query_scalar(sql)
                .persistent(false)
                .fetch_one(&mut *tx)
                .await
        }
    };
    let end = if counted.is_ok() && keep_lock {
        "RELEASE SAVEPOINT phiseal_count; SET LOCAL row_security = on"
    } else {
        "ROLLBACK TO SAVEPOINT phiseal_count; RELEASE SAVEPOINT phiseal_count"
    };
    run(tx, end.to_owned()).await.map_err(failed)?;
    match counted {
        Ok(count) => Ok(Some(count)),
        Err(error) if super::sqlstate(&error).as_deref() == Some("42501") => Ok(None),
        Err(error) => Err(failed(error)),
    }
}
