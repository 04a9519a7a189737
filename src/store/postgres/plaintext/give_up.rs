//! Deleting the values of a row that a person gave up, since its plaintext cannot be sealed.
//! Owns the statement. It says that it seals, as an application does, so that the guard takes it.

use super::super::PostgresStore;
use super::super::ddl_lock::begin_briefly;
use super::super::sql::{query, run};
use super::{Held, held};
use crate::store::locate::MICROSECONDS;
use crate::store::text::joined;
use crate::store::{KeyKind, KeyText, Result, StoreError, Table};

/// See [`crate::store::Plaintext::give_up`].
pub(super) async fn try_give_up(
    store: &PostgresStore,
    table: &Table,
    field: Option<usize>,
    key: &KeyText,
) -> Result<bool> {
    if key.0.len() != table.keys.len() {
        return Err(StoreError::unexpected("a row key of another length"));
    }
    let mut tx = begin_briefly(store).await?;
    let fields = held(store, &mut tx, table).await?;
    run(
        &mut tx,
        "SET LOCAL phiseal.sealer = 'on'; SET LOCAL row_security = off; SET LOCAL TimeZone = 'UTC'",
    )
    .await?;
    let chosen = fields
        .iter()
        .enumerate()
        .filter(|(at, _)| field.is_none_or(|one| one == *at));
    let mut found = false;
    for (_, held) in chosen {
        let Some((set, condition)) = change(held, field.is_some()) else {
            continue;
        };
        let sql = format!(
            "WITH row AS (SELECT t.ctid FROM {table_name} AS t WHERE {key}), \
             gone AS (UPDATE {table_name} AS t SET {set} WHERE {key} AND {condition}) \
             SELECT 1 FROM row",
            table_name = table.name.quoted(),
            key = key_condition(table),
        );
        let mut statement = query(sql);
        for text in &key.0 {
            let text = text.strip_suffix(MICROSECONDS).unwrap_or(text);
            statement = statement.bind(text.to_owned());
        }
        found |= statement.fetch_optional(&mut *tx).await?.is_some();
    }
    tx.commit().await?;
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
            (format!("{plain} = NULL{others}"), "true".to_owned())
        }
        (Some((sealed, _)), false) => (
            format!("{plain} = NULL"),
            format!("t.{} IS NULL", sealed.quoted()),
        ),
        (None, _) => (format!("{plain} = NULL"), "true".to_owned()),
    })
}

/// The condition for the row `t` with the key that is bound.
fn key_condition(table: &Table) -> String {
    let parts = table.keys.iter().enumerate().map(|(at, key)| {
        let (column, value) = (key.name.quoted(), at + 1);
        match key.kind {
            KeyKind::Timestamp => {
                format!("extract(epoch FROM t.{column}) * 1000000 = ${value}::text::numeric")
            }
            _ => format!("t.{column}::text = (${value}::text::{})::text", key.cast),
        }
    });
    parts.collect::<Vec<_>>().join(" AND ")
}
