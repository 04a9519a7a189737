//! The table of wrapped data keys.
//! Owns its statements. The table's own triggers refuse illegal changes of state.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::audit;
use super::connection;
use super::fault;
use super::shape::joined;
use super::statement::{Bind, bound, statement};
use crate::crypto::KeyId;
use crate::keys::{KeyRecord, NewKey, Notary, RotationPeriod};
use crate::store::{Result, StoreError};

/// All key records, or those with these ids.
pub(super) async fn records(
    conn: &mut SqliteConnection,
    ids: Option<&[KeyId]>,
) -> Result<Vec<KeyRecord>> {
    let condition = match ids {
        Some(ids) => format!("WHERE key_id IN ({})", joined(ids, ", ", KeyId::to_string)),
        None => String::new(),
    };
    let sql = format!("SELECT * FROM phiseal_encryption_keys {condition} ORDER BY key_id");
    let rows = bound(sql, []).fetch_all(conn).await.map_err(fault::of)?;
    rows.iter().map(key_record).collect()
}

/// Inserts keys as pre-active; returns the ids that are already taken.
pub(super) async fn insert(conn: &mut SqliteConnection, new: &[NewKey]) -> Result<Vec<KeyId>> {
    let mut transaction = connection::write_transaction(conn).await?;
    let mut taken = Vec::new();
    for key in new {
        let id = i64::from(key.key_id.get());
        let found = bound(
            "SELECT 1 FROM phiseal_encryption_keys WHERE key_id = ?",
            [Bind::Integer(id)],
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(fault::of)?;
        if found.is_some() {
            taken.push(key.key_id);
            continue;
        }
        statement(
            "INSERT INTO phiseal_encryption_keys (key_id, tenant, purpose, version, algorithm, status, \
             kek_ref, wrapped_key, check_value, created_by, reason) \
             VALUES (?, ?, ?, ?, ?, 'pre_active', ?, ?, ?, ?, ?)",
        )
        .bind(id)
        .bind(key.tenant.clone())
        .bind(key.purpose.as_str())
        .bind(key.version)
        .bind(key.algorithm.clone())
        .bind(key.kek_ref.clone())
        .bind(key.wrapped_key.clone())
        .bind(key.check_value.clone())
        .bind(key.created_by.clone())
        .bind(key.reason.clone())
        .execute(&mut *transaction)
        .await
        .map_err(fault::of)?;
    }
    connection::commit(transaction).await?;
    Ok(taken)
}

/// Activates pre-active keys: all of them or none.
pub(super) async fn activate(
    conn: &mut SqliteConnection,
    ids: &[KeyId],
    due: RotationPeriod,
    note: &dyn Notary,
) -> Result<()> {
    let sql = format!(
        "UPDATE phiseal_encryption_keys SET status = 'active', changed_by = created_by, \
         rotation_due_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', {}) \
         WHERE key_id = ? AND status = 'pre_active'",
        due_modifiers(due),
    );
    let mut transaction = connection::write_transaction(conn).await?;
    let before = audit::newest_change(&mut transaction).await?;
    for id in ids {
        let activated = bound(sql.clone(), [Bind::Integer(i64::from(id.get()))])
            .execute(&mut *transaction)
            .await
            .map_err(fault::of)?;
        if activated.rows_affected() != 1 {
            return Err(StoreError::Missing {
                what: "the pre-active key".to_owned(),
            });
        }
    }
    audit::note(&mut transaction, note, &[], before).await?;
    connection::commit(transaction).await
}

/// The date modifiers that lead from now to the day a key is due, 00:00 UTC.
pub(super) fn due_modifiers(due: RotationPeriod) -> String {
    match due {
        RotationPeriod::Month => "'start of month', '+1 month'".to_owned(),
        // The month after the quarter's last, counted from January.
        RotationPeriod::Quarter => "'start of year', \
            printf('+%d months', (CAST(strftime('%m', 'now') AS INTEGER) + 2) / 3 * 3)"
            .to_owned(),
        RotationPeriod::Year => "'start of year', '+1 year'".to_owned(),
        RotationPeriod::Days(days) => format!("'start of day', '+{days} days'"),
    }
}

fn key_record(row: &SqliteRow) -> Result<KeyRecord> {
    let unexpected = || StoreError::Unexpected {
        what: "a key record of another form than this program makes",
    };
    let text = |column: &str| row.try_get::<String, _>(column).map_err(fault::of);
    let maybe = |column: &str| row.try_get::<Option<String>, _>(column).map_err(fault::of);
    let id: i64 = row.try_get("key_id").map_err(fault::of)?;
    Ok(KeyRecord {
        key_id: KeyId::new(id).ok_or_else(unexpected)?,
        tenant: text("tenant")?,
        purpose: text("purpose")?.parse().map_err(|_| unexpected())?,
        version: row.try_get("version").map_err(fault::of)?,
        algorithm: text("algorithm")?,
        status: text("status")?.parse().map_err(|_| unexpected())?,
        kek_ref: text("kek_ref")?,
        wrapped_key: row.try_get("wrapped_key").map_err(fault::of)?,
        check_value: row.try_get("check_value").map_err(fault::of)?,
        created_at: text("created_at")?,
        activated_at: maybe("activated_at")?,
        deactivated_at: maybe("deactivated_at")?,
        compromised_at: maybe("compromised_at")?,
        destroyed_at: maybe("destroyed_at")?,
        rotation_due_at: maybe("rotation_due_at")?,
        created_by: text("created_by")?,
        reason: maybe("reason")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_due_on_the_first_day_of_the_next_period() {
        use sqlx::Connection;
        let mut conn = sqlx::SqliteConnection::connect("sqlite::memory:")
            .await
            .unwrap();
        for (due, now, day) in [
            (RotationPeriod::Month, "2024-12-31 23:59", "2025-01-01"),
            (RotationPeriod::Quarter, "2024-01-01 00:00", "2024-04-01"),
            (RotationPeriod::Quarter, "2024-03-31 23:59", "2024-04-01"),
            (RotationPeriod::Quarter, "2024-11-30 12:00", "2025-01-01"),
            (RotationPeriod::Year, "2024-02-29 12:00", "2025-01-01"),
            (RotationPeriod::Days(90), "2024-01-01 12:00", "2024-03-31"),
        ] {
            let modifiers = due_modifiers(due).replace("'now'", &format!("'{now}'"));
            let sql = format!("SELECT strftime('%Y-%m-%d', '{now}', {modifiers})");
            let row = bound(sql, []).fetch_one(&mut conn).await.unwrap();
            assert_eq!(row.get::<String, _>(0), day, "{due} {now}");
        }
    }
}
