//! What a batch makes sure of in the server itself: the fence and the keys as it begins, the table's
//! definition as it ends. Owns the blocks that do so, and the meaning of what they raise.

use sqlx::{Postgres, Row, Transaction};

use super::fault::map;
use super::guard;
use super::sql::{block, query};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::quote;
use crate::store::{Advance, LaneStamp, Result, Sealed, StoreError, Target, WriteBatch};

/// What moves the lane on and holds the keys, in one round trip with BEGIN: a batch waits for the
/// server five times, and not thirteen, which was a third of its time. All that is spliced in are
/// numbers, and the cursor as hex digits.
pub(super) fn fence_sql(
    schema: &Ident,
    stamp: &LaneStamp,
    advance: &Advance,
    keys: &[KeyId],
) -> String {
    let schema = schema.quoted();
    let cursor = advance.cursor.as_ref().map_or_else(
        || "cursor".to_owned(),
        |cursor| format!("decode('{}', 'hex')", hex::encode(cursor)),
    );
    let ids: Vec<String> = keys.iter().map(KeyId::to_string).collect();
    // Without a lock, as the guard looks: batches that follow one another would keep whoever changes a
    // key waiting. Who does waits afterwards for the transactions that were open then.
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
           WHERE run_id = {run} AND lane_no = {lane} AND fence = {fence} AND seq = {seq}; \
         IF NOT FOUND THEN RAISE EXCEPTION USING ERRCODE = '{FENCE_LOST}', MESSAGE = 'fence'; END IF;{hold} END",
        lease = advance.lease_seconds,
        run = stamp.run_id,
        lane = stamp.lane_no,
        fence = stamp.fence,
        seq = stamp.seq,
    ))
}

/// What comes before the write: the table's lock, which keeps DDL out until COMMIT, and the definition,
/// so that no trigger fires that preflight did not see. A role that may update columns only cannot lock the
/// table beforehand (before PostgreSQL 16); its write is compared afterwards, as every write is. A
/// setting that another client of a pooler left would keep triggers from firing.
pub(super) fn enter_sql(target: &Target, batch: &WriteBatch<'_>) -> String {
    let relation = quote::literal(batch.relation);
    let origin = if target.suppress_triggers {
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
        print_of(target, &relation),
        quote::literal(batch.fingerprint),
    ))
}

fn print_of(target: &Target, relation: &str) -> String {
    let columns: Vec<String> = worked_columns(target)
        .iter()
        .map(|name| quote::literal(name))
        .collect();
    fingerprint_expression(
        relation,
        &format!("ARRAY[{}]::pg_catalog.text[]", columns.join(", ")),
    )
}

/// The definition and storage of the relation, compared in the server after the write: the lock
/// that the write holds keeps DDL out until COMMIT.
pub(super) fn compare_sql(target: &Target, batch: &WriteBatch<'_>, role: Option<&Ident>) -> String {
    let relation = quote::literal(batch.relation);
    let print = print_of(target, &relation);
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

/// The definition of a relation as a batch depends on it: identity, the columns worked on, and
/// every trigger. `None` where the name means nothing any more.
pub(super) async fn fingerprint(
    tx: &mut Transaction<'static, Postgres>,
    target: &Target,
    relation: &str,
) -> Result<Option<String>> {
    // Preflight refuses triggers that the plan does not allow, and those that sort after the guard's (rows,
    // before, of UPDATE): one that is there now was made since.
    let row = query(format!(
        "SELECT {}, EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgrelid = to_regclass($1) \
           AND NOT t.tgisinternal AND (t.tgtype & 16) <> 0 AND t.tgenabled IN ('O', 'A') AND NOT {} \
           AND ($3 OR (t.tgtype & 3) = 3 AND t.tgname::text COLLATE \"C\" > '{}'))",
        fingerprint_expression("$1", "$2::text[]"),
        guard::IS_GUARD,
        guard::UPDATE,
    ))
    .bind(relation.to_owned())
    .bind(worked_columns(target))
    .bind(!target.triggers_fire && !target.suppress_triggers)
    .fetch_one(&mut **tx)
    .await
    .map_err(map)?;
    let late: bool = row.try_get(1).map_err(map)?;
    if late {
        return Err(StoreError::SchemaChanged {
            table: target.label.clone(),
        });
    }
    row.try_get(0).map_err(map)
}

/// The expression behind [`fingerprint`], over the relation's name and an array of column names.
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
fn worked_columns(target: &Target) -> Vec<String> {
    let mut names: Vec<String> = target
        .keys
        .iter()
        .map(|key| key.name.as_str().to_owned())
        .collect();
    names.extend(target.tenant.iter().map(|t| t.as_str().to_owned()));
    for field in &target.fields {
        names.push(field.column.as_str().to_owned());
        if let Sealed::Beside { column, .. } = &field.sealed {
            names.push(column.as_str().to_owned());
        }
        names.extend(field.index.iter().map(|i| i.as_str().to_owned()));
    }
    names
}

/// What the blocks of a batch raise; a class that is nobody else's.
const FENCE_LOST: &str = "PS101";
const KEY_NOT_ACTIVE: &str = "PS102";
const SCHEMA_CHANGED: &str = "PS103";
const STORAGE_CHANGED: &str = "PS104";
const ROLE_CHANGED: &str = "PS106";

/// The meaning of what they raised.
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
