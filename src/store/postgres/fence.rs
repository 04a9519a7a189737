//! What a batch checks in the server: the fence and the keys when it begins, the table's definition
//! before it commits.
//! Owns the PL/pgSQL blocks that do so, and the meaning of the errors they raise.

use sqlx::Row;

use super::guard;
use super::sql::{block, query};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::quote;
use crate::store::postgres::transaction::Transaction;
use crate::store::text::joined;
use crate::store::{Access, LaneStamp, LaneUpdate, Result, StoreError, Triggers, WriteBatch};

/// The statements that move the lane on and check the keys, in one round trip with BEGIN. A batch so
/// waits for the server five times instead of thirteen; the difference was a third of its time.
///
/// pg_stat_statements keeps one entry for each text of a `DO` or `SET`, but takes the values out of
/// a `SELECT`. So the blocks of a batch have the same text every time, and read the batch's values
/// from settings, which a `SELECT` before them sets.
pub(super) fn fence_sql(
    schema: &Ident,
    stamp: &LaneStamp,
    advance: &LaneUpdate,
    keys: &[KeyId],
) -> String {
    let cursor = advance.cursor.as_ref().map(hex::encode);
    let batch = [
        stamp.run_id.to_string(),
        stamp.lane_no.to_string(),
        stamp.fence.to_string(),
        stamp.seq.to_string(),
        advance.lease_seconds.to_string(),
        cursor.map_or_else(|| "NULL".to_owned(), |cursor| format!("\"{cursor}\"")),
    ];
    let keys = joined(keys, ",", KeyId::to_string);
    let values = set_sql(&[
        ("phiseal.run", &stamp.run_id.to_string()),
        ("phiseal.batch", &format!("{{{}}}", batch.join(","))),
        ("phiseal.keys", &format!("{{{keys}}}")),
    ]);
    format!("{values} {}", fence_block(schema))
}

/// The block after these values. It reads the keys without a lock, as the guard does. Locks of
/// successive batches would block a key change; instead, a key change waits for the transactions
/// that were open when it committed.
///
/// It also names the session after the run and the lane, and keeps bound values out of the server's
/// log if the role may do so.
fn fence_block(schema: &Ident) -> String {
    let schema = schema.quoted();
    block(&format!(
        "DECLARE _batch text[] := current_setting('phiseal.batch'); \
           _keys int8[] := current_setting('phiseal.keys'); _held int8; _quiet bool; \
         BEGIN \
         UPDATE {schema}.lanes SET seq = seq + 1, cursor = coalesce(decode(_batch[6], 'hex'), cursor), \
           lease_until = clock_timestamp() + make_interval(secs => _batch[5]::float8), updated_at = clock_timestamp() \
           WHERE run_id = _batch[1]::int8 AND lane_no = _batch[2]::int4 AND fence = _batch[3]::int8 \
             AND seq = _batch[4]::int8 AND state = 'open'; \
         IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{FENCE_LOST}', MESSAGE = 'fence'; END IF; \
         SELECT count(*) INTO _held FROM {schema}.encryption_keys WHERE key_id = ANY (_keys) AND status = 'active'; \
         IF _held <> cardinality(_keys) THEN RAISE EXCEPTION USING ERRCODE = '{KEY_NOT_ACTIVE}', MESSAGE = 'key'; END IF; \
         PERFORM set_config('application_name', 'phiseal ' || r.kind || ' ' || _batch[1] || '/' || _batch[2], true) \
           FROM {schema}.runs AS r WHERE r.run_id = _batch[1]::int8; \
         _quiet := current_setting('is_superuser') = 'on'; \
         IF NOT _quiet AND current_setting('server_version_num')::int4 >= 150000 THEN \
           _quiet := has_parameter_privilege('log_parameter_max_length', 'SET'); END IF; \
         IF _quiet THEN PERFORM set_config('log_parameter_max_length', '0', true); END IF; END",
    ))
}

/// The statement that sets these settings for the transaction.
fn set_sql(settings: &[(&str, &str)]) -> String {
    let set = joined(settings, ", ", |(name, value)| {
        let (name, value) = (quote::literal(name), quote::literal(value));
        format!("pg_catalog.set_config({name}, {value}, true)")
    });
    format!("SELECT {set};")
}

/// The statements before the write. They lock the table, which keeps DDL out until COMMIT, and
/// compare the table's definition, so that no trigger fires which preflight did not see. Before
/// PostgreSQL 16, a role that may only update columns cannot lock the table; its write is checked
/// afterwards, like every write. The block also resets a `session_replication_role` that another
/// client of a pooler may have left, which would keep triggers from firing.
pub(super) fn enter_sql(access: &Access, batch: &WriteBatch<'_>) -> String {
    let origin = if access.triggers == Triggers::Suppressed {
        ""
    } else {
        "IF current_setting('session_replication_role') <> 'origin' THEN \
         PERFORM set_config('session_replication_role', 'origin', true); END IF; "
    };
    let enter = block(&format!(
        "BEGIN {origin}IF has_table_privilege({RELATION}, 'UPDATE') THEN \
         EXECUTE 'LOCK TABLE ONLY ' || {RELATION} || ' IN ROW EXCLUSIVE MODE'; END IF; \
         IF {} IS DISTINCT FROM {DEFINITION} THEN {}; END IF; END",
        fingerprint_expression(RELATION, COLUMNS),
        raise(SCHEMA_CHANGED),
    ));
    format!("{} {enter}", definition_sql(access, batch, None))
}

/// The settings that the blocks read.
const RELATION: &str = "current_setting('phiseal.relation')";
const COLUMNS: &str = "current_setting('phiseal.columns')::pg_catalog.text[]";
const DEFINITION: &str = "current_setting('phiseal.definition')";

/// The statement that sets what [`enter_sql`] and [`compare_sql`] compare with. Each of them sets it
/// again, since code of the table's owner that ran in between may have changed it.
fn definition_sql(access: &Access, batch: &WriteBatch<'_>, role: Option<&Ident>) -> String {
    set_sql(&[
        ("phiseal.relation", batch.relation),
        ("phiseal.columns", &quote::array(&worked_columns(access))),
        ("phiseal.definition", batch.fingerprint),
        ("phiseal.storage", batch.storage),
        ("phiseal.role", role.map_or("", Ident::as_str)),
    ])
}

fn raise(sqlstate: &str) -> String {
    format!("RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'table'")
}

/// The statements after the write: they compare the relation's definition and storage, and the
/// role. The lock that the write holds keeps DDL out until COMMIT.
pub(super) fn compare_sql(access: &Access, batch: &WriteBatch<'_>, role: Option<&Ident>) -> String {
    let compare = block(&format!(
        "BEGIN IF current_user IS DISTINCT FROM coalesce(nullif(current_setting('phiseal.role'), ''), current_user) \
         THEN {}; END IF; IF {} IS DISTINCT FROM {DEFINITION} THEN {}; \
         ELSIF pg_relation_filenode(to_regclass({RELATION}))::text IS DISTINCT FROM current_setting('phiseal.storage') \
         THEN {}; END IF; END",
        raise(ROLE_CHANGED),
        fingerprint_expression(RELATION, COLUMNS),
        raise(SCHEMA_CHANGED),
        raise(STORAGE_CHANGED),
    ));
    format!("{} {compare}", definition_sql(access, batch, role))
}

/// The definition of a relation as far as a batch depends on it: identity, the columns a run works
/// on, and every trigger. `None` if no relation has this name any more.
pub(super) async fn fingerprint(
    tx: &mut Transaction,
    access: &Access,
    relation: &str,
) -> Result<Option<String>> {
    // Preflight refuses triggers that the plan does not allow, and BEFORE UPDATE row triggers that
    // sort after the guard's. If there is one now, it was created since.
    let row = query(format!(
        "SELECT {}, EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = to_regclass($1) \
           AND NOT t.tgisinternal AND (t.tgtype & 16) <> 0 AND t.tgenabled IN ('O', 'A') AND NOT {} \
           AND ($3 OR (t.tgtype & 3) = 3 AND t.tgname::text COLLATE \"C\" > '{}'))",
        fingerprint_expression("$1", "$2::text[]"),
        guard::IS_GUARD,
        guard::UPDATE,
    ))
    .bind(relation.to_owned())
    .bind(worked_columns(access))
    .bind(access.triggers == Triggers::None)
    .fetch_one(&mut **tx)
    .await?;
    let late: bool = row.try_get(1)?;
    if late {
        return Err(StoreError::SchemaChanged {
            table: access.table.label.clone(),
        });
    }
    Ok(row.try_get(0)?)
}

/// The expression that [`fingerprint`] evaluates, for a relation's name and an array of column
/// names.
fn fingerprint_expression(relation: &str, columns: &str) -> String {
    format!(
        "(SELECT c.oid::text || ' ' || c.relkind::text || ' ' || \
           coalesce((SELECT string_agg(a.attname || ':' || a.attnum || ':' || a.atttypid || ':' || a.atttypmod \
                || ':' || a.attgenerated::text, ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a \
              WHERE a.attrelid = c.oid AND a.attname = ANY ({columns}) AND NOT a.attisdropped), '') || ' ' || \
           coalesce((SELECT string_agg(g.tgname || ':' || g.tgenabled::text || ':' || g.tgtype || ':' || g.tgfoid \
                || ':' || hashtextextended(coalesce(g.tgqual::text, ''), 0), ',' ORDER BY g.tgname) FROM pg_catalog.pg_trigger g \
              WHERE g.tgrelid = c.oid AND (NOT g.tgisinternal OR g.tgname LIKE '~phiseal%')), '') \
          FROM pg_catalog.pg_class c WHERE c.oid = to_regclass({relation}))"
    )
}

/// The names of the columns a run works on.
fn worked_columns(access: &Access) -> Vec<String> {
    let mut names: Vec<String> = access
        .table
        .keys
        .iter()
        .map(|key| key.name.as_str().to_owned())
        .collect();
    names.extend(access.table.tenant.iter().map(|t| t.as_str().to_owned()));
    for field in &access.cells {
        names.push(field.source.name.as_str().to_owned());
        names.extend(field.beside().map(|column| column.as_str().to_owned()));
        names.extend(field.index.iter().map(|i| i.as_str().to_owned()));
    }
    names
}

/// The SQLSTATEs that these blocks raise; PostgreSQL does not use the class PS.
const FENCE_LOST: &str = "PS101";
const KEY_NOT_ACTIVE: &str = "PS102";
const SCHEMA_CHANGED: &str = "PS103";
const STORAGE_CHANGED: &str = "PS104";
const ROLE_CHANGED: &str = "PS106";

/// Translates what these blocks raise.
pub(super) fn refusal(error: StoreError, table: &str) -> StoreError {
    let StoreError::Refused { sqlstate } = &error else {
        return error;
    };
    let table = table.to_owned();
    match sqlstate.as_str() {
        FENCE_LOST => StoreError::FenceLost,
        KEY_NOT_ACTIVE => StoreError::KeyNotActive,
        SCHEMA_CHANGED => StoreError::SchemaChanged { table },
        STORAGE_CHANGED => StoreError::StorageChanged { table },
        ROLE_CHANGED => StoreError::RoleChanged { table },
        _ => error,
    }
}
