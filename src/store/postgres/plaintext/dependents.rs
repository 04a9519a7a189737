//! What depends on the plaintext columns, each object with the statements that remove it and make it
//! again, and what a column is by itself.
//! Owns the decision which objects prevent the removal: those that the server will not drop with the
//! column, those that the application would miss, and a uniqueness without a unique blind index in its
//! place.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::super::PostgresStore;
use super::super::prepare::regclass;
use super::super::sql::{query, tuple};
use super::{Held, TREE, held};
use crate::store::postgres::transaction::Transaction;
use crate::store::{Dependent, PlainDefinition, Result, Table};

/// The objects that depend on the columns of these names, except phiseal's own and copies of them on
/// partitions.
const OBJECTS: &str = "
    used AS (
        SELECT d.classid, d.objid, d.objsubid, d.refobjid, a.attname::text AS column, a.attnum
          FROM pg_catalog.pg_depend AS d JOIN tree ON tree.relid = d.refobjid
          JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND NOT a.attisdropped
           AND a.attname::text = ANY ($2)
    )
    SELECT DISTINCT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind, c.oid::regclass::text AS name,
           u.column, true AS blocks,
           format('DROP %s %s;', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, c.oid::regclass) AS drop,
           format('CREATE %s %s AS %s', CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, c.oid::regclass,
             pg_get_viewdef(c.oid)) AS create, NULL::text[] AS columns
      FROM used AS u JOIN pg_catalog.pg_rewrite AS r ON r.oid = u.objid AND u.classid = 'pg_rewrite'::regclass
      JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class WHERE r.rulename = '_RETURN'
    UNION ALL
    SELECT 'rule', r.rulename::text, u.column, true, format('DROP RULE %I ON %s;', r.rulename, r.ev_class::regclass),
           pg_get_ruledef(r.oid), NULL
      FROM used AS u JOIN pg_catalog.pg_rewrite AS r ON r.oid = u.objid AND u.classid = 'pg_rewrite'::regclass
     WHERE r.rulename <> '_RETURN'
    UNION ALL
    SELECT 'policy', p.polname::text, u.column, true, format('DROP POLICY %I ON %s;', p.polname, p.polrelid::regclass),
           format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s;', p.polname, p.polrelid::regclass,
             CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
             CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
             coalesce((SELECT string_agg(CASE WHEN x = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x)) END, ', ')
               FROM unnest(p.polroles) AS x), 'PUBLIC'),
             coalesce(' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')', ''),
             coalesce(' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')', '')), NULL
      FROM used AS u JOIN pg_catalog.pg_policy AS p ON p.oid = u.objid AND u.classid = 'pg_policy'::regclass
    UNION ALL
    SELECT 'trigger', t.tgname::text, u.column, true, format('DROP TRIGGER %I ON %s;', t.tgname, t.tgrelid::regclass),
           pg_get_triggerdef(t.oid) || ';', NULL
      FROM used AS u JOIN pg_catalog.pg_trigger AS t ON t.oid = u.objid AND u.classid = 'pg_trigger'::regclass
     WHERE NOT t.tgisinternal AND t.tgname !~ '^~phiseal_'
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, u.column, true,
           format('DROP %s %s;', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, p.oid::regprocedure),
           pg_get_functiondef(p.oid) || ';', NULL
      FROM used AS u JOIN pg_catalog.pg_proc AS p ON p.oid = u.objid AND u.classid = 'pg_proc'::regclass
     WHERE p.prokind IN ('f', 'p')
    UNION ALL
    SELECT 'generated column', a.attname::text, u.column, true,
           format('ALTER TABLE %s DROP COLUMN %I;', a.attrelid::regclass, a.attname),
           format('ALTER TABLE %s ADD COLUMN %I %s GENERATED ALWAYS AS (%s) STORED;', a.attrelid::regclass, a.attname,
             format_type(a.atttypid, a.atttypmod), pg_get_expr(f.adbin, f.adrelid)), NULL
      FROM used AS u JOIN pg_catalog.pg_attrdef AS f ON (u.classid = 'pg_attrdef'::regclass AND f.oid = u.objid)
        OR (u.classid = 'pg_class'::regclass AND u.objsubid > 0 AND f.adrelid = u.objid AND f.adnum = u.objsubid)
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.adrelid AND a.attnum = f.adnum
     WHERE a.attgenerated <> '' AND a.attname::text <> u.column
    UNION ALL
    SELECT CASE WHEN x.indisunique THEN 'unique index' ELSE 'index' END, i.relname::text, u.column, x.indisunique,
           format('DROP INDEX %s;', i.oid::regclass), pg_get_indexdef(i.oid) || ';',
           (SELECT array_agg(coalesce(a.attname::text, '')) FROM unnest(x.indkey) AS k(n)
             LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.n)
      FROM used AS u JOIN pg_catalog.pg_class AS i ON i.oid = u.objid AND u.classid = 'pg_class'::regclass
        AND i.relkind IN ('i', 'I') AND u.objsubid = 0
      JOIN pg_catalog.pg_index AS x ON x.indexrelid = i.oid
     WHERE NOT i.relispartition AND i.relname !~ '_phiseal' AND i.relname !~ '^phiseal_'
    UNION ALL
    SELECT CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'u' THEN 'unique constraint' WHEN 'p' THEN 'primary key'
             WHEN 'x' THEN 'exclusion constraint' ELSE 'check constraint' END, k.conname::text, u.column,
           k.contype <> 'c' OR cardinality(k.conkey) > 1,
           format('ALTER TABLE %s DROP CONSTRAINT %I;', k.conrelid::regclass, k.conname),
           format('ALTER TABLE %s ADD CONSTRAINT %I %s;', k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid)),
           (SELECT array_agg(a.attname::text) FROM unnest(k.conkey) AS c(n)
              JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = c.n)
      FROM used AS u JOIN pg_catalog.pg_constraint AS k ON k.oid = u.objid AND u.classid = 'pg_constraint'::regclass
     WHERE k.conparentid = 0 AND k.conname !~ '^phiseal_' AND k.contype IN ('f', 'u', 'p', 'x', 'c')
       AND k.coninhcount = 0
    UNION ALL
    SELECT 'sequence', s.oid::regclass::text, u.column, true, format('ALTER SEQUENCE %s OWNED BY NONE;', s.oid::regclass),
           NULL, NULL
      FROM used AS u JOIN pg_catalog.pg_class AS s ON s.oid = u.objid AND u.classid = 'pg_class'::regclass
        AND s.relkind = 'S' JOIN pg_catalog.pg_attribute AS a ON a.attrelid = u.refobjid AND a.attnum = u.attnum
     WHERE a.attidentity = ''
    UNION ALL
    SELECT 'identity', a.attname::text, a.attname::text, true,
           format('ALTER TABLE %s ALTER COLUMN %I DROP IDENTITY;', a.attrelid::regclass, a.attname), NULL, NULL
      FROM pg_catalog.pg_attribute AS a JOIN tree ON tree.relid = a.attrelid AND tree.level = 0
     WHERE a.attname::text = ANY ($2) AND NOT a.attisdropped AND a.attidentity <> ''
    UNION ALL
    SELECT 'privilege', x.privilege_type, a.attname::text, false, NULL,
           format('GRANT %s (%I) ON %s TO %s%s;', x.privilege_type, a.attname, a.attrelid::regclass,
             CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
             CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), NULL
      FROM pg_catalog.pg_attribute AS a JOIN tree ON tree.relid = a.attrelid AND tree.level = 0, aclexplode(a.attacl) AS x
     WHERE a.attname::text = ANY ($2) AND NOT a.attisdropped
    UNION ALL
    SELECT 'statistics', s.stxname::text, u.column, false, format('DROP STATISTICS %I.%I;', n.nspname, s.stxname),
           pg_get_statisticsobjdef(s.oid) || ';', NULL
      FROM used AS u JOIN pg_catalog.pg_statistic_ext AS s ON s.oid = u.objid AND u.classid = 'pg_statistic_ext'::regclass
      JOIN pg_catalog.pg_namespace AS n ON n.oid = s.stxnamespace
    UNION ALL
    -- Code whose text names the column, and the table or one of its triggers: the server does not know it.
    SELECT DISTINCT 'function whose text names it', p.oid::regprocedure::text, w.name, false, NULL, NULL, NULL::text[]
      FROM unnest($2) AS w(name) CROSS JOIN pg_catalog.pg_proc AS p
      JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
      JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang AND l.lanname IN ('plpgsql', 'sql')
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname <> $3 AND p.proname !~ '^guard_(insert|update|named)_[0-9a-f]{16}$'
       AND position(lower(w.name) IN lower(p.prosrc)) > 0
       AND (position(lower((SELECT relname::text FROM pg_catalog.pg_class WHERE oid = to_regclass($1))) IN lower(p.prosrc)) > 0
         OR EXISTS (SELECT FROM pg_catalog.pg_trigger AS t JOIN tree ON tree.relid = t.tgrelid WHERE t.tgfoid = p.oid))
    UNION ALL
    SELECT DISTINCT 'publication of all columns', p.pubname::text, w.name, false,
           '-- a subscriber stops at a hidden column: --grace 0s, or publish other columns by name', NULL, NULL::text[]
      FROM unnest($2) AS w(name), pg_catalog.pg_publication AS p
     WHERE (p.puballtables OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS r JOIN tree ON tree.relid = r.prrelid
              WHERE r.prpubid = p.oid AND (to_jsonb(r) ->> 'prattrs') IS NULL)
            OR EXISTS (SELECT FROM pg_catalog.pg_publication_tables AS t JOIN pg_catalog.pg_class AS c ON c.oid = to_regclass($1)
              JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
              WHERE t.pubname = p.pubname AND t.schemaname = n.nspname AND t.tablename = c.relname
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_publication_rel AS r WHERE r.prpubid = p.oid)))
    UNION ALL
    SELECT 'publication', p.pubname::text, u.column, true,
           format('ALTER PUBLICATION %I DROP TABLE %s;', p.pubname, r.prrelid::regclass), NULL, NULL
      FROM used AS u JOIN pg_catalog.pg_publication_rel AS r ON r.oid = u.objid AND u.classid = 'pg_publication_rel'::regclass
      JOIN pg_catalog.pg_publication AS p ON p.oid = r.prpubid
    ORDER BY 1, 2, 3";

/// The unique indexes of the table and its partitions, each with its columns.
const UNIQUE: &str = "SELECT (SELECT array_agg(coalesce(a.attname::text, '')) FROM unnest(x.indkey) AS k(n) \
      LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.n) \
     FROM pg_catalog.pg_index AS x WHERE x.indrelid IN (SELECT relid FROM tree) AND x.indisunique AND x.indisvalid \
       AND x.indpred IS NULL AND x.indimmediate";

/// See [`crate::store::Plaintext::plaintext_dependents`].
pub(super) async fn of(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
) -> Result<Vec<Dependent>> {
    let fields = held(store, tx, table).await?;
    let columns: Vec<String> = fields
        .iter()
        .filter_map(|field| Some(field.beside()?.0.as_str().to_owned()))
        .collect();
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let unique = unique_indexes(tx, table).await?;
    let rows = query(format!("WITH tree AS {TREE}, {OBJECTS}"))
        .bind(regclass(table))
        .bind(columns)
        .bind(store.schema.as_str().to_owned())
        .fetch_all(&mut **tx)
        .await?;
    let all: Result<Vec<Dependent>> = rows
        .iter()
        .map(|row| dependent(row, table, &fields, &unique))
        .collect();
    let mut all = all?;
    // A constraint over two columns is one object.
    all.dedup_by(|a, b| (&a.kind, &a.name, &a.create) == (&b.kind, &b.name, &b.create));
    Ok(all)
}

async fn unique_indexes(tx: &mut Transaction, table: &Table) -> Result<Vec<Vec<String>>> {
    let rows: Vec<(Vec<String>,)> = tuple(format!("WITH tree AS {TREE} {UNIQUE}"))
        .bind(regclass(table))
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows.into_iter().map(|(columns,)| columns).collect())
}

fn dependent(
    row: &PgRow,
    table: &Table,
    fields: &[Held],
    unique: &[Vec<String>],
) -> Result<Dependent> {
    let (kind, column): (String, String) = (row.try_get("kind")?, row.try_get("column")?);
    let field = fields.iter().find(|one| {
        one.plain
            .as_ref()
            .is_some_and(|name| name.as_str() == column)
    });
    let columns: Option<Vec<String>> = row.try_get("columns")?;
    let is_replaced = kind.starts_with("unique")
        && field
            .zip(columns)
            .is_some_and(|(field, columns)| has_successor(table, field, &column, &columns, unique));
    // A hidden column had another name when its dependents were made.
    let shown = |sql: Option<String>| {
        let names = field.and_then(|field| Some((field.plain.as_ref()?, &field.name)));
        sql.map(|sql| match names {
            Some((now, own)) if now != own => sql.replace(&now.quoted(), &own.quoted()),
            _ => sql,
        })
    };
    Ok(Dependent {
        blocks: row.try_get::<bool, _>("blocks")? && !is_replaced,
        column: field.map_or(column, |field| field.label.clone()),
        kind,
        name: row.try_get("name")?,
        drop: row.try_get("drop")?,
        create: shown(row.try_get("create")?),
    })
}

/// Whether a unique index over the blind index takes the place of a uniqueness over `columns`, one of
/// which is the plaintext. A blind index is made per tenant, so the tenant may be left out.
fn has_successor(
    table: &Table,
    field: &Held,
    plain: &str,
    columns: &[String],
    unique: &[Vec<String>],
) -> bool {
    let Some(index) = &field.index else {
        return false;
    };
    let allowed = |name: &String| {
        name == index.as_str()
            || (name != plain && columns.contains(name))
            || table
                .tenant
                .as_ref()
                .is_some_and(|tenant| tenant.as_str() == name)
    };
    unique
        .iter()
        .any(|one| one.iter().any(|name| name == index.as_str()) && one.iter().all(allowed))
}

/// What the plaintext column of a field is by itself; all empty in place.
pub(super) async fn definition(
    store: &PostgresStore,
    tx: &mut Transaction,
    table: &Table,
    field: &Held,
) -> Result<PlainDefinition> {
    let Some((plain, _)) = field.beside() else {
        return Ok(PlainDefinition::default());
    };
    let row = query(
        "SELECT pg_get_expr(f.adbin, f.adrelid), a.attnotnull, col_description(a.attrelid, a.attnum), \
           CASE WHEN a.attcollation <> y.typcollation THEN (SELECT format('%I.%I', n.nspname, c.collname) \
             FROM pg_catalog.pg_collation AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.collnamespace \
             WHERE c.oid = a.attcollation) END \
         FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_type AS y ON y.oid = a.atttypid \
         LEFT JOIN pg_catalog.pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
         WHERE a.attrelid = to_regclass($1) AND a.attname = $2 AND NOT a.attisdropped",
    )
    .bind(regclass(table))
    .bind(plain.as_str().to_owned())
    .fetch_one(&mut **tx)
    .await?;
    let dependents = of(store, tx, table).await?.into_iter();
    Ok(PlainDefinition {
        default: row.try_get(0)?,
        not_null: row.try_get(1)?,
        comment: row.try_get(2)?,
        collation: row.try_get(3)?,
        declaration: None,
        dependents: dependents
            .filter(|one| one.column == field.label)
            .filter_map(|one| one.create)
            .collect(),
        not_null_carried: false,
        dropped: false,
    })
}
