//! What a batch checks in the server: the fence and the keys when it begins, the table's definition
//! before it commits.
//! Owns the PL/pgSQL blocks that do so, and the meaning of the errors they raise.

use sqlx::{Postgres, Row, Transaction};

use super::guard;
use super::sql::{block, query};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::quote;
use crate::store::text::joined;
use crate::store::{Access, LaneStamp, LaneUpdate, Result, StoreError, Triggers, WriteBatch};

/// The block that moves the lane on and checks the keys, in one round trip with BEGIN. A batch so
/// waits for the server five times instead of thirteen; the difference was a third of its time. The
/// text takes only numbers, and the cursor as hex digits.
pub(super) fn fence_sql(
    schema: &Ident,
    stamp: &LaneStamp,
    advance: &LaneUpdate,
    keys: &[KeyId],
) -> String {
    let schema = schema.quoted();
    let cursor = advance.cursor.as_ref().map_or_else(
        || "cursor".to_owned(),
        |cursor| format!("decode('{}', 'hex')", hex::encode(cursor)),
    );
    let ids: Vec<String> = keys.iter().map(KeyId::to_string).collect();
    // Reads the keys without a lock, as the guard does. Locks of successive batches would block a
    // key change; instead, a key change waits for the transactions that were open when it
    // committed.
    let hold = if ids.is_empty() {
        String::new()
    } else {
        format!(
            " PERFORM 1 FROM {schema}.encryption_keys WHERE key_id IN ({}) AND status = 'active'; \
             GET DIAGNOSTICS held = ROW_COUNT; \
             IF held <> {} THEN RAISE EXCEPTION USING ERRCODE = '{KEY_NOT_ACTIVE}', MESSAGE = 'key'; END IF;",
            ids.join(", "),
            ids.len()
        )
    };
    block(&format!(
        "DECLARE held bigint; BEGIN \
         UPDATE {schema}.lanes SET seq = seq + 1, cursor = {cursor}, \
           lease_until = clock_timestamp() + make_interval(secs => {lease}), updated_at = clock_timestamp() \
           WHERE run_id = {run} AND lane_no = {lane} AND fence = {fence} AND seq = {seq} AND state = 'open'; \
         IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{FENCE_LOST}', MESSAGE = 'fence'; END IF;{hold} END",
        lease = advance.lease_seconds,
        run = stamp.run_id,
        lane = stamp.lane_no,
        fence = stamp.fence,
        seq = stamp.seq,
    ))
}

/// The block before the write. It locks the table, which keeps DDL out until COMMIT, and compares
/// the table's definition, so that no trigger fires which preflight did not see. Before PostgreSQL
/// 16, a role that may only update columns cannot lock the table; its write is checked afterwards,
/// like every write. The block also resets a `session_replication_role` that another client of a
/// pooler may have left, which would keep triggers from firing.
pub(super) fn enter_sql(access: &Access, batch: &WriteBatch<'_>) -> String {
    let relation = quote::literal(batch.relation);
    let origin = if access.triggers == Triggers::Suppressed {
        ""
    } else {
        "IF current_setting('session_replication_role') <> 'origin' THEN \
         PERFORM set_config('session_replication_role', 'origin', true); END IF;"
    };
    block(&format!(
        "BEGIN {origin} IF has_table_privilege({relation}, 'UPDATE') THEN \
         LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE; END IF; \
         IF {} IS DISTINCT FROM {} THEN RAISE EXCEPTION USING ERRCODE = '{SCHEMA_CHANGED}', MESSAGE = 'table'; \
         END IF; END",
        batch.relation,
        fingerprint_of(access, &relation),
        quote::literal(batch.fingerprint),
    ))
}

fn fingerprint_of(access: &Access, relation: &str) -> String {
    let columns = joined(&worked_columns(access), ", ", |name| quote::literal(name));
    fingerprint_expression(relation, &format!("ARRAY[{}]::pg_catalog.text[]", columns))
}

/// The block after the write: compares the relation's definition and storage, and the role. The
/// lock that the write holds keeps DDL out until COMMIT.
pub(super) fn compare_sql(access: &Access, batch: &WriteBatch<'_>, role: Option<&Ident>) -> String {
    let relation = quote::literal(batch.relation);
    let print = fingerprint_of(access, &relation);
    let code =
        |sqlstate| format!("RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'table'");
    let role = role.map_or_else(String::new, |role| {
        format!(
            " IF current_user IS DISTINCT FROM {} THEN {}; END IF;",
            quote::literal(role.as_str()),
            code(ROLE_CHANGED)
        )
    });
    block(&format!(
        "BEGIN{role} IF {print} IS DISTINCT FROM {} THEN {}; \
         ELSIF pg_relation_filenode(to_regclass({relation}))::text IS DISTINCT FROM {} THEN {}; END IF; END",
        quote::literal(batch.fingerprint),
        code(SCHEMA_CHANGED),
        quote::literal(batch.storage),
        code(STORAGE_CHANGED),
    ))
}

/// The definition of a relation as far as a batch depends on it: identity, the columns a run works
/// on, and every trigger. `None` if no relation has this name any more.
pub(super) async fn fingerprint(
    tx: &mut Transaction<'static, Postgres>,
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
