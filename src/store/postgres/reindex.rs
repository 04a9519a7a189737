//! Blind indexes on their way to another key: a new column beside the old, then one switch.
//! Owns the columns, their indexes and the transaction that puts the new ones in the place of the
//! old ones, over all tables and together with the keys: a lookup meets the old column under the
//! old key or the new one under the new key, and nothing in between.

use sqlx::{Postgres, Row, Transaction};

use super::PostgresStore;
use super::fault::map;
use super::indexes;
use super::prepare::{self, apply};
use super::rotation;
use super::sql::{query, raw};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::keys::{Handover, RotationPeriod};
use crate::quote;
use crate::store::{Reindex, Result, StoreError, Target};

/// How long the switch waits for a table, before it is tried again.
const LOCK_WAIT: &str = "SET LOCAL lock_timeout = '1s'; SET LOCAL row_security = off;";

/// Makes the new columns, notes them and has the guard blank them.
pub(super) async fn prepare_columns(
    store: &PostgresStore,
    target: &Target,
    next: &[Reindex],
) -> Result<()> {
    let mut tx = store.begin().await?;
    let mut inherit = Vec::new();
    for index in next {
        refuse_dependents(&mut tx, target, index).await?;
        inherit.extend(inherited(&mut tx, target, index).await?);
    }
    tx.commit().await.map_err(map)?;
    let mut statements: Vec<String> = next
        .iter()
        .map(|index| {
            format!(
                "ALTER TABLE {} ADD COLUMN IF NOT EXISTS {} bytea",
                target.table.quoted(),
                index.next.quoted()
            )
        })
        .collect();
    for index in next {
        statements.push(format!(
            "UPDATE {} SET blind_index_next = {}, updated_at = clock_timestamp() \
             WHERE table_label = {} AND column_label = {}",
            store.own("encrypted_field_metadata"),
            quote::literal(index.next.as_str()),
            quote::literal(&target.label),
            quote::literal(&target.fields[index.field].label),
        ));
    }
    statements.extend(inherit);
    apply(store, &statements).await?;
    // From here on the guard blanks the new column, too; until then it holds nothing.
    let mut with_next = target.clone();
    for index in next {
        with_next.fields[index.field].index_next = Some(index.next.clone());
    }
    prepare::prepare(store, &with_next).await
}

/// What of the application's depends on a blind index column would go with it, or stop the switch:
/// indexes, constraints, views, policies. And a subscriber has no such column yet.
async fn refuse_dependents(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
    index: &Reindex,
) -> Result<()> {
    let ours = indexes::index_name(&target.table, &index.column)?;
    let row = query(
        "WITH relations AS (SELECT to_regclass($1)::oid AS oid \
           UNION SELECT relid FROM pg_partition_tree(to_regclass($1))), \
         columns AS (SELECT a.attrelid, a.attnum FROM pg_catalog.pg_attribute a JOIN relations r ON r.oid = a.attrelid \
           WHERE a.attname = $2 AND NOT a.attisdropped) \
         SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_catalog.pg_depend d \
           JOIN columns c ON c.attrelid = d.refobjid AND c.attnum = d.refobjsubid \
           WHERE d.refclassid = 'pg_class'::regclass \
             AND NOT (d.classid = 'pg_trigger'::regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_trigger t \
               WHERE t.oid = d.objid AND t.tgname LIKE '~phiseal%')) \
             AND NOT (d.classid = 'pg_class'::regclass AND EXISTS (SELECT 1 FROM pg_catalog.pg_class i \
               WHERE i.oid = d.objid AND i.relkind IN ('i', 'I') AND left(i.relname, length($3)) = $3)) \
         UNION ALL SELECT 'publication ' || p.pubname FROM pg_catalog.pg_publication p \
           WHERE p.puballtables OR EXISTS (SELECT 1 FROM pg_catalog.pg_publication_rel pr JOIN relations r \
             ON r.oid = pr.prrelid WHERE pr.prpubid = p.oid) LIMIT 1"
            .to_owned(),
    )
    .bind(target.table.quoted())
    .bind(index.column.as_str().to_owned())
    .bind(ours.as_str().to_owned())
    .fetch_optional(&mut **tx)
    .await
    .map_err(map)?;
    match row {
        None => Ok(()),
        Some(row) => Err(StoreError::InTheWay {
            what: format!(
                "{}, on {}.{},",
                row.try_get::<String, _>(0).map_err(map)?,
                target.label,
                index.column.as_str()
            ),
        }),
    }
}

/// The privileges and the comment of a column, as statements for the one that takes its place.
async fn inherited(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
    index: &Reindex,
) -> Result<Vec<String>> {
    let rows = query(
        "SELECT format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, $3, $1, \
             CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END, \
             CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) \
         FROM pg_catalog.pg_attribute a, aclexplode(a.attacl) AS x \
         WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped \
         UNION ALL SELECT format('COMMENT ON COLUMN %s.%I IS %L', $1, $3, col_description(a.attrelid, a.attnum)) \
         FROM pg_catalog.pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attname = $2 \
           AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NOT NULL"
            .to_owned(),
    )
    .bind(target.table.quoted())
    .bind(index.column.as_str().to_owned())
    .bind(index.next.as_str().to_owned())
    .fetch_all(&mut **tx)
    .await
    .map_err(map)?;
    rows.iter().map(|row| row.try_get(0).map_err(map)).collect()
}

/// Lookup indexes on the new columns.
pub(super) async fn make_indexes(
    store: &PostgresStore,
    target: &Target,
    next: &[Reindex],
) -> Result<()> {
    for index in next {
        indexes::lookup_index(store, target, &index.next, index.unique).await?;
    }
    Ok(())
}

/// The switch.
pub(super) async fn switch(
    store: &PostgresStore,
    tables: &[(Target, Vec<Reindex>)],
    handovers: &[Handover],
    due: RotationPeriod,
    actor: &str,
) -> Result<bool> {
    let mut leaves = Vec::new();
    for (target, _) in tables {
        leaves.push(store_relations(store, target).await?);
    }
    let mut tx = store.begin().await?;
    raw(LOCK_WAIT.to_owned())
        .execute(&mut *tx)
        .await
        .map_err(map)?;
    if !rotation::hand_over(store, &mut tx, handovers, due, actor).await? {
        return Err(StoreError::Unexpected {
            what: "the state of a blind index key changed during its rotation",
        });
    }
    for (target, _) in tables {
        raw(format!(
            "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE",
            target.table.quoted()
        ))
        .execute(&mut *tx)
        .await
        .map_err(map)?;
    }
    for ((target, next), leaves) in tables.iter().zip(&leaves) {
        if is_behind(&mut tx, target, next, leaves).await? {
            tx.rollback().await.map_err(map)?;
            return Ok(false);
        }
    }
    let shared = handovers.iter().map(|h| h.to).collect::<Vec<KeyId>>();
    for ((target, next), leaves) in tables.iter().zip(&leaves) {
        switch_table(store, &mut tx, target, next, leaves, &shared).await?;
    }
    tx.commit().await.map_err(map)?;
    Ok(true)
}

async fn store_relations(store: &PostgresStore, target: &Target) -> Result<Vec<String>> {
    super::runs::relations(store, target).await
}

/// Whether a row has an index and not yet the new one. The sweep's partial index finds it at once.
async fn is_behind(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
    next: &[Reindex],
    leaves: &[String],
) -> Result<bool> {
    for relation in leaves {
        for index in next {
            let sealed = match &target.fields[index.field].sealed {
                crate::store::Sealed::Beside { column, .. } => column,
                crate::store::Sealed::InPlace => &target.fields[index.field].column,
            };
            let row = query(format!(
                "SELECT count(*) FROM ONLY {relation} \
                 WHERE ({} IS NOT NULL AND {} IS NULL) AND {} IS NOT NULL",
                sealed.quoted(),
                index.next.quoted(),
                index.column.quoted()
            ))
            .fetch_one(&mut **tx)
            .await
            .map_err(map)?;
            let behind: i64 = row.try_get(0).map_err(map)?;
            if behind.unsigned_abs() > index.refused {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

async fn switch_table(
    store: &PostgresStore,
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
    next: &[Reindex],
    leaves: &[String],
    keys: &[KeyId],
) -> Result<()> {
    let table = target.table.quoted();
    let mut after = target.clone();
    for index in next {
        after.fields[index.field].index_next = None;
    }
    let guard = prepare::guard_of(store, tx, target).await?;
    let mut statements = guard.drop_statements();
    for index in next {
        statements.push(format!(
            "ALTER TABLE {table} DROP COLUMN {}",
            index.column.quoted()
        ));
        statements.push(format!(
            "ALTER TABLE {table} RENAME COLUMN {} TO {}",
            index.next.quoted(),
            index.column.quoted()
        ));
        let old = indexes::index_name(&target.table, &index.next)?;
        let new = indexes::index_name(&target.table, &index.column)?;
        for (leaf, suffix) in indexes::suffixes(leaves) {
            statements.push(rename_index(&leaf, &old, &new, &suffix)?);
        }
        // The key of a column is one only where its table has no tenants.
        let key = match (&target.tenant, keys) {
            (None, [key]) => format!(", blind_index_key_id = {key}"),
            _ => String::new(),
        };
        statements.push(format!(
            "UPDATE {} SET blind_index_next = NULL{key}, updated_at = clock_timestamp() \
             WHERE table_label = {} AND column_label = {}",
            store.own("encrypted_field_metadata"),
            quote::literal(&target.label),
            quote::literal(&target.fields[index.field].label),
        ));
    }
    for statement in statements {
        raw(statement).execute(&mut **tx).await.map_err(map)?;
    }
    let guard = prepare::guard_of(store, tx, &after).await?;
    for statement in guard.statements() {
        raw(statement).execute(&mut **tx).await.map_err(map)?;
    }
    for leaf in leaves {
        for name in [super::guard::INSERT, super::guard::UPDATE] {
            raw(format!(
                "ALTER TABLE {leaf} ENABLE ALWAYS TRIGGER \"{name}\""
            ))
            .execute(&mut **tx)
            .await
            .map_err(map)?;
        }
    }
    Ok(())
}

fn rename_index(leaf: &str, old: &Ident, new: &Ident, suffix: &str) -> Result<String> {
    let name = |ident: &Ident| {
        ident
            .with_suffix(suffix)
            .map_err(|_| StoreError::Unexpected {
                what: "an index name",
            })
    };
    let schema = leaf
        .parse::<crate::ident::TableName>()
        .ok()
        .and_then(|table| table.schema)
        .map_or_else(String::new, |schema| format!("{}.", schema.quoted()));
    Ok(format!(
        "ALTER INDEX IF EXISTS {schema}{} RENAME TO {}",
        name(old)?.quoted(),
        name(new)?.quoted()
    ))
}
