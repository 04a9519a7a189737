//! What stands in a database's catalog, as the server describes it.
//! Owns the questions. Compares nothing.
//! Every name is qualified, so that two databases describe the same thing in the same words.
//! What belongs to an extension is the extension's.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::error::{Doing, Failure};
use super::postgres::{BEGIN, Schema, failure, run};
use crate::store::postgres::sql::SAFE_NAMES;

/// An object by kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectName {
    pub kind: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Object {
    /// What it is, in the server's words.
    pub definition: String,
    /// The table it belongs to.
    pub table: Option<String>,
    /// The columns of that table that it is made of.
    pub columns: BTreeSet<String>,
}

pub(super) type Catalog = BTreeMap<ObjectName, Object>;

/// Which schemas are looked at.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// Our own.
    Own(&'a Schema),
    /// All but ours and the server's.
    Platform(&'a Schema),
}

/// Reads the catalog over `conn`. Ends the transaction that is open, if any, undoing it.
pub(super) async fn read(conn: &mut PgConnection, scope: Scope<'_>) -> Result<Catalog, Failure> {
    let failed = failure(Doing::Comparing);
    let mut tx = conn.begin_with(BEGIN).await.map_err(failed)?;
    let found = read_in(&mut tx, scope).await;
    tx.rollback().await.map_err(failed)?;
    found.map_err(failed)
}

async fn read_in(tx: &mut PgConnection, scope: Scope<'_>) -> Result<Catalog, sqlx::Error> {
    // How constants are written in definitions depends on these.
    let texts = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; \
                 SET LOCAL IntervalStyle = 'postgres'; SET LOCAL bytea_output = 'hex'; \
                 SET LOCAL extra_float_digits = 1";
    run(tx, format!("{SAFE_NAMES} {texts}")).await?;
    let (own, platform) = match scope {
        Scope::Own(schema) => (&schema.name, false),
        Scope::Platform(schema) => (&schema.name, true),
    };
    let rows: Vec<(ObjectName, Object)> = sqlx::query(AssertSqlSafe(OBJECTS))
        .bind(own)
        .bind(platform)
        .persistent(false)
        .try_map(|row: PgRow| {
            let columns: Vec<String> = row.try_get(4)?;
            Ok((
                ObjectName {
                    kind: row.try_get(0)?,
                    name: row.try_get(1)?,
                },
                Object {
                    definition: row.try_get(2)?,
                    table: row.try_get(3)?,
                    columns: columns.into_iter().collect(),
                },
            ))
        })
        .fetch_all(tx)
        .await?;
    Ok(rows.into_iter().collect())
}

/// Kind, name, definition, table, columns. `$1` is our schema; `$2` whether all others are meant.
const OBJECTS: &str = r"
WITH space AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE CASE WHEN $2 THEN nspname <> $1 AND nspname <> 'information_schema' AND nspname !~ '^pg_'
               ELSE nspname = $1 END
), member AS (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), rel AS (
    SELECT c.*, format('%I.%I', s.nspname, c.relname) AS qualified
    FROM pg_class AS c JOIN space AS s ON s.oid = c.relnamespace
    WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_class'::regclass AND objid = c.oid)
      -- The migrator's own records are in no migration.
      AND NOT (NOT $2 AND c.relname ~ '^(migrations_|migration_lock)')
), tab AS (
    SELECT * FROM rel WHERE relkind IN ('r', 'p', 'v', 'm', 'f')
), fun AS (
    SELECT p.*, format('%I.%I(%s)', s.nspname, p.proname,
                       pg_get_function_identity_arguments(p.oid)) AS qualified
    FROM pg_proc AS p JOIN space AS s ON s.oid = p.pronamespace
    WHERE NOT EXISTS (SELECT FROM member WHERE classid = 'pg_proc'::regclass AND objid = p.oid)
)
SELECT CASE relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                    WHEN 'f' THEN 'foreign table' ELSE 'table' END,
       qualified,
       concat_ws(' ', CASE relpersistence WHEN 'u' THEN 'unlogged' END,
           CASE WHEN relkind = 'p' THEN 'partition by ' || pg_get_partkeydef(oid) END,
           pg_get_expr(relpartbound, oid),
           CASE WHEN relrowsecurity THEN 'row level security' END,
           CASE WHEN relforcerowsecurity THEN 'forced' END, reloptions::text,
           (SELECT 'inherits ' || string_agg(inhparent::regclass::text, ', ' ORDER BY inhseqno)
            FROM pg_inherits WHERE inhrelid = tab.oid),
           CASE WHEN relkind IN ('r', 'p') AND relreplident <> 'd' THEN 'replica identity ' || relreplident::text END,
           CASE WHEN relkind IN ('v', 'm') THEN pg_get_viewdef(oid) END),
       NULL::text, '{}'::text[]
FROM tab
UNION ALL
SELECT 'column', format('%s.%I', t.qualified, a.attname),
       concat_ws(' ', format_type(a.atttypid, a.atttypmod),
           CASE WHEN a.attcollation <> y.typcollation THEN 'collate ' || a.attcollation::regcollation::text END,
           CASE WHEN a.attnotnull THEN 'not null' END,
           CASE a.attidentity WHEN 'a' THEN 'identity always' WHEN 'd' THEN 'identity' END,
           CASE WHEN d.oid IS NOT NULL THEN
               CASE a.attgenerated WHEN 's' THEN 'generated ' ELSE 'default ' END
               || pg_get_expr(d.adbin, d.adrelid) END),
       t.qualified, ARRAY[a.attname::text]
FROM tab AS t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type AS y ON y.oid = a.atttypid
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE t.relkind IN ('r', 'p', 'f')
UNION ALL
SELECT 'PHI comment', format('%s.%I', t.qualified, a.attname), col_description(t.oid, a.attnum),
       t.qualified, ARRAY[a.attname::text]
FROM tab AS t
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE col_description(t.oid, a.attnum) LIKE 'PHI:%'
UNION ALL
SELECT 'index', r.qualified,
       pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END,
       t.qualified,
       ARRAY(SELECT a.attname::text FROM pg_depend AS d
             JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
               AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid)
FROM rel AS r
JOIN pg_index AS i ON i.indexrelid = r.oid
JOIN tab AS t ON t.oid = i.indrelid
WHERE NOT EXISTS (SELECT FROM pg_constraint AS c WHERE c.conindid = i.indexrelid
                                                   AND c.contype IN ('p', 'u', 'x'))
UNION ALL
SELECT 'constraint', format('%s.%I', t.qualified, c.conname),
       pg_get_constraintdef(c.oid) || CASE WHEN c.convalidated THEN '' ELSE ' (not valid)' END
       || CASE WHEN EXISTS (SELECT FROM pg_trigger AS g WHERE g.tgconstraint = c.oid
                                AND g.tgisinternal AND g.tgenabled <> 'O')
               THEN ' (not enforced: its triggers are disabled)' ELSE '' END,
       t.qualified,
       ARRAY(SELECT a.attname::text FROM pg_attribute AS a
             WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey))
FROM pg_constraint AS c
JOIN tab AS t ON t.oid = c.conrelid
-- NOT NULL is told with the column, in every version of the server.
WHERE c.conparentid = 0 AND c.contype <> 'n'
UNION ALL
SELECT 'trigger', format('%s.%I', t.qualified, g.tgname),
       pg_get_triggerdef(g.oid) || CASE g.tgenabled WHEN 'O' THEN '' ELSE ' enabled ' || g.tgenabled::text END,
       t.qualified, '{}'
FROM pg_trigger AS g
JOIN tab AS t ON t.oid = g.tgrelid
WHERE NOT g.tgisinternal AND g.tgparentid = 0
UNION ALL
SELECT 'policy', format('%s.%I', t.qualified, p.polname),
       concat_ws(' ', CASE WHEN p.polpermissive THEN 'permissive' ELSE 'restrictive' END,
           'for ' || p.polcmd::text,
           'to ' || ARRAY(SELECT CASE r WHEN 0 THEN 'public' ELSE pg_get_userbyid(r)::text END
                          FROM unnest(p.polroles) AS r ORDER BY 1)::text,
           'using ' || pg_get_expr(p.polqual, p.polrelid),
           'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)),
       t.qualified, '{}'
FROM pg_policy AS p
JOIN tab AS t ON t.oid = p.polrelid
UNION ALL
SELECT 'rule', format('%s.%I', t.qualified, w.rulename), pg_get_ruledef(w.oid), t.qualified, '{}'
FROM pg_rewrite AS w
JOIN tab AS t ON t.oid = w.ev_class
WHERE w.rulename <> '_RETURN'
UNION ALL
SELECT 'sequence', r.qualified,
       concat_ws(' ', format_type(q.seqtypid, NULL), 'start', q.seqstart, 'increment', q.seqincrement,
                 'from', q.seqmin, 'to', q.seqmax, CASE WHEN q.seqcycle THEN 'cycle' END,
                 (SELECT 'owned by ' || d.refobjid::regclass || '.' || a.attname FROM pg_depend AS d
                  JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i'))),
       NULL, '{}'
FROM rel AS r
JOIN pg_sequence AS q ON q.seqrelid = r.oid
UNION ALL
SELECT CASE y.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range'
                      ELSE 'composite type' END,
       format('%I.%I', s.nspname, y.typname),
       CASE y.typtype
           WHEN 'e' THEN (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder)
                          FROM pg_enum AS e WHERE e.enumtypid = y.oid)
           WHEN 'd' THEN concat_ws(' ', format_type(y.typbasetype, y.typtypmod), y.typdefault,
               CASE WHEN y.typnotnull THEN 'not null' END,
               (SELECT string_agg(pg_get_constraintdef(c.oid), ' ' ORDER BY c.conname)
                FROM pg_constraint AS c WHERE c.contypid = y.oid AND c.contype = 'c'))
           WHEN 'c' THEN (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod),
                                            ', ' ORDER BY a.attnum)
                          FROM pg_attribute AS a
                          WHERE a.attrelid = y.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
           ELSE '' END,
       NULL, '{}'
FROM pg_type AS y
JOIN space AS s ON s.oid = y.typnamespace
WHERE (y.typtype IN ('e', 'd', 'r')
       OR y.typtype = 'c' AND EXISTS (SELECT FROM pg_class WHERE oid = y.typrelid AND relkind = 'c'))
  AND NOT EXISTS (SELECT FROM member WHERE classid = 'pg_type'::regclass AND objid = y.oid)
UNION ALL
SELECT 'function', qualified,
       -- A search path kept from the session (SET search_path FROM CURRENT) may have the role's own
       -- schema and the temporary one by name or not.
       CASE WHEN prokind IN ('f', 'p')
            THEN replace(replace(pg_get_functiondef(oid), 'TO ''$user'', ', 'TO '), ', ''pg_temp''', '')
            ELSE prokind::text END, NULL, '{}'
FROM fun
UNION ALL
SELECT 'statistics', format('%I.%I', s.nspname, x.stxname), pg_get_statisticsobjdef(x.oid), NULL, '{}'
FROM pg_statistic_ext AS x
JOIN space AS s ON s.oid = x.stxnamespace
UNION ALL
SELECT 'extension', extname::text, '', NULL, '{}' FROM pg_extension WHERE $2 AND extname <> 'plpgsql'
";
