//! The quarantine.
//! Owns its rows. A row of a table is listed once however often it fails.

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::connection;
use super::fault;
use super::statement::{Bind, bound, statement};
use crate::store::{NewQuarantine, QuarantineRecord, QuarantineState, Result, StoreError};

/// Lists rows. A row that was to be retried and failed again becomes open again.
pub(super) async fn insert_quarantine(
    conn: &mut SqliteConnection,
    rows: &[NewQuarantine],
) -> Result<()> {
    const INSERT: &str = "INSERT INTO phiseal_quarantine \
        (run_id, table_label, column_label, row_tag, key_sealed, key_id, step, reason, sqlstate, constraint_name) \
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
        ON CONFLICT (table_label, row_tag, coalesce(column_label, '')) WHERE state <> 'resolved' \
        DO UPDATE SET run_id = excluded.run_id, key_sealed = excluded.key_sealed, \
        key_id = excluded.key_id, step = CASE WHEN state = 'open' AND excluded.step = 'verify' THEN step ELSE excluded.step END, reason = excluded.reason, \
        sqlstate = excluded.sqlstate, constraint_name = excluded.constraint_name, \
        state = CASE state WHEN 'retry' THEN 'open' ELSE state END";
    for row in rows {
        statement(INSERT)
            .bind(row.run_id)
            .bind(row.table_label.clone())
            .bind(row.column_label.clone())
            .bind(row.row_tag.clone())
            .bind(row.key_sealed.clone())
            .bind(row.key_id)
            .bind(row.step.clone())
            .bind(row.reason.clone())
            .bind(row.sqlstate.clone())
            .bind(row.constraint_name.clone())
            .execute(&mut *conn)
            .await
            .map_err(fault::of)?;
    }
    Ok(())
}

/// Lists rows in a transaction of their own.
pub(super) async fn add_quarantine(
    conn: &mut SqliteConnection,
    rows: &[NewQuarantine],
) -> Result<()> {
    let mut transaction = connection::write_transaction(conn).await?;
    insert_quarantine(&mut transaction, rows).await?;
    connection::commit(transaction).await
}

/// The listed rows of one table or of all tables.
pub(super) async fn quarantined(
    conn: &mut SqliteConnection,
    table_label: Option<&str>,
) -> Result<Vec<QuarantineRecord>> {
    const SELECT: &str = "SELECT quarantine_id, run_id, table_label, column_label, row_tag, \
        key_sealed, key_id, step, reason, sqlstate, constraint_name, state, created_at, resolved_at \
        FROM phiseal_quarantine WHERE state <> 'resolved' AND (?1 IS NULL OR table_label = ?1) \
        ORDER BY quarantine_id";
    let rows = statement(SELECT)
        .bind(table_label.map(str::to_owned))
        .fetch_all(conn)
        .await
        .map_err(fault::of)?;
    rows.iter().map(quarantine_record).collect()
}

fn quarantine_record(row: &SqliteRow) -> Result<QuarantineRecord> {
    let state: String = row.try_get("state").map_err(fault::of)?;
    Ok(QuarantineRecord {
        quarantine_id: row.try_get("quarantine_id").map_err(fault::of)?,
        row: NewQuarantine {
            run_id: row.try_get("run_id").map_err(fault::of)?,
            table_label: row.try_get("table_label").map_err(fault::of)?,
            column_label: row.try_get("column_label").map_err(fault::of)?,
            row_tag: row.try_get("row_tag").map_err(fault::of)?,
            key_sealed: row.try_get("key_sealed").map_err(fault::of)?,
            key_id: row.try_get("key_id").map_err(fault::of)?,
            step: row.try_get("step").map_err(fault::of)?,
            reason: row.try_get("reason").map_err(fault::of)?,
            sqlstate: row.try_get("sqlstate").map_err(fault::of)?,
            constraint_name: row.try_get("constraint_name").map_err(fault::of)?,
        },
        state: state.parse().map_err(|()| StoreError::Unexpected {
            what: "the state of a quarantined row",
        })?,
        created_at: row.try_get("created_at").map_err(fault::of)?,
        resolved_at: row.try_get("resolved_at").map_err(fault::of)?,
    })
}

/// Moves listed rows to a state.
pub(super) async fn set_quarantine_state(
    conn: &mut SqliteConnection,
    ids: &[i64],
    state: QuarantineState,
) -> Result<()> {
    const UPDATE: &str = "UPDATE phiseal_quarantine SET state = ?1, \
        resolved_at = CASE ?1 WHEN 'resolved' THEN strftime('%Y-%m-%dT%H:%M:%fZ', 'now') END \
        WHERE quarantine_id = ?2";
    let mut transaction = connection::write_transaction(conn).await?;
    for id in ids {
        bound(
            UPDATE,
            [Bind::Text(state.as_str().to_owned()), Bind::Integer(*id)],
        )
        .execute(&mut *transaction)
        .await
        .map_err(fault::of)?;
    }
    connection::commit(transaction).await
}
