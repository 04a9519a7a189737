//! Reads the relation itself: its kind, its partitions, our rights on it, and its size.
//! Owns how a name is looked up, and how rows are estimated if statistics are missing.

use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgConnection, PgRow};

use super::{Tree, get, letter, query, rows_of_tree, sql};
use crate::ident::{Ident, TableName};
use crate::store::catalog::{OwnedRelation, RelationKind};
use crate::store::{Right, Securable, StoreError, TableFacts};

/// Looks the relation up by name. `to_regclass` would raise an error if our role may not use the
/// schema.
const RELATION: &str = "
    SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind,
           c.relispartition AS partition,
           EXISTS (SELECT FROM pg_inherits i
                    WHERE (i.inhparent = c.oid AND c.relkind NOT IN ('p', 'I'))
                       OR (i.inhrelid = c.oid AND NOT c.relispartition)) AS inheritance
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = $2 AND n.nspname = $1";

/// The first schema of the application's search path that has a relation of this name.
const FIRST_SCHEMA: &str = "
    SELECT n.nspname::text AS schema
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relname = $1 AND n.nspname = ANY ($2)
     ORDER BY array_position($2, n.nspname::text) LIMIT 1";

const PARTITIONS: &str = "
    SELECT p.relid::oid AS relid, p.isleaf AS leaf FROM pg_partition_tree($1) p ORDER BY p.relid";

const ROOT: &str = "
    SELECT n.nspname::text AS schema, c.relname::text AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = pg_partition_root($1)";

/// A property of the table is true if it is true for any member of the tree (ownership: for every
/// member), since leaves are read and written by their own names, under their own policies and
/// rights.
const TREE: &str = "
    SELECT bool_or(c.relpersistence = 't') AS temporary,
           bool_or(c.relpersistence = 'u') AS unlogged,
           bool_or(c.relreplident = 'f') AS replica_identity_full,
           bool_or(row_security_active(c.oid)) AS row_security_applies,
           bool_or(c.relrowsecurity) AS row_security,
           bool_and(pg_has_role(c.relowner, 'USAGE')) AS owner,
           (SELECT r.rolname::text FROM pg_class t JOIN pg_roles r ON r.oid = t.relowner
             WHERE t.oid = $1) AS owned_by,
           (SELECT r.rolsuper FROM pg_class t JOIN pg_roles r ON r.oid = t.relowner
             WHERE t.oid = $1) AS owner_is_superuser,
           current_user <> session_user AS as_another_role,
           bool_or(c.reloftype <> 0) AS typed, max(c.relnatts)::int8 AS columns_ever,
           current_setting('block_size')::int8 AS block_bytes,
           min(am.amname::text) FILTER (WHERE am.amname <> 'heap') AS access_method
      FROM pg_class c LEFT JOIN pg_am am ON am.oid = c.relam AND c.relkind IN ('r', 'm', 'p')
     WHERE c.oid = ANY ($2) AND $1::oid IS NOT NULL";

const PRIVILEGES: &str = "
    SELECT DISTINCT 'USAGE' AS privilege, n.nspname::text AS schema, NULL AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = ANY ($2) AND $1::oid IS NOT NULL AND NOT has_schema_privilege(n.oid, 'USAGE')
     UNION ALL
    SELECT p.name, n.nspname::text, c.relname::text
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
           (VALUES ('SELECT'), ('UPDATE')) AS p (name)
     WHERE c.oid = ANY ($2)
       AND CASE p.name WHEN 'SELECT' THEN NOT has_table_privilege(c.oid, 'SELECT')
                       ELSE NOT has_any_column_privilege(c.oid, 'UPDATE') END
     ORDER BY 1, 2, 3";

/// The relation that was asked for comes first.
const RELATIONS: &str = "
    SELECT n.nspname::text AS schema, c.relname::text AS name, r.rolname::text AS owner, r.rolsuper AS superuser
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
     WHERE c.oid = ANY ($2) ORDER BY c.oid <> $1, 1, 2";

const UNREADABLE_COLUMNS: &str = "
    SELECT DISTINCT a.attname::text AS name FROM pg_attribute a
     WHERE a.attrelid = ANY ($2) AND $1::oid IS NOT NULL AND NOT a.attisdropped
       AND (a.attnum > 0 OR a.attname IN ('ctid', 'xmin'))
       AND NOT has_column_privilege(a.attrelid, a.attnum, 'SELECT')
     ORDER BY 1";

/// The sequences of serial and identity columns. An INSERT needs no right on that of an identity
/// column, but an application that takes the key first, to seal for it, does.
const SEQUENCES: &str = "
    SELECT DISTINCT n.nspname::text AS schema, s.relname::text AS name
      FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
      JOIN pg_namespace n ON n.oid = s.relnamespace
     WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
       AND d.refobjid = $1 AND d.deptype IN ('a', 'i') AND $2::oid[] IS NOT NULL
     ORDER BY 1, 2";

/// The view includes FOR ALL TABLES, FOR TABLES IN SCHEMA and publishing via the root, in every
/// version. Ancestors count, since one of them may be published in place of a partition.
const PUBLICATIONS: &str = "
    SELECT DISTINCT p.pubname::text AS name
      FROM pg_publication_tables p
      JOIN pg_namespace n ON n.nspname = p.schemaname
      JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = p.tablename
     WHERE c.oid = ANY ($2) OR c.oid IN (SELECT relid FROM pg_partition_ancestors($1))
     ORDER BY 1";

const NAMES: &str = "
    SELECT n.nspname::text AS schema, c.relname::text AS name
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', $1)
     ORDER BY 1, 2 LIMIT 10000";

/// Rows are estimated as the planner does it (plancat.c, estimate_rel_size): the density at the
/// last VACUUM or ANALYZE times the present number of blocks. If there was none (-1, or no block),
/// the estimate is the number of rows that the server counted, at least one a block. The width of a
/// row without statistics is 24 bytes for its header, 4 for its line pointer and 32 for each
/// column.
const SIZE: &str = "
    WITH member AS (
        SELECT c.oid, c.reltuples::float8 AS tuples, c.relpages::float8 AS pages,
               pg_relation_size(c.oid)::float8 AS heap, pg_total_relation_size(c.oid) AS total,
               28 + coalesce(nullif((SELECT sum(s.avg_width) FROM pg_stats s
                    WHERE s.schemaname = n.nspname AND s.tablename = c.relname
                      AND NOT s.inherited), 0), 32 * c.relnatts)::float8 AS width
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid = ANY ($1) AND c.relkind IN ('r', 'm')
    ), estimate AS (
        SELECT *, CASE WHEN tuples >= 0 AND pages > 0
                       THEN tuples / pages * blocks
                       WHEN live > 0 THEN greatest(live, blocks)
                       ELSE heap / width END AS rows
          FROM member, LATERAL (SELECT heap / current_setting('block_size')::float8 AS blocks,
                                       pg_stat_get_live_tuples(oid)::float8 AS live) AS counted
    )
    SELECT coalesce(sum(rows), 0)::int8 AS rows, coalesce(sum(total), 0)::int8 AS bytes,
           coalesce(sum(heap), 0)::int8 AS heap_bytes,
           coalesce(sum(width * rows) / nullif(sum(rows), 0), max(width), 0)::int8 AS row_bytes
      FROM estimate";

pub(super) async fn names(
    conn: &mut PgConnection,
    schema: &str,
) -> Result<Vec<TableName>, StoreError> {
    let rows = query(NAMES).bind(schema).fetch_all(conn).await?;
    let name = |row: &PgRow| {
        let unexpected = |_| StoreError::unexpected("a name that is none");
        Ok(TableName {
            schema: Some(Ident::new(get::<&str>(row, "schema")?).map_err(unexpected)?),
            name: Ident::new(get::<&str>(row, "name")?).map_err(unexpected)?,
        })
    };
    rows.iter().map(name).collect()
}

pub(super) async fn read(
    conn: &mut PgConnection,
    name: &TableName,
) -> Result<Option<(Tree, TableFacts)>, StoreError> {
    let schema = match &name.schema {
        Some(schema) => schema.as_str().to_owned(),
        None => match first_schema(conn, name).await? {
            Some(schema) => schema,
            None => return Ok(None),
        },
    };
    let row = query(RELATION)
        .bind(schema)
        .bind(name.name.as_str())
        .fetch_optional(&mut *conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let mut facts = TableFacts {
        schema: get(&row, "schema")?,
        name: get(&row, "name")?,
        kind: kind(&row)?,
        inheritance: get(&row, "inheritance")?,
        ..TableFacts::default()
    };
    let tree = tree(conn, get(&row, "oid")?).await?;
    if facts.kind == RelationKind::Partition {
        facts.root = root(conn, tree.root).await?;
    }
    about_tree(conn, &tree, &mut facts).await?;
    Ok(Some((tree, facts)))
}

/// The schema in which the application would find a name without a schema, by its default search
/// path.
async fn first_schema(
    conn: &mut PgConnection,
    name: &TableName,
) -> Result<Option<String>, StoreError> {
    sql::run(conn, sql::OWNERS_NAMES).await?;
    let path = query("SELECT pg_catalog.current_schemas(false)::pg_catalog.text[] AS path")
        .fetch_one(&mut *conn)
        .await?;
    sql::run(conn, sql::SAFE_NAMES).await?;
    let row = query(FIRST_SCHEMA)
        .bind(name.name.as_str())
        .bind(get::<Vec<String>>(&path, "path")?)
        .fetch_optional(conn)
        .await?;
    row.map(|row| get(&row, "schema")).transpose()
}

/// The greatest number of columns that a table can ever have (htup_details.h,
/// MaxHeapAttributeNumber).
const COLUMNS_MAX: i64 = 1600;
/// The bytes of a block that are not available to a row: the header and one line pointer, aligned
/// (htup_details.h, MaxHeapTupleSize).
const PAGE_BYTES: i64 = 32;

/// Reads rows and bytes, summed over the relations that hold them.
pub(super) async fn measure(
    conn: &mut PgConnection,
    tree: &Tree,
    facts: &mut TableFacts,
) -> Result<(), StoreError> {
    let row = query(SIZE).bind(tree.with_rows()).fetch_one(conn).await?;
    facts.rows = get(&row, "rows")?;
    facts.bytes = get(&row, "bytes")?;
    facts.heap_bytes = get(&row, "heap_bytes")?;
    facts.row_bytes = get(&row, "row_bytes")?;
    Ok(())
}

fn kind(row: &PgRow) -> Result<RelationKind, StoreError> {
    let partition: bool = get(row, "partition")?;
    Ok(match letter(row, "kind")? {
        'f' => RelationKind::Foreign,
        'r' | 'p' if partition => RelationKind::Partition,
        'r' => RelationKind::Table,
        'p' => RelationKind::Partitioned,
        'v' => RelationKind::View,
        'm' => RelationKind::MaterializedView,
        _ => RelationKind::Other,
    })
}

async fn tree(conn: &mut PgConnection, root: Oid) -> Result<Tree, StoreError> {
    let mut tree = Tree {
        root,
        members: vec![root],
        leaves: Vec::new(),
    };
    let rows = query(PARTITIONS).bind(root).fetch_all(conn).await?;
    for row in &rows {
        let relid: Oid = get(row, "relid")?;
        // A leaf that was asked for by its own name is its own tree.
        if relid != root {
            tree.members.push(relid);
            if get(row, "leaf")? {
                tree.leaves.push(relid);
            }
        }
    }
    Ok(tree)
}

/// The right that a row of [`PRIVILEGES`] names.
fn missing(row: &PgRow) -> Result<Right, StoreError> {
    let on = match get::<Option<&str>>(row, "name")? {
        None => Securable::Schema(get(row, "schema")?),
        Some(_) => Securable::table(qualified(row)?),
    };
    Ok(Right::new([get::<&str>(row, "privilege")?], on))
}

async fn root(conn: &mut PgConnection, oid: Oid) -> Result<Option<TableName>, StoreError> {
    let row = query(ROOT).bind(oid).fetch_optional(conn).await?;
    row.as_ref().map(qualified).transpose()
}

/// The columns `schema` and `name` of a row.
fn qualified(row: &PgRow) -> Result<TableName, StoreError> {
    let ident = |column| {
        Ident::new(get::<&str>(row, column)?)
            .map_err(|_| StoreError::unexpected("the name of a relation"))
    };
    Ok(TableName {
        schema: Some(ident("schema")?),
        name: ident("name")?,
    })
}

async fn about_tree(
    conn: &mut PgConnection,
    tree: &Tree,
    facts: &mut TableFacts,
) -> Result<(), StoreError> {
    for row in rows_of_tree(conn, tree, TREE).await? {
        facts.temporary = get(&row, "temporary")?;
        facts.unlogged = get(&row, "unlogged")?;
        facts.replica_identity_full = get(&row, "replica_identity_full")?;
        facts.row_security_applies = get(&row, "row_security_applies")?;
        facts.row_security = get(&row, "row_security")?;
        facts.owner = get(&row, "owner")?;
        facts.owned_by = get(&row, "owned_by")?;
        facts.owner_is_superuser = get(&row, "owner_is_superuser")?;
        facts.as_another_role = get(&row, "as_another_role")?;
        facts.foreign_access_method = get(&row, "access_method")?;
        facts.typed = get(&row, "typed")?;
        facts.columns_ever = get(&row, "columns_ever")?;
        facts.columns_max = COLUMNS_MAX;
        facts.row_bytes_max = get::<i64>(&row, "block_bytes")? - PAGE_BYTES;
    }
    for row in rows_of_tree(conn, tree, PRIVILEGES).await? {
        facts.missing_rights.push(missing(&row)?);
    }
    for row in rows_of_tree(conn, tree, RELATIONS).await? {
        facts.relations.push(OwnedRelation {
            name: qualified(&row)?,
            owner: get(&row, "owner")?,
            owner_is_superuser: get(&row, "superuser")?,
        });
    }
    for row in rows_of_tree(conn, tree, UNREADABLE_COLUMNS).await? {
        facts.unreadable_columns.push(get(&row, "name")?);
    }
    for row in rows_of_tree(conn, tree, SEQUENCES).await? {
        facts.sequences.push(qualified(&row)?);
    }
    for row in rows_of_tree(conn, tree, PUBLICATIONS).await? {
        facts.publications.push(get(&row, "name")?);
    }
    Ok(())
}
