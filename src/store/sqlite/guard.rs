//! The guard: two triggers that keep a sealed value from being older than its plaintext, and one
//! for each blind index that records whether a statement names it.
//! Owns which triggers a table needs and which it has; `guard/text.rs` has their text. SQLite has
//! no BEFORE trigger that changes a row, so these are AFTER triggers that write the row again. They
//! compare old and new by class and bytes, and find the row by its rowid. The guard works under any
//! `recursive_triggers`, and with other triggers on the table. Its nested update is marked, so that
//! the guard does not undo it, and the guard checks the row once more at the end. A mark counts on
//! one connection only (`guard/mark.rs`).

mod finder;
pub(super) mod mark;
mod registered;
mod text;
pub(super) mod words;

use sqlx::sqlite::SqliteConnection;

use self::text::GuardText;
use super::relations;
use super::select::rowid;
use super::sql::{Bind, run, scalar, tuple};
use crate::ident::{Ident, TableName};
use crate::store::change::label_digest;
use crate::store::{FieldRecord, KeyColumn, KeyKind, Result, StoreError, Table, UntrustedSeal};
pub(super) use registered::with_registered;

/// The prefix of the names of the guard's triggers.
pub(super) const GUARD_PREFIX: &str = "~phiseal_";

/// Whether a trigger belongs to a guard.
pub(super) fn is_guard(trigger: &str) -> bool {
    trigger.starts_with(GUARD_PREFIX)
}

/// One trigger of the guard.
#[derive(PartialEq)]
pub(super) struct GuardTrigger {
    /// Its name. Trigger names are unique in a whole SQLite database, so it contains the table's
    /// name.
    pub(super) name: Ident,
    /// The statement that creates it.
    pub(super) create: String,
}

/// The triggers of a table's guard. The description must name every sealed field.
pub(super) async fn triggers(
    conn: &mut SqliteConnection,
    table: &Table,
) -> Result<Vec<GuardTrigger>> {
    let undoes = match table.on_untrusted_seal {
        Some(way) => way == UntrustedSeal::Undo,
        None => undoes(conn, &table.name).await?,
    };
    let this_row = finder::this_row(conn, table).await?;
    let rowid = rowid(conn, table.name.name.as_str()).await?.name;
    // Only the registry says what is frozen, so that no command thaws a field by making its guard.
    let frozen = registered::frozen(conn, &table.label).await?;
    let guard = GuardText::new(table, this_row, rowid, undoes, &frozen);
    let insert = free_name(conn, &table.name, "i").await?;
    let update = free_name(conn, &table.name, "u").await?;
    let mut triggers = vec![
        GuardTrigger {
            create: guard.on_insert(&insert),
            name: insert,
        },
        GuardTrigger {
            create: guard.on_update(&update),
            name: update,
        },
    ];
    for index in guard.indexes() {
        let event = format!("n{}", hex::encode(&label_digest(index)[..4]));
        let name = free_name(conn, &table.name, &event).await?;
        triggers.push(GuardTrigger {
            create: guard.on_named(&name, index),
            name,
        });
    }
    Ok(triggers)
}

/// Whether the table's present guard undoes an untrusted change of a sealed value.
async fn undoes(conn: &mut SqliteConnection, table: &TableName) -> Result<bool> {
    let there = on_table(conn, table.name.as_str()).await?;
    Ok(there.iter().any(|one| one.create.contains(text::UNDONE)))
}

/// The statements that replace the table's present guard by the one it should have.
pub(super) async fn missing(conn: &mut SqliteConnection, table: &Table) -> Result<Vec<String>> {
    let wanted = triggers(conn, table).await?;
    let there = on_table(conn, table.name.name.as_str()).await?;
    let dropped = there.iter().filter(|one| !wanted.contains(one));
    let made = wanted.iter().filter(|one| !there.contains(one));
    Ok(dropped
        .map(drop_statement)
        .chain(made.map(|trigger| trigger.create.clone()))
        .collect())
}

/// Drops the guard of a table, whatever its triggers are called; returns how it handled an
/// untrusted change of a sealed value.
pub(super) async fn drop_all(
    conn: &mut SqliteConnection,
    table: &TableName,
) -> Result<UntrustedSeal> {
    let undoes = undoes(conn, table).await?;
    for trigger in on_table(conn, table.name.as_str()).await? {
        run(conn, drop_statement(&trigger)).await?;
    }
    Ok(match undoes {
        true => UntrustedSeal::Undo,
        false => UntrustedSeal::Refuse,
    })
}

fn drop_statement(trigger: &GuardTrigger) -> String {
    format!("DROP TRIGGER {}", trigger.name.quoted())
}

/// The tables whose guard is not valid: one of an earlier version, which a committed mark switches
/// off, or one whose table was renamed and whose text still updates the old name.
pub(super) async fn outdated(conn: &mut SqliteConnection) -> Result<Vec<TableName>> {
    const OUTDATED: &str = "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger' \
        AND substr(name, 1, length(?1)) = ?1 AND (instr(sql, 'phiseal PS004') = 0 \
        OR instr(sql, char(10) || '    UPDATE \"') > 0 \
        AND instr(sql, 'UPDATE \"' || replace(tbl_name, '\"', '\"\"') || '\" SET') = 0) ORDER BY 1";
    let updates = [GUARD_PREFIX, "u_"].concat();
    let names: Vec<String> = scalar(OUTDATED, [Bind::from(updates)])
        .fetch_all(conn)
        .await?;
    names.iter().map(|name| name_of(name)).collect()
}

/// Replaces outdated guards by this program's. A table that is not registered keeps its guard,
/// since nothing tells which of its columns are sealed.
pub(super) async fn renew(conn: &mut SqliteConnection) -> Result<()> {
    let outdated = outdated(conn).await?;
    if outdated.is_empty() {
        return Ok(());
    }
    relations::before_change(conn).await?;
    for record in relations::present_fields(conn).await? {
        let table_name = name_of(&record.table_name)?;
        if !outdated.contains(&table_name) {
            continue;
        }
        let table = with_registered(conn, &bare(table_name, &record)?).await?;
        if table.fields.is_empty() {
            continue;
        }
        for statement in missing(conn, &table).await? {
            run(conn, statement).await?;
        }
    }
    relations::after_change(conn, None, false).await
}

/// The description of a registered table, without its fields.
fn bare(table: TableName, record: &FieldRecord) -> Result<Table> {
    let name = |name: &String| Ident::new(name.clone()).map_err(|_| unexpected());
    let key = |column: &String| {
        Ok(KeyColumn {
            name: name(column)?,
            kind: KeyKind::ByClass,
            cast: String::new(),
            type_schema: None,
        })
    };
    Ok(Table {
        name: table,
        label: record.table_label.clone(),
        keys: record.key_columns.iter().map(key).collect::<Result<_>>()?,
        tenant: record.tenant_column.as_ref().map(name).transpose()?,
        fields: Vec::new(),
        on_untrusted_seal: None,
    })
}

/// The tables with a guard named after this table: the table itself, and tables that once had its
/// name and kept their triggers when they were renamed.
pub(super) async fn named_after(
    conn: &mut SqliteConnection,
    table: &str,
) -> Result<Vec<TableName>> {
    let named = trigger_name(&name_of(table)?, "u", "")?;
    let names: Vec<String> = scalar(
        "SELECT DISTINCT tbl_name FROM sqlite_schema WHERE type = 'trigger' AND (name = ?1 \
         OR substr(name, 1, length(?1) + 1) = ?1 || '~') ORDER BY 1",
        [Bind::from(named.as_str())],
    )
    .fetch_all(conn)
    .await?;
    names.iter().map(|name| name_of(name)).collect()
}

/// The triggers of the guard that a table has.
async fn on_table(conn: &mut SqliteConnection, table: &str) -> Result<Vec<GuardTrigger>> {
    const TRIGGERS: &str = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' \
        AND tbl_name = ? COLLATE NOCASE AND substr(name, 1, length(?)) = ? ORDER BY name";
    let prefix = || Bind::from(GUARD_PREFIX);
    let rows = tuple(TRIGGERS, [Bind::from(table), prefix(), prefix()]);
    let trigger = |(name, create): (String, String)| {
        let name = Ident::new(name).map_err(|_| unexpected())?;
        Ok(GuardTrigger { name, create })
    };
    let rows = rows.fetch_all(conn).await?;
    rows.into_iter().map(trigger).collect()
}

/// How many numbers are tried to find a free trigger name.
const NAMES_MAX: u32 = 100;

/// A name for a trigger of this table's guard that no other table's trigger has.
async fn free_name(conn: &mut SqliteConnection, table: &TableName, event: &str) -> Result<Ident> {
    const TAKEN: &str = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' \
        AND name = ? COLLATE NOCASE AND tbl_name <> ? COLLATE NOCASE";
    for number in 1..=NAMES_MAX {
        let suffix = match number {
            1 => String::new(),
            _ => format!("~{number}"),
        };
        let name = trigger_name(table, event, &suffix)?;
        let binds = [name.as_str(), table.name.as_str()].map(Bind::from);
        let taken: i64 = scalar(TAKEN, binds).fetch_one(&mut *conn).await?;
        if taken == 0 {
            return Ok(name);
        }
    }
    Err(StoreError::InTheWay {
        what: format!("the guards of {NAMES_MAX} tables that were called {table}"),
    })
}

fn trigger_name(table: &TableName, event: &str, suffix: &str) -> Result<Ident> {
    let name = format!("{GUARD_PREFIX}{event}_{}{suffix}", table.name.as_str());
    Ident::new(name)
        .map_err(|_| StoreError::unexpected("a table name too long to name its guard after"))
}

fn name_of(table: &str) -> Result<TableName> {
    Ok(TableName {
        schema: None,
        name: Ident::new(table).map_err(|_| unexpected())?,
    })
}

fn unexpected() -> StoreError {
    StoreError::unexpected("a name in the catalog or the registry")
}

#[cfg(test)]
mod tests;
