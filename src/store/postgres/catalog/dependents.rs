//! Reads what depends on a column: views, rules, generated columns, policies, triggers, functions,
//! extended statistics.
//! Owns the reading of pg_depend, which does not show a view that uses whole rows only, or code
//! that names columns at run time.

use sqlx::postgres::PgConnection;

use super::{Tree, get, rows_of_tree};
use crate::store::StoreError;
use crate::store::catalog::DependentFacts;

const RULES: &str = "
    SELECT r.rulename::text AS name, bool_or(r.ev_type = '2' AND r.ev_enabled <> 'D') AS updates
      FROM pg_rewrite r
     WHERE r.ev_class = ANY ($2) AND $1::oid IS NOT NULL AND r.rulename <> '_RETURN'
     GROUP BY r.rulename ORDER BY 1";

/// A partition's copies of its parent's triggers have the same name and columns, so they appear
/// once. Constraints and indexes are read elsewhere.
const DEPENDENTS: &str = "
    WITH used AS (
        SELECT d.classid, d.objid, d.objsubid, d.refobjid,
               array_agg(DISTINCT a.attname::text ORDER BY a.attname::text) AS columns
          FROM pg_depend d
          JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = ANY ($2) AND d.refobjsubid > 0
         GROUP BY d.classid, d.objid, d.objsubid, d.refobjid
    ), named AS (
        SELECT CASE WHEN r.rulename <> '_RETURN' THEN 'rule'
                    WHEN c.relkind = 'm' THEN 'materialized view' ELSE 'view' END AS kind,
               CASE WHEN r.rulename <> '_RETURN' THEN r.rulename::text
                    ELSE c.oid::regclass::text END AS name, u.columns
          FROM used u JOIN pg_rewrite r ON r.oid = u.objid JOIN pg_class c ON c.oid = r.ev_class
         WHERE u.classid = 'pg_rewrite'::regclass
         UNION
        SELECT 'generated column', a.attname::text, array_remove(u.columns, a.attname::text)
          FROM used u JOIN pg_attrdef f ON f.oid = u.objid
          JOIN pg_attribute a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
         WHERE u.classid = 'pg_attrdef'::regclass AND a.attgenerated <> ''
         UNION
        -- Since version 14 the column depends itself, and no longer through its default.
        SELECT 'generated column', a.attname::text, u.columns
          FROM used u JOIN pg_attribute a ON a.attrelid = u.objid AND a.attnum = u.objsubid
         WHERE u.classid = 'pg_class'::regclass AND u.objsubid > 0 AND a.attgenerated <> ''
         UNION
        SELECT 'policy', p.polname::text, u.columns
          FROM used u JOIN pg_policy p ON p.oid = u.objid
         WHERE u.classid = 'pg_policy'::regclass
         UNION
        SELECT 'trigger', t.tgname::text, u.columns
          FROM used u JOIN pg_trigger t ON t.oid = u.objid
         WHERE u.classid = 'pg_trigger'::regclass
           AND NOT {t is of the guard}
           AND (NOT t.tgisinternal OR t.tgparentid <> 0)
         UNION
        SELECT 'function', u.objid::regprocedure::text, u.columns
          FROM used u WHERE u.classid = 'pg_proc'::regclass
         UNION
        SELECT 'statistics', s.stxname::text, u.columns
          FROM used u JOIN pg_statistic_ext s ON s.oid = u.objid
         WHERE u.classid = 'pg_statistic_ext'::regclass
           AND ('m' = ANY (s.stxkind) OR 'e' = ANY (s.stxkind))
    )
    SELECT kind, name, columns FROM named
     WHERE $1::oid IS NOT NULL AND columns <> '{}' ORDER BY kind, name, columns";

/// The rewrite rules, each with whether it applies to UPDATE.
pub(super) async fn rules(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<Vec<(String, bool)>, StoreError> {
    let rows = rows_of_tree(conn, tree, RULES).await?;
    rows.iter()
        .map(|row| Ok((get(row, "name")?, get(row, "updates")?)))
        .collect()
}

/// The objects that depend on columns, and the columns whose values extended statistics keep.
pub(super) async fn dependents(
    conn: &mut PgConnection,
    tree: &Tree,
) -> Result<(Vec<DependentFacts>, Vec<String>), StoreError> {
    let (mut dependents, mut in_statistics) = (Vec::new(), Vec::new());
    for row in &rows_of_tree(conn, tree, DEPENDENTS).await? {
        let columns: Vec<String> = get(row, "columns")?;
        match get(row, "kind")? {
            "statistics" => in_statistics.extend(columns),
            kind => dependents.push(DependentFacts {
                kind: str::to_owned(kind),
                name: get(row, "name")?,
                columns,
            }),
        }
    }
    in_statistics.sort();
    in_statistics.dedup();
    Ok((dependents, in_statistics))
}
