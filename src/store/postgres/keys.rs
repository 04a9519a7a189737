//! The key table in PostgreSQL.
//! Owns the SQL that reads, inserts and activates keys; `rotation.rs` owns their later changes of
//! state.

use async_trait::async_trait;
use sqlx::Row;
use sqlx::postgres::PgRow;

use super::PostgresStore;
use super::audit;
use super::committed;
use super::fault::map;
use super::sql::{query, time_text};
use crate::crypto::KeyId;
use crate::keys::{KeyRecord, KeyTable, NewKey, Notary, RotationPeriod};
use crate::store::{Result, StoreError};

#[async_trait]
impl KeyTable for PostgresStore {
    async fn key_records(&self) -> Result<Vec<KeyRecord>> {
        select(self, None).await
    }

    async fn key_records_by_id(&self, ids: &[KeyId]) -> Result<Vec<KeyRecord>> {
        select(self, Some(ids)).await
    }

    async fn insert_keys(&self, new: &[NewKey]) -> Result<Vec<KeyId>> {
        let mut tx = self.begin().await?;
        let rows = query(format!(
            "INSERT INTO {} (key_id, tenant, purpose, version, algorithm, status, kek_ref, wrapped_key, check_value, \
               created_by, reason) \
             SELECT k.key_id, k.tenant, k.purpose, k.version, k.algorithm, 'pre_active', k.kek_ref, k.wrapped_key, \
               k.check_value, k.created_by, k.reason \
             FROM unnest($1::int4[], $2::text[], $3::text[], $4::int4[], $5::text[], $6::text[], $7::bytea[], \
               $8::bytea[], $9::text[], $10::text[]) \
               AS k(key_id, tenant, purpose, version, algorithm, kek_ref, wrapped_key, check_value, created_by, reason) \
             ON CONFLICT (key_id) DO NOTHING RETURNING key_id",
            self.own("encryption_keys")
        ))
        .bind(new.iter().map(|k| signed(k.key_id)).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.tenant.clone()).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.purpose.as_str().to_owned()).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.version).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.algorithm.clone()).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.kek_ref.clone()).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.wrapped_key.clone()).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.check_value.clone()).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.created_by.clone()).collect::<Vec<_>>())
        .bind(new.iter().map(|k| k.reason.clone()).collect::<Vec<_>>())
        .fetch_all(&mut *tx)
        .await
        .map_err(map)?;
        committed(tx).await?;
        let inserted: Vec<i32> = rows
            .iter()
            .map(|row| row.try_get(0).map_err(map))
            .collect::<Result<_>>()?;
        Ok(new
            .iter()
            .map(|k| k.key_id)
            .filter(|id| !inserted.contains(&signed(*id)))
            .collect())
    }

    async fn activate_keys(
        &self,
        ids: &[KeyId],
        due: RotationPeriod,
        note: &dyn Notary,
    ) -> Result<()> {
        let mut tx = self.begin().await?;
        let done = query(format!(
            "UPDATE {} SET status = 'active', changed_by = created_by, rotation_due_at = {} \
             WHERE key_id = ANY ($1) AND status = 'pre_active'",
            self.own("encryption_keys"),
            due_at(due)
        ))
        .bind(ids.iter().map(|id| signed(*id)).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(map)?
        .rows_affected();
        if done != ids.len() as u64 {
            tx.rollback().await.map_err(map)?;
            return Err(StoreError::Unexpected {
                what: "a new key that is not pre-active",
            });
        }
        audit::note(self, &mut tx, note, &[]).await?;
        committed(tx).await
    }
}

/// The SQL for the beginning of the next period, 00:00 UTC, by the server's clock.
pub(super) fn due_at(period: RotationPeriod) -> String {
    let next = |unit: &str, step: &str| {
        format!(
            "(date_trunc('{unit}', clock_timestamp() AT TIME ZONE 'UTC') + interval '{step}') AT TIME ZONE 'UTC'"
        )
    };
    match period {
        RotationPeriod::Month => next("month", "1 month"),
        RotationPeriod::Quarter => next("quarter", "3 months"),
        RotationPeriod::Year => next("year", "1 year"),
        RotationPeriod::Days(days) => next("day", &format!("{days} days")),
    }
}

fn signed(id: KeyId) -> i32 {
    id.get().cast_signed()
}

async fn select(store: &PostgresStore, ids: Option<&[KeyId]>) -> Result<Vec<KeyRecord>> {
    let sql = format!(
        "SELECT key_id::int8, tenant, purpose, version, algorithm, status, kek_ref, wrapped_key, check_value, \
           {} AS created_at, {} AS activated_at, {} AS deactivated_at, {} AS compromised_at, {} AS destroyed_at, \
           {} AS rotation_due_at, created_by, reason \
         FROM {} WHERE $1::int4[] IS NULL OR key_id = ANY ($1) ORDER BY key_id",
        time_text("created_at"),
        time_text("activated_at"),
        time_text("deactivated_at"),
        time_text("compromised_at"),
        time_text("destroyed_at"),
        time_text("rotation_due_at"),
        store.own("encryption_keys")
    );
    let ids = ids.map(|ids| ids.iter().map(|id| signed(*id)).collect::<Vec<_>>());
    let mut tx = store.begin().await?;
    let rows = query(sql)
        .bind(ids)
        .fetch_all(&mut *tx)
        .await
        .map_err(map)?;
    committed(tx).await?;
    rows.iter().map(decode).collect()
}

fn decode(row: &PgRow) -> Result<KeyRecord> {
    let unknown = |what| StoreError::Unexpected { what };
    let key_id: i64 = row.try_get("key_id").map_err(map)?;
    let purpose: String = row.try_get("purpose").map_err(map)?;
    let status: String = row.try_get("status").map_err(map)?;
    Ok(KeyRecord {
        key_id: KeyId::new(key_id).ok_or(unknown("a key id out of range"))?,
        tenant: row.try_get("tenant").map_err(map)?,
        purpose: purpose
            .parse()
            .map_err(|_| unknown("a purpose of a key this version does not know"))?,
        version: row.try_get("version").map_err(map)?,
        algorithm: row.try_get("algorithm").map_err(map)?,
        status: status
            .parse()
            .map_err(|_| unknown("a state of a key this version does not know"))?,
        kek_ref: row.try_get("kek_ref").map_err(map)?,
        wrapped_key: row.try_get("wrapped_key").map_err(map)?,
        check_value: row.try_get("check_value").map_err(map)?,
        created_at: row.try_get("created_at").map_err(map)?,
        activated_at: row.try_get("activated_at").map_err(map)?,
        deactivated_at: row.try_get("deactivated_at").map_err(map)?,
        compromised_at: row.try_get("compromised_at").map_err(map)?,
        destroyed_at: row.try_get("destroyed_at").map_err(map)?,
        rotation_due_at: row.try_get("rotation_due_at").map_err(map)?,
        created_by: row.try_get("created_by").map_err(map)?,
        reason: row.try_get("reason").map_err(map)?,
    })
}
