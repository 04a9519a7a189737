//! The relations that hold sealed values, and the guard that each had at the last look.
//! Owns the table `sealed_relations`. A relation is identified by its OID, the OID of the database
//! and the cluster's system identifier; a column by its number. So a rename, SET SCHEMA or DETACH
//! does not lose it, and a restored dump does not match by chance. A guard is identified by what
//! the catalog says of its triggers and functions: it differs once it was disabled, dropped,
//! created again or cloned.

mod gaps;
mod leave;
mod locate;

use std::collections::BTreeMap;

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::PostgresStore;
use super::sql::query;
use crate::ident::{Ident, TableName};
use crate::quote;
use crate::store::{RelationRecord, Result, StoreError, Table};
pub(super) use gaps::{
    after_change, before_change, close_gaps, gaps, has_no_seals, if_allowed, note, open_gaps,
};
pub(super) use leave::{forget, rebind};
use locate::guarded;
pub(super) use locate::{follow, locate, present_fields};

/// Identifies this database. Every role may call `pg_control_system()`.
const DATABASE: &str = "((SELECT s.system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system() AS s) || '/' || \
     (SELECT d.oid::pg_catalog.text FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database()))";

/// The gap's reason if the recorded guard and the present one differ.
const REPLACED: &str = "its guard was gone, disabled or another one for a time";
/// The gap's reason if no guard was recorded when the values were sealed.
const UNSEEN: &str = "nobody knows whether a guard stood when its values were sealed";
/// The gap's reason if a relation was attached to the table.
const ATTACHED: &str = "it was attached with what was in it";

/// The guard of a relation as the catalog describes it; VACUUM FREEZE does not change `xmin`. For a
/// relation without a guard, such as a detached leaf, the server's counters of written rows: as
/// long as they are the same, nothing was written.
fn guard_now(relation: &str) -> String {
    format!(
        "coalesce((SELECT pg_catalog.string_agg(g.tgname || ':' || g.oid || ':' || g.xmin || ':' || g.tgenabled::pg_catalog.text || ':' || \
           p.oid || ':' || p.xmin || ':' || pg_catalog.md5(p.prosrc), ',' ORDER BY g.tgname COLLATE \"C\") \
         FROM pg_catalog.pg_trigger AS g JOIN pg_catalog.pg_proc AS p ON p.oid = g.tgfoid \
         WHERE g.tgrelid = {relation} AND pg_catalog.left(g.tgname::pg_catalog.text, 9) = '~phiseal_'), \
         'unguarded:' || pg_catalog.pg_stat_get_tuples_inserted({relation}) || ':' || \
           pg_catalog.pg_stat_get_tuples_updated({relation}) || ':' || pg_catalog.pg_stat_get_tuples_deleted({relation}) || ':' || \
           coalesce(pg_catalog.pg_relation_filenode({relation}), 0))"
    )
}

/// What identifies the guard of a relation as it is now; a relation without one is `none`.
pub(super) fn guard_identity(relation: &str) -> String {
    format!(
        "CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_trigger AS x WHERE x.tgrelid = {relation} \
           AND x.tgname = '~phiseal_u') THEN {} ELSE 'none' END",
        guard_now(relation)
    )
}

/// Records the numbers that columns have now. A name that no column has now keeps its number, so that
/// a hidden column is found.
pub(super) async fn record_columns(
    store: &PostgresStore,
    conn: &mut PgConnection,
    table: &Table,
) -> Result<()> {
    query(format!(
        "UPDATE {} AS r SET columns = (r.columns::pg_catalog.jsonb || {}::pg_catalog.jsonb)::pg_catalog.text \
         WHERE r.table_label = $1 AND r.left_at IS NULL AND r.database = {DATABASE}",
        store.own("sealed_relations"),
        columns_of("r.relation::pg_catalog.oid"),
    ))
    .bind(table.label.clone())
    .execute(conn)
    .await?;
    Ok(())
}

/// The number of each column of a relation, by name, as JSON.
fn columns_of(relation: &str) -> String {
    format!(
        "coalesce((SELECT pg_catalog.json_object_agg(a.attname, a.attnum) FROM pg_catalog.pg_attribute AS a \
         WHERE a.attrelid = {relation} AND a.attnum > 0 AND NOT a.attisdropped), '{{}}')::pg_catalog.text"
    )
}

/// The condition that a partition had its guard from the beginning. CREATE TABLE … PARTITION OF
/// creates its type and its trigger in one transaction; a partition that was attached existed
/// before.
const GUARDED_FROM_BIRTH: &str = "EXISTS (SELECT FROM pg_catalog.pg_type AS y JOIN pg_catalog.pg_trigger AS g ON g.tgrelid = c.oid \
     WHERE y.oid = c.reltype AND g.tgname = '~phiseal_u' AND g.xmin = y.xmin)";

/// The table and all its partitions.
fn tree(root: &str) -> String {
    format!("(SELECT relid FROM pg_catalog.pg_partition_tree({root}) UNION SELECT {root})")
}

fn oid_of(table: &Table) -> String {
    format!(
        "{}::pg_catalog.regclass::pg_catalog.oid",
        quote::literal(&table.name.quoted())
    )
}

/// One recorded relation, and what the catalog says of it now.
struct RecordedRelation {
    record: RelationRecord,
    /// Its present name, qualified and quoted, as runs use it.
    relation: Option<String>,
    /// The recorded names of its columns, each with its present name; `None` if the column was
    /// dropped.
    columns: BTreeMap<String, Option<String>>,
}

async fn seen(store: &PostgresStore, conn: &mut PgConnection) -> Result<Vec<RecordedRelation>> {
    let relations = store.own("sealed_relations");
    let rows = query(format!(
        "SELECT r.table_label, r.root, r.schema_name, r.table_name, r.columns, r.gap, \
           CASE WHEN c.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, c.relname) END AS named, \
           n.nspname::pg_catalog.text AS now_schema, c.relname::pg_catalog.text AS now_name, \
           (SELECT pg_catalog.json_object_agg(a.attnum, a.attname) FROM pg_catalog.pg_attribute AS a \
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)::pg_catalog.text AS now_columns, \
           r.guard IS DISTINCT FROM {now} AND c.relkind = 'r' AS replaced, \
           (r.root OR EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) AS a JOIN {relations} AS o \
             ON o.relation = a.relid::pg_catalog.oid::pg_catalog.int8 AND o.root AND o.left_at IS NULL \
             AND o.database = r.database AND o.table_label = r.table_label)) AS attached, \
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid \
             AND g.tgname IN ('~phiseal_i', '~phiseal_u'))::pg_catalog.int8 AS triggers, \
           (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid \
             AND g.tgname IN ('~phiseal_i', '~phiseal_u') AND g.tgenabled <> 'A')::pg_catalog.int8 AS not_always \
         FROM {relations} AS r LEFT JOIN (pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace) \
           ON c.oid = r.relation::pg_catalog.oid AND c.relkind IN ('r', 'p') \
         WHERE r.database = {DATABASE} AND r.left_at IS NULL ORDER BY r.table_label, NOT r.root, r.relation_id",
        now = guard_now("c.oid"),
    ))
    .fetch_all(conn)
    .await?;
    rows.iter().map(seen_row).collect()
}

fn seen_row(row: &PgRow) -> Result<RecordedRelation> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    let count = |column: &str| row.try_get::<i64, _>(column);
    let name = |schema: &str, table: &str| -> Result<Option<TableName>> {
        match (text(schema)?, text(table)?) {
            (Some(schema), Some(table)) => table_name(schema, table).map(Some),
            _ => Ok(None),
        }
    };
    let now = name("now_schema", "now_name")?;
    let recorded = name("schema_name", "table_name")?.ok_or(UNEXPECTED)?;
    let attached: bool = row
        .try_get::<Option<bool>, _>("attached")?
        .unwrap_or_default();
    let replaced: Option<bool> = row.try_get("replaced")?;
    let mut gap = text("gap")?;
    if gap.is_none() && now.is_some() && replaced == Some(true) {
        gap = Some(REPLACED.to_owned());
    }
    let mut faults = Vec::new();
    if now.is_none() {
        faults.push("the table is gone".to_owned());
    } else if attached {
        if count("triggers")? < 2 {
            faults.push("its guard is missing".to_owned());
        } else if count("not_always")? > 0 {
            faults.push("its guard is disabled, or does not fire for every session".to_owned());
        }
    }
    let then: BTreeMap<String, i64> = json(text("columns")?.as_deref())?;
    let today: BTreeMap<String, String> = json(text("now_columns")?.as_deref())?;
    let columns = then
        .into_iter()
        .map(|(name, number)| {
            // If the column of this number was dropped, another column may have its name now.
            let now = today.get(&number.to_string()).cloned();
            let same = || today.values().find(|one| **one == name).cloned();
            let now = now.or_else(same);
            (name, now)
        })
        .collect();
    Ok(RecordedRelation {
        relation: text("named")?,
        record: RelationRecord {
            table_label: text("table_label")?.unwrap_or_default(),
            root: row.try_get("root")?,
            recorded,
            now,
            attached,
            gap,
            faults,
        },
        columns,
    })
}

fn json<T: serde::de::DeserializeOwned + Default>(text: Option<&str>) -> Result<T> {
    text.map_or_else(
        || Ok(T::default()),
        |text| serde_json::from_str(text).map_err(|_| UNEXPECTED),
    )
}

const UNEXPECTED: StoreError = StoreError::unexpected("a row of sealed_relations");

pub(super) fn table_name(schema: String, name: String) -> Result<TableName> {
    let ident = |name| Ident::new(name).map_err(|_| UNEXPECTED);
    Ok(TableName {
        schema: Some(ident(schema)?),
        name: ident(name)?,
    })
}

/// See [`crate::store::SealedRelations::sealed_relations`].
pub(super) async fn list(store: &PostgresStore) -> Result<Vec<RelationRecord>> {
    let mut tx = store.begin().await?;
    let mut records: Vec<RelationRecord> = seen(store, &mut tx)
        .await?
        .into_iter()
        .map(|seen| seen.record)
        .collect();
    records.extend(unrecorded(store, &mut tx).await?);
    tx.commit().await?;
    Ok(records)
}

/// Partitions of a recorded table that are not recorded themselves.
async fn unrecorded(store: &PostgresStore, conn: &mut PgConnection) -> Result<Vec<RelationRecord>> {
    let relations = store.own("sealed_relations");
    let rows = query(format!(
        "SELECT r.table_label, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, {GUARDED_FROM_BIRTH} \
         FROM {relations} AS r, LATERAL (SELECT relid FROM pg_catalog.pg_partition_tree(r.relation::pg_catalog.oid::pg_catalog.regclass)) AS t \
         JOIN pg_catalog.pg_class AS c ON c.oid = t.relid AND c.relkind = 'r' \
         JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace \
         WHERE r.root AND r.left_at IS NULL AND r.database = {DATABASE} \
           AND EXISTS (SELECT FROM pg_catalog.pg_class AS k WHERE k.oid = r.relation::pg_catalog.oid AND k.relkind = 'p') \
           AND NOT EXISTS (SELECT FROM {relations} AS o WHERE o.database = r.database AND o.left_at IS NULL \
             AND o.relation = c.oid::pg_catalog.int8) ORDER BY 1, 2, 3"
    ))
    .fetch_all(&mut *conn)
    .await?;
    let record = |row: &PgRow| {
        let name = table_name(row.try_get(1)?, row.try_get(2)?)?;
        let guarded: bool = row.try_get(3)?;
        Ok(RelationRecord {
            table_label: row.try_get(0)?,
            root: false,
            recorded: name.clone(),
            now: Some(name),
            attached: true,
            gap: (!guarded).then(|| ATTACHED.to_owned()),
            faults: Vec::new(),
        })
    };
    rows.iter().map(record).collect()
}

/// The leaves that were detached from this table and still exist.
pub(super) async fn detached(
    store: &PostgresStore,
    conn: &mut PgConnection,
    label: &str,
) -> Result<Vec<String>> {
    let seen = seen(store, conn).await?;
    Ok(seen
        .into_iter()
        .filter(|seen| seen.record.table_label == label && !seen.record.attached)
        .filter_map(|seen| seen.relation)
        .collect())
}
