//! What is known of a table's files before a scrub, and what our login may do about them.
//! Owns the server's rules of rights, by its version. Changes nothing.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::super::PostgresStore;
use super::super::catalog;
use super::super::sql::{query, scalar, time_text, tuple};
use super::super::table;
use super::{estate, pg_repack};
use crate::store::{
    LogFacts, Result, Scope, ScrubFacts, ScrubStep, StepKind, StoredConstraint, StoredRelation,
    Table, constraint_name,
};

/// From this version on the right MAINTAIN exists.
const MAINTAIN: i64 = 170_000;
/// From this version on the role pg_checkpoint exists.
const CHECKPOINTERS: i64 = 150_000;

/// Writes something and ends the segment.
pub(super) const SWITCH: &str = "SELECT pg_catalog.pg_logical_emit_message(false, 'phiseal', ''); SELECT pg_catalog.pg_switch_wal()";

/// The relations of `$1`, a list of names, with what decides how they are rewritten.
const RELATIONS: &str = "
    SELECT format('%I.%I', n.nspname, c.relname) AS name, c.relpersistence = 'p' AS permanent,
           EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisvalid
                     AND (i.indisprimary OR i.indisreplident)) AS has_key,
           coalesce(pg_relation_filenode(c.oid)::text, '') || '/'
             || coalesce(pg_relation_filenode(c.reltoastrelid)::text, '') AS storage,
           coalesce(pg_relation_size(c.oid), 0)
             + coalesce(pg_total_relation_size(nullif(c.reltoastrelid, 0)), 0) AS row_bytes,
           coalesce(pg_indexes_size(c.oid), 0) AS index_bytes,";

/// Materialized views that read the columns `$2` of the relation `$1`.
const VIEWS: &str = "
    SELECT DISTINCT format('%I.%I', n.nspname, v.relname), pg_has_role(v.relowner, 'USAGE')
      FROM pg_attribute a
      JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
           AND d.refobjsubid IN (a.attnum, 0) AND d.classid = 'pg_rewrite'::regclass
      JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'm'
      JOIN pg_namespace n ON n.oid = v.relnamespace
     WHERE a.attrelid = to_regclass($1) AND a.attname = ANY ($2) ORDER BY 1";

/// Our right to rewrite the relation `c`. VACUUM only warns where it is missing.
pub(super) fn may_rewrite(version_num: i64) -> String {
    let owner = "pg_has_role(c.relowner, 'USAGE') OR pg_has_role((SELECT datdba FROM pg_database \
                 WHERE datname = current_database()), 'USAGE')";
    match version_num >= MAINTAIN {
        true => format!("({owner} OR has_table_privilege(c.oid, 'MAINTAIN'))"),
        false => format!("({owner})"),
    }
}

/// All that is known.
pub(super) async fn facts(store: &PostgresStore, table: &Table) -> Result<ScrubFacts> {
    let names = table::relations(store, table, &Scope::Attached).await?;
    let mut tx = store.begin().await?;
    let server = catalog::server_facts(&mut tx, store.schema.as_str()).await?;
    let version = server.version_num;
    let relations = relations(&mut tx, version, &names).await?;
    let mut steps = views(&mut tx, table).await?;
    let constraints = constraints(&mut tx, table, &names).await?;
    tx.commit().await?;
    let mut tx = store.begin_as_login().await?;
    let now = scalar(format!("SELECT {}", time_text("clock_timestamp()")))
        .fetch_one(&mut *tx)
        .await?;
    steps.extend(catalogs(&mut tx, version).await?);
    steps.extend(statements(&mut tx).await?);
    let log = log(&mut tx, version).await?;
    let unread = unread(&mut tx).await?;
    let installed = scalar("SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_repack')")
        .fetch_one(&mut *tx)
        .await?;
    let estate = estate::found(&mut tx).await?;
    tx.commit().await?;
    Ok(ScrubFacts {
        now,
        server: server.version,
        version_num: version,
        relations,
        no_pg_repack: pg_repack::unusable(store, installed),
        steps,
        log,
        unread,
        constraints,
        estate,
    })
}

async fn relations(
    conn: &mut PgConnection,
    version: i64,
    names: &[String],
) -> Result<Vec<StoredRelation>> {
    let rows = query(format!(
        "{RELATIONS} {} AS allowed FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid IN (SELECT to_regclass(name) FROM unnest($1::text[]) AS name) ORDER BY 1",
        may_rewrite(version)
    ))
    .bind(names.to_vec())
    .fetch_all(conn)
    .await?;
    rows.iter().map(relation).collect()
}

fn relation(row: &PgRow) -> Result<StoredRelation> {
    let bytes = |name: &str| row.try_get::<i64, _>(name).map(i64::unsigned_abs);
    Ok(StoredRelation {
        name: row.try_get("name")?,
        whole_file: false,
        permanent: row.try_get("permanent")?,
        has_key: row.try_get("has_key")?,
        allowed: row.try_get("allowed")?,
        storage: row.try_get("storage")?,
        row_bytes: bytes("row_bytes")?,
        index_bytes: bytes("index_bytes")?,
    })
}

/// The views that still show what stood in a column which is there and empty, or sealed in place.
async fn views(conn: &mut PgConnection, table: &Table) -> Result<Vec<ScrubStep>> {
    let there = table.fields.iter().filter(|field| field.plain_exists);
    let columns: Vec<String> = there
        .map(|field| field.column.as_str().to_owned())
        .collect();
    let rows: Vec<(String, bool)> = tuple(VIEWS)
        .bind(table.name.quoted())
        .bind(columns)
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(object, allowed)| ScrubStep {
            kind: StepKind::View,
            statement: format!("REFRESH MATERIALIZED VIEW {object}"),
            needs: "the owner of the view".to_owned(),
            object,
            allowed,
        })
        .collect())
}

/// The catalogs that hold values of columns. A row of a dropped column is deleted there, and stays
/// in the file until the catalog is rewritten.
async fn catalogs(conn: &mut PgConnection, version: i64) -> Result<Vec<ScrubStep>> {
    let rows: Vec<(String, bool)> = tuple(format!(
        "SELECT 'pg_catalog.' || c.relname, {} FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace \
         AND c.relname IN ('pg_statistic', 'pg_statistic_ext_data') ORDER BY 1",
        may_rewrite(version)
    ))
    .fetch_all(conn)
    .await?;
    let needs = match version >= MAINTAIN {
        true => "the owner of the database, or MAINTAIN on it",
        false => "the owner of the database",
    };
    Ok(rows
        .into_iter()
        .map(|(object, allowed)| ScrubStep {
            kind: StepKind::Catalog,
            statement: format!("VACUUM FULL {object}"),
            needs: needs.to_owned(),
            object,
            allowed,
        })
        .collect())
}

/// The reset of pg_stat_statements, where that is installed.
async fn statements(conn: &mut PgConnection) -> Result<Option<ScrubStep>> {
    let found: Option<(String, bool)> = tuple(
        "SELECT format('%I.%I', n.nspname, p.proname), has_function_privilege(p.oid, 'EXECUTE') \
         FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace \
         JOIN pg_proc p ON p.pronamespace = n.oid AND p.proname = 'pg_stat_statements_reset' \
         WHERE e.extname = 'pg_stat_statements' LIMIT 1",
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|(object, allowed)| ScrubStep {
        kind: StepKind::Statements,
        statement: format!("SELECT {object}()"),
        needs: "EXECUTE on the function".to_owned(),
        object,
        allowed,
    }))
}

async fn log(conn: &mut PgConnection, version: i64) -> Result<LogFacts> {
    let checkpointers = match version >= CHECKPOINTERS {
        true => "pg_has_role('pg_checkpoint', 'USAGE')",
        false => "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user)",
    };
    let (checkpoint, switch, list, file_bytes): (bool, bool, bool, i64) = tuple(format!(
        "SELECT {checkpointers}, has_function_privilege('pg_catalog.pg_switch_wal()', 'EXECUTE'), \
           has_function_privilege('pg_catalog.pg_ls_waldir()', 'EXECUTE'), \
           pg_size_bytes(current_setting('wal_segment_size'))"
    ))
    .fetch_one(&mut *conn)
    .await?;
    let mut missing = Vec::new();
    for (has, right) in [
        (checkpoint, "pg_checkpoint (before version 15: superuser)"),
        (switch, "EXECUTE on pg_switch_wal()"),
        (list, "EXECUTE on pg_ls_waldir(), as pg_monitor has"),
    ] {
        if !has {
            missing.push(right.to_owned());
        }
    }
    let files = super::files::of_log(conn).await?;
    Ok(LogFacts {
        files: files.map(|files| files.len() as u64),
        file_bytes: file_bytes.unsigned_abs(),
        statements: log_statements(),
        missing,
        keepers: estate::log_keepers(conn).await?,
    })
}

/// What overwrites the log, for a person.
fn log_statements() -> Vec<(String, String)> {
    const SWITCH: &str = "SELECT pg_logical_emit_message(false, 'phiseal', ''), pg_switch_wal()";
    let switch = "EXECUTE on pg_switch_wal()";
    [
        (SWITCH.to_owned(), switch),
        ("CHECKPOINT".to_owned(), "pg_checkpoint"),
        (
            format!("as often as pg_wal has files then: {SWITCH}"),
            switch,
        ),
        ("CHECKPOINT".to_owned(), "pg_checkpoint"),
    ]
    .map(|(statement, right)| (statement, right.to_owned()))
    .into()
}

/// Why the files cannot be read. Paths within the data folder need no more than this.
async fn unread(conn: &mut PgConnection) -> Result<Option<String>> {
    let may: bool = scalar(
        "SELECT has_function_privilege('pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)', 'EXECUTE')",
    )
    .fetch_one(conn)
    .await?;
    Ok((!may).then(|| "our login lacks EXECUTE on pg_read_binary_file".to_owned()))
}

async fn constraints(
    conn: &mut PgConnection,
    table: &Table,
    relations: &[String],
) -> Result<Vec<StoredConstraint>> {
    let of_field = |label: &str| {
        ["sealed", "form", "blank"].map(|what| constraint_name(&table.label, label, what))
    };
    let names: Vec<String> = (table.fields.iter())
        .flat_map(|field| of_field(&field.label))
        .collect();
    let mut on = relations.to_vec();
    on.push(table.name.quoted());
    let rows: Vec<(String, String, bool)> = tuple(
        "SELECT c.conname::text, format('%I.%I', n.nspname, t.relname), c.convalidated FROM pg_constraint c \
         JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
         WHERE c.conname = ANY ($1) AND c.conrelid IN (SELECT to_regclass(name) FROM unnest($2::text[]) AS name) \
         ORDER BY 2, 1",
    )
    .bind(names)
    .bind(on)
    .fetch_all(conn)
    .await?;
    let constraint = |(name, relation, validated)| StoredConstraint {
        name,
        relation,
        validated,
    };
    Ok(rows.into_iter().map(constraint).collect())
}
