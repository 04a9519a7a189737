//! Reads columns with their base types, and the keys of the table.
//! Owns the resolution of domains and arrays. Statistics that our role may not read are 0.

use sqlx::postgres::PgConnection;

use super::{Tree, get, letter, rows_of_tree};
use crate::store::StoreError;
use crate::store::catalog::{ColumnFacts, KeyFacts};

/// The modifiers of a column that is declared with a domain (`varchar(11)` below it) are those of
/// the domain's type. `int2vector` and similar types have elements too, but are not the array type
/// of their element; the test on the element's `typarray` excludes them. With OFFSET the server looks
/// up the statistics of each column; without, it makes `pg_stats` of the whole database first.
const COLUMNS: &str = "
    SELECT a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS sql_type,
           b.typname::text AS base_type, b.schema AS base_schema, b.typtype AS type_class,
           b.is_array, d.domain, a.attnotnull AS not_null,
           CASE WHEN b.typname IN ('varchar', 'bpchar') AND b.typmod > 4 THEN b.typmod - 4 END
             AS char_limit,
           a.attgenerated <> '' AS generated,
           (a.atthasdef AND a.attgenerated = '') OR a.attidentity <> '' AS has_default,
           NOT (SELECT bool_and(has_column_privilege(m.relid, a.attname, 'UPDATE'))
                  FROM unnest($2::oid[]) AS m (relid)) AS update_denied,
           a.attlen::int8 AS fixed_bytes,
           coalesce(s.n_distinct, 0)::float8 AS distinct, coalesce(s.avg_width, 0)::int8 AS width
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (
        WITH RECURSIVE step AS (
            SELECT a.atttypid AS oid, a.atttypmod AS typmod, false AS is_array
             UNION ALL
            SELECT CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.typelem END,
                   CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE step.typmod END,
                   step.is_array OR t.typtype <> 'd'
              FROM step JOIN pg_type t ON t.oid = step.oid
              LEFT JOIN pg_type e ON e.oid = t.typelem
             WHERE t.typtype = 'd' OR (t.typlen = -1 AND e.typarray = t.oid)
        )
        SELECT t.typname, tn.nspname::text AS schema, t.typtype::text AS typtype, step.typmod,
               step.is_array
          FROM step JOIN pg_type t ON t.oid = step.oid
          JOIN pg_namespace tn ON tn.oid = t.typnamespace
          LEFT JOIN pg_type e ON e.oid = t.typelem
         WHERE NOT (t.typtype = 'd' OR (t.typlen = -1 AND coalesce(e.typarray = t.oid, false)))
     ) AS b
      LEFT JOIN LATERAL (SELECT format_type(t.oid, NULL) AS domain FROM pg_type t
                          WHERE t.oid = a.atttypid AND t.typtype = 'd') AS d ON true
      LEFT JOIN LATERAL (SELECT st.n_distinct, st.avg_width FROM pg_stats st
                          WHERE st.schemaname = n.nspname AND st.tablename = c.relname
                            AND st.attname = a.attname AND st.inherited = (c.relkind = 'p')
                         OFFSET 0) AS s ON true
     WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY a.attnum";

/// Only keys of the relation itself: a key that each partition has separately does not tell rows of
/// different partitions apart.
const KEYS: &str = "
    SELECT ic.relname::text AS name, i.indisprimary AS primary, NOT i.indimmediate AS deferrable,
           i.indpred IS NOT NULL OR i.indexprs IS NOT NULL AS partial,
           ARRAY(SELECT a.attname::text
                   FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
                  WHERE k.place <= i.indnkeyatts ORDER BY k.place) AS columns
      FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
     WHERE i.indrelid = $1 AND $2::oid[] IS NOT NULL AND i.indisunique AND i.indisvalid
     ORDER BY i.indisprimary DESC, ic.relname";

pub(super) async fn columns(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<ColumnFacts>, StoreError> {
    let rows = rows_of_tree(conn, tree, COLUMNS).await?;
    let column = |row| {
        Ok(ColumnFacts {
            name: get(row, "name")?,
            sql_type: get(row, "sql_type")?,
            base_type: get(row, "base_type")?,
            base_schema: get(row, "base_schema")?,
            type_class: letter(row, "type_class")?,
            array: get(row, "is_array")?,
            domain: get(row, "domain")?,
            not_null: get(row, "not_null")?,
            char_limit: get::<Option<i32>>(row, "char_limit")?.and_then(|n| u32::try_from(n).ok()),
            generated: get(row, "generated")?,
            has_default: get(row, "has_default")?,
            update_denied: get(row, "update_denied")?,
            distinct: get(row, "distinct")?,
            width: get(row, "width")?,
            fixed_bytes: get(row, "fixed_bytes")?,
            ..ColumnFacts::default()
        })
    };
    rows.iter().map(column).collect()
}

pub(super) async fn keys(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<KeyFacts>, StoreError> {
    let rows = rows_of_tree(conn, tree, KEYS).await?;
    let key = |row| {
        Ok(KeyFacts {
            name: get(row, "name")?,
            columns: get(row, "columns")?,
            primary: get(row, "primary")?,
            deferrable: get(row, "deferrable")?,
            partial: get(row, "partial")?,
        })
    };
    rows.iter().map(key).collect()
}
