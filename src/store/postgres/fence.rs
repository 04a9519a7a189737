//! What a batch makes sure of in the server itself: the fence and the keys as it begins, the table's
//! definition as it ends. Owns the blocks that do so, and the meaning of what they raise.

use super::select;
use super::sql::{block, literal};
use crate::crypto::KeyId;
use crate::ident::Ident;
use crate::store::{Advance, LaneStamp, StoreError, Target, WriteBatch};

/// What moves the lane on and holds the keys, in one round trip with BEGIN: a batch waits for the
/// server four times, and not thirteen, which was a third of its time. All that is spliced in are
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
    // FOR SHARE: a rotation or destruction waits until this batch is through, or this batch sees
    // that the key is no longer active.
    let hold = if ids.is_empty() {
        String::new()
    } else {
        format!(
            " PERFORM 1 FROM {schema}.encryption_keys WHERE key_id IN ({}) AND status = 'active' FOR SHARE; \
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

/// The definition and storage of the relation, compared in the server after the write: the lock
/// that the write holds keeps DDL out until COMMIT.
pub(super) fn compare_sql(target: &Target, batch: &WriteBatch<'_>) -> String {
    let relation = literal(batch.relation);
    let columns: Vec<String> = select::worked_columns(target)
        .iter()
        .map(|name| literal(name))
        .collect();
    let print = select::fingerprint_expression(
        &relation,
        &format!("ARRAY[{}]::pg_catalog.text[]", columns.join(", ")),
    );
    let code =
        |sqlstate| format!("RAISE EXCEPTION USING ERRCODE = '{sqlstate}', MESSAGE = 'table'");
    block(&format!(
        "BEGIN IF {print} IS DISTINCT FROM {} THEN {}; \
         ELSIF pg_relation_filenode(to_regclass({relation}))::text IS DISTINCT FROM {} THEN {}; END IF; END",
        literal(batch.fingerprint),
        code(SCHEMA_CHANGED),
        literal(batch.storage),
        code(STORAGE_CHANGED),
    ))
}

/// What the blocks of a batch raise; a class that is nobody else's.
const FENCE_LOST: &str = "PS101";
const KEY_NOT_ACTIVE: &str = "PS102";
const SCHEMA_CHANGED: &str = "PS103";
const STORAGE_CHANGED: &str = "PS104";

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
        _ => error,
    }
}
