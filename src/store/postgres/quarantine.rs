//! The quarantine: rows that could not be processed.
//! Owns its SQL. The row keys in it are sealed, and the row tags are keyed digests.

use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row};

use super::committed;
use super::fault::map;
use super::sql::{query, time_text};
use super::{PostgresStore, timed};
use crate::ident::Ident;
use crate::store::{NewQuarantine, QuarantineRecord, QuarantineState, Result, StoreError};

pub(super) async fn insert(
    schema: &Ident,
    conn: &mut PgConnection,
    rows: &[NewQuarantine],
) -> Result<()> {
    let sql = format!(
        "INSERT INTO {}.quarantine AS q (run_id, table_label, column_label, row_tag, key_sealed, key_id, step, reason, \
           sqlstate, constraint_name, state) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'open') \
         ON CONFLICT (table_label, row_tag, coalesce(column_label, '')) WHERE state <> 'resolved' \
         DO UPDATE SET run_id = excluded.run_id, step = CASE WHEN q.state = 'open' AND excluded.step = 'verify' THEN q.step ELSE excluded.step END, reason = excluded.reason, \
           sqlstate = excluded.sqlstate, constraint_name = excluded.constraint_name, \
           state = CASE WHEN q.state = 'retry' THEN 'open' ELSE q.state END",
        schema.quoted()
    );
    for row in rows {
        let statement = query(sql.clone())
            .bind(row.run_id)
            .bind(row.table_label.clone())
            .bind(row.column_label.clone())
            .bind(row.row_tag.clone())
            .bind(row.key_sealed.clone())
            .bind(row.key_id)
            .bind(row.step.clone())
            .bind(row.reason.clone())
            .bind(row.sqlstate.clone())
            .bind(row.constraint_name.clone());
        timed(statement.execute(&mut *conn)).await?;
    }
    Ok(())
}

pub(super) async fn list(
    store: &PostgresStore,
    table_label: Option<&str>,
) -> Result<Vec<QuarantineRecord>> {
    let mut tx = store.begin().await?;
    let rows = query(format!(
        "SELECT quarantine_id, run_id, table_label, column_label, row_tag, key_sealed, key_id::int8, step, reason, \
           sqlstate, constraint_name, state, {} AS created_at, {} AS resolved_at \
         FROM {} WHERE state <> 'resolved' AND ($1::text IS NULL OR table_label = $1) ORDER BY quarantine_id",
        time_text("created_at"),
        time_text("resolved_at"),
        store.own("quarantine")
    ))
    .bind(table_label.map(str::to_owned))
    .fetch_all(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await?;
    rows.iter().map(decode).collect()
}

pub(super) async fn set_state(
    store: &PostgresStore,
    ids: &[i64],
    state: QuarantineState,
) -> Result<()> {
    let mut tx = store.begin().await?;
    query(format!(
        "UPDATE {} SET state = $2, resolved_at = CASE WHEN $2 = 'resolved' THEN clock_timestamp() END \
         WHERE quarantine_id = ANY ($1)",
        store.own("quarantine")
    ))
    .bind(ids.to_vec())
    .bind(state.as_str())
    .execute(&mut *tx)
    .await
    .map_err(map)?;
    committed(tx).await
}

fn decode(row: &PgRow) -> Result<QuarantineRecord> {
    let state: String = row.try_get("state").map_err(map)?;
    Ok(QuarantineRecord {
        quarantine_id: row.try_get("quarantine_id").map_err(map)?,
        row: NewQuarantine {
            run_id: row.try_get("run_id").map_err(map)?,
            table_label: row.try_get("table_label").map_err(map)?,
            column_label: row.try_get("column_label").map_err(map)?,
            row_tag: row.try_get("row_tag").map_err(map)?,
            key_sealed: row.try_get("key_sealed").map_err(map)?,
            key_id: row.try_get("key_id").map_err(map)?,
            step: row.try_get("step").map_err(map)?,
            reason: row.try_get("reason").map_err(map)?,
            sqlstate: row.try_get("sqlstate").map_err(map)?,
            constraint_name: row.try_get("constraint_name").map_err(map)?,
        },
        state: state.parse().map_err(|()| StoreError::Unexpected {
            what: "a state of a quarantined row this version does not know",
        })?,
        created_at: row.try_get("created_at").map_err(map)?,
        resolved_at: row.try_get("resolved_at").map_err(map)?,
    })
}
