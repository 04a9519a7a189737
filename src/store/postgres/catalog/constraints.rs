//! Reads indexes, CHECK and EXCLUDE constraints, and foreign keys in both directions.
//! Owns which copies on partitions are left out: only what was declared is listed, and once.

use sqlx::postgres::PgConnection;

use super::{Tree, get, rows_of_tree};
use crate::store::StoreError;
use crate::store::catalog::{ConstraintFacts, ForeignKeyFacts, IndexFacts};

/// pg_depend shows the columns in expressions and predicates. It does not show those of an index
/// that belongs to a constraint, which come from `indkey`. With OFFSET the server looks up the
/// statistics of one column; without, it makes `pg_stats` of the whole database first.
const INDEXES: &str = "
    SELECT ic.relname::text AS name, am.amname::text AS method, i.indisunique AS is_unique,
           ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = i.indrelid AND a.attnum > 0
                    AND (a.attnum = ANY (i.indkey::int2[]) OR EXISTS (
                         SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                            AND d.refclassid = 'pg_class'::regclass
                            AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
                  ORDER BY a.attnum) AS columns,
           coalesce((SELECT sum(pg_relation_size(t.relid)) FROM pg_partition_tree(i.indexrelid) t),
                    pg_relation_size(ic.oid))::int8 AS bytes,
           EXISTS (SELECT FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
                     JOIN pg_namespace n ON n.oid = c.relnamespace
                    CROSS JOIN LATERAL (SELECT st.correlation FROM pg_stats st
                                         WHERE st.schemaname = n.nspname AND st.tablename = c.relname
                                           AND st.attname = a.attname OFFSET 0) AS s
                    WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
                      AND abs(s.correlation) > 0.9) AS follows_storage
      FROM pg_index i
      JOIN pg_class ic ON ic.oid = i.indexrelid
      JOIN pg_am am ON am.oid = ic.relam
     WHERE i.indrelid = ANY ($2) AND (i.indrelid = $1 OR NOT ic.relispartition)
     ORDER BY ic.relname, i.indexrelid";

/// The columns of an EXCLUDE constraint over expressions are known only from its index.
const CHECKS: &str = "
    SELECT k.conname::text AS name,
           ARRAY(SELECT a.attname::text FROM pg_attribute a
                  WHERE a.attrelid = k.conrelid AND a.attnum > 0
                    AND (a.attnum = ANY (k.conkey) OR EXISTS (
                         SELECT FROM pg_depend d
                          WHERE d.classid = 'pg_class'::regclass AND d.objid = k.conindid
                            AND d.refclassid = 'pg_class'::regclass
                            AND d.refobjid = k.conrelid AND d.refobjsubid = a.attnum))
                  ORDER BY a.attnum) AS columns
      FROM pg_constraint k
     WHERE k.conrelid = ANY ($2) AND k.contype IN ('c', 'x')
       AND (k.conrelid = $1 OR (k.coninhcount = 0 AND k.conparentid = 0))
     ORDER BY k.conname, k.oid";

const FOREIGN_KEYS: &str = "
    SELECT k.conname::text AS name, s.incoming, s.other::regclass::text AS other,
           k.confupdtype IN ('c', 'n', 'd') AS cascades,
           ARRAY(SELECT a.attname::text
                   FROM unnest(s.columns) WITH ORDINALITY AS c (attnum, place)
                   JOIN pg_attribute a ON a.attrelid = s.relid AND a.attnum = c.attnum
                  ORDER BY c.place) AS columns
      FROM pg_constraint k
     CROSS JOIN LATERAL (
        VALUES (false, k.conrelid, k.conkey, k.confrelid), (true, k.confrelid, k.confkey, k.conrelid)
     ) AS s (incoming, relid, columns, other)
     WHERE k.contype = 'f' AND s.relid = ANY ($2)
       AND $1::oid IS NOT NULL
       AND NOT EXISTS (SELECT FROM pg_constraint p WHERE p.oid = k.conparentid
                        AND CASE WHEN s.incoming THEN p.confrelid ELSE p.conrelid END = ANY ($2))
     ORDER BY k.conname, s.incoming, k.oid";

pub(super) async fn indexes(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<IndexFacts>, StoreError> {
    let rows = rows_of_tree(conn, tree, INDEXES).await?;
    let index = |row| {
        Ok(IndexFacts {
            name: get(row, "name")?,
            method: get(row, "method")?,
            unique: get(row, "is_unique")?,
            columns: get(row, "columns")?,
            bytes: get(row, "bytes")?,
            follows_storage: get(row, "follows_storage")?,
        })
    };
    rows.iter().map(index).collect()
}

pub(super) async fn checks(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<ConstraintFacts>, StoreError> {
    let rows = rows_of_tree(conn, tree, CHECKS).await?;
    let check = |row| {
        Ok(ConstraintFacts {
            name: get(row, "name")?,
            columns: get(row, "columns")?,
        })
    };
    rows.iter().map(check).collect()
}

pub(super) async fn foreign_keys(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<ForeignKeyFacts>, StoreError> {
    let rows = rows_of_tree(conn, tree, FOREIGN_KEYS).await?;
    let foreign_key = |row| {
        Ok(ForeignKeyFacts {
            name: get(row, "name")?,
            columns: get(row, "columns")?,
            other: get(row, "other")?,
            incoming: get(row, "incoming")?,
            on_update_cascades: get(row, "cascades")?,
        })
    };
    rows.iter().map(foreign_key).collect()
}
