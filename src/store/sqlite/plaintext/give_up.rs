//! Deleting the values of a row that a person gave up, since its plaintext cannot be sealed.
//! Owns the statement. It is marked as a sealer's, so that the guard takes it.

use sqlx::sqlite::SqliteConnection;

use super::super::connect::{commit, write_transaction};
use super::super::sql::{Bind, bound, run, scalar};
use super::{Held, held};
use crate::store::text::joined;
use crate::store::{KeyText, Result, StoreError, Table};

/// See [`crate::store::Plaintext::give_up`].
pub(super) async fn give_up(
    conn: &mut SqliteConnection,
    table: &Table,
    field: Option<usize>,
    key: &KeyText,
) -> Result<bool> {
    if key.0.len() != table.keys.len() {
        return Err(StoreError::unexpected("a row key of another length"));
    }
    let name = table.name.name.quoted();
    let condition = key_condition(table);
    let binds = || {
        let parts = key.0.iter();
        parts
            .map(|part| Bind::from(part.as_str()))
            .collect::<Vec<_>>()
    };
    // The mark of a sealer counts only while foreign keys are checked, and that is said before.
    run(conn, "PRAGMA foreign_keys = ON").await?;
    let mut transaction = write_transaction(conn).await?;
    let exists = format!("SELECT EXISTS (SELECT 1 FROM {name} WHERE {condition})");
    let found: bool = scalar(exists, binds()).fetch_one(&mut *transaction).await?;
    let fields = held(&mut transaction, table).await?;
    run(
        &mut transaction,
        "INSERT INTO phiseal_mark (mark) VALUES ('sealer')",
    )
    .await?;
    for (at, held) in fields.iter().enumerate() {
        let is_chosen = field.is_none_or(|one| one == at);
        if let Some((set, when)) = change(held, field.is_some()).filter(|_| is_chosen) {
            let sql = format!("UPDATE {name} SET {set} WHERE {condition} AND {when}");
            bound(sql, binds()).execute(&mut *transaction).await?;
        }
    }
    run(&mut transaction, "DELETE FROM phiseal_mark").await?;
    commit(transaction).await?;
    Ok(found)
}

/// What is set for a field, and in which rows. `whole` deletes a sealed value, too.
fn change(field: &Held, whole: bool) -> Option<(String, String)> {
    let plain = field.plain.as_ref()?.quoted();
    Some(match (&field.sealed, whole) {
        (Some((sealed, _)), true) => {
            let columns = [sealed].into_iter().chain(&field.index);
            let others = joined(columns, "", |column| {
                format!(", {} = NULL", column.quoted())
            });
            (format!("{plain} = NULL{others}"), "1".to_owned())
        }
        (Some((sealed, _)), false) => (
            format!("{plain} = NULL"),
            format!("{} IS NULL", sealed.quoted()),
        ),
        (None, _) => (format!("{plain} = NULL"), "1".to_owned()),
    })
}

/// The condition for the row with the key that is bound; bytes are written as `\x` and hex digits.
fn key_condition(table: &Table) -> String {
    let parts = table.keys.iter().enumerate().map(|(at, key)| {
        let (column, value) = (key.name.quoted(), at + 1);
        format!(
            "(CAST({column} AS TEXT) = ?{value} OR typeof({column}) = 'blob' \
             AND '\\x' || lower(hex({column})) = ?{value})"
        )
    });
    parts.collect::<Vec<_>>().join(" AND ")
}
