//! The census (how many values each key seals), and the destruction of keys, which depends on it.
//! Owns the exact comparison of key ids in the server. It uses the first bytes of each value, never
//! a column's own collation.

use sqlx::{PgConnection, Row};

use super::PostgresStore;
use super::ddl_lock::{begin_briefly, settle};
use super::key_order::{self, Side};
use super::sql::{query, raw, run, scalar, set_local, tuple};
use super::wanted::sealed_under;
use crate::crypto::KeyId;
use crate::store::change::Change;
use crate::store::ledger::{audit, keys};
use crate::store::locate::key_id_of_prefix;
use crate::store::postgres::transaction::Transaction;
use crate::store::text::joined;
use crate::store::{
    Access, Destruction, KeyText, OpenTransaction, Result, Sealed, SealedCount, Select, Table,
};

/// Counts the values in a range of keys of one relation.
pub(super) async fn count(
    store: &PostgresStore,
    table: &Table,
    relation: &str,
    after: Option<&KeyText>,
    upto: Option<&KeyText>,
) -> Result<Vec<SealedCount>> {
    let mut tx = store.begin().await?;
    run(&mut tx, set_local!("row_security" = "off")).await?;
    let counted = count_in(&mut tx, table, relation, after, upto).await?;
    tx.commit().await?;
    Ok(counted)
}

async fn count_in(
    conn: &mut PgConnection,
    table: &Table,
    relation: &str,
    after: Option<&KeyText>,
    upto: Option<&KeyText>,
) -> Result<Vec<SealedCount>> {
    let mut values = Vec::new();
    for (at, field) in table.fields.iter().enumerate() {
        values.extend(prefix(field).map(|prefix| format!("({at}, {prefix})")));
    }
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut filters = vec!["v.p IS NOT NULL".to_owned()];
    let mut binds = Vec::new();
    let names: Vec<String> = (table.keys.iter())
        .map(|key| key_order::column(key, "t"))
        .collect();
    for (bound, side) in [(after, Side::After), (upto, Side::UpTo)] {
        let Some(cursor) = bound else { continue };
        let places: Vec<String> = table
            .keys
            .iter()
            .enumerate()
            .map(|(i, key)| format!("${}::text::{}", binds.len() + i + 1, key.cast))
            .collect();
        filters.push(key_order::condition(&table.keys, &names, side, &places));
        binds.extend(cursor.0.iter().cloned());
    }
    let mut statement = tuple(format!(
        "SELECT v.f::int4, v.p, count(*) FROM ONLY {relation} AS t, LATERAL (VALUES {}) AS v(f, p) \
         WHERE {} GROUP BY v.f, v.p ORDER BY v.f, v.p",
        values.join(", "),
        filters.join(" AND ")
    ));
    for bind in binds {
        statement = statement.bind(bind);
    }
    let rows = statement.fetch_all(conn).await?;
    Ok(rows.into_iter().map(counted).collect())
}

/// An expression for the first bytes of a sealed value as text: hex digits, or the first characters
/// of the text form.
fn prefix(field: &crate::store::TableField) -> Option<String> {
    match &field.sealed {
        Sealed::Beside {
            column,
            text: false,
        } => Some(format!(
            "encode(substr(t.{}, 1, 6), 'hex')",
            column.quoted()
        )),
        Sealed::Beside { column, text: true } => Some(format!(
            "left(t.{}::text, 12) COLLATE \"C\"",
            column.quoted()
        )),
        Sealed::InPlace => field.plain_exists.then(|| {
            let column = field.column.quoted();
            format!(
                "CASE WHEN left(t.{column}::text, 4) COLLATE \"C\" = 'ps1.' \
                 THEN left(t.{column}::text, 12) COLLATE \"C\" END"
            )
        }),
    }
}

fn counted((field, prefix, values): (i32, String, i64)) -> SealedCount {
    SealedCount {
        table: Some(0),
        field: usize::try_from(field).ok(),
        key_id: key_id_of_prefix(&prefix),
        values: values.unsigned_abs(),
        place: None,
    }
}

/// The open transactions of this database, by their virtual id, which the server does not use again
/// while it runs; also prepared transactions. Every role may see these.
pub(super) async fn open_transactions(store: &PostgresStore) -> Result<Vec<OpenTransaction>> {
    // The login sees more of other sessions than a role without rights of its own.
    let mut tx = store.begin_as_login().await?;
    let rows: Vec<(String, String)> = tuple(
        "SELECT l.virtualtransaction, 'pid ' || a.pid || coalesce(' (' || nullif(a.application_name, '') || ')', '') \
           || coalesce(', since ' || to_char(a.xact_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), '') \
         FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted \
           AND a.datname = current_database() AND a.pid <> pg_backend_pid() \
           AND coalesce(a.backend_type, '') NOT IN ('autovacuum worker', 'parallel worker') \
         UNION ALL \
         SELECT 'prepared ' || gid, 'prepared transaction ' || gid FROM pg_catalog.pg_prepared_xacts \
         WHERE database = current_database()",
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let transaction = |(id, who)| OpenTransaction { id, who };
    Ok(rows.into_iter().map(transaction).collect())
}

/// Destroys keys in one transaction: locks the relations, counts, wipes the keys.
pub(super) async fn destroy(
    store: &PostgresStore,
    order: &Destruction<'_>,
) -> Result<Vec<SealedCount>> {
    // If a relation's lock is not granted soon, the caller tries again.
    let mut tx = begin_briefly(store).await?;
    run(&mut tx, "SET LOCAL row_security = off").await?;
    // The keys are locked first, as in every transaction that changes keys.
    let ids: Vec<i32> = order.keys.iter().map(|id| id.get().cast_signed()).collect();
    let records = keys::locked(&mut store.session(&mut tx), order.keys).await?;
    let relations = locked(store, &mut tx, order.tables).await?;
    let mut left = Vec::new();
    match order.shred {
        Some(tenant) => {
            for (table, relation) in &relations {
                blank_indexes(&mut tx, table, relation, tenant).await?;
            }
        }
        None => {
            for (table, relation) in &relations {
                let at = (order.tables.iter()).position(|one| one.table.label == table.label);
                for count in left_in(&mut tx, table, relation, order.keys).await? {
                    left.push(SealedCount { table: at, ..count });
                }
            }
            left.extend(left_in_ours(store, &mut tx, order.keys, &ids).await?);
        }
    }
    if !left.is_empty() {
        tx.rollback().await?;
        return Ok(left);
    }
    let mut session = store.session(&mut tx);
    // A shredded tenant's keys may still be in use.
    let in_use = order.shred.is_some();
    keys::destroy(&mut session, &records, in_use, order.actor, order.reason).await?;
    audit::note(&mut store.session(&mut tx), order.note, &[], 0).await?;
    tx.commit().await?;
    settle(store).await?;
    Ok(Vec::new())
}

/// Locks the relations of the tables and returns them. Readers continue; writers wait until the
/// count is done. The first LOCK waits for a partition that is being attached, and prevents further
/// ones; the second LOCK also locks the partitions that came while the first one waited. The
/// relations are listed after that.
async fn locked<'a>(
    store: &PostgresStore,
    tx: &mut Transaction,
    tables: &'a [Access],
) -> Result<Vec<(&'a Table, String)>> {
    let mut relations = Vec::new();
    for access in tables {
        let table = access.table.as_ref();
        let lock = format!("LOCK TABLE {} IN SHARE MODE", table.name.quoted());
        for _ in 0..2 {
            run(tx, lock.clone()).await?;
        }
        for relation in super::table::relations_in(store, tx, table, &access.scope).await? {
            // A detached leaf is not locked together with its table.
            run(tx, format!("LOCK TABLE ONLY {relation} IN SHARE MODE")).await?;
            relations.push((table, relation));
        }
    }
    Ok(relations)
}

/// The values of one relation that are still sealed under the keys. One scan, whatever the number
/// of keys.
async fn left_in(
    tx: &mut Transaction,
    table: &Table,
    relation: &str,
    keys: &[KeyId],
) -> Result<Vec<SealedCount>> {
    let mut sums = Vec::new();
    for (at, field) in table.fields.iter().enumerate() {
        let (column, text) = match &field.sealed {
            Sealed::Beside { column, text } => (column, *text),
            Sealed::InPlace if field.plain_exists => (&field.column, true),
            Sealed::InPlace => continue,
        };
        let value = format!("t.{}", column.quoted());
        sums.push((
            at,
            format!("count(*) FILTER (WHERE {})", sealed_under(&value, text, 1)),
        ));
    }
    if sums.is_empty() {
        return Ok(Vec::new());
    }
    let list = joined(&sums, ", ", |(_, sum)| sum.clone());
    let row = query(format!("SELECT {list} FROM ONLY {relation} AS t"))
        .bind(hex_prefixes(keys))
        .bind(Select::text_prefixes(keys).collect::<Vec<String>>())
        .fetch_one(&mut **tx)
        .await?;
    let mut left = Vec::new();
    for (place, (field, _)) in sums.iter().enumerate() {
        left.extend(SealedCount::left(Some(*field), keys, row.try_get(place)?));
    }
    Ok(left)
}

/// The first bytes of values under the keys, as hex digits.
fn hex_prefixes(keys: &[KeyId]) -> Vec<String> {
    Select::prefixes(keys).map(hex::encode).collect()
}

/// The values in our own tables that are still sealed under the keys: row keys in the quarantine
/// and cursors of unfinished runs.
async fn left_in_ours(
    store: &PostgresStore,
    tx: &mut Transaction,
    keys: &[KeyId],
    ids: &[i32],
) -> Result<Option<SealedCount>> {
    let values: i64 = scalar(format!(
        "SELECT (SELECT count(*) FROM {quarantine} WHERE state <> 'resolved' AND key_id = ANY ($2)) + \
           (SELECT count(*) FROM {lanes}, LATERAL (VALUES (lower), (upper), (cursor)) AS v(c) \
            WHERE substr(c, 1, 6) IN (SELECT decode(p, 'hex') FROM unnest($1::text[]) AS p))",
        quarantine = store.own("quarantine"),
        lanes = store.own("lanes"),
    ))
    .bind(hex_prefixes(keys))
    .bind(ids.to_vec())
    .fetch_one(&mut **tx)
    .await?;
    Ok(SealedCount::left(None, keys, values))
}

/// The number of values of one tenant that are stored in plaintext (in-place fields are not
/// counted).
pub(super) async fn plaintext_of(
    store: &PostgresStore,
    table: &Table,
    tenant: &str,
) -> Result<u64> {
    let sums = joined(
        table
            .fields
            .iter()
            .filter(|field| field.plain_exists && field.sealed != Sealed::InPlace),
        " + ",
        |field| format!("count(t.{})", field.column.quoted()),
    );
    let (Some(column), false) = (&table.tenant, sums.is_empty()) else {
        return Ok(0);
    };
    let mut tx = store.begin().await?;
    run(&mut tx, "SET LOCAL row_security = off").await?;
    let values: i64 = scalar(format!(
        "SELECT ({})::int8 FROM {} AS t WHERE t.{}::text = $1",
        sums,
        table.name.quoted(),
        column.quoted()
    ))
    .bind(tenant.to_owned())
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(values.unsigned_abs())
}

/// Sets the blind indexes of one tenant's rows to NULL.
async fn blank_indexes(
    tx: &mut Transaction,
    table: &Table,
    relation: &str,
    tenant: &str,
) -> Result<()> {
    let Some(column) = &table.tenant else {
        return Ok(());
    };
    let columns: Vec<String> = table
        .fields
        .iter()
        .flat_map(|field| field.index.iter().chain(&field.index_next))
        .map(crate::ident::Ident::quoted)
        .collect();
    if columns.is_empty() {
        return Ok(());
    }
    let mark = super::guard::mark_sql(Change::Seal, &table.label);
    run(tx, format!("SET LOCAL phiseal.engine = 'on'; {mark}")).await?;
    let set = joined(&columns, ", ", |c| format!("{c} = NULL"));
    let any = joined(&columns, " OR ", |c| format!("t.{c} IS NOT NULL"));
    query(format!(
        "UPDATE ONLY {relation} AS t SET {} WHERE t.{}::text = $1 AND ({})",
        set,
        column.quoted(),
        any
    ))
    .bind(tenant.to_owned())
    .execute(&mut **tx)
    .await?;
    let unmark = raw(super::guard::UNMARK);
    unmark.execute(&mut **tx).await?;
    Ok(())
}
