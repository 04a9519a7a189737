//! The census: how many values each key seals. Also the destruction of keys, which relies on one.
//! Owns the exact comparison of key ids in the server, by class and first bytes of each value,
//! which no collation affects. A destruction holds the write lock from before its census to its
//! end.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::connect::{commit, read_transaction, write_transaction};
use super::dialect::SqliteSession;
use super::guard::mark;
use super::key_range::KeyRange;
use super::key_value;
use super::read::window_end;
use super::search;
use super::select::{Shape, image};
use super::sql::{Bind, bound, run, scalar, tuple};
use super::wanted::sealed_under;
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::store::change::Change;
use crate::store::ledger::session::Session;
use crate::store::ledger::{audit, keys};
use crate::store::locate::key_id_of_prefix;
use crate::store::text::joined;
use crate::store::{
    Access, Destruction, KeyText, Result, Sealed, SealedCount, StoreError, Table, TableField,
};

/// Rows that one statement groups: SQLite groups by sorting, in memory.
const WINDOW: usize = 50_000;

/// Counts the values in a range of keys, in one snapshot.
pub(super) async fn count(
    conn: &mut SqliteConnection,
    table: &Table,
    after: Option<&KeyText>,
    upto: Option<&KeyText>,
) -> Result<Vec<SealedCount>> {
    count_by(conn, table, after, upto, WINDOW).await
}

async fn count_by(
    conn: &mut SqliteConnection,
    table: &Table,
    after: Option<&KeyText>,
    upto: Option<&KeyText>,
    window: usize,
) -> Result<Vec<SealedCount>> {
    let prefixes: Vec<(usize, String)> = (table.fields.iter().enumerate())
        .filter_map(|(at, field)| Some((at, prefix(field)?)))
        .collect();
    let mut sums = BTreeMap::new();
    if !prefixes.is_empty() {
        let mut snapshot = read_transaction(conn).await?;
        let shape = Shape::read(&mut snapshot, &Access::of(table.clone())).await?;
        let mut after = after.cloned();
        loop {
            let mut range = KeyRange::new(&mut snapshot, &shape, after.as_ref(), upto).await?;
            let end = window_end(&mut snapshot, &shape, &range, window).await?;
            if let Some(end) = &end {
                range.end_at(&shape, end);
            }
            add_window(&mut snapshot, &shape, &prefixes, &range, &mut sums).await?;
            match end {
                Some(end) => after = Some(key_value::cursor(&end)),
                None => break,
            }
        }
        snapshot.rollback().await?;
    }
    let counts = sums
        .into_iter()
        .map(|((field, key_id), values)| SealedCount {
            table: Some(0),
            field: Some(field),
            key_id,
            values,
            place: None,
        });
    Ok(counts.collect())
}

/// Adds the values of one window; reads each row once.
async fn add_window(
    conn: &mut SqliteConnection,
    shape: &Shape,
    prefixes: &[(usize, String)],
    range: &KeyRange,
    sums: &mut BTreeMap<(usize, Option<KeyId>), u64>,
) -> Result<()> {
    let sql = format!(
        "WITH \"~w\" AS MATERIALIZED (SELECT {} FROM {} WHERE {}) {}",
        joined(prefixes, ", ", |(at, prefix)| format!("{prefix} AS p{at}")),
        shape.table,
        range.sql("1"),
        joined(prefixes, " UNION ALL ", |(at, _)| format!(
            "SELECT {at}, p{at}, count(*) FROM \"~w\" WHERE p{at} IS NOT NULL GROUP BY p{at}"
        )),
    );
    let rows: Vec<(i64, String, i64)> = tuple(sql, range.again()).fetch_all(conn).await?;
    for (field, prefix, values) in rows {
        let field = usize::try_from(field)
            .map_err(|_| StoreError::unexpected("a count of a field that was not asked for"))?;
        *sums.entry((field, key_id_of_prefix(&prefix))).or_default() += values.unsigned_abs();
    }
    Ok(())
}

/// The expression for the sealed value of a field, and whether it is in text form.
fn place(field: &TableField) -> Option<(String, bool)> {
    match &field.sealed {
        Sealed::Beside { column, text } => Some((column.quoted(), *text)),
        Sealed::InPlace if field.plain_exists => Some((field.column.quoted(), true)),
        Sealed::InPlace => None,
    }
}

/// The first bytes of a sealed value as text: hex digits, or the first characters of the text form.
/// A value of another class counts as sealed under no known key.
fn prefix(field: &TableField) -> Option<String> {
    let (column, text) = place(field)?;
    let first = format!("substr({column}, 1, 12)");
    Some(match (&field.sealed, text) {
        (Sealed::InPlace, _) => format!(
            "CASE WHEN typeof({column}) = 'text' AND substr({column}, 1, 4) = 'ps1.' THEN {first} END"
        ),
        (_, true) => format!(
            "CASE typeof({column}) WHEN 'text' THEN {first} WHEN 'null' THEN NULL ELSE '' END"
        ),
        (_, false) => format!(
            "CASE typeof({column}) WHEN 'blob' THEN lower(hex(substr({column}, 1, 6))) \
             WHEN 'null' THEN NULL ELSE '' END"
        ),
    })
}

/// Destroys keys in one transaction: locks, counts, wipes.
pub(super) async fn destroy(
    conn: &mut SqliteConnection,
    order: &Destruction<'_>,
) -> Result<Vec<SealedCount>> {
    let mut transaction = write_transaction(conn).await?;
    let before = SqliteSession(&mut *transaction).newest_change().await?;
    match order.shred {
        Some(tenant) => blank_indexes(&mut transaction, order.tables, tenant).await?,
        None => {
            let mut left = Vec::new();
            for (at, access) in order.tables.iter().enumerate() {
                for count in left_in(&mut transaction, &access.table, order.keys).await? {
                    left.push(SealedCount {
                        table: Some(at),
                        ..count
                    });
                }
            }
            left.extend(left_in_ours(&mut transaction, order.keys).await?);
            // If somebody has written since the search, searches all again under the lock, so that
            // nobody writes meanwhile.
            if let Some(searched) = order.searched
                && searched != search::version(&mut transaction).await?
            {
                let hits = search::everything(&mut transaction, order.keys).await?;
                left.extend(hits.into_iter().map(|hit| SealedCount {
                    table: None,
                    field: None,
                    key_id: None,
                    values: hit.values,
                    place: Some(hit.place),
                }));
            }
            if !left.is_empty() {
                return Ok(left);
            }
        }
    }
    let mut session = SqliteSession(&mut *transaction);
    let records = keys::records(&mut session, Some(order.keys)).await?;
    // A shredded tenant's keys may still be in use.
    let in_use = order.shred.is_some();
    keys::destroy(&mut session, &records, in_use, order.actor, order.reason).await?;
    audit::note(&mut session, order.note, &[], before).await?;
    commit(transaction).await?;
    // The WAL still holds the old pages. This empties it, unless a reader is active: then they
    // remain until the WAL is next restarted.
    let _ = run(conn, "PRAGMA wal_checkpoint(TRUNCATE)").await;
    Ok(Vec::new())
}

/// How many values of one tenant are there as plaintext beside their sealed form.
pub(super) async fn plaintext_of(
    conn: &mut SqliteConnection,
    table: &Table,
    tenant: &str,
) -> Result<u64> {
    let plain: Vec<String> = table
        .fields
        .iter()
        .filter(|field| field.plain_exists && field.sealed != Sealed::InPlace)
        .map(|field| field.column.quoted())
        .collect();
    let (Some(column), false) = (&table.tenant, plain.is_empty()) else {
        return Ok(0);
    };
    let sql = format!(
        "SELECT {} FROM {} WHERE {}",
        joined(&plain, " + ", |column| format!("count({column})")),
        table.name.name.quoted(),
        is_tenant(column),
    );
    let values: i64 = scalar(sql, [Bind::from(tenant.as_bytes().to_vec())])
        .fetch_one(conn)
        .await?;
    Ok(values.unsigned_abs())
}

/// The values sealed under the keys in one table, counted in one scan for all keys.
async fn left_in(
    conn: &mut SqliteConnection,
    table: &Table,
    keys: &[KeyId],
) -> Result<Vec<SealedCount>> {
    let places: Vec<(usize, String, bool)> = (table.fields.iter().enumerate())
        .filter_map(|(at, field)| place(field).map(|(column, text)| (at, column, text)))
        .collect();
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT {} FROM {}",
        joined(&places, ", ", |(_, column, text)| format!(
            "count(*) FILTER (WHERE {})",
            sealed_under(column, *text, keys)
        )),
        table.name.name.quoted(),
    );
    let row = bound(sql, []).fetch_one(conn).await?;
    let mut left = Vec::new();
    for (at, (field, ..)) in places.iter().enumerate() {
        left.extend(SealedCount::left(Some(*field), keys, row.try_get(at)?));
    }
    Ok(left)
}

/// Row keys in quarantine and cursors of unfinished runs that are sealed under the keys. Resolved
/// rows and finished runs do not need their keys any more.
async fn left_in_ours(conn: &mut SqliteConnection, keys: &[KeyId]) -> Result<Option<SealedCount>> {
    let under = |column: &str| sealed_under(column, false, keys);
    let sql = format!(
        "SELECT (SELECT count(*) FROM phiseal_quarantine WHERE state <> 'resolved' AND key_id IN ({})) + \
         (SELECT count(*) FROM phiseal_lanes JOIN phiseal_runs USING (run_id) \
         WHERE finished_at IS NULL AND ({} OR {} OR {}))",
        joined(keys, ", ", KeyId::to_string),
        under("lower"),
        under("upper"),
        under("cursor"),
    );
    let values = scalar(sql, []).fetch_one(conn).await?;
    Ok(SealedCount::left(None, keys, values))
}

/// The condition for rows of the tenant whose bytes are bound. It agrees with how rows are read: a
/// BLOB is no tenant, and no collation makes two tenants equal.
fn is_tenant(column: &Ident) -> String {
    let column = column.quoted();
    format!("typeof({column}) <> 'blob' AND {} = ?", image(&column))
}

/// Sets the blind indexes of one tenant's rows to NULL, under the engine's mark, so that the guard
/// allows it.
async fn blank_indexes(conn: &mut SqliteConnection, tables: &[Access], tenant: &str) -> Result<()> {
    for table in tables.iter().map(|access| &access.table) {
        let Some(owner) = &table.tenant else {
            continue;
        };
        let columns: Vec<String> = table
            .fields
            .iter()
            .flat_map(|field| field.index.iter().chain(&field.index_next))
            .map(Ident::quoted)
            .collect();
        if columns.is_empty() {
            continue;
        }
        let sql = format!(
            "UPDATE {} SET {} WHERE {} AND ({})",
            table.name.name.quoted(),
            joined(&columns, ", ", |column| format!("{column} = NULL")),
            is_tenant(owner),
            joined(&columns, " OR ", |column| format!("{column} IS NOT NULL")),
        );
        mark::as_engine(conn, Change::Seal, &table.label).await?;
        bound(sql, [Bind::from(tenant.as_bytes().to_vec())])
            .execute(&mut *conn)
            .await?;
    }
    mark::clear(conn).await
}

#[cfg(test)]
mod tests;
