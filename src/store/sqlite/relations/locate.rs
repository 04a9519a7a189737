//! What the tables and columns of registered fields are called now.
//! Owns how they are found: by their places in the schema, else by their guard, else by their
//! recorded names.

use super::super::dialect::SqliteSession;
use super::super::guard;
use super::super::sql::query;
use crate::store::ledger::fields;
use crate::store::plaintext::{HIDDEN, hidden_name};
use crate::store::{FieldRecord, Found, Result};
use sqlx::sqlite::SqliteConnection;
use std::collections::BTreeMap;

use super::{RecordedRelation, UNEXPECTED, columns_now, is_installed, other_table, seen};

/// Gives each field the present names of its table and columns.
pub(crate) async fn present_fields(conn: &mut SqliteConnection) -> Result<Vec<FieldRecord>> {
    let mut fields = fields::recorded(&mut SqliteSession(&mut *conn)).await?;
    locate(conn, &mut fields).await?;
    Ok(fields)
}

/// Gives the fields the present names of their tables and columns.
pub(crate) async fn locate(conn: &mut SqliteConnection, fields: &mut [FieldRecord]) -> Result<()> {
    if !is_installed(conn).await? {
        return Ok(());
    }
    let known = seen(conn).await?;
    for field in fields {
        match known.iter().find(|one| one.label == field.table_label) {
            Some(one) => by_place(conn, field, one).await?,
            None => {
                by_guard(conn, field).await?;
                hide(field, &columns_now(conn, &field.table_name).await?);
            }
        }
    }
    Ok(())
}

async fn by_place(
    conn: &mut SqliteConnection,
    field: &mut FieldRecord,
    one: &RecordedRelation,
) -> Result<()> {
    let Some(now) = &one.now else {
        field.place.found = Found::Gone;
        return Ok(());
    };
    field.place.found = Found::Known;
    move_to(field, now);
    let there = columns_now(conn, now).await?;
    let plain = field.column_name.clone();
    let is_hidden = hide(field, &there);
    let mut renames = Vec::new();
    let mut follow = |name: &mut String| {
        if let Some(now) = renamed(&one.columns, &there, name) {
            renames.push((name.clone(), now.clone()));
            *name = now;
        }
    };
    let holder = field.sealed_column.clone().unwrap_or_else(|| plain.clone());
    field.place.holder_dropped = was_dropped(&one.columns, &there, &holder);
    if !is_hidden {
        follow(&mut field.column_name);
    }
    let others = [
        &mut field.sealed_column,
        &mut field.blind_index_column,
        &mut field.tenant_column,
    ];
    others.into_iter().flatten().for_each(&mut follow);
    field.key_columns.iter_mut().for_each(follow);
    field.place.plain_dropped =
        field.column_name == plain && was_dropped(&one.columns, &there, &plain);
    field.place.renames.extend(renames);
    Ok(())
}

/// Gives a field the name of its hidden plaintext column, if it has one: phiseal itself renamed it, for
/// a time.
fn hide(field: &mut FieldRecord, there: &BTreeMap<String, i64>) -> bool {
    let hidden = hidden_name(&field.table_label, &field.column_label);
    let is_hidden = there.contains_key(&hidden) && !there.contains_key(&field.column_name);
    if is_hidden {
        field.column_name = hidden;
    }
    is_hidden
}

/// The new name of a renamed column: the name now at the column's position, if that name was not
/// there before and no column before it was dropped. (The old name may be another column's by now.)
fn renamed(
    then: &BTreeMap<String, i64>,
    there: &BTreeMap<String, i64>,
    name: &str,
) -> Option<String> {
    let place = *then.get(name).filter(|place| **place != DROPPED)?;
    if there.get(name) == Some(&place) {
        return None;
    }
    // A new name at a recorded position means that the column there was renamed.
    let is_new_at = |at: i64| {
        let now = there.iter().find(|(_, now)| **now == at);
        now.filter(|(now, _)| !then.keys().any(|one| one.eq_ignore_ascii_case(now)))
    };
    let unmoved = then
        .iter()
        .filter(|(_, at)| (0..place).contains(*at))
        .all(|(name, at)| there.get(name) == Some(at) || is_new_at(*at).is_some());
    let (now, _) = is_new_at(place)?;
    unmoved.then(|| now.clone())
}

/// The position of a column that was dropped.
const DROPPED: i64 = -1;

/// Whether the column was dropped: it is gone, and the columns after it moved up.
fn was_dropped(then: &BTreeMap<String, i64>, there: &BTreeMap<String, i64>, name: &str) -> bool {
    let Some(place) = then.get(name) else {
        return false;
    };
    let is_there = there.keys().any(|one| one.eq_ignore_ascii_case(name));
    if *place == DROPPED {
        return !is_there;
    }
    let next = then.iter().find(|(_, at)| **at == place + 1);
    !is_there
        && match next {
            Some((next, _)) => there.get(next).is_none_or(|now| now <= place),
            None => there.values().all(|at| at < place),
        }
}

/// Gives a field that is recorded nowhere the name of the table whose guard is named after its
/// table.
async fn by_guard(conn: &mut SqliteConnection, field: &mut FieldRecord) -> Result<()> {
    let tables = guard::named_after(conn, &field.table_name).await?;
    match tables.as_slice() {
        [] => {
            if columns_now(conn, &field.table_name).await?.is_empty() {
                field.place.found = Found::Gone;
            }
        }
        [one] => {
            field.place.found = Found::Guarded;
            let now = one.name.as_str().to_owned();
            move_to(field, &now);
        }
        several => field.place.found = Found::Several(several.to_vec()),
    }
    Ok(())
}

fn move_to(field: &mut FieldRecord, now: &str) {
    if !field.table_name.eq_ignore_ascii_case(now) {
        let was = std::mem::replace(&mut field.table_name, now.to_owned());
        field.place.renames.push((was, now.to_owned()));
    }
}

/// Refuses a table that is not the one of this label; else records the present names of its
/// columns.
pub(crate) async fn follow(conn: &mut SqliteConnection, label: &str, table: &str) -> Result<()> {
    let known = seen(conn).await?;
    let Some(one) = known.iter().find(|one| one.label == label) else {
        return Ok(());
    };
    let Some(now) = one
        .now
        .as_deref()
        .filter(|now| now.eq_ignore_ascii_case(table))
    else {
        return Err(other_table(one));
    };
    let there = columns_now(conn, now).await?;
    let mut columns = there.clone();
    for name in one
        .columns
        .keys()
        .filter(|name| was_dropped(&one.columns, &there, name))
    {
        columns.insert(name.clone(), DROPPED);
    }
    // A hidden column keeps its name in the record.
    let is_hidden_at = |place: &i64| {
        let mut hidden = there.iter().filter(|(name, _)| name.starts_with(HIDDEN));
        hidden.any(|(_, at)| at == place)
    };
    columns.retain(|name, _| !name.starts_with(HIDDEN));
    columns.extend(
        one.columns
            .clone()
            .into_iter()
            .filter(|(_, at)| is_hidden_at(at)),
    );
    let columns = serde_json::to_string(&columns).map_err(|_| UNEXPECTED)?;
    query("UPDATE phiseal_sealed_relations SET table_name = ?, columns = ? WHERE relation_id = ?")
        .bind(now.to_owned())
        .bind(columns)
        .bind(one.id)
        .execute(conn)
        .await?;
    Ok(())
}
