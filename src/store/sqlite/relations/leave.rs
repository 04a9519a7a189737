//! Releases a label from its table: fields that are forgotten, and a table that replaces another.

use sqlx::Row;
use sqlx::sqlite::SqliteConnection;

use super::super::connect::{commit, write_transaction};
use super::super::dialect::SqliteSession;
use super::super::guard;
use super::super::sql::{Bind, bound, query};
use super::{UNEXPECTED, after_change, before_change, seen};
use crate::ident::{Ident, TableName};
use crate::store::ledger::procedures;
use crate::store::record::GIVEN_UP;
use crate::store::{ProcedureKind, Result, Table};

/// See [`crate::store::SealedRelations::forget_fields`].
pub(crate) async fn forget(
    conn: &mut SqliteConnection,
    label: &str,
    columns: &[String],
) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    before_change(&mut transaction).await?;
    for column in columns {
        query(
            "UPDATE phiseal_encrypted_field_metadata SET state = 'forgotten', \
             updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE table_label = ? AND column_label = ?",
        )
        .bind(label.to_owned())
        .bind(column.clone())
        .execute(&mut *transaction)
        .await?;
    }
    let left = bound(
        "SELECT count(*) FROM phiseal_encrypted_field_metadata WHERE table_label = ? AND state <> 'forgotten'",
        [Bind::from(label)],
    )
    .fetch_one(&mut *transaction)
    .await?;
    if left.try_get::<i64, _>(0)? == 0 {
        leave(&mut transaction, label, None).await?;
    }
    after_change(&mut transaction, None, false).await?;
    let session = &mut SqliteSession(&mut *transaction);
    for kind in ProcedureKind::ALL {
        procedures::finish_of(session, kind, label, None, GIVEN_UP).await?;
    }
    commit(transaction).await
}

/// Ends the recorded relation of a label to its table, and drops the table's guard.
async fn leave(conn: &mut SqliteConnection, label: &str, but: Option<&TableName>) -> Result<()> {
    for one in seen(conn).await? {
        let Some(now) = one.now.filter(|_| one.label == label) else {
            continue;
        };
        let name = TableName {
            schema: None,
            name: Ident::new(now).map_err(|_| UNEXPECTED)?,
        };
        if but != Some(&name) {
            guard::drop_all(conn, &name).await?;
        }
    }
    query(
        "UPDATE phiseal_sealed_relations SET left_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') \
         WHERE table_label = ? AND left_at IS NULL",
    )
    .bind(label.to_owned())
    .execute(conn)
    .await?;
    Ok(())
}

/// See [`crate::store::SealedRelations::rebind`].
pub(crate) async fn rebind(conn: &mut SqliteConnection, table: &Table) -> Result<()> {
    let mut transaction = write_transaction(conn).await?;
    before_change(&mut transaction).await?;
    leave(&mut transaction, &table.label, Some(&table.name)).await?;
    after_change(&mut transaction, Some(table), false).await?;
    commit(transaction).await
}
